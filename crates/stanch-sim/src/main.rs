//! `stanch-sim --seeds N [--from S] [--threads T]`: plays N worlds and tells of every law that did not
//! hold. With `--seed S` one world, with all it found.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::ops::Range;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use stanch_sim::Outcome;

fn number(name: &str) -> Option<u64> {
    let mut words = std::env::args();
    words.find(|w| w == name)?;
    words.next()?.parse().ok()
}

fn main() -> ExitCode {
    if let Some(seed) = number("--seed") {
        let played = stanch_sim::play(seed);
        println!("{played:#?}");
        return if played.is_ok_and(|o| o.breaches.is_empty()) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    let (from, seeds) = (number("--from").unwrap_or(1), number("--seeds").unwrap_or(500));
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let begun = Instant::now();
    let played = match play_all(from..from + seeds, number("--threads").unwrap_or(cores)) {
        Ok(played) => played,
        Err(why) => {
            println!("{why}");
            return ExitCode::FAILURE;
        }
    };
    let (mut bad, mut sums) = (Vec::new(), [0u64; 5]);
    for (seed, o) in played {
        sums.iter_mut().zip(o.counts).for_each(|(sum, n)| *sum += n);
        if let Some((at, breach)) = o.breaches.first() {
            println!("seed {seed}, after move {at}: {breach}");
            bad.push(seed);
        }
    }
    let [alerts, runs, changes, crashes, effects] = sums;
    println!(
        "{seeds} worlds in {:.1} s: {alerts} alerts, {runs} runs, {changes} changes, {effects} effects, {crashes} crashes; {} broke a law",
        begun.elapsed().as_secs_f64(),
        bad.len()
    );
    if bad.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("keep them: add the seeds to crates/stanch-sim/seeds/kept.txt, then mend the code: {bad:?}");
    ExitCode::FAILURE
}

/// Plays these worlds on so many threads; each world is one thread's, so that it stays the same.
fn play_all(seeds: Range<u64>, threads: u64) -> Result<BTreeMap<u64, Outcome>, String> {
    let next = AtomicU64::new(seeds.start);
    let one = || {
        let mut played = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return Ok(played);
            }
            played.push((seed, stanch_sim::play(seed)?));
        }
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(one)).collect();
        let mut all = BTreeMap::new();
        for thread in running {
            let played: Result<Vec<_>, String> =
                thread.join().map_err(|_| "a world ended in a panic; see above".to_owned())?;
            all.extend(played?);
        }
        Ok(all)
    })
}
