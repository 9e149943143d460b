//! What the kernel knows about a process.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};

/// Seconds of CPU a process has used, all its threads together. `who` is a number or `self`.
pub(crate) fn cpu(who: impl std::fmt::Display) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{who}/stat")).context("no such process")?;
    // Fields 14 and 15 are utime and stime in ticks of 10 ms; the name before may hold spaces.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|f| f.parse::<u64>().ok()).sum();
    Ok(ticks as f64 / 100.0)
}

fn memory(who: impl std::fmt::Display, key: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{who}/status")).context("no such process")?;
    let line = status.lines().find_map(|l| l.strip_prefix(key)).context("no such line")?;
    let kib = line.trim_start_matches(':').split_whitespace().next().and_then(|n| n.parse::<u64>().ok());
    Ok(kib.context("not a number")? << 10)
}

/// Bytes in memory now.
pub(crate) fn rss(who: impl std::fmt::Display) -> Result<u64> {
    memory(who, "VmRSS")
}

/// The most bytes that were ever in memory at once.
pub(crate) fn peak(who: impl std::fmt::Display) -> Result<u64> {
    memory(who, "VmHWM")
}

/// One thread so far.
pub(crate) struct Thread {
    pub(crate) name: String,
    /// On a core.
    pub(crate) cpu: Duration,
    /// How often it gave its core away or lost it.
    pub(crate) switches: u64,
}

/// The threads of a process by their number. One that ends while they are counted is left out.
pub(crate) fn threads(who: impl std::fmt::Display) -> Result<BTreeMap<u32, Thread>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(format!("/proc/{who}/task")).context("no such process")? {
        let dir = entry?.path();
        let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap_or_default();
        let Some(id) = dir.file_name().and_then(|n| n.to_str()).and_then(|n| n.parse().ok()) else {
            continue;
        };
        // The first number of schedstat is nanoseconds on a core.
        let cpu = read("schedstat").split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0);
        let status = read("status");
        let switches = status.lines().filter(|l| l.contains("voluntary_ctxt_switches"));
        let switches = switches.filter_map(|l| l.rsplit('\t').next()?.trim().parse::<u64>().ok()).sum();
        let name = read("comm").trim().to_owned();
        all.insert(id, Thread { name, cpu: Duration::from_nanos(cpu), switches });
    }
    Ok(all)
}
