//! Which subscriptions there are and how far each has come: one small file, replaced whole.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use stanch_model::Timestamp;

/// The file in the data folder.
const NAME: &str = "webhooks.json";
/// Subscriptions at most.
pub(crate) const MOST: usize = 100;

/// What can be subscribed to, and what it is told as. The left is the journal's word.
pub(crate) const KINDS: &[(&str, &str)] = &[
    ("incident_opened", "incident.opened"),
    ("incidents_merged", "incident.merged"),
    ("incidents_unmerged", "incident.unmerged"),
    ("acknowledged", "incident.acknowledged"),
    ("escalated", "incident.escalated"),
    ("resolved", "incident.resolved"),
    ("approval_requested", "approval.requested"),
    ("approval_settled", "approval.settled"),
    ("action_permitted", "action.permitted"),
    ("action_observed", "action.observed"),
    ("action_ended", "action.ended"),
    ("run_started", "run.started"),
    ("run_resumed", "run.resumed"),
    ("run_ended", "run.ended"),
    ("task_opened", "task.opened"),
    ("task_answered", "task.answered"),
    ("silence_set", "silence.set"),
    ("silence_ended", "silence.ended"),
    ("kill_switch", "kill_switch.changed"),
    ("loaded", "configuration.loaded"),
];

/// One subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hook {
    /// 1, 2, 3, …: `HOOK-1`.
    pub(crate) n: u64,
    pub(crate) url: String,
    /// What is told, as `incident.opened`; empty: all.
    pub(crate) events: Vec<String>,
    #[serde(default)]
    pub(crate) allow_private: Vec<ipnet::IpNet>,
    pub(crate) created: Timestamp,
    pub(crate) by: String,
    /// Delivered up to this entry of the journal.
    pub(crate) cursor: u64,
    pub(crate) delivered: u64,
    /// Failures in a row, when they began, and what the last one was.
    pub(crate) failures: u32,
    pub(crate) since: Option<Timestamp>,
    pub(crate) why: Option<String>,
    /// Not before then.
    pub(crate) next: Timestamp,
    /// Switched off: by itself after failures.
    pub(crate) off: bool,
    /// The key before signs as well until then.
    pub(crate) both_until: Option<Timestamp>,
}

impl Hook {
    /// Its name.
    pub(crate) fn id(&self) -> String {
        format!("HOOK-{}", self.n)
    }

    /// What it is told an entry of this kind as; none when it did not ask for it.
    pub(crate) fn wants(&self, kind: &str) -> Option<&'static str> {
        let (_, name) = KINDS.iter().find(|(k, _)| *k == kind)?;
        (self.events.is_empty() || self.events.iter().any(|e| e == name)).then_some(name)
    }
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct File {
    last: u64,
    hooks: Vec<Hook>,
}

/// All subscriptions.
pub(crate) struct Book {
    file: Mutex<File>,
    path: PathBuf,
}

impl Book {
    /// Those of a data folder.
    ///
    /// # Errors
    /// When the file is there and cannot be read: forgetting subscriptions silently would be worse.
    pub(crate) fn open(data: &Path) -> Result<Book, String> {
        let path = data.join(NAME);
        let file = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|e| format!("{}: {e}; mend it or move it away", path.display()))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => File::default(),
            Err(e) => return Err(format!("{}: {e}", path.display())),
        };
        Ok(Book { file: Mutex::new(file), path })
    }

    fn lock(&self) -> MutexGuard<'_, File> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As they are now.
    pub(crate) fn list(&self) -> Vec<Hook> {
        self.lock().hooks.clone()
    }

    /// Adds one; its number is its own for ever.
    pub(crate) fn add(&self, make: impl FnOnce(u64) -> Hook) -> Result<Hook, String> {
        let mut file = self.lock();
        let mut next = file.clone();
        next.last += 1;
        let hook = make(next.last);
        next.hooks.push(hook.clone());
        self.write(&next)?;
        *file = next;
        Ok(hook)
    }

    /// Changes one; none when it is gone.
    pub(crate) fn change(&self, n: u64, change: impl FnOnce(&mut Hook)) -> Result<Option<Hook>, String> {
        let mut file = self.lock();
        let mut next = file.clone();
        let Some(hook) = next.hooks.iter_mut().find(|h| h.n == n) else { return Ok(None) };
        change(hook);
        let hook = hook.clone();
        self.write(&next)?;
        *file = next;
        Ok(Some(hook))
    }

    /// Changes one without writing it: what is lost with the process is found out again.
    pub(crate) fn touch(&self, n: u64, change: impl FnOnce(&mut Hook)) {
        if let Some(hook) = self.lock().hooks.iter_mut().find(|h| h.n == n) {
            change(hook);
        }
    }

    /// Removes one.
    pub(crate) fn remove(&self, n: u64) -> Result<Option<Hook>, String> {
        let mut file = self.lock();
        let mut next = file.clone();
        let Some(at) = next.hooks.iter().position(|h| h.n == n) else { return Ok(None) };
        let gone = next.hooks.remove(at);
        self.write(&next)?;
        *file = next;
        Ok(Some(gone))
    }

    fn write(&self, file: &File) -> Result<(), String> {
        let said = |e: std::io::Error| format!("{}: {e}", self.path.display());
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut fresh = tempfile::NamedTempFile::new_in(folder).map_err(said)?;
        let text = serde_json::to_vec_pretty(file).map_err(|e| e.to_string())?;
        fresh.write_all(&text).and_then(|()| fresh.as_file().sync_data()).map_err(said)?;
        fresh.persist(&self.path).map(drop).map_err(|e| said(e.error))
    }
}
