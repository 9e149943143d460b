//! `cargo xtask sim [--seeds N] [--from S] [--seed S]`: seeded worlds in which everything goes wrong.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

/// Builds the simulation with optimisation and lets it play.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    let status = Command::new("cargo")
        .args(["run", "--release", "--quiet", "-p", "stanch-sim", "--"])
        .args(words)
        .status()
        .context("cargo could not be started")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
