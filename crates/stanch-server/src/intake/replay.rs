//! Signed deliveries that were accepted, so that the same one is not accepted twice.
//!
//! Kept in memory for twice the clock skew that is allowed: after that the signed time itself is
//! refused. A restart forgets it; a replay within the few minutes after one is then recognised by
//! dedup as a redelivery and counted, not acted upon again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use stanch_model::{Span, Timestamp};

/// How long an accepted signature is remembered. Twice the skew allowed, because a time ahead of
/// ours stays good for that long.
const KEPT: Span = Span::secs(660);
/// Signatures remembered at most.
const LIMIT: usize = 262_144;

/// A signature as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Signature(pub(crate) [u8; 32]);

/// Why a signed delivery is not taken in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// It was accepted before, or is being accepted right now.
    Seen,
    /// Too many to remember; accepting it would open the door to replays.
    Full,
}

/// Signed deliveries that were accepted.
#[derive(Default)]
pub(crate) struct Replays(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    seen: HashMap<Signature, Timestamp>,
    order: VecDeque<(Timestamp, Signature)>,
}

impl Replays {
    /// Claims a signature: of two deliveries at the same time only one gets it.
    pub(crate) fn claim(&self, signature: Signature, now: Timestamp) -> Result<(), Again> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.forget(now);
        if inner.seen.contains_key(&signature) {
            return Err(Again::Seen);
        }
        if inner.seen.len() >= LIMIT {
            return Err(Again::Full);
        }
        inner.seen.insert(signature, now);
        inner.order.push_back((now, signature));
        Ok(())
    }

    /// Gives a signature back when its delivery was not taken in, so that the sender may try again.
    pub(crate) fn give_back(&self, signature: Signature) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).seen.remove(&signature);
    }
}

impl Inner {
    fn forget(&mut self, now: Timestamp) {
        while let Some((at, signature)) = self.order.front().copied() {
            if now.since(at) <= KEPT {
                return;
            }
            self.order.pop_front();
            if self.seen.get(&signature) == Some(&at) {
                self.seen.remove(&signature);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_counts_once_until_it_is_given_back_or_too_old() {
        let (replays, t) = (Replays::default(), Timestamp(0));
        let s = Signature([7; 32]);
        assert_eq!(replays.claim(s, t), Ok(()));
        assert_eq!(replays.claim(s, t.plus(Span::secs(600))), Err(Again::Seen));
        replays.give_back(s);
        assert_eq!(replays.claim(s, t.plus(Span::secs(1))), Ok(()));
        assert_eq!(replays.claim(s, t.plus(Span::secs(660))), Err(Again::Seen));
        assert_eq!(replays.claim(s, t.plus(Span::secs(662))), Ok(()));
    }
}
