//! Incidents: what is worked as one, and what people do to it.

use axum::Json;
use stanch_core::journal::event::Missing;
use stanch_core::journal::{Incident, State, Status};
use stanch_core::story;
use stanch_engine::Command;
use stanch_model::{AlertId, Fact, IncidentId};

use super::types::{
    AckRequest, ClimbView, DoneView, EntityView, ErrorBody, FactView, IncidentDetail, IncidentPage,
    IncidentQuery, IncidentSummary, MarkView, MergeRequest, MissingView, NoteRequest, ResolveRequest,
    SplitRequest, UnmergeRequest,
};
use super::{Answer, Failures, done};
use crate::api::extract::{Body, MaybeBody, Named, Query, limit, named, time, words};
use crate::auth::{Analyst, Viewer};
use crate::problem::Problem;

/// Entities listed in the detail of an incident.
const ENTITIES: usize = 200;
/// Alerts listed in the detail of an incident.
const ALERTS: usize = 1_000;
/// Alerts moved at once.
const MOVED: usize = 10_000;

pub(super) const fn word(status: Status) -> &'static str {
    match status {
        Status::Triggered => "triggered",
        Status::Acknowledged => "acknowledged",
        Status::Contained => "contained",
        Status::Resolved => "resolved",
    }
}

pub(super) fn summary(state: &State, i: &Incident) -> IncidentSummary {
    let records = i.alert_ids().filter_map(|a| state.slot(a)).map(|s| u64::from(s.count)).sum();
    IncidentSummary {
        id: i.id.to_string(),
        title: story::title(i),
        status: word(i.status).to_owned(),
        severity: i.severity().word().to_owned(),
        severity_id: i.severity().id(),
        confidence: i.confidence(),
        kind: i.kind().to_owned(),
        site: i.site.clone(),
        team: i.team.clone(),
        acknowledged_by: i.acknowledged_by.clone(),
        opened_at: time(i.opened_at),
        first_received: time(i.first_received),
        first: time(if i.alerts.is_empty() { i.opened_at } else { i.span.0 }),
        last: time(if i.alerts.is_empty() { i.opened_at } else { i.span.1 }),
        alerts: i.alerts.len(),
        records,
        peer: i.peer().map(|p| p.to_string()),
        merged_into: i.merged_into.map(|m| m.to_string()),
    }
}

pub(super) fn fact_view(f: &Fact) -> FactView {
    let meaning = serde_json::to_value(&f.meaning).unwrap_or_default();
    FactView { provider: f.provider.clone(), about: f.about.to_string(), meaning }
}

fn missing_view(m: &Missing) -> MissingView {
    MissingView { provider: m.provider.clone(), about: m.about.to_string(), why: m.failure.to_string() }
}

pub(super) fn detail(state: &State, i: &Incident) -> IncidentDetail {
    let mut entities: Vec<EntityView> = i
        .entities
        .iter()
        .map(|(entity, p)| EntityView {
            entity: entity.clone(),
            acted: p.acted,
            suffered: p.suffered,
            first: time(p.first),
            last: time(p.last),
        })
        .collect();
    entities
        .sort_by(|a, b| (b.acted + b.suffered).cmp(&(a.acted + a.suffered)).then(a.entity.cmp(&b.entity)));
    entities.truncate(ENTITIES);
    let marks = i.marks.iter().map(|m| MarkView {
        at: time(m.at),
        what: serde_json::to_value(m.what)
            .ok()
            .and_then(|v| v.as_str().map(str::to_owned))
            .unwrap_or_default(),
        text: m.text.clone(),
    });
    let of_it = |incident: IncidentId| state.head_of(incident) == i.id || incident == i.id;
    IncidentDetail {
        summary: summary(state, i),
        because: i.because.iter().map(ToString::to_string).collect(),
        alert_ids: i.alert_ids().take(ALERTS).map(|a| a.to_string()).collect(),
        entities,
        entities_total: i.entities.len(),
        facts: i.facts.values().map(fact_view).collect(),
        missing: i.missing.iter().map(missing_view).collect(),
        stages: i.stages().keys().map(|s| s.words().to_owned()).collect(),
        marks: marks.collect(),
        escalation: ClimbView {
            policy: i.climb.policy.clone(),
            rung: i.climb.rung,
            next: i.climb.next.map(time),
        },
        runs: i.runs.iter().map(ToString::to_string).collect(),
        approvals: state
            .approvals
            .values()
            .filter(|a| of_it(a.approval.incident))
            .map(|a| a.approval.id.to_string())
            .collect(),
        blocks: state
            .actions
            .values()
            .filter(|a| of_it(a.action.incident))
            .map(|a| a.action.id.to_string())
            .collect(),
        parts: i.parts.iter().map(ToString::to_string).collect(),
    }
}

pub(super) fn missing(id: IncidentId) -> Problem {
    Problem::not_found(format!("there is no {id}"), "list them with GET /api/v1/incidents")
}

pub(super) fn wanted(status: &str) -> Result<&'static [Status], Problem> {
    Ok(match status {
        "triggered" => &[Status::Triggered],
        "acknowledged" => &[Status::Acknowledged],
        "contained" => &[Status::Contained],
        "resolved" => &[Status::Resolved],
        "open" => &[Status::Triggered, Status::Acknowledged, Status::Contained],
        _ => {
            let mend = "write triggered, acknowledged, contained, resolved or open";
            return Err(Problem::invalid("there is no such status", mend));
        }
    })
}

/// List incidents, the newest first
#[utoipa::path(get, path = "/api/v1/incidents", tag = "incidents", security(("person" = ["viewer"])), params(IncidentQuery),
    responses((status = 200, description = "A page", body = IncidentPage), Failures))]
pub(super) async fn list(viewer: Viewer, Query(asked): Query<IncidentQuery>) -> Answer<IncidentPage> {
    let most = limit(asked.limit)?;
    let before = named(asked.before.as_ref())?.unwrap_or(IncidentId(u64::MAX));
    let status = asked.status.as_deref().map(wanted).transpose()?;
    let parts = asked.parts.unwrap_or(false);
    let page = viewer.books().read(|s| {
        let mut incidents: Vec<IncidentSummary> = s
            .incidents
            .range(..before)
            .rev()
            .map(|(_, i)| i)
            .filter(|i| (parts || i.merged_into.is_none()) && !i.is_taken_away())
            .filter(|i| status.is_none_or(|all| all.contains(&i.status)))
            .take(most + 1)
            .map(|i| summary(s, i))
            .collect();
        let more = incidents.len() > most;
        incidents.truncate(most);
        let next_before = incidents.last().filter(|_| more).map(|i| i.id.clone());
        IncidentPage { incidents, total: s.incidents.len() as u64, next_before }
    });
    Ok(Json(page))
}

/// One incident
#[utoipa::path(get, path = "/api/v1/incidents/{id}", tag = "incidents", security(("person" = ["viewer"])),
    params(("id" = String, Path, description = "For example INC-3")),
    responses((status = 200, description = "The incident", body = IncidentDetail), Failures))]
pub(super) async fn one(viewer: Viewer, Named(id): Named<IncidentId>) -> Answer<IncidentDetail> {
    let found = viewer.books().read(|s| s.incidents.get(&id).map(|i| detail(s, i)));
    found.map(Json).ok_or_else(|| missing(id))
}

/// Take an incident
#[utoipa::path(post, path = "/api/v1/incidents/{id}/ack", tag = "incidents", security(("person" = ["analyst"])),
    params(("id" = String, Path, description = "For example INC-3")), request_body(content = Option<AckRequest>, example = json!({})),
    responses((status = 200, description = "Done", body = DoneView), (status = 409, description = "It does not fit", body = ErrorBody), Failures))]
pub(super) async fn ack(
    analyst: Analyst,
    Named(incident): Named<IncidentId>,
    _: MaybeBody<AckRequest>,
) -> Answer<DoneView> {
    Ok(done(analyst.command(|who| Command::Acknowledge { incident, who }).await?))
}

/// Write something down on an incident
#[utoipa::path(post, path = "/api/v1/incidents/{id}/note", tag = "incidents", security(("person" = ["analyst"])),
    params(("id" = String, Path, description = "For example INC-3")), request_body(content = NoteRequest, example = json!({ "text": "the owner confirms" })),
    responses((status = 200, description = "Done", body = DoneView), Failures))]
pub(super) async fn note(
    analyst: Analyst,
    Named(incident): Named<IncidentId>,
    Body(asked): Body<NoteRequest>,
) -> Answer<DoneView> {
    let text = words("text", &asked.text)?;
    Ok(done(analyst.command(|who| Command::Note { incident, who, text }).await?))
}

/// Close an incident
#[utoipa::path(post, path = "/api/v1/incidents/{id}/resolve", tag = "incidents", security(("person" = ["analyst"])),
    params(("id" = String, Path, description = "For example INC-3")), request_body(content = ResolveRequest, example = json!({ "reason": "host rebuilt" })),
    responses((status = 200, description = "Done", body = DoneView), (status = 409, description = "A change is in force", body = ErrorBody), Failures))]
pub(super) async fn resolve(
    analyst: Analyst,
    Named(incident): Named<IncidentId>,
    Body(asked): Body<ResolveRequest>,
) -> Answer<DoneView> {
    let text = words("reason", &asked.reason)?;
    let leave_changes = asked.leave_changes;
    Ok(done(analyst.command(|who| Command::Resolve { incident, who, text, leave_changes }).await?))
}

/// Make an incident a part of another one
#[utoipa::path(post, path = "/api/v1/incidents/{id}/merge", tag = "incidents", security(("person" = ["analyst"])),
    params(("id" = String, Path, description = "The one that becomes a part")), request_body(content = MergeRequest, example = json!({ "into": "INC-1", "reason": "the same intruder" })),
    responses((status = 200, description = "Done", body = DoneView), (status = 409, description = "It does not fit", body = ErrorBody), Failures))]
pub(super) async fn merge(
    analyst: Analyst,
    Named(from): Named<IncidentId>,
    Body(asked): Body<MergeRequest>,
) -> Answer<DoneView> {
    let into: IncidentId = asked.into.parse()?;
    let because = words("reason", &asked.reason)?;
    Ok(done(analyst.command(|who| Command::Merge { from, into, who, because }).await?))
}

/// Take an incident out of the one it is a part of
#[utoipa::path(post, path = "/api/v1/incidents/{id}/unmerge", tag = "incidents", security(("person" = ["analyst"])),
    params(("id" = String, Path, description = "The part")), request_body(content = Option<UnmergeRequest>, example = json!({})),
    responses((status = 200, description = "Done", body = DoneView), (status = 409, description = "It is no part", body = ErrorBody), Failures))]
pub(super) async fn unmerge(
    analyst: Analyst,
    Named(incident): Named<IncidentId>,
    _: MaybeBody<UnmergeRequest>,
) -> Answer<DoneView> {
    Ok(done(analyst.command(|who| Command::Unmerge { incident, who }).await?))
}

/// Move alerts out of an incident
#[utoipa::path(post, path = "/api/v1/incidents/{id}/split", tag = "incidents", security(("person" = ["analyst"])),
    params(("id" = String, Path, description = "Out of which")), request_body(content = SplitRequest, example = json!({ "alerts": ["A-1"] })),
    responses((status = 200, description = "Done", body = DoneView), (status = 409, description = "It does not fit", body = ErrorBody), Failures))]
pub(super) async fn split(
    analyst: Analyst,
    Named(from): Named<IncidentId>,
    Body(asked): Body<SplitRequest>,
) -> Answer<DoneView> {
    if asked.alerts.is_empty() || asked.alerts.len() > MOVED {
        return Err(Problem::invalid(
            format!("`alerts` must name 1 to {MOVED}"),
            "name alerts of this incident",
        ));
    }
    let alerts: Vec<AlertId> = asked.alerts.iter().map(|a| a.parse()).collect::<Result<_, _>>()?;
    let to: Option<IncidentId> = named(asked.to.as_ref())?;
    Ok(done(analyst.command(|who| Command::Split { from, alerts, to, who }).await?))
}
