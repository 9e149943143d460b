//! Rows about triage: does what matters come first, and do probabilities keep their word?

use std::collections::{BTreeMap, BTreeSet};

use stanch_judge::learner::{Facts, Learner};
use stanch_judge::measure::{self, Bar};
use stanch_judge::queue;

use super::Read;
use super::figure::{Figure, Target};
use super::scenario::Group;

/// Samples drawn for an interval.
const ROUNDS: usize = 200;
/// Groups a person looks at a day.
const A_DAY: usize = 25;
const DAY: i64 = 86_400_000;

/// What the drawings show.
#[derive(Clone, Debug, Default)]
pub(crate) struct Curves {
    pub(crate) name: String,
    /// Recall, precision, threshold.
    pub(crate) precision_recall: Vec<(f64, f64, f64)>,
    pub(crate) reliability: Vec<Bar>,
    /// Groups shown a day, share of attack steps seen, share of attack groups seen.
    pub(crate) budget: Vec<(usize, f64, f64)>,
}

/// Scores every group of a scenario.
pub(crate) fn scores(learner: &Learner, read: &Read) -> Vec<f64> {
    let s = &read.scenario;
    let facts: Vec<Facts<'_>> = read
        .groups
        .iter()
        .map(|g| Facts { row: &g.features, rule: &s.rules[g.rule as usize], place: s.place(g.machine) })
        .collect();
    learner.score_all(&facts)
}

/// The rows, and what is drawn of them.
pub(crate) fn rows(read: &Read, scores: &[f64], seed: u64) -> (Vec<Figure>, Curves) {
    let labelled: Vec<usize> = (0..read.groups.len()).filter(|i| read.groups[*i].scored).collect();
    let s: Vec<f64> = labelled.iter().map(|i| scores[*i]).collect();
    let real: Vec<bool> = labelled.iter().map(|i| read.groups[*i].real()).collect();
    let groups: Vec<&Group> = labelled.iter().map(|i| &read.groups[*i]).collect();
    let over = |figure: &dyn Fn(&[f64], &[bool]) -> f64| {
        let drawn = |at: &[usize]| {
            let (s, r): (Vec<f64>, Vec<bool>) = at.iter().map(|i| (s[*i], real[*i])).unzip();
            figure(&s, &r)
        };
        (figure(&s, &real), measure::interval(s.len(), ROUNDS, seed, drawn))
    };
    let hidden =
        |kept: f64| move |s: &[f64], r: &[bool]| measure::noise_hidden(s, r, kept).unwrap_or(f64::NAN);
    let figure =
        |field, title, (value, within), target| Figure::new(field, title, value, target).within(within);
    let ap = over(&measure::average_precision);
    let (h95, h99) = (over(&hidden(0.95)), over(&hidden(0.99)));
    let ece = over(&measure::calibration_error);
    let steps = steps_of(&groups);
    let seen = seen_within(&groups, &s, A_DAY);
    let missed: Vec<&str> =
        steps.difference(&seen).map(|n| read.scenario.steps[*n as usize].as_str()).collect();
    let counted = format!("{} groups, {} of them attack", s.len(), real.iter().filter(|r| **r).count());
    let rarity: Vec<f64> = groups.iter().map(|g| rarity(&g.features)).collect();
    let floor = measure::average_precision(&rarity, &real);
    let steps_note = match missed.is_empty() {
        true => format!("{} of {}", seen.len(), steps.len()),
        false => format!("{} of {}; missed: {}", seen.len(), steps.len(), missed.join(", ")),
    };
    let share = seen.len() as f64 / steps.len().max(1) as f64;
    let rows = vec![
        figure("triage_average_precision", "triage: average precision", ap, Target::AtLeast(0.85))
            .saying(counted),
        Figure::new("triage_floor_rarity", "  floor: how rarely seen", floor, Target::Told),
        figure("noise_hidden_at_95", "noise hidden, 95 % of attack kept", h95, Target::AtLeast(0.95)),
        figure("noise_hidden_at_99", "noise hidden, 99 % of attack kept", h99, Target::AtLeast(0.85)),
        Figure::new(
            "attack_steps_in_top_25_a_day",
            "attack steps in the top 25 a day",
            share,
            Target::AtLeast(1.0),
        )
        .saying(steps_note),
        figure("calibration_error", "calibration error (ECE)", ece, Target::AtMost(0.03)),
    ];
    let budget = [1, 2, 3, 5, 8, 12, 18, 25, 35, 50, 75, 100];
    let attack = real.iter().filter(|r| **r).count().max(1) as f64;
    let curves = Curves {
        name: read.scenario.name.clone(),
        precision_recall: measure::precision_recall(&s, &real),
        reliability: measure::reliability(&s, &real, 10),
        budget: budget
            .iter()
            .map(|n| {
                let shown = shown_within(&groups, &s, *n);
                let found = shown.iter().filter(|i| groups[**i].real()).count() as f64 / attack;
                let seen = seen_within(&groups, &s, *n).len() as f64 / steps.len().max(1) as f64;
                (*n, seen, found)
            })
            .collect(),
    };
    (rows, curves)
}

/// How rarely the rule was seen on this machine before: the simple floor.
fn rarity(features: &[f64]) -> f64 {
    use stanch_judge::watch::COLUMNS;
    COLUMNS.iter().position(|c| c.name == "groups_here").map_or(0.0, |i| -features[i])
}

/// All attack steps behind these groups.
pub(crate) fn steps_of(groups: &[&Group]) -> BTreeSet<u32> {
    groups.iter().flat_map(|g| g.steps.iter().copied()).collect()
}

/// Groups among the first `most` of the queue on the day they ended.
fn shown_within(groups: &[&Group], scores: &[f64], most: usize) -> Vec<usize> {
    let mut days: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (i, g) in groups.iter().enumerate() {
        days.entry(g.end.0.div_euclid(DAY)).or_default().push(i);
    }
    let of_day = |day: &Vec<usize>| {
        let queue: Vec<_> = day.iter().map(|i| (scores[*i], groups[*i].start)).collect();
        queue::order(&queue, most).into_iter().map(|at| day[at]).collect::<Vec<_>>()
    };
    days.values().flat_map(of_day).collect()
}

fn seen_within(groups: &[&Group], scores: &[f64], most: usize) -> BTreeSet<u32> {
    shown_within(groups, scores, most).into_iter().flat_map(|i| groups[i].steps.iter().copied()).collect()
}
