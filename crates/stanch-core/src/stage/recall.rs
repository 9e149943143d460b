//! What likely began an incident that is sure: days ago, on one of its machines.
//!
//! Machines call home and data leave after somebody came in: an alert of such a stage that was more likely than
//! not an attack is a part of another one. When an incident on its machine becomes sure, it is taken in.

use std::collections::BTreeMap;

use stanch_model::{AlertId, IncidentId, Span};

use super::correlate::mention_to_joined;
use crate::journal::event::Joined;
use crate::journal::incident::{Incident, Status};
use crate::journal::state::State;
use crate::stage::fingerprint;
use crate::stage::kill_chain::Stage;

/// Thousandths from which an incident is sure.
const SURE: u16 = 900;
/// Thousandths from which an earlier alert is more likely an attack than not.
const LIKELY: u16 = 500;
/// An earlier one is recalled from this stage on.
const FROM: Stage = Stage::CommandAndControl;
/// And for so long.
const WITHIN: Span = Span::hours(24 * 7);
/// Entities asked, and alerts of each looked at.
const ENTITIES: usize = 64;
/// See `ENTITIES`.
const LOOKED_AT: usize = 512;

/// What an incident remembers of others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recalled {
    /// Alerts that stayed alone.
    pub alerts: Vec<Joined>,
    /// Incidents that are one with it.
    pub incidents: Vec<IncidentId>,
}

/// True when one of its alerts is sure.
#[must_use]
pub fn is_sure(i: &Incident) -> bool {
    i.totals.rules.values().any(|score| *score >= SURE)
}

/// What a sure incident takes in of the week before it.
#[must_use]
pub fn recall(state: &State, incident: &Incident) -> Recalled {
    let mut alerts: BTreeMap<AlertId, Joined> = BTreeMap::new();
    let since = incident.span.0.plus(Span(-WITHIN.0));
    for entity in incident.entities.keys().take(ENTITIES) {
        let mentions = state.recent.of(fingerprint::entity(&incident.site, entity)).take(LOOKED_AT);
        let here = mentions.filter(|m| {
            fingerprint::machine(&incident.site, &m.ends).is_some_and(|m| incident.machines.contains_key(&m))
                && state.slot(m.alert).is_some_and(|s| {
                    s.score >= LIKELY && s.stage >= FROM && since <= s.first && s.first < incident.span.0
                })
        });
        let because = || {
            let what = "it called home or let data out, on a machine of the incident within the week before";
            what.to_owned()
        };
        alerts.extend(here.filter_map(|m| Some((m.alert, mention_to_joined(state, m, because())?))));
    }
    let apart = |id: IncidentId| state.apart.contains(&(incident.id.min(id), incident.id.max(id)));
    let earlier = incident.machines.keys().filter_map(|m| state.by_machine.get(m)).flatten();
    let mut incidents: Vec<IncidentId> = earlier
        .map(|id| state.head_of(*id))
        .filter(|id| *id != incident.id && !apart(*id))
        .filter(|id| state.incidents.get(id).is_some_and(|i| is_recalled(i, incident)))
        .collect();
    incidents.sort_unstable();
    incidents.dedup();
    Recalled { alerts: alerts.into_values().collect(), incidents }
}

fn is_recalled(earlier: &Incident, by: &Incident) -> bool {
    let late = earlier.totals.stages.keys().next_back().is_some_and(|s| *s >= FROM);
    let likely = earlier.totals.rules.values().any(|score| *score >= LIKELY);
    let before = earlier.span.1 < by.span.0 && by.span.0.since(earlier.span.1) <= WITHIN;
    earlier.status < Status::Resolved && earlier.site == by.site && late && likely && before
}
