use super::*;
use crate::format::suricata::Suricata;
use crate::format::testing::{alert, reason};

const SSH: &str = r#"{"timestamp":"2026-03-03T22:10:00.123+0000","id":"1772575800.4711","rule":{"id":"5710","level":5,
    "description":"sshd: Attempt to login using a non-existent user","groups":["syslog","sshd","invalid_login"],"firedtimes":3,
    "mitre":{"id":["T1110.001","T1021.004"],"tactic":["Credential Access","Lateral Movement"],"technique":["Password Guessing","SSH"]}},
    "agent":{"id":"007","name":"web-1","ip":"198.51.100.7"},"manager":{"name":"wazuh-1"},"decoder":{"name":"sshd"},
    "data":{"srcip":"192.0.2.30","srcport":"50110","srcuser":"admin"},"full_log":"sshd[1]: Invalid user admin","location":"/var/log/auth.log"}"#;

#[test]
fn a_host_alert_is_read_field_by_field() {
    let (ssh, group_key) = alert(&Wazuh, SSH);
    assert_eq!(group_key, "wazuh|5710|web-1|192.0.2.30|admin");
    assert_eq!(
        (ssh.product.name.as_str(), ssh.rule.uid.as_str(), ssh.severity),
        ("wazuh", "5710", Severity::Low)
    );
    assert_eq!(ssh.rule.category.as_deref(), Some("syslog,sshd,invalid_login"));
    assert_eq!(ssh.source_uid.as_deref(), Some("1772575800.4711"));
    assert_eq!(ssh.user.as_deref(), Some("admin"));
    assert_eq!(ssh.message.as_deref(), Some("sshd[1]: Invalid user admin"));
    assert_eq!(ssh.src_endpoint.as_ref().and_then(|e| e.port), Some(50110));
    let device = ssh.device.as_ref().expect("the agent");
    assert_eq!(device.hostname.as_deref(), Some("web-1"));
    assert_eq!(device.ip, "198.51.100.7".parse().ok());
    assert!(ssh.established);
    let attacks: Vec<String> = ssh
        .attacks
        .iter()
        .map(|a| format!("{} {}", a.technique_uid, a.tactic.as_deref().unwrap_or("-")))
        .collect();
    assert_eq!(attacks, ["T1110.001 credential-access", "T1021.004 lateral-movement"]);
    assert_eq!(ssh.unmapped["location"], "/var/log/auth.log");
}

#[test]
fn levels_map_to_severities() {
    let at = |level: u64| alert(&Wazuh, &format!(r#"{{"rule":{{"id":1,"level":{level}}}}}"#)).0.severity;
    let expected = [
        (0, Severity::Informational),
        (3, Severity::Informational),
        (4, Severity::Low),
        (6, Severity::Low),
        (7, Severity::Medium),
        (11, Severity::Medium),
        (12, Severity::High),
        (14, Severity::High),
        (15, Severity::Critical),
        (16, Severity::Critical),
    ];
    for (level, severity) in expected {
        assert_eq!(at(level), severity, "level {level}");
    }
}

#[test]
fn a_relayed_suricata_alert_meets_the_sensors_own() {
    let own = r#"{"timestamp":"2026-03-03T22:10:00.000000+0000","flow_id":1039376568223671,"event_type":"alert","src_ip":"198.51.100.7",
        "src_port":80,"dest_ip":"192.0.2.30","dest_port":61038,"proto":"TCP","direction":"to_client","app_proto":"http",
        "alert":{"action":"allowed","gid":1,"signature_id":2010937,"signature":"EXAMPLE","category":"Test","severity":2},
        "flow":{"pkts_toserver":4,"pkts_toclient":3}}"#;
    // Wazuh writes numbers as strings, some with zeros after the point.
    let data = own
        .replace("1039376568223671", "\"1039376568223671.000000\"")
        .replace(":80,", ":\"80\",")
        .replace("61038", "\"61038\"")
        .replace(":1,", ":\"1\",")
        .replace("2010937", "\"2010937\"")
        .replace(":2}", ":\"2\"}")
        .replace(":4,", ":\"4\",")
        .replace(":3}", ":\"3\"}");
    let relayed = format!(
        r#"{{"timestamp":"2026-03-03T22:10:01.5+0000","id":"9.1","rule":{{"id":"86601","level":3,"description":"Suricata: Alert - EXAMPLE"}},
        "agent":{{"id":"001","name":"sensor-1"}},"data":{data},"full_log":"{{}}"}}"#
    );
    let (ours, our_key) = alert(&Suricata, own);
    let (theirs, their_key) = alert(&Wazuh, &relayed);
    assert_eq!(their_key, "suricata|1:2010937|192.0.2.30|198.51.100.7");
    assert_eq!(their_key, our_key);
    assert_eq!(
        (theirs.product.clone(), theirs.rule.clone(), theirs.severity, theirs.time),
        (ours.product, ours.rule, ours.severity, ours.time)
    );
    assert_eq!((&theirs.src_endpoint, &theirs.dst_endpoint), (&ours.src_endpoint, &ours.dst_endpoint));
    assert_eq!(theirs.established, ours.established);
    assert_eq!(theirs.source_uid.as_deref(), Some("9.1"));
    assert_eq!(theirs.sensor.as_deref(), Some("sensor-1"));
    assert_eq!(theirs.unmapped["wazuh"]["rule"]["id"], "86601");
}

#[test]
fn windows_events_give_user_source_and_digests() {
    let (logon, _) = alert(
        &Wazuh,
        r#"{"rule":{"id":"60122","level":5,"description":"Logon failure"},"agent":{"name":"pc","ip":"any"},
        "data":{"win":{"eventdata":{"targetUserName":"carol","ipAddress":"192.0.2.8","ipPort":"0","image":"C:\\a.exe",
        "hashes":"MD5=0123456789ABCDEF0123456789ABCDEF,IMPHASH=ffffffffffffffffffffffffffffffff"}}}}"#,
    );
    assert_eq!(logon.user.as_deref(), Some("carol"));
    assert_eq!(logon.src_endpoint.and_then(|e| e.ip), "192.0.2.8".parse().ok());
    let found: Vec<String> = logon.observables.iter().map(ToString::to_string).collect();
    assert_eq!(found, [r"process C:\a.exe", "hash 0123456789abcdef0123456789abcdef"]);
}

#[test]
fn incomplete_alerts_are_rejected_with_the_name_of_the_missing_field() {
    assert!(reason(&Wazuh, "{}").contains("\"rule\""));
    assert!(reason(&Wazuh, r#"{"rule":{}}"#).contains("\"rule.id\""));
    assert!(reason(&Wazuh, r#"{"rule":{"id":"1"}}"#).contains("\"rule.level\""));
}
