//! Reload: the whole or nothing. Offline: everything can be read, nothing changed. TLS: or loopback.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::json;
use stanch_server::{App, Options, StartError, offline_router};

use crate::house::{House, beacon, call, lines, noise};

#[tokio::test]
async fn a_configuration_with_a_mistake_changes_nothing_and_all_mistakes_are_told() {
    let house = House::new().await;
    std::fs::write(house.config().join("secrets/new.token"), "the-token-of-a-new-source").unwrap();
    let new = "format: suricata\ncredential: { bearer: { file: secrets/new.token } }\n";
    std::fs::write(house.config().join("sources/new.yaml"), new).unwrap();
    std::fs::write(house.config().join("sources/bad.yaml"), "format: suricatta\n").unwrap();
    std::fs::write(house.config().join("policies/triage.yaml"), "incident_at: 7\n").unwrap();
    let refused = house.ask("admin", Method::POST, "/api/v1/admin/reload", None).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let told = refused.json()["error"]["mistakes"].clone();
    let files: Vec<&str> = told.as_array().unwrap().iter().filter_map(|m| m["file"].as_str()).collect();
    assert!(files.contains(&"sources/bad.yaml") && files.contains(&"policies/triage.yaml"), "{told:#}");
    let headers = [("authorization", "Bearer the-token-of-a-new-source")];
    assert_eq!(house.send("/in/new", &headers, noise(0).to_string()).await.status, StatusCode::UNAUTHORIZED);

    std::fs::remove_file(house.config().join("sources/bad.yaml")).unwrap();
    std::fs::write(house.config().join("policies/triage.yaml"), "incident_at: 0.7\n").unwrap();
    let done = house.ask("admin", Method::POST, "/api/v1/admin/reload", None).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text());
    assert_eq!(done.json()["changed"], true);
    assert_eq!(house.send("/in/new", &headers, noise(0).to_string()).await.json()["accepted"], 1);
    let journal = house.get("/api/v1/journal?limit=1000").await;
    let loads: Vec<_> =
        journal["entries"].as_array().unwrap().iter().filter(|e| e["kind"] == "loaded").collect();
    assert_eq!(loads.last().unwrap()["body"]["by"], "admin", "{loads:#?}");
}

#[tokio::test]
async fn without_a_server_everything_can_be_read_and_nothing_changed() {
    let house = House::new().await;
    house.deliver("suricata", lines((0..20).map(noise))).await;
    house.deliver("suricata", beacon().to_string()).await;
    house.until("/api/v1/approvals", |v| v["pending"] == 1).await;
    let (data, config) = (house.data(), house.config());
    let live = house.ledger().await;
    let router =
        tokio::task::spawn_blocking(move || offline_router(&data, Some(&config))).await.unwrap().unwrap();
    let ask = async |method: Method, path: &str| {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        call(&router, request).await
    };
    assert_eq!(ask(Method::GET, "/api/v1/ledger").await.json(), live);
    for path in [
        "alerts",
        "alerts/A-1",
        "alerts/A-1/raw",
        "alerts/A-1/ocsf",
        "incidents",
        "incidents/INC-1",
        "incidents/INC-1/story",
        "approvals/APR-1",
        "blocks?all=true",
        "sources",
        "clock",
        "clock/INC-1",
        "journal",
        "journal/head",
        "quarantine",
        "silences",
        "runs",
        "whoami",
    ] {
        let answer = ask(Method::GET, &format!("/api/v1/{path}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
    }
    assert_eq!(ask(Method::POST, "/api/v1/journal/verify").await.json()["ok"], true);
    for path in ["incidents/INC-1/ack", "approvals/APR-1/approve", "admin/reload"] {
        let answer = ask(Method::POST, &format!("/api/v1/{path}")).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {}", answer.text());
    }
    assert_eq!(ask(Method::POST, "/in/suricata").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn others_cannot_be_let_in_without_tls() {
    let house = House::new().await;
    let mut options = Options::new(house.config(), house.data().join("other"));
    options.listen = Some("0.0.0.0:0".parse().unwrap());
    match App::start(options).await {
        Err(StartError::Refused(why)) => assert!(why.contains("tls"), "{why}"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it started"),
    }
}

#[tokio::test]
async fn a_second_process_on_the_same_journal_does_not_start() {
    let house = House::new().await;
    let mut options = Options::new(house.config(), house.data());
    options.listen = Some("127.0.0.1:0".parse().unwrap());
    assert!(matches!(App::start(options).await, Err(StartError::Journal(_))));
}

#[tokio::test]
async fn the_listener_answers_over_the_wire_and_stops_when_told() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let house = House::new().await;
    let addr = house.app.addr();
    let body = noise(0).to_string();
    let token = House::secret("suricata.token");
    let head = format!(
        "POST /in/suricata HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let before = house.ledger().await;
    let house = house.again().await;
    assert!(tokio::net::TcpStream::connect(addr).await.is_err(), "the first one is gone");
    assert_eq!(house.ledger().await, before);
    assert_eq!(before["received"], json!(1));
}
