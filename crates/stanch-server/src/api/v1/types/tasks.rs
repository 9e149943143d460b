//! Tasks and hooks.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::PartyView;

/// How long to wait for a hook's answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HookQuery {
    /// 0s to 60s; 20s by default.
    pub wait: Option<String>,
}

/// A run that has not answered its caller, or ended without an answer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HookView {
    /// The run.
    #[schema(example = "RUN-2")]
    pub run: String,
    /// `running`, `completed`, `declined`, `handed`, `unwound` or `stopped`.
    pub state: String,
    /// Why it ended as it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A run to begin.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// Which playbook.
    pub playbook: String,
    /// For which incident, if for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// What it is given, by name.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub inputs: serde_json::Value,
}

/// Which tasks to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TaskQuery {
    /// Only those that can still be answered.
    pub open: Option<bool>,
    /// How many; 100 by default, at most 1000.
    pub limit: Option<usize>,
    /// Only older than this one, for example `TASK-4`: the `next_before` of the page before.
    pub before: Option<String>,
}

/// Tasks, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TaskPage {
    /// The tasks.
    pub tasks: Vec<TaskView>,
    /// What to give as `before` for the next page; none when this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_before: Option<String>,
}

/// One thing asked of people.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TaskView {
    /// Its name.
    #[schema(example = "TASK-1")]
    pub id: String,
    /// `open`, `done`, `refused`, `expired` or `withdrawn`.
    pub state: String,
    /// `decision` (yes or no, from an approver) or `work` (by hand, with a form).
    pub kind: String,
    /// Asked by which run.
    pub run: String,
    /// At which of its steps.
    pub step: String,
    /// Of which playbook.
    pub playbook: String,
    /// About which incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// What it is about.
    pub title: String,
    /// The question, or what to do.
    pub text: String,
    /// What to fill in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub form: Vec<FieldView>,
    /// Members of these teams may answer.
    pub teams: Vec<String>,
    /// For a decision: everybody with a part in it, and whether theirs counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parties: Vec<PartyView>,
    /// When it was asked.
    pub asked_at: String,
    /// An answer counts only before this.
    pub expires_at: String,
    /// SHA-256 over all that is shown: an answer names it.
    pub digest: String,
    /// Who answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<String>,
    /// The form as it was filled in.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    #[schema(value_type = Object)]
    pub values: serde_json::Value,
}

/// One field of a form.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FieldView {
    /// Its name.
    pub name: String,
    /// `text`, `integer`, `number`, `bool`, `address`, `domain`, `account`, `port`, `map` or `list of …`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Taken when nothing is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    pub default: Option<serde_json::Value>,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
}

/// An answer to a task.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskAnswer {
    /// The digest of what was shown: all 64 digits.
    pub digest: String,
    /// Yes or done; no or cannot be done.
    pub yes: bool,
    /// The form, for work that is done.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub values: serde_json::Value,
    /// In your words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
