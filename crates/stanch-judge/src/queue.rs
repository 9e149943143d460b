//! In which order a person sees groups: by probability, but what began in the same breath counts once.
//!
//! Forty alerts of one scan are one thing to look at. Each group shown halves the worth of those that
//! began within [`BREATH`] of it, so that the next place goes to something else that happened.

use stanch_model::{Span, Timestamp};

/// Groups that began this close together are one happening.
pub const BREATH: Span = Span::secs(10);
/// What is left of a group's worth for each one shown of the same breath.
const LEFT: f64 = 0.5;

/// The first `most` places: indices into `groups` (probability, beginning). Among equals the earlier.
#[must_use]
pub fn order(groups: &[(f64, Timestamp)], most: usize) -> Vec<usize> {
    let mut worth: Vec<f64> = groups.iter().map(|(p, _)| *p).collect();
    let mut left: Vec<usize> = (0..groups.len()).collect();
    let mut shown = Vec::with_capacity(most.min(groups.len()));
    while shown.len() < most {
        let best = left.iter().copied().max_by(|a, b| worth[*a].total_cmp(&worth[*b]).then(b.cmp(a)));
        let Some(best) = best else { break };
        shown.push(best);
        left.retain(|i| *i != best);
        for i in &left {
            if groups[*i].1.since(groups[best].1).0.abs() <= BREATH.0 {
                worth[*i] *= LEFT;
            }
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quieter_happening_comes_before_the_fourth_alert_of_a_loud_one() {
        let at = |s: i64| Timestamp(s * 1_000);
        let groups = [(0.9, at(0)), (0.9, at(1)), (0.9, at(2)), (0.9, at(3)), (0.3, at(900))];
        assert_eq!(order(&groups, 3), vec![0, 1, 4]);
        assert_eq!(order(&groups, 99).len(), 5);
    }
}
