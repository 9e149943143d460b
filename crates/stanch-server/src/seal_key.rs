//! The key that seals approvals and permits: a file outside the journal, made at the first start.
//!
//! Whoever can write the journal but not read this file cannot make a change run. The file is
//! readable for its owner alone, and a start refuses one that others can read. A lost file costs no
//! more than the questions that were open: they are asked again.
//!
//! Source: SEC-71.

use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom, SystemRandom};
use stanch_core::contain::Seal;

use crate::secrets::from_hex;

/// The file's name in the data folder.
const NAME: &str = "approval.key";

/// Reads the key, or makes one. `named` is the file as configured, relative to the configuration
/// folder.
///
/// # Errors
/// In words, why there is no key that could be trusted, and how to mend it.
pub(crate) fn read_or_make(config: &Path, data: &Path, named: Option<&str>) -> Result<Seal, String> {
    let path = named.map_or_else(|| data.join(NAME), |name| config.join(name));
    match std::fs::read_to_string(&path) {
        Ok(text) => read(&path, &text),
        Err(e) if e.kind() == ErrorKind::NotFound => make(&path),
        Err(e) => Err(format!("the seal key {} cannot be read: {e}", path.display())),
    }
}

fn read(path: &Path, text: &str) -> Result<Seal, String> {
    let shown = path.display();
    let mode = std::fs::metadata(path).map_err(|e| format!("{shown}: {e}"))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(format!("the seal key {shown} can be read by others; run: chmod 600 {shown}"));
    }
    let key = from_hex(text.trim()).ok_or_else(|| {
        format!(
            "the seal key {shown} does not hold 64 hexadecimal digits; move it away and a new one is made"
        )
    })?;
    Ok(Seal::new(&key))
}

fn make(path: &PathBuf) -> Result<Seal, String> {
    let shown = path.display();
    let mut key = [0; 32];
    SystemRandom::new().fill(&mut key).map_err(|_| "this machine gives no random numbers".to_owned())?;
    let text: String = key.iter().map(|b| format!("{b:02x}")).collect();
    // Never over a file that is there: two starts at once must not each have a key of their own.
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = match file {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            let text = std::fs::read_to_string(path).map_err(|e| format!("{shown}: {e}"))?;
            return read(path, &text);
        }
        Err(e) => return Err(format!("the seal key {shown} cannot be made: {e}")),
    };
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|e| format!("the seal key {shown} cannot be written: {e}"))?;
    tracing::info!(file = %shown, "a key to seal approvals was made; keep it out of backups of the journal");
    Ok(Seal::new(&key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let seal = |named| {
            read_or_make(dir.path(), dir.path(), named).map(|s| {
                s.of_renewal(
                    stanch_model::ActionId(1),
                    stanch_model::Timestamp(1),
                    stanch_model::ApprovalId(1),
                )
            })
        };
        let first = seal(None).unwrap();
        assert_eq!(seal(None).unwrap(), first);
        let path = dir.path().join(NAME);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_ne!(seal(Some("other.key")).unwrap(), first);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(seal(None).unwrap_err().contains("chmod 600"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "short").unwrap();
        assert!(seal(None).unwrap_err().contains("64 hexadecimal digits"));
    }
}
