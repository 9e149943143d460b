//! Copying the write-ahead log into the file, beside the writer and not in its way.
//!
//! A commit that had to copy 16 MiB first kept its senders waiting for 20 to 150 ms. So a second
//! connection copies while the writer goes on (`wal_checkpoint(PASSIVE)`, which waits for nobody and
//! stops nobody). Only when next to nothing is left does the writer copy that rest itself, so that its
//! next commit can begin the log anew; a log that nobody could shorten would grow for ever.
//!
//! The log stays the truth until the file is synced: SQLite counts a frame as copied only after that.
//!
//! Source: <https://www.sqlite.org/wal.html>, section 2.3 and 3.3; <https://www.sqlite.org/c3ref/wal_checkpoint_v2.html>.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::schema;

/// When to copy, in pages of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Written since the last copy: time for another.
    pub(crate) step: u64,
    /// In the log: time to begin it anew.
    pub(crate) turn: u64,
    /// Left to copy: little enough for the writer to do it between two commits.
    pub(crate) rest: u64,
    /// In the log: the writer copies whatever is left, before it grows any further.
    pub(crate) most: u64,
}

/// How far a copy came, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    /// In the log.
    pub(crate) log: u64,
    /// Of them in the file.
    pub(crate) copied: u64,
}

/// What the writer does between two commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing.
    Write,
    /// Ask for a copy.
    Ask,
    /// Copy the rest itself.
    Copy,
}

/// Decides what the writer does, from what the last copy reached and what was written since.
pub(crate) fn next(pace: Pace, reached: Reached, since: u64) -> Next {
    let log = reached.log + since;
    let left = log.saturating_sub(reached.copied);
    if log >= pace.most || (log >= pace.turn && left <= pace.rest) {
        return Next::Copy;
    }
    // Towards the turn each copy has less to do than the one before, until the rest is small.
    if left >= pace.step || (log >= pace.turn && left > pace.rest) { Next::Ask } else { Next::Write }
}

/// Copies once. `None` when another connection is copying right now.
pub(crate) fn copy(conn: &Connection) -> Result<Option<Reached>, String> {
    let row = |r: &rusqlite::Row<'_>| Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?, r.get::<_, i64>(2)?));
    let (busy, log, copied) =
        conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], row).map_err(|e| e.to_string())?;
    let pages = |n: i64| u64::try_from(n).unwrap_or(0);
    Ok((busy == 0).then(|| Reached { log: pages(log), copied: pages(copied) }))
}

/// The thread that copies, and what it says.
#[derive(Debug)]
pub(crate) struct Copier {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Desk {
    asked: Mutex<Asked>,
    bell: Condvar,
    /// Rings when a copy has ended.
    done: Condvar,
    /// Copies that have ended, so that the writer need not take the lock to see a new one.
    ended: AtomicU64,
}

#[derive(Debug, Default)]
struct Asked {
    copy: bool,
    stop: bool,
    /// What the last copy reached, or why none will follow.
    said: Option<Result<Reached, String>>,
}

impl Desk {
    fn lock(&self) -> std::sync::MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Copier {
    /// Opens a connection of its own and starts the thread.
    pub(crate) fn start(file: &Path, patience: Duration) -> Result<Copier, String> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(file, flags).map_err(|e| e.to_string())?;
        conn.busy_timeout(patience).map_err(|e| e.to_string())?;
        schema::harden(&conn)?;
        schema::make_durable(&conn)?;
        conn.pragma_update(None, "wal_autocheckpoint", 0).map_err(|e| e.to_string())?;
        let desk = Arc::new(Desk::default());
        let shared = desk.clone();
        let thread = std::thread::Builder::new()
            .name("stanch-log".into())
            .spawn(move || work(&conn, &shared))
            .map_err(|e| format!("no thread could be started: {e}"))?;
        Ok(Copier { desk, thread: Some(thread) })
    }

    /// Asks for a copy; does not wait for it.
    pub(crate) fn ask(&self) {
        self.desk.lock().copy = true;
        self.desk.bell.notify_one();
    }

    /// How many copies have ended.
    pub(crate) fn ended(&self) -> u64 {
        self.desk.ended.load(Ordering::Acquire)
    }

    /// Waits until more copies than `before` have ended. Only after one was asked for.
    pub(crate) fn wait(&self, before: u64) {
        let mut asked = self.desk.lock();
        while self.ended() == before {
            asked = self.desk.done.wait(asked).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What the last one said, once.
    pub(crate) fn said(&self) -> Option<Result<Reached, String>> {
        self.desk.lock().said.take()
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        self.desk.lock().stop = true;
        self.desk.bell.notify_one();
        if let Some(thread) = self.thread.take() {
            // It has nothing to say that matters any more.
            let _ = thread.join();
        }
    }
}

fn work(conn: &Connection, desk: &Desk) {
    loop {
        let mut asked = desk.lock();
        while !asked.copy && !asked.stop {
            asked = desk.bell.wait(asked).unwrap_or_else(PoisonError::into_inner);
        }
        if asked.stop {
            return;
        }
        asked.copy = false;
        drop(asked);
        let said = copy(conn).transpose();
        let failed = matches!(said, Some(Err(_)));
        let mut asked = desk.lock();
        if said.is_some() {
            asked.said = said;
        }
        desk.ended.fetch_add(1, Ordering::Release);
        drop(asked);
        desk.done.notify_all();
        if failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { step: 10, turn: 40, rest: 3, most: 100 };

    #[test]
    fn the_writer_only_ever_copies_a_small_rest_or_a_log_that_has_grown_too_long() {
        let at = |log, copied, since| next(PACE, Reached { log, copied }, since);
        assert_eq!(at(0, 0, 9), Next::Write);
        assert_eq!(at(0, 0, 10), Next::Ask);
        assert_eq!(at(30, 30, 9), Next::Write, "the log is still short");
        assert_eq!(at(38, 38, 4), Next::Ask, "long enough to begin anew, but too much is left");
        assert_eq!(at(40, 38, 1), Next::Copy);
        assert_eq!(at(90, 0, 9), Next::Ask);
        assert_eq!(at(90, 0, 10), Next::Copy);
        assert_eq!(at(96, 90, 4), Next::Copy, "large commits never leave a small rest");
    }
}
