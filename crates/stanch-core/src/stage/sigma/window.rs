//! One window: what its events come to.

use std::collections::{BTreeMap, BTreeSet};

use stanch_model::Timestamp;

use super::Kind;

/// An event as one correlation keeps it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Held {
    pub(super) time: Timestamp,
    pub(super) id: u64,
    /// Which of the correlation's rules it is an event of.
    pub(super) rule: usize,
    /// The values of the condition's fields; `None` when one is missing.
    pub(super) value: Option<Vec<String>>,
    /// The alerts it stands for.
    pub(super) members: Vec<u64>,
}

/// The figure of a window, its events in order of time; `None` when there is nothing to compute.
pub(super) fn figure(kind: Kind, rules: usize, window: &[Held]) -> Option<f64> {
    let count = |n: usize| Some(n as f64);
    match kind {
        Kind::EventCount => count(window.iter().map(|h| h.id).collect::<BTreeSet<_>>().len()),
        Kind::ValueCount => {
            count(window.iter().filter_map(|h| h.value.as_ref()).collect::<BTreeSet<_>>().len())
        }
        Kind::Temporal => count(window.iter().map(|h| h.rule).collect::<BTreeSet<_>>().len()),
        Kind::TemporalOrdered => count(longest_in_order(rules, window)),
        Kind::ValueSum => numbers(window).map(|n| n.iter().sum()),
        Kind::ValueAvg => numbers(window).map(|n| n.iter().sum::<f64>() / n.len() as f64),
        Kind::ValuePercentile(percent) => numbers(window).map(|n| percentile(n, percent)),
        Kind::ValueMedian => numbers(window).map(|n| percentile(n, 50.0)),
    }
}

/// How many of the rules, in the order written, were seen one after the other. Events of one moment
/// are in any order.
fn longest_in_order(rules: usize, window: &[Held]) -> usize {
    // For each length, the earliest moment at which so many rules had been seen in order.
    let mut reached: Vec<Option<Timestamp>> = vec![None; rules + 1];
    for rule in 0..rules {
        for length in (0..=rule).rev() {
            let from = match (length, reached.get(length).copied().flatten()) {
                (0, _) => Timestamp(i64::MIN),
                (_, Some(at)) => at,
                (_, None) => continue,
            };
            let next = window.iter().find(|h| h.rule == rule && h.time >= from).map(|h| h.time);
            if let (Some(next), Some(slot)) = (next, reached.get_mut(length + 1)) {
                *slot = Some(slot.map_or(next, |earlier| earlier.min(next)));
            }
        }
    }
    reached.iter().rposition(Option::is_some).unwrap_or_default()
}

/// The numbers of a window, one for each event; `None` when there is none.
fn numbers(window: &[Held]) -> Option<Vec<f64>> {
    let number = |h: &Held| match h.value.as_deref() {
        Some([one]) => one.trim().parse::<f64>().ok().filter(|n| n.is_finite()),
        _ => None,
    };
    let all: BTreeMap<u64, f64> = window.iter().filter_map(|h| Some((h.id, number(h)?))).collect();
    (!all.is_empty()).then(|| all.into_values().collect())
}

/// Between neighbours in proportion, as SQL's `percentile_cont`.
fn percentile(mut numbers: Vec<f64>, percent: f64) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let at = percent / 100.0 * (numbers.len() - 1) as f64;
    let below = numbers.get(at.floor() as usize).copied().unwrap_or_default();
    let above = numbers.get(at.ceil() as usize).copied().unwrap_or(below);
    below + (above - below) * at.fract()
}
