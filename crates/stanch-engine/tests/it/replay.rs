//! Recorded history through the same rules and through others.

use stanch_engine::replay::{Gate, Replayed, Wish, compare, replay};
use stanch_engine::{Command, Rules};
use stanch_model::port::{Delivery, Journal};
use stanch_model::{IncidentId, Span, Timestamp};

use crate::world::{World, call_home, eve, format_of, lead, rules_of};

/// A day of the firm: a call home that is asked about, acknowledged and resolved; scans; a record that
/// cannot be read.
async fn day() -> World {
    let w = World::new().await;
    for n in 0..20 {
        let to = format!("10.0.1.{n}");
        w.send("ids", &eve(n, 5, "Attempted Information Leak", 3, "198.51.100.7", &to)).await;
        w.pass(Span::secs(1));
    }
    w.send("ids", "this is no record").await;
    w.send("ids", &call_home(30, "10.0.0.7", "203.0.113.9")).await;
    w.until("an incident", |s| !s.incidents.is_empty() && s.pending.is_empty()).await;
    w.pass(Span::mins(3));
    let incident = IncidentId(1);
    w.order(Command::Acknowledge { incident, who: lead() }).await.unwrap();
    w.pass(Span::mins(12));
    w.order(Command::Resolve { incident, who: lead(), text: "cleaned".into(), leave_changes: false })
        .await
        .unwrap();
    w.pass(Span::hours(5));
    w.send("ids", &call_home(18_000, "10.0.0.8", "203.0.113.10")).await;
    w.until("a second one", |s| s.incidents.len() >= 2 && s.pending.is_empty()).await;
    w
}

pub fn again(w: &World, rules: &Rules) -> Replayed {
    let mut reader = w.journal.reader().unwrap();
    let parse = &mut |source: &str, body: &[u8], received: Timestamp| {
        format_of(source).parse(Delivery { body, received })
    };
    replay(reader.as_mut(), rules, parse, &mut |_| {}).unwrap()
}

const ALL: Gate = Gate { lost: true, gained: true, changed: true, pages: true, containment: true };

#[tokio::test(flavor = "multi_thread")]
async fn the_same_rules_come_to_the_same_incidents_and_the_same_digest() {
    let w = day().await;
    let rules = rules_of(&[]);
    let (one, two) = (again(&w, &rules), again(&w, &rules));
    assert_eq!(one.digest, two.digest);
    let d = compare(&one, &two, Timestamp(i64::MIN));
    assert!(d.is_none() && d.stopped_by(ALL).is_empty(), "{d:#?}");
    // And what the replay came to is what happened.
    w.engine.read(|live| {
        assert_eq!(live.ledger(), one.state.ledger());
        let heads = |s: &stanch_core::journal::State| {
            s.incidents.values().map(|i| (i.id, i.alerts.len(), i.status, i.team.clone())).collect::<Vec<_>>()
        };
        assert_eq!(heads(live), heads(&one.state));
        assert_eq!(live.approvals.len(), one.state.approvals.len());
    });
    assert_eq!(one.unanswered, 0, "every look-up of then is answered from the record");
    assert_eq!(d.minutes_saved, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_rules_lose_an_incident_with_its_pages_and_its_question() {
    let w = day().await;
    let before = again(&w, &rules_of(&[]));
    let quiet = "silences:\n  - { name: known-77, author: secops-lead, matchers: ['ip=203.0.113.0/24'], from: 2020-01-01T00:00:00Z, until: 2099-01-01T00:00:00Z, comment: known }\n";
    let after = again(&w, &rules_of(&[("policies/silences.yaml", quiet.to_owned())]));
    assert_ne!(before.digest, after.digest);
    let d = compare(&before, &after, Timestamp(i64::MIN));
    assert_eq!(d.lost.len(), 2, "{d:#?}");
    assert!(d.gained.is_empty() && d.wishes_gained.is_empty());
    let wish = |what: &str| Wish { what: what.to_owned(), asked: true };
    assert_eq!(d.wishes_lost, [wish("block 203.0.113.10"), wish("block 203.0.113.9")]);
    assert_eq!(d.minutes_saved, Some(24), "two incidents at 12 minutes each");
    let gate = Gate { lost: true, containment: true, ..Gate::default() };
    assert_eq!(d.stopped_by(gate), ["2 incidents lost", "2 changes to the outside world different"]);
    // Looking only at what came after noon: one of them.
    let noon = crate::world::START.plus(Span::hours(2));
    assert_eq!(compare(&before, &after, noon).lost.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_route_changes_the_team_and_nothing_else() {
    let w = day().await;
    let before = again(&w, &rules_of(&[]));
    let route = "route:\n  team: netops\n  escalation: steps\nescalations:\n  steps:\n    rules:\n      - { teams: [secops], wait: 5m }\n      - { teams: [secops, netops], wait: 10m }\n    repeat: 1\n";
    let after = again(&w, &rules_of(&[("policies/routing.yaml", route.to_owned())]));
    let d = compare(&before, &after, Timestamp(i64::MIN));
    assert!(d.lost.is_empty() && d.gained.is_empty() && d.merged.is_empty() && d.split.is_empty(), "{d:#?}");
    assert!(d.changed.iter().all(|c| c.what == "team: secops → netops"), "{:#?}", d.changed);
    assert_eq!(d.changed.len(), 2);
    assert!(d.wishes_lost.is_empty() && d.wishes_gained.is_empty());
}
