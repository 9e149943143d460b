//! Playbooks: machine-readable plans, loaded from YAML, pinned by hash, run step by step.
//!
//! Here are the words of a plan and nothing else: [`load`] reads and verifies them, [`run`] carries
//! them out.

pub mod cacao;
pub mod diff;
pub mod explain;
pub mod graph;
pub mod load;
pub mod run;
pub mod schema;
pub mod shape;
pub mod svg;
pub mod verify;

#[cfg(test)]
mod broken_tests;
#[cfg(test)]
mod guide;
#[cfg(test)]
mod shipped_tests;

use std::collections::BTreeMap;

use stanch_model::{Span, Transport};

use crate::config::Autonomy;
use crate::expr::{Expr, Kind, Text};

/// A plan, whole. Two playbooks with the same `hash` behave the same.
#[derive(Clone, Debug)]
pub struct Playbook {
    /// Its name: the file's name without the ending.
    pub name: String,
    /// One line for people.
    pub summary: String,
    /// SHA-256 over the file, in hexadecimal.
    pub hash: String,
    /// The file, kept so that the journal can pin it.
    pub source: String,
    /// ATT&CK techniques it answers, for example `T1071`.
    pub attack: Vec<String>,
    /// NIST CSF 2.0 outcomes it serves, for example `RS.MI-01`.
    pub csf: Vec<String>,
    /// RE&CT response actions it takes, for example `RA3101`.
    pub react: Vec<String>,
    /// What makes it run.
    pub trigger: Trigger,
    /// How far it may go by itself at most, whatever the route allows. None: as the route says.
    pub autonomy: Option<Autonomy>,
    /// What it is given, beside the incident.
    pub inputs: Vec<Param>,
    /// What it gives back when it has completed: name and expression.
    pub outputs: Vec<(String, Expr)>,
    /// In order.
    pub steps: Vec<Step>,
    /// What people do by hand, and why: prose.
    pub sop: String,
    /// Where its parts stand in the file, for mistakes found later.
    pub places: Places,
}

/// Where the parts of a plan stand in its file, and what was found out about them: by step and key.
#[derive(Clone, Debug, Default)]
pub struct Places {
    places: BTreeMap<(String, String), (usize, usize)>,
    kinds: BTreeMap<(String, String), Kind>,
}

impl Places {
    /// Remembers where a key of a step stands, from 1, as line and column; an empty `step` is the playbook itself, an empty
    /// `key` the step as a whole. The first place of a key stays.
    pub fn put(&mut self, step: &str, key: &str, place: (usize, usize)) {
        self.places.entry((step.to_owned(), key.to_owned())).or_insert(place);
    }

    /// Where a key of a step stands, or else the step, or else the whole file as `(0, 0)`.
    #[must_use]
    pub fn of(&self, step: &str, key: &str) -> (usize, usize) {
        let at = |key: &str| self.places.get(&(step.to_owned(), key.to_owned())).copied();
        at(key).or_else(|| at("")).unwrap_or((0, 0))
    }

    /// Remembers what kind of value an expression of a step gives.
    pub fn put_kind(&mut self, step: &str, key: &str, kind: Kind) {
        self.kinds.insert((step.to_owned(), key.to_owned()), kind);
    }

    /// What kind of value an expression of a step gives.
    #[must_use]
    pub fn kind(&self, step: &str, key: &str) -> Option<&Kind> {
        self.kinds.get(&(step.to_owned(), key.to_owned()))
    }
}

/// What makes a playbook run.
#[derive(Clone, Debug)]
pub enum Trigger {
    /// An incident for which this is true. Variable: `incident`.
    Incident(Expr),
    /// A call from outside, `POST /api/v1/hooks/NAME`; has no incident, and so changes nothing.
    Hook,
    /// Another playbook, or a person by hand.
    Called,
}

/// One typed input.
#[derive(Clone, Debug)]
pub struct Param {
    /// Its name, as in `inputs.NAME`.
    pub name: String,
    /// What may be given.
    pub kind: Type,
    /// Used when nothing is given; none means it must be given.
    pub default: Option<serde_json::Value>,
    /// For people.
    pub about: String,
}

/// What a value may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// Any text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// Yes or no.
    Bool,
    /// An IP address or prefix.
    Address,
    /// A domain name.
    Domain,
    /// An account name.
    Account,
    /// A port of a switch, as the switch names it.
    Port,
    /// A list of these.
    List(Box<Type>),
    /// Named values of any kind.
    Map,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Unique within the playbook.
    pub id: String,
    /// Why, in one line for people; may be empty.
    pub about: String,
    /// Skipped when this is false. Variables: [`Expr`]s of a step see `incident`, `run`, `inputs`,
    /// `steps` (what earlier steps gave) and the item of each loop around them.
    pub when: Option<Expr>,
    /// How often a failed try is made again.
    pub retry: Retry,
    /// The longest it may take, tries and waits included; then it has failed. None: the kind's own.
    pub timeout: Option<Span>,
    /// What follows when it has failed for good.
    pub on_failure: OnFailure,
    /// Steps that undo this one when the run is unwound, in this order. Changes need none: they are
    /// reverted by themselves.
    pub compensate: Vec<Step>,
    /// What it does.
    pub kind: StepKind,
}

impl Step {
    /// The lists of steps inside, in the order written: ways and rounds first, then what follows a
    /// failure, then what undoes it.
    pub fn inner(&self) -> impl Iterator<Item = &[Step]> {
        let lists: Vec<&[Step]> = match &self.kind {
            StepKind::If { then, otherwise, .. } => vec![then, otherwise],
            StepKind::Switch { cases, default, .. } => {
                cases.iter().map(|(_, steps)| &steps[..]).chain(default.as_deref()).collect()
            }
            StepKind::Parallel { branches, .. } => branches.iter().map(|(_, steps)| &steps[..]).collect(),
            StepKind::ForEach { steps, .. } | StepKind::Repeat { steps, .. } => vec![steps],
            StepKind::Act(_)
            | StepKind::Enrich { .. }
            | StepKind::Fetch { .. }
            | StepKind::Set { .. }
            | StepKind::Wait(_)
            | StepKind::Approve { .. }
            | StepKind::Manual { .. }
            | StepKind::Notify { .. }
            | StepKind::Verify
            | StepKind::Call { .. }
            | StepKind::Reply { .. } => Vec::new(),
        };
        let failed = match &self.on_failure {
            OnFailure::Steps(steps) => Some(&steps[..]),
            OnFailure::Hand | OnFailure::Continue | OnFailure::Unwind => None,
        };
        lists.into_iter().chain(failed).chain([&self.compensate[..]])
    }
}

impl Playbook {
    /// The teams it tells or asks, in order of their names.
    #[must_use]
    pub fn teams(&self) -> std::collections::BTreeSet<&str> {
        fn of(kind: &StepKind) -> Vec<&str> {
            match kind {
                StepKind::Act(Act { approvers, .. }) | StepKind::Approve { approvers, .. } => {
                    approvers.iter().map(String::as_str).collect()
                }
                StepKind::Notify { team, .. } | StepKind::Manual { team, .. } => vec![team.as_str()],
                StepKind::Call { .. }
                | StepKind::Enrich { .. }
                | StepKind::Fetch { .. }
                | StepKind::Set { .. }
                | StepKind::If { .. }
                | StepKind::Switch { .. }
                | StepKind::Parallel { .. }
                | StepKind::ForEach { .. }
                | StepKind::Repeat { .. }
                | StepKind::Wait(_)
                | StepKind::Verify
                | StepKind::Reply { .. } => Vec::new(),
            }
        }
        self.all_steps().into_iter().flat_map(|step| of(&step.kind)).collect()
    }

    /// Every step, also those inside others, in the order written.
    #[must_use]
    pub fn all_steps(&self) -> Vec<&Step> {
        fn collect<'s>(steps: &'s [Step], all: &mut Vec<&'s Step>) {
            for step in steps {
                all.push(step);
                step.inner().for_each(|inside| collect(inside, all));
            }
        }
        let mut all = Vec::new();
        collect(&self.steps, &mut all);
        all
    }

    /// The step with this id, wherever it stands.
    #[must_use]
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.all_steps().into_iter().find(|step| step.id == id)
    }
}

/// How often a failed try is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Further tries after the first. 0 to 10, default 0.
    pub times: u32,
    /// Before the first further try; doubles each time, up to an hour. Default 10 s.
    pub wait: Span,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry { times: 0, wait: Span::secs(10) }
    }
}

/// What follows when a step has failed for good.
#[derive(Clone, Debug, Default)]
pub enum OnFailure {
    /// The run stops and a person gets it. Changes stay until their time is over.
    #[default]
    Hand,
    /// As if nothing had happened; `steps.ID.failed` is true.
    Continue,
    /// Everything the run has done is undone, the last first; then a person gets it.
    Unwind,
    /// These steps; then the run goes on after the failed one.
    Steps(Vec<Step>),
}

/// What a step does. Closed on purpose: the compiler lists every place that must answer.
#[derive(Clone, Debug)]
pub enum StepKind {
    /// Makes a change: asks the guard, then people if the guard wants them, captures what is there,
    /// acts, reads back, tells the NOC in the same commit, and holds a lease until its end.
    Act(Act),
    /// Asks all enrichers about a value, and waits for them. Gives `facts`, a list of maps.
    Enrich {
        /// An address, a name, a hash or an account, as text.
        about: Expr,
    },
    /// Makes a declared call that changes nothing outside. Gives what it answered.
    Fetch {
        /// The name under which an operator declared it in `connectors.yaml`.
        call: String,
        /// Its inputs.
        inputs: Vec<(String, Expr)>,
    },
    /// Computes values. Gives them under their names.
    Set {
        /// Names and expressions; a later one sees the earlier ones' step only when it is over.
        values: Vec<(String, Expr)>,
    },
    /// One way or the other.
    If {
        /// Which.
        condition: Expr,
        /// When it is true.
        then: Vec<Step>,
        /// When it is false; may be empty.
        otherwise: Vec<Step>,
    },
    /// One of several ways.
    Switch {
        /// Text, number or yes-or-no, compared as text.
        on: Expr,
        /// Value and steps; values are distinct.
        cases: Vec<(String, Vec<Step>)>,
        /// When no case fits. None: then it is a failure.
        default: Option<Vec<Step>>,
    },
    /// Several ways at once.
    Parallel {
        /// Names and steps.
        branches: Vec<(String, Vec<Step>)>,
        /// When it is over.
        until: Join,
    },
    /// The same for each of a list, one after the other.
    ForEach {
        /// What the value is called inside: `item`, unless loops are nested.
        variable: String,
        /// The list.
        list: Expr,
        /// Longer lists are a failure before the first round. 1 to 1000.
        at_most: u32,
        /// What to do with each.
        steps: Vec<Step>,
    },
    /// Again and again while a condition holds, looked at before each round.
    Repeat {
        /// The condition.
        condition: Expr,
        /// Most rounds; then it is a failure. 1 to 1000.
        at_most: u32,
        /// Between rounds.
        every: Span,
        /// What to do in each.
        steps: Vec<Step>,
    },
    /// Waits.
    Wait(Wait),
    /// Asks people a question that is not about one change. No means the run ends, declined.
    Approve {
        /// The question; `${{ cel }}` inside is filled in.
        question: Text,
        /// Teams whose members may answer.
        approvers: Vec<String>,
        /// How long it may wait; none means the policy's default. Silence is never a yes.
        expires: Option<Span>,
    },
    /// Gives a person something to do by hand, with a form to fill in. Gives the form's values.
    Manual {
        /// What to do.
        task: Text,
        /// Which team.
        team: String,
        /// What to answer.
        form: Vec<Param>,
        /// How long it may take; then it has failed.
        expires: Option<Span>,
    },
    /// Tells a team.
    Notify {
        /// Which.
        team: String,
        /// The first line is the subject; `${{ cel }}` inside is filled in.
        text: Text,
    },
    /// Looks again whether every change of this run is as it should be.
    Verify,
    /// Runs another playbook and waits for it. Gives its outputs.
    Call {
        /// Which.
        playbook: String,
        /// Its inputs.
        inputs: Vec<(String, Expr)>,
    },
    /// Answers the caller of a hook. The run goes on.
    Reply {
        /// The answer's fields.
        values: Vec<(String, Expr)>,
    },
}

impl StepKind {
    /// The key under which a step of this kind is written.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            StepKind::Act(act) => act.change.name(),
            StepKind::Enrich { .. } => "enrich",
            StepKind::Fetch { .. } => "fetch",
            StepKind::Set { .. } => "set",
            StepKind::If { .. } => "if",
            StepKind::Switch { .. } => "switch",
            StepKind::Parallel { .. } => "parallel",
            StepKind::ForEach { .. } => "for_each",
            StepKind::Repeat { .. } => "repeat",
            StepKind::Wait(_) => "wait",
            StepKind::Approve { .. } => "approve",
            StepKind::Manual { .. } => "manual",
            StepKind::Notify { .. } => "notify",
            StepKind::Verify => "verify",
            StepKind::Call { .. } => "run",
            StepKind::Reply { .. } => "reply",
        }
    }
}

/// When parallel branches are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// When all are.
    All,
    /// When one has completed; the others are stopped where they are, and what they asked is withdrawn.
    Any,
}

/// What to wait for.
#[derive(Clone, Debug)]
pub enum Wait {
    /// A time.
    For(Span),
    /// Until every change of this run has been lifted.
    Lifted,
    /// Until a condition holds; looked at with every change of the incident and every minute.
    Until {
        /// The condition.
        condition: Expr,
        /// Then it has failed.
        at_most: Span,
    },
}

/// A change, as planned.
#[derive(Clone, Debug)]
pub struct Act {
    /// What to change.
    pub change: Change,
    /// Time to live; none means the policy's default.
    pub ttl: Option<Span>,
    /// Teams whose members may approve.
    pub approvers: Vec<String>,
    /// How many different people must say yes when the guard asks. 1 or 2, default 1; the guard may
    /// want more.
    pub people: u8,
    /// How long the question may wait; none means the policy's default.
    pub expires: Option<Span>,
    /// False when the author has said that it cannot be undone (`undo: none`): then it has no end,
    /// and no lease is kept.
    pub undo: bool,
}

/// What to change, before its expressions are evaluated. Mirrors [`stanch_model::ActionKind`].
#[derive(Clone, Debug)]
#[allow(missing_docs)] // the fields are those of ActionKind
pub enum Change {
    BlockAddress { target: Expr },
    LimitAddress { target: Expr, packets_per_second: u32 },
    BlockPort { target: Expr, protocol: Transport, port: u16 },
    QuarantinePort { port: Expr, vlan: u16 },
    LockAccount { account: Expr },
    UnlockAccount { account: Expr },
    ResetCredential { account: Expr },
    RemoveFromGroup { account: Expr, group: Expr },
    SinkholeDomain { domain: Expr },
    Call { call: String, subject: Expr, inputs: Vec<(String, Expr)> },
}

impl Change {
    /// The kind's name in playbooks and configuration; the same as [`stanch_model::ActionKind::name`].
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Change::BlockAddress { .. } => "block_address",
            Change::LimitAddress { .. } => "limit_address",
            Change::BlockPort { .. } => "block_port",
            Change::QuarantinePort { .. } => "quarantine_port",
            Change::LockAccount { .. } => "lock_account",
            Change::UnlockAccount { .. } => "unlock_account",
            Change::ResetCredential { .. } => "reset_credential",
            Change::RemoveFromGroup { .. } => "remove_from_group",
            Change::SinkholeDomain { .. } => "sinkhole_domain",
            Change::Call { .. } => "call",
        }
    }
}
