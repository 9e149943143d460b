//! What a stream is, told by its beginning.

use std::io::{self, BufRead as _, Read as _};

use super::cut::Framing;
use super::feed::Feed;

/// What the stream turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One document, or an array small enough to be sent whole.
    Whole,
    /// One record per line.
    Lines,
    /// An array to be cut between elements.
    Array,
    /// Zeek's tab-separated log.
    Zeek,
}

/// Is it exactly one JSON value?
fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok()
}

/// Reads as much as is needed to tell what it is; all of it stays in `head`.
pub(crate) fn sniff<R: Feed>(
    input: &mut R,
    head: &mut Vec<u8>,
    framing: Framing,
    largest: usize,
) -> io::Result<Kind> {
    let first = loop {
        if let Some(b) = head.iter().find(|b| !b.is_ascii_whitespace()) {
            break *b;
        }
        if input.by_ref().take(64).read_to_end(head)? == 0 {
            return Ok(Kind::Lines);
        }
    };
    match first {
        b'#' if framing == Framing::Auto => return Ok(Kind::Zeek),
        b'{' if framing == Framing::Auto => {
            let room = (largest as u64 + 1).saturating_sub(head.len() as u64);
            if !head.contains(&b'\n') {
                input.by_ref().take(room).read_until(b'\n', head)?;
            }
            let line = head.split_inclusive(|b| *b == b'\n').find(|l| !l.trim_ascii().is_empty());
            if line.is_some_and(is_json) {
                return Ok(Kind::Lines);
            }
        }
        b'{' | b'[' => {}
        _ => return Ok(Kind::Lines),
    }
    let room = (largest as u64 + 1).saturating_sub(head.len() as u64);
    input.by_ref().take(room).read_to_end(head)?;
    let all = head.len() <= largest;
    Ok(match first {
        b'[' if all => Kind::Whole,
        b'[' => Kind::Array,
        _ if all && is_json(head) => Kind::Whole,
        _ => Kind::Lines,
    })
}
