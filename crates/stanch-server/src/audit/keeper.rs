//! Writes checkpoints: every minute in which something was written, every thousand entries, at the
//! start and at the end.
//!
//! A checkpoint that could not be written is said loudly and tried again; it does not stop the engine,
//! because the journal itself is safe and containment must not wait for an auditor.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stanch_core::config::AuditFiles;
use stanch_engine::Now;
use stanch_model::port::{Head, JournalError};
use stanch_model::{Span, Timestamp};
use stanch_store::SqliteReader;
use tokio::sync::Notify;

use super::note::{self, Note, PublicKey, Signer};
use super::{KEY, checkpoint_file, public_file, text_of};
use crate::key_file;

/// Longest time between two checkpoints while entries are written.
const EVERY: Span = Span::secs(60);
/// Most entries between two checkpoints.
const ENTRIES: u64 = 1_000;
/// How often it is looked whether one is due.
const LOOK: Duration = Duration::from_secs(1);

/// What signs, and where it goes.
pub(crate) struct Audit {
    signer: Signer,
    reader: Mutex<Option<SqliteReader>>,
    data: PathBuf,
    copies: Vec<PathBuf>,
    last: Mutex<Last>,
    now: Now,
}

/// The checkpoint before.
#[derive(Clone, Debug, Default)]
struct Last {
    seq: u64,
    at: Option<Timestamp>,
    text: String,
}

/// Whether a checkpoint is due.
fn due(last: &Last, end: u64, now: Timestamp) -> bool {
    end > last.seq && (end - last.seq >= ENTRIES || last.at.is_none_or(|at| now.0 - at.0 >= EVERY.0))
}

impl Audit {
    /// Reads the key or makes one, and publishes its public half.
    ///
    /// # Errors
    /// In words, why there is no key that could be trusted.
    pub(crate) fn open(config: &Path, data: &Path, files: &AuditFiles, now: Now) -> Result<Audit, String> {
        let path = files.key.as_ref().map_or_else(|| data.join(KEY), |name| config.join(name));
        let signer = Signer::new(&key_file::read_or_make(&path, "audit key")?)?;
        publish(data, &signer.public())?;
        let copies = files.copies.iter().map(|c| config.join(c)).collect();
        let last = last_of(data)?;
        Ok(Audit {
            signer,
            reader: Mutex::new(None),
            data: data.to_owned(),
            copies,
            last: Mutex::new(last),
            now,
        })
    }

    /// The public half of the key in use.
    pub(crate) fn public(&self) -> PublicKey {
        self.signer.public()
    }

    /// The last checkpoint as text; empty when there is none.
    pub(crate) fn last(&self) -> String {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).text.clone()
    }

    /// Writes a checkpoint when one is due, or, `anyway`, when anything was written since the last.
    pub(crate) fn look(&self, anyway: bool) -> Result<(), String> {
        let said = |e: JournalError| e.to_string();
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = match reader.take() {
            Some(open) => reader.insert(open),
            None => reader.insert(SqliteReader::open(&self.data).map_err(said)?),
        };
        let head = reader.head().map_err(said)?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (self.now)();
        if !(due(&last, head.seq, now) || (anyway && head.seq > last.seq)) {
            return Ok(());
        }
        let first = reader.head_at(1).map_err(said)?.ok_or("the first entry is missing")?;
        let text = self.signer.sign(&first.hash, &head, now);
        append(&checkpoint_file(&self.data), &text)?;
        for copy in &self.copies {
            if let Err(why) = append(copy, &text) {
                tracing::error!(error = why, "a copy of a checkpoint was not written");
            }
        }
        tracing::info!(target: "stanch::audit", entries = head.seq, head = %hex(&head), "checkpoint");
        *last = Last { seq: head.seq, at: Some(now), text };
        Ok(())
    }

    /// Says so when the journal is not the one that was signed: cut, rewritten or replaced.
    fn compare(&self) -> Result<(), String> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Ok(note) = Note::read(&last.text) else { return Ok(()) };
        let reader = SqliteReader::open(&self.data).map_err(|e| e.to_string())?;
        let there = reader.head_at(note.head.seq).map_err(|e| e.to_string())?;
        if there.as_ref() != Some(&note.head) {
            tracing::error!(
                signed = note.head.seq,
                at = note.time,
                "the journal is not the one that was signed: it was cut, rewritten or replaced by an older copy; \
                 run `stanch audit verify`"
            );
        }
        Ok(())
    }
}

/// Keeps at it until it is stopped.
pub(crate) struct Keeper {
    audit: Arc<Audit>,
    stop: Arc<Notify>,
    task: tokio::task::JoinHandle<()>,
}

impl Keeper {
    /// Begins.
    pub(crate) fn start(audit: Arc<Audit>) -> Keeper {
        let stop = Arc::new(Notify::new());
        let (kept, told) = (audit.clone(), stop.clone());
        let task = tokio::spawn(async move {
            work(kept.clone(), |a| a.compare()).await;
            loop {
                work(kept.clone(), |a| a.look(false)).await;
                tokio::select! {
                    () = tokio::time::sleep(LOOK) => {}
                    () = told.notified() => return,
                }
            }
        });
        Keeper { audit, stop, task }
    }

    /// Signs where the journal ended, and ends.
    pub(crate) async fn finish(self) {
        self.stop.notify_one();
        let _ = self.task.await;
        work(self.audit, |a| a.look(true)).await;
    }
}

/// Away from the threads that answer others; what goes wrong is said.
async fn work(audit: Arc<Audit>, what: impl FnOnce(&Audit) -> Result<(), String> + Send + 'static) {
    let done = tokio::task::spawn_blocking(move || what(&audit)).await;
    if let Ok(Err(why)) = done {
        tracing::error!(error = why, "no checkpoint of the journal could be written");
    }
}

fn append(path: &Path, text: &str) -> Result<(), String> {
    let said = |e: std::io::Error| format!("{}: {e}", path.display());
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).map_err(said)?;
    // An empty line parts it from the one before, also when that was cut by a crash.
    file.write_all(format!("{text}\n").as_bytes()).and_then(|()| file.sync_data()).map_err(said)
}

fn publish(data: &Path, key: &PublicKey) -> Result<(), String> {
    let path = public_file(data);
    let known = text_of(&path)?.unwrap_or_default();
    if known.lines().last().is_some_and(|l| l.trim() == key.text()) {
        return Ok(());
    }
    append(&path, &key.text()).map(|()| tracing::info!(key = key.text(), "the public key of the audit"))
}

fn last_of(data: &Path) -> Result<Last, String> {
    let text = text_of(&checkpoint_file(data))?.unwrap_or_default();
    // Only the end of a file that may be long.
    let tail = text.len().saturating_sub(4_096);
    let tail = (tail..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let last = note::notes(&text[tail..]).into_iter().rev().find_map(Result::ok);
    Ok(last.map_or_else(Last::default, |n| Last { seq: n.head.seq, at: None, text: n.text() }))
}

fn hex(head: &Head) -> String {
    stanch_store::head_to_text(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_due_each_minute_with_something_new_and_each_thousand_entries() {
        let last = Last { seq: 10, at: Some(Timestamp(0)), text: String::new() };
        assert!(!due(&last, 10, Timestamp(1_000_000)), "nothing new");
        assert!(!due(&last, 11, Timestamp(59_999)));
        assert!(due(&last, 11, Timestamp(60_000)));
        assert!(!due(&last, 1_009, Timestamp(1)));
        assert!(due(&last, 1_010, Timestamp(1)));
        assert!(due(&Last::default(), 1, Timestamp(0)), "the first at once");
    }
}
