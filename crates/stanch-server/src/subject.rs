//! Where a subject stands in the data folder: what an erasure would have to reach, and what it cannot.
//!
//! Looks only. Every body of every entry is searched, every detail unpacked, and every other file as it lies there; in
//! small and capital letters alike, and within longer words too, so that nothing is missed for the sake
//! of a neat number.

use std::collections::BTreeMap;
use std::path::Path;

use stanch_core::journal::Status;
use stanch_core::retention::{Class, class_of};
use stanch_model::port::{JournalError, JournalReader as _};

use crate::books::Books;

/// Entries read in one step.
const STEP: usize = 256;
/// Files larger than this are not searched, in bytes.
const LARGEST: u64 = 256 << 20;

/// Where it stands, in one kind of entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) entries: u64,
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// Details that hold it, and their bytes as they were given.
    pub(crate) details: u64,
    pub(crate) detail_bytes: u64,
    /// Of these, those that an open incident or a change in force rests on.
    pub(crate) needed: u64,
}

/// Where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    pub(crate) kinds: BTreeMap<String, Found>,
    /// Other files of the data folder, and how often.
    pub(crate) files: BTreeMap<String, u64>,
    /// Incidents that speak of it and are not resolved.
    pub(crate) open: Vec<String>,
}

/// The forms in which a text is written: as it is, and as JSON has it.
fn forms(subject: &str) -> Vec<Vec<u8>> {
    let plain = subject.to_ascii_lowercase();
    let json = serde_json::to_string(&plain).unwrap_or_default();
    let inner = json.get(1..json.len().saturating_sub(1)).unwrap_or_default().to_owned();
    let mut all = vec![plain.into_bytes(), inner.into_bytes()];
    all.dedup();
    all.retain(|f| !f.is_empty());
    all
}

fn count(bytes: &[u8], forms: &[Vec<u8>]) -> u64 {
    let bytes = bytes.to_ascii_lowercase();
    let of = |form: &Vec<u8>| memchr::memmem::find_iter(&bytes, form).count() as u64;
    forms.iter().map(of).max().unwrap_or(0)
}

/// Searches everything. Blocks for as long as reading all of it takes.
pub(crate) fn search(books: &Books, subject: &str) -> Result<Findings, JournalError> {
    let forms = forms(subject);
    let mut found = Findings::default();
    let mut reader = books.journal()?;
    let mut after = 0;
    loop {
        let page = reader.entries(after, STEP)?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for entry in &page {
            let body = count(&entry.body, &forms) + count(entry.stream.as_bytes(), &forms);
            let detail = reader.detail(entry.seq)?.filter(|d| count(d, &forms) > 0);
            if body == 0 && detail.is_none() {
                continue;
            }
            let kind = found.kinds.entry(entry.kind.clone()).or_default();
            if body > 0 {
                kind.entries += 1;
                kind.first = if kind.first == 0 { entry.seq } else { kind.first };
                kind.last = entry.seq;
            }
            if let Some(detail) = detail {
                kind.details += 1;
                kind.detail_bytes += detail.len() as u64;
                let needed = books.read(|s| class_of(s, entry)).is_none_or(|c| c == Class::Needed);
                kind.needed += u64::from(needed);
            }
        }
    }
    found.open = books.read(|s| {
        let open = s.incidents.values().filter(|i| i.status != Status::Resolved && i.merged_into.is_none());
        let speaks = open.filter(|i| count(format!("{i:?}").as_bytes(), &forms) > 0);
        speaks.map(|i| i.id.to_string()).collect()
    });
    files(books.data_dir(), books.data_dir(), &forms, &mut found.files);
    Ok(found)
}

/// Files beside the journal.
fn files(root: &Path, folder: &Path, forms: &[Vec<u8>], found: &mut BTreeMap<String, u64>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        if path.is_dir() {
            files(root, &path, forms, found);
        } else if !name.starts_with("journal.db") && entry.metadata().is_ok_and(|m| m.len() <= LARGEST) {
            let n = std::fs::read(&path).map_or(0, |bytes| count(&bytes, forms));
            if n > 0 {
                found.insert(name, n);
            }
        }
    }
}
