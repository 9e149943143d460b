//! `cargo xtask ui`: builds the console, regenerates its client, and checks both.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::args::Args;

#[path = "../../crates/stanch-server/build_console.rs"]
mod console;

/// Where the console lies.
pub(crate) fn folder() -> Result<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    Ok(root.parent().context("no workspace around xtask")?.join("ui"))
}

/// Builds it when its sources have changed; `--client` regenerates the client from the server's own
/// description; `--check` holds types, unit tests and the generated client against the sources.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    let mut args = Args::new(words);
    let (client, check) = (args.flag("--client"), args.flag("--check"));
    args.words()?;
    let ui = folder()?;
    if let Err(why) = console::node() {
        if check {
            println!("skipped: {why}");
            return Ok(ExitCode::SUCCESS);
        }
        bail!(why);
    }
    console::install(&ui).map_err(|e| anyhow!(e))?;
    if client {
        describe(&ui)?;
        npm(&ui, &["run", "--silent", "client"])?;
    }
    if check {
        fresh(&ui)?;
        npm(&ui, &["run", "--silent", "types"])?;
        npm(&ui, &["run", "--silent", "unit"])?;
    }
    build(&ui)?;
    Ok(ExitCode::SUCCESS)
}

/// Builds the console when its sources have changed.
pub(crate) fn build(ui: &Path) -> Result<()> {
    console::build(ui).map_err(|e| anyhow!(e))
}

/// Has the server write down its description: the test that compares it writes when asked to.
fn describe(ui: &Path) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let words = ["test", "-q", "-p", "stanch-server", "--test", "it", "the_description_that_the_console"];
    let status = Command::new(cargo).args(words).current_dir(ui).env("STANCH_WRITE_OPENAPI", "1").status()?;
    ensure!(status.success(), "the server's description could not be written");
    Ok(())
}

/// The committed client is what the committed description gives.
fn fresh(ui: &Path) -> Result<()> {
    let kept = std::fs::read(ui.join("src/api/schema.d.ts"))?;
    let dir = tempfile::tempdir()?;
    let made = dir.path().join("schema.d.ts");
    let out = made.to_string_lossy();
    npm(
        ui,
        &[
            "exec",
            "--",
            "openapi-typescript",
            "openapi.json",
            "--output",
            &out,
            "--alphabetize",
            "--root-types",
        ],
    )?;
    ensure!(kept == std::fs::read(&made)?, "ui/src/api/schema.d.ts is old; run: cargo xtask ui --client");
    Ok(())
}

fn npm(ui: &Path, words: &[&str]) -> Result<()> {
    let status = Command::new("npm").args(words).current_dir(ui).stdin(Stdio::null()).status()?;
    ensure!(status.success(), "npm {} failed in ui/", words.join(" "));
    Ok(())
}
