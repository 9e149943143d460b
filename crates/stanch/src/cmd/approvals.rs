//! `stanch approvals`: what waits for a yes.

use anyhow::Result;
use stanch_model::{ApprovalId, IncidentId};
use stanch_server::api::v1::types::{ApprovalDetail, ApprovalPage};

use crate::cli::{self, Ctx, Store, id};
use crate::client::{Route, view};
use crate::exit::Exit;
use crate::output::{Cell, Style, Table, now, safe, safe_lines};

/// List questions that wait for an answer, or show one
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Show this one, for example APR-1
    #[arg(value_parser = id::<ApprovalId>)]
    approval: Option<String>,
    /// Also those that are settled
    #[arg(long)]
    all: bool,
    /// Only of this incident
    #[arg(long, value_name = "INC", value_parser = id::<IncidentId>)]
    incident: Option<String>,
    /// How many, at most 1000
    #[arg(long, value_parser = cli::limit)]
    limit: Option<usize>,
    #[command(flatten)]
    store: Store,
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let api = ctx.api(&args.store)?;
    if let Some(approval) = &args.approval {
        let answer = api.get(&Route::new(&["approvals", approval])).await?;
        if ctx.out.json {
            ctx.out.json(&answer);
            return Ok(Exit::Ok);
        }
        show(ctx, &view(answer)?);
        return Ok(Exit::Ok);
    }
    let route = Route::new(&["approvals"])
        .flag("pending", !args.all)
        .with("incident", args.incident.as_ref())
        .with("limit", args.limit);
    let answer = api.get(&route).await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let page: ApprovalPage = view(answer)?;
    let now = now();
    let mut table =
        Table::new(&["id", "incident", "state", "what", "for", "on", "hurts", "teams", "expires", "code"]);
    for a in &page.approvals {
        let on = if a.simulated { format!("{} (simulated)", a.responder) } else { a.responder.clone() };
        table.row(vec![
            Cell::new(&a.id).styled(Style::Strong),
            Cell::new(&a.incident),
            Cell::new(&a.state).styled(if a.state == "pending" { Style::Warn } else { Style::Plain }),
            Cell::new(&a.action),
            Cell::new(&a.ttl),
            Cell::new(on),
            Cell::new(&a.blast_radius),
            Cell::new(a.teams.join(", ")),
            Cell::time(&a.expires_at, now),
            Cell::new(&a.code),
        ]);
    }
    ctx.out.table(&table);
    if table.is_empty() {
        ctx.out.note("nothing waits for an answer");
    }
    Ok(Exit::Ok)
}

/// Exactly what a person is asked, and how it stands.
pub(crate) fn show(ctx: &Ctx, a: &ApprovalDetail) {
    ctx.out.line(safe_lines(a.shown.trim_end()));
    if let Some(s) = &a.summary.settled {
        let reason = if s.reason.is_empty() { String::new() } else { format!(": {}", s.reason) };
        ctx.out.line(safe(&format!("{} by {} at {}{reason}", s.how, s.by, s.at)));
    } else if a.summary.state != "pending" {
        ctx.out.line(safe(&a.summary.state));
    } else if !a.summary.parties.is_empty() && !a.may_say_yes.is_empty() {
        ctx.out.line(safe(&format!("may say yes now: {}", a.may_say_yes.join(", "))));
    }
}
