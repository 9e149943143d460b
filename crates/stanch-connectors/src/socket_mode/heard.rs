//! What Slack says over a socket, taken apart; and where a socket may lead. Pure.
//!
//! Source: Slack, "Socket Mode implementation" (hello, disconnect, envelopes, acknowledgement within
//! 3 seconds) and the reasons that `@slack/socket-mode` 3.2.0 knows.

use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};

/// The longest name of an envelope that is acknowledged, in bytes; Slack's are UUIDs of 36.
const ENVELOPE: usize = 128;

/// Why Slack wants a connection to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leave {
    /// It is old: a fresh one takes its place, as several times a day.
    Refresh,
    /// It ends in about ten seconds.
    Warning,
    /// Somebody has switched Socket Mode off.
    SwitchedOff,
    /// The app has ten connections already.
    TooMany,
    /// For a reason we do not know.
    Other(String),
}

impl Leave {
    /// True when the next connection would most likely fare no better: not to be hurried.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Leave::SwitchedOff | Leave::TooMany => true,
            Leave::Refresh | Leave::Warning | Leave::Other(_) => false,
        }
    }

    /// In words for a person.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Leave::Refresh => "Slack renews the connection".to_owned(),
            Leave::Warning => "Slack ends the connection soon".to_owned(),
            Leave::SwitchedOff => {
                "Socket Mode is switched off in the settings of the app in Slack; switch it on there"
                    .to_owned()
            }
            Leave::TooMany => {
                "the app has ten connections to Slack already; another program uses the same app token"
                    .to_owned()
            }
            Leave::Other(why) => format!("Slack ends the connection: {why}"),
        }
    }
}

/// One message over the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The connection works from now on.
    Hello {
        /// Whose connection it is.
        app: Option<String>,
    },
    /// The connection is to be left.
    Leave(Leave),
    /// Somebody did something in a message.
    Click {
        /// To be acknowledged with.
        envelope: String,
        /// As Slack sends it over HTTP too.
        payload: String,
    },
    /// Of no use to us; acknowledged, so that Slack does not send it again.
    Other {
        /// To be acknowledged with, if at all.
        envelope: Option<String>,
        /// What it is.
        kind: String,
    },
}

#[derive(Deserialize)]
struct Frame {
    #[serde(rename = "type")]
    kind: String,
    reason: Option<String>,
    connection_info: Option<Info>,
    envelope_id: Option<String>,
    payload: Option<Value>,
}

#[derive(Deserialize)]
struct Info {
    app_id: Option<String>,
}

/// Takes one text frame apart.
///
/// # Errors
/// What it is not, in words. Nothing of it is repeated.
pub fn heard(text: &str) -> Result<Heard, &'static str> {
    let frame: Frame = serde_json::from_str(text).map_err(|_| "not JSON, or without a type")?;
    if frame.envelope_id.as_ref().is_some_and(|e| e.is_empty() || e.len() > ENVELOPE) {
        return Err("an envelope with a name that cannot be one");
    }
    Ok(match frame.kind.as_str() {
        "hello" => Heard::Hello { app: frame.connection_info.and_then(|i| i.app_id) },
        "disconnect" => Heard::Leave(match frame.reason.as_deref() {
            Some("refresh_requested") => Leave::Refresh,
            Some("warning") => Leave::Warning,
            Some("link_disabled") => Leave::SwitchedOff,
            Some("too_many_websockets") => Leave::TooMany,
            other => Leave::Other(crate::notifier::plain(other.unwrap_or("no reason given"))),
        }),
        "interactive" => match (frame.envelope_id, frame.payload) {
            (Some(envelope), Some(payload @ Value::Object(_))) => {
                Heard::Click { envelope, payload: payload.to_string() }
            }
            (Some(_), _) => return Err("a click without what was clicked"),
            (None, _) => return Err("a click that cannot be acknowledged"),
        },
        other => Heard::Other { envelope: frame.envelope_id, kind: crate::notifier::plain(other) },
    })
}

/// What is sent back for an envelope.
#[must_use]
pub fn acknowledgement(envelope: &str) -> String {
    json!({ "envelope_id": envelope }).to_string()
}

/// Where the socket is that `apps.connections.open` names, written as the HTTP request that opens it. Only
/// on the API's own host or beneath it, on the same port, encrypted where the API is.
///
/// # Errors
/// Why nobody is called there. The address is a ticket and is not repeated.
pub fn place(api: &Url, named: &str) -> Result<Url, String> {
    let wrong = |why: &str| format!("Slack names a socket that is not used: {why}");
    let (scheme, rest) = match (named.strip_prefix("wss://"), named.strip_prefix("ws://")) {
        (Some(rest), _) => ("https", rest),
        (None, Some(rest)) if api.scheme() == "http" => ("http", rest),
        (None, Some(_)) => return Err(wrong("it is not encrypted")),
        (None, None) => return Err(wrong("it is no address of a WebSocket")),
    };
    let url: Url = format!("{scheme}://{rest}").parse().map_err(|_| wrong("it is no address"))?;
    let (home, host) = (api.host_str().unwrap_or_default(), url.host_str().unwrap_or_default());
    let beneath = host.strip_suffix(home).is_some_and(|h| h.is_empty() || h.ends_with('.'));
    if home.is_empty() || !beneath {
        return Err(wrong(&format!("it is neither at {home} nor beneath it")));
    }
    if url.port_or_known_default() != api.port_or_known_default() {
        return Err(wrong("it is on another port than the API"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(wrong("it holds credentials or a fragment"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_of_the_documentation_is_understood() {
        let hello = r#"{"type":"hello","connection_info":{"app_id":"A1234"},"num_connections":1,
            "debug_info":{"host":"applink-7fc4fdbb64-4x5xq","started":"2020-10-11 12:12:12.120","build_number":10,"approximate_connection_time":18060}}"#;
        assert_eq!(heard(hello), Ok(Heard::Hello { app: Some("A1234".into()) }));
        for (reason, leave) in [
            ("warning", Leave::Warning),
            ("refresh_requested", Leave::Refresh),
            ("link_disabled", Leave::SwitchedOff),
            ("too_many_websockets", Leave::TooMany),
            ("moon", Leave::Other("moon".into())),
        ] {
            let text = json!({ "type": "disconnect", "reason": reason, "debug_info": { "host": "wss-111.slack.com" } });
            assert_eq!(heard(&text.to_string()), Ok(Heard::Leave(leave)));
        }
        let click = json!({ "payload": { "type": "block_actions" }, "envelope_id": "dbdd0ef3", "type": "interactive",
            "accepts_response_payload": false });
        let payload = r#"{"type":"block_actions"}"#.to_owned();
        assert_eq!(heard(&click.to_string()), Ok(Heard::Click { envelope: "dbdd0ef3".into(), payload }));
        let event = json!({ "payload": {}, "envelope_id": "e1", "type": "events_api", "retry_attempt": 1 });
        let other = Heard::Other { envelope: Some("e1".into()), kind: "events_api".into() };
        assert_eq!(heard(&event.to_string()), Ok(other));
    }

    #[test]
    fn what_is_no_message_is_refused_and_not_repeated() {
        let long =
            json!({ "type": "interactive", "envelope_id": "x".repeat(129), "payload": {} }).to_string();
        for text in [
            "",
            "{",
            "[]",
            "7",
            r#"{"type":7}"#,
            r#"{"type":"interactive"}"#,
            r#"{"type":"interactive","envelope_id":"a"}"#,
            r#"{"type":"interactive","envelope_id":"a","payload":"text"}"#,
            r#"{"type":"interactive","envelope_id":"","payload":{}}"#,
            r#"{"type":"interactive","envelope_id":7,"payload":{}}"#,
            &long,
        ] {
            assert!(heard(text).is_err(), "{text}");
        }
        let hostile = heard(r#"{"type":"disconnect","reason":"\u001b[31mx\nBcc: y"}"#);
        assert!(matches!(hostile, Ok(Heard::Leave(Leave::Other(why))) if !why.contains(['\u{1b}', '\n'])));
        assert_eq!(acknowledgement("a\"b"), r#"{"envelope_id":"a\"b"}"#);
    }

    #[test]
    fn a_socket_is_only_opened_at_slacks_own_host_and_encrypted() {
        let slack: Url = "https://slack.com/api".parse().expect("a URL");
        let good = place(&slack, "wss://wss-primary.slack.com/link/?ticket=1-2&app_id=3").expect("a place");
        assert_eq!(good.as_str(), "https://wss-primary.slack.com/link/?ticket=1-2&app_id=3");
        assert!(place(&slack, "wss://slack.com/link").is_ok());
        for bad in [
            "ws://wss-primary.slack.com/link",
            "wss://evilslack.com/",
            "wss://slack.com.evil.example/",
            "wss://slack.com@evil.example/",
            "wss://user:pw@wss.slack.com/",
            "wss://wss.slack.com:8443/",
            "wss://169.254.169.254/",
            "https://wss.slack.com/",
            "file:///etc/passwd",
            "wss://",
            "",
        ] {
            let why = place(&slack, bad).expect_err(bad);
            assert!(!why.contains("ticket"), "{why}");
        }
        let here: Url = "http://127.0.0.1:7000/api".parse().expect("a URL");
        assert!(place(&here, "ws://127.0.0.1:7000/link").is_ok());
        assert!(place(&here, "ws://127.0.0.1:7001/link").is_err());
    }
}
