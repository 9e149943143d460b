//! `bench`: builds the release programs and runs the measurements.

use std::process::{Command, ExitCode};

use anyhow::Result;

/// Runs the verb; all its options belong to `stanch-bench`.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    let built = crate::cargo_build(&["stanch", "stanch-bench"], true)?;
    let mut command = Command::new(built.join("stanch-bench"));
    match words {
        // The pipeline and its replay need no server (`bench judge`).
        [verb, rest @ ..] if verb == "judge" => command.arg("judge").args(rest),
        _ => command.arg("run").arg("--server").arg(built.join("stanch")).args(words),
    };
    Ok(if command.status()?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
