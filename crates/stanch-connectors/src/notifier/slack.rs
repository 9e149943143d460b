//! Tells people in Slack; a question comes with two buttons.
//!
//! A button carries only the digest of what was shown: 256 bits that say *which* question, and give
//! nobody the right to answer it. Who clicked is told by Slack's signature on the way back, and what
//! they may do by our own configuration (`POST /chat/slack`, or [`crate::socket_mode`]).
//!
//! Slack answers 200 even when it refuses, so the body decides.
//!
//! Source: Slack's documentation of `chat.postMessage` and Block Kit, read in 2026; SEC-69.

use async_trait::async_trait;
use ipnet::IpNet;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use serde_json::{Value, json};
use stanch_model::port::Notifier;
use stanch_model::{Failure, Notice, Place, Span, Urgency};
use zeroize::Zeroizing;

use super::Secret;
use super::post::{Post, endpoint, page};
use super::text;

/// Characters of one section, less room for its frame. Source: Block Kit allows 3000.
const SECTION: usize = 2_800;
/// Sections of one message. Source: Block Kit allows 50 blocks.
const SECTIONS: usize = 40;
/// Slack's words for a message that cannot be changed or answered any more.
const GONE: [&str; 5] = [
    "message_not_found",
    "cant_update_message",
    "edit_window_closed",
    "thread_not_found",
    "cannot_reply_to_message",
];
/// How long to leave Slack alone that asks for it in its body.
const RETRY_AFTER: Span = Span::secs(30);

/// `action_id` of the button that says yes.
pub const APPROVE: &str = "stanch_approve";
/// `action_id` of the button that says no.
pub const DENY: &str = "stanch_deny";
/// `action_id` of the button that takes a change back.
pub const UNDO: &str = "stanch_undo";

/// Settings of one workspace.
#[derive(Clone, Debug)]
pub struct SlackConfig {
    /// The name used in configuration.
    pub name: String,
    /// Where Slack's Web API is. Default `https://slack.com/api`.
    pub url: String,
    /// The bot token, `xoxb-…`.
    pub token: Secret,
    /// True when clicks come back: over HTTP or over a socket. Without a way back no button is shown.
    pub answers: bool,
    /// Where people reach the console; messages lead there. None: they carry no link.
    pub console: Option<String>,
    /// Ranges that its name may lead to although they are not on the internet.
    pub allow_private: Vec<IpNet>,
}

/// What messages may carry beside their words.
#[derive(Clone, Debug, Default)]
struct Show {
    /// Buttons.
    answers: bool,
    /// A link into the console.
    console: Option<Url>,
}

/// A workspace in which people are told.
pub struct Slack {
    name: String,
    api: String,
    token: Secret,
    show: Show,
    post: Post,
}

impl Slack {
    /// Makes it ready to send; opens no connection.
    ///
    /// # Errors
    /// All mistakes of the configuration.
    pub fn new(config: &SlackConfig) -> Result<Slack, Vec<String>> {
        let mut wrong = Vec::new();
        let api = config.url.trim_end_matches('/').to_owned();
        let url = endpoint(&api).map_err(|why| wrong.push(why)).ok();
        if HeaderValue::from_str(&config.token.expose()).is_err() {
            wrong.push("token: it holds characters that no token has".to_owned());
        }
        let console =
            config.console.as_deref().map(|text| endpoint(text).map_err(|why| format!("console: {why}")));
        let console = console.transpose().map_err(|why| wrong.push(why)).ok().flatten();
        let post = Post::to(url.as_ref(), &config.allow_private).map_err(|why| wrong.push(why)).ok();
        match (url, post) {
            (Some(_), Some(post)) if wrong.is_empty() => {
                let (name, token) = (config.name.clone(), config.token.clone());
                Ok(Slack { name, api, token, show: Show { answers: config.answers, console }, post })
            }
            _ => Err(wrong),
        }
    }

    async fn tell(&self, channel: &str, notice: &Notice) -> Result<String, Failure> {
        let Some(card) = &notice.card else {
            let said = self.call("chat.postMessage", &message(channel, notice, &self.show)).await?;
            return Ok(format!("{channel} {}", said["ts"].as_str().unwrap_or("")));
        };
        if let Some(at) = &card.at {
            let mut body = message(&at.channel, notice, &self.show);
            body["ts"] = at.message.as_str().into();
            match self.call("chat.update", &body).await {
                // Somebody has removed it, or it is too old: what it should show is said anew.
                Err(Failure::Permanent { why }) if GONE.iter().any(|gone| why.ends_with(gone)) => {}
                done => return done.map(|_| at.receipt()),
            }
        }
        let mut body = message(channel, notice, &self.show);
        if let Some(under) = card.under.as_ref().filter(|u| u.channel == channel || card.at.is_none()) {
            body["thread_ts"] = under.message.as_str().into();
            body["reply_broadcast"] = card.loud.into();
        }
        let said = match self.call("chat.postMessage", &body).await {
            Err(Failure::Permanent { why })
                if card.under.is_some() && GONE.iter().any(|g| why.ends_with(g)) =>
            {
                self.call("chat.postMessage", &message(channel, notice, &self.show)).await?
            }
            done => done?,
        };
        // Slack may name the channel otherwise than we do; a message is only found under Slack's name.
        let place = Place {
            channel: said["channel"].as_str().unwrap_or(channel).to_owned(),
            message: said["ts"].as_str().unwrap_or_default().to_owned(),
        };
        Ok(place.receipt())
    }

    /// Says something that only one member sees: in the channel where they clicked, or to them alone.
    ///
    /// # Errors
    /// The class of the failure. Nobody repeats it: who clicked sees that nothing has changed.
    pub async fn whisper(&self, channel: Option<&str>, member: &str, words: &str) -> Result<(), Failure> {
        let said = escaped(text::body(words).trim_end());
        if let Some(channel) = channel {
            let body = json!({ "channel": channel, "user": member, "text": said });
            match self.call("chat.postEphemeral", &body).await {
                // Not in the channel, for example: then to the member alone.
                Err(Failure::Permanent { .. }) => {}
                done => return done.map(drop),
            }
        }
        let body = json!({ "channel": member, "text": said, "unfurl_links": false, "unfurl_media": false });
        self.call("chat.postMessage", &body).await.map(drop)
    }

    /// One call of the Web API; what it answers when it did what was asked.
    async fn call(&self, method: &str, body: &Value) -> Result<Value, Failure> {
        let mut headers = HeaderMap::new();
        let bearer = Zeroizing::new(format!("Bearer {}", *self.token.expose()));
        let mut bearer = HeaderValue::from_str(&bearer).map_err(|e| Failure::permanent(e.to_string()))?;
        bearer.set_sensitive(true);
        headers.insert("authorization", bearer);
        headers.insert("content-type", HeaderValue::from_static("application/json; charset=utf-8"));
        let url = endpoint(&format!("{}/{method}", self.api)).map_err(Failure::permanent)?;
        let reply = self.post.send(Method::POST, url, headers, body.to_string().into_bytes()).await?;
        let said: Value = serde_json::from_slice(&reply.body)
            .map_err(|_| Failure::transient(format!("Slack answered {} without JSON", reply.status)))?;
        if said["ok"] == true {
            return Ok(said);
        }
        let why =
            format!("Slack refused: {}", text::subject(said["error"].as_str().unwrap_or("no reason given")));
        Err(match said["error"].as_str() {
            Some("ratelimited") => Failure::RateLimited { why, retry_after: RETRY_AFTER },
            Some("invalid_auth" | "not_authed" | "token_revoked" | "token_expired" | "account_inactive") => {
                Failure::Unauthorised { why }
            }
            Some("internal_error" | "fatal_error" | "service_unavailable" | "request_timeout") => {
                Failure::transient(why)
            }
            _ => Failure::permanent(why),
        })
    }
}

/// Text that Slack shows and does not obey. Source: Slack, "Escaping text": three characters.
fn escaped(text: &str) -> String {
    // A closing fence would let text out of its frame; a look-alike does not.
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace("```", "'''")
}

/// The body in pieces that fit, broken between lines where that is possible.
fn pieces(body: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    for line in body.lines() {
        let letters: Vec<char> = line.chars().collect();
        for part in letters.chunks(SECTION).map(|c| escaped(&c.iter().collect::<String>())).chain(
            // An empty line has no chunk but is a line.
            letters.is_empty().then(String::new),
        ) {
            let last = out.len() - 1;
            if !out[last].is_empty() && out[last].chars().count() + part.chars().count() + 1 > SECTION {
                out.push(String::new());
            }
            let last = out.len() - 1;
            out[last].push_str(&part);
            out[last].push('\n');
        }
    }
    out.truncate(SECTIONS);
    out
}

/// The buttons of a notice: to answer its question, or to take its change back. Each carries a name of 256
/// bits and nothing else, and asks once more before it is sent.
fn buttons(notice: &Notice) -> Option<Value> {
    let button = |id: &str, text: &str, style: &str, value: &str, confirm: &str| {
        json!({
            "type": "button", "action_id": id, "style": style, "value": value,
            "text": { "type": "plain_text", "text": text },
            "confirm": {
                "title": { "type": "plain_text", "text": format!("{text}?") },
                "text": { "type": "plain_text", "text": confirm },
                "confirm": { "type": "plain_text", "text": text },
                "deny": { "type": "plain_text", "text": "Back" },
            },
        })
    };
    let elements = match (&notice.ask, &notice.undo) {
        (Some(ask), _) => {
            let code: String = ask.digest.chars().take(8).collect();
            let about = format!("{} with the short code {code}, exactly as it is shown above", ask.approval);
            json!([
                button(APPROVE, "Approve", "primary", &ask.digest, &about),
                button(DENY, "Deny", "danger", &ask.digest, &about),
            ])
        }
        (None, Some(undo)) => {
            let about = format!("{} is taken back at once, in your name", undo.action);
            json!([button(UNDO, "Undo now", "danger", &undo.name, &about)])
        }
        (None, None) => return None,
    };
    Some(json!({ "type": "actions", "block_id": "stanch", "elements": elements }))
}

/// The message as Block Kit has it.
fn message(channel: &str, notice: &Notice, show: &Show) -> Value {
    let subject = text::subject(&notice.subject);
    let mark = match notice.urgency {
        Urgency::Critical => ":rotating_light: ",
        Urgency::Warning => ":warning: ",
        Urgency::Information => "",
    };
    let title: String = subject.chars().take(140).collect();
    let mut blocks =
        vec![json!({ "type": "header", "text": { "type": "plain_text", "text": title, "emoji": false } })];
    for piece in pieces(&text::body(&notice.body)) {
        let framed = format!("```{}```", piece.trim_end_matches('\n'));
        blocks.push(
            json!({ "type": "section", "text": { "type": "mrkdwn", "text": framed, "verbatim": true } }),
        );
    }
    if show.answers {
        blocks.extend(buttons(notice));
    }
    if let Some(url) = show.console.as_ref().map(|c| page(c, notice)) {
        let link = format!("<{}|Open in Stanch>", escaped(url.as_str()));
        blocks.push(
            json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": link, "verbatim": true }] }),
        );
    }
    json!({
        "channel": channel,
        "text": escaped(&format!("{mark}{subject}")),
        "blocks": blocks,
        "unfurl_links": false,
        "unfurl_media": false,
        "metadata": { "event_type": "stanch_notice", "event_payload": { "key": notice.key } },
    })
}

#[async_trait]
impl Notifier for Slack {
    fn name(&self) -> &str {
        &self.name
    }

    async fn notify(&self, notice: &Notice) -> Result<String, Failure> {
        let mut receipts = Vec::new();
        for channel in &notice.to {
            receipts.push(self.tell(channel, notice).await?);
        }
        match receipts.is_empty() {
            true => Err(Failure::permanent("the team names no channel in `to`")),
            false => Ok(receipts.join(", ")),
        }
    }
}

#[cfg(test)]
#[path = "slack_tests.rs"]
mod tests;
