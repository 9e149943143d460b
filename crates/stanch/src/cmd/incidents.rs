//! `stanch incidents`: list, look, take, note, resolve, merge, split.

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};
use stanch_model::{AlertId, IncidentId};
use stanch_server::api::v1::types::{
    DoneView, IncidentDetail, IncidentPage, IncidentSummary, MergeRequest, NoteRequest, SplitRequest,
};

use crate::cli::{self, Ctx, Store, id};
use crate::client::{Route, view};
use crate::cmd::{ack, resolve, story};
use crate::exit::Exit;
use crate::output::{Cell, Style, Table, grouped, now, relative, safe, wrap};

/// List incidents, or work on one
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    list: List,
    #[command(flatten)]
    store: Store,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(clap::Args, Default)]
struct List {
    /// triggered, acknowledged, contained, resolved; open: all but resolved
    #[arg(long)]
    status: Option<String>,
    /// How many, at most 1000
    #[arg(long, value_parser = cli::limit)]
    limit: Option<usize>,
    /// Only older than this one: the next page
    #[arg(long, value_name = "INC", value_parser = id::<IncidentId>)]
    before: Option<String>,
    /// Also incidents that are a part of another one
    #[arg(long)]
    parts: bool,
}

#[derive(Subcommand)]
enum Verb {
    /// List incidents, the newest first
    List(List),
    /// Show everything known about one
    Show(One),
    /// Tell its story
    Story(story::Args),
    /// Take it: escalation stops
    Ack(ack::Args),
    /// Write something down on it
    Note {
        /// Which
        #[arg(value_parser = id::<IncidentId>)]
        incident: String,
        /// What
        text: String,
    },
    /// Close it
    Resolve(resolve::Args),
    /// Make it a part of another one
    Merge {
        /// Which
        #[arg(value_parser = id::<IncidentId>)]
        incident: String,
        /// The one that goes on
        #[arg(long, value_name = "INC", value_parser = id::<IncidentId>)]
        into: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Take it out of the one it is a part of
    Unmerge(One),
    /// Move alerts out of it, into another incident or a new one
    Split {
        /// Which
        #[arg(value_parser = id::<IncidentId>)]
        incident: String,
        /// Which alerts
        #[arg(required = true, value_parser = id::<AlertId>)]
        alerts: Vec<String>,
        /// Into which; a new one without it
        #[arg(long, value_name = "INC", value_parser = id::<IncidentId>)]
        to: Option<String>,
    },
}

#[derive(clap::Args)]
struct One {
    /// Which, for example INC-3
    #[arg(value_parser = id::<IncidentId>)]
    incident: String,
}

pub(crate) async fn run(args: Args, ctx: &Ctx) -> Result<Exit> {
    let api = ctx.api(&args.store)?;
    let post = async |incident: &str, verb: &str, body: Value| -> Result<Exit> {
        done(ctx, api.post(&Route::new(&["incidents", incident, verb]), &body).await?)
    };
    match args.verb {
        None => list(ctx, &args.store, &args.list).await,
        Some(Verb::List(filter)) => list(ctx, &args.store, &filter).await,
        Some(Verb::Show(One { incident })) => show(ctx, &args.store, &incident).await,
        Some(Verb::Story(story)) => story::tell(ctx, &api, &story).await,
        Some(Verb::Ack(ack)) => ack::run(&ack, ctx).await,
        Some(Verb::Note { incident, text }) => post(&incident, "note", json!(NoteRequest { text })).await,
        Some(Verb::Resolve(resolve)) => resolve::run(&resolve, ctx).await,
        Some(Verb::Merge { incident, into, reason }) => {
            post(&incident, "merge", json!(MergeRequest { into, reason })).await
        }
        Some(Verb::Unmerge(One { incident })) => post(&incident, "unmerge", json!({})).await,
        Some(Verb::Split { incident, alerts, to }) => {
            post(&incident, "split", json!(SplitRequest { alerts, to })).await
        }
    }
}

/// Shows what was done.
///
/// # Errors
/// When the answer has another shape.
pub(crate) fn done(ctx: &Ctx, answer: Value) -> Result<Exit> {
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let done: DoneView = view(answer)?;
    ctx.out.line(safe(&done.message));
    Ok(Exit::Ok)
}

async fn list(ctx: &Ctx, store: &Store, filter: &List) -> Result<Exit> {
    let route = Route::new(&["incidents"])
        .with("status", filter.status.as_ref())
        .with("limit", filter.limit)
        .with("before", filter.before.as_ref())
        .flag("parts", filter.parts);
    let answer = ctx.api(store)?.get(&route).await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let page: IncidentPage = view(answer)?;
    let now = now();
    let mut table =
        Table::new(&["id", "severity", "status", "title", "team", "taken by", "alerts", "records", "opened"]);
    for i in &page.incidents {
        table.row(vec![
            Cell::new(&i.id).styled(Style::Strong),
            Cell::new(&i.severity).styled(Style::of_severity(&i.severity)),
            Cell::new(&i.status).styled(status_style(&i.status)),
            Cell::new(&i.title),
            Cell::maybe(i.team.as_ref()),
            Cell::maybe(i.acknowledged_by.as_ref()),
            Cell::number(i.alerts as u64),
            Cell::number(i.records),
            Cell::time(&i.opened_at, now),
        ]);
    }
    ctx.out.table(&table);
    if table.is_empty() {
        ctx.out.note(format!("no incident to show, of {}", page.total));
    }
    if let Some(next) = &page.next_before {
        ctx.out.note(format!("of {} in all; older ones: --before {next}", page.total));
    }
    Ok(Exit::Ok)
}

/// The colour of a status word.
#[must_use]
pub(crate) fn status_style(status: &str) -> Style {
    match status {
        "triggered" => Style::Bad,
        "acknowledged" => Style::Warn,
        "contained" | "resolved" => Style::Good,
        _ => Style::Plain,
    }
}

async fn show(ctx: &Ctx, store: &Store, incident: &str) -> Result<Exit> {
    let answer = ctx.api(store)?.get(&Route::new(&["incidents", incident])).await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let i: IncidentDetail = view(answer)?;
    for line in detail(ctx, &i) {
        ctx.out.line(line);
    }
    Ok(Exit::Ok)
}

/// One fact per line: name, then what it is.
fn detail(ctx: &Ctx, i: &IncidentDetail) -> Vec<String> {
    let paint = ctx.out.paint;
    let IncidentSummary { id, title, status, severity, confidence, kind, site, records, alerts, .. } =
        &i.summary;
    let mut out = vec![
        format!("{}  {}", paint.on(Style::Strong, &safe(id)), paint.on(Style::Strong, &safe(title))),
        format!(
            "{} · {} · confidence {:.0} % · {} · site {} · {} records in {alerts} alerts",
            paint.on(Style::of_severity(severity), &safe(severity)),
            paint.on(status_style(status), &safe(status)),
            confidence * 100.0,
            safe(kind),
            safe(site),
            grouped(*records)
        ),
        String::new(),
    ];
    let now = now();
    let mut fact = |name: &str, text: &str| {
        for (n, line) in wrap(text, 84).into_iter().enumerate() {
            let name = if n == 0 { name } else { "" };
            out.push(format!("{}{line}", paint.on(Style::Faint, &format!("{name:<14}"))));
        }
    };
    let some = |list: &[String]| if list.is_empty() { "none".to_owned() } else { list.join(", ") };
    fact("team", i.summary.team.as_deref().unwrap_or("none"));
    fact("taken by", i.summary.acknowledged_by.as_deref().unwrap_or("nobody yet"));
    fact("opened", &format!("{} ({})", i.summary.opened_at, relative(&i.summary.opened_at, now)));
    for why in &i.because {
        fact("because", why);
    }
    if !i.stages.is_empty() {
        fact("stages", &i.stages.join(" → "));
    }
    let climb = &i.escalation;
    if let Some(policy) = &climb.policy {
        let next = climb.next.as_ref().map(|n| format!(", next {}", relative(n, now))).unwrap_or_default();
        fact("escalation", &format!("{policy}, rung {}{next}", climb.rung));
    }
    fact("runs", &some(&i.runs));
    fact("approvals", &some(&i.approvals));
    fact("blocks", &some(&i.blocks));
    if !i.parts.is_empty() {
        fact("parts", &i.parts.join(", "));
    }
    if let Some(into) = &i.summary.merged_into {
        fact("part of", into);
    }
    for m in &i.missing {
        fact("not known", &format!("{} did not answer about {}: {}", m.provider, m.about, m.why));
    }
    out.push(String::new());
    for mark in &i.marks {
        let when = paint.on(Style::Faint, &safe(&mark.at));
        out.push(format!("{when}  {}", safe(&mark.text)));
    }
    out
}
