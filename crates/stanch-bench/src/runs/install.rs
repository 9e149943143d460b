//! The peers, installed from their registry in pinned versions, beside everything else that is built.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::report::history;

/// Node for all that need one: newer than what Debian has.
const NODE: &str = "24.11.1";
/// Keeps nothing over a restart.
pub(super) const NODE_RED: &str = "5.0.7";
/// Keeps each step in its own log.
pub(super) const RESTATE: &str = "1.7.12";
/// The library our Restate handler is written with.
pub(super) const RESTATE_SDK: &str = "1.17.2";
/// Keeps what has run.
pub(super) const N8N: &str = "2.41.1";

/// The folders of the peers.
pub(super) struct Installed {
    pub(super) node: PathBuf,
    pub(super) node_red: PathBuf,
    pub(super) restate: PathBuf,
    pub(super) n8n: PathBuf,
}

/// Installs what is missing. n8n is large: some minutes and 2 GB.
pub(super) fn install() -> Result<Installed> {
    let cpu = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => bail!("the peers do not run on {other}"),
    };
    let package = format!("node-linux-{cpu}");
    let node = npm("node", &[format!("{package}@{NODE}")], None, &[])?.join(&package);
    let restate_server = format!("@restatedev/restate-server@{RESTATE}");
    let sdk = format!("@restatedev/restate-sdk@{RESTATE_SDK}");
    let restate = npm("restate", &[restate_server, sdk], Some(&node), &[])?;
    let node_red = npm("node-red", &[format!("node-red@{NODE_RED}")], Some(&node), &[])?;
    let n8n = npm("n8n", &[format!("n8n@{N8N}")], Some(&node), &["sqlite3", "isolated-vm"])?;
    Ok(Installed {
        node_red: node_red.join("node-red/red.js"),
        restate: restate.join(format!("@restatedev/restate-server-linux-{cpu}/bin/restate-server")),
        n8n: n8n.join("n8n/bin/n8n"),
        node,
    })
}

/// Installs packages into a folder of their own, once; gives its `node_modules`. Of what comes with
/// native code only `native` is made ready: n8n brings clients of services that nobody asks here.
fn npm(name: &str, packages: &[String], node: Option<&Path>, native: &[&str]) -> Result<PathBuf> {
    let dir = history().join("peers").join(name);
    let (done, wanted) = (dir.join("installed"), packages.join(" "));
    if std::fs::read_to_string(&done).is_ok_and(|text| text == wanted) {
        return Ok(dir.join("node_modules"));
    }
    println!("installing {wanted}");
    std::fs::create_dir_all(&dir)?;
    std::fs::write(dir.join("package.json"), "{\"private\": true}\n")?;
    let run = |words: &[&str]| {
        let mut command = Command::new("npm");
        command.args(words).arg("--loglevel=error").current_dir(&dir);
        if let Some(node) = node {
            // What is compiled on the way fits this Node, not the one of the system.
            command.env("PATH", path(node)).env("npm_config_nodedir", node);
        }
        let status = command.status().context("npm cannot be run: apt-get install npm")?;
        if status.success() { Ok(()) } else { bail!("npm {} failed", words.join(" ")) }
    };
    let mut words = vec!["install", "--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund"];
    words.push("--save-exact");
    words.extend(packages.iter().map(String::as_str));
    run(&words)?;
    if !native.is_empty() {
        run(&[&["rebuild"], native].concat())?;
    }
    std::fs::write(done, wanted)?;
    Ok(dir.join("node_modules"))
}

/// The search path with this Node first.
pub(super) fn path(node: &Path) -> std::ffi::OsString {
    let old = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(node.join("bin")).chain(std::env::split_paths(&old));
    std::env::join_paths(all).unwrap_or(old)
}
