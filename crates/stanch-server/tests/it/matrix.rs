//! Every route for people against everybody: nobody, each role, and proofs that are over, taken back or
//! shut. What each may is read from the description, which is made of the handlers' own types; a route that
//! is not in it does not exist. The table in `docs/reference/authorisation.md` is made here.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use stanch_core::config::Role;
use stanch_server::{ANONYMOUS_PATHS, DOOR_PATHS};

use crate::house::{Answer, House, call};
use crate::people::concrete;

/// A route for people: method, path, and the least roles that pass.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: String,
    least: Vec<Role>,
}

impl Route {
    pub(crate) fn passes(&self, role: Role) -> bool {
        self.least.iter().any(|least| role.covers(*least))
    }
}

/// Ways in that bring a proof of their own, which other tests look at.
fn is_intake(path: &str) -> bool {
    ["/in/", "/v2/", "/api/v2/", "/chat/"].iter().any(|p| path.starts_with(p))
}

pub(crate) fn routes(api: &Value) -> Vec<Route> {
    let mut all = Vec::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        if is_intake(path) || ANONYMOUS_PATHS.contains(&path.as_str()) || DOOR_PATHS.contains(&path.as_str())
        {
            continue;
        }
        for (method, operation) in item.as_object().unwrap() {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            let security = operation["security"].as_array();
            let scopes = security.and_then(|s| s.iter().find_map(|s| s["person"].as_array()));
            let scopes = scopes.unwrap_or_else(|| panic!("{method} {path} names nobody who may"));
            let least: Vec<Role> =
                scopes.iter().map(|s| Role::of_word(s.as_str().unwrap()).unwrap()).collect();
            assert!(!least.is_empty(), "{method} {path}");
            all.push(Route { method, path: path.clone(), least });
        }
    }
    all
}

pub(crate) async fn api(house: &House) -> Value {
    call(&house.app.router(), Request::get("/api/v1/openapi.json").body(Body::empty()).unwrap()).await.json()
}

/// A Stanch with somebody of each role.
pub(crate) async fn staffed() -> House {
    House::with(|config| {
        let people = config.join("policies/people.yaml");
        let mut text = std::fs::read_to_string(&people).unwrap();
        for role in Role::ALL.iter().map(|r| r.word()) {
            writeln!(
                text,
                "  the-{role}:\n    token: {{ file: secrets/the-{role}.token }}\n    role: {role}"
            )
            .unwrap();
            let secret = config.join(format!("secrets/the-{role}.token"));
            std::fs::write(secret, House::secret(&format!("the-{role}.token"))).unwrap();
        }
        std::fs::write(people, text).unwrap();
    })
    .await
}

pub(crate) async fn knock(house: &House, route: &Route, token: Option<&str>) -> Answer {
    let mut request = Request::builder().method(&route.method).uri(concrete(&route.path));
    request = request.header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    call(&house.app.router(), request.body(Body::from("{}")).unwrap()).await
}

/// A token of an administrator, made here.
async fn api_token(house: &House, role: &str) -> (String, String) {
    let body = json!({ "name": "matrix", "role": role, "lasts": "1h" });
    let made = house.post("the-admin", "/api/v1/tokens", body).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text());
    let made = made.json();
    (made["id"].as_str().unwrap().to_owned(), made["token"].as_str().unwrap().to_owned())
}

/// Not let in for want of a role; other refusals are about the thing itself.
pub(crate) fn lacks_role(answer: &Answer) -> bool {
    answer.status == StatusCode::FORBIDDEN && answer.text().contains("this needs the role")
}

#[tokio::test]
async fn every_route_lets_in_exactly_those_whom_its_handler_names() {
    let house = staffed().await;
    let all = routes(&api(&house).await);
    assert!(all.len() > 60, "{}", all.len());
    for route in &all {
        let at = format!("{} {}", route.method, route.path);
        for role in Role::ALL {
            // An answer without an end; `console.rs` listens to it.
            if route.path.ends_with("/events") && route.passes(*role) {
                continue;
            }
            let token = House::secret(&format!("the-{}.token", role.word()));
            let answer = knock(&house, route, Some(&token)).await;
            assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{at} by {}: {}", role.word(), answer.text());
            assert_eq!(
                lacks_role(&answer),
                !route.passes(*role),
                "{at} by {}: {}",
                role.word(),
                answer.text()
            );
        }
    }
}

#[tokio::test]
async fn no_route_takes_a_proof_that_is_none_any_more() {
    let house = staffed().await;
    let all = routes(&api(&house).await);
    let (id, revoked) = api_token(&house, "admin").await;
    let path = format!("/api/v1/tokens/{id}/revoke");
    assert_eq!(house.post("the-admin", &path, json!({})).await.status, StatusCode::OK);
    let (_, expired) = api_token(&house, "admin").await;
    house.forward(3_601);
    let wrong = format!("stanch_{}", "0".repeat(64));
    let source = House::secret("suricata.token");
    let proofs = [
        ("nothing", None),
        ("an empty token", Some("")),
        ("a token of nobody", Some("wrong")),
        ("a token that was never made", Some(wrong.as_str())),
        ("a token that was taken back", Some(revoked.as_str())),
        ("a token that is over", Some(expired.as_str())),
        ("a token of a source", Some(source.as_str())),
    ];
    for route in &all {
        for (what, token) in proofs {
            // A source may call a hook, and nothing else that is for people.
            if what.ends_with("source") && route.path.starts_with("/api/v1/hooks/") {
                continue;
            }
            let answer = knock(&house, route, token).await;
            // Only our own pages are told whether a token opens a session.
            let session = route.path == "/api/v1/session" && route.method == Method::POST;
            assert_eq!(
                answer.status,
                if session { StatusCode::FORBIDDEN } else { StatusCode::UNAUTHORIZED },
                "{} {} with {what}",
                route.method,
                route.path
            );
        }
    }
}

#[tokio::test]
async fn a_token_of_an_administrator_does_no_more_than_its_scope() {
    let house = staffed().await;
    let all = routes(&api(&house).await);
    for role in [Role::Viewer, Role::Approver] {
        let (_, token) = api_token(&house, role.word()).await;
        for route in all.iter().filter(|r| !r.passes(role)) {
            let answer = knock(&house, route, Some(&token)).await;
            assert!(lacks_role(&answer), "{} {} with the scope {}", route.method, route.path, role.word());
        }
    }
}

#[tokio::test]
async fn the_table_in_the_documentation_is_the_one_that_is_checked() {
    let house = House::new().await;
    let api = api(&house).await;
    let mut table = String::from(
        "# Who may do what\n\nMade from the types of the handlers by `tests/it/matrix.rs`, which also tries every cell. \
         Do not edit: run\n`STANCH_WRITE_OPENAPI=1 cargo test -p stanch-server --test it matrix`.\n\n",
    );
    let heads: Vec<&str> = Role::ALL.iter().map(|r| r.word()).collect();
    writeln!(table, "| route | {} |\n| --- |{}", heads.join(" | "), " :-: |".repeat(heads.len())).unwrap();
    for route in routes(&api) {
        let cells: Vec<&str> = Role::ALL.iter().map(|r| if route.passes(*r) { "✓" } else { "" }).collect();
        writeln!(table, "| `{} {}` | {} |", route.method, route.path, cells.join(" | ")).unwrap();
    }
    let open: BTreeSet<&str> = ANONYMOUS_PATHS.iter().chain(DOOR_PATHS).copied().collect();
    let open: Vec<String> = open.into_iter().map(|p| format!("`{p}`")).collect();
    writeln!(table, "\nWithout a person, and nothing else: {}.", open.join(", ")).unwrap();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/authorisation.md");
    if std::env::var_os("STANCH_WRITE_OPENAPI").is_some() {
        std::fs::write(file, &table).unwrap();
    }
    let kept = std::fs::read_to_string(file).unwrap_or_default();
    assert!(kept == table, "docs/reference/authorisation.md is old; see its head");
}

#[tokio::test]
async fn a_question_about_authority_is_answered_with_its_reasons() {
    let house = staffed().await;
    let ask = |by: &'static str, query: &'static str| {
        let house = &house;
        async move { house.ask(by, Method::GET, &format!("/api/v1/authz/explain?{query}"), None).await }
    };
    let own = ask("the-author", "method=POST&path=/api/v1/approvals/APR-1/approve").await.json();
    assert_eq!(own["allowed"], false, "{own}");
    assert_eq!(own["least"], json!(["approver"]));
    assert!(own["because"][0].as_str().unwrap().contains("look, work, write"), "{own}");
    let reload = ask("the-operator", "method=post&path=/api/v1/admin/reload").await.json();
    assert_eq!(reload["allowed"], true, "{reload}");
    let other = ask("the-author", "who=the-admin&method=GET&path=/api/v1/queue").await;
    assert_eq!(other.status, StatusCode::FORBIDDEN, "only administrators ask about others");
    let other = ask("the-admin", "who=the-viewer&method=POST&path=/api/v1/silences").await.json();
    assert_eq!((&other["who"], &other["allowed"]), (&json!("the-viewer"), &json!(false)));
    assert_eq!(
        ask("the-admin", "who=nobody&method=GET&path=/api/v1/queue").await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(ask("the-admin", "method=GET&path=/api/v1/nothing").await.status, StatusCode::NOT_FOUND);
    house.deliver("suricata", crate::house::beacon().to_string()).await;
    house.until("/api/v1/approvals", |v| v["pending"] == 1).await;
    let team = ask("the-approver", "method=POST&path=/api/v1/approvals/APR-1/approve").await.json();
    assert_eq!(team["allowed"], false, "the role is not enough where a team is asked: {team}");
}
