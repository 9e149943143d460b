//! A text that is never shown.

use std::fmt;
use std::path::Path;

/// A password or token. Its debug form is `***`, it has no display form, and it is not serialised.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text as it is.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// Reads a file of at most 64 kB; line ends at its end are not part of the secret.
    ///
    /// # Errors
    /// When the file cannot be read, is empty, or too large. Never tells what is in it.
    pub fn from_file(path: &Path) -> Result<Secret, String> {
        let size =
            std::fs::metadata(path).map_err(|e| format!("{} cannot be read: {e}", path.display()))?.len();
        if size > 64 * 1024 {
            return Err(format!("{} is too large for a secret: {size} bytes", path.display()));
        }
        let text =
            std::fs::read_to_string(path).map_err(|e| format!("{} cannot be read: {e}", path.display()))?;
        let text = text.trim_end_matches(['\r', '\n']);
        match text.is_empty() {
            true => Err(format!("{} is empty", path.display())),
            false => Ok(Secret(text.to_owned())),
        }
    }

    /// The text itself, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

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
        assert_eq!(secret.expose(), "tom and jerry");
        std::fs::write(&path, "\n").expect("written");
        assert!(Secret::from_file(&path).is_err());
    }
}
