//! What waits for the engine: many put in, one takes out, and is woken once for many.
//!
//! A commit costs the same for one delivery as for fifty, so the one that takes may say how many it
//! hopes for and until when; it is woken when they are there, and not before.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Values on their way to one taker.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    inner: Mutex<Inner<T>>,
    bell: Condvar,
}

#[derive(Debug)]
struct Inner<T> {
    waiting: Vec<T>,
    /// The bell rings when so many wait; 0 while nobody listens.
    wanted: usize,
    /// How often what waited was taken.
    takes: u64,
    closed: bool,
}

/// How many are hoped for, and how long they may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hope {
    pub(crate) many: usize,
    pub(crate) until: Instant,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Queue<T> {
        Queue {
            inner: Mutex::new(Inner { waiting: Vec::new(), wanted: 0, takes: 0, closed: false }),
            bell: Condvar::new(),
        }
    }

    /// Nothing here can be left half done by a panic.
    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts one in, and says how often all was taken before: it goes with the next.
    ///
    /// # Errors
    /// Gives it back when nobody will take it any more.
    pub(crate) fn put(&self, one: T) -> Result<u64, T> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(one);
        }
        inner.waiting.push(one);
        let ring = inner.wanted > 0 && inner.waiting.len() >= inner.wanted;
        if ring {
            inner.wanted = 0;
        }
        let takes = inner.takes;
        drop(inner);
        if ring {
            self.bell.notify_one();
        }
        Ok(takes)
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Takes all, in order, and waits for the first of them. With a hope it waits until that many are there
    /// or the time is over, and only then for the first.
    pub(crate) fn take(&self, hope: Option<Hope>) -> Vec<T> {
        let mut inner = self.lock();
        if let Some(Hope { many, until }) = hope {
            while inner.waiting.len() < many {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                inner.wanted = many;
                inner = self.bell.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        while inner.waiting.is_empty() {
            inner.wanted = 1;
            inner = self.bell.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        inner.take()
    }

    /// Takes all there is now, which may be nothing.
    pub(crate) fn take_now(&self) -> Vec<T> {
        self.lock().take()
    }

    /// Takes nothing more in, and lets go of what waits: whoever put it in learns so by its reply.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        let waiting = std::mem::take(&mut inner.waiting);
        drop(inner);
        drop(waiting);
    }
}

impl<T> Inner<T> {
    fn take(&mut self) -> Vec<T> {
        self.wanted = 0;
        self.takes += 1;
        std::mem::take(&mut self.waiting)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_put_in_comes_out_in_order_and_is_told_how_often_was_taken_before() {
        let queue = Queue::new();
        let puts: Vec<u64> = (0..3).map(|n| queue.put(n).unwrap()).collect();
        assert_eq!((puts, queue.len()), (vec![0, 0, 0], 3));
        assert_eq!(queue.take(None), [0, 1, 2]);
        assert_eq!((queue.take_now(), queue.len()), (vec![], 0));
        assert_eq!((queue.put(3).unwrap(), queue.take_now()), (2, vec![3]));
    }

    #[test]
    fn a_taker_is_woken_by_the_last_it_hopes_for() {
        let queue = Arc::new(Queue::new());
        let taker = queue.clone();
        let hope = Hope { many: 3, until: Instant::now() + Duration::from_secs(600) };
        let taken = std::thread::spawn(move || taker.take(Some(hope)));
        for n in 0..3 {
            queue.put(n).unwrap();
        }
        assert_eq!(taken.join().unwrap(), [0, 1, 2]);
    }

    #[test]
    fn a_hope_that_is_over_takes_what_there_is() {
        let queue = Queue::new();
        queue.put(1).unwrap();
        assert_eq!(queue.take(Some(Hope { many: 2, until: Instant::now() })), [1]);
    }

    #[test]
    fn a_closed_queue_gives_back_what_comes_and_drops_what_waits() {
        let queue = Queue::new();
        let one = Arc::new(());
        queue.put(one.clone()).unwrap();
        queue.close();
        assert_eq!(Arc::strong_count(&one), 1);
        assert!(queue.put(one).is_err());
    }
}
