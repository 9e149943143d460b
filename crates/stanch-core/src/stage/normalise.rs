//! One canonical form: an alert as a strict OCSF 1.8 *Detection Finding*.
//!
//! Inside, [`Alert`] is already that shape with OCSF's field names; this renders it whole, with
//! every `*_id` beside its word, for export, the API and checking against the published schema.

use serde_json::{Map, Value, json};
use stanch_model::{Alert, AlertId, Endpoint, Observable, ObservableKind, Timestamp};

/// The pinned release. Source: ocsf-schema tag 1.8.0, 16 March 2026.
pub const OCSF_VERSION: &str = "1.8.0";

/// Renders an alert as OCSF. `raw` is its bytes as received; bytes that are not UTF-8 are shown with
/// the replacement character, while the journal keeps them as they are.
#[must_use]
pub fn ocsf(id: AlertId, alert: &Alert, raw: &[u8], received: Timestamp) -> Value {
    let mut e = Map::new();
    let mut put = |k: &str, v: Value| {
        if !v.is_null() {
            e.insert(k.to_owned(), v);
        }
    };
    put("class_uid", json!(2004));
    put("class_name", json!("Detection Finding"));
    put("category_uid", json!(2));
    put("category_name", json!("Findings"));
    put("activity_id", json!(1));
    put("activity_name", json!("Create"));
    put("type_uid", json!(200_401));
    put("type_name", json!("Detection Finding: Create"));
    put("time", json!(alert.time.0));
    put("severity_id", json!(alert.severity.id()));
    put("severity", json!(alert.severity.word()));
    put("status_id", json!(1));
    put("status", json!("New"));
    put("is_alert", json!(true));
    put("message", json!(alert.message));
    put("metadata", metadata(alert, received));
    put("finding_info", finding_info(id, alert));
    put("evidences", evidences(alert));
    put("observables", Value::Array(alert.all_observables().iter().map(observable).collect()));
    put("raw_data", json!(String::from_utf8_lossy(raw)));
    put("raw_data_size", json!(raw.len()));
    if !alert.unmapped.is_empty() {
        put("unmapped", Value::Object((*alert.unmapped).clone()));
    }
    Value::Object(e)
}

fn metadata(alert: &Alert, received: Timestamp) -> Value {
    let mut product = json!({ "name": alert.product.name });
    if let Some(vendor) = &alert.product.vendor_name {
        product["vendor_name"] = json!(vendor);
    }
    let mut m = json!({
        "version": OCSF_VERSION,
        "product": product,
        "logged_time": received.0,
        "profiles": ["security_control"],
    });
    if let Some(sensor) = &alert.sensor {
        m["log_provider"] = json!(sensor);
    }
    if let Some(uid) = &alert.source_uid {
        m["original_event_uid"] = json!(uid);
    }
    m
}

fn finding_info(id: AlertId, alert: &Alert) -> Value {
    let mut info = json!({
        "uid": id.to_string(),
        "title": alert.title,
        "analytic": { "uid": alert.rule.uid, "name": alert.rule.name, "type_id": 1, "type": "Rule" },
    });
    if let Some(category) = &alert.rule.category {
        info["analytic"]["category"] = json!(category);
    }
    if !alert.attacks.is_empty() {
        let attacks = alert.attacks.iter().map(|a| {
            let mut v = Map::new();
            if !a.technique_uid.is_empty() {
                v.insert("technique".into(), json!({ "uid": a.technique_uid }));
            }
            if let Some(t) = &a.tactic {
                let key = if t.starts_with("TA") { "uid" } else { "name" };
                v.insert("tactic".into(), json!({ key: t }));
            }
            Value::Object(v)
        });
        info["attacks"] = Value::Array(attacks.collect());
    }
    info
}

fn evidences(alert: &Alert) -> Value {
    let mut e = Map::new();
    for (key, end) in [("src_endpoint", &alert.src_endpoint), ("dst_endpoint", &alert.dst_endpoint)] {
        if let Some(v) = end.as_ref().and_then(endpoint) {
            e.insert(key.into(), v);
        }
    }
    if let Some(v) = alert.device.as_ref().and_then(endpoint) {
        e.insert("device".into(), with_type(v));
    }
    if let Some(user) = &alert.user {
        e.insert("actor".into(), json!({ "user": { "name": user } }));
    }
    if let Some(p) = &alert.protocol {
        e.insert("connection_info".into(), json!({ "protocol_name": p, "direction_id": 0 }));
    }
    if e.is_empty() { Value::Null } else { Value::Array(vec![Value::Object(e)]) }
}

/// OCSF wants a device to say what type it is; 0 is *Unknown*.
fn with_type(mut device: Value) -> Value {
    device["type_id"] = json!(0);
    device
}

fn endpoint(e: &Endpoint) -> Option<Value> {
    let mut v = Map::new();
    if let Some(ip) = e.ip {
        v.insert("ip".into(), json!(ip));
    }
    if let Some(port) = e.port {
        v.insert("port".into(), json!(port));
    }
    if let Some(name) = &e.hostname {
        v.insert("hostname".into(), json!(name));
    }
    // A port alone names nobody: OCSF wants an address or a name.
    (v.contains_key("ip") || v.contains_key("hostname")).then_some(Value::Object(v))
}

fn observable(o: &Observable) -> Value {
    // Source: OCSF 1.8.0, object `observable`, attribute `type_id`.
    let (id, word, path) = match o.kind {
        ObservableKind::Hostname => (1, "Hostname", "evidences[].dst_endpoint.hostname"),
        ObservableKind::Ip => (2, "IP Address", "evidences[].src_endpoint.ip"),
        ObservableKind::Mac => (3, "MAC Address", "evidences[].src_endpoint.mac"),
        ObservableKind::User => (4, "User Name", "evidences[].actor.user.name"),
        ObservableKind::Email => (5, "Email Address", "evidences[].email.from"),
        ObservableKind::Url => (6, "URL String", "evidences[].url.url_string"),
        ObservableKind::File => (7, "File Name", "evidences[].file.name"),
        ObservableKind::Hash => (8, "Hash", "evidences[].file.hashes"),
        ObservableKind::Process => (9, "Process Name", "evidences[].process.name"),
    };
    json!({ "name": path, "type_id": id, "type": word, "value": o.value })
}
