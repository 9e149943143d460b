//! STIX 2.1 bundles (also TAXII envelopes), and the JSON of abuse.ch.
//!
//! Of a pattern only what holds alone can be looked up: equality, `IN` and `ISSUBSET` of one
//! observation, joined by `OR`. Anything else is listed as unusable, with the object's id.

mod pattern;

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;
use stanch_model::Timestamp;

use super::{Intel, Mistakes, UNSAID_CONFIDENCE, brief};

/// What we need of any STIX object. Source: STIX 2.1, sections 3.2 and 4.7.
#[derive(Deserialize)]
struct Object {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    id: String,
    created: Option<String>,
    modified: Option<String>,
    #[serde(default)]
    revoked: bool,
    confidence: Option<i64>,
    name: Option<String>,
    pattern: Option<String>,
    pattern_type: Option<String>,
    valid_from: Option<String>,
    valid_until: Option<String>,
    #[serde(default)]
    indicator_types: Vec<String>,
    relationship_type: Option<String>,
    source_ref: Option<String>,
    target_ref: Option<String>,
}

/// Reads one JSON document.
pub(super) fn read(text: &str, intel: &mut Intel, mistakes: &mut Mistakes) {
    let document: Value = match serde_json::from_str(text) {
        Ok(document) => document,
        Err(e) => {
            mistakes.add((e.line(), e.column()), format!("this is not JSON: {e}"), "");
            return;
        }
    };
    match document {
        Value::Object(mut map) => match map.remove("objects").or_else(|| map.remove("data")) {
            Some(Value::Array(list)) if list.iter().any(|o| o.get("type").is_some()) || list.is_empty() => {
                bundle(text, list, intel, mistakes);
            }
            Some(Value::Array(list)) => records(text, &list, intel, mistakes),
            _ if map.contains_key("type") => bundle(text, vec![Value::Object(map)], intel, mistakes),
            // ThreatFox's export: {"<id>": [{…}], …}
            _ => map.values().for_each(|v| match v {
                Value::Array(list) => records(text, list, intel, mistakes),
                other => records(text, std::slice::from_ref(other), intel, mistakes),
            }),
        },
        Value::Array(list) if list.iter().any(|o| o.get("pattern").is_some()) => {
            bundle(text, list, intel, mistakes)
        }
        Value::Array(list) => records(text, &list, intel, mistakes),
        _ => mistakes.add((0, 0), "this JSON is no feed", "expected a STIX bundle or a list of records"),
    }
}

/// Line and column of a text, for mistakes in a format whose parser keeps no positions.
fn position(text: &str, needle: &str) -> (usize, usize) {
    let Some(at) = (!needle.is_empty()).then(|| text.find(needle)).flatten() else { return (0, 0) };
    let before = &text[..at];
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (before.bytes().filter(|b| *b == b'\n').count() + 1, column)
}

fn bundle(text: &str, list: Vec<Value>, intel: &mut Intel, mistakes: &mut Mistakes) {
    let mut newest: HashMap<String, Object> = HashMap::new();
    let mut order = Vec::new();
    for value in list {
        let id = value.get("id").and_then(Value::as_str).unwrap_or("").to_owned();
        let object: Object = match serde_json::from_value(value) {
            Ok(object) => object,
            Err(e) => {
                let at = if mistakes.full() { (0, 0) } else { position(text, &id) };
                mistakes.add(at, format!("{} is no STIX object: {e}", brief(&id)), "");
                continue;
            }
        };
        match newest.get(&object.id) {
            Some(known) if version(known) >= version(&object) => {}
            Some(_) => drop(newest.insert(id, object)),
            None => {
                order.push(id.clone());
                newest.insert(id, object);
            }
        }
    }
    let threats = indicated(&newest);
    for id in &order {
        let Some(object) = newest.get(id).filter(|o| o.kind == "indicator" && !o.revoked) else { continue };
        let mut say = |why: String, help: &str| {
            let at = if mistakes.full() { (0, 0) } else { position(text, id) };
            mistakes.add(at, why, help);
        };
        if let Some(found) = usable(object, &mut say) {
            let named = threats.get(id.as_str()).copied().or(object.name.as_deref());
            let label = named.map(str::to_owned).or_else(|| Some(object.indicator_types.join(", ")));
            let label = label.map(|l| l.chars().take(120).collect::<String>()).filter(|l| !l.is_empty());
            let confidence =
                object.confidence.map_or(UNSAID_CONFIDENCE, |c| u8::try_from(c.clamp(0, 100)).unwrap_or(0));
            let until = object.valid_until.as_deref().and_then(|t| Timestamp::parse(t).ok());
            let entry = intel.entry(confidence, label.as_deref(), until);
            found.into_iter().for_each(|indicator| intel.add(indicator, entry));
        }
    }
}

/// Newer versions of an object have a later `modified`; fractions of a second may be of any length.
fn version(object: &Object) -> Option<Timestamp> {
    object.modified.as_deref().or(object.created.as_deref()).and_then(|t| Timestamp::parse(t).ok())
}

/// Names of what indicators point at, through `indicates` relationships.
fn indicated(objects: &HashMap<String, Object>) -> HashMap<&str, &str> {
    let link = |o: &'_ Object| o.relationship_type.as_deref() == Some("indicates") && !o.revoked;
    let mut links: Vec<&Object> = objects.values().filter(|o| link(o)).collect();
    links.sort_by(|a, b| b.id.cmp(&a.id));
    let named = |o: &&Object| {
        let (source, target) = (o.source_ref.as_deref(), o.target_ref.as_deref());
        // Borrowed from the map, so that nothing is copied for bundles of a million links.
        let target = target.and_then(|t| objects.get(t)).and_then(|o| o.name.as_deref());
        source.and_then(|s| objects.get_key_value(s)).map(|(s, _)| s.as_str()).zip(target)
    };
    links.iter().filter_map(named).collect()
}

/// The indicators of an object, or words why there are none.
fn usable(object: &Object, say: &mut dyn FnMut(String, &str)) -> Option<Vec<super::Indicator>> {
    let id = brief(&object.id);
    let pattern_type = object.pattern_type.as_deref().unwrap_or("stix");
    if pattern_type != "stix" {
        say(format!("{id}: a {} pattern cannot be looked up", brief(pattern_type)), "only STIX patterns can");
        return None;
    }
    if object.indicator_types.iter().any(|t| t == "benign") {
        say(format!("{id}: says that something is benign, so it is not indexed as hostile"), "");
        return None;
    }
    let Some(text) = object.pattern.as_deref() else {
        say(format!("{id}: has no pattern"), "");
        return None;
    };
    let read = |name: &str, time: &Option<String>, say: &mut dyn FnMut(String, &str)| {
        let time = time.as_deref()?;
        Timestamp::parse(time).map_err(|e| say(format!("{id}: {name}: {e}"), "")).ok()
    };
    let (from, until) =
        (read("valid_from", &object.valid_from, say), read("valid_until", &object.valid_until, say));
    if let (Some(from), Some(until)) = (from, until)
        && until <= from
    {
        say(format!("{id}: valid_until is not after valid_from"), "");
    }
    let (found, unusable) = pattern::atoms(text);
    for why in unusable {
        say(format!("{id}: {why}"), "that part of the pattern is not looked up");
    }
    (!found.is_empty()).then_some(found)
}

/// Lists of records as abuse.ch gives them. Source: ThreatFox API and export, Feodo `ipblocklist.json`.
fn records(text: &str, list: &[Value], intel: &mut Intel, mistakes: &mut Mistakes) {
    const INDICATORS: [&str; 8] =
        ["ioc", "ioc_value", "ip_address", "url", "sha256_hash", "cidr", "indicator", "value"];
    const LABELS: [&str; 6] = ["malware_printable", "malware", "signature", "threat", "sblid", "label"];
    for (i, record) in list.iter().enumerate() {
        let of = |name: &str| record.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
        let found = record.as_str().or_else(|| INDICATORS.iter().find_map(|name| of(name)));
        let Some(found) = found else {
            mistakes.add((0, 0), format!("record {} holds no indicator we know", i + 1), "");
            continue;
        };
        let confidence =
            record.get("confidence_level").or_else(|| record.get("confidence")).and_then(Value::as_u64);
        let confidence = confidence.map_or(UNSAID_CONFIDENCE, |c| u8::try_from(c.min(100)).unwrap_or(0));
        let label = LABELS.iter().find_map(|name| of(name)).map(|l| l.chars().take(120).collect::<String>());
        let until = of("valid_until").and_then(|t| Timestamp::parse(t).ok());
        let entry = intel.entry(confidence, label.as_deref(), until);
        if let Err(why) = super::value::read(found).map(|indicator| intel.add(indicator, entry)) {
            let at = if mistakes.full() { (0, 0) } else { position(text, found) };
            mistakes.add(at, format!("\"{}\" {}", brief(found), why.message), why.help);
        }
    }
}
