//! Webhooks with a receiver that misbehaves: it refuses, breaks off, redirects, answers late, forgets.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::http::{Method, StatusCode};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::house::{House, beacon};

/// One delivery as it came.
pub(crate) struct Came {
    pub(crate) head: String,
    body: String,
}

impl Came {
    fn header(&self, name: &str) -> String {
        let line = self.head.lines().find(|l| l.to_lowercase().starts_with(&format!("{name}:")));
        line.and_then(|l| l.split_once(':')).map(|(_, v)| v.trim().to_owned()).unwrap_or_default()
    }

    /// True when one of the signatures is of this key. Written after the specification, not after our code.
    pub(crate) fn signed_by(&self, key: &str) -> bool {
        let bytes = base64_of(key.strip_prefix("whsec_").unwrap());
        let over =
            format!("{}.{}.{}", self.header("webhook-id"), self.header("webhook-timestamp"), self.body);
        let mut mac = Hmac::<Sha256>::new_from_slice(&bytes).unwrap();
        mac.update(over.as_bytes());
        let wanted = mac.finalize().into_bytes();
        self.header("webhook-signature")
            .split(' ')
            .any(|s| base64_of(s.strip_prefix("v1,").unwrap()) == wanted[..])
    }
}

fn base64_of(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

/// Answers as it is told, one after another, and with 204 when nothing is left to say.
pub(crate) async fn receiver(answers: &[&'static str]) -> (String, UnboundedReceiver<Came>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://127.0.0.1:{}/hook", listener.local_addr().unwrap().port());
    let left = Arc::new(Mutex::new(answers.iter().copied().collect::<VecDeque<_>>()));
    let (to, from) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut text = Vec::new();
            let mut piece = [0; 4_096];
            let came = loop {
                let n = client.read(&mut piece).await.unwrap_or(0);
                text.extend_from_slice(&piece[..n]);
                let whole = String::from_utf8_lossy(&text).into_owned();
                if let Some((head, body)) = whole.split_once("\r\n\r\n") {
                    let length = head.to_lowercase();
                    let length =
                        length.lines().find_map(|l| l.strip_prefix("content-length: ")?.parse().ok());
                    if n == 0 || body.len() >= length.unwrap_or(0) {
                        break Came { head: head.to_owned(), body: body.to_owned() };
                    }
                } else if n == 0 {
                    break Came { head: whole, body: String::new() };
                }
            };
            let answer = left.lock().unwrap().pop_front().unwrap_or("204 No Content");
            let _ = to.send(came);
            // "" closes the connection without a word.
            if !answer.is_empty() {
                let text = format!(
                    "HTTP/1.1 {answer}\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                );
                let _ = client.write_all(text.as_bytes()).await;
            }
        }
    });
    (url, from)
}

async fn subscribe(house: &House, url: &str, events: &[&str]) -> String {
    let made = house.post("admin", "/api/v1/webhooks", json!({ "url": url, "events": events })).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text());
    assert_eq!(made.json()["webhook"]["state"], "on");
    made.json()["key"].as_str().unwrap().to_owned()
}

async fn one(house: &House) -> Value {
    house.ask("admin", Method::GET, "/api/v1/webhooks", None).await.json()["webhooks"][0].clone()
}

#[tokio::test]
async fn events_arrive_signed_in_order_and_again_under_the_same_id_until_they_are_taken() {
    let (url, mut came) = receiver(&["500 Oops", "", "302 Found", "429 Slow Down"]).await;
    let house = House::new().await;
    let key = subscribe(&house, &url, &["incident.opened", "incident.acknowledged"]).await;
    house.deliver("suricata", beacon().to_string()).await;
    let mut ids = Vec::new();
    // Four failures, then success: the clock is turned so that nobody waits.
    for n in 0..5 {
        let event = loop {
            match tokio::time::timeout(std::time::Duration::from_millis(400), came.recv()).await {
                Ok(event) => break event.unwrap(),
                Err(_) => house.forward(120),
            }
        };
        assert!(event.signed_by(&key), "{}", event.head);
        let body: Value = serde_json::from_str(&event.body).unwrap();
        assert_eq!(
            (body["type"].as_str(), body["data"]["about"].as_str()),
            (Some("incident.opened"), Some("INC-1")),
            "try {n}"
        );
        assert!(!event.body.contains("203.0.113.9"), "no alert text travels");
        ids.push(event.header("webhook-id"));
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "the same event keeps its id: {ids:?}");
    house.post("admin", "/api/v1/incidents/INC-1/ack", json!({})).await;
    let next = came.recv().await.unwrap();
    assert!(next.body.contains("incident.acknowledged"), "{}", next.body);
    assert_ne!(next.header("webhook-id"), ids[0]);
}

#[tokio::test]
async fn what_happened_while_stanch_was_down_or_the_receiver_was_away_is_delivered_later() {
    let (url, mut came) = receiver(&["503 Away"]).await;
    let house = House::new().await;
    subscribe(&house, &url, &["incident.opened"]).await;
    house.deliver("suricata", beacon().to_string()).await;
    came.recv().await.unwrap();
    let house = house.again().await;
    house.forward(120);
    let event = came.recv().await.unwrap();
    assert!(event.body.contains("INC-1"), "{}", event.body);
    // And once more, because somebody asks for it.
    let said = house.post("admin", "/api/v1/webhooks/HOOK-1/redeliver", json!({ "after": 0 })).await;
    assert_eq!(said.status, StatusCode::OK, "{}", said.text());
    assert_eq!(came.recv().await.unwrap().header("webhook-id"), event.header("webhook-id"));
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_switched_off_and_can_be_switched_on_again() {
    let (url, mut came) = receiver(&["410 Gone"]).await;
    let house = House::new().await;
    subscribe(&house, &url, &[]).await;
    house.deliver("suricata", beacon().to_string()).await;
    came.recv().await.unwrap();
    let mut off = one(&house).await;
    for _ in 0..100 {
        if off["state"] == "off" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        off = one(&house).await;
    }
    assert_eq!(off["state"], "off", "{off}");
    assert!(off["last_failure"].as_str().unwrap().contains("410"), "{off}");
    // People hear of it as of any trouble of Stanch itself: an incident, which is in the journal.
    let told = |v: &Value| v.to_string().contains("webhook HOOK-1 is switched off");
    house.until("/api/v1/incidents", told).await;
    let on = house.post("admin", "/api/v1/webhooks/HOOK-1/enable", json!({})).await;
    assert_eq!(on.json()["state"], "on", "{}", on.text());
    // And of its end: the same alert of ours, taken back, in the same incident.
    let ours = house.get("/api/v1/alerts?source=stanch").await;
    assert_eq!(ours["alerts"].as_array().unwrap().len(), 1, "{ours:#}");
    let place = format!("/api/v1/alerts/{}/occurrences", ours["alerts"][0]["id"].as_str().unwrap());
    let over = |v: &Value| {
        v["occurrences"].as_array().unwrap().iter().any(|o| o["cause"] == "the source says it is over")
    };
    let ended = house.until(&place, over).await;
    assert_eq!(ended["total"], 1, "taken back once: {ended:#}");
    // Switched on once more: nothing was off, and nothing is said.
    let again = house.post("admin", "/api/v1/webhooks/HOOK-1/enable", json!({})).await;
    assert_eq!(again.json()["state"], "on", "{}", again.text());
    assert_eq!(house.get(&place).await["total"], 1);
    assert_eq!(house.get("/api/v1/alerts?source=stanch").await["alerts"].as_array().unwrap().len(), 1);
    assert!(came.recv().await.is_some(), "what waited is delivered");
}

#[tokio::test]
async fn while_a_key_is_changed_both_sign_and_the_old_one_ends() {
    let (url, mut came) = receiver(&[]).await;
    let house = House::new().await;
    let old = subscribe(&house, &url, &[]).await;
    let turned = house.post("admin", "/api/v1/webhooks/HOOK-1/rotate", json!({})).await.json();
    let new = turned["key"].as_str().unwrap().to_owned();
    assert_ne!(old, new);
    let test = |house: House| async move {
        let said = house.post("admin", "/api/v1/webhooks/HOOK-1/test", json!({})).await.json();
        assert_eq!(said["delivered"], true, "{said}");
        house
    };
    let house = test(house).await;
    let event = came.recv().await.unwrap();
    assert!(event.signed_by(&old) && event.signed_by(&new));
    house.forward(25 * 3_600);
    let house = test(house).await;
    let mut event = came.recv().await.unwrap();
    while !event.body.contains("\"test\"") {
        event = came.recv().await.unwrap();
    }
    assert!(!event.signed_by(&old) && event.signed_by(&new));
    let listed = house.ask("admin", Method::GET, "/api/v1/webhooks", None).await.text();
    assert!(!listed.contains("whsec_"), "{listed}");
    assert_eq!(
        house.ask("admin", Method::DELETE, "/api/v1/webhooks/HOOK-1", None).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_receiver_must_be_a_place_that_may_be_dialled_and_only_an_admin_names_it() {
    let house = House::new().await;
    for url in
        ["", "ftp://h/", "http://example.com/", "https://u:p@example.com/", "javascript:alert(1)", "https://"]
    {
        let said = house.post("admin", "/api/v1/webhooks", json!({ "url": url })).await;
        assert_eq!(said.status, StatusCode::BAD_REQUEST, "{url}: {}", said.text());
    }
    let odd = json!({ "url": "https://example.com/", "events": ["incident.odd"] });
    assert_eq!(house.post("admin", "/api/v1/webhooks", odd).await.status, StatusCode::BAD_REQUEST);
    // Written out or not: where clouds keep credentials nothing is sent.
    subscribe(&house, "https://169.254.169.254/latest", &[]).await;
    let said = house.post("admin", "/api/v1/webhooks/HOOK-1/test", json!({})).await.json();
    assert_eq!(said["delivered"], false);
    assert!(said["why"].as_str().unwrap().contains("link-local"), "{said}");
    let fine = json!({ "url": "https://example.com/" });
    assert_eq!(house.post("watcher", "/api/v1/webhooks", fine).await.status, StatusCode::FORBIDDEN);
}
