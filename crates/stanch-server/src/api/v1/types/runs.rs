//! Runs of playbooks.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which runs to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RunQuery {
    /// Only of this incident.
    pub incident: Option<String>,
    /// How many; 100 by default, at most 1000.
    pub limit: Option<usize>,
}

/// Runs, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RunPage {
    /// The runs.
    pub runs: Vec<RunSummary>,
}

/// One run in a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RunSummary {
    /// Its name.
    #[schema(example = "RUN-2")]
    pub id: String,
    /// For which incident.
    pub incident: String,
    /// Which playbook.
    pub playbook: String,
    /// `running`, `completed`, `declined` or `handed`.
    #[schema(example = "running")]
    pub state: String,
    /// When it began.
    pub started: String,
    /// The step in hand, while it runs.
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
}

/// One step that is over.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RunStep {
    /// Its name.
    pub step: String,
    /// When it was over.
    pub at: String,
    /// What came of it.
    pub outcome: String,
}
