//! `stanch sources`: who sends, and who has fallen silent.

use anyhow::Result;
use stanch_server::api::v1::types::{SourcePage, SourceView};

use crate::cli::{Ctx, Store};
use crate::client::view;
use crate::exit::Exit;
use crate::output::{Cell, Style, Table, now};

/// List the sources: what each sent, and which has fallen silent
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    store: Store,
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let answer = ctx.api(&args.store)?.get("/api/v1/sources").await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let page: SourcePage = view(answer)?;
    let now = now();
    let mut table = Table::new(&[
        "name",
        "format",
        "state",
        "received",
        "merged",
        "context",
        "quarantined",
        "last heard",
        "site",
        "note",
    ]);
    for s in &page.sources {
        let (state, style) = state(s);
        table.row(vec![
            Cell::new(&s.name).styled(Style::Strong),
            Cell::maybe(s.format.as_ref()),
            Cell::new(state).styled(style),
            Cell::number(s.received),
            Cell::number(s.merged),
            Cell::number(s.context),
            Cell::number(s.quarantined),
            Cell::maybe_time(s.last_heard.as_ref(), now),
            Cell::new(&s.site),
            Cell::maybe(s.disabled_because.as_ref()),
        ]);
    }
    ctx.out.table(&table);
    Ok(Exit::Ok)
}

fn state(s: &SourceView) -> (&'static str, Style) {
    match (s.silent, s.enabled, s.last_heard.is_some()) {
        (true, ..) => ("silent", Style::Bad),
        (_, false, _) => ("disabled", Style::Warn),
        (_, true, true) => ("ok", Style::Good),
        (_, true, false) => ("waiting", Style::Faint),
    }
}
