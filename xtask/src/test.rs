//! Everything that must hold before a change lands, in the order that fails soonest.
//!
//! Installs what the tests need from Debian, once, and says so. `--quick` leaves out the crash
//! points and the licence check.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::args::Args;
use crate::tool;

/// Programs the tests use, and the Debian package that brings each.
const NEEDS: &[(&str, &str)] = &[
    ("nft", "nftables"),
    ("ip", "iproute2"),
    ("strace", "strace"),
    ("xfs_io", "xfsprogs"),
    ("mkfs.ext4", "e2fsprogs"),
    ("python3", "python3"),
    ("openssl", "openssl"),
    ("slapd", "slapd"),
    ("ldapsearch", "ldap-utils"),
    ("named", "bind9"),
    ("nsupdate", "bind9-dnsutils"),
    ("ovsdb-server", "openvswitch-switch"),
    ("ping", "iputils-ping"),
    ("cc", "gcc"),
    // A ticket system: its program tells for all three.
    ("rt-attributes-viewer-5", "request-tracker5"),
    ("rt-attributes-viewer-5", "rt5-db-sqlite"),
    ("rt-attributes-viewer-5", "rt5-standalone"),
];

/// The licence and ban check; pinned, because a newer one may ask for a newer compiler.
const DENY: &str = "0.20.2";

/// One step: its name, the program and its words, and variables to set.
struct Step<'a>(&'a str, &'a str, Vec<&'a str>, Vec<(&'a str, &'a str)>);

/// Runs it all.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    let mut args = Args::new(words);
    let quick = args.flag("--quick");
    args.words()?;
    let lab = install()?;
    let require = if lab { vec![("STANCH_REQUIRE_LAB", "1")] } else { Vec::new() };
    let mut doc = require.clone();
    doc.push(("RUSTDOCFLAGS", "-D warnings"));
    let mut steps = vec![
        Step("format", "cargo", vec!["fmt", "--all", "--check"], vec![]),
        Step("tidy", "cargo", vec!["xtask", "tidy"], vec![]),
        Step(
            "lints",
            "cargo",
            vec!["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
            vec![],
        ),
        Step("docs", "cargo", vec!["doc", "--workspace", "--no-deps", "--quiet"], doc),
        Step("helpers", "cargo", vec!["build", "--workspace", "--bins", "--examples"], vec![]),
        Step("tests", "cargo", vec!["test", "--workspace"], require),
        Step("simulation", "cargo", vec!["xtask", "sim", "--seeds", "500"], vec![]),
        Step("console", "cargo", vec!["xtask", "ui", "--check"], vec![]),
        Step("fuzz", "cargo", vec!["xtask", "fuzz-api", "--cases", "2000"], vec![]),
        Step("browser", "cargo", vec!["xtask", "e2e", "--smoke"], vec![]),
    ];
    if !quick {
        steps.push(Step(
            "crash",
            "cargo",
            vec!["xtask", "crash", "--points", "50", "--power-cut", "20"],
            vec![],
        ));
    }
    if !quick && lab {
        steps.push(Step("containment lab", "cargo", vec!["xtask", "lab", "--cycles", "20"], vec![]));
    }
    let started = Instant::now();
    for step in &steps {
        do_step(step)?;
    }
    if !quick {
        let deny = tool::installed("cargo-deny", &["--version"], DENY)?;
        // Builds fetch what this machine needs; the check reads what every platform would.
        do_step(&Step("fetch", "cargo", vec!["fetch", "--locked", "--quiet"], vec![]))?;
        let words = vec!["--offline", "check", "licenses", "bans", "sources"];
        do_step(&Step("licences, bans, sources", &deny.to_string_lossy(), words, vec![]))?;
    }
    println!(
        "\nall of it holds ({} min {} s)",
        started.elapsed().as_secs() / 60,
        started.elapsed().as_secs() % 60
    );
    Ok(ExitCode::SUCCESS)
}

fn do_step(Step(name, program, words, vars): &Step<'_>) -> Result<()> {
    println!(
        "\n== {name}: {} {}",
        Path::new(program).file_name().unwrap_or_default().to_string_lossy(),
        words.join(" ")
    );
    let started = Instant::now();
    let status = Command::new(program)
        .args(words)
        .envs(vars.iter().copied())
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("{program} cannot be started"))?;
    if !status.success() {
        bail!("{name} failed; to see it alone: {program} {}", words.join(" "));
    }
    println!("== {name}: {} s", started.elapsed().as_secs());
    Ok(())
}

/// Installs what is missing. True when the network lab can be used, so that its tests must not skip.
fn install() -> Result<bool> {
    let missing: Vec<&str> =
        NEEDS.iter().filter(|(program, _)| !found(program)).map(|(_, package)| *package).collect();
    let root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.starts_with(b"0"));
    if missing.is_empty() {
        return Ok(root);
    }
    let line = format!("apt-get install -y --no-install-recommends {}", missing.join(" "));
    if !root || !found("apt-get") {
        println!("missing: {}; tests that need them skip and say so. To install: {line}", missing.join(", "));
        return Ok(false);
    }
    println!("installing: {}", missing.join(" "));
    apt(&["update", "-qq"])?;
    let mut words = vec!["install", "-y", "-qq", "--no-install-recommends"];
    words.extend(missing);
    let _quiet = NoServices::begin()?;
    apt(&words)?;
    Ok(true)
}

/// Keeps packages from starting their services while they are installed: tests start servers of
/// their own, on private ports, and end them. Source: Debian policy 9.3.3.1, `policy-rc.d`.
struct NoServices(bool);

const POLICY: &str = "/usr/sbin/policy-rc.d";

impl NoServices {
    fn begin() -> Result<NoServices> {
        use std::os::unix::fs::PermissionsExt;
        if Path::new(POLICY).exists() {
            return Ok(NoServices(false));
        }
        std::fs::write(POLICY, "#!/bin/sh\nexit 101\n").context(POLICY)?;
        std::fs::set_permissions(POLICY, std::fs::Permissions::from_mode(0o755)).context(POLICY)?;
        Ok(NoServices(true))
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.0
            && let Err(e) = std::fs::remove_file(POLICY)
        {
            println!("{POLICY} is still there and keeps services from starting; remove it: {e}");
        }
    }
}

fn apt(words: &[&str]) -> Result<()> {
    let status = Command::new("apt-get").args(words).env("DEBIAN_FRONTEND", "noninteractive").status()?;
    if !status.success() {
        bail!("apt-get {} failed", words.join(" "));
    }
    Ok(())
}

fn found(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(more).any(|d| d.join(program).is_file())
}
