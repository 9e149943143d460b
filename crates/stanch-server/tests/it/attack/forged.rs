//! Cross-site request forgery and cross-origin reading: what another site's page can have a browser send, tried
//! on every route with a session that may do everything.
//!
//! Source: SEC-30, SEC-31; OWASP Cross-Site Request Forgery Prevention Cheat Sheet.

use axum::http::{Method, StatusCode};
use rustls::pki_types::ServerName;
use tokio::io::AsyncWriteExt;

use super::{Ask, Kind, Route, Said, VICTIM, doings, house, kept, origin, routes, sign_in, token_of, whoami};
use crate::house::House;

/// A request of our own page, before an attack makes it another's.
fn honest(house: &House, cookie: &str) -> Vec<(&'static str, String)> {
    vec![
        ("cookie", cookie.to_owned()),
        ("origin", origin(house)),
        ("x-stanch-console", "1".to_owned()),
        ("sec-fetch-site", "same-origin".to_owned()),
        ("content-type", "application/json".to_owned()),
    ]
}

/// What an attack changes: a header, and what it becomes; none leaves it out.
type Change = (&'static str, Option<String>);

/// What another page can and cannot make a browser send.
fn attacks(house: &House) -> Vec<(String, Vec<Change>)> {
    let port = house.app.addr().port();
    let set = |name: &'static str, value: &str| (name, Some(value.to_owned()));
    let mut all = vec![
        ("no header of our own".to_owned(), vec![("x-stanch-console", None)]),
        ("no origin".to_owned(), vec![("origin", None)]),
        ("neither".to_owned(), vec![("origin", None), ("x-stanch-console", None)]),
    ];
    for site in ["cross-site", "same-site"] {
        all.push((format!("a page that is {site}"), vec![set("sec-fetch-site", site)]));
    }
    for origin in [
        "http://evil.example".to_owned(),
        "null".to_owned(),
        String::new(),
        "http://127.0.0.1".to_owned(),
        format!("http://127.0.0.1:{}", port.wrapping_add(1)),
        format!("http://127.0.0.1:{port}.evil.example"),
        format!("http://evil.example#127.0.0.1:{port}"),
        format!("http://evil.example, http://127.0.0.1:{port}"),
        format!("http://user@127.0.0.1:{port}"),
        format!("http://127.0.0.1:{port}/"),
        format!("127.0.0.1:{port}"),
    ] {
        all.push((format!("the origin {origin:?}"), vec![set("origin", &origin)]));
    }
    // A form: no header of its own, one of three types, and whoever sends it does not choose its origin.
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let form =
            vec![set("content-type", kind), ("x-stanch-console", None), set("origin", "http://evil.example")];
        all.push((format!("a form of {kind}"), form));
    }
    all
}

fn attacked(house: &House, route: &Route, cookie: &str, changes: &[Change]) -> Ask {
    let mut ask = Ask::new(&route.method, &route.at);
    for (name, value) in honest(house, cookie) {
        let value = changes.iter().find(|c| c.0 == name).map_or(Some(value), |c| c.1.clone());
        if let Some(value) = value {
            ask = if name == "content-type" { ask.body(&value, "{}") } else { ask.with(name, &value) };
        }
    }
    ask
}

fn changing(all: Vec<Route>) -> Vec<Route> {
    let found: Vec<Route> =
        all.into_iter().filter(|r| r.method != Method::GET && r.kind != Kind::Intake).collect();
    assert!(found.len() > 50, "{} routes change something", found.len());
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_of_another_site_changes_anything_with_a_session_of_ours() {
    let house = house().await;
    let routes = changing(routes(&house).await);
    let cookie = sign_in(&house, VICTIM, &[]).await.cookie();
    let (files, done) = (kept(&house), doings(&house, VICTIM).await);
    let mut tried = 0;
    for route in &routes {
        for (what, changes) in attacks(&house) {
            let said = attacked(&house, route, &cookie, &changes).at(&house).await;
            let at = format!("{} {} with {what}: {} {}", route.method, route.path, said.status, said.body);
            assert_eq!(said.code(), "ST0421", "{at}");
            assert!(said.head("set-cookie").is_none(), "{at}");
            tried += 1;
        }
    }
    assert_eq!(kept(&house), files, "a file has changed");
    assert_eq!(doings(&house, VICTIM).await, done, "something was done in their name");
    assert_eq!(whoami(&house, &cookie).await.status, StatusCode::OK, "the session itself was not touched");
    eprintln!("csrf: {tried} forged requests on {} routes, none taken", routes.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_requests_of_our_own_page_are_let_through() {
    let house = house().await;
    let routes = changing(routes(&house).await);
    for route in &routes {
        // Whatever the one before has ended is opened anew.
        let cookie = sign_in(&house, VICTIM, &[]).await.cookie();
        let said = attacked(&house, route, &cookie, &[]).at(&house).await;
        assert_ne!(said.code(), "ST0421", "{} {}: {}", route.method, route.path, said.body);
        assert!(
            route.kind == Kind::Door || route.path == "/api/v1/session" || said.status != 401,
            "{} {}",
            route.method,
            route.path
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_json_is_not_read_whoever_sends_it() {
    let house = house().await;
    let routes = changing(routes(&house).await);
    let cookie = sign_in(&house, VICTIM, &[]).await.cookie();
    let mut tried = 0;
    for route in routes.iter().filter(|r| r.kind == Kind::People) {
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
            let change = [("content-type", Some(kind.to_owned()))];
            let said = attacked(&house, route, &cookie, &change).at(&house).await;
            let at = format!("{} {} as {kind}: {} {}", route.method, route.path, said.status, said.body);
            // A route without a body reads none; every other one says what it wants.
            assert!(said.status != StatusCode::OK || reads_no_body(&house, route).await, "{at}");
            assert!(!said.status.is_server_error(), "{at}");
            tried += 1;
        }
    }
    eprintln!("csrf: {tried} bodies that are not JSON");
}

/// True where the description knows of no body.
async fn reads_no_body(house: &House, route: &Route) -> bool {
    let api = house.get("/api/v1/openapi.json").await;
    let method = route.method.as_str().to_ascii_lowercase();
    api["paths"][&route.path][method.as_str()]["requestBody"].is_null()
}

fn shares_nothing(said: &Said, at: &str) {
    for name in ["origin", "credentials", "methods", "headers", "private-network"] {
        let name = format!("access-control-allow-{name}");
        assert!(said.head(&name).is_none(), "{at}: {name}: {:?}", said.all(&name));
    }
    // Ways in for programs answer browsers with nothing that is worth a header.
    let program = ["/in/", "/v2/", "/api/v2/"].iter().any(|p| at.contains(&format!(" {p}")));
    assert!(program || said.head("cross-origin-resource-policy") == Some("same-origin"), "{at}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_shares_an_answer_with_another_site() {
    let house = house().await;
    let all = routes(&house).await;
    let cookie = sign_in(&house, VICTIM, &[]).await.cookie();
    let bearer = format!("Bearer {}", token_of(VICTIM));
    let mut places: Vec<(Method, String)> = all.iter().map(|r| (r.method.clone(), r.at.clone())).collect();
    places.extend(["/", "/queue", "/assets/none.js", "/nothing"].map(|p| (Method::GET, p.to_owned())));
    let mut tried = 0;
    for (method, path) in &places {
        for from in ["http://evil.example", "null", "http://localhost:1"] {
            let at = format!("{method} {path} from {from}");
            let preflight = Ask::new(&Method::OPTIONS, path)
                .with("origin", from)
                .with("access-control-request-method", method.as_str())
                .with("access-control-request-headers", "authorization,x-stanch-console,content-type")
                .with("access-control-request-private-network", "true");
            let said = preflight.at(&house).await;
            assert!(!said.status.is_success(), "{at}: a preflight was granted: {}", said.status);
            shares_nothing(&said, &at);
            tried += 1;
            if *method != Method::GET {
                continue;
            }
            for (name, value) in [("cookie", &cookie), ("authorization", &bearer)] {
                let said = Ask::new(method, path).with("origin", from).with(name, value).at(&house).await;
                shares_nothing(&said, &at);
                tried += 1;
            }
        }
    }
    eprintln!("cors: {tried} requests of other sites on {} addresses, none shared", places.len());
}

#[tokio::test]
async fn the_cookie_of_a_session_is_for_our_pages_alone() {
    let house = house().await;
    let set = sign_in(&house, VICTIM, &[]).await.head("set-cookie").unwrap().to_owned();
    let words: Vec<&str> = set.split("; ").skip(1).collect();
    assert_eq!(words, ["Path=/", "HttpOnly", "SameSite=Strict", "Max-Age=43200"], "{set}");
    let value = set.split(['=', ';']).nth(1).unwrap();
    assert!(value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit()), "256 bits: {set}");
    // Behind a proxy that speaks TLS.
    let origin = origin(&house).replace("http://", "https://");
    let token = format!("Bearer {}", token_of(VICTIM));
    let ask = Ask::new(&Method::POST, "/api/v1/session").with("authorization", &token);
    let said = ask.with("origin", &origin).with("x-stanch-console", "1").at(&house).await;
    assert!(said.head("set-cookie").unwrap().ends_with("; Secure"), "{:?}", said.all("set-cookie"));
}

#[tokio::test]
async fn over_tls_the_cookie_is_bound_to_this_host_and_plain_pages_are_others() {
    let house = House::with(|config| {
        super::open_to_attack(config);
        crate::secure::with_tls(config);
    })
    .await;
    let port = house.app.addr().port();
    let token = token_of(VICTIM);
    let ask = |origin: String| {
        let connector = crate::secure::client(&[&rustls::version::TLS13]);
        let request = format!(
            "POST /api/v1/session HTTP/1.1\r\nhost: localhost:{port}\r\nauthorization: Bearer {token}\r\norigin: {origin}\r\n\
             x-stanch-console: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        let addr = house.app.addr();
        async move {
            let line = tokio::net::TcpStream::connect(addr).await.unwrap();
            let mut tls = connector.connect(ServerName::try_from("localhost").unwrap(), line).await.unwrap();
            tls.write_all(request.as_bytes()).await.unwrap();
            Said::read(&mut tls).await.unwrap()
        }
    };
    let said = ask(format!("https://localhost:{port}")).await;
    let set = said.head("set-cookie").unwrap();
    assert!(set.starts_with("__Host-stanch=") && set.ends_with("; Secure"), "{set}");
    assert!(set.contains("; HttpOnly; SameSite=Strict;") && set.contains("; Path=/;"), "{set}");
    assert!(!set.to_ascii_lowercase().contains("domain"), "{set}");
    let plain = ask(format!("http://localhost:{port}")).await;
    assert_eq!(
        plain.status,
        StatusCode::FORBIDDEN,
        "a page that came in the clear is not ours: {}",
        plain.body
    );
}
