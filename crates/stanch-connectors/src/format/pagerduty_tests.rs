use super::*;
use crate::format::testing::{alert, parse, reason};

const TRIGGER: &str = r#"{"routing_key":"R0UT1NG","event_action":"trigger","dedup_key":"disk-7","client":"Monitor",
    "payload":{"summary":"Disk 7 is full","source":"db-1.example","severity":"critical","timestamp":"2026-03-03T22:10:00Z",
    "class":"disk","custom_details":{"free":0}},"links":[{"href":"https://m.example"}]}"#;

#[test]
fn a_trigger_is_an_alert_that_its_resolve_takes_back() {
    let (firing, key) = alert(&PagerDuty, TRIGGER);
    assert_eq!(key, "pagerduty|disk-7");
    assert_eq!(
        (firing.title.as_str(), firing.rule.uid.as_str(), firing.severity),
        ("Disk 7 is full", "disk", Severity::Critical)
    );
    assert_eq!(firing.device.as_ref().and_then(|d| d.hostname.as_deref()), Some("db-1.example"));
    assert_eq!(firing.unmapped["payload"]["custom_details"]["free"], 0);
    let (over, key_over) =
        alert(&PagerDuty, r#"{"routing_key":"R","event_action":"resolve","dedup_key":"disk-7"}"#);
    assert_eq!((key_over, over.state), (key, AlertState::Resolved));
}

#[test]
fn the_routing_key_never_enters_an_alert() {
    assert!(!format!("{:?}", alert(&PagerDuty, TRIGGER)).contains("R0UT1NG"));
    assert_eq!(routing_key(TRIGGER.as_bytes()).as_deref(), Some("R0UT1NG"));
    assert_eq!(routing_key(format!("[{TRIGGER}]").as_bytes()).as_deref(), Some("R0UT1NG"));
    let long = format!(r#"{{"routing_key":"{}"}}"#, "x".repeat(1_000_000));
    for none in
        ["", "x", "{}", r#"{"routing_key":5}"#, r#"{"routing_key":""}"#, r#"{"routing_key":"#, long.as_str()]
    {
        assert_eq!(routing_key(none.as_bytes()), None);
    }
}

#[test]
fn an_acknowledgement_is_context() {
    let body = r#"{"event_action":"acknowledge","dedup_key":"disk-7"}"#;
    let parsed = parse(&PagerDuty, body.as_bytes()).remove(0).parsed;
    assert_eq!(parsed, Ok(Parsed::Context { what: "pagerduty acknowledge".to_owned() }));
}

#[test]
fn the_same_words_from_the_same_place_are_one_claim_without_a_key() {
    let body = TRIGGER.replace(r#""dedup_key":"disk-7","#, "");
    assert_eq!(alert(&PagerDuty, &body).1, "pagerduty|db-1.example|disk|Disk 7 is full");
}

#[test]
fn missing_fields_are_all_named() {
    let all = "payload.summary, payload.source, payload.severity";
    assert!(reason(&PagerDuty, r#"{"event_action":"trigger"}"#).contains(all));
    assert!(reason(&PagerDuty, r#"{"event_action":"resolve"}"#).contains("dedup_key"));
    assert!(reason(&PagerDuty, "{}").contains("event_action"));
    assert!(reason(&PagerDuty, r#"{"event_action":"shout"}"#).contains("\"shout\""));
    assert!(
        reason(&PagerDuty, &TRIGGER.replace("critical", "awful")).contains("critical, error, warning, info")
    );
    assert!(reason(&PagerDuty, &TRIGGER.replace("disk-7", &"k".repeat(256))).contains("255"));
}
