//! How often somebody may be wrong before they have to wait.
//!
//! Counts by address and by account, so that neither many accounts from one place nor one account from
//! many places can be guessed at leisure. Nobody is locked out for good: counts are forgotten after a
//! minute, and an address from which this account has come in before is never slowed down by the
//! mistakes of others.
//!
//! Source: SEC-24; OWASP Authentication Cheat Sheet.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use stanch_model::{Span, Timestamp};

/// Wrong proofs from one address before it has to wait.
const TRIES: u32 = 10;
/// Wrong passwords for one account, from all addresses together, before strangers have to wait.
const TRIES_OF_ACCOUNT: u32 = 30;
/// For how long mistakes count.
const REMEMBERED: Span = Span::mins(1);
/// Addresses and accounts that are remembered for that minute; others are not slowed down then, but the
/// hashing of passwords has few places at a time.
const MOST: usize = 4_096;

/// Whose mistakes are counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    Address(Option<IpAddr>),
    Account(String),
}

#[derive(Clone, Copy)]
struct Failed {
    count: u32,
    since: Timestamp,
}

/// What is remembered of mistakes.
#[derive(Default)]
pub(crate) struct Throttle {
    failed: BTreeMap<Whose, Failed>,
    /// From where an account has come in.
    known: BTreeSet<(String, Option<IpAddr>)>,
}

impl Throttle {
    /// Seconds to wait, if any, before this address may try, for this account if one is named.
    pub(crate) fn wait(&self, peer: Option<IpAddr>, account: Option<&str>, now: Timestamp) -> Option<i64> {
        let rest = |whose: &Whose, most: u32| {
            let f = self.failed.get(whose)?;
            let over = f.count >= most && now.since(f.since) < REMEMBERED;
            over.then(|| (REMEMBERED.0 - now.since(f.since).0) / 1_000 + 1)
        };
        let net = network(peer);
        let stranger = account.filter(|name| !self.known.contains(&((*name).to_owned(), net)));
        let by_account = stranger.and_then(|name| rest(&Whose::Account(name.to_owned()), TRIES_OF_ACCOUNT));
        rest(&Whose::Address(net), TRIES).or(by_account)
    }

    /// Counts a mistake.
    pub(crate) fn failed(&mut self, peer: Option<IpAddr>, account: Option<&str>, now: Timestamp) {
        self.failed.retain(|_, f| now.since(f.since) < REMEMBERED);
        let both = [Some(Whose::Address(network(peer))), account.map(|a| Whose::Account(a.to_owned()))];
        for whose in both.into_iter().flatten() {
            if self.failed.contains_key(&whose) || self.failed.len() < MOST {
                self.failed.entry(whose).or_insert(Failed { count: 0, since: now }).count += 1;
            }
        }
    }

    /// Remembers from where an account has come in.
    pub(crate) fn came_in(&mut self, peer: Option<IpAddr>, account: &str) {
        if self.known.len() < MOST {
            self.known.insert((account.to_owned(), network(peer)));
        }
    }
}

/// Whoever has an IPv6 address has 2^64 of them: they count as one.
fn network(peer: Option<IpAddr>) -> Option<IpAddr> {
    match peer?.to_canonical() {
        IpAddr::V6(v6) => Some(IpAddr::V6((u128::from(v6) >> 64 << 64).into())),
        v4 @ IpAddr::V4(_) => Some(v4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000_000);

    fn from(n: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, n]))
    }

    #[test]
    fn wrong_proofs_from_one_address_slow_it_down_for_a_minute_and_nobody_else() {
        let mut t = Throttle::default();
        for _ in 0..TRIES {
            assert_eq!(t.wait(from(7), None, NOW), None);
            t.failed(from(7), None, NOW);
        }
        assert_eq!(t.wait(from(7), None, NOW), Some(61));
        assert_eq!(t.wait(from(8), None, NOW), None);
        assert_eq!(t.wait(from(7), None, NOW.plus(Span::secs(61))), None);
        for n in 0..10_000_u32 {
            t.failed(Some(IpAddr::from(n.to_be_bytes())), Some(&format!("p{n}")), NOW);
        }
        assert!(t.failed.len() <= MOST);
        assert_eq!(t.wait(from(8), None, NOW), None, "a full memory shuts nobody out");
    }

    #[test]
    fn neighbours_in_one_ipv6_network_share_a_count() {
        let mut t = Throttle::default();
        for n in 0..u128::from(TRIES) {
            t.failed(Some(IpAddr::from((0x2001_0db8_u128 << 96 | n).to_be_bytes())), None, NOW);
        }
        assert!(t.wait(Some("2001:db8::ffff".parse().unwrap()), None, NOW).is_some());
        assert!(t.wait(Some("2001:db8:0:1::1".parse().unwrap()), None, NOW).is_none());
    }

    #[test]
    fn an_account_guessed_at_from_everywhere_stays_open_for_its_owner() {
        let mut t = Throttle::default();
        t.came_in(from(1), "maria");
        for n in 0..TRIES_OF_ACCOUNT {
            t.failed(from(100 + u8::try_from(n).unwrap()), Some("maria"), NOW);
        }
        assert!(t.wait(from(99), Some("maria"), NOW).is_some(), "a stranger waits");
        assert!(t.wait(from(1), Some("maria"), NOW).is_none(), "her own place does not");
        assert!(t.wait(from(99), Some("jon"), NOW).is_none());
    }
}
