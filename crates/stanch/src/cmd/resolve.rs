//! `stanch resolve INC`: close an incident.

use anyhow::Result;
use stanch_model::IncidentId;
use stanch_server::api::v1::types::ResolveRequest;

use crate::cli::{Ctx, id};
use crate::client::Route;
use crate::cmd::incidents::done;
use crate::exit::Exit;

/// Close an incident
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which, for example INC-3
    #[arg(value_parser = id::<IncidentId>)]
    incident: String,
    /// Why
    #[arg(long)]
    reason: String,
    /// Let blocks that are in force run to their end; without it they are in the way
    #[arg(long)]
    leave_changes: bool,
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let body = ResolveRequest { reason: args.reason.clone(), leave_changes: args.leave_changes };
    let answer = ctx.server()?.post(&Route::new(&["incidents", &args.incident, "resolve"]), &body).await?;
    done(ctx, answer)
}
