//! What we send to nft, what we read from it, and what we make of it. Pure.
//!
//! Source: libnftables-json(5) and nft(8), nftables 1.0.6; shapes checked against what nft 1.0.6 prints.
//! Elements are written in nft's own language, because 1.0.6 reads no limit of an element from JSON.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};
use serde_json::{Value, json};
use stanch_model::action::plain;
use stanch_model::{ActionKind, Span, Transport};

use super::layout::{Does, Layout, Set, set_for};

/// Behind the tag of an element that is on trial.
const TRIAL: &str = " on trial";

/// What an action is aimed at, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) net: IpNet,
    port: Option<(Transport, u16)>,
    rate: Option<u32>,
}

impl Target {
    /// None when a packet filter cannot do this.
    pub(super) fn of(kind: &ActionKind) -> Option<Target> {
        match kind {
            ActionKind::BlockAddress { target } => {
                Some(Target { net: target.trunc(), port: None, rate: None })
            }
            ActionKind::LimitAddress { target, packets_per_second } => {
                Some(Target { net: target.trunc(), port: None, rate: Some(*packets_per_second) })
            }
            ActionKind::BlockPort { target, protocol, port } => {
                Some(Target { net: target.trunc(), port: Some((*protocol, *port)), rate: None })
            }
            ActionKind::QuarantinePort { .. }
            | ActionKind::LockAccount { .. }
            | ActionKind::UnlockAccount { .. }
            | ActionKind::ResetCredential { .. }
            | ActionKind::RemoveFromGroup { .. }
            | ActionKind::SinkholeDomain { .. }
            | ActionKind::Call { .. } => None,
        }
    }

    pub(super) fn does(&self) -> Does {
        match (self.port, self.rate) {
            (Some(_), _) => Does::Port,
            (None, Some(_)) => Does::Limit,
            (None, None) => Does::Block,
        }
    }

    fn set(&self) -> &'static Set {
        set_for(self.does(), self.net.addr().is_ipv6())
    }

    /// As nft writes it. Addresses and numbers only.
    fn key(&self) -> String {
        let net = plain(&self.net);
        self.port.map_or(net.clone(), |(transport, port)| format!("{net} . {} . {port}", transport.word()))
    }

    /// In words, for people.
    fn words(&self) -> String {
        let net = plain(&self.net);
        self.port
            .map_or(net.clone(), |(transport, port)| format!("{} port {port} of {net}", transport.word()))
    }
}

/// One entry of our sets: a closed range of addresses, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    set: &'static Set,
    pub(super) first: IpAddr,
    pub(super) last: IpAddr,
    /// For sets of ports: transport as written, first and last port.
    port: Option<(String, u16, u16)>,
    /// For limits: packets a second.
    rate: Option<u64>,
    pub(super) expires: Option<Span>,
    pub(super) comment: Option<String>,
}

/// Our table as it stands on the device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) layout: Layout,
    pub(super) elements: Vec<Element>,
}

/// What an action finds when it looks for its own element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    Ours {
        expires: Option<Span>,
    },
    /// Ours, and not confirmed yet: the device takes it away by itself in a moment.
    Trial {
        expires: Option<Span>,
    },
    Absent,
    Other {
        what: String,
    },
}

fn batch(commands: Vec<Value>) -> Vec<u8> {
    json!({ "nftables": commands }).to_string().into_bytes()
}

pub(super) fn list(table: &str) -> Vec<u8> {
    batch(vec![json!({ "list": { "table": { "family": "inet", "name": table } } })])
}

pub(super) fn delete_table(table: &str) -> Vec<u8> {
    batch(vec![json!({ "delete": { "table": { "family": "inet", "name": table } } })])
}

/// `create`, not `add`: adding what is already there would refresh its timer. Source: measured, nft
/// 1.0.6 on kernel 6.18 (10 s became 60 s).
pub(super) fn create_element(table: &str, target: &Target, seconds: i64, tag: &str) -> Vec<u8> {
    // A second's worth may come at once.
    let limit = target.rate.map_or(String::new(), |rate| {
        let rate = rate.max(1);
        format!(" limit rate over {rate}/second burst {rate} packets")
    });
    format!(
        "create element inet {table} {} {{ {}{limit} timeout {seconds}s comment \"{tag}\" }}\n",
        target.set().name,
        target.key()
    )
    .into_bytes()
}

pub(super) fn delete_element(table: &str, target: &Target) -> Vec<u8> {
    format!("delete element inet {table} {} {{ {} }}\n", target.set().name, target.key()).into_bytes()
}

/// The tag of an element that is on trial.
pub(super) fn on_trial(tag: &str) -> String {
    format!("{tag}{TRIAL}")
}

/// Gives an element on trial its real time, in one transaction: the traffic never passes between.
pub(super) fn confirm_element(table: &str, target: &Target, seconds: i64, tag: &str) -> Vec<u8> {
    [delete_element(table, target), create_element(table, target, seconds, tag)].concat()
}

impl Table {
    /// The commands that add what is missing of our table, as one batch; none when it is complete.
    pub(super) fn repair(&self, table: &str) -> Option<Vec<u8>> {
        let commands = self.layout.repair(table);
        (!commands.is_empty()).then(|| batch(commands))
    }

    /// True when nothing at all is changed through this table.
    pub(super) fn is_idle(&self) -> bool {
        self.elements.is_empty()
    }

    /// What one action finds. Its own element is recognised by tag and target together.
    pub(super) fn judge(&self, target: &Target, tag: &str) -> Sight {
        let trial = on_trial(tag);
        let mut own = self.elements.iter().filter(|e| e.is_exactly(target));
        if let Some(e) = own.find(|e| e.comment.as_deref().is_some_and(|c| c == tag || c == trial)) {
            if let Some(rate) = target.rate.map(u64::from).filter(|rate| e.rate != Some(*rate)) {
                let now = e.rate.map_or("without a limit".to_owned(), |r| format!("at {r} packets a second"));
                return Sight::Other { what: format!("our entry stands {now}, not at {rate}") };
            }
            let expires = e.expires;
            let confirmed = e.comment.as_deref() == Some(tag);
            return if confirmed { Sight::Ours { expires } } else { Sight::Trial { expires } };
        }
        if let Some(e) = self.elements.iter().find(|e| e.overlaps(target)) {
            let relation = if e.is_exactly(target) {
                format!("{} is", target.words())
            } else {
                format!("{} overlaps with {}, which is", target.words(), e.words())
            };
            return Sight::Other { what: format!("{relation} already {} {}", e.state(), e.owner()) };
        }
        let ours = |e: &&Element| e.comment.as_deref() == Some(tag) && e.set == target.set();
        match self.elements.iter().find(ours) {
            Some(e) => Sight::Other {
                what: format!("our tag {tag} is on {} instead of {}", e.words(), target.words()),
            },
            None => Sight::Absent,
        }
    }
}

impl Element {
    fn is_exactly(&self, target: &Target) -> bool {
        let port = target.port.map(|(transport, port)| (transport.word().to_owned(), port, port));
        self.set == target.set()
            && self.first == target.net.network()
            && self.last == target.net.broadcast()
            && self.port == port
    }

    /// Two entries of one set on the same packets; the kernel refuses the second.
    fn overlaps(&self, target: &Target) -> bool {
        let ports = match (&self.port, target.port) {
            (Some((transport, first, last)), Some((wanted, port))) => {
                transport == wanted.word() && (*first..=*last).contains(&port)
            }
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        self.set == target.set()
            && self.first <= target.net.broadcast()
            && target.net.network() <= self.last
            && ports
    }

    /// The prefixes that make up the range; one, unless somebody else wrote it.
    pub(super) fn nets(&self) -> Vec<IpNet> {
        match (self.first, self.last) {
            (IpAddr::V4(a), IpAddr::V4(b)) => Ipv4Subnets::new(a, b, 0).map(IpNet::V4).collect(),
            (IpAddr::V6(a), IpAddr::V6(b)) => Ipv6Subnets::new(a, b, 0).map(IpNet::V6).collect(),
            _ => Vec::new(),
        }
    }

    fn words(&self) -> String {
        let net = match self.nets().as_slice() {
            [one] => plain(one),
            _ => format!("{}-{}", self.first, self.last),
        };
        match &self.port {
            None => net,
            Some((transport, first, last)) if first == last => format!("{transport} port {first} of {net}"),
            Some((transport, first, last)) => format!("{transport} ports {first}-{last} of {net}"),
        }
    }

    fn state(&self) -> &'static str {
        match self.set.does {
            Does::Block | Does::Port => "blocked",
            Does::Limit => "limited",
        }
    }

    fn owner(&self) -> String {
        let until = self.expires.map_or("without expiry".to_owned(), |s| format!("for another {s}"));
        match &self.comment {
            Some(tag) if tag.starts_with("stanch:") => format!("by {tag} {until}"),
            Some(comment) => format!("by an entry that is not ours (comment {comment:?}) {until}"),
            None => format!("by an entry that is not ours {until}"),
        }
    }
}

/// Reads the answer to [`list`].
///
/// # Errors
/// When it is not what nft is documented to print.
pub(super) fn parse(out: &[u8]) -> Result<Table, String> {
    let answer: Value = serde_json::from_slice(out).map_err(|e| format!("nft's answer is not JSON: {e}"))?;
    let items = answer["nftables"].as_array().ok_or("nft's answer has no `nftables` list")?;
    let mut table = Table::default();
    for item in items {
        if let Some(t) = item.get("table") {
            table.layout.exists = true;
            // 1.0.6 prints one flag as a text, several as a list.
            table.layout.dormant =
                t.get("flags").is_some_and(|flags| flags.to_string().contains("\"dormant\""));
        } else if let Some(set) = item.get("set") {
            if let Some(ours) = table.layout.read_set(set) {
                for item in set["elem"].as_array().into_iter().flatten() {
                    table.elements.push(read_element(ours, item)?);
                }
            }
        } else if let Some(chain) = item.get("chain") {
            table.layout.read_chain(chain);
        } else if let Some(rule) = item.get("rule") {
            table.layout.read_rule(rule);
        }
    }
    Ok(table)
}

fn read_element(set: &'static Set, item: &Value) -> Result<Element, String> {
    let body = item.get("elem");
    let value = body.map_or(item, |b| &b["val"]);
    let odd = || format!("element {value} was not understood");
    let (address, port) = match value.get("concat").and_then(Value::as_array).map(Vec::as_slice) {
        Some([address, transport, port]) => (address, Some(read_port(transport, port).ok_or_else(odd)?)),
        Some(_) => return Err(odd()),
        None => (value, None),
    };
    let (first, last) = read_range(address).ok_or_else(odd)?;
    let expires = body.and_then(|b| b["expires"].as_i64().or(b["timeout"].as_i64())).map(Span::secs);
    let comment = body.and_then(|b| b["comment"].as_str()).map(str::to_owned);
    let limit = body.map(|b| &b["limit"]).filter(|l| l["per"] == "second" && l["inv"] == true);
    let rate = limit.and_then(|l| l["rate"].as_u64());
    Ok(Element { set, first, last, port, rate, expires, comment })
}

/// Transport and ports, which may be numbers or ranges of them.
fn read_port(transport: &Value, port: &Value) -> Option<(String, u16, u16)> {
    let transport = transport.as_str().map_or_else(|| transport.to_string(), str::to_owned);
    let number = |v: &Value| v.as_u64().and_then(|n| u16::try_from(n).ok());
    let (first, last) = match port.get("range") {
        None => (number(port)?, number(port)?),
        Some(ends) => (number(&ends[0])?, number(&ends[1])?),
    };
    Some((transport, first, last))
}

fn read_range(value: &Value) -> Option<(IpAddr, IpAddr)> {
    if let Some(text) = value.as_str() {
        let address = text.parse().ok()?;
        return Some((address, address));
    }
    if let Some(prefix) = value.get("prefix") {
        let address: IpAddr = prefix["addr"].as_str()?.parse().ok()?;
        let net = IpNet::new(address, u8::try_from(prefix["len"].as_u64()?).ok()?).ok()?;
        return Some((net.network(), net.broadcast()));
    }
    let ends = value.get("range")?.as_array()?;
    let end = |i: usize| -> Option<IpAddr> { ends.get(i)?.as_str()?.parse().ok() };
    Some((end(0)?, end(1)?))
}

/// The widest things there are, refused whatever anybody decided: a set cannot take back `all`.
pub(super) fn refusal(target: &IpNet) -> Option<String> {
    if target.prefix_len() == 0 {
        return Some(format!("{target} is every address there is; this is never blocked"));
    }
    match target.addr() {
        IpAddr::V6(six) if six.to_ipv4_mapped().is_some() => Some(format!(
            "{target} is an IPv4 address in IPv6 spelling, which no packet carries; write it as IPv4"
        )),
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) | IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
            Some(format!("{target} is no address of a host"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
