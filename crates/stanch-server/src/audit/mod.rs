//! The audit of the journal: signed checkpoints over its chain, written beside it and elsewhere.
//!
//! The chain alone shows a change to whoever kept its end. A checkpoint is that end, signed with a key
//! that is not in the journal, so that whoever can write the journal cannot write a history that
//! verifies. `note` is the form, `keeper` writes them, `check` holds a journal against them;
//! `verify_audit.py` in `stanch-store` does the last again, in Python.
//!
//! Source: SEC-87, SEC-90.

mod check;
mod keeper;
pub(crate) mod note;

pub use check::verify_store;
pub(crate) use check::{Asked, CannotCheck, check};
pub(crate) use keeper::{Audit, Keeper};

use std::path::{Path, PathBuf};

/// The private key's name in the data folder.
const KEY: &str = "audit.key";
/// The public keys, one a line; the last is the one in use.
const PUBLIC: &str = "audit.pub";
/// The checkpoints.
const CHECKPOINTS: &str = "audit.checkpoints";

/// Where the public keys lie.
fn public_file(data: &Path) -> PathBuf {
    data.join(PUBLIC)
}

/// Where the checkpoints lie.
fn checkpoint_file(data: &Path) -> PathBuf {
    data.join(CHECKPOINTS)
}

/// A file that may be missing, as text; damage stays visible in it.
fn text_of(path: &Path) -> Result<Option<String>, String> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(format!("{} cannot be read: {e}", path.display())),
    }
}

#[cfg(test)]
mod tests;
