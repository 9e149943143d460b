//! What an alert is worth before anybody has said anything: a plain sum over what is unusual.
//!
//! Nothing here is fitted. The weights say what a person would: something new on a machine where other
//! new things just happened deserves a look, a thing that comes every day does not. Verdicts move it
//! through what is known of the rule and its words.

use crate::text::Known;
use crate::watch::COLUMNS;

/// A weight of one column, with the bounds the value is held to first.
const WEIGHTS: &[(&str, f64, f64, f64)] = &[
    ("surprise", 0.5, -4.0, 3.0),
    ("groups_of_rule", -0.3, 0.0, 5.0),
    ("machine_new_2m", 0.25, 0.0, 8.0),
    ("machine_new_10m", 0.1, 0.0, 12.0),
    ("site_new_2m", 0.12, 0.0, 10.0),
    ("site_new_rules_10m", 0.2, 0.0, 6.0),
    ("machines_with_rule_2m", 0.1, 0.0, 6.0),
    ("tools_10m", 0.3, 1.0, 4.0),
    ("stages_10m", 0.2, 1.0, 5.0),
    ("stage", 0.05, 0.0, 12.0),
    ("severity", 0.25, 0.0, 6.0),
    ("hostile", 3.0, 0.0, 1.0),
    ("asset_critical", 0.3, 0.0, 1.0),
    ("asset_outside", -0.5, 0.0, 1.0),
];
/// Log-odds before anything is known: one group in about a hundred matters.
const START: f64 = -4.6;
/// In the first hours everything is new; newness counts for less then. Days until it counts in half.
const SETTLING: f64 = 0.25;
/// How much of what people said is believed: of the very rule, of the most and of the least telling word.
const BELIEVED: (f64, f64) = (0.8, 0.6);

/// Log-odds of a row.
#[must_use]
pub fn log_odds(row: &[f64], known: &Known) -> f64 {
    let value = |name: &str| COLUMNS.iter().position(|c| c.name == name).and_then(|i| row.get(i)).copied();
    let age = value("age").unwrap_or(0.0);
    let settled = age / (age + SETTLING);
    let unusual: f64 = WEIGHTS
        .iter()
        .filter_map(|(name, weight, low, high)| {
            let v = value(name)?.clamp(*low, *high) * weight;
            let is_new = name.contains("new") || *name == "surprise";
            Some(if is_new { v * settled } else { v })
        })
        .sum();
    let lore = known.of_rule.map_or(BELIEVED.1 * known.of_words.0, |l| BELIEVED.0 * l);
    START + unusual + lore
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(set: &[(&str, f64)]) -> Vec<f64> {
        COLUMNS.iter().map(|c| set.iter().find(|(n, _)| *n == c.name).map_or(0.0, |(_, v)| *v)).collect()
    }

    #[test]
    fn every_weight_names_a_column() {
        for (name, ..) in WEIGHTS {
            assert!(COLUMNS.iter().any(|c| c.name == *name), "{name}");
        }
    }

    #[test]
    fn a_new_thing_in_new_company_is_worth_more_than_a_daily_one() {
        let new = row(&[("age", 3.0), ("surprise", 2.6), ("machine_new_2m", 5.0)]);
        let daily = row(&[("age", 3.0), ("surprise", -2.0), ("groups_of_rule", 4.0)]);
        let nothing = Known::default();
        assert!(log_odds(&new, &nothing) > log_odds(&daily, &nothing) + 3.0);
        let noise = Known { of_rule: Some(-3.0), ..nothing };
        assert!(log_odds(&new, &noise) < log_odds(&new, &nothing) - 2.0);
    }
}
