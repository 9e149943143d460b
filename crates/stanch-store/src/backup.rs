//! A copy of a journal while it is in use, verified before it gets its name.
//!
//! The copy is one file without a write-ahead log, so it can be kept on any medium and opened there
//! with [`SqliteReader::open_file`]. It never replaces a file that exists.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use stanch_model::port::{Head, JournalError, JournalReader as _};

use crate::place::sync_dir;
use crate::reader::SqliteReader;
use crate::sqlite::SqliteJournal;

fn failed(path: &Path, why: impl std::fmt::Display) -> JournalError {
    JournalError::Io { doing: "written", why: format!("backup {}: {why}", path.display()) }
}

impl SqliteReader {
    /// Copies the journal as it is now to the new file `to`, verifies every entry and detail of the
    /// copy, and returns where its chain ends: keep that checkpoint with the copy.
    ///
    /// The writer goes on meanwhile; its write-ahead log is not reused until the copy is complete.
    ///
    /// # Errors
    /// When `to` exists, cannot be written, or the copy does not verify; then nothing is left under
    /// that name.
    pub fn backup_to(&self, to: &Path) -> Result<Head, JournalError> {
        if to.symlink_metadata().is_ok() {
            return Err(failed(to, "there is already a file of this name; a backup never replaces one"));
        }
        let mut name = to.as_os_str().to_owned();
        name.push(".partial");
        let partial = PathBuf::from(name);
        let done = copy(self.connection(), &partial).and_then(|head| {
            // Not `rename`, which would replace a file that came into being meanwhile.
            std::fs::hard_link(&partial, to).map_err(|e| failed(to, e))?;
            Ok(head)
        });
        // Gone or not, the answer stays the same.
        let _ = std::fs::remove_file(&partial);
        let head = done?;
        sync_dir(to.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
        Ok(head)
    }
}

impl SqliteJournal {
    /// As [`SqliteReader::backup_to`], from the writer's process.
    ///
    /// # Errors
    /// As [`SqliteReader::backup_to`].
    pub fn backup_to(&self, to: &Path) -> Result<Head, JournalError> {
        SqliteReader::open_file(self.file())?.backup_to(to)
    }
}

fn copy(from: &Connection, partial: &Path) -> Result<Head, JournalError> {
    let failed = |why: String| failed(partial, why);
    let sql = |e: rusqlite::Error| failed(e.to_string());
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(partial)
        .map_err(|e| failed(e.to_string()))?;
    let mut copy = Connection::open(partial).map_err(sql)?;
    // Everything in one step: a step by step copy starts again whenever the writer commits in between.
    let step = Backup::new(from, &mut copy).and_then(|b| b.step(-1)).map_err(sql)?;
    if step != StepResult::Done {
        return Err(failed(format!("the journal could not be locked for copying ({step:?})")));
    }
    let mode: String =
        copy.pragma_update_and_check(None, "journal_mode", "DELETE", |r| r.get(0)).map_err(sql)?;
    copy.close().map_err(|(_, e)| sql(e))?;
    File::open(partial).and_then(|f| f.sync_all()).map_err(|e| failed(e.to_string()))?;
    if mode != "delete" {
        return Err(failed(format!("the copy kept a separate log ({mode})")));
    }
    SqliteReader::open_file(partial)?.verify(&mut |_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;
    use stanch_model::Timestamp;
    use stanch_model::port::{Journal as _, NewEntry};

    fn entry(n: usize) -> NewEntry {
        NewEntry { stream: "s".into(), kind: "k".into(), body: vec![b'x'; n], detail: Some(vec![7; n * 10]) }
    }

    #[test]
    fn a_backup_of_a_journal_in_use_verifies_and_can_be_opened_as_a_journal() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = SqliteJournal::open(dir.path(), Options::default()).unwrap();
        let head = journal.append(Timestamp(1), &[entry(10), entry(20_000)]).unwrap();
        let to = dir.path().join("copy.db");
        assert_eq!(journal.backup_to(&to).unwrap(), head);
        journal.append(Timestamp(2), &[entry(3)]).unwrap();

        let mut copy = SqliteReader::open_file(&to).unwrap();
        assert_eq!(copy.verify_against(&head, &mut |_| ()).unwrap(), head);
        let restored = tempfile::tempdir().unwrap();
        std::fs::copy(&to, restored.path().join(crate::place::FILE)).unwrap();
        let mut again = SqliteJournal::open(restored.path(), Options::default()).unwrap();
        assert_eq!(again.head(), head);
        again.append(Timestamp(3), &[entry(3)]).unwrap();
    }

    #[test]
    fn a_backup_never_replaces_a_file_and_leaves_nothing_behind_when_it_fails() {
        let dir = tempfile::tempdir().unwrap();
        let journal = SqliteJournal::open(&dir.path().join("j"), Options::default()).unwrap();
        let to = dir.path().join("copy.db");
        std::fs::write(&to, "precious").unwrap();
        assert!(journal.backup_to(&to).unwrap_err().to_string().contains("never replaces"));
        assert_eq!(std::fs::read(&to).unwrap(), b"precious");
        assert!(journal.backup_to(&dir.path().join("absent/copy.db")).is_err());
        let mut left: Vec<_> =
            std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["copy.db", "j"]);
    }

    #[test]
    fn a_backup_of_a_damaged_journal_is_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = SqliteJournal::open(dir.path(), Options::default()).unwrap();
        journal.append(Timestamp(1), &[entry(10), entry(20)]).unwrap();
        let raw = Connection::open(journal.file()).unwrap();
        raw.execute_batch("DROP TRIGGER entry_fixed; UPDATE entry SET at = 5 WHERE seq = 2").unwrap();
        let to = dir.path().join("copy.db");
        assert!(matches!(journal.backup_to(&to), Err(JournalError::Broken { seq: 2, .. })));
        assert!(!to.exists());
    }
}
