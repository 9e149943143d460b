//! Groups that began lately, and which of them is the newest of its machine and of its rule there.
//!
//! Machines are counted on a walk back from the newest beginning. Each was put into a set for that, some
//! thousands for every alert that joins an incident: a quarter of the time that opening incidents took.
//! What is marked as the newest of its machine is counted, and nothing else need be remembered.

use std::collections::{BTreeMap, VecDeque};

use stanch_model::Timestamp;

/// Beginnings of groups kept for the windows; six hours' worth is kept, and never more than this.
const RECENT: usize = 4_096;

/// A group that began.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) at: Timestamp,
    pub(super) rule: u64,
    pub(super) machine: u64,
    pub(super) tool: u64,
    pub(super) stage: u8,
    pub(super) new_here: bool,
    pub(super) new_rule: bool,
    /// Never below nothing: what is usual is no evidence against what is not.
    pub(super) surprise: f64,
}

/// Of what a beginning is the newest.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Newest {
    /// Of all of its machine.
    pub(super) of_machine: bool,
    /// Of all of its rule on its machine.
    pub(super) of_pair: bool,
}

/// Beginnings in order of time.
#[derive(Debug, Default)]
pub(super) struct Recent {
    kept: VecDeque<(Beginning, Newest)>,
    /// The number of the first that is kept; numbers count all there ever were.
    first: u64,
    /// The number of the newest.
    of_machine: BTreeMap<u64, u64>,
    /// The same by machine and rule.
    of_pair: BTreeMap<(u64, u64), u64>,
}

impl Recent {
    /// Adds one, and forgets those before `oldest` and what is too much.
    pub(super) fn push(&mut self, b: Beginning, oldest: Timestamp) {
        let number = self.first + self.kept.len() as u64;
        if let Some(before) = self.of_machine.insert(b.machine, number) {
            self.change(before, |newest| newest.of_machine = false);
        }
        if let Some(before) = self.of_pair.insert((b.machine, b.rule), number) {
            self.change(before, |newest| newest.of_pair = false);
        }
        self.kept.push_back((b, Newest { of_machine: true, of_pair: true }));
        while self.kept.len() > RECENT || self.kept.front().is_some_and(|(b, _)| b.at < oldest) {
            let Some((gone, newest)) = self.kept.pop_front() else { break };
            self.first += 1;
            if newest.of_machine {
                self.of_machine.remove(&gone.machine);
            }
            if newest.of_pair {
                self.of_pair.remove(&(gone.machine, gone.rule));
            }
        }
    }

    fn change(&mut self, number: u64, change: impl FnOnce(&mut Newest)) {
        let at = number.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        if let Some((_, newest)) = at.and_then(|at| self.kept.get_mut(at)) {
            change(newest);
        }
    }

    /// All that are kept, the newest first.
    pub(super) fn latest_first(&self) -> impl Iterator<Item = (&Beginning, Newest)> {
        self.kept.iter().rev().map(|(b, newest)| (b, *newest))
    }
}
