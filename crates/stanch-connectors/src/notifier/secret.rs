//! A text that is never shown.
//!
//! It has no display form and cannot be serialised:
//!
//! ```compile_fail
//! let secret = stanch_connectors::notifier::Secret::new("x");
//! println!("{secret}");
//! ```
//! ```compile_fail
//! let secret = stanch_connectors::notifier::Secret::new("x");
//! serde_json::to_string(&secret);
//! ```
//!
//! In memory it lies under a random mask, once, and both are overwritten when the last holder lets go:
//! a piece of memory that gets out does not show it. Whoever can read all of the process can unmask it;
//! so can nobody prevent who holds the process.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// The largest file that is read as a secret, in bytes.
const LARGEST: u64 = 64 * 1024;

/// A password or token. Its debug form is `***`, it has no display form, and it is not serialised.
#[derive(Clone)]
pub struct Secret(Arc<Masked>);

struct Masked {
    mask: Zeroizing<Vec<u8>>,
    text: Zeroizing<Vec<u8>>,
}

impl Secret {
    /// Takes the text as it is, and overwrites what it was taken from.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Secret {
        let mut text = Zeroizing::new(text.into().into_bytes());
        let mut mask = Zeroizing::new(vec![0; text.len()]);
        // Without randomness the text lies there unmasked, and works all the same.
        let _ = SystemRandom::new().fill(&mut mask);
        for (t, m) in text.iter_mut().zip(mask.iter()) {
            *t ^= m;
        }
        Secret(Arc::new(Masked { mask, text }))
    }

    /// Reads a file of at most 64 KiB; line ends at its end are not part of the secret.
    ///
    /// # Errors
    /// When the file cannot be read, is empty, or too large. Never tells what is in it.
    pub fn from_file(path: &Path) -> Result<Secret, String> {
        let said = |e: std::io::Error| format!("{} cannot be read: {e}", path.display());
        let size = std::fs::metadata(path).map_err(said)?.len();
        if size > LARGEST {
            return Err(format!("{} is too large for a secret: {size} bytes", path.display()));
        }
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(said)?);
        let text = text.trim_end_matches(['\r', '\n']);
        match text.is_empty() {
            true => Err(format!("{} is empty", path.display())),
            false => Ok(Secret::new(text)),
        }
    }

    /// The text itself, for the one place that sends it; overwritten when that place is done.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        let bytes: Vec<u8> = self.0.text.iter().zip(self.0.mask.iter()).map(|(t, m)| t ^ m).collect();
        // It was a text when it came in.
        Zeroizing::new(String::from_utf8(bytes).unwrap_or_default())
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        let digest = |s: &Secret| ring::digest::digest(&ring::digest::SHA256, s.expose().as_bytes());
        digest(self).as_ref() == digest(other).as_ref()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown_and_read_without_its_line_end() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("password");
        std::fs::write(&path, "tom and jerry\n").expect("written");
        let secret = Secret::from_file(&path).expect("read");
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(&**secret.expose(), "tom and jerry");
        assert_eq!(secret, Secret::new("tom and jerry"));
        assert_ne!(secret, Secret::new("tom and jerri"));
        std::fs::write(&path, "\n").expect("written");
        assert!(Secret::from_file(&path).is_err());
    }

    #[test]
    fn in_memory_it_lies_under_a_mask() {
        let secret = Secret::new("tom and jerry, and nobody else at all");
        assert_ne!(secret.0.text.as_slice(), secret.expose().as_bytes());
        assert_ne!(
            secret.0.mask.as_slice(),
            Secret::new("tom and jerry, and nobody else at all").0.mask.as_slice()
        );
    }
}
