//! Whom it concerns: routes, rungs, acknowledgement, resolution.

use stanch_core::journal::incident::{MarkKind, Status};
use stanch_engine::Command;
use stanch_model::{ApprovalId, IncidentId, Span};

use crate::world::{World, call_home, lead};

const INC: IncidentId = IncidentId(1);

#[tokio::test(flavor = "multi_thread")]
async fn an_unacknowledged_incident_climbs_by_itself_also_over_a_restart() {
    let w = World::new().await;
    w.send("ids", &call_home(0, "10.0.0.7", "203.0.113.9")).await;
    w.until("rung 1", |s| s.incidents.get(&INC).is_some_and(|i| i.climb.rung == 1)).await;
    w.pass(Span::mins(4));
    let w = w.restart().await;
    w.engine.read(|s| assert_eq!(s.incidents[&INC].climb.rung, 1, "not yet"));
    w.pass(Span::mins(2));
    w.until("rung 2", |s| s.incidents[&INC].climb.rung == 2).await;
    w.until("told", |s| s.pending.is_empty()).await;
    let told: Vec<String> = w.mail.mails().iter().filter_map(|m| m.header("Subject")).collect();
    assert!(told.iter().filter(|s| s.contains("INC-1")).count() >= 3, "{told:?}");
    w.pass(Span::hours(10));
    w.until("the ladder ends", |s| s.incidents[&INC].climb.next.is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_incident_stays_where_it_is() {
    let w = World::new().await;
    w.send("ids", &call_home(0, "10.0.0.7", "203.0.113.9")).await;
    w.until("rung 1", |s| s.incidents.get(&INC).is_some_and(|i| i.climb.rung == 1)).await;
    w.order(Command::Acknowledge { incident: INC, who: lead() }).await.unwrap();
    assert!(w.order(Command::Acknowledge { incident: INC, who: lead() }).await.is_err(), "once is enough");
    w.pass(Span::hours(1));
    w.until("the question has run out", |s| s.approvals[&ApprovalId(1)].settled.is_some()).await;
    w.engine.read(|s| assert_eq!(s.incidents[&INC].climb.rung, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn resolving_withdraws_open_questions_and_stops_the_clock() {
    let w = World::new().await;
    w.send("ids", &call_home(0, "10.0.0.7", "203.0.113.9")).await;
    w.until("a question", |s| s.approvals.contains_key(&ApprovalId(1))).await;
    w.pass(Span::mins(3));
    let resolve =
        Command::Resolve { incident: INC, who: lead(), text: "a test".into(), leave_changes: false };
    w.order(resolve).await.unwrap();
    w.engine.read(|s| {
        let i = &s.incidents[&INC];
        assert_eq!(i.status, Status::Resolved);
        assert!(i.first_mark(MarkKind::Resolved).is_some());
        assert!(s.runs.values().all(|r| r.ended.is_some()));
    });
    let wall = w.engine.read(|s| stanch_core::measure::clock(&s.incidents[&INC], w.engine.now()).wall);
    w.pass(Span::hours(5));
    assert_eq!(w.engine.read(|s| stanch_core::measure::clock(&s.incidents[&INC], w.engine.now()).wall), wall);
}
