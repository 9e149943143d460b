//! The story of an incident, as data and as text.

use std::fmt::Write as _;

use axum::Json;
use stanch_core::journal::State;
use stanch_core::stage::advice;
use stanch_core::story::{self, Sentence, Story};
use stanch_model::IncidentId;

use super::incidents::{missing, word};
use super::types::{ActorView, SentenceView, StoryView};
use super::{Answer, Failures};
use crate::api::extract::{Named, time};
use crate::auth::Viewer;

/// The story of an incident
#[utoipa::path(get, path = "/api/v1/incidents/{id}/story", tag = "incidents", security(("person" = ["viewer"])),
    params(("id" = String, Path, description = "For example INC-3")),
    responses((status = 200, description = "The story", body = StoryView), Failures))]
pub(super) async fn story(viewer: Viewer, Named(id): Named<IncidentId>) -> Answer<StoryView> {
    let taken = viewer.books().read(|s| taken(s, id));
    let mut view = told(taken.ok_or_else(|| missing(id))?);
    view.assistant = viewer.books().config().and_then(|c| Some(c.assistant.as_ref()?.model.clone()));
    Ok(Json(view))
}

/// What a story is told from, taken out of the state.
pub(super) fn taken(s: &State, id: IncidentId) -> Option<(Story, advice::Asked)> {
    let incident = s.incidents.get(&id)?;
    Some((story::story(s, incident), advice::ask(s, id)?))
}

/// The story; nobody is held up while it is told.
pub(super) fn told((story, asked): (Story, advice::Asked)) -> StoryView {
    view(story, advice::sentences(&advice::advise(asked)))
}

fn sentence(s: &Sentence) -> SentenceView {
    let alerts = s.alerts.iter().map(ToString::to_string).collect();
    SentenceView { at: time(s.at), text: s.text.clone(), alerts, more: s.more }
}

fn view(s: Story, before: Vec<String>) -> StoryView {
    let actor = |a: &story::Actor| ActorView {
        entity: a.entity.clone(),
        known_as: a.known_as.clone(),
        acted: a.acted,
        suffered: a.suffered,
    };
    StoryView {
        text: text(&s, &before),
        before,
        incident: s.incident.to_string(),
        status: word(s.status).to_owned(),
        severity: s.severity.to_owned(),
        confidence: s.confidence,
        team: s.team,
        records: s.records,
        alerts: s.alerts,
        happened: s.happened.iter().map(sentence).collect(),
        actors: s.actors.iter().map(actor).collect(),
        actors_total: s.actors_total,
        stages: s.stages.iter().map(|s| (*s).to_owned()).collect(),
        techniques: s.techniques.iter().cloned().collect(),
        unknown: s.unknown.clone(),
        done: s.done.iter().map(sentence).collect(),
        parts: s.parts.iter().map(ToString::to_string).collect(),
        title: s.title,
        assistant: None,
    }
}

/// Untrusted words on a line of text: what could move a cursor or turn the reading is shown as `·`.
fn plain(text: &str) -> String {
    let odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().map(|c| if odd(c) { '·' } else { c }).collect()
}

/// The whole as plain text.
fn text(s: &Story, before: &[String]) -> String {
    let mut out = String::new();
    let team = s.team.as_deref().map(|t| format!(", {t}")).unwrap_or_default();
    let _ = writeln!(out, "{}  {}", s.incident, plain(&s.title));
    let _ = writeln!(
        out,
        "{}, {} severity, {:.0} % sure{team}; {} alerts from {} records",
        word(s.status),
        s.severity.to_lowercase(),
        s.confidence * 100.0,
        s.alerts,
        s.records
    );
    if !s.parts.is_empty() {
        let parts: Vec<String> = s.parts.iter().map(ToString::to_string).collect();
        let _ = writeln!(out, "with {}", parts.join(", "));
    }
    let mut section = |name: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            let _ = writeln!(out, "\n{name}");
            for line in lines {
                let _ = writeln!(out, "  {}", plain(&line));
            }
        }
    };
    let told = |s: &Sentence| {
        let ids: Vec<String> = s.alerts.iter().map(ToString::to_string).collect();
        let more = if s.more > 0 { format!(" and {} more", s.more) } else { String::new() };
        let rests = if ids.is_empty() { String::new() } else { format!("  [{}{more}]", ids.join(", ")) };
        format!("{}  {}{rests}", s.at, s.text)
    };
    section("What happened", s.happened.iter().map(told).collect());
    let actor = |a: &story::Actor| {
        let known =
            if a.known_as.is_empty() { String::new() } else { format!("; {}", a.known_as.join("; ")) };
        format!("{}: acted in {}, acted upon in {}{known}", a.entity, a.acted, a.suffered)
    };
    let mut actors: Vec<String> = s.actors.iter().map(actor).collect();
    if s.actors_total > s.actors.len() {
        actors.push(format!("and {} more", s.actors_total - s.actors.len()));
    }
    section("Who takes part", actors);
    if !s.techniques.is_empty() {
        section("ATT&CK", vec![s.techniques.iter().cloned().collect::<Vec<_>>().join(", ")]);
    }
    section("What is not known", s.unknown.clone());
    section("What was done", s.done.iter().map(told).collect());
    section("What solved it before", before.to_vec());
    out
}
