use std::collections::BTreeSet;

use stanch_model::{Action, ActionId, AlertId, IncidentId, RunId, Severity};

use super::*;
use crate::contain::Permit;
use crate::journal::event::{ActionEnd, ByPerson, Event, IncidentOpened};

const T0: Timestamp = Timestamp(1_772_576_000_000);

fn state(kind: ActionKind) -> State {
    let mut state = State::default();
    let opened = IncidentOpened { incident: IncidentId(1), site: "hq".into(), because: vec![] };
    state.apply(1, T0, &Event::IncidentOpened(opened));
    let action = Action {
        id: ActionId(4),
        incident: IncidentId(1),
        responder: "edge".into(),
        kind,
        ttl: Span::hours(1),
        before: None,
    };
    let a = ActionState {
        permit: Permit::from_journal(action.clone()),
        action,
        run: RunId(1),
        step: String::new(),
        permitted_at: T0,
        approval: None,
        because: vec![],
        observed: None,
        in_force: Some((T0, T0.plus(Span::hours(1)))),
        ended: None,
        holders: BTreeSet::from([IncidentId(1)]),
        let_go: Default::default(),
        preauthorised: None,
        lasting: false,
        renewed: None,
        repairs: 0,
        seal: String::new(),
    };
    state.actions.insert(a.action.id, a);
    state
}

fn block() -> ActionKind {
    ActionKind::BlockAddress { target: "203.0.113.0/29".parse().expect("net") }
}

fn alert(minutes: i64, dst: &str, who: &[&str], stage: Stage) -> Joined {
    let who = who.iter().map(|w| (*w).to_owned()).collect();
    Joined {
        alert: AlertId(9),
        time: T0.plus(Span::mins(minutes)),
        rule: "probe failed".into(),
        product: "monitoring".into(),
        source: "metrics".into(),
        severity: Severity::High,
        score: 900,
        stage,
        ends: Ends { src: None, dst: dst.parse().ok(), port: 0, who, established: false },
        techniques: vec![],
        because: String::new(),
    }
}

fn why(state: &State, site: &str, alert: &Joined) -> String {
    own_doing(state, site, alert).map_or_else(String::new, |(id, why)| format!("{id} {why}"))
}

#[test]
fn what_monitoring_says_of_a_machine_we_cut_off_is_our_own_doing() {
    let s = state(block());
    let ours = "INC-1 we did this: ACT-4 (block 203.0.113.0/29) since 2026-03-03T22:13:20.000Z";
    assert_eq!(why(&s, "hq", &alert(5, "203.0.113.3", &[], Stage::Policy)), ours);
    assert_eq!(why(&s, "hq", &alert(0, "203.0.113.3", &[], Stage::Unknown)), ours);
    assert_eq!(why(&s, "hq", &alert(69, "203.0.113.3", &[], Stage::Policy)), ours, "services need a while");
    for other in [
        alert(5, "203.0.113.9", &[], Stage::Policy),
        alert(-1, "203.0.113.3", &[], Stage::Policy),
        alert(70, "203.0.113.3", &[], Stage::Policy),
        alert(5, "203.0.113.3", &[], Stage::CommandAndControl),
        alert(5, "", &[], Stage::Policy),
    ] {
        assert_eq!(why(&s, "hq", &other), "", "{other:?}");
    }
    assert_eq!(why(&s, "branch", &alert(5, "203.0.113.3", &[], Stage::Policy)), "", "another network");
}

#[test]
fn a_change_that_was_lifted_early_echoes_a_little_and_a_resolved_incident_not_at_all() {
    let mut s = state(block());
    if let Some(a) = s.actions.get_mut(&ActionId(4)) {
        a.ended = Some((T0.plus(Span::mins(10)), ActionEnd::Lifted, String::new()));
    }
    assert_ne!(why(&s, "hq", &alert(19, "203.0.113.3", &[], Stage::Policy)), "");
    assert_eq!(why(&s, "hq", &alert(20, "203.0.113.3", &[], Stage::Policy)), "");
    let done = ByPerson { incident: IncidentId(1), by: "jon".into(), text: String::new() };
    s.apply(2, T0, &Event::Resolved(done));
    assert_eq!(why(&s, "hq", &alert(5, "203.0.113.3", &[], Stage::Policy)), "");
    let mut never = state(block());
    if let Some(a) = never.actions.get_mut(&ActionId(4)) {
        a.in_force = None;
    }
    assert_eq!(why(&never, "hq", &alert(5, "203.0.113.3", &[], Stage::Policy)), "");
}

#[test]
fn accounts_and_names_echo_by_name_and_giving_back_does_not() {
    let user = |who: &str| alert(5, "", &[who], Stage::Policy);
    let lock = state(ActionKind::LockAccount { account: "alice".into() });
    assert_ne!(why(&lock, "hq", &user("user:Alice@corp.example")), "");
    assert_eq!(why(&lock, "hq", &user("user:bob")), "");
    let sink = state(ActionKind::SinkholeDomain { domain: "evil.example".into() });
    assert_ne!(why(&sink, "hq", &user("host:www.evil.example")), "");
    assert_eq!(why(&sink, "hq", &user("host:good.example")), "");
    let unlock = state(ActionKind::UnlockAccount { account: "alice".into() });
    assert_eq!(why(&unlock, "hq", &user("user:alice")), "");
    let port = state(ActionKind::QuarantinePort { port: "p7".into(), vlan: 666 });
    assert_eq!(
        why(&port, "hq", &alert(5, "10.0.0.7", &[], Stage::Policy)),
        "",
        "whose machine it is, is not known"
    );
}
