//! A message to people outside Stanch.

use serde::{Deserialize, Serialize};

use crate::{IncidentId, Timestamp};

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
}
