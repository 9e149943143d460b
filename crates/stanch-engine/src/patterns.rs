//! Patterns that people wrote (`correlations/*.yaml`), over the alerts as they are taken in.
//!
//! A projection beside the state: nothing of it is journalled, only the incidents it opens or fills.
//! After a restart and after a reload windows begin anew. A copy begins empty, so that a replay never
//! meets the live one. Repeats that were merged count here as often as they happened.

use std::collections::BTreeMap;
use std::sync::Mutex;

use stanch_core::Reason;
use stanch_core::config::Config;
use stanch_core::journal::event::Joined;
use stanch_core::journal::incident::Status;
use stanch_core::journal::state::Disposition;
use stanch_core::stage::sigma::{Correlation, Event, Match, Stream, fields};
use stanch_model::{Alert, AlertId, IncidentId, Span};

use crate::pipeline::from_alert;
use crate::turn::Turn;

/// How much later than newer ones an alert may come and still count.
const LATENESS: Span = Span::mins(10);
/// Alerts whose particulars are kept for an incident that may come of them.
const KEPT: usize = 50_000;

/// The patterns in force and what they have seen.
pub(crate) struct Patterns {
    seen: Mutex<Seen>,
}

struct Seen {
    stream: Stream,
    kept: BTreeMap<AlertId, Joined>,
    next: u64,
    matched: Vec<Match>,
}

impl Patterns {
    /// The patterns of a configuration; nothing seen yet.
    pub(crate) fn new(config: &Config) -> Patterns {
        Patterns::of(config.correlations.clone())
    }

    fn of(correlations: Vec<Correlation>) -> Patterns {
        let stream = Stream::new(correlations, LATENESS);
        Patterns { seen: Mutex::new(Seen { stream, kept: BTreeMap::new(), next: 0, matched: Vec::new() }) }
    }

    fn with<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        // A turn that panicked ends the process; what it left is as good as any other.
        look(&mut self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Clone for Patterns {
    fn clone(&self) -> Patterns {
        Patterns::of(self.with(|s| s.stream.correlations().to_vec()))
    }
}

impl Turn<'_> {
    /// Shows an occurrence of an alert, new or repeated, to the patterns.
    pub(crate) fn show_patterns(&self, id: AlertId, alert: &Alert, source: &str, site: &str) {
        self.rules.patterns.with(|seen| {
            let rules = [alert.rule.uid.clone(), alert.rule.name.clone()];
            if !seen.stream.wants(rules.iter().map(String::as_str)) {
                return;
            }
            let field = fields(alert, source, site);
            let wanted = seen.stream.fields(&rules);
            let fields = wanted.into_iter().filter_map(|f| field(&f).map(|v| (f, v))).collect();
            seen.next += 1;
            let event = Event {
                id: seen.next,
                alert: id.0,
                site: site.to_owned(),
                time: alert.time.min(self.now),
                rules: rules.to_vec(),
                fields,
            };
            seen.kept.entry(id).or_insert_with(|| from_alert(id, alert, source, 0, self.state));
            if seen.kept.len() > KEPT {
                seen.kept.pop_first();
            }
            let found = seen.stream.take(&event);
            let own: Vec<Match> =
                found.into_iter().filter(|m| seen.stream.generates(m.correlation)).collect();
            seen.matched.extend(own);
        });
    }

    /// Lets every pattern that has matched open an incident, or fill the one its alerts belong to.
    pub(crate) fn apply_patterns(&mut self) {
        for found in self.rules.patterns.with(|seen| std::mem::take(&mut seen.matched)) {
            self.apply_pattern(&found);
        }
    }

    fn apply_pattern(&mut self, found: &Match) {
        let because = Reason::new(found.because.clone());
        let ids: Vec<AlertId> = found.alerts.iter().map(|id| AlertId(*id)).collect();
        let mut open = self.open_alerts(&ids, &found.because);
        let incident = match ids.iter().find_map(|id| self.incident_of(*id)) {
            Some(incident) => incident,
            None => {
                // The latest opens it: the story then begins with what completed the pattern.
                let Some(last) = open.pop() else { return };
                let incident = IncidentId(self.state.next.incident);
                self.open(&found.site, last, vec![because]);
                // Opening gathers, perhaps some of these.
                open = self.open_alerts(&ids, &found.because);
                incident
            }
        };
        for joined in open {
            self.join(incident, Vec::new(), joined);
        }
    }

    /// The incident an alert is part of, when work on it goes on.
    fn incident_of(&self, id: AlertId) -> Option<IncidentId> {
        let slot = self.state.slot(id).filter(|s| s.disposition == Disposition::InIncident)?;
        let head = self.state.head_of(IncidentId(slot.link.into()));
        self.state.incidents.get(&head).filter(|i| i.status < Status::Resolved).map(|_| head)
    }

    /// Those of the alerts that nothing has claimed yet, as an incident takes them.
    fn open_alerts(&self, ids: &[AlertId], because: &str) -> Vec<Joined> {
        let open = |id: &&AlertId| self.state.slot(**id).is_some_and(|s| s.disposition == Disposition::Open);
        self.rules.patterns.with(|seen| {
            let joined = |id: &AlertId| {
                let slot = self.state.slot(*id)?;
                let kept = seen.kept.get(id)?.clone();
                Some(Joined {
                    score: slot.score,
                    severity: slot.severity,
                    stage: slot.stage,
                    because: because.to_owned(),
                    ..kept
                })
            };
            ids.iter().filter(open).filter_map(joined).collect()
        })
    }
}
