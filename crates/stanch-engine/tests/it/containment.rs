//! From the question to the release, with a device that misbehaves.

use stanch_connectors::responder::Fault;
use stanch_core::contain::Approval;
use stanch_core::journal::event::{ActionEnd, RunEnd};
use stanch_core::journal::incident::{MarkKind, Status};
use stanch_engine::Command;
use stanch_engine::command::CommandError;
use stanch_model::{ActionId, ApprovalId, Failure, IncidentId, Observed, RunId, Span};

use crate::world::{World, call_home, lead};

async fn asked(w: &World) -> Approval {
    w.send("ids", &call_home(0, "10.0.0.7", "203.0.113.9")).await;
    w.until("a question", |s| s.approvals.contains_key(&ApprovalId(1))).await;
    w.engine.read(|s| s.approvals[&ApprovalId(1)].approval.clone())
}

fn yes(a: &Approval) -> Command {
    Command::Decide {
        approval: a.id,
        who: lead(),
        digest: a.digest(),
        approve: true,
        reason: None,
        proof: None,
    }
}

async fn contained() -> World {
    let w = World::new().await;
    let a = asked(&w).await;
    w.order(yes(&a)).await.unwrap();
    w.until("contained", |s| s.incidents[&IncidentId(1)].status == Status::Contained).await;
    w
}

#[tokio::test(flavor = "multi_thread")]
async fn ask_block_tell_the_noc_hold_and_release_is_one_story() {
    let w = contained().await;
    assert_eq!(w.device.device().blocked().len(), 1);
    w.until("the NOC told", |s| s.incidents[&IncidentId(1)].first_mark(MarkKind::NocNotified).is_some())
        .await;
    let noc = |w: &World| w.mail.mails().iter().filter(|m| m.to.iter().any(|t| t.contains("noc@"))).count();
    assert!(noc(&w) >= 1);
    w.pass(Span::mins(61));
    w.until("lifted", |s| matches!(s.actions[&ActionId(1)].ended, Some((_, ActionEnd::Lifted, _)))).await;
    w.until("done", |s| matches!(s.runs[&RunId(1)].ended, Some((_, RunEnd::Completed, _)))).await;
    w.until("nothing left to do", |s| s.pending.is_empty()).await;
    assert!(w.device.device().blocked().is_empty());
    assert!(w.device.doubles().is_empty());
    assert!(noc(&w) >= 2, "told of the release as well");
    let clock = w.engine.read(|s| stanch_core::measure::clock(&s.incidents[&IncidentId(1)], w.engine.now()));
    assert_eq!(clock.waiting.values().map(|s| s.0).sum::<i64>(), clock.wall.0, "{clock:?}");
    assert!(
        clock.phases.contain.is_some() && clock.phases.notify_noc.is_some() && clock.phases.approve.is_some()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_counts_once_for_exactly_what_was_shown_and_in_time() {
    let w = World::new().await;
    let a = asked(&w).await;
    let mut wrong = a.digest();
    wrong.replace_range(0..1, if wrong.starts_with('0') { "1" } else { "0" });
    let other = Command::Decide {
        approval: a.id,
        who: lead(),
        digest: wrong,
        approve: true,
        reason: None,
        proof: None,
    };
    assert!(matches!(w.order(other).await, Err(CommandError::Conflict(_))));
    let mut stranger = lead();
    stranger.teams = ["netops".to_owned()].into();
    let not_asked = Command::Decide {
        approval: a.id,
        who: stranger,
        digest: a.digest(),
        approve: true,
        reason: None,
        proof: None,
    };
    assert!(matches!(w.order(not_asked).await, Err(CommandError::Refused(_))));
    assert!(w.device.ledger().is_empty(), "nothing was changed");
    w.order(yes(&a)).await.unwrap();
    assert!(w.order(yes(&a)).await.unwrap_err().to_string().contains("changes nothing"));
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_a_no_and_a_no_changes_nothing() {
    let w = World::new().await;
    let a = asked(&w).await;
    w.pass(Span::mins(16));
    assert!(w.order(yes(&a)).await.is_err(), "too late");
    w.until("handed over", |s| matches!(s.runs[&RunId(1)].ended, Some((_, RunEnd::Handed, _)))).await;
    assert!(w.device.ledger().is_empty());

    let w = World::new().await;
    let a = asked(&w).await;
    let no = Command::Decide {
        approval: a.id,
        who: lead(),
        digest: a.digest(),
        approve: false,
        reason: None,
        proof: None,
    };
    w.order(no).await.unwrap();
    w.until("declined", |s| matches!(s.runs[&RunId(1)].ended, Some((_, RunEnd::Declined, _)))).await;
    assert!(w.device.ledger().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_address_is_refused_before_anyone_is_asked() {
    let w = World::new().await;
    w.send("ids", &call_home(0, "10.0.0.7", "198.51.100.3")).await;
    w.until("refused", |s| s.runs.get(&RunId(1)).is_some_and(|r| r.ended.is_some())).await;
    w.engine.read(|s| {
        let (_, end, why) = s.runs[&RunId(1)].ended.clone().unwrap();
        assert_eq!(end, RunEnd::Handed);
        assert!(why.contains("our partners"), "{why}");
        assert!(s.approvals.is_empty());
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_outcome_is_looked_at_and_adopted_never_repeated() {
    let w = World::new().await;
    let a = asked(&w).await;
    w.device.next(Fault::TimeoutAfterApply);
    w.order(yes(&a)).await.unwrap();
    w.until("adopted", |s| s.actions.get(&ActionId(1)).is_some_and(|a| a.in_force.is_some())).await;
    assert!(w.device.doubles().is_empty(), "{:?}", w.device.ledger());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_refuses_now_and_works_later_is_asked_again() {
    let w = World::new().await;
    let a = asked(&w).await;
    w.device.next(Fault::ErrorBefore(Failure::transient("busy")));
    w.order(yes(&a)).await.unwrap();
    w.until("a retry is planned", |s| s.pending.values().any(|p| p.attempts == 1)).await;
    w.pass(Span::secs(5));
    w.until("contained", |s| s.incidents[&IncidentId(1)].status == Status::Contained).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_never_takes_it_hands_the_incident_to_a_person() {
    let w = World::new().await;
    let a = asked(&w).await;
    w.device.next(Fault::ErrorBefore(Failure::permanent("no such table")));
    w.order(yes(&a)).await.unwrap();
    w.until("handed", |s| matches!(s.runs[&RunId(1)].ended, Some((_, RunEnd::Handed, _)))).await;
    w.engine.read(|s| assert!(matches!(s.actions[&ActionId(1)].ended, Some((_, ActionEnd::Failed, _)))));
    w.until("told", |s| s.pending.is_empty()).await;
    let told = |m: &stanch_connectors::notifier::sink::Received| {
        m.header("Subject").is_some_and(|s| s.contains("needs a person"))
            && m.body().contains("no such table")
    };
    assert!(w.mail.mails().iter().any(told), "a person is told, with the reason");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_can_lift_a_change_before_its_end() {
    let w = contained().await;
    let release =
        Command::Release { action: ActionId(1), who: lead(), reason: "it hurts".into(), only: None };
    w.order(release).await.unwrap();
    w.until("lifted", |s| s.actions[&ActionId(1)].ended.is_some()).await;
    assert!(w.device.device().blocked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_somebody_removed_is_noticed_and_told() {
    let w = contained().await;
    // The playbook's own look has to be over: one that saw the block before it was removed, and whose
    // answer comes after the clock was moved, would count as a look at that later time.
    w.until("looked at by the playbook", |s| s.pending.is_empty()).await;
    w.device.device().flush();
    w.pass(Span::secs(60));
    w.until("noticed", |s| matches!(s.actions[&ActionId(1)].observed, Some((_, Observed::Absent)))).await;
    w.until("noted", |s| {
        s.incidents[&IncidentId(1)].marks.iter().any(|m| m.text.contains("before its time"))
    })
    .await;
    let noticed = w.engine.now();
    w.pass(Span::secs(60));
    w.until("looked again", |s| {
        s.actions[&ActionId(1)].observed.as_ref().is_some_and(|(at, _)| *at > noticed)
    })
    .await;
    let told = w.engine.read(|s| {
        let marks = &s.incidents[&IncidentId(1)].marks;
        marks.iter().filter(|m| m.text.contains("before its time")).count()
    });
    assert_eq!(told, 1, "told once, not at every look");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kill_switch_stops_new_changes_and_never_a_release() {
    let w = World::new().await;
    let a = asked(&w).await;
    w.order(Command::KillSwitch { engaged: true, stops: Default::default(), who: lead() }).await.unwrap();
    w.order(yes(&a)).await.unwrap();
    w.until("refused", |s| s.runs[&RunId(1)].ended.is_some()).await;
    assert!(w.device.ledger().is_empty());

    let w = contained().await;
    w.order(Command::KillSwitch { engaged: true, stops: Default::default(), who: lead() }).await.unwrap();
    w.pass(Span::mins(61));
    w.until("lifted all the same", |s| s.actions[&ActionId(1)].ended.is_some()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_at_any_point_goes_on_and_changes_nothing_twice() {
    let w = World::new().await;
    let a = asked(&w).await;
    let w = w.restart().await;
    w.order(yes(&a)).await.unwrap();
    w.until("contained", |s| s.incidents[&IncidentId(1)].status == Status::Contained).await;
    let w = w.restart().await;
    w.pass(Span::mins(61));
    let w = w.restart().await;
    w.until("lifted", |s| s.actions[&ActionId(1)].ended.is_some()).await;
    w.until("done", |s| matches!(s.runs[&RunId(1)].ended, Some((_, RunEnd::Completed, _)))).await;
    assert!(w.device.doubles().is_empty(), "{:?}", w.device.ledger());
}
