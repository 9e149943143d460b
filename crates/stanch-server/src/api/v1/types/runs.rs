//! Runs of playbooks.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::LimitView;

/// Which runs to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RunQuery {
    /// Only of this incident.
    pub incident: Option<String>,
    /// How many; 100 by default, at most 1000.
    pub limit: Option<usize>,
    /// Only older than this one, for example `RUN-2`: the `next_before` of the page before.
    pub before: Option<String>,
}

/// Runs, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RunPage {
    /// The runs.
    pub runs: Vec<RunSummary>,
    /// What to give as `before` for the next page; none when this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_before: Option<String>,
}

/// One run in a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RunSummary {
    /// Its name.
    #[schema(example = "RUN-2")]
    pub id: String,
    /// For which incident; absent when a call from outside began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// Which playbook.
    pub playbook: String,
    /// `running`, `unwinding`, `completed`, `declined`, `handed`, `unwound` or `stopped`.
    #[schema(example = "running")]
    pub state: String,
    /// When it began.
    pub started: String,
    /// The step in hand, while it runs: a path such as `isolate/2/lock`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Since when.
    pub step_since: String,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// Why it ended as it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// One run, whole.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RunDetail {
    /// What the list shows.
    #[serde(flatten)]
    pub summary: RunSummary,
    /// SHA-256 of the playbook, pinned when the run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playbook_hash: Option<String>,
    /// Steps that are over.
    pub steps: Vec<RunStep>,
    /// Steps in all.
    pub steps_total: usize,
    /// The question asked in the step in hand, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// Changes made by this run.
    pub blocks: Vec<String>,
    /// What it was given.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    #[schema(value_type = Object)]
    pub inputs: serde_json::Value,
    /// What it gave when it had completed.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    #[schema(value_type = Object)]
    pub output: serde_json::Value,
    /// The run whose step called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub called_by: Option<String>,
    /// Who asked for it; absent when a trigger did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Steps from which it can be made to go on; empty where it cannot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resumable: Vec<String>,
    /// When it was made to go on after it had ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resumed: Vec<RunResumedView>,
    /// Steps that were begun and are not over.
    #[serde(default)]
    pub under_way: Vec<RunWait>,
    /// What the run waits for, in words. Empty when it is over.
    #[serde(default)]
    pub waits_for: Vec<String>,
}

/// A run that had ended was made to go on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RunResumedView {
    /// When.
    pub at: String,
    /// By whom.
    pub by: String,
    /// Why, in their words.
    pub reason: String,
    /// From which steps, and how each had ended before.
    pub from: Vec<LimitView>,
}

/// Lets a run go on from where it failed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunResumeRequest {
    /// What has changed since it failed.
    #[schema(example = "the firewall answers again")]
    pub reason: String,
}

/// One step that was begun and is not over.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RunWait {
    /// A path such as `isolate/2/lock`.
    pub step: String,
    /// Its kind in the plan, for example `approve`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What the plan says it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// Since when.
    pub since: String,
    /// Tries that failed.
    pub tries: u32,
    /// Why the last one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<String>,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<String>,
    /// The task it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The run it called and waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// One step that is over.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RunStep {
    /// A path such as `isolate/2/lock`.
    pub step: String,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<String>,
    /// When it was over.
    pub at: String,
    /// Its kind in the plan, for example `block_address`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What the plan says it does: its inputs as they are written there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// What it worked on, resolved: the target of its change, the question, the task, or the run it called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<LimitView>,
    /// What came of it.
    pub outcome: String,
    /// `done`, `skipped`, `failed` or `stopped`.
    #[serde(default)]
    pub end: String,
    /// Tries that failed before.
    #[serde(default)]
    pub tries: u32,
    /// What later steps may read of it.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    #[schema(value_type = Object)]
    pub output: serde_json::Value,
}
