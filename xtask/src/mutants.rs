//! `cargo xtask mutants [FILE…]`: breaks the guard, approvals and leases in every way cargo-mutants knows,
//! one at a time, and counts how many of the broken ones the tests beside them notice.
//!
//! Takes a quarter of an hour for the three modules; other files of `contain/` can be named.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use crate::args::Args;
use crate::tool;

/// Pinned, because a newer one may break other things and give other figures.
const MUTANTS: &str = "27.1.0";
/// Where the modules are.
const FOLDER: &str = "crates/stanch-core/src/contain";
/// Those that decide whether the world is changed.
const MODULES: [&str; 3] = ["guard.rs", "approval.rs", "lease.rs"];
/// Fewer killed than this is a failure. Percent.
const LEAST: usize = 90;
/// Pairs the property test of the guard tries against each mutant; 4,000 in an ordinary run; with few, a kind may never be permitted
const CASES: &str = "2000";

/// Runs it and prints the figure.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    let mut files = Args::new(words).words()?;
    if files.is_empty() {
        files = MODULES.map(str::to_owned).to_vec();
    }
    let program = tool::installed("cargo-mutants", &["mutants", "--version"], MUTANTS)?;
    let out = Path::new("target/mutants");
    std::fs::create_dir_all(out)?;
    let mut command = Command::new("nice");
    command
        .arg(program)
        .args(["mutants", "--package", "stanch-core", "--timeout", "120", "--output"])
        .arg(out);
    for file in &files {
        let path = Path::new(FOLDER).join(file);
        ensure!(path.is_file(), "{} is not there; name files of {FOLDER}", path.display());
        command.arg("--file").arg(path);
    }
    // Only the tests beside the modules: what only an end-to-end test would notice counts as missed.
    command.args(["--cargo-test-arg=--lib", "--", "contain::"]);
    command.env("STANCH_GUARD_CASES", CASES).env("CARGO_PROFILE_DEV_DEBUG", "0");
    command.status().context("cargo-mutants cannot be started")?;
    let count = |list: &str| -> Result<usize> {
        let path = out.join("mutants.out").join(list);
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("no result in {}", path.display()))?;
        Ok(text.lines().count())
    };
    let (killed, missed) = (count("caught.txt")? + count("timeout.txt")?, count("missed.txt")?);
    let all = killed + missed;
    ensure!(all > 0, "there was nothing to break in {}", files.join(", "));
    let percent = killed * 1_000 / all;
    println!(
        "{killed} of {all} mutants killed ({}.{} %) in {}",
        percent / 10,
        percent % 10,
        files.join(", ")
    );
    Ok(if percent >= LEAST * 10 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
