//! Secrets that were handed over by API or command line: encrypted at rest, bound to one connector and
//! its hosts, and never handed out again.
//!
//! Each version of each secret has a key of its own (AES-256-GCM), and that key is wrapped by the
//! master key, which lies elsewhere: in a file for its owner alone, in a systemd credential, or with a
//! command that asks a KMS. Name, connector, hosts and version are bound into both, so that what is
//! moved to another row or another host does not open.
//!
//! Where the master key is lies in `master`, how it is changed while everything runs in `rotate`.
//!
//! Source: SEC-35, SEC-36, SEC-40, SEC-41; NIST SP 800-38D.

mod master;
mod rotate;

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use stanch_connectors::notifier::Secret;
use stanch_core::config::MasterKeys;
use stanch_model::Timestamp;
use zeroize::Zeroizing;

use master::{Master, Masters};
pub(crate) use rotate::Rotated;

/// The file in the data folder.
const NAME: &str = "secrets.vault";
/// How often what lies there is read again, when a key that was just changed does not open it.
const READINGS: usize = 5;
/// Secrets kept at most.
const MOST: usize = 1_000;
/// The longest secret, in bytes.
pub(crate) const LONGEST: usize = 16 * 1024;

/// Stored secrets.
pub(crate) struct Vault {
    data: PathBuf,
    masters: Mutex<Masters>,
    /// One change at a time.
    changing: Mutex<()>,
}

/// One secret as it lies there. All but the two sealed fields may be seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) name: String,
    /// The only connector that may use it.
    pub(crate) connector: String,
    /// The only places it may be sent to, `host:port`.
    pub(crate) hosts: Vec<String>,
    /// 1, 2, 3, …
    pub(crate) version: u64,
    pub(crate) created: Timestamp,
    pub(crate) changed: Timestamp,
    pub(crate) by: String,
    /// Tells two values apart without telling what they are.
    pub(crate) fingerprint: String,
    wrapped: String,
    sealed: String,
}

#[derive(Default, Serialize, Deserialize)]
struct File {
    format: u32,
    secrets: Vec<Record>,
}

/// Why something was not done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// What was asked makes no sense.
    Invalid(String),
    /// There is none of this name.
    Missing(String),
    /// It is bound otherwise.
    Bound(String),
    /// Key or file.
    Broken(String),
}

impl Refused {
    /// In words.
    pub(crate) fn words(&self) -> &str {
        match self {
            Refused::Invalid(why) | Refused::Missing(why) | Refused::Bound(why) | Refused::Broken(why) => why,
        }
    }
}

/// What is to be kept.
pub(crate) struct New<'a> {
    pub(crate) name: &'a str,
    /// None: as before.
    pub(crate) connector: Option<&'a str>,
    /// Empty: as before.
    pub(crate) hosts: &'a [String],
    pub(crate) value: &'a str,
    pub(crate) by: &'a str,
    pub(crate) now: Timestamp,
}

impl Vault {
    /// Where secrets lie, and where their key is. Opens nothing: an installation without stored
    /// secrets needs no key.
    pub(crate) fn new(config: &Path, data: &Path, keys: MasterKeys) -> Vault {
        let masters = Mutex::new(Masters::new(config, data, keys));
        Vault { data: data.to_owned(), masters, changing: Mutex::new(()) }
    }

    /// The configuration names other places.
    pub(crate) fn follow(&self, keys: MasterKeys) {
        self.masters.lock().unwrap_or_else(PoisonError::into_inner).keys = keys;
    }

    fn masters(&self) -> Masters {
        self.masters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All of them, without what they are.
    pub(crate) fn list(&self) -> Result<Vec<Record>, Refused> {
        self.read().map(|f| f.secrets)
    }

    /// The secret, for this connector, to be sent to these places and no others.
    pub(crate) fn open(&self, name: &str, connector: &str, to: &[String]) -> Result<Secret, Refused> {
        let mut readings = 1;
        loop {
            match self.open_once(name, connector, to) {
                // Read between two steps of a change of the key: what lies there now fits together again.
                Err(Refused::Broken(_)) if readings < READINGS => readings += 1,
                done => return done,
            }
        }
    }

    fn open_once(&self, name: &str, connector: &str, to: &[String]) -> Result<Secret, Refused> {
        let file = self.read()?;
        let record = find(&file, name)?;
        if record.connector != connector {
            return Err(Refused::Bound(format!(
                "the stored secret {name} is bound to the connector {}, not to {connector}",
                record.connector
            )));
        }
        if let Some(other) = to.iter().find(|h| !record.hosts.contains(h)) {
            return Err(Refused::Bound(format!(
                "the stored secret {name} may be sent to {} only, and {connector} would send it to {other}",
                record.hosts.join(", ")
            )));
        }
        let (_, plain) = unseal(&self.masters().all()?, record).ok_or_else(|| broken(&record.name))?;
        let text = std::str::from_utf8(&plain).map_err(|_| broken(name))?;
        Ok(Secret::new(text))
    }

    /// Keeps a secret, or a new version of one. What it is bound to never changes: for that it is
    /// removed first.
    pub(crate) fn set(&self, new: &New<'_>) -> Result<Record, Refused> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        check(new)?;
        self.settle()?;
        let mut file = self.read()?;
        let before = file.secrets.iter().position(|r| r.name == new.name);
        let (connector, hosts, version, created) = match before.map(|at| &file.secrets[at]) {
            Some(r) => {
                let moved = new.connector.is_some_and(|c| c != r.connector)
                    || (!new.hosts.is_empty() && new.hosts != r.hosts);
                if moved {
                    return Err(Refused::Bound(format!(
                        "{} is bound to {} and {}; to bind it otherwise, remove it first",
                        r.name,
                        r.connector,
                        r.hosts.join(", ")
                    )));
                }
                (r.connector.clone(), r.hosts.clone(), r.version + 1, r.created)
            }
            None => {
                let connector = new.connector.ok_or_else(|| {
                    Refused::Missing(format!(
                        "there is no secret {}; name its connector and hosts to make it",
                        new.name
                    ))
                })?;
                if new.hosts.is_empty() {
                    return Err(Refused::Invalid(
                        "`hosts` is empty: a secret is bound to where it is sent".into(),
                    ));
                }
                (connector.to_owned(), new.hosts.to_vec(), 1, new.now)
            }
        };
        if before.is_none() && file.secrets.len() >= MOST {
            return Err(Refused::Invalid(format!("there are {MOST} secrets already; remove one")));
        }
        let mut record = Record {
            name: new.name.to_owned(),
            connector,
            hosts,
            version,
            created,
            changed: new.now,
            by: new.by.to_owned(),
            fingerprint: String::new(),
            wrapped: String::new(),
            sealed: String::new(),
        };
        self.seal(&mut record, new.value)?;
        match before {
            Some(at) => file.secrets[at] = record.clone(),
            None => file.secrets.push(record.clone()),
        }
        file.secrets.sort_by(|a, b| a.name.cmp(&b.name));
        self.write(&file)?;
        Ok(record)
    }

    /// Forgets a secret.
    pub(crate) fn remove(&self, name: &str) -> Result<Record, Refused> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = self.read()?;
        let gone = find(&file, name)?.clone();
        file.secrets.retain(|r| r.name != name);
        self.write(&file)?;
        Ok(gone)
    }

    fn seal(&self, record: &mut Record, value: &str) -> Result<(), Refused> {
        let master = self.masters().current(true)?;
        let mut key = Zeroizing::new([0_u8; 32]);
        fill(&mut *key)?;
        record.sealed = close(&key, value.as_bytes(), &bound(record, "value"))?;
        wrap(record, &master, &key, value.as_bytes())
    }

    fn read(&self) -> Result<File, Refused> {
        let path = self.data.join(NAME);
        let said = |why: String| Refused::Broken(format!("{}: {why}", path.display()));
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| said(e.to_string())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(File { format: 1, ..File::default() }),
            Err(e) => Err(said(e.to_string())),
        }
    }

    /// All of it or nothing, and on disk before the answer.
    fn write(&self, file: &File) -> Result<(), Refused> {
        let said = |e: std::io::Error| {
            Refused::Broken(format!("{} cannot be written: {e}", self.data.join(NAME).display()))
        };
        let text = serde_json::to_vec_pretty(file).map_err(|e| Refused::Broken(e.to_string()))?;
        let mut fresh = tempfile::NamedTempFile::new_in(&self.data).map_err(said)?;
        fresh.as_file().set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(said)?;
        fresh.write_all(&text).and_then(|()| fresh.as_file().sync_all()).map_err(said)?;
        fresh.persist(self.data.join(NAME)).map_err(|e| said(e.error))?;
        std::fs::File::open(&self.data).and_then(|d| d.sync_all()).map_err(said)
    }
}

/// The key of a secret under this master key, and what tells its value from others.
fn wrap(record: &mut Record, master: &[u8; 32], key: &[u8; 32], value: &[u8]) -> Result<(), Refused> {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, master), value);
    record.fingerprint = tag.as_ref()[..4].iter().map(|b| format!("{b:02x}")).collect();
    record.wrapped = close(master, key, &bound(record, "key"))?;
    Ok(())
}

/// The key of a secret and what it is, by the first of these master keys that opens it.
fn unseal(masters: &[Master], record: &Record) -> Option<(Master, Zeroizing<Vec<u8>>)> {
    let context = bound(record, "key");
    let key = masters.iter().find_map(|m| open(m, &record.wrapped, &context))?;
    let key: Master = Zeroizing::new(key.as_slice().try_into().ok()?);
    let plain = open(&key, &record.sealed, &bound(record, "value"))?;
    Some((key, plain))
}

fn find<'f>(file: &'f File, name: &str) -> Result<&'f Record, Refused> {
    let found = file.secrets.iter().find(|r| r.name == name);
    found.ok_or_else(|| Refused::Missing(format!("there is no stored secret {name}")))
}

fn broken(name: &str) -> Refused {
    Refused::Broken(format!(
        "the stored secret {name} does not open: the master key is another one, or the file was changed; set it again"
    ))
}

fn check(new: &New<'_>) -> Result<(), Refused> {
    let plain = |t: &str| {
        !t.is_empty() && t.len() <= 64 && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    let place = |h: &String| {
        let port = h.rsplit_once(':').and_then(|(host, p)| Some((host, p.parse::<u16>().ok()?)));
        port.is_some_and(|(host, p)| {
            p > 0
                && !host.is_empty()
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._[]:".contains(&b))
        })
    };
    if !plain(new.name) || new.connector.is_some_and(|c| !plain(c)) {
        return Err(Refused::Invalid("names are 1 to 64 letters, digits, `-`, `_` or `.`".into()));
    }
    if new.hosts.len() > 32 || !new.hosts.iter().all(place) {
        return Err(Refused::Invalid(
            "`hosts` are 1 to 32 places as host:port, for example edr.example.com:443".into(),
        ));
    }
    if new.value.trim().is_empty() || new.value.len() > LONGEST || new.value.contains(['\r', '\n', '\0']) {
        return Err(Refused::Invalid(format!("a secret is 1 to {LONGEST} bytes on one line")));
    }
    Ok(())
}

/// What a sealed field is bound to; lengths first, so that no two differ by a shifted border.
fn bound(record: &Record, field: &str) -> Vec<u8> {
    let mut context = Vec::new();
    let version = record.version.to_string();
    let parts = [field, &record.name, &record.connector, &version];
    for part in parts.into_iter().chain(record.hosts.iter().map(String::as_str)) {
        context.extend_from_slice(&(part.len() as u64).to_be_bytes());
        context.extend_from_slice(part.as_bytes());
    }
    context
}

fn fill(bytes: &mut [u8]) -> Result<(), Refused> {
    SystemRandom::new()
        .fill(bytes)
        .map_err(|_| Refused::Broken("this machine gives no random numbers".into()))
}

fn aead(key: &[u8; 32]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new)
}

/// Nonce, ciphertext and tag as base64. 96 random bits a time: a data key seals once, and the master
/// key stays far below 2^32 wraps. Source: NIST SP 800-38D, 8.3.
fn close(key: &[u8; 32], plain: &[u8], context: &[u8]) -> Result<String, Refused> {
    let failed = || Refused::Broken("a secret could not be sealed".into());
    let mut nonce = [0; NONCE_LEN];
    fill(&mut nonce)?;
    let mut bytes = plain.to_vec();
    let key = aead(key).ok_or_else(failed)?;
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut bytes)
        .map_err(|_| failed())?;
    Ok(STANDARD.encode([&nonce[..], &bytes].concat()))
}

fn open(key: &[u8; 32], sealed: &str, context: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = STANDARD.decode(sealed).ok()?;
    let (nonce, rest) = bytes.split_first_chunk::<NONCE_LEN>()?;
    let mut rest = Zeroizing::new(rest.to_vec());
    let plain =
        aead(key)?.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(context), &mut rest).ok()?;
    let length = plain.len();
    rest.truncate(length);
    Some(rest)
}

#[cfg(test)]
#[path = "vault_tests.rs"]
mod tests;
