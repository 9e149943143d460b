//! The formats against what they promise: the official schemas of STIX 2.1, no formula, no markup.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::*;

const HOSTILE: &str =
    "=HYPERLINK(\"http://evil.example\") [click](http://evil.example) <img src=x> | `x`\u{202e}gpj\n# x";

/// A case as the API would give it, with hostile words wherever a source can put some.
fn sample() -> Case {
    let summary = json!({
        "id": "INC-3", "title": HOSTILE, "status": "contained", "severity": "High", "severity_id": 4,
        "confidence": 0.97, "kind": "c2", "site": "hq", "team": "secops", "acknowledged_by": "kt",
        "opened_at": "2026-03-03T22:10:01.000Z", "first_received": "2026-03-03T22:10:01.000Z",
        "first": "2026-03-03T22:10:00.000Z", "last": "2026-03-03T22:40:00.000Z", "alerts": 2, "records": 7,
    });
    let mut incident = summary.clone();
    let more = json!({
        "because": ["score 0.97"], "alert_ids": ["A-1"], "entities_total": 5, "facts": [], "missing": [],
        "stages": [], "marks": [], "escalation": { "policy": "x", "rung": 0 }, "runs": [], "approvals": [],
        "blocks": [], "parts": [],
        "entities": (["10.0.0.5", "203.0.113.9", "2001:db8::9", "host:evil.example", "user:kt", "host:plc-07"])
            .map(|e| json!({ "entity": e, "acted": 1, "suffered": 0, "first": "2026-03-03T22:10:00.000Z", "last": "2026-03-03T22:40:00.000Z" })),
    });
    incident.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let story = json!({
        "incident": "INC-3", "title": HOSTILE, "status": "contained", "severity": "High", "confidence": 0.97,
        "records": 7, "alerts": 2, "actors": [], "actors_total": 0, "stages": [], "techniques": ["T1071", "T1071.001"],
        "unknown": [HOSTILE], "before": [], "done": [], "parts": [], "text": "text",
        "happened": [{ "at": "2026-03-03T22:10:00.000Z", "text": HOSTILE, "alerts": ["A-1"], "more": 0 }],
    });
    let row = json!({
        "at": "2026-03-03T22:10:00.000Z", "clock": "source", "by": "evidence", "text": HOSTILE, "alerts": ["A-1"],
        "more": 0, "open": false,
    });
    let block = json!({
        "id": "ACT-1", "incident": "INC-3", "run": "RUN-1", "target": "203.0.113.9", "action": "block 203.0.113.9",
        "responder": "edge", "simulated": false, "state": "in_force", "ttl_ms": 1, "ttl": "1ms",
        "permitted_at": "2026-03-03T22:12:00.000Z", "because": ["a yes"],
    });
    let read = |v: Value| serde_json::from_value(v);
    Case {
        now: Timestamp::parse("2026-03-03T23:00:00Z").unwrap(),
        incident: read(incident).unwrap(),
        story: serde_json::from_value(story).unwrap(),
        timeline: serde_json::from_value(
            json!({ "incident": "INC-3", "rows": [row], "wall_ms": 1, "shortest_gap_ms": 1 }),
        )
        .unwrap(),
        blocks: vec![serde_json::from_value(block).unwrap()],
        approvals: Vec::new(),
        evidence: Vec::new(),
        head: JournalHead { seq: 9, hash: "ab".into() },
    }
}

fn list() -> Listing {
    let summary = serde_json::to_value(&sample().incident.summary).unwrap();
    let mut row = summary;
    let more = json!({ "clock": [], "approvals": [], "live_blocks": 0, "entities": ["=1+1"], "entities_total": 1, "sources": 1 });
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let row: QueueRow = serde_json::from_value(row).unwrap();
    Listing { now: sample().now, query: String::new(), total: 1, rows: vec![row] }
}

/// The official schemas, by their own address.
fn schemas() -> BTreeMap<String, Value> {
    fn collect(at: &Path, all: &mut BTreeMap<String, Value>) {
        for entry in std::fs::read_dir(at).unwrap().flatten() {
            if entry.path().is_dir() {
                collect(&entry.path(), all);
            } else if entry.path().extension().is_some_and(|e| e == "json") {
                let schema: Value = serde_json::from_slice(&std::fs::read(entry.path()).unwrap()).unwrap();
                all.insert(schema["$id"].as_str().unwrap().to_owned(), schema);
            }
        }
    }
    let mut all = BTreeMap::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/stix-2.1"), &mut all);
    // The list in the bundle's schema leaves out five objects of the standard, ours among them (4.7 Incident);
    // its own schema is there.
    let bundle = all.iter_mut().find(|(id, _)| id.ends_with("/common/bundle.json")).unwrap().1;
    assert!(listed(bundle), "the list of objects stands where it stood");
    all
}

/// Puts the incident into the first list that names attack patterns.
fn listed(at: &mut Value) -> bool {
    match at {
        Value::Array(all) if all.iter().any(|v| v["$ref"] == "../sdos/attack-pattern.json") => {
            all.push(json!({ "$ref": "../sdos/incident.json" }));
            true
        }
        Value::Array(all) => all.iter_mut().any(listed),
        Value::Object(fields) => fields.values_mut().any(listed),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// What the official schema of each object says against it.
fn misfits(bundle: &Value) -> Vec<String> {
    let all = schemas();
    let resources =
        all.iter().map(|(id, schema)| (id.clone(), jsonschema::Resource::from_contents(schema.clone())));
    let registry = jsonschema::Registry::new().extend(resources).unwrap().prepare().unwrap();
    let mut wrong = Vec::new();
    let mut check = |kind: &str, value: &Value| {
        let schema = all.iter().find(|(id, _)| id.ends_with(&format!("/{kind}.json")));
        let (_, schema) = schema.unwrap_or_else(|| panic!("there is no official schema for {kind}"));
        let validator = jsonschema::options().with_registry(&registry).build(schema).unwrap();
        wrong.extend(validator.iter_errors(value).map(|e| format!("{kind} {}: {e}", e.instance_path())));
    };
    check("bundle", bundle);
    for object in bundle["objects"].as_array().unwrap() {
        check(object["type"].as_str().unwrap(), object);
    }
    wrong
}

#[test]
fn bundles_hold_against_the_official_schemas_and_every_reference_leads_somewhere() {
    for bundle in [stix::case(&sample()), stix::listing(&list())] {
        assert_eq!(misfits(&bundle), Vec::<String>::new());
        let ids: Vec<&str> =
            bundle["objects"].as_array().unwrap().iter().filter_map(|o| o["id"].as_str()).collect();
        let text = bundle.to_string();
        for object in bundle["objects"].as_array().unwrap() {
            for key in ["created_by_ref", "source_ref", "target_ref"] {
                assert!(object[key].as_str().is_none_or(|r| ids.contains(&r)), "{object:#}");
            }
            for key in ["object_refs", "object_marking_refs"] {
                let all = object[key].as_array().into_iter().flatten();
                assert!(all.filter_map(Value::as_str).all(|r| ids.contains(&r)), "{object:#}");
            }
        }
        assert!(!text.contains("plc-07"), "a name that is none of the DNS becomes no domain-name");
    }
    let mut broken = stix::case(&sample());
    broken["objects"][2]["created"] = json!("yesterday");
    assert!(!misfits(&broken).is_empty(), "the schemas are really asked");
}

#[test]
fn the_same_things_have_the_same_names_in_every_bundle() {
    let (a, b) = (stix::case(&sample()), stix::case(&sample()));
    assert_eq!(a, b);
    // Source: a bundle of the OASIS library for Python, `stix2.IPv4Address(value="203.0.113.9").id`.
    assert!(a.to_string().contains(PEER), "{a:#}");
}

/// Made with PyPI `stix2` 3.0.2.
const PEER: &str = "ipv4-addr--39090fdc-366e-571f-ab5b-d05e2918f88f";

#[test]
fn no_field_of_a_sheet_is_a_formula() {
    for sheet in [csv::case(&sample()), csv::listing(&list())] {
        let mut read = ::csv::Reader::from_reader(&sheet[..]);
        let fields: Vec<String> =
            read.records().flat_map(|r| r.unwrap().iter().map(str::to_owned).collect::<Vec<_>>()).collect();
        assert!(fields.iter().any(|f| f.starts_with("'=HYPERLINK")), "{fields:?}");
        assert!(
            !fields.iter().any(|f| f.trim_start().starts_with(['=', '+', '-', '@', '\t', '\r'])),
            "{fields:?}"
        );
        assert!(!fields.iter().any(|f| f.contains(['\n', '\u{202e}'])), "{fields:?}");
    }
}

#[test]
fn words_of_attackers_are_no_markup_in_a_report() {
    let report = markdown::case(&sample());
    assert!(report.contains("\\[click\\](http\\[:\\]//evil.example)"), "{report}");
    for bad in ["<img", "](http:", "\n# x", "\u{202e}"] {
        assert!(!report.replace("\\<", "").contains(bad), "{bad}: {report}");
    }
    assert_eq!(
        report.matches("\n# ").count() + usize::from(report.starts_with("# ")),
        1,
        "one title: {report}"
    );
}

#[test]
fn an_incident_finding_has_all_that_the_schema_requires() {
    let all = ocsf::case(&sample());
    let finding = &all[0];
    // Source: ocsf-schema 1.8.0, incident_finding.json with base_event.json and finding.json.
    for field in [
        "activity_id",
        "category_uid",
        "class_uid",
        "finding_info_list",
        "metadata",
        "severity_id",
        "status_id",
        "time",
        "type_uid",
    ] {
        assert!(!finding[field].is_null(), "{field}: {finding:#}");
    }
    let (class, activity) =
        (finding["class_uid"].as_u64().unwrap(), finding["activity_id"].as_u64().unwrap());
    assert_eq!(finding["type_uid"].as_u64(), Some(class * 100 + activity));
    assert_eq!(finding["finding_info_list"][0]["uid"], "INC-3");
    assert_eq!(finding["assignee"]["name"], "kt");
}

#[test]
fn every_format_says_something_of_every_case() {
    for (word, format) in FORMATS {
        assert!(case(&sample(), *format).len() > 100, "{word}");
        assert!(listing(&list(), *format).len() > 100, "{word}");
        assert_eq!(Format::of(word), Some(*format));
    }
    assert!(case(&sample(), Format::Pdf).ends_with(b"%%EOF"));
}
