//! The description of the API against the API: every operation is called with its own example, and
//! the answer has a documented status and the documented shape.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use crate::house::{House, beacon, call};
use crate::people::concrete;

/// Follows a reference.
fn resolve<'a>(api: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(r) => api.pointer(r.trim_start_matches('#')).unwrap_or_else(|| panic!("{r} leads nowhere")),
        None => schema,
    }
}

/// Checks kinds and required fields, all the way down. Returns what does not fit.
fn misfit(api: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
    let schema = resolve(api, schema);
    if let Some(all) = schema["allOf"].as_array() {
        return all.iter().find_map(|s| misfit(api, s, value, at));
    }
    if let Some(any) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        let fits = any.iter().any(|s| misfit(api, s, value, at).is_none());
        return (!fits).then(|| format!("{at}: none of the alternatives fits {value}"));
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = kinds.is_empty() || kinds.contains(&kind) || (kind == "integer" && kinds.contains(&"number"));
    if !fits {
        return Some(format!("{at}: is {kind}, should be {kinds:?}"));
    }
    for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(required).is_none() {
            return Some(format!("{at}: lacks {required}"));
        }
    }
    let inner = schema["properties"].as_object().into_iter().flatten();
    let inside = inner
        .filter_map(|(name, s)| value.get(name).and_then(|v| misfit(api, s, v, &format!("{at}.{name}"))));
    let items = value.as_array().into_iter().flatten().enumerate();
    let listed =
        items.filter_map(|(n, v)| schema.get("items").and_then(|s| misfit(api, s, v, &format!("{at}[{n}]"))));
    inside.chain(listed).next()
}

/// A world in which most things exist: an alert, an incident, a question, a silence, quarantine.
async fn populated() -> House {
    let house = House::new().await;
    house.deliver("suricata", beacon().to_string()).await;
    house.deliver("suricata", "not json").await;
    house.until("/api/v1/approvals", |v| v["pending"] == 1).await;
    house
}

#[tokio::test]
async fn every_operation_answers_as_described() {
    let house = populated().await;
    let request = Request::get("/api/v1/openapi.json").body(Body::empty()).unwrap();
    let api = call(&house.app.router(), request).await.json();
    assert!(api["openapi"].as_str().unwrap().starts_with("3.1"));
    let (mut called, mut good) = (0, 0);
    let mut names = std::collections::BTreeSet::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, op) in item.as_object().unwrap() {
            let name = op["operationId"].as_str().unwrap_or_default();
            assert!(names.insert(name.to_owned()), "{method} {path}: its name {name:?} is taken");
            let method: Method = method.to_uppercase().parse().unwrap();
            let example = op["requestBody"]["content"]["application/json"]["example"].clone();
            let mut request = Request::builder().method(&method).uri(concrete(path));
            let source = path.starts_with("/in/") || path.starts_with("/api/v2/");
            let token = if path.starts_with("/in/") {
                "suricata.token"
            } else if source {
                "alertmanager.token"
            } else {
                "admin.token"
            };
            request = request.header("authorization", format!("Bearer {}", House::secret(token)));
            // As our own page would: signing in refuses everybody else.
            request = request.header("host", "localhost").header("origin", "http://localhost");
            request = request.header("x-stanch-console", "1");
            let text = match example {
                Value::Null => String::new(),
                Value::String(text) => text,
                other => {
                    other.to_string().replace("\"…\"", &format!("\"{}\"", House::secret("pagerduty.key")))
                }
            };
            if !text.is_empty() {
                request = request.header("content-type", "application/json");
            }
            if op["responses"]["200"]["content"]["text/event-stream"].is_object() {
                // Its answer does not end; `console.rs` listens to it.
                continue;
            }
            let answer = call(&house.app.router(), request.body(Body::from(text)).unwrap()).await;
            let status = answer.status.as_u16().to_string();
            let documented = resolve(&api, &op["responses"][&status]);
            assert!(documented.is_object(), "{method} {path}: {status} is not documented: {}", answer.text());
            let content = &documented["content"];
            let schema = content["application/json"].get("schema");
            if let Some(schema) = schema.or(content["application/problem+json"].get("schema")) {
                assert_eq!(
                    misfit(&api, schema, &answer.json(), ""),
                    None,
                    "{method} {path}: {}",
                    answer.text()
                );
            }
            for (field, what) in [("summary", "a summary"), ("tags", "a tag")] {
                assert!(!op[field].is_null(), "{method} {path} lacks {what}");
            }
            called += 1;
            good += u32::from(answer.status.is_success());
        }
    }
    // Some need what is not there: a change in force, a run by hand, a second person, a password.
    assert!(called > 45 && good * 10 >= called * 7, "{good} of {called} went well");
    house.ledger().await;
}

#[tokio::test]
async fn the_fields_that_scripts_rely_on_are_there() {
    let house = populated().await;
    let ledger = house.ledger().await;
    for field in [
        "received",
        "balanced",
        "merged",
        "suppressed",
        "in_incidents",
        "open",
        "closed",
        "quarantined",
        "sources",
    ] {
        assert!(ledger.get(field).is_some(), "{field}");
    }
    let alert = house.get("/api/v1/alerts/A-1").await;
    assert_eq!(alert["state"], "in_incident");
    assert_eq!(alert["incident"], "INC-1");
    assert_eq!(alert["normalised"]["rule_uid"], "1:2035000");
    assert!(!alert["reasons"].as_array().unwrap().is_empty(), "{alert:#}");
    assert_eq!(house.get("/api/v1/alerts/A-1/ocsf").await["class_uid"], 2004);
    let listed = house.get("/api/v1/alerts?state=in_incident&source=suricata&incident=INC-1&limit=10").await;
    assert_eq!(listed["alerts"][0]["title"], "ET MALWARE Observed CnC beacon");
    assert_eq!(house.get("/api/v1/alerts?state=open").await["alerts"], json!([]));
    let clock = house.get("/api/v1/clock/INC-1").await;
    let sum: i64 = clock["waiting"].as_array().unwrap().iter().map(|w| w["time_ms"].as_i64().unwrap()).sum();
    assert_eq!(sum, clock["wall_ms"].as_i64().unwrap(), "{clock}");
    let story = house.get("/api/v1/incidents/INC-1/story").await;
    assert!(story["text"].as_str().unwrap().contains("203.0.113.9"), "{story:#}");
    assert!(story["happened"][0]["alerts"][0] == "A-1", "{story:#}");
}

#[tokio::test]
async fn lists_page_to_the_end_without_gaps_or_repeats() {
    let house = House::new().await;
    house.deliver("suricata", crate::house::lines((0..25).map(crate::house::noise))).await;
    let (mut seen, mut before) = (Vec::new(), String::new());
    loop {
        let page = house.get(&format!("/api/v1/alerts?limit=10{before}")).await;
        seen.extend(page["alerts"].as_array().unwrap().iter().map(|a| a["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_before"].as_str() else { break };
        before = format!("&before={next}");
    }
    let all: Vec<String> = (1..=25).rev().map(|n| format!("A-{n}")).collect();
    assert_eq!(seen, all);
    for bad in ["limit=0", "limit=1001", "limit=x", "before=INC-1", "state=odd", "odd=1"] {
        let answer = house.ask("watcher", Method::GET, &format!("/api/v1/alerts?{bad}"), None).await;
        assert_eq!(answer.status.as_u16(), 400, "{bad}");
    }
}

#[tokio::test]
async fn the_metrics_name_sources_and_states_and_nothing_finer() {
    let house = populated().await;
    let page = call(&house.app.router(), Request::get("/metrics").body(Body::empty()).unwrap()).await.text();
    assert!(page.contains("stanch_records_received_total{source=\"suricata\"} 2\n"), "{page}");
    assert!(page.contains("stanch_records{source=\"suricata\",place=\"in_incidents\"} 1\n"), "{page}");
    assert!(page.contains("stanch_runs_under_way "), "{page}");
    assert!(page.contains("stanch_approvals_pending 1\n"), "{page}");
    assert!(page.contains("stanch_intake_seconds_count 2\n"), "{page}");
    for fine in ["203.0.113.9", "A-1", "INC-1", "secops-lead"] {
        assert!(!page.contains(fine), "{fine}");
    }
}
