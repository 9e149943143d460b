//! Deliveries led through the stages with nothing kept but the fold: what measurements stand on.
//!
//! The same turns as in the running engine, in a shadow: nobody is told, nothing is changed, nothing is
//! written. Time passes only as deliveries say.

use stanch_core::contain::Mode;
use stanch_core::journal::State;
use stanch_model::Timestamp;

use super::{AGE_EVERY, STEP};
use crate::input::Received;
use crate::rules::Rules;
use crate::turn::Turn;

/// The engine as a function from deliveries to a state.
pub struct Stream {
    rules: Rules,
    state: State,
    head: u64,
    now: Option<Timestamp>,
    aged: Timestamp,
}

impl Stream {
    /// An engine that has seen nothing yet. No look-ups are asked, and no change is ever permitted.
    #[must_use]
    pub fn new(rules: Rules) -> Stream {
        let rules = Rules { mode: Mode::Shadow, enrichers: Vec::new(), ..rules };
        Stream { rules, state: State::default(), head: 0, now: None, aged: Timestamp(i64::MIN) }
    }

    /// Takes deliveries in, in one commit, at that time by our clock. Times never run backwards: an
    /// earlier one counts as the latest.
    pub fn receive(&mut self, at: Timestamp, received: Vec<Received>) {
        self.pass(at);
        let at = self.now.unwrap_or(at);
        let received = received.into_iter().map(|r| (r, at)).collect();
        self.turn(at, |turn| drop(turn.receive(received)));
    }

    /// Lets time pass until `to`: what the clock brings is done a minute at a time.
    pub fn pass(&mut self, to: Timestamp) {
        let Some(mut at) = self.now else {
            (self.now, self.aged) = (Some(to), to);
            return;
        };
        while at < to {
            at = at.plus(STEP).min(to);
            let age = at.since(self.aged) >= AGE_EVERY;
            if age {
                self.aged = at;
            }
            self.turn(at, |turn| {
                turn.due();
                if age {
                    turn.age_out();
                }
            });
        }
        self.now = Some(at.max(to));
    }

    /// What came of it so far.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What came of it at the end.
    #[must_use]
    pub fn into_state(self) -> State {
        self.state
    }

    fn turn(&mut self, at: Timestamp, take: impl FnOnce(&mut Turn<'_>)) {
        let mut turn = Turn::new(&mut self.state, &self.rules, at, self.head);
        take(&mut turn);
        self.head += turn.entries.len() as u64;
    }
}
