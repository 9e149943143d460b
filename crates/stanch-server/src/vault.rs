//! Secrets that were handed over by API or command line: encrypted at rest, bound to one connector and
//! its hosts, and never handed out again.
//!
//! Each version of each secret has a key of its own (AES-256-GCM), and that key is wrapped by the
//! master key, which lies elsewhere: in a file for its owner alone, in a systemd credential, or with a
//! command that asks a KMS. Name, connector, hosts and version are bound into both, so that what is
//! moved to another row or another host does not open.
//!
//! Source: SEC-35, SEC-36, SEC-40, SEC-41; NIST SP 800-38D.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use stanch_connectors::notifier::Secret;
use stanch_core::config::MasterKey;
use stanch_model::Timestamp;
use zeroize::Zeroizing;

use crate::key_file;
use crate::secrets::from_hex;

/// The file in the data folder.
const NAME: &str = "secrets.vault";
/// The master key's file in the data folder, unless configured otherwise.
const KEY: &str = "secrets.key";
/// Secrets kept at most.
const MOST: usize = 1_000;
/// The longest secret, in bytes.
pub(crate) const LONGEST: usize = 16 * 1024;

/// Stored secrets.
pub(crate) struct Vault {
    data: PathBuf,
    config: PathBuf,
    key: MasterKey,
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
    pub(crate) fn new(config: &Path, data: &Path, key: MasterKey) -> Vault {
        Vault { data: data.to_owned(), config: config.to_owned(), key, changing: Mutex::new(()) }
    }

    /// All of them, without what they are.
    pub(crate) fn list(&self) -> Result<Vec<Record>, Refused> {
        self.read().map(|f| f.secrets)
    }

    /// The secret, for this connector, to be sent to these places and no others.
    pub(crate) fn open(&self, name: &str, connector: &str, to: &[String]) -> Result<Secret, Refused> {
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
        let plain = self.unseal(record)?;
        let text = std::str::from_utf8(&plain).map_err(|_| broken(name))?;
        Ok(Secret::new(text))
    }

    /// Keeps a secret, or a new version of one. What it is bound to never changes: for that it is
    /// removed first.
    pub(crate) fn set(&self, new: &New<'_>) -> Result<Record, Refused> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        check(new)?;
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
        let master = self.master(true)?;
        let mut key = Zeroizing::new([0_u8; 32]);
        fill(&mut *key)?;
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &master[..]), value.as_bytes());
        record.fingerprint = tag.as_ref()[..4].iter().map(|b| format!("{b:02x}")).collect();
        record.sealed = close(&key, value.as_bytes(), &bound(record, "value"))?;
        record.wrapped = close(&master, &key[..], &bound(record, "key"))?;
        Ok(())
    }

    fn unseal(&self, record: &Record) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let master = self.master(false)?;
        let key =
            open(&master, &record.wrapped, &bound(record, "key")).ok_or_else(|| broken(&record.name))?;
        let key: [u8; 32] = key.as_slice().try_into().map_err(|_| broken(&record.name))?;
        let key = Zeroizing::new(key);
        open(&key, &record.sealed, &bound(record, "value")).ok_or_else(|| broken(&record.name))
    }

    /// The master key; made where it is a file that is not there yet, and `make`.
    fn master(&self, make: bool) -> Result<Zeroizing<[u8; 32]>, Refused> {
        let what = "key of the stored secrets";
        let text = match &self.key {
            MasterKey::File(named) => {
                let path = named.as_ref().map_or_else(|| self.data.join(KEY), |n| self.config.join(n));
                if !make && !path.exists() {
                    return Err(Refused::Broken(format!("the {what} {} is not there", path.display())));
                }
                return key_file::read_or_make(&path, what).map(Zeroizing::new).map_err(Refused::Broken);
            }
            MasterKey::Credential(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
                    Refused::Broken(
                        "$CREDENTIALS_DIRECTORY is not set; add LoadCredential= to the unit".into(),
                    )
                })?;
                let read = std::fs::read_to_string(Path::new(&folder).join(name));
                Zeroizing::new(
                    read.map_err(|e| Refused::Broken(format!("the systemd credential {name}: {e}")))?,
                )
            }
            MasterKey::Command(words) => asked(words)?,
        };
        let key = from_hex(text.trim()).map(Zeroizing::new);
        key.ok_or_else(|| Refused::Broken(format!("the {what} is not 64 hexadecimal digits")))
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

/// What a command prints: 64 hexadecimal digits. No shell; its own error output goes to our log.
fn asked(words: &[String]) -> Result<Zeroizing<String>, Refused> {
    let (program, arguments) =
        words.split_first().ok_or_else(|| Refused::Broken("the command is empty".into()))?;
    let out = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let out = out.map_err(|e| Refused::Broken(format!("{program} cannot be started: {e}")))?;
    let text = Zeroizing::new(out.stdout);
    if !out.status.success() {
        return Err(Refused::Broken(format!("{program} gave no key: {}", out.status)));
    }
    let text = std::str::from_utf8(&text).map_err(|_| Refused::Broken(format!("{program} gave no text")))?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
#[path = "vault_tests.rs"]
mod tests;
