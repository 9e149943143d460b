//! The notifier against a real conversation with the sink.

use stanch_model::{ApprovalId, Ask, IncidentId, Urgency};

use super::*;
use crate::notifier::sink::SinkFault;
use crate::notifier::{Sink, strict};

fn notice() -> Notice {
    Notice {
        key: "INC-3/page/1".to_owned(),
        urgency: Urgency::Critical,
        to: vec!["oncall@example.org".to_owned()],
        subject: "INC-3 beaconing from 10.0.0.100".to_owned(),
        body: "One line.\n.\n..and dots\nGrößer: \u{2192}\n".to_owned(),
        about: None,
        ..strict::notice()
    }
}

async fn with_sink(change: impl FnOnce(&mut SmtpConfig)) -> (Sink, Smtp) {
    let sink = Sink::start_with_auth().await.expect("started");
    let mut config =
        SmtpConfig::local("mail", sink.addr(), "Stanch <stanch@example.org>", &["team@example.org"]);
    config.timeout = Duration::from_secs(10);
    change(&mut config);
    let smtp = Smtp::new(config).expect("good settings");
    (sink, smtp)
}

#[tokio::test]
async fn a_notice_arrives_whole_and_the_receipt_is_the_servers_word() {
    let (sink, smtp) = with_sink(|_| {}).await;
    assert_eq!(smtp.notify(&notice()).await.as_deref(), Ok("250 2.0.0 kept as mail 1"));
    let mail = &sink.mails()[0];
    assert_eq!(
        (mail.from.as_str(), mail.to.as_slice()),
        ("stanch@example.org", &["oncall@example.org".to_owned()][..])
    );
    assert_eq!(mail.header("Subject").as_deref(), Some("INC-3 beaconing from 10.0.0.100"));
    assert_eq!(mail.header("References").as_deref(), Some("<inc-3@example.org>"));
    assert_eq!(mail.header("Auto-Submitted").as_deref(), Some("auto-generated"));
    assert_eq!(mail.header("Importance").as_deref(), Some("high"));
    assert_eq!(mail.header("Date").as_deref(), Some("Tue, 03 Mar 2026 22:10:00 +0000"));
    assert_eq!(mail.header("Content-Type").as_deref(), Some("text/plain; charset=utf-8"));
    assert!(mail.body().starts_with("One line.\r\n.\r\n..and dots\r\nGr=C3=B6=C3=9Fer:"), "{}", mail.body());
}

#[tokio::test]
async fn a_repeat_is_recognisable_by_its_message_id() {
    let (sink, smtp) = with_sink(|_| {}).await;
    sink.next(SinkFault::DropAfterData);
    let lost = smtp.notify(&notice()).await;
    assert!(matches!(lost, Err(Failure::Unknown { .. })), "{lost:?}");
    smtp.notify(&notice()).await.expect("delivered");
    smtp.notify(&Notice { key: "INC-3/page/2".to_owned(), ..notice() }).await.expect("delivered");
    let ids: Vec<_> = sink.mails().iter().filter_map(|m| m.header("Message-ID")).collect();
    assert_eq!(ids.len(), 3);
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[1], ids[2]);
    assert!(ids[0].ends_with("@example.org>"));
}

#[tokio::test]
async fn hostile_text_adds_no_header_and_stays_visible() {
    let (sink, smtp) = with_sink(|_| {}).await;
    let hostile = Notice {
        subject: "x\r\nBcc: victim@example.net\r\n\r\nbody".to_owned(),
        body: "\u{1b}[2J\u{202e}evil\r\n.\r\nQUIT\r\n".to_owned(),
        to: vec!["a@example.org\r\nRCPT TO:<victim@example.net>".to_owned()],
        ..notice()
    };
    smtp.notify(&hostile).await.expect("delivered");
    let mail = &sink.mails()[0];
    assert_eq!(mail.to, ["team@example.org"]);
    assert_eq!(mail.header("Bcc"), None);
    assert!(
        mail.header("Subject").is_some_and(|s| s.contains("\\r\\nBcc: victim@example.net")),
        "{}",
        mail.text
    );
    assert!(mail.body().contains("\\u{1b}[2J\\u{202e}evil"), "{}", mail.body());
}

#[tokio::test]
async fn each_refusal_has_its_class() {
    for (verb, reply, class) in [
        ("MAIL", "451 4.3.0 try later", "transient"),
        ("MAIL", "530 5.7.0 authentication required", "unauthorised"),
        ("RCPT", "550 5.1.1 no such person", "permanent"),
        ("RCPT", "450 4.2.0 greylisted", "transient"),
        ("DATA", "554 5.5.1 no", "permanent"),
        (".", "451 4.3.0 try later", "transient"),
        (".", "554 5.7.1 looks like spam", "permanent"),
    ] {
        let (sink, smtp) = with_sink(|_| {}).await;
        sink.next(SinkFault::Answer(verb, reply.to_owned()));
        let failure = smtp.notify(&notice()).await.expect_err(reply);
        let text = serde_json::to_string(&failure).expect("json");
        assert!(text.contains(&format!("\"class\":\"{class}\"")), "{verb} {reply}: {text}");
        assert!(failure.to_string().contains(&reply[4..]), "{failure}");
        assert_eq!(sink.mails(), vec![]);
    }
}

#[tokio::test]
async fn a_refused_password_is_unauthorised_and_never_shown() {
    let (sink, smtp) = with_sink(|c| c.login = Some(("stanch".to_owned(), Secret::new("hunter2")))).await;
    sink.next(SinkFault::Answer("AUTH", "535 5.7.8 wrong".to_owned()));
    let refused = smtp.notify(&notice()).await;
    assert!(matches!(&refused, Err(Failure::Unauthorised { .. })), "{refused:?}");
    smtp.notify(&notice()).await.expect("the next attempt is taken");
    let shown = format!("{smtp:?} {refused:?} {:?}", sink.transcript());
    assert!(!shown.contains("hunter2") && !shown.contains("AGh1bnRlcjI"), "{shown}");
}

#[tokio::test]
async fn silence_after_the_mail_is_unknown_and_no_server_at_all_is_transient() {
    let (sink, smtp) = with_sink(|c| c.timeout = Duration::from_millis(300)).await;
    sink.next(SinkFault::SilentAfterData);
    assert!(matches!(smtp.notify(&notice()).await, Err(Failure::Unknown { .. })));
    let at = sink.addr();
    drop(sink);
    let smtp = Smtp::new(SmtpConfig::local("mail", at, "a@example.org", &["b@example.org"])).expect("good");
    let failure = loop {
        // The listener closes as soon as its task is gone.
        match smtp.notify(&notice()).await {
            Err(failure @ Failure::Transient { .. }) => break failure,
            other => assert!(matches!(other, Err(Failure::Unknown { .. })), "{other:?}"),
        }
    };
    assert!(failure.to_string().contains("refused") || failure.to_string().contains("reset"), "{failure}");
}

#[tokio::test]
async fn one_bad_address_does_not_keep_the_others_in_the_dark() {
    let (sink, smtp) = with_sink(|_| {}).await;
    sink.next(SinkFault::Answer("RCPT", "550 5.1.1 no such person".to_owned()));
    let both = Notice { to: vec!["gone@example.org".to_owned(), "here@example.org".to_owned()], ..notice() };
    let receipt = smtp.notify(&both).await.expect("delivered to one");
    assert!(receipt.contains("refused for gone@example.org"), "{receipt}");
    assert_eq!(sink.mails()[0].to, ["here@example.org"]);
    sink.next(SinkFault::Answer("RCPT", "450 4.2.0 greylisted".to_owned()));
    assert!(matches!(smtp.notify(&both).await, Err(Failure::Transient { .. })));
    assert_eq!(sink.mails()[1].to, ["here@example.org"]);
}

#[tokio::test]
async fn starttls_is_not_given_up_when_the_server_does_not_offer_it() {
    let (sink, smtp) = with_sink(|c| c.tls = Tls::StartTls).await;
    assert!(matches!(smtp.notify(&notice()).await, Err(Failure::Permanent { .. })));
    assert_eq!(sink.mails(), vec![]);
}

/// The link is the configured address and the page, whatever else the notice and the address hold: a question's
/// digest, a right that a careless address carries, or an incident's own text.
#[tokio::test]
async fn a_mail_leads_to_the_right_page_behind_the_configured_address_and_carries_no_secret() {
    let digest = "ab".repeat(32);
    let ask = Some(Ask { approval: ApprovalId(7), digest: digest.clone() });
    let hostile = "https://evil.example/incidents/INC-3".to_owned();
    let asks = Notice { ask, ..notice() };
    let tells = Notice { subject: hostile, ..notice() };
    let storm = Notice { incident: IncidentId(0), ..notice() };
    for (console, base) in [
        ("https://stanch.example.com", "https://stanch.example.com"),
        ("https://noc.example.com:8443/stanch/", "https://noc.example.com:8443/stanch"),
        ("https://stanch.example.com/?token=s3cret", "https://stanch.example.com"),
    ] {
        let (sink, smtp) = with_sink(|c| c.console = Some(console.to_owned())).await;
        for (told, page) in [(&asks, "approvals/APR-7"), (&tells, "incidents/INC-3"), (&storm, "queue")] {
            smtp.notify(told).await.expect("delivered");
            let mails = sink.mails();
            let text = &mails.last().expect("a mail").text;
            assert!(text.contains(&format!("\r\nOpen it:  {base}/{page}\r\n")), "{text}");
            assert_eq!(text.matches("Open it:").count(), 1, "{text}");
            assert!(!text.contains(&digest) && !text.contains("s3cret"), "{text}");
        }
    }
    let (sink, smtp) = with_sink(|_| {}).await;
    smtp.notify(&asks).await.expect("delivered");
    assert!(!sink.mails()[0].text.contains("Open it:"), "no address, no link");
}

#[test]
fn all_mistakes_in_the_settings_are_found_at_once() {
    let at = "192.0.2.25:25".parse().expect("address");
    let mut config = SmtpConfig::local("mail", at, "nobody", &["x\r\ny@example.org"]);
    config.login = Some(("u".to_owned(), Secret::new("p")));
    let mistakes = config.check();
    let starts: Vec<&str> = mistakes.iter().filter_map(|m| m.split(':').next()).collect();
    assert_eq!(starts, ["from", "to", "tls", "password"], "{mistakes:?}");
}
