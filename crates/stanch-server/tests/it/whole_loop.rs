//! From an alert to a block and back, over the API alone.

use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::house::{House, beacon, lines, noise};

#[tokio::test]
async fn a_beacon_is_blocked_after_one_yes_to_exactly_what_was_shown_and_released_by_a_person() {
    let house = House::new().await;
    house.deliver("suricata", beacon().to_string()).await;
    house.until("/api/v1/approvals?pending=true", |v| v["pending"] == 1).await;
    let question = house.get("/api/v1/approvals/APR-1").await;
    let digest = question["digest"].as_str().unwrap().to_owned();
    assert!(question["shown"].as_str().unwrap().contains("203.0.113.9"), "{question:#}");
    assert_eq!(question["simulated"], true);

    let path = "/api/v1/approvals/APR-1/approve";
    let mut other = digest.clone();
    other.replace_range(0..1, if digest.starts_with('0') { "1" } else { "0" });
    let wrong = house.post("secops-lead", path, json!({ "digest": other })).await;
    assert!(wrong.status.is_client_error(), "{}", wrong.text());
    let short = house.post("secops-lead", path, json!({ "digest": question["code"] })).await;
    assert_eq!(short.status, StatusCode::BAD_REQUEST, "the short code decides nothing");
    let analyst = house.post("endpoint-lead", path, json!({ "digest": digest })).await;
    assert_eq!(analyst.status, StatusCode::FORBIDDEN);
    assert_eq!(house.get("/api/v1/approvals").await["pending"], 1, "nothing of this has counted");

    let asked = question["teams"][0].as_str().unwrap().to_owned();
    let person = format!("{asked}-lead");
    let yes = house.post(&person, path, json!({ "digest": digest, "reason": "seen it" })).await;
    assert_eq!(yes.status, StatusCode::OK, "{}", yes.text());
    let twice = house.post(&person, path, json!({ "digest": digest })).await;
    assert_eq!(twice.status, StatusCode::CONFLICT, "{}", twice.text());

    let blocks = house.until("/api/v1/blocks", |v| v["blocks"][0]["state"] == "in_force").await;
    let block = blocks["blocks"][0].clone();
    assert_eq!(block["target"], "203.0.113.9");
    assert_eq!(block["approval"], "APR-1");
    let id = block["id"].as_str().unwrap();
    house.until("/api/v1/incidents/INC-1", |v| v["status"] == "contained").await;
    let released =
        house.post(&person, &format!("/api/v1/blocks/{id}/release"), json!({ "reason": "enough" })).await;
    assert_eq!(released.status, StatusCode::OK, "{}", released.text());
    house.until(&format!("/api/v1/blocks/{id}"), |v| v["state"] == "lifted").await;
    house.forward(700); // the playbook settles for ten minutes before it looks again
    house.until("/api/v1/runs", |v| v["runs"][0]["state"] == "completed").await;
    let done =
        house.post("secops-lead", "/api/v1/incidents/INC-1/resolve", json!({ "reason": "rebuilt" })).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text());
    assert_eq!(house.get("/api/v1/incidents?status=open").await["incidents"], json!([]));
    assert_eq!(house.post("watcher", "/api/v1/journal/verify", json!({})).await.json()["ok"], true);
    house.ledger().await;
}

#[tokio::test]
async fn a_reload_forgets_no_block_of_a_pretended_device() {
    let house = House::new().await;
    house.deliver("suricata", beacon().to_string()).await;
    house.until("/api/v1/approvals?pending=true", |v| v["pending"] == 1).await;
    let question = house.get("/api/v1/approvals/APR-1").await;
    let person = format!("{}-lead", question["teams"][0].as_str().unwrap());
    let yes = json!({ "digest": question["digest"] });
    assert_eq!(house.post(&person, "/api/v1/approvals/APR-1/approve", yes).await.status, StatusCode::OK);
    house.until("/api/v1/blocks", |v| v["blocks"][0]["state"] == "in_force").await;
    assert_eq!(house.ask("admin", Method::POST, "/api/v1/admin/reload", None).await.status, StatusCode::OK);
    house.until("/api/v1/blocks", |v| v["blocks"][0]["observed"] == "present").await;
}

#[tokio::test]
async fn a_silence_makes_alerts_quiet_with_its_cause_until_it_is_taken_back() {
    let house = House::new().await;
    let silence = json!({ "matchers": ["source=suricata", "ip=198.51.100.0/24"], "for": "2h", "comment": "a planned scan" });
    let set = house.post("endpoint-lead", "/api/v1/silences", silence).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.text());
    house.deliver("suricata", lines((0..5).map(noise))).await;
    assert_eq!(house.ledger().await["suppressed"], 5);
    let quiet = house.get("/api/v1/alerts/A-1").await;
    assert!(quiet["place"].as_str().unwrap().contains("SIL-1"), "{quiet:#}");
    assert_eq!(house.get("/api/v1/silences").await["silences"][0]["active"], true);
    assert_eq!(
        house.ask("endpoint-lead", Method::POST, "/api/v1/silences/SIL-1/end", None).await.status,
        StatusCode::OK
    );
    assert_eq!(house.get("/api/v1/silences").await["silences"], json!([]));
    house.deliver("suricata", lines((5..8).map(noise))).await;
    assert_eq!(house.ledger().await["suppressed"], 5);
    for bad in [
        json!({ "matchers": [], "for": "2h", "comment": "x" }),
        json!({ "matchers": ["nonsense"], "for": "2h", "comment": "x" }),
        json!({ "matchers": ["source=suricata"], "comment": "x" }),
        json!({ "matchers": ["source=suricata"], "for": "400d", "comment": "x" }),
        json!({ "matchers": ["source=suricata"], "until": "2001-01-01T00:00:00Z", "comment": "x" }),
    ] {
        assert_eq!(
            house.post("endpoint-lead", "/api/v1/silences", bad).await.status,
            StatusCode::BAD_REQUEST
        );
    }
}

#[tokio::test]
async fn what_people_do_to_an_incident_is_written_down_in_their_name() {
    let house = House::new().await;
    house.deliver("suricata", beacon().to_string()).await;
    house.until("/api/v1/incidents", |v| v["incidents"][0]["id"] == "INC-1").await;
    let ack = house.ask("endpoint-lead", Method::POST, "/api/v1/incidents/INC-1/ack", None).await;
    assert_eq!(ack.status, StatusCode::OK, "{}", ack.text());
    let note = house
        .post("endpoint-lead", "/api/v1/incidents/INC-1/note", json!({ "text": "called the owner" }))
        .await;
    assert_eq!(note.status, StatusCode::OK);
    let incident = house.get("/api/v1/incidents/INC-1").await;
    assert_eq!(incident["acknowledged_by"], "endpoint-lead");
    let noted = incident["marks"].as_array().unwrap().iter().find(|m| m["what"] == "noted").unwrap().clone();
    assert_eq!(noted["text"], "endpoint-lead: called the owner");
    assert_eq!(
        house.post("endpoint-lead", "/api/v1/incidents/INC-99/note", json!({ "text": "x" })).await.status,
        StatusCode::NOT_FOUND
    );
}
