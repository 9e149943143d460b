//! The containment lab: what we block ends by itself, also when we are killed.
//!
//! Each cycle blocks the host outside for a few seconds, kills the process that blocked it (SIGKILL), and
//! measures when a ping passes again: at the end of its time, give or take 5 s (P-8). One cycle in ten
//! instead cuts our own path and is killed before it can take that back: the firewall must let go within
//! 30 s (SEC-60). At the end nothing may be left of us in the ruleset.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::args::Args;

const INSIDE: &str = "10.0.0.100";
const OUTSIDE: &str = "10.0.254.35";
/// How long each block holds, in seconds.
const HOLDS: u64 = 3;
/// How far from its time a block may end. Source: P-8.
const SLACK: Duration = Duration::from_secs(5);
/// How long a block of our own path may hold. Source: SEC-60.
const ROLLBACK: Duration = Duration::from_secs(30);
/// A ping gives up after 1 s. One that took longer than this was itself stopped: the machine was, not
/// the traffic, and the cycle tells nothing.
const STALLED: Duration = Duration::from_secs(3);
/// Cycles that told nothing and were made again, at most, in a hundred.
const MOST_STALLED: u32 = 10;
/// Every so many cycles it is our own path that is cut.
const OWN_PATH_EVERY: u32 = 10;

/// A process that is killed when it is let go of.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the cycles. `--cycles N`, default 20.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    let mut args = Args::new(words);
    let cycles: u32 = args.value("--cycles")?.unwrap_or(20);
    args.words()?;
    let helper = helper()?;
    let (lab, firewall) = start(&helper, &["make", INSIDE, OUTSIDE]).context("no lab")?;
    let inside = firewall.trim_end_matches("-fw").to_owned() + "-in";
    ensure!(pings(&inside), "the lab does not let a ping through");
    let (mut worst, mut stalled) = ([Duration::ZERO; 2], 0);
    for cycle in 1..=cycles {
        let own_path = cycle % OWN_PATH_EVERY == 0;
        let took = loop {
            let took =
                one(&helper, &firewall, &inside, own_path).with_context(|| format!("cycle {cycle}"))?;
            if let Some(took) = took {
                break took;
            }
            stalled += 1;
            println!("cycle {cycle}: this machine stood still while it was measured; made again");
            ensure!(
                stalled <= 1 + cycles * MOST_STALLED / 100,
                "this machine is too busy to measure anything"
            );
        };
        let kind = usize::from(own_path);
        worst[kind] = worst[kind].max(took);
        let what = if own_path { "own path, on trial" } else { "block" };
        println!("cycle {cycle}: {what}: traffic again {:.1} s after it stopped", took.as_secs_f64());
    }
    let left = ruleset(&firewall)?;
    ensure!(!left.contains("stanch:ACT"), "something of ours is still there:\n{left}");
    drop(lab);
    println!(
        "{cycles} cycles ({stalled} more made again), nothing left behind; longest: block of {HOLDS} s {:.1} s, own path {:.1} s",
        worst[0].as_secs_f64(),
        worst[1].as_secs_f64()
    );
    Ok(ExitCode::SUCCESS)
}

/// Blocks, kills, and measures when traffic passes again. Nothing when this machine stood still meanwhile.
fn one(helper: &Path, firewall: &str, inside: &str, own_path: bool) -> Result<Option<Duration>> {
    let target = format!("{OUTSIDE}/32");
    let seconds = HOLDS.to_string();
    let words = match own_path {
        true => vec!["trial", firewall, &target],
        false => vec!["block", firewall, &target, &seconds],
    };
    let (blocker, said) = start(helper, &words)?;
    let began = Instant::now();
    ensure!(said == "blocked", "the helper said {said:?}");
    let passes = pings(inside);
    if began.elapsed() > STALLED {
        return Ok(None);
    }
    ensure!(!passes, "a ping passes although the address is blocked");
    drop(blocker);
    let longest = if own_path { ROLLBACK } else { Duration::from_secs(HOLDS) + SLACK };
    loop {
        let tried = Instant::now();
        let passes = pings(inside);
        if tried.elapsed() > STALLED {
            return Ok(None);
        }
        if passes {
            break;
        }
        ensure!(began.elapsed() < longest, "still blocked after {:.1} s", began.elapsed().as_secs_f64());
    }
    let took = began.elapsed();
    let shortest = Duration::from_secs(HOLDS).saturating_sub(SLACK);
    ensure!(took >= shortest && took <= longest, "traffic again after {:.1} s", took.as_secs_f64());
    Ok(Some(took))
}

fn helper() -> Result<std::path::PathBuf> {
    let folder = crate::cargo_build_with(&["stanch-connectors"], &["--example", "lab_helper"], false)?;
    let path = folder.join("examples/lab_helper");
    ensure!(path.is_file(), "{} was not built", path.display());
    Ok(path)
}

/// Starts the helper and reads its first line.
fn start(helper: &Path, words: &[&str]) -> Result<(Killed, String)> {
    let mut child = Command::new(helper)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} cannot be started", helper.display()))?;
    let out = child.stdout.take().context("no output")?;
    let child = Killed(child);
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line)?;
    if line.is_empty() {
        bail!("the helper ended; it needs root, nftables and iproute2");
    }
    Ok((child, line.trim().to_owned()))
}

fn pings(ns: &str) -> bool {
    let ping = ["netns", "exec", ns, "ping", "-q", "-c1", "-W1", OUTSIDE];
    let done = Command::new("ip").args(ping).stdout(Stdio::null()).stderr(Stdio::null()).status();
    done.is_ok_and(|status| status.success())
}

fn ruleset(ns: &str) -> Result<String> {
    let done = Command::new("ip").args(["netns", "exec", ns, "nft", "list", "ruleset"]).output()?;
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}
