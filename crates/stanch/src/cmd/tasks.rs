//! `stanch tasks`: what runs ask of people, and `stanch answer`.

use anyhow::Result;
use stanch_model::TaskId;
use stanch_server::api::v1::types::{TaskAnswer, TaskPage, TaskView};

use crate::cli::{self, Ctx, Store, id};
use crate::client::{Route, view};
use crate::cmd::incidents::done;
use crate::exit::{Exit, Failure};
use crate::output::{Cell, Style, Table, now, safe};

/// List what playbooks ask of people: decisions, and work by hand
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Show this one, for example TASK-1
    #[arg(value_parser = id::<TaskId>)]
    task: Option<String>,
    /// Only those that can still be answered
    #[arg(long)]
    open: bool,
    /// How many, at most 1000
    #[arg(long, value_parser = cli::limit)]
    limit: Option<usize>,
    #[command(flatten)]
    store: Store,
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let api = ctx.api(&args.store)?;
    if let Some(task) = &args.task {
        let answer = api.get(&Route::new(&["tasks", task])).await?;
        if ctx.out.json {
            ctx.out.json(&answer);
        } else {
            show(ctx, &view(answer)?);
        }
        return Ok(Exit::Ok);
    }
    let answer = api.get(&Route::new(&["tasks"]).flag("open", args.open).with("limit", args.limit)).await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let page: TaskPage = view(answer)?;
    let now = now();
    let mut table = Table::new(&["id", "state", "kind", "what", "teams", "run", "incident", "until"]);
    for t in &page.tasks {
        table.row(vec![
            Cell::new(&t.id).styled(Style::Strong),
            Cell::new(&t.state),
            Cell::new(&t.kind),
            Cell::new(t.text.lines().next().unwrap_or_default()),
            Cell::new(t.teams.join(", ")),
            Cell::new(&t.run),
            Cell::maybe(t.incident.as_ref()),
            Cell::time(&t.expires_at, now),
        ]);
    }
    ctx.out.table(&table);
    Ok(Exit::Ok)
}

fn show(ctx: &Ctx, t: &TaskView) {
    let title = safe(&format!("{}  {}: {}", t.id, t.kind, t.state));
    ctx.out.line(ctx.out.paint.on(Style::Strong, &title));
    for line in t.text.lines() {
        ctx.out.line(safe(&format!("  {line}")));
    }
    let about = t.incident.as_ref().map_or(String::new(), |i| format!("{i}, "));
    ctx.out.line(safe(&format!("  about     {about}{}", t.title)));
    ctx.out.line(safe(&format!("  asked by  {} step {} ({})", t.playbook, t.step, t.run)));
    ctx.out.line(safe(&format!("  may answer {}; until {}", t.teams.join(", "), t.expires_at)));
    for f in &t.form {
        let default = f.default.as_ref().map_or(String::new(), |d| format!(", {d} if left out"));
        ctx.out.line(safe(&format!("  {}: {}{default}  {}", f.name, f.kind, f.about)));
    }
    match (&t.answered_by, &t.answered_at) {
        (Some(by), Some(at)) => ctx.out.line(safe(&format!("  answered by {by} at {at}: {}", t.values))),
        (None | Some(_), _) if t.kind == "work" => {
            let with: Vec<String> = t.form.iter().map(|f| format!(" --with {}=…", f.name)).collect();
            ctx.out.line(safe(&format!("  when it is done:  stanch answer {}{}", t.id, with.concat())));
        }
        (None | Some(_), _) => {
            ctx.out.line(safe(&format!("  answer:  stanch answer {} --yes, or --no", t.id)));
        }
    }
}

/// Answer a task: a decision, or work that is done
#[derive(clap::Args)]
pub(crate) struct Answer {
    /// Which, for example TASK-1
    #[arg(value_parser = id::<TaskId>)]
    task: String,
    /// Yes, or done
    #[arg(long, conflicts_with = "no")]
    yes: bool,
    /// No, or it cannot be done
    #[arg(long)]
    no: bool,
    /// A field of the form, as NAME=VALUE; may be given several times
    #[arg(long = "with", value_name = "NAME=VALUE", value_parser = pair)]
    with: Vec<(String, String)>,
    /// In your words
    #[arg(long)]
    reason: Option<String>,
}

/// Splits NAME=VALUE.
///
/// # Errors
/// When there is no `=` in it.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("\"{text}\" is not NAME=VALUE"))?;
    Ok((name.trim().to_owned(), value.to_owned()))
}

/// The values of NAME=VALUE as an object; the server reads each by its type.
#[must_use]
pub(crate) fn values(with: &[(String, String)]) -> serde_json::Value {
    with.iter()
        .map(|(name, value)| (name.clone(), value.clone().into()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

pub(crate) async fn answer(args: &Answer, ctx: &Ctx) -> Result<Exit> {
    let api = ctx.server()?;
    let task: TaskView = view(api.get(&Route::new(&["tasks", &args.task])).await?)?;
    if task.state != "open" {
        let message = format!("{} is {}; nothing was changed", task.id, task.state);
        return Err(Failure::new(Exit::Refused, message, "").into());
    }
    if task.kind == "decision" && !args.yes && !args.no {
        let mend = format!("look with `stanch tasks {}`, then add --yes or --no", task.id);
        return Err(cli::usage("a decision needs --yes or --no", mend));
    }
    let body = TaskAnswer {
        digest: task.digest,
        yes: !args.no,
        values: values(&args.with),
        reason: args.reason.clone(),
    };
    done(ctx, api.post(&Route::new(&["tasks", &args.task, "answer"]), &body).await?)
}
