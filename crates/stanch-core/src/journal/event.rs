//! Stored facts. Their JSON is a promise: fields may be added, never renamed or given new meaning.

mod access;
mod desk;
mod run;

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use stanch_model::{
    Action, ActionId, AlertId, ApprovalId, EffectId, Fact, Failure, Flow, IncidentId, Notice, Observable,
    Observed, RunId, Severity, SilenceId, Timestamp,
};

pub use access::*;
pub use desk::FilterKept;
pub use run::*;

use crate::contain::{Approval, Permit};
use crate::decided::Reason;
use crate::stage::kill_chain::Stage;

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
    Acknowledged(ByPerson),
    Noted(ByPerson),
    Resolved(ByPerson),
    Judged(super::opinion::Judged),
    ModelGrown(super::learnt::ModelGrown),
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
    SilenceSet(SilenceSet),
    SilenceEnded(SilenceEnded),
    AlertsClosed(AlertsClosed),
    OccurrenceSplit(OccurrenceSplit),
    FilterKept(FilterKept),
    Loaded(Loaded),
    KillSwitch(KillSwitch),
    AccessChanged(AccessChanged),
}

/// Deliveries that came in, and what became of each record. The bytes lie in the entry's detail.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Intake {
    /// In the order they arrived.
    pub deliveries: Vec<Delivered>,
}

/// One delivery. Every record of it is in exactly one of the lists, by its index.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Delivered {
    /// From which source.
    pub source: String,
    /// Whose network that source watches.
    pub site: String,
    /// When it came in; 0 means with the entry.
    #[serde(default)]
    pub arrived: Timestamp,
    /// How many records it held.
    pub n: u32,
    /// Set when this is a second try at a quarantined record: then nothing new was received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<u64>,
    /// Rules never heard of before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleSeen>,
    /// Alerts not seen before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new: Vec<NewAlert>,
    /// Repeats, redeliveries and relays of alerts seen before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<Merged>,
    /// Flow records: context, not claims.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flows: Vec<(u32, Flow)>,
    /// Other context.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub context: Vec<(u32, String)>,
    /// Records that could not be read, with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<(u32, String)>,
}

/// A rule, named once, so that millions of alerts need not repeat it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleSeen {
    /// Its fingerprint.
    pub rule: u64,
    /// Whose rule it is.
    pub product: String,
    /// Its name as people read it.
    pub name: String,
    /// Its name within the product, as matchers of silences write it. Empty in old journals.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// ATT&CK techniques its source gives for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub techniques: Vec<String>,
}

/// An alert not seen before. A tuple in JSON, because there may be millions to read at start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewAlert(
    /// Index of its record in the delivery.
    pub u32,
    /// Its name.
    pub AlertId,
    /// What repeats of it share.
    pub Key,
    /// When it happened, by the source's clock.
    pub Timestamp,
    /// The source's severity.
    pub Severity,
    /// The entities it speaks of.
    pub Ends,
    /// Fingerprint of the rule within its product.
    pub u64,
    /// Fingerprint of this very delivery, to tell a redelivery from a repeat.
    pub u64,
);

/// The entities an alert speaks of, short.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ends {
    /// Who opened the connection.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub src: Option<IpAddr>,
    /// Who was reached.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub dst: Option<IpAddr>,
    /// On which port.
    #[serde(rename = "p", default, skip_serializing_if = "is_zero")]
    pub port: u16,
    /// Machine names and accounts, as `host:web-1` and `user:root`.
    #[serde(rename = "w", default, skip_serializing_if = "Vec::is_empty")]
    pub who: Vec<String>,
    /// A full exchange was seen, so that the source address cannot be forged.
    #[serde(rename = "e", default, skip_serializing_if = "std::ops::Not::not")]
    pub established: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
fn is_zero(port: &u16) -> bool {
    *port == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
fn untrained(model: &u64) -> bool {
    *model == 0
}

/// A record that was counted, not reopened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Merged(
    /// Index of its record in the delivery.
    pub u32,
    /// Into which alert.
    pub AlertId,
    /// When it happened.
    pub Timestamp,
    /// Why.
    pub MergeCause,
    /// The severity it claimed; a merge never lowers the alert's.
    pub Severity,
    /// Fingerprint of this very delivery.
    pub u64,
);

/// Why a record was merged into an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MergeCause {
    /// The same thing happened again within the window.
    #[serde(rename = "r")]
    Repeat,
    /// The same record was sent again.
    #[serde(rename = "d")]
    Redelivery,
    /// Another tool relayed the same alert.
    #[serde(rename = "x")]
    Relay,
    /// The source says it is over.
    #[serde(rename = "z")]
    Resolution,
}

impl MergeCause {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            MergeCause::Repeat => "the same rule on the same machines within the window",
            MergeCause::Redelivery => "the same record, sent again",
            MergeCause::Relay => "the same alert, relayed by another tool",
            MergeCause::Resolution => "the source says it is over",
        }
    }
}

/// What repeats of an alert share: 128 bits of a SHA-256. 32 hexadecimal digits in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub u128);

impl Serialize for Key {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:032x}", self.0))
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map(Key).map_err(serde::de::Error::custom)
    }
}

/// Verdicts of suppress and triage over new alerts. Reasons lie in the entry's detail.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Assessed {
    /// One for each alert.
    pub items: Vec<Assessment>,
    /// The model that scored them: it knew so many verdicts; 0 for the untrained one.
    #[serde(default, skip_serializing_if = "untrained")]
    pub model: u64,
}

/// One verdict. A tuple in JSON, because there may be millions to read at start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assessment(
    /// Which alert.
    pub AlertId,
    /// What became of it.
    pub Verdict,
    /// Probability that it matters, in thousandths.
    pub u16,
    /// Where in an attack it belongs.
    pub Stage,
);

/// What became of a new alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Waiting: neither quiet nor yet part of an incident.
    #[serde(rename = "o")]
    Open,
    /// Quiet, because of this silence or window.
    #[serde(rename = "q")]
    Suppressed(String),
}

/// Answers of the look-ups for one alert, and the score after them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Enriched {
    /// Which alert.
    pub alert: AlertId,
    /// What was learnt.
    pub facts: Vec<Fact>,
    /// Who did not answer, and why: the result is partial when this is not empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
    /// Probability that it matters, in thousandths, with the facts.
    pub score: u16,
    /// Why.
    pub because: Vec<Reason>,
}

/// A look-up without an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Which enricher.
    pub provider: String,
    /// About what.
    pub about: Observable,
    /// Why.
    pub failure: Failure,
}

/// A new incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentOpened {
    /// Its name.
    pub incident: IncidentId,
    /// Whose network.
    pub site: String,
    /// Why it was opened.
    pub because: Vec<Reason>,
}

/// Alerts that belong to an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertsJoined {
    /// Which incident.
    pub incident: IncidentId,
    /// Which alerts, with what the story needs of them.
    pub alerts: Vec<Joined>,
}

/// What the story needs of an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Joined {
    /// Which alert.
    pub alert: AlertId,
    /// When it happened.
    pub time: Timestamp,
    /// The rule, as people read it.
    pub rule: String,
    /// Who made the claim.
    pub product: String,
    /// From which source it came.
    pub source: String,
    /// Harm if true, recalibrated.
    pub severity: Severity,
    /// Score in thousandths.
    pub score: u16,
    /// Where in an attack it belongs.
    pub stage: Stage,
    /// Whom it speaks of.
    pub ends: Ends,
    /// ATT&CK techniques, where known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub techniques: Vec<String>,
    /// Why it belongs here.
    pub because: String,
}

/// Alerts moved by a person from one incident to another (a split, or its undoing).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertsMoved {
    /// From which.
    pub from: IncidentId,
    /// To which.
    pub to: IncidentId,
    /// Which alerts.
    pub alerts: Vec<AlertId>,
    /// By whom.
    pub by: String,
}

/// Two incidents are one. A link: both keep what is theirs, and it can be taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentsMerged {
    /// The one that goes on.
    pub into: IncidentId,
    /// The one that becomes a part of it.
    pub from: IncidentId,
    /// By whom: a person, or `stanch`.
    pub by: String,
    /// Why.
    pub because: String,
}

/// The link is taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentsUnmerged {
    /// The one that had become a part.
    pub from: IncidentId,
    /// By whom.
    pub by: String,
}

/// Who answers for an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Routed {
    /// Which incident.
    pub incident: IncidentId,
    /// Which team.
    pub team: String,
    /// Which escalation policy, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<String>,
    /// Why.
    pub because: Vec<Reason>,
}

/// A rung of the escalation ladder was reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Escalated {
    /// Which incident.
    pub incident: IncidentId,
    /// Rungs climbed so far, from 1, over all rounds.
    pub rung: u32,
    /// Who was told.
    pub teams: Vec<String>,
    /// When the next rung is due; none when the ladder ends here.
    pub next: Option<Timestamp>,
}

/// A person did something to an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ByPerson {
    /// Which incident.
    pub incident: IncidentId,
    /// Who: a person, or `stanch`.
    pub by: String,
    /// What they said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

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

/// Open alerts that are over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertsClosed {
    /// Which.
    pub alerts: Vec<AlertId>,
    /// Why: `resolved by its source`, `no repeat for 7d`, …
    pub why: String,
}

/// A merged record was taken out again: it had been a different thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OccurrenceSplit {
    /// Out of which alert.
    pub from: AlertId,
    /// Where the record lay: entry, delivery, record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<(u64, u32, u32)>,
    /// It is now this one.
    pub alert: NewAlert,
    /// From which source it had come.
    pub source: String,
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
