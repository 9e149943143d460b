//! How thoroughly to measure, and what the machine is.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::peers;

/// The part about playbook runs.
pub(crate) const RUNS: &str = "runs";
/// The part beside Keep.
pub(crate) const KEEP: &str = "keep";
/// The part about runs that wait; `runs` brings it along.
pub(crate) const WAITING: &str = "waiting";

/// How thoroughly to measure.
pub(crate) struct Plan {
    /// The server to measure.
    pub(crate) server: PathBuf,
    /// Measurements of each figure.
    pub(crate) runs: usize,
    /// Amounts are divided by this.
    pub(crate) shrink: u64,
    /// Alerts the peer is filled with for the memory figures; the result is scaled.
    pub(crate) peer_alerts: u64,
    pub(crate) write_docs: bool,
    /// In `runs` only this engine, for whoever changes the hot path; empty means all.
    pub(crate) only: String,
    /// Parts to run; empty means all.
    pub(crate) parts: Vec<String>,
    pub(crate) peer_version: String,
    pub(crate) machine: String,
    pub(crate) date: String,
}

impl Plan {
    /// Reads the command line.
    pub(crate) fn read(words: &[String]) -> Result<Plan> {
        let mut plan = Plan {
            server: PathBuf::new(),
            runs: 3,
            shrink: 1,
            peer_alerts: 100_000,
            write_docs: false,
            only: String::new(),
            parts: Vec::new(),
            peer_version: String::new(),
            machine: String::new(),
            date: date()?,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value"));
            match word.as_str() {
                "--server" => plan.server = PathBuf::from(value()?),
                "--runs" => plan.runs = value()?.parse().context("--runs")?,
                "--peer-alerts" => plan.peer_alerts = value()?.parse().context("--peer-alerts")?,
                "--only" => plan.only = value()?.to_lowercase(),
                "--write-docs" => plan.write_docs = true,
                "--quick" => (plan.runs, plan.shrink, plan.peer_alerts) = (1, 4, 25_000),
                "--help" => bail!("{HELP}"),
                odd if odd.starts_with('-') => bail!("unknown option {odd}\n{HELP}"),
                part => plan.parts.push(part.to_owned()),
            }
        }
        if plan.runs == 0 {
            bail!("--runs 0 measures nothing");
        }
        if plan.parts.iter().any(|p| ![RUNS, WAITING, KEEP].contains(&p.as_str())) || plan.parts.is_empty() {
            plan.peer_version = peers::alertmanager_version()?;
        }
        plan.machine = machine(&plan)?;
        Ok(plan)
    }

    /// True when a part is wanted. Some only by name: their peers take minutes to install.
    pub(crate) fn wants(&self, part: &str) -> bool {
        let named = |part: &str| self.parts.iter().any(|p| p == part);
        (self.parts.is_empty() && part != RUNS && part != KEEP)
            || named(part)
            || (part == WAITING && named(RUNS))
    }
}

const HELP: &str = "cargo xtask bench [intake] [keep] [start] [enrich] [runs] [waiting] [--runs 3] [--quick] [--only stanch] [--peer-alerts 100000] [--write-docs]";

/// The machine, for a part that runs in this process.
pub(crate) fn here() -> Result<String> {
    let what = bare()?;
    Ok(format!("{what}; stanch {}; 1 run", env!("CARGO_PKG_VERSION")))
}

/// Cores, kernel and load.
fn bare() -> Result<String> {
    let first = |file: &str, key: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.lines().find_map(|l| Some(l.strip_prefix(key)?.trim_start_matches([' ', '\t', ':']).to_owned()))
    };
    let cores = std::thread::available_parallelism()?;
    let model = first("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned());
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.split('-').next().unwrap_or_default().trim();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    Ok(format!("{cores} cores ({model}), Linux {kernel}, load {load} before the start"))
}

fn machine(plan: &Plan) -> Result<String> {
    let what = bare()?;
    let version = Command::new(&plan.server).arg("--version").output().context("the server cannot be run")?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let peer = match plan.peer_version.as_str() {
        "" => String::new(),
        version => format!(", Alertmanager {version}"),
    };
    Ok(format!("{what}; {version}{peer}; {} {}", plan.runs, if plan.runs == 1 { "run" } else { "runs" }))
}

/// Today, UTC.
pub(crate) fn date() -> Result<String> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let now = stanch_model::Timestamp(i64::try_from(since.as_millis())?).to_string();
    Ok(now.get(..10).unwrap_or(&now).to_owned())
}
