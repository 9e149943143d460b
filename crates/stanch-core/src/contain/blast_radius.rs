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
    /// The target, where it is an address or prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<IpNet>,
    /// The target in words, where it is something else: an account, a name, a port.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub what: String,
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
        let mut blast = BlastRadius::nothing();
        (blast.target, blast.addresses) = (Some(target), addresses(&target));
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

    /// Estimates for a target that is no address, from what is known about it: an inventory's entry
    /// or counted traffic. What nobody knows anything about is rated high.
    #[must_use]
    pub fn of_named(what: impl Into<String>, facts: &[Fact]) -> BlastRadius {
        let mut blast = BlastRadius::nothing();
        blast.what = what.into();
        let (mut known, mut worst) = (false, Criticality::Low);
        for fact in facts {
            match &fact.meaning {
                Meaning::Asset { name, criticality, .. } => {
                    known = true;
                    worst = worst.max(*criticality);
                    blast.users.push(format!("{name} ({})", self::criticality(*criticality)));
                }
                Meaning::Traffic { peers, flows, bytes, .. } => {
                    known = true;
                    blast.peers = blast.peers.max(*peers);
                    blast.flows = blast.flows.max(*flows);
                    blast.bytes = blast.bytes.max(*bytes);
                }
                Meaning::Shared { list } => blast.shared.push(list.clone()),
                Meaning::Malicious { .. }
                | Meaning::NeverBlock { .. }
                | Meaning::Harmless { .. }
                | Meaning::Seen { .. }
                | Meaning::Note { .. } => {}
            }
        }
        for list in [&mut blast.users, &mut blast.shared] {
            list.sort();
            list.dedup();
        }
        if !known {
            blast
                .unknown
                .push("whom it would hurt: neither inventory nor traffic records know it".to_owned());
        }
        let high =
            !known || worst >= Criticality::High || !blast.shared.is_empty() || blast.peers >= PEERS_HIGH;
        let medium = worst >= Criticality::Medium || blast.peers >= PEERS_MEDIUM;
        blast.level = match (high, medium) {
            (true, _) => Level::High,
            (false, true) => Level::Medium,
            (false, false) => Level::Low,
        };
        blast
    }

    fn nothing() -> BlastRadius {
        BlastRadius {
            target: None,
            what: String::new(),
            addresses: 0,
            own_assets: Vec::new(),
            users: Vec::new(),
            peers: 0,
            flows: 0,
            bytes: 0,
            shared: Vec::new(),
            level: Level::Low,
            unknown: Vec::new(),
        }
    }

    /// Adds something that could not be found out.
    pub(super) fn add_unknown(&mut self, what: String) {
        self.unknown.push(what);
        self.level = Level::High;
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
        let covers_own = self.own_assets.iter().any(|a| self.target.is_some_and(|t| t.contains(&a.address)));
        if !self.unknown.is_empty()
            || covers_own
            || !self.shared.is_empty()
            || worst >= Some(Criticality::High)
            || self.peers >= PEERS_HIGH
        {
            return Level::High;
        }
        let single = self.target.is_some_and(|t| t.prefix_len() == t.max_prefix_len());
        if !single || self.peers >= PEERS_MEDIUM || self.own_assets.len() > 1 || !self.users.is_empty() {
            return Level::Medium;
        }
        Level::Low
    }

    /// For people: lines of at most [`WIDTH`] characters.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let Some(target) = &self.target else { return self.named_lines() };
        let covers = match self.addresses {
            1 => "1 address".to_owned(),
            u64::MAX => "2^64 addresses or more".to_owned(),
            n => format!("{n} addresses"),
        };
        let mut out =
            vec![format!("{}: {} covered; blast radius {}", plain(target), covers, self.level.word())];
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
                    // To the second: with thousandths the line is cut before the zone.
                    let at = at.to_string();
                    let _ = write!(line, ", last contact {}Z", at.split('.').next().unwrap_or(&at));
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

impl BlastRadius {
    /// As [`BlastRadius::lines`], for a target that is no address.
    fn named_lines(&self) -> Vec<String> {
        let mut out = vec![format!("{}: blast radius {}", self.what, self.level.word())];
        if self.flows > 0 || self.peers > 0 {
            out.push(format!(
                "traffic: {} with {} in {}",
                size(self.bytes),
                count(self.peers, "machine", "machines"),
                count(self.flows, "connection", "connections")
            ));
        }
        out.extend(self.users.iter().map(|who| format!("of ours: {who}")));
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
#[path = "blast_radius_tests.rs"]
mod tests;
