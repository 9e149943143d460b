//! What people can ask for. Who they are and what they may do has been checked by the shell.

use std::collections::BTreeSet;

use serde::Serialize;
use stanch_core::config::Role;
use stanch_core::contain::FreshProof;
use stanch_core::journal::event::Access;
use stanch_core::stage::health::Ailment;
use stanch_model::{ActionId, AlertId, ApprovalId, IncidentId, RunId, SilenceId, Span, Timestamp};

use crate::input::{Ack, Received};
use crate::runs::{Start, TaskReply};

/// Who asks.
#[derive(Clone, Debug)]
pub struct Who {
    /// The name in the journal.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Their teams.
    pub teams: BTreeSet<String>,
}

/// Longest name of a filter, in characters.
pub const MAX_FILTER_NAME: usize = 60;
/// Longest query of a filter, in bytes.
pub const MAX_FILTER: usize = 4 * 1024;
/// Most filters a person keeps.
pub const MAX_FILTERS: usize = 50;

/// What people can ask for.
#[derive(Debug)]
pub enum Command {
    /// Take an incident.
    Acknowledge {
        /// Which.
        incident: IncidentId,
        /// Who.
        who: Who,
    },
    /// Write something down on an incident.
    Note {
        /// Which.
        incident: IncidentId,
        /// Who.
        who: Who,
        /// What.
        text: String,
    },
    /// Close an incident. Refused while a change of it is in force, unless `leave_changes`.
    Resolve {
        /// Which.
        incident: IncidentId,
        /// Who.
        who: Who,
        /// Why.
        text: String,
        /// True: changes in force run to their end.
        leave_changes: bool,
    },
    /// Say what an incident turned out to be.
    Judge {
        /// Which.
        incident: IncidentId,
        /// Who.
        who: Who,
        /// What it was.
        opinion: stanch_core::journal::opinion::Opinion,
        /// For a duplicate: of which incident.
        of: Option<IncidentId>,
        /// For the wrong team: which would have been the right one.
        team: Option<String>,
        /// Why.
        text: String,
    },
    /// Make one incident a part of another.
    Merge {
        /// The part.
        from: IncidentId,
        /// The one that goes on.
        into: IncidentId,
        /// Who.
        who: Who,
        /// Why.
        because: String,
    },
    /// Take a part out again.
    Unmerge {
        /// The part.
        incident: IncidentId,
        /// Who.
        who: Who,
    },
    /// Move alerts out of an incident: into a new one, or into `to`.
    Split {
        /// Out of which.
        from: IncidentId,
        /// Which alerts.
        alerts: Vec<AlertId>,
        /// Into which; none opens a new one.
        to: Option<IncidentId>,
        /// Who.
        who: Who,
    },
    /// Answer a question.
    Decide {
        /// Which.
        approval: ApprovalId,
        /// Who.
        who: Who,
        /// The digest of what they were shown.
        digest: String,
        /// Yes or no.
        approve: bool,
        /// In their words.
        reason: Option<String>,
        /// What they have proved just now, for this very question.
        proof: Option<FreshProof>,
    },
    /// Lift a change before its end.
    Release {
        /// Which.
        action: ActionId,
        /// Who.
        who: Who,
        /// Why.
        reason: String,
        /// Only for this incident: where others rest on the change too, it stays for them.
        only: Option<IncidentId>,
    },
    /// Ask people whether a change may go on for longer.
    Renew {
        /// Which.
        action: ActionId,
        /// For how long from now.
        ttl: Span,
        /// Who asks.
        who: Who,
        /// Why.
        reason: String,
    },
    /// Say no for the NOC to a change that was announced.
    Veto {
        /// Which.
        action: ActionId,
        /// Who.
        who: Who,
        /// Why.
        reason: String,
    },
    /// Keep a filter of the queue for oneself, or give it up.
    KeepFilter {
        /// What it is called: at most [`MAX_FILTER_NAME`] characters.
        name: String,
        /// The query of the queue's address: at most [`MAX_FILTER`] bytes; none gives it up.
        search: Option<String>,
        /// Who.
        who: Who,
    },
    /// Make alerts quiet for a while.
    Silence {
        /// As written: all must match.
        matchers: Vec<String>,
        /// Until when.
        until: Timestamp,
        /// Why.
        comment: String,
        /// Who.
        who: Who,
    },
    /// Take a silence back.
    Unsilence {
        /// Which.
        silence: SilenceId,
        /// Who.
        who: Who,
    },
    /// Try a quarantined record again, parsed anew by the shell.
    Retry {
        /// Its number.
        quarantine: u64,
        /// The record.
        received: Received,
        /// Who.
        who: Who,
    },
    /// Take a merged record out of its alert again; `received` holds just that record.
    SplitOccurrence {
        /// Out of which alert.
        alert: AlertId,
        /// Where the record lies: entry, delivery, record.
        place: (u64, u32, u32),
        /// The record.
        received: Received,
        /// Who.
        who: Who,
    },
    /// Begin a run of a playbook.
    Start {
        /// What is asked for.
        asked: Start,
        /// Who asks: a person, or a source.
        who: Who,
    },
    /// Let a run that ended in a person's hands go on from the step that failed.
    Resume {
        /// Which run.
        run: RunId,
        /// Who.
        who: Who,
        /// Why; may be empty.
        reason: String,
    },
    /// Answer a task.
    AnswerTask {
        /// The answer.
        reply: TaskReply,
        /// Who.
        who: Who,
    },
    /// Nothing new is changed outside while this is on. Undoing stays possible.
    KillSwitch {
        /// On or off.
        engaged: bool,
        /// What is stopped.
        stops: Stops,
        /// Who.
        who: Who,
    },
    /// Tell people that something of Stanch's own is out of order, or in order again: as an alert of the
    /// source `stanch`, which opens an incident and wakes whoever answers for it.
    Ails {
        /// What.
        ailment: Box<Ailment>,
    },
    /// Take away what lies beside old entries. Refused while an open incident or a change in force rests on any of it.
    Erase {
        /// Beside which entries: ranges, both ends counted.
        details: Vec<(u64, u64)>,
        /// How many details that are.
        n: u64,
        /// Their bytes, as stored.
        bytes: u64,
        /// Why: `retention`.
        why: String,
        /// On whose order.
        who: Who,
    },
    /// Write down who was let in, or what was changed about who may come in. Changes nothing here.
    Access {
        /// What.
        what: Access,
        /// About whom.
        of: String,
        /// In words; may be empty.
        says: String,
        /// Who.
        who: Who,
    },
}

/// What a kill switch stops.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stops {
    /// Everything.
    #[default]
    Everything,
    /// All changes of one responder.
    Responder(String),
    /// All changes of one playbook.
    Playbook(String),
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    /// In words.
    pub message: String,
    /// The incident concerned, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// The run concerned, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// For a second try: what became of the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ack: Option<Ack>,
}

/// Why it was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is no such thing.
    #[error("there is no {0}")]
    NotFound(String),
    /// It does not fit the state of things.
    #[error("{0}")]
    Conflict(String),
    /// The rules forbid it.
    #[error("{0}")]
    Refused(String),
    /// It takes a fresh proof of the person.
    #[error("{0}")]
    Unproved(String),
    /// What was asked makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The engine is stopping.
    #[error("stanch is stopping")]
    Stopping,
}
