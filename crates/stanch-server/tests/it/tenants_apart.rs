//! Two tenants that hold the same things under the same names: nothing that one has is told, kept, signed or
//! done for the other.
//!
//! Both got the same alerts and have the same people, so that every id of one exists at the other too: a
//! mix-up would answer, not fail.

use std::collections::BTreeMap;
use std::path::Path;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use futures::StreamExt as _;
use serde_json::{Value, json};
use stanch_server::tenants::Tenants;
use tower::ServiceExt as _;

use crate::chat::{body as button, link_members, sign};
use crate::house::{Answer, PATIENCE, beacon, call, seconds};
use crate::people::concrete;
use crate::tenants::{A, B, bearer, furnished, secret};
use crate::webhooks::receiver;

/// Two tenants with a beacon each, about which a question waits.
struct Pair {
    dir: tempfile::TempDir,
    tenants: Tenants,
}

/// A word that only one of the two may ever say.
fn mark(tenant: &str) -> &'static str {
    if tenant == A { "only-alpha-7d1c" } else { "only-bravo-4e9f" }
}

fn slack(root: &Path, tenant: &str) {
    let config = root.join(tenant).join("config");
    let chat = "notifiers:\n  - { name: chat, type: slack, url: 'http://127.0.0.1:9/api', workspace: T1,\n      token: { file: secrets/slack.token }, signing_secret: { file: secrets/slack.signing } }\n";
    std::fs::write(config.join("connectors/chat.yaml"), chat).unwrap();
    std::fs::write(config.join("secrets/slack.token"), "xoxb-not-used-here").unwrap();
    std::fs::write(config.join("secrets/slack.signing"), secret(tenant, "slack.signing")).unwrap();
    link_members(&config);
}

fn alert_of(tenant: &str) -> Value {
    let mut alert = beacon();
    alert["alert"]["signature"] = json!(format!("ET MALWARE {} beacon", mark(tenant)));
    alert["http"] = json!({ "hostname": format!("{}.example.net", mark(tenant)), "url": "/x" });
    alert
}

impl Pair {
    async fn new() -> Pair {
        let dir = tempfile::tempdir().unwrap();
        for tenant in [A, B] {
            furnished(dir.path(), tenant);
            slack(dir.path(), tenant);
        }
        let tenants = Tenants::start(dir.path(), Some("127.0.0.1:0".parse().unwrap())).await;
        let pair = Pair { dir, tenants: tenants.unwrap_or_else(|e| panic!("{e:?}")) };
        for tenant in [A, B] {
            let taken = pair.as_who(tenant, "suricata", Method::POST, "/in/suricata", alert_of(tenant)).await;
            assert_eq!(taken.status, StatusCode::ACCEPTED);
            pair.until(tenant, "/api/v1/approvals?pending=true", |v| v["pending"] == 1).await;
        }
        pair
    }

    async fn send(
        &self,
        tenant: &str,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", tenant);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        call(&self.tenants.router(), request.body(Body::from(body)).unwrap()).await
    }

    async fn as_who(&self, tenant: &str, who: &str, method: Method, path: &str, body: Value) -> Answer {
        let token = bearer(&secret(tenant, &format!("{who}.token")));
        let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.send(tenant, method, path, &headers, text).await
    }

    async fn post(&self, tenant: &str, who: &str, path: &str, body: Value) -> Answer {
        self.as_who(tenant, who, Method::POST, path, body).await
    }

    async fn get(&self, tenant: &str, path: &str) -> Answer {
        self.as_who(tenant, "the-admin", Method::GET, path, Value::Null).await
    }

    async fn until(&self, tenant: &str, path: &str, seen: impl Fn(&Value) -> bool) -> Value {
        let begun = std::time::Instant::now();
        loop {
            let value = self.get(tenant, path).await.json();
            if seen(&value) {
                return value;
            }
            assert!(begun.elapsed() < PATIENCE, "{tenant}{path} never showed it: {value:#}");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    /// Everything that bears the tenant's mark, beside its alert.
    async fn marked(&self, tenant: &str) {
        let m = mark(tenant);
        let done = [
            ("/api/v1/incidents/INC-1/note", json!({ "text": format!("{m} note") })),
            ("/api/v1/silences", json!({ "matchers": ["ip=198.51.100.7/32"], "for": "2h", "comment": m })),
            ("/api/v1/people", json!({ "name": m, "role": "viewer" })),
            ("/api/v1/tokens", json!({ "name": format!("{m} token"), "role": "viewer", "lasts": "1h" })),
            ("/api/v1/queue/filters", json!({ "name": m, "search": "" })),
        ];
        for (path, body) in done {
            let answer = self.post(tenant, "the-admin", path, body).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        }
        let kept = json!({ "value": format!("whsec_{m}"), "connector": "x", "hosts": ["127.0.0.1:9"] });
        let put = self.as_who(tenant, "the-admin", Method::PUT, &format!("/api/v1/secrets/{m}"), kept).await;
        assert_eq!(put.status, StatusCode::OK, "{}", put.text());
        let hook = json!({ "url": format!("http://127.0.0.1:9/{m}"), "events": ["incident.acknowledged"] });
        let made = self.post(tenant, "the-admin", "/api/v1/webhooks", hook).await;
        assert_eq!(made.status, StatusCode::OK, "{}", made.text());
        let broken = self.as_who(tenant, "suricata", Method::POST, "/in/suricata", json!([m])).await;
        assert!(broken.status.is_success() || broken.status.is_client_error(), "{}", broken.text());
    }
}

/// Every address that answers to looking: those of the description, and every form of every export.
async fn looks(pair: &Pair, tenant: &str) -> Vec<String> {
    let api = pair.get(tenant, "/api/v1/openapi.json").await.json();
    let paths = api["paths"].as_object().unwrap().iter();
    let mut all: Vec<String> = paths
        .filter(|(path, item)| item.get("get").is_some() && !path.ends_with("/events"))
        .map(|(path, _)| concrete(path))
        .collect();
    for format in ["json", "csv", "ocsf", "stix", "markdown", "pdf"] {
        all.push(format!("/api/v1/incidents/INC-1/export?format={format}"));
        all.push(format!("/api/v1/export/queue?format={format}"));
    }
    all.extend(
        ["/api/v1/journal?limit=500", "/api/v1/audit?limit=500", "/api/v1/silences?all=true"]
            .map(str::to_owned),
    );
    all
}

#[tokio::test]
async fn no_page_list_export_or_number_of_one_tenant_says_a_word_of_another() {
    let pair = Pair::new().await;
    pair.marked(A).await;
    pair.marked(B).await;
    let mut own: BTreeMap<&str, usize> = BTreeMap::new();
    for (tenant, other) in [(A, B), (B, A)] {
        let (good, foreign) = (mark(tenant).as_bytes(), mark(other).as_bytes());
        for path in looks(&pair, tenant).await {
            let said = pair.get(tenant, &path).await.bytes;
            let has = |needle: &[u8]| said.windows(needle.len()).any(|w| w == needle);
            assert!(!has(foreign), "{tenant}{path} tells of {other}");
            assert!(!has(other.as_bytes()), "{tenant}{path} names {other}");
            if has(good) {
                *own.entry(tenant).or_default() += 1;
            }
        }
        // What lies on disk, too: journal, bulk, audit, accounts, secrets, answers that are kept.
        for (name, bytes) in files(&pair.dir.path().join(tenant).join("data")) {
            let has = |needle: &[u8]| bytes.windows(needle.len()).any(|w| w == needle);
            assert!(!has(foreign), "{tenant}: {name} holds something of {other}");
        }
    }
    assert!(own.values().all(|n| *n >= 15) && own.len() == 2, "the search finds what is there: {own:?}");
    for tenant in [A, B] {
        let checked = pair.post(tenant, "the-admin", "/api/v1/audit/verify", json!({})).await;
        assert_eq!(checked.status, StatusCode::OK, "{}", checked.text());
        assert_eq!(checked.json()["ok"], true, "each audit holds by itself: {}", checked.text());
    }
    pair.tenants.stop().await;
}

fn files(at: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(at).unwrap().flatten().map(|e| e.path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|p| p.is_dir());
    let mut all: Vec<_> =
        files.into_iter().map(|p| (p.display().to_string(), std::fs::read(&p).unwrap())).collect();
    all.extend(folders.iter().flat_map(|f| self::files(f)));
    all
}

#[tokio::test]
async fn a_yes_to_the_question_of_one_tenant_is_none_to_the_same_question_of_another() {
    let pair = Pair::new().await;
    let question = async |tenant: &str| pair.get(tenant, "/api/v1/approvals/APR-1").await.json();
    let (a, b) = (question(A).await, question(B).await);
    assert_eq!(a["id"], b["id"]);
    assert_ne!(a["digest"], b["digest"], "what was shown differs, so must what is agreed to");
    let path = "/api/v1/approvals/APR-1/approve";
    let person = format!("{}-lead", b["teams"][0].as_str().unwrap());
    let foreign = pair.post(B, &person, path, json!({ "digest": a["digest"] })).await;
    assert!(foreign.status.is_client_error(), "{}", foreign.text());

    // A click that the other tenant's workspace has signed, for a question that is there under the same digest.
    let digest = b["digest"].as_str().unwrap();
    let click = async |tenant: &str, signed_by: &str, digest: &str| {
        let (at, body) = (seconds(), button("U11", "stanch_approve", digest));
        let signature = sign(&secret(signed_by, "slack.signing"), at, &body);
        let at = at.to_string();
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-slack-request-timestamp", at.as_str()),
            ("x-slack-signature", signature.as_str()),
        ];
        pair.send(tenant, Method::POST, "/chat/slack", &headers, body.clone()).await
    };
    assert_eq!(click(B, A, digest).await.status, StatusCode::UNAUTHORIZED);
    click(A, A, digest).await;
    for tenant in [A, B] {
        assert_eq!(pair.get(tenant, "/api/v1/approvals").await.json()["pending"], 1, "{tenant}");
        assert_eq!(pair.get(tenant, "/api/v1/blocks?all=true").await.json()["blocks"], json!([]), "{tenant}");
    }
    // And a yes where it belongs does something there alone.
    let yes = pair.post(B, &person, path, json!({ "digest": digest })).await;
    assert_eq!(yes.status, StatusCode::OK, "{}", yes.text());
    pair.until(B, "/api/v1/blocks", |v| v["blocks"][0]["state"] == "in_force").await;
    assert_eq!(pair.get(A, "/api/v1/approvals").await.json()["pending"], 1);
    assert_eq!(pair.get(A, "/api/v1/blocks?all=true").await.json()["blocks"], json!([]));
    pair.tenants.stop().await;
}

#[tokio::test]
async fn an_idempotency_key_that_one_tenant_has_used_is_new_to_another() {
    let pair = Pair::new().await;
    let silence = |comment: &str| {
        json!({ "matchers": ["ip=198.51.100.7/32"], "for": "2h", "comment": comment }).to_string()
    };
    let ask = async |tenant: &str, comment: &str| {
        let token = bearer(&secret(tenant, "the-admin.token"));
        let headers = [
            ("authorization", token.as_str()),
            ("content-type", "application/json"),
            ("idempotency-key", "the-same-key-at-both"),
        ];
        pair.send(tenant, Method::POST, "/api/v1/silences", &headers, silence(comment)).await
    };
    assert_eq!(ask(A, "quiet").await.status, StatusCode::OK);
    let again = ask(A, "quiet").await;
    assert_eq!(again.headers["idempotency-replayed"], "true", "{:?}", again.headers);
    let other = ask(B, "quiet").await;
    assert_eq!(other.status, StatusCode::OK, "{}", other.text());
    assert!(other.headers.get("idempotency-replayed").is_none(), "the answer of another tenant");
    for tenant in [A, B] {
        let list = pair.get(tenant, "/api/v1/silences").await.json();
        assert_eq!(list["silences"].as_array().unwrap().len(), 1, "{tenant}");
    }
    // Neither is it taken to be used with another body.
    let third =
        pair.send(B, Method::POST, "/api/v1/silences", &[("idempotency-key", "x")], silence("a")).await;
    assert_eq!(third.status, StatusCode::UNAUTHORIZED);
    pair.tenants.stop().await;
}

/// Reads a stream until something is in it; all that came up to then.
async fn heard(stream: &mut axum::body::BodyDataStream, until: &str) -> String {
    let mut text = String::new();
    let reading = async {
        while !text.contains(until) {
            let piece = stream.next().await.unwrap().unwrap();
            text.push_str(&String::from_utf8_lossy(&piece));
        }
    };
    assert!(tokio::time::timeout(PATIENCE, reading).await.is_ok(), "{until} never came: {text}");
    text
}

#[tokio::test]
async fn a_stream_tells_what_happens_at_its_own_tenant_only() {
    let pair = Pair::new().await;
    let mut streams = Vec::new();
    for tenant in [A, B] {
        let request = Request::get("/api/v1/events").header("host", tenant);
        let token = bearer(&secret(tenant, "watcher.token"));
        let request = request.header("authorization", token).body(Body::empty()).unwrap();
        let answer = pair.tenants.router().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let mut stream = answer.into_body().into_data_stream();
        heard(&mut stream, "event: hello").await;
        streams.push(stream);
    }
    let (mut b, mut a) = (streams.pop().unwrap(), streams.pop().unwrap());
    for n in 0..5 {
        let note = json!({ "text": format!("note {n}") });
        assert_eq!(
            pair.post(A, "the-admin", "/api/v1/incidents/INC-1/note", note).await.status,
            StatusCode::OK
        );
    }
    heard(&mut a, "\"noted\"").await;
    // What the other hears up to a deed of its own is its own: nothing of notes is in it.
    let ack = pair.post(B, "the-admin", "/api/v1/incidents/INC-1/ack", json!({})).await;
    assert_eq!(ack.status, StatusCode::OK, "{}", ack.text());
    let text = heard(&mut b, "\"acknowledged\"").await;
    assert!(!text.contains("\"noted\""), "{text}");
    pair.tenants.stop().await;
}

#[tokio::test]
async fn a_webhook_hears_of_its_own_tenant_only_and_is_signed_by_its_own_key() {
    let pair = Pair::new().await;
    let mut all = Vec::new();
    for tenant in [A, B] {
        let (url, came) = receiver(&[]).await;
        let hook = json!({ "url": url, "events": ["incident.acknowledged"] });
        let made = pair.post(tenant, "the-admin", "/api/v1/webhooks", hook).await;
        assert_eq!(made.status, StatusCode::OK, "{}", made.text());
        all.push((came, made.json()["key"].as_str().unwrap().to_owned()));
    }
    let ((mut at_b, key_b), (mut at_a, key_a)) = (all.pop().unwrap(), all.pop().unwrap());
    assert_ne!(key_a, key_b);
    for tenant in [A, B] {
        let ack = pair.post(tenant, "the-admin", "/api/v1/incidents/INC-1/ack", json!({})).await;
        assert_eq!(ack.status, StatusCode::OK);
        let came = if tenant == A { &mut at_a } else { &mut at_b };
        let event = tokio::time::timeout(PATIENCE, came.recv()).await.unwrap().unwrap();
        let (own, other) = if tenant == A { (&key_a, &key_b) } else { (&key_b, &key_a) };
        assert!(event.signed_by(own) && !event.signed_by(other), "{}", event.head);
    }
    // One each: what the first was told has not come to the second.
    assert!(at_a.try_recv().is_err() && at_b.try_recv().is_err());
    pair.tenants.stop().await;
}

#[tokio::test]
async fn a_secret_that_one_tenant_keeps_opens_nothing_when_its_file_is_carried_to_another() {
    let pair = Pair::new().await;
    for tenant in [A, B] {
        let kept = json!({ "value": format!("whsec_{}", "c2VjcmV0".repeat(4)), "connector": "second", "hosts": ["127.0.0.1:9"] });
        let put = pair.as_who(tenant, "the-admin", Method::PUT, "/api/v1/secrets/kept", kept).await;
        assert_eq!(put.status, StatusCode::OK, "{}", put.text());
    }
    let data = |tenant: &str| pair.dir.path().join(tenant).join("data");
    assert_ne!(
        std::fs::read(data(A).join("secrets.key")).unwrap(),
        std::fs::read(data(B).join("secrets.key")).unwrap()
    );
    let second = "notifiers:\n  - { name: second, type: webhook, url: \"http://127.0.0.1:9/hook\", secret: { stored: kept } }\n";
    std::fs::write(pair.dir.path().join(B).join("config/connectors/second.yaml"), second).unwrap();
    let reload = pair.post(B, "the-admin", "/api/v1/admin/reload", Value::Null).await;
    assert!(
        reload.status == StatusCode::OK && !reload.text().contains("does not open"),
        "its own opens: {}",
        reload.text()
    );
    std::fs::copy(data(A).join("secrets.vault"), data(B).join("secrets.vault")).unwrap();
    let reload = pair.post(B, "the-admin", "/api/v1/admin/reload", Value::Null).await;
    assert!(reload.text().contains("the stored secret kept does not open"), "{}", reload.text());
    pair.tenants.stop().await;
}
