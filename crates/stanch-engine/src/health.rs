//! Our own alerts: a source that fell silent, one that changed its shape, scores that drift.
//!
//! What is wrong is decided in `stanch_core::stage::health`; here it is taken in like any other delivery,
//! from the source `stanch`, so that it is counted, kept, suppressed and told like any other alert. What
//! stands follows from the fold: a restart raises nothing twice and forgets nothing.

use serde::{Deserialize, Serialize};
use stanch_core::journal::event::{ByPerson, Event};
use stanch_core::stage::autonomy::close::closable;
use stanch_core::stage::fingerprint;
use stanch_core::stage::health::{Ailment, OWN_SOURCE, ailments};
use stanch_model::port::{Parsed, Record, Rejected};
use stanch_model::{Alert, AlertState, IncidentId, Product, Rule, Severity};

use crate::input::Received;
use crate::turn::Turn;

impl Turn<'_> {
    /// Raises what is wrong and does not stand yet, and takes back what is over.
    pub(crate) fn look_after_sources(&mut self) {
        let nothing_stands = self.state.health.standing.is_empty();
        for a in ailments(self.state, self.config(), self.now) {
            if !a.lasts && nothing_stands {
                continue;
            }
            let stands = self.state.health.standing.contains(&fingerprint::key(&a.site, &a.key));
            if a.lasts != stands {
                self.tell_ailment(a);
            }
        }
    }

    /// Closes what may be closed by itself: off unless the owner wrote a budget, and only where it is earned.
    pub(crate) fn close_earned(&mut self) {
        let policy = self.config().triage.budgets.close;
        for (incident, text) in closable(self.state, policy.as_ref(), self.now) {
            self.record(Event::Resolved(ByPerson { incident, by: OWN_SOURCE.into(), text }));
        }
    }

    /// Wakes people for what was held back and is not any more: the leave to hold is taken back by drift, by
    /// verdicts and by the owner.
    pub(crate) fn wake_for_held(&mut self) {
        let held = self.state.incidents.values().filter(|i| i.climb.held && i.climb.next.is_some());
        let held: Vec<IncidentId> = held.map(|i| i.id).collect();
        for incident in held {
            self.escalate(incident);
        }
    }

    pub(crate) fn tell_ailment(&mut self, a: Ailment) {
        let own = Own { alert: self.alert_of(&a), key: a.key };
        let body = serde_json::to_vec(&own).unwrap_or_default();
        let records = read(&body);
        let source = OWN_SOURCE.to_owned();
        drop(
            self.receive(vec![(Received { source, site: a.site, body, records, retry_of: None }, self.now)]),
        );
    }

    fn alert_of(&self, a: &Ailment) -> Alert {
        Alert {
            time: self.now,
            title: a.title.clone(),
            message: Some(a.message.clone()),
            severity: Severity::High,
            state: if a.lasts { AlertState::Firing } else { AlertState::Resolved },
            product: Product { name: OWN_SOURCE.into(), vendor_name: None },
            rule: Rule {
                // One rule for each thing that can be silenced by itself: `source-silent|ids`.
                uid: a.key.trim_start_matches("stanch|").to_owned(),
                name: a.name.clone(),
                category: Some("Health of sources".into()),
            },
            ..Alert::default()
        }
    }
}

/// One of our own alerts, as its bytes lie in the journal.
#[derive(Serialize, Deserialize)]
struct Own {
    key: String,
    alert: Alert,
}

/// Takes the bytes of one of our own alerts apart.
pub(crate) fn read(body: &[u8]) -> Vec<Record> {
    let parsed = match serde_json::from_slice::<Own>(body) {
        Ok(own) => Ok(Parsed::Alert { alert: Box::new(own.alert), group_key: own.key }),
        Err(e) => Err(Rejected { reason: format!("not an alert of our own: {e}") }),
    };
    vec![Record { raw: 0..body.len(), parsed }]
}
