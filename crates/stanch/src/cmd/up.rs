//! `stanch up`: from nothing to a running console in one command.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;

use crate::cli::Ctx;
use crate::cmd::init;
use crate::exit::{Exit, Failure};
use crate::{find, local};

/// Run it, from nothing: makes what is missing, and prints one address to open
///
/// Without a configuration folder it writes one (as `stanch init` does), which changes nothing real and
/// reaches nobody. Where no administrator has a password yet, the address makes the first one: within 15
/// minutes, once, on this machine.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The store's folder [default: .stanch in the configuration folder]
    #[arg(long, env = "STANCH_DATA", hide_env_values = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Listen here instead of where the configuration says; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

pub(crate) async fn run(args: Args, ctx: &Ctx) -> Result<Exit> {
    let named = ctx.globals.config.clone();
    let config = find::config_dir(named.as_deref()).unwrap_or_else(|| PathBuf::from("stanch"));
    let made = !config.join(find::MARK).is_file();
    if made {
        let occupied = std::fs::read_dir(&config).is_ok_and(|mut entries| entries.next().is_some());
        if occupied {
            let message = format!("{} is not empty, and no configuration folder of ours", config.display());
            let mend = "name a new or an empty folder with --config DIR";
            return Err(Failure::new(Exit::Refused, message, mend).into());
        }
        init::write(&config)?;
    }
    let data = find::data_dir(args.data.as_deref(), &config);
    local::up(ctx, &config, &data, args.listen, made).await
}
