//! Every kind of change against every way to go wrong.

use stanch_model::{IncidentId, Span, Transport};

use super::*;
use crate::responder::Simulated;

fn block() -> Action {
    Action {
        id: ActionId(4),
        incident: IncidentId(1),
        responder: "fw".to_owned(),
        kind: ActionKind::BlockAddress { target: "203.0.113.9/32".parse().expect("address") },
        ttl: Span::mins(10),
        before: None,
    }
}

#[tokio::test]
async fn a_lost_answer_leaves_the_effect_and_a_repeat_adds_none() {
    let fw = Faulty::new(Simulated::in_real_time("fw"));
    fw.next(Fault::TimeoutAfterApply);
    assert!(matches!(fw.perform(&block()).await, Err(Failure::Unknown { .. })));
    assert!(matches!(fw.perform(&block()).await, Ok(Observed::Present { .. })));
    let effects: Vec<bool> = fw.ledger().iter().map(|line| line.effect).collect();
    assert_eq!(effects, [true, false]);
    assert_eq!(fw.doubles(), vec![]);
}

#[tokio::test]
async fn a_lie_is_seen_by_verify() {
    let fw = Faulty::new(Simulated::in_real_time("fw"));
    fw.next(Fault::LieOnPerform);
    assert!(matches!(fw.perform(&block()).await, Ok(Observed::Present { .. })));
    assert_eq!(fw.verify(&block()).await, Ok(Observed::Absent));
}

#[tokio::test]
async fn an_error_before_apply_changes_nothing_and_a_forgetful_device_shows_as_double() {
    let fw = Faulty::new(Simulated::in_real_time("fw"));
    fw.next(Fault::ErrorBefore(Failure::transient("no route")));
    assert!(fw.perform(&block()).await.is_err());
    assert_eq!(fw.verify(&block()).await, Ok(Observed::Absent));
    fw.perform(&block()).await.expect("performed");
    fw.device().flush();
    fw.perform(&block()).await.expect("performed again");
    assert_eq!(fw.doubles(), vec![ActionId(4)]);
}

fn every_kind() -> Vec<ActionKind> {
    let target = || "203.0.113.0/28".parse().expect("prefix");
    let account = || "alice".to_owned();
    vec![
        ActionKind::BlockAddress { target: target() },
        ActionKind::LimitAddress { target: target(), packets_per_second: 10 },
        ActionKind::BlockPort { target: target(), protocol: Transport::Tcp, port: 445 },
        ActionKind::QuarantinePort { port: "eth5".into(), vlan: 999 },
        ActionKind::LockAccount { account: account() },
        ActionKind::UnlockAccount { account: account() },
        ActionKind::ResetCredential { account: account() },
        ActionKind::RemoveFromGroup { account: account(), group: "vpn".into() },
        ActionKind::SinkholeDomain { domain: "bad.example".into() },
        ActionKind::Call { call: "isolate".into(), subject: "ws-12".into(), inputs: Default::default() },
    ]
}

fn every_fault() -> Vec<Fault> {
    vec![
        Fault::ErrorBefore(Failure::transient("no route")),
        Fault::ErrorBefore(Failure::RateLimited { why: "429".into(), retry_after: Span::secs(1) }),
        Fault::ErrorBefore(Failure::unknown("500, and nothing was done")),
        Fault::TimeoutAfterApply,
        Fault::ErrorAfterApply,
        Fault::HalfApply,
        Fault::LieOnPerform,
        Fault::LieOnRevert,
        Fault::LieOnVerify,
        Fault::BlindVerify(Failure::transient("no answer")),
        Fault::Duplicate,
    ]
}

/// As the engine does it: an outcome is believed when a look shows it; what is certainly not there is
/// ordered again; two looks that differ are for a person. True when it was settled.
async fn settle(fw: &Faulty<Simulated>, action: &Action) -> bool {
    for _ in 0..4 {
        let _ = fw.perform(action).await;
        let (first, second) = (fw.verify(action).await, fw.verify(action).await);
        if first == second && matches!(first, Ok(Observed::Present { .. })) {
            return true;
        }
    }
    false
}

#[tokio::test]
async fn every_kind_survives_every_pair_of_faults_without_a_second_effect_and_is_undone() {
    let (mut pairs, faults) = (0, every_fault());
    for kind in every_kind() {
        for first in &faults {
            for second in &faults {
                let still = Simulated::new("fw", Arc::new(|| stanch_model::Timestamp(0)));
                let fw = Faulty::new(still).with_half(Arc::new(|device, action| device.half(action)));
                let action = Action { kind: kind.clone(), ..block() };
                fw.next(first.clone());
                fw.next(second.clone());
                assert!(settle(&fw, &action).await, "{kind:?} {first:?} {second:?}: {:?}", fw.ledger());
                assert_eq!(fw.doubles(), vec![], "{kind:?} {first:?} {second:?}");
                let there = fw.device().verify(&action).await;
                assert!(matches!(there, Ok(Observed::Present { .. })), "{first:?} {second:?}: {there:?}");
                for _ in 0..4 {
                    let _ = fw.revert(&action).await;
                }
                let left = fw.device().verify(&action).await;
                assert_eq!(left, Ok(Observed::Absent), "{kind:?} {first:?} {second:?}");
                pairs += 1;
            }
        }
    }
    assert_eq!(pairs, 10 * faults.len() * faults.len());
}

#[tokio::test]
async fn half_a_change_is_neither_there_nor_gone() {
    let fw = Faulty::new(Simulated::in_real_time("fw"));
    let fw = fw.with_half(Arc::new(|device, action| device.half(action)));
    fw.next(Fault::HalfApply);
    assert!(matches!(fw.perform(&block()).await, Ok(Observed::Present { .. })), "it says so");
    assert!(matches!(fw.verify(&block()).await, Ok(Observed::Different { .. })), "it is not so");
    assert_eq!(fw.revert(&block()).await, Ok(Observed::Absent));
    assert_eq!(fw.verify(&block()).await, Ok(Observed::Absent));
}
