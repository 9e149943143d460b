//! Playbooks from YAML: the file's shape and its mistakes.

use super::Playbook;
use crate::config::Mistake;

/// Reads one playbook.
///
/// # Errors
/// All mistakes of the file.
pub fn load(name: &str, path: &str, text: &str) -> Result<Playbook, Vec<Mistake>> {
    let _ = (name, text);
    Err(vec![Mistake::error(path, (0, 0), "playbooks cannot be read yet", "")])
}
