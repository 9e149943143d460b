//! Whoever saved a playbook, or began its run, does not count when it asks: in the console, by a token, on the
//! command line and in a chat alike; and where somebody is alone, Stanch stays usable.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::chat::sign;
use crate::house::{Answer, House, beacon, call, seconds};

const SIGNING: &str = "8f742231b10e8888abcd99yyyzzz85a5";

/// Asks before it blocks; begins only when somebody begins it.
const PLAN: &str = "name: by-hand\nsummary: Blocks when somebody says so\non: called\ninputs:\n  address: { type: address }\nsteps:\n  - id: block\n    block_address: { target: inputs.address, ttl: 1h, approvers: [secops], expires: 15m }\n  - { id: check, verify: all }\n  - { id: hold, wait: lifted }\nsop: Nothing.\n";

/// Everybody may do everything: administrators of the team that is asked.
const STAFF: [&str; 4] = ["writer", "starter", "other", "second"];

/// By what somebody answers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Console,
    ApiToken,
    CommandLine,
    Chat,
}

const WAYS: [Way; 4] = [Way::Console, Way::ApiToken, Way::CommandLine, Way::Chat];

fn furnish(config: &std::path::Path, staff: &[&str], policy: &str) {
    let write = |path: &str, text: &str| std::fs::write(config.join(path), text).unwrap();
    std::fs::remove_file(config.join("playbooks/c2-beacon.yaml")).unwrap();
    write("secrets/slack.signing", SIGNING);
    write("secrets/slack.token", "xoxb-not-used-here");
    write(
        "connectors/chat.yaml",
        "notifiers:\n  - { name: chat, type: slack, url: 'http://127.0.0.1:9/api', workspace: T1,\n      token: { file: secrets/slack.token }, signing_secret: { file: secrets/slack.signing } }\n",
    );
    let people = std::fs::read_to_string(config.join("policies/people.yaml")).unwrap();
    // Nobody but these.
    let mut people = people.split("\npeople:\n").next().unwrap().to_owned() + "\npeople:\n";
    for (n, name) in staff.iter().enumerate() {
        people += &format!(
            "  {name}:\n    token: {{ file: secrets/{name}.token }}\n    slack: U{n}{n}\n    teams: [secops]\n    role: admin\n"
        );
        write(&format!("secrets/{name}.token"), &House::secret(&format!("{name}.token")));
    }
    people += "  watcher:\n    token: { file: secrets/watcher.token }\n    role: viewer\n";
    write("policies/people.yaml", &people);
    let containment = std::fs::read_to_string(config.join("policies/containment.yaml")).unwrap();
    write("policies/containment.yaml", &(containment + policy));
}

/// The plan saved by the writer, an incident, and a run of it begun by hand.
async fn asked(staff: &[&str], policy: &str, starter: &str) -> (House, Value) {
    let house = House::with(|config| furnish(config, staff, policy)).await;
    let text = json!({ "text": PLAN, "base": "" });
    let saved = house.ask("writer", Method::PUT, "/api/v1/playbooks/by-hand", Some(text)).await;
    assert_eq!(saved.status, StatusCode::OK, "{}", saved.text());
    let question = begun(&house, starter, 1).await;
    (house, question)
}

async fn begun(house: &House, starter: &str, n: u64) -> Value {
    house.deliver("suricata", beacon().to_string()).await;
    house.until("/api/v1/incidents", |v| v["incidents"][0]["id"] == "INC-1").await;
    let body = json!({ "playbook": "by-hand", "incident": "INC-1", "inputs": { "address": "203.0.113.9" } });
    let run = house.post(starter, "/api/v1/runs", body).await;
    assert_eq!(run.status, StatusCode::OK, "{}", run.text());
    let id = format!("APR-{n}");
    house.until("/api/v1/approvals?pending=true", |v| v["approvals"][0]["id"] == json!(id)).await;
    house.get(&format!("/api/v1/approvals/{id}")).await
}

/// An answer to the first question, given by this person in this way.
async fn answers(house: &House, who: &str, way: Way, verb: &str, digest: &Value) -> Answer {
    let path = format!("/api/v1/approvals/APR-1/{verb}");
    let body = json!({ "digest": digest });
    match way {
        Way::CommandLine => house.post(who, &path, body).await,
        Way::ApiToken => {
            let wanted = json!({ "name": "phone", "role": "approver", "lasts": "1h" });
            let made = house.post(who, "/api/v1/tokens", wanted).await.json();
            let token = format!("Bearer {}", made["token"].as_str().unwrap());
            let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
            house.send(&path, &headers, body.to_string()).await
        }
        Way::Console => {
            let ours = [("x-stanch-console", "1"), ("host", "localhost"), ("origin", "http://localhost")];
            let token = format!("Bearer {}", House::secret(&format!("{who}.token")));
            let mut request = Request::post("/api/v1/session").header("authorization", token);
            for (name, value) in ours {
                request = request.header(name, value);
            }
            let opened = call(&house.app.router(), request.body(Body::empty()).unwrap()).await;
            assert_eq!(opened.status, StatusCode::OK, "{}", opened.text());
            let cookie = opened.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
            let mut headers = ours.to_vec();
            headers.extend([("cookie", cookie.as_str()), ("content-type", "application/json")]);
            house.send(&path, &headers, body.to_string()).await
        }
        Way::Chat => {
            let member = STAFF.iter().position(|p| *p == who).map(|n| format!("U{n}{n}")).unwrap();
            let button = if verb == "approve" { "stanch_approve" } else { "stanch_deny" };
            let click = crate::chat::body(&member, button, digest.as_str().unwrap());
            let (stamp, signature) = (seconds(), sign(SIGNING, seconds(), &click));
            let stamp = stamp.to_string();
            let headers = [
                ("content-type", "application/x-www-form-urlencoded"),
                ("x-slack-request-timestamp", stamp.as_str()),
                ("x-slack-signature", signature.as_str()),
            ];
            house.send("/chat/slack", &headers, click).await
        }
    }
}

/// Refused with words that say why, and who may instead; nothing has counted.
async fn refused(house: &House, who: &str, way: Way, digest: &Value, why: &str) {
    let at = format!("{who} by {way:?}");
    let answer = answers(house, who, way, "approve", digest).await;
    let said = answer.text();
    // A chat is answered in words; whoever clicked reads them there.
    assert!(way == Way::Chat || answer.status == StatusCode::FORBIDDEN, "{at}: {} {said}", answer.status);
    assert!(said.contains(why) && said.contains("may say yes instead"), "{at}: {said}");
    let stands = house.get("/api/v1/approvals/APR-1").await;
    assert_eq!((&stands["state"], &stands["yes"]), (&json!("pending"), &json!([])), "{at}");
}

#[tokio::test]
async fn of_author_requester_and_others_only_others_count_by_whatever_they_come_in() {
    for policy in ["", "two_people_for: [block_address]\n"] {
        for way in WAYS {
            let (house, question) = asked(&STAFF, policy, "starter").await;
            let digest = &question["digest"];
            assert_eq!(
                question["parties"],
                json!([
                    { "person": "starter", "why": "began RUN-1", "counts": false },
                    { "person": "writer", "why": "saved playbook by-hand", "counts": false },
                ])
            );
            assert_eq!(question["may_say_yes"], json!(["other", "second"]));
            let shown = question["shown"].as_str().unwrap();
            assert!(shown.contains("\ndoes not count: writer, who saved playbook by-hand\n"), "{shown}");
            refused(&house, "writer", way, digest, "writer saved playbook by-hand").await;
            refused(&house, "starter", way, digest, "starter began RUN-1").await;
            let at = format!("{policy:?} {way:?}");
            let first = answers(&house, "other", way, "approve", digest).await;
            assert_eq!(first.status, StatusCode::OK, "{at}: {}", first.text());
            if !policy.is_empty() {
                let stands = house.get("/api/v1/approvals/APR-1").await;
                assert_eq!(
                    (&stands["state"], &stands["yes"]),
                    (&json!("pending"), &json!(["other"])),
                    "{at}"
                );
                assert_eq!(stands["may_say_yes"], json!(["second"]), "{at}");
                // Neither another way in nor the author makes two of one.
                for (who, by) in WAYS.iter().flat_map(|by| [("other", by), ("writer", by), ("starter", by)]) {
                    answers(&house, who, *by, "approve", digest).await;
                }
                assert_eq!(house.get("/api/v1/approvals/APR-1").await["yes"], json!(["other"]), "{at}");
                let second = answers(&house, "second", way, "approve", digest).await;
                assert_eq!(second.status, StatusCode::OK, "{at}: {}", second.text());
            }
            house.until("/api/v1/blocks", |v| v["blocks"][0]["state"] == "in_force").await;
        }
    }
}

#[tokio::test]
async fn a_no_of_the_author_counts_as_anybodys() {
    for (who, way) in [("writer", Way::Console), ("starter", Way::Chat)] {
        let (house, question) = asked(&STAFF, "", "starter").await;
        let no = answers(&house, who, way, "deny", &question["digest"]).await;
        assert_eq!(no.status, StatusCode::OK, "{}", no.text());
        assert_eq!(house.get("/api/v1/approvals/APR-1").await["state"], "denied");
    }
}

#[tokio::test]
async fn it_is_explained_before_anybody_clicks_and_still_known_after_a_restart() {
    let (house, question) = asked(&STAFF, "", "starter").await;
    let house = house.again().await;
    for (who, verb, allowed, why) in [
        (
            "writer",
            "approve",
            false,
            "saved playbook by-hand, so their yes does not count; other, second may say yes instead",
        ),
        ("starter", "approve", false, "began RUN-1, so their yes does not count"),
        ("writer", "deny", true, "their no counts, and a yes would not"),
        ("other", "approve", true, "one of them is theirs"),
    ] {
        let path = format!("/api/v1/authz/explain?who={who}&method=post&path=/api/v1/approvals/APR-1/{verb}");
        let said = house.ask("second", Method::GET, &path, None).await.json();
        assert_eq!(said["allowed"], json!(allowed), "{who} {verb}: {said}");
        assert!(said["because"].to_string().contains(why), "{who} {verb}: {said}");
    }
    refused(&house, "writer", Way::CommandLine, &question["digest"], "saved playbook by-hand").await;
}

#[tokio::test]
async fn who_changed_it_last_counts_for_the_version_that_runs_and_by_hand_it_is_whoever_saved_it_before() {
    let (house, first) = asked(&STAFF, "", "starter").await;
    // While the first version asks, somebody else saves a second one: that makes them the author of that one.
    let text = json!({ "text": PLAN.replace("ttl: 1h", "ttl: 2h"), "base": first["playbook_hash"] });
    let saved = house.ask("second", Method::PUT, "/api/v1/playbooks/by-hand", Some(text)).await;
    assert_eq!(saved.status, StatusCode::OK, "{}", saved.text());
    refused(&house, "writer", Way::CommandLine, &first["digest"], "saved playbook by-hand").await;
    let no = answers(&house, "second", Way::CommandLine, "deny", &first["digest"]).await;
    assert_eq!(no.status, StatusCode::OK);
    let question = begun(&house, "starter", 2).await;
    assert_eq!(question["may_say_yes"], json!(["other", "writer"]));
    // A line changed by hand has no known author, and does not take the last known one away.
    let no =
        house.post("other", "/api/v1/approvals/APR-2/deny", json!({ "digest": question["digest"] })).await;
    assert_eq!(no.status, StatusCode::OK);
    let file = house.config().join("playbooks/by-hand.yaml");
    std::fs::write(&file, PLAN.replace("ttl: 1h", "ttl: 3h")).unwrap();
    assert_eq!(house.ask("other", Method::POST, "/api/v1/admin/reload", None).await.status, StatusCode::OK);
    let question = begun(&house, "starter", 3).await;
    assert_eq!(question["may_say_yes"], json!(["other", "writer"]), "{}", question["parties"]);
}

#[tokio::test]
async fn one_person_alone_can_answer_unless_the_policy_says_never_and_everybody_where_it_says_so() {
    let (house, question) = asked(&["writer"], "", "writer").await;
    let shown = question["shown"].as_str().unwrap();
    assert!(
        shown.contains("\nmay answer all the same: writer, who saved playbook by-hand and began RUN-1\n"),
        "{shown}"
    );
    assert_eq!(
        answers(&house, "writer", Way::Console, "approve", &question["digest"]).await.status,
        StatusCode::OK
    );
    house.until("/api/v1/blocks", |v| v["blocks"][0]["state"] == "in_force").await;

    let (house, question) = asked(&["writer"], "self_approval: never\n", "writer").await;
    assert_eq!(question["may_say_yes"], json!([]));
    let answer = answers(&house, "writer", Way::CommandLine, "approve", &question["digest"]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let said = answer.text();
    assert!(said.contains("put another approver into secops") && said.contains("self_approval"), "{said}");

    let (house, question) = asked(&STAFF, "self_approval: allowed\n", "writer").await;
    assert_eq!(question["parties"][0]["counts"], json!(true));
    assert_eq!(
        answers(&house, "writer", Way::Chat, "approve", &question["digest"]).await.status,
        StatusCode::OK
    );
    house.until("/api/v1/blocks", |v| v["blocks"][0]["state"] == "in_force").await;
}

#[tokio::test]
async fn an_author_begins_a_containment_by_hand_and_others_answer_it_whatever_they_become_meanwhile() {
    let house = House::with(|config| {
        furnish(config, &["other", "second"], "");
        let people = config.join("policies/people.yaml");
        let text = std::fs::read_to_string(&people).unwrap();
        let author =
            "  author:\n    token: { file: secrets/author.token }\n    teams: [secops]\n    role: author\n";
        std::fs::write(people, text + author).unwrap();
        std::fs::write(config.join("secrets/author.token"), House::secret("author.token")).unwrap();
    })
    .await;
    let text = json!({ "text": PLAN, "base": "" });
    // Whoever may only look neither writes nor begins; an author does both.
    assert_eq!(
        house.ask("watcher", Method::PUT, "/api/v1/playbooks/by-hand", Some(text.clone())).await.status,
        StatusCode::FORBIDDEN
    );
    let saved = house.ask("author", Method::PUT, "/api/v1/playbooks/by-hand", Some(text)).await;
    assert_eq!(saved.status, StatusCode::OK, "{}", saved.text());
    let nothing =
        json!({ "playbook": "by-hand", "incident": "INC-1", "inputs": { "address": "203.0.113.9" } });
    assert_eq!(house.post("watcher", "/api/v1/runs", nothing).await.status, StatusCode::FORBIDDEN);
    let question = begun(&house, "author", 1).await;
    let part =
        json!([{ "person": "author", "why": "saved playbook by-hand and began RUN-1", "counts": false }]);
    assert_eq!((&question["parties"], &question["asked_by"]), (&part, &json!("author")));
    assert_eq!(question["may_say_yes"], json!(["other", "second"]));
    assert_eq!(house.get("/api/v1/runs/RUN-1").await["by"], "author");
    let digest = &question["digest"];
    for verb in ["approve", "deny"] {
        let answer = answers(&house, "author", Way::CommandLine, verb, digest).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{verb}: {}", answer.text());
        assert!(answer.text().contains("needs the role approver"), "{}", answer.text());
    }
    // Made an approver while it waits: it is still their own plan.
    let people = house.config().join("policies/people.yaml");
    let text = std::fs::read_to_string(&people).unwrap();
    std::fs::write(&people, text.replace("role: author", "role: admin")).unwrap();
    assert_eq!(house.ask("other", Method::POST, "/api/v1/admin/reload", None).await.status, StatusCode::OK);
    refused(&house, "author", Way::CommandLine, digest, "author saved playbook by-hand and began RUN-1")
        .await;
    let yes = answers(&house, "other", Way::CommandLine, "approve", digest).await;
    assert_eq!(yes.status, StatusCode::OK, "{}", yes.text());
    house.until("/api/v1/blocks", |v| v["blocks"][0]["state"] == "in_force").await;
    // A later end is a question of its own, and the author has the same part in it, whoever asks.
    let later = house
        .post("second", "/api/v1/blocks/ACT-1/renew", json!({ "ttl_ms": 7_200_000, "reason": "still there" }))
        .await;
    assert_eq!(later.status, StatusCode::OK, "{}", later.text());
    house.until("/api/v1/approvals?pending=true", |v| v["approvals"][0]["id"] == "APR-2").await;
    let renewal = house.get("/api/v1/approvals/APR-2").await;
    assert_eq!(renewal["may_say_yes"], json!(["other"]), "{}", renewal["parties"]);
}
