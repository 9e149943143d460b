//! Facts about changes to the outside world: asked, allowed, made, seen, shared, over; and intentions of every kind.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stanch_model::{
    Action, ActionId, AlertId, ApprovalId, EffectId, Failure, IncidentId, Notice, Observable, Observed,
    RunId, Timestamp,
};

use crate::contain::{FreshProof, Permit};
use crate::decided::Reason;

/// One yes of several that a question takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApprovalVoted {
    /// Which question.
    pub approval: ApprovalId,
    /// Who.
    pub by: String,
    /// The digest of what that person was shown.
    pub digest: String,
    /// What they said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The fresh proof of the person that it came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<FreshProof>,
}

/// A question waited, and more people were told. They may only answer if they might before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApprovalReminded {
    /// Which question.
    pub approval: ApprovalId,
    /// Who was told.
    pub teams: Vec<String>,
}

/// A change that will be made at `at` unless the NOC says no before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Announced {
    /// For which run.
    pub run: RunId,
    /// At which of its steps.
    pub step: String,
    /// What will be done.
    pub action: Action,
    /// The approval it rests on, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalId>,
    /// When it will be done.
    pub at: Timestamp,
}

/// The NOC said no to an announced change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vetoed {
    /// Which change.
    pub action: ActionId,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Another incident rests on a change that is in force already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeaseJoined {
    /// Which change.
    pub action: ActionId,
    /// Which incident.
    pub incident: IncidentId,
    /// For which run.
    pub run: RunId,
    /// At which of its steps.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub step: String,
}

/// An incident no longer needs a change that others still rest on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeaseLeft {
    /// Which change.
    pub action: ActionId,
    /// Which incident.
    pub incident: IncidentId,
    /// By whom: a person, or `stanch`.
    pub by: String,
}

/// The end of a change was put off: a new decision, with a question and an answer of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeaseRenewed {
    /// Which change.
    pub action: ActionId,
    /// Its new end.
    pub until: Timestamp,
    /// The approval it rests on.
    pub approval: ApprovalId,
    /// Our seal on all of this.
    pub seal: String,
}

/// A question was answered, or ran out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApprovalSettled {
    /// Which.
    pub approval: ApprovalId,
    /// How.
    pub answer: Answered,
    /// By whom: a person, or `stanch` when it ran out.
    pub by: String,
    /// The digest of what that person was shown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// What they said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Our seal on a yes: without it the yes is not acted upon.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub seal: String,
    /// The fresh proof of the person that it came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<FreshProof>,
}

/// How a question was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answered {
    /// Yes.
    Approved,
    /// No.
    Denied,
    /// Nobody answered in time.
    Expired,
    /// What it asked for no longer applies.
    Withdrawn,
}

/// The guard agreed to a change.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionPermitted {
    /// For which run.
    pub run: RunId,
    /// The permit: the action and why it may happen.
    pub permit: Permit,
    /// The approval it rests on, if any.
    pub approval: Option<ApprovalId>,
    /// Why the guard agreed.
    pub because: Vec<Reason>,
    /// At which of the run's steps; empty in journals of the first version.
    pub step: String,
    /// The pre-authorisation it rests on, if any.
    pub preauthorised: Option<String>,
    /// True when it cannot be undone, and so has no end.
    pub lasting: bool,
    /// Our seal: without it the change is not made.
    pub seal: String,
}

/// What was there before a change, as its responder read it. Nothing has been changed yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionCaptured {
    /// Which action.
    pub action: ActionId,
    /// What its undoing will need; none when it needs no memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

/// What the device showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionObserved {
    /// Which action.
    pub action: ActionId,
    /// What was there.
    pub observed: Observed,
    /// When, by our clock, the change should end: set when it is first seen in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// A change is over, one way or another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionEnded {
    /// Which action.
    pub action: ActionId,
    /// How.
    pub end: ActionEnd,
    /// In words.
    pub why: String,
}

/// How a change ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionEnd {
    /// Lifted, and seen to be gone.
    Lifted,
    /// Never made.
    Failed,
    /// We cannot tell; a person has to look.
    Unknown,
}

/// An intention: carried out after the commit, at least once, until it is settled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intended {
    /// Its name, and the idempotency key towards the outside.
    pub effect: EffectId,
    /// What to do.
    pub what: Effect,
}

/// What to do outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Effect {
    /// Ask all enrichers at once.
    LookUp {
        /// For which alert.
        alert: AlertId,
        /// At which site.
        site: String,
        /// About what.
        about: Vec<Observable>,
    },
    /// Tell people.
    Notify {
        /// Through which notifier.
        notifier: String,
        /// What.
        notice: Notice,
        /// True when this is the notice to the NOC about a change.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        noc: bool,
    },
    /// Ask all enrichers at once, for a step of a run.
    Enrich {
        /// For which run.
        run: RunId,
        /// For which of its steps.
        path: String,
        /// At which site.
        site: String,
        /// About what.
        about: Vec<Observable>,
    },
    /// Make a declared call that changes nothing outside, for a step of a run.
    Fetch {
        /// For which run.
        run: RunId,
        /// For which of its steps.
        path: String,
        /// Which call.
        call: String,
        /// Its inputs.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        inputs: BTreeMap<String, String>,
    },
    /// Look what is there before a change is made, and remember it.
    Capture {
        /// Before which change.
        action: ActionId,
    },
    /// Make a change. The permit itself was journalled just before, under this action.
    Perform {
        /// Which.
        action: ActionId,
    },
    /// Look whether a change is in place.
    Verify {
        /// Which.
        action: Action,
    },
    /// Take a change back. Needs no permit: undoing is always allowed.
    Revert {
        /// Which.
        action: Action,
    },
}

/// A message that a channel was spared: it had too many, and the storm message counts it; or it is left in peace,
/// and its next digest tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withheld {
    /// Through which notifier it would have gone.
    pub notifier: String,
    /// To which channel.
    pub channel: String,
    /// About which incident; number 0 when about none.
    pub incident: IncidentId,
    /// Which message.
    pub key: String,
    /// True when it waits for the channel's digest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub digest: bool,
    /// What it would have said, where that is not its incident: for the digest.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
}

/// What came of an intention.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settled {
    /// Which.
    pub effect: EffectId,
    /// None: done. Otherwise what went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Set when it is to be tried again, and from when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// What the other side said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub receipt: String,
}
