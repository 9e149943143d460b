use stanch_model::{ActionId, ApprovalId, Ask};

use super::super::strict::{Reply, Strict, class, notice};
use super::*;

const SIG: &str = "s3cret-sig_nature";

fn config(url: &str) -> TeamsConfig {
    TeamsConfig {
        name: "soc-channel".to_owned(),
        url: format!("{url}/workflows/abc/triggers/manual/paths/invoke?api-version=1&sv=1.0"),
        sig: Secret::new(SIG),
        console: Some("https://stanch.example.com".to_owned()),
        allow_private: Vec::new(),
    }
}

fn teams(url: &str) -> Teams {
    Teams::new(&config(url)).unwrap_or_else(|why| panic!("{why:?}"))
}

fn asking() -> Notice {
    Notice { ask: Some(Ask { approval: ApprovalId(7), digest: "ab".repeat(32) }), ..notice() }
}

#[tokio::test]
async fn a_question_leads_to_the_page_where_it_is_answered_and_cannot_be_answered_in_the_card() {
    let other = Strict::start(vec![Reply::Say(202, "", String::new())]).await;
    assert_eq!(teams(&other.url).notify(&asking()).await.expect("told"), "127.0.0.1: 202");
    let seen = &other.seen()[0];
    assert_eq!((seen.method.as_str(), seen.header("content-type")), ("POST", "application/json"));
    assert!(seen.path.ends_with(&format!("/invoke?api-version=1&sv=1.0&sig={SIG}")), "{}", seen.path);
    let said = seen.json();
    let card = &said["attachments"][0]["content"];
    assert_eq!((&card["type"], &card["version"]), (&json!("AdaptiveCard"), &json!("1.4")));
    assert_eq!(
        card["actions"],
        json!([{ "type": "Action.OpenUrl", "title": "Review and decide", "url": "https://stanch.example.com/approvals/APR-7" }])
    );
    // Nothing that submits, and nothing to submit: the digest is not in it.
    let text = said.to_string();
    for word in ["Action.Submit", "Action.Execute", "Action.Http", "Input.", &"ab".repeat(32)] {
        assert!(!text.contains(word), "{word}");
    }
}

#[test]
fn hostile_text_is_in_text_runs_only_which_know_no_markdown() {
    let hostile =
        "[bank](https://evil.example) **b** <at>everyone</at> {{DATE(2026-01-01T00:00:00Z)}} \u{202e}gpj";
    let told = Notice { subject: hostile.to_owned(), body: format!("{hostile}\n\n{hostile}"), ..notice() };
    let said = message(None, &told);
    let card = &said["attachments"][0]["content"];
    assert!(card.get("actions").is_none(), "no console, no button");
    let text = card.to_string();
    assert!(!text.contains("\"TextBlock\"") && !text.contains("{{") && !text.contains('\u{202e}'), "{text}");
    assert!(text.contains("[bank](https://evil.example)"), "shown as it came");
    let about_none = Notice { incident: IncidentId(0), ..notice() };
    let console: Url = "https://stanch.example.com".parse().expect("an address");
    assert!(message(Some(&console), &about_none)["attachments"][0]["content"].get("actions").is_none());
}

#[test]
fn a_card_leads_to_the_right_page_behind_the_configured_address_and_carries_no_secret() {
    let about = |about, closes| Notice { about, closes, ..notice() };
    let (done, over) = (about(Some(ActionId(4)), false), about(Some(ActionId(4)), true));
    let hostile =
        Notice { subject: "https://evil.example/approvals/APR-7".to_owned(), about: None, ..notice() };
    for (console, base) in [
        ("https://stanch.example.com", "https://stanch.example.com"),
        ("https://noc.example.com:8443/stanch/", "https://noc.example.com:8443/stanch"),
        ("https://stanch.example.com/?token=s3cret", "https://stanch.example.com"),
    ] {
        let console: Url = console.parse().expect("an address");
        for (told, title, page) in [
            (&asking(), "Review and decide", "approvals/APR-7"),
            (&done, "See it, or take it back", "incidents/INC-3"),
            (&over, "Open the incident", "incidents/INC-3"),
            (&hostile, "Open the incident", "incidents/INC-3"),
        ] {
            let said = message(Some(&console), told);
            let actions = &said["attachments"][0]["content"]["actions"];
            let url = format!("{base}/{page}");
            assert_eq!(*actions, json!([{ "type": "Action.OpenUrl", "title": title, "url": url }]));
            let text = said.to_string();
            assert!(
                !text.contains(&"ab".repeat(32)) && !text.contains("s3cret") && !text.contains(SIG),
                "{text}"
            );
        }
    }
}

#[test]
fn a_long_notice_is_cut_between_lines_and_says_so() {
    let body: String = (0..4_000).map(|n| format!("line {n} {}\n", "\u{7f}".repeat(3))).collect();
    let said = message(None, &Notice { body, ..notice() }).to_string();
    assert!(said.len() < 28 * 1024 && said.contains("It goes on"), "{}", said.len());
    let (kept, cut) = fitting("a\nb\n");
    assert_eq!((kept.as_str(), cut), ("a\nb\n", false));
}

#[tokio::test]
async fn what_the_workflow_answers_is_told_and_the_signature_never_is() {
    for (status, more, expected) in [
        (202, "", "ok"),
        (200, "", "ok"),
        (400, "", "permanent"),
        (401, "", "unauthorised"),
        (403, "", "unauthorised"),
        (404, "", "permanent"),
        (429, "Retry-After: 7\r\n", "slow down"),
        (502, "", "transient"),
    ] {
        let other = Strict::start(vec![Reply::Say(status, more, String::new())]).await;
        let got = teams(&other.url).notify(&notice()).await;
        assert_eq!(class(&got), expected, "{status}");
        assert!(!format!("{got:?}").contains(SIG));
    }
    for script in [Reply::HangUp, Reply::Flood] {
        let other = Strict::start(vec![script]).await;
        let got = teams(&other.url).notify(&notice()).await;
        assert_eq!(class(&got), "transient");
        assert!(!format!("{got:?}").contains(SIG));
    }
}

#[test]
fn an_address_with_its_signature_is_refused_with_how_to_mend_it() {
    let with = |url: &str, console: &str| {
        let console = Some(console.to_owned());
        Teams::new(&TeamsConfig { url: url.to_owned(), console, ..config("https://flow.example") })
            .err()
            .unwrap_or_default()
            .join("; ")
    };
    let wrong = with("https://flow.example/invoke?sv=1.0&sig=abc", "https://stanch.example.com");
    assert!(wrong.contains("take `&sig=…` out"), "{wrong}");
    assert!(with("http://flow.example/invoke", "https://stanch.example.com").contains("use https"));
    assert!(with("https://flow.example/invoke", "javascript:alert(1)").contains("console"));
}
