//! The conservation ledger: everything received is in exactly one named place.

use serde::Serialize;

use super::state::{Disposition, State};

/// Where the records of one source are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Records taken in and acknowledged.
    pub received: u64,
    /// Counted on an alert that was known already.
    pub merged: u64,
    /// Quiet, by a silence or a maintenance window.
    pub suppressed: u64,
    /// Part of an incident.
    pub in_incidents: u64,
    /// Neither quiet nor part of an incident nor over.
    pub open: u64,
    /// Over: resolved by its source, aged out, or context (flows, logs) that makes no claim.
    pub closed: u64,
    /// Could not be read; listed with the reason, can be tried again.
    pub quarantined: u64,
    /// Of `closed`: flow and log records, kept as context.
    pub closed_as_context: u64,
}

impl Tally {
    /// The sum of the places.
    #[must_use]
    pub fn placed(&self) -> u64 {
        self.merged + self.suppressed + self.in_incidents + self.open + self.closed + self.quarantined
    }

    /// True when everything received is in exactly one place.
    #[must_use]
    pub fn balanced(&self) -> bool {
        self.received == self.placed()
    }

    fn add(&mut self, other: &Tally) {
        self.received += other.received;
        self.merged += other.merged;
        self.suppressed += other.suppressed;
        self.in_incidents += other.in_incidents;
        self.open += other.open;
        self.closed += other.closed;
        self.quarantined += other.quarantined;
        self.closed_as_context += other.closed_as_context;
    }
}

/// The ledger over all sources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ledger {
    /// The totals.
    #[serde(flatten)]
    pub total: Tally,
    /// True when the totals and every source balance, and the occurrences counted on alerts agree.
    pub balanced: bool,
    /// By source, in order of name.
    pub sources: std::collections::BTreeMap<String, Tally>,
}

impl State {
    /// Counts where everything is, by walking over every alert: nothing is taken from a running sum
    /// that could also be checked.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        let mut tallies: Vec<Tally> = self
            .sources
            .iter()
            .map(|s| Tally {
                received: s.received,
                merged: s.merged,
                closed: s.context,
                closed_as_context: s.context,
                quarantined: s.quarantined,
                ..Tally::default()
            })
            .collect();
        let mut occurrences = 0u64;
        for slot in &self.slots {
            occurrences += u64::from(slot.count) - 1;
            if let Some(t) = tallies.get_mut(usize::from(slot.source)) {
                match slot.disposition {
                    Disposition::Open => t.open += 1,
                    Disposition::Suppressed => t.suppressed += 1,
                    Disposition::InIncident => t.in_incidents += 1,
                    Disposition::Closed => t.closed += 1,
                }
            }
        }
        let mut total = Tally::default();
        tallies.iter().for_each(|t| total.add(t));
        let balanced = tallies.iter().all(Tally::balanced) && occurrences == total.merged;
        let sources = self.sources.iter().map(|s| s.name.clone()).zip(tallies).collect();
        Ledger { total, balanced, sources }
    }
}
