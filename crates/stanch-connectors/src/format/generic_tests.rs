use super::*;
use crate::format::testing::{alert, alerts, parse, reason};

const LIBRE_NMS: &str = include_str!("../../fixtures/generic/libre_nms.json");
const CHECKMK: &str = include_str!("../../fixtures/generic/checkmk.json");
const THOUSANDEYES: &str = include_str!("../../fixtures/generic/thousandeyes.json");
const DATADOG: &str = include_str!("../../fixtures/generic/datadog.json");

fn mapping(fields: &[(&str, &str)]) -> Mapping {
    let fields = fields.iter().map(|(field, source)| ((*field).to_owned(), (*source).to_owned())).collect();
    Mapping { fields, ..Mapping::default() }
}

fn compiled(name: &str, fields: &[(&str, &str)]) -> GenericFormat {
    GenericFormat::compile(name, mapping(fields)).expect("a good mapping")
}

/// The mistakes of a mapping of `title` to `source`.
fn mistake(source: &str) -> String {
    let mistakes = GenericFormat::compile("x", mapping(&[("title", source), ("rule_uid", "'r'")]));
    mistakes.expect_err("a mistake").iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[test]
fn librenms_is_mapped_with_its_recovery() {
    let format = compiled(
        "LibreNMS",
        &[
            ("title", "event.title"),
            ("rule_uid", "event.rule_id"),
            ("rule_name", "event.name"),
            ("severity", "event.severity"),
            ("state", "event.state == '0' ? 'resolved' : 'firing'"),
            ("device_ip", "event.ip"),
            ("device_hostname", "event.sysName"),
            ("time", "event.timestamp"),
            ("source_uid", "event.uid"),
            ("group_key", "'librenms|' + event.rule_id + '|' + event.device_id"),
        ],
    );
    let (alert, group_key) = alert(&format, LIBRE_NMS);
    assert_eq!(group_key, "librenms|13|2");
    assert_eq!((alert.state, alert.severity), (AlertState::Resolved, Severity::Informational));
    assert_eq!(alert.product.name, "librenms");
    assert_eq!(alert.time.to_string(), "2025-03-04T11:01:41.000Z");
    assert_eq!(alert.device.and_then(|d| d.ip), "10.10.1.147".parse().ok());
    assert_eq!(alert.unmapped["os"], "linux");
}

#[test]
fn datadog_templates_are_mapped() {
    let format = compiled(
        "datadog",
        &[
            ("title", "event.title"),
            ("rule_uid", "event.monitor_id"),
            ("message", "event.message"),
            // Priorities are a word in some templates and a number in others.
            ("severity", "type(event.priority) == string ? event.priority : 'P' + string(event.priority)"),
            ("device_hostname", "size(event.scopes) > 0 ? event.scopes[0] : null"),
        ],
    );
    let templates: Fields = serde_json::from_str(DATADOG).expect("JSON");
    for (name, template) in &templates {
        let (alert, group_key) = alert(&format, &template["payload"].to_string());
        assert_ne!(alert.severity, Severity::Unknown, "{name}");
        assert!(group_key.starts_with("datadog|12345"), "{group_key}");
    }
}

#[test]
fn checkmk_and_thousandeyes_are_mapped() {
    let format = compiled(
        "checkmk",
        &[
            ("title", "event.summary"),
            ("rule_uid", "event.what + ' ' + event.check_command"),
            ("state", "event.notification_type == 'RECOVERY' ? 'resolved' : 'firing'"),
            ("severity", "event.severity"),
            ("device_ip", "event.address"),
            ("device_hostname", "event.host"),
        ],
    );
    let (checked, group_key) = alert(&format, CHECKMK);
    assert_eq!(group_key, "checkmk|HOST check-mk-host-smart|-|-|server1");
    assert_eq!(checked.state, AlertState::Resolved);
    let format = compiled(
        "thousandeyes",
        &[
            ("title", "event.alert.ruleName"),
            ("rule_uid", "event.alert.ruleId"),
            ("severity", "event.alert.severity"),
            ("state", "event.eventType.endsWith('_CLEAR') ? 'resolved' : 'firing'"),
            ("device_ip", "has(event.alert.ipAddress) ? event.alert.ipAddress : null"),
            ("source_uid", "event.eventId"),
        ],
    );
    assert_eq!(alerts(&format, THOUSANDEYES.as_bytes()).len(), 2);
}

#[test]
fn one_object_is_split_into_its_records() {
    let source = Mapping {
        records: Some("event.alerts.filter(a, a.on)".to_owned()),
        ..mapping(&[("title", "event.t"), ("rule_uid", "event.t")])
    };
    let format = GenericFormat::compile("x", source).expect("a good mapping");
    let body = r#"{"alerts":[{"t":"a","on":true},{"t":"b","on":false},{"t":"c","on":true}]}"#;
    let titles: Vec<String> = alerts(&format, body.as_bytes()).into_iter().map(|(a, _)| a.title).collect();
    assert_eq!(titles, ["a", "c"]);
    assert!(reason(&format, r#"{"alerts":5}"#).contains("the mapping of records"));
    let none = parse(&format, br#"{"alerts":[]}"#).remove(0).parsed;
    assert_eq!(none, Ok(Parsed::Context { what: "x without records".to_owned() }));
}

#[test]
fn whole_numbers_are_ints_and_times_may_be_numbers() {
    let format = compiled(
        "x",
        &[
            ("title", "'level ' + string(event.level - 6)"),
            ("rule_uid", "'r'"),
            ("severity", "event.level > 3 ? 5 : 1"),
            ("time", "event.at"),
            ("src_ip", "event.ip"),
            ("src_port", "event.port"),
            ("established", "event.port == 22"),
        ],
    );
    let read =
        |at: &str| alert(&format, &format!(r#"{{"level":4,"at":{at},"ip":"::ffff:192.0.2.1","port":22}}"#)).0;
    let seconds = read("1700000000");
    assert_eq!(
        (seconds.title.as_str(), seconds.severity, seconds.established),
        ("level -2", Severity::Critical, true)
    );
    assert_eq!(seconds.src_endpoint.and_then(|e| e.ip), "192.0.2.1".parse().ok());
    for at in ["1700000000000", "\"1700000000\"", "1700000000.0", "\"2023-11-14T22:13:20Z\""] {
        assert_eq!(read(at).time, Timestamp(1_700_000_000_000), "{at}");
    }
}

#[test]
fn a_record_whose_field_has_no_value_is_rejected_with_field_and_expression() {
    let format = compiled("x", &[("title", "event.t"), ("rule_uid", "'r'"), ("src_ip", "event.net.ip")]);
    let missing = reason(&format, r#"{"t":"a","net":{}}"#);
    assert!(missing.contains("src_ip") && missing.contains("`event.net.ip`"), "{missing}");
    assert!(missing.contains("no field \"ip\"; guard") && missing.contains("has()"), "{missing}");
    assert!(reason(&format, r#"{"t":"a","net":{"ip":"here"}}"#).contains("not an IP address"));
    assert!(reason(&format, r#"{"t":["a"],"net":{"ip":"::1"}}"#).contains("title"));
    assert!(reason(&format, r#"{"t":"","net":{"ip":"::1"}}"#).contains("empty"));
    // null leaves a field empty on purpose.
    let (alert, _) = alert(&format, r#"{"t":"a","net":{"ip":null}}"#);
    assert_eq!(alert.src_endpoint, None);
}

#[test]
fn all_mistakes_of_a_mapping_are_found_at_once() {
    let source = Mapping {
        records: Some("event.".to_owned()),
        ..mapping(&[("title", "evnt.t"), ("colour", "'red'"), ("severity", "lowercase(event.s)")])
    };
    let mistakes = GenericFormat::compile("x", source).expect_err("mistakes");
    let fields: Vec<&str> = mistakes.iter().map(|m| m.field.as_str()).collect();
    assert_eq!(fields, ["records", "colour", "severity", "title", "rule_uid"]);
    assert!(
        mistakes[3].message.contains("\"evnt\" is not known here; did you mean \"event\"?"),
        "{}",
        mistakes[3]
    );
    assert!(mistakes[2].message.contains("no function \"lowercase\""), "{}", mistakes[2]);
}

#[test]
fn deeply_nested_expressions_are_mistakes_and_no_crash() {
    let nested = |n: usize| format!("{}1{}", "(".repeat(n), ")".repeat(n));
    // Sixteen would overflow the stack of a test thread if they were parsed on it.
    for n in [16, stanch_expr::MAX_NESTING] {
        let source = format!("string({})", nested(n - 1));
        assert!(
            GenericFormat::compile("x", mapping(&[("title", &source), ("rule_uid", "'r'")])).is_ok(),
            "{n}"
        );
    }
    assert!(mistake(&nested(stanch_expr::MAX_NESTING + 1)).contains("nested deeper"));
    assert!(mistake(&nested(2_000)).contains("nested deeper"));
    assert!(mistake(&"[".repeat(2_000)).contains("nested deeper"));
    for chain in ["!", "-", "1?2:", "1+", "1||", "a.", "[1][0]", "event", "'a'+", "{1:", "x(", "\"", "\\"] {
        assert!(!mistake(&chain.repeat(stanch_expr::MAX_SOURCE / chain.len())).is_empty(), "{chain}");
    }
    assert!(mistake(&"x".repeat(stanch_expr::MAX_SOURCE + 1)).contains("bytes"));
    assert!(mistake(" ").contains("empty"));
}

#[test]
fn the_deepest_expression_allowed_is_evaluated_on_a_small_stack() {
    let allowed = (1..200).rev().map(|n| format!("'a'{}", "+'a'".repeat(n))).find_map(|source| {
        GenericFormat::compile("x", mapping(&[("title", &source), ("rule_uid", "'r'")])).ok()
    });
    let format = allowed.expect("some chain is allowed");
    let thread =
        std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(move || alert(&format, "{}").0.title);
    assert!(thread.expect("a thread").join().expect("no overflow").len() > 30);
}

#[test]
fn loops_over_long_lists_are_refused() {
    let format = compiled(
        "x",
        &[("title", "event.l.exists(a, event.l.exists(b, a + b == -1)) ? 'y' : 'n'"), ("rule_uid", "'r'")],
    );
    let body = |n: usize| format!("{{\"l\":[{}]}}", vec!["1"; n].join(","));
    assert_eq!(alert(&format, &body(50)).0.title, "n");
    assert!(reason(&format, &body(2_000)).contains("too long to go through"));
}

#[test]
fn objects_are_gone_through_in_the_same_order_every_time() {
    let format = compiled("x", &[("title", "event.map(k, k)[0]"), ("rule_uid", "'r'")]);
    for _ in 0..20 {
        assert_eq!(alert(&format, r#"{"d":1,"c":1,"b":1,"a":1,"e":1}"#).0.title, "a");
    }
}
