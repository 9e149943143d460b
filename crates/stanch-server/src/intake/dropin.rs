//! Two addresses that senders know already: PagerDuty's and Alertmanager's.
//!
//! Both pick the source by the credential alone, so a sender only changes the host it talks to.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use stanch_connectors::format::pagerduty::routing_key;

use super::{Doors, Intake, Refusal, Taken, ack_view, bearer, check_length, is_gzip, json};
use crate::api::v1::types::{AckView, ErrorBody, PagerDutyAnswer};
use crate::problem::Problem;

/// PagerDuty's answers to events it cannot use.
const INVALID: &str = "invalid event";

impl Intake {
    async fn by_routing_key(
        &self,
        doors: &Doors,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<(Taken, Option<String>), Refusal> {
        check_length(headers, doors.max_body)?;
        let gzip = is_gzip(headers)?;
        let (body, held) = self.read(doors, headers, body, None).await?;
        let key = routing_key(&body).ok_or(Refusal::Denied)?;
        let door = doors.by_routing_key(&key).ok_or(Refusal::Denied)?;
        let dedup_key = dedup_key(&body);
        let verified = door.lock.verify(None, headers, body, (self.now)())?;
        let taken = self.accept(doors, door, verified, gzip, held, true).await?;
        Ok((taken, dedup_key))
    }

    async fn by_token(&self, doors: &Doors, headers: &HeaderMap, body: Body) -> Result<Taken, Refusal> {
        check_length(headers, doors.max_body)?;
        let gzip = is_gzip(headers)?;
        let door = bearer(headers).and_then(|t| doors.by_token("alertmanager", t)).ok_or(Refusal::Denied)?;
        let (body, held) = self.read(doors, headers, body, Some(door)).await?;
        let verified = door.lock.verify(None, headers, body, (self.now)())?;
        self.accept(doors, door, verified, gzip, held, false).await
    }
}

/// The event's own key, if it has one.
fn dedup_key(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Key {
        dedup_key: Option<String>,
    }
    serde_json::from_slice::<Key>(body).ok()?.dedup_key
}

fn invalid(errors: Vec<String>) -> Response {
    let message = "Event object is invalid".to_owned();
    let answer = PagerDutyAnswer { status: INVALID.to_owned(), message, dedup_key: None, errors };
    json(StatusCode::BAD_REQUEST, &answer)
}

/// Takes an event in, as PagerDuty's Events API v2 does
///
/// The `routing_key` says which source sends. An event that breaks PagerDuty's rules is answered as
/// PagerDuty would, and kept in quarantine all the same.
#[utoipa::path(
    post, path = "/v2/enqueue", tag = "intake",
    request_body(content = Object, content_type = "application/json", example = json!({
        "routing_key": "…", "event_action": "trigger", "dedup_key": "disk-1",
        "payload": { "summary": "disk full", "source": "db-1", "severity": "critical" }
    })),
    responses(
        (status = 202, description = "Taken in, and on disk", body = PagerDutyAnswer),
        (status = 400, description = "Not a valid event, or an unknown routing key", body = PagerDutyAnswer),
        (status = 413, description = "The body is too large", body = ErrorBody),
        (status = 415, description = "The Content-Encoding is not read", body = ErrorBody),
        (status = 429, description = "More than this source's `limit`; nothing was taken in", body = ErrorBody),
        (status = 503, description = "Full, or this source holds its share; try again", body = ErrorBody),
    ),
    security(("routing_key" = []))
)]
pub(super) async fn enqueue(State(intake): State<Arc<Intake>>, request: Request) -> Response {
    let begun = Instant::now();
    let (parts, body) = request.into_parts();
    let doors = intake.doors.now();
    let taken = intake.by_routing_key(&doors, &parts.headers, body).await;
    intake.metrics.delivered(begun.elapsed(), taken.as_ref().err());
    match taken {
        Ok((taken, _)) if !taken.reasons.is_empty() => invalid(taken.reasons),
        Ok((taken, dedup_key)) => {
            let dedup_key =
                dedup_key.or_else(|| taken.ack.alerts.first().cloned()).or_else(|| Some(String::new()));
            let message = "Event processed".to_owned();
            let answer =
                PagerDutyAnswer { status: "success".to_owned(), message, dedup_key, errors: Vec::new() };
            json(StatusCode::ACCEPTED, &answer)
        }
        Err(Refusal::Denied) => invalid(vec!["'routing_key' is missing or not known".to_owned()]),
        Err(Refusal::Empty) => invalid(vec!["the body is empty".to_owned()]),
        Err(refusal) => Problem::from(refusal).into_response(),
    }
}

/// Takes alerts in, as Alertmanager's API v2 does
///
/// For a Prometheus that is to send here beside its Alertmanager. The bearer token of a source of
/// format `alertmanager` says which source sends.
#[utoipa::path(
    post, path = "/api/v2/alerts", tag = "intake",
    request_body(content = Vec<Object>, content_type = "application/json", example = json!([
        { "labels": { "alertname": "DiskFull", "instance": "db-1", "severity": "critical" } }
    ])),
    responses(
        (status = 200, description = "Taken in, and on disk", body = AckView),
        (status = 400, description = "The body is empty or cut off", body = ErrorBody),
        (status = 401, description = "The token is not that of such a source", body = ErrorBody),
        (status = 413, description = "The body is too large", body = ErrorBody),
        (status = 415, description = "The Content-Encoding is not read", body = ErrorBody),
        (status = 429, description = "More than this source's `limit`; nothing was taken in", body = ErrorBody),
        (status = 503, description = "Full, or this source holds its share; try again", body = ErrorBody),
    ),
    security(("source" = []))
)]
pub(super) async fn alerts(State(intake): State<Arc<Intake>>, request: Request) -> Response {
    let begun = Instant::now();
    let (parts, body) = request.into_parts();
    let doors = intake.doors.now();
    let taken = intake.by_token(&doors, &parts.headers, body).await;
    intake.metrics.delivered(begun.elapsed(), taken.as_ref().err());
    match taken {
        Ok(taken) => json(StatusCode::OK, &ack_view(taken.ack)),
        Err(refusal) => Problem::from(refusal).into_response(),
    }
}
