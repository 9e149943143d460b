//! Details that were taken away on purpose: which, and that the chain says so.
//!
//! Entries are never changed and never go. What lies beside one may go, when a later entry of the kind
//! [`KIND`] names it: `"details": [[first, last], …]` in its JSON, numbers of entries, both ends counted. The
//! hash of what lay there stays in the entry, so that the chain is whole as before; a detail that is missing
//! without such an entry is a broken journal. Writing that entry takes the details away in the same
//! transaction, and what they held is overwritten (`PRAGMA secure_delete`).
//!
//! This is the one kind of entry that the store reads.

use rusqlite::Connection;
use serde::Deserialize;

use stanch_model::port::JournalError;

use crate::walk::{broken_or_unreadable, unreadable};

/// The kind of entry that takes details away.
pub const KIND: &str = "erased";

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    details: Vec<(u64, u64)>,
}

/// The details an entry of this kind takes away, as ranges of entry numbers before its own.
///
/// # Errors
/// When the body is not what such an entry holds, or names entries that are not before it.
pub(crate) fn ranges(seq: u64, body: &[u8]) -> Result<Vec<(u64, u64)>, String> {
    let body: Body = serde_json::from_slice(body).map_err(|e| format!("it names no details: {e}"))?;
    match body.details.iter().find(|(first, last)| *first < 1 || first > last || *last >= seq) {
        Some((first, last)) => Err(format!("it cannot take away the details of {first} to {last}")),
        None => Ok(body.details),
    }
}

/// All ranges whose details are gone.
#[derive(Debug, Default)]
pub(crate) struct Claims(Vec<(u64, u64)>);

impl Claims {
    /// What the entries of a journal say.
    pub(crate) fn read(conn: &Connection) -> Result<Claims, JournalError> {
        let mut query = conn
            .prepare_cached("SELECT seq, body FROM entry WHERE kind = ?1 ORDER BY seq")
            .map_err(unreadable)?;
        let mut rows = query.query([KIND]).map_err(unreadable)?;
        let mut all = Vec::new();
        while let Some(row) = rows.next().map_err(|e| broken_or_unreadable(1, e))? {
            let seq = u64::try_from(row.get::<_, i64>(0).map_err(unreadable)?).unwrap_or(0);
            let broken = |why: String| JournalError::Broken { seq, why };
            let body = row.get_ref(1).map_err(unreadable)?;
            let body = body.as_blob().map_err(|_| broken("its body is not bytes".to_owned()))?;
            all.extend(ranges(seq, body).map_err(broken)?);
        }
        Ok(Claims::of(all))
    }

    /// These, in order, without overlaps.
    pub(crate) fn of(mut all: Vec<(u64, u64)>) -> Claims {
        all.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::with_capacity(all.len());
        for (first, last) in all {
            match merged.last_mut().filter(|before| first <= before.1.saturating_add(1)) {
                Some(before) => before.1 = before.1.max(last),
                None => merged.push((first, last)),
            }
        }
        Claims(merged)
    }

    /// Was the detail of this entry taken away?
    pub(crate) fn holds(&self, seq: u64) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= seq);
        after.checked_sub(1).is_some_and(|n| self.0[n].1 >= seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, SqliteJournal, SqliteReader};
    use stanch_model::Timestamp;
    use stanch_model::port::{Journal as _, JournalReader as _, NewEntry};

    fn entry(detail: Option<Vec<u8>>) -> NewEntry {
        NewEntry { stream: "s".into(), kind: "k".into(), body: b"{}".to_vec(), detail }
    }

    fn erased(ranges: &str) -> NewEntry {
        let body = format!("{{\"why\":\"retention\",\"details\":{ranges}}}").into_bytes();
        NewEntry { stream: "stanch".into(), kind: KIND.into(), body, detail: None }
    }

    /// A text of this length that does not compress and can be looked for.
    fn marked(n: usize, length: usize) -> Vec<u8> {
        let mut all = format!("mark-{n:04}-").into_bytes();
        let mut last = all.clone();
        while all.len() < length {
            last = crate::chain::sha256(&last).to_vec();
            all.extend(last.iter().map(|b| b'a' + b % 26));
            all.extend(format!("mark-{n:04}-").bytes());
        }
        all
    }

    fn standing(dir: &std::path::Path, mark: &str) -> Vec<String> {
        let holds = |bytes: &[u8]| bytes.windows(mark.len()).any(|w| w == mark.as_bytes());
        let files = std::fs::read_dir(dir).unwrap().flatten();
        let found = files.filter(|f| holds(&std::fs::read(f.path()).unwrap()));
        found.map(|f| f.file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn what_is_taken_away_stands_in_no_file_any_more_and_the_chain_holds() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = SqliteJournal::open(dir.path(), Options::default()).unwrap();
        // Short ones within a page, long ones over several, and more than one page of rows.
        for n in 0..400 {
            let length = [40, 300, 3_000, 30_000][n % 4];
            journal.append(Timestamp(n as i64), &[entry(Some(marked(n, length)))]).unwrap();
        }
        let before = journal.head();
        for n in [10, 11, 12, 13, 200, 399] {
            assert!(!standing(dir.path(), &format!("mark-{n:04}-")).is_empty(), "{n} was never there");
        }
        let head = journal.append(Timestamp(500), &[erased("[[11,14],[201,201]]")]).unwrap();
        assert_eq!(head.seq, before.seq + 1);
        for n in [10, 11, 12, 13, 200] {
            assert_eq!(standing(dir.path(), &format!("mark-{n:04}-")), [""; 0], "{n}");
        }
        let mut reader = SqliteJournal::open_read_only(dir.path()).unwrap();
        assert_eq!(reader.verify_against(&before, &mut |_| ()).unwrap(), head);
        assert_eq!(reader.erased().unwrap(), 5);
        assert_eq!(reader.detail(11).unwrap(), None);
        assert_eq!(reader.detail(10).unwrap(), Some(marked(9, 300)));
        assert_eq!(reader.entries(10, 1).unwrap()[0].body, b"{}");
        // It goes on, also after a restart, and the triggers are in place again.
        journal.append(Timestamp(501), &[entry(Some(marked(900, 50)))]).unwrap();
        drop((journal, reader));
        let journal = SqliteJournal::open(dir.path(), Options::default()).unwrap();
        assert_eq!(journal.head().seq, head.seq + 1);
        let raw = rusqlite::Connection::open(journal.file()).unwrap();
        assert!(
            raw.execute_batch("DELETE FROM detail WHERE seq = 1")
                .unwrap_err()
                .to_string()
                .contains("append-only")
        );
    }

    #[test]
    fn a_reader_that_is_looking_keeps_the_log_until_it_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = SqliteJournal::open(dir.path(), Options::default()).unwrap();
        journal.append(Timestamp(1), &[entry(Some(marked(1, 9_000)))]).unwrap();
        let looking = rusqlite::Connection::open(journal.file()).unwrap();
        looking.execute_batch("BEGIN; SELECT count(*) FROM detail").unwrap();
        journal.append(Timestamp(2), &[erased("[[1,1]]")]).unwrap();
        looking.execute_batch("COMMIT").unwrap();
        drop(looking);
        journal.append(Timestamp(3), &[entry(None)]).unwrap();
        assert_eq!(standing(dir.path(), "mark-0001-"), [""; 0]);
    }

    #[test]
    fn what_is_missing_without_a_word_in_the_chain_is_a_broken_journal() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = SqliteJournal::open(dir.path(), Options::default()).unwrap();
        for n in 0..4 {
            journal.append(Timestamp(n), &[entry(Some(vec![7; 400]))]).unwrap();
        }
        journal.append(Timestamp(9), &[erased("[[2,2]]")]).unwrap();
        journal.append(Timestamp(9), &[entry(None)]).unwrap();
        let file = journal.file().to_owned();
        drop(journal);
        let raw = rusqlite::Connection::open(&file).unwrap();
        let drop = "DROP TRIGGER detail_stays; DELETE FROM detail WHERE seq = 3";
        raw.execute_batch(drop).unwrap();
        let broken = SqliteReader::open_file(&file).unwrap().verify(&mut |_| ()).unwrap_err();
        assert!(matches!(broken, JournalError::Broken { seq: 3, .. }), "{broken}");
    }

    #[test]
    fn an_entry_that_names_what_is_not_before_it_is_refused_and_nothing_is_written() {
        for bad in ["[[0,1]]", "[[2,1]]", "[[1,2]]", "[[1,99]]", "[1,2]", "\"all\""] {
            let dir = tempfile::tempdir().unwrap();
            let mut journal = SqliteJournal::open(dir.path(), Options::default()).unwrap();
            let head = journal.append(Timestamp(1), &[entry(Some(vec![7; 400]))]).unwrap();
            assert!(journal.append(Timestamp(2), &[erased(bad)]).is_err(), "{bad}");
            drop(journal);
            let again = SqliteJournal::open(dir.path(), Options::default()).unwrap();
            assert_eq!(again.head(), head, "{bad}");
            assert_eq!(again.reader().unwrap().detail(1).unwrap(), Some(vec![7; 400]), "{bad}");
        }
    }
}
