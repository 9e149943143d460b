//! Where the names lead that we depend on: mail, chat, tickets, devices, time, and where people sign in.
//! No new change may cut these addresses off.
//!
//! Names move, so they are looked up again and again, and an address stays on the list for a day after it
//! was last given. A name that leads nowhere keeps what it gave before. Whoever answers for a name can
//! keep an address from being changed, but cannot lift a change that is in force.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use stanch_connectors::egress::LookUp;
use stanch_core::config::Protected;
use stanch_core::contain::weigh::Place;
use stanch_engine::{Lately, Now};
use stanch_model::{Span, Timestamp};
use tokio::sync::Notify;

/// How often names are looked up.
const EVERY: Duration = Duration::from_secs(300);
/// How long one answer is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// An address counts for so long after a name last led to it.
const STAYS: Span = Span::hours(24);
/// Most addresses kept; the one given least lately goes first.
const MOST: usize = 1_024;

/// What one round has learnt of a place: its addresses, or why there are none.
type Answer = (Place, Result<Vec<IpAddr>, String>);

/// Addresses that names led to: why we depend on them, and when last.
#[derive(Default)]
struct Known(BTreeMap<IpAddr, (String, Timestamp)>);

impl Known {
    /// Takes one round in and forgets what is old.
    fn learn(&mut self, answers: &[Answer], now: Timestamp) {
        for (place, addresses) in answers {
            for at in addresses.iter().flatten().map(IpAddr::to_canonical) {
                // What is on this machine is never changed anyway.
                if !at.is_loopback() && !at.is_unspecified() {
                    self.0.insert(at, (format!("{}: {}", place.host, place.why), now));
                }
            }
        }
        self.0.retain(|_, (_, last)| now.since(*last) <= STAYS);
        while self.0.len() > MOST {
            let oldest = self.0.iter().min_by_key(|(_, (_, last))| *last).map(|(at, _)| *at);
            oldest.and_then(|at| self.0.remove(&at));
        }
    }

    fn list(&self) -> Vec<Protected> {
        let one = |(at, (why, _)): (&IpAddr, &(String, Timestamp))| Protected::net((*at).into(), why.clone());
        self.0.iter().map(one).collect()
    }
}

/// The names that are followed, and what they gave.
pub(crate) struct Places {
    wanted: Mutex<Vec<Place>>,
    known: Mutex<Known>,
    changed: Arc<Notify>,
    list: Lately,
    look_up: LookUp,
    now: Now,
}

impl Places {
    /// Follows these names from now on; the first round is over when this returns.
    pub(crate) async fn start(wanted: Vec<Place>, list: Lately, look_up: LookUp, now: Now) -> Arc<Places> {
        let places = Places {
            wanted: Mutex::new(Vec::new()),
            known: Mutex::default(),
            changed: Arc::default(),
            list,
            look_up,
            now,
        };
        places.set(wanted);
        let mut silent = places.round(&[]).await;
        let places = Arc::new(places);
        let (weak, changed) = (Arc::downgrade(&places), places.changed.clone());
        tokio::spawn(async move {
            loop {
                let _ = tokio::time::timeout(EVERY, changed.notified()).await;
                // Nobody follows any names any more.
                let Some(places) = weak.upgrade() else { return };
                silent = places.round(&silent).await;
            }
        });
        places
    }

    /// Follows other names: the configuration has changed.
    pub(crate) fn follow(&self, wanted: Vec<Place>) {
        self.set(wanted);
        self.changed.notify_one();
    }

    fn set(&self, mut wanted: Vec<Place>) {
        // What is written as an address is protected as written.
        wanted.retain(|p| p.host.trim_matches(['[', ']']).parse::<IpAddr>().is_err());
        wanted.sort_by(|a, b| a.host.cmp(&b.host));
        wanted.dedup_by(|a, b| a.host == b.host);
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = wanted;
    }

    /// Looks all names up at once. Says which lead nowhere, unless that was said before, and returns them.
    async fn round(&self, silent: &[String]) -> Vec<String> {
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let answers: Vec<Answer> = join_all(wanted.into_iter().map(|p| self.ask(p))).await;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.learn(&answers, (self.now)());
        self.list.set(known.list());
        let mut nowhere = Vec::new();
        for (place, answer) in answers {
            let Err(why) = answer else { continue };
            if !silent.contains(&place.host) {
                tracing::warn!(
                    name = place.host,
                    why,
                    "{} has no address now: protect its addresses by hand if changes must never cut it off",
                    place.why
                );
            }
            nowhere.push(place.host);
        }
        nowhere
    }

    async fn ask(&self, place: Place) -> Answer {
        let asked = tokio::time::timeout(PATIENCE, (self.look_up)(place.host.clone())).await;
        let answer = match asked {
            Ok(Ok(found)) if found.is_empty() => Err("the name has no address".to_owned()),
            Ok(Ok(found)) => Ok(found),
            Ok(Err(why)) => Err(why.to_string()),
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        };
        (place, answer)
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    fn place(host: &str) -> Place {
        Place { host: host.to_owned(), why: "our mail server".to_owned() }
    }

    fn ip(n: u8) -> IpAddr {
        IpAddr::from([198, 51, 100, n])
    }

    fn shown(list: &[Protected]) -> Vec<String> {
        list.iter().map(|p| format!("{} {}", p.what.words(), p.why)).collect()
    }

    #[test]
    fn an_address_stays_for_a_day_after_a_name_last_led_to_it() {
        let mut known = Known::default();
        known.learn(&[(place("mail.example"), Ok(vec![ip(1), "127.0.0.1".parse().unwrap()]))], NOW);
        let later = NOW.plus(Span::hours(20));
        known.learn(&[(place("mail.example"), Ok(vec!["::ffff:198.51.100.2".parse().unwrap()]))], later);
        let both =
            ["198.51.100.1 mail.example: our mail server", "198.51.100.2 mail.example: our mail server"];
        assert_eq!(shown(&known.list()), both, "none that is ourselves, and in its plain form");
        known.learn(&[(place("mail.example"), Err("no answer".to_owned()))], NOW.plus(Span::hours(25)));
        assert_eq!(shown(&known.list()), both[1..], "silence forgets nothing before its time");
    }

    #[test]
    fn a_name_with_thousands_of_addresses_does_not_grow_the_list_without_end() {
        let mut known = Known::default();
        let many = |from: u32| (from..from + 900).map(|n| IpAddr::from((0x0a00_0000 + n).to_be_bytes()));
        known.learn(&[(place("a.example"), Ok(many(0).collect()))], NOW);
        known.learn(&[(place("a.example"), Ok(many(900).collect()))], NOW.plus(Span::secs(1)));
        assert_eq!(known.0.len(), MOST);
        assert!(many(900).all(|at| known.0.contains_key(&at)), "the latest stay");
    }

    #[tokio::test]
    async fn names_are_looked_up_at_the_start_and_when_the_configuration_changes() {
        let list = Lately::default();
        let look_up: LookUp = Arc::new(|name| {
            Box::pin(async move {
                match name.as_str() {
                    "mail.example" => Ok(vec![ip(1)]),
                    "chat.example" => Ok(vec![ip(2), ip(3)]),
                    _ => Err(std::io::Error::other("no such name")),
                }
            })
        });
        let wanted = vec![place("mail.example"), place("192.0.2.7"), place("gone.example")];
        let places = Places::start(wanted, list.clone(), look_up, Arc::new(|| NOW)).await;
        assert_eq!(shown(&list.now()), ["198.51.100.1 mail.example: our mail server"]);
        places.follow(vec![place("chat.example")]);
        while list.now().len() < 3 {
            tokio::task::yield_now().await;
        }
        assert_eq!(shown(&list.now())[1], "198.51.100.2 chat.example: our mail server");
    }
}
