//! `stanch webhook`: subscriptions of other programs to what happens.

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};
use stanch_server::api::v1::types::{WebhookCreated, WebhookPage, WebhookRequest, WebhookTested};

use crate::cli::Ctx;
use crate::client::{Route, view};
use crate::exit::Exit;
use crate::output::{Cell, Style, Table, now, safe};

/// Tell other programs what happens: list, add, test, rotate, redeliver, enable, remove
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List subscriptions
    List,
    /// Subscribe a receiver; prints the key that signs its events, once
    Add {
        /// Where to send, https
        url: String,
        /// What to tell, for example incident.opened; may be repeated; everything otherwise
        #[arg(long = "event")]
        events: Vec<String>,
        /// A range the URL's name may lead to although it is not on the internet; may be repeated
        #[arg(long = "allow-private", value_name = "RANGE")]
        allow_private: Vec<String>,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Send a test event now
    Test {
        /// Which, for example HOOK-1
        id: String,
    },
    /// Change the key; both sign for 24 hours; prints the new one, once
    Rotate {
        /// Which
        id: String,
    },
    /// Deliver again what happened after an entry of the journal
    Redeliver {
        /// Which
        id: String,
        /// Entry of the journal
        #[arg(long)]
        after: u64,
    },
    /// Switch on again what was switched off after failures
    Enable {
        /// Which
        id: String,
    },
    /// End a subscription
    Remove {
        /// Which
        id: String,
    },
}

pub(crate) async fn run(args: Args, ctx: &Ctx) -> Result<Exit> {
    let api = ctx.server()?;
    let at = |id: &str, verb: &str| Route::new(&["webhooks", id, verb]);
    match args.verb {
        Verb::List => list(ctx, api.get("/api/v1/webhooks").await?),
        Verb::Add { url, events, allow_private, dry_run } => {
            if dry_run {
                ctx.out.line(safe(&format!(
                    "would tell {url} {}",
                    if events.is_empty() { "everything".to_owned() } else { events.join(", ") }
                )));
                return Ok(Exit::Ok);
            }
            created(ctx, api.post("/api/v1/webhooks", &WebhookRequest { url, events, allow_private }).await?)
        }
        Verb::Rotate { id } => created(ctx, api.post(&at(&id, "rotate"), &json!({})).await?),
        Verb::Test { id } => {
            let answer = api.post(&at(&id, "test"), &json!({})).await?;
            let tested: WebhookTested = view(answer.clone())?;
            let exit = if tested.delivered { Exit::Ok } else { Exit::Findings };
            if ctx.out.json {
                ctx.out.json(&answer);
            } else {
                let why = tested.why.unwrap_or_default();
                ctx.out.line(safe(&if tested.delivered {
                    "✓ delivered".to_owned()
                } else {
                    format!("✗ {why}")
                }));
            }
            Ok(exit)
        }
        Verb::Redeliver { id, after } => {
            one(ctx, api.post(&at(&id, "redeliver"), &json!({ "after": after })).await?)
        }
        Verb::Enable { id } => one(ctx, api.post(&at(&id, "enable"), &json!({})).await?),
        Verb::Remove { id } => one(ctx, api.delete(&Route::new(&["webhooks", &id])).await?),
    }
}

fn created(ctx: &Ctx, answer: Value) -> Result<Exit> {
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let made: WebhookCreated = view(answer)?;
    ctx.out.line(safe(&format!("{}\t{}", made.webhook.id, made.key)));
    ctx.out.note("this key is shown once: give it to the receiver now");
    Ok(Exit::Ok)
}

fn one(ctx: &Ctx, answer: Value) -> Result<Exit> {
    if ctx.out.json {
        ctx.out.json(&answer);
    } else {
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        ctx.out.line(safe(&format!("{}\t{}\t{}", text("id"), text("state"), text("url"))));
    }
    Ok(Exit::Ok)
}

fn list(ctx: &Ctx, answer: Value) -> Result<Exit> {
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let page: WebhookPage = view(answer)?;
    let now = now();
    let mut table = Table::new(&["id", "state", "url", "events", "delivered", "next try", "last failure"]);
    for w in &page.webhooks {
        let style = if w.state == "on" { Style::Strong } else { Style::Warn };
        table.row(vec![
            Cell::new(&w.id).styled(Style::Strong),
            Cell::new(&w.state).styled(style),
            Cell::new(&w.url),
            Cell::new(if w.events.is_empty() { "everything".to_owned() } else { w.events.join(" ") }),
            Cell::new(w.delivered.to_string()),
            w.next_try.as_ref().map_or_else(|| Cell::new(""), |t| Cell::time(t, now)),
            Cell::new(w.last_failure.clone().unwrap_or_default()),
        ]);
    }
    ctx.out.table(&table);
    if table.is_empty() {
        ctx.out.note("no webhooks");
    }
    Ok(Exit::Ok)
}
