//! The same alert told by two tools: found by habit, not by name.
//!
//! A tool that relays another's alerts gives itself away: nearly each of them has a partner of the other
//! tool, on the same machine, within moments. Habits are counted for each pair of rule and other tool;
//! a pair is joined once its habit is strong. No rule or product is named here.

use std::collections::{BTreeMap, VecDeque};

use stanch_model::{Span, Timestamp};

/// How far apart the two may be.
pub const APART: Span = Span::secs(2);
/// Share of a rule's alerts that must have had a partner.
const HABIT: f64 = 0.8;
/// Counts that a habit starts with: as if one of one had had a partner, so that the first pair is joined
/// and one miss ends it until it has proved itself.
const START: (f64, f64) = (1.0, 1.0);
/// Alerts of one machine that wait for a partner.
const WAITING: usize = 100_000;

/// An alert as it is matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// The caller's own number for it.
    pub id: usize,
    /// Tool, rule and machine as numbers; a machine's number includes its site.
    pub tool: u32,
    /// Rule.
    pub rule: u32,
    /// Machine.
    pub machine: u32,
}

#[derive(Clone, Copy, Debug)]
struct Habit {
    with: f64,
    of: f64,
}

/// The matcher. Give alerts in order of time.
#[derive(Debug, Default)]
pub struct Twins {
    waiting: BTreeMap<u32, VecDeque<Told>>,
    /// (relaying tool and rule, told tool) → habit.
    habits: BTreeMap<(u32, u32, u32), Habit>,
}

impl Twins {
    /// Takes one in. Gives the pairs that became certain: (told first by its tool, relayed).
    pub fn see(&mut self, told: Told) -> Vec<(usize, usize)> {
        let queue = self.waiting.entry(told.machine).or_default();
        queue.push_back(told);
        let until = told.at.plus(Span(-APART.0));
        let ready = queue.front().is_some_and(|t| t.at < until) || queue.len() > WAITING;
        if ready { self.settle(told.machine, until) } else { Vec::new() }
    }

    /// Settles all that still wait.
    pub fn drain(&mut self) -> Vec<(usize, usize)> {
        let machines: Vec<u32> = self.waiting.keys().copied().collect();
        machines.into_iter().flat_map(|m| self.settle(m, Timestamp(i64::MAX))).collect()
    }

    /// Settles what is older than `until` on a machine.
    fn settle(&mut self, machine: u32, until: Timestamp) -> Vec<(usize, usize)> {
        let mut joined = Vec::new();
        let Some(mut queue) = self.waiting.remove(&machine) else { return joined };
        while queue.front().is_some_and(|t| t.at < until || queue.len() > WAITING) {
            let Some(first) = queue.pop_front() else { break };
            if let Some(at) = self.partner(&first, &queue) {
                let Some(second) = queue.remove(at) else { break };
                joined.push(self.pair(first, second));
            } else {
                self.missed(&first, &queue);
            }
        }
        self.waiting.insert(machine, queue);
        joined
    }

    /// The best partner that waits: strongest habit, then nearest in time, then first come.
    fn partner(&self, first: &Told, queue: &VecDeque<Told>) -> Option<usize> {
        let near = queue.iter().enumerate().take_while(|(_, t)| t.at.since(first.at) <= APART);
        near.filter(|(_, t)| t.tool != first.tool)
            .map(|(i, t)| (i, t, self.habit(first, t).max(self.habit(t, first))))
            .filter(|(_, _, habit)| *habit >= HABIT)
            .max_by(|a, b| a.2.total_cmp(&b.2).then(b.1.at.cmp(&a.1.at)).then(b.0.cmp(&a.0)))
            .map(|(i, ..)| i)
    }

    fn habit(&self, relay: &Told, of: &Told) -> f64 {
        let h = self.habits.get(&(relay.tool, relay.rule, of.tool));
        h.map_or(1.0, |h| h.with / h.of)
    }

    fn pair(&mut self, a: Told, b: Told) -> (usize, usize) {
        for (x, y) in [(&a, &b), (&b, &a)] {
            let h = self.entry(x, y.tool);
            h.with += 1.0;
            h.of += 1.0;
        }
        // The relay is the one whose habit is the stronger; the other told it first.
        if self.habit(&a, &b) > self.habit(&b, &a) { (b.id, a.id) } else { (a.id, b.id) }
    }

    /// Nobody was joined to it. Those of other tools that were near show whether it has a habit that is
    /// not believed yet; where nobody was near, every habit of the rule takes a knock.
    fn missed(&mut self, first: &Told, queue: &VecDeque<Told>) {
        let near: Vec<Told> = queue
            .iter()
            .take_while(|t| t.at.since(first.at) <= APART)
            .filter(|t| t.tool != first.tool)
            .copied()
            .collect();
        let mut tools: Vec<u32> = near.iter().map(|t| t.tool).collect();
        tools.sort_unstable();
        tools.dedup();
        let known: Vec<u32> = self
            .habits
            .range((first.tool, first.rule, 0)..=(first.tool, first.rule, u32::MAX))
            .map(|((.., other), _)| *other)
            .collect();
        for other in known {
            let h = self.entry(first, other);
            h.of += 1.0;
            if tools.contains(&other) {
                h.with += 0.5;
            }
        }
        for other in tools {
            self.entry(first, other);
        }
    }

    fn entry(&mut self, relay: &Told, other: u32) -> &mut Habit {
        let fresh = Habit { with: START.0, of: START.1 };
        self.habits.entry((relay.tool, relay.rule, other)).or_insert(fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(at: i64, id: usize, tool: u32, rule: u32) -> Told {
        Told { at: Timestamp(at * 1_000), id, tool, rule, machine: 1 }
    }

    #[test]
    fn a_relay_is_joined_and_a_neighbour_by_chance_is_not() {
        let mut twins = Twins::default();
        let (mut joined, mut id) = (Vec::new(), 0);
        for i in 0..200 {
            let at = i * 60;
            joined.extend(twins.see(told(at, id, 1, 10)));
            joined.extend(twins.see(told(at + 1, id + 1, 2, 20)));
            // A rule of the second tool with a life of its own: every tenth happens to be near.
            let own = if i % 10 == 0 { at + 1 } else { at + 30 };
            joined.extend(twins.see(told(own, id + 2, 2, 21)));
            id += 3;
        }
        joined.extend(twins.drain());
        let right = joined.iter().filter(|(a, b)| a % 3 == 0 && *b == a + 1).count();
        assert!(right >= 198, "{right}");
        assert!(joined.len() - right <= 1, "{joined:?}");
    }
}
