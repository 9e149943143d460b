use super::*;
use crate::format::testing::{alert, alerts, parse, reason};

const WEBHOOK: &str = r#"{"version":"4","groupKey":"{}:{}","truncatedAlerts":0,"status":"firing","receiver":"stanch",
 "groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://am.example",
 "alerts":[
  {"status":"firing","labels":{"alertname":"HighLatency","severity":"critical","instance":"router-1.example:9100"},
   "annotations":{"summary":"Latency is high","description":"over 2 s"},"startsAt":"2026-03-03T22:10:00Z",
   "endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://p.example/g","fingerprint":"0"},
  {"status":"resolved","labels":{"alertname":"HighLatency","severity":"critical","instance":"192.0.2.1:9100"},
   "annotations":{},"startsAt":"2026-03-03T22:10:00Z","endsAt":"2026-03-03T22:20:00Z","fingerprint":"1"}],
 "note":"]"}"#;

#[test]
fn each_alert_of_a_notification_is_a_record_of_its_own() {
    let records = parse(&Alertmanager, WEBHOOK.as_bytes());
    let kinds: Vec<&str> = records
        .iter()
        .map(|record| match &record.parsed {
            Ok(Parsed::Alert { alert, .. }) => alert.title.as_str(),
            Ok(Parsed::Context { what }) => what,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        kinds,
        ["prometheus notification", "Latency is high", "HighLatency", "prometheus notification"]
    );
    let bytes = &WEBHOOK[records[1].raw.clone()];
    assert!(bytes.starts_with("{\"status\":\"firing\"") && bytes.ends_with("\"0\"}"), "{bytes}");
}

#[test]
fn labels_become_rule_severity_and_device() {
    let all = alerts(&Alertmanager, WEBHOOK.as_bytes());
    let (firing, resolved) = (&all[0].0, &all[1].0);
    assert_eq!(
        (firing.rule.uid.as_str(), firing.severity, firing.state),
        ("HighLatency", Severity::Critical, AlertState::Firing)
    );
    assert_eq!(firing.device.as_ref().and_then(|d| d.hostname.as_deref()), Some("router-1.example"));
    assert_eq!(resolved.device.as_ref().and_then(|d| d.ip), "192.0.2.1".parse().ok());
    assert_eq!(resolved.state, AlertState::Resolved);
    assert_eq!(resolved.time.to_string(), "2026-03-03T22:20:00.000Z");
    assert_eq!(firing.message.as_deref(), Some("over 2 s"));
    assert_eq!(firing.unmapped["labels"]["instance"], "router-1.example:9100");
}

#[test]
fn the_bare_array_of_prometheus_gives_the_same_group_and_resolves_by_its_end() {
    let post = |end: &str| {
        let body = format!(
            r#"[{{"labels":{{"instance":"router-1.example:9100","severity":"critical","alertname":"HighLatency"}},
            "annotations":{{}},"startsAt":"2023-11-14T22:00:00Z","endsAt":"{end}","generatorURL":"http://p"}}]"#
        );
        alerts(&Alertmanager, body.as_bytes()).remove(0)
    };
    let webhook = &alerts(&Alertmanager, WEBHOOK.as_bytes())[0].1;
    // The tests' time of arrival is 2023-11-14T22:13:20Z.
    let (firing, key_firing) = post("2023-11-14T22:14:00Z");
    let (resolved, key_resolved) = post("2023-11-14T22:13:00Z");
    assert_eq!((firing.state, resolved.state), (AlertState::Firing, AlertState::Resolved));
    assert_eq!((&key_firing, &key_resolved), (webhook, webhook));
    assert_ne!(firing.source_uid, resolved.source_uid);
}

#[test]
fn fingerprints_are_alertmanagers_own() {
    // Source: the test notification that every Grafana sends carries this pair.
    let labels: Fields =
        serde_json::from_str(r#"{"instance":"Grafana","alertname":"TestAlert"}"#).expect("labels");
    assert_eq!(fingerprint(&labels), "57c6d9296de2ad39");
}

#[test]
fn the_quick_way_and_the_long_way_read_the_same() {
    let received = Timestamp::parse("2023-11-14T22:13:20Z").expect("a time");
    let mut quickly = 0;
    let plain = [
        r#"{"labels":{"alertname":"A","severity":"page","instance":"10.0.0.1:9100","b":"2","a":"1"},"annotations":{"summary":"S","description":""},"startsAt":"2023-11-14T22:00:00Z","endsAt":"2023-11-14T22:14:00Z","generatorURL":"http://p"}"#,
        r#"{ "status" : "resolved", "labels" : { "job":"x" } , "startsAt":"soon", "endsAt" : "2023-11-14T22:10:00Z", "fingerprint":"0" }"#,
        r#"{"labels":{"z":"1","host":"web-1"},"endsAt":"2023-11-14T22:10:00Z","startsAt":"1700000000.5","annotations":{"title":"t","message":"m"}}"#,
        r#"{"labels":{"alertname":"A"},"startsAt":"never"}"#,
    ];
    let odd = [
        r#"{"labels":{"alertname":"A","n":1}}"#,
        r#"{"labels":{"alertname":"A\u0042"}}"#,
        r#"{"labels":{"alertname":"A"},"more":"x"}"#,
        r#"{"labels":{"alertname":"A"},"status":{"a":"b"}}"#,
        r#"{"labels":{"alertname":"A"},"annotations":"none"}"#,
    ];
    for text in plain.iter().chain(&odd) {
        let fields = json::object(text.as_bytes(), 0..text.len()).expect(text);
        let long = one(fields, "prometheus", received).expect(text);
        let Some(quick) = quick(text.as_bytes(), "prometheus", received) else { continue };
        assert_eq!(quick, long, "{text}");
        quickly += 1;
    }
    assert_eq!(quickly, plain.len(), "what is plain goes the quick way, and nothing else does");
    for broken in [r#"{"labels":{}}"#, r#"{"labels":{"a":"1","a":"2"}}"#, r#"{"annotations":{}}"#] {
        assert!(quick(broken.as_bytes(), "prometheus", received).is_none(), "{broken}");
    }
}

#[test]
fn grafana_is_told_apart() {
    let body = WEBHOOK.replace("\"version\":\"4\"", "\"version\":\"1\",\"orgId\":1");
    let (alert, group_key) = alerts(&Alertmanager, body.as_bytes()).remove(0);
    assert_eq!(alert.product.name, "grafana");
    assert!(group_key.starts_with("grafana|"));
}

#[test]
fn severity_labels_of_the_field_are_understood() {
    let severity = |word: &str| {
        alert(&Alertmanager, &format!(r#"{{"labels":{{"alertname":"a","severity":"{word}"}}}}"#)).0.severity
    };
    for (word, expected) in [
        ("page", Severity::Critical),
        ("error", Severity::High),
        ("Warning", Severity::Medium),
        ("info", Severity::Informational),
        ("none", Severity::Informational),
        ("purple", Severity::Other),
    ] {
        assert_eq!(severity(word), expected, "{word}");
    }
    assert_eq!(alert(&Alertmanager, r#"{"labels":{"alertname":"a"}}"#).0.severity, Severity::Unknown);
}

#[test]
fn a_bad_alert_costs_only_itself_and_left_out_ones_are_reported() {
    let body = WEBHOOK.replace("\"instance\":\"192.0.2.1:9100\"", "\"severity\":\"twice\"");
    let records = parse(&Alertmanager, body.as_bytes());
    assert!(records[1].parsed.is_ok());
    assert!(matches!(&records[2].parsed, Err(rejected) if rejected.reason.contains("twice")));
    let records = parse(&Alertmanager, WEBHOOK.replace("Alerts\":0", "Alerts\":3").as_bytes());
    assert!(matches!(&records[0].parsed, Err(rejected) if rejected.reason.contains("left 3 alerts out")));
}

#[test]
fn other_payloads_are_rejected_with_advice() {
    assert!(reason(&Alertmanager, r#"{"text":"something is wrong"}"#).contains("generic format"));
    assert!(reason(&Alertmanager, r#"{"alerts":5}"#).contains("\"labels\""));
    assert!(reason(&Alertmanager, r#"{"alerts":[],"a":1,"a":2}"#).contains("around the alerts"));
}

#[test]
fn shipped_templates_become_alerts() {
    let templates: Fields =
        serde_json::from_slice(include_bytes!("../../fixtures/alertmanager/prometheus.json")).expect("JSON");
    for (name, template) in &templates {
        let mut element = template["payload"].clone();
        element["labels"]["alertname"] = name.as_str().into();
        let (alert, _) = alert(&Alertmanager, &format!("[{element}]"));
        assert_eq!(&alert.rule.uid, name);
        assert_ne!(alert.severity, Severity::Unknown);
    }
}
