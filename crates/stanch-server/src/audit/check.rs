//! Holds a journal against its signed checkpoints. Reads, and changes nothing.

use std::path::Path;
use std::time::Instant;

use stanch_model::Span;
use stanch_model::port::{Head, JournalError, JournalReader};
use stanch_store::SqliteReader;

use super::note::{self, Note, PublicKey, Signed};
use super::{checkpoint_file, public_file, text_of};
use crate::api::v1::types::{AuditFinding, AuditReport, JournalHead};

/// Findings listed; all are counted.
const LISTED: usize = 50;

/// What a check is made with, beside the journal's own folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// Keys that were pinned elsewhere, as text; none: those that lie beside the journal.
    pub(crate) keys: Vec<String>,
    /// More checkpoints, kept elsewhere.
    pub(crate) notes: String,
}

/// Checks the journal in a folder without a server, whatever state it is in.
///
/// # Errors
/// When something could not be read at all, or a key is no key.
pub fn verify_store(data: &Path, keys: &[String], notes: &str) -> Result<AuditReport, String> {
    let asked = Asked { keys: keys.to_vec(), notes: notes.to_owned() };
    check(data, &asked).map_err(|why| why.text())
}

/// Why nothing could be checked.
pub(crate) enum CannotCheck {
    /// What was asked makes no sense.
    Asked(String),
    /// The disk, or what lies on it.
    Read(String),
}

impl CannotCheck {
    fn text(self) -> String {
        match self {
            CannotCheck::Asked(why) | CannotCheck::Read(why) => why,
        }
    }
}

/// Recomputes the chain and holds it against every checkpoint.
pub(crate) fn check(data: &Path, asked: &Asked) -> Result<AuditReport, CannotCheck> {
    let begun = Instant::now();
    let pinned = !asked.keys.is_empty();
    let keys: Vec<PublicKey> = if pinned {
        asked.keys.iter().map(|k| PublicKey::read(k)).collect::<Result<_, _>>().map_err(CannotCheck::Asked)?
    } else {
        let lines = text_of(&public_file(data)).map_err(CannotCheck::Read)?.unwrap_or_default();
        lines.lines().filter_map(|l| PublicKey::read(l).ok()).collect()
    };
    let mut notes =
        note::notes(&text_of(&checkpoint_file(data)).map_err(CannotCheck::Read)?.unwrap_or_default());
    let own = notes.len();
    notes.extend(note::notes(&asked.notes));
    let mut reader = SqliteReader::open(data).map_err(|e| CannotCheck::Read(e.to_string()))?;
    let mut found = Vec::new();
    let (head, whole) = match reader.verify(&mut |_| {}) {
        Ok(head) => (Some(head), u64::MAX),
        Err(JournalError::Broken { seq, why }) => {
            found.push(finding("broken", seq, why));
            (None, seq)
        }
        Err(e) => return Err(CannotCheck::Read(e.to_string())),
    };
    let covered =
        hold(&reader, &notes, own, &keys, whole, &mut found).map_err(|e| CannotCheck::Read(e.to_string()))?;
    if notes.is_empty() && head.as_ref().is_some_and(|h| h.seq > 0) {
        let why =
            "there are entries and no checkpoint: the file of checkpoints is missing or was never written";
        found.push(finding("unsigned", 0, why.to_owned()));
    }
    let total = found.len() as u64;
    found.truncate(LISTED);
    let took = Span(i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX));
    let view =
        |h: &Head| JournalHead { seq: h.seq, hash: h.hash.iter().map(|b| format!("{b:02x}")).collect() };
    Ok(AuditReport {
        ok: total == 0,
        head: head.as_ref().map(view),
        checkpoints: notes.len() as u64,
        covered,
        keys: keys.iter().map(PublicKey::text).collect(),
        pinned,
        findings: found,
        findings_total: total,
        took_ms: took.0,
        took: took.to_string(),
    })
}

fn finding(what: &str, entry: u64, why: String) -> AuditFinding {
    AuditFinding { what: what.to_owned(), entry, why }
}

/// Holds the journal against each checkpoint; `whole` is the first entry that is not as it was
/// written. Returns how far the believed ones reach.
fn hold(
    reader: &SqliteReader,
    notes: &[Result<Note, String>],
    own: usize,
    keys: &[PublicKey],
    whole: u64,
    found: &mut Vec<AuditFinding>,
) -> Result<u64, JournalError> {
    let origin = reader.head_at(1)?.map(|first| note::origin(&first.hash));
    let (mut covered, mut before) = (0, 0);
    for (n, read) in notes.iter().enumerate() {
        let name = if n < own {
            format!("checkpoint {}", n + 1)
        } else {
            format!("checkpoint {} of those given", n + 1 - own)
        };
        let note = match read {
            Ok(note) => note,
            Err(why) => {
                found.push(finding("damaged", 0, format!("{name}: {why}")));
                continue;
            }
        };
        let seq = note.head.seq;
        let mut say = |what, why: &str| found.push(finding(what, seq, format!("{name}: {why}")));
        match note.signed(keys) {
            Signed::Known => {}
            Signed::Forged => {
                say(
                    "forged",
                    "its signature does not hold: it was changed after it was signed, or never signed",
                );
                continue;
            }
            Signed::Stranger => {
                say("stranger", "no key that is believed has signed it");
                continue;
            }
        }
        if origin.as_ref().is_some_and(|o| *o != note.origin) {
            say("other", "it belongs to a journal that began otherwise: the first entry was replaced");
            continue;
        }
        if n < own && seq < before {
            say(
                "backwards",
                "the one before it had more entries: an older copy was put in place and went on",
            );
        }
        before = if n < own { seq } else { before };
        // What comes after the first broken entry proves nothing.
        if seq >= whole {
            continue;
        }
        match reader.head_at(seq)? {
            None => say("truncated", "it was signed with more entries than there are: the end was cut off"),
            Some(there) if there.hash != note.head.hash => {
                say(
                    "rewritten",
                    "the chain has another hash there: this entry or an earlier one was rewritten",
                );
            }
            Some(_) => covered = covered.max(seq),
        }
    }
    Ok(covered)
}
