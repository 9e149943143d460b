//! Paths that want out: traversal in every spelling, in every place of every route and on the pages.
//!
//! Source: SEC-16, SEC-27; OWASP Path Traversal.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::{Ask, Route, VICTIM, house, kept, routes, token_of};
use crate::house::House;

/// What must be read by nobody.
const OUTSIDE: &str = "this-stands-outside-of-everything-that-is-served";

/// Ways to write a way out.
fn ways_out() -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for up in [
        "..",
        "%2e%2e",
        ".%2e",
        "%252e%252e",
        "%25252e%25252e",
        "..%00",
        "%c0%ae%c0%ae",
        "..;",
        "%uff0e%uff0e",
    ] {
        for slash in ["/", "%2f", "%252f", "\\", "%5c", "%255c", "%c0%af", "//"] {
            all.push(format!("{}outside.txt", format!("{up}{slash}").repeat(3)));
        }
    }
    for one in [
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "//etc/passwd",
        "file:///etc/passwd",
        "C:%5cwindows%5cwin.ini",
        "%00",
        "outside.txt%00.yaml",
        "c2-beacon%00",
        "c2-beacon.yaml",
        "c2-beacon%2eyaml",
        ".",
        "..",
        "...",
        "~root",
        "$HOME",
        "%0d%0aset-cookie:a=b",
        "a%0aINC-1",
        "INC-1;x=1",
        "INC-1%20",
        "INC-1/",
        "%49NC-1",
        "INC-99999999999999999999999999",
        "INC--1",
        "INC-0x1",
        "%ff%fe",
        "%",
        "%zz",
        "%2",
        "*",
        "con",
        "-",
        "\u{202e}CNI-1",
    ] {
        all.push(one.to_owned());
    }
    all.extend([300, 5_000, 70_000].map(|n| "a".repeat(n)));
    all
}

/// What a line can hold: what is between its words cannot be among them.
fn on_the_line(way: &str) -> String {
    way.chars().filter(|c| !c.is_whitespace()).collect()
}

/// Each place of a route, with a way out in it.
fn places(route: &Route) -> Vec<(String, String)> {
    let parts: Vec<&str> = route.path.split('/').collect();
    let at: Vec<&str> = route.at.split('/').collect();
    let holes = (0..parts.len()).filter(|n| parts[*n].starts_with('{'));
    holes
        .map(|hole| {
            (at[..hole].join("/"), at[hole + 1..].iter().map(|p| format!("/{p}")).collect::<String>())
        })
        .collect()
}

fn held(said: &super::Said, at: &str) {
    assert!(!said.status.is_server_error(), "{at}: {} {}", said.status, said.body);
    for secret in [OUTSIDE, "root:x:0", "the-secret-of-"] {
        assert!(!said.body.contains(secret), "{at}: {}", said.body);
    }
    assert!(said.head("set-cookie").is_none(), "{at}: a header was made from a path");
}

async fn with_outside() -> House {
    let house = house().await;
    for at in ["outside.txt", "config/outside.txt", "data/outside.txt", "config/outside.yaml"] {
        std::fs::write(house.config().parent().unwrap().join(at), OUTSIDE).unwrap();
    }
    house
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_in_a_path_leads_out_of_what_is_served() {
    let house = with_outside().await;
    let bearer = format!("Bearer {}", token_of(VICTIM));
    let files = kept(&house);
    let all = routes(&house).await;
    let with_names: Vec<&Route> = all.iter().filter(|r| r.path.contains('{')).collect();
    assert!(with_names.len() > 40, "{}", with_names.len());
    let mut tried = 0;
    for route in with_names {
        for (before, after) in places(route) {
            for way in ways_out() {
                let path = format!("{before}/{}{after}", on_the_line(&way));
                let at = format!("{} {path:.200}", route.method);
                let ask = Ask::new(&route.method, &path).with("authorization", &bearer);
                // Where the line is closed without a word there is nothing to hold.
                if let Some(said) = ask.body("application/json", "{}").to(house.app.addr()).await {
                    held(&said, &at);
                    assert!(said.status.is_client_error(), "{at}: {} {:.300}", said.status, said.body);
                }
                tried += 1;
            }
        }
    }
    assert_eq!(kept(&house), files, "a file was made or changed");
    eprintln!("paths: {tried} ways out of names in paths, none led anywhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_and_no_asset_is_a_way_out() {
    let house = with_outside().await;
    let mut tried = 0;
    let places = ["/", "/assets/", "/queue/", "/incidents/", "/playbooks/", "/api/v1/", "/in/", "/chat/"];
    for place in places {
        for way in ways_out() {
            for method in [Method::GET, Method::POST] {
                let path = format!("{place}{}", on_the_line(&way));
                let ask = Ask::new(&method, &path).body("application/json", "{}");
                let Some(said) = ask.to(house.app.addr()).await else { continue };
                let at = format!("{method} {path:.200}");
                held(&said, &at);
                // A page is the same whatever follows; everything else is not there.
                let page = said.body.starts_with("<!doctype html>");
                assert!(page || said.status.is_client_error(), "{at}: {} {}", said.status, said.body);
                tried += 1;
            }
        }
    }
    let alive = Ask::new(&Method::GET, "/healthz").at(&house).await;
    assert_eq!(alive.status, StatusCode::OK);
    eprintln!("paths: {tried} ways out of pages, assets and doors, none led anywhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_in_a_body_makes_a_file_elsewhere() {
    let house = with_outside().await;
    let bearer = format!("Bearer {}", token_of(VICTIM));
    let names = [
        "../outside",
        "..",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "a\u{0}b",
        "..%2foutside",
        ".hidden",
        "",
        " ",
        "A B",
        "con.yaml",
        "\u{202e}txt",
        "a\nb",
        "~",
        "-rf",
    ];
    let before = kept(&house);
    let mut tried = 0;
    for name in names {
        for (method, path, body) in [
            (Method::POST, "/api/v1/people", json!({ "name": name, "role": "viewer", "teams": [] })),
            (Method::POST, "/api/v1/people", json!({ "name": "ok", "role": "viewer", "teams": [name] })),
            (Method::PUT, "/api/v1/secrets/x", json!({ "connector": name, "hosts": [name], "value": "v" })),
            (Method::POST, "/api/v1/tokens", json!({ "name": "t", "role": name })),
            (Method::POST, "/api/v1/incidents/INC-1/merge", json!({ "into": name, "reason": "x" })),
            (
                Method::POST,
                "/api/v1/session/set-up",
                json!({ "token": name, "name": name, "password": "four words of it" }),
            ),
        ] {
            let ask = Ask::new(&method, path).with("authorization", &bearer);
            let said = ask.body("application/json", &body.to_string()).at(&house).await;
            let at = format!("{method} {path} {body}");
            held(&said, &at);
            assert!(said.status.is_client_error(), "{at}: {} {}", said.status, said.body);
            tried += 1;
        }
    }
    assert_eq!(kept(&house), before, "a file was made or changed");
    eprintln!("paths: {tried} names in bodies, no file made");
}
