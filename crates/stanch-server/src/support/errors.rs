//! What went wrong lately, by code and by kind: how often, and never in which words.

use std::collections::BTreeMap;

use stanch_core::journal::{Effect, Event, State, decode};
use stanch_model::Failure;
use stanch_model::port::{JournalError, JournalReader as _};

use super::safe::{Key, Safe, counts, map};
use crate::books::Books;

/// Entries at the end of the journal that are looked through.
const LATELY: u64 = 5_000;

pub(super) fn of(books: &Books) -> Result<Safe, JournalError> {
    let answered = books.metrics().map_or(Safe::Nothing, |m| {
        let codes = m.codes().into_iter();
        Safe::List(
            codes
                .map(|(code, n, last)| {
                    map([("code", Safe::Word(code)), ("n", n.into()), ("last", Safe::Time(last))])
                })
                .collect(),
        )
    });
    let mut reader = books.journal()?;
    let (mut settled, mut missing, mut events) = (BTreeMap::new(), BTreeMap::new(), 0_u64);
    let mut after = reader.head()?.seq.saturating_sub(LATELY);
    loop {
        let page = reader.entries(after, 500)?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for entry in page.iter().filter(|e| matches!(e.kind.as_str(), "settled" | "enriched")) {
            events += 1;
            match decode(entry) {
                Ok(Event::Settled(s)) => {
                    let word = s.failure.as_ref().map_or("done", failure);
                    *settled.entry(word).or_insert(0_u64) += 1;
                }
                Ok(Event::Enriched(e)) => {
                    for m in &e.missing {
                        *missing.entry(failure(&m.failure)).or_insert(0_u64) += 1;
                    }
                }
                // Only these two were chosen.
                Ok(_) | Err(_) => {}
            }
        }
    }
    Ok(map([
        ("api", answered),
        ("entries_looked_at", LATELY.into()),
        ("outcomes_in_them", events.into()),
        ("effects_settled", counts(&settled)),
        ("lookups_missing", counts(&missing)),
        ("effects_failing_now", books.read(failing)),
    ]))
}

/// Intentions that failed at least once and are tried again, by kind.
fn failing(s: &State) -> Safe {
    let mut kinds: BTreeMap<&'static str, (u64, u64)> = BTreeMap::new();
    for p in s.pending.values().filter(|p| p.attempts > 0) {
        let entry = kinds.entry(kind(&p.what)).or_default();
        *entry = (entry.0 + 1, entry.1.max(u64::from(p.attempts)));
    }
    let shown = |(kind, (n, most)): (&'static str, (u64, u64))| {
        (Key::Word(kind), map([("n", n.into()), ("most_attempts", most.into())]))
    };
    Safe::Map(kinds.into_iter().map(shown).collect())
}

const fn kind(what: &Effect) -> &'static str {
    match what {
        Effect::LookUp { .. } => "look_up",
        Effect::Notify { .. } => "notify",
        Effect::Enrich { .. } => "enrich",
        Effect::Fetch { .. } => "fetch",
        Effect::Capture { .. } => "capture",
        Effect::Perform { .. } => "perform",
        Effect::Verify { .. } => "verify",
        Effect::Revert { .. } => "revert",
    }
}

const fn failure(f: &Failure) -> &'static str {
    match f {
        Failure::Transient { .. } => "transient",
        Failure::RateLimited { .. } => "rate_limited",
        Failure::Unauthorised { .. } => "unauthorised",
        Failure::Permanent { .. } => "permanent",
        Failure::Unknown { .. } => "unknown",
        Failure::Late { .. } => "late",
    }
}
