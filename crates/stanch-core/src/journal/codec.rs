//! Events to journal entries and back. The entry's `kind` says which event it is, so that a start
//! over millions of entries never has to guess.

use serde::{Deserialize, Serialize};
use stanch_model::port::{Entry, NewEntry};
use stanch_model::{ApprovalId, RunId};

use super::event::{ActionPermitted, Event};
use crate::contain::Permit;
use crate::decided::Reason;

/// An entry this program cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("journal entry {seq} ({kind}) cannot be read: {why}; it was written by a newer or a foreign program")]
pub struct Undecodable {
    /// Which entry.
    pub seq: u64,
    /// What it claims to be.
    pub kind: String,
    /// What did not fit.
    pub why: String,
}

/// The permit in an entry: only the decoder in this module may turn it back into a permit.
#[derive(Serialize, Deserialize)]
struct StoredPermit {
    run: RunId,
    action: stanch_model::Action,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    approval: Option<ApprovalId>,
    because: Vec<Reason>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    step: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    preauthorised: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    lasting: bool,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    seal: String,
}

macro_rules! kinds {
    ($($variant:ident => $kind:literal, $stream:expr;)*) => {
        /// Every kind of entry that this program writes.
        pub const KINDS: &[&str] = &[$($kind,)* "action_permitted"];

        /// Writes an event as a journal entry, with its bulk beside it.
        #[must_use]
        pub fn encode(event: &Event, detail: Option<Vec<u8>>) -> NewEntry {
            let (kind, stream, body) = match event {
                $(Event::$variant(e) => {
                    let stream: fn(&_) -> String = $stream;
                    ($kind, stream(e), serde_json::to_vec(e))
                })*
                Event::ActionPermitted(e) => {
                    let stored = StoredPermit {
                        run: e.run,
                        action: e.permit.action().clone(),
                        approval: e.approval,
                        because: e.because.clone(),
                        step: e.step.clone(),
                        preauthorised: e.preauthorised.clone(),
                        lasting: e.lasting,
                        seal: e.seal.clone(),
                    };
                    ("action_permitted", e.permit.action().incident.to_string(), serde_json::to_vec(&stored))
                }
            };
            // Our own types hold no maps with odd keys and no failing serialisers.
            NewEntry { stream, kind: kind.to_owned(), body: body.unwrap_or_default(), detail }
        }

        /// Reads an event back.
        ///
        /// # Errors
        /// [`Undecodable`] when the kind is not known or the body does not fit it.
        pub fn decode(entry: &Entry) -> Result<Event, Undecodable> {
            let bad = |why: String| Undecodable { seq: entry.seq, kind: entry.kind.clone(), why };
            match entry.kind.as_str() {
                $($kind => serde_json::from_slice(&entry.body).map(Event::$variant).map_err(|e| bad(e.to_string())),)*
                "action_permitted" => {
                    let s: StoredPermit = serde_json::from_slice(&entry.body).map_err(|e| bad(e.to_string()))?;
                    Ok(Event::ActionPermitted(ActionPermitted {
                        run: s.run,
                        permit: Permit::from_journal(s.action),
                        approval: s.approval,
                        because: s.because,
                        step: s.step,
                        preauthorised: s.preauthorised,
                        lasting: s.lasting,
                        seal: s.seal,
                    }))
                }
                _ => Err(bad("unknown kind".into())),
            }
        }
    };
}

kinds! {
    Intake => "intake", |_: &super::event::Intake| "intake".into();
    Assessed => "assessed", |_: &super::event::Assessed| "intake".into();
    Enriched => "enriched", |e: &super::event::Enriched| e.alert.to_string();
    IncidentOpened => "incident_opened", |e: &super::event::IncidentOpened| e.incident.to_string();
    AlertsJoined => "alerts_joined", |e: &super::event::AlertsJoined| e.incident.to_string();
    AlertsMoved => "alerts_moved", |e: &super::event::AlertsMoved| e.from.to_string();
    IncidentsMerged => "incidents_merged", |e: &super::event::IncidentsMerged| e.into.to_string();
    IncidentsUnmerged => "incidents_unmerged", |e: &super::event::IncidentsUnmerged| e.from.to_string();
    Routed => "routed", |e: &super::event::Routed| e.incident.to_string();
    Escalated => "escalated", |e: &super::event::Escalated| e.incident.to_string();
    PageHeld => "page_held", |e: &super::event::PageHeld| e.incident.to_string();
    Acknowledged => "acknowledged", |e: &super::event::ByPerson| e.incident.to_string();
    Noted => "noted", |e: &super::event::ByPerson| e.incident.to_string();
    Resolved => "resolved", |e: &super::event::ByPerson| e.incident.to_string();
    Judged => "judged", |e: &super::opinion::Judged| e.incident.to_string();
    LookedAgain => "looked_again", |_: &super::event::LookedAgain| "alerts".into();
    ModelGrown => "model_grown", |_: &super::learnt::ModelGrown| "judgement".into();
    RunStarted => "run_started", |e: &super::event::RunStarted| {
        e.incident.map_or_else(|| e.run.to_string(), |i| i.to_string())
    };
    StepBegan => "step_began", |e: &super::event::StepBegan| e.run.to_string();
    StepTried => "step_tried", |e: &super::event::StepTried| e.run.to_string();
    StepDone => "step_done", |e: &super::event::StepDone| e.run.to_string();
    RunUnwinding => "run_unwinding", |e: &super::event::RunUnwinding| e.run.to_string();
    TaskOpened => "task_opened", |e: &super::event::TaskOpened| e.run.to_string();
    TaskAnswered => "task_answered", |e: &super::event::TaskAnswered| e.task.to_string();
    RunResumed => "run_resumed", |e: &super::event::RunResumed| e.run.to_string();
    RunEnded => "run_ended", |e: &super::event::RunEnded| e.run.to_string();
    ApprovalRequested => "approval_requested", |e: &crate::contain::Approval| e.incident.to_string();
    ApprovalVoted => "approval_voted", |e: &super::event::ApprovalVoted| e.approval.to_string();
    ApprovalReminded => "approval_reminded", |e: &super::event::ApprovalReminded| e.approval.to_string();
    Announced => "announced", |e: &super::event::Announced| e.action.incident.to_string();
    Vetoed => "vetoed", |e: &super::event::Vetoed| e.action.to_string();
    LeaseJoined => "lease_joined", |e: &super::event::LeaseJoined| e.incident.to_string();
    LeaseLeft => "lease_left", |e: &super::event::LeaseLeft| e.incident.to_string();
    LeaseRenewed => "lease_renewed", |e: &super::event::LeaseRenewed| e.action.to_string();
    ApprovalSettled => "approval_settled", |e: &super::event::ApprovalSettled| e.approval.to_string();
    ActionCaptured => "action_captured", |e: &super::event::ActionCaptured| e.action.to_string();
    ActionObserved => "action_observed", |e: &super::event::ActionObserved| e.action.to_string();
    ActionEnded => "action_ended", |e: &super::event::ActionEnded| e.action.to_string();
    Intended => "intended", |e: &super::event::Intended| e.effect.to_string();
    Settled => "settled", |e: &super::event::Settled| e.effect.to_string();
    Withheld => "withheld", |e: &super::event::Withheld| e.incident.to_string();
    SilenceSet => "silence_set", |e: &super::event::SilenceSet| e.silence.to_string();
    SilenceEnded => "silence_ended", |e: &super::event::SilenceEnded| e.silence.to_string();
    AlertsClosed => "alerts_closed", |_: &super::event::AlertsClosed| "intake".into();
    OccurrenceSplit => "occurrence_split", |e: &super::event::OccurrenceSplit| e.from.to_string();
    FilterKept => "filter_kept", |e: &super::event::FilterKept| e.person.clone();
    KillSwitch => "kill_switch", |_: &super::event::KillSwitch| "stanch".into();
    AccessChanged => "access_changed", |_: &super::event::AccessChanged| "access".into();
    Erased => "erased", |_: &super::event::Erased| "stanch".into();
    Loaded => "loaded", |_: &super::event::Loaded| "stanch".into();
}
