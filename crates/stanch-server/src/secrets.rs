//! Secrets by reference: read when needed, never shown, never kept longer than a configuration.
//!
//! What is missing, empty or unreadable is an error here and disables whoever needs it: there is no
//! way from "no secret" to "accepted".
//!
//! Source: SEC-3, SEC-38.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use stanch_connectors::notifier::Secret;
use stanch_core::config::SecretRef;
use subtle::ConstantTimeEq;

/// A token shorter than this can be guessed, in characters.
pub(crate) const SHORT: usize = 20;

/// SHA-256 of a token: all that is kept of it, and all that is compared.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Of a token as sent.
    pub(crate) fn of(token: &str) -> TokenDigest {
        TokenDigest(Sha256::digest(token.as_bytes()).into())
    }

    /// Of what a secret file holds: the token itself, or `sha256:` and the digest in hexadecimal.
    pub(crate) fn stored(secret: &Secret) -> Result<TokenDigest, String> {
        let text = secret.expose();
        match text.strip_prefix("sha256:") {
            None => Ok(TokenDigest::of(&text)),
            Some(hex) => from_hex(hex.trim())
                .map(TokenDigest)
                .ok_or_else(|| "after sha256: there must be 64 hexadecimal digits".to_owned()),
        }
    }

    /// Takes the same time wherever the first difference lies.
    pub(crate) fn same(&self, other: &TokenDigest) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// 64 hexadecimal digits as 32 bytes.
pub(crate) fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |b: u8| char::from(b).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(out)
}

/// Where a file named in the configuration lies.
pub(crate) fn place(folder: &Path, named: &str) -> PathBuf {
    folder.join(named)
}

/// Reads a secret. The error says what to mend and never what was read.
///
/// # Errors
/// When it is missing, unreadable, empty or only white space.
pub(crate) fn read(folder: &Path, at: &SecretRef) -> Result<Secret, String> {
    let secret = match at {
        SecretRef::File(named) => Secret::from_file(&place(folder, named))
            .map_err(|why| why.replace(&format!("{}/", folder.display()), ""))?,
        SecretRef::Env(name) => match std::env::var(name) {
            Ok(text) => Secret::new(text.trim_end_matches(['\r', '\n'])),
            Err(_) => return Err(format!("the environment variable {name} is not set")),
        },
        SecretRef::Stored(name) => {
            return Err(format!(
                "the stored secret {name} is for connectors; name a file or a variable here"
            ));
        }
    };
    if secret.expose().trim().is_empty() {
        return Err(format!("{} is empty", named(at)));
    }
    Ok(secret)
}

/// How people find it.
pub(crate) fn named(at: &SecretRef) -> String {
    match at {
        SecretRef::File(path) => path.clone(),
        SecretRef::Env(name) => format!("${name}"),
        SecretRef::Stored(name) => format!("stored secret {name}"),
    }
}

/// True when others on this machine may read or write the file.
pub(crate) fn too_open(folder: &Path, at: &SecretRef) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let SecretRef::File(named) = at else { return false };
    std::fs::metadata(place(folder, named)).is_ok_and(|m| m.permissions().mode() & 0o077 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_digest_and_the_token_itself_are_the_same_secret() {
        let token = "a-token-of-some-length";
        let hex: String = Sha256::digest(token.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
        let stored = TokenDigest::stored(&Secret::new(format!("sha256:{hex}"))).unwrap();
        assert!(stored.same(&TokenDigest::of(token)));
        assert!(!stored.same(&TokenDigest::of(&hex)), "the digest itself is no token");
        assert!(TokenDigest::stored(&Secret::new("sha256:12")).is_err());
    }

    #[test]
    fn an_empty_secret_is_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["", "\n", "  \n"] {
            std::fs::write(dir.path().join("t"), text).unwrap();
            assert!(read(dir.path(), &SecretRef::File("t".into())).is_err(), "{text:?}");
        }
        assert!(read(dir.path(), &SecretRef::File("none".into())).is_err());
        assert!(read(dir.path(), &SecretRef::Env("STANCH_TEST_NO_SUCH_VARIABLE".into())).is_err());
    }
}
