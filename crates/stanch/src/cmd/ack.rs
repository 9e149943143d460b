//! `stanch ack INC`: take an incident.

use anyhow::Result;
use serde_json::json;
use stanch_model::IncidentId;

use crate::cli::{Ctx, id};
use crate::client::Route;
use crate::cmd::incidents::done;
use crate::exit::Exit;

/// Take an incident: escalation stops
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which, for example INC-3
    #[arg(value_parser = id::<IncidentId>)]
    incident: String,
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let answer = ctx.server()?.post(&Route::new(&["incidents", &args.incident, "ack"]), &json!({})).await?;
    done(ctx, answer)
}
