//! Keys of 32 random bytes in files outside the journal: made once, for their owner alone.
//!
//! A file that others can read is refused, and one that is there is never written over.

use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use ring::rand::{SecureRandom, SystemRandom};

use crate::secrets::from_hex;

/// Reads a key, or makes one. `what` names it in errors, for example `seal key`.
///
/// # Errors
/// In words, why there is no key that could be trusted, and how to mend it.
pub(crate) fn read_or_make(path: &Path, what: &str) -> Result<[u8; 32], String> {
    match std::fs::read_to_string(path) {
        Ok(text) => read(path, what, &text),
        Err(e) if e.kind() == ErrorKind::NotFound => make(path, what),
        Err(e) => Err(format!("the {what} {} cannot be read: {e}", path.display())),
    }
}

fn read(path: &Path, what: &str, text: &str) -> Result<[u8; 32], String> {
    let shown = path.display();
    let mode = std::fs::metadata(path).map_err(|e| format!("{shown}: {e}"))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(format!("the {what} {shown} can be read by others; run: chmod 600 {shown}"));
    }
    from_hex(text.trim()).ok_or_else(|| {
        format!("the {what} {shown} does not hold 64 hexadecimal digits; move it away and a new one is made")
    })
}

fn make(path: &Path, what: &str) -> Result<[u8; 32], String> {
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
            return read(path, what, &text);
        }
        Err(e) => return Err(format!("the {what} {shown} cannot be made: {e}")),
    };
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|e| format!("the {what} {shown} cannot be written: {e}"))?;
    tracing::info!(file = %shown, "made: {what}; keep it out of backups of the journal");
    Ok(key)
}
