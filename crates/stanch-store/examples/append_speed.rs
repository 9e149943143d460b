//! How fast the journal appends and recovers on this machine's disk. Rows are entries; the last line
//! is the engine's own shape: one entry for 512 alerts, with 100 KB of facts and 200 KB of detail.
//!
//! `cargo run --release -p stanch-store --example append_speed [directory] [page bytes] [log MiB]`
#![allow(clippy::print_stdout, reason = "its output is its purpose")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use stanch_model::Timestamp;
use stanch_model::port::{Journal, JournalError, NewEntry};
use stanch_store::{Options, SqliteJournal};

fn main() -> Result<(), JournalError> {
    let arg = |n: usize| std::env::args().nth(n);
    let base = arg(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = base.join(format!("append-speed-{}", std::process::id()));
    let mut options = Options::default();
    options.page_bytes = arg(2).and_then(|a| a.parse().ok()).unwrap_or(options.page_bytes);
    options.log_mib = arg(3).and_then(|a| a.parse().ok()).unwrap_or(options.log_mib);
    println!("{options:?}");

    let small = |_| entry(&lines(1, 500), None);
    for batch in [1, 64, 512] {
        let entries: Vec<_> = (0..batch).map(small).collect();
        measure(&dir, &options, &format!("{batch} small entries"), &entries, batch, 3)?;
    }
    let bulk = entry(&lines(512, 195), Some(lines(512, 390)));
    measure(&dir, &options, "512 alerts in one entry", &[bulk], 512, 8)?;
    Ok(())
}

fn measure(
    dir: &std::path::Path,
    options: &Options,
    name: &str,
    entries: &[NewEntry],
    rows: usize,
    seconds: u64,
) -> Result<(), JournalError> {
    let mut journal = SqliteJournal::open(dir, options.clone())?;
    let (started, cpu) = (Instant::now(), cpu_time());
    let mut each = Vec::new();
    while started.elapsed() < Duration::from_secs(seconds) {
        let one = Instant::now();
        journal.append(Timestamp(0), entries)?;
        each.push(one.elapsed());
    }
    let (wall, cpu) = (started.elapsed(), cpu_time().saturating_sub(cpu));
    each.sort_unstable();
    let quantile = |q: usize| each[(each.len() - 1) * q / 1_000];
    let total = (each.len() * rows) as f64;
    println!(
        "{name:>24}: {:>9.0} rows/s  {:>6.2} us CPU/row  append p50 {:?} p99 {:?} max {:?}",
        total / wall.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / total,
        quantile(500),
        quantile(990),
        quantile(1_000),
    );
    let (started, mut seen, mut bytes) = (Instant::now(), 0_usize, 0_usize);
    let reopened = {
        drop(journal);
        SqliteJournal::open(dir, options.clone())?
    };
    reopened.replay(0, &mut |e| {
        seen += 1;
        bytes += e.body.len();
        Ok(())
    })?;
    let took = started.elapsed();
    let file = std::fs::metadata(reopened.file()).map_or(0, |m| m.len());
    println!(
        "{:>24}  replayed {seen} entries, {} MB of {} MB in {took:?}",
        "",
        bytes / 1_000_000,
        file / 1_000_000
    );
    drop(reopened);
    std::fs::remove_dir_all(dir).map_err(|e| JournalError::Io { doing: "written", why: e.to_string() })
}

fn entry(body: &[u8], detail: Option<Vec<u8>>) -> NewEntry {
    NewEntry { stream: "intake".into(), kind: "batch_received".into(), body: body.to_vec(), detail }
}

/// JSON-like lines that compress about five times.
fn lines(count: u32, length: usize) -> Vec<u8> {
    let mut all = Vec::new();
    let mut random = 0x2545_f491_u32;
    for n in 0..count {
        let mut line = format!("{{\"event_type\":\"alert\",\"seq\":{n}");
        while line.len() < length - 40 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            line += &format!(",\"flow\":{},\"category\":\"trojan activity\"", random >> 8);
        }
        all.extend(format!("{line:<length$}}}\n").bytes());
    }
    all
}

/// User and system time of this process, from /proc (clock ticks of 10 ms).
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<u64> =
        stat.rsplit(')').next().unwrap_or("").split(' ').skip(12).take(2).flat_map(str::parse).collect();
    Duration::from_millis(10 * fields.iter().sum::<u64>())
}
