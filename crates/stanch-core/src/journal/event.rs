//! Stored facts. Their JSON is a promise: fields may be added, never renamed or given new meaning.

mod access;
mod alert;
mod change;
mod desk;
mod erased;
mod incident;
mod run;

use serde::{Deserialize, Serialize};
use stanch_model::{SilenceId, Timestamp};

pub use access::*;
pub use alert::*;
pub use change::*;
pub use desk::FilterKept;
pub use erased::Erased;
pub use incident::*;
pub use run::*;

use crate::contain::Approval;

/// All that can ever have happened.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // each variant carries a struct that says what it means
pub enum Event {
    Intake(Intake),
    Assessed(Assessed),
    Enriched(Enriched),
    IncidentOpened(IncidentOpened),
    AlertsJoined(AlertsJoined),
    AlertsMoved(AlertsMoved),
    IncidentsMerged(IncidentsMerged),
    IncidentsUnmerged(IncidentsUnmerged),
    Routed(Routed),
    Escalated(Escalated),
    PageHeld(PageHeld),
    Acknowledged(ByPerson),
    Noted(ByPerson),
    Resolved(ByPerson),
    Judged(super::opinion::Judged),
    ModelGrown(super::learnt::ModelGrown),
    LookedAgain(LookedAgain),
    RunStarted(RunStarted),
    StepBegan(StepBegan),
    StepTried(StepTried),
    StepDone(StepDone),
    RunUnwinding(RunUnwinding),
    RunResumed(RunResumed),
    RunEnded(RunEnded),
    TaskOpened(Box<TaskOpened>),
    TaskAnswered(TaskAnswered),
    ApprovalRequested(Box<Approval>),
    ApprovalVoted(ApprovalVoted),
    ApprovalReminded(ApprovalReminded),
    ApprovalSettled(ApprovalSettled),
    Announced(Box<Announced>),
    Vetoed(Vetoed),
    ActionPermitted(ActionPermitted),
    ActionCaptured(ActionCaptured),
    ActionObserved(ActionObserved),
    ActionEnded(ActionEnded),
    LeaseJoined(LeaseJoined),
    LeaseLeft(LeaseLeft),
    LeaseRenewed(LeaseRenewed),
    Intended(Intended),
    Settled(Settled),
    Withheld(Withheld),
    SilenceSet(SilenceSet),
    SilenceEnded(SilenceEnded),
    AlertsClosed(AlertsClosed),
    OccurrenceSplit(OccurrenceSplit),
    FilterKept(FilterKept),
    Loaded(Loaded),
    KillSwitch(KillSwitch),
    AccessChanged(AccessChanged),
    Erased(Erased),
}

/// A silence set by a person at run time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SilenceSet {
    /// Its name.
    pub silence: SilenceId,
    /// As written: all must match.
    pub matchers: Vec<String>,
    /// Until when.
    pub until: Timestamp,
    /// By whom.
    pub by: String,
    /// Why.
    pub comment: String,
}

/// A silence taken back before its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SilenceEnded {
    /// Which.
    pub silence: SilenceId,
    /// By whom.
    pub by: String,
}

/// A configuration was put in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loaded {
    /// SHA-256 over the folder.
    pub hash: String,
    /// Version of this program.
    pub version: String,
    /// By whom.
    pub by: String,
    /// The playbook that was saved, where that is why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved: Option<PlaybookSaved>,
}

/// A playbook was saved through the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaybookSaved {
    /// Its name.
    pub playbook: String,
    /// SHA-256 of its text, in hexadecimal: what runs are pinned to.
    pub hash: String,
    /// Who saved it.
    pub by: String,
}

/// Changes to the outside world were stopped, or allowed again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KillSwitch {
    /// True: stopped.
    pub engaged: bool,
    /// By whom.
    pub by: String,
    /// Only for this responder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub responder: Option<String>,
    /// Only for this playbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playbook: Option<String>,
}
