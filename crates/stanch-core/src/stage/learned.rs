//! A model grown from verdicts, behind the same seam as the untrained one.
//!
//! It does not take the untrained model's place: it moves what that one gives, by as much as there were
//! verdicts to learn from, and never has all of the say (see `stanch_judge::learner::Learner::moved`).

use std::sync::Arc;

use stanch_judge::calibrate::logit;
use stanch_judge::learner::{Factor, Learner};

use super::triage::{Features, Model, Score};
use crate::decided::Reason;

/// Reasons shown of what was learnt.
const REASONS: usize = 4;
/// Reasons shown of the model underneath.
const UNDERNEATH: usize = 2;
/// Log-odds below which a reason is not worth telling.
const WORTH: f64 = 0.1;

/// What was learnt, over another model.
pub struct Learned<'a> {
    /// What was learnt.
    pub learner: &'a Arc<Learner>,
    /// The number of verdicts it knows.
    pub upto: u64,
    /// The model underneath.
    pub base: &'a dyn Model,
}

impl Model for Learned<'_> {
    fn score(&self, features: &Features) -> Score {
        let base = self.base.score(features);
        let Some(described) = &features.described else { return base };
        let (score, factors) = self.learner.moved(&described.facts(), logit(base.probability));
        if factors.is_empty() {
            return base;
        }
        let mut because: Vec<Reason> =
            factors.iter().filter(|f| f.gain.abs() >= WORTH).take(REASONS).map(reason).collect();
        because.extend(base.because.into_iter().take(UNDERNEATH));
        if let Some(measured) = score.measured {
            because.push(Reason::new(measured));
        }
        because.push(Reason::new(format!("model {}: {}", self.upto, score.model)));
        Score { probability: score.probability, because, model: self.upto }
    }
}

fn reason(f: &Factor) -> Reason {
    Reason::new(format!("{} ({:+.1})", f.text, f.gain))
}

#[cfg(test)]
mod tests {
    use stanch_judge::learner::Example;
    use stanch_judge::watch::COLUMNS;

    use super::*;
    use crate::journal::learnt::Described;
    use crate::stage::triage::Baselines;

    fn learner() -> Arc<Learner> {
        let example = |i: u32| {
            let matters = i.is_multiple_of(3);
            let mut row = vec![0.0; COLUMNS.len()];
            row[20] = if matters { 3.0 } else { -2.0 };
            let rule = if matters { "beacon" } else { "scan" }.to_owned();
            (Example { row, rule, fold: i % 5, matters }, u64::from(i))
        };
        Arc::new(Learner::from_verdicts((0..60).map(example).collect(), 1))
    }

    #[test]
    fn a_learnt_score_tells_its_factors_its_calibration_and_its_model() {
        let learner = learner();
        let model = Learned { learner: &learner, upto: 60, base: &Baselines };
        let mut row = vec![0.0; COLUMNS.len()];
        row[20] = 3.0;
        let described = Some(Described { row, rule: "beacon".into(), place: 9 });
        let features = Features { described, ..Features::default() };
        let (learnt, plain) = (model.score(&features), Baselines.score(&features));
        assert!(learnt.probability > plain.probability + 0.2, "{learnt:?} {plain:?}");
        let words: Vec<&str> = learnt.because.iter().map(|r| r.0.as_str()).collect();
        assert!(words.iter().any(|w| w.contains("20 of 20 alerts of this rule real")), "{words:?}");
        assert!(words.iter().any(|w| w.contains("earlier ones scored")), "{words:?}");
        assert!(words.last().is_some_and(|w| w.starts_with("model 60: trees/1, grown from 60")), "{words:?}");
        assert_eq!((learnt.model, plain.model), (60, 0));
    }

    #[test]
    fn an_alert_that_was_not_described_is_scored_as_by_the_untrained_model() {
        let learner = learner();
        let model = Learned { learner: &learner, upto: 60, base: &Baselines };
        let features = Features::default();
        assert_eq!(model.score(&features), Baselines.score(&features));
    }
}
