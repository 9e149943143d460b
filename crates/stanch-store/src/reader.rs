//! Reading a journal file: beside its one writer, or offline.
//!
//! A reader never writes: its connection is opened read-only and told so again by `query_only`.
//! Every entry and detail it hands out has been checked against its hash.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _};

use stanch_model::Timestamp;
use stanch_model::port::{Entry, Head, JournalError, JournalReader};

use crate::chain::{self, sha256};
use crate::erasure::Claims;
use crate::place::{FILE, cannot_open};
use crate::walk::{self, Details};
use crate::{detail, schema};

/// Entries verified between two calls of `progress`; also how long one read transaction lasts, so
/// that verifying a large journal never keeps the write-ahead log from being reused.
const STRIDE: u64 = 512;

/// Page cache of one reader in KiB.
const CACHE_KIB: i64 = 4_096;

/// A read-only connection to one journal file.
#[derive(Debug)]
pub struct SqliteReader {
    conn: Connection,
    /// Details known to have been taken away: what was, stays so.
    gone: Claims,
}

impl SqliteReader {
    /// Opens the journal in a data directory without taking its lock.
    ///
    /// # Errors
    /// When there is none, it is not ours, is newer than this program, or cannot be read.
    pub fn open(dir: &Path) -> Result<SqliteReader, JournalError> {
        SqliteReader::open_file(&dir.join(FILE))
    }

    /// Opens a journal by its file name, for example a backup.
    ///
    /// # Errors
    /// As [`SqliteReader::open`].
    pub fn open_file(file: &Path) -> Result<SqliteReader, JournalError> {
        if !file.is_file() {
            return Err(cannot_open(file, "there is no journal here"));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(file, flags).map_err(|e| cannot_open(file, schema::say(e)))?;
        let conn = match prepare(&conn) {
            Ok(()) => conn,
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::CannotOpen) && !has_log(file) => {
                // A closed journal on a medium that cannot be written: no log to read, none to make.
                let uri = immutable_uri(file);
                let conn = Connection::open_with_flags(&uri, flags | OpenFlags::SQLITE_OPEN_URI)
                    .map_err(|e| cannot_open(file, schema::say(e)))?;
                prepare(&conn).map_err(|e| cannot_open(file, schema::say(e)))?;
                conn
            }
            Err(e) => return Err(cannot_open(file, schema::say(e))),
        };
        match schema::identify(&conn).and_then(|v| schema::harden(&conn).map(|()| v)) {
            Ok(Some(_)) => Ok(SqliteReader { conn, gone: Claims::default() }),
            Ok(None) => Err(cannot_open(file, "it is empty; no journal was ever written here")),
            Err(why) => Err(cannot_open(file, why)),
        }
    }

    /// Where the chain ends now, without checking it.
    ///
    /// # Errors
    /// When the last entry cannot be read.
    pub fn head(&self) -> Result<Head, JournalError> {
        walk::last(&self.conn)
    }

    /// Verifies the whole chain, and that it still holds what it held at a checkpoint kept elsewhere.
    /// Only this can tell that the end of a journal was cut off.
    ///
    /// # Errors
    /// [`JournalError::Broken`] with the first entry that does not fit.
    pub fn verify_against(
        &mut self,
        checkpoint: &Head,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Head, JournalError> {
        let end = self.verify(progress)?;
        let there = walk::head_at(&self.conn, checkpoint.seq)?;
        chain::compare(&end, there.map(|h| h.hash), checkpoint)?;
        Ok(end)
    }

    /// The chain as it stands after entry `seq`; none when the journal is shorter. Not checked: verify first.
    ///
    /// # Errors
    /// When the entry cannot be read.
    pub fn head_at(&self, seq: u64) -> Result<Option<Head>, JournalError> {
        walk::head_at(&self.conn, seq)
    }

    /// How many details were taken away. Not checked: verify first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn erased(&self) -> Result<u64, JournalError> {
        let sql = "SELECT count(*) FROM entry e LEFT JOIN detail d ON d.seq = e.seq \
                   WHERE e.detail_hash IS NOT NULL AND d.seq IS NULL";
        let n: i64 = self.conn.query_row(sql, [], |r| r.get(0)).map_err(walk::unreadable)?;
        Ok(u64::try_from(n).unwrap_or(0))
    }

    /// Up to `limit` entries after `after` that have a detail still, as far as they were written before `before`: number and
    /// bytes of the detail as stored.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn details_before(
        &self,
        before: Timestamp,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, u64)>, JournalError> {
        let sql = "SELECT d.seq, length(d.body), e.at FROM detail d JOIN entry e ON e.seq = d.seq \
                   WHERE d.seq > ?1 ORDER BY d.seq LIMIT ?2";
        let mut query = self.conn.prepare_cached(sql).map_err(walk::unreadable)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = query.query([walk::row_number(after), limit]).map_err(walk::unreadable)?;
        let number = |n: i64| u64::try_from(n).unwrap_or(0);
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(walk::unreadable)? {
            let get = |n: usize| row.get::<_, i64>(n).map_err(walk::unreadable);
            // Entries are in order of time, so that the first one that is too young ends it.
            if get(2)? >= before.0 {
                break;
            }
            found.push((number(get(0)?), number(get(1)?)));
        }
        Ok(found)
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.conn
    }

    fn start(&self, after: u64) -> Result<Option<Head>, JournalError> {
        start(&self.conn, after)
    }
}

/// The chain to go on from after entry `after`; `None` when nothing follows it.
pub(crate) fn start(conn: &Connection, after: u64) -> Result<Option<Head>, JournalError> {
    match walk::head_at(conn, after)? {
        Some(head) => Ok(Some(head)),
        None if walk::last(conn)?.seq < after => Ok(None),
        None => Err(JournalError::Broken { seq: after, why: "it is missing".to_owned() }),
    }
}

fn prepare(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(Duration::from_secs(5))?;
    conn.pragma_update(None, "query_only", true)?;
    conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
    // The first real look at the file.
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
}

fn has_log(file: &Path) -> bool {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    Path::new(&log).metadata().is_ok_and(|m| m.len() > 0)
}

/// Source: <https://www.sqlite.org/uri.html>, `immutable=1`.
fn immutable_uri(file: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    let mut uri = "file:".to_owned();
    for &byte in file.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri + "?immutable=1"
}

impl JournalReader for SqliteReader {
    fn detail(&mut self, seq: u64) -> Result<Option<Vec<u8>>, JournalError> {
        let broken = |why: &str| JournalError::Broken { seq, why: why.to_owned() };
        let mut query = self
            .conn
            .prepare_cached(
                "SELECT e.detail_hash, d.body FROM entry e LEFT JOIN detail d ON d.seq = e.seq WHERE e.seq = ?1",
            )
            .map_err(walk::unreadable)?;
        let found = query
            .query_row([walk::row_number(seq)], |r| {
                Ok((r.get::<_, Option<Vec<u8>>>(0), r.get::<_, Option<Vec<u8>>>(1)))
            })
            .optional()
            .map_err(|e| walk::broken_or_unreadable(seq, e))?;
        let Some((hash, stored)) = found else { return Ok(None) };
        let hash = hash.map_err(|_| broken("its detail hash is not bytes"))?;
        let stored = stored.map_err(|_| broken("its detail is not bytes"))?;
        match (hash, stored) {
            (None, None) => Ok(None),
            (Some(hash), Some(stored)) if hash == sha256(&stored) => match detail::unpack(&stored) {
                Ok(detail) => Ok(Some(detail.into_owned())),
                Err(why) => Err(broken(&why)),
            },
            (Some(_), Some(_)) => Err(broken("its detail was changed")),
            (Some(_), None) if self.gone.holds(seq) => Ok(None),
            (Some(_), None) => {
                self.gone = Claims::read(&self.conn)?;
                if self.gone.holds(seq) { Ok(None) } else { Err(broken("its detail is missing")) }
            }
            (None, Some(_)) => Err(broken("it has a detail that was not written with it")),
        }
    }

    fn entries(&mut self, after: u64, limit: usize) -> Result<Vec<Entry>, JournalError> {
        let mut entries = Vec::new();
        if let Some(from) = self.start(after)? {
            let limit = u64::try_from(limit).unwrap_or(u64::MAX);
            walk::walk(&self.conn, &from, limit, Details::Named, &mut None, &mut |link| {
                entries.push(walk::entry(link));
                Ok(())
            })?;
        }
        Ok(entries)
    }

    fn verify(&mut self, progress: &mut dyn FnMut(u64)) -> Result<Head, JournalError> {
        walk::check_before_first(&self.conn)?;
        let (mut at, mut claims) = (chain::GENESIS, None);
        loop {
            let to = walk::walk(&self.conn, &at, STRIDE, Details::Read, &mut claims, &mut |_| Ok(()))?;
            progress(to.seq);
            let done = to.seq - at.seq < STRIDE;
            at = to;
            if done {
                walk::check_orphans(&self.conn)?;
                return Ok(at);
            }
        }
    }
}
