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
            inner: Mutex::new(Inner { waiting: Vec::new(), wanted: 0, closed: false }),
            bell: Condvar::new(),
        }
    }

    /// Nothing here can be left half done by a panic.
    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts one in.
    ///
    /// # Errors
    /// Gives it back when nobody will take it any more.
    pub(crate) fn put(&self, one: T) -> Result<(), T> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(one);
        }
        inner.waiting.push(one);
        let ring = inner.wanted > 0 && inner.waiting.len() >= inner.wanted;
        if ring {
            inner.wanted = 0;
        }
        drop(inner);
        if ring {
            self.bell.notify_one();
        }
        Ok(())
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Takes at most `most`, in order, and waits for the first of them. With a hope it waits until that
    /// many are there or the time is over, and only then for the first.
    pub(crate) fn take(&self, most: usize, hope: Option<Hope>) -> Vec<T> {
        let mut inner = self.lock();
        if let Some(Hope { many, until }) = hope {
            while inner.waiting.len() < many.min(most) {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                inner.wanted = many.min(most);
                inner = self.bell.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        while inner.waiting.is_empty() {
            inner.wanted = 1;
            inner = self.bell.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        inner.wanted = 0;
        if inner.waiting.len() <= most {
            return std::mem::take(&mut inner.waiting);
        }
        let rest = inner.waiting.split_off(most);
        std::mem::replace(&mut inner.waiting, rest)
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_put_in_comes_out_in_order_and_no_more_than_asked() {
        let queue = Queue::new();
        for n in 0..5 {
            queue.put(n).unwrap();
        }
        assert_eq!(queue.take(3, None), [0, 1, 2]);
        assert_eq!((queue.len(), queue.take(3, None)), (2, vec![3, 4]));
    }

    #[test]
    fn a_taker_is_woken_by_the_last_it_hopes_for() {
        let queue = Arc::new(Queue::new());
        let taker = queue.clone();
        let hope = Hope { many: 3, until: Instant::now() + Duration::from_secs(600) };
        let taken = std::thread::spawn(move || taker.take(8, Some(hope)));
        for n in 0..3 {
            queue.put(n).unwrap();
        }
        assert_eq!(taken.join().unwrap(), [0, 1, 2]);
    }

    #[test]
    fn a_hope_that_is_over_takes_what_there_is() {
        let queue = Queue::new();
        queue.put(1).unwrap();
        assert_eq!(queue.take(8, Some(Hope { many: 2, until: Instant::now() })), [1]);
    }

    #[test]
    fn a_hope_for_more_than_can_be_taken_ends_with_as_many_as_can() {
        let queue = Queue::new();
        queue.put(1).unwrap();
        let hope = Hope { many: 9, until: Instant::now() + Duration::from_secs(600) };
        assert_eq!(queue.take(1, Some(hope)), [1]);
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
