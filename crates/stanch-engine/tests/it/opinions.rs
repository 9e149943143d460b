//! What people found out changes what comes next.

use stanch_core::journal::opinion::{Opinion, noise};
use stanch_engine::Command;
use stanch_model::{AlertId, IncidentId, Span};

use crate::world::{World, call_home, lead};

#[tokio::test(flavor = "multi_thread")]
async fn verdicts_lower_the_rule_are_told_as_a_reason_and_survive_a_restart() {
    let mut w = World::new().await;
    let mut scores = Vec::new();
    for n in 1..=4_u64 {
        let (victim, server) = (format!("10.0.{n}.7"), format!("203.0.113.{n}"));
        w.send("ids", &call_home(n as i64 * 40_000, &victim, &server)).await;
        let incident = IncidentId(n);
        w.until("an incident", |s| s.incidents.contains_key(&incident)).await;
        scores.push(w.engine.read(|s| s.slot(AlertId(n)).unwrap().score));
        let judge = Command::Judge {
            incident,
            who: lead(),
            opinion: Opinion::False,
            of: None,
            team: None,
            text: "our scanner".into(),
        };
        w.order(judge).await.unwrap();
        w.pass(Span::hours(11));
    }
    assert!(scores[3] < scores[0], "four refusals must weigh: {scores:?}");
    // The same person may change their mind; the incident still counts once.
    let judge = |opinion| Command::Judge {
        incident: IncidentId(1),
        who: lead(),
        opinion,
        of: None,
        team: None,
        text: String::new(),
    };
    w.order(judge(Opinion::Benign)).await.unwrap();
    let proposals = w.engine.read(noise);
    assert_eq!(proposals.len(), 1, "{proposals:?}");
    assert_eq!((proposals[0].refuted, proposals[0].hidden_confirmed, proposals[0].hides), (4, 0, 4));
    w = w.restart().await;
    assert_eq!(w.engine.read(noise), proposals, "an opinion is a fact of the journal");
    // One true incident with this rule, and nothing is proposed any more.
    w.order(judge(Opinion::True)).await.unwrap();
    assert!(w.engine.read(noise).is_empty());
    let gone = Command::Judge {
        incident: IncidentId(99),
        who: lead(),
        opinion: Opinion::True,
        of: None,
        team: None,
        text: String::new(),
    };
    assert!(w.order(gone).await.is_err());
}
