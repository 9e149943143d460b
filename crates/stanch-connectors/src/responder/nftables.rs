//! nftables: blocks and limits addresses, and blocks ports, on a Linux firewall through one table of
//! our own.
//!
//! Each change is one set element with the kernel's own timer and our tag as its comment, so it ends
//! on time even when Stanch is dead, and two blocks never get in each other's way. It does not
//! survive a reboot or a flush of the ruleset; comparing what should be there with
//! [`Nftables::list_ours`] finds that. It never touches another table, or an element without our tag.
//!
//! Established connections are cut as well, because our chains look at every packet. Flows that the
//! kernel has handed to a flowtable or a network card pass by every chain, ours included.
//!
//! With an [`OwnPath`] a change begins on trial: 20 s by the kernel's own timer, marked as such. Only
//! when the path works as it did before does it get its real time; else it is taken back at once,
//! and if nobody is left to do so, the kernel does it.

mod layout;
mod own_path;
mod wire;

#[cfg(test)]
mod contract_tests;
#[cfg(test)]
mod lab_tests;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ipnet::IpNet;
use stanch_model::port::Responder;
use stanch_model::{Action, ActionKind, Failure, Observed, Span};
use tokio::sync::Mutex;

use super::run::{self, Done, RunError};
pub use own_path::{OwnPath, TcpPaths};
use wire::{Sight, Table, Target};

/// What to do when a program is missing.
pub const INSTALL: &str = "apt-get install nftables iproute2";
/// How long a change may stand before it is known that it does not cut our own path. With the two
/// looks at the path it stays below 30 s. Source: SEC-60.
const TRIAL: Duration = Duration::from_secs(20);
/// A path that fails is looked at again: one lost packet is no cut.
const LOOKS: u32 = 3;
const NEEDS_RIGHTS: &str = "changing the firewall needs root, or CAP_NET_ADMIN for this program";

/// Settings of one nftables responder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NftConfig {
    /// The name used in playbooks.
    pub name: String,
    /// The named network namespace to work in (`ip netns`); none for the machine's own.
    pub netns: Option<String>,
    /// Our table, of family `inet`. Default `stanch`.
    pub table: String,
    /// The absolute path of `nft`. Default: found in `/usr/sbin`, `/sbin`, `/usr/bin`, `/bin`.
    pub program: PathBuf,
    /// How long one call of `nft` may take. Default 5 s; listing 10 000 elements takes 0.4 s.
    pub timeout: Duration,
}

impl NftConfig {
    /// The defaults, under a name.
    #[must_use]
    pub fn named(name: impl Into<String>) -> NftConfig {
        NftConfig {
            name: name.into(),
            netns: None,
            table: "stanch".to_owned(),
            program: run::find("nft").unwrap_or_else(|| PathBuf::from("/usr/sbin/nft")),
            timeout: Duration::from_secs(5),
        }
    }

    /// The same, in a network namespace.
    #[must_use]
    pub fn in_netns(mut self, netns: impl Into<String>) -> NftConfig {
        self.netns = Some(netns.into());
        self
    }

    /// All mistakes in these settings; opens nothing.
    #[must_use]
    pub fn check(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        let word = |text: &str, also: &str| {
            text.starts_with(|c: char| c.is_ascii_alphanumeric())
                && text.len() <= 64
                && text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
        };
        if !word(&self.table, "_") || self.table.starts_with(|c: char| c.is_ascii_digit()) {
            mistakes.push(format!("table: {:?} is not a name of letters, digits and `_`", self.table));
        }
        if let Some(netns) = self.netns.as_deref().filter(|n| !word(n, "_-.")) {
            mistakes.push(format!("netns: {netns:?} is not a name of letters, digits, `_`, `-` and `.`"));
        }
        if !self.program.is_absolute() {
            mistakes.push(format!("program: {} is not an absolute path", self.program.display()));
        }
        if self.timeout.is_zero() || self.timeout > Duration::from_secs(60) {
            mistakes.push("timeout: must be more than 0 and at most 60s".to_owned());
        }
        mistakes
    }
}

/// Whether this machine can be used: programs, rights and kernel.
///
/// # Errors
/// What is missing, and the line that mends it.
pub fn available() -> Result<(), String> {
    for program in ["nft", "ip"] {
        if run::find(program).is_none() {
            return Err(format!("the program `{program}` is not installed; run: {INSTALL}"));
        }
    }
    let nft = run::find("nft").ok_or_else(|| format!("`nft` is not installed; run: {INSTALL}"))?;
    let mut command = std::process::Command::new(nft);
    run::clean_env(&mut command);
    let done =
        command.args(["list", "tables"]).output().map_err(|e| format!("`nft` could not be started: {e}"))?;
    let said = String::from_utf8_lossy(&done.stderr);
    match done.status.success() {
        true => Ok(()),
        false if said.contains("not permitted") => Err(NEEDS_RIGHTS.to_owned()),
        false => Err(format!("`nft list tables` failed: {}", said.trim())),
    }
}

/// A Linux firewall. Cheap to keep; every answer comes from the kernel, none from memory.
pub struct Nftables {
    config: NftConfig,
    prefix: Vec<OsString>,
    own_path: Option<Arc<dyn OwnPath>>,
    /// Looking and changing are two calls; one writer at a time keeps them together.
    writer: Mutex<()>,
}

impl std::fmt::Debug for Nftables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nftables").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Nftables {
    /// Opens nothing; the first call finds out whether it works.
    #[must_use]
    pub fn new(config: NftConfig) -> Nftables {
        let mut prefix = Vec::new();
        if let Some(netns) = &config.netns {
            let ip = run::find("ip").unwrap_or_else(|| PathBuf::from("/usr/sbin/ip"));
            prefix.extend([ip.into(), "netns".into(), "exec".into(), OsString::from(netns)]);
        }
        prefix.push(config.program.clone().into());
        Nftables { config, prefix, own_path: None, writer: Mutex::new(()) }
    }

    /// The same, and no change may cut this path.
    #[must_use]
    pub fn with_own_path(mut self, path: Arc<dyn OwnPath>) -> Nftables {
        self.own_path = Some(path);
        self
    }

    /// Lays our table out, empty, when it is not there; changes nothing else.
    ///
    /// # Errors
    /// When the device refused or could not be reached.
    pub async fn prepare(&self) -> Result<(), Failure> {
        let _writer = self.writer.lock().await;
        self.ensure().await.map(|_| ())
    }

    /// Removes our table when nothing is blocked through it; true when it is gone.
    ///
    /// # Errors
    /// When the device refused or could not be reached.
    pub async fn withdraw(&self) -> Result<bool, Failure> {
        let _writer = self.writer.lock().await;
        let table = self.look().await?;
        if !table.layout.exists {
            return Ok(true);
        }
        if !table.is_idle() {
            return Ok(false);
        }
        self.change(&wire::delete_table(&self.config.table)).await.map_err(Refused::into_failure)?;
        Ok(true)
    }

    /// All elements that carry a tag of ours: tag, address, and how long the kernel keeps it.
    ///
    /// # Errors
    /// When the device could not be read.
    pub async fn list_ours(&self) -> Result<Vec<(String, IpNet, Option<Span>)>, Failure> {
        let table = self.look().await?;
        let ours = table.elements.iter().filter_map(|e| {
            let tag = e.comment.clone().filter(|c| c.starts_with("stanch:"))?;
            Some(e.nets().into_iter().map(move |net| (tag.clone(), net, e.expires)))
        });
        Ok(ours.flatten().collect())
    }

    /// How many packets our rules have dropped since the table was laid out.
    ///
    /// # Errors
    /// When the device could not be read.
    pub async fn dropped_packets(&self) -> Result<u64, Failure> {
        Ok(self.look().await?.layout.dropped)
    }

    async fn look(&self) -> Result<Table, Failure> {
        let done = match self.nft(&wire::list(&self.config.table)).await {
            Ok(done) => done,
            Err(RunError::NotStarted(why)) => {
                return Err(Failure::permanent(format!("{why}; run: {INSTALL}")));
            }
            Err(RunError::Lost(why)) => return Err(Failure::transient(why)),
        };
        match done.code {
            Some(0) => wire::parse(&done.out).map_err(Failure::permanent),
            Some(1) if is_missing(&done.err) => Ok(Table::default()),
            None => Err(Failure::transient("nft was ended by a signal")),
            _ => Err(read_refusal(&done)),
        }
    }

    /// Our table, whole; what was missing is added in one batch.
    async fn ensure(&self) -> Result<Table, Failure> {
        let table = self.look().await?;
        let Some(batch) = table.repair(&self.config.table) else { return Ok(table) };
        self.change(&batch).await.map_err(|refused| match refused.into_failure() {
            // Whether the empty table was laid out is open, but certainly no address was blocked.
            Failure::Unknown { why } => Failure::Transient { why },
            failure => failure,
        })?;
        self.look().await
    }

    /// Sends one batch. nft applies all of it or nothing. Source: measured, nft 1.0.6.
    async fn change(&self, batch: &[u8]) -> Result<(), Refused> {
        let done = match self.nft(batch).await {
            Ok(done) => done,
            Err(RunError::NotStarted(why)) => {
                return Err(Refused::Failed(Failure::permanent(format!("{why}; run: {INSTALL}"))));
            }
            Err(RunError::Lost(why)) => return Err(Refused::Failed(Failure::unknown(why))),
        };
        match done.code {
            Some(0) => Ok(()),
            None => Err(Refused::Failed(Failure::unknown("nft was ended by a signal"))),
            Some(_) if is_overtaken(&done.err) => Err(Refused::Overtaken(done.err)),
            Some(_) => Err(Refused::Failed(read_refusal(&done))),
        }
    }

    /// Tables are read and laid out in JSON, elements are written in nft's own language.
    async fn nft(&self, input: &[u8]) -> Result<Done, RunError> {
        let mut argv = self.prefix.clone();
        if input.starts_with(b"{") {
            argv.push("-j".into());
        }
        argv.extend(["-f".into(), "-".into()]);
        run::run(&argv, input, self.config.timeout).await
    }

    /// Whether our own path works; a failure is looked at again before it is believed.
    async fn is_open(path: &dyn OwnPath) -> bool {
        for _ in 0..LOOKS {
            if path.is_open().await {
                return true;
            }
        }
        false
    }

    /// Gives what stands on trial its real time if our own path works, and takes it back if not.
    async fn settle(&self, action: &Action, target: &Target, since: Instant) -> Result<(), Failure> {
        let table = &self.config.table;
        if let Some(path) = &self.own_path
            && !Self::is_open(&**path).await
        {
            let why = format!("rolled back: it cut our own path ({})", path.words());
            return match self.change(&wire::delete_element(table, target)).await {
                Ok(()) | Err(Refused::Overtaken(_)) => Err(Failure::permanent(why)),
                Err(Refused::Failed(f)) => Err(Failure::unknown(format!(
                    "{why}; that failed ({f}), the firewall does it by itself within {} s",
                    TRIAL.as_secs()
                ))),
            };
        }
        let passed = Span(i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX));
        let left = seconds(Span(action.ttl.0.saturating_sub(passed.0)));
        let batch = wire::confirm_element(table, target, left, &action.tag());
        self.change(&batch).await.map_err(|refused| match refused {
            Refused::Overtaken(said) => Failure::unknown(format!("it ended before it was confirmed: {said}")),
            Refused::Failed(f) => Failure::unknown(format!("on trial, and not confirmed: {f}")),
        })
    }

    /// Adds an element where there is none. True when it stands on trial.
    async fn create(&self, action: &Action, target: &Target) -> Result<bool, Refused> {
        let (table, whole) = (&self.config.table, seconds(action.ttl));
        // A path that does not work now cannot be cut.
        let on_trial = match &self.own_path {
            Some(path) => Self::is_open(&**path).await,
            None => false,
        };
        let batch = if on_trial {
            let short = whole.min(i64::try_from(TRIAL.as_secs()).unwrap_or(20));
            wire::create_element(table, target, short, &wire::on_trial(&action.tag()))
        } else {
            wire::create_element(table, target, whole, &action.tag())
        };
        self.change(&batch).await.map(|()| on_trial)
    }
}

/// Why a change was not made.
enum Refused {
    /// The device changed between our look and our change: look again.
    Overtaken(String),
    Failed(Failure),
}

impl Refused {
    fn into_failure(self) -> Failure {
        match self {
            Refused::Overtaken(why) => Failure::transient(why),
            Refused::Failed(failure) => failure,
        }
    }
}

fn is_missing(said: &str) -> bool {
    said.contains("No such file or directory") && !said.contains("network namespace")
}

fn is_overtaken(said: &str) -> bool {
    ["File exists", "overlaps with an existing one", "element does not exist", "No such file or directory"]
        .iter()
        .any(|text| said.contains(text))
        && !said.contains("network namespace")
}

/// The class of what nft said. nft is all or nothing, so a refusal means that nothing was changed.
fn read_refusal(done: &Done) -> Failure {
    let said = if done.err.is_empty() { format!("nft ended with {:?}", done.code) } else { done.err.clone() };
    let busy =
        ["resource busy", "temporarily unavailable", "Interrupted", "No buffer space", "Cannot allocate"];
    if said.contains("not permitted") {
        Failure::permanent(format!("{NEEDS_RIGHTS} (nft: {said})"))
    } else if busy.iter().any(|text| said.contains(text)) {
        Failure::transient(said)
    } else {
        Failure::permanent(said)
    }
}

/// The kernel keeps whole seconds of ours: rounded down, so that nothing outlives its TTL; at least 1.
fn seconds(ttl: Span) -> i64 {
    (ttl.0 / 1_000).max(1)
}

fn target_of(action: &Action) -> Result<Target, Failure> {
    let Some(target) = Target::of(&action.kind) else {
        return Err(Failure::permanent(format!("a packet filter cannot {}", action.kind.words())));
    };
    match wire::refusal(&target.net) {
        Some(why) => Err(Failure::permanent(why)),
        None => Ok(target),
    }
}

/// What a look at the table means for one action.
fn observed(table: &Table, target: &Target, action: &Action) -> Observed {
    let what = match (table.judge(target, &action.tag()), table.layout.flaw(target.does())) {
        (Sight::Absent, _) => return Observed::Absent,
        (Sight::Other { what }, _) => what,
        (Sight::Ours { .. } | Sight::Trial { .. }, Some(flaw)) => flaw,
        (Sight::Trial { expires }, None) => {
            let left = expires.unwrap_or(Span::ZERO);
            format!("our element is on trial and ends by itself in {left} unless it is confirmed")
        }
        (Sight::Ours { expires: None }, None) => {
            "our element has no timer and would stay for ever".to_owned()
        }
        (Sight::Ours { expires: Some(left) }, None) if left.0 > action.ttl.0.max(1_000) => {
            format!("our element stays for another {left}, longer than the {} asked for", action.ttl)
        }
        (Sight::Ours { expires: Some(left) }, None) => return Observed::Present { expires_in: Some(left) },
    };
    Observed::Different { what }
}

#[async_trait]
impl Responder for Nftables {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn simulated(&self) -> bool {
        false
    }

    fn expires_by_itself(&self) -> bool {
        true
    }

    fn can(&self, kind: &ActionKind) -> bool {
        Target::of(kind).is_some()
    }

    /// None: this firewall is reached through the kernel we run on, not over a network.
    fn management_addresses(&self) -> Vec<std::net::IpAddr> {
        Vec::new()
    }

    async fn perform(&self, action: &Action) -> Result<Observed, Failure> {
        let target = target_of(action)?;
        if action.ttl.0 <= 0 {
            return Err(Failure::permanent("a change without an end is never made: the TTL is zero"));
        }
        let _writer = self.writer.lock().await;
        let table = self.ensure().await?;
        let (since, trial) = match table.judge(&target, &action.tag()) {
            Sight::Ours { .. } | Sight::Other { .. } => return Ok(observed(&table, &target, action)),
            // We were ended between trial and confirmation.
            Sight::Trial { .. } => (Instant::now(), true),
            Sight::Absent => {
                if let Some(flaw) = table.layout.flaw(target.does()) {
                    return Err(Failure::permanent(format!("nothing was changed: {flaw}")));
                }
                let since = Instant::now();
                match self.create(action, &target).await {
                    Ok(trial) => (since, trial),
                    Err(Refused::Overtaken(said)) => {
                        return match observed(&self.look().await?, &target, action) {
                            Observed::Absent => {
                                Err(Failure::transient(format!("the set changed under our hands: {said}")))
                            }
                            seen => Ok(seen),
                        };
                    }
                    Err(Refused::Failed(failure)) => return Err(failure),
                }
            }
        };
        if trial {
            self.settle(action, &target, since).await?;
        }
        // From here on the change is made: a look that fails must not read as "not made".
        let table = self.look().await.map_err(|f| Failure::unknown(format!("done, not read back: {f}")))?;
        Ok(observed(&table, &target, action))
    }

    /// In one transaction: the traffic never passes between the old timer and the new one.
    async fn renew(&self, action: &Action) -> Result<Observed, Failure> {
        let target = target_of(action)?;
        {
            let _writer = self.writer.lock().await;
            let table = self.ensure().await?;
            if matches!(table.judge(&target, &action.tag()), Sight::Ours { .. }) {
                let batch =
                    wire::confirm_element(&self.config.table, &target, seconds(action.ttl), &action.tag());
                match self.change(&batch).await {
                    // It ran out between our look and the call: then it is made anew below.
                    Ok(()) | Err(Refused::Overtaken(_)) => {}
                    Err(Refused::Failed(failure)) => return Err(failure),
                }
            }
        }
        self.perform(action).await
    }

    async fn verify(&self, action: &Action) -> Result<Observed, Failure> {
        let target = target_of(action)?;
        Ok(observed(&self.look().await?, &target, action))
    }

    /// An element of somebody else on the same address is left alone, and ours counts as absent.
    async fn revert(&self, action: &Action) -> Result<Observed, Failure> {
        let target = target_of(action)?;
        let _writer = self.writer.lock().await;
        match self.look().await?.judge(&target, &action.tag()) {
            Sight::Ours { .. } | Sight::Trial { .. } => {}
            Sight::Absent => return Ok(Observed::Absent),
            Sight::Other { what } => {
                tracing::info!(action = %action.id, what, "nothing of ours to take back");
                return Ok(Observed::Absent);
            }
        }
        // It may run out between our look and the call: then there is nothing left to delete.
        match self.change(&wire::delete_element(&self.config.table, &target)).await {
            Ok(()) | Err(Refused::Overtaken(_)) => {}
            Err(Refused::Failed(failure)) => return Err(failure),
        }
        let table = self.look().await.map_err(|f| Failure::unknown(format!("not read back: {f}")))?;
        match table.judge(&target, &action.tag()) {
            Sight::Ours { .. } | Sight::Trial { .. } => {
                Err(Failure::unknown("our element is still there after it was deleted"))
            }
            Sight::Absent | Sight::Other { .. } => Ok(Observed::Absent),
        }
    }
}
