use super::*;
use crate::format::testing::{alert, alerts, parse, reason, shared_data};

#[test]
fn both_encodings_of_the_same_traffic_give_the_same_alerts() {
    for (log, expected) in [("notice", 207), ("weird", 24_202)] {
        let (json, tsv) = (
            shared_data(&format!("zeek-wrccdc-2018/json/{log}.json.gz")),
            shared_data(&format!("zeek-wrccdc-2018/tsv/{log}.log.gz")),
        );
        let (Some(json), Some(tsv)) = (json, tsv) else {
            return;
        };
        let (json, tsv) = (alerts(&Zeek, &json), alerts(&Zeek, &tsv));
        assert_eq!(json.len(), expected);
        assert_eq!(tsv.len(), expected);
        // The two files are not in the same order; whole alerts are compared, unmapped fields too.
        let sorted = |list: Vec<(Alert, String)>| {
            let mut texts: Vec<String> = list.iter().map(|a| format!("{a:?}")).collect();
            texts.sort();
            texts
        };
        for (a, b) in sorted(json).iter().zip(&sorted(tsv)) {
            assert_eq!(a, b);
        }
    }
}

#[test]
fn the_second_dialect_gives_the_same_notice_as_the_first() {
    let second = r#"{"@stream":"notice","ts":1588207244.740518,"uid":"C1","id_orig_h":"192.0.2.6","id_orig_p":57091,"id_resp_h":"198.51.100.4",
        "id_resp_p":8443,"proto":"tcp","note":"SSL::Invalid_Server_Cert","msg":"m","src":"192.0.2.6","dst":"198.51.100.4","p":8443}"#;
    let first = second
        .replace("@stream", "_path")
        .replace("\"id_", "\"id.")
        .replace("1588207244.740518", "\"2020-04-30T00:40:44.740518Z\"");
    let (alert_second, key_second) = alert(&Zeek, second);
    assert_eq!((alert_second.clone(), key_second.clone()), alert(&Zeek, &first));
    assert_eq!(key_second, "zeek|SSL::Invalid_Server_Cert|192.0.2.6|198.51.100.4");
    assert_eq!(alert_second.dst_endpoint.and_then(|e| e.port), Some(8443));
    assert!(alert_second.established && alert_second.severity == Severity::Low);
    assert_eq!(alert_second.source_uid.as_deref(), Some("SSL::Invalid_Server_Cert|C1|1588207244740"));
    let left: Vec<&String> = alert_second.unmapped.keys().collect();
    assert_eq!(left, ["uid"]);
}

#[test]
fn shipped_samples_are_alerts_flows_and_context() {
    let (mut alerts, mut flows, mut context) = (0, 0, 0);
    for record in parse(&Zeek, include_bytes!("../../fixtures/zeek/apt29-day1.json")) {
        match record.parsed.expect("readable") {
            Parsed::Alert { .. } => alerts += 1,
            Parsed::Flow(_) => flows += 1,
            Parsed::Context { .. } => context += 1,
        }
    }
    assert_eq!((alerts, flows, context), (5, 11, 5));
}

#[test]
fn a_notice_without_a_connection_keeps_its_source() {
    let (scan, group_key) =
        alert(&Zeek, r#"{"_path":"notice","note":"Scan::Address_Scan","msg":"m","src":"192.0.2.9","p":22}"#);
    assert_eq!(group_key, "zeek|Scan::Address_Scan|192.0.2.9|-");
    assert!(!scan.established && scan.dst_endpoint.is_none());
    assert_eq!(scan.unmapped["p"], 22);
}

#[test]
fn connections_are_established_by_their_state() {
    let flow = |state: &str| {
        let line = format!(
            r#"{{"uid":"C","conn_state":"{state}","id.orig_h":"192.0.2.1","id.resp_h":"2001:db8::2","id.resp_p":53,"proto":"udp","orig_bytes":1,"resp_bytes":2}}"#
        );
        match parse(&Zeek, line.as_bytes()).remove(0).parsed {
            Ok(Parsed::Flow(flow)) => flow,
            other => panic!("{other:?}"),
        }
    };
    for state in ["SF", "S1", "S2", "S3", "RSTO", "RSTR"] {
        assert!(flow(state).established, "{state}");
    }
    for state in ["S0", "REJ", "RSTOS0", "RSTRH", "SH", "SHR", "OTH"] {
        assert!(!flow(state).established, "{state}");
    }
    assert_eq!((flow("SF").bytes_out, flow("SF").bytes_in, flow("SF").dst_port), (1, 2, 53));
}

#[test]
fn tab_separated_lines_need_their_header_and_its_columns() {
    let header = "#separator \\x09\n#unset_field\t-\n#path\tweird\n#fields\tts\tname\tnotice\n#types\ttime\tstring\tbool\n";
    let records = parse(
        &Zeek,
        format!("{header}1.5\tbad\\x09name\tT\n1.5\tshort\n1.5\tlong\tF\tx\n#close\t2\n").as_bytes(),
    );
    let said: Vec<String> = records
        .into_iter()
        .map(|record| match record.parsed {
            Ok(Parsed::Alert { alert, .. }) => {
                format!("{} {:?} {}", alert.rule.uid, alert.severity, alert.time.0)
            }
            Ok(Parsed::Context { what }) => what,
            Ok(Parsed::Flow(_)) => "flow".to_owned(),
            Err(rejected) => rejected.reason,
        })
        .collect();
    assert_eq!(said[0], "zeek header");
    assert_eq!(said[1], "weird:bad\tname Low 1500");
    assert!(said[2].contains("2 columns where the header names 3"), "{}", said[2]);
    assert!(said[3].contains("more columns than the 3"), "{}", said[3]);
    assert_eq!(said[4], "zeek header");
    let bare = parse(&Zeek, b"#open\t2026\n1\t2");
    assert!(matches!(&bare[1].parsed, Err(rejected) if rejected.reason.contains("#fields")));
}

#[test]
fn records_without_a_log_name_are_rejected() {
    assert!(reason(&Zeek, r#"{"ts":1}"#).contains("\"_path\""));
    assert!(reason(&Zeek, r#"{"_path":"notice"}"#).contains("\"note\""));
    assert!(reason(&Zeek, r#"{"_path":"conn"}"#).contains("\"id.orig_h\""));
}
