//! `stanch verdict INC true|false|benign|duplicate|wrong_team|wrong_merge`: what an incident turned out to be.

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
    /// is meant to; duplicate: the same as --of; wrong_team: it belongs to --team; wrong_merge: it holds
    /// what does not belong together
    #[arg(value_parser = ["true", "false", "benign", "duplicate", "wrong_team", "wrong_merge"])]
    verdict: String,
    /// The incident that this one is a duplicate of
    #[arg(long, value_parser = id::<IncidentId>, required_if_eq("verdict", "duplicate"))]
    of: Option<String>,
    /// The team that would have been the right one
    #[arg(long, required_if_eq("verdict", "wrong_team"))]
    team: Option<String>,
    /// Why
    #[arg(long)]
    reason: Option<String>,
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let body = VerdictRequest {
        verdict: args.verdict.clone(),
        of: args.of.clone(),
        team: args.team.clone(),
        reason: args.reason.clone(),
    };
    let answer = ctx.server()?.post(&Route::new(&["incidents", &args.incident, "verdict"]), &body).await?;
    done(ctx, answer)
}
