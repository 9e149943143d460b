//! Who may do what: every documented route, without a token, with a wrong one, with too small a role.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use stanch_server::{ANONYMOUS_PATHS, DOOR_PATHS};

use crate::house::{Answer, House, call};

/// Every operation: method, path, least role; none for those that need no person.
pub(crate) fn operations(api: &Value) -> Vec<(Method, String, Option<String>)> {
    let mut all = Vec::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        for method in ["get", "post", "put", "delete", "patch"] {
            let Some(op) = item.get(method) else { continue };
            let person =
                op["security"].as_array().and_then(|s| s.iter().find_map(|s| s.get("person")).cloned());
            let role = person.map(|p| p[0].as_str().unwrap().to_owned());
            all.push((method.to_uppercase().parse().unwrap(), path.clone(), role));
        }
    }
    all
}

pub(crate) fn concrete(path: &str) -> String {
    let id = match path {
        p if p.contains("/alerts/") => "A-1",
        p if p.contains("/approvals/") => "APR-1",
        p if p.contains("/blocks/") => "ACT-1",
        p if p.contains("/runs/") => "RUN-1",
        p if p.contains("/silences/") => "SIL-1",
        p if p.contains("/quarantine/") => "1",
        // The bare one is for taking it away.
        "/api/v1/webhooks/{id}" => "HOOK-9",
        p if p.contains("/webhooks/") => "HOOK-1",
        _ => "INC-1",
    };
    path.replace("{name}", "c2-beacon")
        .replace("{id}", id)
        .replace("{incident}", id)
        .replace("{playbook}", "c2-beacon")
        .replace("{person}", "secops-lead")
        .replace("{token}", "TOK-1")
        .replace("{source}", "suricata")
}

async fn with_token(house: &House, method: &Method, path: &str, token: Option<&str>) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", token);
    }
    call(&house.app.router(), request.body(Body::from("{}")).unwrap()).await
}

#[tokio::test]
async fn every_route_is_closed_to_strangers_and_to_those_with_too_small_a_role() {
    let house = House::new().await;
    let api = call(&house.app.router(), Request::get("/api/v1/openapi.json").body(Body::empty()).unwrap())
        .await
        .json();
    let all = operations(&api);
    assert!(all.len() > 45, "{}", all.len());
    let below = |role: &str| match role {
        "analyst" => Some("watcher"),
        "approver" => Some("endpoint-lead"),
        "admin" | "operator" => Some("secops-lead"),
        _ => None,
    };
    for (method, path, role) in all {
        let (at, intake) =
            (concrete(&path), ["/in/", "/v2/", "/api/v2/", "/chat/"].iter().any(|p| path.starts_with(p)));
        if intake {
            assert!(with_token(&house, &method, &at, None).await.status.is_client_error(), "{path}");
            continue;
        }
        if ANONYMOUS_PATHS.contains(&path.as_str()) {
            assert!(with_token(&house, &method, &at, None).await.status.is_success(), "{path}");
            continue;
        }
        if DOOR_PATHS.contains(&path.as_str()) {
            // A door: it answers, and opens to nobody who shows nothing.
            let answer = with_token(&house, &method, &at, None).await;
            assert!(method == Method::GET || answer.status.is_client_error(), "{path}");
            let set: Vec<_> =
                answer.headers.get_all("set-cookie").iter().filter_map(|v| v.to_str().ok()).collect();
            assert!(set.iter().all(|c| c.contains("-errand=;")), "{path}: {set:?}");
            continue;
        }
        let role = role.unwrap_or_else(|| panic!("{path} is open to everyone and not in the list"));
        for token in [
            None,
            Some("Bearer "),
            Some("Bearer wrong"),
            Some("Basic YTpi"),
            Some("Bearer the-secret-of-secrets/suricata.token"),
        ] {
            // A source may call a hook, and nothing else that is for people.
            let source = token.is_some_and(|t| t.contains("suricata"));
            if source && path.starts_with("/api/v1/hooks/") {
                continue;
            }
            let answer = with_token(&house, &method, &at, token).await;
            if path == "/api/v1/session" && method == Method::POST {
                assert_eq!(answer.json()["error"]["code"], "ST0421", "only our own pages open sessions");
                continue;
            }
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path} with {token:?}");
            assert_eq!(answer.json()["error"]["code"], "ST0401");
        }
        if let Some(person) = below(&role) {
            let token = format!("Bearer {}", House::secret(&format!("{person}.token")));
            let answer = with_token(&house, &method, &at, Some(&token)).await;
            assert_eq!(
                answer.status,
                StatusCode::FORBIDDEN,
                "{method} {path} by {person}: {}",
                answer.text()
            );
        }
    }
}

#[tokio::test]
async fn only_one_spelling_of_a_path_is_answered_and_unknown_ones_are_not_found() {
    let house = House::new().await;
    for path in [
        "/api//v1/whoami",
        "/api/v1/whoami/",
        "/api/v1/who%61mi",
        "/api/v1/alerts/A%2d1",
        "/API/v1/whoami",
        "/nothing",
        "/in",
        "/queue//",
        "/assets/none.js",
    ] {
        let answer = house.ask("admin", Method::GET, path, None).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}: {}", answer.text());
        assert_eq!(answer.json()["error"]["code"], "ST0404", "{path}");
    }
    let answer = house.ask("admin", Method::DELETE, "/api/v1/whoami", None).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.json()["error"]["code"], "ST0405");
    let answer = house.ask("admin", Method::GET, "/api/v1/approvals/APR-1/approve", None).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "looking never decides");
}

#[tokio::test]
async fn a_person_is_what_the_configuration_says() {
    let house = House::new().await;
    let me = house.ask("secops-lead", Method::GET, "/api/v1/whoami", None).await.json();
    let expected = json!({ "name": "secops-lead", "role": "approver", "teams": ["secops"], "way": "token", "may": ["look", "work", "decide"] });
    assert_eq!(me, expected);
}

#[tokio::test]
async fn a_token_that_is_emptied_disables_its_person_at_the_next_reload() {
    let house = House::new().await;
    std::fs::write(house.config().join("secrets/watcher.token"), "\n").unwrap();
    assert_eq!(house.ask("admin", Method::POST, "/api/v1/admin/reload", None).await.status, StatusCode::OK);
    for token in ["Bearer ", "Bearer the-secret-of-secrets/watcher.token", "Bearer \n"] {
        let Ok(value) = axum::http::HeaderValue::from_str(token) else { continue };
        let request =
            Request::get("/api/v1/whoami").header("authorization", value).body(Body::empty()).unwrap();
        assert_eq!(call(&house.app.router(), request).await.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn whoever_may_approve_may_stop_everything_and_only_an_admin_starts_it_again() {
    let house = House::new().await;
    let path = "/api/v1/admin/kill-switch";
    let on = house.post("secops-lead", path, json!({ "engaged": true })).await;
    assert_eq!(on.status, StatusCode::OK, "{}", on.text());
    assert_eq!(house.get(path).await["engaged"], true);
    assert_eq!(
        house.post("secops-lead", path, json!({ "engaged": false })).await.status,
        StatusCode::FORBIDDEN
    );
    let house = house.again().await;
    assert_eq!(house.get(path).await["engaged"], true, "a restart forgets nothing");
    assert_eq!(house.post("admin", path, json!({ "engaged": false })).await.status, StatusCode::OK);
    assert_eq!(house.get(path).await["engaged"], false);
}

#[tokio::test]
async fn where_somebody_who_may_act_works_is_protected_and_where_a_viewer_looks_is_not() {
    let house = House::new().await;
    let ask = async |from: &str, person: &str| {
        let token = House::secret(&format!("{person}.token"));
        let from = std::net::SocketAddr::new(from.parse().unwrap(), 40_000);
        let request = Request::get("/api/v1/settings")
            .header("authorization", format!("Bearer {token}"))
            .extension(axum::extract::ConnectInfo(from));
        call(&house.app.router(), request.body(Body::empty()).unwrap()).await.json()["protected"].to_string()
    };
    ask("198.51.100.20", "watcher").await;
    let shown = ask("198.51.100.21", "secops-lead").await;
    assert!(!shown.contains("198.51.100.20"), "{shown}");
    assert!(shown.contains("198.51.100.21") && shown.contains("works from there"), "{shown}");
}
