//! A DNS sinkhole: rules in a response policy zone (RPZ), by dynamic update.
//!
//! The zone lies on a server that takes updates (RFC 2136) signed with a shared key (TSIG, RFC 8945):
//! BIND 9 from Debian in our lab. Resolvers that use it are that server itself, or any that
//! transfers it (BIND, Unbound, Knot Resolver, PowerDNS). Why not a resolver's own control channel
//! (`unbound-control`, `kresd`): those rules live in memory, vanish with a restart, reach one
//! resolver, and cannot be added "only if nobody else has one there". An update can: it carries
//! prerequisites and is made whole or not at all.
//!
//! One rule is three records: the name, the wildcard below it, and our mark at `NAME._stanch.ZONE`, a
//! name nobody looks up. We look with updates that hold prerequisites and change nothing, because an
//! ordinary question would be answered by somebody's wider wildcard. Records of others are never
//! touched. A zone has no timers; the lease ends the rule.
//!
//! `nsupdate` and `dig` are used as programs: the shared key stays in its file, which only they read.

mod wire;

#[cfg(test)]
mod lab_tests;
#[cfg(test)]
mod named;

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use stanch_model::port::Responder;
use stanch_model::{Action, ActionKind, Failure, Observed};

use super::run::{self, RunError};
pub use wire::Sinkhole;
use wire::{Rule, Said};

/// What to do when a program is missing.
const INSTALL: &str = "apt-get install bind9-dnsutils";
/// Between two questions to a resolver that has not taken a rule over yet.
const AGAIN: Duration = Duration::from_millis(200);

/// Settings of one response policy zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpzConfig {
    /// The name used in playbooks.
    pub name: String,
    /// The server that takes updates of the zone.
    pub server: SocketAddr,
    /// The policy zone, for example `rpz.example.net`.
    pub zone: String,
    /// The shared key, as `tsig-keygen` writes it. None: the server trusts our address.
    pub key: Option<PathBuf>,
    /// What is answered instead. Default: that there is no such name.
    pub answer: Sinkhole,
    /// Time to live of our records, in seconds. Default 60.
    pub record_ttl: u32,
    /// A resolver that uses the zone: asked after each change and at each look. Default: none.
    pub resolver: Option<SocketAddr>,
    /// How long one exchange may take, and how long a resolver may need to take a rule over.
    /// Default 5 s.
    pub timeout: Duration,
}

impl RpzConfig {
    /// The defaults, for one zone.
    #[must_use]
    pub fn new(name: impl Into<String>, server: SocketAddr, zone: impl Into<String>) -> RpzConfig {
        RpzConfig {
            name: name.into(),
            server,
            zone: zone.into(),
            key: None,
            answer: Sinkhole::NoSuchName,
            record_ttl: 60,
            resolver: None,
            timeout: Duration::from_secs(5),
        }
    }

    /// All mistakes in these settings; opens nothing.
    #[must_use]
    pub fn check(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        if let Some(why) = wire::name_mistake(&self.zone) {
            mistakes.push(format!("zone: {why}"));
        }
        if let Sinkhole::Host(name) = &self.answer
            && let Some(why) = wire::name_mistake(name)
        {
            mistakes.push(format!("answer: {why}"));
        }
        if self.record_ttl == 0 || self.record_ttl > 3_600 {
            mistakes.push("record_ttl: must be 1 to 3600 seconds".to_owned());
        }
        if self.timeout < Duration::from_secs(1) || self.timeout > Duration::from_secs(20) {
            mistakes.push("timeout: must be 1s to 20s".to_owned());
        }
        mistakes
    }
}

/// Whether the programs are here.
///
/// # Errors
/// What is missing, and the line that mends it.
pub fn available() -> Result<(), String> {
    match ["nsupdate", "dig"].iter().find(|p| run::find(p).is_none()) {
        Some(program) => Err(format!("the program `{program}` is not installed; run: {INSTALL}")),
        None => Ok(()),
    }
}

/// A response policy zone. Cheap to keep; every answer comes from the server, none from memory.
#[derive(Debug)]
pub struct Rpz {
    config: RpzConfig,
    nsupdate: PathBuf,
    dig: PathBuf,
}

impl Rpz {
    /// Opens nothing; the first call finds out whether it works.
    #[must_use]
    pub fn new(config: RpzConfig) -> Rpz {
        let at =
            |program: &str| run::find(program).unwrap_or_else(|| PathBuf::from("/usr/bin").join(program));
        Rpz { config, nsupdate: at("nsupdate"), dig: at("dig") }
    }

    fn rule(&self, action: &Action) -> Result<Rule, Failure> {
        let ActionKind::SinkholeDomain { domain } = &action.kind else {
            return Err(Failure::permanent(format!("a policy zone cannot {}", action.kind.words())));
        };
        Rule::new(domain, &self.config.zone, &self.config.answer, self.config.record_ttl, &action.tag())
            .map_err(Failure::permanent)
    }

    /// Sends one update message and waits for its answer.
    async fn update(&self, lines: &str) -> Said {
        let server = self.config.server;
        let input =
            format!("server {} {}\nzone {}\n{lines}send\n", server.ip(), server.port(), self.config.zone);
        let mut argv: Vec<OsString> = vec![self.nsupdate.clone().into(), "-v".into()];
        argv.extend(["-t".into(), OsString::from(self.config.timeout.as_secs().to_string())]);
        if let Some(key) = &self.config.key {
            argv.extend(["-k".into(), key.into()]);
        }
        let long = self.config.timeout + Duration::from_secs(1);
        match run::run(&argv, input.as_bytes(), long).await {
            Ok(done) => wire::read(done.code, &done.err),
            Err(RunError::NotStarted(why)) => {
                Said::Certain(Failure::permanent(format!("{why}; run: {INSTALL}")))
            }
            Err(RunError::Lost(why)) => Said::Lost(why),
        }
    }

    /// Whether the zone holds exactly what these prerequisites say.
    async fn holds(&self, prerequisites: &str) -> Result<bool, Failure> {
        match self.update(prerequisites).await {
            Said::Done => Ok(true),
            Said::Unmet(_) => Ok(false),
            Said::Certain(failure) => Err(failure),
            Said::Lost(why) => Err(Failure::transient(why)),
        }
    }

    async fn look(&self, rule: &Rule) -> Result<Observed, Failure> {
        if self.holds(&rule.present()).await? {
            return Ok(Observed::Present { expires_in: None });
        }
        if self.holds(&rule.free()).await? {
            return Ok(Observed::Absent);
        }
        let marks = self.marks(rule).await?;
        let what = match marks.iter().find(|mark| mark.starts_with("stanch:")) {
            Some(mark) if *mark == rule.tag => {
                format!("our mark is there, but the rule for {} is not as we made it", rule.domain)
            }
            Some(mark) => format!("{} is already sinkholed by {mark}", rule.domain),
            None => format!("the zone has a rule for {} that is not ours", rule.domain),
        };
        Ok(Observed::Different { what })
    }

    /// The texts at the place of our mark.
    async fn marks(&self, rule: &Rule) -> Result<Vec<String>, Failure> {
        let out = self.dig(self.config.server, true, &["+norecurse", "+short", &rule.mark, "TXT"]).await?;
        Ok(out.lines().map(|line| line.trim().trim_matches('"').to_owned()).collect())
    }

    async fn dig(&self, at: SocketAddr, signed: bool, words: &[&str]) -> Result<String, Failure> {
        let mut argv: Vec<OsString> = vec![self.dig.clone().into(), format!("@{}", at.ip()).into()];
        argv.extend(["-p".into(), OsString::from(at.port().to_string())]);
        argv.extend(["+tcp", "+tries=1", "+time=3"].map(OsString::from));
        if let (true, Some(key)) = (signed, &self.config.key) {
            argv.extend(["-k".into(), key.into()]);
        }
        argv.extend(words.iter().map(OsString::from));
        match run::run(&argv, b"", self.config.timeout).await {
            Ok(done) if done.code == Some(0) => Ok(String::from_utf8_lossy(&done.out).into_owned()),
            Ok(done) => {
                Err(Failure::transient(format!("{at} was not read: {}", wire::brief(&done.out, &done.err))))
            }
            Err(RunError::NotStarted(why)) => Err(Failure::permanent(format!("{why}; run: {INSTALL}"))),
            Err(RunError::Lost(why)) => Err(Failure::transient(why)),
        }
    }

    /// What is wrong with the answers of the resolver, if one is to be asked.
    async fn unheeded(&self, rule: &Rule) -> Result<Option<String>, Failure> {
        let Some(resolver) = self.config.resolver else { return Ok(None) };
        for name in [rule.domain.clone(), format!("stanch-probe.{}", rule.domain)] {
            let kind = self.config.answer.asked();
            let said = self.dig(resolver, false, &["+noall", "+comments", "+answer", &name, kind]).await?;
            if let Some(what) = self.config.answer.differs(&said) {
                return Ok(Some(format!(
                    "the zone has our rule, but resolver {resolver} answers {what} for {name}; \
                     is the zone in its response-policy?"
                )));
            }
        }
        Ok(None)
    }

    /// A rule that is in the zone counts only when the resolver heeds it.
    async fn heeded(&self, rule: &Rule, seen: Observed, wait: Duration) -> Result<Observed, Failure> {
        if !matches!(seen, Observed::Present { .. }) {
            return Ok(seen);
        }
        let start = Instant::now();
        loop {
            match self.unheeded(rule).await? {
                None => return Ok(seen),
                Some(what) if start.elapsed() >= wait => return Ok(Observed::Different { what }),
                Some(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }
}

#[async_trait]
impl Responder for Rpz {
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
        let all = [Some(self.config.server), self.config.resolver];
        all.into_iter().flatten().map(|at| at.ip()).filter(|ip| !ip.is_loopback()).collect()
    }

    fn can(&self, kind: &ActionKind) -> bool {
        matches!(kind, ActionKind::SinkholeDomain { .. })
    }

    async fn perform(&self, action: &Action) -> Result<Observed, Failure> {
        let rule = self.rule(action)?;
        let seen = self.look(&rule).await?;
        if seen != Observed::Absent {
            return self.heeded(&rule, seen, Duration::ZERO).await;
        }
        match self.update(&rule.add()).await {
            Said::Done | Said::Unmet(_) => {}
            Said::Certain(failure) => return Err(failure),
            Said::Lost(why) => return Err(Failure::unknown(why)),
        }
        // From here on the change may be made: a look that fails must not read as "not made".
        let not_read = |f: Failure| Failure::unknown(format!("sinkholed, not read back: {f}"));
        let seen = self.look(&rule).await.map_err(not_read)?;
        if seen == Observed::Absent {
            return Err(Failure::transient("the zone changed under our hands"));
        }
        self.heeded(&rule, seen, self.config.timeout).await.map_err(not_read)
    }

    async fn verify(&self, action: &Action) -> Result<Observed, Failure> {
        let rule = self.rule(action)?;
        let seen = self.look(&rule).await?;
        self.heeded(&rule, seen, Duration::ZERO).await
    }

    /// Records of somebody else under the same name are left alone, and ours count as absent.
    async fn revert(&self, action: &Action) -> Result<Observed, Failure> {
        let rule = self.rule(action)?;
        match self.update(&rule.delete()).await {
            // Without our mark there is nothing of ours.
            Said::Done | Said::Unmet(_) => {}
            Said::Certain(failure) => return Err(failure),
            Said::Lost(why) => return Err(Failure::unknown(why)),
        }
        let marked = self.holds(&rule.marked()).await;
        match marked.map_err(|f| Failure::unknown(format!("not read back: {f}")))? {
            false => Ok(Observed::Absent),
            true => Err(Failure::unknown("our mark is still there after it was deleted")),
        }
    }
}
