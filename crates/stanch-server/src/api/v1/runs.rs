//! Runs of playbooks: what each has done and what it waits for.

use axum::Json;
use stanch_core::journal::event::RunEnd;
use stanch_core::playbook::run::Run;
use stanch_model::{IncidentId, RunId};

use super::types::{RunDetail, RunPage, RunQuery, RunStep, RunSummary};
use super::{Answer, Failures};
use crate::api::extract::{Named, Query, limit, named, time};
use crate::auth::Viewer;
use crate::problem::Problem;

fn summary(r: &Run) -> RunSummary {
    let state = match &r.ended {
        None => "running",
        Some((_, RunEnd::Completed, _)) => "completed",
        Some((_, RunEnd::Declined, _)) => "declined",
        Some((_, RunEnd::Handed, _)) => "handed",
    };
    let step = r.playbook.as_ref().and_then(|p| p.steps.get(r.cursor)).filter(|_| r.ended.is_none());
    RunSummary {
        id: r.id.to_string(),
        incident: r.incident.to_string(),
        playbook: r.name.clone(),
        state: state.to_owned(),
        started: time(r.started),
        step: step.map(|s| s.id.clone()),
        step_since: time(r.step_since),
        ended: r.ended.as_ref().map(|(at, ..)| time(*at)),
        why: r.ended.as_ref().map(|(.., why)| why.clone()),
    }
}

fn detail(r: &Run) -> RunDetail {
    let step = |(at, step, outcome): &(stanch_model::Timestamp, String, String)| RunStep {
        step: step.clone(),
        at: time(*at),
        outcome: outcome.clone(),
    };
    RunDetail {
        summary: summary(r),
        playbook_hash: r.playbook.as_ref().map(|p| p.hash.clone()),
        steps: r.done.iter().map(step).collect(),
        steps_total: r.playbook.as_ref().map_or(r.done.len(), |p| p.steps.len()),
        approval: r.approval.map(|a| a.to_string()),
        blocks: r.actions.iter().map(ToString::to_string).collect(),
    }
}

/// List runs of playbooks, the newest first
#[utoipa::path(get, path = "/api/v1/runs", tag = "runs", security(("person" = ["viewer"])), params(RunQuery),
    responses((status = 200, description = "A page", body = RunPage), Failures))]
pub(super) async fn list(viewer: Viewer, Query(asked): Query<RunQuery>) -> Answer<RunPage> {
    let most = limit(asked.limit)?;
    let incident: Option<IncidentId> = named(asked.incident.as_ref())?;
    let runs = viewer.books().read(|s| {
        let kept = s.runs.values().rev().filter(|r| incident.is_none_or(|i| r.incident == i));
        kept.take(most).map(summary).collect()
    });
    Ok(Json(RunPage { runs }))
}

/// One run
#[utoipa::path(get, path = "/api/v1/runs/{id}", tag = "runs", security(("person" = ["viewer"])),
    params(("id" = String, Path, description = "For example RUN-2")),
    responses((status = 200, description = "The run", body = RunDetail), Failures))]
pub(super) async fn one(viewer: Viewer, Named(id): Named<RunId>) -> Answer<RunDetail> {
    let found = viewer.books().read(|s| s.runs.get(&id).map(detail));
    found
        .map(Json)
        .ok_or_else(|| Problem::not_found(format!("there is no {id}"), "list them with GET /api/v1/runs"))
}
