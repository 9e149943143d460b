//! The API's manners over the real router: pages, tags, conditions, keys that are used twice, limits,
//! and errors that all look alike.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};

use crate::house::{Answer, House, beacon, call};

async fn send(house: &House, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    request = request.header("authorization", format!("Bearer {}", House::secret("admin.token")));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    call(&house.app.router(), request.body(Body::from(body.to_owned())).unwrap()).await
}

fn head<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).map(|v| v.to_str().unwrap()).unwrap_or_default()
}

async fn with_incident() -> House {
    let house = House::new().await;
    house.deliver("suricata", beacon().to_string()).await;
    house.until("/api/v1/approvals", |v| v["pending"] == 1).await;
    house
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn what_was_read_is_not_sent_again_until_it_changes() {
    let house = with_incident().await;
    let first = send(&house, Method::GET, "/api/v1/incidents/INC-1", &[], "").await;
    let tag = head(&first, "etag").to_owned();
    assert!(tag.len() > 10, "{tag}");
    let again = send(&house, Method::GET, "/api/v1/incidents/INC-1", &[("if-none-match", &tag)], "").await;
    assert_eq!((again.status, again.bytes.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(head(&again, "etag"), tag);
    house.post("admin", "/api/v1/incidents/INC-1/note", json!({ "text": "seen" })).await;
    let changed = send(&house, Method::GET, "/api/v1/incidents/INC-1", &[("if-none-match", &tag)], "").await;
    assert_eq!(changed.status, StatusCode::OK);
    assert_ne!(head(&changed, "etag"), tag);
}

#[tokio::test]
async fn a_change_of_what_has_changed_meanwhile_is_refused_and_does_nothing() {
    let house = with_incident().await;
    let note = |tag: String| {
        let house = &house;
        async move {
            let body = json!({ "text": "mine" }).to_string();
            send(house, Method::POST, "/api/v1/incidents/INC-1/note", &[JSON, ("if-match", &tag)], &body)
                .await
        }
    };
    // The run of its playbook may still be writing to it: then what was read is read again.
    let mut tag = String::new();
    for _ in 0..50 {
        let read = send(&house, Method::GET, "/api/v1/incidents/INC-1", &[], "").await;
        tag = head(&read, "etag").to_owned();
        match note(tag.clone()).await.status {
            StatusCode::OK => break,
            status => assert_eq!(status, StatusCode::PRECONDITION_FAILED),
        }
    }
    let entries = house.get("/api/v1/journal/head").await["seq"].clone();
    let late = note(tag).await;
    assert_eq!(
        (late.status, late.json()["error"]["code"].as_str()),
        (StatusCode::PRECONDITION_FAILED, Some("ST0412"))
    );
    assert_eq!(house.get("/api/v1/journal/head").await["seq"], entries);
    assert_eq!(note("*".to_owned()).await.status, StatusCode::OK);
    // Nothing there, nothing to compare.
    let none = send(
        &house,
        Method::POST,
        "/api/v1/incidents/INC-99/note",
        &[JSON, ("if-match", "*")],
        r#"{"text":"x"}"#,
    )
    .await;
    assert_eq!(none.status, StatusCode::PRECONDITION_FAILED);
}

#[tokio::test]
async fn the_same_key_does_it_once_also_after_a_restart() {
    let house = House::new().await;
    let body = json!({ "matchers": ["source=edge"], "for": "2h", "comment": "work" }).to_string();
    let set = |house: House, key: &'static str, body: String| async move {
        let answer =
            send(&house, Method::POST, "/api/v1/silences", &[JSON, ("idempotency-key", key)], &body).await;
        (house, answer)
    };
    let count = |v: Value| v["silences"].as_array().unwrap().len();
    let (house, first) = set(house, "k-1", body.clone()).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text());
    assert_eq!(head(&first, "idempotency-replayed"), "");
    let (house, again) = set(house, "k-1", body.clone()).await;
    assert_eq!((again.status, again.bytes), (StatusCode::OK, first.bytes.clone()));
    assert_eq!(count(house.get("/api/v1/silences").await), 1);
    let other = body.replace("work", "other work");
    let (house, refused) = set(house, "k-1", other).await;
    assert_eq!(
        (refused.status, refused.json()["error"]["code"].as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, Some("ST0423"))
    );
    let house = house.again().await;
    let (house, after) = set(house, "k-1", body.clone()).await;
    assert_eq!((after.status, after.bytes.clone()), (StatusCode::OK, first.bytes));
    assert_eq!(head(&after, "idempotency-replayed"), "true");
    let (house, fresh) = set(house, "k-2", body).await;
    assert_eq!(fresh.status, StatusCode::OK);
    assert_eq!(count(house.get("/api/v1/silences").await), 2);
    // What made no sense is answered the same; what was refused for want of a role may be tried again.
    let (_, odd) = set(house, "k-3", "{}".to_owned()).await;
    assert_eq!(odd.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn keys_are_ones_own_and_an_odd_key_is_an_error() {
    let house = with_incident().await;
    let body = json!({ "text": "seen" }).to_string();
    let note = |person: &'static str, key: String| {
        let (router, body) = (house.app.router(), body.clone());
        async move {
            let request = Request::post("/api/v1/incidents/INC-1/note")
                .header("authorization", format!("Bearer {}", House::secret(&format!("{person}.token"))))
                .header("content-type", "application/json")
                .header("idempotency-key", key);
            call(&router, request.body(Body::from(body)).unwrap()).await
        }
    };
    assert_eq!(note("watcher", "k".into()).await.status, StatusCode::FORBIDDEN);
    assert_eq!(note("watcher", "k".into()).await.status, StatusCode::FORBIDDEN, "a refusal is not kept");
    let first = note("admin", "k".into()).await;
    assert_eq!((first.status, head(&first, "idempotency-replayed")), (StatusCode::OK, ""));
    assert_eq!(note("admin", "k".repeat(256)).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(note("admin", String::new()).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn who_asks_too_fast_is_told_how_long_to_wait_and_others_are_not_held_up() {
    let house = House::with(|config| {
        let file = config.join("stanch.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{text}\nrequests_per_second: 1\n")).unwrap();
    })
    .await;
    let mut statuses = Vec::new();
    let mut last = None;
    for _ in 0..14 {
        let answer = send(&house, Method::GET, "/api/v1/whoami", &[], "").await;
        statuses.push(answer.status.as_u16());
        last = Some(answer);
    }
    assert_eq!(statuses[..10], [200; 10]);
    let last = last.unwrap();
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(last.json()["error"]["code"], "ST0430");
    assert_eq!(head(&last, "retry-after"), "1");
    assert_eq!(head(&last, "ratelimit-policy"), "\"caller\";q=10;w=10");
    assert!(head(&last, "ratelimit").starts_with("\"caller\";r=0;t="), "{}", head(&last, "ratelimit"));
    assert_eq!(house.ask("watcher", Method::GET, "/api/v1/whoami", None).await.status, StatusCode::OK);
    house.forward(3);
    assert_eq!(send(&house, Method::GET, "/api/v1/whoami", &[], "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_error_is_a_problem_whatever_went_wrong() {
    let house = House::new().await;
    let long = "x".repeat(70_000);
    let long = json!({ "text": long }).to_string();
    type Try<'a> = (Method, &'a str, &'a [(&'a str, &'a str)], &'a str, u16);
    let tries: &[Try<'_>] = &[
        (Method::GET, "/api/v1/nothing", &[], "", 404),
        (Method::GET, "/api/v1/incidents/INC-99", &[], "", 404),
        (Method::GET, "/api/v1/incidents/odd", &[], "", 400),
        (Method::GET, "/api/v1/incidents?limit=x", &[], "", 400),
        (Method::GET, "/api/v1/incidents?limit=0", &[], "", 400),
        (Method::GET, "/api/v1/incidents?odd=1", &[], "", 400),
        (Method::DELETE, "/api/v1/incidents", &[], "", 405),
        (Method::POST, "/api/v1/silences", &[("content-type", "text/plain")], "{}", 415),
        (Method::POST, "/api/v1/silences", &[JSON], "{", 400),
        (Method::POST, "/api/v1/silences", &[JSON], "[]", 400),
        (Method::POST, "/api/v1/incidents/INC-1/note", &[JSON], &long, 413),
        (Method::GET, "/api/v1/%69ncidents", &[], "", 404),
    ];
    for (method, path, headers, body, status) in tries {
        let answer = send(&house, method.clone(), path, headers, body).await;
        assert_eq!(answer.status.as_u16(), *status, "{method} {path}: {}", answer.text());
        assert_eq!(head(&answer, "content-type"), "application/problem+json", "{method} {path}");
        let said = answer.json();
        assert_eq!(said["status"], *status, "{said}");
        let code = said["error"]["code"].as_str().unwrap();
        assert_eq!(said["type"], format!("urn:stanch:error:{code}"));
        assert!(said["title"].is_string() && said["detail"].as_str().unwrap().len() > 10, "{said}");
    }
    let nobody =
        call(&house.app.router(), Request::get("/api/v1/incidents").body(Body::empty()).unwrap()).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    assert_eq!(head(&nobody, header::CONTENT_TYPE.as_str()), "application/problem+json");
}

#[tokio::test]
async fn every_list_that_grows_has_pages_and_they_join_without_a_gap() {
    let house = House::new().await;
    for n in 1..=5 {
        let mut alert = beacon();
        alert["src_ip"] = format!("10.0.{n}.5").into();
        alert["dest_ip"] = format!("203.0.113.{n}").into();
        house.deliver("suricata", alert.to_string()).await;
    }
    house.until("/api/v1/runs", |v| v["runs"].as_array().is_some_and(|r| r.len() >= 2)).await;
    for (list, field) in [
        ("alerts", "alerts"),
        ("incidents", "incidents"),
        ("runs", "runs"),
        ("approvals", "approvals"),
        ("blocks", "blocks"),
        ("tasks", "tasks"),
    ] {
        let ids = |v: &Value| -> Vec<String> {
            v[field].as_array().unwrap().iter().map(|x| x["id"].as_str().unwrap().to_owned()).collect()
        };
        let whole = ids(&house.get(&format!("/api/v1/{list}?limit=1000")).await);
        let (mut paged, mut before) = (Vec::new(), String::new());
        loop {
            let page = house.get(&format!("/api/v1/{list}?limit=1{before}")).await;
            paged.extend(ids(&page));
            match page["next_before"].as_str() {
                Some(next) => before = format!("&before={next}"),
                None => break,
            }
        }
        assert_eq!(paged, whole, "{list}");
    }
}

#[tokio::test]
async fn the_description_says_all_of_it() {
    let house = House::new().await;
    let api = house.get("/api/v1/openapi.json").await;
    let note = &api["paths"]["/api/v1/incidents/{id}/note"]["post"];
    for status in ["409", "412", "413", "415", "422", "429"] {
        assert!(note["responses"][status].is_object(), "{status}");
    }
    let names: Vec<&str> =
        note["parameters"].as_array().unwrap().iter().filter_map(|p| p["$ref"].as_str()).collect();
    assert!(names.contains(&"#/components/parameters/IdempotencyKey"), "{names:?}");
    let one = &api["paths"]["/api/v1/incidents/{id}"]["get"];
    assert!(one["responses"]["304"].is_object() && one["responses"]["200"]["headers"]["ETag"].is_object());
    assert!(one["responses"]["404"]["content"]["application/problem+json"].is_object(), "{one}");
}
