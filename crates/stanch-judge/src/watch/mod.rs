//! What was seen so far, and what it says about a group of alerts: causal features.
//!
//! A *group* is one rule on one machine with no gap above [`GAP`]. [`Watch::see`] takes alerts in order
//! of time; [`Watch::row`] describes a group by what had been seen at that moment and nothing later.
//! Labels cannot reach this module: no type in it has a place for one.

mod around;
mod columns;
mod group;
mod recent;
mod site;

use stanch_model::{Span, Timestamp};

use crate::text::number;

pub use columns::{COLUMNS, Family, family, tell, told};

use site::Site;

/// A longer silence ends a group.
pub const GAP: Span = Span::mins(30);

/// What is known of the machine an alert sits on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asset {
    /// The inventory knows it.
    pub known: bool,
    /// Losing it would hurt: a server, a firewall.
    pub critical: bool,
    /// It is not ours.
    pub outside: bool,
}

/// One alert, as far as the judgement needs it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sight<'a> {
    /// When.
    pub at: Timestamp,
    /// Where: the same machine name at two sites is two machines.
    pub site: &'a str,
    /// The machine it sits on.
    pub machine: &'a str,
    /// The tool that raised it.
    pub tool: &'a str,
    /// The rule's text.
    pub rule: &'a str,
    /// Place in the kill chain, 0 (unknown) to 12.
    pub stage: u8,
    /// Severity the tool gave, 1 to 6; 0 when it gave none.
    pub severity: u8,
    /// Confidence of a feed that calls an end hostile, 0 to 100; 0 when none does.
    pub hostile: u8,
    /// The machine's entry in the inventory.
    pub asset: Asset,
}

/// One alert with its names as numbers, for callers that have them at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// Site, machine, tool and rule, each as a number that stands for its text.
    pub site: u64,
    /// The machine; the same number at two sites is two machines.
    pub machine: u64,
    /// The tool that raised it.
    pub tool: u64,
    /// The rule.
    pub rule: u64,
    /// As in [`Sight`].
    pub stage: u8,
    /// As in [`Sight`].
    pub severity: u8,
    /// As in [`Sight`].
    pub hostile: u8,
    /// As in [`Sight`].
    pub asset: Asset,
}

impl Sight<'_> {
    /// The same, with names as numbers.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark {
            at: self.at,
            site: number(self.site),
            machine: number(self.machine),
            tool: number(self.tool),
            rule: number(self.rule),
            stage: self.stage,
            severity: self.severity,
            hostile: self.hostile,
            asset: self.asset,
        }
    }
}

/// Which group: site, rule and machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    /// Where.
    pub site: u64,
    /// Which rule.
    pub rule: u64,
    /// On which machine.
    pub machine: u64,
}

/// Everything seen so far. Bounded: see the limits in `site`.
#[derive(Debug, Default)]
pub struct Watch {
    sites: Vec<Site>,
}

impl Watch {
    /// Takes in one alert; never earlier than the one before (put a
    /// [`Sluice`](crate::sluice::Sluice) in front where order is not given). Says which group it
    /// belongs to and whether it began one.
    pub fn see(&mut self, sight: &Sight<'_>) -> (GroupKey, bool) {
        self.note(&sight.mark())
    }

    /// As [`Watch::see`], for names that are numbers already.
    pub fn note(&mut self, mark: &Mark) -> (GroupKey, bool) {
        let index = self.site_index(mark.site, mark.at);
        let new = self.sites[index].see(mark);
        (GroupKey { site: mark.site, rule: mark.rule, machine: mark.machine }, new)
    }

    fn site_index(&mut self, site: u64, at: Timestamp) -> usize {
        if let Some(i) = self.sites.iter().position(|s| s.id == site) {
            return i;
        }
        self.sites.push(Site::new(site, at));
        self.sites.len() - 1
    }

    /// Describes the open group of this key at the moment `now`; `None` when there is none. The values
    /// stand in the order of [`COLUMNS`].
    #[must_use]
    pub fn row(&self, key: GroupKey, now: Timestamp) -> Option<Vec<f64>> {
        let site = self.sites.iter().find(|s| s.id == key.site)?;
        site.row(key.rule, key.machine, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn sight(at: i64, machine: &'static str, rule: &'static str) -> Sight<'static> {
        Sight {
            at: Timestamp(at * 1_000),
            site: "hq",
            machine,
            tool: rule,
            rule,
            stage: 0,
            severity: 0,
            hostile: 0,
            asset: Asset::default(),
        }
    }

    fn column(row: &[f64], name: &str) -> f64 {
        row[COLUMNS.iter().position(|c| c.name == name).expect(name)]
    }

    #[test]
    fn a_row_is_as_long_as_its_headings() {
        let mut w = Watch::default();
        let (key, new) = w.see(&sight(0, "web", "scan"));
        assert!(new);
        assert_eq!(w.row(key, Timestamp(0)).map(|r| r.len()), Some(COLUMNS.len()));
    }

    #[test]
    fn company_on_the_machine_and_around_it_is_counted_and_fades() {
        let mut w = Watch::default();
        w.see(&sight(0, "web", "scan"));
        w.see(&sight(1, "db", "login"));
        let (key, _) = w.see(&sight(2, "web", "shell"));
        let row = w.row(key, Timestamp(2_000)).expect("open");
        assert_eq!(column(&row, "machine_rules_2m"), 1.0);
        assert_eq!(column(&row, "site_machines_2m"), 2.0);
        assert_eq!(column(&row, "site_new_2m"), 1.0);
        let (key, _) = w.see(&sight(8_000, "web", "late"));
        let row = w.row(key, Timestamp(8_000_000)).expect("open");
        assert_eq!(column(&row, "machine_rules_2m"), 0.0);
        assert_eq!(column(&row, "machine_rules_6h"), 2.0);
    }

    #[test]
    fn a_silence_above_the_gap_begins_a_new_group() {
        let mut w = Watch::default();
        w.see(&sight(0, "web", "scan"));
        assert!(!w.see(&sight(1_800, "web", "scan")).1);
        let (key, new) = w.see(&sight(3_601, "web", "scan"));
        assert!(new);
        let row = w.row(key, Timestamp(3_601_000)).expect("open");
        assert_eq!(column(&row, "first_here"), 0.0);
        assert!((column(&row, "groups_here") - 2.0_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn the_same_names_at_another_site_are_others() {
        let mut w = Watch::default();
        w.see(&sight(0, "web", "scan"));
        let (key, _) = w.see(&Sight { site: "branch", ..sight(1, "web", "scan") });
        let row = w.row(key, Timestamp(1_000)).expect("open");
        assert_eq!(column(&row, "first_here"), 1.0);
        assert_eq!(column(&row, "machine_rules_2m"), 0.0);
    }

    #[test]
    fn machines_around_are_counted_as_a_set_of_them_would_be() {
        const MACHINES: [&str; 5] = ["a", "b", "c", "d", "e"];
        const RULES: [&str; 3] = ["scan", "login", "shell"];
        let (mut w, mut chance) = (Watch::default(), crate::chance::Chance::new(3));
        let (mut began, mut at) = (Vec::new(), 0);
        let draw = |n: usize, chance: &mut crate::chance::Chance| chance.draw() as usize % n;
        for _ in 0..6_000 {
            at += draw(150, &mut chance) as i64;
            let (machine, rule) = (MACHINES[draw(5, &mut chance)], RULES[draw(3, &mut chance)]);
            let (key, new) = w.see(&sight(at, machine, rule));
            if new {
                began.push((at, machine, rule));
            }
            let Some(row) = w.row(key, Timestamp(at * 1_000)) else { continue };
            let own = began.iter().rev().find(|(_, m, r)| (*m, *r) == (machine, rule));
            for (name, secs) in [("2m", 120), ("10m", 600), ("1h", 3_600), ("6h", 21_600)] {
                let others = began.iter().rev().take_while(|b| b.0 > at - secs).filter(|b| Some(*b) != own);
                let set = |wanted: &dyn Fn(&str) -> bool| {
                    let some = others.clone().filter(|b| wanted(b.2));
                    some.map(|b| b.1).collect::<std::collections::BTreeSet<_>>().len() as f64
                };
                assert_eq!(column(&row, &format!("site_machines_{name}")), set(&|_| true), "{at} {name}");
                assert_eq!(column(&row, &format!("machines_with_rule_{name}")), set(&|r| r == rule));
            }
        }
        assert!(began.len() > 500, "{}", began.len());
    }
}
