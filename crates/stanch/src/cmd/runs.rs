//! `stanch runs`: executions of playbooks.

use anyhow::Result;
use stanch_model::{IncidentId, RunId};
use stanch_server::api::v1::types::{RunDetail, RunPage};

use crate::cli::{self, Ctx, Store, id};
use crate::client::{Route, view};
use crate::exit::Exit;
use crate::output::{Cell, Style, Table, now, safe};

/// List runs of playbooks, or show one step by step
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Show this one, for example RUN-2
    #[arg(value_parser = id::<RunId>)]
    run: Option<String>,
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
    if let Some(run) = &args.run {
        let answer = api.get(&Route::new(&["runs", run])).await?;
        if ctx.out.json {
            ctx.out.json(&answer);
        } else {
            show(ctx, &view(answer)?);
        }
        return Ok(Exit::Ok);
    }
    let route = Route::new(&["runs"]).with("incident", args.incident.as_ref()).with("limit", args.limit);
    let answer = api.get(&route).await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let page: RunPage = view(answer)?;
    let now = now();
    let mut table = Table::new(&["id", "incident", "playbook", "state", "step", "since", "why"]);
    for r in &page.runs {
        table.row(vec![
            Cell::new(&r.id).styled(Style::Strong),
            Cell::new(&r.incident),
            Cell::new(&r.playbook),
            Cell::new(&r.state),
            Cell::maybe(r.step.as_ref()),
            Cell::time(&r.step_since, now),
            Cell::maybe(r.why.as_ref()),
        ]);
    }
    ctx.out.table(&table);
    Ok(Exit::Ok)
}

fn show(ctx: &Ctx, r: &RunDetail) {
    let (s, paint) = (&r.summary, ctx.out.paint);
    let title = safe(&format!("{}  {} for {}: {}", s.id, s.playbook, s.incident, s.state));
    ctx.out.line(paint.on(Style::Strong, &title));
    for step in &r.steps {
        ctx.out.line(safe(&format!("  ✓ {:<16} {}  {}", step.step, step.at, step.outcome)));
    }
    if let Some(step) = &s.step {
        let asks = r.approval.as_ref().map(|a| format!("  asks {a}")).unwrap_or_default();
        ctx.out.line(safe(&format!("  … {step:<16} {}{asks}", s.step_since)));
    }
    if let Some(why) = &s.why {
        ctx.out.line(safe(&format!("  {why}")));
    }
    if !r.blocks.is_empty() {
        ctx.out.line(safe(&format!("  changes: {}", r.blocks.join(", "))));
    }
}
