//! Walking the rows of a journal file in order, checking the chain on the way.
//!
//! Recovery, reading and verification all take this one road, so no entry is ever handed out whose
//! hash was not recomputed. Rows are streamed: memory holds one entry at a time.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use stanch_model::Timestamp;
use stanch_model::port::{Entry, Head, JournalError};

use crate::chain::{GENESIS, Link, sha256};
use crate::erasure::Claims;

/// What to check about details.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Details {
    /// Only that the entry names a hash: details are not read.
    Named,
    /// The stored bytes against the hash, and that none is missing or too many.
    Read,
}

const ENTRIES: &str = "SELECT seq, at, stream, kind, body, detail_hash, hash \
                       FROM entry WHERE seq > ?1 ORDER BY seq LIMIT ?2";
const WITH_DETAILS: &str = "SELECT e.seq, e.at, e.stream, e.kind, e.body, e.detail_hash, e.hash, d.body \
                            FROM entry e LEFT JOIN detail d ON d.seq = e.seq \
                            WHERE e.seq > ?1 ORDER BY e.seq LIMIT ?2";

/// An error of reading, in words.
pub(crate) fn unreadable(e: rusqlite::Error) -> JournalError {
    JournalError::Io { doing: "read", why: e.to_string() }
}

/// Damage of the file is a broken chain at `seq`; anything else is the disk's fault.
pub(crate) fn broken_or_unreadable(seq: u64, e: rusqlite::Error) -> JournalError {
    match e {
        rusqlite::Error::SqliteFailure(failure, ref text)
            if matches!(
                failure.code,
                rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase
            ) =>
        {
            let said = text.as_deref().unwrap_or("no further word");
            JournalError::Broken { seq, why: format!("the file is damaged here: {said}") }
        }
        other => unreadable(other),
    }
}

/// A row number as SQLite keeps it; beyond its range there are no rows.
pub(crate) fn row_number(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// The last entry's number and hash, as written there.
pub(crate) fn last(conn: &Connection) -> Result<Head, JournalError> {
    let found = conn
        .query_row("SELECT seq, hash FROM entry ORDER BY seq DESC LIMIT 1", [], |r| {
            Ok((r.get::<_, i64>(0)?, r.get::<_, [u8; 32]>(1)))
        })
        .optional()
        .map_err(|e| broken_or_unreadable(1, e))?;
    let Some((seq, hash)) = found else { return Ok(GENESIS) };
    let bad = |why: &str| JournalError::Broken { seq: u64::try_from(seq).unwrap_or(0), why: why.to_owned() };
    let hash = hash.map_err(|_| bad("its hash is not 32 bytes"))?;
    match u64::try_from(seq) {
        Ok(n) if n > 0 => Ok(Head { seq: n, hash }),
        _ => Err(bad("it has no possible number")),
    }
}

/// The chain up to `seq`: `None` when the journal is shorter than that.
pub(crate) fn head_at(conn: &Connection, seq: u64) -> Result<Option<Head>, JournalError> {
    if seq == 0 {
        return Ok(Some(GENESIS));
    }
    let hash = conn
        .prepare_cached("SELECT hash FROM entry WHERE seq = ?1")
        .and_then(|mut q| q.query_row([row_number(seq)], |r| Ok(r.get::<_, [u8; 32]>(0))).optional())
        .map_err(|e| broken_or_unreadable(seq, e))?;
    match hash {
        Some(Ok(hash)) => Ok(Some(Head { seq, hash })),
        Some(Err(_)) => Err(JournalError::Broken { seq, why: "its hash is not 32 bytes".to_owned() }),
        None => Ok(None),
    }
}

/// Hands each of up to `limit` entries after `from` to `each`, and returns where it came to.
///
/// `claims`: what is known of details that were taken away; read when the first one is missing.
///
/// # Errors
/// The first entry that does not fit, or the first error of `each`.
pub(crate) fn walk(
    conn: &Connection,
    from: &Head,
    limit: u64,
    details: Details,
    claims: &mut Option<Claims>,
    each: &mut dyn FnMut(&Link<'_>) -> Result<(), JournalError>,
) -> Result<Head, JournalError> {
    let sql = if details == Details::Read { WITH_DETAILS } else { ENTRIES };
    let mut at = from.clone();
    let mut query = conn.prepare_cached(sql).map_err(unreadable)?;
    let mut rows = query.query(params![row_number(from.seq), row_number(limit)]).map_err(unreadable)?;
    loop {
        let seq = at.seq.saturating_add(1);
        let Some(row) = rows.next().map_err(|e| broken_or_unreadable(seq, e))? else { return Ok(at) };
        let broken = |why: String| JournalError::Broken { seq, why };
        let (link, hash) = read(row, seq).map_err(broken)?;
        if details == Details::Read {
            let missing = check_detail(&link, row).map_err(broken)?;
            if missing {
                let known = match &*claims {
                    Some(known) => known,
                    None => claims.insert(Claims::read(conn)?),
                };
                if !known.holds(seq) {
                    return Err(broken("its detail is missing".to_owned()));
                }
            }
        }
        if link.hash(&at.hash).map_err(broken)? != hash {
            return Err(broken("its hash does not follow from it and the entry before".to_owned()));
        }
        each(&link)?;
        at = Head { seq, hash };
    }
}

fn read<'r>(row: &'r Row<'_>, expected: u64) -> Result<(Link<'r>, [u8; 32]), String> {
    let value = |i: usize| row.get_ref(i).map_err(|e| e.to_string());
    let whole = |i, name: &str| value(i)?.as_i64().map_err(|_| format!("its {name} is not a number"));
    let text = |i, name: &str| value(i)?.as_str().map_err(|_| format!("its {name} is not UTF-8 text"));
    let blob = |i, name: &str| value(i)?.as_blob().map_err(|_| format!("its {name} is not bytes"));
    let hash = |i, name: &str| {
        <[u8; 32]>::try_from(blob(i, name)?).map_err(|_| format!("its {name} is not 32 bytes"))
    };

    let seq = whole(0, "number")?;
    if seq != row_number(expected) {
        return Err(format!("it is missing; the next entry there has number {seq}"));
    }
    let detail_hash = match value(5)? {
        ValueRef::Null => None,
        _ => Some(hash(5, "detail hash")?),
    };
    if detail_hash == Some([0; 32]) {
        return Err("its detail hash is all zeros, which stands for no detail".to_owned());
    }
    let link = Link {
        seq: expected,
        at: whole(1, "time")?,
        stream: text(2, "stream")?,
        kind: text(3, "kind")?,
        body: blob(4, "body")?,
        detail_hash,
    };
    Ok((link, hash(6, "hash")?))
}

/// True when it is missing: then a later entry has to say so.
fn check_detail(link: &Link<'_>, row: &Row<'_>) -> Result<bool, String> {
    let stored = match row.get_ref(7).map_err(|e| e.to_string())? {
        ValueRef::Null => None,
        other => Some(other.as_blob().map_err(|_| "its detail is not bytes".to_owned())?),
    };
    match (link.detail_hash, stored) {
        (None, None) => Ok(false),
        (Some(hash), Some(stored)) if sha256(stored) == hash => Ok(false),
        (Some(_), Some(_)) => Err("its detail was changed".to_owned()),
        (Some(_), None) => Ok(true),
        (None, Some(_)) => Err("it has a detail that was not written with it".to_owned()),
    }
}

/// Entries before the first, where [`walk`] never comes.
pub(crate) fn check_before_first(conn: &Connection) -> Result<(), JournalError> {
    let first: Option<i64> = conn
        .query_row("SELECT min(seq) FROM entry", [], |r| r.get(0))
        .map_err(|e| broken_or_unreadable(1, e))?;
    match first {
        Some(seq) if seq < 1 => Err(JournalError::Broken {
            seq: 0,
            why: format!("there is an entry numbered {seq}, and numbers begin with 1"),
        }),
        _ => Ok(()),
    }
}

/// The first detail whose entry does not exist.
pub(crate) fn check_orphans(conn: &Connection) -> Result<(), JournalError> {
    let orphan: Option<i64> = conn
        .prepare_cached(
            "SELECT d.seq FROM detail d LEFT JOIN entry e ON e.seq = d.seq WHERE e.seq IS NULL ORDER BY d.seq LIMIT 1",
        )
        .and_then(|mut q| q.query_row([], |r| r.get(0)).optional())
        .map_err(|e| broken_or_unreadable(0, e))?;
    match orphan {
        None => Ok(()),
        Some(seq) => Err(JournalError::Broken {
            seq: u64::try_from(seq).unwrap_or(0),
            why: format!("there is a detail numbered {seq} without an entry"),
        }),
    }
}

/// An entry of its own, from a borrowed one.
pub(crate) fn entry(link: &Link<'_>) -> Entry {
    Entry {
        seq: link.seq,
        at: Timestamp(link.at),
        stream: link.stream.to_owned(),
        kind: link.kind.to_owned(),
        body: link.body.to_vec(),
    }
}
