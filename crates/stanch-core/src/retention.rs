//! Which details have been kept for long enough.
//!
//! A detail is what lies beside an entry: bytes as received, normalised alerts, reasons. It is due when all alerts it
//! speaks of are of a class whose time is over, counted from when it was written. What an open incident
//! or a change in force rests on is never due, whatever the times say; what this program cannot read
//! is kept.

use stanch_model::port::Entry;
use stanch_model::{AlertId, IncidentId, Span, Timestamp};

use crate::journal::{Disposition, Event, State, Status, decode};

/// How long details are kept. None: for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Of alerts that are in no incident, and of what could not be read. 7d to 3650d.
    pub alerts: Option<Span>,
    /// Of alerts in incidents that are resolved, with no change in force. 7d to 3650d.
    pub incidents: Option<Span>,
}

/// The shortest time that can be configured: nothing looks back further by itself.
pub const SHORTEST: Span = Span::hours(24 * 7);
/// The longest.
pub const LONGEST: Span = Span::hours(24 * 3_650);

/// What a detail is kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Nothing but itself.
    Alerts,
    /// An incident that is over.
    Incidents,
    /// An incident that is not over, or a change in force.
    Needed,
}

impl Retention {
    /// True when something is ever taken away.
    #[must_use]
    pub fn any(&self) -> bool {
        self.alerts.is_some() || self.incidents.is_some()
    }

    /// Nothing written at or after this is due.
    #[must_use]
    pub fn before(&self, now: Timestamp) -> Option<Timestamp> {
        let shortest = self.alerts.into_iter().chain(self.incidents).min()?;
        Some(Timestamp(now.0.saturating_sub(shortest.0)))
    }

    /// Is the detail beside this entry due?
    #[must_use]
    pub fn due(&self, state: &State, entry: &Entry, now: Timestamp) -> bool {
        let span = match class_of(state, entry) {
            None | Some(Class::Needed) => None,
            Some(Class::Alerts) => self.alerts,
            Some(Class::Incidents) => self.incidents,
        };
        span.is_some_and(|s| now.since(entry.at) >= s)
    }
}

/// What the detail beside an entry is kept for; none when this program does not know such details.
#[must_use]
pub fn class_of(state: &State, entry: &Entry) -> Option<Class> {
    let ids: Vec<AlertId> = match decode(entry).ok()? {
        Event::Intake(e) => {
            let of = |d: &crate::journal::event::Delivered| {
                d.new.iter().map(|n| n.1).chain(d.merged.iter().map(|m| m.1)).collect::<Vec<_>>()
            };
            e.deliveries.iter().flat_map(of).collect()
        }
        Event::Assessed(e) => e.items.iter().map(|i| i.0).collect(),
        Event::OccurrenceSplit(e) => vec![e.from],
        _ => return None,
    };
    Some(ids.into_iter().map(|id| class(state, id)).max().unwrap_or(Class::Alerts))
}

/// What one alert is kept for.
#[must_use]
pub fn class(state: &State, alert: AlertId) -> Class {
    let Some(slot) = state.slot(alert) else { return Class::Needed };
    if slot.disposition != Disposition::InIncident {
        return Class::Alerts;
    }
    let incident = state.head_of(IncidentId(u64::from(slot.link)));
    let over = state.incidents.get(&incident).is_some_and(|i| i.status == Status::Resolved);
    let holds = state.live_actions().any(|a| a.action.incident == incident || a.holders.contains(&incident));
    if over && !holds { Class::Incidents } else { Class::Needed }
}

/// The first alert in these entries that is still needed. For a last look before details are taken away.
#[must_use]
pub fn needed(state: &State, ranges: &[(u64, u64)]) -> Option<AlertId> {
    ranges.iter().find_map(|(first, last)| {
        // In the order of their ids, which is that of the entries they came with.
        let from = state.slots.partition_point(|s| s.seq < *first);
        let within = state.slots.iter().enumerate().skip(from).take_while(|(_, s)| s.seq <= *last);
        let ids = within.map(|(n, _)| AlertId(n as u64 + 1));
        ids.into_iter().find(|id| class(state, *id) == Class::Needed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::event::{Delivered, Intake, NewAlert};

    const DAY: i64 = 86_400_000;

    #[test]
    fn each_class_has_its_own_time_and_what_is_not_known_is_kept() {
        let policy = Retention { alerts: Some(Span::hours(24 * 30)), incidents: None };
        let entry = |kind: &str, body: &str| Entry {
            seq: 1,
            at: Timestamp(0),
            stream: "intake".into(),
            kind: kind.into(),
            body: body.as_bytes().to_vec(),
        };
        let state = State::default();
        let rejected =
            entry("intake", r#"{"deliveries":[{"source":"s","site":"m","n":1,"quarantined":[[0,"why"]]}]}"#);
        assert!(!policy.due(&state, &rejected, Timestamp(30 * DAY - 1)));
        assert!(policy.due(&state, &rejected, Timestamp(30 * DAY)));
        assert_eq!(policy.before(Timestamp(30 * DAY)), Some(Timestamp(0)));
        for (kind, body) in [("from_the_future", "{}"), ("intake", "not JSON"), ("loaded", "{}")] {
            assert!(!policy.due(&state, &entry(kind, body), Timestamp(9_999 * DAY)), "{kind}");
        }
        // An alert that the fold does not know is one whose part nobody can tell.
        let unknown = Intake {
            deliveries: vec![Delivered {
                new: vec![NewAlert(
                    0,
                    AlertId(9),
                    crate::journal::event::Key(1),
                    Timestamp(0),
                    stanch_model::Severity::High,
                    std::sync::Arc::default(),
                    1,
                    1,
                )],
                ..Delivered::default()
            }],
        };
        let unknown = entry("intake", &serde_json::to_string(&unknown).unwrap_or_default());
        assert_eq!(class_of(&state, &unknown), Some(Class::Needed));
        assert!(!policy.due(&state, &unknown, Timestamp(9_999 * DAY)));
        assert_eq!(Retention::default().before(Timestamp(9_999 * DAY)), None);
    }
}
