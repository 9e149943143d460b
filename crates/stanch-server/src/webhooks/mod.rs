//! Events for other programs: subscriptions to what the journal says, delivered in order, until they arrive.
//!
//! The journal is the outbox: each subscription remembers up to which entry it has delivered, so that
//! nothing is lost by a crash and a receiver that was away gets all of it later. A delivery that fails is
//! tried again, ever more seldom; a receiver that fails for a day is switched off, loudly.
//!
//! An event says what happened and to what, never alert text: who wants to know more asks the API.
//!
//! Source: Standard Webhooks specification 1.0.0.

mod book;
mod worker;

pub(crate) use book::{Book, Hook, KINDS, MOST};
pub(crate) use worker::{Webhooks, event};

use stanch_model::{Failure, Span, Timestamp};

/// Failures in a row after which a receiver may be switched off.
const FAILURES: u32 = 10;
/// How long it must have failed for that as well.
const PATIENCE: Span = Span::hours(24);
/// The first wait after a failure, and the longest.
const FIRST: Span = Span::secs(5);
const LONGEST: Span = Span::hours(1);
/// How long the key before signs as well after a change.
pub(crate) const OVERLAP: Span = Span::hours(24);

/// What to do after a failed delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Try again then.
    Again(Timestamp),
    /// No more, until a person switches it on again.
    Off,
}

/// Decides what follows a failure: the `n`th in a row, the first of them at `since`.
pub(crate) fn after(n: u32, since: Timestamp, now: Timestamp, why: &Failure) -> After {
    let gone = matches!(why, Failure::Permanent { why } if why.ends_with("answered 410"));
    if gone || (n >= FAILURES && now.0 - since.0 >= PATIENCE.0) {
        return After::Off;
    }
    let wait = FIRST.0.saturating_mul(1 << n.saturating_sub(1).min(16)).min(LONGEST.0);
    let asked = match why {
        Failure::RateLimited { retry_after, .. } => retry_after.0,
        Failure::Transient { .. }
        | Failure::Unauthorised { .. }
        | Failure::Permanent { .. }
        | Failure::Unknown { .. }
        | Failure::Late { .. } => 0,
    };
    After::Again(now.plus(Span(wait.max(asked))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_tried_again_ever_more_seldom_and_end_after_a_day() {
        let t0 = Timestamp(1_000_000);
        let down = Failure::transient("down");
        let wait = |n| match after(n, t0, t0, &down) {
            After::Again(at) => (at.0 - t0.0) / 1_000,
            After::Off => panic!("off"),
        };
        assert_eq!([1, 2, 3, 4, 9, 10, 100].map(wait), [5, 10, 20, 40, 1_280, 2_560, 3_600]);
        let later = t0.plus(PATIENCE);
        assert!(matches!(after(9, t0, later, &down), After::Again(_)), "ten in a row are needed too");
        assert_eq!(after(10, t0, later, &down), After::Off);
        assert_eq!(after(1, t0, t0, &Failure::permanent("h answered 410")), After::Off);
        let slow = Failure::RateLimited { why: String::new(), retry_after: Span::secs(90) };
        assert_eq!(after(1, t0, t0, &slow), After::Again(t0.plus(Span::secs(90))));
    }
}
