//! How sources speak and whether scores still keep their word: counts from which a change is seen.
//!
//! Folded from what is journalled anyway: which fields the new alerts of a source fill, how many of its
//! records cannot be read, which stages of an attack its alerts belong to, and what people found out about
//! incidents beside the confidence they had. Counts in tumbling windows, against a running share of the
//! windows before; so memory is a few numbers a source, and an old habit is forgotten slowly.
//! Decides nothing: `stage/health.rs` does.

use std::collections::{BTreeMap, VecDeque};

use stanch_model::{IncidentId, Severity, Timestamp};

use super::event::{Key, NewAlert};
use crate::stage::kill_chain::Stage;

/// What of an alert is looked at, in words; [`UNREADABLE`] stands behind them.
pub const FIELDS: [&str; 8] = [
    "source address",
    "destination address",
    "destination port",
    "host name",
    "user",
    "severity",
    "established connection",
    "unreadable record",
];
/// The place of records that could not be read among [`FIELDS`].
pub const UNREADABLE: usize = 7;
/// New alerts in a window of a source; records, for those that could not be read.
const WINDOW: u32 = 50;
/// Windows before a change is looked for.
const SETTLED: u32 = 4;
/// Weight of the latest window in the running share.
const NEW: f64 = 0.1;
/// A field that was in at least / at most this share of alerts and now is in at most / at least that one.
const VANISHED: (f64, f64) = (0.9, 0.1);
const APPEARED: (f64, f64) = (0.02, 0.5);
/// Records that cannot be read: a rise of their share by this much.
const RISEN: f64 = 0.2;
/// Alerts in a window of the stages of a site's whole intake.
const STAGES_WINDOW: u32 = 200;
/// Population stability index from which the mix of stages has changed, and below which it has settled
/// again. Source: Siddiqi, Credit Risk Scorecards, 2006: above 0.25 a significant shift, below 0.1 none.
const PSI: (f64, f64) = (0.25, 0.1);
/// Judged incidents that the calibration is watched over, and the fewest that say something.
const JUDGED: (usize, usize) = (50, 20);
/// Standard errors between what was expected and what people found out: three, so that one look in some
/// hundred is wrong by chance.
const ERRORS: f64 = 3.0;

/// Something is no longer as it was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// What it was: a share, or the number expected.
    pub was: f64,
    /// What it is.
    pub is: f64,
    /// Seen first.
    pub at: Timestamp,
}

/// The shape of what a source sends.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    now: [u32; FIELDS.len()],
    seen: [u32; 2],
    usual: [f64; FIELDS.len()],
    windows: [u32; 2],
    changes: BTreeMap<usize, Change>,
}

impl Shape {
    /// Changes that stand, by the place of the field in [`FIELDS`]. One ends when the field is as before,
    /// or when the new habit has lasted so long that it is the usual one.
    #[must_use]
    pub fn changes(&self) -> &BTreeMap<usize, Change> {
        &self.changes
    }

    pub(super) fn alert(&mut self, at: Timestamp, n: &NewAlert) {
        let ends = &n.5;
        let who = |kind: &str| ends.who.iter().any(|w| w.starts_with(kind));
        let filled = [
            ends.src.is_some(),
            ends.dst.is_some(),
            ends.port != 0,
            who("host:"),
            who("user:"),
            n.4 != Severity::Unknown,
            ends.established,
        ];
        for (count, filled) in self.now.iter_mut().zip(filled) {
            *count += u32::from(filled);
        }
        self.seen[0] += 1;
        if self.seen[0] >= WINDOW {
            self.close(at, 0, 0..UNREADABLE);
        }
    }

    pub(super) fn records(&mut self, at: Timestamp, all: u32, unreadable: u32) {
        self.now[UNREADABLE] += unreadable;
        self.seen[1] += all;
        if self.seen[1] >= WINDOW {
            self.close(at, 1, UNREADABLE..UNREADABLE + 1);
        }
    }

    fn close(&mut self, at: Timestamp, kind: usize, fields: std::ops::Range<usize>) {
        let n = f64::from(std::mem::take(&mut self.seen[kind]));
        let settled = self.windows[kind] >= SETTLED;
        let first = self.windows[kind] == 0;
        self.windows[kind] += 1;
        for f in fields {
            let (is, was) = (f64::from(std::mem::take(&mut self.now[f])) / n, self.usual[f]);
            let changed = match f {
                UNREADABLE => is >= was + RISEN,
                _ => (was >= VANISHED.0 && is <= VANISHED.1) || (was <= APPEARED.0 && is >= APPEARED.1),
            };
            if settled && changed {
                self.changes.entry(f).or_insert(Change { was, is, at });
            } else if self
                .changes
                .get(&f)
                .is_some_and(|c| (is - c.was).abs() < RISEN || (is - was).abs() < RISEN)
            {
                self.changes.remove(&f);
            }
            // While the habit is young every window counts the same.
            let weight = if first { 1.0 } else { NEW.max(1.0 / f64::from(self.windows[kind])) };
            self.usual[f] = was + weight * (is - was);
        }
    }
}

/// Whether scores still rest on what they were learnt from.
#[derive(Clone, Debug, Default)]
pub struct Drift {
    now: BTreeMap<u8, u32>,
    seen: u32,
    usual: BTreeMap<u8, f64>,
    windows: u32,
    input: Option<Change>,
    judged: VecDeque<(IncidentId, u16, bool)>,
    calibration: Option<Change>,
}

impl Drift {
    /// The mix of stages is another one: stability index allowed and found.
    #[must_use]
    pub fn input(&self) -> Option<Change> {
        self.input
    }

    /// Confidence is not kept: incidents expected to matter among the latest judged, and those that did.
    #[must_use]
    pub fn calibration(&self) -> Option<Change> {
        self.calibration
    }

    /// How many judged incidents the calibration is watched over.
    #[must_use]
    pub fn judged(&self) -> usize {
        self.judged.len()
    }

    pub(super) fn assessed(&mut self, at: Timestamp, stage: Stage) {
        *self.now.entry(stage as u8).or_default() += 1;
        self.seen += 1;
        if self.seen < STAGES_WINDOW {
            return;
        }
        let n = f64::from(std::mem::take(&mut self.seen));
        let now = std::mem::take(&mut self.now);
        // Half an alert where there is none, so that the logarithm stays finite.
        let floor = 0.5 / n;
        let psi: f64 = (0..=12u8)
            .map(|s| {
                let is = (f64::from(now.get(&s).copied().unwrap_or(0)) / n).max(floor);
                let was = self.usual.get(&s).copied().unwrap_or(0.0).max(floor);
                (is - was) * (is / was).ln()
            })
            .sum();
        if self.windows >= SETTLED && psi > PSI.0 {
            self.input.get_or_insert(Change { was: PSI.0, is: psi, at });
        } else if psi < PSI.1 {
            self.input = None;
        }
        self.windows += 1;
        // What is odd is learnt slowly: it may be over soon, and then the old mix must be known still.
        let weight = if self.input.is_some() { NEW / 5.0 } else { NEW.max(1.0 / f64::from(self.windows)) };
        for s in 0..=12u8 {
            let usual = self.usual.entry(s).or_default();
            *usual += weight * (f64::from(now.get(&s).copied().unwrap_or(0)) / n - *usual);
        }
    }

    /// A person said what came of an incident that had this confidence, in thousandths.
    pub(crate) fn verdict(&mut self, at: Timestamp, incident: IncidentId, confidence: u16, matters: bool) {
        self.judged.retain(|j| j.0 != incident);
        self.judged.push_back((incident, confidence, matters));
        if self.judged.len() > JUDGED.0 {
            self.judged.pop_front();
        }
        let p = || self.judged.iter().map(|j| (f64::from(j.1) / 1000.0).clamp(0.01, 0.99));
        let expected: f64 = p().sum();
        let error = p().map(|p| p * (1.0 - p)).sum::<f64>().sqrt();
        let found = self.judged.iter().filter(|j| j.2).count() as f64;
        let off = self.judged.len() >= JUDGED.1 && (found - expected).abs() > ERRORS * error;
        self.calibration = match self.calibration {
            Some(c) if off => Some(Change { was: expected, is: found, at: c.at }),
            _ => off.then_some(Change { was: expected, is: found, at }),
        };
    }
}

/// How what Stanch listens to is doing.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// By index of the source.
    pub shapes: BTreeMap<u16, Shape>,
    /// Of the judgement.
    pub drift: Drift,
    /// Alerts of our own that stand: what they are about, by their key.
    pub standing: std::collections::BTreeSet<Key>,
    /// When the configuration in force was first loaded.
    pub configured: Timestamp,
}

#[cfg(test)]
mod tests {
    use stanch_model::AlertId;

    use super::*;
    use crate::journal::event::Ends;

    fn alert(port: u16) -> NewAlert {
        let ends = Ends { src: "10.0.0.1".parse().ok(), port, ..Ends::default() };
        NewAlert(0, AlertId(1), Key(1), Timestamp(0), Severity::High, ends.into(), 1, 1)
    }

    fn send(shape: &mut Shape, many: u32, port: u16) {
        (0..many).for_each(|i| shape.alert(Timestamp(i64::from(i)), &alert(port)));
    }

    #[test]
    fn a_field_that_vanishes_is_seen_within_a_window_and_ends_when_it_is_back() {
        let mut shape = Shape::default();
        send(&mut shape, 4 * WINDOW, 443);
        assert!(shape.changes().is_empty());
        send(&mut shape, WINDOW, 0);
        let change = shape.changes().get(&2).copied().expect("the port is gone");
        assert_eq!((change.was, change.is, shape.changes().len()), (1.0, 0.0, 1));
        send(&mut shape, WINDOW, 443);
        assert!(shape.changes().is_empty());
    }

    #[test]
    fn a_new_habit_becomes_the_usual_one_in_the_end() {
        let mut shape = Shape::default();
        send(&mut shape, 4 * WINDOW, 0);
        send(&mut shape, WINDOW, 443);
        assert_eq!(shape.changes().keys().collect::<Vec<_>>(), [&2]);
        send(&mut shape, 30 * WINDOW, 443);
        assert!(shape.changes().is_empty());
    }

    #[test]
    fn a_field_of_a_young_source_is_no_change_and_neither_is_one_that_comes_and_goes() {
        let mut shape = Shape::default();
        send(&mut shape, 2 * WINDOW, 443);
        send(&mut shape, 2 * WINDOW, 0);
        assert!(shape.changes().is_empty());
        for i in 0..40 {
            send(&mut shape, WINDOW / 2, if i % 2 == 0 { 443 } else { 0 });
        }
        assert!(shape.changes().is_empty());
    }

    #[test]
    fn records_that_cannot_be_read_any_more_are_a_change() {
        let mut shape = Shape::default();
        (0..10).for_each(|_| shape.records(Timestamp(0), WINDOW, 1));
        assert!(shape.changes().is_empty());
        shape.records(Timestamp(9), WINDOW, 30);
        assert_eq!(shape.changes().get(&UNREADABLE).map(|c| c.at), Some(Timestamp(9)));
    }

    #[test]
    fn another_mix_of_stages_is_drift_and_the_same_mix_is_none() {
        let mut drift = Drift::default();
        let mut run = |stages: [Stage; 2], windows: u32| {
            for i in 0..windows * STAGES_WINDOW {
                drift.assessed(Timestamp(0), stages[i as usize % 2]);
            }
            drift.input().is_some()
        };
        assert!(!run([Stage::Policy, Stage::Reconnaissance], 8));
        assert!(run([Stage::Execution, Stage::Impact], 1));
        assert!(!run([Stage::Policy, Stage::Reconnaissance], 4), "it is over when the mix is as before");
    }

    #[test]
    fn confidence_that_people_do_not_confirm_is_drift() {
        let mut drift = Drift::default();
        let mut say = |from: u64, to: u64, matters: &dyn Fn(u64) -> bool| {
            (from..to).for_each(|n| drift.verdict(Timestamp(n as i64), IncidentId(n), 800, matters(n)));
            drift.calibration()
        };
        assert_eq!(say(0, 50, &|n| n % 5 != 0), None, "four of five at 80 % is what was promised");
        let drifted = say(50, 100, &|n| n % 5 == 0).expect("one of five is not");
        assert!((drifted.was - 40.0).abs() < 0.01 && drifted.is == 10.0, "{drifted:?}");
        assert_eq!(say(100, 150, &|n| n % 5 != 0), None);
    }
}
