//! DNS rebinding: a browser that was led here under a name that is not ours, tried on every route.
//!
//! What goes out is led astray in the same way; `stanch-connectors/src/egress/tests.rs` tries that.
//!
//! Source: SEC-31, SEC-45; RFC 9112 §3.2 (one `Host`, and no other header says who is meant).

use axum::http::{Method, StatusCode};

use super::{Ask, Kind, VICTIM, doings, house, kept, open_to_attack, routes, sign_in, token_of};
use crate::house::House;

/// The name that an operator gave with `--host`.
const PUBLIC: &str = "stanch.example.com";

/// Names that are not ours, whatever leads them here.
fn foreign(port: u16) -> Vec<String> {
    let mut all: Vec<String> = [
        "evil.example",
        "10.0.0.1",
        "0.0.0.0",
        "[::]",
        "[fe80::1]",
        "169.254.169.254",
        "stanch.example.com.evil.example",
        "evil-stanch.example.com",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "xlocalhost",
        "2130706433",
        "0x7f.1",
    ]
    .map(str::to_owned)
    .into();
    all.extend([
        format!("evil.example:{port}"),
        format!("127.0.0.1.nip.io:{port}"),
        format!("localhost@evil.example:{port}"),
        format!("evil.example#localhost:{port}"),
        format!("evil.example,127.0.0.1:{port}"),
        String::new(),
    ]);
    all
}

/// Told to everybody, and nothing in it: probes of health, and the description.
fn tells_nothing(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz" | "/api/v1/openapi.json")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_under_a_foreign_name_gets_nothing_on_any_route() {
    let house = house().await;
    let (all, port) = (routes(&house).await, house.app.addr().port());
    let cookie = sign_in(&house, VICTIM, &[]).await.cookie();
    let (files, done) = (kept(&house), doings(&house, VICTIM).await);
    let pages = ["/", "/queue", "/setup"].map(|p| (Method::GET, p.to_owned(), Kind::Open));
    let places = all.iter().map(|r| (r.method.clone(), r.at.clone(), r.kind)).chain(pages);
    let mut tried = 0;
    for (method, path, kind) in places.filter(|p| !tells_nothing(&p.1)) {
        for name in foreign(port) {
            // What a page can send of itself where it has led a browser, and what a proxy would add.
            let own = format!("http://{name}");
            let page = Ask::new(&method, &path)
                .with("host", &name)
                .with("origin", &own)
                .with("cookie", &cookie)
                .with("x-stanch-console", "1")
                .with("sec-fetch-site", "same-origin")
                .with("x-forwarded-host", "localhost")
                .with("forwarded", "host=localhost")
                .body("application/json", "{}");
            for ask in [page.clone(), page.with("authorization", "Bearer of-nothing")] {
                let said = ask.at(&house).await;
                let at = format!("{method} {path} as {name:?}: {} {}", said.status, said.body);
                assert!(said.status.is_client_error(), "{at}");
                assert!(kind == Kind::Intake || ["ST0421", "ST0401"].contains(&said.code().as_str()), "{at}");
                assert!(said.head("set-cookie").is_none(), "{at}");
                tried += 1;
            }
        }
    }
    assert_eq!(kept(&house), files, "a file has changed");
    assert_eq!(doings(&house, VICTIM).await, done, "something was done in their name");
    eprintln!("rebinding: {tried} requests under {} foreign names, none answered", foreign(port).len());
}

#[tokio::test]
async fn our_own_names_are_answered_and_no_other_header_makes_one_foreign() {
    let house = House::started(open_to_attack, |o| o.hosts.push(PUBLIC.to_owned())).await;
    let port = house.app.addr().port();
    for name in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("LOCALHOST:{port}"),
        format!("stanch.localhost:{port}"),
        format!("[::1]:{port}"),
        "127.0.0.1".to_owned(),
        PUBLIC.to_owned(),
        format!("{PUBLIC}:8443"),
        PUBLIC.to_uppercase(),
    ] {
        let ask = Ask::new(&Method::GET, "/queue").with("host", &name);
        let said = ask.with("x-forwarded-host", "evil.example").at(&house).await;
        assert_eq!(said.status, StatusCode::OK, "{name}: {}", said.body);
    }
}

#[tokio::test]
async fn two_names_at_once_are_none() {
    let house = house().await;
    let (addr, token) = (house.app.addr().to_string(), format!("Bearer {}", token_of(VICTIM)));
    for names in [[addr.as_str(), "evil.example"], ["evil.example", &addr], [&addr, &addr]] {
        let ask = Ask::new(&Method::GET, "/queue").with("host", names[0]).with("host", names[1]);
        assert!(ask.at(&house).await.status.is_client_error(), "{names:?}");
    }
    let whole = Ask::new(&Method::GET, "http://evil.example/queue").with("host", &addr).at(&house).await;
    assert!(whole.status.is_client_error(), "the address names another host: {}", whole.status);
    let program = Ask::new(&Method::GET, "/api/v1/whoami").with("host", "a.name.of.its.own");
    let program = program.with("authorization", &token).at(&house).await;
    assert_eq!(program.status, StatusCode::OK, "a program with a token was led by nobody");
}
