//! One suite for all journals: what every implementation must answer, in the same words.
//!
//! Call [`run`] with a factory from a test of the implementation. Each rule gets a fresh journal, and
//! `reopen` must give what a new process would find. A broken rule panics with its name.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a suite: panicking is how it answers")]

use stanch_model::Timestamp;
use stanch_model::port::{Entry, Head, Journal, JournalError, NewEntry};

use crate::chain::GENESIS;

/// Makes journals of one kind for the suite.
pub trait Factory {
    /// The kind of journal.
    type Journal: Journal;
    /// An empty journal.
    fn fresh(&mut self) -> Self::Journal;
    /// Ends the process that holds `journal` in an orderly way and starts the next one.
    fn reopen(&mut self, journal: Self::Journal) -> Self::Journal;
}

/// Checks every rule.
///
/// # Panics
/// When one does not hold.
pub fn run<F: Factory>(factory: &mut F) {
    an_empty_journal_ends_at_zero(factory.fresh());
    entries_come_back_in_order_and_numbered(factory);
    an_empty_append_changes_nothing(factory.fresh());
    replay_goes_on_after_any_entry_and_stops_at_the_first_error(factory.fresh());
    details_come_back_byte_for_byte(factory);
    any_text_is_kept_as_it_is(factory);
    readers_see_what_was_committed_before_they_asked(factory.fresh());
    readers_work_from_another_thread_during_writes(factory.fresh());
    the_same_entries_give_the_same_chain(factory);
    all_entries_of_an_append_are_there_or_none(factory);
}

/// An entry for tests.
#[must_use]
pub fn entry(stream: &str, kind: &str, body: &str, detail: Option<&[u8]>) -> NewEntry {
    NewEntry {
        stream: stream.to_owned(),
        kind: kind.to_owned(),
        body: body.as_bytes().to_vec(),
        detail: detail.map(<[u8]>::to_vec),
    }
}

/// All entries after `after`, through `replay`.
#[must_use]
pub fn replayed(journal: &dyn Journal, after: u64) -> Vec<Entry> {
    let mut all = Vec::new();
    journal
        .replay(after, &mut |e| {
            all.push(e);
            Ok(())
        })
        .unwrap();
    all
}

fn verified(journal: &dyn Journal) -> Head {
    let head = journal.reader().unwrap().verify(&mut |_| ()).unwrap();
    assert_eq!(head, journal.head(), "verify ends where the writer ends");
    head
}

fn an_empty_journal_ends_at_zero(journal: impl Journal) {
    assert_eq!(journal.head(), GENESIS);
    assert_eq!(verified(&journal), GENESIS);
    assert_eq!(replayed(&journal, 0), []);
    assert_eq!(replayed(&journal, 5), []);
    let mut reader = journal.reader().unwrap();
    assert_eq!(reader.entries(0, 10).unwrap(), []);
    for seq in [0, 1, u64::MAX] {
        assert_eq!(reader.detail(seq).unwrap(), None);
    }
}

fn entries_come_back_in_order_and_numbered<F: Factory>(factory: &mut F) {
    let mut journal = factory.fresh();
    for n in 0..20_i64 {
        let (a, b) = (format!("a{n}"), format!("b{n}"));
        let head = journal
            .append(Timestamp(n - 10), &[entry("s", &a, "1", None), entry("t", &b, "", None)])
            .unwrap();
        assert_eq!((head.seq, journal.head()), (2 * n.unsigned_abs() + 2, head));
    }
    let before = (journal.head(), replayed(&journal, 0));
    let journal = factory.reopen(journal);
    assert_eq!((journal.head(), replayed(&journal, 0)), before);
    for (n, e) in before.1.iter().enumerate() {
        let (stream, kind) =
            if n % 2 == 0 { ("s", format!("a{}", n / 2)) } else { ("t", format!("b{}", n / 2)) };
        let at = i64::try_from(n / 2).unwrap() - 10;
        assert_eq!((e.seq, e.at.0, e.stream.as_str(), &e.kind), (n as u64 + 1, at, stream, &kind));
    }
    verified(&journal);
}

fn an_empty_append_changes_nothing(mut journal: impl Journal) {
    assert_eq!(journal.append(Timestamp(1), &[]).unwrap(), GENESIS);
    let head = journal.append(Timestamp(1), &[entry("s", "k", "{}", None)]).unwrap();
    assert_eq!(journal.append(Timestamp(2), &[]).unwrap(), head);
    assert_eq!((replayed(&journal, 0).len(), verified(&journal)), (1, head));
}

fn replay_goes_on_after_any_entry_and_stops_at_the_first_error(mut journal: impl Journal) {
    let entries: Vec<_> = (0..10).map(|n| entry("s", "k", &n.to_string(), None)).collect();
    journal.append(Timestamp(0), &entries).unwrap();
    for after in 0..12 {
        let seqs: Vec<u64> = replayed(&journal, after).iter().map(|e| e.seq).collect();
        assert_eq!(seqs, (after + 1..=10).collect::<Vec<_>>());
    }
    assert_eq!(replayed(&journal, u64::MAX), []);
    let mut seen = 0;
    let stop = journal.replay(0, &mut |e| {
        seen = e.seq;
        if e.seq == 4 { Err(JournalError::Broken { seq: 4, why: "enough".to_owned() }) } else { Ok(()) }
    });
    assert!(matches!(stop, Err(JournalError::Broken { seq: 4, .. })));
    assert_eq!(seen, 4);
    let mut reader = journal.reader().unwrap();
    let some = |found: Vec<Entry>| found.iter().map(|e| e.seq).collect::<Vec<_>>();
    assert_eq!(some(reader.entries(3, 4).unwrap()), [4, 5, 6, 7]);
    assert_eq!(some(reader.entries(8, 100).unwrap()), [9, 10]);
    assert_eq!(some(reader.entries(0, 0).unwrap()), [0; 0]);
    assert_eq!(some(reader.entries(u64::MAX, 1).unwrap()), [0; 0]);
}

fn details_come_back_byte_for_byte<F: Factory>(factory: &mut F) {
    let mut journal = factory.fresh();
    let mut noise = vec![0_u8; 16 << 20];
    let mut state = 1_u32;
    for byte in &mut noise {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (state >> 24) as u8;
    }
    let details: Vec<Option<Vec<u8>>> =
        vec![None, Some(vec![]), Some(vec![0]), Some(vec![b'x'; 16 << 20]), Some(noise), None];
    let entries: Vec<_> = details.iter().map(|d| entry("s", "k", "{}", d.as_deref())).collect();
    journal.append(Timestamp(0), &entries).unwrap();
    let journal = factory.reopen(journal);
    let mut reader = journal.reader().unwrap();
    for (detail, seq) in details.iter().zip(1..) {
        assert!(reader.detail(seq).unwrap() == *detail, "detail {seq} differs");
    }
    verified(&journal);
}

fn any_text_is_kept_as_it_is<F: Factory>(factory: &mut F) {
    let texts =
        ["", "\0", "a\0b", "łódź", "e\u{301}", "\u{202e}rtl", "💥", "'; DROP TABLE entry; --", "\u{feff}x"];
    let mut journal = factory.fresh();
    let entries: Vec<_> = texts.iter().map(|t| entry(t, t, t, Some(t.as_bytes()))).collect();
    journal.append(Timestamp(i64::MIN), &entries).unwrap();
    journal.append(Timestamp(i64::MAX), &[entry("x", "y", "\u{0}", None)]).unwrap();
    let journal = factory.reopen(journal);
    let all = replayed(&journal, 0);
    for (e, text) in all.iter().zip(texts) {
        assert_eq!((e.stream.as_str(), e.kind.as_str(), e.body.as_slice()), (text, text, text.as_bytes()));
        assert_eq!(journal.reader().unwrap().detail(e.seq).unwrap().unwrap(), text.as_bytes());
    }
    assert_eq!((all[0].at.0, all[texts.len()].at.0), (i64::MIN, i64::MAX));
    verified(&journal);
}

fn readers_see_what_was_committed_before_they_asked(mut journal: impl Journal) {
    let mut reader = journal.reader().unwrap();
    for n in 1..=5_u64 {
        let head = journal.append(Timestamp(0), &[entry("s", "k", "{}", Some(b"d"))]).unwrap();
        assert_eq!(reader.entries(0, 100).unwrap().len() as u64, n);
        assert_eq!(reader.detail(n).unwrap().unwrap(), b"d");
        assert_eq!(reader.verify(&mut |_| ()).unwrap(), head);
    }
}

fn readers_work_from_another_thread_during_writes(mut journal: impl Journal) {
    let batch: Vec<_> = (0..7).map(|_| entry("s", "k", "{\"a\":1}", Some(&[5; 300]))).collect();
    journal.append(Timestamp(0), &batch).unwrap();
    let mut reader = journal.reader().unwrap();
    let reading = std::thread::spawn(move || {
        let mut longest = 0;
        while longest < 70 {
            let head = reader.verify(&mut |_| ()).unwrap();
            assert!(head.seq >= longest, "a reader never sees less than before");
            assert_eq!(head.seq % 7, 0, "a reader never sees half an append");
            longest = head.seq;
        }
    });
    for n in 1..10 {
        journal.append(Timestamp(n), &batch).unwrap();
    }
    reading.join().unwrap();
}

fn the_same_entries_give_the_same_chain<F: Factory>(factory: &mut F) {
    let entries: Vec<_> = (0..6).map(|n| entry("s", "k", &n.to_string(), Some(&[n; 400]))).collect();
    let (mut one, mut two, mut three) = (factory.fresh(), factory.fresh(), factory.fresh());
    one.append(Timestamp(3), &entries).unwrap();
    for e in &entries {
        two.append(Timestamp(3), std::slice::from_ref(e)).unwrap();
    }
    three.append(Timestamp(4), &entries).unwrap();
    assert_eq!(one.head(), two.head());
    assert_ne!(one.head(), three.head(), "time is part of the chain");
}

fn all_entries_of_an_append_are_there_or_none<F: Factory>(factory: &mut F) {
    let mut journal = factory.fresh();
    let head = journal.append(Timestamp(0), &[entry("s", "k", "{}", None)]).unwrap();
    let mut bad = entry("s", "too_large", "", None);
    bad.body = vec![0; crate::detail::MAX_BYTES + 1];
    let failed = journal.append(Timestamp(1), &[entry("s", "fits", "{}", Some(b"d")), bad]);
    assert!(matches!(failed, Err(JournalError::Io { doing: "written", .. })));
    assert!(journal.append(Timestamp(2), &[entry("s", "k", "{}", None)]).is_err(), "errors are final");
    assert_eq!((journal.head(), replayed(&journal, 0).len()), (head.clone(), 1));
    let mut journal = factory.reopen(journal);
    assert_eq!((journal.head(), verified(&journal)), (head.clone(), head));
    assert_eq!(journal.append(Timestamp(3), &[entry("s", "k", "{}", None)]).unwrap().seq, 2);
}
