//! How much would a change hurt, and whom? Computed from facts, shown to whoever decides.
//!
//! What is not known counts as much: a target nobody has looked at is rated high, never low.

use std::fmt::Write as _;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use stanch_model::action::plain;
use stanch_model::fact::Criticality;
use stanch_model::{Fact, Meaning, ObservableKind, Timestamp};

pub use super::contacts::from_contacts;
use crate::expr::hidden;

/// Widest line shown, in characters.
pub const WIDTH: usize = 78;

/// Machines of ours named one by one; the rest is counted.
const NAMED: usize = 5;

/// Peers from which a change is at least of medium consequence.
const PEERS_MEDIUM: u64 = 3;

/// Peers from which a change is of high consequence: no longer one attacker and its victims.
const PEERS_HIGH: u64 = 25;

/// How much a change may hurt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Little.
    Low,
    /// Noticeable.
    Medium,
    /// A lot, or not known.
    High,
}

impl Level {
    /// The word shown.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Level::Low => "low",
            Level::Medium => "medium",
            Level::High => "high",
        }
    }
}

/// A machine of ours that would lose its connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TouchedAsset {
    /// Its name in the inventory.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
    /// How much it would hurt to lose it.
    pub criticality: Criticality,
    /// When it last exchanged packets with the target, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_contact: Option<Timestamp>,
}

/// A machine that exchanged packets with the target, and what the inventory says about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// The inventory's entry, if it has one: a fact that means [`Meaning::Asset`].
    pub asset: Option<Fact>,
    /// When it last did, where known.
    pub last_contact: Option<Timestamp>,
}

/// What a change would touch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlastRadius {
    /// The target.
    pub target: IpNet,
    /// How many addresses it covers; `u64::MAX` stands for that many or more.
    pub addresses: u64,
    /// Machines of ours it covers or cuts off, most critical first.
    pub own_assets: Vec<TouchedAsset>,
    /// Accounts active on the target, each once, sorted.
    pub users: Vec<String>,
    /// Distinct machines seen talking to it in the window of the flow look-up.
    pub peers: u64,
    /// Connections in that window.
    pub flows: u64,
    /// Bytes both ways in that window.
    pub bytes: u64,
    /// The lists that call the target shared by many unrelated parties.
    pub shared: Vec<String>,
    /// How bad it is, taken together.
    pub level: Level,
    /// What could not be found out, in words; anything here makes the level high.
    pub unknown: Vec<String>,
}

impl BlastRadius {
    /// Estimates from facts about the target and the machines it talked to.
    ///
    /// Without a [`Meaning::Traffic`] fact the traffic is unknown, and without a list of peers for
    /// traffic that exists, so is whom it would hurt.
    #[must_use]
    pub fn estimate(target: IpNet, facts: &[Fact], peers: &[Peer]) -> BlastRadius {
        let mut blast = BlastRadius {
            target,
            addresses: addresses(&target),
            own_assets: Vec::new(),
            users: Vec::new(),
            peers: 0,
            flows: 0,
            bytes: 0,
            shared: Vec::new(),
            level: Level::Low,
            unknown: Vec::new(),
        };
        let mut seen_traffic = false;
        for fact in facts {
            match &fact.meaning {
                Meaning::Traffic { peers, flows, bytes, .. } => {
                    // Several flow sensors may have looked: the largest picture counts.
                    seen_traffic = true;
                    blast.peers = blast.peers.max(*peers);
                    blast.flows = blast.flows.max(*flows);
                    blast.bytes = blast.bytes.max(*bytes);
                }
                Meaning::Asset { .. } => blast.touch(fact.about.value.parse().ok(), fact, None),
                Meaning::Shared { list } => blast.shared.push(list.clone()),
                Meaning::Malicious { .. }
                | Meaning::NeverBlock { .. }
                | Meaning::Harmless { .. }
                | Meaning::Seen { .. }
                | Meaning::Note { .. } => {}
            }
            if fact.about.kind == ObservableKind::User {
                blast.users.push(fact.about.value.clone());
            }
        }
        for peer in peers {
            if let Some(fact) = &peer.asset {
                blast.touch(Some(peer.address), fact, peer.last_contact);
            }
        }
        blast.peers = blast.peers.max(u64::try_from(peers.len()).unwrap_or(u64::MAX));
        if !seen_traffic {
            blast.unknown.push("who else talks to it: no traffic records".to_owned());
        } else if blast.peers > 0 && peers.is_empty() {
            blast.unknown.push("which machines of ours talk to it".to_owned());
        }
        blast.settle()
    }

    /// Adds something that could not be found out.
    pub(super) fn add_unknown(&mut self, what: String) {
        self.unknown.push(what);
        self.level = self.rate();
    }

    fn touch(&mut self, address: Option<IpAddr>, fact: &Fact, last_contact: Option<Timestamp>) {
        let (Meaning::Asset { name, criticality, .. }, Some(address)) = (&fact.meaning, address) else {
            return;
        };
        self.own_assets.push(TouchedAsset {
            name: name.clone(),
            address,
            criticality: *criticality,
            last_contact,
        });
    }

    /// Sorts, removes repeats, and rates.
    fn settle(mut self) -> BlastRadius {
        // The most critical first; then by name and address so that two estimates read the same.
        self.own_assets.sort_by(|a, b| {
            (b.criticality, &a.name, a.address, b.last_contact).cmp(&(
                a.criticality,
                &b.name,
                b.address,
                a.last_contact,
            ))
        });
        self.own_assets.dedup_by(|b, a| a.name == b.name && a.address == b.address);
        for list in [&mut self.users, &mut self.shared] {
            list.sort();
            list.dedup();
        }
        self.level = self.rate();
        self
    }

    fn rate(&self) -> Level {
        let worst = self.own_assets.first().map(|a| a.criticality);
        let covers_own = self.own_assets.iter().any(|a| self.target.contains(&a.address));
        if !self.unknown.is_empty()
            || covers_own
            || !self.shared.is_empty()
            || worst >= Some(Criticality::High)
            || self.peers >= PEERS_HIGH
        {
            return Level::High;
        }
        let single = self.target.prefix_len() == self.target.max_prefix_len();
        if !single || self.peers >= PEERS_MEDIUM || self.own_assets.len() > 1 || !self.users.is_empty() {
            return Level::Medium;
        }
        Level::Low
    }

    /// For people: lines of at most [`WIDTH`] characters.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let covers = match self.addresses {
            1 => "1 address".to_owned(),
            u64::MAX => "2^64 addresses or more".to_owned(),
            n => format!("{n} addresses"),
        };
        let mut out =
            vec![format!("{}: {} covered; blast radius {}", plain(&self.target), covers, self.level.word())];
        out.push(format!(
            "traffic: {} with {} in {}",
            size(self.bytes),
            count(self.peers, "machine", "machines"),
            count(self.flows, "connection", "connections")
        ));
        if self.own_assets.is_empty() {
            out.push("machines of ours: none known".to_owned());
        } else {
            out.push(format!("machines of ours: {}", self.own_assets.len()));
            for asset in self.own_assets.iter().take(NAMED) {
                let mut line =
                    format!("  {} {} ({})", asset.name, asset.address, criticality(asset.criticality));
                if let Some(at) = asset.last_contact {
                    let _ = write!(line, ", last contact {at}");
                }
                out.push(line);
            }
            if self.own_assets.len() > NAMED {
                out.push(format!("  and {} more", self.own_assets.len() - NAMED));
            }
        }
        if !self.users.is_empty() {
            out.push(format!("accounts: {}", self.users.join(", ")));
        }
        out.extend(self.shared.iter().map(|list| format!("shared by many: {list}")));
        out.extend(self.unknown.iter().map(|what| format!("not known: {what}")));
        out.iter().map(|line| fit(line)).collect()
    }
}

/// How many addresses a prefix covers, saturating.
#[must_use]
pub fn addresses(net: &IpNet) -> u64 {
    let free = net.max_prefix_len() - net.prefix_len();
    1_u64.checked_shl(u32::from(free)).unwrap_or(u64::MAX)
}

fn criticality(c: Criticality) -> &'static str {
    match c {
        Criticality::Low => "low criticality",
        Criticality::Medium => "medium criticality",
        Criticality::High => "high criticality",
        Criticality::Critical => "critical",
    }
}

fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// Bytes with a unit, rounded down.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut n = bytes;
    while n >= 1024 && unit + 1 < UNITS.len() {
        n /= 1024;
        unit += 1;
    }
    format!("{n} {}", UNITS[unit])
}

/// One line without control characters, cut at [`WIDTH`] with a mark.
pub(super) fn fit(line: &str) -> String {
    let line: String = line.chars().map(|c| if hidden(c) { ' ' } else { c }).collect();
    match line.char_indices().nth(WIDTH) {
        Some(_) => {
            let mut cut: String = line.chars().take(WIDTH - 1).collect();
            cut.push('…');
            cut
        }
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use stanch_model::Observable;

    use super::*;

    fn fact(about: &str, meaning: Meaning) -> Fact {
        let kind = if about.parse::<IpAddr>().is_ok() { ObservableKind::Ip } else { ObservableKind::User };
        Fact { provider: "test".into(), about: Observable::new(kind, about), meaning }
    }

    fn asset(name: &str, criticality: Criticality) -> Meaning {
        Meaning::Asset { name: name.into(), criticality, owner: None, kind: None }
    }

    fn traffic(peers: u64) -> Fact {
        fact("203.0.113.9", Meaning::Traffic { peers, flows: 12, bytes: 3_500_000, top: vec![] })
    }

    fn peer(address: &str, name: Option<&str>, criticality: Criticality) -> Peer {
        Peer {
            address: address.parse().expect("address"),
            asset: name.map(|n| fact(address, asset(n, criticality))),
            last_contact: Some(Timestamp(1_700_000_000_000)),
        }
    }

    fn estimate(target: &str, facts: &[Fact], peers: &[Peer]) -> BlastRadius {
        BlastRadius::estimate(target.parse().expect("prefix"), facts, peers)
    }

    #[test]
    fn one_victim_and_little_traffic_is_low() {
        let blast = estimate(
            "203.0.113.9/32",
            &[traffic(1)],
            &[peer("10.0.0.7", Some("lap-7"), Criticality::Medium)],
        );
        assert_eq!(
            blast.lines(),
            [
                "203.0.113.9: 1 address covered; blast radius low",
                "traffic: 3 MiB with 1 machine in 12 connections",
                "machines of ours: 1",
                "  lap-7 10.0.0.7 (medium criticality), last contact 2023-11-14T22:13:20.000Z",
            ]
        );
        assert_eq!(blast.level, Level::Low);
    }

    #[test]
    fn what_is_not_known_counts_as_high() {
        let blast = estimate("203.0.113.9/32", &[], &[]);
        assert_eq!(blast.level, Level::High);
        assert_eq!(
            blast.lines().last().map(String::as_str),
            Some("not known: who else talks to it: no traffic records")
        );
        let blast = estimate("203.0.113.9/32", &[traffic(4)], &[]);
        assert_eq!((blast.level, blast.unknown.len()), (Level::High, 1));
        let blast = estimate("203.0.113.9/32", &[traffic(0)], &[]);
        assert_eq!((blast.level, blast.unknown.len()), (Level::Low, 0));
    }

    #[test]
    fn each_thing_that_hurts_raises_the_level() {
        let low = peer("10.0.0.7", Some("lap-7"), Criticality::Low);
        let level = |facts: &[Fact], peers: &[Peer]| estimate("203.0.113.9/32", facts, peers).level;
        assert_eq!(level(&[traffic(3)], std::slice::from_ref(&low)), Level::Medium);
        assert_eq!(level(&[traffic(25)], std::slice::from_ref(&low)), Level::High);
        assert_eq!(level(&[traffic(1)], &[peer("10.0.0.1", Some("erp"), Criticality::High)]), Level::High);
        assert_eq!(
            level(&[traffic(1)], &[peer("10.0.0.1", Some("dc-1"), Criticality::Critical)]),
            Level::High
        );
        let two = [low.clone(), peer("10.0.0.8", Some("lap-8"), Criticality::Low)];
        assert_eq!(level(&[traffic(2)], &two), Level::Medium);
        assert_eq!(
            level(&[traffic(1), fact("alice", Meaning::Note { name: "n".into(), value: "v".into() })], &[]),
            Level::High
        );
        let user = fact("alice", Meaning::Note { name: "n".into(), value: "v".into() });
        assert_eq!(level(&[traffic(1), user], std::slice::from_ref(&low)), Level::Medium);
        let cdn = fact("203.0.113.9", Meaning::Shared { list: "cdn".into() });
        assert_eq!(level(&[traffic(1), cdn], std::slice::from_ref(&low)), Level::High);
        assert_eq!(
            estimate("203.0.113.8/30", &[traffic(1)], std::slice::from_ref(&low)).level,
            Level::Medium
        );
        let own = fact("203.0.113.9", asset("web-1", Criticality::Low));
        assert_eq!(level(&[traffic(1), own], &[low]), Level::High, "the target is ours");
    }

    #[test]
    fn the_order_of_facts_does_not_matter_and_repeats_count_once() {
        let a = peer("10.0.0.7", Some("lap-7"), Criticality::Low);
        let b = peer("10.0.0.1", Some("dc-1"), Criticality::Critical);
        let user = |n: &str| fact(n, Meaning::Note { name: "n".into(), value: "v".into() });
        let one = estimate(
            "203.0.113.9/32",
            &[traffic(2), traffic(9), user("x"), user("a")],
            &[a.clone(), b.clone(), a.clone()],
        );
        let two = estimate("203.0.113.9/32", &[user("a"), user("x"), traffic(9), user("a")], &[b, a]);
        assert_eq!(one.own_assets, two.own_assets);
        assert_eq!((one.own_assets.len(), one.own_assets[0].name.as_str()), (2, "dc-1"));
        assert_eq!((one.users.join(" "), one.peers), ("a x".to_owned(), 9));
        assert!(one.lines().contains(&"accounts: a, x".to_owned()));
    }

    #[test]
    fn wide_targets_are_counted_without_overflow() {
        let n = |text: &str| addresses(&text.parse().expect("prefix"));
        assert_eq!(n("10.0.0.0/8"), 1 << 24);
        assert_eq!(n("2001:db8::/65"), 1 << 63);
        assert_eq!(n("2001:db8::/64"), u64::MAX);
        assert_eq!(n("::/0"), u64::MAX);
        let lines = estimate("2001:db8::/32", &[], &[]).lines();
        assert_eq!(lines[0], "2001:db8::/32: 2^64 addresses or more covered; blast radius high");
        let lines = estimate("10.0.0.0/24", &[], &[]).lines();
        assert_eq!(lines[0], "10.0.0.0/24: 256 addresses covered; blast radius high");
    }

    #[test]
    fn lines_are_never_wider_than_the_screen_and_hide_nothing_behind_control_characters() {
        let long = "x\u{1b}[2J".repeat(40);
        let peers: Vec<Peer> = (1..9)
            .map(|i| peer(&format!("10.0.0.{i}"), Some(&format!("{long}{i}")), Criticality::Low))
            .collect();
        let shared = fact("203.0.113.9", Meaning::Shared { list: long });
        let lines = estimate("203.0.113.9/32", &[traffic(9), shared], &peers).lines();
        assert!(lines.iter().all(|l| l.chars().count() <= WIDTH && !l.contains('\u{1b}')), "{lines:?}");
        assert!(lines.contains(&"  and 3 more".to_owned()));
        assert_eq!(
            [size(0), size(1023), size(5 << 40), size(u64::MAX)],
            ["0 bytes", "1023 bytes", "5 TiB", "16777215 TiB"]
        );
    }
}
