//! Blocks: changes to the outside world.

use axum::Json;
use stanch_core::journal::State;
use stanch_core::journal::event::ActionEnd;
use stanch_core::journal::state::{ActionState, AnnouncedState};
use stanch_engine::Command;
use stanch_model::{ActionId, IncidentId, Observed, Span, Timestamp};

use super::approvals::target;
use super::types::{
    AnnouncedView, BlockEnd, BlockPage, BlockQuery, BlockView, DoneView, ErrorBody, ReleaseRequest,
    RenewRequest, VetoRequest,
};
use super::{Answer, Failures, done};
use crate::api::extract::{Body, Named, Query, limit, named, page, time, words};
use crate::auth::{Analyst, Approver, Viewer};
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

fn view(state: &State, a: &ActionState, books: &Books, now: Timestamp) -> BlockView {
    let (simulated, owner) = (simulated(state, a, books), owner(state, a));
    let stands = match (&a.ended, a.in_force) {
        (Some((_, end, _)), _) => end_word(*end),
        (None, Some(_)) => "in_force",
        (None, None) => "permitted",
    };
    let left = a
        .in_force
        .filter(|_| a.ended.is_none() && !a.lasting)
        .map(|(_, until)| Span(until.since(now).0.max(0)));
    BlockView {
        id: a.action.id.to_string(),
        incident: a.action.incident.to_string(),
        run: a.run.to_string(),
        approval: a.approval.map(|i| i.to_string()),
        holders: a.holders.iter().map(ToString::to_string).collect(),
        owner,
        kind: a.action.kind.name().to_owned(),
        preauthorised: a.preauthorised.clone(),
        lasting: a.lasting,
        renewed: a.renewed.is_some(),
        repairs: a.repairs,
        target: target(&a.action.kind),
        action: a.action.kind.words(),
        responder: a.action.responder.clone(),
        simulated,
        state: stands.to_owned(),
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

/// Changes made for an incident and its parts, the oldest first.
pub(super) fn of_incident(s: &State, id: IncidentId, books: &Books, now: Timestamp) -> Vec<BlockView> {
    let of_it = |a: &&ActionState| a.action.incident == id || s.head_of(a.action.incident) == id;
    s.actions.values().filter(of_it).map(|a| view(s, a, books, now)).collect()
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
    let before = named(asked.before.as_ref())?.unwrap_or(ActionId(u64::MAX));
    let answer = books.read(|s| {
        let kept = s.actions.range(..before).rev().map(|(_, a)| a).filter(|a| all || a.ended.is_none());
        let kept = kept.filter(|a| incident.is_none_or(|i| a.action.incident == i));
        let mut blocks: Vec<BlockView> = kept.take(most + 1).map(|a| view(s, a, books, now)).collect();
        let next_before = page(&mut blocks, most, |b| &b.id);
        let waits = |a: &&AnnouncedState| {
            a.vetoed.is_none() && a.what.at > now && !s.actions.contains_key(&a.what.action.id)
        };
        let announced = s.announced.values().filter(waits).map(announced).collect();
        BlockPage { blocks, live: s.live_actions().count() as u64, announced, next_before }
    });
    Ok(Json(answer))
}

/// One block
#[utoipa::path(get, path = "/api/v1/blocks/{id}", tag = "blocks", security(("person" = ["viewer"])),
    params(("id" = String, Path, description = "For example ACT-4")),
    responses((status = 200, description = "The block", body = BlockView), Failures))]
pub(super) async fn one(viewer: Viewer, Named(id): Named<ActionId>) -> Answer<BlockView> {
    let books = viewer.books();
    let now = books.now();
    let found = books.read(|s| s.actions.get(&id).map(|a| view(s, a, books, now)));
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
    let only: Option<IncidentId> = named(asked.incident.as_ref())?;
    Ok(done(approver.command(|who| Command::Release { action, who, reason, only }).await?))
}

/// Ask whether a block may go on for longer
///
/// A new decision: somebody else has to say yes, and the guard judges again.
#[utoipa::path(post, path = "/api/v1/blocks/{id}/renew", tag = "blocks", security(("person" = ["analyst"])),
    params(("id" = String, Path, description = "For example ACT-4")), request_body(content = RenewRequest, example = json!({ "ttl_ms": 7_200_000, "reason": "the machine is not clean yet" })),
    responses((status = 200, description = "Asked", body = DoneView), (status = 409, description = "It cannot go on that long, or that is asked already", body = ErrorBody), Failures))]
pub(super) async fn renew(
    analyst: Analyst,
    Named(action): Named<ActionId>,
    Body(asked): Body<RenewRequest>,
) -> Answer<DoneView> {
    let reason = words("reason", &asked.reason)?;
    let ttl = Span(asked.ttl_ms);
    Ok(done(analyst.command(|who| Command::Renew { action, ttl, who, reason }).await?))
}

/// Say no, for the NOC, to a change that was announced
#[utoipa::path(post, path = "/api/v1/blocks/{id}/veto", tag = "blocks", security(("person" = ["approver"])),
    params(("id" = String, Path, description = "For example ACT-4")), request_body(content = VetoRequest, example = json!({ "reason": "the link carries the payroll run tonight" })),
    responses((status = 200, description = "It will not be done", body = DoneView), (status = 409, description = "It is done already", body = ErrorBody), Failures))]
pub(super) async fn veto(
    approver: Approver,
    Named(action): Named<ActionId>,
    Body(asked): Body<VetoRequest>,
) -> Answer<DoneView> {
    let reason = words("reason", &asked.reason)?;
    Ok(done(approver.command(|who| Command::Veto { action, who, reason }).await?))
}

/// Who decided on a change.
fn owner(state: &State, a: &ActionState) -> String {
    let people = a
        .approval
        .and_then(|id| state.approvals.get(&id))
        .map(|asked| asked.yes.iter().map(|(vote, _)| vote.by.clone()).collect::<Vec<_>>().join(" and "));
    people.or_else(|| a.preauthorised.clone()).unwrap_or_else(|| "policy".to_owned())
}

fn announced(a: &AnnouncedState) -> AnnouncedView {
    let action = &a.what.action;
    AnnouncedView {
        id: action.id.to_string(),
        incident: action.incident.to_string(),
        action: action.kind.words(),
        responder: action.responder.clone(),
        at: time(a.what.at),
    }
}
