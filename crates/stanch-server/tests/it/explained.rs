//! What `stanch authz explain` says against what the routes do, cell by cell; and what an author may do.

use axum::http::{Method, StatusCode};
use serde_json::json;
use stanch_core::config::Role;

use crate::house::{House, beacon};
use crate::matrix::{Route, api, knock, lacks_role, routes, staffed};
use crate::people::concrete;

/// Questions are answered by teams, too, so a real answer is given to the one that waits: true when it is not
/// refused to this person, whatever becomes of it.
async fn answers(house: &House, who: &str, route: &Route) -> bool {
    let question = house.get("/api/v1/approvals/APR-1").await;
    let body = json!({ "digest": question["digest"] });
    let path = concrete(&route.path);
    house.ask(who, route.method.clone(), &path, Some(body)).await.status != StatusCode::FORBIDDEN
}

#[tokio::test]
async fn what_is_explained_is_what_the_router_does_for_every_route_and_role() {
    let house = staffed().await;
    house.deliver("suricata", beacon().to_string()).await;
    house.until("/api/v1/approvals", |v| v["pending"] == 1).await;
    let all = routes(&api(&house).await);
    let mut cells = (0, 0);
    for route in &all {
        for role in Role::ALL {
            let who = format!("the-{}", role.word());
            let path =
                format!("/api/v1/authz/explain?method={}&path={}", route.method, concrete(&route.path));
            let said = house.ask(&who, Method::GET, &path, None).await;
            assert_eq!(said.status, StatusCode::OK, "{path}: {}", said.text());
            let said = said.json();
            let at = format!("{} {} by {}: {said}", route.method, route.path, role.word());
            assert_eq!((&said["route"], &said["role"]), (&json!(route.path), &json!(role.word())), "{at}");
            // An answer without an end is not waited for; whoever may not hear it is still told so.
            let done = if route.path.ends_with("/events") && route.passes(*role) {
                true
            } else if route.path.starts_with("/api/v1/approvals/{id}/") && route.passes(*role) {
                answers(&house, &who, route).await
            } else {
                !lacks_role(&knock(&house, route, Some(&House::secret(&format!("{who}.token")))).await)
            };
            assert_eq!(said["allowed"], json!(done), "{at}");
            assert!(said["because"].as_array().is_some_and(|b| b.len() > 1), "{at}");
            if done { cells.0 += 1 } else { cells.1 += 1 }
        }
    }
    assert!(cells.0 > 200 && cells.1 > 60, "allowed and refused cells compared: {cells:?}");
}

const HOOK: &str = "name: ask\nsummary: Answers from what it was given\non: hook\ninputs:\n  body: { type: map }\nsteps:\n  - id: judge\n    set: { hot: inputs.body.severity >= 3 }\n  - id: answer\n    reply: { hot: steps.judge.hot }\nsop: Nothing.\n";

const CALLED: &str = "name: ask\nsummary: Is called by others now\non: called\nsteps:\n  - id: judge\n    set: { hot: 'true' }\nsop: Nothing.\n";

#[tokio::test]
async fn an_author_writes_checks_and_rehearses_playbooks_and_decides_nothing() {
    let house = staffed().await;
    let by =
        async |who: &str, method: Method, path: &str, body| house.ask(who, method, path, Some(body)).await;
    // A new one with its trigger and hook: analysts may look at what it would do, and not save it.
    let new = "/api/v1/playbooks/ask";
    let text = json!({ "text": HOOK, "base": "" });
    for who in ["the-viewer", "the-analyst", "the-approver", "the-operator"] {
        let answer = by(who, Method::PUT, new, text.clone()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{who}: {}", answer.text());
    }
    let checked = by("the-author", Method::POST, &format!("{new}/check"), json!({ "text": HOOK })).await;
    assert_eq!((checked.status, &checked.json()["ok"]), (StatusCode::OK, &json!(true)), "{}", checked.text());
    let saved = by("the-author", Method::PUT, new, text).await;
    assert_eq!(saved.status, StatusCode::OK, "{}", saved.text());
    let called = by("suricata", Method::POST, "/api/v1/hooks/ask", json!({ "severity": 5 })).await;
    assert_eq!((called.status, called.json()), (StatusCode::OK, json!({ "hot": true })));
    // What it listens to is part of the text, and so is theirs.
    let view = house.get(new).await;
    let again = json!({ "text": CALLED, "base": view["hash"] });
    let again = by("the-author", Method::PUT, new, again).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.text());
    let called = by("suricata", Method::POST, "/api/v1/hooks/ask", json!({ "severity": 5 })).await;
    assert_eq!(called.status, StatusCode::NOT_FOUND, "its hook is gone: {}", called.text());

    house.deliver("suricata", beacon().to_string()).await;
    house.until("/api/v1/approvals", |v| v["pending"] == 1).await;
    let question = house.get("/api/v1/approvals/APR-1").await;
    let source = house.get("/api/v1/playbooks/c2-beacon").await["source"].clone();
    let rehearsed = json!({ "text": source, "incident": "INC-1" });
    let rehearsed = by("the-author", Method::POST, "/api/v1/playbooks/c2-beacon/rehearse", rehearsed).await;
    assert_eq!(rehearsed.status, StatusCode::OK, "{}", rehearsed.text());

    let digest = json!({ "digest": question["digest"] });
    for (path, body) in [
        ("/api/v1/approvals/APR-1/approve", digest.clone()),
        ("/api/v1/approvals/APR-1/deny", digest),
        ("/api/v1/blocks/ACT-1/release", json!({ "reason": "x" })),
        ("/api/v1/blocks/ACT-1/veto", json!({ "reason": "x" })),
        ("/api/v1/admin/kill-switch", json!({ "on": true, "reason": "x" })),
        ("/api/v1/admin/reload", json!({})),
        ("/api/v1/people", json!({ "name": "x", "role": "admin" })),
        ("/api/v1/tokens", json!({ "name": "x", "role": "admin", "lasts": "1h" })),
    ] {
        let answer = by("the-author", Method::POST, path, body).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}: {}", answer.text());
    }
    assert_eq!(house.get("/api/v1/blocks").await["blocks"], json!([]));
    assert_eq!(house.get("/api/v1/approvals").await["pending"], 1, "nothing of this has counted");
}
