//! `stanch serve`: the server.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;

use crate::cli::Ctx;
use crate::exit::Exit;
use crate::{find, local};

/// Run the server
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The store's folder [default: .stanch in the configuration folder]
    #[arg(long, env = "STANCH_DATA", hide_env_values = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Listen here instead of where the configuration says; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// A name under which browsers reach the console, for example that of a proxy before it; may be given
    /// several times. Without it only loopback names are answered on loopback
    #[arg(
        long = "host",
        env = "STANCH_HOST",
        hide_env_values = true,
        value_name = "NAME",
        value_delimiter = ','
    )]
    hosts: Vec<String>,
    /// Serve several tenants: each sub-folder is one, named as its host, with `config` and `data` in it
    #[arg(long, value_name = "DIR", conflicts_with_all = ["data", "hosts", "config"])]
    tenants: Option<PathBuf>,
}

pub(crate) async fn run(args: Args, ctx: &Ctx) -> Result<Exit> {
    if let Some(folder) = &args.tenants {
        return local::serve_tenants(ctx, folder, args.listen).await;
    }
    let config = find::needed_config_dir(ctx.globals.config.as_deref())?;
    let data = find::data_dir(args.data.as_deref(), &config);
    local::serve(ctx, &config, &data, args.listen, args.hosts).await
}
