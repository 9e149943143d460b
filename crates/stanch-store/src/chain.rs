//! The hash chain: what is hashed, in which order, and the text form of its end.
//!
//! Each entry's hash covers the entry, its detail as stored, and the hash before it, so that one
//! changed, dropped, added or moved entry makes every later hash wrong. Nothing here reads a disk.
//!
//! # Byte layout
//!
//! All integers are big-endian. `‖` is concatenation without separators.
//!
//! ```text
//! hash(n) = SHA-256( hash(n-1)                 32 bytes; 32 zero bytes for n = 1
//!                  ‖ seq                        8 bytes, unsigned
//!                  ‖ at                         8 bytes, signed, milliseconds since 1970 UTC
//!                  ‖ length of stream           4 bytes, unsigned
//!                  ‖ stream                     UTF-8
//!                  ‖ length of kind             4 bytes, unsigned
//!                  ‖ kind                       UTF-8
//!                  ‖ length of body             4 bytes, unsigned
//!                  ‖ body
//!                  ‖ detail_hash )             32 bytes: SHA-256 of the stored detail bytes,
//!                                              or 32 zero bytes when there is no detail
//! ```
//!
//! The stored detail begins with one byte for its form (see [`crate::detail`]), so the chain can be
//! checked without decompressing anything. `verify_journal.py` beside this crate does it in Python.

use sha2::{Digest, Sha256};

use stanch_model::port::{Head, JournalError};

/// The chain before its first entry.
pub const GENESIS: Head = Head { seq: 0, hash: [0; 32] };

/// What the chain covers of one entry, borrowed from wherever it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link<'a> {
    pub(crate) seq: u64,
    pub(crate) at: i64,
    pub(crate) stream: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) detail_hash: Option<[u8; 32]>,
}

impl Link<'_> {
    /// The hash of this entry after `before`, or which part is too long to be encoded.
    pub(crate) fn hash(&self, before: &[u8; 32]) -> Result<[u8; 32], String> {
        let mut sha = Sha256::new();
        sha.update(before);
        sha.update(self.seq.to_be_bytes());
        sha.update(self.at.to_be_bytes());
        let parts = [("stream", self.stream.as_bytes()), ("kind", self.kind.as_bytes()), ("body", self.body)];
        for (name, bytes) in parts {
            let length = u32::try_from(bytes.len())
                .map_err(|_| format!("its {name} has {} bytes; at most 4 GiB are possible", bytes.len()))?;
            sha.update(length.to_be_bytes());
            sha.update(bytes);
        }
        sha.update(self.detail_hash.unwrap_or_default());
        Ok(sha.finalize().into())
    }
}

/// SHA-256 of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The end of a chain as text, `seq:hex`, short enough for a ticket or a sheet of paper.
#[must_use]
pub fn head_to_text(head: &Head) -> String {
    use std::fmt::Write as _;
    let mut text = format!("{}:", head.seq);
    for byte in head.hash {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Reads what [`head_to_text`] wrote. Upper-case digits and blanks around it are accepted.
///
/// # Errors
/// Says what was expected when the text is anything else.
pub fn head_from_text(text: &str) -> Result<Head, BadHead> {
    let bad = || BadHead(text.chars().take(100).collect());
    let (seq, hex) = text.trim().split_once(':').ok_or_else(bad)?;
    if hex.len() != 64
        || !hex.bytes().all(|b| b.is_ascii_hexdigit())
        || !seq.bytes().all(|b| b.is_ascii_digit())
    {
        return Err(bad());
    }
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| bad())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
    }
    Ok(Head { seq: seq.parse().map_err(|_| bad())?, hash })
}

/// A text that is not the end of a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a journal checkpoint; expected the entry number, a colon and 64 hex digits")]
pub struct BadHead(pub String);

/// Judges a verified chain against a checkpoint that was kept elsewhere. `at_checkpoint` is the hash
/// this chain has at the checkpoint's number, if it is that long.
pub(crate) fn compare(
    end: &Head,
    at_checkpoint: Option<[u8; 32]>,
    checkpoint: &Head,
) -> Result<(), JournalError> {
    let broken = |seq, why| Err(JournalError::Broken { seq, why });
    match at_checkpoint {
        None => broken(
            end.seq.saturating_add(1),
            format!(
                "the checkpoint knows {} entries and this journal ends at {}: its end was cut off",
                checkpoint.seq, end.seq
            ),
        ),
        Some(hash) if hash != checkpoint.hash => broken(
            checkpoint.seq,
            "the chain is whole but differs from the checkpoint: this entry or an earlier one was rewritten"
                .to_owned(),
        ),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(link: Link<'_>, before: [u8; 32], hex: &str) {
        let hash = link.hash(&before).unwrap();
        assert_eq!(head_to_text(&Head { seq: link.seq, hash }), format!("{}:{hex}", link.seq));
    }

    #[test]
    fn the_layout_is_a_promise_and_does_not_move() {
        let first = Link { seq: 1, at: 0, stream: "", kind: "", body: b"", detail_hash: None };
        // Both computed with Python's hashlib and struct.
        check(first, [0; 32], "202738e128fe9e8d7de41d9a44c4ee1ef85c8ae940d06fc05cfd609b80f6beb0");
        let second = Link {
            seq: 2,
            at: -5,
            stream: "INC-3",
            kind: "łódź",
            body: b"{}",
            detail_hash: Some(sha256(b"\0raw")),
        };
        check(second, [7; 32], "d0d0be023674e6dd5fff9ad358a56046e6734d515b8d249d57281fa3e64887df");
    }

    #[test]
    fn moving_a_byte_between_fields_changes_the_hash() {
        let a = Link { seq: 1, at: 0, stream: "ab", kind: "c", body: b"", detail_hash: None };
        let b = Link { stream: "a", kind: "bc", ..a };
        assert_ne!(a.hash(&[0; 32]), b.hash(&[0; 32]));
    }

    #[test]
    fn head_text_comes_back_as_it_went() {
        let head = Head { seq: u64::MAX, hash: sha256(b"x") };
        assert_eq!(head_from_text(&head_to_text(&head)), Ok(head.clone()));
        assert_eq!(head_from_text(&format!(" {}\n", head_to_text(&head).to_uppercase())), Ok(head));
        for wrong in [
            "",
            ":",
            "1",
            "1:ab",
            "x:00",
            &format!("-1:{}", "0".repeat(64)),
            &format!("1:{}", "é".repeat(32)),
        ] {
            assert!(head_from_text(wrong).is_err(), "{wrong}");
        }
    }
}
