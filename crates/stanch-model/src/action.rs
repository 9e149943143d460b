//! A change to the outside world, in three verbs: perform, verify, revert.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{ActionId, IncidentId, Span};

/// What to change. Closed on purpose: each kind has its own guard rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum ActionKind {
    /// Drop traffic to and from an address or prefix. RE&CT RA3101 and RA3102.
    BlockAddress {
        /// What to block.
        target: IpNet,
    },
}

impl ActionKind {
    /// In words, for people: `block 203.0.113.9/32`.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            ActionKind::BlockAddress { target } => format!("block {}", plain(target)),
        }
    }
}

/// A prefix as people write it: a single address without its length.
#[must_use]
pub fn plain(net: &IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

/// A change, whole: nothing else is needed to perform it, to look for it, or to undo it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// Its name, the idempotency key sent to the target, and our tag on the target.
    pub id: ActionId,
    /// For which incident.
    pub incident: IncidentId,
    /// Which configured responder performs it.
    pub responder: String,
    /// What to change.
    pub kind: ActionKind,
    /// How long it holds once performed. Never zero: nothing we do is for ever.
    pub ttl: Span,
}

impl Action {
    /// The mark we leave on the target, and the only thing by which we recognise our own work.
    #[must_use]
    pub fn tag(&self) -> String {
        format!("stanch:{}", self.id)
    }
}

/// What the target shows when we look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Observed {
    /// Our change is in place.
    Present {
        /// How long the target itself will keep it, where the target has a timer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_in: Option<Span>,
    },
    /// Our change is not there.
    Absent,
    /// Something is there that is not exactly what we asked for.
    Different {
        /// What differs.
        what: String,
    },
}
