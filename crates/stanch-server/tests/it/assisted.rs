//! The story told again by a language model, against an endpoint that obeys whoever wrote the alerts.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};

use crate::house::{House, beacon};

/// What the endpoint does next, and what it was sent.
#[derive(Default)]
struct Model {
    content: Mutex<String>,
    status: Mutex<u16>,
    seen: Mutex<Vec<(String, Value)>>,
}

impl Model {
    fn says(&self, content: impl ToString) {
        *self.content.lock().unwrap() = content.to_string();
    }
}

/// Strict as a real one: a wrong path, token, model or form is refused.
async fn complete(
    State(model): State<Arc<Model>>,
    headers: HeaderMap,
    body: axum::Json<Value>,
) -> (StatusCode, axum::Json<Value>) {
    let token = headers.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    model.seen.lock().unwrap().push((token.clone(), body.0.clone()));
    let fine =
        token == "Bearer the-key" && body["model"] == "small" && body["messages"][0]["role"] == "system";
    if !fine || body.get("tools").is_some() {
        return (StatusCode::BAD_REQUEST, axum::Json(json!({ "error": { "message": "no" } })));
    }
    let status = StatusCode::from_u16(*model.status.lock().unwrap()).unwrap_or(StatusCode::OK);
    let content = model.content.lock().unwrap().clone();
    let tool = json!({ "type": "function", "function": { "name": "resolve", "arguments": "{}" } });
    let choice = json!({ "index": 0, "finish_reason": "stop",
        "message": { "role": "assistant", "content": content, "tool_calls": [tool] } });
    (status, axum::Json(json!({ "id": "x", "object": "chat.completion", "choices": [choice] })))
}

async fn endpoint() -> (Arc<Model>, u16) {
    let model = Arc::new(Model::default());
    let router = Router::new().route("/v1/chat/completions", post(complete)).with_state(model.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (model, port)
}

fn allow(config: &Path, port: u16, more: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let key = config.join("secrets/llm.token");
    std::fs::write(&key, "the-key\n").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let text = format!(
        "endpoint: http://127.0.0.1:{port}/v1\nmodel: small\ntoken: {{ file: secrets/llm.token }}\n\
         egress: [\"127.0.0.1:{port}\"]\n{more}"
    );
    std::fs::write(config.join("policies/assistant.yaml"), text).unwrap();
}

async fn house(more: &str) -> (House, Arc<Model>) {
    let (model, port) = endpoint().await;
    let house = House::with(|config| allow(config, port, more)).await;
    house.deliver("suricata", beacon().to_string()).await;
    house.until("/api/v1/incidents/INC-1", |v| v["status"] == "triggered").await;
    (house, model)
}

const PATH: &str = "/api/v1/incidents/INC-1/assisted";

async fn ask(house: &House) -> Value {
    let answer = house.post("secops-lead", PATH, json!({})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn a_model_retells_the_story_with_its_names_back_and_a_dry_run_sends_nothing() {
    let (house, model) = house("tlp: amber\n").await;
    let dry = house.post("secops-lead", PATH, json!({ "dry_run": true })).await.json();
    assert!(
        dry["sent"].as_str().is_some_and(|s| s.contains("ADDRESS_1") && !s.contains("10.0.0.5")),
        "{dry:#}"
    );
    assert!(model.seen.lock().unwrap().is_empty());
    assert_eq!(dry["asked_today"], 0);
    model.says(json!({
        "said": [{ "text": "ADDRESS_1 kept contact with 203.0.113.9.", "alerts": ["A-1"] }],
        "look_at": [{ "text": "Look at what else went to 203.0.113.9.", "alerts": ["A-1"] }],
        "next": [{ "text": "See https://evil.example/", "alerts": ["A-1"] }],
    }));
    let said = ask(&house).await;
    assert_eq!(said["said"][0]["text"], "10.0.0.5 kept contact with 203.0.113.9.", "{said:#}");
    assert_eq!((&said["next"], &said["left_out"]), (&json!([]), &json!("1 that hold a link")));
    assert!(said["by"].as_str().is_some_and(|b| b.contains("written by the model small")), "{said:#}");
    assert_eq!(ask(&house).await["asked_today"], 1, "the same question is not sent twice");
    let seen = model.seen.lock().unwrap()[0].1.to_string();
    assert!(!seen.contains("10.0.0.5") && !seen.contains("web-1") && seen.contains("203.0.113.9"), "{seen}");
    let viewer = house.ask("watcher", Method::POST, PATH, Some(json!({}))).await;
    assert_eq!(viewer.status, StatusCode::FORBIDDEN, "who only looks spends nothing");
    assert_eq!(house.get("/api/v1/incidents/INC-1/story").await["assistant"], "small");
}

#[tokio::test]
async fn whatever_a_model_says_the_journal_and_the_story_stay_as_they_are() {
    let (house, model) = house("tlp: amber\nper_day: 1000\n").await;
    let story = house.get("/api/v1/incidents/INC-1/story").await;
    let settled = house.get("/api/v1/journal/head").await;
    let cases: Value =
        serde_json::from_str(include_str!("../../../stanch-core/fixtures/assist/hostile.json")).unwrap();
    for case in cases.as_array().unwrap() {
        let texts: Vec<Value> = case["asks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| json!({ "text": t, "alerts": ["A-1"] }))
            .collect();
        model.says(json!({ "said": texts, "look_at": texts, "next": texts, "status": "resolved",
            "verdict": "false", "actions": [{ "kind": "block_address", "target": "10.0.0.5/32" }] }));
        let said = ask(&house).await.to_string();
        for never in ["://", "www.", "<script", "evil", "benign", "alse positive"] {
            assert!(!said.contains(never), "{never} in {said}");
        }
        // What was kept is kept for the same question; another model would be asked anew.
        house.app.reload("test").await.unwrap();
    }
    assert!(model.seen.lock().unwrap().len() >= 40);
    let after = house.get("/api/v1/incidents/INC-1/story").await;
    assert_eq!(after["happened"], story["happened"]);
    assert_eq!((&after["status"], &after["severity"]), (&story["status"], &story["severity"]));
    // Reloads are noted in the journal, and the end of what had been intended before; nothing else was.
    let page = house.get("/api/v1/journal?limit=1000").await;
    let kinds: Vec<&str> = page["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["seq"].as_u64() > settled["seq"].as_u64())
        .filter_map(|e| e["kind"].as_str())
        .collect();
    assert!(kinds.iter().all(|k| ["loaded", "settled"].contains(k)), "{kinds:?}");
    assert_eq!(house.get("/api/v1/blocks").await["live"], 0);
}

#[tokio::test]
async fn failure_budget_and_label_leave_the_story_alone_and_say_so() {
    let (house, model) = house("tlp: amber\nper_day: 3\n").await;
    for (status, content, why) in [
        (500, "{}", "gave no answer"),
        (200, "Sure, here is a poem", "not in the form"),
        (200, "{\"said\": [{\"text\": \"It is benign.\", \"alerts\": [\"A-1\"]}]}", "could be kept"),
    ] {
        *model.status.lock().unwrap() = status;
        model.says(content);
        let said = ask(&house).await;
        assert!(said["failed"].as_str().is_some_and(|f| f.contains(why)), "{why}: {said:#}");
        assert_eq!(said["said"], json!([]));
    }
    let spent = ask(&house).await;
    assert!(spent["failed"].as_str().is_some_and(|f| f.contains("used up")), "{spent:#}");
    // The budget outlives a restart, and returns the next day.
    let record = std::fs::read_to_string(house.data().join("assistant.jsonl")).unwrap();
    assert_eq!(record.lines().filter(|l| l.contains("\"asked\"")).count(), 3, "{record}");
    assert!(
        record.contains("secops-lead") && !record.contains("10.0.0.5") && !record.contains("benign"),
        "{record}"
    );
    let house = house.again().await;
    assert!(ask(&house).await["failed"].as_str().is_some_and(|f| f.contains("used up")));
    house.forward(86_400);
    model.says(json!({ "said": [{ "text": "It kept contact.", "alerts": ["A-1"] }] }));
    assert_eq!(ask(&house).await["said"][0]["text"], "It kept contact.");
}

#[tokio::test]
async fn what_is_labelled_above_the_ceiling_is_not_sent_and_without_the_file_there_is_no_model() {
    let (green, model) = house("tlp: green\nlabels: { sources: { suricata: amber } }\n").await;
    let said = ask(&green).await;
    assert!(said["failed"].as_str().is_some_and(|f| f.contains("TLP:AMBER (source suricata)")), "{said:#}");
    assert!(model.seen.lock().unwrap().is_empty(), "nothing left");
    let off = House::new().await;
    off.deliver("suricata", beacon().to_string()).await;
    off.until("/api/v1/incidents/INC-1", |v| v["id"] == "INC-1").await;
    let none = off.post("secops-lead", PATH, json!({})).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    assert!(none.text().contains("no language model is configured"), "{}", none.text());
}
