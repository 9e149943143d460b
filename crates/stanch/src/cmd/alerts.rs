//! `stanch alerts`: list, look, raw bytes, OCSF, reasons.

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;
use stanch_model::{AlertId, IncidentId};
use stanch_server::api::v1::types::{AlertDetail, AlertPage};

use crate::cli::{self, Ctx, Store, id};
use crate::client::{Route, view};
use crate::cmd::incidents::done;
use crate::exit::Exit;
use crate::output::{Cell, Paint, Style, Table, grouped, now, relative, safe, safe_lines, wrap};

/// List alerts, or look at one
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
    /// open, suppressed, in_incident or closed
    #[arg(long)]
    state: Option<String>,
    /// Only of this source
    #[arg(long)]
    source: Option<String>,
    /// Only of this incident
    #[arg(long, value_name = "INC", value_parser = id::<IncidentId>)]
    incident: Option<String>,
    /// How many, at most 1000
    #[arg(long, value_parser = cli::limit)]
    limit: Option<usize>,
    /// Only older than this one: the next page
    #[arg(long, value_name = "ALERT", value_parser = id::<AlertId>)]
    before: Option<String>,
}

#[derive(Subcommand)]
enum Verb {
    /// List alerts, the newest first
    List(List),
    /// Show everything known about one
    Show(One),
    /// Print its bytes as they were received
    Raw(One),
    /// Print it as a strict OCSF event
    Ocsf(One),
    /// Say why it was judged as it was
    Why(One),
    /// Say that it is not the same as those it was counted with
    Split(One),
}

#[derive(clap::Args)]
struct One {
    /// Which, for example A-12
    #[arg(value_parser = id::<AlertId>)]
    alert: String,
}

pub(crate) async fn run(args: Args, ctx: &Ctx) -> Result<Exit> {
    let api = ctx.api(&args.store)?;
    match args.verb {
        None => list(ctx, &args.store, &args.list).await,
        Some(Verb::List(filter)) => list(ctx, &args.store, &filter).await,
        Some(Verb::Show(One { alert })) => show(ctx, &args.store, &alert, true).await,
        Some(Verb::Why(One { alert })) => show(ctx, &args.store, &alert, false).await,
        Some(Verb::Raw(One { alert })) => {
            let bytes = api.get_bytes(&Route::new(&["alerts", &alert, "raw"])).await?;
            raw(ctx, &alert, &bytes);
            Ok(Exit::Ok)
        }
        Some(Verb::Ocsf(One { alert })) => {
            ctx.out.json(&api.get(&Route::new(&["alerts", &alert, "ocsf"])).await?);
            Ok(Exit::Ok)
        }
        Some(Verb::Split(One { alert })) => {
            done(ctx, api.post(&Route::new(&["alerts", &alert, "split"]), &json!({})).await?)
        }
    }
}

/// Bytes as received: untouched into a pipe, made visible on a terminal.
pub(crate) fn raw(ctx: &Ctx, id: &str, bytes: &[u8]) {
    let text = || String::from_utf8_lossy(bytes);
    if ctx.out.json {
        ctx.out.json(&json!({ "id": id, "bytes": bytes.len(), "text": text() }));
    } else if ctx.out.tty {
        ctx.out.line(safe_lines(&text()));
    } else {
        ctx.out.bytes(bytes);
    }
}

async fn list(ctx: &Ctx, store: &Store, filter: &List) -> Result<Exit> {
    let route = Route::new(&["alerts"])
        .with("state", filter.state.as_ref())
        .with("source", filter.source.as_ref())
        .with("incident", filter.incident.as_ref())
        .with("limit", filter.limit)
        .with("before", filter.before.as_ref());
    let answer = ctx.api(store)?.get(&route).await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let page: AlertPage = view(answer)?;
    let now = now();
    let mut table = Table::new(&["id", "severity", "score", "title", "from", "to", "count", "place", "last"]);
    for a in &page.alerts {
        table.row(vec![
            Cell::new(&a.id).styled(Style::Strong),
            Cell::new(&a.severity).styled(Style::of_severity(&a.severity)),
            Cell::new(format!("{:.2}", a.score)),
            Cell::new(&a.title),
            Cell::maybe(a.src.as_ref()),
            Cell::maybe(a.dst.as_ref()),
            Cell::number(u64::from(a.count)),
            Cell::new(&a.place),
            Cell::time(&a.last, now),
        ]);
    }
    ctx.out.table(&table);
    if let Some(next) = &page.next_before {
        ctx.out.note(format!("of {} in all; older ones: --before {next}", page.total));
    }
    Ok(Exit::Ok)
}

async fn show(ctx: &Ctx, store: &Store, alert: &str, whole: bool) -> Result<Exit> {
    let answer = ctx.api(store)?.get(&Route::new(&["alerts", alert])).await?;
    let a: AlertDetail = view(answer.clone())?;
    if ctx.out.json {
        if whole {
            ctx.out.json(&answer);
        } else {
            let (id, score, place) = (&a.summary.id, a.summary.score, &a.summary.place);
            ctx.out.json(&json!({
                "id": id, "score": score, "place": place, "reasons": a.reasons, "missing": a.missing,
            }));
        }
        return Ok(Exit::Ok);
    }
    let lines = if whole { detail(&a, ctx.out.paint) } else { why(&a, ctx.out.paint) };
    for line in lines {
        ctx.out.line(line);
    }
    Ok(Exit::Ok)
}

fn heading(a: &AlertDetail, paint: Paint) -> String {
    format!(
        "{}  {}",
        paint.on(Style::Strong, &safe(&a.summary.id)),
        paint.on(Style::Strong, &safe(&a.summary.title))
    )
}

/// Score and place, and what they rest on.
fn why(a: &AlertDetail, paint: Paint) -> Vec<String> {
    let s = &a.summary;
    let mut out = vec![heading(a, paint), format!("score {:.2} · {}", s.score, safe(&s.place))];
    for (mark, list) in [("-", &a.reasons), ("?", &a.missing)] {
        for reason in list {
            for (n, line) in wrap(reason, 94).into_iter().enumerate() {
                out.push(format!("  {} {line}", if n == 0 { mark } else { " " }));
            }
        }
    }
    out
}

fn detail(a: &AlertDetail, paint: Paint) -> Vec<String> {
    let (s, n) = (&a.summary, &a.normalised);
    let now = now();
    let end = |e: &Option<stanch_server::api::v1::types::EndpointView>| {
        let e = e.clone().unwrap_or_default();
        let name = [e.hostname, e.ip].into_iter().flatten().collect::<Vec<_>>().join(" ");
        e.port.map_or(name.clone(), |p| format!("{name} port {p}"))
    };
    let mut out = vec![heading(a, paint), String::new()];
    let mut fact = |name: &str, text: &str| {
        for (i, line) in wrap(text, 84).into_iter().enumerate().filter(|_| !text.is_empty()) {
            let name = if i == 0 { name } else { "" };
            out.push(format!("{}{line}", paint.on(Style::Faint, &format!("{name:<14}"))));
        }
    };
    fact("place", &s.place);
    fact("severity", &format!("{} (the source says {})", s.severity, n.severity));
    fact("score", &format!("{:.2}", s.score));
    fact("stage", &s.stage);
    fact("source", &format!("{}, site {}", s.source, s.site));
    fact("rule", &format!("{} {}: {}", s.product, s.rule, n.rule_name));
    fact("from", &end(&n.src_endpoint));
    fact("to", &end(&n.dst_endpoint));
    fact("device", &end(&n.device));
    fact("user", n.user.as_deref().unwrap_or(""));
    fact("count", &grouped(u64::from(s.count)));
    fact("first", &format!("{} ({})", s.first, relative(&s.first, now)));
    fact("last", &format!("{} ({})", s.last, relative(&s.last, now)));
    fact("message", n.message.as_deref().unwrap_or(""));
    for attack in &n.attacks {
        fact("ATT&CK", &format!("{} {}", attack.technique, attack.tactic.as_deref().unwrap_or("")));
    }
    for o in &n.observables {
        fact(&o.kind, &o.value);
    }
    fact("raw", &format!("{} bytes in journal entry {}: stanch alerts raw {}", a.raw_bytes, a.entry, s.id));
    out.push(String::new());
    out.extend(why(a, paint).into_iter().skip(1));
    out
}
