//! Questions to people. Looking never decides: an answer is a POST that names what was shown.

use axum::Json;
use stanch_core::Config;
use stanch_core::contain::parties::who_may;
use stanch_core::contain::{Approval, Party, Vote};
use stanch_core::journal::event::Answered;
use stanch_core::journal::state::{Asked, State};
use stanch_engine::Command;
use stanch_model::{ActionKind, ApprovalId, IncidentId, Timestamp};

use super::types::{
    ApprovalDetail, ApprovalPage, ApprovalQuery, ApprovalSummary, Blast, DecideRequest, DoneView, ErrorBody,
    FreshView, PartyView, SettledView, TouchedAssetView,
};
use super::{Answer, Failures, done};
use crate::api::extract::{Body, Named, Query, limit, named, page, time};
use crate::auth::{Approver, Viewer};
use crate::problem::Problem;

const fn word(answer: Answered) -> &'static str {
    match answer {
        Answered::Approved => "approved",
        Answered::Denied => "denied",
        Answered::Expired => "expired",
        Answered::Withdrawn => "withdrawn",
    }
}

/// The target of a change as people write it.
pub(super) fn target(kind: &ActionKind) -> String {
    kind.subject()
}

/// A question counts as expired the moment its time is over, whenever that is written down.
fn pending(asked: &Asked, now: Timestamp) -> bool {
    asked.settled.is_none() && now < asked.approval.expires_at
}

fn summary(asked: &Asked, now: Timestamp) -> ApprovalSummary {
    let a: &Approval = &asked.approval;
    let state = match &asked.settled {
        Some((_, s)) => word(s.answer),
        None if pending(asked, now) => "pending",
        None => "expired",
    };
    ApprovalSummary {
        id: a.id.to_string(),
        incident: a.incident.to_string(),
        title: a.title.clone(),
        state: state.to_owned(),
        action: a.action.kind.words(),
        target: target(&a.action.kind),
        responder: a.action.responder.clone(),
        simulated: a.simulated,
        ttl_ms: a.action.ttl.0,
        ttl: a.action.ttl.to_string(),
        blast_radius: a.blast.level.word().to_owned(),
        teams: a.teams.clone(),
        requested_at: time(a.requested_at),
        expires_at: time(a.expires_at),
        code: a.code(),
        digest: a.digest(),
        people: a.people,
        yes: asked.yes.iter().map(|(vote, _)| vote.by.clone()).collect(),
        renewal: a.renewal,
        lasting: a.lasting,
        asked_by: a.asked_by.clone(),
        parties: a.parties.iter().map(party).collect(),
        settled: asked.settled.as_ref().map(|(at, s)| SettledView {
            at: time(*at),
            how: word(s.answer).to_owned(),
            by: s.by.clone(),
            reason: s.reason.clone(),
        }),
    }
}

pub(super) fn party(p: &Party) -> PartyView {
    PartyView { person: p.person.clone(), why: p.why.clone(), counts: p.counts }
}

fn detail(asked: &Asked, config: Option<&Config>, now: Timestamp) -> ApprovalDetail {
    let a = &asked.approval;
    let b = &a.blast;
    let yes: Vec<Vote> = asked.yes.iter().map(|(vote, _)| vote.clone()).collect();
    let may = |config: &Config| who_may(config, a, &yes);
    let assets = b.own_assets.iter().map(|t| TouchedAssetView {
        name: t.name.clone(),
        address: t.address.to_string(),
        criticality: format!("{:?}", t.criticality).to_lowercase(),
        last_contact: t.last_contact.map(time),
    });
    ApprovalDetail {
        summary: summary(asked, now),
        action_id: a.action.id.to_string(),
        run: a.run.to_string(),
        playbook: a.playbook.clone(),
        playbook_hash: a.playbook_hash.clone(),
        step: a.step.clone(),
        because: a.because.iter().map(ToString::to_string).collect(),
        blast: Blast {
            level: b.level.word().to_owned(),
            addresses: b.addresses,
            own_assets: assets.collect(),
            users: b.users.clone(),
            peers: b.peers,
            flows: b.flows,
            bytes: b.bytes,
            shared: b.shared.clone(),
            unknown: b.unknown.clone(),
            lines: b.lines(),
        },
        may_say_yes: config.filter(|_| pending(asked, now)).map(may).unwrap_or_default(),
        fresh: None,
        shown: a.shown(),
    }
}

/// Questions about an incident and its parts, the oldest first.
pub(super) fn of_incident(s: &State, id: IncidentId, now: Timestamp) -> Vec<ApprovalSummary> {
    let of_it = |a: &&Asked| a.approval.incident == id || s.head_of(a.approval.incident) == id;
    s.approvals.values().filter(of_it).map(|a| summary(a, now)).collect()
}

/// List questions to people, the newest first
#[utoipa::path(get, path = "/api/v1/approvals", tag = "approvals", security(("person" = ["viewer"])), params(ApprovalQuery),
    responses((status = 200, description = "A page", body = ApprovalPage), Failures))]
pub(super) async fn list(viewer: Viewer, Query(asked): Query<ApprovalQuery>) -> Answer<ApprovalPage> {
    let most = limit(asked.limit)?;
    let incident: Option<IncidentId> = named(asked.incident.as_ref())?;
    let before = named(asked.before.as_ref())?.unwrap_or(ApprovalId(u64::MAX));
    let only = asked.pending.unwrap_or(false);
    let now = viewer.books().now();
    let answer = viewer.books().read(|s| {
        let all = s.approvals.range(..before).rev().map(|(_, a)| a);
        let kept = all
            .filter(|a| !only || pending(a, now))
            .filter(|a| incident.is_none_or(|i| a.approval.incident == i));
        let mut approvals: Vec<ApprovalSummary> = kept.take(most + 1).map(|a| summary(a, now)).collect();
        let next_before = page(&mut approvals, most, |a| &a.id);
        let pending = s.approvals.values().filter(|a| pending(a, now)).count() as u64;
        ApprovalPage { approvals, pending, next_before }
    });
    Ok(Json(answer))
}

/// One question, with everything a person has to see
#[utoipa::path(get, path = "/api/v1/approvals/{id}", tag = "approvals", security(("person" = ["viewer"])),
    params(("id" = String, Path, description = "For example APR-1")),
    responses((status = 200, description = "The question", body = ApprovalDetail), Failures))]
pub(super) async fn one(viewer: Viewer, Named(id): Named<ApprovalId>) -> Answer<ApprovalDetail> {
    let (now, config) = (viewer.books().now(), viewer.books().config());
    let found = viewer.books().read(|s| {
        let asked = s.approvals.get(&id)?;
        let mut detail = detail(asked, config.as_deref(), now);
        detail.fresh = asked.approval.fresh_within.map(|within| FreshView {
            within_ms: within.0,
            within: within.to_string(),
            ways: viewer.proofs().into_iter().map(str::to_owned).collect(),
            proved: viewer.proved(&detail.summary.digest, within),
        });
        Some(detail)
    });
    let mend = "list them with GET /api/v1/approvals";
    found.map(Json).ok_or_else(|| Problem::not_found(format!("there is no {id}"), mend))
}

/// # Errors
/// When this is no digest.
pub(super) fn whole(digest: &str) -> Result<(), Problem> {
    if digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(());
    }
    let mend =
        "send the whole `digest` of GET /api/v1/approvals/{id}; its short code is for people to compare";
    Err(Problem::invalid("`digest` must be 64 hexadecimal digits", mend))
}

async fn decide(
    approver: &Approver,
    approval: ApprovalId,
    asked: DecideRequest,
    approve: bool,
) -> Answer<DoneView> {
    whole(&asked.digest)?;
    if asked.reason.as_ref().is_some_and(|r| r.len() > 8 * 1024) {
        return Err(Problem::invalid("`reason` is longer than 8192 bytes", "shorten it"));
    }
    let DecideRequest { digest, reason } = asked;
    let digest = digest.to_ascii_lowercase();
    // Used up by a yes, whatever becomes of it.
    let proof = if approve { approver.use_proof(&digest) } else { None };
    let decided =
        approver.command(|who| Command::Decide { approval, who, digest, approve, reason, proof }).await;
    // Refused to somebody who was asked and has no part in it: then it is the question that has moved on, not
    // the person.
    let was_asked = || {
        approver.books().read(|s| {
            let asked = s.approvals.get(&approval);
            let who = approver.who();
            asked.is_some_and(|a| {
                a.approval.teams.iter().any(|t| who.teams.contains(t))
                    && a.approval.no_vote_of(&who.name).is_none()
            })
        })
    };
    match decided {
        Ok(d) => Ok(done(d)),
        Err(problem) if problem.is_refusal() && !problem.is_unproved() && was_asked() => {
            Err(problem.into_conflict())
        }
        Err(problem) => Err(problem),
    }
}

/// Say yes to exactly what was shown
#[utoipa::path(post, path = "/api/v1/approvals/{id}/approve", tag = "approvals", security(("person" = ["approver"])),
    params(("id" = String, Path, description = "For example APR-1")),
    request_body(content = DecideRequest, example = json!({ "digest": "0000000000000000000000000000000000000000000000000000000000000000", "reason": "confirmed with the owner" })),
    responses((status = 200, description = "Counted", body = DoneView), (status = 409, description = "Answered before, over, or something else was shown", body = ErrorBody), Failures))]
pub(super) async fn approve(
    approver: Approver,
    Named(id): Named<ApprovalId>,
    Body(asked): Body<DecideRequest>,
) -> Answer<DoneView> {
    decide(&approver, id, asked, true).await
}

/// Say no
#[utoipa::path(post, path = "/api/v1/approvals/{id}/deny", tag = "approvals", security(("person" = ["approver"])),
    params(("id" = String, Path, description = "For example APR-1")),
    request_body(content = DecideRequest, example = json!({ "digest": "0000000000000000000000000000000000000000000000000000000000000000", "reason": "a planned test" })),
    responses((status = 200, description = "Counted", body = DoneView), (status = 409, description = "Answered before, over, or something else was shown", body = ErrorBody), Failures))]
pub(super) async fn deny(
    approver: Approver,
    Named(id): Named<ApprovalId>,
    Body(asked): Body<DecideRequest>,
) -> Answer<DoneView> {
    decide(&approver, id, asked, false).await
}
