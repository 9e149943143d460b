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
            Cell::maybe(r.incident.as_ref()),
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
    let about = s.incident.as_ref().map_or(String::new(), |i| format!(" for {i}"));
    let title = safe(&format!("{}  {}{about}: {}", s.id, s.playbook, s.state));
    ctx.out.line(paint.on(Style::Strong, &title));
    for (what, who) in [("asked for by", &r.by), ("called by", &r.called_by)] {
        if let Some(who) = who {
            ctx.out.line(safe(&format!("  {what} {who}")));
        }
    }
    value(ctx, "given", &r.inputs);
    for again in &r.resumed {
        ctx.out.line(safe(&format!("  went on {} by {}: {}", again.at, again.by, again.reason)));
    }
    for step in &r.steps {
        let sign = match step.end.as_str() {
            "failed" => "✗",
            "skipped" | "stopped" => "-",
            _ => "✓",
        };
        let tries =
            if step.tries > 0 { format!(" (after {} failed tries)", step.tries) } else { String::new() };
        ctx.out.line(safe(&format!("  {sign} {:<16} {}  {}{tries}", step.step, step.at, step.outcome)));
        value(ctx, "  gave", &step.output);
    }
    for w in &r.under_way {
        let failed = w.last_failure.as_ref().map(|f| format!("  {} tries failed: {f}", w.tries));
        let asks = w.task.as_ref().or(w.run.as_ref()).map(|t| format!("  {t}"));
        let more = format!("{}{}", asks.unwrap_or_default(), failed.unwrap_or_default());
        ctx.out.line(safe(&format!("  … {:<16} since {}{more}", w.step, w.since)));
    }
    if let Some(approval) = &r.approval {
        ctx.out.line(safe(&format!("  asks {approval}")));
    }
    if !r.waits_for.is_empty() {
        ctx.out.line(safe(&format!("  waits for {}", r.waits_for.join("; "))));
    }
    if let Some(why) = &s.why {
        ctx.out.line(safe(&format!("  {why}")));
    }
    if !r.resumable.is_empty() {
        let from = r.resumable.join(", ");
        ctx.out.line(safe(&format!("  can go on from {from}:  stanch resume {} --reason '…'", s.id)));
    }
    value(ctx, "gave", &r.output);
    if !r.blocks.is_empty() {
        ctx.out.line(safe(&format!("  changes: {}", r.blocks.join(", "))));
    }
}

/// A value on one line, cut where it is long; `--json` has it whole.
fn value(ctx: &Ctx, what: &str, value: &serde_json::Value) {
    if value.is_null() {
        return;
    }
    let text = value.to_string();
    let short: String = text.chars().take(200).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    ctx.out.line(safe(&format!("    {what} {short}{more}")));
}
