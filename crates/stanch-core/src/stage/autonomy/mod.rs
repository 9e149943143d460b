//! Confidence that earns autonomy: what may be decided without asking anybody, and on what evidence.
//!
//! Evidence is what people found out about incidents, beside the confidence each had then. Each kind of
//! decision has a budget of its own (`budgets` in `policies/triage.yaml`; off unless written), because a
//! mistake costs more in one place than in another. What is closed lies *below* a threshold and is wrong
//! where it mattered; what is paged or changed lies *above* one and is wrong where it did not. A threshold
//! is allowed when the upper bound of the share of wrong ones, not the share seen, is within the budget.
//! Twenty thresholds are looked at, so each must hold at a twentieth of the agreed risk. Source: Clopper
//! and Pearson 1934; the correction as in Angelopoulos and others, "Learn then Test", 2021.
//!
//! Drift takes the leave back at once: then nothing is closed, every change asks, and everything pages.

pub mod close;
pub mod page;

use stanch_judge::bound::{chance, lower, upper};

use super::health::demoted_by;
use crate::config::{Automatic, Budget, Budgets};
use crate::journal::State;

/// Thresholds looked at: twentieths.
const STEPS: u16 = 20;

/// What people found at one height of confidence.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Bar {
    /// Confidence from here, 0 to 1.
    pub from: f64,
    /// To there.
    pub to: f64,
    /// Judged incidents.
    pub judged: u64,
    /// Of them, those that mattered.
    pub mattered: u64,
    /// Between these the true share lies, at 90 % both sides together.
    pub between: (f64, f64),
}

/// How far one kind of decision may be taken without asking, and why or why not.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Standing {
    /// Which kind.
    pub what: Automatic,
    /// It may.
    pub allowed: bool,
    /// For incidents at most (close) or at least (all else) so sure; none where nothing is earned.
    pub threshold: Option<f64>,
    /// The share of wrong ones allowed, 0 to 1; none when no budget is written.
    pub budget: Option<f64>,
    /// Incidents people judged in all.
    pub judged: u64,
    /// Of them, on the side of the threshold (or of the best one that was not enough) that is decided.
    pub beyond: u64,
    /// Of those, wrong ones: each would have been a mistake.
    pub errors: u64,
    /// Upper bound of the share of wrong ones there.
    pub bound: f64,
    /// Why, or why not.
    pub because: Vec<String>,
}

/// Whether one decision may be taken without asking.
#[derive(Clone, Debug, PartialEq)]
pub enum Leave {
    /// The owner wrote no budget for it: other rules say.
    Unmeasured,
    /// It may, and why.
    Given(String),
    /// It may not, and why.
    Withheld(String),
}

/// Confidence, 0 to 1, as it is kept: in thousandths.
fn thousandths(sure: f64) -> u16 {
    (sure.clamp(0.0, 1.0) * 1000.0).round() as u16
}

/// True when an incident so sure lies on the side of the threshold that is decided.
fn beyond(what: Automatic, sure: u16, height: u16) -> bool {
    if what.is_for_noise() { sure <= height } else { sure >= height }
}

/// Judged incidents: confidence in thousandths, and whether they mattered.
fn points(state: &State) -> Vec<(u16, bool)> {
    let judged = state.opinions.incidents.values();
    let point = |j: &crate::journal::opinion::Judged| {
        Some((*state.opinions.confidence.get(&j.incident)?, j.opinion.matters()?))
    };
    judged.filter_map(|(_, j, _)| point(j)).collect()
}

fn count(points: &[(u16, bool)], within: impl Fn(u16) -> bool) -> (u64, u64) {
    let inside = points.iter().filter(|p| within(p.0));
    inside.fold((0, 0), |(n, real), p| (n + 1, real + u64::from(p.1)))
}

/// The reliability curve: how many incidents mattered, by how sure they were.
#[must_use]
pub fn curve(state: &State) -> Vec<Bar> {
    let points = points(state);
    (0..10u16)
        .map(|tenth| {
            let (from, to) = (tenth * 100, (tenth + 1) * 100);
            let (judged, mattered) = count(&points, |p| p >= from && (p < to || tenth == 9));
            let between = (lower(mattered, judged, 0.95), upper(mattered, judged, 0.95));
            Bar { from: f64::from(from) / 1000.0, to: f64::from(to) / 1000.0, judged, mattered, between }
        })
        .filter(|bar| bar.judged > 0)
        .collect()
}

/// A threshold that was looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Tried {
    /// In thousandths.
    height: u16,
    judged: u64,
    errors: u64,
    /// Of seeing so few errors were the true share as large as the budget: how little speaks for it.
    chance: f64,
}

/// All thresholds, the one that decides most first.
fn thresholds(points: &[(u16, bool)], what: Automatic, budget: f64) -> Vec<Tried> {
    let one = |step: u16| {
        let step = if what.is_for_noise() { STEPS - step } else { step };
        let height = step * (1000 / STEPS);
        let (judged, mattered) = count(points, |p| beyond(what, p, height));
        let errors = if what.is_for_noise() { mattered } else { judged - mattered };
        Tried { height, judged, errors, chance: chance(errors, judged, budget) }
    };
    (0..STEPS).map(one).collect()
}

/// The risk that each threshold may take, so that all together take no more than was agreed.
fn risk(budget: &Budget) -> f64 {
    (1.0 - budget.confidence) / f64::from(STEPS)
}

/// How far a kind of decision may be taken without asking, by what people judged.
#[must_use]
pub fn standing(state: &State, what: Automatic, budget: Option<&Budget>) -> Standing {
    let points = points(state);
    let mut out = Standing {
        what,
        allowed: false,
        threshold: None,
        budget: budget.map(|b| b.budget),
        judged: points.len() as u64,
        beyond: 0,
        errors: 0,
        bound: 1.0,
        because: Vec::new(),
    };
    let Some(budget) = budget else {
        out.because.push(off(what));
        return out;
    };
    let risk = risk(budget);
    let tried = thresholds(&points, what, budget.budget);
    // The bound is within the budget exactly when so few errors would be that unlikely at the budget.
    // It reaches no further than what was judged: nothing is known of incidents less like those.
    let widest = tried.iter().find(|t| t.chance <= risk);
    let earned = widest.and_then(|w| tried.iter().rev().find(|t| t.judged == w.judged));
    // Of equal ones the narrowest, which says most about what is missing.
    let best = earned.or_else(|| tried.iter().rev().min_by(|a, b| a.chance.total_cmp(&b.chance)));
    if let Some(t) = best {
        (out.beyond, out.errors) = (t.judged, t.errors);
        out.bound = upper(t.errors, t.judged, 1.0 - risk);
        out.threshold = earned.map(|t| f64::from(t.height) / 1000.0);
        out.because.push(found(what, *t, out.bound, budget.confidence));
    }
    if earned.is_none() {
        let needed = (risk.ln() / (1.0 - budget.budget).ln()).ceil();
        let wrong = if what.is_for_noise() { "that mattered" } else { "that did not matter" };
        out.because.push(format!(
            "the budget is {:.1} %: not earned; {needed:.0} such incidents without one {wrong} would do",
            budget.budget * 100.0
        ));
    }
    let demoted = demoted_by(state);
    out.allowed = earned.is_some() && demoted.is_empty();
    out.because.extend(demoted.into_iter().map(|why| format!("taken back for now: {why}")));
    out
}

/// What is so without a budget, and how to write one.
fn off(what: Automatic) -> String {
    let (now, example) = match what {
        Automatic::Close => ("switched off: nothing is closed by itself", 0.01),
        Automatic::Page => ("no budget: every incident pages", 0.5),
        Automatic::ContainReversible | Automatic::ContainCostly => {
            ("no budget: routes, playbooks and pre-authorisations alone say what may be done", 0.05)
        }
    };
    format!("{now}; write `budgets: {{ {}: {{ budget: {example} }} }}` in policies/triage.yaml", what.word())
}

fn found(what: Automatic, t: Tried, bound: f64, confidence: f64) -> String {
    let (side, wrong, such) =
        if what.is_for_noise() { ("up to", "mattered", "do") } else { ("from", "did not matter", "do not") };
    format!(
        "of {} judged incidents {side} {:.0} % sure{}, {} {wrong}: at most {:.1} % of such ones {such} (at \
         {:.0} % confidence, {STEPS} thresholds looked at)",
        t.judged,
        f64::from(t.height) / 10.0,
        if what.is_for_noise() { "" } else { " on" },
        t.errors,
        bound * 100.0,
        confidence * 100.0,
    )
}

/// How far each kind of decision may be taken without asking.
#[must_use]
pub fn standings(state: &State, budgets: &Budgets) -> Vec<Standing> {
    Automatic::ALL.iter().map(|what| standing(state, *what, budgets.of(*what))).collect()
}

/// May this be decided without asking, for an incident that is so sure (0 to 1)?
#[must_use]
pub fn leave(state: &State, budgets: &Budgets, what: Automatic, sure: f64) -> Leave {
    let Some(budget) = budgets.of(what) else { return Leave::Unmeasured };
    let standing = standing(state, what, Some(budget));
    let because = standing.because.join("; ");
    let word = what.word();
    let Some(height) = standing.threshold.filter(|_| standing.allowed) else {
        return Leave::Withheld(format!("{word} is not earned: {because}"));
    };
    let (sure_words, from) = (format!("{:.1} % sure", sure * 100.0), height * 100.0);
    if beyond(what, thousandths(sure), thousandths(height)) {
        return Leave::Given(format!("{word} is earned for what is {sure_words}: {because}"));
    }
    Leave::Withheld(format!("{word} is earned from {from:.0} % on, and this is {sure_words}: {because}"))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
