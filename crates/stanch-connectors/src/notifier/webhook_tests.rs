use super::super::strict::{Reply, Strict, class, notice, ok};
use super::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn webhook(url: &str) -> Result<Webhook, Vec<String>> {
    let (name, url, secret) = ("chat".to_owned(), url.to_owned(), Secret::new(SECRET));
    Webhook::new(&WebhookConfig { name, url, secret, allow_private: Vec::new() })
}

/// Source: the example of the Standard Webhooks specification, "Signature scheme".
#[test]
fn the_published_example_is_signed_as_published() {
    let bytes = STANDARD.decode(&SECRET["whsec_".len()..]).expect("base64");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
    let signed = sign(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
    assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[tokio::test]
async fn a_notice_is_signed_over_its_id_its_time_and_its_body() {
    let other = Strict::start(vec![ok("{}")]).await;
    let hook = webhook(&format!("{}/hooks/noc", other.url)).expect("sound");
    assert_eq!(class(&hook.notify(&notice()).await), "ok");
    assert_eq!(class(&hook.notify(&notice()).await), "ok");
    let seen = other.seen();
    assert_eq!((seen[0].method.as_str(), seen[0].path.as_str()), ("POST", "/hooks/noc"));
    assert_eq!(seen[0].header("webhook-id"), "ACT-4-noc");
    assert_eq!(seen[1].header("webhook-id"), "ACT-4-noc", "the same for every attempt");
    let seconds: i64 = seen[0].header("webhook-timestamp").parse().expect("seconds");
    assert!((now() - seconds).abs() < 60);
    assert_eq!(seen[0].header("webhook-signature"), sign(&hook.key, "ACT-4-noc", seconds, &seen[0].body));
    let said = seen[0].json();
    assert_eq!(
        (said["data"]["change"].as_str(), said["data"]["urgency"].as_str()),
        (Some("ACT-4"), Some("warning"))
    );
    assert!(!said["data"]["subject"].as_str().expect("text").contains('\n'));
}

#[tokio::test]
async fn every_way_to_misbehave_is_classed_and_nothing_else_is_success() {
    for (reply, expected) in [
        (Reply::Say(204, "", String::new()), "ok"),
        (Reply::Say(302, "Location: http://127.0.0.1:1/\r\n", String::new()), "permanent"),
        (Reply::Say(400, "", "{}".into()), "permanent"),
        (Reply::Say(401, "", String::new()), "unauthorised"),
        (Reply::Say(403, "", String::new()), "unauthorised"),
        (Reply::Say(410, "", String::new()), "permanent"),
        (Reply::Say(429, "Retry-After: 7\r\n", String::new()), "slow down"),
        (Reply::Say(500, "", String::new()), "transient"),
        (Reply::Say(503, "", String::new()), "transient"),
        (Reply::HangUp, "transient"),
        (Reply::Flood, "transient"),
    ] {
        let other = Strict::start(vec![reply.clone()]).await;
        let got = webhook(&other.url).expect("sound").notify(&notice()).await;
        assert_eq!(class(&got), expected, "{reply:?} {got:?}");
        assert!(!format!("{got:?}").contains("whsec"), "no secret in a failure");
    }
    let gone = webhook("http://127.0.0.1:9").expect("sound").notify(&notice()).await;
    assert_eq!(class(&gone), "transient");
}

#[tokio::test]
async fn a_wait_that_is_asked_for_is_kept() {
    let other = Strict::start(vec![Reply::Say(429, "Retry-After: 7\r\n", String::new())]).await;
    let got = webhook(&other.url).expect("sound").notify(&notice()).await;
    assert!(
        matches!(got, Err(Failure::RateLimited { retry_after, .. }) if retry_after == stanch_model::Span::secs(7))
    );
}

#[test]
fn what_would_show_the_secret_or_is_too_short_is_refused() {
    for url in [
        "http://example.com/x",
        "ftp://example.com",
        "https://u:p@example.com",
        "x",
        "https://example.com/#f",
    ] {
        assert!(webhook(url).is_err(), "{url}");
    }
    assert!(webhook("https://example.com/x").is_ok() && webhook("http://[::1]:9/").is_ok());
    for secret in ["", "short", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!!"] {
        let config = WebhookConfig {
            allow_private: Vec::new(),
            name: "x".into(),
            url: "https://example.com".into(),
            secret: Secret::new(secret),
        };
        assert!(Webhook::new(&config).is_err(), "{secret}");
    }
    assert_eq!(id_of("a b\r\nc/ü"), "a_b__c__");
}
