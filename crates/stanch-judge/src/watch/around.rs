//! What began around a group: met one by one on a walk back from now, and counted.

use std::collections::BTreeSet;

use super::columns::A_WINDOW;
use super::group::Group;
use super::recent::{Beginning, Newest};

/// What was met on the walk back so far; the group itself is not met.
pub(super) struct Around {
    rule: u64,
    machine: u64,
    /// Other rules on the machine, and tools and stages there.
    rules: BTreeSet<u64>,
    tools: BTreeSet<u64>,
    stages: Few,
    site_stages: Few,
    /// Other machines, and those of them that had the rule.
    machines: u32,
    with_rule: u32,
    /// The machine itself was met, and the rule on it.
    itself: bool,
    itself_with_rule: bool,
    new: u32,
    surprise: f64,
    around: u32,
    surprise_around: f64,
    new_rules: u32,
}

/// A set of small numbers.
#[derive(Clone, Copy, Default)]
struct Few([u64; 4]);

impl Few {
    fn insert(&mut self, n: u8) {
        self.0[usize::from(n >> 6)] |= 1 << (n & 63);
    }

    fn len(self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }
}

impl Around {
    pub(super) fn new(rule: u64, machine: u64, g: &Group) -> Around {
        let mut stages = Few::default();
        stages.insert(g.stage);
        Around {
            rule,
            machine,
            rules: BTreeSet::new(),
            tools: BTreeSet::from([g.tool]),
            stages,
            site_stages: stages,
            machines: 0,
            with_rule: 0,
            itself: false,
            itself_with_rule: false,
            new: 0,
            surprise: 0.0,
            around: 0,
            surprise_around: 0.0,
            new_rules: 0,
        }
    }

    /// Meets one more. Of other machines the newest of each is always met first, so that it alone counts;
    /// of the machine itself that may be the group, which is not met.
    #[inline]
    pub(super) fn meet(&mut self, x: &Beginning, newest: Newest) {
        self.site_stages.insert(x.stage);
        self.new_rules += u32::from(x.new_rule);
        if x.machine == self.machine {
            self.itself = true;
            self.itself_with_rule |= x.rule == self.rule;
            self.rules.insert(x.rule);
            self.tools.insert(x.tool);
            self.stages.insert(x.stage);
            self.new += u32::from(x.new_here);
            self.surprise += x.surprise;
        } else {
            self.machines += u32::from(newest.of_machine);
            self.with_rule += u32::from(newest.of_pair && x.rule == self.rule);
            self.around += u32::from(x.new_here);
            self.surprise_around += x.surprise;
        }
    }

    /// Tools and stages on the machine.
    pub(super) fn on_machine(&self) -> (usize, usize) {
        (self.tools.len(), self.stages.len())
    }

    /// Stages at the site.
    pub(super) fn site_stages(&self) -> usize {
        self.site_stages.len()
    }

    /// The columns of a window that ends here.
    pub(super) fn columns(&self) -> [f64; A_WINDOW] {
        [
            self.rules.len() as f64,
            f64::from(self.new),
            self.surprise,
            f64::from(self.machines + u32::from(self.itself)),
            f64::from(self.around),
            self.surprise_around,
            f64::from(self.new_rules),
            f64::from(self.with_rule + u32::from(self.itself_with_rule)),
        ]
    }
}
