//! Passwords: what may be one, how one is kept, and how one is checked.
//!
//! Argon2id with the first of OWASP's minimum settings; a hash made with others is still checked by
//! its own. Checking for somebody who does not exist takes the same work as for somebody who does.
//!
//! Source: OWASP Password Storage Cheat Sheet (m=19456 KiB, t=2, p=1); NIST SP 800-63B §5.1.1.2
//! (length counts, rules of composition do not); SEC-21, SEC-23.

use std::sync::LazyLock;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

/// Memory in KiB. Source: OWASP.
const MEMORY: u32 = 19_456;
/// Passes over it. Source: OWASP.
const PASSES: u32 = 2;
/// Lanes. Source: OWASP.
const LANES: u32 = 1;
/// Bytes of salt. Source: RFC 9106 §3.1, which recommends 16.
const SALT: usize = 16;
/// Characters at least. Source: NIST SP 800-63B asks for 8, and for 15 where a password stands alone.
pub(crate) const SHORTEST: usize = 12;
/// Bytes at most, so that nobody makes us hash a book.
pub(crate) const LONGEST: usize = 256;

/// Why a text cannot be a password.
///
/// # Errors
/// In words, with how to mend it. Never repeats the text.
pub(crate) fn acceptable(name: &str, password: &str) -> Result<(), (String, &'static str)> {
    let characters = password.chars().count();
    if characters < SHORTEST {
        let message = format!("the password has {characters} characters; it needs at least {SHORTEST}");
        return Err((message, "use several words, for example; any characters may be in it"));
    }
    if password.len() > LONGEST {
        return Err((format!("the password is longer than {LONGEST} bytes"), "use a shorter one"));
    }
    let mut kinds: Vec<char> = password.to_lowercase().chars().collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.len() < 5 {
        return Err((
            "the password repeats the same few characters".to_owned(),
            "use at least five different ones",
        ));
    }
    let low = password.to_lowercase();
    if low.contains("stanch") || (name.len() > 2 && low.contains(&name.to_lowercase())) {
        let message = "the password contains your name or the name of this program".to_owned();
        return Err((message, "those are tried first by whoever guesses: use other words"));
    }
    Ok(())
}

fn argon() -> Option<Argon2<'static>> {
    let params = Params::new(MEMORY, PASSES, LANES, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes a password, as a PHC string. Takes about a twentieth of a second of one core: call it away from
/// the threads that answer others.
///
/// # Errors
/// When the machine gives no random numbers.
pub(crate) fn hash(password: &str) -> Result<String, String> {
    let mut raw = [0_u8; SALT];
    getrandom::fill(&mut raw).map_err(|_| "the system gives no random numbers".to_owned())?;
    let salt = SaltString::encode_b64(&raw).map_err(|e| e.to_string())?;
    let argon = argon().ok_or("argon2id does not take its settings")?;
    Ok(argon.hash_password(password.as_bytes(), &salt).map_err(|e| e.to_string())?.to_string())
}

/// True when this is the password of this hash. With no hash the same work is done for nothing, and
/// the answer is no. An empty password is no password.
pub(crate) fn verify(kept: Option<&str>, password: &str) -> bool {
    static NOBODY: LazyLock<String> = LazyLock::new(|| hash("nobody has this password").unwrap_or_default());
    let usable = !password.trim().is_empty() && password.len() <= LONGEST;
    let Ok(parsed) = PasswordHash::new(kept.unwrap_or(&NOBODY)) else { return false };
    let Some(argon) = argon() else { return false };
    let same = argon.verify_password(if usable { password.as_bytes() } else { b"-" }, &parsed).is_ok();
    same && usable && kept.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_kept_as_argon2id_with_owasps_settings_and_a_salt_of_its_own() {
        let (one, two) = (hash("four words of it").unwrap(), hash("four words of it").unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, two);
        assert!(verify(Some(&one), "four words of it") && verify(Some(&two), "four words of it"));
        assert!(!verify(Some(&one), "four words of It"));
        assert!(!verify(Some(&one), "") && !verify(Some(&one), "   "));
        assert!(!verify(None, "nobody has this password"), "nobody is not somebody");
        assert!(!verify(Some("four words of it"), "four words of it"), "a text is no hash");
    }

    #[test]
    fn what_is_guessed_first_is_no_password() {
        let refused =
            ["", "short", "aaaaaaaaaaaaaaaa", "ababababababab", "maria-and-more", "my stanch login"];
        for text in refused {
            assert!(acceptable("maria", text).is_err(), "{text:?}");
        }
        assert!(acceptable("maria", &"x1y2z".repeat(100)).is_err(), "a book");
        assert!(acceptable("maria", "correct horse battery").is_ok());
        assert!(acceptable("maria", "ключ от всех дверей").is_ok(), "any characters");
        let why = acceptable("maria", "hunter2").unwrap_err().0;
        assert!(!why.contains("hunter2"), "{why}");
    }
}
