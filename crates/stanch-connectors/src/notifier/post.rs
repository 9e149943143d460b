//! One HTTP request of a notifier: bounded, not redirected, and its failure classed.

use std::time::Duration;

use ipnet::IpNet;
use reqwest::{Method, StatusCode, Url, header};
use stanch_model::{Failure, IncidentId, Notice, Span};

use crate::egress::Egress;

/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 256 * 1024;
/// How long one request may take as a whole.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How long to leave a service alone that asks for it without saying how long.
const RETRY_AFTER: Span = Span::secs(30);

/// Talks to one configured host.
pub(crate) struct Post {
    client: reqwest::Client,
    egress: Egress,
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
}

/// Where a notifier sends to: HTTPS, or HTTP to this machine only.
///
/// # Errors
/// In words, what is wrong with the URL.
pub(crate) fn endpoint(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|e| format!("url: {text:?} is not a URL: {e}"))?;
    let loopback = url.host_str().is_some_and(|h| {
        let bare = h.trim_start_matches('[').trim_end_matches(']');
        h == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    });
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        "http" => {
            return Err("url: http to another machine shows the message and the secret; use https".to_owned());
        }
        other => return Err(format!("url: {other} is not https")),
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("url: a user, a password or a fragment does not belong there".to_owned());
    }
    Ok(url)
}

/// Where a notice is read and answered, behind a sign-in: beneath the console's address, also where that has a
/// path of its own. What it may have as a query is not handed on.
pub(crate) fn page(console: &Url, notice: &Notice) -> Url {
    let page = match (&notice.ask, notice.incident) {
        (Some(ask), _) => format!("approvals/{}", ask.approval),
        (None, IncidentId(0)) => "queue".to_owned(),
        (None, incident) => format!("incidents/{incident}"),
    };
    let mut url = console.clone();
    url.set_query(None);
    url.set_path(&format!("{}/{page}", console.path().trim_end_matches('/')));
    url
}

impl Post {
    /// For the one host of this URL.
    ///
    /// # Errors
    /// Why TLS could not be set up.
    pub(crate) fn to(url: Option<&Url>, private: &[IpNet]) -> Result<Post, String> {
        let egress = match url {
            Some(url) => Egress::to(url, private)?,
            // The URL is wrong and has been reported; nothing will be sent.
            None => Egress::new(&[], Vec::new())?,
        };
        Post::through(egress, TIMEOUT)
    }

    /// Wherever this lets it, within this time.
    ///
    /// # Errors
    /// Why TLS could not be set up.
    pub(crate) fn through(egress: Egress, timeout: Duration) -> Result<Post, String> {
        let client = egress.client(timeout)?;
        Ok(Post { client, egress })
    }

    /// Sends, and reads an answer of any status but those that say "later" or "not you".
    ///
    /// # Errors
    /// The class of the failure. A notice may be repeated, so an answer that never came is transient.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: Url,
        headers: header::HeaderMap,
        body: Vec<u8>,
    ) -> Result<Reply, Failure> {
        let host = url.host_str().unwrap_or_default().to_owned();
        self.egress.permit(&url).map_err(Failure::permanent)?;
        // Never the URL itself: it may hold a secret.
        let lost = |e: reqwest::Error| Failure::transient(format!("{host}: {}", e.without_url()));
        let mut answer =
            self.client.request(method, url).headers(headers).body(body).send().await.map_err(lost)?;
        let status = answer.status();
        let wait = answer.headers().get(header::RETRY_AFTER).and_then(|v| v.to_str().ok());
        let wait = wait.and_then(|v| v.parse::<i64>().ok()).filter(|s| (0..=86_400).contains(s));
        let mut read = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(lost)? {
            if read.len() + piece.len() > MAX_ANSWER {
                return Err(Failure::transient(format!(
                    "{host}: the answer is larger than {MAX_ANSWER} bytes"
                )));
            }
            read.extend_from_slice(&piece);
        }
        match status {
            StatusCode::TOO_MANY_REQUESTS => Err(Failure::RateLimited {
                why: format!("{host} asks to slow down"),
                retry_after: wait.map_or(RETRY_AFTER, Span::secs),
            }),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(Failure::Unauthorised { why: format!("{host} answered {status}") })
            }
            s if s.is_server_error() => Err(Failure::transient(format!("{host} answered {status}"))),
            _ => Ok(Reply { status, body: read }),
        }
    }
}
