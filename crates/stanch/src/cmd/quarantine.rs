//! `stanch quarantine`: what could not be read, why, and a second try.

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};
use stanch_server::api::v1::types::{DoneView, QuarantineItem, QuarantinePage};

use crate::cli::{self, Ctx, Store};
use crate::client::{Api, Route, view};
use crate::cmd::alerts::raw;
use crate::exit::{Exit, Failure};
use crate::output::{Cell, Style, Table, now, safe};

/// List records that could not be read, look at one, or try again
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
    /// Also those that a second try has read
    #[arg(long)]
    all: bool,
    /// Only of this source
    #[arg(long)]
    source: Option<String>,
    /// How many, at most 1000
    #[arg(long, value_parser = cli::limit)]
    limit: Option<usize>,
    /// Only older than this number: the next page
    #[arg(long, value_name = "NUMBER")]
    before: Option<u64>,
}

#[derive(Subcommand)]
enum Verb {
    /// List records that wait, the newest first
    List(List),
    /// Show why one could not be read, and its bytes
    Show {
        /// Its number
        number: u64,
    },
    /// Print its bytes as they were received
    Raw {
        /// Its number
        number: u64,
    },
    /// Try to read one again, or --all; ends with 3 when some still cannot be read
    Retry {
        /// Its number
        #[arg(required_unless_present = "every", conflicts_with = "every")]
        number: Option<u64>,
        /// All that wait
        #[arg(long = "all", id = "every")]
        every: bool,
    },
}

pub(crate) async fn run(args: Args, ctx: &Ctx) -> Result<Exit> {
    let api = ctx.api(&args.store)?;
    match args.verb {
        None => list(ctx, &api, &args.list).await,
        Some(Verb::List(filter)) => list(ctx, &api, &filter).await,
        Some(Verb::Show { number }) => show(ctx, &api, number).await,
        Some(Verb::Raw { number }) => {
            raw(ctx, &number.to_string(), &api.get_bytes(&raw_route(number)).await?);
            Ok(Exit::Ok)
        }
        Some(Verb::Retry { number: Some(number), .. }) => retry(ctx, &api, &[number]).await,
        Some(Verb::Retry { number: None, .. }) => {
            let waiting = all_waiting(&api).await?;
            retry(ctx, &api, &waiting).await
        }
    }
}

fn raw_route(number: u64) -> Route {
    Route::new(&["quarantine", &number.to_string(), "raw"])
}

async fn list(ctx: &Ctx, api: &Api, filter: &List) -> Result<Exit> {
    let route = Route::new(&["quarantine"])
        .flag("all", filter.all)
        .with("source", filter.source.as_ref())
        .with("limit", filter.limit)
        .with("before", filter.before);
    let answer = api.get(&route).await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let page: QuarantinePage = view(answer)?;
    let now = now();
    let mut table = Table::new(&["number", "source", "at", "reason", "state"]);
    for r in &page.records {
        table.row(vec![
            Cell::new(r.id.to_string()).styled(Style::Strong),
            Cell::new(&r.source),
            Cell::time(&r.at, now),
            Cell::new(&r.reason),
            Cell::new(if r.recovered { "read since" } else { "waits" }),
        ]);
    }
    ctx.out.table(&table);
    match &page.next_before {
        Some(next) => ctx.out.note(format!("{} wait in all; older ones: --before {next}", page.waiting)),
        None => ctx.out.note(format!("{} wait in all", page.waiting)),
    }
    Ok(Exit::Ok)
}

async fn show(ctx: &Ctx, api: &Api, number: u64) -> Result<Exit> {
    let route = Route::new(&["quarantine"])
        .flag("all", true)
        .with("limit", Some(1))
        .with("before", number.checked_add(1));
    let page: QuarantinePage = api.get_as(&route).await?;
    let item: Option<&QuarantineItem> = page.records.iter().find(|r| r.id == number);
    let bytes = api.get_bytes(&raw_route(number)).await?;
    let Some(item) = item else {
        return Err(Failure::new(Exit::NotFound, format!("there is no record {number}"), "").into());
    };
    if ctx.out.json {
        let mut whole = json!(item);
        whole["raw"] = Value::from(String::from_utf8_lossy(&bytes));
        ctx.out.json(&whole);
        return Ok(Exit::Ok);
    }
    let state = if item.recovered { "read at a second try" } else { "waits" };
    ctx.out.line(safe(&format!("{number} from {} at {}: {state}", item.source, item.at)));
    ctx.out.line(safe(&item.reason));
    raw(ctx, &number.to_string(), &bytes);
    Ok(Exit::Ok)
}

/// Numbers of all records that wait, the oldest first.
async fn all_waiting(api: &Api) -> Result<Vec<u64>> {
    let (mut numbers, mut before) = (Vec::new(), None::<u64>);
    loop {
        let route = Route::new(&["quarantine"]).with("limit", Some(1000)).with("before", before);
        let page: QuarantinePage = api.get_as(&route).await?;
        numbers.extend(page.records.iter().filter(|r| !r.recovered).map(|r| r.id));
        before = match page.next_before {
            // Numbers only fall: a page that does not go on would never end.
            Some(next) if before.is_none_or(|b| next < b) => Some(next),
            _ => break,
        };
    }
    numbers.reverse();
    Ok(numbers)
}

async fn retry(ctx: &Ctx, api: &Api, numbers: &[u64]) -> Result<Exit> {
    let mut tried = Vec::new();
    let mut still = 0;
    for number in numbers {
        let answer = api.post(&Route::new(&["quarantine", &number.to_string(), "retry"]), &json!({})).await;
        let (read, message) = match answer {
            Ok(answer) => {
                let done: DoneView = view(answer)?;
                (done.ack.is_none_or(|a| a.quarantined == 0), done.message)
            }
            // Still unreadable is an answer; anything else ends it.
            Err(error) => match error.downcast_ref::<Failure>() {
                Some(f) if matches!(f.exit, Exit::Refused | Exit::Usage) => (false, f.message.clone()),
                _ => return Err(error),
            },
        };
        still += usize::from(!read);
        if !ctx.out.json {
            ctx.out.line(safe(&format!("{} {number}: {message}", if read { "✓" } else { "✗" })));
        }
        tried.push(json!({ "id": number, "read": read, "message": message }));
    }
    if ctx.out.json {
        ctx.out.json(&json!({ "tried": numbers.len(), "still_quarantined": still, "records": tried }));
    } else {
        ctx.out.note(format!(
            "{} tried, {} read, {still} still cannot be read",
            numbers.len(),
            numbers.len() - still
        ));
    }
    Ok(if still > 0 { Exit::Findings } else { Exit::Ok })
}
