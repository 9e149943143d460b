use unicode_width::UnicodeWidthStr as _;

use super::*;
use stanch_server::api::v1::types::ActorView;

fn sentence(at: &str, text: &str, alerts: &[&str], more: usize) -> SentenceView {
    SentenceView {
        at: at.into(),
        text: text.into(),
        alerts: alerts.iter().map(|a| (*a).into()).collect(),
        more,
    }
}

fn story() -> StoryView {
    StoryView {
        incident: "INC-3".into(),
        title: "Command and control: web-1 (192.0.2.7) → 203.0.113.9".into(),
        status: "triggered".into(),
        severity: "High".into(),
        confidence: 0.92,
        team: Some("secops".into()),
        records: 4812,
        alerts: 41,
        happened: vec![
            sentence(
                "2026-03-03T22:10:05.120Z",
                "Reconnaissance: 198.51.100.4 → 12 machines",
                &["A-1", "A-2"],
                5,
            ),
            sentence(
                "2026-03-04T01:00:00Z",
                "Command and control: web-1 → 203.0.113.9: beacon, 210 times over 4h",
                &["A-9"],
                0,
            ),
        ],
        actors: vec![ActorView {
            entity: "192.0.2.7".into(),
            known_as: vec!["our asset web-1 (high, owner platform)".into()],
            acted: 41,
            suffered: 3,
        }],
        actors_total: 4,
        stages: vec!["reconnaissance".into(), "command and control".into()],
        techniques: vec!["T1071".into()],
        unknown: vec!["intel did not answer about ip 203.0.113.9: timed out".into()],
        done: vec![sentence("2026-03-04T01:00:01Z", "opened: score 0.92", &[], 0)],
        parts: vec![],
        before: vec![],
        text: String::new(),
        assistant: None,
    }
}

fn nothing() -> (ApprovalPage, BlockPage) {
    (
        ApprovalPage { approvals: vec![], pending: 0, next_before: None },
        BlockPage { blocks: vec![], live: 0, announced: vec![], next_before: None },
    )
}

#[test]
fn a_story_reads_from_top_to_bottom() {
    let (asked, blocks) = nothing();
    let story = story();
    let text = render(&story, &next(&story, &asked, &blocks), Paint(false)).join("\n");
    let expected = "\
INC-3  Command and control: web-1 (192.0.2.7) → 203.0.113.9
HIGH · triggered · confidence 92 % · secops · 4 812 records in 41 alerts

WHAT HAPPENED
  2026-03-03 UTC
  22:10:05  Reconnaissance: 198.51.100.4 → 12 machines [A-1, A-2 +5]
  2026-03-04 UTC
  01:00:00  Command and control: web-1 → 203.0.113.9: beacon, 210 times over 4h [A-9]

WHO
  192.0.2.7  our asset web-1 (high, owner platform) · acted in 41, target in 3
  and 3 more

STAGES
  reconnaissance → command and control ATT&CK T1071

NOT KNOWN
  ? intel did not answer about ip 203.0.113.9: timed out

WHAT WAS DONE
  2026-03-04 UTC
  01:00:01  opened: score 0.92

NEXT
  stanch ack INC-3                     take it: escalation stops
  stanch clock INC-3                   where the time went";
    assert_eq!(text, expected);
}

#[test]
fn no_line_is_wider_than_a_hundred_columns_and_nothing_hidden_comes_through() {
    let (asked, blocks) = nothing();
    let mut long = story();
    let nasty = format!("{}\u{1b}[2J\u{202e}{}", "word ".repeat(60), "x".repeat(300));
    long.title.clone_from(&nasty);
    long.happened[0].text.clone_from(&nasty);
    long.actors[0].entity = "host:".to_owned() + &"y".repeat(120);
    long.actors[0].known_as.push(nasty.clone());
    long.unknown.push(nasty.clone());
    long.done[0].text.clone_from(&nasty);
    let lines = render(&long, &next(&long, &asked, &blocks), Paint(false));
    for line in &lines {
        assert!(line.width() <= WIDTH, "{} columns: {line}", line.width());
        assert!(!line.contains('\u{1b}') && !line.contains('\u{202e}'), "{line:?}");
    }
    assert!(lines.iter().any(|l| l.contains("\\x1b[2J\\u{202e}")));
}
