//! A story told again by a language model: what may be sent, and what of the answer may be shown.
//!
//! The text of an alert is written by whoever attacks, and it reaches the model. So nothing is built on
//! the model's good will: [`brief()`] decides what leaves (a list of fields, under the owner's TLP ceiling,
//! with people, machines and secrets replaced), and [`read`] decides what comes in (sentences that cite
//! alerts we sent, name nothing we did not send, hold no link, and do not ask for less attention).
//!
//! An [`Assisted`] is text beside the story. Nothing turns it into anything else: there is no event, no
//! command and no change that can be made from it.
//!
//! ```compile_fail
//! fn act(text: stanch_core::assist::Assisted) -> stanch_model::ActionKind {
//!     text.into()
//! }
//! ```
//! ```compile_fail
//! fn note(text: stanch_core::assist::Assisted) -> stanch_core::journal::event::Event {
//!     text.into()
//! }
//! ```
//!
//! Source: SEC-79 to SEC-85.

mod answer;
mod brief;
mod clean;
mod redact;
pub mod tlp;

#[cfg(test)]
mod hostile_tests;

use std::collections::BTreeMap;

use serde::Serialize;
use stanch_model::AlertId;

pub use answer::read;
pub use brief::{Brief, Gathered, brief, gather, request};
pub use tlp::Tlp;

/// A sentence a model wrote, and the alerts it rests on: never none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    /// Plain text: no link, no markup.
    pub text: String,
    /// Alerts of the incident, at least one, at most [`crate::story::CITED`].
    pub alerts: Vec<AlertId>,
}

/// What is kept of an answer. All it can do is be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Assisted {
    /// The story again, in other words; at most 12 sentences.
    pub said: Vec<Said>,
    /// What a person should look at first; at most 5. It raises attention and nothing else.
    pub look_at: Vec<Said>,
    /// What a person could do next; at most 5.
    pub next: Vec<Said>,
    /// Sentences that were left out, by reason.
    pub dropped: BTreeMap<Dropped, u32>,
}

impl Assisted {
    /// True when nothing was kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.said.is_empty() && self.look_at.is_empty() && self.next.is_empty()
    }
}

/// Why a sentence of a model is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dropped {
    /// It cites no alert.
    NoCitation,
    /// It cites or names something that was not sent: an alert, a placeholder, an address, a name, a number.
    Unknown,
    /// It holds a link or an address to write to.
    Link,
    /// It holds markup.
    Markup,
    /// It holds characters other than those of plain English text.
    Characters,
    /// It asks for less attention, or for a decision that is a person's.
    Lowers,
    /// It is longer than 400 characters, or empty.
    Length,
    /// There were too many.
    TooMany,
}

impl Dropped {
    /// In words, after "left out: 3 that …".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Dropped::NoCitation => "cite no alert",
            Dropped::Unknown => "name something that is not in the alerts",
            Dropped::Link => "hold a link",
            Dropped::Markup => "hold markup",
            Dropped::Characters => "hold odd characters",
            Dropped::Lowers => "ask for less attention, or decide for you",
            Dropped::Length => "are too long or empty",
            Dropped::TooMany => "were too many",
        }
    }
}

/// Why a model was not asked, or its answer is not shown. The story stands without it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAssisted {
    /// The incident is labelled above what may leave.
    #[error("this incident is TLP:{0} ({1}); at most TLP:{2} may be sent to the model")]
    Label(Tlp, String, Tlp),
    /// There is no sentence that rests on an alert.
    #[error("the story has no sentence that rests on an alert, so there is nothing to send")]
    Nothing,
    /// The budget of the day is spent.
    #[error(
        "the {0} questions a day that policies/assistant.yaml allows are used up; the next day begins at 00:00 UTC"
    )]
    Budget(u32),
    /// No answer came.
    #[error("the model gave no answer: {0}")]
    NoAnswer(String),
    /// What came is not the JSON that was asked for.
    #[error("the model's answer was not in the form that was asked for")]
    Form,
    /// Nothing of the answer could be kept.
    #[error("nothing of the model's answer could be kept: {0}")]
    NothingKept(String),
}

/// In words, what was left out; empty when nothing was.
#[must_use]
pub fn left_out(dropped: &BTreeMap<Dropped, u32>) -> String {
    let each: Vec<String> = dropped.iter().map(|(why, n)| format!("{n} that {}", why.words())).collect();
    each.join(", ")
}
