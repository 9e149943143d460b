//! `stanch version`.

use anyhow::Result;
use serde_json::json;

use crate::cli::Ctx;
use crate::exit::Exit;

/// Print the version
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args, ctx: &Ctx) -> Result<Exit> {
    const VERSION: &str = env!("CARGO_PKG_VERSION");
    if ctx.out.json {
        ctx.out.json(&json!({ "name": "stanch", "version": VERSION, "api": "v1" }));
    } else {
        ctx.out.line(format!("stanch {VERSION}"));
    }
    Ok(Exit::Ok)
}
