//! The timeline of an incident. Waits are rows: what held things up shows where it happened.

use axum::Json;
use stanch_core::journal::incident::{Mark, MarkKind};
use stanch_core::journal::{Incident, State};
use stanch_core::measure::{self, Segment, Waiting};
use stanch_core::story::{self, Sentence};
use stanch_model::{IncidentId, Span, Timestamp};

use super::clock::word;
use super::incidents::missing;
use super::types::{TimelineRow, TimelineView};
use super::{Answer, Failures};
use crate::api::extract::{Named, time};
use crate::auth::Viewer;

/// Shorter waits are not worth a row.
const SHORTEST: Span = Span::secs(1);

/// Who makes such a mark.
const fn by(what: MarkKind) -> &'static str {
    match what {
        MarkKind::Acknowledged
        | MarkKind::Noted
        | MarkKind::Approved
        | MarkKind::ApprovalRefused
        | MarkKind::Merged
        | MarkKind::Unmerged
        | MarkKind::Resolved => "person",
        MarkKind::Received
        | MarkKind::Triaged
        | MarkKind::Enriched
        | MarkKind::Opened
        | MarkKind::Routed
        | MarkKind::Escalated
        | MarkKind::PageHeld
        | MarkKind::RunStarted
        | MarkKind::RunEnded
        | MarkKind::ApprovalRequested
        | MarkKind::ChangePermitted
        | MarkKind::Contained
        | MarkKind::ChangeFailed
        | MarkKind::NocNotified
        | MarkKind::Lifted => "machine",
    }
}

fn evidence(s: &Sentence) -> (Timestamp, TimelineRow) {
    let row = TimelineRow {
        at: time(s.at),
        clock: "source".to_owned(),
        by: "evidence".to_owned(),
        what: None,
        text: s.text.clone(),
        alerts: s.alerts.iter().map(ToString::to_string).collect(),
        more: s.more,
        lasted_ms: None,
        lasted: None,
        open: false,
    };
    (s.at, row)
}

fn ours(at: Timestamp, by: &str, what: String, text: String) -> TimelineRow {
    TimelineRow {
        at: time(at),
        clock: "stanch".to_owned(),
        by: by.to_owned(),
        what: Some(what),
        text,
        alerts: Vec::new(),
        more: 0,
        lasted_ms: None,
        lasted: None,
        open: false,
    }
}

/// A run of marks of one kind is one row: a hundred look-ups are one thing that happened.
fn marks(all: &[Mark]) -> Vec<(Timestamp, TimelineRow)> {
    let mut rows: Vec<(Timestamp, MarkKind, u32, &Mark)> = Vec::new();
    for m in all {
        let folds = matches!(m.what, MarkKind::Received | MarkKind::Triaged | MarkKind::Enriched);
        match rows.iter_mut().find(|r| folds && r.1 == m.what) {
            Some(r) => r.2 += 1,
            None => rows.push((m.at, m.what, 1, m)),
        }
    }
    let row = |(at, what, n, m): (Timestamp, MarkKind, u32, &Mark)| {
        let text = if n > 1 { format!("{} (and {} more times)", m.text, n - 1) } else { m.text.clone() };
        (at, ours(at, by(what), word(what), text))
    };
    rows.into_iter().map(row).collect()
}

const fn waited_for(on: Waiting) -> &'static str {
    match on {
        Waiting::Tool => "waiting for a machine",
        Waiting::HandOff => "waiting for somebody to take it",
        Waiting::Approval => "waiting for a yes or no",
        Waiting::Human => "waiting for whoever has it",
        Waiting::Active => "somebody is at work",
    }
}

/// Waits, longest stretches of one party first joined where nothing happened in between.
fn gaps(i: &Incident, now: Timestamp) -> Vec<(Timestamp, TimelineRow)> {
    let mut joined: Vec<Segment> = Vec::new();
    for s in measure::segments(i, now).into_iter().filter(|s| s.on != Waiting::Active) {
        match joined.last_mut() {
            // Between arrival and opening there are only our own steps; one wait is enough.
            Some(last) if last.on == s.on && last.to == s.from && s.on == Waiting::Tool => last.to = s.to,
            _ => joined.push(s),
        }
    }
    let over = i.first_mark(MarkKind::Resolved).is_some();
    let row = |s: Segment| {
        let lasted = s.to.since(s.from);
        let mut row = ours(s.from, "gap", word(s.on), waited_for(s.on).to_owned());
        row.lasted_ms = Some(lasted.0);
        row.lasted = Some(lasted.to_string());
        row.open = !over && s.to == now;
        (s.from, row)
    };
    joined.into_iter().filter(|s| s.to.since(s.from) >= SHORTEST).map(row).collect()
}

pub(super) fn view(s: &State, i: &Incident, now: Timestamp) -> TimelineView {
    let story = story::story(s, i);
    let mut rows: Vec<(Timestamp, TimelineRow)> = story.happened.iter().map(evidence).collect();
    rows.extend(marks(&i.marks));
    rows.extend(gaps(i, now));
    // A wait begins with the mark that causes it, so of equals the mark comes first; the sort is stable.
    rows.sort_by_key(|(at, _)| *at);
    TimelineView {
        incident: i.id.to_string(),
        rows: rows.into_iter().map(|(_, row)| row).collect(),
        wall_ms: measure::clock(i, now).wall.0,
        shortest_gap_ms: SHORTEST.0,
    }
}

/// Everything that happened in an incident, and the waits in between
#[utoipa::path(get, path = "/api/v1/incidents/{id}/timeline", tag = "incidents", security(("person" = ["viewer"])),
    params(("id" = String, Path, description = "For example INC-3")),
    responses((status = 200, description = "The timeline", body = TimelineView), Failures))]
pub(super) async fn timeline(viewer: Viewer, Named(id): Named<IncidentId>) -> Answer<TimelineView> {
    let now = viewer.books().now();
    let found = viewer.books().read(|s| s.incidents.get(&id).map(|i| view(s, i, now)));
    found.map(Json).ok_or_else(|| missing(id))
}
