//! What the console needs of the server: sessions, the live stream, pages, and its own questions.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::house::{Answer, House, beacon, call, lines, noise};

const ORIGIN: &str = "http://localhost:7878";

/// A request as our own page makes it.
async fn browser(
    house: &House,
    method: Method,
    path: &str,
    extra: &[(&str, &str)],
    body: Option<Value>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", "localhost:7878");
    for (name, value) in extra {
        request = request.header(*name, *value);
    }
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let body = body.map_or_else(Body::empty, |b| Body::from(b.to_string()));
    call(&house.app.router(), request.body(body).unwrap()).await
}

async fn sign_in(house: &House, person: &str) -> Answer {
    let token = format!("Bearer {}", House::secret(&format!("{person}.token")));
    let headers = [("authorization", token.as_str()), ("origin", ORIGIN), ("x-stanch-console", "1")];
    browser(house, Method::POST, "/api/v1/session", &headers, None).await
}

fn cookie(answer: &Answer) -> String {
    let set = answer.headers[header::SET_COOKIE].to_str().unwrap();
    set.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_browser_signs_in_works_and_signs_out() {
    let house = House::new().await;
    house.deliver("suricata", beacon().to_string()).await;
    let signed_in = sign_in(&house, "secops-lead").await;
    assert_eq!(signed_in.status, StatusCode::OK, "{}", signed_in.text());
    assert_eq!(signed_in.json()["role"], "approver");
    let cookie = cookie(&signed_in);
    let own = [("cookie", cookie.as_str()), ("origin", ORIGIN), ("x-stanch-console", "1")];
    let me = browser(&house, Method::GET, "/api/v1/whoami", &own[..1], None).await;
    assert_eq!(me.json()["name"], "secops-lead");
    let ack = browser(&house, Method::POST, "/api/v1/incidents/INC-1/ack", &own, Some(json!({}))).await;
    assert_eq!(ack.status, StatusCode::OK, "{}", ack.text());
    for (without, evil) in [(1, "http://evil.example"), (2, ORIGIN)] {
        let mut headers = own.to_vec();
        headers.remove(without);
        headers.push(("origin", evil));
        let path = "/api/v1/incidents/INC-1/note";
        let refused = browser(&house, Method::POST, path, &headers, Some(json!({ "text": "x" }))).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text());
        assert_eq!(refused.json()["error"]["code"], "ST0421");
    }
    let out = browser(&house, Method::DELETE, "/api/v1/session", &own, None).await;
    assert_eq!(out.status, StatusCode::OK, "{}", out.text());
    let me = browser(&house, Method::GET, "/api/v1/whoami", &own[..1], None).await;
    assert_eq!(me.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_ends_with_its_token() {
    let house = House::new().await;
    let cookie = cookie(&sign_in(&house, "watcher").await);
    std::fs::write(house.config().join("secrets/watcher.token"), "another-token-altogether\n").unwrap();
    assert_eq!(house.ask("admin", Method::POST, "/api/v1/admin/reload", None).await.status, StatusCode::OK);
    let me = browser(&house, Method::GET, "/api/v1/whoami", &[("cookie", &cookie)], None).await;
    assert_eq!(me.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn wrong_tokens_are_slowed_down() {
    let house = House::new().await;
    for _ in 0..10 {
        assert_eq!(sign_in(&house, "nobody").await.status, StatusCode::UNAUTHORIZED);
    }
    let slowed = sign_in(&house, "watcher").await;
    assert_eq!(slowed.status, StatusCode::TOO_MANY_REQUESTS, "{}", slowed.text());
    assert!(slowed.headers.contains_key(header::RETRY_AFTER));
    assert_eq!(house.get("/api/v1/whoami").await["name"], "watcher", "programs are not concerned");
    house.forward(61);
    assert_eq!(sign_in(&house, "watcher").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_page_of_another_site_cannot_have_anybody_slowed_down() {
    let house = House::new().await;
    for _ in 0..20 {
        let forged = [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")];
        let answer = browser(&house, Method::POST, "/api/v1/session", &forged, None).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text());
    }
    assert_eq!(sign_in(&house, "watcher").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_browser_that_was_led_here_by_another_name_gets_nothing() {
    let house = House::new().await;
    for path in ["/", "/queue", "/metrics", "/api/v1/whoami"] {
        let request = Request::get(path).header("host", "evil.example:7878").body(Body::empty()).unwrap();
        let answer = call(&house.app.router(), request).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}: {}", answer.text());
    }
}

#[tokio::test]
async fn pages_are_the_same_for_everybody_and_may_run_only_their_own_scripts() {
    let house = House::new().await;
    for path in ["/", "/queue", "/incidents/INC-1/graph", "/approvals/APR-1"] {
        let page = browser(&house, Method::GET, path, &[], None).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        let csp = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(csp.starts_with("default-src 'none';") && csp.contains("frame-ancestors 'none'"), "{csp}");
        assert!(!csp.contains("unsafe"), "{csp}");
        assert_eq!(page.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(page.headers[header::REFERRER_POLICY], "no-referrer");
        assert!(page.text().starts_with("<!doctype html>"), "{}", page.text());
        assert!(!page.text().contains("<script>"), "no inline script");
    }
}

/// The next event of a stream as (kind, id, data).
#[track_caller]
fn event(stream: &mut Body) -> impl Future<Output = (String, String, Value)> {
    let at = std::panic::Location::caller();
    told(stream, at)
}

async fn told(stream: &mut Body, at: &std::panic::Location<'_>) -> (String, String, Value) {
    let frame = tokio::time::timeout(Duration::from_secs(10), stream.frame()).await;
    let text =
        frame.unwrap_or_else(|_| panic!("no event in time at {at}")).unwrap().unwrap().into_data().unwrap();
    let text = String::from_utf8(text.to_vec()).unwrap();
    let field = |name: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_default();
        line.trim().to_owned()
    };
    (field("event:"), field("id:"), serde_json::from_str(&field("data:")).unwrap_or_default())
}

async fn listen(house: &House, last: Option<&str>) -> Body {
    let mut request = Request::get("/api/v1/events")
        .header("authorization", format!("Bearer {}", House::secret("watcher.token")));
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let response = house.app.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    response.into_body()
}

#[tokio::test]
async fn whoever_listens_hears_what_changed_and_whoever_was_away_hears_it_later() {
    let house = House::new().await;
    let mut stream = listen(&house, None).await;
    let (kind, seen, _) = event(&mut stream).await;
    assert_eq!(kind, "hello");
    house.deliver("suricata", beacon().to_string()).await;
    let mut incidents = Vec::new();
    let mut last = 0;
    while !incidents.contains(&"INC-1".to_owned()) {
        let (kind, id, data) = event(&mut stream).await;
        assert_eq!(kind, "change", "{data}");
        let id: u64 = id.parse().unwrap();
        assert!(id > last, "in order");
        last = id;
        incidents
            .extend(data["incidents"].as_array().unwrap().iter().map(|i| i.as_str().unwrap().to_owned()));
    }
    let mut later = listen(&house, Some(&seen)).await;
    assert_eq!(event(&mut later).await.0, "hello");
    let (kind, _, data) = event(&mut later).await;
    assert_eq!(kind, "change");
    assert!(data["incidents"].as_array().unwrap().contains(&json!("INC-1")), "{data}");
    let mut odd = listen(&house, Some("999999")).await;
    assert_eq!(event(&mut odd).await.0, "hello");
    assert_eq!(event(&mut odd).await.0, "resync", "an entry that does not exist: look at everything");
    house.app.stop().await;
    while let Some(Ok(_)) = stream.frame().await {}
}

#[tokio::test]
async fn a_stream_ends_when_its_token_does() {
    let house = House::new().await;
    let mut stream = listen(&house, None).await;
    assert_eq!(event(&mut stream).await.0, "hello");
    std::fs::write(house.config().join("secrets/watcher.token"), "another-token-altogether\n").unwrap();
    assert_eq!(house.ask("admin", Method::POST, "/api/v1/admin/reload", None).await.status, StatusCode::OK);
    house.deliver("suricata", beacon().to_string()).await;
    while let Some(frame) =
        tokio::time::timeout(Duration::from_secs(20), stream.frame()).await.expect("an end")
    {
        assert!(frame.is_ok());
    }
}

async fn populated() -> House {
    let house = House::new().await;
    house.deliver("suricata", beacon().to_string()).await;
    house.deliver("suricata", lines((0..3).map(noise))).await;
    house.until("/api/v1/approvals", |v| v["pending"] == 1).await;
    house
}

#[tokio::test]
async fn the_queue_says_who_is_waited_for_and_can_be_filtered() {
    let house = populated().await;
    let page = house.get("/api/v1/queue").await;
    let row = &page["rows"][0];
    assert_eq!(row["id"], "INC-1");
    assert_eq!(row["waiting_on"], "approval");
    assert_eq!(row["approvals"], json!(["APR-1"]));
    assert_eq!(row["clock"].as_array().unwrap().len(), 5);
    for (query, total) in [
        ("q=203.0.113.9", 1),
        ("q=nothing+like+it", 0),
        ("status=resolved", 0),
        ("status=all&waiting=true", 1),
        ("owner=none", 1),
        ("owner=me", 0),
        ("kind=c2&sort=oldest", 1),
        ("severity=low", 0),
    ] {
        assert_eq!(house.get(&format!("/api/v1/queue?{query}")).await["total"], total, "{query}");
    }
    for bad in ["status=odd", "sort=odd", "limit=0", "odd=1"] {
        let answer = house.ask("watcher", Method::GET, &format!("/api/v1/queue?{bad}"), None).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn many_are_taken_at_once_and_each_is_answered_for() {
    let house = populated().await;
    let asked = json!({ "incidents": ["INC-1", "INC-99"], "action": "ack" });
    let done = house.post("secops-lead", "/api/v1/bulk/incidents", asked).await.json();
    assert_eq!(done["done"], 1, "{done}");
    assert_eq!(done["failed"][0]["incident"], "INC-99");
    let no_reason = json!({ "incidents": ["INC-1"], "action": "resolve" });
    let refused = house.post("secops-lead", "/api/v1/bulk/incidents", no_reason).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_timeline_shows_waits_as_rows_and_they_fit_the_clock() {
    let house = populated().await;
    house.forward(90);
    let view = house.get("/api/v1/incidents/INC-1/timeline").await;
    let rows = view["rows"].as_array().unwrap();
    let gap = rows.iter().find(|r| r["by"] == "gap" && r["what"] == "approval").expect("a wait for a yes");
    assert!(gap["open"].as_bool().unwrap() && gap["lasted_ms"].as_i64().unwrap() >= 90_000, "{gap}");
    assert!(rows.iter().any(|r| r["by"] == "evidence" && r["alerts"][0] == "A-1"), "{view:#}");
    let waited: i64 = rows.iter().filter_map(|r| r["lasted_ms"].as_i64()).sum();
    assert!(waited <= view["wall_ms"].as_i64().unwrap(), "{view:#}");
    let times: Vec<&str> = rows.iter().map(|r| r["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[tokio::test]
async fn the_graph_names_both_ends_and_the_machine_on_the_other_side() {
    let house = populated().await;
    let view = house.get("/api/v1/incidents/INC-1/graph").await;
    let card = |id: &str| view["cards"].as_array().unwrap().iter().find(|c| c["id"] == id).cloned().unwrap();
    assert_eq!(card("203.0.113.9")["peer"], true);
    assert_eq!(card("10.0.0.5")["ours"], true);
    assert_eq!(card("10.0.0.5")["criticality"], "high");
    assert_eq!(view["pairs"][0]["to"], "203.0.113.9");
    assert_eq!(view["links"][0]["alerts"], 1);
}

#[tokio::test]
async fn a_dry_run_says_what_a_yes_would_do_and_does_nothing() {
    let house = populated().await;
    let approval = house.get("/api/v1/approvals/APR-1").await;
    let view = house.get("/api/v1/approvals/APR-1/dry-run").await;
    assert_eq!(view["digest"], approval["digest"]);
    assert_eq!(view["targets"], json!(["203.0.113.9"]));
    assert!(view["call"].as_array().unwrap().iter().any(|c| c["value"] == "stanch:ACT-1"), "{view:#}");
    assert_eq!(view["protected"], Value::Null);
    assert_eq!(house.get("/api/v1/blocks?all=true").await["blocks"], json!([]), "looking changed nothing");
}

#[tokio::test]
async fn playbooks_and_settings_are_shown_and_secrets_are_not() {
    let house = populated().await;
    let page = house.get("/api/v1/playbooks").await;
    assert_eq!(page["playbooks"][0]["name"], "c2-beacon");
    assert_eq!(page["playbooks"][0]["running"], 1);
    let one = house.get("/api/v1/playbooks/c2-beacon").await;
    assert!(one["source"].as_str().unwrap().contains("name: c2-beacon"), "{one:#}");
    let settings = house.get("/api/v1/settings").await;
    assert!(settings["people"].as_array().unwrap().iter().any(|p| p["name"] == "watcher"), "{settings:#}");
    assert!(!settings.to_string().contains("secret"), "{settings:#}");
}

#[tokio::test]
async fn the_description_that_the_console_is_generated_from_is_up_to_date() {
    let house = House::new().await;
    let request = Request::get("/api/v1/openapi.json").body(Body::empty()).unwrap();
    let now = call(&house.app.router(), request).await.json();
    let text = format!("{}\n", serde_json::to_string_pretty(&now).unwrap());
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../ui/openapi.json");
    if std::env::var_os("STANCH_WRITE_OPENAPI").is_some() {
        std::fs::write(file, &text).unwrap();
    }
    let kept = std::fs::read_to_string(file).unwrap_or_default();
    assert!(kept == text, "ui/openapi.json is not what the code says; run: cargo xtask ui --client");
}
