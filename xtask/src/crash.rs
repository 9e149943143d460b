//! `crash`: kills the server and cuts its power while senders write, then counts what is lost.
//!
//! The ledger of acknowledgements lies here, outside the server. After each crash every record that
//! was acknowledged must be in the journal once, in one named place, byte for byte. What was sent
//! but not acknowledged may be there or not; sent again, it must not open a second alert.
//!
//! Kill points: SIGKILL on entering the k-th `fdatasync` or `pwrite64` (strace), and at random times
//! without strace. Power cuts: the data directory lies on a loop-mounted file system that is shut
//! down without flushing its log, so that only what was synced survives. Needs root; skips loudly.

mod chain;
mod check;
mod control;
mod ledger;
mod power;
mod sender;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::args::Args;
pub(crate) use control::{CONTROL_SERVER, serve_control};

const HELP: &str = "cargo xtask crash [--points N] [--power-cut M] [--binary PATH] [--seed S] [--lanes L]
  --points N     kill points (default 50)
  --power-cut M  power cuts (default 20); needs root, loop devices and xfs_io
  --binary PATH  the server to crash; default: a debug build
  --seed S       which points are taken (default 1)
  --lanes L      data directories crashed at the same time (default 2)
  --control      crash a server that acknowledges too early: the harness must notice";

/// Crashes of one data directory in a row: recovery itself is crashed too.
const IN_A_ROW: usize = 5;

/// How a server dies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Death {
    /// On entering the `when`-th call of this name in one thread.
    At { call: &'static str, when: u64 },
    /// So many milliseconds after it began to listen.
    After { millis: u64 },
    /// The file system stops after so many acknowledgements.
    PowerCut { acks: u64 },
}

impl std::fmt::Display for Death {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Death::At { call, when } => write!(f, "killed before {call} #{when}"),
            Death::After { millis } => write!(f, "killed after {millis} ms"),
            Death::PowerCut { acks } => write!(f, "power cut after {acks} acknowledgements"),
        }
    }
}

/// What is crashed, and with what it is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) binary: PathBuf,
    /// Lists the records of a journal; none for the control.
    pub(crate) reader: Option<PathBuf>,
}

/// What came of all points so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    pub(crate) kills: u64,
    pub(crate) cuts: u64,
    pub(crate) acknowledged: u64,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) corrupt: u64,
}

impl Count {
    fn bad(&self) -> u64 {
        self.lost + self.doubled + self.corrupt
    }
}

/// One directory, crashed several times in a row.
pub(crate) struct Plan {
    pub(crate) number: usize,
    pub(crate) deaths: Vec<Death>,
    pub(crate) seed: u64,
}

/// Runs the verb.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    let mut args = Args::new(words);
    if args.flag("--help") {
        println!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    let control = args.flag("--control");
    let points = args.value("--points")?.unwrap_or(if control { 4 } else { 50 });
    let cuts = args.value("--power-cut")?.unwrap_or(if control { 4 } else { 20 });
    let seed = args.value("--seed")?.unwrap_or(1_u64);
    let lanes = args.value("--lanes")?.unwrap_or(2_usize).clamp(1, 16);
    let binary: Option<PathBuf> = args.value("--binary")?;
    args.words()?;
    let target = if control { control::target()? } else { build(binary)? };
    let cuts = match power::missing() {
        Some(why) if cuts > 0 => {
            println!("crash: POWER CUTS SKIPPED: {why}");
            0
        }
        _ => cuts,
    };
    let points = match server::missing() {
        Some(why) if points > 0 && !control => {
            println!("crash: KILL POINTS AT SYSTEM CALLS SKIPPED, random times only: {why}");
            plan(0, points, cuts, seed)
        }
        _ if control => plan(0, points, cuts, seed),
        _ => plan(points, 0, cuts, seed),
    };
    let count = all(&target, points, lanes);
    let Count { kills, cuts, acknowledged, lost, doubled, corrupt } = count;
    println!(
        "crash: {kills} kill points, {cuts} power cuts, {acknowledged} acknowledged, {lost} lost, {doubled} doubled, {corrupt} corrupt"
    );
    if control {
        let noticed = lost > 0;
        println!(
            "control: {}",
            if noticed { "noticed, as it must be" } else { "NOT noticed: the harness is blind" }
        );
        return Ok(if noticed { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    Ok(if count.bad() == 0 && acknowledged > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds the server unless one was given, and the program that lists records.
fn build(binary: Option<PathBuf>) -> Result<Target> {
    let mut packages = vec!["stanch-bench"];
    if binary.is_none() {
        packages.push("stanch");
    }
    let built = crate::cargo_build(&packages, false)?;
    let binary = binary.unwrap_or_else(|| built.join("stanch"));
    let binary = binary.canonicalize().with_context(|| format!("no server at {}", binary.display()))?;
    Ok(Target { binary, reader: Some(built.join("stanch-bench")) })
}

/// Spreads the points: enumerated calls first, one in five at a random time.
fn plan(points: u64, random: u64, cuts: u64, seed: u64) -> Vec<Plan> {
    let mut random_state = sender::Random::new(seed);
    let timed = random + points / 5;
    let calls = points - points / 5;
    // Few points are spread over about 240 calls; with many every one is taken.
    let stride = (240 / (calls / 2 + 1)).max(1);
    let mut deaths: Vec<Death> = (0..calls)
        .map(|i| Death::At {
            call: if i % 2 == 0 { "fdatasync" } else { "pwrite64" },
            when: 1
                + (i / 2) * if i % 2 == 0 { stride.div_ceil(4) } else { stride }
                + random_state.below(stride.div_ceil(2)),
        })
        .collect();
    deaths.extend((0..timed).map(|_| Death::After { millis: 20 + random_state.below(700) }));
    // A fixed shuffle, so that a directory sees different deaths in a row.
    for i in (1..deaths.len()).rev() {
        deaths.swap(i, random_state.below(i as u64 + 1) as usize);
    }
    let cuts: Vec<Death> =
        (0..cuts).map(|i| Death::PowerCut { acks: 1 + i * 7 + random_state.below(7) }).collect();
    let rows = deaths.chunks(IN_A_ROW).chain(cuts.chunks(IN_A_ROW));
    rows.enumerate()
        .map(|(number, row)| Plan { number, deaths: row.to_vec(), seed: seed ^ (number as u64 + 1) << 20 })
        .collect()
}

/// Works through all plans, a few at a time.
fn all(target: &Target, plans: Vec<Plan>, lanes: usize) -> Count {
    let points: usize = plans.iter().map(|p| p.deaths.len()).sum();
    let (next, count, began) = (AtomicUsize::new(0), Mutex::new(Count::default()), Instant::now());
    let report = |death: &Death, seen: &check::Seen, acked: u64| {
        let mut c = count.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match death {
            Death::PowerCut { .. } => c.cuts += 1,
            Death::At { .. } | Death::After { .. } => c.kills += 1,
        }
        c.acknowledged += acked;
        c.lost += seen.lost;
        c.doubled += seen.doubled;
        c.corrupt += seen.corrupt;
        let verdict = if seen.words.is_empty() { "ok".to_owned() } else { seen.words.join("; ") };
        let (done, secs) = (c.kills + c.cuts, began.elapsed().as_secs());
        println!("{done:>4}/{points} {secs:>4} s  {death}: {acked} acknowledged, {verdict}");
    };
    std::thread::scope(|scope| {
        for _ in 0..lanes {
            scope.spawn(|| {
                while let Some(plan) = plans.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(e) = chain::run(target, plan, &report) {
                        println!("directory {}: {e:#}", plan.number);
                        count.lock().unwrap_or_else(std::sync::PoisonError::into_inner).corrupt += 1;
                    }
                }
            });
        }
    });
    count.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_holds_every_point_once_and_is_the_same_for_the_same_seed() {
        let plans = plan(50, 0, 20, 7);
        let deaths: Vec<String> = plans.iter().flat_map(|p| &p.deaths).map(ToString::to_string).collect();
        assert_eq!(deaths.len(), 70);
        let again: Vec<String> =
            plan(50, 0, 20, 7).iter().flat_map(|p| &p.deaths).map(ToString::to_string).collect();
        assert_eq!(deaths, again);
        let mut all = deaths.clone();
        all.sort();
        all.dedup();
        assert!(all.len() > 60, "{all:?}");
    }
}
