//! Filters of the queue: what they find, what they say when they are wrong, who keeps them, and changes
//! to all that match.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::house::{House, beacon, lines};

/// Three incidents: two machines of ours call two servers, one of them twice.
async fn house() -> House {
    let house = House::new().await;
    let call = |n: usize| {
        let mut alert = beacon();
        alert["flow_id"] = json!(n);
        alert["src_ip"] = json!(format!("10.0.{n}.5"));
        alert["dest_ip"] = json!(format!("203.0.113.{n}"));
        alert["alert"]["signature_id"] = json!(2_035_000 + n);
        alert
    };
    house.deliver("suricata", lines((1..=3).map(call))).await;
    house.until("/api/v1/queue", |v| v["total"] == 3).await;
    house
}

/// The query of the queue with this filter.
fn at(filter: &str) -> String {
    let quoted: String = filter
        .bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b == b'.' {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect();
    format!("/api/v1/queue?where={quoted}")
}

fn ids(page: &Value) -> Vec<&str> {
    page["rows"].as_array().unwrap().iter().filter_map(|r| r["id"].as_str()).collect()
}

#[tokio::test]
async fn a_filter_finds_what_it_says_and_a_wrong_one_says_what_is_wrong() {
    let house = house().await;
    let page = house.get(&at(r#"incident.kind == "c2" && ip_in(incident.peer, "203.0.113.2/32")"#)).await;
    assert_eq!((page["total"].as_u64(), ids(&page).len()), (Some(1), 1), "{page:#}");
    assert_eq!(page["unfiltered"], 3);
    let of_two = house.get(&at(r#"incident.victims.exists(v, v != "10.0.1.5")"#)).await;
    assert_eq!(of_two["total"], 2, "{of_two:#}");
    let none = house.get(&at(r#"incident.owner != """#)).await;
    assert_eq!(none["total"], 0);
    for (wrong, word) in [
        (r#"incident.kin == "c2""#, "kind"),
        (r#"incident.kind == "c3""#, "c3"),
        ("incident.severity", "true or false"),
        ("severity > 3", "incident"),
        ("incident.severity >", "CEL"),
    ] {
        let answer = house.ask("watcher", Method::GET, &at(wrong), None).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}");
        assert!(answer.text().contains(word), "{wrong}: {}", answer.text());
    }
    // An address that cannot be read is told, and counts neither as in nor as out.
    let odd = house.get(&at(r#"ip_in(incident.title, "10.0.0.0/8")"#)).await;
    assert_eq!((&odd["total"], &odd["undecided"]["count"]), (&json!(0), &json!(3)), "{odd:#}");
}

#[tokio::test]
async fn filters_are_kept_for_each_person_and_outlive_a_restart() {
    let house = house().await;
    let keep = async |house: &House, person: &str, body: Value| {
        house.post(person, "/api/v1/queue/filters", body).await
    };
    let kept = keep(&house, "watcher", json!({ "name": "severe", "search": "severity=critical" })).await;
    assert_eq!(kept.status, StatusCode::OK, "{}", kept.text());
    let own = house.get("/api/v1/queue/filters").await;
    assert_eq!(own["filters"], json!([{ "name": "severe", "search": "severity=critical" }]));
    assert!(own["fields"].as_array().unwrap().iter().any(|f| f["name"] == "owner"));
    let other = house.ask("admin", Method::GET, "/api/v1/queue/filters", None).await.json();
    assert_eq!(other["filters"], json!([]));
    let house = house.again().await;
    assert_eq!(house.get("/api/v1/queue/filters").await["filters"][0]["name"], "severe");
    for bad in [
        json!({ "name": "" }),
        json!({ "name": "x".repeat(61), "search": "a" }),
        json!({ "name": "y", "search": "a".repeat(5_000) }),
    ] {
        assert_eq!(keep(&house, "watcher", bad.clone()).await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
    assert_eq!(keep(&house, "watcher", json!({ "name": "severe" })).await.status, StatusCode::OK);
    assert_eq!(keep(&house, "watcher", json!({ "name": "severe" })).await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.get("/api/v1/queue/filters").await["filters"], json!([]));
}

#[tokio::test]
async fn a_change_to_all_that_match_is_one_request_and_never_more_than_was_seen() {
    let house = house().await;
    let bulk = async |body: Value| house.post("endpoint-lead", "/api/v1/bulk/incidents", body).await;
    let matching = json!({ "where": r#"incident.kind == "c2" && incident.owner == """# });
    let few = bulk(json!({ "action": "ack", "matching": matching, "at_most": 2 })).await;
    assert_eq!(few.status, StatusCode::CONFLICT, "{}", few.text());
    assert_eq!(house.get("/api/v1/queue?owner=none").await["total"], 3, "nothing was done");
    let done = bulk(json!({ "action": "ack", "matching": matching, "at_most": 3 })).await;
    assert_eq!(done.json(), json!({ "done": 3, "failed": [] }), "{}", done.text());
    assert_eq!(house.get("/api/v1/queue?owner=endpoint-lead").await["total"], 3);
    let both = bulk(json!({ "action": "ack", "matching": matching, "incidents": ["INC-1"] })).await;
    assert_eq!(both.status, StatusCode::BAD_REQUEST);
    let wrong = bulk(json!({ "action": "ack", "matching": { "where": "incident.x" } })).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    let unsure =
        bulk(json!({ "action": "ack", "matching": { "where": r#"ip_in(incident.title, "10.0.0.0/8")"# } }))
            .await;
    assert_eq!(unsure.status, StatusCode::BAD_REQUEST, "{}", unsure.text());
}
