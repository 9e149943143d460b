//! What was kept for long enough goes, everything that is counted or chained stays; and a search that says where
//! somebody stands and changes nothing.

use std::path::Path;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::house::{House, beacon, lines, noise};

/// In the payload of an alert that is noise, and nowhere else; without repeats, so that it is not compressed.
const MARK: &str = "q7Zk1x9mR2vT-of-noise";
const DAY: i64 = 86_400;

fn keep(config: &Path) {
    let file = config.join("stanch.yaml");
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    std::fs::write(&file, format!("{text}\nretention: {{ alerts: 30d, incidents: 60d }}\n")).unwrap();
}

/// Two commits: noise about a machine of its own, and what opens an incident.
async fn told(house: &House) {
    let mut quiet = noise(1);
    quiet["dest_ip"] = json!("10.0.9.9");
    quiet["payload_printable"] = json!(MARK);
    assert_eq!(house.deliver("suricata", lines([quiet])).await.status, StatusCode::ACCEPTED);
    assert_eq!(house.deliver("suricata", lines([beacon()])).await.status, StatusCode::ACCEPTED);
    house.until("/api/v1/incidents", |v| !v["incidents"].as_array().unwrap().is_empty()).await;
    let raw = house.ask("watcher", Method::GET, "/api/v1/alerts/A-1/raw", None).await;
    assert!(raw.text().contains(MARK), "{}", raw.text());
}

fn standing(folder: &Path) -> Vec<String> {
    let holds = |bytes: &[u8]| bytes.windows(MARK.len()).any(|w| w == MARK.as_bytes());
    let files = std::fs::read_dir(folder).unwrap().flatten().filter(|f| f.path().is_file());
    let found = files.filter(|f| holds(&std::fs::read(f.path()).unwrap()));
    found.map(|f| f.file_name().to_string_lossy().into_owned()).collect()
}

/// An order of the administrator or a question of the watcher that reads the whole journal: one at a time in this
/// process, in which other tests verify too.
async fn in_turn(house: &House, person: &str, path: &str, body: Value) -> crate::house::Answer {
    loop {
        let answer = house.post(person, path, body.clone()).await;
        if answer.status != StatusCode::SERVICE_UNAVAILABLE {
            return answer;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

async fn retention(house: &House, dry_run: bool) -> Value {
    let done = house.post("admin", "/api/v1/admin/retention", json!({ "dry_run": dry_run })).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text());
    done.json()
}

async fn verified(house: &House) -> Value {
    let verified = in_turn(house, "watcher", "/api/v1/journal/verify", json!({})).await.json();
    assert_eq!(verified["ok"], true, "{verified}");
    verified
}

#[tokio::test]
async fn what_is_old_goes_and_what_an_open_incident_needs_stays_until_it_is_resolved() {
    let house = House::with(keep).await;
    told(&house).await;
    assert_eq!(retention(&house, false).await["details"], 0, "nothing is old yet");
    house.forward(31 * DAY);
    let would = retention(&house, true).await;
    assert!(would["details"].as_u64() > Some(0) && would["needed"].as_u64() > Some(0), "{would}");
    assert_eq!((would["done"].as_bool(), standing(&house.data()).is_empty()), (Some(false), false));
    for person in ["watcher", "netops-lead"] {
        let no = house.post(person, "/api/v1/admin/retention", json!({})).await;
        assert_eq!(no.status, StatusCode::FORBIDDEN, "{person}");
    }

    let ledger = house.ledger().await;
    let done = retention(&house, false).await;
    assert_eq!(done["details"], would["details"]);
    assert_eq!(standing(&house.data()), [""; 0], "no file of the data folder holds it any more");
    let gone = house.ask("watcher", Method::GET, "/api/v1/alerts/A-1/raw", None).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    assert!(gone.text().contains("taken away"), "{}", gone.text());
    let kept = house.ask("watcher", Method::GET, "/api/v1/alerts/A-2/raw", None).await;
    assert!(kept.text().contains("CnC beacon"), "an open incident rests on it: {}", kept.text());
    assert_eq!(verified(&house).await["erased"], done["details"]);
    assert_eq!(house.ledger().await, ledger);
    assert_eq!(retention(&house, false).await["details"], 0, "once is enough");
    let journal = house.ask("admin", Method::GET, "/api/v1/journal?limit=1000", None).await.json();
    let erased: Vec<&Value> =
        journal["entries"].as_array().unwrap().iter().filter(|e| e["kind"] == "erased").collect();
    assert_eq!(erased.len(), 1);
    assert_eq!((&erased[0]["body"]["by"], &erased[0]["body"]["why"]), (&json!("admin"), &json!("retention")));

    // The same after a restart, and the rest goes when the incident is over for long enough.
    let incident = house.get("/api/v1/incidents/INC-1").await;
    let house = house.again().await;
    assert_eq!(house.ledger().await, ledger);
    assert_eq!(house.get("/api/v1/incidents/INC-1").await["title"], incident["title"]);
    let resolve = json!({ "reason": "cleaned", "leave_changes": true });
    let resolved = house.post("admin", "/api/v1/incidents/INC-1/resolve", resolve).await;
    assert_eq!(resolved.status, StatusCode::OK, "{}", resolved.text());
    house.forward(30 * DAY);
    assert!(retention(&house, false).await["details"].as_u64() > Some(0));
    let gone = house.ask("watcher", Method::GET, "/api/v1/alerts/A-2/raw", None).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    let story = house.ask("watcher", Method::GET, "/api/v1/incidents/INC-1/story", None).await;
    assert_eq!(story.status, StatusCode::OK, "its story can still be told: {}", story.text());
    verified(&house).await;
}

#[tokio::test]
async fn without_a_word_in_the_configuration_nothing_is_ever_taken_away() {
    let house = House::new().await;
    told(&house).await;
    house.forward(4_000 * DAY);
    let refused = house.post("admin", "/api/v1/admin/retention", json!({})).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert_eq!(verified(&house).await["erased"], 0);
    assert!(!standing(&house.data()).is_empty());
}

#[tokio::test]
async fn a_search_for_somebody_says_where_and_what_stays_and_writes_nothing() {
    let house = House::with(keep).await;
    told(&house).await;
    let head = house.get("/api/v1/journal/head").await;
    let ask = |subject: &str| {
        let body = json!({ "subject": subject });
        let house = &house;
        async move { in_turn(house, "admin", "/api/v1/admin/erasure", body).await }
    };
    let mark = ask(&MARK.to_uppercase()).await.json();
    assert_eq!(
        (mark["entries"].as_u64(), mark["details"].as_u64(), mark["needed"].as_u64()),
        (Some(0), Some(1), Some(0)),
        "{mark}"
    );
    let attacker = ask("203.0.113.9").await.json();
    let kinds = attacker["kinds"].as_array().unwrap();
    let intake = kinds.iter().find(|k| k["kind"] == "intake").unwrap();
    assert!(intake["entries"].as_u64() > Some(0) && intake["needed"].as_u64() > Some(0), "{intake}");
    assert_eq!(attacker["open_incidents"], json!(["INC-1"]));
    assert_eq!(attacker["erased"], false);
    assert!(attacker["stays"].as_array().unwrap().len() >= 3);
    assert_eq!(ask("nobody-at-all").await.json()["kinds"], json!([]));
    // The engine goes on by itself meanwhile; what it writes does not name who was looked for.
    let since =
        house.ask("admin", Method::GET, &format!("/api/v1/journal?after={}", head["seq"]), None).await;
    assert_eq!(since.status, StatusCode::OK);
    let since = since.text().to_lowercase();
    assert!(!since.contains(&MARK.to_lowercase()) && !since.contains("nobody-at-all"), "{since}");
    assert_eq!(ask("ab").await.status, StatusCode::BAD_REQUEST);
    for person in ["watcher", "netops-lead"] {
        let no = house.post(person, "/api/v1/admin/erasure", json!({ "subject": MARK })).await;
        assert_eq!(no.status, StatusCode::FORBIDDEN, "{person}");
    }
}
