//! Puts what arrives late back in order, within a bound.
//!
//! Items wait until nothing earlier may still come, and leave by time, then by content; so the same
//! items leave in the same order whatever order they arrived in, as long as none is later than the bound.

use std::collections::BTreeMap;

use stanch_model::{Span, Timestamp};

/// A waiting room.
#[derive(Clone, Debug)]
pub struct Sluice<T> {
    lateness: Span,
    limit: usize,
    newest: Timestamp,
    let_out: Timestamp,
    waiting: BTreeMap<(Timestamp, T), u32>,
    count: usize,
}

impl<T: Ord + Clone> Sluice<T> {
    /// `lateness`: how much earlier than the newest an item may still be; `limit`: most items that wait
    /// (beyond it the earliest leave early).
    #[must_use]
    pub fn new(lateness: Span, limit: usize) -> Sluice<T> {
        let (newest, let_out) = (Timestamp(i64::MIN), Timestamp(i64::MIN));
        Sluice { lateness, limit, newest, let_out, waiting: BTreeMap::new(), count: 0 }
    }

    /// Takes one in and gives those that may leave. An item later than the bound is given the time of
    /// the last one let out, so that time never runs backwards.
    pub fn put(&mut self, at: Timestamp, item: T) -> Vec<(Timestamp, T)> {
        self.newest = self.newest.max(at);
        *self.waiting.entry((at.max(self.let_out), item)).or_default() += 1;
        self.count += 1;
        let until = self.newest.plus(Span(-self.lateness.0));
        let mut out = Vec::new();
        while self.count > self.limit || self.waiting.first_key_value().is_some_and(|((t, _), _)| *t < until)
        {
            if !self.let_one_out(&mut out) {
                break;
            }
        }
        out
    }

    /// Lets all out.
    pub fn drain(&mut self) -> Vec<(Timestamp, T)> {
        let mut out = Vec::new();
        while self.let_one_out(&mut out) {}
        out
    }

    fn let_one_out(&mut self, out: &mut Vec<(Timestamp, T)>) -> bool {
        let Some(((at, item), n)) = self.waiting.pop_first() else { return false };
        self.let_out = self.let_out.max(at);
        self.count -= n as usize;
        out.extend((0..n).map(|_| (at, item.clone())));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whatever_the_order_of_arrival_the_order_of_leaving_is_the_same(
            times in prop::collection::vec(0_i64..60, 1..40), seed in 0_u64..1_000
        ) {
            let mut shuffled = times.clone();
            crate::chance::Chance::new(seed).shuffle(&mut shuffled);
            let run = |all: &[i64]| {
                let mut sluice = Sluice::new(Span(60), 1_000);
                let mut out: Vec<_> = all.iter().flat_map(|t| sluice.put(Timestamp(*t), *t)).collect();
                out.extend(sluice.drain());
                out
            };
            prop_assert_eq!(run(&times), run(&shuffled));
        }
    }

    #[test]
    fn the_waiting_room_is_bounded() {
        let mut sluice = Sluice::new(Span::mins(60), 3);
        let left: usize = (0..10).map(|i| sluice.put(Timestamp(i), i).len()).sum();
        assert_eq!(left, 7);
    }
}
