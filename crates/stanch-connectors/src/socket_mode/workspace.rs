//! A workspace of Slack for tests, by its Web API: strict about what it is asked, badly behaved on demand, and it
//! knows what members see. `cloud.rs` adds its sockets.
#![allow(dead_code, reason = "shared by the tests of three crates, none of which needs all of it")]

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One call of the Web API.
#[derive(Clone, Debug)]
pub(crate) struct Called {
    pub(crate) method: String,
    pub(crate) token: String,
    pub(crate) body: Value,
}

/// A message that members of a channel see.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) ts: String,
    pub(crate) channel: String,
    /// What was sent last: the text, the blocks, the thread.
    pub(crate) body: Value,
    /// How often it was changed.
    pub(crate) edits: usize,
}

impl Shown {
    /// The line that notifications show.
    pub(crate) fn text(&self) -> &str {
        self.body["text"].as_str().unwrap_or_default()
    }
}

/// How a call goes wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trouble {
    /// Another status than 200; nothing is done. With 429 `Retry-After: 1`.
    Status(u16),
    /// Done, and then the connection ends before the answer.
    Lost,
}

/// What was asked, what is shown, and what goes wrong next.
#[derive(Default)]
pub(crate) struct Workspace {
    pub(crate) calls: Vec<Called>,
    /// What was sent that the documentation does not know.
    pub(crate) wrong: Vec<String>,
    /// Answers by method, each used once; then the usual.
    pub(crate) script: BTreeMap<String, VecDeque<(u16, String)>>,
    /// What goes wrong with calls of a method that say these words, each once.
    pub(crate) troubles: Vec<(String, String, Trouble)>,
    /// What members see, oldest first.
    pub(crate) messages: Vec<Shown>,
    /// Answers that were lost after what was asked had been done.
    pub(crate) lost: usize,
    posts: usize,
}

impl Workspace {
    /// One call: status (0: the answer is lost) and body. `open` is a connection's address.
    pub(crate) fn call(&mut self, asked: Called, open: impl FnOnce() -> Value) -> (u16, String) {
        self.calls.push(asked.clone());
        if let Some(next) = self.script.get_mut(&asked.method).and_then(VecDeque::pop_front) {
            return next;
        }
        let said = asked.body.to_string();
        let fits =
            |(m, words, _): &(String, String, Trouble)| *m == asked.method && said.contains(words.as_str());
        let trouble = self.troubles.iter().position(fits).map(|n| self.troubles.remove(n).2);
        if let Some(Trouble::Status(status)) = trouble {
            return (status, String::new());
        }
        let done = self.carry_out(asked, open);
        if matches!(trouble, Some(Trouble::Lost)) {
            self.lost += 1;
            return (0, String::new());
        }
        (200, done.to_string())
    }

    fn carry_out(&mut self, asked: Called, open: impl FnOnce() -> Value) -> Value {
        let Called { method, token, body } = asked;
        let (method, channel) = (method.as_str(), channel(&body));
        let right = match method {
            "apps.connections.open" => "xapp-",
            _ => "xoxb-",
        };
        if !token.starts_with(right) {
            return json!({ "ok": false, "error": "not_allowed_token_type" });
        }
        if method.starts_with("chat.") {
            self.wrong.extend(faults(method, &body));
        }
        let at = |ts: &Value, all: &[Shown]| {
            all.iter().position(|m| Some(m.ts.as_str()) == ts.as_str() && m.channel == channel)
        };
        match method {
            "apps.connections.open" => open(),
            "chat.postMessage" => {
                let thread = &body["thread_ts"];
                if !thread.is_null() && at(thread, &self.messages).is_none() {
                    return json!({ "ok": false, "error": "thread_not_found" });
                }
                self.posts += 1;
                let ts = format!("{}.000100", self.posts);
                let answer = json!({ "ok": true, "channel": channel, "ts": ts });
                self.messages.push(Shown { ts, channel, body, edits: 0 });
                answer
            }
            "chat.update" => match at(&body["ts"], &self.messages) {
                Some(n) => {
                    let message = &mut self.messages[n];
                    (message.body, message.edits) = (body, message.edits + 1);
                    json!({ "ok": true, "channel": channel, "ts": message.ts })
                }
                None => json!({ "ok": false, "error": "message_not_found" }),
            },
            "chat.postEphemeral" => json!({ "ok": true, "message_ts": "1.1" }),
            _ => json!({ "ok": false, "error": "unknown_method" }),
        }
    }
}

fn channel(body: &Value) -> String {
    body["channel"].as_str().unwrap_or("C0").to_owned()
}

/// Takes one request from a connection, and answers it.
pub(crate) async fn serve(mut stream: TcpStream, answer: impl FnOnce(Called) -> (u16, String)) {
    let Some((head, body)) = read(&mut stream).await else { return };
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let method = path.trim_start_matches("/api/").to_owned();
    let line = |name: &str| {
        head.lines().find_map(|l| {
            let (n, v) = l.split_once(':')?;
            n.eq_ignore_ascii_case(name).then(|| v.trim().to_owned())
        })
    };
    let token = line("authorization").unwrap_or_default().trim_start_matches("Bearer ").to_owned();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let (status, text) = answer(Called { method, token, body });
    let more = if status == 429 { "Retry-After: 1\r\n" } else { "" };
    let answer = format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Type: application/json\r\n{more}Content-Length: {}\r\n\r\n{text}",
        text.len()
    );
    // 0: the answer is lost.
    if status > 0 {
        stream.write_all(answer.as_bytes()).await.ok();
    }
    stream.shutdown().await.ok();
}

/// What Slack would refuse or cut. Source: Slack's reference of Block Kit: 50 blocks, 3000 characters a section,
/// 150 a header, 75 a button and 2000 its value; a text is needed for notifications.
fn faults(method: &str, body: &Value) -> Vec<String> {
    let mut all = Vec::new();
    let long = |v: &Value| v.as_str().map_or(0, |t| t.chars().count());
    let mut fault = |is: bool, what: &str| {
        if is {
            all.push(format!("{method}: {what}: {body}"));
        }
    };
    fault(long(&body["text"]) == 0, "no text for notifications");
    let blocks = body["blocks"].as_array().map(Vec::as_slice).unwrap_or_default();
    fault(blocks.len() > 50, "too many blocks");
    for block in blocks {
        let text = long(&block["text"]["text"]);
        fault(block["type"] == "section" && !(1..=3_000).contains(&text), "a section's length");
        fault(block["type"] == "header" && !(1..=150).contains(&text), "a header's length");
        for part in block["elements"].as_array().map(Vec::as_slice).unwrap_or_default() {
            fault(long(&part["text"]["text"]) > 75, "a button's length");
            fault(long(&part["value"]) > 2_000, "a value's length");
        }
    }
    all
}

/// One request: head and body.
async fn read(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4_096];
        let n = stream.read(&mut piece).await.ok()?;
        bytes.extend_from_slice(&piece[..n]);
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|l| l.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .and_then(|(_, v)| v.trim().parse().ok())
                .unwrap_or(0);
            if bytes.len() >= head.len() + 4 + length {
                return Some((head.to_owned(), bytes[head.len() + 4..].to_vec()));
            }
        }
        if n == 0 {
            return None;
        }
    }
}
