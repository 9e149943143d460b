//! What may have something to do, and when. It follows from the fold, so that a turn need not walk
//! over everything that waits; it decides nothing, and a slow scan over all runs makes up for
//! anything it might miss.

use std::collections::{BTreeMap, BTreeSet};

use stanch_model::{ActionId, ApprovalId, EffectId, IncidentId, RunId, Timestamp};

/// What may have something to do, and when.
#[derive(Clone, Debug, Default)]
pub struct Agenda {
    /// Runs that are not over.
    pub live_runs: BTreeSet<RunId>,
    /// Changes that are not over.
    pub live_actions: BTreeSet<ActionId>,
    /// Runs about which something was learnt since they were last asked.
    pub ready: BTreeSet<RunId>,
    /// When intentions are to be tried; also those that are being carried out.
    pub tries: BTreeSet<(Timestamp, EffectId)>,
    /// When incidents climb their next rung; some may not be due any more.
    pub rungs: BTreeSet<(Timestamp, IncidentId)>,
    /// Incidents about which something was learnt that a chat may have to show.
    pub cards: BTreeSet<IncidentId>,
    /// Intentions that look something up about an alert; so that nobody walks over all notices for them.
    pub look_ups: BTreeSet<EffectId>,
    /// Questions by incident, also answered ones; so that nobody walks over all questions for them.
    questions: BTreeSet<(IncidentId, ApprovalId)>,
    due: BTreeSet<(Timestamp, RunId)>,
    due_of: BTreeMap<RunId, Timestamp>,
    swept: RunId,
}

impl Agenda {
    /// A run has begun, or goes on after its end to be undone.
    pub fn begins(&mut self, run: RunId) {
        self.live_runs.insert(run);
        self.ready.insert(run);
    }

    /// A run is over.
    pub fn ends(&mut self, run: RunId) {
        self.live_runs.remove(&run);
        self.ready.remove(&run);
        self.wake(run, None);
    }

    /// Something was learnt about a run.
    pub fn touch(&mut self, run: RunId) {
        if self.live_runs.contains(&run) {
            self.ready.insert(run);
        }
    }

    /// When a run has something to do by itself; none when it waits for others.
    pub fn wake(&mut self, run: RunId, at: Option<Timestamp>) {
        if let Some(old) = self.due_of.remove(&run) {
            self.due.remove(&(old, run));
        }
        if let Some(at) = at {
            self.due.insert((at, run));
            self.due_of.insert(run, at);
        }
    }

    /// Moves runs whose time has come among those that are ready.
    pub fn ring(&mut self, now: Timestamp) {
        while let Some(first) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.remove(&first);
            self.due_of.remove(&first.1);
            self.touch(first.1);
        }
    }

    /// Makes the next `n` runs ready, going round and round over all that are not over.
    pub fn sweep(&mut self, n: usize) {
        let after = std::ops::Bound::Excluded(self.swept);
        let mut some: Vec<RunId> =
            self.live_runs.range((after, std::ops::Bound::Unbounded)).take(n).copied().collect();
        if some.len() < n {
            let left = n - some.len();
            some.extend(self.live_runs.iter().take(left));
        }
        if let Some(last) = some.last() {
            self.swept = *last;
        }
        self.ready.extend(some);
    }

    /// Takes the next run that may have something to do.
    pub fn next_ready(&mut self) -> Option<RunId> {
        self.ready.pop_first()
    }

    /// A question was put about an incident.
    pub fn asks(&mut self, incident: IncidentId, approval: ApprovalId) {
        self.questions.insert((incident, approval));
    }

    /// Questions about an incident, the latest first.
    pub fn questions_about(&self, incident: IncidentId) -> impl Iterator<Item = ApprovalId> + '_ {
        let all = (incident, ApprovalId(0))..=(incident, ApprovalId(u64::MAX));
        self.questions.range(all).rev().map(|(_, approval)| *approval)
    }

    /// Intentions whose time has come, taken out.
    pub fn tries_due(&mut self, now: Timestamp) -> Vec<EffectId> {
        let mut due = Vec::new();
        while let Some(first) = self.tries.first().copied().filter(|(at, _)| *at <= now) {
            self.tries.remove(&first);
            due.push(first.1);
        }
        due
    }

    /// Incidents whose next rung is due, taken out.
    pub fn rungs_due(&mut self, now: Timestamp) -> Vec<IncidentId> {
        let mut due = Vec::new();
        while let Some(first) = self.rungs.first().copied().filter(|(at, _)| *at <= now) {
            self.rungs.remove(&first);
            due.push(first.1);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_live_run_is_asked_once_a_round_and_those_due_at_once() {
        let mut a = Agenda::default();
        (1..=5).for_each(|n| a.begins(RunId(n)));
        a.ready.clear();
        a.ends(RunId(2));
        a.wake(RunId(3), Some(Timestamp(10)));
        a.wake(RunId(3), Some(Timestamp(20)));
        a.ring(Timestamp(10));
        assert_eq!(a.next_ready(), None, "the earlier time was replaced");
        a.ring(Timestamp(20));
        assert_eq!(a.next_ready(), Some(RunId(3)));
        let mut seen = Vec::new();
        for _ in 0..2 {
            a.sweep(2);
            seen.extend(std::iter::from_fn(|| a.next_ready()));
        }
        assert_eq!(seen, [1, 3, 4, 5].map(RunId));
    }
}
