//! The same for many incidents: one request, each answered for by itself.

use axum::Json;
use stanch_engine::Command;
use stanch_model::IncidentId;

use super::types::{BulkFailure, BulkRequest, BulkView};
use super::{Answer, Failures};
use crate::api::extract::{Body, words};
use crate::auth::Analyst;
use crate::problem::Problem;

/// Incidents in one request.
const MOST: usize = 500;

/// Take or close many incidents at once
///
/// What does not work for one is said and does not stop the others.
#[utoipa::path(post, path = "/api/v1/bulk/incidents", tag = "incidents", security(("person" = ["analyst"])),
    request_body(content = BulkRequest, example = json!({ "incidents": ["INC-1"], "action": "ack" })),
    responses((status = 200, description = "What became of each", body = BulkView), Failures))]
pub(super) async fn incidents(analyst: Analyst, Body(asked): Body<BulkRequest>) -> Answer<BulkView> {
    if asked.incidents.is_empty() || asked.incidents.len() > MOST {
        return Err(Problem::invalid(format!("`incidents` must name 1 to {MOST}"), "send several requests"));
    }
    let ids: Vec<IncidentId> = asked.incidents.iter().map(|i| i.parse()).collect::<Result<_, _>>()?;
    let because = match asked.action.as_str() {
        "ack" => None,
        "resolve" => Some(words("reason", asked.reason.as_deref().unwrap_or_default())?),
        _ => return Err(Problem::invalid("there is no such action", "write ack or resolve")),
    };
    let mut view = BulkView { done: 0, failed: Vec::new() };
    for incident in ids {
        let command = |who| match because.clone() {
            None => Command::Acknowledge { incident, who },
            Some(text) => Command::Resolve { incident, who, text, leave_changes: false },
        };
        match analyst.command(command).await {
            Ok(_) => view.done += 1,
            Err(p) => view.failed.push(BulkFailure { incident: incident.to_string(), why: p.message() }),
        }
    }
    Ok(Json(view))
}
