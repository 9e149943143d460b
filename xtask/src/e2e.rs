//! `cargo xtask e2e`: people's journeys through the console, in a real browser against the real server.
//!
//! `--smoke` plays the journeys only (under a minute); without it hostile text and every screen in both
//! themes come too (some minutes). `--pictures` writes the pictures of the documentation anew.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};

use crate::args::Args;
use crate::{cargo_build, ui};

/// Where Debian puts its browser.
const CHROMIUM: &str = "/usr/bin/chromium";

/// Plays them all.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    let mut args = Args::new(words);
    let (smoke, pictures) = (args.flag("--smoke"), args.flag("--pictures"));
    args.words()?;
    let folder = ui::folder()?;
    let Some(chromium) = browser(pictures)? else {
        if smoke {
            println!("skipped: there is no Chromium here; install it with: apt-get install chromium");
            return Ok(ExitCode::SUCCESS);
        }
        bail!("there is no Chromium here; install it with: apt-get install chromium");
    };
    if let Err(why) = ui::build(&folder) {
        ensure!(smoke, "{why}");
        println!("skipped: {why}");
        return Ok(ExitCode::SUCCESS);
    }
    let program = cargo_build(&["stanch"], false)?.join("stanch");
    let mut files = vec!["journeys", "setup", "block", "oidc", "teams", "runs", "outgoing"];
    if !smoke {
        files.extend(["hostile", "screens"]);
    }
    // One world at a time: two cores, and a browser in each.
    let play = |file: &str| -> Result<bool> {
        let mut command = Command::new("node");
        command.args(["--test", "--test-reporter=spec"]).arg(format!("e2e/{file}.test.mjs"));
        if pictures {
            command.env("STANCH_PICTURES", "1");
        }
        command.current_dir(&folder).env("STANCH_BIN", &program).env("CHROMIUM", &chromium);
        Ok(command.status().context("node cannot be started")?.success())
    };
    let mut failed = Vec::new();
    for file in files {
        // A browser on a busy machine is sometimes late. What fails twice, each time in a new world, is wrong.
        if play(file)? {
            continue;
        }
        println!("e2e: {file} failed; once more, in a new world");
        if play(file)? {
            println!(
                "e2e: {file} FAILED ONCE and passed then: it depends on time somewhere, and wants mending"
            );
        } else {
            failed.push(file);
        }
    }
    ensure!(failed.is_empty(), "failed twice: {}", failed.join(", "));
    Ok(ExitCode::SUCCESS)
}

/// The browser; installed first where that is possible.
pub(crate) fn browser(pictures: bool) -> Result<Option<PathBuf>> {
    if let Some(own) = std::env::var_os("CHROMIUM") {
        return Ok(Some(PathBuf::from(own)));
    }
    let mut missing = Vec::new();
    if !Path::new(CHROMIUM).is_file() {
        missing.push("chromium");
    }
    if pictures && !Path::new("/usr/bin/pngquant").is_file() {
        missing.push("pngquant");
    }
    let root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.trim_ascii() == b"0");
    if !missing.is_empty() && root && Path::new("/usr/bin/apt-get").is_file() {
        println!("installing: {}", missing.join(" "));
        let mut install = Command::new("apt-get");
        install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(&missing);
        let done =
            install.env("DEBIAN_FRONTEND", "noninteractive").stdout(std::process::Stdio::null()).status();
        if !done.is_ok_and(|s| s.success()) {
            println!("could not install: {}", missing.join(" "));
        }
    }
    Ok(Path::new(CHROMIUM).is_file().then(|| PathBuf::from(CHROMIUM)))
}
