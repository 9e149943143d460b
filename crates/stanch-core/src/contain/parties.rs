//! Who has a part in a question, and so is not the one who answers it.
//!
//! A second person is worth something only where they are another one: whoever saved the playbook that asks,
//! or began its run, or let it go on, agrees with themselves when they say yes. The question itself says who
//! that is (and its digest covers it), so that it is seen before anybody answers, and is the same in the console,
//! on the command line and in a chat. A person is who the configuration says, by whatever they came in: a
//! token and a chat account are those of their owner.
//!
//! Source: SEC-75.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stanch_model::RunId;

use super::approval::{Approval, Vote, has_authority};
use crate::config::{Config, May, SelfApproval};
use crate::journal::state::State;
use crate::playbook::run::Run;

/// Longest chain of playbooks that call each other that is walked up.
const DEEPEST: usize = 32;

/// Names of others who may answer that are shown at most.
const NAMED: usize = 5;

/// Somebody who has a part in a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// Who, by name.
    pub person: String,
    /// What they did, in words that follow their name: `saved playbook c2-beacon`.
    pub why: String,
    /// True when their yes counts all the same, because the policy says so or nobody else may decide.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub counts: bool,
}

/// Everybody with a part in what a run asks now; `asks` is whoever asks beside it. Only people: sources and
/// programs never answer.
#[must_use]
pub fn parties(config: &Config, state: &State, run: Option<RunId>, asks: Option<&str>) -> Vec<Party> {
    let mut parts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut add = |who: &str, what: String| {
        if config.people.contains_key(who) {
            let did = parts.entry(who.to_owned()).or_default();
            if !did.contains(&what) {
                did.push(what);
            }
        }
    };
    let mut next = run.and_then(|id| state.runs.get(&id));
    for _ in 0..DEEPEST {
        let Some(run) = next else { break };
        for (who, what) in by_run(state, run) {
            add(who, what);
        }
        // What calls it says what it is about, and so is judged with it.
        next = run.caller.as_ref().and_then(|c| state.runs.get(&c.run));
    }
    if let Some(who) = asks {
        add(who, "asked for it".to_owned());
    }
    let party = |(person, did): (String, Vec<String>)| Party {
        counts: counts(config, &person),
        why: did.join(" and "),
        person,
    };
    parts.into_iter().map(party).collect()
}

fn by_run<'s>(state: &'s State, run: &'s Run) -> Vec<(&'s str, String)> {
    let hash = run.playbook.as_ref().map_or("", |p| p.hash.as_str());
    let authors = state.saved.authors(&run.name, hash, run.started);
    let mut all: Vec<(&str, String)> =
        authors.into_iter().map(|who| (who, format!("saved playbook {}", run.name))).collect();
    // A run that another called carries the name of who began that one.
    if run.caller.is_none() {
        all.extend(run.by.iter().map(|who| (who.as_str(), format!("began {}", run.id))));
    }
    all.extend(run.resumed.iter().map(|r| (r.by.as_str(), format!("let {} go on", run.id))));
    all
}

/// True when a yes of somebody with a part in the question counts all the same.
#[must_use]
pub fn counts(config: &Config, person: &str) -> bool {
    match config.containment.self_approval {
        SelfApproval::Never => false,
        SelfApproval::WhenAlone => alone(config, person),
        SelfApproval::Allowed => true,
    }
}

/// True when nobody else may decide about changes at all, in whatever team: the teams that a question goes
/// to are chosen by whoever writes the playbook.
fn alone(config: &Config, person: &str) -> bool {
    !config.people.values().any(|p| p.name != person && p.role.may(May::Decide))
}

/// True when this person wrote the playbook at hand, and so must not have agreed to it in advance either.
#[must_use]
pub fn agreed_with_themselves(config: &Config, state: &State, playbook: (&str, &str), person: &str) -> bool {
    let (name, hash) = playbook;
    state.saved.authors(name, hash, state.at).contains(&person) && !counts(config, person)
}

/// Why a yes of this person does not count, if it does not.
#[must_use]
pub fn no_vote_of(parties: &[Party], asked_by: Option<&str>, person: &str) -> Option<String> {
    match parties.iter().find(|p| p.person == person) {
        Some(party) => (!party.counts).then(|| party.why.clone()),
        None => (asked_by == Some(person)).then(|| "asked for it".to_owned()),
    }
}

/// Who may still say yes, by name.
#[must_use]
pub fn who_may(config: &Config, approval: &Approval, yes: &[Vote]) -> Vec<String> {
    let may = config.people.values().filter(|p| {
        has_authority(approval, p.role, &p.teams)
            && approval.no_vote_of(&p.name).is_none()
            && !yes.iter().any(|v| v.by == p.name)
    });
    may.map(|p| p.name.clone()).collect()
}

/// What those may do who are not counted, in words: who may answer instead, or how to mend it.
#[must_use]
pub fn instead(others: &[String], teams: &[String]) -> String {
    let shown = others.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match others.len().saturating_sub(NAMED) {
        0 if others.is_empty() => format!(
            "nobody else may say yes now; put another approver into {} (or see `self_approval` in policies/containment.yaml)",
            teams.join(" or ")
        ),
        0 => format!("{shown} may say yes instead"),
        more => format!("{shown} and {more} more may say yes instead"),
    }
}

#[cfg(test)]
#[path = "parties_tests.rs"]
mod tests;
