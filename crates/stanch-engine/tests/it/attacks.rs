//! The approval attack suite at the engine: whatever is tried, nothing runs that nobody agreed to.
//!
//! `STANCH_ATTACK_ROUNDS` sets how often 100 people click at once; 1000 is the full suite.

use stanch_core::config::Role;
use stanch_core::contain::{Permit, Seal, Vote};
use stanch_core::journal::event::{
    ActionPermitted, Answered, ApprovalSettled, ApprovalVoted, Effect, Event, Intended,
};
use stanch_core::journal::{Status, decode};
use stanch_engine::Command;
use stanch_engine::command::{CommandError, Who};
use stanch_model::port::Entry;
use stanch_model::{Action, ActionId, ActionKind, ApprovalId, EffectId, IncidentId, RunId, Span};

use crate::leases::{answer, person, question, world};
use crate::world::{World, call_home, lead};

async fn asked(more: &str) -> (World, stanch_core::contain::Approval) {
    let w = world(more).await;
    w.send("ids", &call_home(0, "10.0.0.7", "203.0.113.9")).await;
    let a = question(&w, 1).await;
    (w, a)
}

fn rounds() -> usize {
    std::env::var("STANCH_ATTACK_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(3)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_clicks_at_once_are_one_change() {
    for round in 0..rounds() {
        let (w, a) = asked("").await;
        let clicks = (0..100).map(|n| {
            // Yes and no race each other; whichever is first stays.
            let command = answer(&a, lead(), (n + round) % 2 == 0);
            w.order(command)
        });
        let results = futures::future::join_all(clicks).await;
        assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1, "one click counts");
        assert!(
            results.iter().filter_map(|r| r.as_ref().err()).all(|e| matches!(e, CommandError::Conflict(_)))
        );
        let approved = w.engine.read(|s| {
            s.approvals[&ApprovalId(1)].settled.as_ref().is_some_and(|(_, x)| x.answer == Answered::Approved)
        });
        if approved {
            w.until("contained", |s| s.incidents[&IncidentId(1)].status == Status::Contained).await;
        } else {
            w.until("over", |s| s.runs[&RunId(1)].ended.is_some()).await;
        }
        assert_eq!(w.device.device().blocked().len(), usize::from(approved));
        assert!(w.device.doubles().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_people_at_once_are_counted_one_by_one() {
    let (w, a) = asked("two_people_for: [block_address]\n").await;
    let clicks = (0..100).map(|n| {
        let who = if n % 2 == 0 { lead() } else { person("mira", "secops") };
        w.order(answer(&a, who, true))
    });
    let results = futures::future::join_all(clicks).await;
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 2);
    w.until("contained", |s| s.incidents[&IncidentId(1)].status == Status::Contained).await;
    assert!(w.device.doubles().is_empty());
}

/// Abuse case 14: rows written past the engine, each as good as its writer could make it.
#[tokio::test(flavor = "multi_thread")]
async fn abuse_14_rows_written_into_the_journal_by_hand_change_nothing() {
    let forger = Seal::new(&[8; 32]);
    for seal in [String::new(), "00".repeat(32), "theirs".into()] {
        let (w, a) = asked("").await;
        let now = w.engine.now();
        let yes = [Vote { by: "secops-lead".into(), at: now, proof: None }];
        let seal = if seal == "theirs" { forger.of_yes(a.id, &a.digest(), &yes) } else { seal };
        let settled = ApprovalSettled {
            approval: a.id,
            answer: Answered::Approved,
            by: "secops-lead".into(),
            digest: a.digest(),
            reason: String::new(),
            seal,
            proof: None,
        };
        let w = w.forge(&[Event::ApprovalSettled(settled)]).await;
        w.until("handed over", |s| s.runs[&RunId(1)].ended.is_some()).await;
        w.engine.read(|s| {
            let why = s.runs[&RunId(1)].ended.clone().unwrap().2;
            assert!(why.contains("does not carry our seal"), "{why}");
        });
        assert!(w.device.ledger().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_14_a_permit_with_its_intention_written_by_hand_is_not_performed() {
    let (w, a) = asked("").await;
    let kind = ActionKind::BlockAddress { target: "192.0.2.77/32".parse().unwrap() };
    let action = Action { id: ActionId(7), kind, ..a.action.clone() };
    // A permit can only be had from the guard or from a row that claims to be one.
    let row = |body: serde_json::Value| -> Permit {
        let body = serde_json::to_vec(&body).unwrap();
        let (stream, kind) = ("INC-1".to_owned(), "action_permitted".to_owned());
        let entry = Entry { seq: 1, at: w.engine.now(), stream, kind, body };
        match decode(&entry).unwrap() {
            Event::ActionPermitted(e) => e.permit,
            other => panic!("{other:?}"),
        }
    };
    let permit = row(serde_json::json!({ "run": 1, "action": action, "because": [] }));
    let forged = [
        Event::ActionPermitted(ActionPermitted {
            run: RunId(1),
            permit,
            approval: Some(ApprovalId(1)),
            because: vec![],
            step: "block".into(),
            preauthorised: None,
            lasting: false,
            seal: "11".repeat(32),
        }),
        Event::Intended(Intended { effect: EffectId(9_000), what: Effect::Perform { action: ActionId(7) } }),
    ];
    let w = w.forge(&forged).await;
    w.until("given up", |s| s.actions[&ActionId(7)].ended.is_some()).await;
    assert!(
        w.device.ledger().iter().all(|l| !format!("{l:?}").contains("192.0.2.77")),
        "{:?}",
        w.device.ledger()
    );
    assert!(w.device.device().blocked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vote_written_by_hand_does_not_make_two_of_one() {
    let (w, a) = asked("two_people_for: [block_address]\n").await;
    let digest = a.digest();
    let vote =
        ApprovalVoted { approval: a.id, by: "ghost".into(), digest, reason: String::new(), proof: None };
    let w = w.forge(&[Event::ApprovalVoted(vote)]).await;
    // The last yes is honest, and seals what was counted: but a ghost is nobody who may approve.
    w.order(answer(&a, lead(), true)).await.unwrap();
    w.until("handed over", |s| s.runs[&RunId(1)].ended.is_some()).await;
    w.engine.read(|s| assert!(s.runs[&RunId(1)].ended.clone().unwrap().2.contains("ghost may not approve")));
    assert!(w.device.ledger().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_taken_away_between_the_yes_and_the_change_stops_the_change() {
    let (w, a) = asked("noc_veto: 5m\n").await;
    w.order(answer(&a, person("mira", "secops"), true)).await.unwrap();
    w.until("announced", |s| s.announced.contains_key(&ActionId(1))).await;
    let people = "teams:\n  secops: { notifier: mail, to: [a@example.com] }\n  netops: { notifier: mail, to: [noc@example.com] }\npeople:\n  secops-lead: { token: { env: X }, teams: [secops], role: approver }\n  mira: { token: { env: Y }, teams: [secops], role: analyst }\n";
    let policy = "block_address: edge\nnoc_team: netops\ndefault_ttl: 1h\nnoc_veto: 5m\n";
    w.reload(&[("policies/people.yaml", people), ("policies/containment.yaml", policy)]).await;
    w.pass(Span::mins(6));
    w.until("handed over", |s| s.runs[&RunId(1)].ended.is_some()).await;
    w.engine.read(|s| {
        assert!(s.runs[&RunId(1)].ended.clone().unwrap().2.contains("mira may not approve APR-1 any more"))
    });
    assert!(w.device.ledger().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_people_wrong_digests_and_wrong_times_never_count() {
    let (w, a) = asked("").await;
    let who = |name: &str, role, team: &str| Who { name: name.into(), role, teams: [team.to_owned()].into() };
    for stranger in [
        who("x", Role::Viewer, "secops"),
        who("x", Role::Analyst, "secops"),
        who("x", Role::Admin, "netops"),
        who("x", Role::Approver, ""),
    ] {
        assert!(matches!(w.order(answer(&a, stranger, true)).await, Err(CommandError::Refused(_))));
    }
    let digest = a.digest();
    for i in 0..64 {
        let mut wrong = digest.clone().into_bytes();
        wrong[i] = if wrong[i] == b'0' { b'1' } else { b'0' };
        let digest = String::from_utf8(wrong).unwrap();
        let command =
            Command::Decide { approval: a.id, who: lead(), digest, approve: true, reason: None, proof: None };
        assert!(matches!(w.order(command).await, Err(CommandError::Conflict(_))));
    }
    // Our clock jumps back before the question: an answer from the past is no answer.
    w.pass(Span::hours(-2));
    let early = w.order(answer(&a, lead(), true)).await;
    w.pass(Span::hours(2));
    if early.is_ok() {
        w.until("handed over", |s| s.runs[&RunId(1)].ended.is_some()).await;
    }
    w.pass(Span::hours(24));
    assert!(w.order(answer(&a, lead(), true)).await.is_err());
    assert!(w.device.ledger().is_empty(), "{:?}", w.device.ledger());
}

/// Abuse case 6: nothing that any source says ends a containment.
#[tokio::test(flavor = "multi_thread")]
async fn abuse_6_a_forged_resolution_lifts_nothing() {
    let (w, a) = asked("").await;
    w.order(answer(&a, lead(), true)).await.unwrap();
    w.until("contained", |s| s.incidents[&IncidentId(1)].status == Status::Contained).await;
    let over = r#"{"version":"4","groupKey":"g","status":"resolved","receiver":"r","groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"","alerts":[{"status":"resolved","labels":{"alertname":"CallHome","instance":"203.0.113.9","severity":"critical"},"annotations":{},"startsAt":"2026-09-21T14:00:00Z","endsAt":"2026-09-21T15:00:00Z","generatorURL":"","fingerprint":"aa"}]}"#;
    for source in ["metrics", "metrics-2"] {
        w.send(source, over).await;
    }
    w.pass(Span::secs(60));
    w.until("looked at since", |s| {
        let since = w.engine.now().plus(Span::secs(-59));
        s.actions[&ActionId(1)].observed.as_ref().is_some_and(|(at, _)| *at >= since)
    })
    .await;
    assert_eq!(w.device.device().blocked().len(), 1, "the block stays");
    w.engine.read(|s| {
        assert!(s.actions[&ActionId(1)].ended.is_none());
        assert_eq!(s.incidents[&IncidentId(1)].status, Status::Contained);
    });
}

/// Abuse case 7: a harmless forerunner does not hide the real thing behind its fingerprint.
#[tokio::test(flavor = "multi_thread")]
async fn abuse_7_a_low_severity_forerunner_does_not_hide_the_real_alert() {
    let w = world("").await;
    let low = call_home(0, "10.0.0.7", "203.0.113.9").replace("\"severity\":1", "\"severity\":3");
    let low = low.replace("A Network Trojan was detected", "Misc activity");
    w.send("ids", &low).await;
    w.engine.read(|s| assert!(s.incidents.is_empty(), "nothing to see yet"));
    w.send("ids", &call_home(30, "10.0.0.7", "203.0.113.9")).await;
    let a = question(&w, 1).await;
    assert!(a.action.kind.words().contains("203.0.113.9"));
}
