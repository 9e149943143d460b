//! A message to people outside Stanch.

use serde::{Deserialize, Serialize};

use crate::{ActionId, ApprovalId, IncidentId, Timestamp};

/// How loudly to say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// To know.
    Information,
    /// To act on soon.
    Warning,
    /// To act on now.
    Critical,
}

/// A message, whole. The `key` makes a repeat recognisable to the receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The same for every attempt to deliver this message.
    pub key: String,
    /// About which incident; number 0 when it is about none: a run that a call from outside began.
    pub incident: IncidentId,
    /// How loudly.
    pub urgency: Urgency,
    /// To whom: addresses or names that the notifier understands.
    pub to: Vec<String>,
    /// One line.
    pub subject: String,
    /// The whole message, plain text, lines of at most 78 characters.
    pub body: String,
    /// When it was written.
    pub at: Timestamp,
    /// The question it puts, so that a chat can offer an answer. What is answered is still decided by
    /// who answers, and by what was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<Ask>,
    /// The change it is about: messages about one change are one thread, one ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<ActionId>,
    /// True when the matter is over: a ticket can be closed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closes: bool,
}

/// A question that a notice puts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Which.
    pub approval: ApprovalId,
    /// SHA-256 of exactly what is shown, 64 hexadecimal digits.
    pub digest: String,
}
