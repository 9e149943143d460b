//! A change to the outside world, in three verbs: perform, verify, revert.

use std::collections::BTreeMap;

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
    /// Let only so much traffic from an address or prefix through.
    LimitAddress {
        /// Whom to slow down.
        target: IpNet,
        /// What is let through, in packets a second; at least 1.
        packets_per_second: u32,
    },
    /// Drop traffic to one port of an address or prefix. RE&CT RA3107 and RA3108.
    BlockPort {
        /// Whose port.
        target: IpNet,
        /// Which transport.
        protocol: Transport,
        /// Which port, 1 to 65535.
        port: u16,
    },
    /// Put an access port of a switch into the quarantine network. RE&CT RA3001 and its like.
    QuarantinePort {
        /// Which port, as the switch names it.
        port: String,
        /// Into which VLAN, 1 to 4094.
        vlan: u16,
    },
    /// Forbid an account to sign in. RE&CT RA3109 and RA3110.
    LockAccount {
        /// Which account, by the name people sign in with.
        account: String,
    },
    /// Let an account that was locked sign in again.
    UnlockAccount {
        /// Which account.
        account: String,
    },
    /// Make an account's present password worthless.
    ResetCredential {
        /// Which account.
        account: String,
    },
    /// Take an account out of a group.
    RemoveFromGroup {
        /// Which account.
        account: String,
        /// Out of which group.
        group: String,
    },
    /// Answer queries for a name and all names below it with our sinkhole. RE&CT RA3103.
    SinkholeDomain {
        /// Which name, in lower case without the final dot.
        domain: String,
    },
    /// A call an operator has declared: over HTTP, or a program with fixed arguments.
    Call {
        /// The name it was declared under.
        call: String,
        /// Whom it is about, in words for people and for the protected lists.
        subject: String,
        /// Its inputs, already checked against the declared types.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        inputs: BTreeMap<String, String>,
    },
}

/// A transport with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    /// As written in configuration: `tcp` or `udp`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        }
    }
}

impl ActionKind {
    /// The kind's name in playbooks and configuration.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            ActionKind::BlockAddress { .. } => "block_address",
            ActionKind::LimitAddress { .. } => "limit_address",
            ActionKind::BlockPort { .. } => "block_port",
            ActionKind::QuarantinePort { .. } => "quarantine_port",
            ActionKind::LockAccount { .. } => "lock_account",
            ActionKind::UnlockAccount { .. } => "unlock_account",
            ActionKind::ResetCredential { .. } => "reset_credential",
            ActionKind::RemoveFromGroup { .. } => "remove_from_group",
            ActionKind::SinkholeDomain { .. } => "sinkhole_domain",
            ActionKind::Call { .. } => "call",
        }
    }

    /// In words, for people: `block 203.0.113.9`.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            ActionKind::BlockAddress { target } => format!("block {}", plain(target)),
            ActionKind::LimitAddress { target, packets_per_second } => {
                format!("limit {} to {packets_per_second} packets a second", plain(target))
            }
            ActionKind::BlockPort { target, protocol, port } => {
                format!("block {} port {port} of {}", protocol.word(), plain(target))
            }
            ActionKind::QuarantinePort { port, vlan } => {
                format!("put port {port} into the quarantine VLAN {vlan}")
            }
            ActionKind::LockAccount { account } => format!("lock account {account}"),
            ActionKind::UnlockAccount { account } => format!("unlock account {account}"),
            ActionKind::ResetCredential { account } => format!("reset the password of {account}"),
            ActionKind::RemoveFromGroup { account, group } => {
                format!("take {account} out of group {group}")
            }
            ActionKind::SinkholeDomain { domain } => format!("sinkhole {domain}"),
            ActionKind::Call { call, subject, .. } => format!("{call} for {subject}"),
        }
    }

    /// Whom or what it is aimed at, alone: for tables.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            ActionKind::BlockAddress { target }
            | ActionKind::LimitAddress { target, .. }
            | ActionKind::BlockPort { target, .. } => plain(target),
            ActionKind::QuarantinePort { port, .. } => port.clone(),
            ActionKind::LockAccount { account }
            | ActionKind::UnlockAccount { account }
            | ActionKind::ResetCredential { account }
            | ActionKind::RemoveFromGroup { account, .. } => account.clone(),
            ActionKind::SinkholeDomain { domain } => domain.clone(),
            ActionKind::Call { subject, .. } => subject.clone(),
        }
    }

    /// The address or prefix it is aimed at, if it is aimed at one.
    #[must_use]
    pub const fn network(&self) -> Option<&IpNet> {
        match self {
            ActionKind::BlockAddress { target }
            | ActionKind::LimitAddress { target, .. }
            | ActionKind::BlockPort { target, .. } => Some(target),
            ActionKind::QuarantinePort { .. }
            | ActionKind::LockAccount { .. }
            | ActionKind::UnlockAccount { .. }
            | ActionKind::ResetCredential { .. }
            | ActionKind::RemoveFromGroup { .. }
            | ActionKind::SinkholeDomain { .. }
            | ActionKind::Call { .. } => None,
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
    /// What the target was like before, as the responder captured it: its recipe for the way back.
    /// None before the capture, and for responders whose undoing needs no memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
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
