//! Playbooks as they are written: judged within the whole folder, and put into it in one piece.
//!
//! A text is judged exactly as a reload would judge it, because it is the same compilation with one
//! file replaced. Saving writes beside the file, syncs, renames, and reloads; when the reload refuses,
//! what was there before is put back. Nothing here decides who may do it.

use std::io::Write as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use stanch_core::config::{Mistake, PlaybookEdits, compile};
use stanch_core::journal::event::PlaybookSaved;
use stanch_core::playbook::Playbook;
use stanch_core::playbook::load::load;
use stanch_engine::Loader;

use crate::config_dir;
use crate::live::{Live, Reloaded};
use crate::problem::Problem;
use crate::versions;

/// The permissions of a new file: the owner writes, the group reads.
#[cfg(unix)]
const MODE: u32 = 0o640;

/// What came of looking at a text.
pub(crate) struct Judged {
    /// The plan, when at least its own text can be read.
    pub(crate) playbook: Option<Playbook>,
    /// Mistakes that would stop a reload, and warnings about this file.
    pub(crate) mistakes: Vec<Mistake>,
}

impl Judged {
    /// True when a reload would take it.
    pub(crate) fn ok(&self) -> bool {
        self.mistakes.iter().all(|m| m.warning)
    }
}

/// What runs are pinned to, and what an edit begins from.
pub(crate) fn hex_digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Where a playbook lies in the folder.
pub(crate) fn place(name: &str) -> String {
    format!("playbooks/{name}.yaml")
}

/// Judges a text as the playbook of this name, beside all the other files.
pub(crate) fn judge(mut files: Vec<(String, String)>, name: &str, text: &str) -> Judged {
    let path = place(name);
    let playbook = load(name, &path, text).ok();
    files.retain(|(p, _)| *p != path);
    files.push((path.clone(), text.to_owned()));
    files.sort();
    let mut mistakes = match compile(&files) {
        Ok(config) => config.warnings,
        Err(mistakes) => mistakes,
    };
    mistakes.retain(|m| m.file == path || !m.warning);
    // The mistakes of this file first: they are what its author can mend.
    mistakes.sort_by_key(|m| (m.file != path, m.file.clone(), m.line, m.column));
    Judged { playbook, mistakes }
}

/// Why playbooks are not saved into this folder, and what to do instead; none: they are.
pub(crate) fn refused(dir: &Path, edits: PlaybookEdits) -> Option<(String, &'static str)> {
    match edits {
        PlaybookEdits::Off => Some((
            "the configuration says `playbook_edits: off`: playbooks are not saved from here".to_owned(),
            "copy the text, and have it put into the folder the way your team changes it",
        )),
        PlaybookEdits::Auto if in_git(dir) => Some((
            "the configuration folder is kept in git: a change belongs into a commit".to_owned(),
            "copy the text into a commit, or write `playbook_edits: on` into stanch.yaml to save here as well",
        )),
        PlaybookEdits::Auto | PlaybookEdits::On => None,
    }
}

/// True when the folder lies in a git work tree.
fn in_git(dir: &Path) -> bool {
    let real = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    // `.git` is a folder, or a file in a work tree of its own.
    real.ancestors().any(|at| at.join(".git").exists())
}

/// Saves a playbook and puts it in force, or changes nothing. `base` is the digest of the text that
/// was edited, empty for a new one. `who` is written down as the one who changed it.
pub(crate) async fn save(
    live: &Live,
    name: &str,
    text: String,
    base: &str,
    who: &str,
) -> Result<Reloaded, Problem> {
    let lock = live.reloading.lock().await;
    let (dir, edits) = (live.config_dir.clone(), live.engine.rules().config.server.playbook_edits);
    let saved =
        PlaybookSaved { playbook: name.to_owned(), hash: hex_digest(text.as_bytes()), by: who.to_owned() };
    let by = Loader { by: format!("{who}, saving playbook {name}"), saved: Some(saved) };
    let (path, named, base) = (place(name), name.to_owned(), base.to_owned());
    let before = tokio::task::spawn_blocking(move || write(&dir, edits, &named, &text, &base)).await;
    let before = before.map_err(|_| Problem::internal("a bug ended the saving of the playbook"))??;
    match live.reload_alone(by, &lock).await {
        Ok(reloaded) => {
            // The saving has succeeded; a comparison less is told to the operator and stops nothing.
            let (data, named) = (live.data_dir.clone(), name.to_owned());
            let kept =
                before.map(|old| tokio::task::spawn_blocking(move || versions::keep(&data, &named, &old)));
            if let Some(kept) = kept
                && let Err(e) = kept.await.unwrap_or_else(|e| Err(std::io::Error::other(e)))
            {
                tracing::warn!(error = %e, playbook = name, "the version before could not be kept");
            }
            Ok(reloaded)
        }
        Err(mistakes) => {
            let file = live.config_dir.join(path);
            let back = match before {
                Some(old) => put(&file, &old),
                None => std::fs::remove_file(&file),
            };
            if let Err(e) = back {
                tracing::error!(error = %e, "the playbook before could not be put back");
            }
            Err(Problem::configuration(&mistakes))
        }
    }
}

/// Checks and writes; gives back what was there.
fn write(
    dir: &Path,
    edits: PlaybookEdits,
    name: &str,
    text: &str,
    base: &str,
) -> Result<Option<Vec<u8>>, Problem> {
    if let Some((why, mend)) = refused(dir, edits) {
        return Err(Problem::forbidden(why, mend));
    }
    let file = dir.join(place(name));
    if file.is_symlink() {
        let message = format!("{} is a link: something else keeps this file", place(name));
        return Err(Problem::forbidden(message, "change it where it is kept"));
    }
    let before = std::fs::read(&file).ok();
    let is = before.as_deref().map(hex_digest).unwrap_or_default();
    if is != base {
        let message = match (&before, base.is_empty()) {
            (Some(_), true) => format!("there is a playbook {name} already"),
            (None, _) => format!("{} is gone from the folder", place(name)),
            (Some(_), false) => format!("{} was changed since you began", place(name)),
        };
        return Err(Problem::moved_on(message, "read it again, and bring your change over"));
    }
    let judged = judge(config_dir::texts(dir).map_err(|m| Problem::configuration(&m))?, name, text);
    if !judged.ok() {
        return Err(Problem::configuration(&judged.mistakes));
    }
    put(&file, text.as_bytes()).map_err(|e| {
        tracing::warn!(error = %e, file = %file.display(), "a playbook could not be written");
        let message = format!("the folder playbooks/ of the configuration cannot be written: {}", e.kind());
        Problem::forbidden(
            message,
            "let the user that stanch runs as write there, or change the file yourself",
        )
    })?;
    Ok(before)
}

/// Writes a file whole, or leaves it as it was.
fn put(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or_else(|| Path::new("."));
    std::fs::create_dir_all(folder)?;
    // A dot before the name: a reload in between does not read it.
    let mut temporary = tempfile::Builder::new().prefix(".saving-").tempfile_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(file).map_or(MODE, |m| m.permissions().mode());
        temporary.as_file().set_permissions(std::fs::Permissions::from_mode(mode))?;
    }
    temporary.persist(file).map_err(|e| e.error)?;
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "name: look\nsummary: Looks\non: called\nsteps:\n  - { id: cool, wait: 10m }\nsop: x\n";

    #[test]
    fn a_text_is_judged_within_the_folder_and_its_own_mistakes_come_first() {
        let files: Vec<(String, String)> = stanch_core::config::init::template()
            .iter()
            .map(|(p, t)| ((*p).to_owned(), (*t).to_owned()))
            .filter(|(p, _)| !p.ends_with(".md") && !p.ends_with("gitignore") && !p.ends_with(".csv"))
            .collect();
        let judged = judge(files.clone(), "look", GOOD);
        assert!(judged.ok() && judged.playbook.is_some(), "{:?}", judged.mistakes);
        let judged = judge(files, "look", &GOOD.replace("wait: 10m", "wait: soon"));
        assert!(!judged.ok() && judged.playbook.is_none());
        assert_eq!((judged.mistakes[0].file.as_str(), judged.mistakes[0].line), ("playbooks/look.yaml", 5));
    }

    #[test]
    fn a_folder_in_git_is_not_written_unless_its_policy_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("etc/stanch");
        std::fs::create_dir_all(&folder).unwrap();
        assert!(refused(&folder, PlaybookEdits::Auto).is_none());
        assert!(refused(&folder, PlaybookEdits::Off).is_some());
        std::fs::create_dir(dir.path().join(".git")).unwrap();
        assert!(refused(&folder, PlaybookEdits::Auto).is_some_and(|(why, _)| why.contains("git")));
        assert!(refused(&folder, PlaybookEdits::On).is_none());
    }

    #[test]
    fn a_text_edited_meanwhile_by_another_is_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(place("look"));
        put(&file, b"one").unwrap();
        let save = |base: &str| write(dir.path(), PlaybookEdits::Auto, "look", GOOD, base);
        assert!(save("").is_err(), "there is one already");
        assert!(save(&hex_digest(b"other")).is_err());
        assert_eq!(std::fs::read(&file).unwrap(), b"one");
        put(&file, b"two").unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "nothing else is left");
    }
}
