//! Open vSwitch: puts an access port into the quarantine VLAN and back, over its database (OVSDB).
//!
//! A move is one transaction: it waits that the port is still as we read it, sets the tag, and leaves
//! our mark and the former tag among the port's external ids (`stanch`, `stanch-was`). The way back
//! is in the journal and on the switch. Then we wait until the switch daemon says that it works by it.
//!
//! Refused: trunks, ports without a tag (unless `untagged: access`), bonds, declared uplinks, ports
//! that speak LLDP, every interface no machine can be behind (patch, internal, tunnels), and ports
//! behind which more machines were learnt than `most_machines`, where the daemon can be asked.
//!
//! A switch has no timer for this; the lease ends it. It survives a restart of the switch, because
//! its database does.

mod ovsdb;
mod port;

#[cfg(test)]
mod lab_tests;
#[cfg(test)]
mod switch;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value, json};
use stanch_model::port::Responder;
use stanch_model::{Action, ActionKind, Failure, Observed};

use ovsdb::{Answer, Lost};
use port::Port;

/// Between two looks at whether the switch has taken a change over.
const AGAIN: Duration = Duration::from_millis(50);

/// Where a switch's database listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OvsRemote {
    /// A socket in the file system: `/run/openvswitch/db.sock`.
    Unix(PathBuf),
    /// An address; not encrypted, so for a management network only.
    Tcp(SocketAddr),
}

impl fmt::Display for OvsRemote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OvsRemote::Unix(path) => write!(f, "unix:{}", path.display()),
            OvsRemote::Tcp(at) => write!(f, "tcp:{at}"),
        }
    }
}

/// Settings of one switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OvsConfig {
    /// The name used in playbooks.
    pub name: String,
    /// Its database.
    pub remote: OvsRemote,
    /// Only ports of this bridge. Default: of any.
    pub bridge: Option<String>,
    /// Ports that are never moved.
    pub uplinks: Vec<String>,
    /// True when ports without a tag are access ports: a switch that uses no VLANs. Default: false.
    pub untagged_is_access: bool,
    /// The daemon's control socket, to ask how many machines are behind a port. Default: not asked.
    pub control: Option<PathBuf>,
    /// With `control`: a port with more machines behind it is not moved. Default 4.
    pub most_machines: usize,
    /// How long one exchange, and the switch's taking over, may take. Default 5 s.
    pub timeout: Duration,
}

impl OvsConfig {
    /// The defaults, for one switch.
    #[must_use]
    pub fn new(name: impl Into<String>, remote: OvsRemote) -> OvsConfig {
        OvsConfig {
            name: name.into(),
            remote,
            bridge: None,
            uplinks: Vec::new(),
            untagged_is_access: false,
            control: None,
            most_machines: 4,
            timeout: Duration::from_secs(5),
        }
    }
}

/// A switch. Cheap to keep; every answer comes from its database, none from memory.
#[derive(Debug)]
pub struct OpenVswitch {
    config: OvsConfig,
}

/// Port and VLAN of an action.
fn wanted(action: &Action) -> Result<(&str, u16), Failure> {
    let ActionKind::QuarantinePort { port, vlan } = &action.kind else {
        return Err(Failure::permanent(format!("a switch cannot {}", action.kind.words())));
    };
    if !(1..=4_094).contains(vlan) {
        // Source: IEEE 802.1Q: 0 and 4095 are reserved.
        return Err(Failure::permanent(format!("{vlan} is not a VLAN; 1 to 4094 are")));
    }
    Ok((port, *vlan))
}

fn observed(port: Option<&Port>, name: &str, vlan: u16, mark: &str) -> Observed {
    let Some(port) = port else { return Observed::Absent };
    let what = match (port.mark(), port.tag) {
        (Some(m), Some(tag)) if m == mark && tag == vlan => return Observed::Present { expires_in: None },
        (Some(m), tag) if m == mark => {
            let now = tag.map_or("without a tag".to_owned(), |tag| format!("in VLAN {tag}"));
            format!("{name} bears our mark, but somebody moved it; it is {now}")
        }
        (Some(other), _) => format!("{name} was already moved by {other}"),
        (None, Some(tag)) if tag == vlan => format!("{name} is in VLAN {vlan} already, but not by us"),
        (None, _) => return Observed::Absent,
    };
    Observed::Different { what }
}

impl OpenVswitch {
    /// Opens nothing; the first call finds out whether it works.
    #[must_use]
    pub fn new(config: OvsConfig) -> OpenVswitch {
        OpenVswitch { config }
    }

    async fn transact(&self, operations: Vec<Value>) -> Result<Answer, Lost> {
        let mut params = vec![json!("Open_vSwitch")];
        params.extend(operations);
        ovsdb::call(&self.config.remote, "transact", Value::Array(params), self.config.timeout).await
    }

    async fn look(&self, name: &str) -> Result<Option<Port>, Failure> {
        match self.transact(port::select(name)).await.map_err(Lost::harmless)? {
            Answer::Error(why) => Err(Failure::permanent(format!("{}: {why}", self.config.remote))),
            Answer::Result(result) => port::read(&result).map_err(Failure::permanent),
        }
    }

    /// The port, if it may be moved.
    async fn movable(&self, name: &str) -> Result<Port, Failure> {
        let gone = || Failure::permanent(format!("there is no port {name} on {}", self.config.remote));
        let port = self.look(name).await?.ok_or_else(gone)?;
        if let Some(bridge) = &self.config.bridge
            && !port.bridges.contains(bridge)
        {
            return Err(Failure::permanent(format!("{name} is not a port of bridge {bridge}")));
        }
        match port.refusal(name, &self.config.uplinks, self.config.untagged_is_access) {
            Some(why) => Err(Failure::permanent(why)),
            None => Ok(port),
        }
    }

    /// Refuses a port with a crowd behind it: another switch, an access point, a hypervisor.
    async fn refuse_crowd(&self, name: &str, port: &Port) -> Result<(), Failure> {
        let (Some(control), Some(number)) = (&self.config.control, port.number()) else { return Ok(()) };
        let socket = ovsdb::control(control);
        for bridge in &port.bridges {
            let asked = ovsdb::call(&socket, "fdb/show", json!([bridge]), self.config.timeout).await;
            let table = match asked.map_err(Lost::harmless)? {
                Answer::Result(table) => table.as_str().unwrap_or_default().to_owned(),
                Answer::Error(why) => return Err(Failure::permanent(format!("{socket}: {why}"))),
            };
            let found = port::learnt(&table, number);
            if found > self.config.most_machines {
                return Err(Failure::permanent(format!(
                    "{found} machines are behind {name}, more than {}; it is not one machine's port",
                    self.config.most_machines
                )));
            }
        }
        Ok(())
    }

    /// Makes a change. Ok(None): the port is not as we read it, nothing was done. Ok(Some(true)): done and
    /// taken over by the switch.
    async fn change(&self, operations: Vec<Value>) -> Result<Option<bool>, Failure> {
        let result = match self.transact(operations).await.map_err(Lost::of_change)? {
            Answer::Error(why) => return Err(Failure::permanent(why)),
            Answer::Result(result) => result,
        };
        let number = match port::outcome(&result) {
            Ok(number) => number,
            Err(why) if why.starts_with("timed out") => return Ok(None),
            // The database makes a transaction whole or not at all. Source: RFC 7047, 4.1.3.
            Err(why) => return Err(Failure::permanent(format!("nothing was changed: {why}"))),
        };
        let start = Instant::now();
        loop {
            match self.taken_over().await {
                Ok(done) if done >= number => return Ok(Some(true)),
                Ok(_) if start.elapsed() < self.config.timeout => tokio::time::sleep(AGAIN).await,
                Ok(_) => return Ok(Some(false)),
                Err(f) => return Err(Failure::unknown(format!("changed, not read back: {f}"))),
            }
        }
    }

    /// The number of the last configuration the daemon works by.
    async fn taken_over(&self) -> Result<i64, Failure> {
        let select = json!({ "op": "select", "table": "Open_vSwitch", "where": [], "columns": ["cur_cfg"] });
        match self.transact(vec![select]).await.map_err(Lost::harmless)? {
            Answer::Result(result) => Ok(result[0]["rows"][0]["cur_cfg"].as_i64().unwrap_or(-1)),
            Answer::Error(why) => Err(Failure::transient(why)),
        }
    }
}

#[async_trait]
impl Responder for OpenVswitch {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn simulated(&self) -> bool {
        false
    }

    fn expires_by_itself(&self) -> bool {
        false
    }

    fn management_addresses(&self) -> Vec<IpAddr> {
        match &self.config.remote {
            OvsRemote::Tcp(at) if !at.ip().is_loopback() => vec![at.ip()],
            OvsRemote::Tcp(_) | OvsRemote::Unix(_) => Vec::new(),
        }
    }

    fn can(&self, kind: &ActionKind) -> bool {
        matches!(kind, ActionKind::QuarantinePort { .. })
    }

    async fn capture(&self, action: &Action) -> Result<Option<String>, Failure> {
        let (name, vlan) = wanted(action)?;
        let port = self.movable(name).await?;
        if let Observed::Different { what } = observed(Some(&port), name, vlan, &action.tag()) {
            return Err(Failure::permanent(what));
        }
        self.refuse_crowd(name, &port).await?;
        Ok(Some(json!({ "port": name, "tag": port.tag }).to_string()))
    }

    async fn perform(&self, action: &Action) -> Result<Observed, Failure> {
        let (name, vlan) = wanted(action)?;
        if action.before.is_none() {
            return Err(Failure::permanent("nothing was changed: how it was before had not been captured"));
        }
        let port = self.movable(name).await?;
        let seen = observed(Some(&port), name, vlan, &action.tag());
        if seen != Observed::Absent {
            return Ok(seen);
        }
        if port.tag != before(action)? {
            return Err(Failure::permanent(format!(
                "{name} was moved after it was captured; nothing was changed"
            )));
        }
        let Some(taken_over) = self.change(port.quarantine(vlan, &action.tag())).await? else {
            return Err(Failure::transient(format!("{name} changed under our hands")));
        };
        let port = self.look(name).await;
        let port = port.map_err(|f| Failure::unknown(format!("moved, not read back: {f}")))?;
        match (observed(port.as_ref(), name, vlan, &action.tag()), taken_over) {
            (Observed::Present { .. }, false) => Ok(Observed::Different {
                what: format!(
                    "the database has {name} in VLAN {vlan}, but the switch daemon has not taken it over within {} s",
                    self.config.timeout.as_secs()
                ),
            }),
            (seen, _) => Ok(seen),
        }
    }

    async fn verify(&self, action: &Action) -> Result<Observed, Failure> {
        let (name, vlan) = wanted(action)?;
        Ok(observed(self.look(name).await?.as_ref(), name, vlan, &action.tag()))
    }

    /// A port that somebody moved since stays where it is; only our mark goes.
    async fn revert(&self, action: &Action) -> Result<Observed, Failure> {
        let (name, vlan) = wanted(action)?;
        let Some(port) = self.look(name).await? else { return Ok(Observed::Absent) };
        if port.mark() != Some(action.tag().as_str()) {
            return Ok(Observed::Absent);
        }
        let was = match (&action.before, port.was()) {
            (Some(_), _) => before(action)?,
            (None, Some(was)) => was,
            (None, None) => {
                return Err(Failure::unknown(format!(
                    "{name} bears our mark, but its former VLAN is not known"
                )));
            }
        };
        match self.change(port.release(vlan, was, &action.tag())).await? {
            Some(true) => {}
            Some(false) => return Err(Failure::unknown("the switch daemon has not taken it over")),
            None => return Err(Failure::transient(format!("{name} changed under our hands"))),
        }
        let port = self.look(name).await;
        let port = port.map_err(|f| Failure::unknown(format!("moved back, not read back: {f}")))?;
        match port.and_then(|p| p.mark().map(|m| m == action.tag())) {
            Some(true) => Err(Failure::unknown(format!("{name} still bears our mark"))),
            Some(false) | None => Ok(Observed::Absent),
        }
    }
}

/// The tag before, from the journal.
fn before(action: &Action) -> Result<Option<u16>, Failure> {
    let text = action.before.as_deref().unwrap_or_default();
    let recipe: Value = serde_json::from_str(text)
        .map_err(|e| Failure::permanent(format!("the recipe is not readable: {e}")))?;
    match &recipe["tag"] {
        Value::Null => Ok(None),
        tag => match tag.as_u64().and_then(|tag| u16::try_from(tag).ok()) {
            Some(tag) => Ok(Some(tag)),
            None => Err(Failure::permanent("the recipe names no VLAN")),
        },
    }
}
