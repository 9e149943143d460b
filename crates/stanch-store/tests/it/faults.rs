//! What goes wrong outside: foreign files, torn logs, full and read-only disks.

use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;
use stanch_model::Timestamp;
use stanch_model::port::{Journal as _, JournalReader as _};
use stanch_store::contract::entry;
use stanch_store::{MemoryJournal, Options, SqliteJournal, SqliteReader};

fn open(dir: &Path) -> Result<SqliteJournal, String> {
    SqliteJournal::open(dir, Options::default()).map_err(|e| e.to_string())
}

fn refused(dir: &Path, expected: &[&str]) {
    let file = dir.join("journal.db");
    let before = std::fs::read(&file).unwrap_or_default();
    let text = open(dir).unwrap_err();
    for words in expected {
        assert!(text.contains(words), "{text}");
    }
    assert!(SqliteReader::open(dir).is_err(), "readers refuse it too");
    assert_eq!(std::fs::read(&file).unwrap_or_default(), before, "a refused file is left as it was");
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).unwrap());
    let raw = Connection::open(dir.path().join("journal.db")).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    drop(raw);
    refused(dir.path(), &["format 99", "use the newer stanch"]);
}

#[test]
fn files_of_other_programs_are_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("journal.db");
    let raw = Connection::open(&file).unwrap();
    raw.execute_batch("PRAGMA application_id = 252006673; CREATE TABLE t (x)").unwrap();
    drop(raw);
    refused(dir.path(), &["another program", "0xf055111"]);
    std::fs::remove_file(&file).unwrap();
    Connection::open(&file).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    refused(dir.path(), &["another program"]);
    std::fs::write(&file, "dear diary, this is not a database".repeat(100)).unwrap();
    refused(dir.path(), &["not an SQLite file"]);
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    assert!(open(dir.path()).is_err());
}

#[test]
fn an_empty_file_left_by_a_crash_while_creating_becomes_a_journal() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("journal.db"), "").unwrap();
    assert!(SqliteReader::open(dir.path()).unwrap_err().to_string().contains("empty"));
    assert_eq!(open(dir.path()).unwrap().head().seq, 0);
}

#[test]
fn a_directory_without_a_journal_is_named_to_readers() {
    let dir = tempfile::tempdir().unwrap();
    let text = SqliteJournal::open_read_only(dir.path()).unwrap_err().to_string();
    assert!(text.contains("there is no journal here"), "{text}");
    assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none(), "looking creates nothing");
}

#[test]
fn a_second_writer_is_refused_while_readers_are_welcome() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path()).unwrap();
    let text = open(dir.path()).unwrap_err();
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    let head = journal.append(Timestamp(1), &[entry("s", "k", "{}", None)]).unwrap();
    let mut reader = SqliteJournal::open_read_only(dir.path()).unwrap();
    assert_eq!(reader.verify(&mut |_| ()).unwrap(), head);
    drop((journal, reader));
    assert_eq!(open(dir.path()).unwrap().head(), head);
}

#[test]
fn a_directory_whose_name_needs_escaping_works() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("50% off? # ü & x=1");
    let mut journal = open(&odd).unwrap();
    journal.append(Timestamp(1), &[entry("s", "k", "{}", Some(b"d"))]).unwrap();
    assert_eq!(journal.reader().unwrap().verify(&mut |_| ()).unwrap().seq, 1);
}

/// After a power cut the log may end anywhere after the last confirmed sync, or hold nonsense there.
#[test]
fn a_torn_log_gives_whole_appends_up_to_the_tear() {
    let (dir, torn) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut journal = open(dir.path()).unwrap();
    let mut heads = vec![journal.head()];
    for n in 0..12 {
        let batch: Vec<_> = (0..3).map(|_| entry("s", "k", "{\"a\":1}", Some(&[n; 9_000]))).collect();
        heads.push(journal.append(Timestamp(n.into()), &batch).unwrap());
    }
    let [db, log] =
        ["journal.db", "journal.db-wal"].map(|name| std::fs::read(dir.path().join(name)).unwrap());
    let mut longest = 0;
    for cut in (0..=40).map(|n| log.len() * n / 40) {
        for tail in [&b""[..], &[0x5a; 7_000]] {
            std::fs::write(torn.path().join("journal.db"), &db).unwrap();
            std::fs::write(torn.path().join("journal.db-wal"), [&log[..cut], tail].concat()).unwrap();
            let _ = std::fs::remove_file(torn.path().join("journal.db-shm"));
            let mut again = open(torn.path()).unwrap();
            assert!(heads.contains(&again.head()), "cut at {cut}: not a whole append");
            assert!(again.head().seq >= longest, "cut at {cut}: a longer log gives no less");
            longest = again.head().seq;
            assert_eq!(again.reader().unwrap().verify(&mut |_| ()).unwrap(), again.head());
            again.append(Timestamp(99), &[entry("s", "k", "{}", None)]).unwrap();
        }
    }
    assert_eq!(longest, 36, "the whole log gives everything");
}

/// A file system of its own that goes away with the test; `None` (said loudly) without the right to.
struct Mount(PathBuf);

impl Mount {
    fn tmpfs(at: &Path, size: &str) -> Option<Mount> {
        let done = mount(&["-t", "tmpfs", "-o", &format!("size={size},mode=0700"), "stanch-test"], at);
        if !done {
            eprintln!("SKIPPED: mounting needs root, full and read-only disks were not tested");
        }
        done.then(|| Mount(at.to_owned()))
    }

    fn change(&self, options: &str) {
        assert!(mount(&["-o", &format!("remount,{options}")], &self.0));
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

fn mount(arguments: &[&str], at: &Path) -> bool {
    Command::new("mount").args(arguments).arg(at).output().is_ok_and(|o| o.status.success())
}

#[test]
fn on_a_full_disk_nothing_acknowledged_is_lost_and_nothing_more_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Mount::tmpfs(dir.path(), "1m") else { return };
    let data = dir.path().join("data");
    let mut journal = open(&data).unwrap();
    assert!(journal.is_volatile());
    let mut twin = MemoryJournal::new();
    let batch = [entry("s", "k", "{}", Some(b"raw")), entry("s", "k", &"x".repeat(20_000), None)];
    let text = loop {
        match journal.append(Timestamp(1), &batch) {
            Ok(head) => assert_eq!(twin.append(Timestamp(1), &batch).unwrap(), head),
            Err(e) => break e.to_string(),
        }
    };
    assert!(twin.head().seq > 4);
    assert!(text.contains("full") && text.contains("restart"), "{text}");
    disk.change("size=8m");
    assert!(journal.append(Timestamp(2), &batch).is_err(), "not even when there is room again");
    drop(journal);

    let mut again = open(&data).unwrap();
    assert!(again.head().seq >= twin.head().seq, "everything acknowledged is there");
    let kept = SqliteReader::open(&data).unwrap().verify_against(&twin.head(), &mut |_| ()).unwrap();
    assert_eq!(kept, again.head());
    again.append(Timestamp(3), &batch).unwrap();
    drop(again);
}

#[test]
fn a_full_disk_at_the_first_start_is_an_answer() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = Mount::tmpfs(dir.path(), "64k") else { return };
    std::fs::write(dir.path().join("filler"), vec![0; 56 << 10]).unwrap();
    let text = open(&dir.path().join("data")).unwrap_err();
    assert!(text.contains("full") || text.contains("No space"), "{text}");
}

#[test]
fn a_read_only_disk_is_refused_to_writers_and_open_to_readers() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Mount::tmpfs(dir.path(), "4m") else { return };
    let mut journal = open(dir.path()).unwrap();
    let head = journal.append(Timestamp(1), &[entry("s", "k", "{}", Some(b"raw"))]).unwrap();
    drop(journal);
    disk.change("ro");
    let text = open(dir.path()).unwrap_err();
    assert!(text.contains("Read-only file system"), "{text}");
    let mut reader = SqliteReader::open(dir.path()).unwrap();
    assert_eq!(reader.verify(&mut |_| ()).unwrap(), head);
    assert_eq!(reader.detail(1).unwrap().unwrap(), b"raw");
}
