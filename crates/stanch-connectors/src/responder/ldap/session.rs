//! One conversation with a directory: connect, sign in, ask, change, and what its answers mean.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use ldap3::controls::{Assertion, RawControl};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, Mod, Scope, SearchEntry, ldap_escape};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use stanch_model::Failure;

use super::recipe::{Entry, LOCKED, MEMBERS, PASSWORD, SHADOW};
use super::{LdapConfig, LdapTls};

/// The control by which a server says that it has a password policy.
/// Source: draft-behera-ldap-password-policy-10, section 6.1.
const PPOLICY: &str = "1.3.6.1.4.1.42.2.27.8.5.1";
/// A change that is made only while a filter holds. Source: RFC 4528.
const ASSERTION_OID: &str = "1.3.6.1.1.12";

/// An open conversation. Ends when dropped.
pub(super) struct Session<'a> {
    ldap: Ldap,
    config: &'a LdapConfig,
}

/// What became of a change.
pub(super) enum Changed {
    Made,
    /// The entry is not as it was when we looked: nothing was changed.
    Overtaken(String),
}

impl<'a> Session<'a> {
    /// Connects and signs in.
    pub(super) async fn open(config: &'a LdapConfig) -> Result<Session<'a>, Failure> {
        // Nothing was asked yet: whatever fails here, nothing was changed.
        let reach =
            |e: LdapError| Failure::transient(format!("{} cannot be reached: {}", config.url, words(&e)));
        let mut settings = LdapConnSettings::new().set_conn_timeout(config.timeout);
        if config.url.starts_with("ldaps:") || config.tls == LdapTls::StartTls {
            settings = settings.set_config(tls(config)?).set_starttls(config.tls == LdapTls::StartTls);
        }
        let connect = LdapConnAsync::with_settings(settings, &config.url);
        let (connection, mut ldap) = tokio::time::timeout(config.timeout, connect)
            .await
            .map_err(|_| Failure::transient(format!("{} did not answer in time", config.url)))?
            .map_err(reach)?;
        tokio::spawn(async move {
            // What goes wrong on the wire is told to whoever waits for an answer.
            let _ = connection.drive().await;
        });
        let bound = ldap
            .with_timeout(config.timeout)
            .simple_bind(&config.bind_dn, &config.password.expose())
            .await
            .map_err(reach)?;
        match bound.rc {
            0 => Ok(Session { ldap, config }),
            49 | 48 | 50 | 8 | 13 => Err(Failure::Unauthorised {
                why: format!("{} does not let {} in (result {})", config.url, config.bind_dn, bound.rc),
            }),
            rc => Err(Failure::transient(format!(
                "{} did not let us in: result {rc} {}",
                config.url, bound.text
            ))),
        }
    }

    /// True when a password policy is in force where this entry lies.
    ///
    /// That the server lists the control says only that it could: OpenLDAP lists it as soon as the
    /// module is loaded. So it is asked for, as critical, on a change whose assertion never holds.
    pub(super) async fn has_ppolicy(&mut self, dn: &str) -> Result<bool, Failure> {
        let root = self.search("", Scope::Base, "(objectClass=*)", &["supportedControl"]).await?;
        let lists = |control| root.iter().any(|e| e.has("supportedControl", control));
        if !lists(PPOLICY) || !lists(ASSERTION_OID) {
            return Ok(lists(PPOLICY));
        }
        let never = Assertion::new("(!(objectClass=*))");
        let controls = vec![critical(PPOLICY), RawControl { crit: true, ..never }];
        let nothing = Mod::Add(self.config.tag_attribute.as_str(), HashSet::from(["never added"]));
        let asked = self.ldap.with_timeout(self.config.timeout).with_controls(controls);
        let result = asked.modify(dn, vec![nothing]).await;
        match result.map_err(|e| Failure::transient(format!("not read: {}", words(&e))))?.rc {
            122 => Ok(true),
            12 => Ok(false),
            rc => Err(Failure::Unauthorised { why: format!("{dn} may not be changed by us: result {rc}") }),
        }
    }

    /// The one account of this name.
    pub(super) async fn account(&mut self, account: &str) -> Result<Entry, Failure> {
        let (base, attribute) = (&self.config.people, &self.config.account_attribute);
        self.one(base, attribute, account, "account").await
    }

    /// The one group of this name.
    pub(super) async fn group(&mut self, group: &str) -> Result<Entry, Failure> {
        let Some(base) = &self.config.groups else {
            return Err(Failure::permanent("this directory was configured without `groups`"));
        };
        self.one(base, &self.config.group_attribute, group, "group").await
    }

    /// An entry by its name; none when it is gone.
    pub(super) async fn entry(&mut self, dn: &str) -> Result<Option<Entry>, Failure> {
        let attributes = self.attributes();
        let found = self.search(dn, Scope::Base, "(objectClass=*)", &attributes).await?;
        Ok(found.into_iter().next())
    }

    async fn one(&mut self, base: &str, attribute: &str, value: &str, what: &str) -> Result<Entry, Failure> {
        if value.is_empty() || value.len() > 256 || value.chars().any(char::is_control) {
            return Err(Failure::permanent(format!("{value:?} is not the name of an {what}")));
        }
        let filter = format!("({attribute}={})", ldap_escape(value));
        let attributes = self.attributes();
        let mut found = self.search(base, Scope::Subtree, &filter, &attributes).await?;
        match (found.pop(), found.len()) {
            (None, _) => Err(Failure::permanent(format!("there is no {what} {value} below {base}"))),
            (Some(entry), 0) => Ok(entry),
            (Some(_), more) => Err(Failure::permanent(format!(
                "{} entries below {base} are called {value}; a change must have one target",
                more + 1
            ))),
        }
    }

    fn attributes(&self) -> Vec<&'a str> {
        let mut all = vec!["objectClass", PASSWORD, LOCKED, SHADOW, self.config.tag_attribute.as_str()];
        all.extend(MEMBERS.map(|(name, _)| name));
        all
    }

    /// Referrals are not followed: a change is made where it was meant.
    async fn search(
        &mut self,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[&str],
    ) -> Result<Vec<Entry>, Failure> {
        let asked = self.ldap.with_timeout(self.config.timeout).search(base, scope, filter, attributes).await;
        let (found, result) =
            asked.map(|r| (r.0, r.1)).map_err(|e| Failure::transient(format!("not read: {}", words(&e))))?;
        match result.rc {
            0 => {}
            32 => return Ok(Vec::new()),
            8 | 13 | 50 => return Err(Failure::Unauthorised { why: format!("{base} may not be read") }),
            rc => {
                return Err(Failure::transient(format!("{base} was not read: result {rc} {}", result.text)));
            }
        }
        let entries = found.into_iter().filter(|e| !e.is_ref() && !e.is_intermediate());
        Ok(entries.map(|e| plain(SearchEntry::construct(e))).collect())
    }

    /// One modification, which the server makes whole or not at all. Source: RFC 4511, 4.6.
    pub(super) async fn modify(&mut self, dn: &str, mods: Vec<Change>) -> Result<Changed, Failure> {
        let mods = mods.into_iter().map(Change::into_mod).collect();
        let asked = self.ldap.with_timeout(self.config.timeout).modify(dn, mods).await;
        let result =
            asked.map_err(|e| Failure::unknown(format!("no answer to the change: {}", words(&e))))?;
        let said = format!("{dn}: result {} {}", result.rc, result.text);
        match result.rc {
            0 => Ok(Changed::Made),
            // No such attribute, value is there already, no such entry, assertion failed.
            16 | 20 | 32 | 122 => Ok(Changed::Overtaken(said)),
            8 | 13 | 50 => {
                let hint = "the account Stanch signs in with needs write access to it";
                Err(Failure::Unauthorised { why: format!("{said}; {hint}") })
            }
            51 | 52 => Err(Failure::transient(said)),
            // Limits and "other" say nothing about how far it got.
            1 | 2 | 3 | 11 | 80 => Err(Failure::unknown(said)),
            _ => Err(Failure::permanent(said)),
        }
    }
}

fn critical(oid: &str) -> RawControl {
    RawControl { ctype: oid.to_owned(), crit: true, val: None }
}

/// One line of a modification.
pub(super) struct Change {
    pub(super) attribute: String,
    pub(super) values: Vec<Vec<u8>>,
    pub(super) add: bool,
}

impl Change {
    fn into_mod(self) -> Mod<Vec<u8>> {
        let values: HashSet<Vec<u8>> = self.values.into_iter().collect();
        let attribute = self.attribute.into_bytes();
        if self.add { Mod::Add(attribute, values) } else { Mod::Delete(attribute, values) }
    }
}

fn plain(found: SearchEntry) -> Entry {
    let mut values = BTreeMap::<String, Vec<Vec<u8>>>::new();
    for (name, all) in found.attrs {
        let bytes = all.into_iter().map(String::into_bytes);
        values.entry(name.to_ascii_lowercase()).or_default().extend(bytes);
    }
    for (name, all) in found.bin_attrs {
        values.entry(name.to_ascii_lowercase()).or_default().extend(all);
    }
    let text = |v: &Vec<u8>| String::from_utf8_lossy(v).into_owned();
    let classes = values.get("objectclass").map_or(Vec::new(), |all| all.iter().map(text).collect());
    Entry { dn: found.dn, classes, values }
}

/// Trusts the given authorities, or those of the system.
fn tls(config: &LdapConfig) -> Result<Arc<rustls::ClientConfig>, Failure> {
    crate::enricher::install_crypto();
    let mut roots = rustls::RootCertStore::empty();
    let wrong = |why: String| Failure::permanent(format!("no TLS: {why}"));
    if let Some(path) = &config.ca {
        let all = CertificateDer::pem_file_iter(path)
            .map_err(|e| wrong(format!("{} cannot be read: {e}", path.display())))?;
        for one in all {
            let one = one.map_err(|e| wrong(format!("{}: {e}", path.display())))?;
            roots.add(one).map_err(|e| wrong(format!("{}: {e}", path.display())))?;
        }
    } else {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
    }
    if roots.is_empty() {
        return Err(wrong("there is no certificate authority to trust; name one with `ca`".to_owned()));
    }
    Ok(Arc::new(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}

/// The whole chain of an error, in one line; an answer that came too late says how long was waited.
fn words(error: &LdapError) -> String {
    match error {
        LdapError::Timeout { .. } => "no answer in time".to_owned(),
        LdapError::ResultRecv { .. } | LdapError::EndOfStream => "the connection was lost".to_owned(),
        other => other.to_string(),
    }
}

/// How long one exchange may take when nothing else is configured.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
