//! Intake to incident.

use stanch_core::journal::Disposition;
use stanch_core::journal::incident::Status;
use stanch_core::story::story;
use stanch_engine::Command;
use stanch_model::{AlertId, IncidentId, Span};

use crate::world::{World, call_home, eve, lead, parsed};

const SCAN: &str = "Attempted Information Leak";

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_a_redelivery_and_a_relay_are_one_alert_counted() {
    let w = World::new().await;
    let one = eve(0, 1, SCAN, 2, "203.0.113.9", "10.0.0.5");
    let again = eve(60, 1, SCAN, 2, "203.0.113.9", "10.0.0.5");
    assert_eq!(w.send("ids", &one).await.new, 1);
    assert_eq!(w.send("ids", &again).await.merged, 1, "a repeat");
    assert_eq!(w.send("ids", &again).await.merged, 1, "a redelivery");
    let relay = format!(
        r#"{{"timestamp":"2026-09-21T14:13:21.000+0000","rule":{{"level":3,"description":"Suricata: Alert - rule 1","id":"86601","groups":["ids","suricata"]}},"agent":{{"id":"001","name":"sensor"}},"manager":{{"name":"m"}},"id":"1.2","decoder":{{"name":"json"}},"data":{},"location":"eve.json"}}"#,
        eve(61, 1, SCAN, 2, "203.0.113.9", "10.0.0.5")
    );
    assert_eq!(w.send("siem", &relay).await.merged, 1, "a relay by another tool");
    w.engine.read(|s| {
        assert_eq!(s.slots.len(), 1);
        assert_eq!(s.slots[0].count, 4);
        let l = s.ledger();
        assert!(l.balanced, "{l:?}");
        assert_eq!((l.total.received, l.total.merged), (4, 3));
        assert_eq!(l.sources["siem"].merged, 1);
    });
    let causes: Vec<_> = w.engine.occurrences(AlertId(1)).unwrap().into_iter().map(|o| o.cause).collect();
    assert_eq!(causes.len(), 3);
    assert!(causes[1].contains("sent again") && causes[2].contains("relayed"), "{causes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_inside_one_delivery_are_counted_like_any_other() {
    let w = World::new().await;
    let body: Vec<String> =
        (0..100).map(|n| eve(n, 1 + (n % 3) as u32, SCAN, 3, "203.0.113.9", "10.0.0.5")).collect();
    let ack = w.send("ids", &format!("[{}]", body.join(","))).await;
    assert_eq!((ack.accepted, ack.new, ack.merged), (100, 3, 97));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_after_the_window_or_with_higher_severity_opens_anew() {
    let w = World::new().await;
    w.send("ids", &eve(0, 1, SCAN, 3, "203.0.113.9", "10.0.0.5")).await;
    assert_eq!(w.send("ids", &eve(60, 1, SCAN, 1, "203.0.113.9", "10.0.0.5")).await.new, 1, "more severe");
    w.pass(Span::hours(48));
    assert_eq!(
        w.send("ids", &eve(2 * 86_400, 1, SCAN, 1, "203.0.113.9", "10.0.0.5")).await.new,
        1,
        "much later"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_kept_listed_and_can_be_tried_again() {
    let w = World::new().await;
    let ack = w.send("ids", "{\"event_type\":\"alert\", oops}").await;
    assert_eq!(ack.quarantined, 1);
    let (source, raw) = w.engine.quarantined(1).unwrap().unwrap();
    assert_eq!((source.as_str(), raw.as_slice()), ("ids", &b"{\"event_type\":\"alert\", oops}"[..]));
    let still_bad = Command::Retry { quarantine: 1, received: parsed("ids", "{nope"), who: lead() };
    assert!(w.order(still_bad).await.unwrap_err().to_string().contains("still cannot be read"));
    let good = parsed("ids", &eve(0, 1, SCAN, 2, "203.0.113.9", "10.0.0.5"));
    w.order(Command::Retry { quarantine: 1, received: good, who: lead() }).await.unwrap();
    w.engine.read(|s| {
        let l = s.ledger();
        assert!(l.balanced, "{l:?}");
        assert_eq!((l.total.received, l.total.quarantined, l.total.open), (1, 0, 1));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silence_hides_with_its_cause_and_nothing_else() {
    let w = World::new().await;
    let until = crate::world::START.plus(Span::hours(1));
    let set = Command::Silence {
        matchers: vec!["ip=10.0.0.0/24".into()],
        until,
        comment: "scan".into(),
        who: lead(),
    };
    w.order(set).await.unwrap();
    w.send("ids", &eve(0, 1, SCAN, 2, "203.0.113.9", "10.0.0.5")).await;
    w.send("ids", &eve(0, 1, SCAN, 2, "203.0.113.9", "10.0.1.5")).await;
    w.engine.read(|s| {
        assert!(s.place_of(&s.slots[0]).starts_with("suppressed: SIL-1"), "{}", s.place_of(&s.slots[0]));
        assert_eq!(s.slots[1].disposition, Disposition::Open);
        assert!(s.ledger().balanced);
    });
    w.pass(Span::hours(2));
    w.send("ids", &eve(7200, 2, SCAN, 2, "203.0.113.9", "10.0.0.5")).await;
    w.engine.read(|s| assert_eq!(s.slots[2].disposition, Disposition::Open, "the silence is over"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resolution_closes_only_what_its_own_source_claimed() {
    let w = World::new().await;
    let alert = |status: &str| {
        let end = if status == "resolved" { "2026-09-21T15:00:00Z" } else { "0001-01-01T00:00:00Z" };
        format!(
            r#"{{"version":"4","groupKey":"g","status":"{status}","receiver":"r","groupLabels":{{}},"commonLabels":{{}},"commonAnnotations":{{}},"externalURL":"","alerts":[{{"status":"{status}","labels":{{"alertname":"DiskFull","instance":"db-1","severity":"info"}},"annotations":{{}},"startsAt":"2026-09-21T14:00:00Z","endsAt":"{end}","generatorURL":"","fingerprint":"aa"}}]}}"#
        )
    };
    w.send("metrics", &alert("firing")).await;
    w.send("metrics-2", &alert("resolved")).await;
    w.engine
        .read(|s| assert_eq!(s.slots[0].disposition, Disposition::Open, "another source cannot close it"));
    w.send("metrics", &alert("resolved")).await;
    w.engine.read(|s| {
        assert_eq!(s.place_of(&s.slots[0]), "closed: resolved by its source");
        assert!(s.ledger().balanced);
    });
    assert_eq!(w.send("metrics", &alert("firing")).await.new, 1, "it has begun again");
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_alerts_become_one_story_that_cites_its_evidence() {
    let w = World::new().await;
    // An hour of scanning by one machine over two hundred targets, then one of them calls it.
    let mut lines: Vec<String> = (0..3000)
        .map(|n| eve(n, 10 + (n % 7) as u32, SCAN, 2, "203.0.113.9", &format!("10.0.0.{}", 1 + n % 200)))
        .collect();
    lines.push(call_home(3600, "10.0.0.7", "203.0.113.9"));
    for chunk in lines.chunks(500) {
        w.send("ids", &chunk.join("\n")).await;
    }
    w.until("one incident", |s| s.incidents.len() == 1 && s.ledger().total.open == 0).await;
    w.engine.read(|s| {
        let i = &s.incidents[&IncidentId(1)];
        assert_eq!(i.kind(), "c2");
        assert_eq!(i.peer().unwrap().to_string(), "203.0.113.9");
        let story = story(s, i);
        assert_eq!(story.title, "Command and control: host-10-0-0-7 (10.0.0.7) → 203.0.113.9");
        assert_eq!(story.records, 3001);
        assert!(story.happened.len() <= 12, "{:#?}", story.happened);
        assert!(story.happened.iter().all(|s| !s.alerts.is_empty()), "every sentence rests on alerts");
        assert!(story.happened.windows(2).all(|w| w[0].at <= w[1].at), "in order");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn two_attacks_stay_two_incidents_and_a_bridge_makes_them_one() {
    let w = World::new().await;
    w.send("ids", &call_home(0, "10.0.0.7", "203.0.113.9")).await;
    w.send("ids", &call_home(10, "10.0.9.9", "192.0.2.44")).await;
    w.until("two incidents", |s| s.incidents.len() == 2).await;
    w.send("ids", &call_home(20, "10.0.0.7", "192.0.2.44")).await;
    w.until("merged", |s| s.incidents[&IncidentId(2)].merged_into == Some(IncidentId(1))).await;
    w.order(Command::Unmerge { incident: IncidentId(2), who: lead() }).await.unwrap();
    w.send("ids", &call_home(30, "10.0.0.7", "192.0.2.45")).await;
    w.engine.read(|s| {
        assert_eq!(s.incidents[&IncidentId(2)].merged_into, None, "a person's word holds");
        assert_eq!(s.incidents[&IncidentId(2)].status, Status::Triggered);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_split_moves_alerts_into_an_incident_of_their_own_and_back() {
    let w = World::new().await;
    w.send("ids", &call_home(0, "10.0.0.7", "203.0.113.9")).await;
    w.until("an incident", |s| s.incidents.len() == 1).await;
    w.send("ids", &eve(5, 9, SCAN, 2, "10.0.0.7", "10.0.0.8")).await;
    w.until("joined", |s| s.incidents[&IncidentId(1)].alerts.len() == 2).await;
    let alerts = vec![AlertId(2)];
    let split = Command::Split { from: IncidentId(1), alerts: alerts.clone(), to: None, who: lead() };
    assert_eq!(w.order(split).await.unwrap().incident, Some(IncidentId(2)));
    w.engine.read(|s| {
        assert_eq!(s.incidents[&IncidentId(1)].alerts.len(), 1);
        assert_eq!(s.incidents[&IncidentId(2)].alerts.len(), 1);
        assert!(s.ledger().balanced);
    });
    let back = Command::Split { from: IncidentId(2), alerts, to: Some(IncidentId(1)), who: lead() };
    w.order(back).await.unwrap();
    w.engine.read(|s| assert_eq!(s.incidents[&IncidentId(1)].alerts.len(), 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_looks_at_any_more_does_not_swallow_repeats() {
    let w = World::new().await;
    w.send("ids", &call_home(0, "10.0.0.7", "203.0.113.9")).await;
    w.until("an incident", |s| s.incidents.len() == 1).await;
    assert_eq!(w.send("ids", &call_home(60, "10.0.0.7", "203.0.113.9")).await.merged, 1);
    let resolve = Command::Resolve {
        incident: IncidentId(1),
        who: lead(),
        text: "cleaned".into(),
        leave_changes: true,
    };
    w.order(resolve).await.unwrap();
    assert_eq!(
        w.send("ids", &call_home(120, "10.0.0.7", "203.0.113.9")).await.new,
        1,
        "resolved, yet here again"
    );
    w.until("a second incident", |s| s.incidents.len() == 2).await;

    let until = crate::world::START.plus(Span::hours(1));
    let set =
        Command::Silence { matchers: vec!["ip=10.0.1.5".into()], until, comment: "x".into(), who: lead() };
    w.order(set).await.unwrap();
    assert_eq!(w.send("ids", &eve(200, 5, SCAN, 2, "203.0.113.77", "10.0.1.5")).await.new, 1);
    assert_eq!(
        w.send("ids", &eve(210, 5, SCAN, 2, "203.0.113.77", "10.0.1.5")).await.merged,
        1,
        "still silenced"
    );
    w.pass(Span::hours(2));
    assert_eq!(
        w.send("ids", &eve(7300, 5, SCAN, 2, "203.0.113.77", "10.0.1.5")).await.new,
        1,
        "silence is over"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merged_record_can_be_taken_out_again() {
    let w = World::new().await;
    w.send("ids", &eve(0, 1, SCAN, 2, "203.0.113.9", "10.0.0.5")).await;
    w.send("ids", &eve(60, 1, SCAN, 2, "203.0.113.9", "10.0.0.5")).await;
    let o = w.engine.occurrences(AlertId(1)).unwrap().remove(0);
    let raw = w.engine.record(o.entry, o.delivery, o.record).unwrap().unwrap();
    let received = parsed("ids", std::str::from_utf8(&raw).unwrap());
    let place = (o.entry, o.delivery, o.record);
    w.order(Command::SplitOccurrence { alert: AlertId(1), place, received, who: lead() }).await.unwrap();
    let received = parsed("ids", std::str::from_utf8(&raw).unwrap());
    let twice = Command::SplitOccurrence { alert: AlertId(1), place, received, who: lead() };
    assert!(w.order(twice).await.is_err(), "a record is taken out once");
    w.engine.read(|s| {
        assert_eq!(s.slots.iter().map(|s| s.count).collect::<Vec<_>>(), [1, 1]);
        assert!(s.ledger().balanced, "{:?}", s.ledger());
    });
    assert_eq!(w.engine.alert(AlertId(2)).unwrap().unwrap().1, raw);
}
