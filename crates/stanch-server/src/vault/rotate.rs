//! Another master key, while everything runs: each secret's own key is wrapped anew, all in one write.
//!
//! A file: the next key is made beside it (1), the vault is replaced whole (2), and the next key takes the place of the
//! one before (3). Between any two, and after a crash there, one of the two files opens every secret:
//! up to (2) the old one, from then on the new one. What a crash left is brought to its end by whoever
//! comes next.
//!
//! A credential or a command: the configuration names the new one as `key` and the old one as `before`; then (2)
//! is all there is to do, and `before` can be taken out.
//!
//! Source: SEC-36; NIST SP 800-57 part 1, 5.3.6.

use std::fs::{File as OnDisk, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::PoisonError;

use stanch_core::config::MasterKey;
use zeroize::Zeroizing;

use super::master::Master;
use super::{File, Refused, Vault, broken, fill, unseal, wrap};

/// What was done, or would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rotated {
    /// Secrets whose keys are wrapped anew.
    pub(crate) secrets: usize,
    /// Of these, how many the key in force did not open before.
    pub(crate) behind: usize,
    /// True when the key that was in force before is gone; false when the configuration still names it.
    pub(crate) gone: bool,
}

/// How far a change has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The next key lies beside the one in force.
    Made,
    /// Every secret is wrapped by the next key.
    Wrapped,
}

impl Vault {
    /// Wraps every secret by another master key. Secrets can be opened all the while.
    pub(crate) fn rotate(&self) -> Result<Rotated, Refused> {
        self.rotate_by(&mut |_| Ok(()))
    }

    /// What [`Vault::rotate`] would do. Changes nothing.
    pub(crate) fn would_rotate(&self) -> Result<Rotated, Refused> {
        let (file, masters) = (self.read()?, self.masters());
        possible(&masters.keys)?;
        if !file.secrets.is_empty() {
            let all = masters.all()?;
            for record in &file.secrets {
                unseal(&all, record).ok_or_else(|| broken(&record.name))?;
            }
        }
        Ok(counted(&file, masters.current(false).ok().as_ref(), masters.keys.before.is_none()))
    }

    pub(super) fn rotate_by(
        &self,
        after: &mut dyn FnMut(Step) -> Result<(), Refused>,
    ) -> Result<Rotated, Refused> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.settle()?;
        let (mut file, masters) = (self.read()?, self.masters());
        possible(&masters.keys)?;
        let done = counted(&file, masters.current(false).ok().as_ref(), masters.keys.before.is_none());
        if file.secrets.is_empty() {
            return Ok(done);
        }
        let olds = masters.all()?;
        let in_place = masters.files().filter(|_| masters.keys.before.is_none());
        let new = match &in_place {
            Some((_, next)) => make(next)?,
            None => masters.current(true)?,
        };
        after(Step::Made)?;
        for record in &mut file.secrets {
            let (key, value) = unseal(&olds, record).ok_or_else(|| broken(&record.name))?;
            wrap(record, &new, &key, &value)?;
        }
        // What cannot be opened by the new key alone must not take the place of what could be opened.
        let alone = [new];
        for record in &file.secrets {
            unseal(&alone, record).ok_or_else(|| broken(&record.name))?;
        }
        self.write(&file)?;
        after(Step::Wrapped)?;
        if let Some((key, next)) = in_place {
            take_place(&next, &key)?;
        }
        tracing::info!(secrets = done.secrets, "stored secrets are wrapped by another key");
        Ok(done)
    }

    /// Brings a change to its end that a crash has cut off, or takes back what was only begun. For the one
    /// who writes.
    pub(crate) fn settle(&self) -> Result<(), Refused> {
        let masters = self.masters();
        let Some((key, next_file)) = masters.files().filter(|(_, next)| next.exists()) else { return Ok(()) };
        let file = self.read()?;
        let opens = |by: Option<Master>| {
            by.is_some_and(|m| file.secrets.iter().any(|r| unseal(std::slice::from_ref(&m), r).is_some()))
        };
        if opens(masters.next()) {
            return take_place(&next_file, &key);
        }
        // It opens nothing: nothing was wrapped by it.
        std::fs::remove_file(&next_file)
            .map_err(|e| Refused::Broken(format!("{} cannot be removed: {e}", next_file.display())))
    }
}

fn possible(keys: &stanch_core::config::MasterKeys) -> Result<(), Refused> {
    match (&keys.key, &keys.before) {
        (MasterKey::File(_), _) | (_, Some(_)) => Ok(()),
        (MasterKey::Credential(_) | MasterKey::Keyring(_) | MasterKey::Command(_), None) => Err(Refused::Invalid(
            "the key comes from outside, so that another one has to: name the new one as `key` and the old one as \
             `before` under `secrets` in stanch.yaml, then try again"
                .into(),
        )),
    }
}

fn counted(file: &File, current: Option<&Master>, gone: bool) -> Rotated {
    let by =
        |record: &&super::Record| current.is_none_or(|m| unseal(std::slice::from_ref(m), record).is_none());
    Rotated { secrets: file.secrets.len(), behind: file.secrets.iter().filter(by).count(), gone }
}

/// A new key in a file that is whole or not there.
fn make(path: &Path) -> Result<Master, Refused> {
    let said = |e: std::io::Error| {
        let mend =
            "let Stanch write there, or name a new file as `key` and this one as `before` in stanch.yaml";
        Refused::Invalid(format!("{} cannot be made: {e}; {mend}", path.display()))
    };
    let mut key = Zeroizing::new([0_u8; 32]);
    fill(&mut *key)?;
    let text = Zeroizing::new(key.iter().map(|b| format!("{b:02x}")).collect::<String>());
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut fresh = tempfile::NamedTempFile::new_in(folder).map_err(said)?;
    fresh.as_file().set_permissions(Permissions::from_mode(0o600)).map_err(said)?;
    fresh.write_all(text.as_bytes()).and_then(|()| fresh.as_file().sync_all()).map_err(said)?;
    fresh.persist_noclobber(path).map_err(|e| said(e.error))?;
    sync(folder).map_err(said)?;
    Ok(key)
}

/// The next key becomes the key; the one before is gone.
fn take_place(next: &Path, key: &Path) -> Result<(), Refused> {
    let folder = key.parent().unwrap_or(Path::new("."));
    std::fs::rename(next, key)
        .and_then(|()| sync(folder))
        .map_err(|e| Refused::Broken(format!("{} cannot take the place of the key: {e}", next.display())))
}

fn sync(folder: &Path) -> std::io::Result<()> {
    OnDisk::open(folder)?.sync_all()
}
