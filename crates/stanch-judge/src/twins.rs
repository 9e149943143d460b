//! The same alert told by two tools: found by habit, not by name.
//!
//! A tool that relays another gives itself away: whatever the other tells, of whatever rule, a partner
//! comes on the same machine within moments; and the rules that relay hardly ever speak without one.
//! Both habits are counted once a minute and machine, so that a flood is one observation. Pairs wait
//! until the habits are proven, then are given; no rule or product is named here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use stanch_model::{Span, Timestamp};

/// How far apart the two may be.
pub const APART: Span = Span::secs(2);
/// How long a pair waits for its habit to be proven.
const PATIENCE: Span = Span::mins(24 * 60);
/// Share of a tool's alerts, over all its rules, that must have a partner before it counts as relayed.
const RELAYED: f64 = 0.9;
/// Share of a rule's alerts that must have a partner before it counts as relaying.
const RELAYING: f64 = 0.8;
/// Observations before a habit is proven.
const PROVEN: f64 = 10.0;
/// Alerts of one machine that wait for a partner, and pairs that wait for proof.
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

#[derive(Clone, Copy, Debug, Default)]
struct Habit {
    with: f64,
    of: f64,
}

impl Habit {
    fn count(&mut self, with: bool) {
        self.with += f64::from(u8::from(with));
        self.of += 1.0;
    }

    /// Believed a little before anything was seen.
    fn share(self) -> f64 {
        (self.with + 1.0) / (self.of + 1.0)
    }

    fn proven(self, share: f64) -> bool {
        self.of >= PROVEN && self.with / self.of >= share
    }
}

/// A tool's rule as a relay of another tool.
type Relay = (u32, u32, u32);

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Told>,
    past: VecDeque<Told>,
    /// Observations made in the minute, so that each counts once.
    minute: i64,
    counted: BTreeSet<(u32, u32)>,
}

/// The matcher. Give alerts in order of time.
#[derive(Debug, Default)]
pub struct Twins {
    lanes: BTreeMap<u32, Lane>,
    tools: BTreeSet<u32>,
    /// (told tool, relaying tool) → how often a partner was there.
    relayed: BTreeMap<(u32, u32), Habit>,
    relaying: BTreeMap<Relay, Habit>,
    unproven: VecDeque<(Timestamp, Relay, (usize, usize))>,
}

impl Twins {
    /// Takes one in. Gives the pairs that became certain: (as told first, as relayed).
    pub fn see(&mut self, told: Told) -> Vec<(usize, usize)> {
        self.tools.insert(told.tool);
        let lane = self.lanes.entry(told.machine).or_default();
        lane.waiting.push_back(told);
        let until = told.at.plus(Span(-APART.0));
        if lane.waiting.front().is_some_and(|t| t.at < until) || lane.waiting.len() > WAITING {
            self.settle(told.machine, until);
            return self.release(told.at);
        }
        Vec::new()
    }

    /// Settles all that still wait.
    pub fn drain(&mut self) -> Vec<(usize, usize)> {
        let machines: Vec<u32> = self.lanes.keys().copied().collect();
        machines.into_iter().for_each(|m| self.settle(m, Timestamp(i64::MAX)));
        self.release(Timestamp(i64::MIN))
    }

    /// Settles what is older than `until` on a machine.
    fn settle(&mut self, machine: u32, until: Timestamp) {
        let Some(mut lane) = self.lanes.remove(&machine) else { return };
        while lane.waiting.front().is_some_and(|t| t.at < until || lane.waiting.len() > WAITING) {
            let Some(first) = lane.waiting.pop_front() else { break };
            self.observe(&first, &mut lane);
            lane.past.push_back(first);
            if let Some((at, relay)) = self.partner(&first, &lane.waiting)
                && let Some(second) = lane.waiting.remove(at)
            {
                self.observe(&second, &mut lane);
                let pair = if relay.0 == second.tool { (first.id, second.id) } else { (second.id, first.id) };
                self.unproven.push_back((first.at, relay, pair));
                lane.past.push_back(second);
            }
            let oldest = first.at.plus(Span(-APART.0));
            while lane.past.front().is_some_and(|t| t.at < oldest) {
                lane.past.pop_front();
            }
        }
        self.lanes.insert(machine, lane);
    }

    /// Counts whether a partner of each other tool is near, once a minute for each rule.
    fn observe(&mut self, told: &Told, lane: &mut Lane) {
        let minute = told.at.0.div_euclid(60_000);
        if lane.minute != minute {
            lane.minute = minute;
            lane.counted.clear();
        }
        if !lane.counted.insert((told.tool, told.rule)) {
            return;
        }
        let near = |t: &&Told| t.at.since(told.at).0.abs() <= APART.0;
        let waiting = lane.waiting.iter().take_while(near);
        let tools: BTreeSet<u32> = lane.past.iter().filter(near).chain(waiting).map(|t| t.tool).collect();
        for other in self.tools.iter().filter(|t| **t != told.tool) {
            let with = tools.contains(other);
            self.relayed.entry((told.tool, *other)).or_default().count(with);
            self.relaying.entry((told.tool, told.rule, *other)).or_default().count(with);
        }
    }

    /// The best partner that waits: the strongest pair of habits, then the nearest in time, then the first.
    fn partner(&self, first: &Told, queue: &VecDeque<Told>) -> Option<(usize, Relay)> {
        let near = queue.iter().enumerate().take_while(|(_, t)| t.at.since(first.at) <= APART);
        let mut best: Option<(f64, Span, usize, Relay)> = None;
        for (i, t) in near.filter(|(_, t)| t.tool != first.tool) {
            for (relay, of) in [(t, first), (first, t)] {
                let (strength, away) = (self.strength(relay, of), t.at.since(first.at));
                let better = best.is_none_or(|(s, a, ..)| strength > s || (strength >= s && away < a));
                if strength >= RELAYING * RELAYED * 0.5 && better {
                    best = Some((strength, away, i, (relay.tool, relay.rule, of.tool)));
                }
            }
        }
        best.map(|(.., i, relay)| (i, relay))
    }

    fn strength(&self, relay: &Told, of: &Told) -> f64 {
        let rule = self.relaying.get(&(relay.tool, relay.rule, of.tool)).copied().unwrap_or_default();
        let tool = self.relayed.get(&(of.tool, relay.tool)).copied().unwrap_or_default();
        rule.share() * tool.share()
    }

    /// Gives the pairs whose habits are proven and drops those that waited too long.
    fn release(&mut self, now: Timestamp) -> Vec<(usize, usize)> {
        let oldest = now.plus(Span(-PATIENCE.0));
        let (relayed, relaying) = (&self.relayed, &self.relaying);
        let proven = |(tool, rule, of): &Relay| {
            relaying.get(&(*tool, *rule, *of)).is_some_and(|h| h.proven(RELAYING))
                && relayed.get(&(*of, *tool)).is_some_and(|h| h.proven(RELAYED))
        };
        let mut out = Vec::new();
        let over = self.unproven.len().saturating_sub(WAITING);
        let mut n = 0;
        self.unproven.retain(|(at, relay, pair)| {
            n += 1;
            if proven(relay) {
                out.push(*pair);
                return false;
            }
            *at >= oldest && n > over
        });
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(at: i64, id: usize, tool: u32, rule: u32) -> Told {
        Told { at: Timestamp(at * 1_000), id, tool, rule, machine: 1 }
    }

    #[test]
    fn a_relay_is_joined_from_its_first_alert_and_a_neighbour_by_chance_is_not() {
        let mut twins = Twins::default();
        let (mut joined, mut id) = (Vec::new(), 0);
        for i in 0..200 {
            let at = i * 60;
            joined.extend(twins.see(told(at, id, 1, 10 + (i % 3) as u32)));
            joined.extend(twins.see(told(at + 1, id + 1, 2, 20)));
            // A rule of the second tool with a life of its own: every tenth happens to be near.
            let own = if i % 10 == 0 { at + 1 } else { at + 30 };
            joined.extend(twins.see(told(own, id + 2, 2, 21)));
            id += 3;
        }
        joined.extend(twins.drain());
        let right = joined.iter().filter(|(a, b)| a % 3 == 0 && *b == a + 1).count();
        assert!(right >= 198, "{right}");
        assert_eq!(joined.len(), right, "{joined:?}");
        assert!(joined.contains(&(0, 1)));
    }

    #[test]
    fn two_tools_that_both_see_one_flood_are_not_relays_of_each_other() {
        let mut twins = Twins::default();
        let mut joined = Vec::new();
        for i in 0..3_000_usize {
            // A flood both see, then hours in which each sees its own things.
            let at = if i < 1_000 { i as i64 / 50 } else { 1_000 + i as i64 * 40 };
            joined.extend(twins.see(told(at, i, 1 + (i % 2) as u32, 7 + (i % 5) as u32)));
        }
        joined.extend(twins.drain());
        assert!(joined.is_empty(), "{}", joined.len());
    }
}
