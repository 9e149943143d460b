//! Correlation rules that people wrote open incidents, name themselves as the reason, and mix no sites.

use stanch_core::journal::State;

use crate::world::{World, eve, parsed};

const MANY: &str = "title: Many faint signs\nlevel: high\ncorrelation:\n  type: event_count\n  rules: [rule 9001, rule 9002]\n  \
                    group-by: [dst_ip]\n  timespan: 5m\n  condition: { gte: 3 }\n";

fn faint(at: i64, sid: u32, src: &str) -> String {
    eve(at, sid, "Not Suspicious Traffic", 3, src, "10.0.0.80")
}

fn reasons(s: &State) -> Vec<String> {
    s.incidents.values().flat_map(|i| i.alerts.iter().map(|a| a.because.clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_of_faint_alerts_opens_an_incident_and_is_its_reason() {
    let world = World::with(&[("correlations/many.yaml", MANY)]).await;
    world.send("ids", &faint(1, 9001, "203.0.113.1")).await;
    world.send("ids", &faint(2, 9002, "203.0.113.2")).await;
    world.until("two alerts and no incident", |s| s.slots.len() == 2 && s.incidents.is_empty()).await;
    world.send("ids", &faint(3, 9001, "203.0.113.3")).await;
    world.until("the pattern has opened an incident", |s| s.incidents.len() == 1).await;
    world
        .until("it holds all three, with the rule as the reason", |s| {
            let all = reasons(s);
            all.len() == 3
                && all.iter().filter(|r| r.contains("correlation \"Many faint signs\"")).count() >= 2
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_pattern_the_same_alerts_open_nothing_and_sites_are_not_mixed() {
    let world = World::with(&[("correlations/many.yaml", MANY)]).await;
    for (at, site) in [(1, "north"), (2, "south"), (3, "north")] {
        let mut received = parsed("ids", &faint(at, 9001, &format!("203.0.113.{at}")));
        received.site = site.into();
        world.engine.receive(received).await.unwrap();
    }
    world
        .until("three alerts, two sites, no incident", |s| s.slots.len() == 3 && s.incidents.is_empty())
        .await;
}
