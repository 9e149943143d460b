use std::collections::BTreeSet;

use stanch_model::Timestamp;

use super::*;
use crate::config::{Person, Role};
use crate::journal::event::{Event, Loaded, PlaybookSaved, RunResumed, RunStarted};

fn person(name: &str, role: Role, team: &str) -> (String, Person) {
    let teams = BTreeSet::from([team.to_owned()]);
    let (token, slack, key, subject, accounts) = (None, None, None, None, vec![]);
    (name.to_owned(), Person { name: name.to_owned(), token, teams, role, slack, key, subject, accounts })
}

fn config(people: &[(&str, Role)], rule: SelfApproval) -> Config {
    let files: Vec<(String, String)> = crate::config::init::template()
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect();
    let mut config = crate::config::compile(&files).unwrap_or_else(|m| panic!("{m:#?}"));
    config.people = people.iter().map(|(name, role)| person(name, *role, "secops")).collect();
    config.containment.self_approval = rule;
    config
}

fn run(id: u64, by: Option<&str>, caller: Option<u64>) -> Event {
    let caller = caller.map(|run| serde_json::json!({ "run": RunId(run), "path": "x", "depth": 1 }));
    let mut event = serde_json::json!({
        "run": RunId(id), "playbook": format!("plan-{id}"), "hash": format!("hash-{id}"), "inputs": {}, "by": by,
    });
    if let Some(caller) = caller {
        event["caller"] = caller;
    }
    Event::RunStarted(serde_json::from_value::<RunStarted>(event).expect("an event"))
}

fn saved(by: &str, playbook: &str) -> Event {
    let saved = PlaybookSaved { playbook: playbook.into(), hash: "another".into(), by: by.into() };
    Event::Loaded(Loaded { hash: "h".into(), version: "1".into(), by: by.into(), saved: Some(saved) })
}

fn state(events: &[Event]) -> State {
    let mut state = State::default();
    for (n, event) in events.iter().enumerate() {
        state.apply(n as u64 + 1, Timestamp(n as i64), event);
    }
    state
}

const STAFF: &[(&str, Role)] = &[
    ("ada", Role::Admin),
    ("jon", Role::Approver),
    ("mira", Role::Approver),
    ("eve", Role::Author),
    ("zoe", Role::Admin),
];

fn shown(parties: &[Party]) -> Vec<String> {
    let word = |p: &Party| format!("{} {}{}", p.person, p.why, if p.counts { " (counts)" } else { "" });
    parties.iter().map(word).collect()
}

#[test]
fn whoever_saved_began_resumed_or_asked_has_a_part_and_so_have_those_of_the_plan_that_called_it() {
    let resumed = serde_json::json!({ "run": RunId(2), "by": "mira", "reason": "", "again": [], "on": [] });
    let resumed = Event::RunResumed(serde_json::from_value::<RunResumed>(resumed).expect("an event"));
    let s = state(&[
        saved("zoe", "plan-1"),
        saved("eve", "plan-2"),
        run(1, Some("jon"), None),
        run(2, Some("jon"), Some(1)),
        resumed,
    ]);
    let config = config(STAFF, SelfApproval::WhenAlone);
    let all = parties(&config, &s, Some(RunId(2)), Some("ada"));
    assert_eq!(
        shown(&all),
        [
            "ada asked for it",
            "eve saved playbook plan-2",
            "jon began RUN-1",
            "mira let RUN-2 go on",
            "zoe saved playbook plan-1"
        ]
    );
    assert_eq!(no_vote_of(&all, None, "zoe").as_deref(), Some("saved playbook plan-1"));
    assert_eq!(no_vote_of(&all, Some("kim"), "kim").as_deref(), Some("asked for it"));
    assert_eq!(no_vote_of(&all, None, "kim"), None);
}

#[test]
fn sources_and_strangers_have_no_part_and_several_parts_of_one_person_are_one() {
    let s = state(&[saved("jon", "plan-1"), run(1, Some("source suricata"), None)]);
    let config = config(STAFF, SelfApproval::Never);
    assert_eq!(shown(&parties(&config, &s, Some(RunId(1)), None)), ["jon saved playbook plan-1"]);
    let s = state(&[saved("jon", "plan-1"), run(1, Some("jon"), None)]);
    assert_eq!(
        shown(&parties(&config, &s, Some(RunId(1)), Some("jon"))),
        ["jon saved playbook plan-1 and began RUN-1 and asked for it"]
    );
    assert!(parties(&config, &s, None, None).is_empty());
}

#[test]
fn who_is_alone_counts_by_default_and_a_second_person_in_any_team_ends_that() {
    let alone = &[("jon", Role::Admin), ("eve", Role::Author)][..];
    let two = &[("jon", Role::Admin), ("kim", Role::Approver)][..];
    for (people, rule, expected) in [
        (alone, SelfApproval::WhenAlone, true),
        (alone, SelfApproval::Never, false),
        (alone, SelfApproval::Allowed, true),
        (two, SelfApproval::WhenAlone, false),
        (two, SelfApproval::Never, false),
        (two, SelfApproval::Allowed, true),
    ] {
        let mut config = config(people, rule);
        assert_eq!(counts(&config, "jon"), expected, "{people:?} {rule:?}");
        // The teams of a question are chosen by whoever writes the playbook.
        if let Some(kim) = config.people.get_mut("kim") {
            kim.teams.clear();
        }
        assert_eq!(counts(&config, "jon"), expected, "{people:?} {rule:?}, in no team");
    }
}

#[test]
fn a_yes_in_advance_to_ones_own_plan_is_none() {
    let s = state(&[saved("jon", "look")]);
    let own = |rule, name| agreed_with_themselves(&config(STAFF, rule), &s, ("look", "another"), name);
    assert!(own(SelfApproval::WhenAlone, "jon") && !own(SelfApproval::WhenAlone, "mira"));
    assert!(!own(SelfApproval::Allowed, "jon"));
}

#[test]
fn who_is_not_counted_is_told_who_is() {
    let names = |n: usize| (0..n).map(|n| format!("p{n}")).collect::<Vec<_>>();
    let teams = ["secops".to_owned(), "netops".to_owned()];
    assert_eq!(instead(&names(2), &teams), "p0, p1 may say yes instead");
    assert_eq!(instead(&names(7), &teams), "p0, p1, p2, p3, p4 and 2 more may say yes instead");
    assert!(
        instead(&[], &teams)
            .starts_with("nobody else may say yes now; put another approver into secops or netops")
    );
}
