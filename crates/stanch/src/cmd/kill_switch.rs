//! `stanch kill-switch on|off`: stop all changes to the outside world, or allow them again.

use anyhow::Result;
use stanch_server::api::v1::types::{KillSwitchRequest, KillSwitchView};

use crate::cli::Ctx;
use crate::client::view;
use crate::exit::Exit;

/// Stop all changes to the outside world, or allow them again; undoing stays possible
#[derive(clap::Args)]
pub(crate) struct Args {
    /// `on` stops changes, `off` allows them; without it, say how it stands
    state: Option<Switch>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Switch {
    On,
    Off,
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    const PATH: &str = "/api/v1/admin/kill-switch";
    let api = ctx.server()?;
    if let Some(state) = args.state {
        api.post(PATH, &KillSwitchRequest { engaged: matches!(state, Switch::On) }).await?;
    }
    // What is shown is how it stands, not what was asked for.
    let answer = api.get(PATH).await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let stands: KillSwitchView = view(answer)?;
    ctx.out.line(if stands.engaged {
        "on: nothing new is changed outside; undoing stays possible"
    } else {
        "off: changes are made as the policies allow"
    });
    Ok(Exit::Ok)
}
