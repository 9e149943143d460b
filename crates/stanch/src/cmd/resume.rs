//! `stanch resume RUN`: let a run go on from the step that failed.

use anyhow::{Result, bail};
use stanch_model::RunId;
use stanch_server::api::v1::types::{RunDetail, RunResumeRequest};

use crate::cli::{Ctx, id};
use crate::client::{Route, view};
use crate::cmd::incidents::done;
use crate::exit::Exit;
use crate::output::safe;

/// Let a run go on from the step that failed: what was done is not done again
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which, for example RUN-2
    #[arg(value_parser = id::<RunId>)]
    run: String,
    /// What has changed since it failed
    #[arg(long, required_unless_present = "dry_run")]
    reason: Option<String>,
    /// Only say from which steps it would go on
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let api = ctx.server()?;
    let Some(reason) = args.reason.clone().filter(|_| !args.dry_run) else {
        let answer = api.get(&Route::new(&["runs", &args.run])).await?;
        if ctx.out.json {
            ctx.out.json(&answer);
            return Ok(Exit::Ok);
        }
        let run: RunDetail = view(answer)?;
        if run.resumable.is_empty() {
            bail!(
                "{} cannot go on: it is {}; look at it with `stanch runs {}`",
                args.run,
                run.summary.state,
                args.run
            );
        }
        ctx.out.line(safe(&format!("{} would go on from {}", args.run, run.resumable.join(", "))));
        return Ok(Exit::Ok);
    };
    let answer = api.post(&Route::new(&["runs", &args.run, "resume"]), &RunResumeRequest { reason }).await?;
    done(ctx, answer)
}
