//! Playbooks: machine-readable plans, loaded from YAML, pinned by hash, run step by step.

pub mod load;
pub mod run;

use stanch_model::Span;

use crate::expr::{Expr, Text};

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
    /// RE&CT response actions it takes, for example `RA3101`.
    pub react: Vec<String>,
    /// Runs on an incident for which this is true. Variable: `incident`.
    pub when: Expr,
    /// In order.
    pub steps: Vec<Step>,
    /// What people do by hand, and why: prose.
    pub sop: String,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Unique within the playbook.
    pub id: String,
    /// Skipped when this is false. Variables: `incident`, `run`.
    pub when: Option<Expr>,
    /// What it does.
    pub kind: StepKind,
}

/// What a step does. Closed on purpose: the compiler lists every place that must answer.
#[derive(Clone, Debug)]
pub enum StepKind {
    /// Blocks an address: asks the guard, then a person if the guard wants one, acts, reads back,
    /// tells the NOC in the same commit, and holds a lease until its end.
    Block {
        /// CEL giving the address, over `incident`.
        target: Expr,
        /// Time to live; none means the policy's default.
        ttl: Option<Span>,
        /// Teams whose members may approve.
        approvers: Vec<String>,
        /// How long the question may wait; none means the policy's default.
        expires: Option<Span>,
    },
    /// Tells a team.
    Notify {
        /// Which.
        team: String,
        /// One line; `${{ cel }}` inside is filled in. Variables: `incident`, `run`.
        text: Text,
    },
    /// Waits for a time, or, without one, until every change of this run has been lifted.
    Wait {
        /// How long.
        span: Option<Span>,
    },
    /// Looks again whether every change of this run is as it should be.
    Verify,
}
