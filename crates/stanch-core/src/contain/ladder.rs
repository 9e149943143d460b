//! How far the machine may go by itself with one change: the lowest of all that is said about it.
//!
//! Autonomy is earned. A playbook that has never completed a run in this very version has earned
//! none; a rule of the policy may hold it back for some actions or some targets; the playbook's
//! author and the route may too. Nothing here ever raises a level.
//!
//! Source: SEC-63, and HOUSE section 8: `observe → suggest → approve → act`.

use std::collections::BTreeSet;

use stanch_model::fact::Criticality;
use stanch_model::{Fact, Meaning};

use crate::config::{Autonomy, ContainmentPolicy};
use crate::{Decided, Reason};

/// What is weighed.
#[derive(Clone, Copy, Debug)]
pub struct Rung<'a> {
    /// As the route says.
    pub route: Autonomy,
    /// As the playbook says, if it does.
    pub playbook: Option<Autonomy>,
    /// The playbook's name.
    pub name: &'a str,
    /// True when this very version of it has completed a run.
    pub proven: bool,
    /// The kind of change, by name.
    pub kind: &'a str,
    /// The target's classes.
    pub classes: &'a BTreeSet<String>,
}

/// The lowest level, and why it is not higher.
#[must_use]
pub fn ladder(policy: &ContainmentPolicy, it: Rung<'_>) -> Decided<Autonomy> {
    let mut found = Decided { verdict: it.route, because: Vec::new() };
    let mut hold = |level: Autonomy, why: String| {
        if level < found.verdict {
            (found.verdict, found.because) = (level, vec![Reason(why)]);
        }
    };
    if let Some(level) = it.playbook {
        hold(level, format!("playbook {} says so", it.name));
    }
    let any = |wanted: &BTreeSet<String>, word: &str| wanted.is_empty() || wanted.contains(word);
    let fits = |r: &&crate::config::AutonomyRule| {
        any(&r.playbooks, it.name)
            && any(&r.actions, it.kind)
            && (r.assets.is_empty() || !r.assets.is_disjoint(it.classes))
    };
    if let Some(rule) = policy.autonomy.iter().find(fits) {
        hold(rule.at_most, format!("{} says so", rule.place));
    }
    if !it.proven {
        hold(
            policy.new_playbooks,
            format!("this version of playbook {} has not completed a run yet", it.name),
        );
    }
    found
}

/// The classes of a target: its criticality and kind where the inventory knows it, else `external`.
#[must_use]
pub fn classes(facts: &[Fact]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for fact in facts {
        if let Meaning::Asset { criticality, kind, .. } = &fact.meaning {
            let word = match criticality {
                Criticality::Low => "low",
                Criticality::Medium => "medium",
                Criticality::High => "high",
                Criticality::Critical => "critical",
            };
            found.insert(word.to_owned());
            found.extend(kind.clone());
        }
    }
    if found.is_empty() {
        found.insert("external".to_owned());
    }
    found
}

#[cfg(test)]
mod tests {
    use stanch_model::{Observable, ObservableKind};

    use super::*;
    use crate::config::AutonomyRule;

    fn set(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|w| (*w).to_owned()).collect()
    }

    fn rule(playbooks: &[&str], actions: &[&str], assets: &[&str], at_most: Autonomy) -> AutonomyRule {
        let place = format!("line {}", at_most.word());
        AutonomyRule { playbooks: set(playbooks), actions: set(actions), assets: set(assets), at_most, place }
    }

    #[test]
    fn the_lowest_level_counts_and_says_where_it_comes_from() {
        use Autonomy::{Act, Approve, Observe, Suggest};
        let policy =
            |rules: Vec<AutonomyRule>| ContainmentPolicy { autonomy: rules, ..ContainmentPolicy::default() };
        let classes = set(&["external"]);
        let base = Rung {
            route: Act,
            playbook: None,
            name: "c2",
            proven: true,
            kind: "block_address",
            classes: &classes,
        };
        let check = |policy: &ContainmentPolicy, it: Rung<'_>, expected: Autonomy, why: &str| {
            let found = ladder(policy, it);
            let said: Vec<&str> = found.because.iter().map(|r| r.0.as_str()).collect();
            assert_eq!((found.verdict, said.join("; ").as_str()), (expected, why));
        };
        let plain = policy(vec![]);
        check(&plain, base, Act, "");
        check(&plain, Rung { route: Suggest, ..base }, Suggest, "");
        check(&plain, Rung { playbook: Some(Approve), ..base }, Approve, "playbook c2 says so");
        check(&plain, Rung { playbook: Some(Act), route: Observe, ..base }, Observe, "");
        let new = "this version of playbook c2 has not completed a run yet";
        check(&plain, Rung { proven: false, ..base }, Approve, new);
        check(&plain, Rung { proven: false, route: Suggest, ..base }, Suggest, "");
        let careful = ContainmentPolicy { new_playbooks: Observe, ..policy(vec![]) };
        check(&careful, Rung { proven: false, ..base }, Observe, new);
        check(&careful, base, Act, "");
        let rules = policy(vec![
            rule(&["other"], &[], &[], Observe),
            rule(&[], &["lock_account"], &[], Observe),
            rule(&[], &[], &["high", "server"], Observe),
            rule(&["c2"], &["block_address"], &["external"], Suggest),
            rule(&[], &[], &[], Observe),
        ]);
        check(&rules, base, Suggest, "line suggest says so");
        check(&rules, Rung { kind: "lock_account", ..base }, Observe, "line observe says so");
        let server = set(&["low", "server"]);
        check(&rules, Rung { classes: &server, ..base }, Observe, "line observe says so");
        let generous = policy(vec![rule(&[], &[], &[], Act)]);
        check(&generous, Rung { route: Suggest, ..base }, Suggest, "");
    }

    #[test]
    fn a_target_that_the_inventory_does_not_know_is_external() {
        let asset = |criticality, kind: Option<&str>| Fact {
            provider: "assets".into(),
            about: Observable::new(ObservableKind::Ip, "10.0.0.7"),
            meaning: Meaning::Asset {
                name: "x".into(),
                criticality,
                owner: None,
                kind: kind.map(str::to_owned),
            },
        };
        assert_eq!(classes(&[]), set(&["external"]));
        assert_eq!(classes(&[asset(Criticality::High, Some("server"))]), set(&["high", "server"]));
        for (c, word) in
            [(Criticality::Low, "low"), (Criticality::Medium, "medium"), (Criticality::Critical, "critical")]
        {
            assert_eq!(classes(&[asset(c, None)]), set(&[word]));
        }
    }
}
