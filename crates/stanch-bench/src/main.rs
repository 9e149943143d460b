//! Measures from outside what Stanch promises about speed, with a peer in the same run.
//!
//! Load goes to loopback only, is bounded in count and time, and stops by itself. Never part of
//! the product, and never a test: a figure that depends on the machine is not a verdict.

#![allow(clippy::print_stdout, reason = "its output is its purpose")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on should say where"))]

mod engine;
mod payload;
mod proc;
mod records;

use std::process::ExitCode;

use anyhow::{Result, bail};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("stanch-bench: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<()> {
    let Some((verb, rest)) = words.split_first() else {
        bail!("which part? engine, records");
    };
    match verb.as_str() {
        "engine" => engine::run(rest),
        "records" => records::run(rest),
        other => bail!("there is no part {other:?}; engine, records"),
    }
}
