//! `stanch verdict INC true|false|benign`: what an incident turned out to be.

use anyhow::Result;
use stanch_model::IncidentId;
use stanch_server::api::v1::types::VerdictRequest;

use crate::cli::{Ctx, id};
use crate::client::Route;
use crate::cmd::incidents::done;
use crate::exit::Exit;

/// Say what an incident turned out to be; triage counts it for the rules that took part
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which, for example INC-3
    #[arg(value_parser = id::<IncidentId>)]
    incident: String,
    /// true: an attack or what comes before one; false: nothing of the kind; benign: it happened and
    /// is meant to
    #[arg(value_parser = ["true", "false", "benign"])]
    verdict: String,
    /// Why
    #[arg(long)]
    reason: Option<String>,
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let body = VerdictRequest { verdict: args.verdict.clone(), reason: args.reason.clone() };
    let answer = ctx.server()?.post(&Route::new(&["incidents", &args.incident, "verdict"]), &body).await?;
    done(ctx, answer)
}
