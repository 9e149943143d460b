//! Tells people in a channel of Microsoft Teams: an Adaptive Card, by a workflow that waits for web requests.
//!
//! The card says what is asked and leads to the page where it is answered, behind a sign-in. It cannot
//! answer: whoever can post into a channel, or press what is shown there, is nobody we know.
//!
//! All text of a card stands in text runs, which know no Markdown, no link and no mention.
//!
//! Source: Microsoft, "Create incoming webhooks with Workflows for Microsoft Teams" (the envelope, 28 KB a
//! message, four requests a second) and the Adaptive Cards schema 1.4, read in 2026.

use async_trait::async_trait;
use ipnet::IpNet;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use serde_json::{Value, json};
use stanch_model::port::Notifier;
use stanch_model::{Failure, IncidentId, Notice, Urgency};

use super::Secret;
use super::post::{Post, endpoint};
use super::text;

/// Bytes of a message's own text, as JSON; with the frame it stays below the 28 KB that Teams takes.
const LARGEST: usize = 20 * 1024;
/// Bytes that one line costs beside its text.
const FRAME: usize = 150;
/// The version of the schema; Teams on phones shows no later one.
const VERSION: &str = "1.4";

/// Settings of one channel.
#[derive(Clone, Debug)]
pub struct TeamsConfig {
    /// The name used in configuration.
    pub name: String,
    /// The workflow's address without its `sig`.
    pub url: String,
    /// The value of `sig`: whoever has it can post.
    pub sig: Secret,
    /// Where people reach the console; none: cards have no button.
    pub console: Option<String>,
    /// Ranges that its name may lead to although they are not on the internet.
    pub allow_private: Vec<IpNet>,
}

/// A channel in which people are told.
pub struct Teams {
    name: String,
    url: Url,
    sig: Secret,
    console: Option<Url>,
    post: Post,
}

impl Teams {
    /// Makes it ready to send; opens no connection.
    ///
    /// # Errors
    /// All mistakes of the configuration.
    pub fn new(config: &TeamsConfig) -> Result<Teams, Vec<String>> {
        let mut wrong = Vec::new();
        let url = endpoint(&config.url).map_err(|why| wrong.push(why)).ok();
        if url.as_ref().is_some_and(|u| u.query_pairs().any(|(name, _)| name == "sig")) {
            wrong.push("url: take `&sig=…` out of it and put its value into a file named by `sig`: whoever has it can post".to_owned());
        }
        let console =
            config.console.as_deref().map(|text| endpoint(text).map_err(|why| format!("console: {why}")));
        let console = console.transpose().map_err(|why| wrong.push(why)).ok().flatten();
        let post = Post::to(url.as_ref(), &config.allow_private).map_err(|why| wrong.push(why)).ok();
        match (url, post) {
            (Some(url), Some(post)) if wrong.is_empty() => {
                Ok(Teams { name: config.name.clone(), url, sig: config.sig.clone(), console, post })
            }
            _ => Err(wrong),
        }
    }
}

/// Text as runs show it. Teams computes dates in double braces; a card has none of ours.
fn shown(text: &str) -> String {
    text.replace("{{", "{ {")
}

/// The beginning of a text, in whole lines, that is at most [`LARGEST`] bytes as JSON.
fn fitting(body: &str) -> (String, bool) {
    let (mut out, mut bytes) = (String::new(), 0);
    for line in body.split_inclusive('\n') {
        bytes += json!(line).to_string().len() + FRAME;
        if bytes > LARGEST {
            return (out, true);
        }
        out.push_str(line);
    }
    (out, false)
}

fn run(text: &str, more: &Value) -> Value {
    let mut run = json!({ "type": "TextRun", "text": shown(text) });
    if let (Some(run), Some(more)) = (run.as_object_mut(), more.as_object()) {
        run.extend(more.clone());
    }
    json!({ "type": "RichTextBlock", "inlines": [run] })
}

/// Where a notice is read and answered.
fn page(console: &Url, notice: &Notice) -> Option<(&'static str, Url)> {
    let title = match (&notice.ask, notice.about) {
        (Some(_), _) => "Review and decide",
        (None, _) if notice.incident == IncidentId(0) => return None,
        (None, Some(_)) if !notice.closes => "See it, or take it back",
        (None, _) => "Open the incident",
    };
    Some((title, super::post::page(console, notice)))
}

/// The message as the workflow takes it.
fn message(console: Option<&Url>, notice: &Notice) -> Value {
    let subject = text::subject(&notice.subject);
    let (style, word) = match notice.urgency {
        Urgency::Critical => ("attention", "Critical"),
        Urgency::Warning => ("warning", "Warning"),
        Urgency::Information => ("default", "Information"),
    };
    let (body, cut) = fitting(&text::body(&notice.body));
    let head = json!({ "type": "Container", "style": style, "bleed": true, "items": [
        run(&subject, &json!({ "weight": "Bolder", "size": "Medium" })),
        run(&format!("{word}, {}", notice.at), &json!({ "isSubtle": true })),
    ] });
    let mut items = vec![head];
    // One block a line: a run may lose its line breaks on some clients.
    items.extend(body.lines().map(|line| {
        let text = if line.is_empty() { " " } else { line };
        let mut block = run(text, &json!({ "fontType": "Monospace" }));
        block["spacing"] = json!("None");
        block
    }));
    if cut {
        items.push(run("It goes on; read the rest in the console.", &json!({ "isSubtle": true })));
    }
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": VERSION,
        "fallbackText": shown(&subject),
        "body": items,
        "msteams": { "width": "Full" },
    });
    if let Some((title, url)) = console.and_then(|c| page(c, notice)) {
        card["actions"] = json!([{ "type": "Action.OpenUrl", "title": title, "url": url.as_str() }]);
    }
    json!({
        "type": "message",
        "summary": shown(&subject),
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    })
}

#[async_trait]
impl Notifier for Teams {
    fn name(&self) -> &str {
        &self.name
    }

    async fn notify(&self, notice: &Notice) -> Result<String, Failure> {
        let body = message(self.console.as_ref(), notice).to_string().into_bytes();
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("sig", &self.sig.expose());
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        let reply = self.post.send(Method::POST, url, headers, body).await?;
        let host = self.url.host_str().unwrap_or_default();
        match reply.status {
            // The workflow took it; what becomes of it in the channel it does not tell.
            StatusCode::ACCEPTED | StatusCode::OK => Ok(format!("{host}: {}", reply.status.as_u16())),
            StatusCode::NOT_FOUND | StatusCode::GONE => Err(Failure::permanent(format!(
                "{host} knows no such workflow: was it switched off or deleted?"
            ))),
            other => Err(Failure::permanent(format!("{host} answered {other} to a card"))),
        }
    }
}

#[cfg(test)]
#[path = "teams_tests.rs"]
mod tests;
