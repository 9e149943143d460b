//! What the shell must supply. The engine knows these traits, connectors and stores implement them,
//! and the server introduces them to each other.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::{Action, ActionKind, Alert, Fact, Failure, Flow, Notice, Observable, Observed, Span, Timestamp};

// ---------------------------------------------------------------------------------------- sources

/// Bytes from one source, as received, and what the parser needs to know about them.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// The body after transport decoding (gzip), byte for byte.
    pub body: &'a [u8],
    /// When it arrived; used only where the source gives no time of its own.
    pub received: Timestamp,
}

/// One record found in a delivery.
#[derive(Clone, Debug)]
pub struct Record {
    /// Where its bytes lie in the body.
    pub raw: std::ops::Range<usize>,
    /// What it says, or why it could not be read.
    pub parsed: Result<Parsed, Rejected>,
}

/// What a record turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Parsed {
    /// A claim that something is wrong (or is over).
    Alert {
        /// The claim.
        alert: Box<Alert>,
        /// What repeats of the same claim share, spelled the same by every tool that relays it,
        /// for example `suricata|1:2010937|10.0.254.30|10.0.0.101`. Never holds the source's name.
        group_key: String,
    },
    /// A record of traffic.
    Flow(Flow),
    /// Understood, kept, and of no use for a decision: for example a DNS log line.
    Context {
        /// What it was, for example `zeek dns`.
        what: String,
    },
}

/// Why a record could not be read, in words for the person who has to mend the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// What is wrong, where, and what would be right.
    pub reason: String,
}

/// A format that alerts arrive in. Pure: the same bytes give the same records.
pub trait Format: Send + Sync {
    /// The name used in configuration, for example `suricata`.
    fn name(&self) -> &'static str;

    /// Takes a body apart. Never fails as a whole and never panics: what cannot be read becomes a
    /// record with the reason, so that every byte of the body is accounted for. An empty body gives
    /// no records.
    fn parse(&self, delivery: Delivery<'_>) -> Vec<Record>;
}

// -------------------------------------------------------------------------------------- enrichers

/// Reference data held in memory: answers at once and cannot fail.
pub trait Reference: Send + Sync {
    /// The name shown beside its facts.
    fn name(&self) -> &str;

    /// All it knows about one observable at one site.
    fn look_up(&self, site: &str, about: &Observable) -> Vec<Fact>;
}

/// A look-up that may take time or fail.
#[async_trait]
pub trait Enricher: Send + Sync {
    /// The name shown beside its facts.
    fn name(&self) -> &str;

    /// The longest this enricher is waited for.
    fn deadline(&self) -> Span;

    /// True when it can say something about this kind of observable.
    fn knows(&self, about: &Observable) -> bool;

    /// All it knows about one observable at one site.
    ///
    /// # Errors
    /// The class of the failure; the caller records the answer as missing and goes on.
    async fn look_up(&self, site: &str, about: &Observable) -> Result<Vec<Fact>, Failure>;
}

// ------------------------------------------------------------------------------------- responders

/// A device we can change. All three verbs are idempotent by [`Action::id`], and each looks at the
/// device before it answers: an answer is never taken from memory.
#[async_trait]
pub trait Responder: Send + Sync {
    /// The name used in playbooks and configuration.
    fn name(&self) -> &str;

    /// True when nothing real is changed, so that every screen can say so.
    fn simulated(&self) -> bool;

    /// True when the device lifts the change by itself after the action's TTL.
    fn expires_by_itself(&self) -> bool;

    /// Addresses through which this device is managed: never to be blocked.
    fn management_addresses(&self) -> Vec<std::net::IpAddr>;

    /// True when this responder can make a change of this kind.
    fn can(&self, kind: &ActionKind) -> bool;

    /// Looks at what is there before the change and returns all that [`Responder::revert`] will need
    /// to know of it. It is journalled before anything is changed and comes back as
    /// `Action::before`. None: the way back needs no memory. Changes nothing.
    ///
    /// # Errors
    /// When the target could not be read, or must not be changed (a trunk, an account that is not
    /// there): then nothing is performed.
    async fn capture(&self, action: &Action) -> Result<Option<String>, Failure> {
        let _ = action;
        Ok(None)
    }

    /// Makes the change, then reads it back. Doing it twice is doing it once.
    ///
    /// # Errors
    /// `Unknown` when the change may have been made; any other class means that it was not.
    async fn perform(&self, action: &Action) -> Result<Observed, Failure>;

    /// Gives a change that is or was in place a new time to live, and reads it back. Called only where
    /// [`Responder::expires_by_itself`]: to put an end off, or to make again what somebody removed.
    ///
    /// # Errors
    /// As [`Responder::perform`].
    async fn renew(&self, action: &Action) -> Result<Observed, Failure> {
        self.revert(action).await?;
        self.perform(action).await
    }

    /// Looks, and changes nothing.
    ///
    /// # Errors
    /// When the device could not be read.
    async fn verify(&self, action: &Action) -> Result<Observed, Failure>;

    /// Takes our change back, and only ours; success when it was not there.
    ///
    /// # Errors
    /// `Unknown` when the change may still be in place.
    async fn revert(&self, action: &Action) -> Result<Observed, Failure>;
}

// ---------------------------------------------------------------------------------------- callers

/// Makes the calls that an operator has declared: over HTTP, or a program with fixed arguments.
#[async_trait]
pub trait Caller: Send + Sync {
    /// The name used in configuration.
    fn name(&self) -> &str;

    /// Whether a call of this name changes something outside; none when it is not declared here.
    fn changes(&self, call: &str) -> Option<bool>;

    /// Makes the call and returns what it answered. `key` is the same for every try of the same
    /// step and for no other: the other side may use it to recognise a repeat.
    ///
    /// # Errors
    /// The class of the failure; `Unknown` when it cannot be told whether the other side has done it.
    async fn call(
        &self,
        call: &str,
        key: &str,
        inputs: &BTreeMap<String, String>,
    ) -> Result<serde_json::Value, Failure>;
}

// -------------------------------------------------------------------------------------- notifiers

/// A way to tell people.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// The name used in configuration.
    fn name(&self) -> &str;

    /// Delivers, and returns the receipt the other side gave.
    ///
    /// # Errors
    /// The class of the failure; the caller tries again, because a duplicate is better than silence.
    async fn notify(&self, notice: &Notice) -> Result<String, Failure>;
}

// ---------------------------------------------------------------------------------------- journal

/// One entry about to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// What the entry belongs to, for example `intake` or `INC-3`.
    pub stream: String,
    /// What it says, for example `incident_opened`.
    pub kind: String,
    /// The facts, as JSON. Read in full at every start, so kept small.
    pub body: Vec<u8>,
    /// Bulk that is only read on demand (raw bytes, normalised alerts); covered by the chain.
    pub detail: Option<Vec<u8>>,
}

/// One entry as it stands in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// 1, 2, 3, … without gaps.
    pub seq: u64,
    /// When it was committed, by our own clock.
    pub at: Timestamp,
    /// What the entry belongs to.
    pub stream: String,
    /// What it says.
    pub kind: String,
    /// The facts, as JSON.
    pub body: Vec<u8>,
}

/// The end of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Sequence number of the last entry; 0 when the journal is empty.
    pub seq: u64,
    /// SHA-256 over it and everything before it.
    pub hash: [u8; 32],
}

/// Why the journal could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk refused. After a failed write nothing more may be acknowledged: stop and restart.
    #[error("the journal could not be {doing}: {why}")]
    Io {
        /// `read`, `written` or `opened`.
        doing: &'static str,
        /// What the storage layer said.
        why: String,
    },
    /// The chain does not hold.
    #[error("journal entry {seq} is not as it was written: {why}")]
    Broken {
        /// The first entry that does not fit.
        seq: u64,
        /// What does not fit.
        why: String,
    },
}

/// The append-only, hash-chained truth. One writer; entries of one `append` are all there or none.
pub trait Journal: Send {
    /// Writes the entries in order and returns only when they are on disk.
    ///
    /// # Errors
    /// Any error is final for this process: what was not confirmed must not be acknowledged, and
    /// the next start reads what really is on disk.
    fn append(&mut self, at: Timestamp, entries: &[NewEntry]) -> Result<Head, JournalError>;

    /// Where the chain ends now.
    fn head(&self) -> Head;

    /// Calls `each` for every entry after `after`, in order, until the end or its first error.
    ///
    /// # Errors
    /// When an entry cannot be read.
    fn replay(
        &self,
        after: u64,
        each: &mut dyn FnMut(Entry) -> Result<(), JournalError>,
    ) -> Result<(), JournalError>;

    /// A second way in, for readers: details of old entries.
    ///
    /// # Errors
    /// When no further connection can be opened.
    fn reader(&self) -> Result<Box<dyn JournalReader>, JournalError>;
}

/// Reads beside the one writer, from any thread.
pub trait JournalReader: Send {
    /// The bulk of one entry, if it has any.
    ///
    /// # Errors
    /// When it cannot be read.
    fn detail(&mut self, seq: u64) -> Result<Option<Vec<u8>>, JournalError>;

    /// Up to `limit` entries after `after`.
    ///
    /// # Errors
    /// When they cannot be read.
    fn entries(&mut self, after: u64, limit: usize) -> Result<Vec<Entry>, JournalError>;

    /// Recomputes the whole chain, entries and details, and returns its end.
    ///
    /// # Errors
    /// [`JournalError::Broken`] with the first entry that does not fit.
    fn verify(&mut self, progress: &mut dyn FnMut(u64)) -> Result<Head, JournalError>;
}
