//! Manners of the API that no route has to think of: rate limits, tags of what was read, conditions on
//! changes, and answers that are kept for whoever asks twice.
//!
//! One layer around all routes of API v1, in this order: [`limits`] (may this caller ask at all now?),
//! `Idempotency-Key` ([`answers`]), `If-Match`, the route, `ETag` and `If-None-Match`. [`describe`]
//! writes all of it into the description of the API, so that the two cannot drift apart by hand.
//!
//! A condition is checked right before the change and not within it: two changes at the same
//! millisecond can both pass. What must not happen twice is guarded by the engine itself, which decides
//! one command after another.
//!
//! Source: RFC 9110 (13: conditions), RFC 9457 (problems), draft-ietf-httpapi-idempotency-key-header-07,
//! draft-ietf-httpapi-ratelimit-headers-10.

mod answers;
mod describe;
mod limits;

pub(crate) use answers::Answers;
pub(super) use describe::describe;
pub(crate) use limits::Limits;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum_server::tls::TlsInfo;
use sha2::{Digest, Sha256};
use tower::ServiceExt as _;

use super::BODY_LIMIT;
use crate::auth::{Caller, Desk};
use crate::problem::Problem;
use answers::Begin;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The run that a call has begun.
pub(crate) const RUN: HeaderName = HeaderName::from_static("stanch-run");
/// The longest `Idempotency-Key`, in bytes.
const LONGEST_KEY: usize = 255;
/// Parts of the API whose answers hold what is shown once and never kept.
const NEVER_KEPT: [&str; 5] = ["session", "tokens", "secrets", "people", "webhooks"];

/// What the layer works with: who asks, and the routes without this layer.
#[derive(Clone)]
pub(super) struct Around {
    pub(super) desk: Desk,
    pub(super) inner: Router,
}

/// The layer.
pub(super) async fn manners(State(around): State<Around>, request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with("/api/v1/") {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let caller = around.desk.caller(&parts);
    let room = match &caller {
        // Bounded by what waits, as deliveries of alerts are: see [`crate::auth::HookRoom`].
        Caller::Source(_) => None,
        Caller::Person(_) | Caller::Stranger(_) => {
            around.desk.limits().map(|l| l.take(&caller.key(), around.desk.now()))
        }
    };
    let mut response = match &room {
        Some(room) if !room.passed => Problem::too_fast(room.seconds).into_response(),
        _ => conditional(&around, &caller, parts, body, next).await,
    };
    if let Some(room) = room {
        room.put(response.headers_mut());
    }
    response
}

async fn conditional(around: &Around, caller: &Caller, parts: Parts, body: Body, next: Next) -> Response {
    if parts.method == Method::GET {
        let asked = parts.headers.get(header::IF_NONE_MATCH).cloned();
        return tagged(next.run(Request::from_parts(parts, body)).await, asked.as_ref()).await;
    }
    if let Some(tags) = parts.headers.get(header::IF_MATCH).cloned()
        && let Err(problem) = holds(around, &parts, &tags).await
    {
        return problem.into_response();
    }
    match (parts.method == Method::POST).then(|| parts.headers.get(KEY).cloned()).flatten() {
        Some(key) => once(around, caller, &key, parts, body, next).await,
        None => next.run(Request::from_parts(parts, body)).await,
    }
}

/// Gives a JSON answer its tag, or says that nothing changed.
async fn tagged(response: Response, asked: Option<&HeaderValue>) -> Response {
    let json = response.headers().get(header::CONTENT_TYPE);
    let json = json.and_then(|t| t.to_str().ok()).is_some_and(|t| t.starts_with("application/json"));
    if response.status() != StatusCode::OK || !json {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return Problem::internal("an answer was lost").into_response();
    };
    let tag = tag_of(&bytes);
    let same = asked.and_then(|a| a.to_str().ok()).is_some_and(|a| names(a, &tag));
    if let Ok(value) = HeaderValue::from_str(&tag) {
        parts.headers.insert(header::ETAG, value);
    }
    if same {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_LENGTH);
        parts.headers.remove(header::CONTENT_TYPE);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(bytes))
}

/// A strong tag: the same bytes, the same tag.
fn tag_of(bytes: &Bytes) -> String {
    let hash = Sha256::digest(bytes);
    let hex: String = hash.iter().take(16).map(|b| format!("{b:02x}")).collect();
    format!("\"{hex}\"")
}

/// Does a list of tags name this one? A weak one counts as the tag it is of: proxies make them.
fn names(list: &str, tag: &str) -> bool {
    list.trim() == "*" || list.split(',').any(|t| t.trim().trim_start_matches("W/") == tag)
}

/// Is what is about to be changed still what the caller has read?
async fn holds(around: &Around, parts: &Parts, tags: &HeaderValue) -> Result<(), Problem> {
    let tags = tags
        .to_str()
        .map_err(|_| Problem::invalid("If-Match is no list of tags", "send the ETag as it came"))?;
    let path = parts.uri.path();
    // `/incidents/INC-1/ack` changes `/incidents/INC-1`.
    let above = path.rsplit_once('/').map_or(path, |(above, _)| above);
    for place in [path, above] {
        let mut look = Request::builder().method(Method::GET).uri(place);
        for name in [header::AUTHORIZATION, header::COOKIE, header::HOST] {
            if let Some(value) = parts.headers.get(&name) {
                look = look.header(name, value);
            }
        }
        let Ok(mut look) = look.body(Body::empty()) else { continue };
        // Not all of them: what the first routing found out would spoil the second.
        if let Some(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>() {
            look.extensions_mut().insert(*peer);
        }
        if let Some(shown) = parts.extensions.get::<Arc<TlsInfo>>() {
            look.extensions_mut().insert(shown.clone());
        }
        let Ok(answer) = around.inner.clone().oneshot(look).await;
        match answer.status() {
            StatusCode::OK => {
                let bytes = to_bytes(answer.into_body(), usize::MAX).await;
                let tag = tag_of(&bytes.map_err(|_| Problem::internal("an answer was lost"))?);
                return if names(tags, &tag) { Ok(()) } else { Err(Problem::changed(place)) };
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Ok(()), // the route says so itself
            _ => {}
        }
    }
    Err(Problem::changed(path))
}

/// Does it once, and gives whoever asks again with the same key the same answer.
async fn once(
    around: &Around,
    caller: &Caller,
    key: &HeaderValue,
    parts: Parts,
    body: Body,
    next: Next,
) -> Response {
    // `/api/v1/tokens/...`, and not a playbook that happens to be called so.
    let part = parts.uri.path().split('/').nth(3).unwrap_or_default();
    let kept = !NEVER_KEPT.contains(&part);
    let (Some(answers), true) = (around.desk.answers(), kept) else {
        return next.run(Request::from_parts(parts, body)).await;
    };
    let key = match key.to_str().map(str::trim) {
        Ok(key) if !key.is_empty() && key.len() <= LONGEST_KEY => key,
        Ok(_) | Err(_) => {
            let message = format!("Idempotency-Key must be 1 to {LONGEST_KEY} printable characters");
            return Problem::invalid(message, "send a fresh UUID for each thing to be done").into_response();
        }
    };
    let Ok(bytes) = to_bytes(body, BODY_LIMIT).await else {
        return Problem::too_large(BODY_LIMIT as u64).into_response();
    };
    let place = answers::place(&[&caller.key(), parts.method.as_str(), &parts.uri.to_string(), key]);
    let begun = match caller {
        Caller::Person(_) | Caller::Source(_) => {
            let (answers, bytes) = (answers.clone(), bytes.clone());
            let now = around.desk.now();
            let work = move || answers.begin(place, &bytes, now);
            tokio::task::spawn_blocking(work).await.unwrap_or(Begin::Failed)
        }
        // Nothing is kept for those that are not known.
        Caller::Stranger(_) => Begin::New,
    };
    match begun {
        Begin::New => {}
        Begin::Kept(answer) => return replayed(&answer),
        Begin::Other => return Problem::key_reused().into_response(),
        Begin::Unknown => return Problem::key_unknown().into_response(),
        Begin::Failed => return Problem::internal("the answer could not be kept").into_response(),
    }
    let answer = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    keep(answers.clone(), place, answer).await
}

/// Keeps an answer before it goes out.
async fn keep(answers: std::sync::Arc<Answers>, place: answers::Place, answer: Response) -> Response {
    let (head, body) = answer.into_parts();
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return Problem::internal("an answer was lost").into_response();
    };
    let said = |name: HeaderName| Some(head.headers.get(name)?.to_str().ok()?.to_owned());
    let answer = answers::Answer {
        status: head.status.as_u16(),
        kind: said(header::CONTENT_TYPE).unwrap_or_default(),
        text: String::from_utf8_lossy(&bytes).into_owned(),
        run: said(RUN),
    };
    // What was refused before it began, or broke, may be tried again with the same key. A run that has
    // begun is never begun again, however it ended.
    let certain =
        answer.run.is_some() || (answer.status < 500 && !matches!(answer.status, 401 | 403 | 412 | 429));
    let work = move || if certain { answers.done(place, answer) } else { answers.forget(place) };
    if tokio::task::spawn_blocking(work).await.is_err() {
        tracing::error!("an answer could not be kept");
    }
    Response::from_parts(head, Body::from(bytes))
}

fn replayed(answer: &answers::Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut headers = HeaderMap::new();
    if let Ok(kind) = HeaderValue::from_str(&answer.kind) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    if let Some(run) = answer.run.as_deref().and_then(|run| HeaderValue::from_str(run).ok()) {
        headers.insert(RUN, run);
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    (status, headers, answer.text.clone()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_tags_names_its_own_and_no_other() {
        let tag = tag_of(&Bytes::from_static(b"{}"));
        assert_eq!(tag.len(), 34);
        for list in [tag.clone(), format!("\"x\", {tag}"), format!("W/{tag}"), "*".to_owned()] {
            assert!(names(&list, &tag), "{list}");
        }
        for list in ["", "\"x\"", tag.trim_matches('"')] {
            assert!(!names(list, &tag), "{list}");
        }
    }
}
