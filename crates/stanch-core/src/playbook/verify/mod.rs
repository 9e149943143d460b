//! Whether a plan is a good one, judged when it is saved and not at night.
//!
//! The loader has read it: names, kinds and targets are right. Here its ways are walked: every change
//! is looked at again and told to somebody on every way, nothing waits longer than what it guards,
//! nothing that cannot be undone happens without a person's yes, no step and no trigger is dead, and
//! no two branches fight over one target.

mod calls;
mod care;
mod conditions;
mod fights;
mod loops;
mod steps;

pub use calls::calls;
use stanch_model::Span;

use super::{Playbook, Step};
use crate::config::Mistake;

/// What is known of the configuration around a playbook.
#[derive(Clone, Copy, Debug)]
pub struct Around {
    /// When a change without `ttl` ends.
    pub default_ttl: Span,
    /// Whether the NOC is told of every change anyway; none when only one file is looked at.
    pub noc_told: Option<bool>,
}

impl Default for Around {
    fn default() -> Around {
        Around { default_ttl: Span::hours(4), noc_told: None }
    }
}

/// All that is wrong with a plan, in the order of its places. `path` is for the mistakes.
#[must_use]
pub fn verify(playbook: &Playbook, path: &str, around: Around) -> Vec<Mistake> {
    let mut judge = Judge { playbook, path, around, mistakes: Vec::new() };
    judge.conditions();
    judge.steps();
    judge.loops();
    judge.care();
    judge.fights();
    let mut mistakes = judge.mistakes;
    mistakes.sort_by_key(|m| (m.line, m.column, m.message.clone()));
    mistakes.dedup();
    mistakes
}

struct Judge<'p> {
    playbook: &'p Playbook,
    path: &'p str,
    around: Around,
    mistakes: Vec<Mistake>,
}

impl<'p> Judge<'p> {
    /// A mistake at a key of a step.
    fn wrong(&mut self, step: &str, key: &str, message: impl Into<String>, help: impl Into<String>) {
        let place = self.playbook.places.of(step, key);
        self.mistakes.push(Mistake::error(self.path, place, message, help));
    }

    /// Something to look at, at a key of a step.
    fn odd(&mut self, step: &str, key: &str, message: impl Into<String>, help: impl Into<String>) {
        let place = self.playbook.places.of(step, key);
        self.mistakes.push(Mistake::warning(self.path, place, message, help));
    }

    fn all(&self) -> Vec<&'p Step> {
        self.playbook.all_steps()
    }
}
