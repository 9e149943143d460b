//! Measures from outside what Stanch promises about speed, with a peer in the same run.
//!
//! Load goes to loopback only, is bounded in count and time, and stops by itself. Never part of
//! the product, and never a test: a figure that depends on the machine is not a verdict.

#![allow(clippy::print_stdout, reason = "its output is its purpose")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on should say where"))]

mod compare;
mod engine;
mod enrich;
mod held;
mod intake;
mod judge;
mod keep;
mod limits;
mod load;
mod payload;
mod peers;
mod plan;
mod proc;
mod records;
mod report;
mod runs;
mod start;
mod waiting;

use std::process::ExitCode;

use anyhow::{Result, bail};
use zeroizing_alloc::ZeroAlloc;

use plan::Plan;
use report::Section;

/// The allocator of the product, so that `engine` measures what runs there.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<mimalloc::MiMalloc> = ZeroAlloc(mimalloc::MiMalloc);

/// The parts with a peer or a goal, in the order of the page.
type Part = (&'static str, fn(&Plan) -> Result<Section>);

const PARTS: [Part; 6] = [
    ("intake", intake::run),
    (plan::KEEP, keep::run),
    ("start", start::run),
    ("enrich", enrich::run),
    (plan::RUNS, runs::run),
    (plan::WAITING, waiting::run),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("stanch-bench: {e:#}");
            ExitCode::FAILURE
        }
    }
}

/// False when a floor was missed.
fn run(words: &[String]) -> Result<bool> {
    let Some((verb, rest)) = words.split_first() else { bail!("run, compare, engine, judge or records?") };
    match verb.as_str() {
        "run" => measure(&Plan::read(rest)?),
        "compare" => compare::run(rest).map(|()| true),
        "engine" => engine::run(rest).map(|()| true),
        // Started by `judge`, not by people.
        "held" => held::run().map(|()| true),
        "judge" => judge::run(rest).map(|()| true),
        "records" => records::run(rest).map(|()| true),
        other => bail!("there is no {other:?}: run, compare, engine, judge or records"),
    }
}

fn measure(plan: &Plan) -> Result<bool> {
    if let Some(odd) = plan.parts.iter().find(|p| !PARTS.iter().any(|(name, _)| name == p)) {
        bail!("there is no part {odd:?}; there are {:?}", PARTS.map(|p| p.0));
    }
    println!("{}", plan.machine);
    let mut missed = Vec::new();
    for (name, part) in PARTS.iter().filter(|(name, _)| plan.wants(name)) {
        println!("\n== {name}");
        let section = part(plan)?;
        section.keep(&report::history())?;
        missed.extend(section.rows.iter().filter(|r| r.met == Some(false)).map(|r| r.goal.clone()));
    }
    if plan.write_docs {
        let measured: Vec<&str> = PARTS.iter().map(|p| p.0).filter(|name| plan.wants(name)).collect();
        report::write_docs(&measured)?;
    }
    println!(
        "{}",
        if missed.is_empty() {
            "every floor is met".to_owned()
        } else {
            format!("missed: {}", missed.join(", "))
        }
    );
    Ok(missed.is_empty())
}
