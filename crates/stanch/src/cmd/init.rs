//! `stanch init [DIR]`: the commented configuration folder, with fresh tokens.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::json;
use stanch_core::config::init::{SECRETS, template};

use crate::cli::Ctx;
use crate::exit::{Exit, Failure};

/// Bytes of a token before it is written as text: 256 bits.
const TOKEN_BYTES: usize = 32;

/// Write a commented configuration folder with fresh tokens
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to; made when it does not exist
    #[arg(default_value = "stanch")]
    dir: PathBuf,
    /// Also into a folder that is not empty; files and tokens that are there stay as they are
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let dir = &args.dir;
    let occupied = fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    if occupied && !args.force {
        let message = format!("{} is not empty; nothing was written", dir.display());
        let mend = "name another folder, or add --force: it adds what is missing and changes no file";
        return Err(Failure::new(Exit::Refused, message, mend).into());
    }
    let (written, kept) = write(dir)?;
    if ctx.out.json {
        ctx.out.json(&json!({ "dir": dir, "written": written, "kept": kept }));
        return Ok(Exit::Ok);
    }
    let shown = dir.display();
    let flag = if dir == Path::new("stanch") { String::new() } else { format!(" --config {shown}") };
    ctx.out.line(format!("{shown}: {} files written, {} kept", written.len(), kept.len()));
    ctx.out.note(format!(
        "\nTokens are in {shown}/secrets, readable by you only. What next:\n\
         \n  stanch check{flag}                        # says what is wrong, with file and line\
         \n  stanch serve{flag}                        # http://127.0.0.1:7878\
         \n  stanch ingest eve.json --source suricata{flag}\
         \n  stanch incidents{flag}\
         \n  stanch playbook shipped{flag}             # ten runbooks to choose from\
         \n\nEvery key is explained where it stands; begin with {shown}/README.md."
    ));
    Ok(Exit::Ok)
}

/// Paths in the folder.
type Paths = Vec<&'static str>;

/// Writes what is missing; returns what was written, and what was there and stays.
///
/// # Errors
/// When a file cannot be written, or there are no random numbers.
pub(crate) fn write(dir: &Path) -> Result<(Paths, Paths)> {
    let (mut written, mut kept) = (Vec::new(), Vec::new());
    for (path, text) in template() {
        let new = put(&dir.join(path), text.as_bytes(), 0o644)?;
        if new { written.push(path) } else { kept.push(path) }
    }
    for path in SECRETS {
        let mut token = random_token()?;
        token.push('\n');
        let new = put(&dir.join(path), token.as_bytes(), 0o600)?;
        if new { written.push(*path) } else { kept.push(*path) }
    }
    Ok((written, kept))
}

/// Writes a new file, the folders above it included; false when there is one already.
fn put(path: &Path, bytes: &[u8], mode: u32) -> Result<bool> {
    if let Some(parent) = path.parent() {
        let private = parent.ends_with("secrets");
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(if private { 0o700 } else { 0o755 });
        builder.create(parent).with_context(|| format!("{} cannot be made", parent.display()))?;
    }
    let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    match opened {
        Ok(mut file) => {
            file.write_all(bytes).with_context(|| format!("{} cannot be written", path.display()))?;
            Ok(true)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error).with_context(|| format!("{} cannot be made", path.display())),
    }
}

/// 256 random bits as 64 hexadecimal digits.
fn random_token() -> Result<String> {
    let mut bytes = [0_u8; TOKEN_BYTES];
    getrandom::fill(&mut bytes).context("the system gives no random numbers")?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_256_bits_and_never_the_same() {
        let (a, b) = (random_token().expect("random"), random_token().expect("random"));
        assert_eq!(a.len(), 64);
        assert_ne!(a, b);
    }
}
