//! `bench`: builds the release programs and runs the measurements.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

use crate::{e2e, ui};

/// Runs the verb; all its options belong to `stanch-bench`.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    if words.first().is_some_and(|w| w == "console") {
        return console(&words[1..]);
    }
    let built = crate::cargo_build(&["stanch", "stanch-bench"], true)?;
    let mut command = Command::new(built.join("stanch-bench"));
    match words {
        // The pipeline and its replay need no server (`bench judge`).
        [verb, rest @ ..] if verb == "judge" => command.arg("judge").args(rest),
        _ => command.arg("run").arg("--server").arg(built.join("stanch")).args(words),
    };
    Ok(if command.status()?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `bench console`: the queue of 50,000 incidents in Chromium, a status change among a million alerts, and
/// 200 viewers. Words choose: `queue`, `change`, `viewers`. Some minutes for all.
fn console(only: &[String]) -> Result<ExitCode> {
    let folder = ui::folder()?;
    ui::build(&folder)?;
    let built = crate::cargo_build(&["stanch"], true)?;
    let mut command = Command::new("node");
    command.arg("e2e/bench.mjs").current_dir(&folder).env("STANCH_BIN", built.join("stanch"));
    if let Some(chromium) = e2e::browser(false)? {
        command.env("CHROMIUM", chromium);
    }
    if !only.is_empty() {
        command.env("STANCH_BENCH_ONLY", only.join(","));
    }
    let status = command.status().context("node cannot be started")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
