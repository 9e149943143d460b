//! `stanch autonomy`: what may be closed by itself, on what evidence, and why not more.

use anyhow::Result;
use stanch_server::api::v1::types::AutonomyView;

use crate::cli::{Ctx, Store};
use crate::client::view;
use crate::exit::Exit;
use crate::output::{Cell, Style, Table, safe};

/// Show what may be closed by itself, on what evidence, and why not more
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    store: Store,
}

fn percent(p: f64) -> String {
    format!("{:.1} %", p * 100.0)
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
