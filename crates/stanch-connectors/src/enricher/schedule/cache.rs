//! What was said lately. Two generations: when the young one is full it becomes the old one, and
//! the old one is dropped. What is used moves back into the young one, so use keeps it.

use std::collections::HashMap;
use std::sync::Arc;

use stanch_model::{Fact, Failure, Observable};
use tokio::time::Instant;

/// What is asked: where, and about what.
pub(super) type Key = (Arc<str>, Observable);
pub(super) type Outcome = Result<Vec<Fact>, Failure>;

pub(super) struct Cache {
    /// Of one generation; two are held.
    capacity: usize,
    young: HashMap<Key, (Outcome, Instant)>,
    old: HashMap<Key, (Outcome, Instant)>,
}

impl Cache {
    /// Room for `remembered` outcomes in all.
    pub(super) fn new(remembered: usize) -> Cache {
        Cache { capacity: (remembered / 2).max(1), young: HashMap::new(), old: HashMap::new() }
    }

    pub(super) fn get(&mut self, key: &Key, now: Instant) -> Option<Outcome> {
        if let Some((outcome, until)) = self.young.get(key) {
            return (*until > now).then(|| outcome.clone());
        }
        let (outcome, until) = self.old.remove(key).filter(|(_, until)| *until > now)?;
        self.put(key.clone(), outcome.clone(), until);
        Some(outcome)
    }

    pub(super) fn put(&mut self, key: Key, outcome: Outcome, until: Instant) {
        if self.young.len() >= self.capacity && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, (outcome, until));
    }

    pub(super) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stanch_model::ObservableKind;

    use super::*;

    fn key(n: usize) -> Key {
        (Arc::from("north"), Observable::new(ObservableKind::Hostname, format!("h{n}")))
    }

    #[test]
    fn it_never_holds_more_than_its_share_and_keeps_what_is_used() {
        let now = Instant::now();
        let mut cache = Cache::new(100);
        for n in 0..10_000 {
            cache.put(key(n), Ok(Vec::new()), now + Duration::from_secs(1));
            assert!(cache.get(&key(0), now).is_some(), "{n}");
            assert!(cache.len() <= 101);
        }
        assert!(cache.get(&key(5), now).is_none());
    }

    #[test]
    fn what_is_over_is_not_told() {
        let now = Instant::now();
        let mut cache = Cache::new(10);
        cache.put(key(1), Ok(Vec::new()), now);
        assert!(cache.get(&key(1), now).is_none());
    }
}
