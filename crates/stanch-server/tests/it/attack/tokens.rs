//! Tokens: over, taken back, changed, shown in places where they do not count; and never said again.
//!
//! Tokens are found by their digest in an ordered table, and what is compared with a secret byte by byte
//! (signatures, the set-up token) is compared in constant time: neither tells how much of a guess was right.
//!
//! Source: SEC-12, SEC-21, SEC-28; RFC 6750 §2.3 and RFC 9700 (no tokens in addresses).

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::{Ask, Kind, Route, VICTIM, house, routes, token_of};
use crate::house::House;

/// A token of an administrator, made here: its name and itself.
async fn made(house: &House, role: &str) -> (String, String) {
    let body = json!({ "name": "attacked", "role": role, "lasts": "1h" });
    let made = house.post(VICTIM, "/api/v1/tokens", body).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text());
    let made = made.json();
    (made["id"].as_str().unwrap().to_owned(), made["token"].as_str().unwrap().to_owned())
}

/// Headers that hold something like a good token.
fn almost(good: &str) -> Vec<(String, Vec<(&'static str, String)>)> {
    let bearer = |t: &str| vec![("authorization", format!("Bearer {t}"))];
    let secret = good.strip_prefix("stanch_").expect("a prefix that scanners look for");
    let mut all = vec![
        ("truncated".to_owned(), bearer(&good[..good.len() - 1])),
        ("half".to_owned(), bearer(&good[..good.len() / 2])),
        ("only the prefix".to_owned(), bearer("stanch_")),
        ("longer".to_owned(), bearer(&format!("{good}0"))),
        ("without its prefix".to_owned(), bearer(secret)),
        ("with another prefix".to_owned(), bearer(&format!("stanchx_{secret}"))),
        ("with its prefix twice".to_owned(), bearer(&format!("stanch_{good}"))),
        ("upper case".to_owned(), bearer(&good.to_uppercase())),
        ("quoted".to_owned(), bearer(&format!("\"{good}\""))),
        ("with more behind it".to_owned(), bearer(&format!("{good} x"))),
        ("two in one".to_owned(), bearer(&format!("{good},{good}"))),
        ("as Basic".to_owned(), vec![("authorization", format!("Basic {good}"))]),
        ("bare".to_owned(), vec![("authorization", good.to_owned())]),
        ("as Token".to_owned(), vec![("authorization", format!("Token {good}"))]),
        ("twice".to_owned(), [bearer(good), bearer(good)].concat()),
        ("beside another".to_owned(), [bearer("x"), bearer(good)].concat()),
        ("as a key".to_owned(), vec![("x-api-key", good.to_owned())]),
        ("as a token of its own header".to_owned(), vec![("x-auth-token", good.to_owned())]),
        ("for the proxy".to_owned(), vec![("proxy-authorization", format!("Bearer {good}"))]),
        ("as a cookie".to_owned(), vec![("cookie", format!("token={good}; authorization=Bearer {good}"))]),
    ];
    for n in (7..good.len()).step_by(9) {
        let other = if good.as_bytes()[n] == b'0' { '1' } else { '0' };
        let changed = format!("{}{other}{}", &good[..n], &good[n + 1..]);
        all.push((format!("changed at {n}"), bearer(&changed)));
    }
    all
}

fn for_people(all: Vec<Route>) -> Vec<Route> {
    all.into_iter().filter(|r| r.kind == Kind::People).collect()
}

/// Asks without a proof that counts; nobody is let in, and nothing that was shown is said again.
async fn refused(house: &House, ask: Ask, shown: &[&str], at: &str) {
    let said = ask.body("application/json", "{}").at(house).await;
    // A session is opened for our own pages only, and nobody else is told what a token is worth.
    let page = said.code() == "ST0421" && at.starts_with("POST /api/v1/session ");
    assert!(said.status == StatusCode::UNAUTHORIZED || page, "{at}: {} {}", said.status, said.body);
    for secret in shown {
        assert!(!said.body.contains(secret), "{at}: {}", said.body);
    }
    assert!(said.head("www-authenticate").is_none_or(|w| shown.iter().all(|s| !w.contains(s))), "{at}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_a_whole_token_in_its_header_opens_any_route() {
    let house = house().await;
    let all = for_people(routes(&house).await);
    let (_, good) = made(&house, "admin").await;
    let (_, other) = made(&house, "admin").await;
    let hex = &good["stanch_".len()..][..56];
    let mut tried = 0;
    for route in &all {
        for (what, headers) in almost(&good) {
            let mut ask = Ask::new(&route.method, &route.at);
            for (name, value) in &headers {
                ask = ask.with(name, value);
            }
            refused(&house, ask, &[&good, hex], &format!("{} {} {what}", route.method, route.path)).await;
            tried += 1;
        }
        for name in ["token", "access_token", "api_key", "authorization", "bearer"] {
            let path = format!("{}?{name}={other}", route.at);
            let at = format!("{} {} in the address as {name}", route.method, route.path);
            refused(&house, Ask::new(&route.method, &path), &[&other], &at).await;
            tried += 1;
        }
    }
    let bearer = format!("Bearer {good}");
    let me = Ask::new(&Method::GET, "/api/v1/whoami").with("authorization", &bearer).at(&house).await;
    assert_eq!(me.status, StatusCode::OK, "the whole one does: {}", me.body);
    eprintln!("tokens: {tried} wrong ones on {} routes, none taken", all.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_over_or_was_taken_back_opens_nothing() {
    let house = house().await;
    let all = for_people(routes(&house).await);
    let (id, revoked) = made(&house, "admin").await;
    let taken = house.post(VICTIM, &format!("/api/v1/tokens/{id}/revoke"), json!({})).await;
    assert_eq!(taken.status, StatusCode::OK, "{}", taken.text());
    let (_, over) = made(&house, "admin").await;
    house.forward(3_600);
    let mut tried = 0;
    for route in &all {
        for (what, token) in [("taken back", &revoked), ("over", &over)] {
            let ask = Ask::new(&route.method, &route.at).with("authorization", &format!("Bearer {token}"));
            let at = format!("{} {} with one that is {what}", route.method, route.path);
            refused(&house, ask, &[token], &at).await;
            tried += 1;
        }
    }
    eprintln!("tokens: {tried} requests with old ones on {} routes, none taken", all.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_does_what_its_scope_says_and_makes_no_other() {
    let house = house().await;
    let (_, small) = made(&house, "viewer").await;
    let bearer = format!("Bearer {small}");
    let done = super::doings(&house, VICTIM).await;
    let mut tried = 0;
    for route in for_people(routes(&house).await).iter().filter(|r| r.method != Method::GET) {
        let ask = Ask::new(&route.method, &route.at).with("authorization", &bearer);
        let said = ask.body("application/json", "{}").at(&house).await;
        let at = format!("{} {}: {} {}", route.method, route.path, said.status, said.body);
        // Looks that cost too much for GET, and one's own sessions.
        let looks = matches!(
            route.path.as_str(),
            "/api/v1/audit/verify"
                | "/api/v1/journal/verify"
                | "/api/v1/session"
                | "/api/v1/session/everywhere/end"
        );
        assert!(said.status.is_client_error() || looks, "{at}");
        assert!(!said.body.contains(&small), "{at}");
        tried += 1;
    }
    let mut now = super::doings(&house, VICTIM).await;
    now.retain(|e| !e.contains("signed_out_everywhere"));
    assert_eq!(now, done, "something was done in their name");
    let page = Ask::new(&Method::POST, "/api/v1/tokens").with("authorization", &bearer);
    let more = page.body("application/json", r#"{"name":"x","role":"viewer"}"#).at(&house).await;
    assert_eq!(more.status, StatusCode::FORBIDDEN, "{}", more.body);
    eprintln!("tokens: {tried} changes with a scope that is too small, none made");
}

#[tokio::test]
async fn nothing_that_was_shown_is_kept_or_said_again() {
    let house = house().await;
    let (_, good) = made(&house, "admin").await;
    let wrong = format!("stanch_{}", "5a".repeat(32));
    let bearer = |t: &str| format!("Bearer {t}");
    for token in [&good, &wrong, &token_of(VICTIM)] {
        for path in
            ["/api/v1/whoami", "/api/v1/nothing", "/api/v1/incidents/INC-77", "/api/v1/queue?sort=odd"]
        {
            let said = Ask::new(&Method::GET, path).with("authorization", &bearer(token)).at(&house).await;
            assert!(!said.body.contains(token.as_str()), "{path}: {}", said.body);
        }
    }
    // Digests stand in the files; neither a token nor a part that helps does.
    for (file, bytes) in super::kept(&house) {
        if !file.contains("/data/") {
            continue;
        }
        for token in [&good[7..], &wrong[7..]] {
            assert!(!String::from_utf8_lossy(&bytes).contains(&token[..16]), "{file}");
        }
    }
}
