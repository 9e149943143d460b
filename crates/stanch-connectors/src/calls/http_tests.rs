//! Declared HTTP calls against a strict server that keeps a ledger and misbehaves on demand.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::responder::contract::wired::Wired;
use crate::responder::contract::{self, Bench, Cut, bare, captured, cutter, is_present};

/// What goes wrong with the next request that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// It is done, and answered with 500.
    ErrorAfter,
    /// It is not done, and answered with 500.
    ErrorBefore,
    /// It is not done, and answered with 429 and 7 seconds.
    SlowDown,
    /// It is done, and the connection ends without an answer.
    Silence,
    /// It is answered with success, and not done.
    Lie,
    /// Half of it is done, and answered with success.
    Half,
    /// It leads elsewhere.
    Redirect,
    /// It is done, and the answer has no end.
    Flood,
    Forbidden,
}

#[derive(Default)]
struct State {
    /// Host and what it is.
    hosts: BTreeMap<String, String>,
    /// Each effect with the key it came with.
    ledger: Vec<String>,
    faults: VecDeque<Fault>,
    seen: Vec<String>,
}

/// An endpoint product that isolates hosts: PUT and DELETE /hosts/NAME/isolation, GET /hosts/NAME.
#[derive(Clone)]
struct Edr {
    at: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Edr {
    async fn start() -> Edr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let edr = Edr { at: listener.local_addr().expect("bound"), state: Arc::default() };
        let hosts = [("ws-12", "free"), ("ws-13", "isolated")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        edr.lock().hosts.extend(hosts);
        let this = edr.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let this = this.clone();
                tokio::spawn(async move { this.serve(client).await });
            }
        });
        edr
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("a state")
    }

    fn next(&self, fault: Fault) {
        self.lock().faults.push_back(fault);
    }

    async fn serve(&self, mut client: TcpStream) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        let head = loop {
            if client.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
            if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
                break String::from_utf8_lossy(&bytes[..end]).into_owned();
            }
        };
        let header = |name: &str| {
            head.lines().find_map(|l| l.to_lowercase().strip_prefix(name).map(|v| v.trim().to_owned()))
        };
        let length: usize = header("content-length:").and_then(|v| v.parse().ok()).unwrap_or(0);
        let start = head.len() + 4;
        while bytes.len() < start + length {
            if client.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        }
        let body: Value = serde_json::from_slice(&bytes[start..]).unwrap_or(Value::Null);
        self.lock().seen.push(head.clone());
        if let Some(answer) = self.answer(&head, &body) {
            client.write_all(answer.as_bytes()).await?;
        }
        client.shutdown().await
    }

    fn answer(&self, head: &str, body: &Value) -> Option<String> {
        let say = |status: &str, body: String| {
            Some(format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            ))
        };
        let mut words = head.split_whitespace();
        let (method, path) = (words.next()?, words.next()?);
        let name = path.strip_prefix("/hosts/")?.trim_end_matches("/isolation").to_owned();
        let mut state = self.lock();
        if !head.contains("authorization: Bearer lab-token") {
            return say("401 Unauthorized", String::new());
        }
        let Some(now) = state.hosts.get(&name).cloned() else { return say("404 Not Found", String::new()) };
        if method == "GET" {
            return say("200 OK", json!({ "host": { "name": name, "state": now } }).to_string());
        }
        let key = head.lines().find_map(|l| l.strip_prefix("idempotency-key: ")).unwrap_or("none").to_owned();
        let fault = state.faults.pop_front();
        let does = !matches!(
            fault,
            Some(Fault::ErrorBefore | Fault::SlowDown | Fault::Lie | Fault::Redirect | Fault::Forbidden)
        );
        if does {
            let to = match (method, fault) {
                (_, Some(Fault::Half)) => "isolating",
                ("PUT", _) => "isolated",
                _ => "free",
            };
            assert!(method != "PUT" || body["reason"].is_string(), "{body}");
            state.ledger.push(format!("{method} {name} {key}"));
            state.hosts.insert(name, to.to_owned());
        }
        match fault {
            Some(Fault::ErrorAfter | Fault::ErrorBefore) => say("500 Internal Server Error", "oops".into()),
            Some(Fault::SlowDown) => {
                Some("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".into())
            }
            Some(Fault::Silence) => None,
            Some(Fault::Redirect) => {
                Some("HTTP/1.1 307 Temporary Redirect\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".into())
            }
            Some(Fault::Flood) => say("200 OK", "x".repeat(2 << 20)),
            Some(Fault::Forbidden) => say("403 Forbidden", String::new()),
            Some(Fault::Lie | Fault::Half) | None => say("202 Accepted", "{}".into()),
        }
    }
}

fn request(method: &str, url: String) -> Request {
    Request {
        method: method.to_owned(),
        url,
        headers: Vec::new(),
        body: None,
        expect: vec![200, 202],
        outcome: None,
    }
}

fn config(at: SocketAddr) -> CallsConfig {
    let host = "{host}";
    let mut perform = request("PUT", format!("http://{at}/hosts/{host}/isolation"));
    perform.body = Some(json!({ "reason": "{key}", "seconds": "{ttl_seconds}" }));
    perform.headers = vec![("X-Incident-Of".into(), "{key}".into())];
    let mut look = request("GET", format!("http://{at}/hosts/{host}"));
    look.outcome = Some("/host/state".to_owned());
    let ask = look.clone();
    let verify = Look { request: look, absent: vec![], equals: Some(json!("isolated")) };
    let revert = Some(request("DELETE", format!("http://{at}/hosts/{host}/isolation")));
    let inputs = BTreeMap::from([("host".to_owned(), InputType::Word)]);
    let change =
        Declared { inputs: inputs.clone(), does: Does::Change(Box::new(Change { perform, verify, revert })) };
    let state = Declared { inputs, does: Does::Ask(ask) };
    CallsConfig {
        name: "edr".to_owned(),
        egress: Egress::new(&[at.to_string()], vec!["127.0.0.0/8".parse().expect("range")]).expect("egress"),
        token: Some(Secret::new("lab-token")),
        timeout: Duration::from_secs(2),
        calls: BTreeMap::from([("isolate_host".to_owned(), change), ("host_state".to_owned(), state)]),
    }
}

fn isolate(host: &str) -> ActionKind {
    ActionKind::Call {
        call: "isolate_host".to_owned(),
        subject: host.to_owned(),
        inputs: BTreeMap::from([("host".to_owned(), host.to_owned())]),
    }
}

#[async_trait]
impl Bench for Edr {
    async fn responder(&self, cut: Option<Cut>) -> Box<dyn Responder> {
        let (at, wire) = match cut {
            None => (self.at, None),
            Some(cut) => {
                let (at, wire) = cutter::tcp(self.at, cut).await;
                (at, Some(wire))
            }
        };
        Box::new(Wired::new(Calls::new(config(at)).expect("settings"), wire))
    }

    fn kind(&self) -> ActionKind {
        isolate("ws-12")
    }

    async fn state(&self) -> String {
        format!("{:?}", self.lock().hosts)
    }
}

#[tokio::test]
async fn http_calls_hold_the_contract() {
    contract::run(&Edr::start().await).await;
}

#[tokio::test]
async fn every_fault_has_its_class_and_a_repeat_has_no_second_effect() {
    for (fault, class) in [
        (Fault::ErrorAfter, "unknown"),
        (Fault::ErrorBefore, "unknown"),
        (Fault::Silence, "unknown"),
        (Fault::Flood, "unknown"),
        (Fault::Lie, "unknown"),
        (Fault::SlowDown, "rate_limited"),
        (Fault::Redirect, "permanent"),
        (Fault::Forbidden, "unauthorised"),
    ] {
        let edr = Edr::start().await;
        let calls = Calls::new(config(edr.at)).expect("settings");
        let action = captured(&calls, isolate("ws-12"), 4).await.expect("captured");
        edr.next(fault);
        let said = calls.perform(&action).await.expect_err("a fault");
        assert_eq!(json!(said)["class"], class, "{fault:?}: {said}");
        if fault == Fault::SlowDown {
            assert!(matches!(said, Failure::RateLimited { retry_after, .. } if retry_after == Span::secs(7)));
        }
        assert!(is_present(&calls.perform(&action).await), "{fault:?}: in the end it is there");
        assert_eq!(edr.lock().ledger, ["PUT ws-12 \"stanch:ACT-4\""], "{fault:?}: once");
        assert_eq!(calls.revert(&action).await, Ok(Observed::Absent));
        assert_eq!(edr.lock().ledger.len(), 2);
    }
}

#[tokio::test]
async fn half_a_change_is_not_told_as_done_and_an_undo_that_lies_is_seen() {
    let edr = Edr::start().await;
    let calls = Calls::new(config(edr.at)).expect("settings");
    let action = captured(&calls, isolate("ws-12"), 4).await.expect("captured");
    edr.next(Fault::Half);
    let said = calls.perform(&action).await;
    assert!(matches!(said, Err(Failure::Unknown { .. })), "{said:?}");
    assert!(is_present(&calls.perform(&action).await));
    edr.next(Fault::Lie);
    let said = calls.revert(&action).await;
    assert!(matches!(said, Err(Failure::Unknown { .. })), "{said:?}");
    assert!(is_present(&calls.verify(&action).await));
}

#[tokio::test]
async fn what_somebody_else_isolated_is_neither_claimed_nor_freed() {
    let edr = Edr::start().await;
    let calls = Calls::new(config(edr.at)).expect("settings");
    let said = calls.capture(&bare(isolate("ws-13"), 1)).await;
    assert!(matches!(&said, Err(Failure::Permanent { why }) if why.contains("left alone")), "{said:?}");
    assert_eq!(calls.revert(&bare(isolate("ws-13"), 1)).await, Ok(Observed::Absent));
    assert!(matches!(calls.perform(&bare(isolate("ws-12"), 1)).await, Err(Failure::Permanent { .. })));
    assert_eq!(edr.lock().ledger, Vec::<String>::new());
}

#[tokio::test]
async fn a_look_up_answers_and_a_change_is_never_made_as_one() {
    let edr = Edr::start().await;
    let calls = Calls::new(config(edr.at)).expect("settings");
    let inputs = BTreeMap::from([("host".to_owned(), "ws-13".to_owned())]);
    assert_eq!(calls.call("host_state", "RUN-1", &inputs).await, Ok(json!("isolated")));
    assert_eq!((calls.changes("host_state"), calls.changes("isolate_host")), (Some(false), Some(true)));
    assert_eq!(calls.changes("nothing"), None);
    assert!(matches!(calls.call("isolate_host", "RUN-1", &inputs).await, Err(Failure::Permanent { .. })));
    assert!(!calls.can(&ActionKind::Call {
        call: "host_state".into(),
        subject: "x".into(),
        inputs: BTreeMap::new()
    }));
    for bad in ["../admin", "ws-13/../../x", "-v", ""] {
        let inputs = BTreeMap::from([("host".to_owned(), bad.to_owned())]);
        assert!(
            matches!(calls.call("host_state", "RUN-1", &inputs).await, Err(Failure::Permanent { .. })),
            "{bad}"
        );
    }
    assert_eq!(edr.lock().seen.len(), 1, "only the one good call was ever sent");
}

#[test]
fn mistakes_in_declarations_are_found_before_anything_is_called() {
    let at = SocketAddr::from(([127, 0, 0, 1], 8_080));
    let with = |change: &dyn Fn(&mut Request)| {
        let mut config = config(at);
        let Some(Declared { does: Does::Ask(request), .. }) = config.calls.get_mut("host_state") else {
            return vec![];
        };
        change(request);
        config.check()
    };
    assert_eq!(with(&|_| {}), Vec::<String>::new());
    for (change, why) in [
        ((&|r: &mut Request| r.method = "CONNECT".into()) as &dyn Fn(&mut Request), "is none of GET"),
        (&|r| r.url = "http://elsewhere.example/".into(), "is not among the hosts"),
        (&|r| r.url = "http://{host}/".into(), "in the host"),
        (
            &|r| r.url = format!("http://{}/{{hots}}", SocketAddr::from(([127, 0, 0, 1], 8_080))),
            "nothing is called {hots}",
        ),
        (&|r| r.body = Some(json!({ "x": "{nobody}" })), "nothing is called {nobody}"),
        (&|r| r.headers = vec![("Authorization".into(), "Bearer x".into())], "use `token`"),
        (&|r| r.headers = vec![("a b".into(), "x".into())], "is no header"),
        (&|r| r.expect = vec![42], "is no HTTP status"),
        (&|r| r.outcome = Some("state".into()), "begins with `/`"),
    ] {
        let said = with(change);
        assert!(said.len() == 1 && said[0].contains(why), "{why}: {said:?}");
    }
}
