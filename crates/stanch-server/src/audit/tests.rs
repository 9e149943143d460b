//! What somebody could do to a journal and its checkpoints, found by us and by the verifier in
//! Python, in the same words.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rusqlite::Connection;
use sha2::{Digest, Sha256};
use stanch_core::config::AuditFiles;
use stanch_model::Timestamp;
use stanch_model::port::{Head, Journal as _, NewEntry};
use stanch_store::{Options, SqliteJournal, SqliteReader};

use super::note::{PublicKey, Signer};
use super::*;

/// A journal of 40 entries with a checkpoint after each tenth, and the key that signed them.
struct World {
    dir: tempfile::TempDir,
    key: String,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(1_770_000_000_000));
        let time = clock.clone();
        let mut journal = SqliteJournal::open(dir.path(), Options::default()).unwrap();
        let now: stanch_engine::Now = Arc::new(move || Timestamp(time.load(Ordering::Relaxed)));
        let audit = Audit::open(dir.path(), dir.path(), &AuditFiles::default(), now).unwrap();
        for ten in 0..4 {
            let entries: Vec<NewEntry> = (0..10).map(|n| entry(ten * 10 + n)).collect();
            journal.append(Timestamp(1), &entries).unwrap();
            clock.fetch_add(60_000, Ordering::Relaxed);
            audit.look(false).unwrap();
            audit.look(true).unwrap();
        }
        let key = audit.public().text();
        World { dir, key }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    /// With everything that protects it taken away, as for whoever has the file.
    fn sql(&self, sql: &str) -> Connection {
        let conn = Connection::open(self.file("journal.db")).unwrap();
        let triggers = ["entry_stays", "entry_fixed", "detail_stays", "detail_fixed"];
        for t in triggers {
            conn.execute_batch(&format!("DROP TRIGGER IF EXISTS {t}")).unwrap();
        }
        conn.execute_batch(sql).unwrap();
        conn
    }

    /// Computes every hash anew, as whoever knows the format can; returns the new chain's hashes.
    fn chain_anew(&self, sql: &str) -> Vec<[u8; 32]> {
        let conn = self.sql(sql);
        let mut query =
            conn.prepare("SELECT seq, at, stream, kind, body, detail_hash FROM entry ORDER BY seq").unwrap();
        let mut rows = query.query([]).unwrap();
        let (mut before, mut hashes) = ([0_u8; 32], Vec::new());
        while let Some(r) = rows.next().unwrap() {
            let mut sha = Sha256::new();
            sha.update(before);
            sha.update(r.get::<_, i64>(0).unwrap().to_be_bytes());
            sha.update(r.get::<_, i64>(1).unwrap().to_be_bytes());
            let parts = [
                r.get::<_, String>(2).unwrap().into_bytes(),
                r.get::<_, String>(3).unwrap().into_bytes(),
                r.get(4).unwrap(),
            ];
            for part in parts {
                sha.update(u32::try_from(part.len()).unwrap().to_be_bytes());
                sha.update(part);
            }
            sha.update(r.get::<_, Option<[u8; 32]>>(5).unwrap().unwrap_or_default());
            before = sha.finalize().into();
            hashes.push(before);
        }
        drop(rows);
        for (n, hash) in hashes.iter().enumerate() {
            conn.execute("UPDATE entry SET hash = ?1 WHERE seq = ?2", rusqlite::params![hash, n as i64 + 1])
                .unwrap();
        }
        hashes
    }

    /// What both verifiers find, as `what entry`; they have to agree.
    fn found(&self, keys: &[String], more: &str) -> Vec<String> {
        let report = verify_store(self.dir.path(), keys, more).unwrap();
        let ours: Vec<String> = report.findings.iter().map(|f| format!("{} {}", f.what, f.entry)).collect();
        assert_eq!(report.ok, ours.is_empty());
        let elsewhere = self.file("elsewhere");
        std::fs::write(&elsewhere, more).unwrap();
        let mut python = Command::new("python3");
        python
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../stanch-store/verify_audit.py"))
            .arg(self.dir.path());
        for key in keys {
            python.arg("--key").arg(key);
        }
        let out = python.arg("--checkpoints").arg(&elsewhere).output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let wrong = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(i32::from(!report.ok)), "{text}{wrong}");
        let mut theirs: Vec<String> = text
            .lines()
            .filter_map(|l| l.strip_prefix("FINDING "))
            .map(|l| l.splitn(3, ' ').take(2).collect::<Vec<_>>().join(" "))
            .collect();
        let mut sorted = ours.clone();
        sorted.sort();
        theirs.sort();
        assert_eq!(sorted, theirs, "the verifier in Python says otherwise: {text}");
        ours
    }

    fn pinned(&self) -> Vec<String> {
        vec![self.key.clone()]
    }
}

fn entry(n: u64) -> NewEntry {
    NewEntry {
        stream: format!("INC-{}", n % 3),
        kind: "incident_opened".to_owned(),
        body: format!("{{\"n\":{n}}}").into_bytes(),
        detail: n.is_multiple_of(3).then(|| b"bulk".repeat(100)),
    }
}

#[test]
fn a_journal_that_nobody_touched_holds_with_the_key_beside_it_and_with_a_pinned_one() {
    let world = World::new();
    assert_eq!(world.found(&[], ""), [""; 0]);
    assert_eq!(world.found(&world.pinned(), &world.text(CHECKPOINTS)), [""; 0]);
    let report = verify_store(world.dir.path(), &world.pinned(), "").unwrap();
    assert_eq!((report.checkpoints, report.covered, report.pinned), (4, 40, true));
    assert_eq!(world.text(CHECKPOINTS).matches("stanch/journal/").count(), 4, "none without something new");
}

#[test]
fn an_end_that_was_cut_off_is_found_by_the_checkpoints_that_knew_it() {
    let world = World::new();
    world.sql("DELETE FROM detail WHERE seq > 25; DELETE FROM entry WHERE seq > 25");
    assert_eq!(world.found(&[], ""), ["truncated 30", "truncated 40"]);
    // Without a key the chain alone says nothing.
    assert!(SqliteReader::open(world.dir.path()).unwrap().head().is_ok_and(|h| h.seq == 25));
}

#[test]
fn an_end_cut_off_with_its_checkpoints_is_found_by_one_kept_elsewhere() {
    let world = World::new();
    let kept = world.text(CHECKPOINTS);
    world.sql("DELETE FROM detail WHERE seq > 20; DELETE FROM entry WHERE seq > 20");
    let half = kept.find("\n30\n").and_then(|at| kept[..at].rfind("stanch/journal/")).unwrap();
    std::fs::write(world.file(CHECKPOINTS), &kept[..half]).unwrap();
    assert_eq!(world.found(&world.pinned(), ""), [""; 0], "nothing here can know");
    assert_eq!(world.found(&world.pinned(), &kept), ["truncated 30", "truncated 40"]);
    std::fs::remove_file(world.file(CHECKPOINTS)).unwrap();
    assert_eq!(world.found(&world.pinned(), ""), ["unsigned 0"]);
}

#[test]
fn a_change_and_a_gap_break_the_chain_where_they_are() {
    for (sql, entry) in [
        ("UPDATE entry SET body = x'7b7d' WHERE seq = 17", 17),
        ("DELETE FROM entry WHERE seq = 23", 23),
        (
            "UPDATE entry SET seq = 100 WHERE seq = 5; UPDATE entry SET seq = 5 WHERE seq = 6; UPDATE entry SET seq = 6 WHERE seq = 100",
            5,
        ),
        ("UPDATE detail SET body = x'00' WHERE seq = 31", 31),
    ] {
        let world = World::new();
        world.sql(sql);
        assert_eq!(world.found(&world.pinned(), ""), [format!("broken {entry}")], "{sql}");
    }
}

#[test]
fn a_chain_computed_anew_is_found_by_every_checkpoint_after_the_change() {
    let world = World::new();
    world.chain_anew("UPDATE entry SET body = x'7b7d' WHERE seq = 17");
    assert_eq!(world.found(&[], ""), ["rewritten 20", "rewritten 30", "rewritten 40"]);
    let world = World::new();
    world.chain_anew("UPDATE entry SET body = x'7b7d' WHERE seq = 1");
    assert_eq!(world.found(&[], ""), ["other 10", "other 20", "other 30", "other 40"]);
}

#[test]
fn a_checkpoint_that_was_changed_or_made_up_is_found() {
    let world = World::new();
    let whole = world.text(CHECKPOINTS);
    std::fs::write(world.file(CHECKPOINTS), whole.replace("\n30\n", "\n31\n")).unwrap();
    assert_eq!(world.found(&[], ""), ["forged 31"]);
    std::fs::write(world.file(CHECKPOINTS), format!("{whole}garbage\n\n{whole}")).unwrap();
    assert_eq!(
        world.found(&[], "cut in the mid"),
        ["damaged 0", "backwards 10", "damaged 0"].map(str::to_owned)
    );
}

#[test]
fn a_history_signed_anew_with_another_key_is_found_by_whoever_pinned_ours() {
    let world = World::new();
    let hashes = world.chain_anew("UPDATE entry SET body = x'7b7d' WHERE seq = 17");
    let other = Signer::new(&[9; 32]).unwrap();
    let sign = |n: usize| other.sign(&hashes[0], &Head { seq: n as u64, hash: hashes[n - 1] }, Timestamp(1));
    std::fs::write(world.file(CHECKPOINTS), format!("{}\n{}\n", sign(20), sign(40))).unwrap();
    std::fs::write(world.file(PUBLIC), other.public().text()).unwrap();
    assert_eq!(
        world.found(&[], ""),
        [""; 0],
        "with the key beside it the forgery is whole: that is why one pins"
    );
    assert_eq!(world.found(&world.pinned(), ""), ["stranger 20", "stranger 40"]);
    // With our name and key id and a signature of theirs.
    let (mine, theirs) = (PublicKey::read(&world.key).unwrap(), sign(40));
    let body = theirs.split("\n\n").next().unwrap();
    let fake = other.sign_as(&mine, body);
    std::fs::write(world.file(CHECKPOINTS), fake).unwrap();
    assert_eq!(world.found(&world.pinned(), ""), ["forged 40"]);
}

#[test]
fn a_key_that_was_changed_by_its_owner_leaves_the_old_checkpoints_believed() {
    let world = World::new();
    std::fs::remove_file(world.file(KEY)).unwrap();
    let mut journal = SqliteJournal::open(world.dir.path(), Options::default()).unwrap();
    journal.append(Timestamp(2), &[entry(40)]).unwrap();
    let audit =
        Audit::open(world.dir.path(), world.dir.path(), &AuditFiles::default(), Arc::new(|| Timestamp(9)))
            .unwrap();
    audit.look(true).unwrap();
    assert_eq!(world.found(&[], ""), [""; 0]);
    assert_eq!(world.found(&world.pinned(), ""), ["stranger 41"]);
    assert_eq!(world.found(&[world.key.clone(), audit.public().text()], ""), [""; 0]);
}

#[test]
fn copies_are_written_elsewhere_too() {
    let dir = tempfile::tempdir().unwrap();
    let files = AuditFiles {
        key: Some("keys.d".to_owned()),
        copies: vec!["copy".to_owned(), "no/such/folder".to_owned()],
    };
    let mut journal = SqliteJournal::open(dir.path(), Options::default()).unwrap();
    journal.append(Timestamp(2), &[entry(0)]).unwrap();
    let audit = Audit::open(dir.path(), dir.path(), &files, Arc::new(|| Timestamp(9))).unwrap();
    audit.look(false).unwrap();
    let text = |name| std::fs::read_to_string(dir.path().join(name)).unwrap();
    assert_eq!(text("copy"), text(CHECKPOINTS));
    assert_eq!(text("copy").trim(), audit.last().trim());
}
