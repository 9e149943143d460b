use serde_json::json;

use super::*;
use crate::format::testing::{alert, alerts, parse, reason, shared_data};

const SAMPLES: &[u8] = include_bytes!("../../fixtures/suricata/suricata-samples.eve.json");
const CPTC: &[u8] = include_bytes!("../../fixtures/suricata/cptc-2017.eve.json");

/// An EVE alert on a TCP packet from a client, with `extra` laid over it.
fn eve(extra: Value) -> String {
    let mut record = json!({
        "timestamp": "2026-03-03T22:10:00.000000+0000", "flow_id": 9_007_199_254_740_993_u64, "event_type": "alert",
        "src_ip": "192.0.2.30", "src_port": 61038, "dest_ip": "198.51.100.7", "dest_port": 80, "proto": "TCP",
        "alert": {"gid": 1, "signature_id": 1000001, "signature": "EXAMPLE", "category": "Test", "severity": 1},
    });
    let (Some(fields), Value::Object(extra)) = (record.as_object_mut(), extra) else { panic!("objects") };
    fields.extend(extra);
    record.to_string()
}

fn ends(alert: &Alert) -> String {
    let one = |end: &Option<Endpoint>| {
        let end = end.as_ref().expect("an endpoint");
        format!("{}:{}", end.ip.expect("an address"), end.port.unwrap_or(0))
    };
    format!("{} > {}", one(&alert.src_endpoint), one(&alert.dst_endpoint))
}

#[test]
fn a_real_alert_is_read_field_by_field() {
    let first = CPTC.split(|b| *b == b'\n').next().expect("a line");
    let (alert, group_key) = alerts(&Suricata, first).remove(0);
    assert_eq!(group_key, "suricata|1:2010937|10.0.254.30|10.0.0.101");
    assert_eq!(alert.time.to_string(), "2017-11-04T12:48:35.198Z");
    assert_eq!(alert.title, "ET POLICY Suspicious inbound to mySQL port 3306");
    assert_eq!(alert.rule.uid, "1:2010937");
    assert_eq!(alert.rule.category.as_deref(), Some("Potentially Bad Traffic"));
    assert_eq!(alert.severity, Severity::Medium);
    assert_eq!(ends(&alert), "10.0.254.30:61038 > 10.0.0.101:3306");
    assert_eq!(alert.protocol.as_deref(), Some("tcp"));
    assert!(alert.sensor.is_some() && !alert.established);
    let uid = "1039376568223671|1:2010937|-|2017-11-04T12:48:35.198583+0000";
    assert_eq!(alert.source_uid.as_deref(), Some(uid));
    assert_eq!(alert.unmapped["alert"]["action"], "allowed");
    assert!(!alert.unmapped.contains_key("src_ip"));
}

#[test]
fn every_shipped_sample_is_an_alert_with_two_ends() {
    for body in [SAMPLES, CPTC] {
        for (alert, group_key) in alerts(&Suricata, body) {
            assert!(alert.src_endpoint.is_some() && alert.dst_endpoint.is_some(), "{alert:?}");
            assert_eq!(group_key.split('|').count(), 4, "{group_key}");
            assert_ne!(alert.severity, Severity::Unknown);
        }
    }
}

#[test]
fn alerts_of_five_teams_are_all_read() {
    for (team, count) in [(1, 4274), (2, 2923), (3, 3353), (5, 1912), (7, 4712)] {
        let Some(body) = shared_data(&format!("cptc-2017/team{team}.eve.json.gz")) else { return };
        assert_eq!(alerts(&Suricata, &body).len(), count);
    }
}

#[test]
fn an_alert_on_an_answer_names_the_opener_as_source() {
    let answer = |extra: Value| {
        let mut turned =
            json!({"src_ip": "198.51.100.7", "src_port": 80, "dest_ip": "192.0.2.30", "dest_port": 61038});
        let (Some(fields), Value::Object(extra)) = (turned.as_object_mut(), extra) else { panic!("objects") };
        fields.extend(extra);
        alert(&Suricata, &eve(turned))
    };
    let (_, asked) = alert(&Suricata, &eve(json!({})));
    for evidence in [
        json!({"direction": "to_client"}),
        json!({"flow": {"src_ip": "192.0.2.30", "src_port": 61038, "dest_ip": "198.51.100.7", "dest_port": 80}}),
        json!({"app_proto": "http", "flow": {"pkts_toserver": 13, "pkts_toclient": 21}}),
        json!({"http": {"hostname": "www.example.org"}}),
    ] {
        let (alert, group_key) = answer(evidence.clone());
        assert_eq!(group_key, asked, "{evidence}");
        assert_eq!(ends(&alert), "192.0.2.30:61038 > 198.51.100.7:80", "{evidence}");
    }
    // No evidence, or evidence against: a scan may well come from port 80.
    for kept in [
        json!({}),
        json!({"direction": "to_server", "app_proto": "http"}),
        json!({"app_proto": "failed"}),
        json!({"app_proto": "http", "flow": {"pkts_toserver": 1, "pkts_toclient": 0}}),
    ] {
        assert_eq!(ends(&answer(kept.clone()).0), "198.51.100.7:80 > 192.0.2.30:61038", "{kept}");
    }
}

#[test]
fn a_connection_counts_as_established_only_when_its_source_cannot_be_forged() {
    let established = |extra: Value| alert(&Suricata, &eve(extra)).0.established;
    assert!(established(json!({"app_proto": "http"})));
    assert!(established(json!({"tls": {"sni": "example.org"}})));
    assert!(established(json!({"flow": {"pkts_toserver": 3, "pkts_toclient": 2}})));
    assert!(established(json!({"flow": {"state": "established"}})));
    assert!(established(json!({"stream": 1})));
    assert!(!established(json!({})));
    assert!(!established(json!({"flow": {"pkts_toserver": 1, "pkts_toclient": 1}})));
    assert!(!established(
        json!({"proto": "UDP", "app_proto": "dns", "flow": {"pkts_toserver": 9, "pkts_toclient": 9}})
    ));
}

#[test]
fn names_links_digests_and_techniques_are_found() {
    let (alert, _) = alert(
        &Suricata,
        &eve(json!({
            "http": {"hostname": "www.Example.org", "url": "/a?b=1"},
            "tls": {"sni": "example.net", "fingerprint": "dc:bc:30:fe:3a:09:c2:d8:a6:c7:6f:b4:e0:89:5b:36:c8:ca:93:76"},
            "dns": {"query": [{"rrname": "q2.example"}], "queries": [{"rrname": "q3.example"}], "rrname": "q1.example"},
            "files": [{"filename": "/x.exe", "sha256": "A".repeat(64)}],
            "alert": {"signature_id": 7, "severity": 4, "metadata": {
                "mitre_technique_id": ["T1071_001"], "mitre_tactic_id": ["TA0011"]}},
        })),
    );
    let found: Vec<String> = alert.observables.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "hostname www.example.org",
            "url http://www.Example.org/a?b=1",
            "hostname example.net",
            "hash dcbc30fe3a09c2d8a6c76fb4e0895b36c8ca9376",
            "hostname q2.example",
            "hostname q3.example",
            "hostname q1.example",
            &format!("hash {}", "a".repeat(64)),
            "file /x.exe",
        ]
    );
    assert_eq!(
        alert.attacks,
        [Attack { technique_uid: "T1071.001".to_owned(), tactic: Some("TA0011".to_owned()) }]
    );
    assert_eq!((alert.rule.uid.as_str(), alert.severity), ("1:7", Severity::Informational));
}

#[test]
fn flow_ids_above_two_to_the_53_stay_exact() {
    let (alert, _) = alert(&Suricata, &eve(json!({})));
    assert!(alert.source_uid.is_some_and(|uid| uid.starts_with("9007199254740993|1:1000001|-|2026-")));
}

#[test]
fn flows_drops_anomalies_and_other_logs_are_told_apart() {
    let one = |body: &str| parse(&Suricata, body.as_bytes()).remove(0).parsed.expect("readable");
    let flow = r#"{"timestamp":"2026-03-03T22:10:09.0+0000","event_type":"flow","src_ip":"192.0.2.1","dest_ip":"2001:db8::1",
        "dest_port":443,"proto":"TCP","flow":{"pkts_toserver":3,"pkts_toclient":2,"bytes_toserver":300,"bytes_toclient":200,
        "start":"2026-03-03T22:10:00.0+0000","state":"closed"}}"#;
    let Parsed::Flow(flow) = one(flow) else { panic!("a flow") };
    assert_eq!((flow.bytes_out, flow.bytes_in, flow.dst_port, flow.established), (300, 200, 443, true));
    assert_eq!(flow.time.to_string(), "2026-03-03T22:10:00.000Z");
    let netflow = r#"{"event_type":"netflow","src_ip":"192.0.2.1","dest_ip":"192.0.2.2","proto":"UDP","netflow":{"bytes":9}}"#;
    let Parsed::Flow(flow) = one(netflow) else { panic!("a flow") };
    assert_eq!((flow.bytes_out, flow.bytes_in, flow.established), (9, 0, false));
    assert_eq!(one(r#"{"event_type":"dns"}"#), Parsed::Context { what: "suricata dns".to_owned() });
    assert_eq!(
        one(r#"{"event_type":"drop","drop":{}}"#),
        Parsed::Context { what: "suricata drop".to_owned() }
    );
    assert_eq!(alert(&Suricata, &eve(json!({"event_type": "drop"}))).1, alert(&Suricata, &eve(json!({}))).1);
    let anomaly = r#"{"event_type":"anomaly","src_ip":"192.0.2.1","dest_ip":"192.0.2.2","anomaly":{"type":"stream","event":"x.y"}}"#;
    let (anomaly, group_key) = alert(&Suricata, anomaly);
    assert_eq!(anomaly.severity, Severity::Informational);
    assert_eq!(group_key, "suricata|anomaly:x.y|192.0.2.1|192.0.2.2");
}

#[test]
fn incomplete_records_are_rejected_with_the_name_of_the_missing_field() {
    assert!(reason(&Suricata, "{}").contains("\"event_type\""));
    assert!(reason(&Suricata, r#"{"event_type":"alert"}"#).contains("\"alert\""));
    assert!(reason(&Suricata, r#"{"event_type":"alert","alert":{}}"#).contains("\"alert.signature_id\""));
    assert!(reason(&Suricata, r#"{"event_type":"flow","src_ip":"here"}"#).contains("\"src_ip\""));
    // An alert without ends or time is still a claim.
    let (bare, group_key) =
        alert(&Suricata, r#"{"event_type":"alert","alert":{"signature_id":"5"},"timestamp":"soon"}"#);
    assert_eq!((group_key.as_str(), bare.time.0), ("suricata|1:5|-|-", 1_700_000_000_000));
    assert_eq!(bare.unmapped["timestamp"], "soon");
}
