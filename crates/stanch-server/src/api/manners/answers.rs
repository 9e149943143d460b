//! Answers kept for 24 hours, so that whoever asks again with the same `Idempotency-Key` gets the same.
//!
//! On disk: first that it began, synced before the route runs, then what was answered. When the process
//! ended between the two, nobody knows whether it was done, and the next one with that key is told so
//! instead of having it done twice.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stanch_model::{Span, Timestamp};

/// How long an answer is kept.
const KEPT: Span = Span::hours(24);
/// Answers kept at most; the oldest go first.
const MOST: usize = 10_000;
/// The file in the data folder.
const NAME: &str = "answers.log";
/// The longest answer that is kept, in bytes.
const LONGEST: usize = 256 * 1024;

/// Which request: SHA-256 over who, method, address and key.
pub(super) type Place = [u8; 32];

/// Of these parts.
pub(super) fn place(parts: &[&str]) -> Place {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part.as_bytes());
    }
    sha.finalize().into()
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) kind: String,
    pub(super) text: String,
    /// The run that a call has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<String>,
}

/// One line of the file. Without an answer: it began.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Line {
    place: String,
    body: String,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<Answer>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    forgotten: bool,
}

/// What is known of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// Nothing: do it.
    New,
    /// It was done; this was the answer.
    Kept(Answer),
    /// The same key came with another body.
    Other,
    /// It is being done now, or began before a crash.
    Unknown,
    /// The disk.
    Failed,
}

/// All answers that are kept.
pub(crate) struct Answers {
    held: Mutex<Held>,
    path: PathBuf,
}

#[derive(Default)]
struct Held {
    known: BTreeMap<String, Line>,
    file: Option<File>,
    /// Lines in the file, so that it can be written anew when most of them are old.
    lines: usize,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

impl Answers {
    /// Those of a data folder. What cannot be read is left out: the last line may be half a line.
    pub(crate) fn open(data: &Path, now: Timestamp) -> Answers {
        let path = data.join(NAME);
        let text = std::fs::read(&path).unwrap_or_default();
        let mut known = BTreeMap::new();
        for line in text.split(|b| *b == b'\n') {
            let Ok(line) = serde_json::from_slice::<Line>(line) else { continue };
            if line.forgotten || now.0 - line.at.0 > KEPT.0 {
                known.remove(&line.place);
            } else {
                known.insert(line.place.clone(), line);
            }
        }
        Answers { held: Mutex::new(Held { known, file: None, lines: usize::MAX }), path }
    }

    /// What is known of this request; when nothing is, that it begins now is on disk afterwards.
    pub(super) fn begin(&self, place: Place, body: &[u8], now: Timestamp) -> Begin {
        let (place, body) = (hex(&place), hex(&Sha256::digest(body)));
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.known.retain(|_, l| now.0 - l.at.0 <= KEPT.0);
        if let Some(line) = held.known.get(&place) {
            return match &line.answer {
                _ if line.body != body => Begin::Other,
                Some(answer) => Begin::Kept(answer.clone()),
                None => Begin::Unknown,
            };
        }
        if held.known.len() >= MOST
            && let Some(oldest) = held.known.values().min_by_key(|l| l.at).map(|l| l.place.clone())
        {
            held.known.remove(&oldest);
        }
        let line = Line { place: place.clone(), body, at: now, answer: None, forgotten: false };
        if let Err(e) = held.write(&self.path, &line) {
            tracing::error!(error = %e, file = %self.path.display(), "that a request begins could not be kept");
            return Begin::Failed;
        }
        held.known.insert(place, line);
        Begin::New
    }

    /// Keeps what was answered.
    pub(super) fn done(&self, place: Place, answer: Answer) {
        if answer.text.len() > LONGEST {
            return;
        }
        self.change(place, |line| line.answer = Some(answer));
    }

    /// It did not happen: the key is free again.
    pub(super) fn forget(&self, place: Place) {
        self.change(place, |line| line.forgotten = true);
    }

    fn change(&self, place: Place, change: impl FnOnce(&mut Line)) {
        let place = hex(&place);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut line) = held.known.remove(&place) else { return };
        change(&mut line);
        if let Err(e) = held.write(&self.path, &line) {
            tracing::error!(error = %e, file = %self.path.display(), "an answer could not be kept");
        }
        if !line.forgotten {
            held.known.insert(place, line);
        }
    }
}

impl Held {
    fn write(&mut self, path: &Path, line: &Line) -> std::io::Result<()> {
        if self.lines > 4 * (self.known.len() + 100) {
            self.anew(path)?;
        }
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let file = self.file.as_mut().ok_or_else(|| std::io::Error::other("it is not open"))?;
        file.write_all(&text)?;
        self.lines += 1;
        file.sync_data()
    }

    /// Writes only what is still kept.
    fn anew(&mut self, path: &Path) -> std::io::Result<()> {
        let fresh = path.with_extension("new");
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        for line in self.known.values() {
            let mut text = serde_json::to_vec(line)?;
            text.push(b'\n');
            file.write_all(&text)?;
        }
        file.sync_all()?;
        std::fs::rename(&fresh, path)?;
        self.file = Some(file);
        self.lines = self.known.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_770_000_000_000);

    #[test]
    fn the_same_key_gets_the_same_answer_also_after_a_restart_and_for_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let answers = Answers::open(dir.path(), NOW);
        let at = place(&["anna", "POST", "/x", "k"]);
        assert_eq!(answers.begin(at, b"{}", NOW), Begin::New);
        assert_eq!(answers.begin(at, b"{}", NOW), Begin::Unknown, "while it is being done");
        let kept =
            Answer { status: 200, kind: "application/json".into(), text: "{\"n\":1}".into(), run: None };
        answers.done(at, kept.clone());
        assert_eq!(answers.begin(at, b"{}", NOW), Begin::Kept(kept.clone()));
        assert_eq!(answers.begin(at, b"{ }", NOW), Begin::Other);
        assert_eq!(
            answers.begin(place(&["bert", "POST", "/x", "k"]), b"{}", NOW),
            Begin::New,
            "keys are one's own"
        );
        let again = Answers::open(dir.path(), NOW);
        assert_eq!(again.begin(at, b"{}", NOW), Begin::Kept(kept));
        let later = Timestamp(NOW.0 + KEPT.0 + 1);
        assert_eq!(again.begin(at, b"{ }", later), Begin::New, "after a day it is forgotten");
        assert_eq!(
            Answers::open(dir.path(), Timestamp(later.0 + KEPT.0 + 1)).begin(at, b"{}", later),
            Begin::New
        );
    }

    #[test]
    fn what_began_before_a_crash_is_not_done_twice_and_what_was_refused_may_be_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let at = place(&["k"]);
        assert_eq!(Answers::open(dir.path(), NOW).begin(at, b"{}", NOW), Begin::New);
        let again = Answers::open(dir.path(), NOW);
        assert_eq!(again.begin(at, b"{}", NOW), Begin::Unknown);
        again.forget(at);
        assert_eq!(again.begin(at, b"{}", NOW), Begin::New);
        again.forget(at);
        // Half a line at the end, as a power cut leaves it.
        let path = dir.path().join(NAME);
        let mut text = std::fs::read(&path).unwrap();
        text.extend_from_slice(b"{\"place\":\"ab");
        std::fs::write(&path, text).unwrap();
        assert_eq!(Answers::open(dir.path(), NOW).begin(at, b"{}", NOW), Begin::New);
    }

    #[test]
    fn the_file_does_not_grow_with_what_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let answers = Answers::open(dir.path(), NOW);
        for n in 0..600 {
            let at = place(&[&n.to_string()]);
            answers.begin(at, b"{}", NOW);
            answers.forget(at);
        }
        let lines = std::fs::read_to_string(dir.path().join(NAME)).unwrap().lines().count();
        assert!(lines <= 410, "{lines}");
    }
}
