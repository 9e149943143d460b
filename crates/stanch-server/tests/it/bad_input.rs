//! What hostile and broken senders do: a clear 4xx or quarantine, bounded memory, no panic, and a
//! ledger that balances after each.

use axum::http::StatusCode;
use serde_json::json;

use crate::house::{House, noise};

/// Memory in use by this process, in bytes.
fn resident() -> u64 {
    let pages: u64 =
        std::fs::read_to_string("/proc/self/statm").unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4_096
}

fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let deep = 100_000;
    let keys: String = (0..1_000_000).map(|n| format!("\"k{n}\":0,")).collect();
    let mut alert = noise(1).to_string();
    alert.pop();
    vec![
        ("malformed JSON", b"{\"event_type\":\"alert\",".to_vec()),
        ("deep arrays", [vec![b'['; deep], vec![b']'; deep]].concat()),
        ("deep objects", [b"{\"a\":".repeat(deep), b"1".to_vec(), vec![b'}'; deep]].concat()),
        (
            "a deep value in an alert",
            format!("{alert},\"x\":{}{}}}", "[".repeat(deep), "]".repeat(deep)).into_bytes(),
        ),
        ("deep and never closed", vec![b'['; deep]),
        (
            "a million keys",
            format!("{alert},\"x\":{{{keys}\"z\":0}}}}")
                .chars()
                .take(7 << 20)
                .collect::<String>()
                .into_bytes(),
        ),
        ("invalid UTF-8", b"{\"event_type\":\"alert\",\"src_ip\":\"\xff\xfe\"}".to_vec()),
        ("nothing but bytes", (0..=255).cycle().take(5_000).collect()),
        ("a string of 5 MB", format!("{alert},\"x\":\"{}\"}}", "A".repeat(5_000_000)).into_bytes()),
        ("duplicate keys", format!("{alert},\"src_ip\":\"1.2.3.4\",\"src_ip\":\"5.6.7.8\"}}").into_bytes()),
        ("a number of a million digits", format!("{alert},\"x\":{}}}", "9".repeat(1_000_000)).into_bytes()),
        ("lone surrogates", b"{\"event_type\":\"alert\",\"x\":\"\\ud800\"}".to_vec()),
        ("NUL bytes", b"{\"event_type\":\"alert\"\0}".to_vec()),
        ("lines of which one is bad", format!("{}\nnot json\n{}\n", noise(2), noise(3)).into_bytes()),
        ("one line without end", vec![b'x'; 3_000_000]),
        ("a scalar", b"42".to_vec()),
        ("null", b"null".to_vec()),
    ]
}

#[tokio::test]
async fn every_hostile_body_ends_in_quarantine_or_a_clear_answer_and_the_ledger_balances() {
    let house = House::new().await;
    let before = resident();
    let mut received = 0;
    for source in ["suricata", "zeek", "wazuh", "alertmanager"] {
        for (what, body) in hostile() {
            let size = body.len();
            let answer = house.deliver(source, body).await;
            assert_eq!(
                answer.status,
                StatusCode::ACCEPTED,
                "{source}, {what} ({size} bytes): {}",
                answer.text()
            );
            let ack = answer.json();
            assert!(
                ack["accepted"].as_u64().unwrap() > 0,
                "{source}, {what} was accepted and is nowhere: {ack}"
            );
            received += ack["accepted"].as_u64().unwrap();
            assert_eq!(house.ledger().await["received"], received, "{source}, {what}");
        }
    }
    let good = house.deliver("suricata", noise(9).to_string()).await.json();
    assert_eq!(good["new"], 1, "an honest sender is served as before: {good}");
    let grown = resident().saturating_sub(before) >> 20;
    assert!(grown < 600, "{grown} MiB more than before");
}

#[tokio::test]
async fn what_is_too_large_or_empty_is_refused_with_what_would_be_right() {
    let house =
        House::with(|config| std::fs::write(config.join("stanch.yaml"), "max_body: 64KiB\n").unwrap()).await;
    let large = house.deliver("suricata", vec![b' '; 65 * 1024]).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(large.json()["error"]["code"], "ST0413");
    let chunks = futures::stream::iter((0..100).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1_024])));
    let streamed = house.deliver("suricata", axum::body::Body::from_stream(chunks)).await;
    assert_eq!(streamed.status, StatusCode::PAYLOAD_TOO_LARGE);
    for empty in ["", " \n "] {
        let answer = house.deliver("suricata", empty).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.json()["error"]["mend"].as_str().unwrap().contains("JSON"), "{}", answer.text());
    }
    assert_eq!(house.deliver("suricata", "[]").await.json()["accepted"], 0);
    assert_eq!(house.ledger().await["received"], 0);
}

#[tokio::test]
async fn a_stranger_is_not_told_how_large_a_body_may_be_for_a_source() {
    let house =
        House::with(|config| std::fs::write(config.join("stanch.yaml"), "max_body: 64KiB\n").unwrap()).await;
    let mut answers = Vec::new();
    for path in ["/in/generic-scanner", "/in/nobody", "/in/pagerduty"] {
        let chunks = futures::stream::iter((0..100).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1_024])));
        let headers = [("x-signature", "00"), ("x-timestamp", "0")];
        let answer = house.send(path, &headers, axum::body::Body::from_stream(chunks)).await;
        answers.push((answer.status, answer.text()));
    }
    assert!(answers.iter().all(|a| *a == answers[0] && a.0 == StatusCode::UNAUTHORIZED), "{answers:?}");
}

#[tokio::test]
async fn control_routes_refuse_what_they_do_not_know() {
    let house = House::new().await;
    let long = "x".repeat(70_000);
    for (body, status) in [
        (json!({ "text": "a", "by": "somebody else" }).to_string(), 400),
        (json!({ "text": "" }).to_string(), 400),
        (json!({ "text": long }).to_string(), 413),
        ("{\"text\":\"a\",\"text\":\"b\"}".to_owned(), 400),
        ("[".repeat(50_000), 400),
        ("not json".to_owned(), 400),
    ] {
        let bearer = format!("Bearer {}", House::secret("admin.token"));
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let answer = house.send("/api/v1/incidents/INC-1/note", &headers, body.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{:.80}: {}", body, answer.text());
        assert!(answer.json()["error"]["code"].as_str().unwrap().starts_with("ST0"));
    }
    let bearer = format!("Bearer {}", House::secret("admin.token"));
    let form = [("authorization", bearer.as_str()), ("content-type", "text/plain")];
    let answer = house.send("/api/v1/incidents/INC-1/note", &form, json!({ "text": "a" }).to_string()).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "a web form cannot send what we read");
}
