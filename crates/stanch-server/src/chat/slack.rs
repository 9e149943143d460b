//! `POST /chat/slack`: somebody clicked on a button.
//!
//! Nothing of the message is believed before its signature holds over the raw bytes, and after that
//! only three things are taken from it: who clicked, on which button, under which digest. The person
//! is found by the member ID that an administrator has linked in `policies/people.yaml`; names,
//! addresses and everything else in the message are not read. A replay within the window finds the
//! question answered, and changes nothing.
//!
//! Source: Slack, "Verifying requests" (v0 signatures) and "block_actions payloads"; SEC-4, SEC-69,
//! SEC-70.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;
use stanch_connectors::notifier::slack::{APPROVE, DENY};
use stanch_engine::Command;
use stanch_model::{Span, Timestamp};

use crate::api::v1::types::ErrorBody;
use crate::auth::Desk;
use crate::problem::Problem;

/// How far a request's time may be from ours. Source: Slack's own advice, five minutes.
const WINDOW: Span = Span::mins(5);

/// Proof that a request was signed by Slack. Only [`verify`] makes one.
pub(crate) struct Verified(());

/// A workspace whose signatures are known.
pub(crate) struct Door {
    /// What Slack signs with.
    pub(crate) secret: String,
    /// The workspace, if only one may answer.
    pub(crate) workspace: Option<String>,
}

/// True proof, or none: the v0 signature over the raw body, in its time.
pub(crate) fn verify(secret: &str, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Option<Verified> {
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
    mac.verify_slice(&sent).is_ok().then_some(Verified(()))
}

/// All that is taken from a message.
#[derive(Debug, PartialEq, Eq)]
struct Click {
    user: String,
    workspace: String,
    approve: bool,
    digest: String,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "type")]
    kind: String,
    user: User,
    team: Team,
    actions: Vec<Pressed>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    team_id: Option<String>,
}

#[derive(Deserialize)]
struct Team {
    id: String,
}

#[derive(Deserialize)]
struct Pressed {
    action_id: String,
    value: Option<String>,
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

/// What was clicked, or why it is none of ours.
fn click(body: &[u8]) -> Result<Click, &'static str> {
    let text = field(body).ok_or("the body is not one field `payload`")?;
    let p: Payload = serde_json::from_str(&text).map_err(|_| "the payload is not a click")?;
    if p.kind != "block_actions" {
        return Err("the payload is not a click on a button");
    }
    // Somebody of another firm in a shared channel: their workspace is not the one that was asked.
    if p.user.team_id.as_ref().is_some_and(|own| *own != p.team.id) {
        return Err("the person belongs to another workspace");
    }
    let [pressed] = &p.actions[..] else { return Err("there must be exactly one button") };
    let approve = match pressed.action_id.as_str() {
        APPROVE => true,
        DENY => false,
        _ => return Err("the button is none of ours"),
    };
    let digest = pressed.value.clone().unwrap_or_default();
    let plain = digest.len() == 64 && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !plain {
        return Err("the button carries no digest");
    }
    Ok(Click { user: p.user.id, workspace: p.team.id, approve, digest })
}

/// Somebody clicked on a button in Slack
#[utoipa::path(post, path = "/chat/slack", tag = "approvals", security(("source" = [])),
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "As Slack sends it, signed", example = json!("payload=%7B%22type%22%3A%22block_actions%22%7D")),
    responses((status = 200, description = "Counted"), (status = 401, description = "Not signed by Slack", body = ErrorBody),
        (status = 403, description = "Not linked to a person, or not allowed", body = ErrorBody), (status = 409, description = "Answered before, over, or something else was shown", body = ErrorBody),
        (status = 400, description = "Not a click", body = ErrorBody)))]
pub(crate) async fn clicked(
    State(desk): State<Desk>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<String, Problem> {
    let now = desk.now();
    let doors = desk.slack_doors();
    let open = doors.iter().find_map(|d| Some((d, verify(&d.secret, &headers, &body, now)?)));
    let Some((door, verified)) = open else { return Err(Problem::unauthorised()) };
    let mend = "answer in the console, or with: stanch approve";
    let click = click(&body).map_err(|why| Problem::invalid(why, mend))?;
    if door.workspace.as_ref().is_some_and(|w| *w != click.workspace) {
        return Err(Problem::forbidden("this workspace may not answer", mend));
    }
    let Some(approver) = desk.linked(&click.user, verified) else {
        let why = "nobody in policies/people.yaml who may approve has this member ID of Slack";
        return Err(Problem::forbidden(why, mend));
    };
    let id = approver.books().read(|s| {
        s.approvals.values().rev().find(|a| a.approval.digest() == click.digest).map(|a| a.approval.id)
    });
    let Some(approval) = id else {
        return Err(Problem::not_found("no question has this digest", mend));
    };
    let Click { approve, digest, .. } = click;
    let reason = Some("by a button in Slack".to_owned());
    let done = approver.command(|who| Command::Decide { approval, who, digest, approve, reason }).await?;
    Ok(done.message)
}

#[cfg(test)]
#[path = "slack_tests.rs"]
mod tests;
