//! Where the master key of the stored secrets is: a file, a systemd credential, the kernel's keyring, or what a
//! command prints.
//!
//! While it is changed there are two: the one in force, and the one before (named by the configuration) or the next one (a file
//! beside the key's own). Both open what lies there; the one in force closes what comes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use linux_keyutils::{KeyRing, KeyRingIdentifier};
use stanch_core::config::{MasterKey, MasterKeys};
use zeroize::Zeroizing;

use super::Refused;
use crate::key_file;
use crate::secrets::from_hex;

/// The master key's file in the data folder, unless configured otherwise.
pub(super) const KEY: &str = "secrets.key";
/// Behind the name of the key's file: the next key, until it is in force.
pub(super) const NEXT: &str = ".next";
const WHAT: &str = "key of the stored secrets";

/// A master key.
pub(super) type Master = Zeroizing<[u8; 32]>;

/// The places.
#[derive(Clone)]
pub(super) struct Masters {
    config: PathBuf,
    data: PathBuf,
    pub(super) keys: MasterKeys,
}

impl Masters {
    pub(super) fn new(config: &Path, data: &Path, keys: MasterKeys) -> Masters {
        Masters { config: config.to_owned(), data: data.to_owned(), keys }
    }

    /// The key's file and that of the next key, where the key is a file.
    pub(super) fn files(&self) -> Option<(PathBuf, PathBuf)> {
        let MasterKey::File(named) = &self.keys.key else { return None };
        let file = self.file(named.as_deref());
        let mut next = file.clone().into_os_string();
        next.push(NEXT);
        Some((file, next.into()))
    }

    /// The key in force; made where it is a file that is not there yet, and `make`.
    pub(super) fn current(&self, make: bool) -> Result<Master, Refused> {
        self.read(&self.keys.key, make)
    }

    /// The next key, where a change was begun.
    pub(super) fn next(&self) -> Option<Master> {
        let (_, next) = self.files().filter(|(_, next)| next.exists())?;
        key_file::read_or_make(&next, WHAT).ok().map(Zeroizing::new)
    }

    /// All that may open something, the one in force first.
    pub(super) fn all(&self) -> Result<Vec<Master>, Refused> {
        let current = self.current(false);
        let before = self.keys.before.as_ref().and_then(|b| self.read(b, false).ok());
        let mut found: Vec<Master> = Vec::new();
        let failed = current.map(|key| found.push(key)).err();
        found.extend(self.next().into_iter().chain(before));
        match failed {
            Some(why) if found.is_empty() => Err(why),
            Some(_) | None => Ok(found),
        }
    }

    fn file(&self, named: Option<&str>) -> PathBuf {
        named.map_or_else(|| self.data.join(KEY), |n| self.config.join(n))
    }

    fn read(&self, key: &MasterKey, make: bool) -> Result<Master, Refused> {
        let text = match key {
            MasterKey::File(named) => {
                let path = self.file(named.as_deref());
                if !make && !path.exists() {
                    return Err(Refused::Broken(format!("the {WHAT} {} is not there", path.display())));
                }
                return key_file::read_or_make(&path, WHAT).map(Zeroizing::new).map_err(Refused::Broken);
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
            MasterKey::Keyring(name) => kept(name)?,
            MasterKey::Command(words) => asked(words)?,
        };
        let key = from_hex(text.trim()).map(Zeroizing::new);
        key.ok_or_else(|| Refused::Broken(format!("the {WHAT} is not 64 hexadecimal digits")))
    }
}

/// What the kernel keeps under a name in the keyring of our user. Source: keyrings(7).
fn kept(name: &str) -> Result<Zeroizing<String>, Refused> {
    let ring = KeyRing::from_special_id(KeyRingIdentifier::User, false);
    let bytes = ring.and_then(|ring| ring.search(name)).and_then(|key| key.read_to_vec()).map_err(|e| {
        Refused::Broken(format!(
            "the key {name} cannot be read from the user keyring: {e}; put it there with \
             `keyctl padd user {name} @u`, and set KeyringMode=shared in a systemd unit"
        ))
    })?;
    let bytes = Zeroizing::new(bytes);
    let text = std::str::from_utf8(&bytes);
    let text = text.map_err(|_| Refused::Broken(format!("the key {name} in the keyring is not text")))?;
    Ok(Zeroizing::new(text.to_owned()))
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
