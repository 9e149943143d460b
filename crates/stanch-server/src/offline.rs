//! Answers without a running server: the journal folded once, read only.
//!
//! Whoever can read the file may see what is in it, so no token is asked for; nothing can be changed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use stanch_core::Config;
use stanch_core::journal::{State, Undecodable, decode};
use stanch_model::port::{JournalError, JournalReader};
use stanch_store::SqliteJournal;

use crate::auth::Desk;

/// Entries read at a time.
const PAGE: usize = 2_048;

/// Why a journal could not be read.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// The file.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What is in it.
    #[error(transparent)]
    Undecodable(#[from] Undecodable),
}

/// A journal that was read once.
pub(crate) struct Offline {
    pub(crate) state: State,
    pub(crate) data_dir: PathBuf,
    pub(crate) config: Option<Arc<Config>>,
}

impl Offline {
    /// Reads a journal. Blocks.
    pub(crate) fn read(data_dir: &Path, config: Option<Arc<Config>>) -> Result<Offline, OfflineError> {
        let mut reader = SqliteJournal::open_read_only(data_dir)?;
        let mut state = State::default();
        loop {
            let entries = reader.entries(state.seq, PAGE)?;
            if entries.is_empty() {
                break;
            }
            for entry in entries {
                let event = decode(&entry)?;
                state.apply(entry.seq, entry.at, &event);
            }
        }
        Ok(Offline { state, data_dir: data_dir.to_owned(), config })
    }
}

/// The API over a journal that nobody has to be writing: every GET route answers, nothing can be
/// changed, no token is needed. Blocks while the journal is read. With a configuration folder that
/// can be used, sources show what is configured too.
///
/// # Errors
/// When there is no journal, or it cannot be read.
pub fn offline_router(data_dir: &Path, config_dir: Option<&Path>) -> Result<Router, OfflineError> {
    let config = config_dir.and_then(crate::config_dir::compiled);
    let offline = Offline::read(data_dir, config)?;
    Ok(crate::api::router(Desk::offline(Arc::new(offline)), None))
}
