//! The shipped playbooks: each is read, judged good, labelled, and begins where its alerts are.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::load::{incident_kinds, load};
use super::verify::{Around, calls, verify};
use super::{Playbook, StepKind, Trigger};
use crate::config::Mistake;
use crate::expr::Scope;

/// Every playbook of the folder.
fn shipped() -> Vec<Playbook> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../playbooks");
    let (mut all, mut said) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder).expect("playbooks/") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            continue;
        }
        let name = path.file_stem().and_then(|n| n.to_str()).expect("a name").to_owned();
        let text = std::fs::read_to_string(&path).expect("a file");
        let shown = format!("playbooks/{name}.yaml");
        match load(&name, &shown, &text) {
            Ok(playbook) => {
                said.extend(verify(&playbook, &shown, Around::default()));
                all.push(playbook);
            }
            Err(mistakes) => said.extend(mistakes),
        }
    }
    assert!(said.is_empty(), "{}", said.iter().map(Mistake::render).collect::<Vec<_>>().join("\n"));
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

#[test]
fn there_are_ten_and_each_is_a_good_one() {
    let all = shipped();
    let names: Vec<&str> = all.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "brute-force",
            "c2-beacon",
            "ddos",
            "device-change",
            "dns-tunnel",
            "exfiltration",
            "identity",
            "lateral-movement",
            "ransomware",
            "rogue-device"
        ]
    );
    for playbook in &all {
        assert!(calls(playbook, "", &[]).is_empty());
        assert!(!playbook.attack.is_empty() && !playbook.csf.is_empty(), "{} has no labels", playbook.name);
        for title in ["What it is", "Before you say yes", "Whom to tell"] {
            assert!(playbook.sop.contains(title), "{}: \"{title}\" is missing for people", playbook.name);
        }
        let told = playbook.all_steps().iter().any(|s| matches!(s.kind, StepKind::Notify { .. }));
        let wide = playbook.sop.lines().find(|l| l.chars().count() > 102);
        assert!(told && wide.is_none(), "{}: {wide:?}", playbook.name);
    }
}

/// An incident as conditions see it, of one kind, with one technique and what its rules are called.
fn incident(kind: &str, technique: &str, claims: &str) -> Json {
    json!({
        "kind": kind, "techniques": [technique], "claims": claims, "peer": "203.0.113.9", "confidence": 0.9,
        "severity": 4, "victims": ["10.0.0.7"], "accounts": ["anna"], "domains": ["a.example"], "assets": ["web-1"],
        "id": "INC-1", "title": "t", "site": "hq", "stages": [], "sources": [], "products": [], "team": "secops",
        "alerts": 3, "rules": 2,
    })
}

/// The playbooks an incident starts.
fn started(incident: &Json) -> BTreeSet<String> {
    let scope = Scope::new().with("incident", incident.clone());
    let fits = |p: &Playbook| match &p.trigger {
        Trigger::Incident(when) => when.test(&scope).expect("a verdict"),
        Trigger::Hook | Trigger::Called => false,
    };
    shipped().iter().filter(|p| fits(p)).map(|p| p.name.clone()).collect()
}

#[test]
fn each_begins_with_its_own_incidents() {
    let cases = [
        (incident("c2", "T1071", "ET MALWARE beacon"), "c2-beacon"),
        (incident("impact", "T1498", "x"), "ddos"),
        (incident("impact", "", "SYN flood to 198.51.100.7"), "ddos"),
        (incident("brute_force", "T1110", "sshd: brute force"), "brute-force"),
        (incident("exfiltration", "T1041", "large upload"), "exfiltration"),
        (incident("lateral_movement", "T1021", "SMB fan-out"), "lateral-movement"),
        (incident("malware", "T1486", "x"), "ransomware"),
        (incident("impact", "", "Ransomware note written"), "ransomware"),
        (incident("c2", "T1071.004", "x"), "dns-tunnel"),
        (incident("other", "T1078", "x"), "identity"),
        (incident("other", "", "impossible travel of anna"), "identity"),
        (incident("other", "T1557", "ARP spoof"), "rogue-device"),
        (incident("exploit", "T1190", "ET EXPLOIT"), "device-change"),
        (incident("other", "", "BGP route leak seen"), "device-change"),
    ];
    for (incident, name) in cases {
        assert!(started(&incident).contains(name), "{name}: {incident}");
    }
}

#[test]
fn everyday_noise_starts_none_of_them() {
    for kind in incident_kinds().into_iter().filter(|k| ["scan", "exploit", "other"].contains(k)) {
        let quiet = incident(kind, "T1595", "ET SCAN Nmap probe");
        assert_eq!(started(&quiet), BTreeSet::new(), "{kind}");
    }
}
