//! Versions of playbooks that were in force before: their texts, kept when one is saved through the API.
//!
//! What runs are pinned to stands in the journal; this is for versions by which nothing ran. Lying beside
//! the journal, they are no part of its chain: losing them loses a comparison and nothing else.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use stanch_model::Timestamp;

use crate::workshop::hex_digest;

/// Versions kept of one playbook; the oldest make room.
pub(crate) const MOST: usize = 20;

/// A version that was replaced.
pub(crate) struct Former {
    /// Its text.
    pub(crate) text: String,
    /// When another took its place.
    pub(crate) replaced: Timestamp,
}

fn folder(data: &Path, name: &str) -> PathBuf {
    data.join("playbooks-before").join(name)
}

/// Keeps a text that was just replaced. Blocks.
///
/// # Errors
/// When the data folder cannot be written.
pub(crate) fn keep(data: &Path, name: &str, text: &[u8]) -> std::io::Result<()> {
    let at = folder(data, name);
    std::fs::create_dir_all(&at)?;
    std::fs::write(at.join(format!("{}.yaml", hex_digest(text))), text)?;
    let mut all = files(&at);
    all.sort_by_key(|f| f.1);
    for (file, _) in all.iter().rev().skip(MOST) {
        std::fs::remove_file(file)?;
    }
    Ok(())
}

/// All that are kept of a playbook, in no order. Whatever cannot be read, or is not what its name says, is
/// left out. Blocks.
pub(crate) fn kept(data: &Path, name: &str) -> Vec<Former> {
    let read = |(file, replaced): (PathBuf, Timestamp)| {
        let text = std::fs::read_to_string(&file).ok()?;
        let named = file.file_stem()?.to_str()? == hex_digest(text.as_bytes());
        named.then_some(Former { text, replaced })
    };
    files(&folder(data, name)).into_iter().filter_map(read).collect()
}

fn files(at: &Path) -> Vec<(PathBuf, Timestamp)> {
    let Ok(all) = std::fs::read_dir(at) else { return Vec::new() };
    let dated = |e: std::fs::DirEntry| {
        let since = e.metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some((e.path(), Timestamp(i64::try_from(since.as_millis()).ok()?)))
    };
    all.flatten().filter_map(dated).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_replaced_is_kept_once_and_what_was_changed_since_is_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        assert!(kept(dir.path(), "look").is_empty());
        for text in ["one", "two", "one"] {
            keep(dir.path(), "look", text.as_bytes()).unwrap();
        }
        let texts = || {
            let mut all: Vec<String> = kept(dir.path(), "look").into_iter().map(|f| f.text).collect();
            all.sort();
            all
        };
        assert_eq!(texts(), ["one", "two"]);
        std::fs::write(folder(dir.path(), "look").join(format!("{}.yaml", hex_digest(b"one"))), "x").unwrap();
        assert_eq!(texts(), ["two"]);
        assert!(kept(dir.path(), "other").is_empty());
    }

    #[test]
    fn only_so_many_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..MOST + 5 {
            keep(dir.path(), "look", n.to_string().as_bytes()).unwrap();
        }
        assert_eq!(kept(dir.path(), "look").len(), MOST);
    }
}
