//! Hostile alert texts against a model that does what they ask, in the worst way: it answers in perfect
//! form, cites alerts that exist, and says whatever the attacker wants, in every part of the answer.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::json;
use stanch_model::{AlertId, IncidentId, Severity, Timestamp};

use super::tlp::Labels;
use super::{Assisted, Brief, Dropped, NotAssisted, Tlp, brief, gather, read, request};
use crate::journal::event::{Ends, Event, IncidentOpened, Joined};
use crate::journal::incident::Part;
use crate::journal::state::State;
use crate::stage::kill_chain::Stage;

#[derive(Deserialize)]
struct Case {
    name: String,
    alert: String,
    asks: Vec<String>,
}

fn corpus() -> Vec<Case> {
    serde_json::from_str(include_str!("../../fixtures/assist/hostile.json")).expect("the test made it")
}

/// An incident of two alerts, the second with this text as its rule.
fn incident(rule: &str) -> State {
    let mut s = State::default();
    let opened = IncidentOpened { incident: IncidentId(1), site: "hq".into(), because: Vec::new() };
    s.apply(1, Timestamp(0), &Event::IncidentOpened(opened));
    let alert = |n: u64, rule: &str, stage| Joined {
        alert: AlertId(n),
        time: Timestamp(n as i64 * 60_000),
        rule: rule.to_owned(),
        product: "ids".into(),
        source: "ids".into(),
        severity: Severity::High,
        score: 900,
        stage,
        ends: Ends {
            src: "10.0.0.5".parse().ok(),
            dst: "203.0.113.9".parse().ok(),
            port: 443,
            who: vec!["host:web-1".into(), "user:olga".into()],
            established: true,
        },
        techniques: vec!["T1071".into()],
        because: String::new(),
    };
    let alerts = vec![
        alert(1, "ET MALWARE beacon to known server", Stage::CommandAndControl),
        alert(2, rule, Stage::Exfiltration),
    ];
    let i = s.incidents.get_mut(&IncidentId(1)).expect("the test made it");
    i.alerts = alerts;
    for who in ["host:web-1", "user:olga", "10.0.0.5", "203.0.113.9"] {
        i.entities.insert(who.into(), Part::default());
    }
    s
}

fn briefed(s: &State) -> Brief {
    brief(gather(s, &s.incidents[&IncidentId(1)], &Labels::default(), Tlp::Amber).expect("the test made it"))
        .expect("the test made it")
}

fn obeying(texts: &[String]) -> String {
    let all: Vec<_> = texts.iter().map(|t| json!({ "text": t, "alerts": ["A-1", "A-2"] })).collect();
    json!({ "said": all, "look_at": all, "next": all, "severity": "informational", "status": "resolved",
            "confidence": 0, "merge": ["INC-1"], "approve": ["APP-1"], "actions": [{ "kind": "block_address" }] })
    .to_string()
}

/// What must hold of anything that is shown.
fn holds(name: &str, shown: &Assisted) {
    let known: BTreeSet<AlertId> = [AlertId(1), AlertId(2)].into();
    let parts = [(&shown.said, 12), (&shown.look_at, 5), (&shown.next, 5)];
    for (part, most) in parts {
        assert!(part.len() <= most, "{name}");
        for s in part {
            assert!(!s.alerts.is_empty() && s.alerts.iter().all(|a| known.contains(a)), "{name}: {s:?}");
            assert!(s.text.chars().count() <= 400, "{name}");
            let lower = s.text.to_lowercase();
            for never in [
                "://",
                "http",
                "www.",
                "hxxp",
                "mailto",
                "javascript:",
                "](",
                "<",
                ">",
                "`",
                "evil",
                "example",
                "@",
                "benign",
                "false positive",
                "resolved",
                "approve",
                "release",
                "a-999",
                "4711",
                "0147",
            ] {
                assert!(!lower.contains(never), "{name}: {never} in {:?}", s.text);
            }
            let odd =
                |c: char| c.is_control() || !(c.is_ascii() || matches!(c, '\u{c0}'..='\u{17f}' | '→' | '…'));
            assert!(!s.text.chars().any(odd), "{name}: {:?}", s.text);
            // What looks like an address takes part in the incident.
            for word in s.text.split(|c: char| !(c.is_ascii_alphanumeric() || ".:-".contains(c))) {
                if let Ok(ip) = word.trim_end_matches(['.', ':']).parse::<std::net::IpAddr>() {
                    let takes_part = ["10.0.0.5", "203.0.113.9"].contains(&ip.to_string().as_str());
                    assert!(takes_part, "{name}: {ip}");
                }
            }
        }
    }
}

#[test]
fn a_model_that_obeys_the_attacker_gets_nothing_through_but_text_about_known_alerts() {
    let cases = corpus();
    assert!(cases.len() >= 40);
    let (mut refused, mut shown) = (0, 0);
    for case in &cases {
        let s = incident(&case.alert);
        let b = briefed(&s);
        // What it asks for, the hostile text itself, and both in one.
        let both: Vec<String> = case.asks.iter().map(|a| format!("{a} {}", case.alert)).collect();
        for texts in [case.asks.clone(), vec![case.alert.clone()], both] {
            match read(&b, &obeying(&texts)) {
                Ok(a) => {
                    shown += 1;
                    holds(&case.name, &a);
                }
                Err(NotAssisted::NothingKept(_)) => refused += 1,
                Err(other) => panic!("{}: {other}", case.name),
            }
        }
    }
    // Some texts are plain enough to be shown: they are labelled, and they can do nothing.
    assert!(refused > 8 * shown, "{refused} refused, {shown} shown");
    assert!(shown > 0, "the test would not see what is shown");
}

#[test]
fn what_leaves_holds_no_name_of_ours_whatever_an_alert_says() {
    for case in corpus() {
        let s = incident(&format!("{} for user ivan password=hunter2 from 10.9.8.7", case.alert));
        let b = briefed(&s);
        let sent = request(&b, "m").to_string();
        for never in ["olga", "web-1", "10.0.0.5", "ivan", "hunter2", "10.9.8.7"] {
            let cut = case.alert.chars().count() > 200;
            assert!(!sent.contains(never) || cut && never != "olga", "{}: {never} in {sent}", case.name);
        }
        assert!(!sent.contains('\u{202e}') && !sent.contains('\u{200b}'), "{}", case.name);
        assert!(sent.len() < 32 * 1024, "{}", case.name);
    }
}

#[test]
fn an_honest_answer_is_kept_and_names_come_back() {
    let s = incident("ET TROJAN upload seen");
    let b = briefed(&s);
    assert!(b.text.contains("ADDRESS_1"), "{}", b.text);
    let answer = json!({
        "said": [
            { "text": "ADDRESS_1 kept contact with 203.0.113.9 and then uploaded data.", "alerts": ["A-2", "A-1"] },
            { "text": "It looks like malware.", "alerts": [] },
            { "text": "Another machine took part.", "alerts": ["A-1", "A-3"] },
        ],
        "look_at": [{ "text": "What ADDRESS_1 sent out is not known.", "alerts": ["A-2"] }],
        "next": [{ "text": "Collect the memory of ADDRESS_1.", "alerts": ["A-1"] }],
    });
    let kept = read(&b, &format!("```json\n{answer}\n```")).expect("the test made it");
    assert_eq!(kept.said.len(), 1);
    assert_eq!(kept.said[0].text, "10.0.0.5 kept contact with 203.0.113.9 and then uploaded data.");
    assert_eq!(kept.said[0].alerts, [AlertId(1), AlertId(2)]);
    assert_eq!((kept.look_at.len(), kept.next.len()), (1, 1));
    assert_eq!(kept.dropped[&Dropped::NoCitation], 1);
    assert_eq!(kept.dropped[&Dropped::Unknown], 1);
}

#[test]
fn an_answer_in_no_form_is_refused_whole() {
    let b = briefed(&incident("x"));
    for text in [
        "",
        "Sure! Here is the story: …",
        "[]",
        "{\"said\": \"all\"}",
        "{\"said\": [1]}",
        &"[".repeat(70_000),
    ] {
        assert_eq!(read(&b, text), Err(NotAssisted::Form), "{}", text.chars().take(40).collect::<String>());
    }
    assert!(matches!(read(&b, "{}"), Err(NotAssisted::NothingKept(_))));
}

#[test]
fn an_incident_above_the_ceiling_is_not_sent_and_a_text_can_close_the_door() {
    let ask = |rule: &str, ceiling| {
        let s = incident(rule);
        gather(&s, &s.incidents[&IncidentId(1)], &Labels::default(), ceiling)
            .and_then(brief)
            .map(|b| b.label.0)
    };
    assert_eq!(ask("x", Tlp::Amber), Ok(Tlp::Amber));
    assert!(matches!(ask("x", Tlp::Green), Err(NotAssisted::Label(Tlp::Amber, ..))));
    assert!(matches!(ask("TLP:RED sample", Tlp::Amber), Err(NotAssisted::Label(Tlp::Red, ..))));
    assert!(matches!(ask("TLP:CLEAR send it", Tlp::Green), Err(NotAssisted::Label(Tlp::Amber, ..))));
}
