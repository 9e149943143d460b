//! All that can ever wake the engine.

use stanch_core::journal::event::{Effect, PlaybookSaved};
use stanch_core::journal::learnt::Grown;
use stanch_model::port::Record;
use stanch_model::{EffectId, Fact, Failure, Observed, Span, Timestamp};
use tokio::sync::oneshot;

use crate::command::{Command, CommandError, Done};
use crate::rules::Rules;

/// One delivery, taken apart but not yet judged.
#[derive(Debug)]
pub struct Received {
    /// From which source; its name in the configuration.
    pub source: String,
    /// Whose network that source watches.
    pub site: String,
    /// The body after transport decoding, byte for byte.
    pub body: Vec<u8>,
    /// What was found in it.
    pub records: Vec<Record>,
    /// Set when this is a second try at a quarantined record.
    pub retry_of: Option<u64>,
}

/// What became of a delivery. Sent only after the disk has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Ack {
    /// Records taken in.
    pub accepted: u64,
    /// Of them: alerts not seen before.
    pub new: u64,
    /// Of them: counted on known alerts.
    pub merged: u64,
    /// Of them: flows and logs.
    pub context: u64,
    /// Of them: could not be read; kept, listed, can be tried again.
    pub quarantined: u64,
    /// Journal entry that holds them.
    pub entry: u64,
    /// Names of the new alerts, at most 32.
    pub alerts: Vec<String>,
    /// Commits it waited for, its own among them: 1 where it did not have to wait behind others.
    #[serde(skip)]
    pub waited: u64,
}

/// The disk cannot keep up: nothing was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("intake is full; try again in {0}")]
pub struct Busy(pub Span);

/// All that can ever wake the engine.
pub(crate) enum Input {
    /// Alerts came in, then. The permit keeps their place in the queue until they are answered.
    Received((Received, Timestamp), oneshot::Sender<Ack>, tokio::sync::OwnedSemaphorePermit),
    /// A person asked for something.
    Ordered(Command, oneshot::Sender<Result<Done, CommandError>>),
    /// Something outside answered.
    Settled(EffectId, Outcome),
    /// A model was grown that knows the first so many verdicts.
    Grown(u64, Grown),
    /// Time has passed.
    Tick,
    /// New rules are in force.
    Reloaded(Box<Rules>, Loader, oneshot::Sender<()>),
    /// Finish what is in hand and stop.
    Stop,
}

/// Who puts rules in force, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loader {
    /// In words, as the journal will show it.
    pub by: String,
    /// The playbook that was saved, where that is why.
    pub saved: Option<PlaybookSaved>,
}

impl From<&str> for Loader {
    fn from(by: &str) -> Loader {
        Loader { by: by.to_owned(), saved: None }
    }
}

/// What came of an effect.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Of a look-up: every answer, each late or failed one too.
    Looked(Vec<Answer>),
    /// Of a notice: the receipt.
    Told(Result<String, Failure>),
    /// Of a declared call: what it answered.
    Fetched(Result<serde_json::Value, Failure>),
    /// Of a look before a change: what its undoing will need.
    Captured(Result<Option<String>, Failure>),
    /// Of a change, a look or a release.
    Changed(Result<Observed, Failure>),
}

/// One enricher's answer about one observable.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Which enricher.
    pub provider: String,
    /// About what.
    pub about: stanch_model::Observable,
    /// What it said.
    pub outcome: Result<Vec<Fact>, Failure>,
    /// How long it took.
    pub took: Span,
}

/// An effect on its way out, with the number it must be settled under.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) id: EffectId,
    pub(crate) what: Effect,
}
