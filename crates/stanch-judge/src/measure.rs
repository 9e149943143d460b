//! How well a ranking and its probabilities did: plain statistics over scores and labels.

use crate::chance::Chance;

/// Rank order: the highest score first; among equals the earlier index (so that ties are not luck).
#[must_use]
pub fn ranked(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    order
}

/// Points of the precision-recall curve, one for each distinct score: recall, precision, threshold.
#[must_use]
pub fn precision_recall(scores: &[f64], real: &[bool]) -> Vec<(f64, f64, f64)> {
    let total = real.iter().filter(|r| **r).count() as f64;
    let order = ranked(scores);
    let (mut hit, mut points) = (0.0, Vec::new());
    for (seen, i) in order.iter().enumerate() {
        hit += f64::from(u8::from(real[*i]));
        // A threshold cannot part equals.
        let last_of_equals = order.get(seen + 1).is_none_or(|next| scores[*next] < scores[*i]);
        if last_of_equals && total > 0.0 {
            points.push((hit / total, hit / (seen + 1) as f64, scores[*i]));
        }
    }
    points
}

/// Average precision: the area under the precision-recall steps, 0 to 1. 0 when nothing is real.
/// Source: the definition of `average_precision_score` in scikit-learn.
#[must_use]
pub fn average_precision(scores: &[f64], real: &[bool]) -> f64 {
    let mut before = 0.0;
    precision_recall(scores, real).iter().fold(0.0, |sum, (recall, precision, _)| {
        let area = (recall - before) * precision;
        before = *recall;
        sum + area
    })
}

/// Share of noise below the threshold that keeps at least `kept` (0 to 1) of what is real. `None` when
/// there is none of either.
#[must_use]
pub fn noise_hidden(scores: &[f64], real: &[bool], kept: f64) -> Option<f64> {
    let mut of_real: Vec<f64> = scores.iter().zip(real).filter(|(_, r)| **r).map(|(s, _)| *s).collect();
    of_real.sort_by(|a, b| b.total_cmp(a));
    let needed = (kept * of_real.len() as f64).ceil() as usize;
    let threshold = *of_real.get(needed.checked_sub(1)?)?;
    let noise: Vec<f64> = scores.iter().zip(real).filter(|(_, r)| !**r).map(|(s, _)| *s).collect();
    let hidden = noise.iter().filter(|s| **s < threshold).count();
    (!noise.is_empty()).then(|| hidden as f64 / noise.len() as f64)
}

/// One bar of a reliability diagram.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bar {
    /// How many fell in it.
    pub count: usize,
    /// Mean probability told.
    pub told: f64,
    /// Share that was real.
    pub real: f64,
}

/// The reliability diagram in `bars` bars of equal width.
#[must_use]
pub fn reliability(scores: &[f64], real: &[bool], bars: usize) -> Vec<Bar> {
    let mut all = vec![Bar::default(); bars.max(1)];
    for (s, r) in scores.iter().zip(real) {
        let at = ((s * bars as f64) as usize).min(all.len() - 1);
        all[at].count += 1;
        all[at].told += s;
        all[at].real += f64::from(u8::from(*r));
    }
    for bar in all.iter_mut().filter(|b| b.count > 0) {
        bar.told /= bar.count as f64;
        bar.real /= bar.count as f64;
    }
    all
}

/// Expected calibration error over ten bars, 0 to 1.
/// Source: Naeini, Cooper and Hauskrecht, AAAI 2015.
#[must_use]
pub fn calibration_error(scores: &[f64], real: &[bool]) -> f64 {
    let bars = reliability(scores, real, 10);
    bars.iter().map(|b| b.count as f64 * (b.told - b.real).abs()).sum::<f64>() / scores.len().max(1) as f64
}

/// Probability that a real one is ranked above one that is not; a half for equals. 0.5 when one kind is
/// missing.
#[must_use]
pub fn auc(scores: &[f64], real: &[bool]) -> f64 {
    let order = ranked(scores);
    let (mut rank_sum, mut i) = (0.0, 0);
    while i < order.len() {
        let mut j = i;
        while j + 1 < order.len() && scores[order[j + 1]] >= scores[order[i]] {
            j += 1;
        }
        let rank = (i + j) as f64 / 2.0 + 1.0;
        rank_sum += rank * order[i..=j].iter().filter(|k| real[**k]).count() as f64;
        i = j + 1;
    }
    let pos = real.iter().filter(|r| **r).count() as f64;
    let neg = real.len() as f64 - pos;
    if pos == 0.0 || neg == 0.0 {
        return 0.5;
    }
    // Ranks count from the best, so a good ranking has small ones.
    1.0 - (rank_sum - pos * (pos + 1.0) / 2.0) / (pos * neg)
}

/// The middle 95 % of a figure over `rounds` samples drawn with replacement.
pub fn interval(n: usize, rounds: usize, seed: u64, figure: impl Fn(&[usize]) -> f64) -> (f64, f64) {
    let mut chance = Chance::new(seed);
    let mut all: Vec<f64> = (0..rounds.max(1))
        .map(|_| {
            let drawn: Vec<usize> = (0..n).map(|_| chance.below(n)).collect();
            figure(&drawn)
        })
        .filter(|v| v.is_finite())
        .collect();
    all.sort_by(f64::total_cmp);
    let at = |share: f64| all.get(((all.len() as f64 - 1.0) * share).round() as usize).copied();
    (at(0.025).unwrap_or(f64::NAN), at(0.975).unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn average_precision_is_that_of_a_worked_example() {
        // Hits at ranks 1 and 3: (1/1 + 2/3) / 2.
        let ap = average_precision(&[0.9, 0.8, 0.7, 0.1], &[true, false, true, false]);
        assert!((ap - (1.0 + 2.0 / 3.0) / 2.0).abs() < 1e-12, "{ap}");
    }

    #[test]
    fn equals_cannot_be_parted_by_luck() {
        let ap = average_precision(&[0.5; 4], &[true, false, false, false]);
        assert!((ap - 0.25).abs() < 1e-12, "{ap}");
        assert!((auc(&[0.5; 4], &[true, false, true, false]) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn auc_and_hidden_noise_of_a_clean_ranking() {
        let (s, r) = ([0.9, 0.8, 0.2, 0.1], [true, true, false, false]);
        assert!((auc(&s, &r) - 1.0).abs() < 1e-12);
        assert_eq!(noise_hidden(&s, &r, 0.95), Some(1.0));
        assert_eq!(noise_hidden(&s, &[false; 4], 0.95), None);
    }

    #[test]
    fn calibration_error_is_the_gap_between_told_and_real() {
        let e = calibration_error(
            &[0.95; 10],
            &[true, true, true, true, true, false, false, false, false, false],
        );
        assert!((e - 0.45).abs() < 1e-9, "{e}");
    }
}
