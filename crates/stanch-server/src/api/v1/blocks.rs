//! Blocks: changes to the outside world.

use axum::Json;
use stanch_core::journal::State;
use stanch_core::journal::event::ActionEnd;
use stanch_core::journal::state::ActionState;
use stanch_engine::Command;
use stanch_model::{ActionId, IncidentId, Observed, Span, Timestamp};

use super::approvals::target;
use super::types::{BlockEnd, BlockPage, BlockQuery, BlockView, DoneView, ErrorBody, ReleaseRequest};
use super::{Answer, Failures, done};
use crate::api::extract::{Body, Named, Query, limit, named, time, words};
use crate::auth::{Approver, Viewer};
use crate::books::Books;
use crate::problem::Problem;

const fn end_word(end: ActionEnd) -> &'static str {
    match end {
        ActionEnd::Lifted => "lifted",
        ActionEnd::Failed => "failed",
        ActionEnd::Unknown => "unknown",
    }
}

fn observed_word(observed: &Observed) -> String {
    match observed {
        Observed::Present { .. } => "present".to_owned(),
        Observed::Absent => "absent".to_owned(),
        Observed::Different { what } => format!("different: {what}"),
    }
}

/// Simulated as the question said; without a question, as the device says now.
fn simulated(state: &State, a: &ActionState, books: &Books) -> bool {
    match a.approval.and_then(|id| state.approvals.get(&id)) {
        Some(asked) => asked.approval.simulated,
        None => books.simulated(&a.action.responder),
    }
}

fn view(a: &ActionState, simulated: bool, now: Timestamp) -> BlockView {
    let state = match (&a.ended, a.in_force) {
        (Some((_, end, _)), _) => end_word(*end),
        (None, Some(_)) => "in_force",
        (None, None) => "permitted",
    };
    let left = a.in_force.filter(|_| a.ended.is_none()).map(|(_, until)| Span(until.since(now).0.max(0)));
    BlockView {
        id: a.action.id.to_string(),
        incident: a.action.incident.to_string(),
        run: a.run.to_string(),
        approval: a.approval.map(|i| i.to_string()),
        target: target(&a.action.kind),
        action: a.action.kind.words(),
        responder: a.action.responder.clone(),
        simulated,
        state: state.to_owned(),
        ttl_ms: a.action.ttl.0,
        ttl: a.action.ttl.to_string(),
        permitted_at: time(a.permitted_at),
        since: a.in_force.map(|(since, _)| time(since)),
        until: a.in_force.map(|(_, until)| time(until)),
        left_ms: left.map(|s| s.0),
        left: left.map(|s| s.to_string()),
        observed: a.observed.as_ref().map(|(_, o)| observed_word(o)),
        observed_at: a.observed.as_ref().map(|(at, _)| time(*at)),
        because: a.because.iter().map(ToString::to_string).collect(),
        ended: a.ended.as_ref().map(|(at, how, why)| BlockEnd {
            at: time(*at),
            how: end_word(*how).to_owned(),
            why: why.clone(),
        }),
    }
}

/// List blocks, the newest first
#[utoipa::path(get, path = "/api/v1/blocks", tag = "blocks", security(("person" = ["viewer"])), params(BlockQuery),
    responses((status = 200, description = "A page", body = BlockPage), Failures))]
pub(super) async fn list(viewer: Viewer, Query(asked): Query<BlockQuery>) -> Answer<BlockPage> {
    let most = limit(asked.limit)?;
    let incident: Option<IncidentId> = named(asked.incident.as_ref())?;
    let all = asked.all.unwrap_or(false);
    let books = viewer.books();
    let now = books.now();
    let page = books.read(|s| {
        let kept = s.actions.values().rev().filter(|a| all || a.ended.is_none());
        let kept = kept.filter(|a| incident.is_none_or(|i| a.action.incident == i));
        let blocks = kept.take(most).map(|a| view(a, simulated(s, a, books), now)).collect();
        BlockPage { blocks, live: s.live_actions().count() as u64 }
    });
    Ok(Json(page))
}

/// One block
#[utoipa::path(get, path = "/api/v1/blocks/{id}", tag = "blocks", security(("person" = ["viewer"])),
    params(("id" = String, Path, description = "For example ACT-4")),
    responses((status = 200, description = "The block", body = BlockView), Failures))]
pub(super) async fn one(viewer: Viewer, Named(id): Named<ActionId>) -> Answer<BlockView> {
    let books = viewer.books();
    let now = books.now();
    let found = books.read(|s| s.actions.get(&id).map(|a| view(a, simulated(s, a, books), now)));
    let mend = "list them with GET /api/v1/blocks?all=true";
    found.map(Json).ok_or_else(|| Problem::not_found(format!("there is no {id}"), mend))
}

/// Lift a block before its end
#[utoipa::path(post, path = "/api/v1/blocks/{id}/release", tag = "blocks", security(("person" = ["approver"])),
    params(("id" = String, Path, description = "For example ACT-4")), request_body(content = ReleaseRequest, example = json!({ "reason": "a false alarm" })),
    responses((status = 200, description = "Under way", body = DoneView), (status = 409, description = "It is over already", body = ErrorBody), Failures))]
pub(super) async fn release(
    approver: Approver,
    Named(action): Named<ActionId>,
    Body(asked): Body<ReleaseRequest>,
) -> Answer<DoneView> {
    let reason = words("reason", &asked.reason)?;
    Ok(done(approver.command(|who| Command::Release { action, who, reason }).await?))
}
