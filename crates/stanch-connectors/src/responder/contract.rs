//! One suite for every responder and every kind of change: six tests that compare the target's real
//! state before and after.
//!
//! Apply, apply twice, undo, undo twice, undo without apply, and fail at each exchange with the
//! target and unwind. Each must end in the exact state before. A responder that claims "nothing was
//! changed" when something was is found by the last. Source: P-7, P-9.

pub(crate) mod cutter;
pub(crate) mod daemon;
pub(crate) mod wired;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use stanch_model::port::Responder;
use stanch_model::{Action, ActionId, ActionKind, Failure, IncidentId, Observed, Span};

/// No responder talks to its target more often than this for one verb.
const MOST_EXCHANGES: usize = 12;

/// Which exchange with the target is lost, and how much of it.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    /// How many exchanges go well before.
    pub(crate) after: usize,
    /// What becomes of the one after that.
    pub(crate) lost: Lost,
    /// Set when it happened.
    pub(crate) struck: Arc<AtomicBool>,
}

/// What is lost of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The request never arrives.
    Request,
    /// The target does what it was asked, and its answer never arrives.
    Answer,
}

/// A target for the suite: real wherever one can be installed.
#[async_trait]
pub(crate) trait Bench {
    /// A responder for it, with nothing in memory; with a cut, one exchange is lost.
    async fn responder(&self, cut: Option<Cut>) -> Box<dyn Responder>;
    /// What to change.
    fn kind(&self) -> ActionKind;
    /// All that the target holds, without timers and counters that run by themselves.
    async fn state(&self) -> String;
}

/// An action for `kind`, as the engine hands it over: captured, if `responder` captures.
pub(crate) async fn captured(
    responder: &dyn Responder,
    kind: ActionKind,
    id: u64,
) -> Result<Action, Failure> {
    let mut action = bare(kind, id);
    action.before = responder.capture(&action).await?;
    Ok(action)
}

/// An action before its capture.
pub(crate) fn bare(kind: ActionKind, id: u64) -> Action {
    Action {
        id: ActionId(id),
        incident: IncidentId(1),
        responder: "lab".to_owned(),
        kind,
        ttl: Span::mins(10),
        before: None,
    }
}

pub(crate) fn is_present(seen: &Result<Observed, Failure>) -> bool {
    matches!(seen, Ok(Observed::Present { .. }))
}

/// All six.
pub(crate) async fn run(bench: &dyn Bench) {
    apply_and_undo_each_once_and_twice(bench).await;
    undo_without_apply_changes_nothing(bench).await;
    a_loss_at_any_exchange_of_apply_unwinds(bench).await;
    a_loss_at_any_exchange_of_undo_unwinds(bench).await;
}

async fn apply_and_undo_each_once_and_twice(bench: &dyn Bench) {
    let before = bench.state().await;
    let device = bench.responder(None).await;
    assert!(device.can(&bench.kind()));
    let action = captured(&*device, bench.kind(), 1).await.expect("captured");
    assert_eq!(bench.state().await, before, "a capture changes nothing");
    assert_eq!(device.verify(&action).await, Ok(Observed::Absent), "before apply");

    let seen = device.perform(&action).await;
    assert!(is_present(&seen), "apply: {seen:?}");
    let applied = bench.state().await;
    assert_ne!(applied, before, "apply changes the target");
    // A process that was started again remembers nothing.
    let device = bench.responder(None).await;
    let seen = device.perform(&action).await;
    assert!(is_present(&seen), "apply twice: {seen:?}");
    assert_eq!(bench.state().await, applied, "apply twice is apply once");
    let seen = device.verify(&action).await;
    assert!(is_present(&seen), "verify: {seen:?}");
    assert_eq!(bench.state().await, applied, "verify changes nothing");

    for times in ["undo", "undo twice"] {
        let device = bench.responder(None).await;
        assert_eq!(device.revert(&action).await, Ok(Observed::Absent), "{times}");
        assert_eq!(bench.state().await, before, "{times} restores the target exactly");
        assert_eq!(device.verify(&action).await, Ok(Observed::Absent), "after {times}");
    }
}

async fn undo_without_apply_changes_nothing(bench: &dyn Bench) {
    let before = bench.state().await;
    let device = bench.responder(None).await;
    let action = captured(&*device, bench.kind(), 2).await.expect("captured");
    assert_eq!(device.revert(&action).await, Ok(Observed::Absent));
    assert_eq!(device.revert(&bare(bench.kind(), 3)).await, Ok(Observed::Absent), "before any capture");
    assert_eq!(bench.state().await, before);
}

async fn a_loss_at_any_exchange_of_apply_unwinds(bench: &dyn Bench) {
    let before = bench.state().await;
    for (round, cut) in cuts().enumerate() {
        let sound = bench.responder(None).await;
        let action = captured(&*sound, bench.kind(), 100 + round as u64).await.expect("captured");
        let seen = bench.responder(Some(cut.clone())).await.perform(&action).await;
        let now = bench.state().await;
        match &seen {
            Err(Failure::Unknown { .. }) => {}
            Err(certain) => assert_eq!(now, before, "{cut:?}: said to be certain: {certain}"),
            Ok(Observed::Present { .. }) => assert_ne!(now, before, "{cut:?}: said to be there"),
            Ok(other) => assert_eq!(now, before, "{cut:?}: {other:?}"),
        }
        let look = sound.verify(&action).await;
        assert_eq!(is_present(&look), now != before, "{cut:?}: a look tells what is so: {look:?}");
        // The same order again, as after a restart, takes effect once.
        let again = sound.perform(&action).await;
        assert!(is_present(&again), "{cut:?}: {again:?}");
        assert_eq!(sound.revert(&action).await, Ok(Observed::Absent), "{cut:?}");
        assert_eq!(bench.state().await, before, "{cut:?} was unwound");
        if !cut.struck.load(Ordering::SeqCst) && cut.lost == Lost::Answer {
            return;
        }
    }
    panic!("more than {MOST_EXCHANGES} exchanges");
}

async fn a_loss_at_any_exchange_of_undo_unwinds(bench: &dyn Bench) {
    let before = bench.state().await;
    for (round, cut) in cuts().enumerate() {
        let sound = bench.responder(None).await;
        let action = captured(&*sound, bench.kind(), 200 + round as u64).await.expect("captured");
        let seen = sound.perform(&action).await;
        assert!(is_present(&seen), "{cut:?}: {seen:?}");
        let applied = bench.state().await;
        let seen = bench.responder(Some(cut.clone())).await.revert(&action).await;
        let now = bench.state().await;
        match &seen {
            Ok(_) => assert_eq!(now, before, "{cut:?}: said to be gone"),
            Err(Failure::Unknown { .. }) => {}
            Err(certain) => assert_eq!(now, applied, "{cut:?}: said to be certain: {certain}"),
        }
        assert_eq!(sound.revert(&action).await, Ok(Observed::Absent), "{cut:?}");
        assert_eq!(bench.state().await, before, "{cut:?} was unwound");
        if !cut.struck.load(Ordering::SeqCst) && cut.lost == Lost::Answer {
            return;
        }
    }
    panic!("more than {MOST_EXCHANGES} exchanges");
}

/// Every exchange, lost on its way there and on its way back.
fn cuts() -> impl Iterator<Item = Cut> {
    (0..MOST_EXCHANGES).flat_map(|after| {
        [Lost::Request, Lost::Answer].map(|lost| Cut { after, lost, struck: Arc::default() })
    })
}
