//! Where things are: the configuration folder, the store, the token.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::exit::{Exit, Failure};

/// The file by which a configuration folder is recognised.
pub(crate) const MARK: &str = "stanch.yaml";

/// The configuration folder: as named, else `./stanch`, else the current folder if it is one.
#[must_use]
pub(crate) fn config_dir(named: Option<&Path>) -> Option<PathBuf> {
    if let Some(named) = named {
        return Some(named.to_owned());
    }
    [PathBuf::from("stanch"), PathBuf::from(".")].into_iter().find(|dir| dir.join(MARK).is_file())
}

/// The same, for commands that cannot do without.
///
/// # Errors
/// Says how to make one.
pub(crate) fn needed_config_dir(named: Option<&Path>) -> Result<PathBuf> {
    let Some(dir) = config_dir(named) else {
        let message =
            "there is no configuration folder here (neither ./stanch/stanch.yaml nor ./stanch.yaml)";
        let mend = "write one with `stanch init stanch`, or name yours with --config DIR";
        return Err(Failure::new(Exit::BadConfig, message, mend).into());
    };
    if !dir.is_dir() {
        let message = format!("{} is no folder", dir.display());
        let mend = format!("write one with `stanch init {}`", dir.display());
        return Err(Failure::new(Exit::BadConfig, message, mend).into());
    }
    Ok(dir)
}

/// The store's folder: as named, else `.stanch` in the configuration folder, which its `.gitignore`
/// keeps out of version control.
#[must_use]
pub(crate) fn data_dir(named: Option<&Path>, config: &Path) -> PathBuf {
    named.map_or_else(|| config.join(".stanch"), Path::to_owned)
}

/// The token: a named file, the environment, a person's file in the configuration folder.
///
/// # Errors
/// When a file was named that cannot be read, or that holds no token.
pub(crate) fn token(
    file: Option<&Path>,
    person: Option<&str>,
    config: Option<&Path>,
) -> Result<Option<String>> {
    if let Some(file) = file {
        return read_token(file).map(Some);
    }
    if person.is_none()
        && let Some(token) = env_token()?
    {
        return Ok(Some(token));
    }
    let Some(config) = config_dir(config) else {
        return match person {
            None => Ok(None),
            Some(_) => Err(Failure::usage(
                "--as needs the configuration folder",
                "name it with --config DIR, or name the token's file with --token-file",
            )
            .into()),
        };
    };
    let name = person.unwrap_or("admin");
    if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') {
        return Err(Failure::usage(format!("--as {name} is no name of a person"), "").into());
    }
    let file = config.join("secrets").join(format!("{name}.token"));
    if person.is_none() && !file.exists() {
        return Ok(None);
    }
    read_token(&file).map(Some)
}

/// The token that the environment names or holds.
///
/// # Errors
/// When it names a file that cannot be read, or holds no token.
pub(crate) fn env_token() -> Result<Option<String>> {
    let named = std::env::var_os("STANCH_TOKEN_FILE").filter(|v| !v.is_empty());
    if let Some(file) = named {
        return read_token(Path::new(&file)).map(Some);
    }
    match std::env::var("STANCH_TOKEN") {
        Ok(token) if !token.trim().is_empty() => checked(token.trim(), "STANCH_TOKEN").map(Some),
        _ => Ok(None),
    }
}

/// The token in a file, without the line break at its end.
///
/// # Errors
/// When it cannot be read, or holds no token.
pub(crate) fn read_token(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file).map_err(|e| {
        let message = format!("the token in {} cannot be read: {e}", file.display());
        Failure::new(Exit::Forbidden, message, "name a file that you can read with --token-file")
    })?;
    checked(text.trim(), &file.display().to_string())
}

fn checked(token: &str, place: &str) -> Result<String> {
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        // What stands there is not shown: it may be a secret after all.
        let message = format!("{place} holds no token (printable characters without spaces)");
        return Err(Failure::new(Exit::Forbidden, message, "name another one with --token-file").into());
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_without_its_line_break_and_never_shown() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("t");
        std::fs::write(&file, "abc123\n").expect("written");
        assert_eq!(read_token(&file).expect("a token"), "abc123");
        std::fs::write(&file, "top secret").expect("written");
        let error = read_token(&file).expect_err("two words").to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn a_person_is_a_name_and_not_a_path() {
        let dir = tempfile::tempdir().expect("a folder");
        for name in ["../x", "", ".hidden", "a/b"] {
            assert!(token(None, Some(name), Some(dir.path())).is_err(), "{name}");
        }
    }
}
