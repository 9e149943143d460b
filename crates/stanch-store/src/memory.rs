//! The journal in memory, for tests: same chain, same answers, no disk.
//!
//! It computes the same hashes as the one on disk, so the heads of both can be compared. It is never
//! used by the product: what it acknowledged is gone with the process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stanch_model::Timestamp;
use stanch_model::port::{Entry, Head, Journal, JournalError, JournalReader, NewEntry};

use crate::chain::{self, GENESIS, Link, sha256};
use crate::{detail, erasure, sqlite};

#[derive(Debug)]
struct Row {
    entry: Entry,
    detail: Option<Vec<u8>>,
    detail_hash: Option<[u8; 32]>,
    hash: [u8; 32],
}

/// A journal that lives as long as its last clone or reader. Clones share the same entries, which is
/// how a test "restarts" on what was written before.
#[derive(Clone, Debug, Default)]
pub struct MemoryJournal {
    rows: Arc<Mutex<Vec<Row>>>,
    fail_in: Option<u64>,
    failed: bool,
}

impl MemoryJournal {
    /// An empty journal.
    #[must_use]
    pub fn new() -> MemoryJournal {
        MemoryJournal::default()
    }

    /// Lets `more` further appends succeed and then fails like a disk that refuses: for tests of what
    /// the caller does about it.
    #[must_use]
    pub fn failing_after(mut self, more: u64) -> MemoryJournal {
        self.fail_in = Some(more);
        self
    }

    /// Opens the same entries again, as a new process would after a crash.
    #[must_use]
    pub fn reopen(&self) -> MemoryJournal {
        MemoryJournal { rows: Arc::clone(&self.rows), fail_in: None, failed: false }
    }

    /// A reader of its own type, with [`MemoryReader::verify_against`].
    #[must_use]
    pub fn memory_reader(&self) -> MemoryReader {
        MemoryReader { rows: Arc::clone(&self.rows) }
    }

    fn write(&mut self, at: Timestamp, entries: &[NewEntry]) -> Result<Head, String> {
        match &mut self.fail_in {
            Some(0) => return Err("this journal was told to fail".to_owned()),
            Some(more) => *more -= 1,
            None => {}
        }
        let mut rows = lock(&self.rows);
        let mut head = end(&rows);
        let mut fresh = Vec::with_capacity(entries.len());
        let mut gone = Vec::new();
        for new in entries {
            let stored = new.detail.as_deref().map(detail::pack);
            let link = sqlite::link(&head, at, new, stored.as_deref())?;
            let hash = link.hash(&head.hash)?;
            if new.kind == erasure::KIND {
                gone.extend(erasure::ranges(link.seq, link.body)?);
            }
            let detail_hash = link.detail_hash;
            fresh.push(Row { entry: crate::walk::entry(&link), detail: stored, detail_hash, hash });
            head = Head { seq: link.seq, hash };
        }
        rows.append(&mut fresh);
        for (first, last) in gone {
            rows[skip(first - 1)..skip(last)].iter_mut().for_each(|r| r.detail = None);
        }
        Ok(head)
    }
}

fn lock(rows: &Mutex<Vec<Row>>) -> MutexGuard<'_, Vec<Row>> {
    // Rows are only ever appended whole, so a panic elsewhere leaves them usable.
    rows.lock().unwrap_or_else(PoisonError::into_inner)
}

fn end(rows: &[Row]) -> Head {
    rows.last().map_or(GENESIS, |r| Head { seq: r.entry.seq, hash: r.hash })
}

fn skip(after: u64) -> usize {
    usize::try_from(after).unwrap_or(usize::MAX)
}

impl Journal for MemoryJournal {
    fn append(&mut self, at: Timestamp, entries: &[NewEntry]) -> Result<Head, JournalError> {
        if self.failed {
            return Err(sqlite::final_error("an earlier write failed"));
        }
        if entries.is_empty() {
            return Ok(self.head());
        }
        self.write(at, entries).map_err(|why| {
            self.failed = true;
            sqlite::final_error(&why)
        })
    }

    fn head(&self) -> Head {
        end(&lock(&self.rows))
    }

    fn replay(
        &self,
        after: u64,
        each: &mut dyn FnMut(Entry) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        // One at a time and without the lock held, so that `each` may use a reader.
        let mut next = skip(after);
        loop {
            let Some(entry) = lock(&self.rows).get(next).map(|r| r.entry.clone()) else { break };
            each(entry)?;
            next += 1;
        }
        Ok(())
    }

    fn reader(&self) -> Result<Box<dyn JournalReader>, JournalError> {
        Ok(Box::new(self.memory_reader()))
    }
}

/// Reads what a [`MemoryJournal`] holds.
#[derive(Debug)]
pub struct MemoryReader {
    rows: Arc<Mutex<Vec<Row>>>,
}

impl MemoryReader {
    /// As [`crate::SqliteReader::verify_against`].
    ///
    /// # Errors
    /// [`JournalError::Broken`] with the first entry that does not fit.
    pub fn verify_against(
        &mut self,
        checkpoint: &Head,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Head, JournalError> {
        let end = self.verify(progress)?;
        let there = match checkpoint.seq {
            0 => Some(GENESIS.hash),
            seq => lock(&self.rows).get(skip(seq - 1)).map(|r| r.hash),
        };
        chain::compare(&end, there, checkpoint)?;
        Ok(end)
    }
}

impl JournalReader for MemoryReader {
    fn detail(&mut self, seq: u64) -> Result<Option<Vec<u8>>, JournalError> {
        let rows = lock(&self.rows);
        let row = seq.checked_sub(1).and_then(|n| rows.get(skip(n)));
        let Some(stored) = row.and_then(|r| r.detail.as_deref()) else { return Ok(None) };
        let detail = detail::unpack(stored).map_err(|why| JournalError::Broken { seq, why })?;
        Ok(Some(detail.into_owned()))
    }

    fn entries(&mut self, after: u64, limit: usize) -> Result<Vec<Entry>, JournalError> {
        Ok(lock(&self.rows).iter().skip(skip(after)).take(limit).map(|r| r.entry.clone()).collect())
    }

    fn verify(&mut self, progress: &mut dyn FnMut(u64)) -> Result<Head, JournalError> {
        let rows = lock(&self.rows);
        let mut at = GENESIS;
        for row in rows.iter() {
            let e = &row.entry;
            let link = Link {
                seq: at.seq + 1,
                at: e.at.0,
                stream: &e.stream,
                kind: &e.kind,
                body: &e.body,
                detail_hash: row.detail.as_deref().map(sha256).or(row.detail_hash),
            };
            let hash = link.hash(&at.hash).ok().filter(|h| *h == row.hash && e.seq == link.seq);
            let Some(hash) = hash else {
                return Err(JournalError::Broken {
                    seq: link.seq,
                    why: "its hash does not follow".to_owned(),
                });
            };
            at = Head { seq: link.seq, hash };
        }
        progress(at.seq);
        Ok(at)
    }
}
