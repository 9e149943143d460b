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
    /// Which message of a chat it is, where messages can be changed; none for all other ways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<Box<Card>>,
    /// The change that can be taken back from it, where a chat can offer that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Box<Undo>>,
}

/// A message of a chat that is changed in place, instead of being followed by others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// What it shows: `INC-3`, `APR-1`, `ACT-4`. Empty: a message that is never changed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub of: String,
    /// The message to change; none: a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Place>,
    /// The message that a new one answers to, in its thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under: Option<Place>,
    /// An answer in a thread that the whole channel sees as well, because it needs a person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub loud: bool,
}

/// Where a message of a chat is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The channel, as the chat names it.
    pub channel: String,
    /// The message in it, as the chat names it.
    pub message: String,
}

impl Place {
    /// As a receipt says it: `CHANNEL MESSAGE`.
    #[must_use]
    pub fn of_receipt(receipt: &str) -> Option<Place> {
        let (channel, message) = receipt.split_once(' ')?;
        let good = |t: &str| !t.is_empty() && t.len() <= 128 && !t.contains([' ', ',']);
        (good(channel) && good(message))
            .then(|| Place { channel: channel.to_owned(), message: message.to_owned() })
    }

    /// The receipt that says it.
    #[must_use]
    pub fn receipt(&self) -> String {
        format!("{} {}", self.channel, self.message)
    }
}

/// A change that can be taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Which.
    pub action: ActionId,
    /// What it is called by in a button, 64 hexadecimal digits. It names the change and gives no right.
    pub name: String,
}

/// A question that a notice puts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Which.
    pub approval: ApprovalId,
    /// SHA-256 of exactly what is shown, 64 hexadecimal digits.
    pub digest: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_names_one_message_or_none() {
        let place = Place { channel: "C1".into(), message: "1700.000100".into() };
        assert_eq!(Place::of_receipt(&place.receipt()), Some(place));
        for bad in ["", "C1", "C1 ", " 1", "C1 1, C2 2", "C1 1 2", "250"] {
            assert_eq!(Place::of_receipt(bad), None, "{bad}");
        }
    }
}
