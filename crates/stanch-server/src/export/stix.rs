//! A STIX 2.1 bundle: what happened, who took part, what was done; marked TLP:AMBER.
//!
//! Names follow from what they name, so that the same incident exported twice is the same object for
//! whoever takes it in, and an address is the same object in everybody's bundles.
//!
//! Source: OASIS STIX 2.1, sections 2.9 (identifiers of observables), 4 and 5 (objects), 7.2.1.4 (TLP).

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Map, Value, json};
use stanch_model::Timestamp;

use super::{Case, Listing};
use crate::api::v1::types::IncidentSummary;

/// The name space of observables: section 2.9.
const OBSERVABLES: [u8; 16] =
    [0x00, 0xab, 0xed, 0xb4, 0xaa, 0x42, 0x46, 0x6c, 0x9c, 0x01, 0xfe, 0xd2, 0x33, 0x15, 0xa9, 0xb7];
/// Our own name space, for everything else.
const OURS: [u8; 16] =
    [0x5f, 0x1d, 0x0a, 0x36, 0x27, 0x4c, 0x5b, 0x7e, 0x9d, 0x41, 0x3c, 0x88, 0x52, 0x60, 0xe7, 0x14];
/// TLP:AMBER, as the standard defines it.
const AMBER: &str = "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82";

/// A name made from a text: UUID version 5, RFC 9562.
fn uuid(space: &[u8; 16], text: &str) -> String {
    let mut input = space.to_vec();
    input.extend_from_slice(text.as_bytes());
    // The standard names SHA-1 here; nothing rests on its strength.
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &input);
    let mut b: Vec<u8> = digest.as_ref().iter().take(16).copied().collect();
    b[6] = (b[6] & 0x0f) | 0x50;
    b[8] = (b[8] & 0x3f) | 0x80;
    let hex = |range: std::ops::Range<usize>| b[range].iter().map(|b| format!("{b:02x}")).collect::<String>();
    format!("{}-{}-{}-{}-{}", hex(0..4), hex(4..6), hex(6..8), hex(8..10), hex(10..16))
}

/// A text within the one-quoted strings of patterns.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

struct Bundle {
    objects: BTreeMap<String, Value>,
    order: Vec<String>,
    now: Timestamp,
    us: String,
}

impl Bundle {
    fn new(now: Timestamp) -> Bundle {
        let mut b = Bundle { objects: BTreeMap::new(), order: Vec::new(), now, us: String::new() };
        b.put(json!({
            "type": "marking-definition", "spec_version": "2.1", "id": AMBER,
            "created": "2017-01-20T00:00:00.000Z", "definition_type": "tlp", "name": "TLP:AMBER",
            "definition": { "tlp": "amber" },
        }));
        b.us = format!("identity--{}", uuid(&OURS, "stanch"));
        let us = b.us.clone();
        b.put(json!({
            "type": "identity", "spec_version": "2.1", "id": us, "created": "2026-01-01T00:00:00.000Z",
            "modified": "2026-01-01T00:00:00.000Z", "name": "Stanch", "identity_class": "system",
            "object_marking_refs": [AMBER],
        }));
        b
    }

    /// Adds an object once; gives back its name.
    fn put(&mut self, object: Value) -> String {
        let id = object["id"].as_str().unwrap_or_default().to_owned();
        if self.objects.insert(id.clone(), object).is_none() {
            self.order.push(id.clone());
        }
        id
    }

    /// A domain or relationship object: `about` is what its name follows from.
    fn made(&mut self, kind: &str, about: &str, created: &str, fields: Value) -> String {
        let mut o = Map::new();
        o.insert("type".into(), json!(kind));
        o.insert("spec_version".into(), json!("2.1"));
        o.insert("id".into(), json!(format!("{kind}--{}", uuid(&OURS, &format!("{kind}|{about}")))));
        o.insert("created_by_ref".into(), json!(self.us));
        o.insert("created".into(), json!(created));
        // A later export of the same object replaces the earlier one.
        let modified = self.now.to_string();
        o.insert("modified".into(), json!(if modified.as_str() < created { created } else { &modified }));
        if let Value::Object(fields) = fields {
            o.extend(fields);
        }
        o.insert("object_marking_refs".into(), json!([AMBER]));
        self.put(Value::Object(o))
    }

    fn related(&mut self, from: &str, how: &str, to: &str, created: &str) -> String {
        let about = format!("{from}|{how}|{to}");
        let fields = json!({ "relationship_type": how, "source_ref": from, "target_ref": to });
        self.made("relationship", &about, created, fields)
    }

    /// An entity as an observable: `10.0.0.5`, `host:…`, `user:…`.
    fn observable(&mut self, entity: &str) -> Option<String> {
        let (kind, key, value) = if let Some(user) = entity.strip_prefix("user:") {
            ("user-account", "account_login", user.to_owned())
        } else if let Some(host) = entity.strip_prefix("host:") {
            // The standard knows names of the DNS only.
            let is_name =
                host.contains('.') && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
            if !is_name {
                return None;
            }
            ("domain-name", "value", host.to_ascii_lowercase())
        } else {
            let bare = entity.split('/').next().unwrap_or(entity);
            match bare.parse::<IpAddr>().ok()? {
                IpAddr::V4(_) => ("ipv4-addr", "value", entity.to_owned()),
                IpAddr::V6(_) => ("ipv6-addr", "value", entity.to_owned()),
            }
        };
        // The canonical JSON of what its name follows from: one field, so no order to keep.
        let about = json!({ key: value }).to_string();
        let id = format!("{kind}--{}", uuid(&OBSERVABLES, &about));
        Some(self.put(json!({ "type": kind, "spec_version": "2.1", "id": id, key: value })))
    }

    fn incident(&mut self, s: &IncidentSummary) -> String {
        let about = format!("{}|{}|{}", s.id, s.opened_at, s.title);
        let confidence = (s.confidence * 100.0).round().clamp(0.0, 100.0) as i64;
        let labels = [s.kind.clone(), s.status.clone(), format!("severity-{}", s.severity.to_lowercase())];
        let fields = json!({
            "name": format!("{}: {}", s.id, s.title),
            "description": format!("{} severity, {} alerts from {} records, {}", s.severity, s.alerts, s.records, s.status),
            "confidence": confidence,
            "labels": labels.into_iter().filter(|l| !l.is_empty()).collect::<Vec<_>>(),
            "external_references": [{ "source_name": "stanch", "external_id": s.id }],
        });
        self.made("incident", &about, &s.opened_at.clone(), fields)
    }

    fn technique(&mut self, technique: &str, created: &str) -> String {
        let fields = json!({
            "name": technique,
            "external_references": [{ "source_name": "mitre-attack", "external_id": technique }],
        });
        self.made("attack-pattern", technique, created, fields)
    }

    fn done(self, name: &str) -> Value {
        let mut objects = self.objects;
        let all: Vec<Value> = self.order.iter().filter_map(|id| objects.remove(id)).collect();
        json!({ "type": "bundle", "id": format!("bundle--{}", uuid(&OURS, &format!("{name}|{}", self.now))), "objects": all })
    }
}

/// One incident, whole.
pub(super) fn case(case: &Case) -> Value {
    let s = &case.incident.summary;
    let mut b = Bundle::new(case.now);
    let incident = b.incident(s);
    let mut about = vec![incident.clone()];
    let seen: Vec<String> = case.incident.entities.iter().filter_map(|e| b.observable(&e.entity)).collect();
    if !seen.is_empty() {
        let fields = json!({
            "first_observed": s.first, "last_observed": s.last,
            "number_observed": s.records.clamp(1, 999_999_999), "object_refs": seen,
        });
        let observed = b.made("observed-data", &s.id, &s.opened_at, fields);
        about.push(b.related(&incident, "related-to", &observed, &s.opened_at));
        about.push(observed);
    }
    for technique in &case.story.techniques {
        let pattern = b.technique(technique, &s.opened_at);
        about.push(b.related(&incident, "related-to", &pattern, &s.opened_at));
        about.push(pattern);
    }
    for block in &case.blocks {
        let fields = json!({
            "name": block.action.clone(),
            "description": format!("{}: {} on {}, {}; {}", block.id, block.action, block.responder, block.state, block.because.join("; ")),
        });
        let course =
            b.made("course-of-action", &format!("{}|{}", s.id, block.id), &block.permitted_at, fields);
        about.push(b.related(&course, "related-to", &incident, &block.permitted_at));
        about.push(course);
        if let Some(indicator) = indicator(&mut b, block.target.as_str(), &block.permitted_at) {
            about.push(b.related(&indicator, "related-to", &incident, &block.permitted_at));
            about.push(indicator);
        }
    }
    let fields = json!({
        "name": format!("{}: {}", s.id, s.title), "description": case.story.text,
        "report_types": ["threat-report"], "published": case.now.to_string(), "object_refs": about,
    });
    b.made("report", &s.id, &s.opened_at, fields);
    b.done(&s.id)
}

/// An address that we acted against, as something others can look for.
fn indicator(b: &mut Bundle, target: &str, since: &str) -> Option<String> {
    let kind = match target.split('/').next().and_then(|t| t.parse::<IpAddr>().ok())? {
        IpAddr::V4(_) => "ipv4-addr",
        IpAddr::V6(_) => "ipv6-addr",
    };
    let fields = json!({
        "name": target, "indicator_types": ["malicious-activity"],
        "pattern": format!("[{kind}:value = '{}']", quoted(target)), "pattern_type": "stix", "valid_from": since,
    });
    Some(b.made("indicator", target, since, fields))
}

/// The incidents of the queue, and who takes part.
pub(super) fn listing(list: &Listing) -> Value {
    let mut b = Bundle::new(list.now);
    for row in &list.rows {
        b.incident(&row.summary);
    }
    b.done("queue")
}
