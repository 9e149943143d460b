//! One group while it grows: its size, its gaps, and what was known when it began.

use stanch_model::Timestamp;

use super::{Asset, Mark};

/// A group so far. A hundred thousand of them are kept: small on purpose.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    /// First alert.
    pub(super) start: Timestamp,
    /// Latest alert.
    pub(super) last: Timestamp,
    gap_mean: f64,
    gap_spread: f64,
    pub(super) tool: u64,
    pub(super) began: Began,
    /// Alerts.
    pub(super) count: u32,
    pub(super) stage: u8,
    pub(super) severity: u8,
    pub(super) hostile: u8,
    pub(super) asset: Asset,
}

/// What was known when a group began, as counts: what follows from them is worked out when a row is asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Began {
    /// How long before it the rule was seen last here, and anywhere.
    pub(super) since_here: Ago,
    pub(super) since_rule: Ago,
    /// Earlier groups of this rule on this machine, of this rule, of this machine.
    pub(super) here: u32,
    pub(super) of_rule: u32,
    pub(super) of_machine: u32,
    /// Machines that had this rule before.
    pub(super) machines: u32,
    /// Of the earlier groups of the rule and of the machine, those about this time of day.
    pub(super) about_now: (u32, u32),
}

/// How long ago, in milliseconds; below zero: never.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ago(i64);

impl Default for Ago {
    fn default() -> Ago {
        Ago(-1)
    }
}

impl Ago {
    pub(super) fn new(now: Timestamp, then: Timestamp) -> Ago {
        Ago(now.since(then).0.max(0))
    }

    /// In seconds; none for never.
    pub(super) fn seconds(self) -> Option<f64> {
        (self.0 >= 0).then(|| self.0 as f64 / 1_000.0)
    }
}

impl Group {
    pub(super) fn new(mark: &Mark, began: Began) -> Group {
        Group {
            start: mark.at,
            last: mark.at,
            gap_mean: 0.0,
            gap_spread: 0.0,
            tool: mark.tool,
            began,
            count: 1,
            stage: mark.stage,
            severity: mark.severity,
            hostile: mark.hostile,
            asset: mark.asset,
        }
    }

    /// Takes in one more alert. Mean and spread are kept running.
    /// Source: Welford, Technometrics 1962.
    pub(super) fn grow(&mut self, mark: &Mark) {
        let gap = mark.at.since(self.last).0 as f64 / 1_000.0;
        let n = f64::from(self.count);
        let off = gap - self.gap_mean;
        self.gap_mean += off / n;
        self.gap_spread += off * (gap - self.gap_mean);
        self.count = self.count.saturating_add(1);
        self.last = mark.at;
        self.severity = self.severity.max(mark.severity);
        self.hostile = self.hostile.max(mark.hostile);
    }

    /// Natural logarithm of its size plus one.
    pub(super) fn log_size(&self) -> f64 {
        f64::from(self.count).ln_1p()
    }

    /// Seconds from first to last.
    pub(super) fn seconds(&self) -> f64 {
        self.last.since(self.start).0 as f64 / 1_000.0
    }

    /// Mean gap in seconds, and its spread as a share of the mean; -1 when there are too few.
    pub(super) fn gaps(&self) -> (f64, f64) {
        let n = f64::from(self.count) - 1.0;
        let mean = if n >= 1.0 { self.gap_mean.ln_1p() } else { -1.0 };
        let spread = if n > 2.0 { (self.gap_spread / n).sqrt() / (self.gap_mean + 1e-9) } else { -1.0 };
        (mean, spread.min(100.0))
    }
}
