//! Who people are to us: what they prove it by, kept in one file beside the journal.
//!
//! Who may do *what* is said by the configuration; this file only holds proofs (hashes of passwords and
//! tokens, links) and the accounts of those whom the configuration does not name. It is not part of the
//! journal, so that a proof that is gone is gone; every change of it is journalled first, without secrets
//! (ADR 0020).
//!
//! Never holds anything that could be used to come in.

pub(crate) mod book;
pub(crate) mod password;
pub(crate) mod throttle;
pub(crate) mod who;

use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use stanch_core::journal::event::Access;
use stanch_engine::Command;
use stanch_engine::command::Who;
use stanch_model::{Span, Timestamp};
use tokio::sync::Semaphore;

use crate::key_file;
use crate::live::Live;
use crate::problem::Problem;
use book::{Book, No};
use throttle::Throttle;

/// The file's name in the data folder.
const BOOK: &str = "identity.json";
/// The key that digests are made with: outside the file, so that the file alone is no list to try
/// tokens against.
const KEY: &str = "identity.key";
/// What our tokens begin with, so that programs that look for leaked secrets find them.
pub(crate) const TOKEN: &str = "stanch_";
/// Passwords hashed at the same time: each takes 19 MiB and a core.
const HASHING: usize = 2;
/// When a token was last used is written down at most this often.
const USED_EVERY: Span = Span::hours(1);
/// The set-up token is good for this long. Source: SEC-20.
pub const SET_UP: Span = Span::mins(15);

/// The digest of a set-up token, and until when it is good. Lives in memory only.
#[derive(Clone)]
pub struct SetUp {
    digest: String,
    until: Timestamp,
}

impl SetUp {
    /// For a token that was just made.
    #[must_use]
    pub fn of(token: &str, now: Timestamp) -> SetUp {
        SetUp { digest: plain_digest(token), until: now.plus(SET_UP) }
    }
}

fn plain_digest(text: &str) -> String {
    use sha2::Digest as _;
    hex(&Sha256::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// 256 random bits as 64 hexadecimal digits.
///
/// # Errors
/// When the machine gives no random numbers.
pub fn random() -> Result<String, String> {
    let mut raw = [0_u8; 32];
    getrandom::fill(&mut raw).map_err(|_| "the system gives no random numbers".to_owned())?;
    Ok(hex(&raw))
}

/// All that is known of people's proofs.
pub(crate) struct Identity {
    path: PathBuf,
    key: [u8; 32],
    book: Mutex<Book>,
    throttle: Mutex<Throttle>,
    set_up: Mutex<Option<SetUp>>,
    /// One change at a time.
    changing: tokio::sync::Mutex<()>,
    hashing: Semaphore,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Identity {
    /// Reads what is known, or begins with nothing. The data folder must be there.
    ///
    /// # Errors
    /// In words, why it cannot be read or trusted, and how to mend it.
    pub(crate) fn open(data: &Path, set_up: Option<SetUp>) -> Result<Identity, String> {
        let path = data.join(BOOK);
        let shown = path.display();
        let book = match std::fs::read(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => Book { version: 1, ..Book::default() },
            Err(e) => return Err(format!("{shown} cannot be read: {e}")),
            Ok(bytes) => {
                private(&path)?;
                serde_json::from_slice(&bytes).map_err(|e| {
                    format!("{shown} cannot be read: {e}; put a copy of it back, or move it away: accounts and tokens are then made anew")
                })?
            }
        };
        if book.version > 1 {
            return Err(format!("{shown} was written by a newer stanch (form {})", book.version));
        }
        Ok(Identity {
            key: key_file::read_or_make(&data.join(KEY), "key of accounts")?,
            path,
            book: Mutex::new(book),
            throttle: Mutex::default(),
            set_up: Mutex::new(set_up),
            changing: tokio::sync::Mutex::default(),
            hashing: Semaphore::new(HASHING),
        })
    }

    /// What is known now.
    pub(crate) fn book(&self) -> Book {
        lock(&self.book).clone()
    }

    /// A look at what is known now.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Book) -> T) -> T {
        look(&lock(&self.book))
    }

    pub(crate) fn throttle(&self) -> MutexGuard<'_, Throttle> {
        lock(&self.throttle)
    }

    /// The keyed digest of a secret of ours.
    pub(crate) fn digest(&self, secret: &str) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return String::new() };
        mac.update(secret.as_bytes());
        hex(&mac.finalize().into_bytes())
    }

    /// Changes what is known: first it is tried on a copy, then journalled, then written to disk, and
    /// only then in force, for the guard too.
    ///
    /// # Errors
    /// When it does not fit, or cannot be journalled or written; then nothing was changed.
    pub(crate) async fn change<T>(
        &self,
        live: &Live,
        note: Note<'_>,
        change: impl FnOnce(&mut Book) -> Result<T, No>,
    ) -> Result<T, Problem> {
        let _one = self.changing.lock().await;
        let mut book = self.book();
        let made = change(&mut book)?;
        self.note(live, &note).await?;
        self.save(&book).map_err(|why| {
            tracing::error!(error = why, "accounts and tokens could not be written");
            Problem::internal("accounts and tokens could not be written to disk")
        })?;
        *lock(&self.book) = book;
        live.regrant(&note.by.name).await;
        Ok(made)
    }

    /// Journals what happened.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) async fn note(&self, live: &Live, note: &Note<'_>) -> Result<(), Problem> {
        let who = note.by.clone();
        let order = Command::Access { what: note.what, of: note.of.to_owned(), says: note.says.clone(), who };
        live.engine.command(order).await?;
        Ok(())
    }

    /// Whole or not at all: written beside, then put in place.
    fn save(&self, book: &Book) -> Result<(), String> {
        let said = |e: std::io::Error| format!("{}: {e}", self.path.display());
        let beside = self.path.with_extension("new");
        let bytes = serde_json::to_vec_pretty(book).map_err(|e| e.to_string())?;
        let mut open = std::fs::OpenOptions::new();
        let mut file =
            open.write(true).create(true).truncate(true).mode(0o600).open(&beside).map_err(said)?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(said)?;
        std::fs::rename(&beside, &self.path).map_err(said)?;
        let folder = self.path.parent().map(std::fs::File::open).transpose().map_err(said)?;
        folder.map_or(Ok(()), |f| f.sync_all()).map_err(said)
    }

    /// Writes down that a token was used, now and then.
    pub(crate) fn used(&self, id: u64, now: Timestamp) {
        let mut book = lock(&self.book);
        let Some(token) = book.tokens.get_mut(&id) else { return };
        if token.used.is_some_and(|at| now.since(Timestamp(at)) < USED_EVERY) {
            return;
        }
        token.used = Some(now.0);
        if let Err(why) = self.save(&book) {
            tracing::warn!(error = why, "when a token was last used could not be written");
        }
    }

    /// Hashes or checks a password, with few at a time, away from the threads that answer others.
    ///
    /// # Errors
    /// When this machine cannot.
    pub(crate) async fn with_password<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let _place = self.hashing.acquire().await.map_err(|_| Problem::busy("stanch is stopping"))?;
        tokio::task::spawn_blocking(work).await.map_err(|_| Problem::internal("a bug ended this request"))
    }

    /// True while the set-up token can be used.
    pub(crate) fn can_be_set_up(&self, now: Timestamp) -> bool {
        lock(&self.set_up).as_ref().is_some_and(|s| now.0 < s.until.0)
    }

    /// True when this is the set-up token and it can still be used.
    pub(crate) fn is_set_up(&self, token: &str, now: Timestamp) -> bool {
        let kept = lock(&self.set_up);
        kept.as_ref().is_some_and(|s| now.0 < s.until.0 && book::same(&s.digest, &plain_digest(token)))
    }

    /// There is an administrator already.
    pub(crate) fn forget_set_up(&self) {
        lock(&self.set_up).take();
    }

    /// Uses the set-up token up: true for the first who asks, and never again.
    pub(crate) fn use_set_up(&self, token: &str, now: Timestamp) -> bool {
        self.is_set_up(token, now) && lock(&self.set_up).take().is_some()
    }
}

/// What is journalled about a change.
pub(crate) struct Note<'a> {
    /// What happens.
    pub(crate) what: Access,
    /// About whom.
    pub(crate) of: &'a str,
    /// In words.
    pub(crate) says: String,
    /// By whom.
    pub(crate) by: &'a Who,
}

fn private(path: &Path) -> Result<(), String> {
    let shown = path.display();
    let mode = std::fs::metadata(path).map_err(|e| format!("{shown}: {e}"))?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(format!("{shown} can be read by others; run: chmod 600 {shown}"))
}

#[cfg(test)]
mod tests {
    use stanch_core::config::Role;

    use super::*;

    #[test]
    fn proofs_lie_in_a_file_for_its_owner_alone_and_survive_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let one = Identity::open(dir.path(), None).unwrap();
        let mut book = one.book();
        book.add("maria", Role::Admin, Default::default(), "test", Timestamp(1)).unwrap();
        one.save(&book).unwrap();
        let digest = one.digest("stanch_x");
        let two = Identity::open(dir.path(), None).unwrap();
        assert!(two.look(|b| b.accounts.contains_key("maria")));
        assert_eq!(two.digest("stanch_x"), digest);
        for name in [BOOK, KEY] {
            let path = dir.path().join(name);
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert!(Identity::open(dir.path(), None).err().unwrap().contains("chmod 600"), "{name}");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        std::fs::write(dir.path().join(BOOK), "{\"version\": 2}").unwrap();
        assert!(Identity::open(dir.path(), None).err().unwrap().contains("newer"));
    }

    #[test]
    fn the_set_up_token_is_good_once_and_for_fifteen_minutes() {
        let dir = tempfile::tempdir().unwrap();
        let now = Timestamp(1_000);
        let open = || Identity::open(dir.path(), Some(SetUp::of("a-token", now))).unwrap();
        let one = open();
        assert!(!one.use_set_up("another", now));
        assert!(one.use_set_up("a-token", now));
        assert!(!one.use_set_up("a-token", now), "once");
        assert!(!open().use_set_up("a-token", now.plus(SET_UP)), "fifteen minutes");
        assert!(!Identity::open(dir.path(), None).unwrap().can_be_set_up(now));
    }
}
