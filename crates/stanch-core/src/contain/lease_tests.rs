use std::collections::BTreeSet;

use stanch_model::{ActionId, ActionKind, ApprovalId, RunId};

use super::*;
use crate::journal::event::{ActionEnd, LeaseRenewed};

const NOW: Timestamp = Timestamp(1_772_576_000_000);
const INC: IncidentId = IncidentId(3);

fn seal() -> Seal {
    Seal::new(&[7; 32])
}

/// A change for four hours that has been in force for one.
fn state() -> ActionState {
    let action = Action {
        id: ActionId(4),
        incident: INC,
        responder: "edge-fw".into(),
        kind: ActionKind::LockAccount { account: "alice".into() },
        ttl: Span::hours(4),
        before: None,
    };
    let what = Sealed { run: RunId(2), action: &action, approval: Some(ApprovalId(1)), preauthorised: None };
    ActionState {
        permit: Permit::from_journal(action.clone()),
        seal: seal().of_permit(what),
        action,
        run: RunId(2),
        step: String::new(),
        permitted_at: NOW.plus(Span::hours(-1)),
        approval: Some(ApprovalId(1)),
        because: vec![],
        observed: Some((NOW, Observed::Present { expires_in: None })),
        in_force: Some((NOW.plus(Span::hours(-1)), NOW.plus(Span::hours(3)))),
        ended: None,
        holders: BTreeSet::from([INC]),
        let_go: Default::default(),
        preauthorised: None,
        lasting: false,
        renewed: None,
        repairs: 0,
    }
}

fn with(change: impl FnOnce(&mut ActionState)) -> ActionState {
    let mut a = state();
    change(&mut a);
    a
}

fn ended(a: &mut ActionState) {
    a.ended = Some((NOW, ActionEnd::Lifted, String::new()));
}

fn renewed(a: &mut ActionState, until: Timestamp, seal: String) {
    a.in_force = a.in_force.map(|(since, _)| (since, until));
    a.renewed = Some(LeaseRenewed { action: ActionId(4), until, approval: ApprovalId(9), seal });
}

/// How long the change may hold from now on, and whether it is made again; or why not.
fn passed(a: &ActionState) -> String {
    match pass(a, &seal(), NOW) {
        Ok(p) => format!("{} again={} before={:?}", p.permit.action().ttl, p.again, p.permit.action().before),
        Err(why) => why.0,
    }
}

#[test]
fn a_sealed_permit_passes_for_its_whole_time_or_for_the_rest_of_it() {
    assert_eq!(passed(&with(|a| a.in_force = None)), "4h again=false before=None");
    assert_eq!(
        passed(&with(|a| (a.in_force, a.action.before) = (None, Some("x".into())))),
        "4h again=false before=Some(\"x\")"
    );
    assert_eq!(passed(&state()), "3h again=true before=None");
    assert_eq!(
        passed(&with(|a| a.in_force = Some((NOW, NOW.plus(Span::hours(9)))))),
        "4h again=true before=None"
    );
    assert_eq!(passed(&with(|a| a.in_force = Some((NOW, NOW.plus(Span(1)))))), "1ms again=true before=None");
    assert_eq!(passed(&with(|a| a.in_force = Some((NOW, NOW)))), "the time of ACT-4 is over");
    assert_eq!(passed(&with(ended)), "ACT-4 is over");
}

/// Abuse case 14: the row of a permit, written or changed by hand.
#[test]
fn abuse_14_a_permit_row_written_or_changed_by_hand_is_never_acted_upon() {
    let no_seal = "the permit of ACT-4 does not carry our seal; nothing is changed";
    assert_eq!(passed(&with(|a| a.seal.clear())), no_seal);
    assert_eq!(passed(&with(|a| a.seal = "00".repeat(32))), no_seal);
    let kind = ActionKind::LockAccount { account: "root".into() };
    let other = with(|a| a.permit = Permit::from_journal(Action { kind, ..a.action.clone() }));
    assert_eq!(passed(&other), no_seal);
    let longer =
        with(|a| a.permit = Permit::from_journal(Action { ttl: Span::hours(5), ..a.action.clone() }));
    assert_eq!(passed(&longer), no_seal);
    assert_eq!(passed(&with(|a| a.run = RunId(3))), no_seal);
    assert_eq!(passed(&with(|a| a.approval = None)), no_seal);
    assert_eq!(passed(&with(|a| a.preauthorised = Some("x".into()))), no_seal);
    assert!(pass(&state(), &Seal::none(), NOW).is_err());
    assert!(pass(&state(), &Seal::new(&[8; 32]), NOW).is_err());
}

#[test]
fn a_later_end_passes_only_with_a_seal_of_its_own() {
    let until = NOW.plus(Span::hours(9));
    let mac = seal().of_renewal(ActionId(4), until, ApprovalId(9));
    assert_eq!(passed(&with(|a| renewed(a, until, mac.clone()))), "9h again=true before=None");
    let no_seal = "the later end of ACT-4 does not carry our seal; nothing is changed";
    assert_eq!(passed(&with(|a| renewed(a, until, String::new()))), no_seal);
    assert_eq!(passed(&with(|a| renewed(a, until.plus(Span(1)), mac.clone()))), no_seal);
    let moved = with(|a| {
        renewed(a, until, mac.clone());
        a.in_force = Some((NOW, until.plus(Span(1))));
    });
    assert_eq!(passed(&moved), no_seal);
}

#[test]
fn a_change_is_lifted_when_the_last_incident_lets_it_go() {
    assert_eq!(let_go(&state(), INC), LetGo::Lift);
    let two = with(|a| a.holders.extend([IncidentId(8)]));
    assert_eq!(let_go(&two, INC), LetGo::Leave);
    assert_eq!(let_go(&two, IncidentId(8)), LetGo::Leave);
    assert_eq!(let_go(&two, IncidentId(9)), LetGo::Nothing);
    assert_eq!(let_go(&with(ended), INC), LetGo::Nothing);
}

/// Abuse case 11: nobody is blocked for ever, one renewal after the other.
#[test]
fn abuse_11_an_end_is_put_off_only_within_the_longest_time_allowed_in_all() {
    let policy = ContainmentPolicy { max_ttl: Span::hours(10), ..ContainmentPolicy::default() };
    let check = |a: &ActionState, ttl: Span, expected: &str| {
        let got = match renewed_until(a, ttl, &policy, NOW) {
            Ok(until) => until.since(NOW).to_string(),
            Err(why) => why.0,
        };
        assert_eq!(got, expected);
    };
    check(&state(), Span::hours(4), "4h");
    check(&state(), Span::hours(9), "9h");
    let latest = "ACT-4 may hold until 2026-03-04T07:13:20.000Z at the latest: 10h in all, renewals included";
    check(&state(), Span(Span::hours(9).0 + 1), latest);
    check(&state(), Span::hours(3), "ACT-4 holds until 2026-03-04T01:13:20.000Z already");
    check(&state(), Span(Span::hours(3).0 + 1), "3h");
    check(&state(), Span::ZERO, "ACT-4 needs a longer time than none");
    check(&with(ended), Span::hours(4), "ACT-4 is over; what is over is not renewed but asked for anew");
    check(&with(|a| a.lasting = true), Span::hours(4), "ACT-4 has no end that could be put off");
    check(&with(|a| a.in_force = None), Span::hours(4), "ACT-4 is not in force yet");
    check(
        &with(|a| a.in_force = Some((NOW, NOW))),
        Span::hours(4),
        "ACT-4 ended at 2026-03-03T22:13:20.000Z",
    );
    let mut made = state().action;
    made.before = Some("what was there".into());
    let captured = with(|a| a.permit = Permit::from_journal(made));
    assert_eq!(renewal_of(&captured, Span::hours(5)).before, None, "it looks again before it asks");
    assert_eq!(renewal_of(&state(), Span::hours(5)), Action { ttl: Span::hours(5), ..state().action });
}

#[test]
fn its_time_is_over_when_it_is_over() {
    let at = |ms: i64| over(&with(|a| a.in_force = Some((NOW, NOW.plus(Span(ms))))), NOW);
    assert_eq!([at(1), at(0), at(-1)], [false, true, true]);
    assert!(!over(&with(|a| a.in_force = None), NOW));
    let past = |change: fn(&mut ActionState)| {
        with(|a| {
            a.in_force = Some((NOW, NOW));
            change(a);
        })
    };
    assert!(over(&past(|_| {}), NOW));
    assert!(!over(&past(ended), NOW));
    assert!(!over(&past(|a| a.lasting = true), NOW));
}

#[test]
fn what_vanishes_before_its_time_is_told_once_or_made_again_a_few_times() {
    let tell = ContainmentPolicy::default();
    let repair = ContainmentPolicy { drift: Drift::Repair, ..ContainmentPolicy::default() };
    let present = Observed::Present { expires_in: None };
    let different = Observed::Different { what: "vlan 7".into() };
    let see = |a: &ActionState, o: &Observed, p: &ContainmentPolicy| found(a, o, p, NOW);
    assert_eq!(see(&state(), &present, &repair), Found::Nothing);
    assert_eq!(see(&state(), &Observed::Absent, &tell), Found::Tell);
    assert_eq!(see(&state(), &Observed::Absent, &repair), Found::Repair);
    assert_eq!(see(&state(), &different, &repair), Found::Tell);
    assert_eq!(see(&state(), &different, &tell), Found::Tell);
    assert_eq!(see(&with(|a| a.repairs = REPAIRS - 1), &Observed::Absent, &repair), Found::Repair);
    assert_eq!(see(&with(|a| a.repairs = REPAIRS), &Observed::Absent, &repair), Found::Tell);
    let gone = with(|a| a.observed = Some((NOW, Observed::Absent)));
    assert_eq!(see(&gone, &Observed::Absent, &repair), Found::Nothing, "told already");
    assert_eq!(see(&with(|a| a.observed = None), &Observed::Absent, &tell), Found::Nothing);
    for gone in [&Observed::Absent, &different] {
        assert_eq!(
            see(&with(|a| a.lasting = true), gone, &repair),
            Found::Tell,
            "never made twice by itself"
        );
    }
    assert_eq!(see(&with(|a| a.in_force = None), &Observed::Absent, &tell), Found::Nothing);
    let until = |ms: i64| with(|a| a.in_force = Some((NOW, NOW.plus(Span(ms)))));
    assert_eq!(see(&until(1_000), &Observed::Absent, &tell), Found::Nothing, "the device's own timer");
    assert_eq!(see(&until(1_001), &Observed::Absent, &tell), Found::Tell);
    assert_eq!(see(&with(ended), &present, &tell), Found::LiftAgain);
    assert_eq!(see(&with(ended), &Observed::Absent, &tell), Found::Nothing);
}

#[test]
fn a_change_is_looked_at_until_its_end_and_one_that_stays_for_as_long() {
    let end = state().in_force.map(|(_, until)| until).expect("a change in force");
    let before = end.plus(Span(-1));
    for lasting in [false, true] {
        assert!(watched(&with(|a| a.lasting = lasting), before));
        assert!(!watched(&with(|a| a.lasting = lasting), end));
    }
    assert!(!watched(&with(ended), NOW));
    assert!(!watched(&with(|a| a.in_force = None), NOW), "not known to be there yet");
}
