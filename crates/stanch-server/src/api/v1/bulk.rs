//! Many incidents at once: one request, one answer that says what became of each.

use axum::Json;
use futures::future::join_all;
use stanch_engine::Command;
use stanch_model::IncidentId;

use super::types::{BulkFailure, BulkRequest, BulkView};
use super::{Answer, Failures, queue};
use crate::api::extract::{Body, words};
use crate::auth::Analyst;
use crate::problem::Problem;

/// Incidents named in one request.
const MOST: usize = 500;
/// Incidents that a filter may mean.
const MOST_MATCHING: usize = 5_000;
/// Orders given to the engine at once: it takes in as many with one write to the disk.
const TOGETHER: usize = 256;

/// Which incidents are meant.
async fn meant(analyst: &Analyst, asked: &BulkRequest) -> Result<Vec<IncidentId>, Problem> {
    let Some(matching) = asked.matching.clone() else {
        if asked.incidents.is_empty() || asked.incidents.len() > MOST {
            let message = format!("`incidents` must name 1 to {MOST}");
            return Err(Problem::invalid(message, "send several requests, or say which with `matching`"));
        }
        return Ok(asked.incidents.iter().map(|i| i.parse()).collect::<Result<_, _>>()?);
    };
    if !asked.incidents.is_empty() {
        return Err(Problem::invalid("`incidents` and `matching` are both given", "give one of them"));
    }
    let me = analyst.who().name.clone();
    let ids = analyst.look(move |books| queue::matching(books, &matching, &me)).await?;
    if let Some(most) = asked.at_most.filter(|most| ids.len() > *most) {
        let message = format!("{} match now, and you saw {most}; nothing was done", ids.len());
        return Err(Problem::moved_on(message, "look again, and repeat"));
    }
    if ids.len() > MOST_MATCHING {
        let message = format!("{} match; at most {MOST_MATCHING} can be changed at once", ids.len());
        return Err(Problem::invalid(message, "narrow the filter"));
    }
    Ok(ids)
}

/// Take or close many incidents at once
///
/// Named one by one, or all that a filter of the queue finds. What does not work for one is said and
/// does not stop the others.
#[utoipa::path(post, path = "/api/v1/bulk/incidents", tag = "incidents", security(("person" = ["analyst"])),
    request_body(content = BulkRequest, example = json!({ "incidents": ["INC-1"], "action": "ack" })),
    responses((status = 200, description = "What became of each", body = BulkView),
        (status = 409, description = "More match than were seen", body = super::types::ErrorBody), Failures))]
pub(super) async fn incidents(analyst: Analyst, Body(asked): Body<BulkRequest>) -> Answer<BulkView> {
    let because = match asked.action.as_str() {
        "ack" => None,
        "resolve" => Some(words("reason", asked.reason.as_deref().unwrap_or_default())?),
        _ => return Err(Problem::invalid("there is no such action", "write ack or resolve")),
    };
    let ids = meant(&analyst, &asked).await?;
    let mut view = BulkView { done: 0, failed: Vec::new() };
    for some in ids.chunks(TOGETHER) {
        let one = |incident: IncidentId| {
            let because = because.clone();
            analyst.command(move |who| match because {
                None => Command::Acknowledge { incident, who },
                Some(text) => Command::Resolve { incident, who, text, leave_changes: false },
            })
        };
        for (incident, done) in some.iter().zip(join_all(some.iter().map(|i| one(*i))).await) {
            match done {
                Ok(_) => view.done += 1,
                Err(p) => view.failed.push(BulkFailure { incident: incident.to_string(), why: p.message() }),
            }
        }
    }
    Ok(Json(view))
}
