//! `stanch ledger`: everything received is in exactly one place.

use anyhow::Result;
use stanch_server::api::v1::types::{LedgerView, TallyView};

use crate::cli::{Ctx, Store};
use crate::client::view;
use crate::exit::Exit;
use crate::output::{Cell, Style, Table};

/// Account for everything received: each record in exactly one place; ends with 1 if one is not
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    store: Store,
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let answer = ctx.api(&args.store)?.get("/api/v1/ledger").await?;
    let ledger: LedgerView = view(answer.clone())?;
    let exit = if ledger.balanced { Exit::Ok } else { Exit::Failed };
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(exit);
    }
    let mut table = Table::new(&[
        "source",
        "received",
        "merged",
        "suppressed",
        "in incidents",
        "open",
        "closed",
        "quarantined",
    ]);
    for (name, tally) in &ledger.sources {
        table.row(line(Cell::new(name), tally));
    }
    table.row(line(Cell::new("all").styled(Style::Strong), &ledger.total));
    ctx.out.table(&table);
    let context = ledger.total.closed_as_context;
    if context > 0 {
        ctx.out.note(format!("of closed: {context} flow and log records, kept as context"));
    }
    if ledger.balanced {
        ctx.out
            .note("✓ balanced: received = merged + suppressed + in incidents + open + closed + quarantined");
    } else {
        ctx.out.say("✗ not balanced: something received is in no place or in two; please report it");
    }
    Ok(exit)
}

fn line(name: Cell, t: &TallyView) -> Vec<Cell> {
    let numbers = [t.received, t.merged, t.suppressed, t.in_incidents, t.open, t.closed, t.quarantined];
    std::iter::once(name).chain(numbers.map(Cell::number)).collect()
}
