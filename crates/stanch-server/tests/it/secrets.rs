//! Stored secrets through the API: set, bound, changed, removed, never read back; and a canary that is
//! looked for everywhere afterwards.

use std::path::Path;

use axum::http::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::house::{House, beacon};

const CANARY: &str = "whsec_Y2FuYXJ5LTVjN2UxYjk0LWNhbmFyeS01YzdlMWI5NA==";

/// A receiver that keeps what it was sent.
async fn receiver() -> (u16, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (to, from) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut text = vec![0; 65_536];
            let n = client.read(&mut text).await.unwrap_or(0);
            let _ = to.send(String::from_utf8_lossy(&text[..n]).into_owned());
            let _ = client.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await;
        }
    });
    (port, from)
}

fn furnish(config: &Path, port: u16) {
    let notifier = format!(
        "notifiers:\n  - {{ name: canary, type: webhook, url: \"http://127.0.0.1:{port}/hook\", secret: {{ stored: canary }} }}\n"
    );
    std::fs::create_dir_all(config.join("connectors")).unwrap();
    std::fs::write(config.join("connectors/canary.yaml"), notifier).unwrap();
    let people = config.join("policies/people.yaml");
    let text = std::fs::read_to_string(&people).unwrap();
    std::fs::write(&people, text.replace("notifier: mail", "notifier: canary")).unwrap();
}

/// Every file below a folder that holds the text, as it is or as base64 or hexadecimal.
fn holding(folder: &Path, needles: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, needles));
        } else if let Ok(bytes) = std::fs::read(&path) {
            let hit = needles.iter().any(|n| bytes.windows(n.len()).any(|w| w == n.as_bytes()));
            found.extend(hit.then(|| path.display().to_string()));
        }
    }
    found
}

#[tokio::test]
async fn a_stored_secret_signs_for_its_host_and_is_found_nowhere() {
    let (port, mut came) = receiver().await;
    let house = House::with(|config| furnish(config, port)).await;
    let body = json!({ "value": CANARY, "connector": "canary", "hosts": [format!("127.0.0.1:{port}")] });
    let put = |body| house.ask("admin", Method::PUT, "/api/v1/secrets/canary", Some(body));
    let kept = put(body.clone()).await;
    assert_eq!(kept.status, StatusCode::OK, "{}", kept.text());
    assert_eq!(kept.json()["in_force"], true, "{}", kept.text());
    assert!(!kept.text().contains("Y2FuYXJ5"), "{}", kept.text());
    // In use at once: a notice goes out, signed with it.
    house.deliver("suricata", beacon().to_string()).await;
    let sent = came.recv().await.unwrap();
    assert!(sent.to_lowercase().contains("webhook-signature: v1,"), "{sent}");
    assert!(!sent.contains("Y2FuYXJ5"));

    // Bound: nobody leads it elsewhere, neither by the API nor by the configuration.
    let moved = json!({ "value": CANARY, "connector": "canary", "hosts": ["evil.example:443"] });
    assert_eq!(put(moved).await.status, StatusCode::CONFLICT);
    let file = house.config().join("connectors/canary.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace(&format!("127.0.0.1:{port}"), "127.0.0.1:9")).unwrap();
    let mistakes = house.app.reload("test").await.unwrap_err();
    assert!(mistakes.iter().any(|m| m.message.contains("may be sent to 127.0.0.1")), "{mistakes:?}");
    std::fs::write(&file, text).unwrap();

    // Every answer, every file and the journal, in several spellings.
    let hex: String = CANARY.bytes().map(|b| format!("{b:02x}")).collect();
    let needles = ["Y2FuYXJ5LTVjN2UxYjk0".to_owned(), "canary-5c7e1b94".to_owned(), hex];
    for path in [
        "secrets",
        "settings",
        "journal?limit=1000",
        "incidents",
        "alerts",
        "sources",
        "ledger",
        "openapi.json",
    ] {
        let answer = house.ask("admin", Method::GET, &format!("/api/v1/{path}"), None).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        assert!(!needles.iter().any(|n| answer.text().contains(n)), "{path}");
    }
    let listed = house.ask("admin", Method::GET, "/api/v1/secrets", None).await.json();
    assert_eq!(listed["secrets"][0]["version"], 1);
    assert_eq!(listed["secrets"][0]["by"], "admin");
    assert_eq!(
        house.ask("watcher", Method::GET, "/api/v1/secrets", None).await.status,
        StatusCode::FORBIDDEN
    );
    let journal = house.ask("admin", Method::GET, "/api/v1/journal?limit=1000", None).await.text();
    assert!(journal.contains("stored secret canary set, version 1"), "who did it is in the journal");
    assert_eq!(holding(&house.data(), &needles), [""; 0]);
    assert_eq!(holding(&house.config(), &needles), [""; 0]);

    let gone = house.ask("admin", Method::DELETE, "/api/v1/secrets/canary", None).await;
    assert_eq!(gone.status, StatusCode::OK, "{}", gone.text());
    assert_eq!(
        house.ask("admin", Method::DELETE, "/api/v1/secrets/canary", None).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn nonsense_and_strangers_are_refused_and_nothing_of_it_is_repeated() {
    let house = House::new().await;
    for body in [
        json!({ "value": CANARY }),
        json!({ "value": CANARY, "connector": "c", "hosts": [] }),
        json!({ "value": CANARY, "connector": "c", "hosts": ["https://h"] }),
        json!({ "value": [CANARY], "connector": "c", "hosts": ["h:1"] }),
        json!({ "value": format!("{CANARY}\n"), "connector": "c", "hosts": ["h:1"] }),
        json!({ "value": CANARY, "connector": "c", "hosts": ["h:1"], "odd": 1 }),
    ] {
        let answer = house.ask("admin", Method::PUT, "/api/v1/secrets/x", Some(body)).await;
        assert!(answer.status.is_client_error(), "{}", answer.text());
        assert!(!answer.text().contains("Y2FuYXJ5"), "{}", answer.text());
    }
    let body = json!({ "value": CANARY, "connector": "c", "hosts": ["h:1"] });
    for person in ["watcher", "netops-lead"] {
        let answer = house.ask(person, Method::PUT, "/api/v1/secrets/x", Some(body.clone())).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{person}");
    }
}

#[tokio::test]
async fn the_master_key_is_changed_while_secrets_are_in_use_and_the_old_one_is_needed_no_more() {
    let (port, mut told) = receiver().await;
    let house = House::with(|config| furnish(config, port)).await;
    let place = format!("127.0.0.1:{port}");
    let body = json!({ "value": CANARY, "connector": "canary", "hosts": [place] });
    let put = house.ask("admin", Method::PUT, "/api/v1/secrets/canary", Some(body)).await;
    assert_eq!(put.status, StatusCode::OK, "{}", put.text());
    // A webhook's signing key lies in the same vault.
    let hook = json!({ "url": format!("http://127.0.0.1:{port}/events"), "events": ["kill_switch.changed"], "allow_private": ["127.0.0.1/32"] });
    let hook = house.ask("admin", Method::POST, "/api/v1/webhooks", Some(hook)).await;
    assert!(hook.status.is_success(), "{}", hook.text());
    let (key, vault) = (house.data().join("secrets.key"), house.data().join("secrets.vault"));
    let before = (std::fs::read(&key).unwrap(), std::fs::read(&vault).unwrap());

    let ask = |dry_run| {
        house.ask("admin", Method::POST, "/api/v1/admin/secrets-key", Some(json!({ "dry_run": dry_run })))
    };
    let would = ask(true).await.json();
    assert_eq!((would["done"].as_bool(), would["secrets"].as_u64()), (Some(false), Some(2)), "{would}");
    assert_eq!(
        (std::fs::read(&key).unwrap(), std::fs::read(&vault).unwrap()),
        before,
        "a look changes nothing"
    );
    for person in ["watcher", "netops-lead"] {
        let body = Some(json!({}));
        let no = house.ask(person, Method::POST, "/api/v1/admin/secrets-key", body).await;
        assert_eq!(no.status, StatusCode::FORBIDDEN, "{person}");
    }
    let done = ask(false).await.json();
    assert_eq!(
        (done["done"].as_bool(), done["secrets"].as_u64(), done["gone"].as_bool()),
        (Some(true), Some(2), Some(true)),
        "{done}"
    );
    assert_ne!(std::fs::read(&key).unwrap(), before.0);

    // Both are used with the new key alone: by a reload, and by whoever signs at each delivery.
    let reloaded = house.ask("admin", Method::POST, "/api/v1/admin/reload", None).await;
    assert_eq!(reloaded.status, StatusCode::OK, "{}", reloaded.text());
    house.post("admin", "/api/v1/admin/kill-switch", json!({ "engaged": true })).await;
    let said = loop {
        let said = told.recv().await.unwrap();
        if said.starts_with("POST /events") {
            break said;
        }
    };
    assert!(said.contains("webhook-signature: v1,"), "{said}");
    let journal = house.ask("admin", Method::GET, "/api/v1/journal?limit=1000", None).await.text();
    assert!(journal.contains("the key of the stored secrets is changed"), "who did it is in the journal");
    let house = house.again().await;
    let listed = house.ask("admin", Method::GET, "/api/v1/secrets", None).await.json();
    assert_eq!(listed["secrets"].as_array().map(Vec::len), Some(2), "and after a restart: {listed}");
}
