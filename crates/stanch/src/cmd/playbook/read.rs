//! Playbooks from files.

use std::path::{Path, PathBuf};

use anyhow::Result;
use stanch_core::config::Mistake;
use stanch_core::playbook::Playbook;
use stanch_core::playbook::load::load;

use crate::exit::{Exit, Failure};
use crate::local;

/// The text of a file, and the playbook's name: the file's without its ending.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn text(file: &Path) -> Result<(String, String)> {
    let text = std::fs::read_to_string(file).map_err(|e| {
        let exit = if e.kind() == std::io::ErrorKind::NotFound { Exit::NotFound } else { Exit::Failed };
        Failure::new(exit, format!("{} cannot be read: {e}", file.display()), "name a playbook's file")
    })?;
    let name = file.file_stem().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
    Ok((name, text))
}

/// One playbook, or its mistakes.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn playbook(file: &Path) -> Result<Result<Playbook, Vec<Mistake>>> {
    let (name, text) = text(file)?;
    Ok(load(&name, &file.display().to_string(), &text))
}

/// One playbook that has no mistakes.
///
/// # Errors
/// When the file cannot be read, or all its mistakes; the program ends with 3 then.
pub(super) fn sound(file: &Path) -> Result<Playbook> {
    playbook(file)?.map_err(|mistakes| {
        let message = format!("{} is no sound playbook", file.display());
        let mut failure = Failure::new(Exit::Findings, message, "mend what is said above");
        failure.mistakes = mistakes.into_iter().map(local::shown).collect();
        failure.into()
    })
}

/// The files of a folder of playbooks, in order of their names.
///
/// # Errors
/// When the folder cannot be read.
pub(super) fn folder(dir: &Path) -> Result<Vec<PathBuf>> {
    let read = std::fs::read_dir(dir)
        .map_err(|e| Failure::new(Exit::Failed, format!("{} cannot be read: {e}", dir.display()), ""))?;
    let mut files: Vec<PathBuf> = read.filter_map(Result::ok).map(|entry| entry.path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    Ok(files)
}
