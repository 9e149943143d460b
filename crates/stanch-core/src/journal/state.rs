//! The fold of the journal: everything Stanch knows, and nothing it could not read back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use stanch_judge::kin::Machine;
use stanch_model::{
    ActionId, AlertId, ApprovalId, EffectId, Fact, IncidentId, Observed, RunId, Severity, SilenceId, TaskId,
    Timestamp,
};

use super::agenda::Agenda;
use super::event::{
    ActionEnd, Announced, ApprovalSettled, Effect, LeaseRenewed, Missing, RuleSeen, SilenceSet, TaskAnswered,
};
use super::incident::Incident;
use super::seen::{HashedMap, Seen};
use super::sightings::{Baseline, Contacts, Recent};
use crate::contain::{Approval, Vote};
use crate::decided::Reason;
use crate::playbook::Playbook;
use crate::playbook::run::{Run, Task};
use crate::stage::kill_chain::Stage;

/// Everything Stanch knows.
#[derive(Debug, Default)]
pub struct State {
    /// Alerts in the order of their ids; `A-1` is the first.
    pub slots: Vec<AlertSlot>,
    /// The dedup index.
    pub seen: Seen,
    /// Sources in the order they first spoke.
    pub sources: Vec<SourceState>,
    /// How common each rule is, and on which machine.
    pub baseline: Baseline,
    /// What people found out about incidents, and so about rules.
    pub opinions: super::opinion::Opinions,
    /// What people put together and took apart.
    pub bonds: super::bonds::Bonds,
    /// How sources speak and whether scores keep their word.
    pub health: super::health::Health,
    /// What the judgement has seen and been told.
    pub learnt: super::learnt::Learnt,
    /// Who exchanged packets with whom lately.
    pub contacts: Contacts,
    /// Open alerts by the entities they speak of.
    pub recent: Recent,
    /// New alerts that are to be looked at once more.
    pub second: super::second::Second,
    /// Which machines belong together, by what they saw together.
    pub kin: stanch_judge::kin::Kin,
    /// Incidents in which something sat on a machine.
    pub by_machine: BTreeMap<Machine, Vec<IncidentId>>,
    /// Rules heard of, by fingerprint.
    pub rules: HashedMap<u64, RuleSeen>,
    /// Merged records that were taken out again: entry, delivery, record.
    pub split: BTreeSet<(u64, u32, u32)>,
    /// Pairs of incidents that a person has taken apart: never merged again by the machine.
    pub apart: BTreeSet<(IncidentId, IncidentId)>,
    /// Incidents, also resolved and merged ones.
    pub incidents: BTreeMap<IncidentId, Incident>,
    /// Which incidents an entity is part of: fingerprint of site and entity.
    pub by_entity: HashedMap<u64, Vec<IncidentId>>,
    /// Facts learnt about alerts that are not in an incident yet.
    pub facts: BTreeMap<AlertId, Learnt>,
    /// Runs of playbooks.
    pub runs: BTreeMap<RunId, Box<Run>>,
    /// Runs begun from outside that are over, the oldest first.
    pub ended: VecDeque<RunId>,
    /// Playbooks that runs were pinned to, by hash; `None` when this program cannot read one.
    pub playbooks: BTreeMap<String, Option<Arc<Playbook>>>,
    /// Questions to people.
    pub approvals: BTreeMap<ApprovalId, Asked>,
    /// What is asked of people that is not about one change.
    pub tasks: BTreeMap<TaskId, TaskState>,
    /// Changes to the outside world.
    pub actions: BTreeMap<ActionId, ActionState>,
    /// Changes that wait for a no of the NOC, also those that were made or denied since.
    pub announced: BTreeMap<ActionId, AnnouncedState>,
    /// Playbooks, by hash, that have completed a run: they have earned some trust.
    pub proven: BTreeSet<String>,
    /// Intentions not settled yet: the outbox.
    pub pending: BTreeMap<EffectId, Pending>,
    /// Messages in chats that may still be changed.
    pub posts: super::posts::Posts,
    /// What may have something to do, and when: follows from the rest, and is never asked for a fact.
    pub agenda: Agenda,
    /// Silences set at run time, with the time they were taken back, if they were.
    pub silences: BTreeMap<SilenceId, (SilenceSet, Option<Timestamp>)>,
    /// Filters of the queue that people keep: by person and name, the query of the address.
    pub filters: BTreeMap<String, BTreeMap<String, String>>,
    /// Records that could not be read.
    pub quarantine: BTreeMap<u64, Quarantined>,
    /// Words for why alerts are quiet or closed, each once.
    pub causes: Vec<String>,
    /// Next numbers to give out.
    pub next: Next,
    /// Sequence number of the last entry folded.
    pub seq: u64,
    /// Time of the last entry folded.
    pub at: Timestamp,
    /// Changes to the outside world are stopped.
    pub kill_switch: bool,
    /// Changes of these responders and playbooks are stopped.
    pub stopped: BTreeSet<Stop>,
    /// The configuration in force when the last entry was written.
    pub config_hash: String,
    /// Who saved which playbook.
    pub saved: super::saved::Saved,
}

/// Next numbers to give out, from 1.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Next {
    pub incident: u64,
    pub run: u64,
    pub approval: u64,
    pub task: u64,
    pub action: u64,
    pub effect: u64,
    pub silence: u64,
    pub quarantine: u64,
}

impl Default for Next {
    fn default() -> Next {
        Next { incident: 1, run: 1, approval: 1, task: 1, action: 1, effect: 1, silence: 1, quarantine: 1 }
    }
}

/// Where an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Neither quiet nor part of an incident nor over.
    Open,
    /// Quiet; `link` is the cause.
    Suppressed,
    /// Part of an incident; `link` is its number.
    InIncident,
    /// Over; `link` is the cause.
    Closed,
}

/// What is kept in memory of an alert: enough to count, link and find it.
#[derive(Clone, Debug)]
pub struct AlertSlot {
    /// The intake entry that holds its bytes.
    pub seq: u64,
    /// Its place among the new alerts of that entry.
    pub ordinal: u32,
    /// Its delivery within that entry.
    pub delivery: u32,
    /// Its record within that delivery.
    pub record: u32,
    /// Index of its source.
    pub source: u16,
    /// Probability that it matters, in thousandths.
    pub score: u16,
    /// When it arrived, by our clock.
    pub arrived: Timestamp,
    /// When it was judged first, by our clock.
    pub judged: Timestamp,
    /// Event time of the first record.
    pub first: Timestamp,
    /// Event time of the latest record.
    pub last: Timestamp,
    /// Records counted on it, itself included.
    pub count: u32,
    /// Incident number or index of a cause, by disposition.
    pub link: u32,
    /// Highest severity claimed.
    pub severity: Severity,
    /// Where in an attack it belongs.
    pub stage: Stage,
    /// Where it is.
    pub disposition: Disposition,
    /// What repeats of it share.
    pub key: super::event::Key,
}

/// What is known of a source.
#[derive(Clone, Debug, Default)]
pub struct SourceState {
    /// Its name.
    pub name: String,
    /// Whose network it watches.
    pub site: String,
    /// Records taken in.
    pub received: u64,
    /// Records counted on known alerts.
    pub merged: u64,
    /// Flow and log records.
    pub context: u64,
    /// Records that could not be read and have not been tried again with success.
    pub quarantined: u64,
    /// When it last spoke, by our clock.
    pub last_heard: Timestamp,
    /// Event time of its latest record.
    pub last_event: Timestamp,
}

/// What look-ups found out about an alert that is in no incident yet.
#[derive(Clone, Debug)]
pub struct Learnt {
    /// When.
    pub at: Timestamp,
    /// What.
    pub facts: Vec<Fact>,
    /// Who did not answer.
    pub missing: Vec<Missing>,
}

/// Alerts in no incident whose facts are kept; beyond it the oldest are forgotten.
pub const LEARNT_KEPT: usize = 20_000;

/// A record that could not be read.
#[derive(Clone, Debug)]
pub struct Quarantined {
    /// Index of its source.
    pub source: u16,
    /// When it arrived.
    pub at: Timestamp,
    /// What is wrong with it.
    pub reason: String,
    /// The intake entry that holds its bytes.
    pub seq: u64,
    /// Its delivery within that entry.
    pub delivery: u32,
    /// Its record within that delivery.
    pub record: u32,
    /// True once a second try succeeded.
    pub recovered: bool,
}

/// A question to a person.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What was asked, exactly as shown.
    pub approval: Approval,
    /// Every yes so far, with the digest that person named.
    pub yes: Vec<(Vote, String)>,
    /// When people were last reminded of it.
    pub reminded: Option<Timestamp>,
    /// When and how it was settled.
    pub settled: Option<(Timestamp, ApprovalSettled)>,
}

/// What can be stopped alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// All changes of one responder.
    Responder(String),
    /// All changes of one playbook.
    Playbook(String),
}

/// A change that waits for a no of the NOC.
#[derive(Clone, Debug)]
pub struct AnnouncedState {
    /// What was announced.
    pub what: Announced,
    /// When the NOC said no, who and why.
    pub vetoed: Option<(Timestamp, String, String)>,
}

/// Something asked of people, and the answer.
#[derive(Clone, Debug)]
pub struct TaskState {
    /// What was asked, exactly as shown.
    pub task: Task,
    /// When and how it was answered.
    pub answered: Option<(Timestamp, TaskAnswered)>,
}

/// Where a change to the outside world stands.
#[derive(Clone, Debug)]
pub struct ActionState {
    /// The guard's yes.
    pub permit: crate::contain::Permit,
    /// The change.
    pub action: stanch_model::Action,
    /// For which run.
    pub run: RunId,
    /// At which of its steps.
    pub step: String,
    /// When the guard agreed.
    pub permitted_at: Timestamp,
    /// The approval it rests on, if any.
    pub approval: Option<ApprovalId>,
    /// Why the guard agreed.
    pub because: Vec<Reason>,
    /// What the device showed last, and when.
    pub observed: Option<(Timestamp, Observed)>,
    /// When it was first seen in place, and when it ends.
    pub in_force: Option<(Timestamp, Timestamp)>,
    /// When and how it ended.
    pub ended: Option<(Timestamp, ActionEnd, String)>,
    /// The incidents that rest on it now. The one it was made for is the first.
    pub holders: BTreeSet<IncidentId>,
    /// Incidents that let go of it while others kept it: their runs may wait for it still.
    pub let_go: BTreeSet<IncidentId>,
    /// The pre-authorisation it rests on, if any.
    pub preauthorised: Option<String>,
    /// True when it cannot be undone, and so has no end.
    pub lasting: bool,
    /// The last time its end was put off, if it was.
    pub renewed: Option<LeaseRenewed>,
    /// How often it was made again after it had vanished.
    pub repairs: u32,
    /// Our seal on the permit.
    pub seal: String,
}

/// An intention not settled yet.
#[derive(Clone, Debug)]
pub struct Pending {
    /// What to do.
    pub what: Effect,
    /// When it was intended.
    pub since: Timestamp,
    /// Tries so far that failed.
    pub attempts: u32,
    /// Not before.
    pub not_before: Timestamp,
    /// The last failure, in words.
    pub last_failure: Option<String>,
}

impl State {
    /// Makes room for so many alerts at once.
    pub fn make_room(&mut self, alerts: usize) {
        self.slots.reserve_exact(alerts);
        self.seen.make_room(alerts);
    }

    /// The slot of an alert.
    #[must_use]
    pub fn slot(&self, alert: AlertId) -> Option<&AlertSlot> {
        self.slots.get(usize::try_from(alert.0.checked_sub(1)?).ok()?)
    }

    pub(super) fn slot_mut(&mut self, alert: AlertId) -> Option<&mut AlertSlot> {
        self.slots.get_mut(usize::try_from(alert.0.checked_sub(1)?).ok()?)
    }

    /// The name the next new alert will get.
    #[must_use]
    pub fn next_alert(&self) -> AlertId {
        AlertId(self.slots.len() as u64 + 1)
    }

    /// The state of a source, by name.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<(u16, &SourceState)> {
        self.sources.iter().position(|s| s.name == name).map(|i| (i as u16, &self.sources[i]))
    }

    /// Why an alert is quiet or closed, or which incident it belongs to, in words.
    #[must_use]
    pub fn place_of(&self, slot: &AlertSlot) -> String {
        match slot.disposition {
            Disposition::Open => "open".into(),
            Disposition::InIncident => format!("in {}", IncidentId(u64::from(slot.link))),
            Disposition::Suppressed => format!("suppressed: {}", self.cause(slot.link)),
            Disposition::Closed => format!("closed: {}", self.cause(slot.link)),
        }
    }

    /// The words behind a cause.
    #[must_use]
    pub fn cause(&self, index: u32) -> &str {
        self.causes.get(index as usize).map_or("", String::as_str)
    }

    /// The incident that goes on where this one has been merged away; itself otherwise.
    #[must_use]
    pub fn head_of(&self, incident: IncidentId) -> IncidentId {
        let mut at = incident;
        // Merges always point to another incident that is not merged itself at that time; the bound
        // only guards against a journal that nobody should have written.
        for _ in 0..1_000 {
            match self.incidents.get(&at).and_then(|i| i.merged_into) {
                Some(into) => at = into,
                None => break,
            }
        }
        at
    }

    /// Changes in force on the outside world, or on their way there.
    pub fn live_actions(&self) -> impl Iterator<Item = &ActionState> {
        self.agenda.live_actions.iter().filter_map(|a| self.actions.get(a))
    }
}
