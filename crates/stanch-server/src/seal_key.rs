//! The key that seals approvals and permits: a file outside the journal, made at the first start.
//!
//! Whoever can write the journal but not read this file cannot make a change run. The file is
//! readable for its owner alone, and a start refuses one that others can read. A lost file costs no
//! more than the questions that were open: they are asked again.
//!
//! Source: SEC-71.

use std::path::Path;

use stanch_core::contain::Seal;

use crate::key_file;

/// The file's name in the data folder.
const NAME: &str = "approval.key";

/// Reads the key, or makes one. `named` is the file as configured, relative to the configuration
/// folder.
///
/// # Errors
/// In words, why there is no key that could be trusted, and how to mend it.
pub(crate) fn read_or_make(config: &Path, data: &Path, named: Option<&str>) -> Result<Seal, String> {
    let path = named.map_or_else(|| data.join(NAME), |name| config.join(name));
    key_file::read_or_make(&path, "seal key").map(|key| Seal::new(&key))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

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
