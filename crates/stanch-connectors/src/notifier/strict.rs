//! A web server for tests that writes down every request and answers by a script, also badly.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// One request as it came in.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v)
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// What it answers.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// A status, further header lines and a body.
    Say(u16, &'static str, String),
    /// Nothing: the connection is closed after the request was taken in.
    HangUp,
    /// More than anyone wants to read.
    Flood,
}

pub(super) struct Strict {
    pub(super) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Strict {
    /// Answers the n-th request with the n-th reply, and all further ones with the last.
    pub(super) async fn start(script: Vec<Reply>) -> Strict {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("address"));
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let log = seen.clone();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut bytes = Vec::new();
                let request = loop {
                    let mut piece = [0; 4096];
                    let Ok(n) = socket.read(&mut piece).await else { break None };
                    bytes.extend_from_slice(&piece[..n]);
                    if let Some(request) = parsed(&bytes) {
                        break Some(request);
                    }
                    if n == 0 {
                        break None;
                    }
                };
                let Some(request) = request else { continue };
                let turn = {
                    let mut log = log.lock().expect("log");
                    log.push(request);
                    log.len() - 1
                };
                let reply = script.get(turn).or(script.last()).cloned().expect("a script");
                let head = "Connection: close\r\nContent-Type: application/json\r\n";
                match reply {
                    Reply::HangUp => {}
                    Reply::Say(status, more, body) => {
                        let text = format!(
                            "HTTP/1.1 {status} X\r\n{head}{more}Content-Length: {}\r\n\r\n{body}",
                            body.len()
                        );
                        socket.write_all(text.as_bytes()).await.ok();
                    }
                    Reply::Flood => {
                        let text = format!("HTTP/1.1 200 X\r\n{head}Content-Length: 99999999\r\n\r\n");
                        socket.write_all(text.as_bytes()).await.ok();
                        while socket.write_all(&[b'x'; 65_536]).await.is_ok() {}
                    }
                }
                socket.shutdown().await.ok();
            }
        });
        Strict { url, seen }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("log").clone()
    }
}

pub(super) fn ok(body: &str) -> Reply {
    Reply::Say(200, "", body.to_owned())
}

fn parsed(bytes: &[u8]) -> Option<Seen> {
    let text = String::from_utf8_lossy(bytes);
    let (head, _) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|l| l.split_once(':'))
        .map(|(n, v)| (n.trim().to_lowercase(), v.trim().to_owned()))
        .collect();
    let length =
        headers.iter().find(|(n, _)| n == "content-length").and_then(|(_, v)| v.parse().ok()).unwrap_or(0);
    let body = bytes[head.len() + 4..].to_vec();
    (body.len() >= length).then_some(Seen { method, path, headers, body })
}

pub(super) fn notice() -> stanch_model::Notice {
    stanch_model::Notice {
        key: "ACT-4-noc".into(),
        incident: stanch_model::IncidentId(3),
        urgency: stanch_model::Urgency::Warning,
        to: vec!["C0123".into()],
        subject: "Network change: block <b> & co\r\nBcc: x".into(),
        body: "line one\n<!channel> *bold* ```x``` & more\n\nlast".into(),
        at: stanch_model::Timestamp(1_772_575_800_000),
        ask: None,
        about: Some(stanch_model::ActionId(4)),
        closes: false,
        card: None,
        undo: None,
    }
}

/// The class of a failure, in a word.
pub(super) fn class(r: &Result<String, stanch_model::Failure>) -> &'static str {
    use stanch_model::Failure;
    match r {
        Ok(_) => "ok",
        Err(Failure::Transient { .. }) => "transient",
        Err(Failure::RateLimited { .. }) => "slow down",
        Err(Failure::Unauthorised { .. }) => "unauthorised",
        Err(Failure::Permanent { .. }) => "permanent",
        Err(Failure::Unknown { .. }) => "unknown",
        Err(Failure::Late { .. }) => "late",
    }
}
