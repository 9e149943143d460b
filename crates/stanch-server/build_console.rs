//! Building the console with Node: what `build.rs` and `cargo xtask ui` share.
//!
//! Packages come from the lock file only and may run no scripts of their own. The result lies in
//! `ui/dist`, compressed, with a mark of the sources it was made from.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the console is made from, below `ui/`.
pub(crate) const SOURCES: &[&str] = &[
    "src",
    "public",
    "scripts",
    "index.html",
    "package.json",
    "package-lock.json",
    "vite.config.ts",
    "tsconfig.json",
];
/// The oldest Node that builds it. Source: Vite 8's `engines`.
const NODE: (u32, u32) = (20, 19);
/// The mark in `dist` that says which sources it was made from.
const MARK: &str = ".sources";

/// A file of the console, with its compressed twins beside it.
#[allow(dead_code, reason = "xtask only builds")]
pub(crate) struct Asset {
    /// Where browsers find it.
    pub(crate) path: String,
    /// Its media type.
    pub(crate) kind: &'static str,
    /// FNV-1a over its bytes.
    pub(crate) hash: u64,
    /// Where it lies.
    pub(crate) file: PathBuf,
}

/// Everything in `dist` that has both compressed twins, in order of path.
#[allow(dead_code, reason = "xtask only builds")]
pub(crate) fn assets(dist: &Path) -> Vec<Asset> {
    let mut files = Vec::new();
    walk(dist, &mut files);
    let asset = |file: PathBuf| {
        let ready = ["br", "gz"].iter().all(|e| file.with_added_extension(e).is_file());
        let kind = kind(file.extension()?.to_str()?).filter(|_| ready)?;
        let path = format!("/{}", file.strip_prefix(dist).ok()?.to_str()?);
        let mut hash = FNV;
        fnv(&mut hash, &std::fs::read(&file).ok()?);
        Some(Asset { path, kind, hash, file: file.canonicalize().ok()? })
    };
    files.into_iter().filter_map(asset).collect()
}

fn kind(extension: &str) -> Option<&'static str> {
    Some(match extension {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    })
}

/// True when `dist` was not made from the sources as they are.
pub(crate) fn stale(ui: &Path) -> bool {
    std::fs::read_to_string(ui.join("dist").join(MARK)).ok() != Some(mark(ui))
}

/// Builds it, unless another build at the same time did so while we waited.
///
/// # Errors
/// What is missing or went wrong, in words, with how to mend it.
pub(crate) fn build(ui: &Path) -> Result<(), String> {
    let lock = File::create(ui.join(".lock")).map_err(|e| format!("ui/.lock cannot be written: {e}"))?;
    lock.lock().map_err(|e| format!("ui/.lock cannot be taken: {e}"))?;
    if !stale(ui) {
        return Ok(());
    }
    node()?;
    install(ui)?;
    npm(ui, &["run", "--silent", "build"])?;
    std::fs::write(ui.join("dist").join(MARK), mark(ui))
        .map_err(|e| format!("ui/dist cannot be written: {e}"))
}

/// Packages as the lock file names them, when they are not there yet.
///
/// # Errors
/// What npm said.
pub(crate) fn install(ui: &Path) -> Result<(), String> {
    let mut hash = FNV;
    fnv(
        &mut hash,
        &std::fs::read(ui.join("package-lock.json")).map_err(|e| format!("ui/package-lock.json: {e}"))?,
    );
    let (done, mark) = (ui.join("node_modules/.stanch"), format!("{hash:016x}"));
    if std::fs::read_to_string(&done).is_ok_and(|d| d == mark) {
        return Ok(());
    }
    npm(ui, &["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])?;
    std::fs::write(done, mark).map_err(|e| format!("ui/node_modules cannot be written: {e}"))
}

/// A Node that is new enough.
///
/// # Errors
/// That there is none, and where to get one.
pub(crate) fn node() -> Result<(), String> {
    let mend = format!("install Node {}.{} or newer with npm", NODE.0, NODE.1);
    let out = Command::new("node").arg("--version").output();
    let out = out.map_err(|_| format!("there is no Node here; {mend}"))?;
    let text = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    let mut parts = text.trim_start_matches('v').split('.').map(|p| p.parse().unwrap_or(0));
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if version < NODE {
        return Err(format!("Node here is {text}; {mend}"));
    }
    match Command::new("npm").arg("--version").stdin(Stdio::null()).output() {
        Ok(out) if out.status.success() => Ok(()),
        _ => Err(format!("there is no npm here; {mend}")),
    }
}

fn npm(ui: &Path, words: &[&str]) -> Result<(), String> {
    let out = Command::new("npm").args(words).current_dir(ui).stdin(Stdio::null()).output();
    let out = out.map_err(|e| format!("npm cannot be started: {e}"))?;
    if out.status.success() {
        return Ok(());
    }
    let said = format!("{}\n{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    let last: Vec<&str> = said.lines().filter(|l| !l.trim().is_empty()).collect();
    let last = last[last.len().saturating_sub(8)..].join(" | ");
    Err(format!("npm {} failed: {last}", words.join(" ")))
}

const FNV: u64 = 0xcbf2_9ce4_8422_2325;

fn fnv(hash: &mut u64, bytes: &[u8]) {
    for b in bytes {
        *hash = (*hash ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
    }
}

fn mark(ui: &Path) -> String {
    let mut files = Vec::new();
    for source in SOURCES {
        let at = ui.join(source);
        if at.is_dir() { walk(&at, &mut files) } else { files.push(at) }
    }
    let mut hash = FNV;
    for file in files {
        fnv(&mut hash, file.strip_prefix(ui).unwrap_or(&file).to_string_lossy().as_bytes());
        fnv(&mut hash, &std::fs::read(&file).unwrap_or_default());
    }
    format!("{hash:016x}")
}

fn walk(dir: &Path, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() { walk(&entry, into) } else { into.push(entry) }
    }
}
