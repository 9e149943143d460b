//! The laws: folding the journal gives the live state, and everything received is counted once,
//! whatever comes in, in whatever order, with restarts between.

use proptest::prelude::*;
use stanch_core::journal::opinion::Opinion;
use stanch_engine::{Command, recover};
use stanch_model::{IncidentId, Span};

use crate::world::{World, call_home, eve, lead, summary};

#[derive(Clone, Debug)]
enum Move {
    Send(Vec<(u8, u8, u8)>),
    Junk,
    Pass(u16),
    Acknowledge(u64),
    Resolve(u64),
    Merge(u64, u64),
    Approve(u64),
    Judge(u64, bool),
    Restart,
    /// The next message to the chat goes wrong in some way; nothing where there is none.
    Trouble(u8),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        6 => prop::collection::vec((0u8..6, 0u8..8, 0u8..3), 1..20).prop_map(Move::Send),
        1 => Just(Move::Junk),
        2 => (1u16..4000).prop_map(Move::Pass),
        1 => (1u64..4).prop_map(Move::Acknowledge),
        1 => (1u64..4).prop_map(Move::Resolve),
        1 => (1u64..4, 1u64..4).prop_map(|(a, b)| Move::Merge(a, b)),
        1 => (1u64..3).prop_map(Move::Approve),
        1 => (1u64..5, any::<bool>()).prop_map(|(n, real)| Move::Judge(n, real)),
        1 => Just(Move::Restart),
        2 => any::<u8>().prop_map(Move::Trouble),
    ];
    prop::collection::vec(one, 1..24)
}

async fn play(mut w: World, moves: Vec<Move>) -> Result<(), TestCaseError> {
    let mut clock = 0i64;
    let mut sent = 0u64;
    for m in moves {
        match m {
            Move::Send(alerts) => {
                let lines: Vec<String> = alerts
                    .iter()
                    .map(|(victim, rule, kind)| match kind {
                        0 => call_home(clock, &format!("10.0.0.{victim}"), &format!("203.0.113.{rule}")),
                        _ => eve(
                            clock,
                            u32::from(*rule),
                            "Attempted Information Leak",
                            2,
                            &format!("203.0.113.{rule}"),
                            &format!("10.0.0.{victim}"),
                        ),
                    })
                    .collect();
                sent += lines.len() as u64;
                let ack = w.send(if clock % 2 == 0 { "ids" } else { "ids-2" }, &lines.join("\n")).await;
                prop_assert_eq!(ack.accepted, ack.new + ack.merged + ack.context + ack.quarantined);
            }
            Move::Junk => {
                sent += 1;
                w.send("ids", "{\"half\": ").await;
            }
            Move::Pass(s) => {
                clock += i64::from(s);
                w.pass(Span::secs(i64::from(s)));
            }
            Move::Acknowledge(n) => {
                drop(w.order(Command::Acknowledge { incident: IncidentId(n), who: lead() }).await)
            }
            Move::Resolve(n) => {
                let (incident, text) = (IncidentId(n), String::new());
                drop(w.order(Command::Resolve { incident, who: lead(), text, leave_changes: true }).await);
            }
            Move::Merge(a, b) => {
                let (from, into, because) = (IncidentId(a), IncidentId(b), String::new());
                drop(w.order(Command::Merge { from, into, who: lead(), because }).await);
            }
            Move::Approve(n) => {
                let id = stanch_model::ApprovalId(n);
                if let Some(digest) = w.engine.read(|s| s.approvals.get(&id).map(|a| a.approval.digest())) {
                    let yes = Command::Decide {
                        approval: id,
                        who: lead(),
                        digest,
                        approve: true,
                        reason: None,
                        proof: None,
                    };
                    drop(w.order(yes).await);
                }
            }
            Move::Judge(n, real) => {
                let opinion = if real { Opinion::True } else { Opinion::False };
                let (incident, text) = (IncidentId(n), String::new());
                drop(
                    w.order(Command::Judge { incident, who: lead(), opinion, of: None, team: None, text })
                        .await,
                );
            }
            Move::Restart => w = w.restart().await,
            Move::Trouble(n) => w.chat.iter().for_each(|chat| chat.trouble(n)),
        }
        let ledger = w.engine.read(stanch_core::journal::State::ledger);
        prop_assert!(ledger.balanced, "{:?}", ledger);
        prop_assert_eq!(ledger.total.received, sent);
    }
    let told = crate::chat::check(&w).await;
    prop_assert!(told.is_ok(), "{}", told.unwrap_err());
    w.engine.stop().await;
    let live = w.engine.read(summary);
    let folded = recover(&w.journal.reopen()).expect("readable");
    prop_assert_eq!(live, summary(&folded), "the fold differs from the live state");
    prop_assert!(w.device.doubles().is_empty(), "{:?}", w.device.ledger());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn folding_the_journal_gives_the_live_state_and_nothing_is_lost(moves in moves()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async { play(World::new().await, moves).await })?;
    }

    /// The same where a team is told by a chat that fails: besides, no page is lost, what is told twice was
    /// told twice by failing, and the channel's budget is kept.
    #[test]
    fn a_chat_that_fails_loses_no_page_and_gets_no_more_than_it_may(moves in moves()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async { play(World::with_chat().await, moves).await })?;
    }
}
