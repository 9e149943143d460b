//! The learner: features and a rule's text in, a calibrated probability with reasons out.
//!
//! Three layers, each useful without the next: the [`crate::baseline`] knows nothing and works
//! at once; what people said about rules and words ([`Lore`]) moves it from the first verdict; a forest
//! takes over as real and noise examples become enough, and is calibrated on examples it did not see.
//! Labels come in through [`Learner::train`] and [`Learner::observe`] and nowhere else.

use std::collections::{BTreeMap, BTreeSet};

use crate::baseline;
use crate::calibrate::{Curve, bucket, logit, sigmoid};
use crate::forest::{Forest, Growth};
use crate::text::{Known, Lore, Tally};
use crate::watch::{COLUMNS, Family, family, told};

/// Name and version of the model; changes when scores change.
pub const MODEL: &str = "trees/1";

/// How often the text columns stand in a row: the forest draws columns by lot, and what people said
/// about a rule must be drawn about as often as the many columns of counts.
const TEXT_TWICE: usize = 4;
/// What stands for "no verdict on this rule yet": below any log-odds.
const UNSAID: f64 = -9.0;
/// Verdicts kept as examples; the oldest go.
const KEPT: usize = 20_000;
/// Verdicts between two growths of the forest at run time.
const REGROW: usize = 10;
/// Examples of each kind before a forest is grown from verdicts alone.
const ENOUGH: (usize, usize) = (4, 8);
/// Real examples at which forest and baseline count the same.
const TRUST: f64 = 8.0;
/// Trees of a batch-trained forest, and of one grown at run time.
const TREES: (usize, usize) = (300, 60);
/// A forest grown from verdicts never has more than this share of the say: what a feed or the severity
/// says always counts as well, whatever people judged so far.
const MOST_TRUST: f64 = 0.8;
/// Verdicts on a pair of rule and machine move its own score by at most this much (log-odds).
const OWN_LIMIT: f64 = 3.0;

/// One judged group.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// Features, in the order of [`COLUMNS`].
    pub row: Vec<f64>,
    /// The rule's text.
    pub rule: String,
    /// Where it comes from (a capture, a day): what is learnt in a fold is not used to describe it.
    pub fold: u32,
    /// What a person said.
    pub matters: bool,
}

/// A group to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Features, in the order of [`COLUMNS`].
    pub row: &'a [f64],
    /// The rule's text.
    pub rule: &'a str,
    /// The machine, within its site.
    pub place: u64,
}

/// A judgement.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// 0 to 1.
    pub probability: f64,
    /// Which tenth of the reliability diagram it lies in, 0 to 9.
    pub bucket: usize,
    /// What was measured there, in words; `None` when nothing was.
    pub measured: Option<String>,
    /// Which model: layer, number of examples, seed.
    pub model: String,
}

/// A reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Factor {
    /// What it speaks of.
    pub family: Family,
    /// How much the log-odds would fall if this part were as usual; negative when they would rise.
    pub gain: f64,
    /// In words.
    pub text: String,
}

/// What has been learnt.
#[derive(Debug)]
pub struct Learner {
    seed: u64,
    lore: Lore,
    places: BTreeMap<u64, Tally>,
    examples: Vec<Example>,
    trained: usize,
    since_grown: usize,
    forest: Option<Forest>,
    trust: f64,
    curve: Curve,
    usual: Vec<f64>,
}

impl Learner {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(seed: u64) -> Learner {
        Learner {
            seed,
            lore: Lore::default(),
            places: BTreeMap::new(),
            examples: Vec::new(),
            trained: 0,
            since_grown: 0,
            forest: None,
            trust: 0.0,
            curve: Curve::default(),
            usual: vec![0.0; COLUMNS.len()],
        }
    }

    /// Learns from history. Calibration is fitted fold by fold on examples of a fold the forest did not
    /// see; with fewer than two folds the scores stay as the forest gives them.
    #[must_use]
    pub fn train(examples: Vec<Example>, seed: u64) -> Learner {
        let mut learner = Learner::new(seed);
        let folds: BTreeSet<u32> = examples.iter().map(|e| e.fold).collect();
        let growth = Growth { trees: TREES.0, leaf: 3, seed };
        if folds.len() > 1 {
            let (scores, real) = held_out(&examples, &folds, Growth { trees: TREES.0 / 3, ..growth });
            learner.curve = Curve::fit(&scores, &real);
        }
        let all: Vec<&Example> = examples.iter().collect();
        learner.lore = lore_of(&all);
        learner.forest = grow(&all, &learner.lore, growth);
        learner.trust = 1.0;
        learner.usual = usual(&examples);
        learner.trained = examples.len();
        learner.examples = examples;
        learner
    }

    /// Learns from verdicts alone, given as examples with the pair of rule and machine each is about.
    /// The same verdicts in the same order and the same seed give the same learner. Until there are
    /// enough of both kinds it holds no forest and changes no score.
    #[must_use]
    pub fn from_verdicts(examples: Vec<(Example, u64)>, seed: u64) -> Learner {
        let mut learner = Learner::new(seed);
        for (e, place) in &examples {
            let facts = Facts { row: &e.row, rule: &e.rule, place: *place };
            let own = learner.places.entry(pair(&facts)).or_default();
            *(if e.matters { &mut own.real } else { &mut own.noise }) += 1.0;
        }
        let examples: Vec<Example> = examples.into_iter().map(|(e, _)| e).collect();
        let real = examples.iter().filter(|e| e.matters).count();
        let all: Vec<&Example> = examples.iter().collect();
        learner.lore = lore_of(&all);
        if !enough(real, examples.len() - real) {
            return learner;
        }
        let folds: BTreeSet<u32> = examples.iter().map(|e| e.fold).collect();
        let growth = Growth { trees: TREES.1, leaf: 2, seed };
        if folds.len() > 1 {
            let (scores, real) = held_out(&examples, &folds, Growth { trees: TREES.1 / 3, ..growth });
            learner.curve = Curve::fit(&scores, &real);
        }
        learner.forest = grow(&all, &learner.lore, growth);
        learner.usual = usual(&examples);
        learner.trust = (real as f64 / (real as f64 + TRUST)).min(MOST_TRUST);
        learner.examples = examples;
        learner
    }

    /// How many examples it holds, and how many of them mattered.
    #[must_use]
    pub fn examples(&self) -> (usize, usize) {
        (self.examples.len(), self.examples.iter().filter(|e| e.matters).count())
    }

    /// Moves a score another model gave (`base`, log-odds) by what was learnt, and says by what, the
    /// strongest reason first. Without a forest nothing is moved.
    #[must_use]
    pub fn moved(&self, facts: &Facts<'_>, base: f64) -> (Score, Vec<Factor>) {
        let known = self.lore.about(facts.rule, None);
        let families = Family::ALL.into_iter().filter(|f| *f != Family::Lore);
        let usual = |of: Family| -> Vec<f64> {
            let each = facts.row.iter().zip(&self.usual).enumerate();
            each.map(|(i, (v, usual))| if family(i) == of { *usual } else { *v }).collect()
        };
        let mut rows = vec![full(facts.row, &known), full(facts.row, &Known::default())];
        rows.extend(families.clone().map(|f| full(&usual(f), &known)));
        let Some(scores) = self.forest.as_ref().map(|f| f.score(&rows)) else {
            let probability = sigmoid(base);
            let model = "baseline/1".to_owned();
            return (Score { probability, bucket: bucket(probability), measured: None, model }, Vec::new());
        };
        let z: Vec<f64> = scores.iter().map(|p| self.trust * logit(self.curve.apply(*p))).collect();
        let own = self.own(facts);
        let probability = sigmoid((1.0 - self.trust).mul_add(base, z[0]) + own);
        let mut factors: Vec<Factor> = families
            .zip(&z[2..])
            .map(|(family, s)| Factor { family, gain: z[0] - s, text: told(family, facts.row) })
            .collect();
        let said = known.rule;
        let text = if said.sum() > 0.0 {
            format!("people called {} of {} alerts of this rule real", said.real, said.sum())
        } else {
            told(Family::Lore, facts.row)
        };
        factors.push(Factor { family: Family::Lore, gain: z[0] - z[1] + own, text });
        factors.sort_by(|a, b| b.gain.abs().total_cmp(&a.gain.abs()).then(a.family.cmp(&b.family)));
        let (all, real) = self.examples();
        let measured = self.curve.measured(probability);
        let model = format!("{MODEL}, grown from {all} judged alerts, {real} of them real");
        (Score { probability, bucket: bucket(probability), measured, model }, factors)
    }

    /// Takes in a verdict. The same verdicts in the same order give the same learner.
    pub fn observe(&mut self, facts: &Facts<'_>, fold: u32, matters: bool) {
        self.lore.add(facts.rule, fold, matters);
        let own = self.places.entry(pair(facts)).or_default();
        *(if matters { &mut own.real } else { &mut own.noise }) += 1.0;
        if self.examples.len() >= KEPT {
            self.examples.remove(0);
        }
        let row = facts.row.to_vec();
        self.examples.push(Example { row, rule: facts.rule.to_owned(), fold, matters });
        self.since_grown += 1;
        if self.trained == 0 && self.since_grown >= REGROW {
            self.regrow();
        }
    }

    /// Grows the forest anew from all examples kept. At run time this happens by itself every few
    /// verdicts as long as no history was trained on; afterwards it is the caller's to choose when.
    pub fn regrow(&mut self) {
        self.since_grown = 0;
        let real = self.examples.iter().filter(|e| e.matters).count();
        if !enough(real, self.examples.len() - real) {
            return;
        }
        let trees = if self.trained > 0 { TREES.0 } else { TREES.1 };
        let all: Vec<&Example> = self.examples.iter().collect();
        self.forest = grow(&all, &self.lore, Growth { trees, leaf: 2, seed: self.seed });
        self.usual = usual(&self.examples);
        if self.trained == 0 {
            self.trust = real as f64 / (real as f64 + TRUST);
        }
    }

    /// Judges.
    #[must_use]
    pub fn score(&self, facts: &Facts<'_>) -> Score {
        let rows = [facts.row.to_vec()];
        let probability = self.probabilities(&rows, facts)[0];
        let verdicts = self.examples.len() - self.trained.min(self.examples.len());
        let layer = if self.forest.is_some() { MODEL } else { "baseline/1" };
        Score {
            probability,
            bucket: bucket(probability),
            measured: self.curve.measured(probability),
            model: format!(
                "{layer} trained on {}, {verdicts} verdicts since, seed {}",
                self.trained, self.seed
            ),
        }
    }

    /// Judges many at once: as [`Learner::score`], probability only.
    #[must_use]
    pub fn score_all(&self, all: &[Facts<'_>]) -> Vec<f64> {
        let known: Vec<Known> = all.iter().map(|f| self.lore.about(f.rule, None)).collect();
        let rows: Vec<Vec<f64>> = all.iter().zip(&known).map(|(f, k)| full(f.row, k)).collect();
        let forest = self.forest.as_ref().filter(|_| !rows.is_empty()).map(|f| f.score(&rows));
        let each = all.iter().zip(&known).enumerate();
        each.map(|(i, (f, k))| self.mix(f.row, k, forest.as_ref().map(|s| s[i]), self.own(f))).collect()
    }

    /// The strongest reasons for a score, the strongest first: what the score would lose if this part
    /// of the features were as usual.
    #[must_use]
    pub fn because(&self, facts: &Facts<'_>) -> Vec<Factor> {
        let mut rows = vec![facts.row.to_vec()];
        let part = |of: Family| -> Vec<f64> {
            let each = facts.row.iter().zip(&self.usual).enumerate();
            each.map(|(i, (v, usual))| if family(i) == of { *usual } else { *v }).collect()
        };
        let families = Family::ALL.into_iter().filter(|f| *f != Family::Lore);
        rows.extend(families.clone().map(part));
        let scores: Vec<f64> = self.probabilities(&rows, facts).into_iter().map(logit).collect();
        let unsaid = self.mix_one(facts.row, &Known::default(), 0.0);
        let mut all: Vec<Factor> = families
            .zip(&scores[1..])
            .map(|(family, s)| Factor { family, gain: scores[0] - s, text: told(family, facts.row) })
            .collect();
        let known = self.lore.about(facts.rule, None);
        let text =
            format!("people called {} of {} alerts of this rule real", known.rule.real, known.rule.sum());
        let text = if known.rule.sum() > 0.0 { text } else { told(Family::Lore, facts.row) };
        all.push(Factor { family: Family::Lore, gain: scores[0] - logit(unsaid), text });
        all.sort_by(|a, b| b.gain.total_cmp(&a.gain).then(a.family.cmp(&b.family)));
        all
    }

    /// Whether enough people called this rule noise, on this machine or widely, and nobody real, that the
    /// group may be hidden at the error budget given (0 to 1): the upper bound of its error counts, not
    /// the guess. Source: the rule of three (Hanley and Lippman-Hand, JAMA 1983).
    #[must_use]
    pub fn may_hide(&self, facts: &Facts<'_>, budget: f64) -> bool {
        let own = self.places.get(&pair(facts)).copied().unwrap_or_default();
        let rule = self.lore.about(facts.rule, None).rule;
        let bound = |t: Tally| if t.real > 0.0 { 1.0 } else { 3.0 / t.noise.max(1.0) };
        let at = |name: &str| COLUMNS.iter().position(|c| c.name == name).map_or(0.0, |i| facts.row[i]);
        let calm = at("machine_new_10m") == 0.0 && at("first_here") == 0.0;
        calm && bound(own).min(bound(rule)) <= budget && self.score_all(&[*facts])[0] <= budget
    }

    fn probabilities(&self, rows: &[Vec<f64>], facts: &Facts<'_>) -> Vec<f64> {
        let known = self.lore.about(facts.rule, None);
        let own = self.own(facts);
        let all: Vec<Vec<f64>> = rows.iter().map(|r| full(r, &known)).collect();
        let forest = self.forest.as_ref().map(|f| f.score(&all));
        let each = rows.iter().enumerate();
        each.map(|(i, row)| self.mix(row, &known, forest.as_ref().map(|s| s[i]), own)).collect()
    }

    fn mix_one(&self, row: &[f64], known: &Known, own: f64) -> f64 {
        let forest = self.forest.as_ref().map(|f| f.score(&[full(row, known)])[0]);
        self.mix(row, known, forest, own)
    }

    fn mix(&self, row: &[f64], known: &Known, forest: Option<f64>, own: f64) -> f64 {
        let base = baseline::log_odds(row, known);
        let z = match forest {
            Some(p) if self.trust >= 1.0 => logit(self.curve.apply(p)),
            Some(p) => self.trust.mul_add(logit(self.curve.apply(p)), (1.0 - self.trust) * base),
            None => base,
        };
        sigmoid(z + own)
    }

    /// What verdicts on this very rule on this very machine add.
    fn own(&self, facts: &Facts<'_>) -> f64 {
        let t = self.places.get(&pair(facts)).copied().unwrap_or_default();
        (((t.real + 1.0) / (t.noise + 1.0)).ln() * 0.7).clamp(-OWN_LIMIT, OWN_LIMIT)
    }
}

fn pair(facts: &Facts<'_>) -> u64 {
    crate::text::number(facts.rule) ^ facts.place.rotate_left(17)
}

/// Whether so many examples of each kind are enough to grow a forest from.
#[must_use]
pub fn enough(real: usize, noise: usize) -> bool {
    real >= ENOUGH.0 && noise >= ENOUGH.1
}

/// Scores of examples by forests that did not see their fold, and whether they mattered.
fn held_out(examples: &[Example], folds: &BTreeSet<u32>, growth: Growth) -> (Vec<f64>, Vec<bool>) {
    let (mut scores, mut real) = (Vec::new(), Vec::new());
    for fold in folds {
        let (held, rest): (Vec<&Example>, Vec<&Example>) = examples.iter().partition(|e| e.fold == *fold);
        let lore = lore_of(&rest);
        let Some(forest) = grow(&rest, &lore, growth) else { continue };
        let rows: Vec<Vec<f64>> = held.iter().map(|e| full(&e.row, &lore.about(&e.rule, None))).collect();
        scores.extend(forest.score(&rows));
        real.extend(held.iter().map(|e| e.matters));
    }
    (scores, real)
}

fn lore_of(examples: &[&Example]) -> Lore {
    let mut lore = Lore::default();
    examples.iter().for_each(|e| lore.add(&e.rule, e.fold, e.matters));
    lore
}

fn grow(examples: &[&Example], lore: &Lore, growth: Growth) -> Option<Forest> {
    let rows: Vec<Vec<f64>> =
        examples.iter().map(|e| full(&e.row, &lore.about(&e.rule, Some(e.fold)))).collect();
    let real: Vec<bool> = examples.iter().map(|e| e.matters).collect();
    Forest::fit(&rows, &real, growth)
}

/// Features, then what is known of the text, as often as it should be drawn.
fn full(row: &[f64], known: &Known) -> Vec<f64> {
    let (mean, most, least) = known.of_words;
    let said = f64::from(u8::from(known.of_rule.is_some()));
    let text = [known.of_rule.unwrap_or(UNSAID), mean, most, least, said];
    let mut all = Vec::with_capacity(row.len() + TEXT_TWICE * text.len());
    all.extend_from_slice(row);
    (0..TEXT_TWICE).for_each(|_| all.extend_from_slice(&text));
    all
}

/// The middle value of each column among noise: what "as usual" means.
fn usual(examples: &[Example]) -> Vec<f64> {
    (0..COLUMNS.len())
        .map(|i| {
            let mut all: Vec<f64> = examples.iter().filter(|e| !e.matters).map(|e| e.row[i]).collect();
            all.sort_by(f64::total_cmp);
            all.get(all.len() / 2).copied().unwrap_or(0.0)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(i: u32, matters: bool) -> (Example, u64) {
        let mut row = vec![0.0; COLUMNS.len()];
        row[20] = if matters { 3.0 } else { -2.0 } + f64::from(i % 3) * 0.1;
        let rule = format!("rule {}", i % 4);
        (Example { row, rule, fold: i % 5, matters }, u64::from(i % 7))
    }

    #[test]
    fn few_verdicts_move_nothing_and_more_move_towards_what_people_said() {
        let few = Learner::from_verdicts((0..6).map(|i| example(i, i % 2 == 0)).collect(), 1);
        let (e, place) = example(1, true);
        let facts = Facts { row: &e.row, rule: &e.rule, place };
        let (score, factors) = few.moved(&facts, -1.0);
        assert!((score.probability - sigmoid(-1.0)).abs() < 1e-12 && factors.is_empty());

        let many = || Learner::from_verdicts((0..60).map(|i| example(i, i % 3 == 0)).collect(), 1);
        let (real, factors) = many().moved(&facts, -1.0);
        assert!(real.probability > sigmoid(-1.0) + 0.2, "{real:?}");
        assert!(factors[0].gain.abs() > 0.1 && real.model.starts_with(MODEL), "{factors:?}");
        let (noise, place) = example(2, false);
        let (low, _) = many().moved(&Facts { row: &noise.row, rule: &noise.rule, place }, -1.0);
        assert!(low.probability < sigmoid(-1.0), "{low:?}");
        assert_eq!(many().moved(&facts, -1.0), many().moved(&facts, -1.0), "the same seed, the same words");
    }

    #[test]
    fn what_a_feed_says_still_counts_after_any_number_of_refusals() {
        let all = (0..400).map(|i| example(i, i % 20 == 0)).collect();
        let learner = Learner::from_verdicts(all, 1);
        let (e, place) = example(2, false);
        let facts = Facts { row: &e.row, rule: &e.rule, place };
        let (plain, hit) = (learner.moved(&facts, -2.0).0, learner.moved(&facts, 3.0).0);
        assert!(logit(hit.probability) - logit(plain.probability) > 0.9, "{plain:?} {hit:?}");
    }
}
