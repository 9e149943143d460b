//! `stanch deny APR`: a no.

use anyhow::Result;
use stanch_model::ApprovalId;

use crate::cli::{Ctx, id};
use crate::cmd::approvals;
use crate::cmd::approve::{Seen, answer, look, still_open};
use crate::exit::Exit;

/// Say no to a change
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which, for example APR-1
    #[arg(value_parser = id::<ApprovalId>)]
    approval: String,
    /// In your words
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    seen: Seen,
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let api = ctx.server()?;
    let asked = look(&api, &args.approval).await?;
    if !ctx.out.json {
        approvals::show(ctx, &asked);
    }
    still_open(&asked)?;
    args.seen.fits(&asked)?;
    answer(ctx, &api, &asked, "deny", args.reason.clone()).await
}
