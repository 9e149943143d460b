//! What people corrected: which rules belong together in an incident, and which do not.
//!
//! Every merge, split and unmerge that a person makes, and every verdict "wrong merge", counts once for each
//! pair of rules it brings together or takes apart, at that site. Correlation reads the sums
//! (`stage/correlate.rs`): what was taken apart twice is not joined again by the machine.

use std::collections::{BTreeMap, BTreeSet};

use stanch_judge::text::number;
use stanch_model::{AlertId, IncidentId};

use super::event::{AlertsMoved, IncidentsMerged};
use super::incident::Incident;
use super::state::State;

/// Rules of one side that are counted.
const RULES: usize = 16;
/// Pairs remembered; the first in their order go.
const PAIRS: usize = 50_000;

/// How often people put two rules into one incident, less how often they took them apart.
#[derive(Clone, Debug, Default)]
pub struct Bonds(BTreeMap<(u64, u64, u64), i32>);

impl Bonds {
    fn count(&mut self, site: &str, one: &BTreeSet<&str>, other: &BTreeSet<&str>, by: i32) {
        for a in one.iter().take(RULES) {
            for b in other.iter().take(RULES).filter(|b| *b != a) {
                if self.0.len() >= PAIRS {
                    self.0.pop_first();
                }
                *self.0.entry(key(site, a, b)).or_default() += by;
            }
        }
    }

    /// What people found about an alert of this rule in that incident: above 0 it belongs there, below
    /// 0 it does not.
    #[must_use]
    pub fn between(&self, incident: &Incident, rule: &str) -> i32 {
        if self.0.is_empty() {
            return 0;
        }
        let rules = incident.totals.rules.keys().filter(|r| *r != rule).take(RULES);
        rules.filter_map(|r| self.0.get(&key(&incident.site, r, rule))).sum()
    }
}

fn key(site: &str, a: &str, b: &str) -> (u64, u64, u64) {
    let (a, b) = (number(a), number(b));
    (number(site), a.min(b), a.max(b))
}

fn rules(i: &Incident) -> BTreeSet<&str> {
    i.totals.rules.keys().map(String::as_str).collect()
}

impl State {
    /// A person merged two incidents, or took them apart again.
    pub(super) fn bound(&mut self, from: IncidentId, into: IncidentId, by: i32) {
        let (Some(a), Some(b)) = (self.incidents.get(&from), self.incidents.get(&into)) else { return };
        self.bonds.count(&a.site, &rules(a), &rules(b), by);
    }

    pub(super) fn merged_by(&mut self, e: &IncidentsMerged) {
        if e.by != "stanch" {
            self.bound(e.from, e.into, 1);
        }
    }

    /// A person moved alerts: they do not belong with what stays, and belong with what is there. Call it
    /// before they are moved.
    pub(super) fn moved_by(&mut self, e: &AlertsMoved) {
        let (Some(from), Some(to)) = (self.incidents.get(&e.from), self.incidents.get(&e.to)) else { return };
        let gone: BTreeSet<AlertId> = e.alerts.iter().copied().collect();
        let of = |moved: bool| -> BTreeSet<&str> {
            let own = from.alerts.iter().filter(|j| gone.contains(&j.alert) == moved);
            own.map(|j| j.rule.as_str()).collect()
        };
        let (moved, stays) = (of(true), of(false));
        self.bonds.count(&from.site, &moved, &stays, -1);
        self.bonds.count(&to.site, &moved, &rules(to), 1);
    }

    /// A person said that an incident holds what does not belong together: its parts, and it.
    pub(super) fn wrongly_merged(&mut self, incident: IncidentId) {
        let parts: Vec<IncidentId> =
            self.incidents.get(&incident).map(|i| i.parts.iter().copied().collect()).unwrap_or_default();
        for part in parts {
            self.bound(part, incident, -1);
        }
    }
}
