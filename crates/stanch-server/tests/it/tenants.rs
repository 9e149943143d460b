//! Two tenants in one process: whatever belongs to one is nothing to the other, and one in trouble does not
//! hold up the other.

use std::path::Path;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use stanch_core::config::Role;
use stanch_server::tenants::Tenants;
use stanch_server::{ANONYMOUS_PATHS, DOOR_PATHS};

use crate::house::{Answer, call, furnish, noise};
use crate::people::concrete;

pub(crate) const A: &str = "a.example.com";
pub(crate) const B: &str = "b.example.com";

/// What a secret file of a tenant holds.
pub(crate) fn secret(tenant: &str, name: &str) -> String {
    format!("the-secret-of-{tenant}-{name}")
}

pub(crate) fn furnished(root: &Path, tenant: &str) {
    use std::fmt::Write as _;
    let config = root.join(tenant).join("config");
    furnish(&config);
    let people = config.join("policies/people.yaml");
    let mut text = std::fs::read_to_string(&people).unwrap();
    for role in Role::ALL.iter().map(|r| r.word()) {
        writeln!(text, "  the-{role}:\n    token: {{ file: secrets/the-{role}.token }}\n    role: {role}")
            .unwrap();
        std::fs::write(config.join(format!("secrets/the-{role}.token")), "").unwrap();
    }
    std::fs::write(people, text).unwrap();
    for file in std::fs::read_dir(config.join("secrets")).unwrap() {
        let file = file.unwrap();
        std::fs::write(file.path(), secret(tenant, &file.file_name().to_string_lossy())).unwrap();
    }
}

/// Tenants of these names, and the folder that holds them.
async fn started(names: &[&str]) -> (tempfile::TempDir, Tenants) {
    let dir = tempfile::tempdir().unwrap();
    names.iter().for_each(|name| furnished(dir.path(), name));
    let tenants = Tenants::start(dir.path(), Some("127.0.0.1:0".parse().unwrap())).await;
    let tenants = tenants.unwrap_or_else(|e| panic!("{e:?}"));
    (dir, tenants)
}

async fn ask(
    tenants: &Tenants,
    host: &str,
    method: &Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", host);
    request = request.header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    call(&tenants.router(), request.body(body.into()).unwrap()).await
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// What must stay as it is: how many entries the journal has, and everything kept beside it.
fn still(dir: &Path, tenants: &Tenants, name: &str) -> (u64, Vec<(String, Vec<u8>)>) {
    let entries = tenants.tenant(name).unwrap().engine().read(|s| s.seq);
    let files = ["identity.json", "secrets.json", "webhooks.json", "answers.log"];
    let data = dir.join(name).join("data");
    let read = |f: &&str| std::fs::read(data.join(f)).ok().map(|bytes| ((*f).to_owned(), bytes));
    (entries, files.iter().filter_map(read).collect())
}

/// Every route of the description: method and path.
async fn routes(tenants: &Tenants) -> Vec<(Method, String)> {
    let api = ask(tenants, B, &Method::GET, "/api/v1/openapi.json", &[], Body::empty()).await.json();
    let mut all = Vec::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            all.push((method, path.clone()));
        }
    }
    all
}

/// Headers that prove something to the first tenant, each with its name.
async fn proofs(tenants: &Tenants) -> Vec<(String, Vec<(String, String)>)> {
    let mut all = Vec::new();
    let mut people: Vec<String> = Role::ALL.iter().map(|r| format!("the-{}", r.word())).collect();
    people.extend(["suricata", "wazuh", "alertmanager"].map(str::to_owned));
    for name in people {
        let token = bearer(&secret(A, &format!("{name}.token")));
        all.push((name, vec![("authorization".to_owned(), token)]));
    }
    let admin = bearer(&secret(A, "the-admin.token"));
    let made = json!({ "name": "other", "role": "admin", "lasts": "1h" }).to_string();
    let made = ask(tenants, A, &Method::POST, "/api/v1/tokens", &[("authorization", &admin)], made).await;
    let token = made.json()["token"].as_str().unwrap().to_owned();
    all.push(("an API token".to_owned(), vec![("authorization".to_owned(), bearer(&token))]));
    let origin = format!("https://{A}");
    let page = [("authorization", admin.as_str()), ("origin", &origin), ("x-stanch-console", "1")];
    let session = ask(tenants, A, &Method::POST, "/api/v1/session", &page, Body::empty()).await;
    assert_eq!(session.status, StatusCode::OK, "{}", session.text());
    let cookie = session.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    // As if a page of the other tenant had got hold of it.
    let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let there = own("origin", &format!("https://{B}"));
    all.push(("a session".to_owned(), vec![own("cookie", &cookie), there, own("x-stanch-console", "1")]));
    all
}

#[tokio::test]
async fn what_proves_something_to_one_tenant_is_nothing_to_another() {
    let (dir, tenants) = started(&[A, B]).await;
    let (routes, proofs) = (routes(&tenants).await, proofs(&tenants).await);
    assert!(routes.len() > 60 && proofs.len() > 9, "{} routes, {} proofs", routes.len(), proofs.len());
    let before = still(dir.path(), &tenants, B);
    for (what, headers) in &proofs {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        for (method, path) in &routes {
            // These ask nobody who they are; they are looked at below.
            if path != "/metrics" && ANONYMOUS_PATHS.contains(&path.as_str())
                || DOOR_PATHS.contains(&path.as_str())
            {
                continue;
            }
            let answer = ask(&tenants, B, method, &concrete(path), &headers, "{}").await;
            let unknown = match path.as_str() {
                // PagerDuty's way to say it.
                "/v2/enqueue" => answer.status == StatusCode::BAD_REQUEST,
                // Only pages of the tenant itself may try; whoever is wrong too often is slowed down.
                "/api/v1/session" if answer.status == StatusCode::TOO_MANY_REQUESTS => true,
                "/api/v1/session" if answer.text().contains("ST0421") => true,
                _ => matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND),
            };
            assert!(
                unknown,
                "{method} {path} of {B} with {what} of {A}: {} {}",
                answer.status,
                answer.text()
            );
        }
    }
    assert_eq!(still(dir.path(), &tenants, B), before, "something of the other tenant has changed");
    // The same proofs are worth something where they belong, or all of this would say nothing.
    for (what, headers) in
        proofs.iter().filter(|(what, _)| what.starts_with("the-") || what == "an API token")
    {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let answer = ask(&tenants, A, &Method::GET, "/api/v1/whoami", &headers, Body::empty()).await;
        assert_eq!(answer.status, StatusCode::OK, "{what}");
    }
    let token = bearer(&secret(A, "suricata.token"));
    let sent = noise(1).to_string();
    let taken = ask(&tenants, A, &Method::POST, "/in/suricata", &[("authorization", &token)], sent).await;
    assert_eq!(taken.status, StatusCode::ACCEPTED);
    let looks = bearer(&secret(B, "watcher.token"));
    let other =
        ask(&tenants, B, &Method::GET, "/api/v1/ledger", &[("authorization", &looks)], Body::empty()).await;
    assert_eq!(other.json()["received"], 0);
    tenants.stop().await;
}

#[tokio::test]
async fn a_name_that_is_no_tenants_tells_nothing() {
    let (_dir, tenants) = started(&[A]).await;
    let token = bearer(&secret(A, "the-admin.token"));
    for host in ["c.example.com", "localhost", "127.0.0.1", "", "a.example.com.", "xa.example.com"] {
        for path in
            ["/", "/queue", "/api/v1/whoami", "/api/v1/openapi.json", "/metrics", "/readyz", "/in/suricata"]
        {
            let answer =
                ask(&tenants, host, &Method::GET, path, &[("authorization", &token)], Body::empty()).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{host}{path}");
            assert!(!answer.text().contains(A), "{}", answer.text());
        }
    }
    let alive = ask(&tenants, "probe", &Method::GET, "/healthz", &[], Body::empty()).await;
    assert_eq!(alive.status, StatusCode::OK);
    let two = [("host", A), ("authorization", token.as_str())];
    let answer = ask(&tenants, A, &Method::GET, "/api/v1/whoami", &two, Body::empty()).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND, "two hosts are none");
    tenants.stop().await;
}

#[tokio::test]
async fn numbers_are_those_of_one_tenant_named_on_every_line_and_never_free() {
    let (_dir, tenants) = started(&[A, B]).await;
    let page = ask(&tenants, A, &Method::GET, "/metrics", &[], Body::empty()).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED, "a proxy asks from this machine too");
    let token = bearer(&secret(A, "watcher.token"));
    let page = ask(&tenants, A, &Method::GET, "/metrics", &[("authorization", &token)], Body::empty()).await;
    let text = page.text();
    let lines: Vec<&str> = text.lines().filter(|l| !l.starts_with('#')).collect();
    assert!(lines.len() > 20);
    for line in lines {
        assert!(line.contains(&format!("{{tenant=\"{A}\"")), "{line}");
    }
    tenants.stop().await;
}

#[tokio::test]
async fn a_tenant_that_is_full_or_down_does_not_hold_up_another() {
    let dir = tempfile::tempdir().unwrap();
    [A, B, "broken.example.com"].iter().for_each(|name| furnished(dir.path(), name));
    std::fs::write(dir.path().join("broken.example.com/config/stanch.yaml"), "listen: nowhere\n").unwrap();
    let tenants = Tenants::start(dir.path(), Some("127.0.0.1:0".parse().unwrap())).await.unwrap();
    assert_eq!(tenants.names().collect::<Vec<_>>(), [A, B]);
    let down = ask(&tenants, "broken.example.com", &Method::GET, "/healthz", &[], Body::empty()).await;
    assert_eq!(down.status, StatusCode::SERVICE_UNAVAILABLE);

    // Bodies that are announced and never come take all the memory that one tenant has for them.
    let token = |tenant: &str| bearer(&secret(tenant, "suricata.token"));
    let large = (8 << 20).to_string();
    let mut waiting = Vec::new();
    for _ in 0..64 {
        let request = Request::post("/in/suricata").header("host", A).header("authorization", token(A));
        let never = Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
        let request = request.header("content-length", &large).body(never).unwrap();
        let router = tenants.router();
        waiting.push(tokio::spawn(async move { call(&router, request).await }));
    }
    let full = loop {
        let done = waiting.iter().position(tokio::task::JoinHandle::is_finished);
        if let Some(at) = done {
            break waiting.swap_remove(at).await.unwrap();
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(full.status, StatusCode::SERVICE_UNAVAILABLE, "the one tenant is full: {}", full.text());
    let body = " ".repeat(1 << 20) + &noise(3).to_string();
    let headers = [("authorization", token(B)), ("content-length", body.len().to_string())];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let other = ask(&tenants, B, &Method::POST, "/in/suricata", &headers, body).await;
    assert_eq!(other.status, StatusCode::ACCEPTED, "{}", other.text());
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    tenants.stop().await;
}

#[tokio::test]
async fn what_is_kept_of_one_tenant_lies_in_its_folder_and_verifies_by_itself() {
    let (dir, tenants) = started(&[A, B]).await;
    for tenant in [A, B] {
        let token = bearer(&secret(tenant, "suricata.token"));
        let sent = noise(usize::from(tenant == B)).to_string();
        let taken =
            ask(&tenants, tenant, &Method::POST, "/in/suricata", &[("authorization", &token)], sent).await;
        assert_eq!(taken.status, StatusCode::ACCEPTED);
        let token = bearer(&secret(tenant, "watcher.token"));
        let alerts = ask(
            &tenants,
            tenant,
            &Method::GET,
            "/api/v1/alerts",
            &[("authorization", &token)],
            Body::empty(),
        )
        .await;
        let alerts: Value = alerts.json();
        assert_eq!(alerts["alerts"].as_array().unwrap().len(), 1, "{alerts}");
    }
    let key =
        |tenant: &str, file: &str| std::fs::read(dir.path().join(tenant).join("data").join(file)).unwrap();
    for file in ["audit.key", "identity.key", "approval.key"] {
        assert_ne!(key(A, file), key(B, file), "{file}");
    }
    tenants.stop().await;
}
