//! Fresh proofs: a yes to what may hurt much takes a proof that it is the person, for this question, from this
//! session, not old, and once.

use axum::http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};

use crate::chat::{link_members, sign};
use crate::house::{Answer, House, beacon, seconds};
use crate::identity::{PASSWORD, cookie, invited, page, sign_in, welcome};

const APPROVE: &str = "/api/v1/approvals/APR-1/approve";
const PROOF: &str = "/api/v1/approvals/APR-1/proof";
const SIGNING: &str = "8f742231b10e8888abcd99yyyzzz85a5";

/// A question that takes a proof, with this policy beside it.
async fn asked(policy: &str) -> (House, Value) {
    let house = House::with(|config| {
        let file = config.join("policies/containment.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, format!("{text}{policy}")).unwrap();
        std::fs::write(config.join("secrets/slack.signing"), SIGNING).unwrap();
        std::fs::write(config.join("secrets/slack.token"), "xoxb-not-used-here").unwrap();
        std::fs::write(
            config.join("connectors/chat.yaml"),
            "notifiers:\n  - { name: chat, type: slack, url: 'http://127.0.0.1:9/api', workspace: T1, console: 'https://stanch.example.com',\n      token: { file: secrets/slack.token }, signing_secret: { file: secrets/slack.signing } }\n",
        )
        .unwrap();
        link_members(config);
    })
    .await;
    for name in ["maria", "jon"] {
        let link = invited(&house, name, "approver").await;
        assert_eq!(welcome(&house, &link, PASSWORD).await.status, StatusCode::OK);
    }
    house.deliver("suricata", beacon().to_string()).await;
    house.until("/api/v1/approvals?pending=true", |v| v["pending"] == 1).await;
    let question = house.get("/api/v1/approvals/APR-1").await;
    (house, question["digest"].clone())
}

const HIGH: &str = "fresh_proof_for: [block_address]\n";

async fn session(house: &House, name: &str) -> String {
    let came = sign_in(house, name, PASSWORD).await;
    assert_eq!(came.status, StatusCode::OK, "{}", came.text());
    cookie(&came.headers)
}

async fn post(house: &House, session: &str, path: &str, body: Value) -> Answer {
    page(house, Method::POST, path, Some(session), body).await
}

fn unproved(answer: &Answer) {
    assert_eq!(
        (answer.status, &answer.json()["error"]["code"]),
        (StatusCode::FORBIDDEN, &json!("ST0426")),
        "{}",
        answer.text()
    );
}

async fn pending(house: &House) {
    let stands = house.get("/api/v1/approvals/APR-1").await;
    assert_eq!((&stands["state"], &stands["yes"]), (&json!("pending"), &json!([])));
    assert_eq!(house.get("/api/v1/blocks?all=true").await["blocks"], json!([]));
}

async fn in_force(house: &House) {
    house.until("/api/v1/blocks", |v| v["blocks"][0]["state"] == "in_force").await;
}

#[tokio::test]
async fn a_yes_takes_the_password_again_and_a_wrong_one_approves_nothing() {
    let (house, digest) = asked(HIGH).await;
    let maria = session(&house, "maria").await;
    let seen = page(&house, Method::GET, "/api/v1/approvals/APR-1", Some(&maria), Value::Null).await.json();
    let fresh = json!({ "within_ms": 300_000, "within": "5m", "ways": ["password"], "proved": false });
    assert_eq!(seen["fresh"], fresh);
    unproved(&post(&house, &maria, APPROVE, json!({ "digest": digest })).await);
    for wrong in ["not her words at all", "", "   ", "a-secret"] {
        unproved(&post(&house, &maria, PROOF, json!({ "digest": digest, "password": wrong })).await);
        unproved(&post(&house, &maria, APPROVE, json!({ "digest": digest })).await);
    }
    for body in [json!({ "digest": digest }), json!({ "digest": digest, "password": PASSWORD, "token": "x" })]
    {
        assert_eq!(post(&house, &maria, PROOF, body).await.status, StatusCode::BAD_REQUEST);
    }
    pending(&house).await;
    let proved = post(&house, &maria, PROOF, json!({ "digest": digest, "password": PASSWORD })).await;
    assert_eq!(
        (proved.status, &proved.json()["how"]),
        (StatusCode::OK, &json!("password")),
        "{}",
        proved.text()
    );
    let seen = page(&house, Method::GET, "/api/v1/approvals/APR-1", Some(&maria), Value::Null).await.json();
    assert_eq!(seen["fresh"]["proved"], json!(true));
    let yes = post(&house, &maria, APPROVE, json!({ "digest": digest })).await;
    assert_eq!(yes.status, StatusCode::OK, "{}", yes.text());
    in_force(&house).await;
    let journal = house.ask("admin", Method::GET, "/api/v1/journal?limit=1000", None).await.text();
    assert!(!journal.contains(PASSWORD));
}

#[tokio::test]
async fn a_proof_is_of_no_use_to_another_session_another_person_a_token_or_another_question() {
    let (house, digest) = asked(HIGH).await;
    let (maria, elsewhere) = (session(&house, "maria").await, session(&house, "maria").await);
    let jon = session(&house, "jon").await;
    let other = json!("0".repeat(64));
    let wrong = post(&house, &maria, PROOF, json!({ "digest": other, "password": PASSWORD })).await;
    assert_eq!(wrong.status, StatusCode::CONFLICT, "{}", wrong.text());
    unproved(&post(&house, &maria, APPROVE, json!({ "digest": digest })).await);
    let proved = post(&house, &maria, PROOF, json!({ "digest": digest, "password": PASSWORD })).await;
    assert_eq!(proved.status, StatusCode::OK);
    for session in [&elsewhere, &jon] {
        unproved(&post(&house, session, APPROVE, json!({ "digest": digest })).await);
    }
    let made =
        post(&house, &maria, "/api/v1/tokens", json!({ "name": "phone", "role": "approver", "lasts": "1h" }))
            .await;
    let token = format!("Bearer {}", made.json()["token"].as_str().unwrap());
    let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
    unproved(&house.send(APPROVE, &headers, json!({ "digest": digest }).to_string()).await);
    pending(&house).await;
    // The other way round: what a token and a password prove is of no use to the session.
    let (house, digest) = asked(HIGH).await;
    let maria = session(&house, "maria").await;
    let made =
        post(&house, &maria, "/api/v1/tokens", json!({ "name": "phone", "role": "approver", "lasts": "1h" }))
            .await;
    let token = format!("Bearer {}", made.json()["token"].as_str().unwrap());
    let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
    let body = json!({ "digest": digest, "password": PASSWORD });
    assert_eq!(house.send(PROOF, &headers, body.to_string()).await.status, StatusCode::OK);
    unproved(&post(&house, &maria, APPROVE, json!({ "digest": digest })).await);
    pending(&house).await;
    let yes = house.send(APPROVE, &headers, json!({ "digest": digest }).to_string()).await;
    assert_eq!(yes.status, StatusCode::OK, "{}", yes.text());
}

#[tokio::test]
async fn a_proof_is_used_once_grows_old_and_is_forgotten_by_signing_out_and_by_a_restart() {
    let (house, digest) = asked(HIGH).await;
    let maria = session(&house, "maria").await;
    let prove = async |house: &House, session: &str| {
        let body = json!({ "digest": digest, "password": PASSWORD });
        assert_eq!(post(house, session, PROOF, body).await.status, StatusCode::OK);
    };
    prove(&house, &maria).await;
    house.forward(301);
    unproved(&post(&house, &maria, APPROVE, json!({ "digest": digest })).await);
    // Used up by that: a clock that is set back does not make it good again.
    house.forward(-301);
    unproved(&post(&house, &maria, APPROVE, json!({ "digest": digest })).await);
    prove(&house, &maria).await;
    page(&house, Method::DELETE, "/api/v1/session", Some(&maria), Value::Null).await;
    let maria = session(&house, "maria").await;
    unproved(&post(&house, &maria, APPROVE, json!({ "digest": digest })).await);
    prove(&house, &maria).await;
    let house = house.again().await;
    let maria = session(&house, "maria").await;
    unproved(&post(&house, &maria, APPROVE, json!({ "digest": digest })).await);
    pending(&house).await;
    prove(&house, &maria).await;
    assert_eq!(post(&house, &maria, APPROVE, json!({ "digest": digest })).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_click_and_a_token_in_a_file_prove_nothing_and_are_told_where_to_answer() {
    let (house, digest) = asked(HIGH).await;
    let click = crate::chat::body("U11", "stanch_approve", digest.as_str().unwrap());
    let (stamp, signature) = (seconds().to_string(), sign(SIGNING, seconds(), &click));
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("x-slack-request-timestamp", stamp.as_str()),
        ("x-slack-signature", signature.as_str()),
    ];
    let told = house.send("/chat/slack", &headers, click).await.text();
    assert!(
        told.contains("Nothing was changed") && told.contains("https://stanch.example.com/approvals/APR-1"),
        "{told}"
    );
    unproved(&house.post("secops-lead", APPROVE, json!({ "digest": digest })).await);
    let token = House::secret("secops-lead.token");
    unproved(&house.post("secops-lead", PROOF, json!({ "digest": digest, "token": token })).await);
    unproved(&house.post("secops-lead", PROOF, json!({ "digest": digest, "password": PASSWORD })).await);
    pending(&house).await;
    // A no needs none, from anywhere.
    let no = house.post("secops-lead", "/api/v1/approvals/APR-1/deny", json!({ "digest": digest })).await;
    assert_eq!(no.status, StatusCode::OK, "{}", no.text());
}

/// A session that was opened with the token of the file.
async fn by_token(house: &House, person: &str) -> String {
    let token = format!("Bearer {}", House::secret(&format!("{person}.token")));
    let headers = [
        ("authorization", token.as_str()),
        ("host", "localhost"),
        ("origin", "http://localhost"),
        ("x-stanch-console", "1"),
    ];
    let opened = house.send("/api/v1/session", &headers, "").await;
    assert_eq!(opened.status, StatusCode::OK, "{}", opened.text());
    let all: &HeaderMap = &opened.headers;
    cookie(all)
}

#[tokio::test]
async fn a_session_by_token_shows_the_token_again_and_where_it_is_critical_two_people_prove_themselves() {
    let (house, digest) = asked("fresh_proof_for: [block_address]\ntwo_people_for: [block_address]\n").await;
    let (lead, maria) = (by_token(&house, "secops-lead").await, session(&house, "maria").await);
    let other = House::secret("netops-lead.token");
    unproved(&post(&house, &lead, PROOF, json!({ "digest": digest, "token": other })).await);
    let own = House::secret("secops-lead.token");
    assert_eq!(
        post(&house, &lead, PROOF, json!({ "digest": digest, "token": own })).await.status,
        StatusCode::OK
    );
    assert_eq!(post(&house, &lead, APPROVE, json!({ "digest": digest })).await.status, StatusCode::OK);
    unproved(&post(&house, &maria, APPROVE, json!({ "digest": digest })).await);
    let stands = house.get("/api/v1/approvals/APR-1").await;
    assert_eq!((&stands["state"], &stands["yes"]), (&json!("pending"), &json!(["secops-lead"])));
    let body = json!({ "digest": digest, "password": PASSWORD });
    assert_eq!(post(&house, &maria, PROOF, body).await.status, StatusCode::OK);
    assert_eq!(post(&house, &maria, APPROVE, json!({ "digest": digest })).await.status, StatusCode::OK);
    in_force(&house).await;
    let house = house.again().await;
    in_force(&house).await;
}

#[tokio::test]
async fn it_is_asked_by_radius_too_and_nothing_is_asked_where_the_policy_does_not() {
    let (house, digest) = asked("").await;
    let question = house.get("/api/v1/approvals/APR-1").await;
    assert_eq!(question["fresh"], Value::Null);
    let wrong = house.post("secops-lead", PROOF, json!({ "digest": digest, "password": "x" })).await;
    assert_eq!(wrong.status, StatusCode::CONFLICT, "{}", wrong.text());
    assert_eq!(house.post("secops-lead", APPROVE, json!({ "digest": digest })).await.status, StatusCode::OK);
    let (house, digest) = asked("fresh_proof_when_high: true\n").await;
    let question = house.get("/api/v1/approvals/APR-1").await;
    let high = question["blast_radius"] == "high";
    assert_eq!(question["fresh"].is_object(), high, "{question}");
    let answer = house.post("secops-lead", APPROVE, json!({ "digest": digest })).await;
    assert_eq!(answer.status == StatusCode::OK, !high, "{}", answer.text());
}
