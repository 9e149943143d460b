//! Stages in somebody's own words, learnt from rules that were labelled, on top of what the words
//! of a name say by themselves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Signature, words};
use crate::softmax::{Options, Row, Softmax};

/// A rule somebody has put into a stage.
#[derive(Clone, Copy, Debug)]
pub struct Labelled<'a> {
    /// The rule.
    pub signature: Signature<'a>,
    /// Its stage, in any vocabulary.
    pub label: &'a str,
}

/// How much the general vocabulary counts against single words. Chosen on rules left out.
const GENERAL: f32 = 3.0;
/// How much the class of a rule counts.
const CLASS: f32 = 0.5;
const OPTIONS: Options = Options { shrink: 0.002, passes: 150, rate: 0.5, seed: 1 };

/// What has been learnt of one vocabulary of stages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Labels {
    labels: Vec<String>,
    /// Features that were seen and how telling each is: the rarer, the more.
    known: BTreeMap<String, (u32, f32)>,
    model: Softmax,
}

impl Labels {
    /// Learns from labelled rules. The order of the rules does not matter.
    #[must_use]
    pub fn learn(rules: &[Labelled<'_>]) -> Labels {
        let mut rules: Vec<&Labelled<'_>> = rules.iter().collect();
        rules.sort_by_key(|r| (r.signature.name, r.label));
        let mut labels: Vec<String> = rules.iter().map(|r| r.label.to_owned()).collect();
        labels.sort();
        labels.dedup();
        let mut counted: BTreeMap<String, u32> = BTreeMap::new();
        for rule in &rules {
            features(&rule.signature).into_keys().for_each(|f| *counted.entry(f).or_default() += 1);
        }
        let all = rules.len() as f32;
        let telling = |many: u32| ((1.0 + all) / (1.0 + many as f32)).ln() + 1.0;
        let numbered = counted.into_iter().zip(0_u32..);
        let known = numbered.map(|((f, many), n)| (f, (n, telling(many)))).collect();
        let mut learnt = Labels { labels, known, model: Softmax::default() };
        let rows: Vec<Row> = rules
            .iter()
            .filter_map(|r| {
                let class = learnt.labels.iter().position(|l| l == r.label)?;
                let class = u32::try_from(class).ok()?;
                Some(Row { features: learnt.row(&r.signature), class, weight: 1.0 })
            })
            .collect();
        learnt.model = Softmax::learn(&rows, learnt.known.len(), learnt.labels.len(), &OPTIONS);
        learnt
    }

    /// How likely each label is, likeliest first; nothing when nothing was learnt.
    #[must_use]
    pub fn of(&self, signature: &Signature<'_>) -> Vec<(&str, f64)> {
        let p = self.model.probabilities(&self.row(signature));
        let mut all: Vec<(&str, f64)> =
            self.labels.iter().map(String::as_str).zip(p.into_iter().map(f64::from)).collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        all
    }

    fn row(&self, signature: &Signature<'_>) -> Vec<(u32, f32)> {
        let (mut single, mut general) = (Vec::new(), Vec::new());
        for (feature, value) in features(signature) {
            let Some((number, telling)) = self.known.get(&feature) else { continue };
            if feature.starts_with("word ") {
                single.push((*number, value * telling));
            } else {
                general.push((*number, value));
            }
        }
        // A long name does not say more than a short one.
        let length = single.iter().map(|(_, v)| v * v).sum::<f32>().sqrt().max(1e-6);
        single.iter_mut().for_each(|(_, v)| *v /= length);
        single.extend(general);
        single
    }
}

/// Words and pairs of words of the name, its class, and what the general vocabulary says.
fn features(signature: &Signature<'_>) -> BTreeMap<String, f32> {
    let mut all: BTreeMap<String, f32> = BTreeMap::new();
    let words = words::words(signature.name);
    all.extend(words.iter().map(|w| (format!("word {w}"), 1.0)));
    all.extend(words.windows(2).map(|w| (format!("word {}", w.join(" ")), 1.0)));
    if let Some(class) = signature.category {
        all.insert(format!("class {}", class.trim().to_lowercase()), CLASS);
    }
    for (action, share) in words::evidence(signature).shares() {
        all.insert(format!("action {}", action.name()), share as f32 * GENERAL);
    }
    all
}
