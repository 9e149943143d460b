//! The judgement's own account: what solved it before, and what may be done by itself.

use axum::Json;
use stanch_core::config::Automatic;
use stanch_core::journal::incident::Status;
use stanch_core::stage::advice::{self, Advice};
use stanch_core::stage::autonomy::close::kept;
use stanch_core::stage::autonomy::{self, Bar, Standing};
use stanch_model::IncidentId;

use super::incidents::missing;
use super::types::{
    ActionCount, AdviceView, AlikeView, AutonomyView, CandidateView, DecisionView, ModelView, OutcomeCount,
    ReliabilityBar, SuggestedTeam,
};
use super::{Answer, Failures};
use crate::api::extract::Named;
use crate::auth::Viewer;

/// Open incidents listed, the latest.
const CANDIDATES: usize = 50;

pub(super) fn advice_view(a: Advice) -> AdviceView {
    let sentences = advice::sentences(&a);
    let alike = a.before.alike.into_iter().map(|s| AlikeView {
        incident: s.id,
        likeness: s.likeness,
        outcome: s.outcome,
        because: s.because,
    });
    let teams = a.route.teams.into_iter().map(|t| SuggestedTeam {
        team: t.team,
        probability: t.probability,
        reason: t.reason,
    });
    AdviceView {
        alike: alike.collect(),
        outcomes: a
            .before
            .outcomes
            .into_iter()
            .map(|(outcome, count)| OutcomeCount { outcome, count })
            .collect(),
        actions: a
            .before
            .actions
            .into_iter()
            .map(|(action, count, held)| ActionCount { action, count, held })
            .collect(),
        teams: teams.collect(),
        abstains: a.route.abstains,
        team: a.team,
        looked_at: a.looked_at,
        sentences,
    }
}

pub(super) fn bar_view(b: Bar) -> ReliabilityBar {
    ReliabilityBar {
        from: b.from,
        to: b.to,
        judged: b.judged,
        mattered: b.mattered,
        low: b.between.0,
        high: b.between.1,
    }
}

fn decision_view(s: Standing) -> DecisionView {
    DecisionView {
        decision: s.what.word().to_owned(),
        cost: s.what.cost().to_owned(),
        mistake: s.what.mistake().to_owned(),
        measured: s.budget.is_some(),
        allowed: s.allowed,
        threshold: s.threshold,
        side: if s.what.is_for_noise() { "at_most" } else { "at_least" }.to_owned(),
        budget: s.budget,
        judged: s.beyond,
        errors: s.errors,
        bound: s.bound,
        because: s.because,
    }
}

/// What solved it before, and who should have it
#[utoipa::path(get, path = "/api/v1/incidents/{id}/advice", tag = "incidents", security(("person" = ["viewer"])),
    params(("id" = String, Path, description = "For example INC-3")),
    responses((status = 200, description = "Advice from past incidents; nothing is done by it", body = AdviceView), Failures))]
pub(super) async fn advice(viewer: Viewer, Named(id): Named<IncidentId>) -> Answer<AdviceView> {
    let asked = viewer.books().read(|s| advice::ask(s, id)).ok_or_else(|| missing(id))?;
    Ok(Json(advice_view(advice::advise(asked))))
}

/// What may be done by itself, on what evidence, and why not more
#[utoipa::path(get, path = "/api/v1/autonomy", tag = "incidents", security(("person" = ["viewer"])),
    responses((status = 200, description = "Reliability, threshold and what stands against it", body = AutonomyView), Failures))]
pub(super) async fn autonomy(viewer: Viewer) -> Answer<AutonomyView> {
    let budgets = viewer.books().config().map(|c| c.triage.budgets.clone()).unwrap_or_default();
    let now = viewer.books().now();
    let view = viewer.books().read(|s| {
        let standing = autonomy::standing(s, Automatic::Close, budgets.close.as_ref());
        let open =
            s.incidents.values().rev().filter(|i| i.status == Status::Triggered && i.merged_into.is_none());
        let candidates = open.take(CANDIDATES).map(|i| {
            let sure = i.confidence();
            let kept = match (&budgets.close, standing.threshold) {
                (Some(policy), Some(t)) if sure <= t => kept(s, i, policy, now),
                (_, Some(t)) => Some(format!("{:.0} % sure is above {:.0} %", sure * 100.0, t * 100.0)),
                (_, None) => Some("no threshold is earned".to_owned()),
            };
            let kept =
                kept.or_else(|| (!standing.allowed).then(|| "the leave is taken back for now".to_owned()));
            CandidateView { incident: i.id.to_string(), confidence: sure, kept }
        });
        AutonomyView {
            candidates: candidates.collect(),
            allowed: standing.allowed,
            threshold: standing.threshold,
            budget: standing.budget,
            judged: standing.judged,
            below: standing.beyond,
            errors: standing.errors,
            bound: standing.bound,
            because: standing.because,
            decisions: autonomy::standings(s, &budgets).into_iter().map(decision_view).collect(),
            curve: autonomy::curve(s).into_iter().map(bar_view).collect(),
            model: ModelView {
                verdicts: s.learnt.verdicts(),
                grown_from: s.learnt.model().map(|(upto, _)| upto),
                growing: s.learnt.wanted().map(|w| w.upto),
                examples: s.learnt.model().map(|(_, m)| m.examples().0 as u64),
            },
        }
    });
    Ok(Json(view))
}
