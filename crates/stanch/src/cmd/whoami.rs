//! `stanch whoami`: whom the server takes us for.

use anyhow::Result;
use stanch_server::api::v1::types::Whoami;

use crate::cli::Ctx;
use crate::client::view;
use crate::exit::Exit;
use crate::output::safe;

/// Say whose token is used, and what that person may do
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(_args: &Args, ctx: &Ctx) -> Result<Exit> {
    let answer = ctx.server()?.get("/api/v1/whoami").await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let who: Whoami = view(answer)?;
    let teams = if who.teams.is_empty() { "no team".to_owned() } else { who.teams.join(", ") };
    ctx.out.line(format!("{}\t{}\t{}", safe(&who.name), safe(&who.role), safe(&teams)));
    Ok(Exit::Ok)
}
