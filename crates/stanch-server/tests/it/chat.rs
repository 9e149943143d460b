//! Answers through a chat, and everything a chat, a mail scanner or an attacker may try instead.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};

use crate::house::{Answer, House, beacon, call, seconds};

const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";

/// Links three people with members of Slack: two approvers, U11 and U22, and an analyst, U33.
pub(crate) fn link_members(config: &std::path::Path) {
    let people = std::fs::read_to_string(config.join("policies/people.yaml")).unwrap();
    let link = |text: String, person: &str, member: &str| {
        let line = format!("token: {{ file: secrets/{person}.token }}\n");
        assert!(text.contains(&line), "{text}");
        text.replace(&line, &format!("{line}    slack: {member}\n"))
    };
    let people = ["secops-lead", "netops-lead", "endpoint-lead"]
        .iter()
        .zip(["U11", "U22", "U33"])
        .fold(people, |text, (person, member)| link(text, person, member));
    std::fs::write(config.join("policies/people.yaml"), people).unwrap();
}

/// Teams are told in channels of a Slack at this address, and answer over a socket. `more` is added to the
/// notifier as it is written.
pub(crate) fn chat_over_sockets(config: &std::path::Path, url: &str, more: &str) {
    let write = |path: &str, text: &str| std::fs::write(config.join(path), text).unwrap();
    write("secrets/slack.app", "xapp-1-of-the-test");
    write("secrets/slack.token", "xoxb-of-the-test");
    let text = format!(
        "notifiers:\n  - {{ name: chat, type: slack, url: '{url}', workspace: T1,\n      token: {{ file: secrets/slack.token }}, app_token: {{ file: secrets/slack.app }}{more} }}\n"
    );
    write("connectors/chat.yaml", &text);
    link_members(config);
    let people = std::fs::read_to_string(config.join("policies/people.yaml")).unwrap();
    let people = [("secops", "secops", "C1"), ("netops", "noc", "C2"), ("endpoint", "endpoint", "C1")]
        .iter()
        .fold(people, |text, (team, mail, channel)| {
            let line = format!("{team}: {{ notifier: mail, to: [{mail}@example.com] }}");
            assert!(text.contains(&line), "{text}");
            text.replace(&line, &format!("{team}: {{ notifier: chat, to: [{channel}] }}"))
        });
    write("policies/people.yaml", &people);
}

async fn asked() -> (House, String) {
    let house = House::with(|config| {
        let write = |path: &str, text: &str| std::fs::write(config.join(path), text).unwrap();
        write("secrets/slack.signing", SECRET);
        write("secrets/slack.token", "xoxb-not-used-here");
        write(
            "connectors/chat.yaml",
            "notifiers:\n  - { name: chat, type: slack, url: 'http://127.0.0.1:9/api', workspace: T1,\n      token: { file: secrets/slack.token }, signing_secret: { file: secrets/slack.signing } }\n",
        );
        link_members(config);
    })
    .await;
    house.deliver("suricata", beacon().to_string()).await;
    house.until("/api/v1/approvals?pending=true", |v| v["pending"] == 1).await;
    let digest = house.get("/api/v1/approvals/APR-1").await["digest"].as_str().unwrap().to_owned();
    (house, digest)
}

pub(crate) fn sign(secret: &str, stamp: i64, body: &str) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("v0:{stamp}:{body}").as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
    format!("v0={hex}")
}

pub(crate) fn body(user: &str, button: &str, digest: &str) -> String {
    let value = json!({
        "type": "block_actions",
        "user": { "id": user, "name": "secops-lead", "team_id": "T1" }, "team": { "id": "T1" },
        "actions": [{ "action_id": button, "value": digest, "action_ts": "1" }],
    });
    encoded(&value)
}

fn encoded(value: &Value) -> String {
    let bytes = value.to_string().into_bytes();
    bytes.iter().fold("payload=".to_owned(), |text, b| format!("{text}%{b:02X}"))
}

async fn click(house: &House, stamp: i64, signature: &str, body: &str) -> Answer {
    let stamp = stamp.to_string();
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("x-slack-request-timestamp", stamp.as_str()),
        ("x-slack-signature", signature),
    ];
    house.send("/chat/slack", &headers, body.to_owned()).await
}

async fn nothing_counted(house: &House) {
    assert_eq!(house.get("/api/v1/approvals").await["pending"], 1);
    assert_eq!(house.get("/api/v1/blocks?all=true").await["blocks"], json!([]));
}

#[tokio::test]
async fn a_click_by_a_linked_approver_counts_once_whatever_is_replayed() {
    let (house, digest) = asked().await;
    let asked = house.get("/api/v1/approvals/APR-1").await["teams"][0].as_str().unwrap().to_owned();
    let member = if asked == "secops" { "U11" } else { "U22" };
    let (stamp, yes) = (seconds(), body(member, "stanch_approve", &digest));
    let good = click(&house, stamp, &sign(SECRET, stamp, &yes), &yes).await;
    assert_eq!(good.status, StatusCode::OK, "{}", good.text());
    house.until("/api/v1/blocks", |v| v["blocks"][0]["state"] == "in_force").await;
    for _ in 0..20 {
        let again = click(&house, stamp, &sign(SECRET, stamp, &yes), &yes).await;
        assert_eq!(again.status, StatusCode::OK);
        assert!(again.text().starts_with("Nothing was changed"), "{}", again.text());
    }
    let no = body(member, "stanch_deny", &digest);
    let late = click(&house, stamp, &sign(SECRET, stamp, &no), &no).await;
    assert!(late.text().starts_with("Nothing was changed"), "{}", late.text());
    assert_eq!(house.get("/api/v1/blocks?all=true").await["blocks"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn forged_old_foreign_and_tampered_clicks_never_count() {
    let (house, digest) = asked().await;
    let (stamp, yes) = (seconds(), body("U11", "stanch_approve", &digest));
    let good = sign(SECRET, stamp, &yes);
    for (what, stamp, signature, body) in [
        ("forged", stamp, sign("another secret", stamp, &yes), yes.clone()),
        ("no signature", stamp, String::new(), yes.clone()),
        ("version 1", stamp, good.replace("v0=", "v1="), yes.clone()),
        ("old", stamp - 301, sign(SECRET, stamp - 301, &yes), yes.clone()),
        ("from the future", stamp + 302, sign(SECRET, stamp + 302, &yes), yes.clone()),
        ("another time than signed", stamp - 1, good.clone(), yes.clone()),
        ("another body than signed", stamp, good.clone(), yes.replace("%55%31%31", "%55%32%32")),
        ("a byte more", stamp, good.clone(), format!("{yes} ")),
    ] {
        let answer = click(&house, stamp, &signature, &body).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}: {}", answer.text());
    }
    let signed = async |value: Value| {
        let body = encoded(&value);
        let answer = click(&house, stamp, &sign(SECRET, stamp, &body), &body).await;
        (answer.status, answer.text())
    };
    let base = json!({
        "type": "block_actions", "user": { "id": "U11", "team_id": "T1" }, "team": { "id": "T1" },
        "actions": [{ "action_id": "stanch_approve", "value": digest }],
    });
    let with = |change: fn(&mut Value)| {
        let mut value = base.clone();
        change(&mut value);
        value
    };
    // Signed by Slack and understood: who clicked is told why nothing came of it.
    for (what, change, words) in [
        ("nobody linked", (|v| v["user"]["id"] = "U99".into()) as fn(&mut Value), "not linked"),
        ("an analyst", |v| v["user"]["id"] = "U33".into(), "approver"),
        ("a name", |v| v["user"]["id"] = "secops-lead".into(), "not linked"),
        (
            "another workspace",
            |v| (v["team"]["id"], v["user"]["team_id"]) = ("T2".into(), "T2".into()),
            "workspace",
        ),
        (
            "another digest",
            |v| v["actions"][0]["value"] = "0".repeat(64).into(),
            "no question has this digest",
        ),
    ] {
        let (status, text) = signed(with(change)).await;
        assert_eq!(status, StatusCode::OK, "{what}: {text}");
        assert!(text.starts_with("Nothing was changed") && text.contains(words), "{what}: {text}");
    }
    // Signed by Slack, and no click of ours.
    for (what, change) in [
        ("a guest firm", (|v| v["user"]["team_id"] = "T2".into()) as fn(&mut Value)),
        ("a name instead of a digest", |v| v["actions"][0]["value"] = "APR-1".into()),
        ("no click", |v| v["type"] = "message_action".into()),
    ] {
        let (status, text) = signed(with(change)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{what}: {text}");
    }
    nothing_counted(&house).await;
}

/// Mail scanners and chats fetch every link they see, some with the reader's own session.
#[tokio::test]
async fn a_link_preview_never_answers_a_question() {
    let (house, digest) = asked().await;
    for verb in ["approve", "deny"] {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::PATCH, Method::DELETE]
        {
            for path in [
                format!("/api/v1/approvals/APR-1/{verb}"),
                format!("/api/v1/approvals/APR-1/{verb}?digest={digest}"),
                format!("/chat/slack?payload={digest}"),
                "/chat/slack".to_owned(),
            ] {
                for person in ["secops-lead", "netops-lead", "admin"] {
                    let answer = house.ask(person, method.clone(), &path, None).await;
                    assert!(answer.status.is_client_error(), "{method} {path}: {}", answer.status);
                }
                let request =
                    Request::builder().method(method.clone()).uri(&path).body(Body::empty()).unwrap();
                assert!(call(&house.app.router(), request).await.status.is_client_error(), "{method} {path}");
            }
        }
        // A form that another site posts has neither a token nor JSON.
        let path = format!("/api/v1/approvals/APR-1/{verb}");
        let headers =
            [("content-type", "application/x-www-form-urlencoded"), ("origin", "https://evil.example")];
        let answer = house.send(&path, &headers, format!("digest={digest}")).await;
        assert!(answer.status.is_client_error(), "{}", answer.status);
    }
    nothing_counted(&house).await;
}

/// A callback changed in one place, whichever: P-11 asks for 10,000 of them, which
/// `STANCH_ATTACK_CALLBACKS=10000` tries.
#[tokio::test]
async fn a_callback_that_was_changed_anywhere_never_counts() {
    let (house, digest) = asked().await;
    let (stamp, yes) = (seconds(), body("U11", "stanch_approve", &digest));
    let good = sign(SECRET, stamp, &yes);
    let many = std::env::var("STANCH_ATTACK_CALLBACKS").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000);
    let mut chance = 7u64;
    let mut below = |n: usize| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (chance >> 33) as usize % n
    };
    // Another character in one place, or one less, or one more.
    let mut changed = |text: &str| -> String {
        let mut bytes = text.as_bytes().to_vec();
        let at = below(bytes.len());
        match below(4) {
            0 => drop(bytes.remove(at)),
            1 => bytes.insert(at, b"0a%&=F"[below(6)]),
            _ => bytes[at] = if bytes[at] == b'5' { b'6' } else { b'5' },
        }
        String::from_utf8(bytes).unwrap()
    };
    for n in 0..many {
        let (stamp, signature, body) = match n % 4 {
            0 => (stamp, changed(&good), yes.clone()),
            1 => (stamp + 1 + n % 200, good.clone(), yes.clone()),
            _ => (stamp, good.clone(), changed(&yes)),
        };
        // An inserted character can be the one that stood there: then nothing was changed.
        if n % 4 != 1 && signature == good && body == yes {
            continue;
        }
        let answer = click(&house, stamp, &signature, &body).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{stamp} {signature} {body}: {}", answer.text());
    }
    nothing_counted(&house).await;
}
