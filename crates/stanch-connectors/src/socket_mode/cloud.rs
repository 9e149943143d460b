//! Slack's side for tests: its Web API and its sockets on one port, as documented, strict about what it is
//! sent, and badly behaved on demand. Slack's own cloud was never reached; Slack's own SDK is held
//! against this file in `tests.rs`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::Message;

/// One call of the Web API.
#[allow(dead_code, reason = "shared by the tests of two crates")]
#[derive(Clone, Debug)]
pub(crate) struct Called {
    pub(crate) method: String,
    pub(crate) token: String,
    pub(crate) body: Value,
}

/// A message that members of a channel see.
#[allow(dead_code, reason = "shared by the tests of two crates")]
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) ts: String,
    pub(crate) channel: String,
    /// What was sent last: the text, the blocks, the thread.
    pub(crate) body: Value,
    /// How often it was changed.
    pub(crate) edits: usize,
}

#[allow(dead_code, reason = "shared by the tests of two crates")]
impl Shown {
    /// The line that notifications show.
    pub(crate) fn text(&self) -> &str {
        self.body["text"].as_str().unwrap_or_default()
    }
}

/// How a call goes wrong.
#[allow(dead_code, reason = "shared by the tests of two crates")]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trouble {
    /// Another status than 200; nothing is done. With 429 `Retry-After: 1`.
    Status(u16),
    /// Done, and then the connection ends before the answer.
    Lost,
}

/// What a socket is made to do.
enum Order {
    Say(String),
    /// Ends the TCP connection without a word.
    Cut,
    /// Closes as WebSocket has it.
    Close,
}

#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) calls: Vec<Called>,
    /// Which socket acknowledged what.
    pub(crate) acks: Vec<(usize, String)>,
    /// Sockets that were opened, ever.
    pub(crate) opened: usize,
    /// Sockets that are open.
    pub(crate) open: BTreeSet<usize>,
    /// What was sent that the documentation does not know.
    pub(crate) wrong: Vec<String>,
    /// Pings that came in.
    pub(crate) pings: usize,
    sockets: Vec<mpsc::UnboundedSender<Order>>,
    tickets: BTreeSet<String>,
    sent: BTreeSet<String>,
    /// Answers of the Web API, by method, each used once; then the usual.
    script: BTreeMap<String, VecDeque<(u16, String)>>,
    /// What goes wrong with calls of a method that say these words, each once.
    troubles: Vec<(String, String, Trouble)>,
    /// What members see, oldest first.
    messages: Vec<Shown>,
    /// Sockets from here on say no hello.
    mute: bool,
    /// Sockets end as soon as something was acknowledged.
    cut_after_ack: bool,
    posts: usize,
}

/// Slack, as far as a test needs it.
#[derive(Clone)]
pub(crate) struct Cloud {
    pub(crate) url: String,
    seen: Arc<Mutex<Seen>>,
    changed: Arc<watch::Sender<u64>>,
}

#[allow(dead_code, reason = "shared by the tests of two crates")]
impl Cloud {
    pub(crate) async fn start() -> Cloud {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/api", listener.local_addr().expect("an address"));
        let cloud = Cloud { url, seen: Arc::default(), changed: Arc::new(watch::Sender::new(0)) };
        let own = cloud.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let own = own.clone();
                tokio::spawn(async move { own.serve(stream).await });
            }
        });
        cloud
    }

    fn with<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        let result = look(&mut self.seen.lock().expect("the log"));
        self.changed.send_modify(|n| *n += 1);
        result
    }

    /// Waits for a state, for at most 20 s.
    pub(crate) async fn until<T>(&self, what: &str, look: impl Fn(&Seen) -> Option<T>) -> T {
        let mut changes = self.changed.subscribe();
        let wait = async {
            loop {
                if let Some(found) = look(&self.seen.lock().expect("the log")) {
                    return found;
                }
                changes.changed().await.expect("the cloud");
            }
        };
        match tokio::time::timeout(Duration::from_secs(20), wait).await {
            Ok(found) => found,
            Err(_) => {
                let calls: Vec<_> = self.with(|s| s.calls.clone());
                panic!("{what} never came; calls: {calls:?}, wrong: {:?}", self.wrong())
            }
        }
    }

    pub(crate) async fn until_opened(&self, n: usize) {
        self.until(&format!("socket {n}"), |s| (s.opened >= n).then_some(())).await;
    }

    pub(crate) async fn until_acked(&self, envelope: &str) -> usize {
        let found = |s: &Seen| s.acks.iter().find(|(_, e)| e == envelope).map(|(n, _)| *n);
        self.until(&format!("the acknowledgement of {envelope}"), found).await
    }

    pub(crate) fn calls(&self, method: &str) -> Vec<Called> {
        self.with(|s| s.calls.iter().filter(|c| c.method == method).cloned().collect())
    }

    pub(crate) fn acks(&self) -> Vec<(usize, String)> {
        self.with(|s| s.acks.clone())
    }

    pub(crate) fn wrong(&self) -> Vec<String> {
        self.with(|s| s.wrong.clone())
    }

    pub(crate) fn pings(&self) -> usize {
        self.with(|s| s.pings)
    }

    /// The next answer of a method of the Web API.
    pub(crate) fn answer(&self, method: &str, status: u16, body: &str) {
        self.with(|s| s.script.entry(method.to_owned()).or_default().push_back((status, body.to_owned())));
    }

    /// The next calls of a method that say these words go wrong, in this order.
    pub(crate) fn trouble(&self, method: &str, words: &str, all: &[Trouble]) {
        let one = |t: &Trouble| (method.to_owned(), words.to_owned(), *t);
        self.with(|s| s.troubles.extend(all.iter().map(one)));
    }

    /// What members of a channel see, oldest first.
    pub(crate) fn messages(&self, channel: &str) -> Vec<Shown> {
        self.with(|s| s.messages.iter().filter(|m| m.channel == channel).cloned().collect())
    }

    /// Waits for the next change, whatever it is.
    pub(crate) async fn changes(&self) {
        self.changed.subscribe().changed().await.expect("the cloud");
    }

    /// Troubles that have not come up yet.
    pub(crate) fn troubles(&self) -> usize {
        self.with(|s| s.troubles.len())
    }

    pub(crate) fn mute(&self, mute: bool) {
        self.with(|s| s.mute = mute);
    }

    pub(crate) fn cut_after_ack(&self, cut: bool) {
        self.with(|s| s.cut_after_ack = cut);
    }

    /// Sends over the n-th socket, counted from 1.
    pub(crate) fn say(&self, n: usize, text: &str) {
        self.order(n, Order::Say(text.to_owned()));
    }

    pub(crate) fn disconnect(&self, n: usize, reason: &str) {
        let text = json!({ "type": "disconnect", "reason": reason, "debug_info": { "host": "fake" } });
        self.say(n, &text.to_string());
    }

    /// Sends an envelope with a payload.
    pub(crate) fn envelope(&self, n: usize, id: &str, kind: &str, payload: &Value) {
        self.with(|s| s.sent.insert(id.to_owned()));
        let text =
            json!({ "envelope_id": id, "type": kind, "accepts_response_payload": false, "payload": payload });
        self.say(n, &text.to_string());
    }

    pub(crate) fn cut(&self, n: usize) {
        self.order(n, Order::Cut);
    }

    pub(crate) fn close(&self, n: usize) {
        self.order(n, Order::Close);
    }

    fn order(&self, n: usize, order: Order) {
        // A socket that is gone takes no orders, as in the world.
        self.with(|s| drop(s.sockets[n - 1].send(order)));
    }

    async fn serve(self, mut stream: TcpStream) {
        let mut start = [0; 4];
        loop {
            match stream.peek(&mut start).await {
                Ok(4) => break,
                Ok(0) | Err(_) => return,
                Ok(_) => tokio::task::yield_now().await,
            }
        }
        if &start == b"GET " {
            return self.socket(stream).await;
        }
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
        let (status, text) = self.with(|s| s.call(&method, &token, body, &self.url));
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

    #[allow(clippy::result_large_err, reason = "the library's own shape")]
    async fn socket(self, stream: TcpStream) {
        use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
        let own = self.clone();
        let judge = move |request: &Request, response: Response| {
            let ticket = request.uri().query().unwrap_or_default().to_owned();
            // A ticket holds once.
            if own.with(|s| s.tickets.remove(&ticket)) {
                Ok(response)
            } else {
                let mut no = refusal();
                *no.status_mut() = tokio_tungstenite::tungstenite::http::StatusCode::FORBIDDEN;
                Err(no)
            }
        };
        let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, judge).await else { return };
        let (mut out, mut frames) = socket.split();
        let (orders, mut todo) = mpsc::unbounded_channel();
        let (n, mute) = self.with(|s| {
            s.sockets.push(orders);
            s.opened += 1;
            s.open.insert(s.opened);
            (s.opened, s.mute)
        });
        if !mute {
            let hello = json!({ "type": "hello", "num_connections": 1, "connection_info": { "app_id": "A1" },
                "debug_info": { "host": "fake", "approximate_connection_time": 18_060 } });
            out.send(Message::text(hello.to_string())).await.ok();
        }
        loop {
            tokio::select! {
                order = todo.recv() => match order {
                    Some(Order::Say(text)) => drop(out.send(Message::text(text)).await),
                    Some(Order::Close) => drop(out.send(Message::Close(None)).await),
                    Some(Order::Cut) | None => break,
                },
                frame = frames.next() => match frame {
                    Some(Ok(Message::Text(text))) => {
                        if self.with(|s| s.hear(n, &text)) {
                            break;
                        }
                    }
                    Some(Ok(Message::Ping(_))) => self.with(|s| s.pings += 1),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                    Some(Ok(_)) => {}
                },
            }
        }
        self.with(|s| s.open.remove(&n));
    }
}

fn refusal() -> tokio_tungstenite::tungstenite::handshake::server::ErrorResponse {
    tokio_tungstenite::tungstenite::http::Response::new(None)
}

impl Seen {
    /// One call of the Web API: status and body.
    fn call(&mut self, method: &str, token: &str, body: Value, url: &str) -> (u16, String) {
        let channel = body["channel"].as_str().unwrap_or("C0").to_owned();
        self.calls.push(Called { method: method.to_owned(), token: token.to_owned(), body: body.clone() });
        if let Some(next) = self.script.get_mut(method).and_then(VecDeque::pop_front) {
            return next;
        }
        let said = body.to_string();
        let fits = |(m, words, _): &(String, String, Trouble)| m == method && said.contains(words.as_str());
        let trouble = self.troubles.iter().position(fits).map(|n| self.troubles.remove(n).2);
        if let Some(Trouble::Status(status)) = trouble {
            return (status, String::new());
        }
        let done = self.carry_out(method, token, &channel, body, url);
        if matches!(trouble, Some(Trouble::Lost)) { (0, String::new()) } else { (200, done.to_string()) }
    }

    fn carry_out(&mut self, method: &str, token: &str, channel: &str, body: Value, url: &str) -> Value {
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
            "apps.connections.open" => {
                let ticket = format!("ticket={}", self.calls.len());
                self.tickets.insert(ticket.clone());
                let place = url.replacen("http://", "ws://", 1).replace("/api", "/link/");
                json!({ "ok": true, "url": format!("{place}?{ticket}") })
            }
            "chat.postMessage" => {
                let thread = &body["thread_ts"];
                if !thread.is_null() && at(thread, &self.messages).is_none() {
                    return json!({ "ok": false, "error": "thread_not_found" });
                }
                self.posts += 1;
                let ts = format!("{}.000100", self.posts);
                self.messages.push(Shown { ts: ts.clone(), channel: channel.to_owned(), body, edits: 0 });
                json!({ "ok": true, "channel": channel, "ts": ts })
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

    /// One text frame; true when the socket ends now.
    fn hear(&mut self, n: usize, text: &str) -> bool {
        let said: Value = serde_json::from_str(text).unwrap_or(Value::Null);
        match said["envelope_id"].as_str() {
            Some(id) if self.sent.contains(id) => self.acks.push((n, id.to_owned())),
            _ => self.wrong.push(text.to_owned()),
        }
        self.cut_after_ack
    }
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
