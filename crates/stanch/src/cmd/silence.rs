//! `stanch silence`: quiet for a while, with a cause.

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;
use stanch_server::api::v1::types::{SilencePage, SilenceRequest};

use crate::cli::{self, Ctx, Store};
use crate::client::{Route, view};
use crate::cmd::incidents::done;
use crate::exit::Exit;
use crate::output::{Cell, Style, Table, now};

/// List silences, set one, or end one
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    list: List,
    #[command(flatten)]
    store: Store,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(clap::Args)]
struct List {
    /// Also those that are over
    #[arg(long)]
    all: bool,
}

#[derive(Subcommand)]
enum Verb {
    /// List silences
    List(List),
    /// Make alerts quiet for a while
    Set {
        /// All must match: source=edge, ip=192.0.2.0/24, 'rule=~".*scan.*"'
        #[arg(required = true, value_name = "MATCHER")]
        matchers: Vec<String>,
        /// For how long, for example 2h
        #[arg(
            long = "for",
            value_name = "TIME",
            required_unless_present = "until",
            conflicts_with = "until"
        )]
        for_: Option<String>,
        /// Until when, RFC 3339
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        /// Why
        #[arg(long)]
        comment: String,
    },
    /// End one that was set by hand
    End {
        /// Which, for example SIL-2
        #[arg(value_parser = cli::id::<stanch_model::SilenceId>)]
        silence: String,
    },
}

pub(crate) async fn run(args: Args, ctx: &Ctx) -> Result<Exit> {
    let api = ctx.api(&args.store)?;
    match args.verb {
        Some(Verb::Set { matchers, for_, until, comment }) => {
            let body = SilenceRequest { matchers, until, for_, comment };
            done(ctx, api.post("/api/v1/silences", &body).await?)
        }
        Some(Verb::End { silence }) => {
            done(ctx, api.post(&Route::new(&["silences", &silence, "end"]), &json!({})).await?)
        }
        None => list(ctx, &args.store, &args.list).await,
        Some(Verb::List(filter)) => list(ctx, &args.store, &filter).await,
    }
}

async fn list(ctx: &Ctx, store: &Store, filter: &List) -> Result<Exit> {
    let answer = ctx.api(store)?.get(&Route::new(&["silences"]).flag("all", filter.all)).await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let page: SilencePage = view(answer)?;
    let now = now();
    let mut table = Table::new(&["id", "state", "matchers", "until", "by", "comment", "kind"]);
    for s in &page.silences {
        let (state, style) =
            if s.active { ("active", Style::Warn) } else { ("over or not yet", Style::Faint) };
        let kind = match (s.maintenance, s.configured) {
            (true, _) => "planned work",
            (false, true) => "configured",
            (false, false) => "set by hand",
        };
        table.row(vec![
            Cell::new(&s.id).styled(Style::Strong),
            Cell::new(state).styled(style),
            Cell::new(s.matchers.join(" ")),
            Cell::time(&s.until, now),
            Cell::new(&s.by),
            Cell::new(&s.comment),
            Cell::new(kind),
        ]);
    }
    ctx.out.table(&table);
    if table.is_empty() {
        ctx.out.note("no silences");
    }
    Ok(Exit::Ok)
}
