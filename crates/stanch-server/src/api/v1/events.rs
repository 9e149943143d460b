//! What happens, as it happens: server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt as _};
use tokio::sync::broadcast::error::RecvError;

use super::Failures;
use super::types::EventsQuery;
use crate::api::extract::Query;
use crate::auth::Viewer;
use crate::problem::Problem;
use crate::sse::{Beat, Listener};

/// A sign of life after this long without news, and a look whether the listener may still listen.
const ALIVE: Duration = Duration::from_secs(15);

/// Where a listener stands.
struct Hearing {
    viewer: Viewer,
    listener: Listener,
    /// The last entry the listener knows.
    seq: u64,
}

fn change(beat: &Beat) -> Event {
    Event::default().event("change").id(beat.seq.to_string()).data(&*beat.text)
}

fn resync(seq: u64) -> Event {
    Event::default().event("resync").id(seq.to_string()).data(format!("{{\"seq\":{seq}}}"))
}

async fn next(mut h: Hearing) -> Option<(Result<Event, Infallible>, Hearing)> {
    loop {
        let heard = tokio::select! {
            _ = h.listener.closed.wait_for(|c| *c) => return None,
            heard = tokio::time::timeout(ALIVE, h.listener.beats.recv()) => heard,
        };
        if !h.viewer.still() {
            return None;
        }
        let event = match heard {
            // An event and no comment: pages cannot hear comments, and must notice silence.
            Err(_) => Event::default().event("alive").data("{}"),
            Ok(Err(RecvError::Closed)) => return None,
            Ok(Err(RecvError::Lagged(_))) => {
                h.seq = h.viewer.pulse().ok()?.head();
                resync(h.seq)
            }
            Ok(Ok(beat)) if beat.seq <= h.seq => continue,
            Ok(Ok(beat)) => {
                h.seq = beat.seq;
                change(&beat)
            }
        };
        return Some((Ok(event), h));
    }
}

/// What happens, as it happens (server-sent events)
///
/// `hello` comes first and says where the journal stands; `change` says which incidents changed and
/// which kinds of entries were written; `alive` says every 15 s that nothing did; `resync` means: look at everything again, because too much
/// was missed. The id of an event is a sequence number of the journal: send it back as
/// `Last-Event-ID` (or `after`) to hear what was missed. Nothing is said about what things are now.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", security(("person" = ["viewer"])), params(EventsQuery),
    responses((status = 200, description = "A stream that does not end", body = String, content_type = "text/event-stream"), Failures))]
pub(super) async fn events(
    viewer: Viewer,
    Query(asked): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let pulse = viewer.pulse()?.clone();
    let listener = pulse.listen()?;
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok()).and_then(|v| v.trim().parse().ok());
    let head = pulse.head();
    let after = last.or(asked.after).filter(|a| *a <= head);
    let hello = Event::default().event("hello").id(head.to_string()).data(format!("{{\"seq\":{head}}}"));
    let mut first = vec![Ok(hello)];
    let mut seq = head;
    match (last.or(asked.after), after) {
        // An entry that does not exist yet: another journal, or one that was put back.
        (Some(_), None) => first.push(Ok(resync(head))),
        (Some(_), Some(after)) if after < head => {
            let missed = tokio::task::spawn_blocking(move || pulse.since(after)).await;
            match missed.map_err(|_| Problem::internal("a bug ended this request"))?? {
                None => first.push(Ok(resync(head))),
                Some(beat) => {
                    seq = beat.seq.max(head);
                    first.push(Ok(change(&beat)));
                }
            }
        }
        _ => {}
    }
    let hearing = Hearing { viewer, listener, seq };
    let all = stream::iter(first).chain(stream::unfold(hearing, next));
    let mut response = Sse::new(all).into_response();
    let unbuffered = (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response.headers_mut().extend([unbuffered]);
    Ok(response)
}
