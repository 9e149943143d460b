//! Deliveries: proven, taken in, on disk before the answer, exactly once in a named place.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::house::{House, lines, noise, seconds};

fn hmac(key: &str, text: &[u8]) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let house = House::new().await;
    let one = house.deliver("suricata", noise(0).to_string()).await;
    assert_eq!(one.status, StatusCode::ACCEPTED, "{}", one.text());
    assert_eq!(one.json()["new"], 1);
    assert_eq!(one.json()["alerts"], json!(["A-1"]));
    assert_eq!(house.deliver("suricata", lines((1..200).map(noise))).await.json()["accepted"], 199);
    assert_eq!(
        house.deliver("suricata", json!([noise(200), noise(201)]).to_string()).await.json()["accepted"],
        2
    );
    let again = house.deliver("suricata", noise(0).to_string()).await.json();
    assert_eq!((&again["new"], &again["merged"]), (&json!(0), &json!(1)));
    assert_eq!(house.deliver("suricata", "not json").await.json()["quarantined"], 1);

    let before = house.ledger().await;
    assert_eq!(before["received"], 204);
    assert_eq!(before["merged"], 1);
    assert_eq!(before["quarantined"], 1);
    let house = house.again().await;
    assert_eq!(house.ledger().await, before);
    let raw = house.ask("watcher", axum::http::Method::GET, "/api/v1/alerts/A-1/raw", None).await;
    assert_eq!(raw.text(), noise(0).to_string());
    let verified = house.post("watcher", "/api/v1/journal/verify", json!({})).await.json();
    assert_eq!(verified["ok"], true, "{verified}");
    assert_eq!(verified["head"], house.get("/api/v1/journal/head").await);
}

#[tokio::test]
async fn gzip_is_read_and_other_encodings_are_not() {
    let house = House::new().await;
    let bearer = format!("Bearer {}", House::secret("suricata.token"));
    let headers = |encoding: &'static str| {
        [("authorization", bearer.clone()), ("content-encoding", encoding.to_owned())]
    };
    let send = async |encoding: &'static str, body: Vec<u8>| {
        let headers = headers(encoding);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
        house.send("/in/suricata", &headers, body).await
    };
    let packed = gzip(lines((0..50).map(noise)).as_bytes());
    assert_eq!(send("gzip", packed).await.json()["accepted"], 50);
    assert_eq!(send("br", b"x".to_vec()).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(send("gzip", b"no gzip at all".to_vec()).await.status, StatusCode::BAD_REQUEST);
    let bomb = send("gzip", gzip(&vec![b' '; 64 << 20])).await;
    assert_eq!(bomb.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", bomb.text());
    assert_eq!(house.ledger().await["received"], 50);
}

#[tokio::test]
async fn an_unknown_source_a_wrong_token_and_a_source_without_secret_get_the_same_answer() {
    let house = House::new().await;
    let good = format!("Bearer {}", House::secret("suricata.token"));
    let mut answers = Vec::new();
    for (path, token) in [
        ("/in/suricata", "Bearer wrong"),
        ("/in/suricata", "Bearer "),
        ("/in/nobody", good.as_str()),
        ("/in/shut", good.as_str()),
        ("/in/shut", "Bearer "),
        ("/in/zeek", good.as_str()),
        ("/in/generic-scanner", good.as_str()),
        ("/in/pagerduty", good.as_str()),
    ] {
        let answer = house.send(path, &[("authorization", token)], noise(0).to_string()).await;
        answers.push((answer.status, answer.text()));
    }
    answers.push({
        let answer = house.send("/in/suricata", &[], noise(0).to_string()).await;
        (answer.status, answer.text())
    });
    assert!(answers.iter().all(|a| *a == answers[0]), "{answers:#?}");
    assert_eq!(answers[0].0, StatusCode::UNAUTHORIZED);
    assert_eq!(house.ledger().await["received"], 0);
    let sources = house.get("/api/v1/sources").await;
    let shut = sources["sources"].as_array().unwrap().iter().find(|s| s["name"] == "shut").unwrap().clone();
    assert_eq!(shut["enabled"], false, "{shut}");
}

#[tokio::test]
async fn a_signed_delivery_counts_once_and_only_near_its_time() {
    let house = House::new().await;
    let body = json!({ "findings": [{ "title": "open port", "check_id": "p-1", "severity": 3, "host": { "ip": "10.0.0.9" } }] });
    let body = body.to_string();
    let sign = |at: i64| hmac(&House::secret("generic-scanner.key"), format!("{at}.{body}").as_bytes());
    let send = async |at: i64, signature: String| {
        let at = at.to_string();
        let headers = [("x-signature", signature.as_str()), ("x-timestamp", at.as_str())];
        house.send("/in/generic-scanner", &headers, body.clone()).await
    };
    let now = seconds();
    let first = send(now, format!("sha256={}", sign(now))).await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.text());
    assert_eq!(first.json()["new"], 1, "{}", first.text());
    assert_eq!(send(now, sign(now)).await.status, StatusCode::CONFLICT);
    assert_eq!(send(now - 301, sign(now - 301)).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(send(now + 302, sign(now + 302)).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(send(now + 1, sign(now)).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(send(now + 1, sign(now + 1)).await.json()["merged"], 1);
    house.forward(700);
    assert_eq!(send(now, sign(now)).await.status, StatusCode::UNAUTHORIZED, "too old by now");
    assert_eq!(house.ledger().await["received"], 2);
}

fn event(key: &str, severity: &str) -> Value {
    json!({
        "routing_key": key, "event_action": "trigger", "dedup_key": "disk-1",
        "payload": { "summary": "disk full", "source": "db-1", "severity": severity }
    })
}

#[tokio::test]
async fn a_pagerduty_sender_only_has_to_change_the_host() {
    let house = House::new().await;
    let key = House::secret("pagerduty.key");
    let good = house.send("/v2/enqueue", &[], event(&key, "critical").to_string()).await;
    assert_eq!(good.status, StatusCode::ACCEPTED, "{}", good.text());
    assert_eq!(good.json()["status"], "success");
    assert_eq!(good.json()["dedup_key"], "disk-1");

    let invalid = house.send("/v2/enqueue", &[], event(&key, "terrible").to_string()).await;
    assert_eq!(invalid.status, StatusCode::BAD_REQUEST);
    assert_eq!(invalid.json()["status"], "invalid event");
    assert!(invalid.json()["errors"][0].as_str().unwrap().contains("severity"), "{}", invalid.text());
    let stranger = house.send("/v2/enqueue", &[], event("wrong", "critical").to_string()).await;
    assert_eq!(stranger.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        house.send("/in/pagerduty", &[], event(&key, "error").to_string()).await.json()["accepted"],
        1
    );

    let ledger = house.ledger().await;
    assert_eq!(ledger["received"], 3, "the stranger's event is not ours: {ledger}");
    assert_eq!(ledger["quarantined"], 1);
}

#[tokio::test]
async fn a_prometheus_can_send_here_as_to_its_alertmanager() {
    let house = House::new().await;
    let bearer = format!("Bearer {}", House::secret("alertmanager.token"));
    let alerts = json!([{ "labels": { "alertname": "DiskFull", "instance": "db-1", "severity": "critical" },
        "annotations": { "summary": "disk full on db-1" }, "startsAt": "2026-03-03T22:10:00Z" }]);
    let answer = house.send("/api/v2/alerts", &[("authorization", &bearer)], alerts.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.json()["new"], 1);
    let other = format!("Bearer {}", House::secret("suricata.token"));
    let answer = house.send("/api/v2/alerts", &[("authorization", &other)], alerts.to_string()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.ledger().await["sources"]["alertmanager"]["received"], 1);
}

#[tokio::test]
async fn a_quarantined_record_can_be_seen_and_is_read_once_its_source_is_mended() {
    let house = House::new().await;
    let record = noise(0).to_string();
    assert_eq!(house.deliver("zeek", record.clone()).await.json()["quarantined"], 1);
    let listed = house.get("/api/v1/quarantine").await;
    assert_eq!(listed["waiting"], 1);
    let id = listed["records"][0]["id"].as_u64().unwrap();
    assert!(!listed["records"][0]["reason"].as_str().unwrap().is_empty());
    let raw =
        house.ask("watcher", axum::http::Method::GET, &format!("/api/v1/quarantine/{id}/raw"), None).await;
    assert_eq!(raw.text(), record);
    assert_eq!(raw.headers["content-disposition"], "attachment");

    let path = format!("/api/v1/quarantine/{id}/retry");
    let tried = house.ask("admin", axum::http::Method::POST, &path, None).await;
    assert_eq!(tried.status, StatusCode::BAD_REQUEST, "its source still speaks another format");
    assert_eq!(house.ledger().await["quarantined"], 1, "and so it stays where it is");
    let mended = "format: suricata\ncredential: { bearer: { file: secrets/zeek.token } }\n";
    std::fs::write(house.config().join("sources/zeek.yaml"), mended).unwrap();
    assert_eq!(
        house.ask("admin", axum::http::Method::POST, "/api/v1/admin/reload", None).await.status,
        StatusCode::OK
    );
    let path = format!("/api/v1/quarantine/{id}/retry");
    let tried = house.ask("admin", axum::http::Method::POST, &path, None).await;
    assert_eq!(tried.status, StatusCode::OK, "{}", tried.text());
    assert_eq!(tried.json()["ack"]["new"], 1, "{}", tried.text());
    let ledger = house.ledger().await;
    assert_eq!((&ledger["received"], &ledger["quarantined"]), (&json!(1), &json!(0)), "{ledger}");
}

#[tokio::test]
async fn a_counted_record_is_listed_with_its_cause_and_can_be_taken_out_again() {
    let house = House::new().await;
    let mut later = noise(0);
    later["timestamp"] = json!("2026-03-03T22:20:00.000000+0000");
    later["flow_id"] = json!(4_711);
    house.deliver("suricata", noise(0).to_string()).await;
    assert_eq!(house.deliver("suricata", later.to_string()).await.json()["merged"], 1);
    let listed = house.get("/api/v1/alerts/A-1/occurrences").await;
    assert_eq!(listed["total"], 1, "{listed}");
    let one = &listed["occurrences"][0];
    assert!(one["cause"].as_str().unwrap().contains("same rule"), "{one}");
    let which = json!({ "entry": one["entry"], "delivery": one["delivery"], "record": one["record"] });
    let split = house.post("endpoint-lead", "/api/v1/alerts/A-1/split", which).await;
    assert_eq!(split.status, StatusCode::OK, "{}", split.text());
    assert_eq!(house.get("/api/v1/alerts/A-2").await["normalised"]["unmapped"]["flow_id"], 4_711);
    let ledger = house.ledger().await;
    assert_eq!((&ledger["received"], &ledger["merged"]), (&json!(2), &json!(0)), "{ledger}");
}

/// One request over a connection of its own, as the listener answers it: the status and what is said.
async fn over_the_wire(house: &House, method: &str, path: &str, token: &str, body: &str) -> (u16, String) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let addr = house.app.addr();
    let mut stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {addr}\r\nAuthorization: {token}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[tokio::test]
async fn deliveries_that_go_past_the_router_are_answered_as_it_answers_them() {
    let house = House::new().await;
    let good = format!("Bearer {}", House::secret("suricata.token"));
    let first = over_the_wire(&house, "POST", "/in/suricata", &good, &noise(0).to_string()).await;
    assert_eq!(first.0, 202, "{}", first.1);
    let ack: Value = serde_json::from_str(&first.1).unwrap();
    assert_eq!((&ack["new"], &ack["alerts"]), (&json!(1), &json!(["A-1"])));
    for (method, path, token, body, status) in [
        ("POST", "/in/suricata", "Bearer wrong", "{}", 401),
        ("POST", "/in/nobody", good.as_str(), "{}", 401),
        ("POST", "/in/%73uricata", good.as_str(), "{}", 401),
        ("POST", "/in/suricata", good.as_str(), "", 400),
        ("POST", "/in/suricata/", good.as_str(), "{}", 404),
        ("POST", "/in/suricata/more", good.as_str(), "{}", 404),
        ("POST", "/in/", good.as_str(), "{}", 404),
        ("GET", "/in/suricata", good.as_str(), "", 405),
    ] {
        let wire = over_the_wire(&house, method, path, token, body).await;
        let request = axum::http::Request::builder().method(method).uri(path).header("authorization", token);
        let request = request.body(axum::body::Body::from(body.to_owned())).unwrap();
        let within = crate::house::call(&house.app.router(), request).await;
        assert_eq!(wire, (within.status.as_u16(), within.text()), "{method} {path}");
        assert_eq!(wire.0, status, "{method} {path}: {}", wire.1);
    }
    assert_eq!(house.ledger().await["received"], 1);
}
