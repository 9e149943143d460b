//! `stanch kill-switch on|off`: stop all changes to the outside world, or allow them again.

use anyhow::Result;
use stanch_server::api::v1::types::{KillSwitchRequest, KillSwitchView};

use crate::cli::Ctx;
use crate::client::view;
use crate::exit::Exit;

/// Stop changes to the outside world, or allow them again; undoing stays possible
#[derive(clap::Args)]
pub(crate) struct Args {
    /// `on` stops changes, `off` allows them; without it, say how it stands
    state: Option<Switch>,
    /// Only changes of this responder
    #[arg(long, value_name = "NAME", conflicts_with = "playbook", requires = "state")]
    responder: Option<String>,
    /// Only changes of this playbook
    #[arg(long, value_name = "NAME", requires = "state")]
    playbook: Option<String>,
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
        let (responder, playbook) = (args.responder.clone(), args.playbook.clone());
        let engaged = matches!(state, Switch::On);
        api.post(PATH, &KillSwitchRequest { engaged, responder, playbook }).await?;
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
    for name in &stands.responders {
        ctx.out.line(format!("on for responder {name}"));
    }
    for name in &stands.playbooks {
        ctx.out.line(format!("on for playbook {name}"));
    }
    Ok(Exit::Ok)
}
