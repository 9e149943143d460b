//! `stanch reload`: the whole new configuration, or nothing of it.

use anyhow::Result;
use serde_json::json;
use stanch_server::api::v1::types::ReloadView;

use crate::cli::Ctx;
use crate::client::view;
use crate::exit::Exit;
use crate::output::{render_mistake, safe};

/// Have the server read its configuration again: all of it, or nothing when there is a mistake
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(_args: &Args, ctx: &Ctx) -> Result<Exit> {
    let answer = ctx.server()?.post("/api/v1/admin/reload", &json!({})).await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let reload: ReloadView = view(answer)?;
    for warning in &reload.warnings {
        ctx.out.note(render_mistake(warning));
    }
    ctx.out.line(safe(&reload.message));
    Ok(Exit::Ok)
}
