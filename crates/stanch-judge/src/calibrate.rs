//! From a score to a probability that keeps its word.
//!
//! Two numbers, fitted on examples the model did not see when it was fitted: `p' = σ(a·logit(p) + b)`.
//! Monotone, so the order never changes; drawn towards "change nothing" while examples are few.
//! Source: Platt 1999; with logit input as in Kull, Silva Filho and Flach 2017.

use serde::{Deserialize, Serialize};

/// Pull of `a` towards 1 and `b` towards 0, in examples.
const PULL: f64 = 4.0;
const STEPS: usize = 40;
const LEAST: f64 = 1e-4;

/// A fitted curve with what was seen behind each tenth of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    a: f64,
    b: f64,
    /// For each tenth of the probability: examples held out, and how many of them were real.
    buckets: Vec<(u32, u32)>,
}

impl Default for Curve {
    fn default() -> Curve {
        Curve { a: 1.0, b: 0.0, buckets: vec![(0, 0); 10] }
    }
}

/// Log-odds, kept finite.
#[must_use]
pub fn logit(p: f64) -> f64 {
    let p = p.clamp(LEAST, 1.0 - LEAST);
    (p / (1.0 - p)).ln()
}

/// The inverse of [`logit`].
#[must_use]
pub fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

impl Curve {
    /// Fits by Newton's method.
    #[must_use]
    pub fn fit(scores: &[f64], real: &[bool]) -> Curve {
        let mut curve = Curve::default();
        for _ in 0..STEPS {
            let (mut ga, mut gb) = (PULL * (curve.a - 1.0), PULL * 0.25 * curve.b);
            let (mut haa, mut hab, mut hbb) = (PULL, 0.0, PULL * 0.25);
            for (s, r) in scores.iter().zip(real) {
                let x = logit(*s);
                let p = sigmoid(curve.a.mul_add(x, curve.b));
                let (e, w) = (p - f64::from(u8::from(*r)), p * (1.0 - p));
                ga += e * x;
                gb += e;
                haa += w * x * x;
                hab += w * x;
                hbb += w;
            }
            let det = haa.mul_add(hbb, -(hab * hab));
            let (da, db) = ((hbb * ga - hab * gb) / det, (haa * gb - hab * ga) / det);
            curve.a = (curve.a - da.clamp(-1.0, 1.0)).max(0.05);
            curve.b -= db.clamp(-2.0, 2.0);
            if da.abs() + db.abs() < 1e-9 {
                break;
            }
        }
        for (s, r) in scores.iter().zip(real) {
            let at = bucket(curve.apply(*s));
            let bucket = &mut curve.buckets[at];
            bucket.0 += 1;
            bucket.1 += u32::from(*r);
        }
        curve
    }

    /// The probability for a score.
    #[must_use]
    pub fn apply(&self, score: f64) -> f64 {
        sigmoid(self.a.mul_add(logit(score), self.b))
    }

    /// What was measured where this probability lies, in words; `None` when nothing was.
    #[must_use]
    pub fn measured(&self, probability: f64) -> Option<String> {
        let at = bucket(probability);
        let (n, real) = *self.buckets.get(at)?;
        (n > 0).then(|| format!("of {n} earlier ones scored {}0-{}0 %, {real} mattered", at, at + 1))
    }
}

/// Which tenth.
#[must_use]
pub fn bucket(probability: f64) -> usize {
    ((probability.clamp(0.0, 1.0) * 10.0) as usize).min(9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::calibration_error;

    #[test]
    fn a_model_that_boasts_is_brought_down_and_the_order_stays() {
        let scores: Vec<f64> = (0..400).map(|i| if i % 2 == 0 { 0.95 } else { 0.05 }).collect();
        // What it calls 95 % is right three times in four.
        let real: Vec<bool> = (0..400).map(|i| if i % 2 == 0 { i % 8 != 0 } else { i % 8 == 1 }).collect();
        let curve = Curve::fit(&scores, &real);
        let told: Vec<f64> = scores.iter().map(|s| curve.apply(*s)).collect();
        assert!(calibration_error(&told, &real) < 0.02, "{}", calibration_error(&told, &real));
        assert!(curve.apply(0.95) > curve.apply(0.05));
        assert!(curve.measured(curve.apply(0.95)).is_some());
    }

    #[test]
    fn no_examples_change_nothing() {
        let curve = Curve::fit(&[], &[]);
        assert!((curve.apply(0.3) - 0.3).abs() < 1e-9);
        assert_eq!(curve.measured(0.3), None);
    }
}
