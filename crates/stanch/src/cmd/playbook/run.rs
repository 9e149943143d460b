//! `stanch playbook run`: begin a run by hand.

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::Result;
use stanch_model::IncidentId;
use stanch_server::api::v1::types::{DoneView, RunRequest};

use crate::cli::{self, Ctx, id};
use crate::client::{Route, view};
use crate::cmd::tasks::{pair, values};
use crate::exit::{Exit, Failure};
use crate::output::safe;

/// Begin a run of a playbook by hand
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which playbook
    name: String,
    /// An input, as NAME=VALUE; may be given several times
    #[arg(long = "with", value_name = "NAME=VALUE", value_parser = pair)]
    with: Vec<(String, String)>,
    /// For this incident
    #[arg(long, value_name = "INC", value_parser = id::<IncidentId>)]
    incident: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let api = ctx.server()?;
    if !args.yes {
        let about = args.incident.as_ref().map_or(String::new(), |i| format!(" for {i}"));
        if !std::io::stdin().is_terminal() || ctx.out.json {
            let message = "there is no terminal to ask on; nothing was begun";
            return Err(cli::usage(message, "add --yes, or try it first with `stanch playbook rehearse`"));
        }
        ctx.out.ask(&format!("Run {}{about} on the live system? Type yes: ", args.name));
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        if answer.trim() != "yes" {
            return Err(Failure::new(Exit::Refused, "not begun: the answer was not yes", "").into());
        }
    }
    let body = RunRequest {
        playbook: args.name.clone(),
        incident: args.incident.clone(),
        inputs: values(&args.with),
    };
    let answer = api.post(&Route::new(&["runs"]), &body).await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let done: DoneView = view(answer)?;
    ctx.out.line(safe(&done.message));
    if let Some(run) = done.run {
        ctx.out.note(format!("follow it: stanch runs {run}"));
    }
    Ok(Exit::Ok)
}
