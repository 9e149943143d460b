//! Facts about runs of playbooks and what they ask people to do.
//!
//! A *path* names a step of a run: its id, and before it the steps around it with the way that was
//! taken: `isolate/2/lock` is step `lock` in the third round of the loop `isolate`.

use serde::{Deserialize, Serialize};
use stanch_model::{IncidentId, RunId, TaskId, Timestamp};

use super::Answered;
use crate::playbook::run::Task;

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
fn zero(n: &u32) -> bool {
    *n == 0
}

/// A playbook began to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// Its name.
    pub run: RunId,
    /// For which incident; none when a call from outside began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// Which playbook.
    pub playbook: String,
    /// Pinned: SHA-256 of the file.
    pub hash: String,
    /// Pinned: the file itself, so that the run goes on whatever happens to the folder. Empty when an
    /// earlier run of the same hash holds it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// What it was given: an object by the names of the playbook's inputs.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub inputs: serde_json::Value,
    /// The run that called it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Caller>,
    /// The person or source that asked for it; none when a trigger did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// A step of another run that waits for this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// Which run.
    pub run: RunId,
    /// Which of its steps.
    pub path: String,
    /// How many runs call each other down to this one: 1 for the first.
    pub depth: u8,
}

/// A step was begun, or a loop began its next round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepBegan {
    /// Which run.
    pub run: RunId,
    /// Which step.
    pub path: String,
    /// Which round of a loop, from 0.
    #[serde(default, skip_serializing_if = "zero")]
    pub round: u32,
    /// Which way was taken.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub way: String,
    /// What a loop goes through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<serde_json::Value>,
}

/// A try of a step failed, and there will be another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepTried {
    /// Which run.
    pub run: RunId,
    /// Which step.
    pub path: String,
    /// What went wrong.
    pub why: String,
    /// When it is tried again.
    pub again: Timestamp,
}

/// A step is over; it never runs again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepDone {
    /// Which run.
    pub run: RunId,
    /// Index of the step, from 0; written until runs had paths, and not read any more.
    #[serde(default, skip_serializing_if = "zero")]
    pub step: u32,
    /// Its name in the playbook.
    pub id: String,
    /// Which step; empty when it is the name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// How.
    #[serde(default, skip_serializing_if = "StepEnd::is_done")]
    pub end: StepEnd,
    /// What came of it, in words.
    pub outcome: String,
    /// What later steps may read of it: at most [`crate::playbook::run::MAX_OUTPUT`] bytes of JSON.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub output: serde_json::Value,
    /// True when the output is the answer to the caller of a hook.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reply: bool,
}

impl StepDone {
    /// Which step.
    #[must_use]
    pub fn path(&self) -> &str {
        if self.path.is_empty() { &self.id } else { &self.path }
    }
}

/// How a step ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepEnd {
    /// It did what it is for.
    #[default]
    Done,
    /// Its condition did not hold.
    Skipped,
    /// It failed for good.
    Failed,
    /// It was stopped where it was: another branch was first, or the run is over.
    Stopped,
}

impl StepEnd {
    /// True for the commonest one.
    #[must_use]
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
    pub fn is_done(&self) -> bool {
        matches!(self, StepEnd::Done)
    }

    /// In words.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            StepEnd::Done => "done",
            StepEnd::Skipped => "skipped",
            StepEnd::Failed => "failed",
            StepEnd::Stopped => "stopped",
        }
    }
}

/// Everything the run has done is being undone, the last first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunUnwinding {
    /// Which run.
    pub run: RunId,
    /// Why.
    pub why: String,
}

/// A run that had ended in a person's hands goes on from where it failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunResumed {
    /// Which run.
    pub run: RunId,
    /// Steps that begin anew, with nothing: what failed, and what was stopped because of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub again: Vec<String>,
    /// Steps around them, and others that go on with what they have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<String>,
    /// Who asked for it.
    pub by: String,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// A run is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunEnded {
    /// Which run.
    pub run: RunId,
    /// How.
    pub end: RunEnd,
    /// In words.
    pub why: String,
    /// What it gives to the run that called it.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub output: serde_json::Value,
}

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEnd {
    /// All steps done, everything lifted.
    Completed,
    /// Nothing was changed, on purpose: refused, denied or not answered.
    Declined,
    /// A person has to look.
    Handed,
    /// Everything it had done is undone; a person is told.
    Unwound,
    /// The run that had called it needs it no longer.
    Stopped,
}

impl RunEnd {
    /// The word shown.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            RunEnd::Completed => "completed",
            RunEnd::Declined => "declined",
            RunEnd::Handed => "handed",
            RunEnd::Unwound => "unwound",
            RunEnd::Stopped => "stopped",
        }
    }
}

/// Something was asked of people that is not about one change: a decision, or work by hand.
pub type TaskOpened = Task;

/// A task was answered, or ran out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskAnswered {
    /// Which.
    pub task: TaskId,
    /// How. Work that is done counts as approved.
    pub answer: Answered,
    /// By whom: a person, or `stanch` when it ran out.
    pub by: String,
    /// The digest of what that person was shown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// The form as filled in.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub values: serde_json::Value,
    /// What they said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Our seal on all of it; none on what only stops a run.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub seal: String,
}
