//! `stanch blocks`: changes to the outside world, of all kinds, and what can be said about them.

use anyhow::Result;
use stanch_model::{ActionId, IncidentId, Span};
use stanch_server::api::v1::types::{BlockPage, BlockView, RenewRequest, VetoRequest};

use crate::cli::{self, Ctx, Store, id};
use crate::client::{Route, view};
use crate::cmd::incidents::done;
use crate::exit::Exit;
use crate::output::{Cell, Style, Table, now, safe};

/// List blocks that are in force, show one, put its end off, or say no before it is made
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    then: Option<Then>,
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

#[derive(clap::Subcommand)]
enum Then {
    /// Ask whether a block may go on for longer; somebody else has to say yes
    Renew {
        /// Which, for example ACT-4
        #[arg(value_parser = id::<ActionId>)]
        block: String,
        /// For how long from now, for example 2h
        #[arg(long, value_name = "TIME")]
        ttl: Span,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Say no, for the NOC, to a change that was announced
    Veto {
        /// Which, for example ACT-4
        #[arg(value_parser = id::<ActionId>)]
        block: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

async fn then(then: &Then, ctx: &Ctx) -> Result<Exit> {
    let answer = match then {
        Then::Renew { block, ttl, reason } => {
            let body = RenewRequest { ttl_ms: ttl.0, reason: reason.clone() };
            ctx.server()?.post(&Route::new(&["blocks", block, "renew"]), &body).await?
        }
        Then::Veto { block, reason } => {
            let body = VetoRequest { reason: reason.clone() };
            ctx.server()?.post(&Route::new(&["blocks", block, "veto"]), &body).await?
        }
    };
    done(ctx, answer)
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    if let Some(what) = &args.then {
        return then(what, ctx).await;
    }
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
            Cell::new(if b.holders.len() > 1 { b.holders.join(", ") } else { b.incident.clone() }),
            Cell::maybe(b.approval.as_ref()),
            Cell::maybe(b.observed.as_ref()),
        ]);
    }
    ctx.out.table(&table);
    if table.is_empty() {
        ctx.out.note("nothing is blocked");
    }
    for a in &page.announced {
        let what = safe(&format!("{} on {} for {}", a.action, a.responder, a.incident));
        ctx.out.line(format!("{} waits for the NOC until {}: {what}", a.id, a.at));
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
    if b.holders.len() > 1 {
        fact("rest on it", &b.holders.join(", "));
    }
    fact("owner", &b.owner);
    if b.lasting {
        fact("end", "none: it cannot be undone");
    }
    if b.repairs > 0 {
        fact("made again", &format!("{} times, after it had vanished", b.repairs));
    }
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
