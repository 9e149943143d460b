//! A source that falls silent or changes its shape is an alert of our own.

use stanch_core::journal::incident::Status;
use stanch_core::journal::state::State;
use stanch_engine::{Hand, recover};
use stanch_model::{Span, Timestamp};
use stanch_store::MemoryJournal;

use crate::world::{START, eve, parsed, rules_of};

const WATCHED: &str = "format: suricata\ncredential:\n  bearer: { env: X }\nsilent_after: 1h\n";

fn scan(n: i64) -> String {
    eve(n, 5, "Attempted Information Leak", 2, "203.0.113.9", "10.0.0.1")
}

fn open(journal: &MemoryJournal, now: Timestamp) -> Hand {
    let rules = rules_of(&[("sources/ids.yaml", WATCHED.to_owned())]);
    Hand::open(Box::new(journal.clone()), rules, now).unwrap()
}

fn after(minutes: i64) -> Timestamp {
    START.plus(Span::mins(minutes))
}

/// Our own alerts, in order, as the rules that raised them.
fn ours(s: &State) -> Vec<String> {
    let alerts = s.incidents.values().flat_map(|i| &i.alerts);
    alerts.filter(|a| a.source == "stanch").map(|a| a.rule.clone()).collect()
}

#[test]
fn a_silent_source_is_an_incident_once_over_restarts_and_is_taken_back_when_it_speaks() {
    let mut journal = MemoryJournal::new();
    let mut hand = open(&journal, START);
    hand.receive(START, parsed("ids", &scan(0))).unwrap();
    hand.tick(after(59)).unwrap();
    assert!(ours(hand.state()).is_empty());
    // The timer is not in the process: a restart in the middle of the silence loses none of it.
    journal = journal.reopen();
    hand = open(&journal, after(60));
    hand.tick(after(61)).unwrap();
    assert_eq!(ours(hand.state()), ["source ids is silent"]);
    let i = hand.state().incidents.values().next_back().unwrap();
    assert_eq!(
        (i.status, i.site.as_str(), i.team.as_deref()),
        (Status::Triggered, "default", Some("secops"))
    );
    journal = journal.reopen();
    hand = open(&journal, after(200));
    (200..400).for_each(|m| hand.tick(after(m)).unwrap());
    assert_eq!(ours(hand.state()), ["source ids is silent"], "it stands, and is raised once");

    hand.receive(after(401), parsed("ids", &scan(24_060))).unwrap();
    hand.tick(after(402)).unwrap();
    assert!(hand.state().health.standing.is_empty(), "it speaks again");
    hand.tick(after(470)).unwrap();
    assert_eq!(hand.state().health.standing.len(), 1, "and is silent again");
    assert!(hand.state().ledger().balanced);
    let folded = recover(&journal.reopen()).unwrap();
    assert_eq!((folded.health.standing.len(), ours(&folded)), (1, ours(hand.state())));
}

#[test]
fn records_that_cannot_be_read_any_more_are_told() {
    let mut hand = open(&MemoryJournal::new(), START);
    let many = (0..250).map(scan).collect::<Vec<_>>().join("\n");
    hand.receive(START, parsed("ids", &many)).unwrap();
    let junk = vec![r#"{"event_type":"alert"}"#; 60].join("\n");
    hand.tick(after(1)).unwrap();
    assert!(ours(hand.state()).is_empty());
    for _ in 0..5 {
        hand.receive(after(1), parsed("ids", &many)).unwrap();
    }
    hand.receive(after(2), parsed("ids", &junk)).unwrap();
    hand.tick(after(3)).unwrap();
    assert_eq!(ours(hand.state()), ["source ids: unreadable record changed"]);
}

#[test]
fn a_field_that_vanishes_from_a_source_is_told() {
    let mut hand = open(&MemoryJournal::new(), START);
    // Distinct alerts: what is merged shows nothing new of a source.
    let distinct = |from: i64, dst: &str| {
        let one = |i: i64| eve(i, 1_000 + i as u32, "Attempted Information Leak", 2, "203.0.113.9", dst);
        (from..from + 50).map(one).collect::<Vec<_>>().join("\n")
    };
    for n in 0..5 {
        hand.receive(START, parsed("ids", &distinct(n * 50, "10.0.0.1"))).unwrap();
    }
    hand.tick(after(1)).unwrap();
    assert!(ours(hand.state()).is_empty());
    let gone = distinct(250, "10.0.0.1").replace(r#""dest_port":443,"#, "");
    hand.receive(after(2), parsed("ids", &gone)).unwrap();
    hand.tick(after(3)).unwrap();
    assert_eq!(ours(hand.state()), ["source ids: destination port changed"]);
    let title = hand.state().incidents.values().next_back().map(stanch_core::story::title);
    assert_eq!(title.as_deref(), Some("Stanch itself: source ids: destination port changed"));
}
