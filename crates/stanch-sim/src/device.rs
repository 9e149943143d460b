//! A device with timers of its own, and a ledger of what really happened to it.

use std::collections::BTreeMap;

use stanch_model::{Action, ActionId, Observed, Timestamp};

/// What is there, and until when.
#[derive(Clone, Debug, Default)]
pub(crate) struct Device {
    present: BTreeMap<ActionId, Timestamp>,
    /// How often each change was really made.
    pub(crate) made: BTreeMap<ActionId, u32>,
}

impl Device {
    /// Lets its own timers run out.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        self.present.retain(|_, until| *until > now);
    }

    /// Makes a change; twice is once.
    pub(crate) fn perform(&mut self, a: &Action, now: Timestamp) -> Observed {
        self.expire(now);
        if !self.present.contains_key(&a.id) {
            *self.made.entry(a.id).or_default() += 1;
            self.present.insert(a.id, now.plus(a.ttl));
        }
        self.look(a.id, now)
    }

    /// What it shows.
    pub(crate) fn look(&mut self, id: ActionId, now: Timestamp) -> Observed {
        self.expire(now);
        match self.present.get(&id) {
            Some(until) => Observed::Present { expires_in: Some(until.since(now)) },
            None => Observed::Absent,
        }
    }

    /// Takes a change back.
    pub(crate) fn revert(&mut self, id: ActionId) -> Observed {
        self.present.remove(&id);
        Observed::Absent
    }

    /// Somebody empties it behind our back.
    pub(crate) fn flush(&mut self) {
        self.present.clear();
    }

    /// What is still there.
    pub(crate) fn left(&self) -> Vec<ActionId> {
        self.present.keys().copied().collect()
    }
}
