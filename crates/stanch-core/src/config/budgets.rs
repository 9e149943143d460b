//! `budgets` in `policies/triage.yaml`: how often each kind of decision may be wrong that nobody is asked about.
//!
//! A mistake does not cost the same everywhere: a page for nothing costs sleep, a machine that is cut off
//! for nothing costs work, an attack that is closed costs the firm. So each kind has a budget of its own.

use std::collections::{BTreeMap, BTreeSet};

use stanch_model::Span;

use super::Mistake;
use super::common::set;
use super::containment::ACTIONS;
use super::yaml::{Fields, Node};

/// A kind of decision that may be taken without asking anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Automatic {
    /// An incident is closed as noise.
    Close,
    /// Somebody is woken for an incident.
    Page,
    /// A change that hinders one address or name, and ends as it began.
    ContainReversible,
    /// A change that stops a machine's or a person's work, or cannot be undone.
    ContainCostly,
}

impl Automatic {
    /// All of them.
    pub const ALL: [Automatic; 4] =
        [Automatic::Close, Automatic::Page, Automatic::ContainReversible, Automatic::ContainCostly];

    /// As written in the policy.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Automatic::Close => "close",
            Automatic::Page => "page",
            Automatic::ContainReversible => "contain_reversible",
            Automatic::ContainCostly => "contain_costly",
        }
    }

    /// What a mistake costs, in one word.
    #[must_use]
    pub const fn cost(self) -> &'static str {
        match self {
            Automatic::Page => "low",
            Automatic::ContainReversible => "medium",
            Automatic::Close | Automatic::ContainCostly => "high",
        }
    }

    /// What a mistake is.
    #[must_use]
    pub const fn mistake(self) -> &'static str {
        match self {
            Automatic::Close => "a real attack is closed",
            Automatic::Page => "somebody is woken for nothing",
            Automatic::ContainReversible => "traffic that was harmless is hindered for a while",
            Automatic::ContainCostly => "a machine or a person is stopped for nothing",
        }
    }

    /// True when it is for incidents that are surely noise; false when for those that surely matter.
    #[must_use]
    pub const fn is_for_noise(self) -> bool {
        match self {
            Automatic::Close => true,
            Automatic::Page | Automatic::ContainReversible | Automatic::ContainCostly => false,
        }
    }
}

/// How often one kind of decision may be wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// The share of wrong ones, at most. From 0.0001; to 0.9 for pages, to 0.5 for all else. No default.
    pub budget: f64,
    /// How sure that bound must be. 0.5 to 0.9999, default 0.95.
    pub confidence: f64,
    /// For `close`: an incident is left open at least this long, so that what belongs to it can come. 1 min
    /// to 7 d, default 30 min. For `page`: nobody is woken for a doubtful incident for this long. 1 min to
    /// 1 d, default 1 h. Without meaning for changes.
    pub wait: Span,
}

impl Budget {
    /// A budget with everything else as it is by default.
    #[must_use]
    pub fn of(what: Automatic, budget: f64) -> Budget {
        let wait = match what {
            Automatic::Page => Span::hours(1),
            Automatic::Close | Automatic::ContainReversible | Automatic::ContainCostly => Span::mins(30),
        };
        Budget { budget, confidence: 0.95, wait }
    }
}

/// The budgets of the firm. What has none is as it would be without this file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Budgets {
    /// Incidents may be closed by themselves once that is earned. Default: never.
    pub close: Option<Budget>,
    /// Nobody is woken at once for what is less sure than the threshold earned. Default: for every incident.
    pub page: Option<Budget>,
    /// Cheap changes that a playbook may make by itself wait for a person until that is earned. Default:
    /// routes, playbooks and pre-authorisations alone say what may be done.
    pub contain_reversible: Option<Budget>,
    /// The same for costly ones.
    pub contain_costly: Option<Budget>,
    /// Kinds of change that cost more, or less, than is built in.
    pub costs: BTreeMap<String, Automatic>,
}

/// Kinds of change that hinder one address or name for a while. All others stop somebody's work.
const REVERSIBLE: &[&str] = &["block_address", "limit_address", "block_port", "sinkhole_domain"];

impl Budgets {
    /// The budget of a kind of decision, if there is one.
    #[must_use]
    pub const fn of(&self, what: Automatic) -> Option<&Budget> {
        match what {
            Automatic::Close => self.close.as_ref(),
            Automatic::Page => self.page.as_ref(),
            Automatic::ContainReversible => self.contain_reversible.as_ref(),
            Automatic::ContainCostly => self.contain_costly.as_ref(),
        }
    }

    /// What a mistake with a change costs. `classes` are the target's, see
    /// [`crate::contain::ladder::classes`]: what the inventory knows is a machine of ours, and to hinder
    /// it is costly whatever the change; and so is what cannot be undone.
    #[must_use]
    pub fn cost_of(&self, kind: &str, classes: &BTreeSet<String>, lasting: bool) -> Automatic {
        if lasting || classes.iter().any(|c| c != "external") {
            return Automatic::ContainCostly;
        }
        self.costs.get(kind).copied().unwrap_or_else(|| {
            if REVERSIBLE.contains(&kind) { Automatic::ContainReversible } else { Automatic::ContainCostly }
        })
    }
}

/// One budget. Without a number that the owner wrote down there is none.
pub(super) fn budget(node: &Node, what: Automatic, m: &mut Vec<Mistake>) -> Option<Budget> {
    let fields = node.map(m)?;
    let mut read = Budget::of(what, 0.0);
    let days = |n| Span(Span::hours(24).0 * n);
    let (waits, share) = match what {
        Automatic::Close => (Some(days(7)), 0.5),
        Automatic::Page => (Some(days(1)), 0.9),
        Automatic::ContainReversible | Automatic::ContainCostly => (None, 0.5),
    };
    let mut known = vec!["budget", "confidence"];
    if let Some(longest) = waits {
        known.push("wait");
        let wait = fields.optional("wait").and_then(|n| n.span_within(Span::mins(1)..=longest, m));
        set(&mut read.wait, wait);
    }
    fields.finish(&known, m);
    set(&mut read.confidence, fields.optional("confidence").and_then(|n| n.float(0.5..=0.9999, m)));
    read.budget = fields.required("budget", m)?.float(0.0001..=share, m)?;
    Some(read)
}

/// Reads `budgets`, and `auto_close`, which says the same as `budgets: { close: … }`.
pub(super) fn read(triage: &Fields<'_>, m: &mut Vec<Mistake>) -> Budgets {
    let mut out = Budgets::default();
    let old = triage.optional("auto_close");
    out.close = old.and_then(|n| budget(n, Automatic::Close, m));
    let Some(fields) = triage.optional("budgets").and_then(|n| n.map(m)) else { return out };
    let known: Vec<&str> = Automatic::ALL.iter().map(|a| a.word()).chain(["costs"]).collect();
    fields.finish(&known, m);
    if let (Some(node), Some(_)) = (fields.optional("close"), old) {
        let message = "`close` is given twice: here, and as `auto_close`";
        m.push(node.mistake(message, "keep one of them: both mean the same"));
    }
    for what in Automatic::ALL {
        let Some(read) = fields.optional(what.word()).and_then(|n| budget(n, what, m)) else { continue };
        match what {
            Automatic::Close => out.close = Some(read),
            Automatic::Page => out.page = Some(read),
            Automatic::ContainReversible => out.contain_reversible = Some(read),
            Automatic::ContainCostly => out.contain_costly = Some(read),
        }
    }
    if let Some(entries) = fields.optional("costs").and_then(|n| n.map(m)) {
        out.costs = costs(&entries, m);
    }
    together(&fields, &out, m);
    out
}

fn costs(entries: &Fields<'_>, m: &mut Vec<Mistake>) -> BTreeMap<String, Automatic> {
    entries.finish(ACTIONS, m);
    let mut out = BTreeMap::new();
    for kind in ACTIONS {
        let word = entries.optional(kind).and_then(|n| n.choice("cost", &["reversible", "costly"], m));
        let cost = word.map(|w| match w {
            "reversible" => Automatic::ContainReversible,
            _ => Automatic::ContainCostly,
        });
        out.extend(cost.map(|c| ((*kind).to_owned(), c)));
    }
    out
}

/// A costly mistake may not be allowed more often than a cheap one, nor go unmeasured where that is not.
fn together(fields: &Fields<'_>, it: &Budgets, m: &mut Vec<Mistake>) {
    let (cheap, costly) = (fields.optional("contain_reversible"), fields.optional("contain_costly"));
    if let (Some(node), None) = (cheap, costly) {
        let message = "costly changes have no budget, so they would need less evidence than cheap ones";
        m.push(node.mistake(message, "add `contain_costly: { budget: … }`, not above this one"));
    }
    if let (Some(node), Some(costly), Some(cheap)) =
        (fields.optional("contain_costly"), it.contain_costly, it.contain_reversible)
        && costly.budget > cheap.budget
    {
        let message = format!(
            "`contain_costly` may be wrong more often ({}) than `contain_reversible` ({})",
            costly.budget, cheap.budget
        );
        m.push(node.mistake(message, "give the costly mistake the smaller budget"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn a_change_is_costly_by_its_kind_by_its_target_and_by_being_for_ever() {
        let b = Budgets::default();
        let outside = classes(&["external"]);
        for kind in ACTIONS {
            let expected = ["block_address", "limit_address", "block_port", "sinkhole_domain"].contains(kind);
            let found = b.cost_of(kind, &outside, false) == Automatic::ContainReversible;
            assert_eq!(found, expected, "{kind}");
            assert_eq!(b.cost_of(kind, &outside, true), Automatic::ContainCostly, "{kind}, for ever");
            assert_eq!(
                b.cost_of(kind, &classes(&["low", "printer"]), false),
                Automatic::ContainCostly,
                "{kind}"
            );
        }
    }

    #[test]
    fn an_owner_says_what_a_kind_costs_but_not_that_what_is_ours_or_for_ever_is_cheap() {
        let costs = [("call", Automatic::ContainReversible), ("block_address", Automatic::ContainCostly)];
        let costs = costs.map(|(k, c)| (k.to_owned(), c)).into();
        let b = Budgets { costs, ..Budgets::default() };
        let outside = classes(&["external"]);
        assert_eq!(b.cost_of("call", &outside, false), Automatic::ContainReversible);
        assert_eq!(b.cost_of("block_address", &outside, false), Automatic::ContainCostly);
        assert_eq!(b.cost_of("call", &outside, true), Automatic::ContainCostly);
        assert_eq!(b.cost_of("call", &classes(&["high"]), false), Automatic::ContainCostly);
    }
}
