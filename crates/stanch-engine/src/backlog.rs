//! What waits while there is more than one commit holds: sources take turns, each by its weight.
//!
//! Deficit round robin: at its turn a source gets credit in bytes, sends what the credit covers, and keeps
//! what is left for its next turn. So a source that floods waits behind itself, and a delivery of another
//! is in one of the next commits however long the flood is. Within one source the order stays.
//!
//! Sources with the critical lane go before the others, with up to three quarters of a commit. Which they are the
//! configuration says, and nothing that is in a delivery.
//!
//! Source: SEC-7, SEC-8; Shreedhar, Varghese, "Efficient fair queueing using deficit round robin", SIGCOMM 1995.

use std::collections::{BTreeMap, VecDeque};

/// Credit for each turn and weight, in bytes: a dozen small deliveries, and some twenty sources to a commit.
const CREDIT: u64 = 16 << 10;
/// What a delivery costs beside its bytes: one alert costs the engine about as much as so many of them.
const EACH: u64 = 512;

/// How much one commit takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Most {
    pub(crate) many: usize,
    /// The one that passes it is the last.
    pub(crate) bytes: usize,
}

/// What waits, by lane.
#[derive(Debug)]
pub(crate) struct Backlog<T> {
    critical: Round<T>,
    normal: Round<T>,
}

impl<T> Backlog<T> {
    pub(crate) fn new() -> Backlog<T> {
        Backlog { critical: Round::new(), normal: Round::new() }
    }

    /// True when nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.critical.is_empty() && self.normal.is_empty()
    }

    /// Puts a delivery of so many bytes behind the others of its source. While some of them wait they all stay
    /// in the lane in which the first came.
    pub(crate) fn put(&mut self, (source, bytes): (&str, usize), critical: bool, one: T) {
        let critical = self.critical.waits(source) || critical && !self.normal.waits(source);
        let round = if critical { &mut self.critical } else { &mut self.normal };
        round.put(source, bytes, one);
    }

    /// Takes what goes into the next commit: at least one of each lane in which any waits.
    pub(crate) fn take(&mut self, most: Most, weight: impl Fn(&str) -> u16) -> Vec<T> {
        let (mut taken, mut bytes) = (Vec::new(), 0);
        // Only where others wait is anything left for them.
        let part = |n: usize| if self.normal.is_empty() { n } else { n / 4 * 3 };
        let first = Most { many: part(most.many), bytes: part(most.bytes) };
        self.critical.take(first, &weight, &mut taken, &mut bytes);
        let many = most.many - taken.len();
        self.normal.take(Most { many, ..most }, &weight, &mut taken, &mut bytes);
        let many = most.many - taken.len();
        if bytes <= most.bytes {
            self.critical.take(Most { many, ..most }, &weight, &mut taken, &mut bytes);
        }
        taken
    }
}

/// What waits in one lane, by source.
#[derive(Debug)]
struct Round<T> {
    /// In order of their first delivery since the backlog began.
    lines: Vec<Line<T>>,
    by_source: BTreeMap<String, usize>,
    /// Whose turn it is.
    turn: usize,
    waiting: usize,
}

/// What waits of one source.
#[derive(Debug)]
struct Line<T> {
    credit: u64,
    /// It has had its credit for this turn.
    credited: bool,
    waiting: VecDeque<(usize, T)>,
}

impl<T> Round<T> {
    fn new() -> Round<T> {
        Round { lines: Vec::new(), by_source: BTreeMap::new(), turn: 0, waiting: 0 }
    }

    fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    fn waits(&self, source: &str) -> bool {
        self.by_source.get(source).is_some_and(|at| !self.lines[*at].waiting.is_empty())
    }

    fn put(&mut self, source: &str, bytes: usize, one: T) {
        let at = match self.by_source.get(source) {
            Some(at) => *at,
            None => {
                self.by_source.insert(source.to_owned(), self.lines.len());
                self.lines.push(Line { credit: 0, credited: false, waiting: VecDeque::new() });
                self.lines.len() - 1
            }
        };
        self.lines[at].waiting.push_back((bytes, one));
        self.waiting += 1;
    }

    /// Takes by turns until there are so many, or so many bytes with those taken before: at least one, when
    /// there is any.
    fn take(&mut self, most: Most, weight: impl Fn(&str) -> u16, taken: &mut Vec<T>, bytes: &mut usize) {
        let weights: Vec<u64> = self.weights(weight);
        let mut many = 0;
        while self.waiting > 0 && many < most.many && (many == 0 || *bytes <= most.bytes) {
            let line = &mut self.lines[self.turn];
            let Some((size, _)) = line.waiting.front() else {
                // Credit is not saved up by those who have nothing to send.
                line.credit = 0;
                self.pass();
                continue;
            };
            if !line.credited {
                line.credited = true;
                line.credit += CREDIT * weights[self.turn];
            }
            let cost = *size as u64 + EACH;
            if cost > line.credit {
                self.pass();
                continue;
            }
            line.credit -= cost;
            *bytes += *size;
            many += 1;
            taken.extend(line.waiting.pop_front().map(|(_, one)| one));
            self.waiting -= 1;
        }
        if self.waiting == 0 {
            *self = Round::new();
        }
    }

    /// The turn goes to the next.
    fn pass(&mut self) {
        self.lines[self.turn].credited = false;
        self.turn = (self.turn + 1) % self.lines.len();
    }

    fn weights(&self, weight: impl Fn(&str) -> u16) -> Vec<u64> {
        let mut weights = vec![1; self.lines.len()];
        for (source, at) in &self.by_source {
            weights[*at] = u64::from(weight(source).max(1));
        }
        weights
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOST: Most = Most { many: 512, bytes: 384 << 10 };

    fn even(_: &str) -> u16 {
        1
    }

    /// Whose deliveries a commit holds.
    fn count(taken: &[(char, u32)], source: char) -> usize {
        taken.iter().filter(|(s, _)| *s == source).count()
    }

    #[test]
    fn a_source_that_floods_waits_behind_itself_and_not_the_others() {
        let mut backlog = Backlog::new();
        for n in 0..100_000 {
            backlog.put(("a", 400), false, ('a', n));
        }
        backlog.put(("b", 400), false, ('b', 0));
        let first = backlog.take(MOST, even);
        assert_eq!((first.len(), count(&first, 'b')), (512, 1), "in the very next commit");
        for n in 1..=50 {
            backlog.put(("b", 400), false, ('b', n));
            let taken = backlog.take(MOST, even);
            assert_eq!((taken.len(), count(&taken, 'b')), (512, 1), "{n}");
        }
    }

    #[test]
    fn two_that_flood_get_the_same_and_by_weight_their_part_whatever_the_size_of_what_they_send() {
        let mut backlog = Backlog::new();
        for n in 0..20_000 {
            backlog.put(("a", 400), false, (400, n));
        }
        for n in 0..2_000 {
            backlog.put(("b", 40_000), false, (40_000, n));
        }
        let part = |backlog: &mut Backlog<(usize, u32)>, weight: fn(&str) -> u16| {
            let (mut small, mut large) = (0, 0);
            for _ in 0..20 {
                for (size, _) in backlog.take(MOST, weight) {
                    *(if size == 400 { &mut small } else { &mut large }) += size + 512;
                }
            }
            large as f64 / small as f64
        };
        let even = part(&mut backlog, even);
        assert!((0.9..1.1).contains(&even), "{even}");
        let three = part(&mut backlog, |source| if source == "b" { 3 } else { 1 });
        assert!((2.7..3.3).contains(&three), "{three}");
    }

    #[test]
    fn a_delivery_larger_than_any_credit_goes_too_and_holds_up_nobody() {
        let mut backlog = Backlog::new();
        for n in 0..3 {
            backlog.put(("a", 64 << 20), false, ('a', n));
        }
        for n in 0..600 {
            backlog.put(("b", 400), false, ('b', n));
        }
        let first = backlog.take(MOST, even);
        assert_eq!((first.len(), count(&first, 'b')), (512, 512));
        let then: Vec<usize> = std::iter::repeat_with(|| backlog.take(MOST, even).len()).take(4).collect();
        assert_eq!(then, [89, 1, 1, 0]);
    }

    #[test]
    fn what_is_critical_goes_before_a_flood_of_the_rest_and_leaves_it_a_quarter() {
        let mut backlog = Backlog::new();
        for n in 0..10_000 {
            backlog.put(("a", 400), false, ('a', n));
        }
        for n in 0..300 {
            backlog.put(("c", 400), true, ('c', n));
        }
        let first = backlog.take(MOST, even);
        assert_eq!((count(&first, 'c'), first.len()), (300, 512));
        assert!(first[..300].iter().all(|(s, _)| *s == 'c'), "before them within the commit too");
        // One that floods with the grant of being critical does not shut the others out.
        for n in 0..10_000 {
            backlog.put(("c", 400), true, ('c', n));
        }
        for _ in 0..10 {
            let taken = backlog.take(MOST, even);
            assert_eq!((count(&taken, 'c'), count(&taken, 'a')), (384, 128));
        }
    }

    #[test]
    fn a_source_that_is_granted_the_lane_while_some_wait_keeps_its_order() {
        let mut backlog = Backlog::new();
        backlog.put(("a", 400), false, 1);
        backlog.put(("a", 400), true, 2);
        assert_eq!(backlog.take(MOST, even), [1, 2]);
        backlog.put(("a", 400), true, 3);
        backlog.put(("b", 400), false, 4);
        backlog.put(("a", 400), false, 5);
        assert_eq!(backlog.take(MOST, even), [3, 5, 4]);
    }

    proptest! {
        #[test]
        fn everything_comes_out_once_in_the_order_of_its_source_and_nobody_waits_for_more_than_a_round(
            sent in proptest::collection::vec((0usize..6, 0usize..100_000), 1..400),
            weights in proptest::collection::vec(1u16..=100, 6),
        ) {
            let names = ["a", "b", "c", "d", "e", "f"];
            let weight = |s: &str| names.iter().position(|n| *n == s).map_or(1, |at| weights[at]);
            let mut backlog = Backlog::new();
            for (n, (source, bytes)) in sent.iter().enumerate() {
                backlog.put((names[*source], *bytes), *source == 0, (*source, n));
            }
            let (mut last, mut all) = ([None; 6], 0);
            while !backlog.is_empty() {
                let taken = backlog.take(MOST, weight);
                prop_assert!(!taken.is_empty() && taken.len() <= MOST.many);
                for (source, n) in taken {
                    prop_assert!(last[source] < Some(n), "{source} out of order");
                    last[source] = Some(n);
                    all += 1;
                }
            }
            prop_assert_eq!(all, sent.len());
        }
    }
}
