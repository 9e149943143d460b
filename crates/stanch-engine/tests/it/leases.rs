//! Two people, later ends, several incidents on one change, vetoes, switches, drift.

use std::time::Duration;

use stanch_connectors::responder::Fault;
use stanch_connectors::responder::fake::Verb;
use stanch_core::config::{Protected, Role};
use stanch_core::contain::Approval;
use stanch_core::journal::event::{ActionEnd, Answered, RunEnd};
use stanch_core::journal::incident::Status;
use stanch_core::playbook::run::WaitsFor;
use stanch_engine::Command;
use stanch_engine::command::{CommandError, Stops, Who};
use stanch_model::port::Journal;
use stanch_model::{ActionId, ApprovalId, IncidentId, Observed, RunId, Span, Timestamp};

use crate::world::{World, call_home, lead};

const PEOPLE: &str = "teams:\n  secops: { notifier: mail, to: [secops@example.com] }\n  netops: { notifier: mail, to: [noc@example.com] }\npeople:\n  secops-lead: { token: { env: X }, teams: [secops], role: approver }\n  mira: { token: { env: Y }, teams: [secops], role: approver }\n  noc-lead: { token: { env: Z }, teams: [netops], role: approver }\n";

fn policy(more: &str) -> String {
    format!(
        "protected:\n  - {{ net: 198.51.100.0/24, why: our partners }}\nblock_address: edge\nnoc_team: netops\ndefault_ttl: 1h\n{more}"
    )
}

pub async fn world(more: &str) -> World {
    World::with(&[("policies/people.yaml", PEOPLE), ("policies/containment.yaml", &policy(more))]).await
}

pub fn person(name: &str, team: &str) -> Who {
    Who { name: name.into(), role: Role::Approver, teams: [team.to_owned()].into() }
}

pub async fn question(w: &World, id: u64) -> Approval {
    w.until("a question", |s| s.approvals.contains_key(&ApprovalId(id))).await;
    w.engine.read(|s| s.approvals[&ApprovalId(id)].approval.clone())
}

pub fn answer(a: &Approval, who: Who, approve: bool) -> Command {
    Command::Decide { approval: a.id, who, digest: a.digest(), approve, reason: None, proof: None }
}

async fn asked(w: &World) -> Approval {
    w.send("ids", &call_home(0, "10.0.0.7", "203.0.113.9")).await;
    question(w, 1).await
}

async fn contained(more: &str) -> World {
    let w = world(more).await;
    let a = asked(&w).await;
    w.order(answer(&a, lead(), true)).await.unwrap();
    w.until("contained", |s| s.incidents[&IncidentId(1)].status == Status::Contained).await;
    w
}

fn in_force_for(w: &World) -> Span {
    w.engine.read(|s| s.actions[&ActionId(1)].in_force.unwrap().1.since(w.engine.now()))
}

#[tokio::test(flavor = "multi_thread")]
async fn two_different_people_say_yes_before_anything_is_changed() {
    let w = world("two_people_for: [block_address]\n").await;
    let a = asked(&w).await;
    assert_eq!(a.people, 2);
    w.order(answer(&a, lead(), true)).await.unwrap();
    let again = w.order(answer(&a, lead(), true)).await.unwrap_err();
    assert!(again.to_string().contains("has said yes"), "{again}");
    assert!(w.device.ledger().is_empty());
    let w = w.restart().await;
    assert!(w.order(answer(&a, lead(), true)).await.is_err(), "counted across a restart");
    w.order(answer(&a, person("mira", "secops"), true)).await.unwrap();
    w.until("contained", |s| s.incidents[&IncidentId(1)].status == Status::Contained).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_no_beats_a_yes() {
    let w = world("two_people_for: [block_address]\n").await;
    let a = asked(&w).await;
    w.order(answer(&a, lead(), true)).await.unwrap();
    w.order(answer(&a, person("mira", "secops"), false)).await.unwrap();
    w.until("declined", |s| matches!(s.runs[&RunId(1)].ended, Some((_, RunEnd::Declined, _)))).await;
    assert!(w.order(answer(&a, person("mira", "secops"), true)).await.is_err());
    assert!(w.device.ledger().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_wakes_more_people_and_gives_them_no_authority() {
    let w = world("").await;
    let a = asked(&w).await;
    w.pass(Span::mins(8));
    w.until("reminded", |s| s.approvals[&ApprovalId(1)].reminded.is_some()).await;
    let noc = w.order(answer(&a, person("noc-lead", "netops"), true)).await;
    assert!(matches!(noc, Err(CommandError::Refused(_))), "{noc:?}");
    w.pass(Span::mins(8));
    w.until(
        "run out",
        |s| matches!(&s.approvals[&ApprovalId(1)].settled, Some((_, x)) if x.answer == Answered::Expired),
    )
    .await;
    assert!(w.device.ledger().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_end_is_a_new_question_that_somebody_else_answers() {
    let w = contained("max_ttl: 6h\n").await;
    let renew =
        |ttl| Command::Renew { action: ActionId(1), ttl, who: lead(), reason: "not clean yet".into() };
    assert!(
        w.order(renew(Span::hours(7))).await.unwrap_err().to_string().contains("in all, renewals included")
    );
    w.order(renew(Span::hours(3))).await.unwrap();
    let q = question(&w, 2).await;
    assert!(q.renewal && q.asked_by.as_deref() == Some("secops-lead"));
    assert!(w.order(renew(Span::hours(3))).await.unwrap_err().to_string().contains("asks that already"));
    assert!(
        matches!(w.order(answer(&q, lead(), true)).await, Err(CommandError::Refused(_))),
        "nobody agrees with themselves"
    );
    assert!(in_force_for(&w) <= Span::hours(1));
    w.order(answer(&q, person("mira", "secops"), true)).await.unwrap();
    assert_eq!(in_force_for(&w), Span::hours(3));
    w.until("the device has it", |s| s.pending.is_empty()).await;
    let timer = w.device.device().blocked();
    assert_eq!(timer.len(), 1);
    w.pass(Span::mins(90));
    w.until("looked at", |s| {
        matches!(&s.actions[&ActionId(1)].observed, Some((at, Observed::Present { .. })) if *at >= w.engine.now().plus(Span::mins(-1)))
    })
    .await;
    let w = w.restart().await;
    w.pass(Span::hours(2));
    w.until("lifted", |s| matches!(s.actions[&ActionId(1)].ended, Some((_, ActionEnd::Lifted, _)))).await;
    assert!(w.device.device().blocked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_becomes_protected_is_lifted_at_once() {
    let w = contained("").await;
    let more =
        policy("").replace("block_address", "  - { net: 203.0.113.9, why: now a customer }\nblock_address");
    w.reload(&[("policies/people.yaml", PEOPLE), ("policies/containment.yaml", &more)]).await;
    w.until("lifted", |s| matches!(s.actions[&ActionId(1)].ended, Some((_, ActionEnd::Lifted, _)))).await;
    assert!(w.device.device().blocked().is_empty());
    w.engine.read(|s| {
        assert!(s.incidents[&IncidentId(1)].marks.iter().any(|m| m.text.contains("now a customer")));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn where_those_who_act_work_is_not_cut_off_and_a_block_is_not_lifted_by_signing_in_behind_it() {
    let there = |net: &str| Protected::net(net.parse().unwrap(), "mira works from there");
    let w = world("").await;
    w.engine.rules().connected.set(vec![there("203.0.113.9/32")]);
    w.send("ids", &call_home(0, "10.0.0.7", "203.0.113.9")).await;
    w.until("refused", |s| s.runs.get(&RunId(1)).is_some_and(|r| r.ended.is_some())).await;
    w.engine.read(|s| {
        let (_, end, why) = s.runs[&RunId(1)].ended.clone().unwrap();
        assert_eq!(end, RunEnd::Handed);
        assert!(why.contains("mira works from there"), "{why}");
        assert!(s.actions.is_empty());
    });
    let w = contained("").await;
    w.engine.rules().connected.set(vec![there("203.0.113.9/32")]);
    w.reload(&[("policies/people.yaml", PEOPLE), ("policies/containment.yaml", &policy(""))]).await;
    w.pass(Span::mins(1));
    w.until("looked at", |s| {
        matches!(&s.actions[&ActionId(1)].observed, Some((at, Observed::Present { .. })) if *at >= w.engine.now())
    })
    .await;
    assert!(!w.device.device().blocked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_names_lead_that_we_depend_on_is_not_cut_off_and_nobody_who_answers_for_a_name_lifts_a_block() {
    let mail = || vec![Protected::net("203.0.113.9/32".parse().unwrap(), "mail.example: our mail server")];
    let w = world("").await;
    w.engine.rules().resolved.set(mail());
    w.send("ids", &call_home(0, "10.0.0.7", "203.0.113.9")).await;
    w.until("refused", |s| s.runs.get(&RunId(1)).is_some_and(|r| r.ended.is_some())).await;
    w.engine.read(|s| {
        let (_, end, why) = s.runs[&RunId(1)].ended.clone().unwrap();
        assert_eq!(end, RunEnd::Handed);
        assert!(why.contains("mail.example: our mail server"), "{why}");
        assert!(s.actions.is_empty());
    });
    let w = contained("").await;
    w.engine.rules().resolved.set(mail());
    w.pass(Span::mins(1));
    w.until("looked at", |s| {
        matches!(&s.actions[&ActionId(1)].observed, Some((at, Observed::Present { .. })) if *at >= w.engine.now())
    })
    .await;
    assert!(!w.device.device().blocked().is_empty());
}

/// What monitoring says of a machine that we have just cut off.
fn target_down(at: Timestamp, instance: &str) -> String {
    format!(
        r#"{{"version":"4","groupKey":"g","status":"firing","receiver":"r","groupLabels":{{}},"commonLabels":{{}},"commonAnnotations":{{}},"externalURL":"","alerts":[{{"status":"firing","labels":{{"alertname":"TargetDown","instance":"{instance}","severity":"critical"}},"annotations":{{}},"startsAt":"{at}","endsAt":"0001-01-01T00:00:00Z","generatorURL":"","fingerprint":"f1"}}]}}"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_our_own_block_sets_off_joins_its_incident_as_our_doing_and_wakes_nobody() {
    let w = contained("").await;
    w.until("told", |s| s.pending.is_empty()).await;
    let mails = w.mail.mails().len();
    w.pass(Span::mins(2));
    w.send("metrics", &target_down(w.engine.now(), "203.0.113.9:443")).await;
    w.until("joined", |s| s.slots.len() == 2 && s.incidents[&IncidentId(1)].alerts.len() == 2).await;
    assert_eq!(w.engine.read(|s| s.incidents.len()), 1);
    let mut told = false;
    let why = b"we did this: ACT-1 (block 203.0.113.9";
    let mut look = |entry: stanch_model::port::Entry| {
        told |= entry.body.windows(why.len()).any(|words| words == why);
        Ok(())
    };
    w.journal.replay(0, &mut look).unwrap();
    assert!(told, "the reason is written down");
    w.until("nothing under way", |s| s.pending.is_empty()).await;
    assert_eq!(w.mail.mails().len(), mails, "nobody is told of what we did ourselves");
    // The same of a machine that we did not cut off stands alone.
    w.send("metrics", &target_down(w.engine.now(), "203.0.113.77:443")).await;
    w.until("taken in", |s| s.slots.len() == 3).await;
    w.engine.read(|s| assert_eq!(s.incidents[&IncidentId(1)].alerts.len(), 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_noc_has_its_time_to_say_no() {
    let w = world("noc_veto: 5m\n").await;
    let a = asked(&w).await;
    w.order(answer(&a, lead(), true)).await.unwrap();
    w.until("announced", |s| s.announced.contains_key(&ActionId(1))).await;
    assert!(w.device.ledger().is_empty());
    let due = w.engine.read(|s| s.announced[&ActionId(1)].what.at);
    assert_eq!(
        w.engine.waits(RunId(1)),
        [WaitsFor::Time(due)],
        "it wakes by itself when the NOC has had its time"
    );
    let veto = |who| Command::Veto { action: ActionId(1), who, reason: "payroll tonight".into() };
    assert!(matches!(w.order(veto(lead())).await, Err(CommandError::Refused(_))), "only the NOC");
    w.order(veto(person("noc-lead", "netops"))).await.unwrap();
    w.until("declined", |s| matches!(s.runs[&RunId(1)].ended, Some((_, RunEnd::Declined, _)))).await;
    w.pass(Span::mins(10));
    let w = w.restart().await;
    assert!(w.device.ledger().is_empty());

    let w = world("noc_veto: 5m\n").await;
    let a = asked(&w).await;
    w.order(answer(&a, lead(), true)).await.unwrap();
    w.until("announced", |s| s.announced.contains_key(&ActionId(1))).await;
    let w = w.restart().await;
    w.pass(Span::mins(5));
    w.until("done after its time", |s| s.incidents[&IncidentId(1)].status == Status::Contained).await;
    let late =
        w.order(Command::Veto { action: ActionId(1), who: person("noc-lead", "netops"), reason: "x".into() });
    assert!(late.await.unwrap_err().to_string().contains("stanch release ACT-1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_switch_for_one_responder_or_one_playbook_stops_that_and_survives_a_restart() {
    for stops in [Stops::Responder("edge".into()), Stops::Playbook("c2".into()), Stops::Everything] {
        let w = world("").await;
        let a = asked(&w).await;
        let switch = |engaged| Command::KillSwitch { engaged, stops: stops.clone(), who: lead() };
        w.order(switch(true)).await.unwrap();
        let w = w.restart().await;
        w.order(answer(&a, lead(), true)).await.unwrap();
        w.until("refused", |s| s.runs[&RunId(1)].ended.is_some()).await;
        w.engine.read(|s| {
            assert!(s.runs[&RunId(1)].ended.clone().unwrap().2.contains("kill switch"), "{stops:?}")
        });
        assert!(w.device.ledger().is_empty());
    }
    for other in [Stops::Responder("core".into()), Stops::Playbook("scan".into())] {
        let w = world("").await;
        let a = asked(&w).await;
        w.order(Command::KillSwitch { engaged: true, stops: other, who: lead() }).await.unwrap();
        w.order(answer(&a, lead(), true)).await.unwrap();
        w.until("contained", |s| s.incidents[&IncidentId(1)].status == Status::Contained).await;
    }
}

/// Eight yeses at once: four changes have begun, and four wait at the device.
async fn eight_at_one_device() -> World {
    let w = world("").await;
    let mut questions = Vec::new();
    for n in 1..=8u8 {
        w.send("ids", &call_home(i64::from(n), &format!("10.0.{n}.7"), &format!("203.0.113.{}", 10 * n)))
            .await;
        questions.push(question(&w, u64::from(n)).await);
        w.device.next(Fault::Delay(Duration::from_secs(2)));
    }
    for q in &questions {
        w.order(answer(q, lead(), true)).await.unwrap();
    }
    w.until("all are on their way", |s| s.actions.len() == 8).await;
    while begun(&w) < 4 {
        tokio::task::yield_now().await;
    }
    w
}

fn begun(w: &World) -> usize {
    w.device.ledger().iter().filter(|l| l.verb == Verb::Perform).count()
}

/// The four that waited were never made, and failed for this reason.
async fn the_others_are_never_begun(w: &World, because: &str) {
    w.until("all runs have ended or hold", |s| {
        s.pending.is_empty() && s.actions.values().all(|a| a.ended.is_some() || a.in_force.is_some())
    })
    .await;
    assert_eq!(begun(w), 4, "{:?}", w.device.ledger());
    assert_eq!(w.device.device().blocked().len(), 4);
    w.engine.read(|s| {
        let failed = |a: &&stanch_core::journal::state::ActionState| {
            matches!(&a.ended, Some((_, ActionEnd::Failed, why)) if why.contains(because))
        };
        assert_eq!(s.actions.values().filter(failed).count(), 4, "{:#?}", s.actions);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_waits_at_its_device_when_everything_is_stopped_is_never_begun() {
    let w = eight_at_one_device().await;
    w.order(Command::KillSwitch { engaged: true, stops: Stops::Everything, who: lead() }).await.unwrap();
    the_others_are_never_begun(&w, "kill switch").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_waits_at_its_device_for_too_long_is_never_begun() {
    let w = eight_at_one_device().await;
    w.pass(Span::mins(11));
    the_others_are_never_begun(&w, "it was permitted 11m ago").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_released_again_lets_the_next_change_through() {
    let w = world("").await;
    let switch =
        |engaged| Command::KillSwitch { engaged, stops: Stops::Responder("edge".into()), who: lead() };
    w.order(switch(true)).await.unwrap();
    w.order(switch(false)).await.unwrap();
    let a = asked(&w).await;
    w.order(answer(&a, lead(), true)).await.unwrap();
    w.until("contained", |s| s.incidents[&IncidentId(1)].status == Status::Contained).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_somebody_removed_is_made_again_where_the_policy_says_so() {
    let w = contained("drift: repair\n").await;
    w.until("settled", |s| s.pending.is_empty()).await;
    w.device.device().flush();
    w.pass(Span::secs(60));
    w.until("made again", |s| s.actions[&ActionId(1)].repairs == 1 && s.pending.is_empty()).await;
    assert_eq!(w.device.device().blocked().len(), 1);
    assert!(in_force_for(&w) < Span::hours(1), "for the rest of its time only");
    w.pass(Span::mins(61));
    w.until("lifted", |s| s.actions[&ActionId(1)].ended.is_some()).await;
}

/// Two incidents want the same block: made once, lifted when the last of them lets go.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_incident_joins_the_lease_and_the_last_one_ends_it() {
    let w = contained("").await;
    let split = Command::Split { from: IncidentId(1), alerts: vec![], to: None, who: lead() };
    assert!(w.order(split).await.is_err());
    // Another machine of ours calls the same attacker at another site: an incident of its own.
    let mut other = crate::world::parsed("ids", &call_home(60, "10.9.0.8", "203.0.113.9"));
    other.site = "branch".into();
    w.engine.receive(other).await.unwrap();
    w.until("joined", |s| s.actions[&ActionId(1)].holders.len() == 2).await;
    w.engine
        .read(|s| assert_eq!((s.approvals.len(), s.actions.len()), (1, 1), "neither asked nor done twice"));
    let release = |only| Command::Release { action: ActionId(1), who: lead(), reason: "x".into(), only };
    w.order(release(Some(IncidentId(1)))).await.unwrap();
    assert_eq!(w.device.device().blocked().len(), 1, "the other needs it");
    assert!(w.order(release(Some(IncidentId(1)))).await.is_err());
    w.order(release(Some(IncidentId(2)))).await.unwrap();
    w.until("lifted", |s| s.actions[&ActionId(1)].ended.is_some()).await;
    assert!(w.device.device().blocked().is_empty());
}
