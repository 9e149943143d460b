//! One source floods while another sends steadily: over a real server, by the other's acknowledgements and the
//! commits it waited for, never by time.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use axum::http::StatusCode;
use futures::future::join_all;
use serde_json::{Value, json};
use stanch_server::Options;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;

use crate::house::{Answer, House, lines, noise};

/// Keeps the engine's thread from its next turn: its clock does not answer. Everybody else's does.
#[derive(Clone, Default)]
struct Standstill(Arc<(Mutex<bool>, Condvar)>);

impl Standstill {
    fn with(&self, options: &mut Options) {
        let (clock, own) = (options.clock.clone(), self.clone());
        options.clock = Arc::new(move || {
            if std::thread::current().name() == Some("stanch-core") {
                let still = own.0.0.lock().unwrap();
                drop(own.0.1.wait_while(still, |still| *still).unwrap());
            }
            clock()
        });
    }

    fn set(&self, still: bool) {
        *self.0.0.lock().unwrap() = still;
        self.0.1.notify_all();
    }
}

async fn metric(house: &House, line: &str) -> u64 {
    let page = house.ask("watcher", axum::http::Method::GET, "/metrics", None).await.text();
    let value = page.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(' ')?.parse().ok());
    value.unwrap_or_else(|| panic!("no {line} in {page}"))
}

/// A body of some 40 KB: ten make a commit.
fn large(n: usize) -> String {
    format!("{}{}", noise(n), " ".repeat(40_000))
}

fn statuses(answers: &[Answer]) -> (usize, usize) {
    let of = |status| answers.iter().filter(|a| a.status == status).count();
    (of(StatusCode::ACCEPTED), of(StatusCode::SERVICE_UNAVAILABLE))
}

/// A delivery over a connection of its own, as senders make them.
async fn over_the_wire(addr: std::net::SocketAddr, source: &str, body: &str) -> Answer {
    let mut stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    let secret = House::secret(&format!("{source}.token"));
    let head = format!(
        "POST /in/{source} HTTP/1.1\r\nHost: {addr}\r\nAuthorization: Bearer {secret}\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    // A refusal may come before all of it is sent.
    drop(stream.write_all(format!("{head}{body}").as_bytes()).await);
    let mut all = Vec::new();
    drop(stream.read_to_end(&mut all).await);
    let end = all.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or_else(|| panic!("no answer: {all:?}"));
    let mut lines = std::str::from_utf8(&all[..end]).unwrap().lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.map(|l| l.split_once(": ").unwrap());
    let headers = headers.map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).collect();
    Answer { status, headers, bytes: all[end + 4..].to_vec() }
}

fn all_at_once(house: &House, source: &'static str, bodies: Vec<String>) -> Vec<JoinHandle<Answer>> {
    let addr = house.app.addr();
    bodies.into_iter().map(|b| tokio::spawn(async move { over_the_wire(addr, source, &b).await })).collect()
}

async fn answered(told: Vec<JoinHandle<Answer>>) -> Vec<Answer> {
    join_all(told).await.into_iter().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_floods_ends_at_its_share_and_another_is_in_the_next_commit() {
    const PLACES: usize = 128;
    let still = Standstill::default();
    let small = |config: &Path| std::fs::write(config.join("stanch.yaml"), "intake_queue: 128\n").unwrap();
    let house = House::started(small, |options| still.with(options)).await;
    still.set(true);
    let waiting = || PLACES - house.app.engine().free();
    let flood = all_at_once(&house, "suricata", (0..100).map(large).collect());
    // Each of them waits for the disk, or has been told to come again.
    while waiting() + flood.iter().filter(|f| f.is_finished()).count() < 100 {
        tokio::task::yield_now().await;
    }
    let flooding = waiting();
    // Those that look at the same time may all find the last place.
    assert!((PLACES / 2..=PLACES / 2 + 16).contains(&flooding), "{flooding} of {PLACES}");
    let scan = |n| {
        json!({ "ts": 1_772_575_800.0, "note": "Scan::Port_Scan", "msg": format!("scan {n}"),
                "src": "192.0.2.9", "dst": "10.0.0.5", "_path": "notice" })
    };
    let steady = all_at_once(&house, "zeek", (0..7).map(|n| scan(n).to_string()).collect());
    while waiting() < flooding + 7 {
        tokio::task::yield_now().await;
    }
    still.set(false);

    let steady = answered(steady).await;
    assert_eq!(statuses(&steady), (7, 0), "{}", steady[0].text());
    let flood = answered(flood).await;
    assert_eq!(statuses(&flood), (flooding, 100 - flooding));
    for answer in flood.iter().filter(|a| a.status == StatusCode::SERVICE_UNAVAILABLE) {
        assert_eq!(answer.json()["error"]["code"], "ST0504", "{}", answer.text());
        assert!(answer.text().contains("nothing was taken in"), "{}", answer.text());
        assert!(answer.headers.contains_key("retry-after"));
    }
    // Those that came while the engine stood still were all in its first commit after that.
    assert_eq!(metric(&house, "stanch_source_commits_waited_max{source=\"zeek\"}").await, 1);
    assert!(metric(&house, "stanch_source_commits_waited_max{source=\"suricata\"}").await >= 6);
    let share = "stanch_source_refused_total{source=\"suricata\",why=\"share\"}";
    assert_eq!(metric(&house, share).await, 100 - flooding as u64);
    let ledger = house.ledger().await;
    assert_eq!(ledger["sources"]["suricata"]["received"], flooding, "{ledger}");
    assert_eq!(ledger["sources"]["zeek"]["received"], 7, "{ledger}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_not_proven_who_they_are_cannot_take_the_room_of_those_who_have() {
    let house = Arc::new(House::new().await);
    let (ready, go) = tokio::sync::broadcast::channel::<()>(1);
    // Bodies that are announced and do not come, each up to the largest: sixteen would be half of the memory.
    let body = |mut go: tokio::sync::broadcast::Receiver<()>| {
        axum::body::Body::from_stream(futures::stream::once(async move {
            drop(go.recv().await);
            Ok::<_, std::io::Error>("x")
        }))
    };
    let strangers: Vec<_> = (0..40)
        .map(|_| {
            let (house, body) = (house.clone(), body(ready.subscribe()));
            let headers = [("x-signature", "00"), ("x-timestamp", "0")];
            tokio::spawn(async move { house.send("/in/generic-scanner", &headers, body).await })
        })
        .collect();
    let busy = "stanch_intake_deliveries_total{outcome=\"busy\"}";
    while metric(&house, busy).await < 24 {
        tokio::task::yield_now().await;
    }
    let proven = house.deliver(
        "suricata",
        axum::body::Body::from_stream(futures::stream::iter([Ok::<_, std::io::Error>(noise(0).to_string())])),
    );
    assert_eq!(proven.await.status, StatusCode::ACCEPTED);
    drop((ready, go));
    let answers: Vec<Answer> = join_all(strangers).await.into_iter().map(Result::unwrap).collect();
    let denied = answers.iter().filter(|a| a.status == StatusCode::UNAUTHORIZED).count();
    assert_eq!((denied, statuses(&answers)), (16, (0, 24)), "nobody is told anything about shares");
    assert!(answers.iter().all(|a| !a.text().contains("share") && !a.text().contains("ST0504")));
    assert_eq!(metric(&house, busy).await, 24);
}

fn limited(config: &Path, text: &str) {
    let path = config.join("sources/suricata.yaml");
    let before = std::fs::read_to_string(&path).unwrap();
    let kept: String =
        before.lines().filter(|l| !l.starts_with("limit:")).map(|l| format!("{l}\n")).collect();
    std::fs::write(path, format!("{kept}{text}\n")).unwrap();
}

#[tokio::test]
async fn a_source_with_a_limit_is_told_when_to_come_again_and_nothing_is_counted_that_was_not_taken() {
    let house = House::with(|config| limited(config, "limit: { alerts: 1 }")).await;
    let sent = |from: usize, to: usize| lines((from..to).map(noise));
    assert_eq!(house.deliver("suricata", sent(0, 9)).await.json()["accepted"], 9);
    assert_eq!(house.deliver("suricata", sent(9, 25)).await.json()["accepted"], 16, "one was left");
    let refused = house.deliver("suricata", sent(25, 26)).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{}", refused.text());
    assert_eq!(refused.json()["error"]["code"], "ST0431");
    let wait: i64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((13..=15).contains(&wait), "{wait}");
    assert!(refused.text().contains("nothing was taken in"), "{}", refused.text());
    assert_eq!(
        house.deliver("wazuh", "not json").await.status,
        StatusCode::ACCEPTED,
        "others are not touched"
    );
    // A reload does not give it a second bucket.
    let reload = "/api/v1/admin/reload";
    assert_eq!(house.post("admin", reload, Value::Null).await.status, StatusCode::OK);
    assert_eq!(house.deliver("suricata", sent(25, 26)).await.status, StatusCode::TOO_MANY_REQUESTS);
    house.forward(wait + 1);
    assert_eq!(house.deliver("suricata", sent(25, 26)).await.status, StatusCode::ACCEPTED);
    assert_eq!(metric(&house, "stanch_source_refused_total{source=\"suricata\",why=\"limit\"}").await, 2);
    assert_eq!(house.ledger().await["sources"]["suricata"]["received"], 26);
    limited(&house.config(), "");
    assert_eq!(house.post("admin", reload, Value::Null).await.status, StatusCode::OK);
    for n in 26..60 {
        assert_eq!(house.deliver("suricata", sent(n, n + 1)).await.status, StatusCode::ACCEPTED, "{n}");
    }
}

#[tokio::test]
async fn a_limit_counts_bytes_as_they_are_unpacked_and_signed_deliveries_too() {
    let house = House::with(|config| {
        let path = config.join("sources/pagerduty.yaml");
        let before = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, format!("{before}limit: {{ bytes: 1KiB }}\n")).unwrap();
    })
    .await;
    let event = json!({
        "routing_key": House::secret("pagerduty.key"), "event_action": "trigger", "dedup_key": "disk-1",
        "payload": { "summary": "disk full", "source": "db-1", "severity": "error", "custom_details": "x".repeat(20_000) }
    });
    assert_eq!(house.send("/v2/enqueue", &[], event.to_string()).await.status, StatusCode::ACCEPTED);
    let refused = house.send("/v2/enqueue", &[], event.to_string()).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{}", refused.text());
    assert!(refused.headers.contains_key("retry-after"));
    let wrong = json!({ "routing_key": "wrong", "event_action": "trigger" });
    assert_eq!(house.send("/v2/enqueue", &[], wrong.to_string()).await.status, StatusCode::BAD_REQUEST);
    house.forward(30);
    assert_eq!(house.send("/v2/enqueue", &[], event.to_string()).await.status, StatusCode::ACCEPTED);
    assert_eq!(house.ledger().await["sources"]["pagerduty"]["received"], 2);
}
