//! What the journal weighs, and whether it holds.

use std::time::Instant;

use stanch_core::journal::KINDS;
use stanch_model::Span;
use stanch_model::port::{JournalError, JournalReader as _};
use stanch_store::KindSize;

use super::safe::{Safe, map, word};
use crate::books::Books;

pub(super) fn of(books: &Books, verify: bool) -> Result<Safe, JournalError> {
    let mut reader = books.journal()?;
    let (sizes, head) = (reader.statistics()?, reader.head()?);
    let begun = Instant::now();
    let verified = verify.then(|| reader.verify(&mut |_| {}));
    let took = Span(i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX));
    let verified = match verified {
        None => map([("done", false.into())]),
        // Why it does not fit may repeat what stands there.
        Some(Err(JournalError::Broken { seq, .. })) => map([("ok", false.into()), ("broken_at", seq.into())]),
        Some(Err(_)) => map([("ok", false.into()), ("readable", false.into())]),
        Some(Ok(end)) => map([("ok", true.into()), ("entries", end.seq.into()), ("took", Safe::Span(took))]),
    };
    Ok(map([
        ("entries", head.seq.into()),
        ("head", Safe::Hash(head.hash)),
        ("verified", verified),
        ("page_bytes", sizes.page_bytes.into()),
        ("pages", sizes.pages.into()),
        ("free_pages", sizes.free_pages.into()),
        ("kinds", Safe::List(sizes.kinds.iter().map(kind).collect())),
    ]))
}

fn kind(k: &KindSize) -> Safe {
    map([
        ("kind", Safe::Word(word(KINDS, &k.kind).unwrap_or("unknown"))),
        ("entries", k.entries.into()),
        ("body_bytes", k.body_bytes.into()),
        ("largest_body", k.largest.into()),
        ("details", k.details.into()),
        ("detail_bytes", k.detail_bytes.into()),
    ])
}
