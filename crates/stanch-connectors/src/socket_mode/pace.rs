//! How patient a socket is, and how long it waits before the next. Pure.

use std::time::Duration;

use super::Leave;

/// How patient a socket is. Tests are in more of a hurry.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// From the first request to `hello`. Default 20 s.
    pub open: Duration,
    /// Between two of our pings. Default 10 s.
    pub ping: Duration,
    /// Without any frame, a pong for example, the connection counts as dead. Default 30 s.
    pub silence: Duration,
    /// How long a connection that is to be left is still listened to. Default 60 s.
    pub linger: Duration,
    /// How long a click may wait for a place before it is left to Slack to say that nobody answers.
    /// Default 2 s. Source: an acknowledgement counts within 3 s.
    pub place: Duration,
    /// A connection that held for so long was a good one: the next is opened at once. Default 30 s.
    pub settled: Duration,
    /// The first wait after a failure. Default 1 s.
    pub first: Duration,
    /// The longest wait. Default 2 minutes.
    pub longest: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            open: Duration::from_secs(20),
            ping: Duration::from_secs(10),
            silence: Duration::from_secs(30),
            linger: Duration::from_secs(60),
            place: Duration::from_secs(2),
            settled: Duration::from_secs(30),
            first: Duration::from_secs(1),
            longest: Duration::from_secs(120),
        }
    }
}

/// Why a connection is no longer the one to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Slack asked for it.
    Left(Leave),
    /// It broke, or could not be opened.
    Broke(String),
}

impl Pace {
    /// The wait before the next connection: `tries` in a row did not hold, `chance` is any number. Who is
    /// asked politely to come again comes at once; all others wait ever longer, and never all at the same
    /// moment.
    #[must_use]
    pub fn wait(&self, why: &Gone, tries: u32, chance: u64) -> Duration {
        let full = match why {
            Gone::Left(leave) if leave.is_refusal() => self.longest,
            Gone::Left(_) if tries == 0 => return Duration::ZERO,
            Gone::Left(_) | Gone::Broke(_) => {
                self.first.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(self.longest)
            }
        };
        // Between half and all of it.
        let half = full / 2;
        let span = u64::try_from(half.as_millis()).unwrap_or(u64::MAX).max(1);
        half + Duration::from_millis(chance % span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_two_minutes_and_are_spread() {
        let pace = Pace::default();
        let broke = Gone::Broke("x".into());
        for (tries, most) in [(1, 1), (2, 2), (3, 4), (7, 64), (8, 120), (40, 120), (u32::MAX, 120)] {
            for chance in [0, 1, 499, u64::MAX] {
                let wait = pace.wait(&broke, tries, chance);
                let most = Duration::from_secs(most);
                assert!(wait >= most / 2 && wait <= most, "{tries}: {wait:?}");
            }
        }
        assert_ne!(pace.wait(&broke, 5, 1), pace.wait(&broke, 5, 3_000));
    }

    #[test]
    fn a_renewal_is_at_once_but_not_in_a_circle_and_a_refusal_never_is() {
        let pace = Pace::default();
        assert_eq!(pace.wait(&Gone::Left(Leave::Refresh), 0, 7), Duration::ZERO);
        assert_eq!(pace.wait(&Gone::Left(Leave::Warning), 0, 7), Duration::ZERO);
        assert!(pace.wait(&Gone::Left(Leave::Refresh), 1, 7) >= Duration::from_millis(500));
        assert!(pace.wait(&Gone::Left(Leave::SwitchedOff), 0, 7) >= Duration::from_secs(60));
        assert!(pace.wait(&Gone::Left(Leave::TooMany), 0, 7) >= Duration::from_secs(60));
    }
}
