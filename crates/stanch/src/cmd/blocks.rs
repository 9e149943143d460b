//! `stanch blocks`: changes to the outside world.

use anyhow::Result;
use stanch_model::{ActionId, IncidentId};
use stanch_server::api::v1::types::{BlockPage, BlockView};

use crate::cli::{self, Ctx, Store, id};
use crate::client::{Route, view};
use crate::exit::Exit;
use crate::output::{Cell, Style, Table, now, safe};

/// List blocks that are in force, or show one
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Show this one, for example ACT-4
    #[arg(value_parser = id::<ActionId>)]
    block: Option<String>,
    /// Also those that are over
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
    if let Some(block) = &args.block {
        let answer = api.get(&Route::new(&["blocks", block])).await?;
        if ctx.out.json {
            ctx.out.json(&answer);
        } else {
            show(ctx, &view(answer)?);
        }
        return Ok(Exit::Ok);
    }
    let route = Route::new(&["blocks"])
        .flag("all", args.all)
        .with("incident", args.incident.as_ref())
        .with("limit", args.limit);
    let answer = api.get(&route).await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let page: BlockPage = view(answer)?;
    let mut table =
        Table::new(&["id", "what", "on", "state", "left", "incident", "approval", "device shows"]);
    for b in &page.blocks {
        table.row(vec![
            Cell::new(&b.id).styled(Style::Strong),
            Cell::new(&b.action),
            Cell::new(device(b)),
            Cell::new(&b.state).styled(state_style(&b.state)),
            Cell::maybe(b.left.as_ref()),
            Cell::new(&b.incident),
            Cell::maybe(b.approval.as_ref()),
            Cell::maybe(b.observed.as_ref()),
        ]);
    }
    ctx.out.table(&table);
    if table.is_empty() {
        ctx.out.note("nothing is blocked");
    }
    Ok(Exit::Ok)
}

fn device(b: &BlockView) -> String {
    if b.simulated { format!("{} (simulated)", b.responder) } else { b.responder.clone() }
}

fn state_style(state: &str) -> Style {
    match state {
        "in_force" => Style::Good,
        "permitted" | "unknown" => Style::Warn,
        "failed" => Style::Bad,
        _ => Style::Plain,
    }
}

fn show(ctx: &Ctx, b: &BlockView) {
    let (paint, now) = (ctx.out.paint, now());
    let fact = |name: &str, text: &str| {
        if !text.is_empty() {
            ctx.out.line(format!("{}{}", paint.on(Style::Faint, &format!("{name:<14}")), safe(text)));
        }
    };
    let when = |t: &Option<String>| {
        t.as_ref().map(|t| format!("{t} ({})", crate::output::relative(t, now))).unwrap_or_default()
    };
    ctx.out.line(paint.on(Style::Strong, &safe(&format!("{}  {} for {}", b.id, b.action, b.ttl))));
    fact("state", &b.state);
    fact("on", &device(b));
    fact("incident", &format!("{}, {}", b.incident, b.run));
    fact("approval", b.approval.as_deref().unwrap_or("none was needed"));
    fact("since", &when(&b.since));
    fact("until", &when(&b.until));
    fact("device shows", b.observed.as_deref().unwrap_or(""));
    for reason in &b.because {
        fact("because", reason);
    }
    if let Some(end) = &b.ended {
        fact("ended", &format!("{} at {}: {}", end.how, end.at, end.why));
    }
}
