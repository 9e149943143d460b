//! Rows about the same alert told by two tools.
//!
//! Truth: one tool relays the other's alerts, one to one, on the same machine within two seconds. Which tool
//! relays which is read from the data by the words "IDS" in the relaying rule, which the joiner never sees.

use std::collections::{BTreeMap, BTreeSet};

use stanch_judge::twins::{Told, Twins};

use super::figure::{Figure, Target};
use super::scenario::{Scenario, tool};

/// The rows; none where no tool relays another.
pub(crate) fn rows(scenario: &Scenario) -> Vec<Figure> {
    let relays: BTreeSet<u32> = numbers(scenario, |rule| {
        rule.split(|c: char| !c.is_alphanumeric()).any(|w| w == "IDS") && tool(rule) != "Suricata"
    });
    let told: BTreeSet<u32> = numbers(scenario, |rule| tool(rule) == "Suricata");
    let count = scenario.rows.iter().filter(|r| told.contains(&r.rule)).count();
    if relays.is_empty() || count == 0 {
        return Vec::new();
    }
    let mut tools: BTreeMap<&str, u32> = BTreeMap::new();
    let of: Vec<u32> = scenario
        .rules
        .iter()
        .map(|r| {
            let next = tools.len() as u32;
            *tools.entry(tool(r)).or_insert(next)
        })
        .collect();
    let mut twins = Twins::default();
    let mut joined = Vec::new();
    for (id, row) in scenario.rows.iter().enumerate() {
        joined.extend(twins.see(Told {
            at: row.at,
            id,
            tool: of[row.rule as usize],
            rule: row.rule,
            machine: row.machine,
        }));
    }
    joined.extend(twins.drain());
    let right = |(a, b): &&(usize, usize)| {
        let (a, b) = (scenario.rows[*a].rule, scenario.rows[*b].rule);
        (told.contains(&a) && relays.contains(&b)) || (told.contains(&b) && relays.contains(&a))
    };
    let good = joined.iter().filter(right).count();
    let wrong = joined.len() - good;
    let share = |n: usize, of: usize| n as f64 / of.max(1) as f64;
    vec![
        Figure::new(
            "cross_tool_joined",
            "same alert from two tools: joined",
            share(good, count),
            Target::AtLeast(0.99),
        )
        .saying(format!("{good} of {count} pairs")),
        Figure::new(
            "cross_tool_wrongly_joined",
            "same alert from two tools: wrongly joined",
            share(wrong, joined.len()),
            Target::AtMost(0.001),
        )
        .saying(format!("{wrong} of {} joins", joined.len())),
    ]
}

fn numbers(scenario: &Scenario, is: impl Fn(&str) -> bool) -> BTreeSet<u32> {
    (0..scenario.rules.len() as u32).filter(|i| is(&scenario.rules[*i as usize])).collect()
}
