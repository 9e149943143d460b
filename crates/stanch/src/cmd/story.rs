//! `stanch story INC`: what happened, who takes part, what is unknown, what was done, what is next.

use anyhow::Result;
use serde_json::Value;
use stanch_model::IncidentId;
use stanch_server::api::v1::types::{
    ApprovalPage, AssistedRequest, AssistedView, BlockPage, SentenceView, StoryView,
};

use crate::cli::{Ctx, Store, id};
use crate::client::{Api, Route, view};
use crate::cmd::incidents::status_style;
use crate::exit::Exit;
use crate::output::{Paint, Style, WIDTH, grouped, safe, wrap};

/// Tell the story of an incident
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which, for example INC-3
    #[arg(value_parser = id::<IncidentId>)]
    incident: String,
    /// Also have a language model tell it again (policies/assistant.yaml; off unless written)
    #[arg(long)]
    assisted: bool,
    /// With --assisted: send nothing, show what would be sent
    #[arg(long, requires = "assisted")]
    dry_run: bool,
    #[command(flatten)]
    store: Store,
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let api = ctx.api(&args.store)?;
    tell(ctx, &api, args).await
}

/// Tells it.
///
/// # Errors
/// When there is no such incident.
pub(crate) async fn tell(ctx: &Ctx, api: &Api, args: &Args) -> Result<Exit> {
    let answer = api.get(&Route::new(&["incidents", &args.incident, "story"])).await?;
    if args.assisted {
        return assisted(ctx, api, args, answer).await;
    }
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let story: StoryView = view(answer)?;
    let asked = Route::new(&["approvals"]).flag("pending", true).with("incident", Some(&args.incident));
    let asked: ApprovalPage = api.get_as(&asked).await?;
    let blocks: BlockPage =
        api.get_as(&Route::new(&["blocks"]).with("incident", Some(&args.incident))).await?;
    for line in render(&story, &next(&story, &asked, &blocks), ctx.out.paint) {
        ctx.out.line(line);
    }
    Ok(Exit::Ok)
}

/// The story, and below it what a model made of it.
async fn assisted(ctx: &Ctx, api: &Api, args: &Args, mut story: Value) -> Result<Exit> {
    let path = format!("/api/v1/incidents/{}/assisted", args.incident);
    let said = api.post(&path, &AssistedRequest { dry_run: args.dry_run }).await?;
    if ctx.out.json {
        story["assisted"] = said;
        ctx.out.json(&story);
        return Ok(Exit::Ok);
    }
    let (story, said): (StoryView, AssistedView) = (view(story)?, view(said)?);
    let mut lines = render(&story, &[], ctx.out.paint);
    lines.extend(render_assisted(&said, ctx.out.paint));
    lines.into_iter().for_each(|line| ctx.out.line(line));
    Ok(Exit::Ok)
}

/// What a model wrote, labelled as such.
#[must_use]
pub(crate) fn render_assisted(said: &AssistedView, paint: Paint) -> Vec<String> {
    let mut out = vec![String::new(), paint.on(Style::Strong, "FROM A LANGUAGE MODEL")];
    hanging("  ", 2, &format!("{}; the story above stands without it", said.by), &mut out);
    if let Some(why) = &said.failed {
        hanging(&paint.on(Style::Warn, "  ! "), 4, why, &mut out);
    }
    for line in said.sent.iter().flat_map(|sent| sent.lines()) {
        out.push(format!("  {}", safe(line)));
    }
    let parts = [("", &said.said), ("suggests looking at: ", &said.look_at), ("suggests next: ", &said.next)];
    for (what, sentences) in parts {
        for s in sentences {
            hanging("  ", 2, &format!("{what}{} [{}]", s.text, s.alerts.join(", ")), &mut out);
        }
    }
    if !said.left_out.is_empty() {
        hanging("  ", 2, &format!("left out: {}", said.left_out), &mut out);
    }
    hanging("  ", 2, &format!("{} of {} questions used today", said.asked_today, said.per_day), &mut out);
    out
}

/// A command to type and what it does.
pub(crate) struct Next {
    /// The command.
    pub(crate) command: String,
    /// What it does, or why now.
    pub(crate) why: String,
}

/// What a person would do next, the most pressing first.
#[must_use]
pub(crate) fn next(story: &StoryView, asked: &ApprovalPage, blocks: &BlockPage) -> Vec<Next> {
    let id = &story.incident;
    let mut out: Vec<Next> = Vec::new();
    let mut add = |command: String, why: String| out.push(Next { command, why });
    for a in asked.approvals.iter().filter(|a| a.state == "pending").take(3) {
        add(format!("stanch approve {}", a.id), format!("{} for {} waits for a yes", a.action, a.ttl));
    }
    if story.status == "triggered" {
        add(format!("stanch ack {id}"), "take it: escalation stops".to_owned());
    }
    for b in blocks.blocks.iter().filter(|b| b.state == "in_force").take(3) {
        let left = b.left.as_ref().map(|l| format!(", {l} left")).unwrap_or_default();
        add(format!("stanch release {} --reason …", b.id), format!("{} is in force{left}", b.action));
    }
    if matches!(story.status.as_str(), "acknowledged" | "contained") {
        add(format!("stanch resolve {id} --reason …"), "close it".to_owned());
    }
    add(format!("stanch clock {id}"), "where the time went".to_owned());
    out
}

/// The whole story as lines of at most [`WIDTH`] columns.
#[must_use]
pub(crate) fn render(story: &StoryView, next: &[Next], paint: Paint) -> Vec<String> {
    let mut out = title(story, paint);
    let heading = |out: &mut Vec<String>, text: &str| {
        out.push(String::new());
        out.push(paint.on(Style::Strong, text));
    };
    heading(&mut out, "WHAT HAPPENED");
    sentences(&story.happened, paint, &mut out);
    heading(&mut out, "WHO");
    who(story, paint, &mut out);
    if !story.stages.is_empty() || !story.techniques.is_empty() {
        heading(&mut out, "STAGES");
        let techniques = story.techniques.join(", ");
        let gap = if techniques.is_empty() { "" } else { "   ATT&CK " };
        indented(&format!("{}{gap}{techniques}", story.stages.join(" → ")), 2, Style::Plain, paint, &mut out);
    }
    if !story.unknown.is_empty() {
        heading(&mut out, "NOT KNOWN");
        for unknown in &story.unknown {
            hanging(&paint.on(Style::Warn, "  ? "), 4, unknown, &mut out);
        }
    }
    if !story.parts.is_empty() {
        heading(&mut out, "PARTS");
        indented(&story.parts.join(", "), 2, Style::Plain, paint, &mut out);
    }
    heading(&mut out, "WHAT WAS DONE");
    if story.done.is_empty() {
        out.push(paint.on(Style::Faint, "  nothing yet"));
    }
    sentences(&story.done, paint, &mut out);
    if !story.before.is_empty() {
        heading(&mut out, "BEFORE");
        for before in &story.before {
            hanging("  ", 2, before, &mut out);
        }
    }
    if !next.is_empty() {
        heading(&mut out, "NEXT");
    }
    for n in next {
        let command = safe(&n.command);
        let pad = " ".repeat(36_usize.saturating_sub(command.chars().count()));
        let first = format!("  {}{pad} ", paint.on(Style::Accent, &command));
        hanging(&first, 2 + command.chars().count().max(36) + 1, &n.why, &mut out);
    }
    out
}

fn title(story: &StoryView, paint: Paint) -> Vec<String> {
    let id = safe(&story.incident);
    let mut out = Vec::new();
    let indent = id.chars().count() + 2;
    for (n, line) in wrap(&story.title, WIDTH - indent).into_iter().enumerate() {
        let first = if n == 0 { format!("{}  ", paint.on(Style::Strong, &id)) } else { " ".repeat(indent) };
        out.push(format!("{first}{}", paint.on(Style::Strong, &line)));
    }
    let severity = safe(&story.severity).to_uppercase();
    let team = story.team.as_ref().map_or_else(|| "no team".to_owned(), |t| safe(t));
    out.push(format!(
        "{} · {} · confidence {:.0} % · {team} · {} records in {} alerts",
        paint.on(Style::of_severity(&story.severity), &severity),
        paint.on(status_style(&story.status), &safe(&story.status)),
        story.confidence * 100.0,
        grouped(story.records),
        story.alerts
    ));
    out
}

/// Each with its time; a new day gets a line of its own.
fn sentences(list: &[SentenceView], paint: Paint, out: &mut Vec<String>) {
    let mut day = String::new();
    for s in list {
        let (date, time) = match s.at.split_once('T') {
            Some((date, time)) => (safe(date), safe(time.split(['.', 'Z', '+']).next().unwrap_or(time))),
            None => (String::new(), safe(&s.at)),
        };
        if date != day {
            out.push(paint.on(Style::Faint, &format!("  {date} UTC")));
            day = date;
        }
        let mut cited = s.alerts.join(", ");
        if s.more > 0 {
            cited.push_str(&format!(" +{}", s.more));
        }
        let text = if cited.is_empty() { s.text.clone() } else { format!("{} [{cited}]", s.text) };
        hanging(&format!("  {}  ", paint.on(Style::Faint, &format!("{time:<8}"))), 12, &text, out);
    }
}

fn who(story: &StoryView, paint: Paint, out: &mut Vec<String>) {
    let widest = story.actors.iter().map(|a| safe(&a.entity).chars().count()).max().unwrap_or(0).clamp(8, 30);
    for a in &story.actors {
        let name = safe(&a.entity);
        let part = match (a.acted, a.suffered) {
            (0, 0) => String::new(),
            (n, 0) => format!("acted in {n}"),
            (0, n) => format!("target in {n}"),
            (n, m) => format!("acted in {n}, target in {m}"),
        };
        let known = a.known_as.iter().cloned();
        let text: Vec<String> = known.chain((!part.is_empty()).then_some(part)).collect();
        let pad = " ".repeat(widest.saturating_sub(name.chars().count()));
        let first = format!("  {}{pad}  ", paint.on(Style::Strong, &name));
        if name.chars().count() > widest {
            indented(&name, 2, Style::Strong, paint, out);
            indented(&text.join(" · "), widest + 4, Style::Plain, paint, out);
        } else {
            hanging(&first, widest + 4, &text.join(" · "), out);
        }
    }
    let rest = story.actors_total.saturating_sub(story.actors.len());
    if rest > 0 {
        out.push(paint.on(Style::Faint, &format!("  and {rest} more")));
    }
}

/// A paragraph whose first line begins with `first`, which takes `indent` columns.
fn hanging(first: &str, indent: usize, text: &str, out: &mut Vec<String>) {
    for (n, line) in wrap(text, WIDTH.saturating_sub(indent)).into_iter().enumerate() {
        let begin = if n == 0 { first.to_owned() } else { " ".repeat(indent) };
        out.push(format!("{begin}{line}").trim_end().to_owned());
    }
}

fn indented(text: &str, indent: usize, style: Style, paint: Paint, out: &mut Vec<String>) {
    for line in wrap(text, WIDTH - indent) {
        out.push(format!("{}{}", " ".repeat(indent), paint.on(style, &line)));
    }
}

#[cfg(test)]
#[path = "story_tests.rs"]
mod tests;
