//! The steps of one run that were begun, by path: sorted, and in as little memory as they need.
//!
//! Most runs have a handful and wait at one of them; a tree would take 2 KiB for the first.

use std::sync::Arc;

use stanch_model::Timestamp;

use super::state::StepState;

/// So many are given exactly the room they need; more of them grow as lists do.
const FEW: usize = 16;

/// The steps of a run.
#[derive(Clone, Default, PartialEq)]
pub struct Steps(Vec<(Arc<str>, StepState)>);

impl Steps {
    fn find(&self, path: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(there, _)| (**there).cmp(path))
    }

    /// What is remembered of a step.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&StepState> {
        self.find(path).ok().and_then(|at| self.0.get(at)).map(|(_, step)| step)
    }

    /// The path of a step as it is kept.
    #[must_use]
    pub fn path(&self, path: &str) -> Option<Arc<str>> {
        self.find(path).ok().and_then(|at| self.0.get(at)).map(|(path, _)| path.clone())
    }

    /// The same, begun now if it was not.
    pub fn begun(&mut self, path: &str, at: Timestamp) -> &mut StepState {
        let place = match self.find(path) {
            Ok(place) => place,
            Err(place) => {
                if self.0.len() < FEW {
                    self.0.reserve_exact(1);
                }
                self.0.insert(place, (path.into(), StepState { began: at, ..StepState::default() }));
                place
            }
        };
        &mut self.0[place].1
    }

    /// As if it had never begun.
    pub fn forget(&mut self, path: &str) {
        if let Ok(place) = self.find(path) {
            self.0.remove(place);
        }
    }

    /// All of them, the outer before the inner.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &StepState)> {
        self.0.iter().map(|(path, step)| (&**path, step))
    }

    /// All of them, without their paths.
    pub fn values(&self) -> impl Iterator<Item = &StepState> {
        self.0.iter().map(|(_, step)| step)
    }
}

impl std::fmt::Debug for Steps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_found_by_path_and_told_in_its_order() {
        let mut steps = Steps::default();
        for (n, path) in ["b", "a/then/x", "a", "c"].into_iter().enumerate() {
            steps.begun(path, Timestamp(n as i64)).tries = 1;
        }
        steps.begun("a", Timestamp(99)).round = 7;
        assert_eq!(steps.iter().map(|(p, _)| p).collect::<Vec<_>>(), ["a", "a/then/x", "b", "c"]);
        let a = steps.get("a").map(|s| (s.began, s.tries, s.round));
        assert_eq!(a, Some((Timestamp(2), 1, 7)));
        assert_eq!(steps.get("a/then"), None);
    }

    #[test]
    fn a_step_that_only_waits_is_small() {
        assert!(size_of::<(Arc<str>, StepState)>() <= 64, "{}", size_of::<(Arc<str>, StepState)>());
    }
}
