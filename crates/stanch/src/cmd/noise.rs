//! `stanch noise`: what could be kept quiet, and what that would have cost.

use anyhow::Result;
use stanch_server::api::v1::types::NoisePage;

use crate::cli::{Ctx, Store};
use crate::client::view;
use crate::exit::Exit;
use crate::output::{Cell, Style, Table, safe};

/// Propose rules to keep quiet, with what that would have cost; nothing is set by itself
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    store: Store,
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let answer = ctx.api(&args.store)?.get("/api/v1/noise").await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let page: NoisePage = view(answer)?;
    let mut table = Table::new(&["rule", "product", "site", "hides", "would have hidden", "called false"]);
    for n in &page.proposals {
        table.row(vec![
            Cell::new(&n.rule).styled(Style::Strong),
            Cell::new(&n.product),
            Cell::new(&n.site),
            Cell::new(format!("{} of {} alerts", n.hides, n.of)),
            Cell::new(format!("{} of {} confirmed incidents", n.hidden_confirmed, n.of_confirmed)),
            Cell::number(u64::from(n.refuted)),
        ]);
    }
    ctx.out.table(&table);
    match page.proposals.first() {
        Some(n) => ctx.out.note(safe(&format!(
            "to accept one, for a while: stanch silence set '{}' --for 7d --comment '...'",
            n.matcher
        ))),
        None => ctx.out.note(format!(
            "nothing to propose; {} incidents have an opinion (stanch verdict INC true|false|benign)",
            page.judged
        )),
    }
    Ok(Exit::Ok)
}
