//! Calls from outside that begin a run and wait for its answer.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use stanch_core::journal::event::RunEnd;
use stanch_engine::{Command, Replied, Start};
use stanch_model::Span;
use tokio::sync::oneshot;

use super::Failures;
use super::types::{HookQuery, HookView};
use crate::api::extract::{Body, Named, Query};
use crate::api::manners::RUN;
use crate::auth::HookCaller;
use crate::problem::Problem;

/// The longest wait for an answer.
const LONGEST: Span = Span::secs(60);
/// The wait for an answer unless the caller says otherwise.
const USUAL: Span = Span::secs(20);

/// Begin a run of a playbook `on: hook` with this body, and wait for its answer
///
/// The answer is sent once everything up to it is on disk. When the run takes longer than the wait,
/// the answer is 202 with the run's name, and the run goes on. Sources are not held to the limit of
/// callers: while `intake_queue` calls wait for the disk, the next is answered 503 and no run begins; while as
/// many wait for answers, the next is answered 202 at once.
#[utoipa::path(post, path = "/api/v1/hooks/{playbook}", tag = "runs", security(("person" = ["analyst"]), ("source" = [])),
    params(("playbook" = String, Path, description = "The playbook's name"), HookQuery),
    request_body(content = Object, example = json!({ "severity": 5, "host": "web-1" })),
    responses(
        (status = 200, description = "What the playbook answered, with the run's name in the header `stanch-run`", body = Object),
        (status = 202, description = "The run goes on", body = HookView),
        (status = 502, description = "The run ended without an answer", body = HookView), Failures))]
pub(super) async fn call(
    caller: HookCaller,
    Named(playbook): Named<String>,
    Query(asked): Query<HookQuery>,
    Body(body): Body<serde_json::Value>,
) -> Result<Response, Problem> {
    let wait = match &asked.wait {
        None => USUAL,
        Some(text) => {
            text.parse::<Span>().ok().filter(|s| *s <= LONGEST && *s >= Span::ZERO).ok_or_else(|| {
                Problem::invalid("`wait` must be 0s to 60s", "write for example ?wait=5s, or leave it out")
            })?
        }
    };
    let (waiter, answer) = oneshot::channel();
    let asked = Start { playbook, incident: None, inputs: body, hook: true, waiter: Some(waiter) };
    let begun = caller.command(|who| Command::Start { asked, who }).await?;
    let run = begun.run.map(|r| r.to_string()).unwrap_or_default();
    let place = caller.place_to_wait();
    let wait = if place.is_some() { Duration::from_millis(wait.0.unsigned_abs()) } else { Duration::ZERO };
    let mut response = match tokio::time::timeout(wait, answer).await {
        Ok(Ok(replied)) => answered(replied),
        Ok(Err(_)) | Err(_) => {
            let view = HookView { run: run.clone(), state: "running".to_owned(), why: None };
            (StatusCode::ACCEPTED, Json(view)).into_response()
        }
    };
    if let Ok(value) = HeaderValue::from_str(&run) {
        response.headers_mut().insert(RUN, value);
    }
    Ok(response)
}

fn answered(r: Replied) -> Response {
    if let Some(reply) = r.reply {
        return Json(reply).into_response();
    }
    let (end, why) = r.ended.unwrap_or((RunEnd::Completed, String::new()));
    let status = if end == RunEnd::Completed { StatusCode::OK } else { StatusCode::BAD_GATEWAY };
    let view = HookView { run: r.run.to_string(), state: end.word().to_owned(), why: Some(why) };
    (status, Json(view)).into_response()
}
