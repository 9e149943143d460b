//! Answers over Slack's Socket Mode: the same decisions as over HTTP, whatever the connection does. Slack's
//! cloud is a stand-in (`socket_mode/cloud.rs`) that Slack's own SDK was held against.

use serde_json::{Value, json};

use crate::chat::chat_over_sockets;
use crate::cloud::Cloud;
use crate::house::{House, beacon};
use crate::workspace::Called;

/// A house whose people answer over a socket; one question is asked.
async fn asked() -> (House, Cloud, String) {
    let cloud = Cloud::start().await;
    let house = House::with(|config| chat_over_sockets(config, &cloud.url, "")).await;
    cloud.until_opened(1).await;
    house
        .until("/api/v1/settings", |v| link(v).is_some_and(|l| l["link"].as_str().unwrap().contains("open")))
        .await;
    house.deliver("suricata", beacon().to_string()).await;
    house.until("/api/v1/approvals?pending=true", |v| v["pending"] == 1).await;
    let digest = house.get("/api/v1/approvals/APR-1").await["digest"].as_str().unwrap().to_owned();
    (house, cloud, digest)
}

/// The chat as the settings show it.
fn link(settings: &Value) -> Option<&Value> {
    settings["connectors"].as_array()?.iter().find(|c| c["name"] == "chat" && c["link"].is_string())
}

fn click(user: &str, button: &str, digest: &str) -> Value {
    json!({
        "type": "block_actions", "api_app_id": "A1",
        "user": { "id": user, "name": "secops-lead", "team_id": "T1" }, "team": { "id": "T1" },
        "container": { "type": "message", "channel_id": "C7", "message_ts": "1.1" },
        "actions": [{ "action_id": button, "value": digest, "action_ts": "1" }],
    })
}

/// What the n-th person who clicked was told, alone.
async fn whispered(cloud: &Cloud, n: usize) -> Called {
    let said = |s: &crate::cloud::Seen| {
        s.web.calls.iter().filter(|c| c.method == "chat.postEphemeral").nth(n).cloned()
    };
    cloud.until("a whisper", said).await
}

async fn member(house: &House) -> &'static str {
    let asked = house.get("/api/v1/approvals/APR-1").await["teams"][0].as_str().unwrap().to_owned();
    if asked == "secops" { "U11" } else { "U22" }
}

#[tokio::test]
async fn a_click_over_the_socket_counts_once_whatever_comes_again() {
    let (house, cloud, digest) = asked().await;
    let yes = click(member(&house).await, "stanch_approve", &digest);
    cloud.envelope(1, "e1", "interactive", &yes);
    cloud.envelope(1, "e1", "interactive", &yes);
    cloud.until_acked("e1").await;
    house.until("/api/v1/blocks", |v| v["blocks"][0]["state"] == "in_force").await;
    let told = whispered(&cloud, 0).await;
    assert_eq!((&told.body["channel"], &told.body["user"]), (&json!("C7"), &yes["user"]["id"]));
    // Slack or somebody clicks once more: the question is answered, and they are told so.
    cloud.envelope(1, "e2", "interactive", &yes);
    let text = whispered(&cloud, 1).await.body["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("Nothing was changed"), "{text}");
    assert_eq!(house.get("/api/v1/blocks?all=true").await["blocks"].as_array().unwrap().len(), 1);
    assert_eq!(cloud.wrong(), Vec::<String>::new());
}

#[tokio::test]
async fn whoever_may_not_answer_is_told_and_nothing_counts() {
    let (house, cloud, digest) = asked().await;
    let good = click("U11", "stanch_approve", &digest);
    let with = |change: fn(&mut Value)| {
        let mut value = good.clone();
        change(&mut value);
        value
    };
    let cases = [
        ("not linked", with(|v| v["user"]["id"] = "U99".into())),
        ("workspace", with(|v| (v["team"]["id"], v["user"]["team_id"]) = ("T2".into(), "T2".into()))),
        ("approver", with(|v| v["user"]["id"] = "U33".into())),
        ("no question", with(|v| v["actions"][0]["value"] = "0".repeat(64).into())),
    ];
    for (n, (words, payload)) in cases.iter().enumerate() {
        cloud.envelope(1, words, "interactive", payload);
        cloud.until_acked(words).await;
        let told = whispered(&cloud, n).await;
        let text = told.body["text"].as_str().unwrap();
        assert!(text.starts_with("Nothing was changed") && text.contains(words), "{words}: {text}");
        assert_eq!(told.body["user"], payload["user"]["id"]);
    }
    // Not ours at all: acknowledged, and nobody is told, because nobody is known to have asked us.
    for (id, payload) in [
        ("another app", with(|v| v["api_app_id"] = "A2".into())),
        ("another firm", with(|v| v["user"]["team_id"] = "T2".into())),
        ("another button", with(|v| v["actions"][0]["action_id"] = "approve".into())),
        ("no click", json!({ "type": "view_submission" })),
    ] {
        cloud.envelope(1, id, "interactive", &payload);
        cloud.until_acked(id).await;
    }
    // The last one is decided after all before it were taken in.
    cloud.envelope(1, "last", "interactive", &with(|v| v["user"]["id"] = "U98".into()));
    assert_eq!(whispered(&cloud, cases.len()).await.body["user"], "U98");
    assert_eq!(house.get("/api/v1/approvals").await["pending"], 1);
    assert_eq!(house.get("/api/v1/blocks?all=true").await["blocks"], json!([]));
}

#[tokio::test]
async fn a_renewal_in_the_middle_of_a_click_loses_nothing() {
    let (house, cloud, digest) = asked().await;
    let no = click(member(&house).await, "stanch_deny", &digest);
    cloud.disconnect(1, "warning");
    cloud.envelope(1, "e1", "interactive", &no);
    cloud.until_opened(2).await;
    cloud.envelope(2, "e1", "interactive", &no);
    cloud.cut(1);
    house.until("/api/v1/approvals", |v| v["pending"] == 0).await;
    whispered(&cloud, 0).await;
    let settled = house.get("/api/v1/approvals/APR-1").await;
    assert_eq!(settled["state"], "denied", "{settled:#}");
}

#[tokio::test]
async fn a_connection_that_is_down_is_shown_with_its_reason_and_a_reload_keeps_one_that_is_open() {
    let (house, cloud, _) = asked().await;
    house.app.reload("the test").await.unwrap_or_else(|m| panic!("{m:?}"));
    assert_eq!(cloud.calls("apps.connections.open").len(), 1, "it stays open");
    assert_eq!(link(&house.get("/api/v1/settings").await).unwrap()["health"], "ok");
    for _ in 0..20 {
        cloud.answer("apps.connections.open", 200, r#"{"ok":false,"error":"invalid_auth"}"#);
    }
    cloud.cut(1);
    let down = |v: &Value| {
        link(v).is_some_and(|l| l["trouble"].as_str().is_some_and(|t| t.contains("invalid_auth")))
    };
    let settings = house.until("/api/v1/settings", down).await;
    assert!(link(&settings).unwrap()["link"].as_str().unwrap().contains("down since"));
    assert_eq!(link(&settings).unwrap()["health"], "failing", "also while no message waits");
    // Without Socket Mode in the folder the connection is closed and no more is said of it.
    let path = house.config().join("connectors/chat.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace(", app_token: { file: secrets/slack.app }", "")).unwrap();
    house.app.reload("the test").await.unwrap_or_else(|m| panic!("{m:?}"));
    let settings = house.get("/api/v1/settings").await;
    assert!(link(&settings).is_none());
    let health = |name: &str| {
        let all = settings["connectors"].as_array().unwrap();
        all.iter().find(|c| c["name"] == name).unwrap()["health"].clone()
    };
    assert_eq!((health("chat"), health("edge-fw")), (json!("ok"), json!("ok")));
}

/// The first call of a method whose body says all of these words.
async fn called(cloud: &Cloud, method: &str, words: &[&str]) -> Called {
    let fits = |c: &&Called| {
        let text = c.body.to_string();
        c.method == method && words.iter().all(|w| text.contains(w))
    };
    cloud.until(&format!("{method} {words:?}"), |s| s.web.calls.iter().find(fits).cloned()).await
}

/// The value of a button of a message.
fn button(call: &Called, id: &str) -> Option<String> {
    let blocks = call.body["blocks"].as_array()?;
    let buttons = blocks.iter().filter_map(|b| b["elements"].as_array()).flatten();
    buttons.filter(|b| b["action_id"] == id).find_map(|b| Some(b["value"].as_str()?.to_owned()))
}

/// The whole way: asked in a channel, answered by a button, told to the NOC, taken back by a button; every
/// message is changed in place, also after a restart.
#[tokio::test]
async fn an_incident_is_one_message_whose_buttons_vanish_and_the_noc_can_take_the_change_back() {
    let (house, cloud, digest) = asked().await;
    let card = called(&cloud, "chat.postMessage", &["\"C1\"", "nobody has taken it yet"]).await;
    assert!(button(&card, "stanch_approve").is_none());
    let question = called(&cloud, "chat.postMessage", &["needs a decision"]).await;
    assert_eq!(button(&question, "stanch_approve"), Some(digest.clone()));
    // The restart: where messages are is known from the journal.
    let house = house.again().await;
    cloud.until_opened(2).await;
    house.forward(10);
    cloud.envelope(2, "yes", "interactive", &click(member(&house).await, "stanch_approve", &digest));
    let answered = called(&cloud, "chat.update", &["approved by"]).await;
    assert!(button(&answered, "stanch_approve").is_none() && button(&answered, "stanch_deny").is_none());
    let shown = called(&cloud, "chat.update", &["in force until"]).await;
    assert_eq!(shown.body["channel"], "C1");
    assert_ne!(shown.body["ts"], answered.body["ts"]);
    // The NOC has its own message, with a way back.
    let noc = called(&cloud, "chat.postMessage", &["\"C2\"", "Network change by SecOps"]).await;
    let name = button(&noc, "stanch_undo").unwrap();
    house.until("/api/v1/blocks", |v| v["blocks"][0]["state"] == "in_force").await;
    for (n, (user, words)) in [("U99", "not linked"), ("U33", "approver")].into_iter().enumerate() {
        cloud.envelope(2, words, "interactive", &click(user, "stanch_undo", &name));
        // The first whisper was to whoever approved.
        let told = whispered(&cloud, n + 1).await;
        assert!(told.body["text"].as_str().unwrap().contains(words), "{}", told.body);
    }
    let unknown = "0".repeat(64);
    cloud.envelope(2, "unknown", "interactive", &click("U22", "stanch_undo", &unknown));
    assert!(whispered(&cloud, 3).await.body["text"].as_str().unwrap().contains("no change has this name"));
    assert_eq!(house.get("/api/v1/blocks").await["blocks"][0]["state"], "in_force");
    cloud.envelope(2, "undo", "interactive", &click("U22", "stanch_undo", &name));
    house.until("/api/v1/blocks?all=true", |v| v["blocks"][0]["state"] == "lifted").await;
    let lifted = called(&cloud, "chat.update", &["\"C2\"", "Network change lifted"]).await;
    assert!(button(&lifted, "stanch_undo").is_none());
    house.forward(10);
    called(&cloud, "chat.update", &["\"C1\"", "lifted at"]).await;
    // Once more: it is over, and whoever clicks is told so.
    cloud.envelope(2, "again", "interactive", &click("U22", "stanch_undo", &name));
    assert!(whispered(&cloud, 5).await.body["text"].as_str().unwrap().starts_with("Nothing was changed"));
    // One message about the incident, whatever happened to it.
    let about = |c: &&Called| c.body["text"].as_str().is_some_and(|t| t.contains("nobody has taken it yet"));
    assert_eq!(cloud.calls("chat.postMessage").iter().filter(about).count(), 1);
    assert_eq!(cloud.wrong(), Vec::<String>::new());
}

#[tokio::test]
async fn a_message_that_somebody_removed_is_posted_anew() {
    let (house, cloud, _) = asked().await;
    called(&cloud, "chat.postMessage", &["nobody has taken it yet"]).await;
    cloud.answer("chat.update", 429, "");
    cloud.answer("chat.update", 200, r#"{"ok":false,"error":"message_not_found"}"#);
    house.forward(10);
    let taken = house.post("secops-lead", "/api/v1/incidents/INC-1/ack", json!({})).await;
    assert!(taken.status.is_success(), "{}", taken.text());
    house.forward(10);
    called(&cloud, "chat.postMessage", &["taken by secops-lead"]).await;
}
