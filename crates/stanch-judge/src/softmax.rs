//! Multinomial logistic regression over sparse features.
//!
//! Small, deterministic and without a library: the crates that offer it want dense matrices, and
//! ours are rows of a dozen features out of ten thousand. Steps are scaled for each weight by what
//! it has moved already (Adagrad), so that a rare feature learns as fast as a common one.

use serde::{Deserialize, Serialize};

/// One row to learn from.
#[derive(Clone, Debug)]
pub struct Row {
    /// Feature numbers and values, each number once.
    pub features: Vec<(u32, f32)>,
    /// Which class it is, below the number of classes.
    pub class: u32,
    /// How much it counts; 1 for a row like any other.
    pub weight: f32,
}

/// How to learn.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The cost of large weights, for each row and feature seen. 0 lets them grow.
    pub shrink: f32,
    /// How often the rows are gone through.
    pub passes: u32,
    /// The first step.
    pub rate: f32,
    /// Where the order of rows starts from.
    pub seed: u64,
}

/// Weights that have been learnt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Softmax {
    classes: usize,
    /// Feature by feature, a weight for each class; the last row is the bias.
    weights: Vec<f32>,
}

impl Softmax {
    /// Learns from rows. Rows whose class or features are out of range are passed over.
    #[must_use]
    pub fn learn(rows: &[Row], features: usize, classes: usize, options: &Options) -> Softmax {
        let mut model = Softmax { classes, weights: vec![0.0; (features + 1) * classes] };
        let mut moved = vec![0.0_f32; model.weights.len()];
        let mut order: Vec<usize> = (0..rows.len()).collect();
        let mut random = options.seed ^ 0x9E37_79B9_7F4A_7C15;
        let mut p = vec![0.0_f32; classes];
        for _ in 0..options.passes {
            shuffle(&mut order, &mut random);
            for row in order.iter().filter_map(|i| rows.get(*i)) {
                if row.class as usize >= classes {
                    continue;
                }
                model.scores(&row.features, &mut p);
                softmax(&mut p);
                if let Some(own) = p.get_mut(row.class as usize) {
                    *own -= 1.0;
                }
                let bias = (u32::try_from(features).unwrap_or(u32::MAX), 1.0);
                for (feature, value) in row.features.iter().copied().chain([bias]) {
                    let shrink = if feature == bias.0 { 0.0 } else { options.shrink };
                    model.step(&mut moved, feature, value * row.weight, shrink, options.rate, &p);
                }
            }
        }
        model
    }

    fn step(&mut self, moved: &mut [f32], feature: u32, value: f32, shrink: f32, rate: f32, p: &[f32]) {
        let from = feature as usize * self.classes;
        let (Some(weights), Some(moved)) =
            (self.weights.get_mut(from..from + self.classes), moved.get_mut(from..from + self.classes))
        else {
            return;
        };
        for ((w, m), error) in weights.iter_mut().zip(moved).zip(p) {
            let slope = error * value + shrink * *w;
            *m += slope * slope;
            *w -= rate * slope / (m.sqrt() + 1e-6);
        }
    }

    /// How likely each class is, in the order of the classes; they add up to 1.
    #[must_use]
    pub fn probabilities(&self, features: &[(u32, f32)]) -> Vec<f32> {
        let mut p = vec![0.0; self.classes];
        self.scores(features, &mut p);
        softmax(&mut p);
        p
    }

    /// What one feature adds to the score of a class.
    #[must_use]
    pub fn weight(&self, feature: u32, class: usize) -> f32 {
        if class >= self.classes {
            return 0.0;
        }
        self.weights.get(feature as usize * self.classes + class).copied().unwrap_or(0.0)
    }

    fn scores(&self, features: &[(u32, f32)], into: &mut [f32]) {
        let bias = self.weights.len().saturating_sub(self.classes);
        match self.weights.get(bias..) {
            Some(b) if b.len() == into.len() => into.copy_from_slice(b),
            _ => into.fill(0.0),
        }
        for (feature, value) in features {
            let from = *feature as usize * self.classes;
            if from >= bias {
                continue;
            }
            let weights = self.weights.get(from..from + self.classes).unwrap_or_default();
            into.iter_mut().zip(weights).for_each(|(s, w)| *s += w * value);
        }
    }
}

/// Scores to probabilities, safely for large ones.
fn softmax(scores: &mut [f32]) {
    let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for s in scores.iter_mut() {
        *s = (*s - top).exp();
        sum += *s;
    }
    if sum > 0.0 {
        scores.iter_mut().for_each(|s| *s /= sum);
    }
}

/// Fisher and Yates, with a generator of our own: the same seed gives the same order everywhere.
fn shuffle(order: &mut [usize], state: &mut u64) {
    for i in (1..order.len()).rev() {
        // Source: the xorshift64* generator (Vigna, 2016).
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        let random = state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        let j = usize::try_from(random).unwrap_or(0) % (i + 1);
        order.swap(i, j);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: Options = Options { shrink: 1e-4, passes: 30, rate: 0.3, seed: 7 };

    fn row(features: &[u32], class: u32) -> Row {
        Row { features: features.iter().map(|f| (*f, 1.0)).collect(), class, weight: 1.0 }
    }

    #[test]
    fn what_goes_together_is_learnt_and_what_was_never_seen_leaves_the_prior() {
        let mut rows: Vec<Row> = (0..40).map(|i| row(&[i % 2], i % 2)).collect();
        rows.extend((0..8).map(|i| row(&[], u32::from(i > 1))));
        let model = Softmax::learn(&rows, 3, 2, &OPTIONS);
        assert!(model.probabilities(&[(0, 1.0)])[0] > 0.9);
        assert!(model.probabilities(&[(1, 1.0)])[1] > 0.9);
        let prior = model.probabilities(&[(2, 1.0)]);
        assert!(prior[1] > 0.5, "{prior:?}");
        assert!((prior[0] + prior[1] - 1.0).abs() < 1e-5);
        assert!(model.weight(0, 0) > 0.0 && model.weight(1, 0) < 0.0);
    }

    #[test]
    fn the_same_rows_and_seed_give_the_same_weights_and_bad_rows_are_passed_over() {
        let mut rows = vec![row(&[0, 1], 0), row(&[1, 2], 1), row(&[2], 2)];
        let once = Softmax::learn(&rows, 3, 3, &OPTIONS);
        assert_eq!(once, Softmax::learn(&rows, 3, 3, &OPTIONS));
        rows.push(row(&[9_999], 1));
        rows.push(row(&[0], 77));
        let p = Softmax::learn(&rows, 3, 3, &OPTIONS).probabilities(&[(9_999, 1.0), (0, 1.0)]);
        assert!(p.iter().all(|x| x.is_finite()) && p.len() == 3);
        assert_eq!(Softmax::default().probabilities(&[(1, 1.0)]), Vec::<f32>::new());
    }
}
