//! Where the judgement's model comes from: grown off the engine's thread, put to work by a turn.
//!
//! What to grow from follows from the fold ([`stanch_core::journal::learnt`]). A turn only takes a grown
//! model in and writes down from where on it is in force: it waits for no training.

use stanch_core::journal::event::{Ends, Event};
use stanch_core::journal::learnt::Grown;
use stanch_core::stage::learned::Learned;
use stanch_core::stage::triage::{self, Features, Model, Score};
use stanch_model::{Alert, Fact};

use crate::turn::Turn;

impl Turn<'_> {
    /// Scores an alert that counts as seen: by the model in force, over the untrained one.
    pub(crate) fn score(
        &self,
        features: &mut Features,
        site: &str,
        alert: &Alert,
        ends: &Ends,
        facts: &[Fact],
    ) -> Score {
        if self.is_calibrated() {
            triage::describe(features, self.state, site, alert, ends, facts);
        }
        self.judge_described(features)
    }

    /// True when scores are calibrated probabilities: something was learnt, here or before.
    pub(crate) fn is_calibrated(&self) -> bool {
        self.state.learnt.model().is_some() || self.rules.model.reads_described()
    }

    /// Scores what has been described, where a model reads that.
    pub(crate) fn judge_described(&self, features: &Features) -> Score {
        let base = self.rules.model.as_ref();
        match self.state.learnt.model() {
            Some((upto, learner)) => Learned { learner, upto, base }.score(features),
            None => base.score(features),
        }
    }

    /// Takes in a model that was grown from the first `upto` verdicts; one that is not wanted any more
    /// is dropped.
    pub(crate) fn grown(&mut self, upto: u64, model: Grown) {
        let Some(asked) = self.state.learnt.wanted().filter(|w| w.upto == upto) else { return };
        let event = Event::ModelGrown(asked.grown());
        self.record(event);
        self.state.learnt.install(model);
    }

    /// Grows what is wanted here and now: where there is no other thread, and time stands still.
    pub(crate) fn grow(&mut self) {
        while let Some((upto, model)) = self.state.learnt.wanted().map(|w| (w.upto, w.grow())) {
            self.grown(upto, model);
        }
    }
}
