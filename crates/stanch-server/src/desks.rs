//! From where those who act are connected: addresses that no new change may cut off.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use stanch_core::config::Protected;
use stanch_model::{Span, Timestamp};

/// Somebody counts as connected for so long after their last request.
const STAYS: Span = Span::hours(12);
/// Most addresses kept; the one not seen for longest goes first.
const MOST: usize = 256;

/// Addresses, who was there last, and when.
#[derive(Default)]
pub(crate) struct Desks(Mutex<BTreeMap<IpAddr, (String, Timestamp)>>);

impl Desks {
    /// Somebody who may act has made a request from here. Gives the whole list when it has changed.
    pub(crate) fn seen(&self, at: IpAddr, who: &str, now: Timestamp) -> Option<Vec<Protected>> {
        let at = at.to_canonical();
        // What is on this machine is never blocked anyway.
        if at.is_loopback() || at.is_unspecified() {
            return None;
        }
        let mut desks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = desks.insert(at, (who.to_owned(), now));
        if before.is_some_and(|(was, _)| was == who) {
            return None;
        }
        desks.retain(|_, (_, last)| now.since(*last) <= STAYS);
        while desks.len() > MOST {
            let oldest = desks.iter().min_by_key(|(_, (_, last))| *last).map(|(at, _)| *at)?;
            desks.remove(&oldest);
        }
        let one = |(at, (who, _)): (&IpAddr, &(String, Timestamp))| {
            Protected::net((*at).into(), format!("{who} works from there"))
        };
        Some(desks.iter().map(one).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    fn ip(n: u8) -> IpAddr {
        IpAddr::from([198, 51, 100, n])
    }

    #[test]
    fn who_acts_is_kept_for_half_a_day_and_the_list_is_told_only_when_it_changes() {
        let desks = Desks::default();
        let list = desks.seen(ip(7), "lead", NOW).unwrap();
        assert_eq!(list, [Protected::net(ip(7).into(), "lead works from there")]);
        assert_eq!(desks.seen(ip(7), "lead", NOW.plus(Span::hours(1))), None);
        assert_eq!(desks.seen("127.0.0.1".parse().unwrap(), "lead", NOW), None);
        let mapped = "::ffff:198.51.100.7".parse().unwrap();
        assert_eq!(desks.seen(mapped, "lead", NOW.plus(Span::hours(1))), None, "the same address");
        let list = desks.seen(ip(8), "second", NOW.plus(Span::hours(13))).unwrap();
        assert_eq!(list.len(), 2, "seen twelve hours ago is still there");
        assert_eq!(desks.seen(ip(9), "second", NOW.plus(Span::hours(14))).unwrap().len(), 2, "then it goes");
    }

    #[test]
    fn the_list_stays_small_and_keeps_the_latest() {
        let desks = Desks::default();
        let at = |n: u32| IpAddr::from((0x0a00_0000 + n).to_be_bytes());
        let mut last = Vec::new();
        for n in 1..=300 {
            last = desks.seen(at(n), "lead", NOW.plus(Span::secs(i64::from(n)))).unwrap();
        }
        assert_eq!(last.len(), MOST);
        assert!(last.contains(&Protected::net(at(300).into(), "lead works from there")));
        assert!(!last.contains(&Protected::net(at(1).into(), "lead works from there")));
    }
}
