//! Seals what must not lie in the clear in a journal: a password's hash on its way to a recipe.
//!
//! ChaCha20-Poly1305 (RFC 8439) with a key from a file outside the database. What is sealed is bound
//! to a context (which action, which entry), so that it cannot be opened in another place.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};

use crate::notifier::Secret;

/// A shorter key file can be guessed. Characters.
const SHORTEST: usize = 32;

/// A key that seals and opens.
pub(super) struct Seal(LessSafeKey);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(***)")
    }
}

impl Seal {
    /// From what a key file holds: any text of at least 32 characters, best made by a machine.
    pub(super) fn new(key: &Secret) -> Result<Seal, String> {
        let text = key.expose();
        let text = text.trim();
        if text.len() < SHORTEST {
            return Err(format!(
                "the seal key has {} characters; at least {SHORTEST} are needed, for example from `openssl rand -hex 32`",
                text.len()
            ));
        }
        let key = UnboundKey::new(&CHACHA20_POLY1305, &Sha256::digest(text.as_bytes()))
            .map_err(|_| "the seal key does not fit".to_owned())?;
        Ok(Seal(LessSafeKey::new(key)))
    }

    /// Seals; the result is hexadecimal text.
    pub(super) fn close(&self, plain: &[u8], context: &str) -> Result<String, String> {
        let mut nonce = [0; NONCE_LEN];
        // 96 random bits: safe for 2^32 seals with one key. Source: NIST SP 800-38D, 8.3.
        SystemRandom::new().fill(&mut nonce).map_err(|_| "no randomness to be had".to_owned())?;
        let mut sealed = plain.to_vec();
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context.as_bytes()),
                &mut sealed,
            )
            .map_err(|_| "it could not be sealed".to_owned())?;
        Ok(nonce.iter().chain(&sealed).map(|b| format!("{b:02x}")).collect())
    }

    /// Opens what was sealed in the same context with the same key.
    pub(super) fn open(&self, sealed: &str, context: &str) -> Result<Vec<u8>, String> {
        const WRONG: &str = "the recipe was sealed with another key, for another action, or was changed";
        let mut bytes = from_hex(sealed).ok_or(WRONG)?;
        if bytes.len() < NONCE_LEN {
            return Err(WRONG.to_owned());
        }
        let mut body = bytes.split_off(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(&bytes).map_err(|_| WRONG)?;
        let plain =
            self.0.open_in_place(nonce, Aad::from(context.as_bytes()), &mut body).map_err(|_| WRONG)?;
        Ok(plain.to_vec())
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let byte = |p: &[u8; 2]| Some(digit(p[0])? * 16 + digit(p[1])?);
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(key: &str) -> Seal {
        Seal::new(&Secret::new(key)).expect("a key")
    }

    #[test]
    fn what_is_sealed_opens_only_with_the_same_key_in_the_same_context() {
        let key = seal("0123456789abcdef0123456789abcdef");
        let sealed = key.close(b"{SSHA}x", "stanch:ACT-4 uid=alice").expect("sealed");
        assert_eq!(key.open(&sealed, "stanch:ACT-4 uid=alice").as_deref(), Ok(b"{SSHA}x".as_slice()));
        assert!(key.open(&sealed, "stanch:ACT-5 uid=alice").is_err());
        assert!(seal("another key of thirty-two letters").open(&sealed, "stanch:ACT-4 uid=alice").is_err());
        let other = key.close(b"{SSHA}x", "stanch:ACT-4 uid=alice").expect("sealed");
        assert_ne!(sealed, other, "equal hashes do not look equal");
    }

    #[test]
    fn short_keys_and_damaged_seals_are_refused() {
        assert!(Seal::new(&Secret::new("too short")).is_err());
        let key = seal("0123456789abcdef0123456789abcdef");
        for text in ["", "zz", "00", "000000000000000000000000", "ä"] {
            assert!(key.open(text, "").is_err(), "{text}");
        }
    }
}
