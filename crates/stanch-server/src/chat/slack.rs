//! `POST /chat/slack`: somebody clicked on a button.
//!
//! Nothing of the message is believed before its signature holds over the raw bytes; what it then means
//! is read and decided in [`super::click`]. A replay within the window finds the question answered, and
//! changes nothing.
//!
//! A click that was understood is answered 200 whatever came of it, as Slack wants it: the person reads
//! the outcome in a message that only they see.
//!
//! Source: Slack, "Verifying requests" (v0 signatures); SEC-4, SEC-70.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use stanch_model::{Span, Timestamp};

use super::click::{self, Verified};
use crate::api::v1::types::ErrorBody;
use crate::auth::Desk;
use crate::problem::Problem;

/// How far a request's time may be from ours. Source: Slack's own advice, five minutes.
const WINDOW: Span = Span::mins(5);

/// Proof that a request was signed by Slack. Only [`verify`] makes one.
pub(crate) struct Signed(());

/// A workspace whose signatures are known.
pub(crate) struct Door {
    /// What Slack signs with.
    pub(crate) secret: String,
    /// The notifier it belongs to.
    pub(crate) notifier: String,
}

/// True proof, or none: the v0 signature over the raw body, in its time.
pub(crate) fn verify(secret: &str, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Option<Signed> {
    let one = |name: &str| {
        let mut all = headers.get_all(name).iter();
        // Two of them would be read differently by different readers.
        let first = all.next()?.to_str().ok()?;
        all.next().is_none().then_some(first)
    };
    let stamp = one("x-slack-request-timestamp")?;
    if stamp.is_empty() || stamp.len() > 12 || !stamp.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = stamp.parse().ok()?;
    let off = now.since(Timestamp(seconds.saturating_mul(1_000))).0.saturating_abs();
    let sent = crate::secrets::from_hex(one("x-slack-signature")?.strip_prefix("v0=")?)?;
    if off > WINDOW.0 || secret.is_empty() {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    for part in [b"v0:", stamp.as_bytes(), b":", body] {
        mac.update(part);
    }
    // Compares in constant time.
    mac.verify_slice(&sent).is_ok().then_some(Signed(()))
}

/// The one field of the form, decoded once and in one way.
fn field(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.strip_prefix("payload=")?;
    if text.contains(['&', '=']) {
        return None;
    }
    let (mut out, mut bytes) = (Vec::with_capacity(text.len()), text.bytes());
    while let Some(b) = bytes.next() {
        out.push(match b {
            b'+' => b' ',
            b'%' => {
                let digit = |b: u8| char::from(b).to_digit(16);
                let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

/// Somebody clicked on a button in Slack
#[utoipa::path(post, path = "/chat/slack", tag = "approvals", security(("source" = [])),
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "As Slack sends it, signed", example = json!("payload=%7B%22type%22%3A%22block_actions%22%7D")),
    responses((status = 200, description = "Understood: what came of it, in words, which the person reads too"),
        (status = 401, description = "Not signed by Slack", body = ErrorBody), (status = 400, description = "Not a click", body = ErrorBody)))]
pub(crate) async fn clicked(
    State(desk): State<Desk>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<String, Problem> {
    let now = desk.now();
    let doors = desk.slack_doors();
    let open = doors.iter().find_map(|d| Some((d, verify(&d.secret, &headers, &body, now)?)));
    let Some((door, signed)) = open else { return Err(Problem::unauthorised()) };
    let mend = "answer in the console, or with: stanch approve";
    let payload =
        field(&body).ok_or_else(|| Problem::invalid("the body is not one field `payload`", mend))?;
    click::click(&payload).map_err(|why| Problem::invalid(why, mend))?;
    let done = click::answer(&desk, &door.notifier, &Verified::by_signature(signed), &payload).await;
    Ok(done.unwrap_or_else(|problem| problem.told()))
}

#[cfg(test)]
#[path = "slack_tests.rs"]
mod tests;
