//! Sessions: fixed beforehand, changed, stolen in part, over, ended, and those whose owner may less by now; and
//! the set-up token.
//!
//! A session that is stolen whole is worth what its owner may, from anywhere, until it is ended: it is bound
//! to no address, because people who carry a telephone change theirs. What is taken from it are the ways to
//! steal it (no script reads it, no other site sends it) and its time.
//!
//! Source: SEC-20, SEC-22, SEC-30; OWASP Session Management Cheat Sheet.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::{Ask, VICTIM, house, open_to_attack, origin, sign_in, token_of, whoami};
use crate::house::House;

const PASSWORD: &str = "four words of it";

/// Our own page's request, with a session if there is one.
fn own(house: &House, method: &Method, path: &str, cookie: Option<&str>) -> Ask {
    let ask = Ask::new(method, path).with("origin", &origin(house)).with("x-stanch-console", "1");
    match cookie {
        Some(cookie) => ask.with("cookie", cookie),
        None => ask,
    }
}

#[tokio::test]
async fn a_session_that_was_fixed_beforehand_is_not_the_one_that_is_opened() {
    let house = house().await;
    let name = format!("stanch-{}", house.app.addr().port());
    let planted = format!("{name}={}", "ab".repeat(32));
    let first = sign_in(&house, VICTIM, &[("cookie", &planted)]).await.cookie();
    assert_ne!(first, planted);
    assert_eq!(
        whoami(&house, &planted).await.status,
        StatusCode::UNAUTHORIZED,
        "what was planted is nothing"
    );
    let second = sign_in(&house, "watcher", &[("cookie", &first)]).await.cookie();
    assert_ne!(first, second, "each sign-in makes a new one");
    assert_eq!(whoami(&house, &first).await.status, StatusCode::UNAUTHORIZED, "and ends the one before");
    assert_eq!(whoami(&house, &second).await.json()["name"], "watcher");
    let mut seen = BTreeSet::new();
    for _ in 0..64 {
        assert!(seen.insert(sign_in(&house, VICTIM, &[]).await.cookie()), "two sessions of one name");
    }
}

#[tokio::test]
async fn a_session_that_was_changed_or_is_shown_elsewhere_is_none() {
    let house = house().await;
    let cookie = sign_in(&house, VICTIM, &[]).await.cookie();
    let (name, id) = cookie.split_once('=').unwrap();
    let mut wrong: Vec<String> = (0..id.len())
        .map(|n| {
            let other = if id.as_bytes()[n] == b'0' { '1' } else { '0' };
            format!("{name}={}{other}{}", &id[..n], &id[n + 1..])
        })
        .collect();
    wrong.extend([
        format!("{name}={}", &id[..63]),
        format!("{name}={id}0"),
        format!("{name}={}", id.to_uppercase()),
        format!("{name}=\"{id}\""),
        format!("{name}="),
        format!("{name}={}", "0".repeat(64)),
        format!("{name}={}", "z".repeat(64)),
        format!("{name}= OR 1=1"),
        format!("stanch={id}"),
        format!("stanch-1={id}"),
        format!("__Host-stanch={id}"),
        format!("{name}-errand={id}"),
        format!("x{name}={id}"),
        format!("{}={id}", name.to_uppercase()),
    ]);
    // An upper case that changes nothing is no change.
    wrong.retain(|w| *w != cookie);
    for w in &wrong {
        assert_eq!(whoami(&house, w).await.status, StatusCode::UNAUTHORIZED, "{w}");
    }
    let path = |p: String| Ask::new(&Method::GET, &p);
    let elsewhere = [
        path(format!("/api/v1/whoami?{name}={id}")),
        path(format!("/api/v1/whoami?token={id}")),
        path("/api/v1/whoami".into()).with("authorization", &format!("Bearer {id}")),
        path("/api/v1/whoami".into()).with("authorization", &format!("Bearer {cookie}")),
        path("/api/v1/whoami".into()).with("x-session", id),
        path("/api/v1/whoami".into()).with("x-stanch-console", id),
    ];
    for ask in &elsewhere {
        let said = ask.at(&house).await;
        assert!(said.status.is_client_error() && !said.body.contains(id), "{} {}", said.status, said.body);
    }
    assert_eq!(whoami(&house, &cookie).await.status, StatusCode::OK, "the right one still is");
    eprintln!("sessions: {} changed ones and {} elsewhere, none taken", wrong.len(), elsewhere.len());
}

#[tokio::test]
async fn a_session_is_over_when_it_lay_idle_and_after_a_shift_whatever_it_did() {
    let house = house().await;
    let idle = sign_in(&house, VICTIM, &[]).await.cookie();
    house.forward(29 * 60);
    assert_eq!(whoami(&house, &idle).await.status, StatusCode::OK);
    house.forward(30 * 60 + 1);
    assert_eq!(whoami(&house, &idle).await.status, StatusCode::UNAUTHORIZED, "half an hour idle");
    let busy = sign_in(&house, VICTIM, &[]).await.cookie();
    for _ in 0..35 {
        house.forward(20 * 60);
        assert_eq!(whoami(&house, &busy).await.status, StatusCode::OK);
    }
    house.forward(20 * 60 + 1);
    assert_eq!(whoami(&house, &busy).await.status, StatusCode::UNAUTHORIZED, "twelve hours");
}

#[tokio::test]
async fn signing_out_ends_it_on_our_side_and_everywhere_means_everywhere() {
    let house = house().await;
    let (one, two) =
        (sign_in(&house, VICTIM, &[]).await.cookie(), sign_in(&house, VICTIM, &[]).await.cookie());
    let out = own(&house, &Method::DELETE, "/api/v1/session", Some(&one)).at(&house).await;
    assert_eq!(out.status, StatusCode::OK, "{}", out.body);
    assert!(out.head("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(
        whoami(&house, &one).await.status,
        StatusCode::UNAUTHORIZED,
        "kept by whoever has it, and over"
    );
    assert_eq!(whoami(&house, &two).await.status, StatusCode::OK, "another browser is another session");
    let three = sign_in(&house, VICTIM, &[]).await.cookie();
    let end = own(&house, &Method::POST, "/api/v1/session/everywhere/end", Some(&two)).at(&house).await;
    assert_eq!(end.status, StatusCode::OK, "{}", end.body);
    assert_eq!(whoami(&house, &three).await.status, StatusCode::UNAUTHORIZED, "everywhere else at once");
}

#[tokio::test]
async fn what_a_person_may_changes_with_their_next_request() {
    let house = house().await;
    let invite = house.post("admin", "/api/v1/people/maria/invite", json!({})).await.json();
    let token = invite["path"].as_str().unwrap().strip_prefix("/welcome#").unwrap().to_owned();
    let body = json!({ "token": token, "password": PASSWORD }).to_string();
    let came = own(&house, &Method::POST, "/api/v1/session/welcome", None).body("application/json", &body);
    let cookie = came.at(&house).await.cookie();
    let again = came.at(&house).await;
    assert_eq!(
        (again.status, again.head("set-cookie")),
        (StatusCode::UNAUTHORIZED, None),
        "a link is good once"
    );
    let note = || {
        own(&house, &Method::POST, "/api/v1/incidents/INC-1/note", Some(&cookie))
            .body("application/json", r#"{"text":"seen"}"#)
    };
    let change = |to: serde_json::Value| house.post("admin", "/api/v1/people/maria/change", to);
    assert_eq!(note().at(&house).await.status, StatusCode::FORBIDDEN, "a viewer");
    for (to, status) in [
        (json!({ "role": "analyst" }), StatusCode::OK),
        (json!({ "role": "viewer" }), StatusCode::FORBIDDEN),
        (json!({ "role": "admin" }), StatusCode::OK),
        (json!({ "disabled": true }), StatusCode::UNAUTHORIZED),
        (json!({ "disabled": false }), StatusCode::UNAUTHORIZED),
    ] {
        let changed = change(to.clone()).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.text());
        let said = note().at(&house).await;
        assert_eq!(said.status, status, "after {to}: {}", said.body);
    }
}

#[tokio::test]
async fn somebody_who_left_the_file_is_out_with_all_their_sessions() {
    let house = house().await;
    let cookie = sign_in(&house, VICTIM, &[]).await.cookie();
    let people = house.config().join("policies/people.yaml");
    let text = std::fs::read_to_string(&people).unwrap();
    std::fs::write(&people, text.split(&format!("  {VICTIM}:")).next().unwrap()).unwrap();
    assert_eq!(house.post("admin", "/api/v1/admin/reload", json!({})).await.status, StatusCode::OK);
    assert_eq!(whoami(&house, &cookie).await.status, StatusCode::UNAUTHORIZED);
    let bearer = format!("Bearer {}", token_of(VICTIM));
    let said = Ask::new(&Method::GET, "/api/v1/whoami").with("authorization", &bearer).at(&house).await;
    assert_eq!(said.status, StatusCode::UNAUTHORIZED);
}

/// A Stanch that waits for its first administrator, and the token.
async fn fresh() -> (House, String) {
    let mut token = String::new();
    let house = House::started(open_to_attack, |o| {
        // Written people have a token and no password: the set-up is still to be done.
        token = o.let_set_up().unwrap();
    })
    .await;
    (house, token)
}

fn set_up(house: &House, token: &str, name: &str) -> Ask {
    let body = json!({ "token": token, "name": name, "password": PASSWORD }).to_string();
    own(house, &Method::POST, "/api/v1/session/set-up", None).body("application/json", &body)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_use_the_set_up_token_at_once_one_comes_in() {
    let (house, token) = fresh().await;
    assert!(house.app.can_be_set_up(), "people of the file have no password yet");
    let foreign = set_up(&house, &token, "first").with("origin", "http://evil.example").at(&house).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN, "two origins are none: {}", foreign.body);
    let many = (0..16).map(|n| {
        let (ask, addr) = (set_up(&house, &token, &format!("first-{n}")), house.app.addr());
        tokio::spawn(async move { ask.to(addr).await.unwrap() })
    });
    let said = futures::future::join_all(many).await;
    let said: Vec<super::Said> = said.into_iter().map(Result::unwrap).collect();
    let came = said.iter().filter(|s| s.status == StatusCode::OK).count();
    assert_eq!(came, 1, "{:?}", said.iter().map(|s| s.status).collect::<Vec<_>>());
    assert!(said.iter().all(|s| s.status == StatusCode::OK || s.head("set-cookie").is_none()));
    assert!(!house.app.can_be_set_up());
    let admins = house.ask("admin", Method::GET, "/api/v1/people", None).await.text();
    assert_eq!(admins.matches("\"first-").count(), 1, "one was made: {admins}");
}

#[tokio::test]
async fn the_set_up_token_is_over_after_a_quarter_of_an_hour() {
    let (house, token) = fresh().await;
    house.forward(15 * 60);
    let said = set_up(&house, &token, "late").at(&house).await;
    assert_eq!(said.status, StatusCode::UNAUTHORIZED, "{}", said.body);
    assert!(!said.body.contains(&token));
    let (house, token) = fresh().await;
    house.forward(14 * 60);
    for wrong in [&token[1..], &token.to_uppercase(), &format!("{token} "), "", &"0".repeat(64)] {
        let said = set_up(&house, wrong, "wrong").at(&house).await;
        assert!(
            said.status == 401 || (*wrong == token.to_uppercase() && *wrong == token),
            "{wrong}: {}",
            said.body
        );
    }
    assert_eq!(set_up(&house, &token, "early").at(&house).await.status, StatusCode::OK);
}
