//! Walls and sizes: what prose alone would not keep.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::args::Args;

/// A file larger than this cannot be held in mind. Bytes.
const LARGEST: u64 = 25_000;

/// Who may know whom, among our own crates. Dev-dependencies are free: tests may join anything.
const WALLS: &[(&str, &[&str])] = &[
    ("stanch-model", &[]),
    // Statistics that must be testable on their own, with libraries the rest should not see (ADR 0010).
    ("stanch-judge", &["stanch-model"]),
    // One reading of CEL for conditions (core) and for mappings (connectors).
    ("stanch-expr", &[]),
    ("stanch-core", &["stanch-model", "stanch-judge", "stanch-expr"]),
    ("stanch-store", &["stanch-model"]),
    ("stanch-connectors", &["stanch-model", "stanch-expr"]),
    ("stanch-engine", &["stanch-model", "stanch-core"]),
    ("stanch-server", &["stanch-model", "stanch-core", "stanch-store", "stanch-connectors", "stanch-engine"]),
    ("stanch", &["stanch-model", "stanch-judge", "stanch-core", "stanch-connectors", "stanch-server"]),
    // Load and yardsticks: may measure any layer from outside; nothing knows it.
    (
        "stanch-bench",
        &[
            "stanch-model",
            "stanch-judge",
            "stanch-core",
            "stanch-store",
            "stanch-connectors",
            "stanch-engine",
        ],
    ),
    // Worlds in which everything goes wrong: joins the layers below the server from outside (ADR 0017).
    ("stanch-sim", &["stanch-model", "stanch-core", "stanch-store", "stanch-connectors", "stanch-engine"]),
    ("xtask", &[]),
];

/// Heavy libraries and the only crates that may use them.
const OWNERS: &[(&str, &[&str])] = &[
    ("rusqlite", &["stanch-store", "stanch-bench"]),
    ("axum", &["stanch-server", "stanch", "stanch-bench"]),
    ("clap", &["stanch"]),
    ("cel", &["stanch-expr"]),
    ("ldap3", &["stanch-connectors"]),
    ("lettre", &["stanch-connectors"]),
    ("tokio-tungstenite", &["stanch-connectors"]),
    ("tokio", &["stanch-connectors", "stanch-engine", "stanch-server", "stanch", "stanch-bench"]),
];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

/// Checks it all and lists every breach.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    Args::new(words).words()?;
    let mut breaches = walls()?;
    let mut files = Vec::new();
    for root in ["crates", "xtask"] {
        sources(Path::new(root), &mut files)?;
    }
    for file in &files {
        breaches.extend(of_file(file)?);
    }
    breaches.extend(error_pages(&files)?);
    for b in &breaches {
        println!("{b}");
    }
    println!("tidy: {} files, {} breaches", files.len(), breaches.len());
    Ok(if breaches.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every error code that the code names has a page.
fn error_pages(files: &[PathBuf]) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file)?;
        for (at, _) in text.match_indices("\"ST0") {
            let code = text.get(at + 1..at + 7).unwrap_or_default();
            let whole = code.len() == 6 && code[2..].bytes().all(|b| b.is_ascii_digit());
            if whole && !Path::new("docs/errors").join(format!("{code}.md")).is_file() {
                breaches.push(format!("{}: {code} has no page in docs/errors", file.display()));
            }
        }
    }
    Ok(breaches)
}

fn walls() -> Result<Vec<String>> {
    let out = Command::new("cargo").args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: Metadata = serde_json::from_slice(&out.stdout).context("cargo metadata")?;
    let allowed: BTreeMap<&str, &[&str]> = WALLS.iter().copied().collect();
    let mut breaches = Vec::new();
    for p in &metadata.packages {
        let Some(may) = allowed.get(p.name.as_str()) else {
            breaches.push(format!(
                "{}: a crate without a wall; add it to xtask/src/tidy.rs and write the ADR",
                p.name
            ));
            continue;
        };
        for d in p.dependencies.iter().filter(|d| d.kind.is_none()) {
            if d.name.starts_with("stanch") && !may.contains(&d.name.as_str()) {
                breaches.push(format!("{} may not know {}", p.name, d.name));
            }
            if let Some((_, owners)) = OWNERS.iter().find(|(lib, _)| *lib == d.name)
                && !owners.contains(&p.name.as_str())
            {
                breaches.push(format!("{} may not use {}: {} owns it", p.name, d.name, owners.join(" or ")));
            }
        }
    }
    Ok(breaches)
}

fn sources(dir: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, into)?;
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
    into.sort();
    Ok(())
}

fn of_file(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path)?;
    let shown = path.display();
    let mut breaches = Vec::new();
    if text.len() as u64 > LARGEST {
        breaches.push(format!("{shown}: {} bytes; the limit is {LARGEST}", text.len()));
    }
    let test = is_test(path);
    let module = path.components().any(|c| c.as_os_str() == "src");
    if module && !test && !text.starts_with("//!") {
        breaches.push(format!("{shown}: does not begin by saying what it is (//! …)"));
    }
    // Decisions are handed the time; they never ask for it.
    let pure = shown.to_string().starts_with("crates/stanch-core/src")
        || shown.to_string().starts_with("crates/stanch-model/src");
    let mut test = test;
    for (n, line) in text.lines().enumerate() {
        // Tests stand at the end of a file, and may look at the disk.
        test |= line == "mod tests {";
        let asks = ["SystemTime::now", "Instant::now", "std::fs::", "std::env::var", "Timestamp::now"];
        if let Some(what) = asks.iter().find(|a| pure && !test && line.contains(*a)) {
            breaches.push(format!("{shown}:{}: {what} in a crate that decides; hand it in", n + 1));
        }
        if line.contains(concat!("todo", "!(")) || line.contains(concat!("dbg", "!(")) {
            breaches.push(format!("{shown}:{}: unfinished", n + 1));
        }
    }
    Ok(breaches)
}

/// Tests live beside the code, in files named for it.
fn is_test(path: &Path) -> bool {
    let name = path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    name.ends_with("tests")
        || name.ends_with("_property")
        || path.components().any(|c| c.as_os_str() == "tests")
}
