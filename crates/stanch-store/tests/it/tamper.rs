//! Every change to a written journal is found, by us and by the independent verifier in Python.

use std::path::Path;
use std::process::Command;

use rusqlite::Connection;
use stanch_model::Timestamp;
use stanch_model::port::{Head, Journal as _, JournalError, JournalReader as _, NewEntry};
use stanch_store::{Options, SqliteJournal, SqliteReader, head_to_text};

const RECORDS: u64 = 300;

/// A closed journal of 300 records, every third with a detail, in `dir/journal.db`.
fn written(dir: &Path) -> Head {
    let mut journal = SqliteJournal::open(dir, Options { page_bytes: 1_024, ..Options::default() }).unwrap();
    for first in (1..=RECORDS).step_by(10) {
        let batch: Vec<_> = (first..first + 10).map(record).collect();
        journal.append(Timestamp(1_770_000_000_000 + first.cast_signed()), &batch).unwrap();
    }
    journal.head()
}

fn record(n: u64) -> NewEntry {
    NewEntry {
        stream: format!("INC-{}", n % 7),
        kind: "incident_opened".to_owned(),
        body: format!("{{\"incident\":{n},\"why\":\"łódź\"}}").into_bytes(),
        detail: n.is_multiple_of(3).then(|| format!("{{\"raw\":{n}}}").repeat(40).into_bytes()),
    }
}

/// A connection that may do everything: what an attacker with the file has.
fn raw(file: &Path) -> Connection {
    let conn = Connection::open(file).unwrap();
    conn.execute_batch(
        "PRAGMA synchronous = OFF; DROP TRIGGER entry_stays; DROP TRIGGER entry_fixed; \
         DROP TRIGGER detail_stays; DROP TRIGGER detail_fixed;",
    )
    .unwrap();
    conn
}

fn verify(file: &Path) -> Result<Head, JournalError> {
    SqliteReader::open_file(file)?.verify(&mut |_| ())
}

/// What our verifier says; the order of the rows of both tables is put back afterwards.
struct Bench {
    conn: Connection,
    reader: SqliteReader,
    changes: u32,
}

impl Bench {
    fn new(file: &Path) -> Bench {
        let conn = raw(file);
        conn.execute_batch(
            "CREATE TEMP TABLE e AS SELECT * FROM entry; CREATE TEMP TABLE d AS SELECT * FROM detail",
        )
        .unwrap();
        Bench { conn, reader: SqliteReader::open_file(file).unwrap(), changes: 0 }
    }

    fn check(&mut self, sql: &str, expected: u64) {
        self.conn.execute_batch(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
        match self.reader.verify(&mut |_| ()) {
            Err(JournalError::Broken { seq, .. }) => assert_eq!(seq, expected, "{sql}"),
            other => panic!("{sql}: {other:?}"),
        }
        self.conn
            .execute_batch(
                "BEGIN; DELETE FROM entry; INSERT INTO entry SELECT * FROM e; \
                 DELETE FROM detail; INSERT INTO detail SELECT * FROM d; COMMIT",
            )
            .unwrap();
        self.changes += 1;
    }

    fn bytes(&self, table: &str, column: &str, n: u64) -> Option<Vec<u8>> {
        let sql = format!("SELECT CAST({column} AS BLOB) FROM {table} WHERE seq = {n}");
        self.conn.query_row(&sql, [], |r| r.get(0)).unwrap_or(None)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn every_changed_byte_is_found_at_its_entry() {
    let dir = tempfile::tempdir().unwrap();
    let head = written(dir.path());
    let file = dir.path().join("journal.db");
    let mut bench = Bench::new(&file);
    for n in [1, 2, 99, 150, RECORDS - 1, RECORDS] {
        let columns = [
            ("entry", "stream", "TEXT"),
            ("entry", "kind", "TEXT"),
            ("entry", "body", "BLOB"),
            ("entry", "detail_hash", "BLOB"),
            ("entry", "hash", "BLOB"),
            ("detail", "body", "BLOB"),
        ];
        for (table, column, kind) in columns {
            let Some(bytes) = bench.bytes(table, column, n) else { continue };
            for place in 0..bytes.len() {
                let mut changed = bytes.clone();
                changed[place] ^= 1 << (place % 8);
                let value = hex(&changed);
                bench.check(
                    &format!("UPDATE {table} SET {column} = CAST(x'{value}' AS {kind}) WHERE seq = {n}"),
                    n,
                );
            }
            for value in [hex(&bytes[1..]), hex(&[&bytes[..], b"\0"].concat())] {
                bench.check(
                    &format!("UPDATE {table} SET {column} = CAST(x'{value}' AS {kind}) WHERE seq = {n}"),
                    n,
                );
            }
        }
        for bit in 0..63 {
            bench.check(
                &format!("UPDATE entry SET at = (at | (1 << {bit})) - (at & (1 << {bit})) WHERE seq = {n}"),
                n,
            );
        }
    }
    assert!(bench.changes > 1_000, "{}", bench.changes);
    assert_eq!(verify(&file).unwrap(), head, "put back, it verifies again");
}

#[test]
fn dropped_moved_doubled_and_added_records_are_found() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    let mut bench = Bench::new(&dir.path().join("journal.db"));
    for n in [1_u64, 3, 50, 51, RECORDS - 1] {
        bench.check(&format!("DELETE FROM entry WHERE seq = {n}"), n);
        bench.check(&format!("DELETE FROM entry WHERE seq = {n}; DELETE FROM detail WHERE seq = {n}"), n);
        bench.check(&format!("DELETE FROM entry WHERE seq <= {n}"), 1);
        bench.check(&format!("UPDATE entry SET seq = -{n} WHERE seq = {n}"), 0);
        bench.check(&format!("UPDATE entry SET seq = 0 WHERE seq = {n}"), 0);
        // Swapped with the next one, hashes left in place and hashes taken along.
        let swap = |columns: &str| {
            format!(
                "CREATE TEMP TABLE x AS SELECT * FROM entry WHERE seq IN ({n}, {n} + 1); \
                 UPDATE entry SET ({columns}) = (SELECT {columns} FROM x WHERE x.seq = 2 * {n} + 1 - entry.seq) \
                 WHERE seq IN ({n}, {n} + 1); DROP TABLE x"
            )
        };
        bench.check(&swap("at, stream, kind, body, detail_hash"), n);
        bench.check(&swap("at, stream, kind, body, detail_hash, hash"), n);
        bench.check(&swap("kind, hash"), n);
        bench.check(
            &format!(
                "INSERT INTO entry SELECT -1, at, stream, kind, body, NULL, hash FROM entry WHERE seq = {n}"
            ),
            0,
        );
        let next = RECORDS + 1;
        bench.check(
            &format!(
                "INSERT INTO entry SELECT {next}, at, stream, kind, body, detail_hash, hash FROM entry WHERE seq = {n}; \
                 INSERT INTO detail SELECT {next}, body FROM detail WHERE seq = {n}"
            ),
            next,
        );
    }
    // One record put in, and all later ones moved up.
    bench.check(
        "UPDATE entry SET seq = -seq WHERE seq >= 100; UPDATE entry SET seq = 1 - seq WHERE seq < 0; \
         INSERT INTO entry SELECT 100, at, stream, kind, body, NULL, hash FROM entry WHERE seq = 98",
        100,
    );
}

#[test]
fn details_that_are_missing_exchanged_or_too_many_are_found() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    let mut bench = Bench::new(&dir.path().join("journal.db"));
    bench.check("DELETE FROM detail", 3);
    for n in [3_u64, 150, RECORDS] {
        bench.check(&format!("DELETE FROM detail WHERE seq = {n}"), n);
        bench.check(
            &format!(
                "DELETE FROM detail WHERE seq = {n}; UPDATE entry SET detail_hash = NULL WHERE seq = {n}"
            ),
            n,
        );
        bench.check(
            &format!(
                "UPDATE detail SET body = (SELECT d.body FROM d WHERE d.seq <> {n} LIMIT 1) WHERE seq = {n}"
            ),
            n,
        );
        bench.check(&format!("INSERT INTO detail VALUES ({n} - 1, x'0041')"), n - 1);
        bench.check(&format!("UPDATE entry SET detail_hash = zeroblob(32) WHERE seq = {n} - 1"), n - 1);
        bench.check(&format!("UPDATE detail SET seq = {n} - 2 WHERE seq = {n}"), n - 2);
    }
    bench.check("INSERT INTO detail VALUES (301, x'0041')", 301);
    bench.check("INSERT INTO detail VALUES (0, x'0041')", 0);
    bench.check("INSERT INTO detail VALUES (-4, x'0041')", 0);
}

#[test]
fn a_damaged_entry_is_never_handed_out() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    let file = dir.path().join("journal.db");
    raw(&file)
        .execute_batch(
            "UPDATE entry SET body = x'7b7d' WHERE seq = 150; UPDATE detail SET body = x'007b7d' WHERE seq = 99; \
             DELETE FROM detail WHERE seq = 102",
        )
        .unwrap();
    let mut reader = SqliteReader::open_file(&file).unwrap();
    assert_eq!(reader.entries(0, 149).unwrap().len(), 149);
    assert!(matches!(reader.entries(140, 100), Err(JournalError::Broken { seq: 150, .. })));
    assert!(matches!(reader.detail(99), Err(JournalError::Broken { seq: 99, .. })));
    assert!(matches!(reader.detail(102), Err(JournalError::Broken { seq: 102, .. })));
    assert!(reader.detail(96).unwrap().is_some());
    // The triggers are gone, so no writer opens it either.
    let text = SqliteJournal::open(dir.path(), Options::default()).unwrap_err().to_string();
    assert!(text.contains("changed by someone else") && text.contains("entry_stays"), "{text}");
}

#[test]
fn columns_of_other_types_are_found() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    let file = dir.path().join("journal.db");
    raw(&file)
        .execute_batch(
            "ALTER TABLE entry RENAME TO old; \
             CREATE TABLE entry (seq INTEGER PRIMARY KEY, at, stream, kind, body, detail_hash, hash); \
             INSERT INTO entry SELECT seq, at, iif(seq = 7, CAST(stream AS BLOB), stream), kind, body, \
             detail_hash, hash FROM old",
        )
        .unwrap();
    assert!(matches!(verify(&file), Err(JournalError::Broken { seq: 7, .. })));
}

#[test]
fn a_cut_off_end_and_a_rewritten_journal_are_found_by_a_checkpoint_kept_elsewhere() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let head = written(dir.path());
    let file = dir.path().join("journal.db");
    raw(&file)
        .execute_batch("DELETE FROM entry WHERE seq > 290; DELETE FROM detail WHERE seq > 290")
        .unwrap();
    assert_eq!(verify(&file).unwrap().seq, 290, "by itself it looks whole");
    let against = |file: &Path| SqliteReader::open_file(file).unwrap().verify_against(&head, &mut |_| ());
    assert!(matches!(against(&file), Err(JournalError::Broken { seq: 291, .. })));

    // Rewritten from entry 1 by someone who knows how to compute hashes.
    let mut journal = SqliteJournal::open(other.path(), Options::default()).unwrap();
    let all: Vec<_> = (1..=RECORDS + 5).map(record).collect();
    journal.append(Timestamp(0), &all).unwrap();
    assert!(verify(journal.file()).is_ok());
    assert!(matches!(against(journal.file()), Err(JournalError::Broken { seq: RECORDS, .. })));
}

#[test]
fn flipped_bytes_of_the_file_are_an_answer_or_harmless_and_never_a_crash() {
    let (dir, damaged) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let head = written(dir.path());
    let whole = std::fs::read(dir.path().join("journal.db")).unwrap();
    let file = damaged.path().join("journal.db");
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below as u64).unwrap()
    };
    let mut found = 0;
    for round in 0..400 {
        let mut bytes = whole.clone();
        for _ in 0..=next(3) {
            // Every other round aims at the first page, where the format lives.
            let place = if round % 2 == 0 { next(bytes.len()) } else { next(1_024) };
            bytes[place] ^= 1 << next(8);
        }
        std::fs::write(&file, &bytes).unwrap();
        match verify(&file) {
            Ok(end) => assert_eq!(end, head, "round {round}: verified, so nothing that counts has changed"),
            Err(error) => {
                assert!(!error.to_string().is_empty());
                found += 1;
            }
        }
        if let Ok(journal) = SqliteJournal::open(damaged.path(), Options::default()) {
            let mut seen = 0;
            let replay = journal.replay(0, &mut |e| {
                seen = e.seq;
                assert_eq!(e.body, record(e.seq).body, "round {round}");
                Ok(())
            });
            assert!(replay.is_err() || seen == RECORDS, "round {round}: ended early without a word");
        }
        for leftover in ["journal.db-wal", "journal.db-shm"] {
            let _ = std::fs::remove_file(damaged.path().join(leftover));
        }
    }
    assert!(found > 150, "{found}");
}

/// What `verify_journal.py` prints and whether it was content; `None` without Python.
fn python(file: &Path, checkpoint: Option<&Head>) -> Option<(bool, String)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("verify_journal.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(file).args(checkpoint.map(head_to_text));
    let Ok(output) = command.output() else {
        eprintln!("SKIPPED: python3 is not installed, the independent verifier was not compared");
        return None;
    };
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Some((output.status.success(), text.trim().to_owned()))
}

#[test]
fn the_independent_verifier_agrees() {
    let dir = tempfile::tempdir().unwrap();
    let head = written(dir.path());
    let file = dir.path().join("journal.db");
    let Some(answer) = python(&file, Some(&head)) else { return };
    assert_eq!(answer, (true, format!("ok {}", head_to_text(&head))));

    let conn = raw(&file);
    conn.execute_batch(
        "CREATE TEMP TABLE e AS SELECT * FROM entry; CREATE TEMP TABLE d AS SELECT * FROM detail",
    )
    .unwrap();
    let changes = [
        ("UPDATE entry SET at = at + 1 WHERE seq = 20", 20),
        ("UPDATE entry SET stream = CAST(x'ff' AS TEXT) WHERE seq = 21", 21),
        ("UPDATE entry SET kind = kind || ' ' WHERE seq = 22", 22),
        ("UPDATE entry SET body = x'' WHERE seq = 23", 23),
        ("UPDATE entry SET hash = zeroblob(32) WHERE seq = 24", 24),
        ("UPDATE entry SET hash = x'00' WHERE seq = 24", 24),
        ("UPDATE entry SET detail_hash = NULL WHERE seq = 24", 24),
        ("UPDATE entry SET detail_hash = zeroblob(32) WHERE seq = 25", 25),
        ("DELETE FROM entry WHERE seq = 26", 26),
        ("UPDATE entry SET seq = -5 WHERE seq = 26", 0),
        ("DELETE FROM detail WHERE seq = 27", 27),
        ("UPDATE detail SET body = x'00' WHERE seq = 27", 27),
        ("INSERT INTO detail VALUES (28, x'00')", 28),
        ("INSERT INTO detail VALUES (400, x'00')", 400),
    ];
    for (sql, seq) in changes {
        conn.execute_batch(sql).unwrap();
        assert!(matches!(verify(&file), Err(JournalError::Broken { seq: ours, .. }) if ours == seq), "{sql}");
        let (good, text) = python(&file, None).unwrap();
        assert!(!good && text.starts_with(&format!("BROKEN at entry {seq}:")), "{sql}: {text}");
        conn.execute_batch(
            "DELETE FROM entry; INSERT INTO entry SELECT * FROM e; \
             DELETE FROM detail; INSERT INTO detail SELECT * FROM d",
        )
        .unwrap();
    }
    conn.execute_batch("DELETE FROM entry WHERE seq = 300; DELETE FROM detail WHERE seq = 300").unwrap();
    let (good, text) = python(&file, Some(&head)).unwrap();
    assert!(!good && text.starts_with("BROKEN at entry 300:"), "{text}");
}

#[test]
fn the_independent_verifier_agrees_about_what_was_erased() {
    let dir = tempfile::tempdir().unwrap();
    let before = written(dir.path());
    let mut journal = SqliteJournal::open(dir.path(), Options::default()).unwrap();
    let named: Vec<u64> = (1..=RECORDS).filter(|n| record(*n).detail.is_some()).collect();
    let body = format!("{{\"details\":[[{},{}]],\"by\":\"x\"}}", named[0], named[2]);
    let erased =
        NewEntry { stream: "s".into(), kind: "erased".into(), body: body.into_bytes(), detail: None };
    let head = journal.append(Timestamp(9), &[erased]).unwrap();
    drop(journal);
    let file = dir.path().join("journal.db");
    assert_eq!(verify(&file).unwrap(), head);
    let gone = SqliteReader::open_file(&file).unwrap().erased().unwrap();
    assert!(gone >= 3, "{gone}");
    let Some(answer) = python(&file, Some(&before)) else { return };
    assert_eq!(answer, (true, format!("ok {} ({gone} details erased)", head_to_text(&head))));

    // One more than the chain says is one too many, for both.
    let last = named[named.len() - 1];
    raw(&file).execute("DELETE FROM detail WHERE seq = ?1", [last as i64]).unwrap();
    assert!(matches!(verify(&file), Err(JournalError::Broken { seq, .. }) if seq == last));
    let (content, text) = python(&file, None).unwrap();
    assert!(!content && text.contains(&format!("entry {last}")), "{text}");
}
