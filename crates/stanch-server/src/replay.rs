//! The time machine from outside: a journal, the folder in force, and a changed one.
//!
//! Reads only. The changed folder is put together in a temporary folder that nobody else can read,
//! because it holds the secrets of the first, and is removed afterwards.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use stanch_core::config::Mistake;
use stanch_core::contain::Mode;
use stanch_core::journal::{State, Undecodable, decode};
use stanch_core::radar::{self, Idle};
use stanch_engine::EngineError;
pub use stanch_engine::replay::{Change, Difference, Gate, Stream, Summary, Wish};
use stanch_engine::replay::{Replayed, compare, replay};
pub use stanch_engine::{Received, Rules};
use stanch_model::Timestamp;
use stanch_model::port::{JournalError, JournalReader, Record, Rejected};
use stanch_store::SqliteJournal;

use crate::config_dir::{self, Loaded};
use crate::connect::Kept;

/// Deepest folder that is copied.
const DEEPEST: usize = 6;

/// Why history could not be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// It holds something this program cannot read.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// It holds something this program cannot read.
    #[error(transparent)]
    Undecodable(#[from] Undecodable),
    /// A folder has mistakes.
    #[error("{which} cannot be used")]
    Config {
        /// Which of the two.
        which: &'static str,
        /// All of them.
        mistakes: Vec<Mistake>,
    },
    /// The changed folder could not be put together.
    #[error("{path}: {why}")]
    Overlay {
        /// Which file.
        path: String,
        /// Why.
        why: String,
    },
}

/// A change to try: a folder laid over the one in force, or one file put in a place of it.
#[derive(Clone, Debug)]
pub struct Overlay {
    /// The place, relative to the configuration folder; none for a folder.
    pub place: Option<String>,
    /// What to put there.
    pub from: PathBuf,
}

/// Replays a journal by the folder in force and by the changed one, and says what is different for
/// incidents whose first alert came in at `since` or later. Blocks.
///
/// # Errors
/// When the journal or one of the folders cannot be used.
pub fn what_if(
    data: &Path,
    config: &Path,
    overlays: &[Overlay],
    since: Timestamp,
    progress: &mut dyn FnMut(&'static str, u64),
) -> Result<Difference, ReplayError> {
    let before = load("the configuration in force", config)?;
    let changed = tempfile::tempdir().map_err(|e| overlay_error(Path::new("a temporary folder"), &e))?;
    copy(config, changed.path(), Some(data), 0)?;
    for overlay in overlays {
        lay_over(overlay, changed.path())?;
    }
    let after = load("the changed configuration", changed.path())?;
    let ours = one(data, &before, &mut |n| progress("in force", n))?;
    let theirs = one(data, &after, &mut |n| progress("changed", n))?;
    Ok(compare(&ours, &theirs, since))
}

/// What is configured and did nothing since `since`. Blocks.
///
/// # Errors
/// When the journal or the folder cannot be used.
pub fn idle(data: &Path, config: &Path, since: Timestamp) -> Result<Vec<Idle>, ReplayError> {
    let loaded = load("the configuration", config)?;
    let mut reader = SqliteJournal::open_read_only(data)?;
    let mut state = State::default();
    loop {
        let entries = reader.entries(state.seq, 2_048)?;
        if entries.is_empty() {
            return Ok(radar::idle(&state, &loaded.config, since));
        }
        for entry in entries {
            let event = decode(&entry)?;
            state.apply(entry.seq, entry.at, &event);
        }
    }
}

fn load(which: &'static str, dir: &Path) -> Result<Loaded, ReplayError> {
    let loaded = config_dir::load(dir, &crate::app::system_clock(), &Kept::default());
    loaded.map_err(|mistakes| ReplayError::Config { which, mistakes })
}

fn one(data: &Path, loaded: &Loaded, progress: &mut dyn FnMut(u64)) -> Result<Replayed, ReplayError> {
    let rules: Rules = loaded.connected.rules(Arc::clone(&loaded.config), Mode::Shadow);
    let mut reader = SqliteJournal::open_read_only(data)?;
    let parse = &mut |source: &str, body: &[u8], at: Timestamp| match loaded.doors.by_name(source) {
        Some(door) => door.parse(body, at),
        None => vec![Record {
            raw: 0..body.len(),
            parsed: Err(Rejected { reason: format!("there is no source {source} in this configuration") }),
        }],
    };
    Ok(replay(&mut reader, &rules, parse, progress)?)
}

fn overlay_error(path: &Path, why: &std::io::Error) -> ReplayError {
    ReplayError::Overlay { path: path.display().to_string(), why: why.to_string() }
}

/// Copies a folder; the store, which may lie in it, is left out.
fn copy(from: &Path, to: &Path, but: Option<&Path>, depth: usize) -> Result<(), ReplayError> {
    let but = but.and_then(|p| p.canonicalize().ok());
    for entry in std::fs::read_dir(from).map_err(|e| overlay_error(from, &e))? {
        let path = entry.map_err(|e| overlay_error(from, &e))?.path();
        let Some(name) = path.file_name() else { continue };
        let at = to.join(name);
        let hidden = name.to_string_lossy().starts_with('.');
        if hidden || path.canonicalize().ok().is_some_and(|p| Some(p) == but) {
            continue;
        }
        if path.is_dir() {
            if depth < DEEPEST {
                std::fs::create_dir_all(&at).map_err(|e| overlay_error(&at, &e))?;
                copy(&path, &at, but.as_deref(), depth + 1)?;
            }
        } else {
            std::fs::copy(&path, &at).map_err(|e| overlay_error(&path, &e))?;
        }
    }
    Ok(())
}

fn lay_over(overlay: &Overlay, onto: &Path) -> Result<(), ReplayError> {
    let Some(place) = &overlay.place else {
        return copy(&overlay.from, onto, None, 0);
    };
    let place = Path::new(place);
    if !place.components().all(|c| matches!(c, Component::Normal(_))) {
        let why = "the place must lie within the configuration folder".to_owned();
        return Err(ReplayError::Overlay { path: place.display().to_string(), why });
    }
    let at = onto.join(place);
    if let Some(parent) = at.parent() {
        std::fs::create_dir_all(parent).map_err(|e| overlay_error(parent, &e))?;
    }
    std::fs::copy(&overlay.from, &at).map(drop).map_err(|e| overlay_error(&overlay.from, &e))
}
