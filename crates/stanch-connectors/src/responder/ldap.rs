//! A directory over LDAP: locks and unlocks accounts, makes passwords worthless, and takes accounts
//! out of groups.
//!
//! Every change is one modification of one entry, which the server makes whole or not at all, and
//! takes away exactly the values that were read before: what somebody else changed meanwhile makes
//! the server refuse. The same modification puts our tag on the entry (`description: stanch:ACT-4`),
//! and the way back is its mirror image. No directory has a timer for this; the lease ends it.
//!
//! | change | with a password policy (ppolicy) | without |
//! | --- | --- | --- |
//! | lock | `pwdAccountLockedTime: 000001010000Z` | as reset, and `shadowExpire: 1` on shadow accounts |
//! | unlock | takes `pwdAccountLockedTime` away | takes `shadowExpire: 1` away |
//! | reset | `userPassword` becomes a value nobody can sign in with | the same |
//! | group | takes `member`, `uniqueMember` or `memberUid` away | the same |
//!
//! A password policy locks only where the policy in force says `pwdLockout: TRUE`. Sessions that are
//! open stay open: an LDAP server knows nothing of them.
//!
//! **The old password hash** is needed for the way back and must not lie in the journal for
//! everyone who may read it. It is sealed (ChaCha20-Poly1305) with a key file that is not in the
//! database, bound to the action and the entry; without `seal_key` no password is touched. Losing
//! the key loses the way back of resets in force, and nothing else.
//!
//! What the server keeps by itself (`pwdChangedTime`, `pwdHistory`, `modifyTimestamp`, `entryCSN`)
//! is not restored. A password that was set anew after a reset is left as it is.

mod recipe;
mod session;

#[cfg(test)]
mod lab_tests;
#[cfg(test)]
mod slapd;

use std::net::{IpAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use stanch_model::port::Responder;
use stanch_model::{Action, ActionKind, Failure, Observed};

use super::seal::Seal;
pub use crate::notifier::Secret;
pub use recipe::Lock;
use recipe::{Entry, Opened, Recipe, Stands};
use session::{Change, Changed, Session, TIMEOUT};

/// Whether the conversation is encrypted. `ldaps://` always is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LdapTls {
    /// Plain: for this machine only.
    None,
    /// Upgraded before anybody signs in. Source: RFC 4511, 4.14.
    StartTls,
}

/// How to reach a directory and where things lie in it.
#[derive(Clone, Debug)]
pub struct LdapConfig {
    /// The name used in playbooks.
    pub name: String,
    /// `ldap://host:389`, `ldaps://host:636` or `ldapi://%2Frun%2Fslapd%2Fldapi`.
    pub url: String,
    /// For `ldap://`. Default: StartTls.
    pub tls: LdapTls,
    /// PEM file with the authorities to trust. Default: those of the system.
    pub ca: Option<PathBuf>,
    /// The entry to sign in as.
    pub bind_dn: String,
    /// Its password.
    pub password: Secret,
    /// Below which entry the accounts lie.
    pub people: String,
    /// Which attribute holds an account's name. Default `uid`.
    pub account_attribute: String,
    /// Below which entry the groups lie; none: groups cannot be changed.
    pub groups: Option<String>,
    /// Which attribute holds a group's name. Default `cn`.
    pub group_attribute: String,
    /// Which attribute takes our tag; of many values. Default `description`.
    pub tag_attribute: String,
    /// How accounts are locked. Default: Auto.
    pub lock: Lock,
    /// Seals password hashes in recipes; without it passwords are never touched.
    pub seal_key: Option<Secret>,
    /// How long one exchange may take. Default 5 s.
    pub timeout: Duration,
}

impl LdapConfig {
    /// The defaults, for one directory.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        url: impl Into<String>,
        bind_dn: impl Into<String>,
        password: Secret,
        people: impl Into<String>,
    ) -> LdapConfig {
        LdapConfig {
            name: name.into(),
            url: url.into(),
            tls: LdapTls::StartTls,
            ca: None,
            bind_dn: bind_dn.into(),
            password,
            people: people.into(),
            account_attribute: "uid".to_owned(),
            groups: None,
            group_attribute: "cn".to_owned(),
            tag_attribute: "description".to_owned(),
            lock: Lock::Auto,
            seal_key: None,
            timeout: TIMEOUT,
        }
    }

    /// All mistakes in these settings; opens nothing.
    #[must_use]
    pub fn check(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        match (host_of(&self.url), self.url.split_once("://")) {
            (Some(host), Some(("ldap", _))) if self.tls == LdapTls::None && !is_here(&host) => {
                mistakes.push(
                    "the password would be sent unencrypted; write `tls: starttls` or ldaps://".to_owned(),
                );
            }
            (Some(_), Some(("ldap" | "ldaps", _))) | (None, Some(("ldapi", _))) => {}
            _ => mistakes.push(format!("{:?} is not an LDAP URL; write ldaps://host", self.url)),
        }
        if self.bind_dn.is_empty() || self.password.expose().is_empty() {
            // Source: RFC 4513, 5.1.2: an empty password is an anonymous sign-in that succeeds.
            mistakes.push("`bind_dn` and `password` must not be empty".to_owned());
        }
        for (key, name) in [
            ("account_attribute", &self.account_attribute),
            ("group_attribute", &self.group_attribute),
            ("tag_attribute", &self.tag_attribute),
        ] {
            // Source: RFC 4512, 1.4: keystring.
            let fits = name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            if !fits {
                mistakes.push(format!("{key}: {name:?} is not the name of an attribute"));
            }
        }
        if let Some(Err(why)) = self.seal_key.as_ref().map(Seal::new) {
            mistakes.push(why);
        }
        if self.lock == Lock::Password && self.seal_key.is_none() {
            mistakes.push("`lock: password` needs `seal_key`".to_owned());
        }
        mistakes
    }
}

/// The host in a URL; none for a socket in the file system.
fn host_of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    let host = match authority.strip_prefix('[') {
        Some(six) => six.split(']').next()?,
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    (scheme != "ldapi" && !host.is_empty()).then(|| host.to_owned())
}

fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A directory. Cheap to keep: every verb signs in anew and answers from the directory alone.
#[derive(Debug)]
pub struct Directory {
    config: LdapConfig,
    seal: Option<Seal>,
    management: Vec<IpAddr>,
}

/// What a look at the entry means for one action.
enum Sight {
    Absent,
    Present,
    Different(String),
}

impl Directory {
    /// Opens nothing but looks the server's name up, so that its addresses can be protected.
    ///
    /// # Errors
    /// All mistakes of the settings.
    pub fn new(config: LdapConfig) -> Result<Directory, Vec<String>> {
        let mistakes = config.check();
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let seal = config.seal_key.as_ref().map(Seal::new).transpose().map_err(|why| vec![why])?;
        let host = host_of(&config.url).filter(|host| !is_here(host));
        let found =
            host.map(|host| (host.as_str(), 0).to_socket_addrs().map_or(Vec::new(), Iterator::collect));
        let management = found.into_iter().flatten().map(|at| at.ip()).collect();
        Ok(Directory { config, seal, management })
    }

    async fn uses_ppolicy(&self, session: &mut Session<'_>, dn: &str) -> Result<bool, Failure> {
        match self.config.lock {
            Lock::Ppolicy => Ok(true),
            Lock::Password => Ok(false),
            Lock::Auto => session.has_ppolicy(dn).await,
        }
    }

    fn tagged(&self, entry: &Entry, tag: &str) -> bool {
        entry.has(&self.config.tag_attribute, tag)
    }

    fn judge(&self, entry: Option<&Entry>, edits: &[Opened], tag: &str) -> Sight {
        let Some(entry) = entry else { return Sight::Absent };
        let strays: Vec<&str> =
            edits.iter().filter(|e| e.stands(entry) != Stands::After).map(|e| e.attribute.as_str()).collect();
        match (self.tagged(entry, tag), strays.is_empty()) {
            (true, true) => Sight::Present,
            (true, false) => Sight::Different(format!(
                "{} bears our mark, but somebody changed its {} since",
                entry.dn,
                strays.join(" and ")
            )),
            (false, true) => {
                Sight::Different(format!("{} is as asked for, but without our mark {tag}", entry.dn))
            }
            (false, false) => Sight::Absent,
        }
    }

    fn observed(&self, entry: Option<&Entry>, edits: &[Opened], tag: &str) -> Observed {
        match self.judge(entry, edits, tag) {
            Sight::Absent => Observed::Absent,
            Sight::Present => Observed::Present { expires_in: None },
            Sight::Different(what) => Observed::Different { what },
        }
    }

    fn tag_change(&self, tag: &str, add: bool) -> Change {
        let values = vec![tag.as_bytes().to_vec()];
        Change { attribute: self.config.tag_attribute.clone(), values, add }
    }

    /// An action that was never captured was never performed, unless our tag says otherwise.
    async fn uncaptured(&self, action: &Action) -> Result<Observed, Failure> {
        let mut session = Session::open(&self.config).await?;
        let found = match &action.kind {
            ActionKind::RemoveFromGroup { group, .. } => session.group(group).await,
            other => session.account(&other.subject()).await,
        };
        match found {
            Ok(entry) if self.tagged(&entry, &action.tag()) => Err(Failure::unknown(format!(
                "{} bears our mark, but how it was before is not known",
                entry.dn
            ))),
            Ok(_) | Err(Failure::Permanent { .. }) => Ok(Observed::Absent),
            Err(failure) => Err(failure),
        }
    }
}

fn recipe_of(action: &Action) -> Result<Recipe, Failure> {
    match &action.before {
        Some(text) => Recipe::read(text),
        None => Err(Failure::permanent("nothing was changed: how it was before had not been captured")),
    }
}

#[async_trait]
impl Responder for Directory {
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
        self.management.clone()
    }

    fn can(&self, kind: &ActionKind) -> bool {
        match kind {
            ActionKind::LockAccount { .. } | ActionKind::UnlockAccount { .. } => true,
            ActionKind::ResetCredential { .. } => self.seal.is_some(),
            ActionKind::RemoveFromGroup { .. } => self.config.groups.is_some(),
            ActionKind::BlockAddress { .. }
            | ActionKind::LimitAddress { .. }
            | ActionKind::BlockPort { .. }
            | ActionKind::QuarantinePort { .. }
            | ActionKind::SinkholeDomain { .. }
            | ActionKind::Call { .. } => false,
        }
    }

    async fn capture(&self, action: &Action) -> Result<Option<String>, Failure> {
        if !self.can(&action.kind) {
            let why = format!("the directory {} cannot {}", self.config.name, action.kind.words());
            return Err(Failure::permanent(why));
        }
        let mut session = Session::open(&self.config).await?;
        let entry = session.account(&action.kind.subject()).await?;
        if entry.dn.eq_ignore_ascii_case(&self.config.bind_dn) {
            let why = format!("{} is the account Stanch itself signs in with", entry.dn);
            return Err(Failure::permanent(why));
        }
        let recipe = if let ActionKind::RemoveFromGroup { account, group } = &action.kind {
            let found = session.group(group).await?;
            recipe::plan_group(&found, account, &entry.dn, group)?
        } else {
            let ppolicy = self.uses_ppolicy(&mut session, &entry.dn).await?;
            recipe::plan(&action.kind, &entry, &action.tag(), ppolicy, self.seal.as_ref())?
        };
        recipe.text().map(Some)
    }

    async fn perform(&self, action: &Action) -> Result<Observed, Failure> {
        let (recipe, tag) = (recipe_of(action)?, action.tag());
        let edits = recipe.open(&tag, self.seal.as_ref())?;
        let mut session = Session::open(&self.config).await?;
        let Some(entry) = session.entry(&recipe.dn).await? else {
            return Err(Failure::permanent(format!("{} is no longer there; nothing was changed", recipe.dn)));
        };
        match self.judge(Some(&entry), &edits, &tag) {
            Sight::Absent => {}
            Sight::Present | Sight::Different(_) => return Ok(self.observed(Some(&entry), &edits, &tag)),
        }
        if let Some(e) = edits.iter().find(|e| e.stands(&entry) != Stands::Before) {
            return Err(Failure::permanent(format!(
                "{} of {} was changed after it was captured; nothing was changed",
                e.attribute, recipe.dn
            )));
        }
        let mut changes = Vec::new();
        for e in &edits {
            changes.extend(swap(&e.attribute, &e.take, &e.put));
        }
        changes.push(self.tag_change(&tag, true));
        let changed = session.modify(&recipe.dn, changes).await?;
        // From here on the change may be made: a look that fails must not read as "not made".
        let entry = session.entry(&recipe.dn).await;
        let entry = entry.map_err(|f| Failure::unknown(format!("changed, not read back: {f}")))?;
        match (changed, self.observed(entry.as_ref(), &edits, &tag)) {
            (Changed::Overtaken(said), Observed::Absent) => {
                Err(Failure::transient(format!("it changed under our hands: {said}")))
            }
            (Changed::Made | Changed::Overtaken(_), seen) => Ok(seen),
        }
    }

    async fn verify(&self, action: &Action) -> Result<Observed, Failure> {
        if action.before.is_none() {
            return self.uncaptured(action).await;
        }
        let (recipe, tag) = (recipe_of(action)?, action.tag());
        let edits = recipe.open(&tag, self.seal.as_ref())?;
        let mut session = Session::open(&self.config).await?;
        let entry = session.entry(&recipe.dn).await?;
        Ok(self.observed(entry.as_ref(), &edits, &tag))
    }

    /// Only what still is as we made it goes back; what somebody changed since is theirs.
    async fn revert(&self, action: &Action) -> Result<Observed, Failure> {
        if action.before.is_none() {
            return self.uncaptured(action).await;
        }
        let (recipe, tag) = (recipe_of(action)?, action.tag());
        let edits = recipe.open(&tag, self.seal.as_ref())?;
        let mut session = Session::open(&self.config).await?;
        let Some(entry) = session.entry(&recipe.dn).await? else { return Ok(Observed::Absent) };
        if !self.tagged(&entry, &tag) {
            return Ok(Observed::Absent);
        }
        let mut changes = vec![self.tag_change(&tag, false)];
        for e in edits.iter().filter(|e| e.stands(&entry) == Stands::After) {
            changes.extend(swap(&e.attribute, &e.put, &e.take));
        }
        let said = match session.modify(&recipe.dn, changes).await? {
            Changed::Made => None,
            Changed::Overtaken(said) => Some(said),
        };
        let entry = session.entry(&recipe.dn).await;
        let entry = entry.map_err(|f| Failure::unknown(format!("undone, not read back: {f}")))?;
        match (entry.filter(|e| self.tagged(e, &tag)), said) {
            (None, _) => Ok(Observed::Absent),
            (Some(_), Some(said)) => Err(Failure::transient(format!("it changed under our hands: {said}"))),
            (Some(e), None) => Err(Failure::unknown(format!("{} still bears our mark {tag}", e.dn))),
        }
    }
}

/// The lines of a modification that put one set of values in the place of another.
fn swap(attribute: &str, gone: &[Vec<u8>], come: &[Vec<u8>]) -> Vec<Change> {
    let one =
        |values: &[Vec<u8>], add| Change { attribute: attribute.to_owned(), values: values.to_vec(), add };
    let both = [(gone, false), (come, true)];
    both.into_iter().filter(|(v, _)| !v.is_empty()).map(|(v, add)| one(v, add)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> LdapConfig {
        LdapConfig::new("directory", url, "cn=stanch,dc=example", Secret::new("secret"), "dc=example")
    }

    #[test]
    fn a_password_never_travels_in_the_clear_to_another_machine() {
        let plain = |url: &str| LdapConfig { tls: LdapTls::None, ..config(url) }.check();
        assert_eq!(plain("ldap://127.0.0.1:389"), Vec::<String>::new());
        assert_eq!(plain("ldap://[::1]"), Vec::<String>::new());
        assert_eq!(plain("ldapi://%2Frun%2Fldapi"), Vec::<String>::new());
        assert_eq!(plain("ldaps://dir.example.com"), Vec::<String>::new());
        assert!(plain("ldap://dir.example.com:389")[0].contains("unencrypted"));
        assert!(plain("http://dir.example.com")[0].contains("not an LDAP URL"));
        assert_eq!(config("ldap://dir.example.com:389").check(), Vec::<String>::new());
    }

    #[test]
    fn settings_that_would_sign_in_as_nobody_or_inject_a_filter_are_refused() {
        let mut wrong = config("ldaps://dir.example.com");
        wrong.password = Secret::new("");
        wrong.account_attribute = "uid=*)(cn".to_owned();
        wrong.lock = Lock::Password;
        assert_eq!(wrong.check().len(), 3, "{:?}", wrong.check());
    }
}
