//! What an intruder is doing when a rule fires that nobody has labelled: from its name, the class it
//! was filed under and its references.
//!
//! Two sources, both general. `words.txt` holds the vocabulary in which rule writers name attacks,
//! whatever their product. Where it is silent, `attack_words.txt` tells which tactic the words of a
//! name are used for in the descriptions of ATT&CK. Where labelled rules exist, in any vocabulary of
//! labels, [`Labels`] learns from them on top of that. A name that says nothing gets no answer.

mod action;
mod attack;
mod learnt;
mod words;

use std::collections::BTreeMap;

pub use self::action::Action;
pub use self::learnt::{Labelled, Labels};

/// What is known of a rule before anybody has labelled it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Signature<'a> {
    /// Its name or message.
    pub name: &'a str,
    /// The class its vendor filed it under.
    pub category: Option<&'a str>,
    /// Links and identifiers: ATT&CK techniques, CVE numbers, addresses of pages.
    pub references: &'a [&'a str],
}

/// What an action is taken to be, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Guess {
    /// The likeliest action.
    pub action: Action,
    /// Its share of the evidence, 0 to 1. A share, not a calibrated probability.
    pub share: f64,
    /// The words that speak for it, strongest first, at most three.
    pub because: Vec<String>,
}

/// The name of a rule says less about it than this share: no answer from ATT&CK's words alone.
/// Measured on titles of cloud detections (see `docs/quality.md`): what is told is right for 45 %, where one answer for all would be for 25 %.
const ENOUGH_FROM_ATTACK: f64 = 0.30;

/// How much a category counts against the name: one class holds rules of many kinds.
const CATEGORY: f64 = 0.7;

/// What a rule's words say an intruder is doing; nothing when they say nothing.
#[must_use]
pub fn action(of: &Signature<'_>) -> Option<Guess> {
    let evidence = words::evidence(of);
    if let Some(guess) = best(&evidence) {
        return Some(guess);
    }
    let (action, share, because) = attack::tactic(of.name)?;
    (share >= ENOUGH_FROM_ATTACK).then_some(Guess { action, share, because })
}

/// The tactics of one stage speak with one voice: an action wins together with its tactic.
fn best(evidence: &words::Evidence) -> Option<Guess> {
    let mut tactics: BTreeMap<&'static str, f64> = BTreeMap::new();
    let shares = evidence.shares();
    for (action, share) in &shares {
        *tactics.entry(action.macro_stage()).or_default() += share;
    }
    // Ties go to the earlier name, so that the answer never depends on an order in memory.
    let (stage, share) = tactics.into_iter().reduce(|a, b| if b.1 > a.1 { b } else { a })?;
    let own = shares.iter().filter(|(a, _)| a.macro_stage() == stage);
    let (action, _) = own.copied().reduce(|a, b| if b.1 > a.1 { b } else { a })?;
    Some(Guess { action, share, because: evidence.because(action) })
}

#[cfg(test)]
pub(crate) mod tests;
