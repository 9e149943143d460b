//! `compare`: builds of the server side by side, taking turns, with the CPU of each thread.
//!
//! For whoever changes the hot path: rates of a busy machine move by a third, CPU for each alert
//! and switches between threads far less.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::intake::{CASES, Case};
use crate::load::{Door, drive};
use crate::payload;
use crate::peers::Stanch;
use crate::proc;
use crate::report::Figures;

const HELP: &str = "compare SERVER... [--case TEXT] [--rounds 3] [--total N]; a SERVER may also be an ADDRESS that answers 202";

/// What is compared, and how.
struct Asked {
    servers: Vec<String>,
    case: String,
    rounds: usize,
    total: Option<u64>,
}

/// What one server did with one case.
#[derive(Default)]
struct Seen {
    rate: Figures,
    cpu: Figures,
    driver: Figures,
    p50: Figures,
    p99: Figures,
    switches: Figures,
    threads: BTreeMap<String, Figures>,
}

/// Compares the servers named, in the cases whose name holds the text given.
pub(crate) fn run(words: &[String]) -> Result<()> {
    let asked = read(words)?;
    for case in CASES.iter().filter(|c| c.name.contains(&asked.case)) {
        println!("{}", case.name);
        let total = asked.total.unwrap_or(case.total);
        let bodies = payload::bodies(0, total, case.batch, case.share);
        let mut seen: Vec<Seen> = asked.servers.iter().map(|_| Seen::default()).collect();
        for round in 0..asked.rounds {
            for n in 0..seen.len() {
                let n = (n + round) % seen.len();
                one(&asked.servers[n], case, &bodies, total, &mut seen[n])?;
            }
        }
        for (server, seen) in asked.servers.iter().zip(&seen) {
            seen.print(server);
        }
    }
    Ok(())
}

fn read(words: &[String]) -> Result<Asked> {
    let mut asked = Asked { servers: Vec::new(), case: String::new(), rounds: 3, total: None };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a value\n{HELP}"));
        match word.as_str() {
            "--case" => asked.case = value()?.clone(),
            "--rounds" => asked.rounds = value()?.parse().context("--rounds")?,
            "--total" => asked.total = Some(value()?.parse().context("--total")?),
            odd if odd.starts_with('-') => bail!("unknown option {odd}\n{HELP}"),
            server => asked.servers.push(server.to_owned()),
        }
    }
    if asked.servers.is_empty() {
        bail!("{HELP}");
    }
    Ok(asked)
}

fn one(server: &str, case: &Case, bodies: &[Vec<u8>], total: u64, seen: &mut Seen) -> Result<()> {
    let own = proc::threads("self")?;
    if let Ok(address) = server.parse() {
        let door = Door { address, path: "/in/alertmanager".to_owned(), token: Some("x".repeat(43)) };
        let driven = drive(&door, bodies, case.connections)?;
        seen.add(total, &driven.each, driven.wall);
    } else {
        let stanch = Stanch::new(&PathBuf::from(server))?;
        let running = stanch.start()?;
        let (cpu, before) = (running.cpu()?, proc::threads(running.id())?);
        let driven = drive(&running.door, bodies, case.connections)?;
        seen.add(total, &driven.each, driven.wall);
        seen.cpu.add((running.cpu()? - cpu) * 1e6 / total as f64);
        let after = proc::threads(running.id())?;
        let mut switches = 0;
        let mut by_name: BTreeMap<String, f64> = BTreeMap::new();
        for (thread, now) in &after {
            let then = before.get(thread);
            switches += now.switches - then.map_or(0, |t| t.switches);
            let used = now.cpu.saturating_sub(then.map_or(Duration::ZERO, |t| t.cpu));
            *by_name.entry(now.name.clone()).or_default() += used.as_secs_f64() * 1e6 / total as f64;
        }
        seen.switches.add(switches as f64 / total as f64);
        for (name, us) in by_name.into_iter().filter(|(_, us)| *us > 0.05) {
            seen.threads.entry(name).or_default().add(us);
        }
    }
    let mine = |all: BTreeMap<u32, proc::Thread>| all.values().map(|t| t.cpu).sum::<Duration>();
    let used = mine(proc::threads("self")?).saturating_sub(mine(own));
    seen.driver.add(used.as_secs_f64() * 1e6 / total as f64);
    Ok(())
}

impl Seen {
    fn add(&mut self, total: u64, each: &[Duration], wall: Duration) {
        let at =
            |t: usize| each.get(each.len().saturating_sub(1) * t / 1_000).map_or(0.0, Duration::as_secs_f64);
        self.rate.add(total as f64 / wall.as_secs_f64());
        self.p50.add(at(500) * 1e3);
        self.p99.add(at(990) * 1e3);
    }

    fn print(&self, server: &str) {
        let threads: Vec<String> =
            self.threads.iter().map(|(name, us)| format!("{name} {:.2}", us.median())).collect();
        println!(
            "  {:>8.0}/s [{:.0} to {:.0}]  CPU {:.2} us, driver {:.2} us, p50 {:.2} ms, p99 {:.1} ms, {:.2} switches  ({})  {server}",
            self.rate.median(),
            self.rate.0.iter().copied().fold(f64::MAX, f64::min),
            self.rate.0.iter().copied().fold(0.0, f64::max),
            if self.cpu.0.is_empty() { 0.0 } else { self.cpu.median() },
            self.driver.median(),
            self.p50.median(),
            self.p99.median(),
            if self.switches.0.is_empty() { 0.0 } else { self.switches.median() },
            threads.join(", "),
        );
    }
}
