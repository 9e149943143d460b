//! Accounts, passwords, links, sessions and tokens over the API, as browsers and programs use them.

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::{Value, json};

use crate::house::{Answer, House, call};

pub(crate) const PASSWORD: &str = "four words of it";

/// A request of our own page, with a cookie if there is one.
pub(crate) async fn page(
    house: &House,
    method: Method,
    path: &str,
    cookie: Option<&str>,
    body: Value,
) -> Answer {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("origin", "http://localhost")
        .header("x-stanch-console", "1")
        .header("content-type", "application/json");
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    call(&house.app.router(), request.body(Body::from(body.to_string())).unwrap()).await
}

async fn post(house: &House, path: &str, body: Value) -> Answer {
    page(house, Method::POST, path, None, body).await
}

pub(crate) fn cookie(headers: &HeaderMap) -> String {
    headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned()
}

async fn me(house: &House, cookie: &str) -> Answer {
    page(house, Method::GET, "/api/v1/whoami", Some(cookie), Value::Null).await
}

async fn by_token(house: &House, token: &str, method: Method, path: &str, body: Value) -> Answer {
    let request =
        Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
    let request = request.header("content-type", "application/json");
    call(&house.app.router(), request.body(Body::from(body.to_string())).unwrap()).await
}

/// Makes an account and a link for it; returns what the link holds.
pub(crate) async fn invited(house: &House, name: &str, role: &str) -> String {
    let made = house
        .post("admin", "/api/v1/people", json!({ "name": name, "role": role, "teams": ["secops"] }))
        .await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text());
    link(house, name).await
}

async fn link(house: &House, name: &str) -> String {
    let made = house.post("admin", &format!("/api/v1/people/{name}/invite"), json!({})).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text());
    made.json()["path"].as_str().unwrap().strip_prefix("/welcome#").unwrap().to_owned()
}

pub(crate) async fn welcome(house: &House, token: &str, password: &str) -> Answer {
    post(house, "/api/v1/session/welcome", json!({ "token": token, "password": password })).await
}

pub(crate) async fn sign_in(house: &House, name: &str, password: &str) -> Answer {
    post(house, "/api/v1/session/password", json!({ "name": name, "password": password })).await
}

#[tokio::test]
async fn an_account_comes_in_by_its_link_once_and_by_its_password_from_then_on() {
    let house = House::new().await;
    let token = invited(&house, "maria", "approver").await;
    let weak = welcome(&house, &token, "short").await;
    assert_eq!(weak.status, StatusCode::BAD_REQUEST, "{}", weak.text());
    let first = welcome(&house, &token, PASSWORD).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text());
    let again = welcome(&house, &token, "five other words here").await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED, "a link is good once");
    let whoami = me(&house, &cookie(&first.headers)).await.json();
    assert_eq!(
        whoami,
        json!({ "name": "maria", "role": "approver", "teams": ["secops"], "way": "account", "may": ["look", "work", "decide"] })
    );
    let second = sign_in(&house, "maria", PASSWORD).await;
    assert_eq!(second.status, StatusCode::OK, "{}", second.text());
    assert_ne!(cookie(&first.headers), cookie(&second.headers));
    let house = house.again().await;
    assert_eq!(me(&house, &cookie(&second.headers)).await.status, StatusCode::UNAUTHORIZED, "a restart");
    assert_eq!(sign_in(&house, "maria", PASSWORD).await.status, StatusCode::OK, "the password is kept");
    let file = std::fs::read_to_string(house.data().join("identity.json")).unwrap();
    assert!(!file.contains(PASSWORD) && !file.contains(&token) && file.contains("$argon2id$"), "{file}");
}

#[tokio::test]
async fn wrong_names_and_wrong_passwords_are_answered_alike_and_slowed_down() {
    let house = House::new().await;
    let token = invited(&house, "maria", "viewer").await;
    assert_eq!(welcome(&house, &token, PASSWORD).await.status, StatusCode::OK);
    let mut texts = std::collections::BTreeSet::new();
    for (name, password) in [
        ("maria", "not her words"),
        ("nobody", PASSWORD),
        ("admin", PASSWORD),
        ("maria", ""),
        ("maria", "   "),
        ("", ""),
        ("../maria", PASSWORD),
        ("MARIA", PASSWORD),
    ] {
        let answer = sign_in(&house, name, password).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name:?} {password:?}");
        assert!(answer.headers.get(header::SET_COOKIE).is_none());
        texts.insert(answer.text());
    }
    assert_eq!(texts.len(), 1, "{texts:?}");
    for _ in 0..2 {
        sign_in(&house, "nobody", "x").await;
    }
    let slowed = sign_in(&house, "maria", PASSWORD).await;
    assert_eq!(slowed.status, StatusCode::TOO_MANY_REQUESTS, "{}", slowed.text());
    house.forward(61);
    assert_eq!(
        sign_in(&house, "maria", PASSWORD).await.status,
        StatusCode::OK,
        "nobody is locked out for good"
    );
}

#[tokio::test]
async fn other_pages_get_no_session_whatever_they_know() {
    let house = House::new().await;
    let token = invited(&house, "maria", "viewer").await;
    assert_eq!(welcome(&house, &token, PASSWORD).await.status, StatusCode::OK);
    let body = json!({ "name": "maria", "password": PASSWORD }).to_string();
    for (origin, ours) in [("http://evil.example", true), ("null", true), ("http://localhost", false)] {
        let mut request = Request::post("/api/v1/session/password")
            .header("host", "localhost")
            .header("origin", origin)
            .header("content-type", "application/json");
        if ours {
            request = request.header("x-stanch-console", "1");
        }
        let answer = call(&house.app.router(), request.body(Body::from(body.clone())).unwrap()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{origin} {ours}");
    }
}

#[tokio::test]
async fn shutting_an_account_ends_its_sessions_and_tokens_at_once_and_opening_it_brings_none_back() {
    let house = House::new().await;
    let token = invited(&house, "maria", "analyst").await;
    let session = cookie(&welcome(&house, &token, PASSWORD).await.headers);
    let made = page(
        &house,
        Method::POST,
        "/api/v1/tokens",
        Some(&session),
        json!({ "name": "ci", "role": "viewer" }),
    );
    let secret = made.await.json()["token"].as_str().unwrap().to_owned();
    let change = |body| house.post("admin", "/api/v1/people/maria/change", body);
    assert_eq!(change(json!({ "disabled": true })).await.status, StatusCode::OK);
    assert_eq!(me(&house, &session).await.status, StatusCode::UNAUTHORIZED);
    let asked = by_token(&house, &secret, Method::GET, "/api/v1/whoami", Value::Null).await;
    assert_eq!(asked.status, StatusCode::UNAUTHORIZED);
    assert_eq!(sign_in(&house, "maria", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(change(json!({ "disabled": false })).await.status, StatusCode::OK);
    assert_eq!(me(&house, &session).await.status, StatusCode::UNAUTHORIZED, "the session stays over");
    assert_eq!(sign_in(&house, "maria", PASSWORD).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_new_password_ends_every_other_session_and_needs_the_one_before() {
    let house = House::new().await;
    let token = invited(&house, "maria", "viewer").await;
    let one = cookie(&welcome(&house, &token, PASSWORD).await.headers);
    let two = cookie(&sign_in(&house, "maria", PASSWORD).await.headers);
    let change = |before: &str| json!({ "before": before, "after": "five other words here" });
    let path = "/api/v1/session/password/change";
    let wrong = page(&house, Method::POST, path, Some(&one), change("not her words")).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    let right = page(&house, Method::POST, path, Some(&one), change(PASSWORD)).await;
    assert_eq!(right.status, StatusCode::OK, "{}", right.text());
    for session in [&one, &two] {
        assert_eq!(me(&house, session).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(sign_in(&house, "maria", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    let one = cookie(&sign_in(&house, "maria", "five other words here").await.headers);
    let two = cookie(&sign_in(&house, "maria", "five other words here").await.headers);
    let out = page(&house, Method::POST, "/api/v1/session/everywhere/end", Some(&one), json!({})).await;
    assert_eq!(out.json()["message"], "2 sessions ended");
    assert_eq!(me(&house, &two).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_is_worth_its_scope_while_its_owner_may_do_that_and_until_it_is_over() {
    let house = House::new().await;
    let make = |person: &'static str, role: &'static str, lasts: &'static str| {
        let body = json!({ "name": "report", "role": role, "lasts": lasts });
        let house = &house;
        async move { house.post(person, "/api/v1/tokens", body).await }
    };
    assert_eq!(make("watcher", "analyst", "1h").await.status, StatusCode::FORBIDDEN, "no more than oneself");
    assert_eq!(make("watcher", "king", "1h").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(make("watcher", "viewer", "400d").await.status, StatusCode::BAD_REQUEST);
    let made = make("admin", "viewer", "1h").await.json();
    let (secret, id) = (made["token"].as_str().unwrap(), made["id"].as_str().unwrap());
    assert_eq!(secret.len(), "stanch_".len() + 64);
    let whoami = by_token(&house, secret, Method::GET, "/api/v1/whoami", Value::Null).await.json();
    assert_eq!((&whoami["name"], &whoami["role"]), (&json!("admin"), &json!("viewer")));
    let more =
        by_token(&house, secret, Method::POST, "/api/v1/tokens", json!({ "name": "x", "role": "viewer" }))
            .await;
    assert_eq!(more.status, StatusCode::FORBIDDEN, "a token makes no tokens");
    let people = by_token(&house, secret, Method::GET, "/api/v1/people", Value::Null).await;
    assert_eq!(people.status, StatusCode::FORBIDDEN);
    let listed = house.ask("admin", Method::GET, "/api/v1/tokens", None).await;
    assert!(
        !listed.text().contains(secret) && listed.json()["tokens"][0]["used"].is_string(),
        "{}",
        listed.text()
    );
    let others = house.ask("watcher", Method::GET, "/api/v1/tokens", None).await;
    assert_eq!(others.json()["tokens"], json!([]), "one's own only");
    let path = format!("/api/v1/tokens/{id}/revoke");
    assert_eq!(house.post("watcher", &path, json!({})).await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.post("admin", &path, json!({})).await.status, StatusCode::OK);
    let gone = by_token(&house, secret, Method::GET, "/api/v1/whoami", Value::Null).await;
    assert_eq!(gone.status, StatusCode::UNAUTHORIZED);
    let made = make("admin", "admin", "1h").await.json();
    let secret = made["token"].as_str().unwrap();
    let house = house.again().await;
    assert_eq!(
        by_token(&house, secret, Method::GET, "/api/v1/people", Value::Null).await.status,
        StatusCode::OK
    );
    let file = std::fs::read_to_string(house.data().join("identity.json")).unwrap();
    assert!(!file.contains(&secret[7..]), "only its digest is kept");
    house.forward(3_601);
    let over = by_token(&house, secret, Method::GET, "/api/v1/people", Value::Null).await;
    assert_eq!(over.status, StatusCode::UNAUTHORIZED, "over by itself");
}

#[tokio::test]
async fn nobody_changes_what_they_themselves_may_do_and_the_file_has_the_last_word() {
    let house = House::new().await;
    let own = house.post("admin", "/api/v1/people/admin/change", json!({ "role": "viewer" })).await;
    assert_eq!(own.status, StatusCode::FORBIDDEN, "{}", own.text());
    let written = house.post("admin", "/api/v1/people/watcher/change", json!({ "role": "admin" })).await;
    assert_eq!(written.status, StatusCode::BAD_REQUEST, "{}", written.text());
    let twice = house.post("admin", "/api/v1/people", json!({ "name": "watcher", "role": "admin" })).await;
    assert_eq!(twice.status, StatusCode::BAD_REQUEST, "{}", twice.text());
    // A person of the file gets a password here, and what they may do from there.
    let token = link(&house, "watcher").await;
    let session = cookie(&welcome(&house, &token, PASSWORD).await.headers);
    assert_eq!(me(&house, &session).await.json()["role"], "viewer");
    let people = house.config().join("policies/people.yaml");
    let text = std::fs::read_to_string(&people).unwrap();
    std::fs::write(&people, text.split("  watcher:").next().unwrap()).unwrap();
    assert_eq!(house.post("admin", "/api/v1/admin/reload", json!({})).await.status, StatusCode::OK);
    assert_eq!(me(&house, &session).await.status, StatusCode::UNAUTHORIZED, "who left the file is gone");
    assert_eq!(sign_in(&house, "watcher", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_is_changed_about_access_is_in_the_journal_and_no_secret_is() {
    let house = House::new().await;
    let token = invited(&house, "maria", "viewer").await;
    assert_eq!(welcome(&house, &token, PASSWORD).await.status, StatusCode::OK);
    let made = house.post("admin", "/api/v1/tokens", json!({ "name": "ci", "role": "viewer" })).await.json();
    let page = house.get("/api/v1/journal?limit=1000").await;
    let text = page.to_string();
    let entries = page["entries"].as_array().unwrap();
    let of = |what: &str| entries.iter().find(|e| e["kind"] == "access_changed" && e["body"]["what"] == what);
    for what in ["added", "invited", "password_set", "signed_in", "token_made"] {
        assert!(of(what).is_some(), "{what}: {text}");
    }
    assert_eq!(of("added").unwrap()["body"]["by"], "admin");
    for secret in [PASSWORD, &token, made["token"].as_str().unwrap(), "argon2"] {
        assert!(!text.contains(secret));
    }
}

#[tokio::test]
async fn without_a_set_up_token_nobody_can_set_up() {
    let house = House::new().await;
    let ways = page(&house, Method::GET, "/api/v1/session/ways", None, Value::Null).await;
    assert_eq!(ways.json()["set_up"], false);
    let body = json!({ "token": "0".repeat(64), "name": "mallory", "password": PASSWORD });
    assert_eq!(post(&house, "/api/v1/session/set-up", body).await.status, StatusCode::UNAUTHORIZED);
}
