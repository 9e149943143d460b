//! Words of a rule, and what people said about alerts whose rule had them.
//!
//! A rule nobody has seen before still shares words with known ones; that is what lets a verdict on
//! one vendor's rule teach something about another's. Counts are kept by *fold* (a capture, a day), so
//! that an example can be described without its own label in the description.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Shortest word that counts, in characters.
const SHORTEST: usize = 2;
/// Longest text read, in bytes: the rest of a longer rule is not looked at.
const LONGEST: usize = 512;
/// How many verdicts the base rate is worth when a word is judged.
const PRIOR_WEIGHT: f64 = 4.0;
/// Folds kept apart; more share one.
const FOLDS: u32 = 16;
/// Distinct words and rules remembered a fold.
const REMEMBERED: usize = 50_000;

/// A stable 64-bit number for a text: FNV-1a. Source: RFC 9923.
#[must_use]
pub fn number(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// The distinct words of a rule's text, lower case, numbers left out.
#[must_use]
pub fn words(text: &str) -> BTreeSet<u64> {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end]
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| w.len() >= SHORTEST && !w.chars().all(|c| c.is_ascii_digit()))
        .map(|w| number(&w.to_lowercase()))
        .collect()
}

/// Verdicts counted: noise, real.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// How often a person said "noise".
    pub noise: f64,
    /// How often a person said "this matters".
    pub real: f64,
}

impl Tally {
    fn add(&mut self, matters: bool) {
        if matters {
            self.real += 1.0;
        } else {
            self.noise += 1.0;
        }
    }

    fn plus(self, other: Tally) -> Tally {
        Tally { noise: self.noise + other.noise, real: self.real + other.real }
    }

    /// How many in all.
    #[must_use]
    pub fn sum(self) -> f64 {
        self.noise + self.real
    }

    /// Log-odds over those of the base rate, drawn towards 0 while verdicts are few.
    fn lift(self, base: f64) -> f64 {
        let real = PRIOR_WEIGHT.mul_add(base, self.real);
        let noise = PRIOR_WEIGHT.mul_add(1.0 - base, self.noise);
        (real / noise).ln() - (base / (1.0 - base)).ln()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Counts {
    all: Tally,
    rules: BTreeMap<u64, Tally>,
    words: BTreeMap<u64, Tally>,
}

/// What verdicts have taught about rules and words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lore {
    folds: BTreeMap<u32, Counts>,
}

/// What is known of one rule's text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Known {
    /// Verdicts on this very rule.
    pub rule: Tally,
    /// Log-odds of the rule over the base rate; `None` when no verdict was given on it.
    pub of_rule: Option<f64>,
    /// Mean, greatest and least log-odds of its words over the base rate.
    pub of_words: (f64, f64, f64),
}

impl Lore {
    /// Takes in one verdict.
    pub fn add(&mut self, text: &str, fold: u32, matters: bool) {
        let counts = self.folds.entry(fold % FOLDS).or_default();
        counts.all.add(matters);
        let rule = number(text);
        if counts.rules.len() < REMEMBERED || counts.rules.contains_key(&rule) {
            counts.rules.entry(rule).or_default().add(matters);
        }
        for word in words(text) {
            if counts.words.len() < REMEMBERED || counts.words.contains_key(&word) {
                counts.words.entry(word).or_default().add(matters);
            }
        }
    }

    /// Verdicts in all.
    #[must_use]
    pub fn all(&self) -> Tally {
        self.folds.values().fold(Tally::default(), |sum, c| sum.plus(c.all))
    }

    /// Describes a rule by all verdicts but those of the fold `without`.
    #[must_use]
    pub fn about(&self, text: &str, without: Option<u32>) -> Known {
        let without = without.map(|f| f % FOLDS);
        let folds: Vec<&Counts> =
            self.folds.iter().filter(|(f, _)| Some(**f) != without).map(|(_, c)| c).collect();
        let sum = |of: &dyn Fn(&Counts) -> Tally| folds.iter().fold(Tally::default(), |s, c| s.plus(of(c)));
        let all = sum(&|c| c.all);
        let base = (all.real + 1.0) / (all.sum() + 2.0);
        let rule = number(text);
        let own = sum(&|c| c.rules.get(&rule).copied().unwrap_or_default());
        let (mut total, mut most, mut least, mut n) = (0.0, f64::MIN, f64::MAX, 0.0_f64);
        for word in words(text) {
            let lift = sum(&|c| c.words.get(&word).copied().unwrap_or_default()).lift(base);
            total += lift;
            most = most.max(lift);
            least = least.min(lift);
            n += 1.0;
        }
        Known {
            rule: own,
            of_rule: (own.sum() > 0.0).then(|| own.lift(base)),
            of_words: if n > 0.0 { (total / n, most, least) } else { (0.0, 0.0, 0.0) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_nobody_judged_is_known_by_its_words() {
        let mut lore = Lore::default();
        for _ in 0..10 {
            lore.add("Acme: web shell upload", 0, true);
            lore.add("Acme: database update", 0, false);
        }
        let unseen = lore.about("Other: possible shell", None);
        assert_eq!(unseen.of_rule, None);
        assert!(unseen.of_words.1 > 1.0, "{unseen:?}");
        assert!(lore.about("Other: update", None).of_words.2 < -1.0);
    }

    #[test]
    fn an_example_is_described_without_its_own_label() {
        let mut lore = Lore::default();
        lore.add("only here", 3, true);
        lore.add("elsewhere", 4, false);
        assert_eq!(lore.about("only here", Some(3)).of_rule, None);
        assert!(lore.about("only here", Some(4)).of_rule.is_some());
    }

    #[test]
    fn text_cut_at_the_limit_is_cut_between_characters() {
        let long = "é".repeat(LONGEST);
        assert_eq!(words(&long).len(), 1);
    }
}
