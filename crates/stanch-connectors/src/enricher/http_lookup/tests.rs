use std::sync::{Arc, Mutex};

use stanch_model::Meaning;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const KNOWN: &str = include_str!("../../../fixtures/http_lookup/known.http");
const NOTHING: &str = include_str!("../../../fixtures/http_lookup/nothing.http");

/// A service that gives one recorded answer to everyone, and the requests it got.
async fn service(answer: &str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (requests, answer) = (seen.clone(), answer.replace("\r\n", "\n"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).await.unwrap_or(0) == 0 {
                    break;
                }
                request.push(byte[0]);
            }
            requests.lock().expect("unpoisoned").push(String::from_utf8_lossy(&request).into_owned());
            let (head, body) = answer.split_once("\n\n").unwrap_or((&answer, ""));
            let head = head.trim().replace('\n', "\r\n");
            let whole =
                format!("{head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(whole.as_bytes()).await;
        }
    });
    (base, seen)
}

fn ip(value: &str) -> Observable {
    Observable::new(ObservableKind::Ip, value)
}

async fn ask(answer: &str) -> Result<Vec<Fact>, Failure> {
    let (base, _) = service(answer).await;
    let config = HttpLookupConfig::new("rep", format!("{base}/v1/{{kind}}/{{value}}"));
    HttpLookup::new(config).expect("sound").look_up("north", &ip("198.51.100.7")).await
}

async fn shown(answer: &str) -> String {
    match ask(answer).await {
        Ok(facts) => format!("{} facts", facts.len()),
        Err(failure) => failure.to_string(),
    }
}

#[tokio::test]
async fn a_recorded_answer_becomes_facts() {
    let meanings: Vec<Meaning> = ask(KNOWN).await.expect("answered").into_iter().map(|f| f.meaning).collect();
    let note = |name: &str, value: &str| Meaning::Note { name: name.to_owned(), value: value.to_owned() };
    let (feed, label) = ("rep".to_owned(), Some("Example RAT".to_owned()));
    assert_eq!(
        meanings,
        [
            Meaning::Malicious { feed, confidence: 80, label, valid_until: None },
            note("asn", "64500"),
            note("country", "ZZ")
        ]
    );
    assert_eq!(ask(NOTHING).await, Ok(Vec::new()));
}

#[tokio::test]
async fn every_refusal_has_its_class() {
    assert_eq!(shown("HTTP/1.1 204 No Content").await, "0 facts");
    assert_eq!(shown("HTTP/1.1 404 Not Found\ncontent-type: application/json\n\n{}").await, "0 facts");
    assert_eq!(shown("HTTP/1.1 404 Not Found\n\nno such page").await, "the service answered 404 Not Found");
    let refused = "the service answered 401 Unauthorized (credentials refused)";
    assert_eq!(shown("HTTP/1.1 401 Unauthorized").await, refused);
    let slow = "HTTP/1.1 429 Too Many Requests\nretry-after: 7";
    assert_eq!(shown(slow).await, "the service answered 429 Too Many Requests (asked to wait 7s)");
    let broken = "the service answered 503 Service Unavailable (may work later)";
    assert_eq!(shown("HTTP/1.1 503 Service Unavailable").await, broken);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, seen) = service(KNOWN).await;
    let answer = format!("HTTP/1.1 302 Found\nlocation: {elsewhere}/v1/ip/x");
    assert_eq!(shown(&answer).await, "the service answered 302 Found; redirects are not followed");
    assert!(seen.lock().expect("unpoisoned").is_empty());
}

#[tokio::test]
async fn an_answer_of_the_wrong_shape_is_a_permanent_failure() {
    for body in [
        "[]",
        "hello",
        "{\"malicious\": \"yes\"}",
        "{\"malicious\": true, \"confidence\": 101}",
        "{\"malicious\": true, \"confidence\": -1}",
        "{\"verdict\": \"bad\"}",
        "{\"note\": {\"a\": [1]}}",
    ] {
        let failure = ask(&format!("HTTP/1.1 200 OK\n\n{body}")).await.expect_err(body);
        assert!(
            matches!(&failure, Failure::Permanent { why } if why.contains("wrong shape")),
            "{body}: {failure}"
        );
    }
    let endless = format!("HTTP/1.1 200 OK\n\n{{\"note\": {{\"a\": \"{}\"}}}}", "x".repeat(MAX_ANSWER_BYTES));
    assert_eq!(shown(&endless).await, "the answer is longer than 262144 bytes");
}

#[tokio::test]
async fn the_value_is_encoded_and_the_token_sent_but_never_shown() {
    let (base, seen) = service(NOTHING).await;
    let mut config = HttpLookupConfig::new("rep", format!("{base}/v1/{{kind}}?q={{value}}"));
    config.token = Some(Secret::new("tom-and-jerry"));
    assert!(!format!("{config:?}").contains("tom-and-jerry"));
    let lookup = HttpLookup::new(config).expect("sound");
    let about = Observable::new(ObservableKind::Url, "http://bad.example/a?b=c&d#e/../é");
    assert_eq!(lookup.look_up("north", &about).await, Ok(Vec::new()));
    let request = seen.lock().expect("unpoisoned").join("");
    let first = request.lines().next().unwrap_or("").to_owned();
    assert_eq!(first, "GET /v1/url?q=http%3A%2F%2Fbad.example%2Fa%3Fb%3Dc%26d%23e%2F..%2F%C3%A9 HTTP/1.1");
    assert!(request.to_lowercase().contains("authorization: bearer tom-and-jerry"), "{request}");
}

#[tokio::test]
async fn no_value_leads_to_another_host_or_path() {
    let (base, seen) = service(NOTHING).await;
    let lookup =
        HttpLookup::new(HttpLookupConfig::new("rep", format!("{base}/v1/{{value}}/x"))).expect("sound");
    for value in ["..", ".", "", &"x".repeat(3_000)] {
        let about = Observable { kind: ObservableKind::Hostname, value: value.to_owned() };
        assert!(matches!(lookup.look_up("north", &about).await, Err(Failure::Permanent { .. })), "{value}");
    }
    for value in
        ["@evil.example/", "//evil.example", "\\\\evil.example", "%2e%2e", "a\r\nHost: evil", "../../admin"]
    {
        let about = Observable { kind: ObservableKind::Hostname, value: value.to_owned() };
        assert_eq!(lookup.look_up("north", &about).await, Ok(Vec::new()), "{value}");
    }
    let seen = seen.lock().expect("unpoisoned");
    assert_eq!(seen.len(), 6);
    for request in seen.iter() {
        let path = request.split(' ').nth(1).unwrap_or("");
        assert!(path.starts_with("/v1/") && path.ends_with("/x") && path.matches('/').count() == 3, "{path}");
    }
}

#[tokio::test]
async fn a_service_that_is_not_there_may_work_later() {
    let port = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let lookup =
        HttpLookup::new(HttpLookupConfig::new("rep", format!("http://{port}/{{value}}"))).expect("sound");
    let failure = lookup.look_up("north", &ip("198.51.100.7")).await.expect_err("nobody listens");
    assert!(matches!(&failure, Failure::Transient { why } if !why.contains("198.51")), "{failure}");
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_late() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut config = HttpLookupConfig::new("rep", format!("http://{address}/{{value}}"));
    config.deadline = Span(20);
    let lookup = HttpLookup::new(config).expect("sound");
    assert_eq!(lookup.look_up("north", &ip("198.51.100.7")).await, Err(Failure::Late { after: Span(20) }));
    drop(listener);
}

#[test]
fn private_addresses_stay_at_home() {
    let mut config = HttpLookupConfig::new("rep", "https://rep.example/{value}");
    let knows = |config: &HttpLookupConfig, about: &Observable| {
        HttpLookup::new(config.clone()).map(|l| l.knows(about)).map_err(|m| format!("{m:?}"))
    };
    for inside in
        ["10.0.0.1", "192.168.1.1", "100.64.0.1", "127.0.0.1", "fd00::1", "fe80::1", "::ffff:10.0.0.1"]
    {
        assert_eq!(knows(&config, &ip(inside)), Ok(false), "{inside}");
    }
    assert_eq!(knows(&config, &ip("198.51.100.7")), Ok(true));
    assert_eq!(knows(&config, &Observable::new(ObservableKind::User, "root")), Ok(false));
    config.private_addresses = true;
    assert_eq!(knows(&config, &ip("10.0.0.1")), Ok(true));
}

#[test]
fn all_mistakes_of_a_configuration_are_found_at_once() {
    let check = |url: &str, token: Option<&str>| -> Vec<String> {
        let mut config = HttpLookupConfig::new("rep", url);
        config.token = token.map(Secret::new);
        config.check("policy.yaml").iter().map(Mistake::to_string).collect()
    };
    let help = "(write https://host/path/{value})";
    assert_eq!(check("https://rep.example/{kind}/{value}", Some("t")), [""; 0]);
    assert_eq!(check("http://localhost:8080/{value}", Some("t")), [""; 0]);
    assert_eq!(
        check("http://rep.example/{value}", Some("t")),
        ["policy.yaml: rep: the token would travel in the clear (use https)"]
    );
    assert_eq!(
        check("https://{value}.rep.example/", None),
        [format!("policy.yaml: rep: a placeholder stands in the host {help}")]
    );
    assert_eq!(
        check("https://u:p@rep.example/{value}", None),
        [format!("policy.yaml: rep: the URL holds credentials; use the token {help}")]
    );
    assert_eq!(check("file:///etc/passwd", None).len(), 2);
    let mut config = HttpLookupConfig::new("", "nonsense");
    config.deadline = Span::ZERO;
    config.kinds.clear();
    assert_eq!(config.check("policy.yaml").len(), 5);
    assert!(HttpLookup::new(config).is_err());
}
