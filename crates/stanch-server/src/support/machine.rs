//! The machine and the data folder: versions and sizes, no names.

use std::path::Path;

use super::safe::{Safe, map, word};

/// Files of ours in the data folder.
const FILES: &[&str] = &[
    "answers.log",
    "approval.key",
    "assistant.jsonl",
    "audit.checkpoints",
    "audit.key",
    "audit.pub",
    "identity.json",
    "identity.key",
    "journal.db",
    "journal.db-shm",
    "journal.db-wal",
    "journal.lock",
    "playbooks-before",
    "secrets.key",
    "secrets.vault",
    "webhooks.json",
];

/// System, kernel, processors, memory, space.
pub(super) fn of(data: &Path) -> Safe {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let space = rustix::fs::statvfs(data).ok();
    let bytes = |n: u64, of: u64| Safe::Count(n.saturating_mul(of));
    map([
        ("system", Safe::Word(std::env::consts::OS)),
        ("processor", Safe::Word(std::env::consts::ARCH)),
        ("kernel", kernel()),
        ("processors", processors.into()),
        ("memory_bytes", memory().map_or(Safe::Nothing, Safe::Count)),
        ("free_bytes", space.as_ref().map_or(Safe::Nothing, |s| bytes(s.f_bavail, s.f_frsize))),
        ("disk_bytes", space.as_ref().map_or(Safe::Nothing, |s| bytes(s.f_blocks, s.f_frsize))),
    ])
}

/// The numbers of its version: what is behind them may be a firm's own word.
fn kernel() -> Safe {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let numbers = release.split(['.', '-']).map_while(|n| n.parse::<u64>().ok()).map(Safe::Count);
    Safe::List(numbers.take(4).collect())
}

/// Source: proc_meminfo(5).
fn memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|n| n * 1_024)
}

/// Sizes of what lies in the data folder; what is not ours is counted without its name.
pub(super) fn files(data: &Path) -> Safe {
    let (mut ours, mut others, mut bytes) = (Vec::new(), 0_u64, 0_u64);
    let entries = std::fs::read_dir(data).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries.map(|e| (e.file_name(), e.metadata().map_or(0, |m| m.len()))).collect();
    found.sort();
    for (name, size) in found {
        match name.to_str().and_then(|n| word(FILES, n)) {
            Some(name) => ours.push((name.into(), size.into())),
            None => (others, bytes) = (others + 1, bytes + size),
        }
    }
    map([("ours", Safe::Map(ours)), ("others", others.into()), ("bytes_of_others", bytes.into())])
}
