//! `stanch advice INC`: what solved it before, and who should have it.

use anyhow::Result;
use stanch_model::IncidentId;
use stanch_server::api::v1::types::AdviceView;

use crate::cli::{Ctx, Store, id};
use crate::client::{Route, view};
use crate::exit::Exit;
use crate::output::{Cell, Style, Table, safe};

/// Show what solved it before and who should have it, from past incidents; nothing is done by it
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which, for example INC-3
    #[arg(value_parser = id::<IncidentId>)]
    incident: String,
    #[command(flatten)]
    store: Store,
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let answer = ctx.api(&args.store)?.get(&Route::new(&["incidents", &args.incident, "advice"])).await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let a: AdviceView = view(answer)?;
    if a.alike.is_empty() {
        ctx.out.line(format!("none of {} past incidents is like it", a.looked_at));
    } else {
        let mut table = Table::new(&["incident", "alike", "people called it", "because"]);
        for s in &a.alike {
            table.row(vec![
                Cell::new(&s.incident).styled(Style::Strong),
                Cell::new(format!("{:.0} %", s.likeness * 100.0)),
                Cell::new(if s.outcome.is_empty() { "nothing yet" } else { &s.outcome }),
                Cell::new(&s.because),
            ]);
        }
        ctx.out.table(&table);
    }
    for done in &a.actions {
        ctx.out.line(safe(&format!(
            "{} was done in {} of them and held in {}",
            done.action, done.count, done.held
        )));
    }
    if let Some(last) = a.sentences.last() {
        ctx.out.line(safe(last));
    }
    Ok(Exit::Ok)
}
