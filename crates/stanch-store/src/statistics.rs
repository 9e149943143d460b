//! How much lies in a journal, by kind of entry: counted by the database, without reading what it says.

use stanch_model::port::JournalError;

use crate::reader::SqliteReader;
use crate::walk::unreadable;

/// The entries of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindSize {
    /// The kind, as it stands there.
    pub kind: String,
    /// How many.
    pub entries: u64,
    /// Bytes of their bodies.
    pub body_bytes: u64,
    /// Bytes of the largest body.
    pub largest: u64,
    /// How many have a detail beside them.
    pub details: u64,
    /// Bytes of their details, as stored.
    pub detail_bytes: u64,
}

/// What a journal weighs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// In order of kind.
    pub kinds: Vec<KindSize>,
    /// Bytes of one page.
    pub page_bytes: u64,
    /// Pages of the file.
    pub pages: u64,
    /// Pages of the file that hold nothing.
    pub free_pages: u64,
}

impl SqliteReader {
    /// Counts. Reads every row's sizes, and no body or detail in full.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn statistics(&self) -> Result<Statistics, JournalError> {
        let conn = self.connection();
        let number = |name: &str| {
            conn.pragma_query_value(None, name, |r| r.get::<_, i64>(0)).map(count).map_err(unreadable)
        };
        let mut query = conn
            .prepare(
                "SELECT e.kind, count(*), sum(length(e.body)), max(length(e.body)), count(d.seq), \
                 coalesce(sum(length(d.body)), 0) \
                 FROM entry e LEFT JOIN detail d ON d.seq = e.seq GROUP BY e.kind ORDER BY e.kind",
            )
            .map_err(unreadable)?;
        let rows = query.query_map([], |r| {
            Ok(KindSize {
                kind: r.get(0)?,
                entries: count(r.get(1)?),
                body_bytes: count(r.get(2)?),
                largest: count(r.get(3)?),
                details: count(r.get(4)?),
                detail_bytes: count(r.get(5)?),
            })
        });
        let kinds = rows.and_then(Iterator::collect).map_err(unreadable)?;
        Ok(Statistics {
            kinds,
            page_bytes: number("page_size")?,
            pages: number("page_count")?,
            free_pages: number("freelist_count")?,
        })
    }
}

fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use crate::{Options, SqliteJournal};
    use stanch_model::Timestamp;
    use stanch_model::port::{Journal as _, NewEntry};

    #[test]
    fn entries_are_counted_by_kind_with_their_sizes() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = SqliteJournal::open(dir.path(), Options::default()).unwrap();
        let entry = |kind: &str, body: usize, detail: Option<usize>| NewEntry {
            stream: "s".into(),
            kind: kind.into(),
            body: vec![b'x'; body],
            detail: detail.map(|n| vec![7; n]),
        };
        let all = [entry("b", 10, None), entry("a", 3, Some(20)), entry("b", 30, Some(5))];
        journal.append(Timestamp(1), &all).unwrap();
        let found = SqliteJournal::open_read_only(dir.path()).unwrap().statistics().unwrap();
        let short: Vec<_> = found
            .kinds
            .iter()
            .map(|k| (k.kind.as_str(), k.entries, k.body_bytes, k.largest, k.details, k.detail_bytes))
            .collect();
        assert_eq!(short, [("a", 1, 3, 3, 1, 21), ("b", 2, 40, 30, 1, 6)]);
        assert!(found.pages > 0 && found.page_bytes == 8_192);
    }
}
