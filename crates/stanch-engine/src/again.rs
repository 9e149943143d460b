//! The second look: alerts that stayed alone are judged and correlated once more, when what happened
//! around them is known.

use std::sync::Arc;

use stanch_core::journal::State;
use stanch_core::journal::event::{AlertsJoined, Event, IncidentsMerged, Joined, LookedAgain};
use stanch_core::journal::incident::Incident;
use stanch_core::journal::sightings::Mention;
use stanch_core::journal::state::Disposition;
use stanch_core::stage::correlate::{self, Look, Place};
use stanch_core::stage::recall::{self, Recalled};
use stanch_core::stage::{fingerprint, triage};
use stanch_model::{AlertId, Fact, IncidentId, Span, Timestamp};

use crate::known::observable;
use crate::pipeline::first;
use crate::turn::Turn;

/// So long after an alert came in it is looked at again.
const AFTER: Span = Span::mins(10);
/// Alerts looked at again in one turn.
const AT_ONCE: usize = 512;

/// True when alerts wait whose time for a second look has come.
pub(crate) fn is_due(state: &State, now: Timestamp) -> bool {
    state.second.due(now.plus(Span(-AFTER.0))).next().is_some()
}

impl Turn<'_> {
    /// Looks once more at alerts that came in a while ago. What is left is looked at in the next turn.
    pub(crate) fn look_again(&mut self) {
        let until = self.now.plus(Span(-AFTER.0));
        let due: Vec<Arc<Mention>> = self.state.second.due(until).take(AT_ONCE).cloned().collect();
        let Some(last) = due.last() else { return };
        let alone: Vec<&Arc<Mention>> = due.iter().filter(|m| self.is_open(m)).collect();
        let scores = alone.iter().filter_map(|m| self.other_score(m)).collect();
        let upto = last.alert;
        self.record(Event::LookedAgain(LookedAgain { upto, scores }));
        for m in alone {
            if self.is_open(m) {
                self.place_again(m);
            }
        }
    }

    /// A look as far as scores are calibrated.
    pub(crate) fn look(&self, look: Look) -> Look {
        if self.is_calibrated() { look } else { Look::Untaught }
    }

    fn is_open(&self, m: &Mention) -> bool {
        self.state.slot(m.alert).is_some_and(|s| s.disposition == Disposition::Open)
    }

    /// The score of an alert now, where a calibrated one is other than before.
    fn other_score(&self, m: &Mention) -> Option<(AlertId, u16)> {
        if !self.is_calibrated() {
            return None;
        }
        let site = self.site_of(m)?;
        let facts: Vec<Fact> = match self.state.facts.get(&m.alert) {
            Some(learnt) => learnt.facts.clone(),
            None if self.rules.references.is_empty() => Vec::new(),
            None => {
                let about = fingerprint::entities(&m.ends);
                about.iter().flat_map(|e| self.rules.about(&site, &observable(e))).collect()
            }
        };
        let features = triage::again(self.state, &self.rules.config.triage, m, &facts)?;
        let score = self.judge_described(&features).thousandths();
        (self.state.slot(m.alert)?.score != score).then_some((m.alert, score))
    }

    fn place_again(&mut self, m: &Mention) {
        let Some(site) = self.site_of(m) else { return };
        let Some(joined) = correlate::mention_to_joined(self.state, m, String::new()) else { return };
        let look = self.look(Look::Second);
        let decided = correlate::correlate(self.state, &self.rules.config.triage, &site, &joined, look);
        let joined = Joined { because: first(&decided.because), ..joined };
        match decided.verdict {
            Place::Join { incident, merge } => self.join(incident, merge, joined),
            Place::Open => self.open(&site, joined, decided.because),
            Place::Alone => {}
        }
    }

    fn site_of(&self, m: &Mention) -> Option<String> {
        let slot = self.state.slot(m.alert)?;
        Some(self.state.sources.get(usize::from(slot.source))?.site.clone())
    }
}

/// How sure an incident is, and on how many machines: while neither grows, nothing more is recalled.
pub(crate) fn reach(i: &Incident) -> (bool, usize) {
    (recall::is_sure(i), i.machines.len())
}

impl Turn<'_> {
    /// Takes into an incident that has become sure, or that has reached another machine, what likely began it.
    pub(crate) fn recall(&mut self, incident: IncidentId, before: Option<(bool, usize)>) {
        let Some(i) = self.state.incidents.get(&incident).filter(|_| self.is_calibrated()) else { return };
        let now = reach(i);
        if !now.0 || before.is_some_and(|(sure, machines)| sure && machines == now.1) {
            return;
        }
        let Recalled { alerts, incidents } = recall::recall(self.state, i);
        if !alerts.is_empty() {
            self.record(Event::AlertsJoined(AlertsJoined { incident, alerts }));
        }
        for other in incidents {
            // The oldest goes on, as ever.
            let head = self.state.head_of(incident);
            let (into, from) = (head.min(other), head.max(other));
            let because = "the earlier one called home or let data out on a machine of the later".to_owned();
            self.record(Event::IncidentsMerged(IncidentsMerged { into, from, by: "stanch".into(), because }));
        }
        let head = self.state.head_of(incident);
        if head != incident {
            self.after_change(head);
        }
    }
}
