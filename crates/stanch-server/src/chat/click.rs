//! One click: who, on what, and what becomes of it. The same for clicks that come over HTTP and over a
//! socket.
//!
//! Only these things are taken from a message: who clicked, in which workspace, on which button, under
//! which digest; and where the answer to them is shown. The person is found by the member ID that an
//! administrator has linked in `policies/people.yaml`; names, addresses, `response_url` and everything
//! else in the message are not read. Whoever clicks is always answered, with a message that only they see.
//!
//! Source: Slack, "block_actions payloads"; SEC-69, SEC-70.

use serde::Deserialize;
use stanch_connectors::notifier::slack::{APPROVE, DENY, UNDO};
use stanch_connectors::socket_mode;
use stanch_core::chat::undo_name;
use stanch_engine::Command;

use crate::auth::{Approver, Desk};
use crate::problem::Problem;

/// Where people can always answer.
const MEND: &str = "answer in the console, or with: stanch approve";

/// Proof that a message is from Slack. Only this file makes one: from a signature, or from the connection
/// that we opened to Slack ourselves.
pub(crate) struct Verified(());

impl Verified {
    /// The signature holds.
    pub(super) fn by_signature(_: super::slack::Signed) -> Verified {
        Verified(())
    }

    /// It came over our own connection.
    fn by_socket(_: &socket_mode::Click) -> Verified {
        Verified(())
    }
}

/// What a button says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Approve,
    Deny,
    Undo,
}

/// All that is taken from a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Click {
    pub(super) user: String,
    pub(super) workspace: String,
    /// Where it was clicked; only for the answer that the person alone sees.
    pub(super) channel: Option<String>,
    pub(super) verb: Verb,
    /// Which question or change: 64 hexadecimal digits.
    pub(super) digest: String,
    /// Whose buttons they are, as the message says.
    app: Option<String>,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "type")]
    kind: String,
    user: User,
    team: Team,
    api_app_id: Option<String>,
    container: Option<Container>,
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
struct Container {
    channel_id: Option<String>,
}

#[derive(Deserialize)]
struct Pressed {
    action_id: String,
    value: Option<String>,
}

/// True for what Slack names things by: `U0123ABCD`, `C0123ABCD`.
fn is_id(text: &str) -> bool {
    (2..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// What was clicked, or why it is none of ours.
pub(super) fn click(payload: &str) -> Result<Click, &'static str> {
    let p: Payload = serde_json::from_str(payload).map_err(|_| "the payload is not a click")?;
    if p.kind != "block_actions" {
        return Err("the payload is not a click on a button");
    }
    // Somebody of another firm in a shared channel: their workspace is not the one that was asked.
    if p.user.team_id.as_ref().is_some_and(|own| *own != p.team.id) {
        return Err("the person belongs to another workspace");
    }
    let [pressed] = &p.actions[..] else { return Err("there must be exactly one button") };
    let verb = match pressed.action_id.as_str() {
        APPROVE => Verb::Approve,
        DENY => Verb::Deny,
        UNDO => Verb::Undo,
        _ => return Err("the button is none of ours"),
    };
    let digest = pressed.value.clone().unwrap_or_default();
    let plain = digest.len() == 64 && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !plain {
        return Err("the button carries no digest");
    }
    let channel = p.container.and_then(|c| c.channel_id).filter(|c| is_id(c));
    Ok(Click { user: p.user.id, workspace: p.team.id, channel, verb, digest, app: p.api_app_id })
}

/// Does what a click says, if whoever clicked may; and tells them what came of it.
///
/// # Errors
/// Why nothing was done: the same words that the person reads.
pub(super) async fn answer(
    desk: &Desk,
    notifier: &str,
    verified: &Verified,
    payload: &str,
) -> Result<String, Problem> {
    let click = click(payload).map_err(|why| Problem::invalid(why, MEND))?;
    let done = decide(desk, notifier, verified, &click).await;
    let words = match &done {
        Ok(message) => message.clone(),
        Err(problem) => problem.told(),
    };
    tell(desk, notifier, click, words);
    done
}

/// A click that came over our own connection.
pub(super) async fn from_socket(desk: &Desk, notifier: &str, came: &socket_mode::Click) {
    let verified = Verified::by_socket(came);
    let named = click(came.payload()).ok().and_then(|c| c.app);
    let done = match (came.app(), named) {
        (Some(own), Some(named)) if own != named => {
            Err(Problem::forbidden("the message belongs to another app", MEND))
        }
        _ => answer(desk, notifier, &verified, came.payload()).await,
    };
    if let Err(why) = done {
        tracing::info!(notifier, why = why.message(), "a click in Slack changed nothing");
    }
}

async fn decide(desk: &Desk, notifier: &str, verified: &Verified, click: &Click) -> Result<String, Problem> {
    if desk.workspace(notifier)?.is_some_and(|w| w != click.workspace) {
        return Err(Problem::forbidden("this workspace may not answer", MEND));
    }
    let approver = desk.linked(&click.user, verified)?;
    let (approve, reason) = match click.verb {
        Verb::Approve => (true, "by a button in Slack".to_owned()),
        Verb::Deny => (false, "by a button in Slack".to_owned()),
        Verb::Undo => return undo(approver, &click.digest).await,
    };
    let id = approver.books().read(|s| {
        s.approvals.values().rev().find(|a| a.approval.digest() == click.digest).map(|a| a.approval.id)
    });
    let Some(approval) = id else {
        return Err(Problem::not_found("no question has this digest", MEND));
    };
    let (digest, reason) = (click.digest.clone(), Some(reason));
    let proof = None;
    let decided =
        approver.command(|who| Command::Decide { approval, who, digest, approve, reason, proof }).await;
    match decided {
        Ok(done) => Ok(done.message),
        // A click proves nothing of the kind: the console is where it is answered.
        Err(problem) if problem.is_unproved() => {
            let at = desk
                .console(notifier)
                .map(|url| format!("{}/", url.trim_end_matches('/')))
                .unwrap_or_default();
            let mend = format!("answer it in the console: {at}approvals/{approval}");
            Err(Problem::unproved(problem.message(), mend))
        }
        Err(problem) => Err(problem),
    }
}

/// Takes a change back, for somebody who may decide about changes: the same as `stanch release`.
async fn undo(approver: Approver, name: &str) -> Result<String, Problem> {
    let id = approver
        .books()
        .read(|s| s.actions.values().rev().find(|a| undo_name(&a.action) == name).map(|a| a.action.id));
    let Some(action) = id else {
        return Err(Problem::not_found(
            "no change has this name",
            "take it back in the console, or with: stanch release",
        ));
    };
    let (reason, only) = ("by a button in Slack".to_owned(), None);
    let done = approver.command(|who| Command::Release { action, who, reason, only }).await?;
    Ok(done.message)
}

/// Tells the person who clicked what came of it, beside everything else: whoever waits for us waits for at
/// most three seconds.
fn tell(desk: &Desk, notifier: &str, click: Click, words: String) {
    let Some(chat) = desk.chat(notifier) else { return };
    // Anything else is no member that could be told.
    if !is_id(&click.user) {
        return;
    }
    let notifier = notifier.to_owned();
    tokio::spawn(async move {
        if let Err(why) = chat.whisper(click.channel.as_deref(), &click.user, &words).await {
            tracing::warn!(notifier, why = %why, "who clicked in Slack could not be told what came of it");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn payload(change: impl Fn(&mut Value)) -> String {
        let mut value = json!({
            "type": "block_actions",
            "user": { "id": "U1", "username": "eve", "name": "secops-lead", "team_id": "T1" },
            "team": { "id": "T1", "domain": "x" },
            "container": { "type": "message", "message_ts": "1.1", "channel_id": "C1" },
            "actions": [{ "action_id": APPROVE, "block_id": "stanch", "value": "ab".repeat(32), "action_ts": "1" }],
            "response_url": "http://127.0.0.1/",
        });
        change(&mut value);
        value.to_string()
    }

    #[test]
    fn only_who_clicked_on_what_is_taken_from_a_message() {
        let (digest, channel) = ("ab".repeat(32), Some("C1".to_owned()));
        let (user, workspace) = ("U1".to_owned(), "T1".to_owned());
        let good = Click { user, workspace, channel, verb: Verb::Approve, digest, app: None };
        assert_eq!(click(&payload(|_| {})), Ok(good));
        let deny = click(&payload(|v| v["actions"][0]["action_id"] = DENY.into())).map(|c| c.verb);
        assert_eq!(deny, Ok(Verb::Deny));
        for odd in [json!("<!channel>"), json!("c1"), json!(""), Value::Null] {
            let odd = click(&payload(|v| v["container"]["channel_id"] = odd.clone()));
            assert_eq!(odd.map(|c| c.channel), Ok(None));
        }
        let bad: Vec<fn(&mut Value)> = vec![
            |v| v["type"] = "view_submission".into(),
            |v| v["user"]["team_id"] = "T2".into(),
            |v| v["actions"] = json!([]),
            |v| {
                let one = v["actions"][0].clone();
                v["actions"] = json!([one, one]);
            },
            |v| v["actions"][0]["action_id"] = "approve".into(),
            |v| v["actions"][0]["value"] = "ab".into(),
            |v| v["actions"][0]["value"] = "AB".repeat(32).into(),
            |v| drop(v["actions"][0].as_object_mut().unwrap().remove("value")),
            |v| drop(v.as_object_mut().unwrap().remove("user")),
            |v| drop(v.as_object_mut().unwrap().remove("team")),
            |v| v["user"]["id"] = 7.into(),
        ];
        for (n, change) in bad.into_iter().enumerate() {
            assert!(click(&payload(change)).is_err(), "{n}");
        }
        for text in ["", "{}", "[]", "null"] {
            assert!(click(text).is_err(), "{text}");
        }
    }
}
