//! Closing what is surely noise: off unless the owner wrote a budget, and only where it is earned.
//!
//! One incident in ten that could be closed is left to people: otherwise nobody would judge what is closed,
//! and the evidence would go stale.

use stanch_model::fact::Criticality;
use stanch_model::{IncidentId, Meaning, Timestamp};

use super::{beyond, standing, thousandths};
use crate::config::{Automatic, Budget};
use crate::journal::State;
use crate::journal::incident::{Incident, Status};
use crate::stage::health::OWN_SOURCE;

/// Of so many incidents that could be closed one is left to people.
const AUDITED: u64 = 10;

/// Why an incident is never doubtful, whatever its confidence; `None` when it may be.
pub(super) fn weighty(i: &Incident) -> Option<&'static str> {
    let hostile = |m: &Meaning| matches!(m, Meaning::Malicious { .. });
    let critical = |m: &Meaning| {
        matches!(m, Meaning::Asset { criticality: Criticality::Critical | Criticality::High, .. })
    };
    let facts = || i.facts.values().map(|f| &f.meaning);
    if i.alerts.iter().any(|a| a.source == OWN_SOURCE) {
        Some("it is about stanch itself")
    } else if facts().any(hostile) {
        Some("a feed calls one end hostile")
    } else if facts().any(critical) {
        Some("an asset of high or critical worth takes part")
    } else {
        None
    }
}

/// Why this incident is left to people whatever its confidence; `None` when it may be closed.
#[must_use]
pub fn kept(state: &State, i: &Incident, policy: &Budget, now: Timestamp) -> Option<String> {
    let touched = state.actions.values().any(|a| a.action.incident == i.id || a.holders.contains(&i.id));
    let runs = i.runs.iter().filter_map(|r| state.runs.get(r)).any(|r| r.ended.is_none());
    let why = if i.status != Status::Triggered || i.acknowledged_by.is_some() {
        "somebody has it".to_owned()
    } else if i.merged_into.is_some() || !i.parts.is_empty() {
        "it is more than one incident".to_owned()
    } else if state.opinions.incidents.contains_key(&i.id) {
        "somebody judged it".to_owned()
    } else if let Some(why) = weighty(i) {
        why.to_owned()
    } else if touched || runs {
        "something is being done about it".to_owned()
    } else if now.since(i.opened_at) < policy.wait {
        format!("it is younger than {}", policy.wait)
    } else if i.id.0.is_multiple_of(AUDITED) {
        format!("one in {AUDITED} is left to people, so that the figures stay true")
    } else {
        return None;
    };
    Some(why)
}

/// Incidents to be closed now, each with the reason that is written down.
#[must_use]
pub fn closable(state: &State, policy: Option<&Budget>, now: Timestamp) -> Vec<(IncidentId, String)> {
    let Some(policy) = policy else { return Vec::new() };
    let mut open = state.incidents.values().filter(|i| i.status == Status::Triggered).peekable();
    if open.peek().is_none() {
        return Vec::new();
    }
    let standing = standing(state, Automatic::Close, Some(policy));
    let Some(height) = standing.threshold.filter(|_| standing.allowed) else { return Vec::new() };
    let within = |i: &Incident| beyond(Automatic::Close, thousandths(i.confidence()), thousandths(height));
    let because = standing.because.first().cloned().unwrap_or_default();
    open.filter(|i| within(i) && kept(state, i, policy, now).is_none())
        .map(|i| (i.id, format!("closed by itself at {:.0} % sure: {because}", i.confidence() * 100.0)))
        .collect()
}
