//! `stanch-sim --seeds N [--from S]`: plays N worlds and tells of every law that did not hold. With
//! `--seed S` one world, with all it found.
#![allow(clippy::print_stdout)]

use std::process::ExitCode;
use std::time::Instant;

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
    let begun = Instant::now();
    let (mut bad, mut sums) = (Vec::new(), [0u64; 5]);
    for seed in from..from + seeds {
        match stanch_sim::play(seed) {
            Ok(o) => {
                sums.iter_mut().zip(o.counts).for_each(|(sum, n)| *sum += n);
                if let Some((at, breach)) = o.breaches.first() {
                    println!("seed {seed}, after move {at}: {breach}");
                    bad.push(seed);
                }
            }
            Err(why) => {
                println!("{why}");
                return ExitCode::FAILURE;
            }
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
