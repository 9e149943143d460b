//! Chores of this repository: `cargo xtask <verb>`.
//!
//! Knows nothing of the product's code: it builds programs and runs them from outside, as an
//! operator would. A verb is one file and one line in the list below.

#![allow(clippy::print_stdout, reason = "a chore talks to the person who runs it")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on should say where"))]

mod args;
mod bench;
mod crash;
mod e2e;
mod fuzz;
mod http;
mod lab;
mod mutants;
mod sim;
mod test;
mod tidy;
mod tool;
mod ui;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

/// One verb: its name, what it does, and the function that does it.
type Verb = (&'static str, &'static str, fn(&[String]) -> Result<ExitCode>);

const VERBS: &[Verb] = &[
    ("bench", "measure against peers and write the table", bench::run),
    ("crash", "kill the server and cut its power at enumerated points; count what is lost", crash::run),
    ("e2e", "journeys through the console in a real browser", e2e::run),
    ("fuzz-api", "requests made from the API's description; --cases N, --seed S", fuzz::run),
    ("lab", "block, kill, and see that the kernel lets go: in network namespaces", lab::run),
    (
        "mutants",
        "break the guard, approvals and leases on purpose; count what the tests notice",
        mutants::run,
    ),
    ("sim", "seeded worlds in which everything goes wrong; --seeds N, --from S, or one --seed S", sim::run),
    ("test", "everything that must hold; installs what it needs", test::run),
    ("tidy", "walls between crates, sizes of files", tidy::run),
    ("ui", "build the console; --client regenerates its client, --check checks it", ui::run),
    (crash::CONTROL_SERVER, "(used by crash --control)", crash::serve_control),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = words.split_first() else { return usage("which verb?") };
    let Some((_, _, verb)) = VERBS.iter().find(|(n, _, _)| n == name) else {
        return usage(&format!("there is no verb {name:?}"));
    };
    verb(rest).unwrap_or_else(|e| {
        eprintln!("{name}: {e:#}");
        ExitCode::FAILURE
    })
}

fn usage(why: &str) -> ExitCode {
    eprintln!("{why}\n\ncargo xtask <verb> [options]; <verb> --help tells more");
    for (name, what, _) in VERBS.iter().filter(|(_, what, _)| !what.starts_with('(')) {
        eprintln!("  {name:<8} {what}");
    }
    ExitCode::FAILURE
}

/// Builds packages of this workspace, at low priority; returns the folder of the programs.
fn cargo_build(packages: &[&str], release: bool) -> Result<PathBuf> {
    cargo_build_with(packages, &[], release)
}

/// The same, with more words for cargo.
fn cargo_build_with(packages: &[&str], more: &[&str], release: bool) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let root = root.parent().context("no workspace around xtask")?;
    let mut command = Command::new("nice");
    command.arg(cargo).arg("build").current_dir(root);
    for package in packages {
        command.args(["-p", package]);
    }
    command.args(more);
    if release {
        command.arg("--release");
    }
    ensure!(command.status().context("cargo cannot be run")?.success(), "the build failed");
    Ok(target()?.join(if release { "release" } else { "debug" }))
}

/// Where everything that is built lies.
fn target() -> Result<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let root = root.parent().context("no workspace around xtask")?;
    Ok(std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from))
}
