//! `stanch journal`: the truth itself, and whether it was touched.

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;
use stanch_server::api::v1::types::{JournalHead, JournalPage, VerifyView};

use crate::cli::{self, Ctx, Store};
use crate::client::{Api, Route, view};
use crate::exit::Exit;
use crate::output::{Cell, Style, Table, now, safe};

/// List the journal, verify its chain, or print its head
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
    /// Only entries after this one
    #[arg(long, value_name = "SEQ")]
    after: Option<u64>,
    /// How many, at most 1000
    #[arg(long, value_parser = cli::limit)]
    limit: Option<usize>,
}

#[derive(Subcommand)]
enum Verb {
    /// List entries in order
    List(List),
    /// Recompute the chain of hashes; ends with 3 when an entry was changed
    Verify,
    /// Print number and hash of the last entry; keep them elsewhere to notice a cut
    Head,
}

pub(crate) async fn run(args: Args, ctx: &Ctx) -> Result<Exit> {
    let api = ctx.api(&args.store)?;
    match args.verb {
        None => list(ctx, &api, &args.list).await,
        Some(Verb::List(filter)) => list(ctx, &api, &filter).await,
        Some(Verb::Verify) => verify(ctx, &api).await,
        Some(Verb::Head) => head(ctx, &api).await,
    }
}

async fn list(ctx: &Ctx, api: &Api, filter: &List) -> Result<Exit> {
    let route = Route::new(&["journal"]).with("after", filter.after).with("limit", filter.limit);
    let answer = api.get(&route).await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let page: JournalPage = view(answer)?;
    let now = now();
    let mut table = Table::new(&["seq", "at", "stream", "kind", "body"]);
    for e in &page.entries {
        let body = e.body.to_string();
        // On a terminal the beginning is enough; programs and --json get all of it.
        let shown = match body.char_indices().nth(160) {
            Some((cut, _)) if ctx.out.tty => format!("{}…", body.get(..cut).unwrap_or_default()),
            _ => body,
        };
        table.row(vec![
            Cell::new(e.seq.to_string()),
            Cell::time(&e.at, now),
            Cell::new(&e.stream),
            Cell::new(&e.kind).styled(Style::Strong),
            Cell::new(shown).styled(Style::Faint),
        ]);
    }
    ctx.out.table(&table);
    if let Some(next) = page.next_after {
        ctx.out.note(format!("more: --after {next}"));
    }
    Ok(Exit::Ok)
}

async fn verify(ctx: &Ctx, api: &Api) -> Result<Exit> {
    let answer = api.post("/api/v1/journal/verify", &json!({})).await?;
    let verified: VerifyView = view(answer.clone())?;
    let exit = if verified.ok { Exit::Ok } else { Exit::Findings };
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(exit);
    }
    match (&verified.head, &verified.broken) {
        (Some(head), _) if verified.ok => {
            let gone = match verified.erased {
                0 => String::new(),
                n => format!(", {n} details erased by retention, chain whole"),
            };
            let (n, took, hash) = (head.seq, &verified.took, &head.hash);
            ctx.out.line(safe(&format!("✓ {n} entries hold{gone}, in {took}: {hash}")));
        }
        (_, Some(broken)) => {
            ctx.out.line(safe(&format!("✗ entry {} does not fit: {}", broken.seq, broken.why)))
        }
        _ => ctx.out.line("✗ the journal does not hold"),
    }
    Ok(exit)
}

async fn head(ctx: &Ctx, api: &Api) -> Result<Exit> {
    let answer = api.get("/api/v1/journal/head").await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let head: JournalHead = view(answer)?;
    ctx.out.line(safe(&format!("{}\t{}", head.seq, head.hash)));
    Ok(Exit::Ok)
}
