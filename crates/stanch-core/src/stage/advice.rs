//! What solved it before, and who should have it: advice from history, never a decision.
//!
//! Past incidents that are over or judged are compared with this one (`stanch_judge::similar`), and their
//! teams teach where it should go (`stanch_judge::route_of`), which abstains when it does not know. What
//! people corrected (`stanch verdict … wrong_team`) counts as the team.

use std::collections::BTreeSet;

use stanch_judge::route_of::{Past, Routes, Suggestion, Ticket, Wishes};
use stanch_judge::similar::{Before, History, Summary, Taken};
use stanch_model::{IncidentId, Meaning};

use crate::journal::State;
use crate::journal::event::ActionEnd;
use crate::journal::incident::{Incident, Status};
use crate::journal::opinion::Opinion;
use crate::story;

/// Past incidents looked at, the latest.
pub const LOOKED_BACK: usize = 2_000;
/// Incidents shown.
const SHOWN: usize = 5;
/// Likeness below which two incidents are not alike, 0 to 1.
const ALIKE: f64 = 0.15;
/// Teams shown.
const TEAMS: usize = 3;
/// Rules and entities of one incident looked at.
const PARTS: usize = 64;

/// What advice is made from, copied out of the state: making it takes longer than the state may be held.
#[derive(Clone, Debug)]
pub struct Asked {
    about: Summary,
    ticket: Ticket,
    team: Option<String>,
    past: Vec<Summary>,
    routed: Vec<Past>,
}

/// Advice.
#[derive(Clone, Debug)]
pub struct Advice {
    /// Incidents alike, how they ended, what was done.
    pub before: Before,
    /// Which team, or why none is named.
    pub route: Suggestion,
    /// The team that has it.
    pub team: Option<String>,
    /// Past incidents looked at.
    pub looked_at: usize,
}

/// Gathers what is needed; `None` when there is no such incident.
#[must_use]
pub fn ask(state: &State, incident: IncidentId) -> Option<Asked> {
    let i = state.incidents.get(&incident)?;
    let own: BTreeSet<IncidentId> =
        i.parts.iter().copied().chain([state.head_of(incident), incident]).collect();
    let over = |i: &&Incident| {
        !own.contains(&i.id)
            && i.merged_into.is_none()
            && (i.status == Status::Resolved || state.opinions.incidents.contains_key(&i.id))
    };
    let mut past: Vec<&Incident> = state.incidents.values().rev().filter(over).take(LOOKED_BACK).collect();
    past.reverse();
    let routed = past.iter().filter_map(|p| {
        Some(Past { ticket: ticket(p), team: team(state, p)?, opened: p.opened_at.0 / 1_000 })
    });
    Some(Asked {
        about: summary(state, i),
        ticket: ticket(i),
        team: i.team.clone(),
        routed: routed.collect(),
        past: past.iter().map(|p| summary(state, p)).collect(),
    })
}

/// Makes advice.
#[must_use]
pub fn advise(asked: Asked) -> Advice {
    let looked_at = asked.past.len();
    let mut history = History::new(LOOKED_BACK);
    asked.past.into_iter().for_each(|p| history.add(p));
    let mut before = history.like(&asked.about, SHOWN);
    if before.alike.iter().any(|a| a.likeness < ALIKE) {
        let alike = before.alike.iter().take_while(|a| a.likeness >= ALIKE).count();
        before = if alike == 0 { Before::default() } else { history.like(&asked.about, alike) };
    }
    let route = Routes::learn(&asked.routed, &Wishes::default()).suggest(&asked.ticket, TEAMS);
    Advice { before, route, team: asked.team, looked_at }
}

/// As sentences, for the story.
#[must_use]
pub fn sentences(advice: &Advice) -> Vec<String> {
    let mut out = Vec::new();
    for a in &advice.before.alike {
        let outcome = if a.outcome.is_empty() { "nobody said what it was" } else { &a.outcome };
        out.push(format!("{} is {:.0} % like it ({}): {}", a.id, a.likeness * 100.0, outcome, a.because));
    }
    if !advice.before.outcomes.is_empty() {
        let counts = advice.before.outcomes.iter().map(|(what, n)| format!("{what} {n}"));
        out.push(format!("people called them: {}", counts.collect::<Vec<_>>().join(", ")));
    }
    for (action, all, held) in &advice.before.actions {
        out.push(format!("{action} was done in {all} of them and held in {held}"));
    }
    if out.is_empty() {
        out.push(format!("none of {} past incidents is like it", advice.looked_at));
    }
    out.push(match (&advice.route.abstains, advice.route.teams.first()) {
        (None, Some(t)) => {
            format!("it should go to {} ({:.0} %): {}", t.team, t.probability * 100.0, t.reason)
        }
        (Some(why), _) => format!("no team is suggested: {why}"),
        (None, None) => "no team is suggested".to_owned(),
    });
    out
}

/// The team that had it in the end: as corrected by a person, else the one whose member took or closed it.
fn team(state: &State, i: &Incident) -> Option<String> {
    let corrected = state.opinions.corrections.get(&(i.id, Opinion::WrongTeam));
    let corrected = corrected.and_then(|(_, j)| j.team.clone());
    corrected.or_else(|| i.acknowledged_by.as_ref().and(i.team.clone()))
}

fn summary(state: &State, i: &Incident) -> Summary {
    let outcome = state.opinions.incidents.get(&i.id).map(|(_, j, _)| j.opinion.word().to_owned());
    let actions = state.actions.values().filter(|a| a.action.incident == i.id).map(|a| Taken {
        action: a.action.kind.name().to_owned(),
        held: a.in_force.is_some() && a.ended.as_ref().is_none_or(|(_, end, _)| *end == ActionEnd::Lifted),
    });
    let techniques: BTreeSet<String> = i.alerts.iter().flat_map(|a| a.techniques.iter().cloned()).collect();
    Summary {
        id: i.id.to_string(),
        kind: i.kind().to_owned(),
        title: story::title(i),
        rules: i.totals.rules.keys().take(PARTS).cloned().collect(),
        techniques: techniques.into_iter().take(PARTS).collect(),
        entities: i.entities.keys().take(PARTS).map(|e| format!("{}/{e}", i.site)).collect(),
        outcome: outcome.unwrap_or_default(),
        actions: actions.collect(),
    }
}

/// What is known of an incident when it is opened.
fn ticket(i: &Incident) -> Ticket {
    let best =
        i.totals.rules.iter().max_by_key(|(name, score)| (**score, std::cmp::Reverse((*name).clone())));
    let owner = i.facts.values().find_map(|f| match &f.meaning {
        Meaning::Asset { owner, .. } => owner.clone(),
        Meaning::Malicious { .. }
        | Meaning::Shared { .. }
        | Meaning::Harmless { .. }
        | Meaning::NeverBlock { .. }
        | Meaning::Seen { .. }
        | Meaning::Traffic { .. }
        | Meaning::Note { .. } => None,
    });
    let first = i.alerts.first();
    [
        ("kind", i.kind().to_owned()),
        ("site", i.site.clone()),
        ("severity", i.severity().word().to_owned()),
        ("rule", best.map(|(name, _)| name.clone()).unwrap_or_default()),
        ("product", first.map(|a| a.product.clone()).unwrap_or_default()),
        ("source", first.map(|a| a.source.clone()).unwrap_or_default()),
        ("owner", owner.unwrap_or_default()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}
