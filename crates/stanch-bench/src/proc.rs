//! What the kernel knows about a process.

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
