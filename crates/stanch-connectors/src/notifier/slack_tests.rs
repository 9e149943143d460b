use stanch_model::{ActionId, ApprovalId, Ask, Card, IncidentId, Undo};

use super::super::strict::{Reply, Strict, class, notice, ok};
use super::*;

const SHOW: Show = Show { answers: true, console: None };

fn slack(url: &str) -> Slack {
    let (name, url, token) = ("chat".to_owned(), format!("{url}/api/"), Secret::new("xoxb-1-secret"));
    Slack::new(&SlackConfig { name, url, token, answers: true, console: None, allow_private: Vec::new() })
        .unwrap_or_else(|why| panic!("{why:?}"))
}

#[tokio::test]
async fn a_question_comes_with_two_buttons_that_carry_nothing_but_its_digest() {
    let other = Strict::start(vec![ok(r#"{"ok":true,"ts":"1.2"}"#)]).await;
    let digest = "ab".repeat(32);
    let asking = Notice { ask: Some(Ask { approval: ApprovalId(1), digest: digest.clone() }), ..notice() };
    assert_eq!(slack(&other.url).notify(&asking).await.expect("told"), "C0123 1.2");
    let seen = &other.seen()[0];
    assert_eq!(
        (seen.path.as_str(), seen.header("authorization")),
        ("/api/chat.postMessage", "Bearer xoxb-1-secret")
    );
    let said = seen.json();
    assert_eq!(said["channel"], "C0123");
    let blocks = said["blocks"].as_array().expect("blocks");
    let buttons = blocks.last().expect("actions")["elements"].as_array().expect("buttons").clone();
    let of = |i: usize, key: &str| buttons[i][key].as_str().expect(key).to_owned();
    assert_eq!([of(0, "action_id"), of(1, "action_id")], [APPROVE, DENY]);
    assert_eq!([of(0, "value"), of(1, "value")], [digest.clone(), digest]);
    assert!(buttons[0]["confirm"].is_object());
}

/// Abuse case 9: attacker's text pings nobody, formats nothing and leaves no frame.
#[tokio::test]
async fn abuse_9_hostile_text_is_shown_and_not_obeyed() {
    let said = message("C0123", &notice(), &SHOW);
    let text = said.to_string();
    assert!(!text.contains("<!channel>") && text.contains("&lt;!channel&gt;"), "{text}");
    let section = said["blocks"][1]["text"]["text"].as_str().expect("text");
    assert_eq!(section.matches("```").count(), 2, "{section}");
    assert!(!said["text"].as_str().expect("text").contains('\n'));
    assert_eq!(said["unfurl_links"], false);
    assert_eq!(said["blocks"].as_array().expect("blocks").len(), 2, "no question, no buttons");
}

fn place(channel: &str, message: &str) -> Place {
    Place { channel: channel.to_owned(), message: message.to_owned() }
}

#[tokio::test]
async fn a_card_is_posted_once_and_then_changed_where_slack_says_it_is() {
    let other =
        Strict::start(vec![ok(r#"{"ok":true,"channel":"C0999","ts":"1.2"}"#), ok(r#"{"ok":true}"#)]).await;
    let card = Card { of: "INC-3".into(), ..Card::default() };
    let first = Notice { card: Some(Box::new(card.clone())), ..notice() };
    assert_eq!(slack(&other.url).notify(&first).await.expect("told"), "C0999 1.2");
    let changed =
        Notice { card: Some(Box::new(Card { at: Some(place("C0999", "1.2")), ..card })), ..notice() };
    assert_eq!(slack(&other.url).notify(&changed).await.expect("told"), "C0999 1.2");
    let seen = other.seen();
    assert_eq!(seen[1].path, "/api/chat.update");
    let said = seen[1].json();
    assert_eq!((&said["channel"], &said["ts"]), (&"C0999".into(), &"1.2".into()));
    // An update leaves the blocks that it does not name: all of them are named.
    assert!(said["blocks"].as_array().is_some_and(|b| !b.is_empty()));
}

#[tokio::test]
async fn a_message_that_is_gone_is_posted_anew_and_any_other_trouble_is_tried_again() {
    let card = Card { of: "INC-3".into(), at: Some(place("C0123", "1.2")), ..Card::default() };
    let changed = Notice { card: Some(Box::new(card)), ..notice() };
    for gone in ["message_not_found", "cant_update_message", "edit_window_closed"] {
        let no = ok(&format!(r#"{{"ok":false,"error":"{gone}"}}"#));
        let other = Strict::start(vec![no, ok(r#"{"ok":true,"channel":"C0123","ts":"9.9"}"#)]).await;
        assert_eq!(slack(&other.url).notify(&changed).await.expect("told"), "C0123 9.9");
    }
    for (reply, class_of) in [
        (ok(r#"{"ok":false,"error":"ratelimited"}"#), "slow down"),
        (Reply::Say(429, "Retry-After: 7\r\n", String::new()), "slow down"),
        (Reply::Say(503, "", String::new()), "transient"),
        (Reply::HangUp, "transient"),
        (ok(r#"{"ok":false,"error":"channel_not_found"}"#), "permanent"),
    ] {
        let other = Strict::start(vec![reply]).await;
        assert_eq!(class(&slack(&other.url).notify(&changed).await), class_of);
        assert_eq!(other.seen().len(), 1);
    }
}

#[tokio::test]
async fn an_answer_in_a_thread_is_heard_by_the_channel_when_it_needs_a_person() {
    let other = Strict::start(vec![ok(r#"{"ok":true,"channel":"C0123","ts":"2.2"}"#)]).await;
    for loud in [true, false] {
        let card = Card { under: Some(place("C0123", "1.2")), loud, ..Card::default() };
        slack(&other.url).notify(&Notice { card: Some(Box::new(card)), ..notice() }).await.expect("told");
    }
    let seen = other.seen();
    let of = |n: usize| (seen[n].json()["thread_ts"].clone(), seen[n].json()["reply_broadcast"].clone());
    assert_eq!((of(0), of(1)), (("1.2".into(), true.into()), ("1.2".into(), false.into())));
    // A thread that is gone is no reason to be silent.
    let other =
        Strict::start(vec![ok(r#"{"ok":false,"error":"thread_not_found"}"#), ok(r#"{"ok":true,"ts":"3"}"#)])
            .await;
    let card = Card { under: Some(place("C0123", "1.2")), ..Card::default() };
    slack(&other.url).notify(&Notice { card: Some(Box::new(card)), ..notice() }).await.expect("told");
    assert!(other.seen()[1].json()["thread_ts"].is_null());
}

#[tokio::test]
async fn a_change_comes_with_a_way_back_that_carries_nothing_but_its_name() {
    let name = "cd".repeat(32);
    let told = Notice { undo: Some(Box::new(Undo { action: ActionId(4), name: name.clone() })), ..notice() };
    let said = message("C1", &told, &SHOW);
    let button = &said["blocks"].as_array().expect("blocks").last().expect("actions")["elements"][0];
    assert_eq!((&button["action_id"], &button["value"]), (&UNDO.into(), &name.into()));
    assert!(button["confirm"].is_object());
    assert!(!message("C1", &told, &Show::default()).to_string().contains(UNDO));
}

#[tokio::test]
async fn without_a_way_back_there_is_no_button() {
    let asking = Notice { ask: Some(Ask { approval: ApprovalId(1), digest: "ab".repeat(32) }), ..notice() };
    assert!(message("C1", &asking, &SHOW).to_string().contains(APPROVE));
    assert!(!message("C1", &asking, &Show::default()).to_string().contains(APPROVE));
}

#[test]
fn a_message_leads_to_the_page_where_it_is_read_and_answered() {
    let show = Show { answers: true, console: "https://stanch.example.com".parse().ok() };
    let asking = Notice { ask: Some(Ask { approval: ApprovalId(1), digest: "ab".repeat(32) }), ..notice() };
    let storm = Notice { incident: IncidentId(0), ..notice() };
    for (notice, path) in [(&asking, "/approvals/APR-1"), (&notice(), "/incidents/INC-3"), (&storm, "/queue")]
    {
        let said = message("C1", notice, &show).to_string();
        assert!(said.contains(&format!("<https://stanch.example.com{path}|Open in Stanch>")), "{said}");
    }
    assert!(!message("C1", &asking, &SHOW).to_string().contains("Open in Stanch"));
}

#[tokio::test]
async fn a_whisper_goes_to_one_member_and_finds_another_way_when_the_channel_is_shut() {
    let other =
        Strict::start(vec![ok(r#"{"ok":false,"error":"not_in_channel"}"#), ok(r#"{"ok":true}"#)]).await;
    slack(&other.url).whisper(Some("C1"), "U1", "not <@U2>\u{202e}").await.expect("told");
    let seen = other.seen();
    assert_eq!(
        [seen[0].path.as_str(), seen[1].path.as_str()],
        ["/api/chat.postEphemeral", "/api/chat.postMessage"]
    );
    assert_eq!((&seen[0].json()["user"], &seen[1].json()["channel"]), (&"U1".into(), &"U1".into()));
    let text = seen[1].json()["text"].as_str().expect("text").to_owned();
    assert!(!text.contains(['<', '>', '\u{202e}']), "{text}");
    let slow = Strict::start(vec![Reply::Say(429, "", String::new())]).await;
    assert!(slack(&slow.url).whisper(Some("C1"), "U1", "x").await.is_err());
    assert_eq!(slow.seen().len(), 1, "not tried elsewhere");
}

#[test]
fn a_long_body_is_shown_whole_in_pieces_that_fit() {
    let body: String = (0..400).map(|n| format!("line {n} {}\n", "x".repeat(40))).collect();
    let all = pieces(&body);
    assert!(all.len() > 5 && all.iter().all(|p| p.chars().count() <= SECTION + 1));
    assert_eq!(all.concat(), body);
    let one = pieces(&"y".repeat(7_000));
    assert_eq!(one.concat().matches('y').count(), 7_000);
}

#[tokio::test]
async fn slack_says_200_and_means_no() {
    for (body, expected) in [
        (r#"{"ok":true,"ts":"1"}"#, "ok"),
        (r#"{"ok":false,"error":"ratelimited"}"#, "slow down"),
        (r#"{"ok":false,"error":"invalid_auth"}"#, "unauthorised"),
        (r#"{"ok":false,"error":"token_revoked"}"#, "unauthorised"),
        (r#"{"ok":false,"error":"internal_error"}"#, "transient"),
        (r#"{"ok":false,"error":"channel_not_found"}"#, "permanent"),
        (r#"{"ok":"true"}"#, "permanent"),
        (r"{}", "permanent"),
        ("<html>", "transient"),
    ] {
        let other = Strict::start(vec![ok(body)]).await;
        let got = slack(&other.url).notify(&notice()).await;
        assert_eq!(class(&got), expected, "{body}");
        assert!(!format!("{got:?}").contains("xoxb"));
    }
    let slow = Strict::start(vec![Reply::Say(429, "Retry-After: 30\r\n", String::new())]).await;
    assert_eq!(class(&slack(&slow.url).notify(&notice()).await), "slow down");
    let nobody = Notice { to: vec![], ..notice() };
    assert_eq!(class(&slack("http://127.0.0.1:9").notify(&nobody).await), "permanent");
}

#[test]
fn hostile_text_mentions_nobody_links_nowhere_and_stays_in_its_frame() {
    let hostile = [
        "<!channel> <!here> <@U123> <#C1> <http://evil.example|bank> <mailto:x@evil.example|mail>",
        "``` *bold* _it_ ~no~ `code` ```\n> quote",
        "=cmd|' /C calc'!A0\u{202e}gpj.exe\u{200b}\u{1b}[31m",
        "&lt;!channel&gt; &amp;lt;",
    ];
    for text in hostile {
        let told = Notice { subject: text.to_owned(), body: format!("{text}\n{text}"), ..notice() };
        let said = message("C1", &told, &SHOW);
        let mut texts = vec![said["text"].as_str().expect("a text").to_owned()];
        for block in said["blocks"].as_array().expect("blocks").iter().filter(|b| b["type"] == "section") {
            assert_eq!(block["text"]["verbatim"], true);
            let framed = block["text"]["text"].as_str().expect("a text");
            let inner = framed.strip_prefix("```").and_then(|t| t.strip_suffix("```")).expect("a frame");
            assert!(!inner.contains("```"), "{inner}");
            texts.push(inner.to_owned());
        }
        for text in texts {
            assert!(!text.contains(['<', '>']), "{text}");
            assert!(!text.chars().any(|c| c == '\u{202e}' || c == '\u{200b}' || c == '\u{1b}'), "{text}");
        }
    }
}
