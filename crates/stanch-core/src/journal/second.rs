//! Alerts that wait to be looked at once more: what came after them may say what they were.

use std::collections::VecDeque;
use std::sync::Arc;

use stanch_model::{AlertId, Timestamp};

use super::event::LookedAgain;
use super::sightings::Mention;
use super::state::State;

/// Alerts that wait at most; beyond it the oldest keep what was first thought of them.
const WAITING: usize = 100_000;

/// New alerts in the order they came in, until they have been looked at again.
#[derive(Debug, Default)]
pub struct Second {
    waiting: VecDeque<(Timestamp, Arc<Mention>)>,
}

impl Second {
    pub(super) fn wait(&mut self, at: Timestamp, mention: Arc<Mention>) {
        if self.waiting.len() >= WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back((at, mention));
    }

    /// Those that came in at `until` or before, the oldest first.
    pub fn due(&self, until: Timestamp) -> impl Iterator<Item = &Arc<Mention>> + '_ {
        self.waiting.iter().take_while(move |(at, _)| *at <= until).map(|(_, m)| m)
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// True when none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn done(&mut self, upto: AlertId) {
        while self.waiting.front().is_some_and(|(_, m)| m.alert <= upto) {
            self.waiting.pop_front();
        }
    }
}

impl State {
    pub(super) fn looked_again(&mut self, e: &LookedAgain) {
        self.second.done(e.upto);
        for (alert, score) in &e.scores {
            if let Some(slot) = self.slot_mut(*alert) {
                slot.score = *score;
            }
        }
    }
}
