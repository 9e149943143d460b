//! Verdicts grow a model, off the engine's thread; what was scored stays, and a restart forgets nothing.

use stanch_core::journal::State;
use stanch_core::journal::opinion::Opinion;
use stanch_engine::{Command, recover};
use stanch_model::{AlertId, IncidentId};

use crate::replay::again;
use crate::world::{World, eve, lead, rules_of};

const CLASS: &str = "A Network Trojan was detected";

/// The nth alert: every third is what matters. Machines differ, so that each opens an incident of its own.
fn alert(n: u64) -> String {
    let sid = if n.is_multiple_of(3) { 77 } else { 88 };
    eve(n as i64 * 60, sid, CLASS, 1, &format!("10.{n}.0.7"), &format!("203.0.113.{n}"))
}

async fn judged(w: &World, n: u64) {
    w.send("ids", &alert(n)).await;
    let incident = IncidentId(n);
    w.until("an incident", |s| s.incidents.contains_key(&incident)).await;
    let opinion = if n.is_multiple_of(3) { Opinion::True } else { Opinion::False };
    w.order(Command::Judge { incident, who: lead(), opinion, of: None, team: None, text: String::new() })
        .await
        .unwrap();
}

fn scores(s: &State) -> Vec<u16> {
    s.slots.iter().map(|s| s.score).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn verdicts_grow_a_model_that_scores_tells_why_and_outlives_a_restart() {
    // Even what people keep calling noise is to become an incident here, so that it can be judged.
    let low = ("policies/triage.yaml", "incident_at: 0.02\nenrich_at: 0.01\n");
    let mut w = World::with(&[low]).await;
    for n in 1..=15 {
        judged(&w, n).await;
    }
    w.until("a model", |s| s.learnt.model().is_some() && s.learnt.wanted().is_none()).await;
    let before = w.engine.read(scores);
    w.send("ids", &alert(16)).await;
    w.send("ids", &alert(18)).await;
    let (noise, real) = w.engine.read(|s| (s.slots[15].score, s.slots[16].score));
    assert!(noise + 200 < real, "noise {noise}, real {real}");
    let why = w.engine.reasons(AlertId(16)).unwrap();
    assert!(why.iter().any(|r| r.contains("trees/1, grown from")), "{why:?}");
    assert!(why.iter().any(|r| r.starts_with("people called 0 of")), "{why:?}");
    assert_eq!(w.engine.read(scores)[..15], before, "what was scored stays as it was");

    w.until("every look-up answered", |s| s.pending.is_empty()).await;
    let (live, upto) = w.engine.read(|s| (s.learnt.folded(), s.learnt.model().map(|m| m.0)));
    w = w.restart().await;
    let (restarted, then) = w.engine.read(|s| (s.learnt.folded(), s.learnt.model().map(|m| m.0)));
    assert_eq!((live, upto), (restarted, then));
    // The model is grown again from the fold; it must be the same model, to the last tree.
    w.send("ids", &alert(17)).await;
    let score = w.engine.read(|s| s.slots[17].score);
    w.until("every look-up answered", |s| s.pending.is_empty()).await;
    // The time machine grows the same model at the same verdict, and comes to the same digest each time.
    let rules = rules_of(&[(low.0, low.1.to_owned())]);
    let (one, two) = (again(&w, &rules), again(&w, &rules));
    assert_eq!(one.digest, two.digest);
    assert_eq!(one.state.learnt.model().map(|m| m.0), upto);
    w.engine.stop().await;
    let folded = recover(&w.journal.reopen()).unwrap();
    assert_eq!(folded.slots[17].score, score);
    assert_eq!(folded.learnt.model().map(|m| m.0), upto);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_verdicts_grow_nothing_and_scores_are_the_untrained_ones() {
    let w = World::new().await;
    for n in 1..=4 {
        judged(&w, n).await;
    }
    assert!(w.engine.read(|s| s.learnt.model().is_none() && s.learnt.wanted().is_none()));
    let why = w.engine.reasons(AlertId(4)).unwrap();
    assert!(why.iter().all(|r| !r.starts_with("model ")), "{why:?}");
}
