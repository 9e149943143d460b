//! Rows about a cold start: nothing trained, a person gives twenty verdicts a day.
//!
//! Each evening the day's queue is shown as the learner orders it; its first places get their true label as
//! verdict. To compare the learner of the first day (no verdict yet) with that of the last, both rank the same groups:
//! those that never got a verdict. Whether a step was hidden is decided as the day goes, with the learner
//! of that day.

use std::collections::{BTreeMap, BTreeSet};

use stanch_judge::learner::{Facts, Learner};
use stanch_judge::measure;
use stanch_judge::queue;

use super::Read;
use super::figure::{Figure, Target};
use super::scenario::Group;

/// Verdicts a day.
const VERDICTS: usize = 20;
/// Share of hidden groups that may be wrong.
const BUDGET: f64 = 0.05;
const DAY: i64 = 86_400_000;

/// The rows.
pub(crate) fn rows(read: &Read, seed: u64) -> Vec<Figure> {
    let facts: Vec<Facts<'_>> = read
        .groups
        .iter()
        .map(|g| Facts {
            row: &g.features,
            rule: &read.scenario.rules[g.rule as usize],
            place: read.scenario.place(g.machine),
        })
        .collect();
    let scored: Vec<usize> = (0..read.groups.len()).filter(|i| read.groups[*i].scored).collect();
    let mut days: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for i in &scored {
        days.entry(read.groups[*i].end.0.div_euclid(DAY)).or_default().push(*i);
    }
    let mut learner = Learner::new(seed);
    let first: Vec<f64> = learner.score_all(&facts);
    let (mut judged, mut hidden) = (BTreeSet::new(), BTreeSet::new());
    let mut lived = vec![0.0; facts.len()];
    for (number, (_, day)) in days.iter().enumerate() {
        let told: Vec<Facts<'_>> = day.iter().map(|i| facts[*i]).collect();
        let scores = learner.score_all(&told);
        for (i, score) in day.iter().zip(&scores) {
            lived[*i] = *score;
            if learner.may_hide(&facts[*i], BUDGET) {
                hidden.insert(*i);
            }
        }
        let queue: Vec<_> = day.iter().zip(&scores).map(|(i, p)| (*p, read.groups[*i].start)).collect();
        for at in queue::order(&queue, VERDICTS) {
            let i = day[at];
            learner.observe(&facts[i], number as u32, read.groups[i].real());
            judged.insert(i);
        }
    }
    learner.regrow();
    let last = learner.score_all(&facts);
    let unjudged: Vec<usize> = scored.iter().copied().filter(|i| !judged.contains(i)).collect();
    let precision = |scores: &[f64], over: &[usize]| {
        let (s, r): (Vec<f64>, Vec<bool>) = over.iter().map(|i| (scores[*i], read.groups[*i].real())).unzip();
        measure::average_precision(&s, &r)
    };
    let (before, after) = (precision(&first, &unjudged), precision(&last, &unjudged));
    let steps_hidden = steps_hidden(&read.groups, &scored, &hidden);
    let noise = scored.iter().filter(|i| !read.groups[**i].real()).count().max(1) as f64;
    let noise_hidden = hidden.iter().filter(|i| !read.groups[**i].real()).count() as f64 / noise;
    let attack_left = unjudged.iter().filter(|i| read.groups[**i].real()).count();
    let note = format!("{} groups without a verdict, {attack_left} of them attack", unjudged.len());
    let doubling = match 2.0 * before > 1.0 {
        true => "cannot double: the first day is above a half already".to_owned(),
        false => String::new(),
    };
    let told = |field, title, value| Figure::new(field, title, value, Target::Told);
    vec![
        told("cold_start_average_precision_first_day", "cold start: average precision, first day", before)
            .saying(note),
        Figure::new(
            "cold_start_average_precision_last_day",
            "cold start: average precision, last day",
            after,
            Target::AtLeast((200.0 * before).round() / 100.0),
        )
        .saying(doubling),
        told(
            "cold_start_average_precision_as_lived",
            "  each group as scored on its day",
            precision(&lived, &scored),
        ),
        Figure::new(
            "cold_start_attack_steps_hidden",
            "cold start: attack steps hidden",
            steps_hidden as f64,
            Target::AtMost(0.0),
        ),
        told("cold_start_noise_hidden", "  noise hidden by then", noise_hidden),
    ]
}

/// Attack steps all of whose groups were hidden.
fn steps_hidden(groups: &[Group], scored: &[usize], hidden: &BTreeSet<usize>) -> usize {
    let steps: BTreeSet<u32> = scored.iter().flat_map(|i| groups[*i].steps.iter().copied()).collect();
    let seen: BTreeSet<u32> = scored
        .iter()
        .filter(|i| !hidden.contains(i))
        .flat_map(|i| groups[*i].steps.iter().copied())
        .collect();
    steps.difference(&seen).count()
}
