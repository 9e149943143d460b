//! `stanch release ACT`: lift a block before its end.

use anyhow::Result;
use stanch_model::{ActionId, IncidentId};
use stanch_server::api::v1::types::ReleaseRequest;

use crate::cli::{Ctx, id};
use crate::client::Route;
use crate::cmd::incidents::done;
use crate::exit::Exit;

/// Lift a block before its end
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which, for example ACT-4
    #[arg(value_parser = id::<ActionId>)]
    block: String,
    /// Why
    #[arg(long)]
    reason: String,
    /// Only for this incident: where others rest on the block too, it stays for them
    #[arg(long, value_name = "INC", value_parser = id::<IncidentId>)]
    incident: Option<String>,
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let body = ReleaseRequest { reason: args.reason.clone(), incident: args.incident.clone() };
    let answer = ctx.server()?.post(&Route::new(&["blocks", &args.block, "release"]), &body).await?;
    done(ctx, answer)
}
