//! Programs for cargo that the chores use: the one installed, or one built once into `target/tools`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

/// The program of this name: as it is installed, which `probe` asks it, else built in this version.
///
/// # Errors
/// When it is not there and cannot be built.
pub(crate) fn installed(name: &str, probe: &[&str], version: &str) -> Result<PathBuf> {
    if Command::new(name).args(probe).output().is_ok_and(|o| o.status.success()) {
        return Ok(PathBuf::from(name));
    }
    let root = std::env::current_dir()?.join("target/tools");
    let program = root.join("bin").join(name);
    if !program.is_file() {
        println!("\nbuilding {name} {version} once, into target/tools (some minutes)");
        // Unoptimised: these run for seconds, and two cores would optimise them for ten minutes.
        let words = ["install", name, "--version", version, "--locked", "--debug", "--quiet", "--root"];
        let status = Command::new("cargo").args(words).arg(&root).status()?;
        if !status.success() {
            bail!("{name} could not be built");
        }
    }
    Ok(program)
}
