//! `stanch demo`: the main job on a real recording, in half a minute.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{self, Ctx};
use crate::demo::{mail, scene};
use crate::exit::{Exit, Failure};

/// See the main job done on a real intrusion: half a minute, nothing leaves this machine
///
/// Takes in a recorded day, tells its story, proposes a block, asks you, blocks for real in network
/// namespaces of its own, proves it by packets, tells a mailbox, lets the block end, and accounts for
/// every second. Without root or nft the firewall is pretended, and every screen says so.
#[derive(clap::Args)]
pub struct Args {
    /// Say yes to the proposed change without being asked
    #[arg(long)]
    pub yes: bool,
    /// Address of the network team, told of every change
    #[arg(long, value_name = "ADDR", default_value = "noc@example.com", value_parser = mail::address)]
    pub noc: String,
    /// Send mail through this server instead of the bundled one, which delivers nothing
    #[arg(long, value_name = "HOST:PORT", value_parser = mail::server)]
    pub smtp: Option<(String, u16)>,
    /// How long the block holds: 2s to 10m
    #[arg(long, value_name = "TIME", default_value = "8s", value_parser = ttl)]
    pub ttl: Duration,
    /// Replay at so many times the pace of the day [default: as fast as it is acknowledged]
    #[arg(long, value_name = "N", value_parser = speed)]
    pub speed: Option<f64>,
    /// Keep configuration and journal in this new folder
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

fn ttl(text: &str) -> Result<Duration, String> {
    let ttl = cli::duration(text)?;
    let range = Duration::from_secs(2)..=Duration::from_secs(600);
    if range.contains(&ttl) { Ok(ttl) } else { Err("write a time from 2s to 10m".to_owned()) }
}

fn speed(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('x').parse() {
        Ok(n) if (1.0..=1e9).contains(&n) => Ok(n),
        _ => Err("write a number from 1, for example 3600".to_owned()),
    }
}

/// Plays the demonstration; a signal ends it in order, with everything taken away.
pub async fn run(args: Args, ctx: &Ctx) -> Result<Exit> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut end = signal(SignalKind::terminate())?;
    tokio::select! {
        played = scene::play(&args, &ctx.out) => played,
        _ = interrupt.recv() => Err(stopped().into()),
        _ = end.recv() => Err(stopped().into()),
    }
}

fn stopped() -> Failure {
    Failure::new(Exit::Failed, "stopped; what the demonstration made is gone again", "")
}

/// Plays a host of the demonstration's network; not for people
#[derive(clap::Args)]
pub struct HelperArgs {
    /// What the lab asks of it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Plays a host of the demonstration's network.
pub fn helper(args: &HelperArgs) -> ! {
    let code = stanch_connectors::responder::lab::helper_main(&args.words);
    std::process::exit(i32::from(code != ExitCode::SUCCESS))
}
