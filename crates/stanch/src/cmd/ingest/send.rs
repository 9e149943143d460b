//! One body after the other to `/in/NAME`, and again when the server asks for patience.

use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use serde::Serialize;
use stanch_server::api::v1::types::AckView;

use super::proof::Proof;
use crate::client::{Route, refused, unreachable};
use crate::exit::{Exit, Failure};

/// Longest single wait between two tries, whatever the server asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What became of everything sent so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Records the server has on disk: `new + merged + context + quarantined`.
    pub(crate) accepted: u64,
    /// Of them: alerts not seen before.
    pub(crate) new: u64,
    /// Of them: counted on known alerts.
    pub(crate) merged: u64,
    /// Of them: flows and logs.
    pub(crate) context: u64,
    /// Of them: could not be read; kept, can be tried again.
    pub(crate) quarantined: u64,
    /// Too large to be sent; the server does not have them.
    pub(crate) refused: u64,
    /// Bodies sent.
    pub(crate) requests: u64,
    /// Bodies sent again because the server asked for patience.
    pub(crate) retries: u64,
    /// Bytes sent and acknowledged.
    pub(crate) bytes: u64,
}

impl Counts {
    /// Adds an acknowledgement.
    pub(crate) fn add(&mut self, ack: &AckView, bytes: usize) {
        self.accepted += ack.accepted;
        self.new += ack.new;
        self.merged += ack.merged;
        self.context += ack.context;
        self.quarantined += ack.quarantined;
        self.requests += 1;
        self.bytes += bytes as u64;
    }

    /// True when the parts make the whole.
    #[must_use]
    pub(crate) fn add_up(&self) -> bool {
        self.accepted == self.new + self.merged + self.context + self.quarantined
    }
}

/// The way to one source.
pub(crate) struct Sender {
    client: reqwest::Client,
    base: String,
    url: String,
    proof: Proof,
    patience: Duration,
}

/// What the server said to one body.
enum Said {
    Taken(Box<AckView>),
    TooLarge,
    Wait(Duration, Failure),
}

impl Sender {
    /// Prepares the way; nothing is sent yet.
    pub(crate) fn new(
        client: reqwest::Client,
        server: &str,
        source: &str,
        proof: Proof,
        patience: Duration,
    ) -> Sender {
        let base = server.trim_end_matches('/').to_owned();
        // The same encoding as for routes of the API, below another root.
        let name = Route::new(&[source]).trim_start_matches("/api/v1/").to_owned();
        let url = format!("{base}/in/{name}");
        Sender { client, base, url, proof, patience }
    }

    /// Sends one body until it is acknowledged; adds what became of it to `counts`.
    ///
    /// # Errors
    /// When the server refuses it, or stays busy or away for longer than the patience lasts.
    pub(crate) async fn send(&self, body: Vec<u8>, counts: &mut Counts) -> Result<()> {
        let body = Bytes::from(body);
        let begun = Instant::now();
        loop {
            match self.once(&body).await? {
                Said::Taken(ack) => {
                    counts.add(&ack, body.len());
                    return Ok(());
                }
                Said::TooLarge => {
                    counts.refused += 1;
                    return Ok(());
                }
                Said::Wait(wait, failure) => {
                    // Nobody is there at all: waiting is for servers that were there before.
                    let away = failure.exit == Exit::Unreachable && counts.requests == 0;
                    if away || begun.elapsed() + wait > self.patience {
                        return Err(failure.into());
                    }
                    counts.retries += 1;
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    async fn once(&self, body: &Bytes) -> Result<Said> {
        let mut request = self.client.post(&self.url).body(body.clone());
        for (name, value) in self.proof.headers(body)? {
            request = request.header(name, value);
        }
        let answer = match request.send().await {
            Ok(answer) => answer,
            // Sending again is safe: a redelivery is recognised and counted as merged.
            Err(e) => return Ok(Said::Wait(Duration::from_millis(500), unreachable(&self.base, &e))),
        };
        let status = answer.status().as_u16();
        let wait = answer.headers().get("retry-after").and_then(|v| v.to_str().ok()?.parse().ok());
        let wait = Duration::from_secs(wait.unwrap_or(1)).min(LONGEST_WAIT);
        let bytes = match answer.bytes().await {
            Ok(bytes) => bytes,
            Err(e) => return Ok(Said::Wait(wait, unreachable(&self.base, &e))),
        };
        match status {
            200..=299 => Ok(Said::Taken(serde_json::from_slice(&bytes)?)),
            413 => Ok(Said::TooLarge),
            // 409: signed in the same second as an equal body; another second has another signature.
            409 | 429 | 503 => {
                let said = refused(status, &bytes);
                Ok(Said::Wait(wait, Failure { exit: Exit::TimedOut, ..said }))
            }
            _ => Err(refused(status, &bytes).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use axum::extract::State;
    use axum::http::StatusCode;
    use axum::response::{IntoResponse, Response};
    use axum::routing::post;

    use super::*;

    /// Busy at the first request, takes the second, finds the third too large, knows nobody after that.
    async fn answer(State(asked): State<Arc<AtomicU64>>, body: Bytes) -> Response {
        let ack = AckView { accepted: body.len() as u64, new: body.len() as u64, ..AckView::default() };
        match asked.fetch_add(1, Ordering::SeqCst) {
            0 => (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "0")]).into_response(),
            1 => axum::Json(ack).into_response(),
            2 => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
            _ => StatusCode::UNAUTHORIZED.into_response(),
        }
    }

    #[tokio::test]
    async fn a_busy_server_is_asked_again_and_what_is_too_large_is_counted() {
        let router = axum::Router::new().route("/in/edge", post(answer)).with_state(Arc::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let server = format!("http://{}/", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let reach = crate::client::Reach {
            server: server.clone(),
            token: None,
            ca: None,
            timeout: Duration::from_secs(30),
        };
        let client = crate::client::http_client(&reach).expect("a client");
        let sender = Sender::new(client, &server, "edge", Proof::Nothing, Duration::from_secs(30));
        let mut counts = Counts::default();
        sender.send(b"123".to_vec(), &mut counts).await.expect("taken at the second try");
        sender.send(b"too large".to_vec(), &mut counts).await.expect("counted");
        let wanted = Counts {
            accepted: 3,
            new: 3,
            refused: 1,
            requests: 1,
            retries: 1,
            bytes: 3,
            ..Counts::default()
        };
        assert_eq!(counts, wanted);
        let error = sender.send(b"x".to_vec(), &mut counts).await.expect_err("nobody we know");
        assert_eq!(error.downcast_ref::<Failure>().map(|f| f.exit), Some(Exit::Forbidden));
    }
}
