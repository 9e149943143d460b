//! One group while it grows: its size, its gaps, and what was known when it began.

use stanch_model::Timestamp;

use super::{Asset, Mark};

/// A group so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// First alert.
    pub start: Timestamp,
    /// Latest alert.
    pub last: Timestamp,
    /// Alerts.
    pub count: u64,
    gap_mean: f64,
    gap_spread: f64,
    pub(super) began: Began,
    pub(super) stage: u8,
    pub(super) severity: u8,
    pub(super) hostile: u8,
    pub(super) asset: Asset,
    pub(super) tool: u64,
}

/// What was known when a group began.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Began {
    /// Days since the site was first heard of.
    pub(super) age: f64,
    /// Earlier groups of this rule on this machine, of this rule, of this machine.
    pub(super) here: f64,
    pub(super) of_rule: f64,
    pub(super) of_machine: f64,
    /// Machines that had this rule before.
    pub(super) machines: f64,
    /// Seconds since the rule was last seen here, and anywhere.
    pub(super) since_here: Option<f64>,
    pub(super) since_rule: Option<f64>,
    /// How surprising a group of this rule on this machine is: ln(expected gap in days).
    pub(super) surprise: f64,
    /// Spread of the intervals between its beginnings, and how far the last one is off; -1 when unknown.
    pub(super) rhythm: (f64, f64),
    /// How usual this time of day is for the rule, and for the machine; 0 when nothing is known.
    pub(super) hour: (f64, f64),
}

impl Group {
    pub(super) fn new(mark: &Mark, began: Began) -> Group {
        Group {
            start: mark.at,
            last: mark.at,
            count: 1,
            gap_mean: 0.0,
            gap_spread: 0.0,
            began,
            stage: mark.stage,
            severity: mark.severity,
            hostile: mark.hostile,
            asset: mark.asset,
            tool: mark.tool,
        }
    }

    /// Takes in one more alert. Mean and spread are kept running.
    /// Source: Welford, Technometrics 1962.
    pub(super) fn grow(&mut self, mark: &Mark) {
        let gap = mark.at.since(self.last).0 as f64 / 1_000.0;
        let n = self.count as f64;
        let off = gap - self.gap_mean;
        self.gap_mean += off / n;
        self.gap_spread += off * (gap - self.gap_mean);
        self.count += 1;
        self.last = mark.at;
        self.severity = self.severity.max(mark.severity);
        self.hostile = self.hostile.max(mark.hostile);
    }

    /// Natural logarithm of its size plus one.
    pub(super) fn log_size(&self) -> f64 {
        (self.count as f64).ln_1p()
    }

    /// Seconds from first to last.
    pub(super) fn seconds(&self) -> f64 {
        self.last.since(self.start).0 as f64 / 1_000.0
    }

    /// Mean gap in seconds, and its spread as a share of the mean; -1 when there are too few.
    pub(super) fn gaps(&self) -> (f64, f64) {
        let n = self.count as f64 - 1.0;
        let mean = if n >= 1.0 { self.gap_mean.ln_1p() } else { -1.0 };
        let spread = if n > 2.0 { (self.gap_spread / n).sqrt() / (self.gap_mean + 1e-9) } else { -1.0 };
        (mean, spread.min(100.0))
    }
}
