//! `stanch autonomy`: what may be decided without asking, on what evidence, and why not more.

use anyhow::Result;
use stanch_server::api::v1::types::{AutonomyView, DecisionView};

use crate::cli::{Ctx, Store};
use crate::client::view;
use crate::exit::Exit;
use crate::output::{Cell, Style, Table, safe};

/// Show what may be decided without asking anybody, on what evidence, and why not more
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    store: Store,
}

fn percent(p: f64) -> String {
    format!("{:.1} %", p * 100.0)
}

/// One row for each kind of decision.
fn decisions(all: &[DecisionView]) -> Table {
    let columns = ["decision", "mistake costs", "budget", "wrong so far", "at most", "without asking"];
    let mut table = Table::new(&columns);
    for d in all {
        let verdict = match (d.measured, d.allowed, d.threshold) {
            (false, _, _) if d.decision == "close" => "never".to_owned(),
            (false, _, _) if d.decision == "page" => "always".to_owned(),
            (false, _, _) => "as routes and playbooks say".to_owned(),
            (true, true, Some(t)) if d.side == "at_most" => format!("up to {} sure", percent(t)),
            (true, true, Some(t)) => format!("from {} sure on", percent(t)),
            (true, _, Some(_)) => "taken back for now".to_owned(),
            (true, _, None) => "not earned".to_owned(),
        };
        let seen = |text: String| if d.measured { text } else { "-".to_owned() };
        table.row(vec![
            Cell::new(&d.decision).styled(Style::Strong),
            Cell::new(&d.cost),
            Cell::new(d.budget.map_or_else(|| "none".to_owned(), percent)),
            Cell::new(seen(format!("{} of {}", d.errors, d.judged))),
            Cell::new(seen(percent(d.bound))),
            Cell::new(verdict),
        ]);
    }
    table
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let answer = ctx.api(&args.store)?.get("/api/v1/autonomy").await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let a: AutonomyView = view(answer)?;
    let verdict = match (a.allowed, a.threshold) {
        (true, Some(t)) => format!("incidents up to {} sure are closed by themselves", percent(t)),
        _ => "nothing is closed by itself".to_owned(),
    };
    ctx.out.line(verdict);
    for why in &a.because {
        ctx.out.line(safe(&format!("  {why}")));
    }
    ctx.out.line(String::new());
    ctx.out.table(&decisions(&a.decisions));
    for d in a.decisions.iter().filter(|d| d.measured && d.decision != "close") {
        ctx.out.line(format!("{}: a mistake is that {}", d.decision, d.mistake));
        for why in &d.because {
            ctx.out.line(safe(&format!("  {why}")));
        }
    }
    if !a.curve.is_empty() {
        ctx.out.line(String::new());
        let mut table = Table::new(&["confidence", "judged", "mattered", "true share between"]);
        for bar in &a.curve {
            table.row(vec![
                Cell::new(format!("{:.0} to {:.0} %", bar.from * 100.0, bar.to * 100.0)),
                Cell::number(bar.judged),
                Cell::number(bar.mattered),
                Cell::new(format!("{} and {}", percent(bar.low), percent(bar.high))),
            ]);
        }
        ctx.out.table(&table);
    }
    if a.budget.is_some() && !a.candidates.is_empty() {
        ctx.out.line(String::new());
        let mut table = Table::new(&["incident", "confidence", "closed by itself"]);
        for c in &a.candidates {
            table.row(vec![
                Cell::new(&c.incident).styled(Style::Strong),
                Cell::new(percent(c.confidence)),
                Cell::new(c.kept.as_ref().map_or_else(|| "yes".to_owned(), |why| format!("no: {why}"))),
            ]);
        }
        ctx.out.table(&table);
    }
    ctx.out.note(match a.model.grown_from {
        Some(n) => format!("scores come from a model grown from {n} of {} verdicts", a.model.verdicts),
        None => format!("scores come from the untrained model; {} verdicts so far", a.model.verdicts),
    });
    Ok(Exit::Ok)
}
