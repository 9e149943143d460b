//! A checkpoint as text: where the chain ended at a time, signed with Ed25519. Pure.
//!
//! The form is that of the signed notes and checkpoints of transparency logs, so that other tools
//! read it, with the hash of our chain in the place of a tree's root:
//!
//! ```text
//! stanch/journal/6ed2c0a1f05b7e31        which journal: the first 16 digits of its first entry's hash
//! 300                                    entries
//! n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=   hash of the last of them, base64
//! time 2026-11-22T21:30:00Z              when it was signed, by our clock
//!
//! — stanch-audit base64(4 bytes of key id, 64 bytes of signature over the lines above the empty one)
//! ```
//!
//! Source: <https://c2sp.org/signed-note>, <https://c2sp.org/tlog-checkpoint>; RFC 8032.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest, Sha256};
use stanch_model::Timestamp;
use stanch_model::port::Head;

/// The name of the key, as in the line of the signature.
pub(crate) const NAME: &str = "stanch-audit";
/// What the first line begins with.
const ORIGIN: &str = "stanch/journal/";
/// The kind of key: Ed25519. Source: signed-note, "Signature types".
const ED25519_KIND: u8 = 1;
/// Begins the line of a signature: an em dash and a space.
const DASH: &str = "\u{2014} ";

/// The public half, as `stanch audit key` prints it: `stanch-audit+<key id>+<base64>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey([u8; 32]);

impl PublicKey {
    /// The first four bytes of SHA-256 over name and key.
    fn id(&self) -> [u8; 4] {
        let mut sha = Sha256::new();
        sha.update(NAME.as_bytes());
        sha.update([b'\n', ED25519_KIND]);
        sha.update(self.0);
        let whole: [u8; 32] = sha.finalize().into();
        [whole[0], whole[1], whole[2], whole[3]]
    }

    /// As people pin it.
    pub(crate) fn text(&self) -> String {
        let kind_and_key = [&[ED25519_KIND][..], &self.0].concat();
        format!("{NAME}+{}+{}", hex(&self.id()), STANDARD.encode(kind_and_key))
    }

    /// Reads what [`PublicKey::text`] wrote.
    ///
    /// # Errors
    /// What was expected.
    pub(crate) fn read(text: &str) -> Result<PublicKey, String> {
        let wrong = || {
            "this is no public key of an audit; it looks like stanch-audit+1a2b3c4d+AbCd…= and `stanch audit key` prints it"
                .to_owned()
        };
        let mut parts = text.trim().splitn(3, '+');
        let (name, id, key) = (parts.next(), parts.next(), parts.next());
        let bytes = STANDARD.decode(key.ok_or_else(wrong)?).map_err(|_| wrong())?;
        let key: [u8; 32] =
            bytes.strip_prefix(&[ED25519_KIND]).and_then(|k| k.try_into().ok()).ok_or_else(wrong)?;
        let key = PublicKey(key);
        if name != Some(NAME) || id != Some(hex(&key.id()).as_str()) {
            return Err(wrong());
        }
        Ok(key)
    }
}

/// The private half.
pub(crate) struct Signer(Ed25519KeyPair);

impl Signer {
    /// From 32 secret bytes.
    ///
    /// # Errors
    /// When they cannot be a key.
    pub(crate) fn new(seed: &[u8; 32]) -> Result<Signer, String> {
        Ed25519KeyPair::from_seed_unchecked(seed)
            .map(Signer)
            .map_err(|_| "no Ed25519 key comes of it".to_owned())
    }

    /// Its public half.
    pub(crate) fn public(&self) -> PublicKey {
        let mut key = [0; 32];
        key.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(key)
    }

    /// Signs where the chain ends. `first` is the hash of its first entry.
    pub(crate) fn sign(&self, first: &[u8; 32], head: &Head, at: Timestamp) -> String {
        let body = format!("{}\n{}\n{}\ntime {at}\n", origin(first), head.seq, STANDARD.encode(head.hash));
        self.under(&self.public(), &body)
    }

    fn under(&self, named: &PublicKey, body: &str) -> String {
        let signature = self.0.sign(body.as_bytes());
        let signed = [&named.id()[..], signature.as_ref()].concat();
        format!("{body}\n{DASH}{NAME} {}\n", STANDARD.encode(signed))
    }

    /// Our signature under the name of another key: what a forger can do.
    #[cfg(test)]
    pub(crate) fn sign_as(&self, named: &PublicKey, body: &str) -> String {
        self.under(named, &format!("{body}\n"))
    }
}

/// Which journal: no two begin alike.
pub(crate) fn origin(first: &[u8; 32]) -> String {
    format!("{ORIGIN}{}", hex(&first[..8]))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// A checkpoint as read; whether anybody should believe it is another question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// Which journal.
    pub(crate) origin: String,
    /// Where its chain ended.
    pub(crate) head: Head,
    /// When it was signed, as written.
    pub(crate) time: String,
    body: String,
    signatures: Vec<(String, [u8; 4], Vec<u8>)>,
}

/// Who signed a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signed {
    /// One of the keys that are believed.
    Known,
    /// Only keys that are not.
    Stranger,
    /// It names a key that is believed, and the signature is not of it.
    Forged,
}

impl Note {
    /// Reads one checkpoint.
    ///
    /// # Errors
    /// What is wrong with its form.
    pub(crate) fn read(text: &str) -> Result<Note, String> {
        let (body, rest) = text.split_once("\n\n").ok_or("there is no signature under it")?;
        let body = format!("{body}\n");
        let mut lines = body.lines();
        let mut line = |what: &str| lines.next().ok_or_else(|| format!("it has no {what}"));
        let origin = line("origin")?.to_owned();
        let seq = line("number of entries")?;
        let plain = !seq.is_empty()
            && seq.bytes().all(|b| b.is_ascii_digit())
            && (seq == "0" || !seq.starts_with('0'));
        let seq = seq.parse().ok().filter(|_| plain).ok_or("its second line is no number of entries")?;
        let hash = STANDARD.decode(line("hash")?).ok().and_then(|h| h.try_into().ok());
        let hash = hash.ok_or("its third line is no SHA-256 in base64")?;
        let time = line("time")?.strip_prefix("time ").ok_or("its fourth line is no time")?.to_owned();
        let mut signatures = Vec::new();
        for line in rest.lines() {
            let signed = line.strip_prefix(DASH).and_then(|l| l.split_once(' '));
            let (name, base64) = signed.ok_or("a line under it is no signature")?;
            let bytes = STANDARD.decode(base64).map_err(|_| "its signature is no base64")?;
            let (id, signature) = bytes.split_first_chunk().ok_or("its signature is too short")?;
            signatures.push((name.to_owned(), *id, signature.to_vec()));
        }
        if signatures.is_empty() {
            return Err("there is no signature under it".to_owned());
        }
        Ok(Note { origin, head: Head { seq, hash }, time, body, signatures })
    }

    /// As it was read, in its plain form.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}\n", self.body);
        for (name, id, signature) in &self.signatures {
            let signed = STANDARD.encode([&id[..], signature].concat());
            text.push_str(&format!("{DASH}{name} {signed}\n"));
        }
        text
    }

    /// Who signed it, given the keys that are believed.
    pub(crate) fn signed(&self, keys: &[PublicKey]) -> Signed {
        let mut said = Signed::Stranger;
        for (name, id, signature) in &self.signatures {
            for key in keys.iter().filter(|k| name == NAME && k.id() == *id) {
                if UnparsedPublicKey::new(&ED25519, &key.0).verify(self.body.as_bytes(), signature).is_ok() {
                    return Signed::Known;
                }
                said = Signed::Forged;
            }
        }
        said
    }
}

/// The checkpoints of a file, in order; each as read, or what is wrong with it.
pub(crate) fn notes(text: &str) -> Vec<Result<Note, String>> {
    let mut found = Vec::new();
    let mut one = String::new();
    let mut under = false;
    for line in text.lines() {
        // What stands before a first line does not swallow the checkpoint after it.
        let begins = line.starts_with(ORIGIN) && !one.is_empty();
        if (under && !line.starts_with(DASH)) || begins {
            found.push(Note::read(&one));
            one.clear();
            under = false;
        }
        if line.is_empty() && one.is_empty() {
            continue;
        }
        under |= line.starts_with(DASH);
        one.push_str(line);
        one.push('\n');
    }
    if !one.is_empty() {
        found.push(Note::read(&one));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(seq: u64) -> Head {
        Head { seq, hash: [7; 32] }
    }

    #[test]
    fn what_was_signed_is_read_and_believed_and_nothing_else() {
        let (ours, other) = (Signer::new(&[1; 32]).unwrap(), Signer::new(&[2; 32]).unwrap());
        let text = ours.sign(&[3; 32], &head(300), Timestamp(1_770_000_000_000));
        let note = Note::read(&text).unwrap();
        assert_eq!((note.head.clone(), note.origin.as_str()), (head(300), "stanch/journal/0303030303030303"));
        assert_eq!(note.signed(&[other.public(), ours.public()]), Signed::Known);
        assert_eq!(note.signed(&[other.public()]), Signed::Stranger);
        for (from, to) in [("\n300\n", "\n301\n"), ("time 2026", "time 2027"), ("journal/03", "journal/04")] {
            assert!(text.contains(from), "{text}");
            let changed = Note::read(&text.replace(from, to)).unwrap();
            assert_eq!(changed.signed(&[ours.public()]), Signed::Forged, "{to}");
        }
    }

    #[test]
    fn the_public_key_is_pinned_as_text_with_its_own_check() {
        let key = Signer::new(&[1; 32]).unwrap().public();
        let text = key.text();
        // Computed with Python's hashlib and the reference code of RFC 8032 (seed of 32 times 01).
        assert_eq!(text, "stanch-audit+65db0653+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c");
        assert_eq!(PublicKey::read(&format!(" {text}\n")), Ok(key));
        for wrong in ["", "stanch-audit", &text.replace('Y', "Z"), &text.replace("stanch", "stench")] {
            assert!(PublicKey::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_file_of_checkpoints_is_taken_apart_and_damage_stays_where_it_is() {
        let ours = Signer::new(&[1; 32]).unwrap();
        let one = |n| ours.sign(&[3; 32], &head(n), Timestamp(1_770_000_000_000));
        let text = format!("{}\nrubbish\n\n{DASH}x AAAAAAAA\n\n{}\n{}", one(1), one(2), one(3));
        let found = notes(&text);
        let sizes: Vec<_> = found.iter().map(|n| n.as_ref().ok().map(|n| n.head.seq)).collect();
        assert_eq!(sizes, [Some(1), None, Some(2), Some(3)]);
        assert!(notes("").is_empty());
        assert!(notes("cut in the mid").iter().all(Result::is_err));
    }
}
