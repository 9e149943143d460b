//! What a look-up found out. Facts are typed: free text never reaches a condition or a target.

use serde::{Deserialize, Serialize};

use crate::{Observable, Timestamp};

/// How much it would hurt to lose an asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criticality {
    /// A spare or a lab machine.
    Low,
    /// An ordinary machine.
    #[default]
    Medium,
    /// A server that many depend on.
    High,
    /// The firm stops without it.
    Critical,
}

/// One thing learnt about one observable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// The enricher that says so, for example `assets` or `intel:urlhaus`.
    pub provider: String,
    /// About what.
    pub about: Observable,
    /// What it means.
    pub meaning: Meaning,
}

/// What a fact means for triage and for the guard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Meaning {
    /// It is ours.
    Asset {
        /// Its name in the inventory.
        name: String,
        /// How much it would hurt to lose it.
        criticality: Criticality,
        /// Who answers for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
        /// `server`, `workstation`, `router`, … as the inventory says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<String>,
    },
    /// A feed calls it hostile.
    Malicious {
        /// The feed's name.
        feed: String,
        /// 0 to 100, as the feed says; 50 where it does not.
        confidence: u8,
        /// What the feed calls it, for example a malware family.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
        /// Until when the feed stands by it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        valid_until: Option<Timestamp>,
    },
    /// Blocking it would hurt ourselves or everyone: own ranges, public resolvers, root servers.
    NeverBlock {
        /// The list it is on.
        list: String,
    },
    /// Many unrelated parties sit behind it (cloud, CDN, VPN, dynamic DNS): judge with care.
    Shared {
        /// The list it is on.
        list: String,
    },
    /// Well known and usually benign (top sites, known feed mistakes).
    Harmless {
        /// The list it is on.
        list: String,
    },
    /// It has been here before.
    Seen {
        /// First time.
        first: Timestamp,
        /// Last time.
        last: Timestamp,
        /// How often.
        count: u64,
        /// In words: in which alerts, incidents or with whom.
        with: String,
    },
    /// Recent traffic.
    Traffic {
        /// Distinct machines that exchanged packets with it in the window.
        peers: u64,
        /// Connections in the window.
        flows: u64,
        /// Bytes both ways in the window.
        bytes: u64,
        /// The busiest of those machines.
        top: Vec<String>,
    },
    /// Anything else worth showing; never used in a decision.
    Note {
        /// What it is about.
        name: String,
        /// What it says.
        value: String,
    },
}
