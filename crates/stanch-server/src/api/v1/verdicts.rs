//! What people found out: opinions on incidents, and what could be kept quiet because of them.

use axum::Json;
use stanch_core::journal::opinion::{self, Opinion};
use stanch_engine::Command;
use stanch_model::IncidentId;

use super::types::{DoneView, NoisePage, NoiseView, VerdictRequest};
use super::{Answer, Failures, done};
use crate::api::extract::{Body, Named};
use crate::auth::{Analyst, Viewer};
use crate::problem::Problem;

/// Say what an incident turned out to be
#[utoipa::path(post, path = "/api/v1/incidents/{id}/verdict", tag = "incidents", security(("person" = ["analyst"])),
    params(("id" = String, Path, description = "For example INC-3")), request_body(content = VerdictRequest, example = json!({ "verdict": "false", "reason": "our own scanner" })),
    responses((status = 200, description = "Noted", body = DoneView), Failures))]
pub(super) async fn judge(
    analyst: Analyst,
    Named(incident): Named<IncidentId>,
    Body(asked): Body<VerdictRequest>,
) -> Answer<DoneView> {
    let Some(opinion) = Opinion::read(&asked.verdict) else {
        let words: Vec<&str> = Opinion::ALL.iter().map(|o| o.word()).collect();
        return Err(Problem::invalid(
            "there is no such verdict",
            format!("write one of {}", words.join(", ")),
        ));
    };
    let of = match asked.of.as_deref().map(str::parse::<IncidentId>) {
        Some(Err(_)) => return Err(Problem::invalid("`of` is not an incident", "write it like INC-3")),
        Some(Ok(of)) => Some(of),
        None => None,
    };
    let team = asked.team;
    let text: String = asked.reason.unwrap_or_default().chars().take(2_000).collect();
    Ok(done(analyst.command(|who| Command::Judge { incident, who, opinion, of, team, text }).await?))
}

/// List rules that could be kept quiet, with what that would have cost
#[utoipa::path(get, path = "/api/v1/noise", tag = "incidents", security(("person" = ["viewer"])),
    responses((status = 200, description = "Proposals; nothing is set by itself", body = NoisePage), Failures))]
pub(super) async fn noise(viewer: Viewer) -> Answer<NoisePage> {
    let (proposals, judged) = viewer.books().read(|s| (opinion::noise(s), s.opinions.incidents.len() as u64));
    let proposals = proposals
        .into_iter()
        .map(|n| NoiseView {
            product: n.product,
            rule: n.rule,
            site: n.site,
            hides: n.hides,
            of: n.of,
            hidden_confirmed: n.hidden_confirmed,
            of_confirmed: n.of_confirmed,
            refuted: n.refuted,
            matcher: n.matcher,
        })
        .collect();
    Ok(Json(NoisePage { proposals, judged }))
}
