use stanch_model::{IncidentId, Span, Timestamp};

use super::*;
use crate::expr::{Expr, Kind};
use crate::journal::event::{Event, IncidentOpened};
use crate::journal::state::State;
use crate::playbook::verify::{Around, verify};
use crate::playbook::{Act, Change, OnFailure, Retry, Step, StepKind, Trigger, Wait};

const GOOD: &str = "\
name: p
summary: Blocks
when: incident.kind == \"c2\"
steps:
  - id: block
    block_address: { target: incident.peer, ttl: 4h, approvers: [netops], expires: 15m }
  - id: hold
    wait: lifted
sop: Think.
";

#[test]
fn a_playbook_is_read_whole() {
    let playbook = load("p", "playbooks/p.yaml", GOOD).expect("valid");
    assert_eq!(
        (playbook.name.as_str(), playbook.summary.as_str(), playbook.sop.as_str()),
        ("p", "Blocks", "Think.")
    );
    assert_eq!(when(&playbook).source(), "incident.kind == \"c2\"");
    assert_eq!((playbook.hash.len(), playbook.source.as_str()), (64, GOOD));
    let StepKind::Act(Act { change: Change::BlockAddress { target }, ttl, approvers, expires, .. }) =
        &playbook.steps[0].kind
    else {
        panic!("block")
    };
    assert_eq!(
        (target.source(), ttl, expires),
        ("incident.peer", &Some(Span::hours(4)), &Some(Span::mins(15)))
    );
    assert_eq!(approvers, &["netops"]);
    assert!(matches!(playbook.steps[1].kind, StepKind::Wait(Wait::Lifted)));
    let other = load("p", "playbooks/p.yaml", &format!("{GOOD}\n")).expect("valid");
    assert_ne!(playbook.hash, other.hash, "the hash is over the file");
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_their_places() {
    let text = GOOD.replace("name: p", "name: q").replace("ttl: 4h", "ttl: soon").replace("lifted", "never");
    let mistakes = load("p", "playbooks/p.yaml", &text).expect_err("three mistakes");
    assert_eq!(mistakes.iter().map(|m| m.line).collect::<Vec<_>>(), [1, 6, 8]);
}

#[test]
fn what_is_no_yaml_or_no_map_is_told() {
    let broken = load("p", "playbooks/p.yaml", "name: [p").expect_err("not YAML");
    assert!(broken[0].message.starts_with("this is not YAML"), "{broken:?}");
}

#[test]
fn the_shipped_playbook_for_a_beacon_loads() {
    let text = include_str!("../../../../../playbooks/c2-beacon.yaml");
    let playbook = load("c2-beacon", "playbooks/c2-beacon.yaml", text).expect("valid");
    let ids: Vec<&str> = playbook.steps.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ids, ["block", "settle", "check", "tell", "hold", "after"]);
    assert_eq!(
        (playbook.attack.join(" "), playbook.react.join(" ")),
        ("T1071 T1095 T1573".into(), "RA3101".into())
    );
    assert!(playbook.sop.lines().all(|l| l.chars().count() <= 100));
    let scope = |confidence: f64| {
        crate::expr::Scope::new().with(
            "incident",
            serde_json::json!({ "id": "INC-3", "kind": "c2", "confidence": confidence, "peer": "203.0.113.9", "assets": ["lap-7"], "techniques": ["T1071.001"] }),
        )
    };
    assert_eq!(when(&playbook).test(&scope(0.6)), Ok(true));
    assert_eq!(when(&playbook).test(&scope(0.5)), Ok(false));
    let StepKind::Notify { text, .. } = &playbook.steps[3].kind else { panic!("notify") };
    assert_eq!(
        text.render(&scope(0.6)).as_deref(),
        Ok("INC-3: 203.0.113.9 is blocked at the edge; look at lap-7")
    );
}

fn when(playbook: &Playbook) -> &Expr {
    let Trigger::Incident(when) = &playbook.trigger else { panic!("another trigger") };
    when
}

/// A playbook with every kind of step, read in one go.
const EVERYTHING: &str = include_str!("everything.yaml");

fn kinds(steps: &[Step], all: &mut Vec<&'static str>) {
    for step in steps {
        all.push(step.kind.name());
        step.inner().for_each(|inside| kinds(inside, all));
    }
}

#[test]
fn every_kind_of_step_is_read() {
    let playbook = match load("everything", "playbooks/everything.yaml", EVERYTHING) {
        Ok(playbook) => playbook,
        Err(mistakes) => panic!("{}", mistakes.iter().map(Mistake::render).collect::<Vec<_>>().join("\n")),
    };
    let mut all = Vec::new();
    kinds(&playbook.steps, &mut all);
    for shape in crate::playbook::shape::KINDS.iter().filter(|k| k.name != "reply") {
        assert!(all.contains(&shape.name), "no step of kind {}", shape.name);
    }
    assert_eq!(playbook.autonomy, Some(crate::config::Autonomy::Approve));
    assert_eq!(playbook.csf, ["RS.MI-01"]);
    assert_eq!(playbook.inputs[1].default, Some(serde_json::json!(["10.0.0.0/8"])));
    let step = |id: &str| playbook.step(id).expect(id);
    let look = step("look");
    assert_eq!(look.retry, Retry { times: 2, wait: Span::secs(5) });
    assert_eq!(look.timeout, Some(Span::mins(2)));
    assert!(matches!(look.on_failure, OnFailure::Continue));
    assert!(matches!(step("door").on_failure, OnFailure::Unwind));
    assert!(matches!(&step("baseline").on_failure, OnFailure::Steps(steps) if steps.len() == 1));
    assert_eq!(step("ticket").compensate.len(), 1);
    let StepKind::ForEach { variable, at_most, .. } = &step("each").kind else { panic!("for_each") };
    assert_eq!((variable.as_str(), *at_most), ("victim", 20));
    let StepKind::Act(act) = &step("reset").kind else { panic!("act") };
    assert_eq!((act.undo, act.people), (false, 2));
    assert_eq!(playbook.places.of("reset", "reset_credential"), (108, 11));
}

#[test]
fn the_playbook_with_everything_is_a_good_one() {
    let playbook = load("everything", "playbooks/everything.yaml", EVERYTHING).expect("valid");
    let said = verify(&playbook, "playbooks/everything.yaml", Around::default());
    assert!(said.is_empty(), "{}", said.iter().map(Mistake::render).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_hook_answers_its_caller() {
    let text = "\
name: h
summary: Answers
on: hook
inputs: { ip: { type: address }, n: { type: integer, default: 3 } }
steps:
  - id: look
    enrich: { about: inputs.ip }
  - id: answer
    reply: { known: size(steps.look.facts) > 0, twice: inputs.n * 2, who: '\"stanch\"' }
sop: None.
";
    let playbook = load("h", "playbooks/h.yaml", text).expect("valid");
    assert!(matches!(playbook.trigger, Trigger::Hook));
    assert!(matches!(&playbook.steps[1].kind, StepKind::Reply { values } if values.len() == 3));
}

#[test]
fn what_conditions_see_of_an_incident_is_what_the_loader_says() {
    let Kind::Record(fields) = incident_kind() else { panic!("a record") };
    let mut state = State::default();
    let opened = IncidentOpened { incident: IncidentId(1), site: "hq".into(), because: Vec::new() };
    state.apply(1, Timestamp(0), &Event::IncidentOpened(opened));
    let value = crate::playbook::run::incident_value(&state, &state.incidents[&IncidentId(1)]);
    let seen: Vec<&String> = value.as_object().expect("a map").keys().collect();
    assert_eq!(fields.keys().collect::<Vec<_>>(), seen);
}
