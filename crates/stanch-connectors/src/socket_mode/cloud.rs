//! Slack's side for tests: its Web API and its sockets on one port, as documented, strict about what it is
//! sent, and badly behaved on demand. Slack's own cloud was never reached; Slack's own SDK is held
//! against this file in `tests.rs`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::Message;

use super::workspace::{self, Called, Shown, Trouble, Workspace};

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
    /// The Web API.
    pub(crate) web: Workspace,
    /// Which socket acknowledged what.
    pub(crate) acks: Vec<(usize, String)>,
    /// Sockets that were opened, ever.
    pub(crate) opened: usize,
    /// Sockets that are open.
    pub(crate) open: BTreeSet<usize>,
    /// Pings that came in.
    pub(crate) pings: usize,
    sockets: Vec<mpsc::UnboundedSender<Order>>,
    tickets: BTreeSet<String>,
    sent: BTreeSet<String>,
    /// Sockets from here on say no hello.
    mute: bool,
    /// Sockets end as soon as something was acknowledged.
    cut_after_ack: bool,
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
                let calls: Vec<_> = self.with(|s| s.web.calls.clone());
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
        self.with(|s| s.web.calls.iter().filter(|c| c.method == method).cloned().collect())
    }

    pub(crate) fn acks(&self) -> Vec<(usize, String)> {
        self.with(|s| s.acks.clone())
    }

    pub(crate) fn wrong(&self) -> Vec<String> {
        self.with(|s| s.web.wrong.clone())
    }

    pub(crate) fn pings(&self) -> usize {
        self.with(|s| s.pings)
    }

    /// The next answer of a method of the Web API.
    pub(crate) fn answer(&self, method: &str, status: u16, body: &str) {
        self.with(|s| {
            s.web.script.entry(method.to_owned()).or_default().push_back((status, body.to_owned()))
        });
    }

    /// The next calls of a method that say these words go wrong, in this order.
    pub(crate) fn trouble(&self, method: &str, words: &str, all: &[Trouble]) {
        let one = |t: &Trouble| (method.to_owned(), words.to_owned(), *t);
        self.with(|s| s.web.troubles.extend(all.iter().map(one)));
    }

    /// What members of a channel see, oldest first.
    pub(crate) fn messages(&self, channel: &str) -> Vec<Shown> {
        self.with(|s| s.web.messages.iter().filter(|m| m.channel == channel).cloned().collect())
    }

    /// Waits for the next change, whatever it is.
    pub(crate) async fn changes(&self) {
        self.changed.subscribe().changed().await.expect("the cloud");
    }

    /// Troubles that have not come up yet.
    pub(crate) fn troubles(&self) -> usize {
        self.with(|s| s.web.troubles.len())
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

    async fn serve(self, stream: TcpStream) {
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
        workspace::serve(stream, |asked| {
            self.with(|s| {
                let ticket = format!("ticket={}", s.web.calls.len() + 1);
                let place = self.url.replacen("http://", "ws://", 1).replace("/api", "/link/");
                let tickets = &mut s.tickets;
                s.web.call(asked, || {
                    tickets.insert(ticket.clone());
                    json!({ "ok": true, "url": format!("{place}?{ticket}") })
                })
            })
        })
        .await;
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
    /// One text frame; true when the socket ends now.
    fn hear(&mut self, n: usize, text: &str) -> bool {
        let said: Value = serde_json::from_str(text).unwrap_or(Value::Null);
        match said["envelope_id"].as_str() {
            Some(id) if self.sent.contains(id) => self.acks.push((n, id.to_owned())),
            _ => self.web.wrong.push(text.to_owned()),
        }
        self.cut_after_ack
    }
}
