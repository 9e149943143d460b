//! `cargo xtask sim [--seeds N] [--from S] [--seed S] [--release]`: seeded worlds in which everything
//! goes wrong.
//!
//! Without optimisation by default: a world takes a fifth of a second then, so that 500 of them are played
//! in less time than an optimised build takes. `--release` pays from some ten thousand on.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

/// Builds the simulation and lets it play.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    let (fast, rest): (Vec<&String>, Vec<&String>) = words.iter().partition(|w| *w == "--release");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["run", "--quiet", "-p", "stanch-sim"])
        .args(fast)
        .arg("--")
        .args(rest)
        .status()
        .context("cargo could not be started")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
