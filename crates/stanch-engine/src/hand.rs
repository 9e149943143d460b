//! The engine by hand: one turn at a time, no threads, no clock of its own. For rehearsals and for
//! the simulation, which carry effects out themselves and say when, and in what order, answers come.
//!
//! It takes the same turns as the engine on its thread: decisions, one commit, then effects.

use std::collections::BTreeSet;

use stanch_core::contain::lease::{Pass, pass};
use stanch_core::journal::State;
use stanch_core::journal::event::Effect;
use stanch_core::playbook::run::{WaitsFor, standing};
use stanch_model::port::{Journal, JournalReader};
use stanch_model::{ActionId, EffectId, RunId, Timestamp};

use crate::command::{Command, CommandError, Done};
use crate::engine::{EngineError, fetch};
use crate::input::{Ack, Outcome, Received};
use crate::recover::recover;
use crate::rules::Rules;
use crate::turn::Turn;

/// The engine by hand.
pub struct Hand {
    state: State,
    rules: Rules,
    journal: Box<dyn Journal>,
    reader: Box<dyn JournalReader>,
    in_flight: BTreeSet<EffectId>,
    out: Vec<(EffectId, Effect)>,
    turns: u64,
}

impl Hand {
    /// Reads the journal and takes the first turn after a start.
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub fn open(journal: Box<dyn Journal>, rules: Rules, now: Timestamp) -> Result<Hand, EngineError> {
        let state = recover(journal.as_ref())?;
        let reader = journal.reader()?;
        let (in_flight, out) = (BTreeSet::new(), Vec::new());
        let mut hand = Hand { state, rules, journal, reader, in_flight, out, turns: 0 };
        hand.turn(now, |turn, _| {
            turn.wake();
            turn.due();
        })?;
        hand.retry(now)?;
        Ok(hand)
    }

    /// One turn: decide, commit, let effects out.
    fn turn<T>(
        &mut self,
        now: Timestamp,
        decide: impl FnOnce(&mut Turn<'_>, &mut dyn JournalReader) -> T,
    ) -> Result<T, EngineError> {
        let mut turn = Turn::new(&mut self.state, &self.rules, now, self.journal.head().seq);
        let made = decide(&mut turn, self.reader.as_mut());
        let (at, entries, outgoing) = (turn.now, turn.entries, turn.outgoing);
        if !entries.is_empty() {
            self.journal.append(at, &entries)?;
            self.turns += 1;
        }
        for o in outgoing {
            if self.in_flight.insert(o.id) {
                self.out.push((o.id, o.what));
            }
        }
        Ok(made)
    }

    /// Takes a delivery in.
    ///
    /// # Errors
    /// When the journal refuses.
    pub fn receive(&mut self, now: Timestamp, received: Received) -> Result<Ack, EngineError> {
        self.turn(now, |turn, _| turn.receive(vec![(received, now)]).pop().unwrap_or_default())
    }

    /// Does what somebody asked for.
    ///
    /// # Errors
    /// When the journal refuses; inside, why it was not done.
    pub fn order(
        &mut self,
        now: Timestamp,
        command: Command,
    ) -> Result<Result<Done, CommandError>, EngineError> {
        self.turn(now, |turn, _| {
            let done = turn.order(command);
            turn.grow();
            done
        })
    }

    /// Takes what came of an effect.
    ///
    /// # Errors
    /// When the journal refuses.
    pub fn settle(&mut self, now: Timestamp, id: EffectId, outcome: Outcome) -> Result<(), EngineError> {
        self.in_flight.remove(&id);
        self.turn(now, |turn, reader| {
            turn.settle(id, outcome, &mut |state, alert| fetch(reader, state, alert));
        })
    }

    /// Does what is due.
    ///
    /// # Errors
    /// When the journal refuses.
    pub fn tick(&mut self, now: Timestamp) -> Result<(), EngineError> {
        self.turn(now, |turn, _| {
            turn.due();
            turn.look_after_sources();
            turn.close_earned();
            turn.wake_for_held();
        })?;
        self.retry(now)
    }

    fn retry(&mut self, now: Timestamp) -> Result<(), EngineError> {
        let known = self.in_flight.clone();
        let again = self.turn(now, |turn, _| turn.retries(&known))?;
        for o in again {
            if self.in_flight.insert(o.id) {
                self.out.push((o.id, o.what));
            }
        }
        Ok(())
    }

    /// Effects to be carried out now, taken out. Each has to be settled once, unless a crash comes
    /// first.
    pub fn outgoing(&mut self) -> Vec<(EffectId, Effect)> {
        std::mem::take(&mut self.out)
    }

    /// The guard's yes to a change, under our seal; none means that it must not be made.
    #[must_use]
    pub fn pass(&self, action: ActionId, now: Timestamp) -> Option<Pass> {
        pass(self.state.actions.get(&action)?, &self.rules.seal, now).ok()
    }

    /// The fold.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What a run waits for.
    #[must_use]
    pub fn waits(&self, run: RunId, now: Timestamp) -> Vec<WaitsFor> {
        match self.state.runs.get(&run) {
            Some(r) => self.rules.world(&self.state, now, |w| standing(w, r).waits),
            None => Vec::new(),
        }
    }

    /// Commits so far.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.turns
    }

    /// Where the journal ends, as text: the same journal gives the same.
    #[must_use]
    pub fn head(&self) -> String {
        let head = self.journal.head();
        let hash: String = head.hash.iter().map(|b| format!("{b:02x}")).collect();
        format!("{}:{hash}", head.seq)
    }
}
