//! Playbooks as they are written: judged, tried out, saved.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::MistakeView;

/// A text to be judged.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaybookText {
    /// The whole file, at most 60 KiB.
    pub text: String,
}

/// What a text would mean.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PlaybookCheck {
    /// True when it could be put in force as it is.
    pub ok: bool,
    /// SHA-256 over the text, in hexadecimal.
    pub hash: String,
    /// Mistakes and warnings by line; those of other files come last.
    pub mistakes: Vec<MistakeView>,
    /// Its steps; empty when the text cannot be read.
    pub nodes: Vec<PlanNode>,
    /// The ways between them.
    pub arrows: Vec<PlanArrow>,
    /// What it does otherwise than the version in force; empty when there is none.
    pub differences: Vec<DifferenceView>,
    /// SHA-256 over the version in force; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_force: Option<String>,
}

/// Versions of a playbook.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PlaybookVersions {
    /// The one in force first, then newest first.
    pub versions: Vec<PlaybookVersion>,
}

/// One version of a playbook.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PlaybookVersion {
    /// SHA-256 over its text, in hexadecimal.
    pub hash: String,
    /// True for the one in force.
    pub in_force: bool,
    /// Its text.
    pub source: String,
    /// When it was replaced through the API; absent when that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<String>,
    /// The newest ten runs that are pinned to it.
    pub runs: Vec<String>,
    /// How many runs are.
    pub run_count: usize,
    /// What the version in force does otherwise; empty for itself, and where this version cannot be read.
    pub differences: Vec<DifferenceView>,
}

/// One step of a plan.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PlanNode {
    /// Its id; `@start` and `@end` are the plan's own.
    pub id: String,
    /// Its kind, for example `block_address`; empty for the plan's own.
    pub kind: String,
    /// What it does, in one line.
    pub words: String,
    /// True when it changes something outside.
    pub changes: bool,
    /// Where it stands in the text, from 1; 0 when unknown.
    pub line: usize,
}

/// One way from step to step.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PlanArrow {
    /// From which step.
    pub from: String,
    /// To which.
    pub to: String,
    /// On which condition; may be empty.
    pub label: String,
}

/// One difference between two versions.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DifferenceView {
    /// The step, or empty for the head of the plan.
    pub step: String,
    /// In words.
    pub words: String,
    /// True when the machine may do more, or fewer people are asked.
    pub widens: bool,
}

/// A text to be put in force.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaybookSave {
    /// The whole file, at most 60 KiB.
    pub text: String,
    /// SHA-256 over the version that was edited, as `hash` of it said; empty for a new playbook.
    pub base: String,
}

/// What was put in force.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PlaybookSaved {
    /// What was done.
    pub message: String,
    /// SHA-256 over the text now in force.
    pub hash: String,
    /// SHA-256 over the configuration now in force.
    pub config_hash: String,
    /// What somebody should look at.
    pub warnings: Vec<MistakeView>,
}

/// What is to be tried out, and on what.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RehearsalRequest {
    /// The whole file, at most 60 KiB.
    pub text: String,
    /// Begin with the evidence of this incident, as it was received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// Begin with this record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Its format; `suricata` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// What a hook or a called playbook is given.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    #[schema(value_type = Object)]
    pub inputs: serde_json::Value,
    /// What declared calls answer, by their names.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub answers: std::collections::BTreeMap<String, serde_json::Value>,
}

/// A rehearsal: nothing outside was touched.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RehearsalView {
    /// True when it ends, and no law was broken on any way.
    pub sound: bool,
    /// How the run ends when nothing fails.
    pub end: String,
    /// What happens, in order.
    pub lines: Vec<RehearsalLine>,
    /// What is left in place at the end.
    pub left: Vec<String>,
    /// Laws that did not hold.
    pub breaches: Vec<String>,
    /// Steps outward.
    pub outward: u64,
    /// Crashes tried.
    pub crashes: u32,
    /// Crashes that changed the end.
    pub crash_findings: Vec<String>,
    /// What follows when one step outward fails for good: each in turn.
    pub failures: Vec<RehearsalFailing>,
    /// How long it took here, in milliseconds.
    pub took_ms: u64,
}

/// One thing that happens in a rehearsal.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RehearsalLine {
    /// How long after the beginning, for example `1h 5m`.
    pub after: String,
    /// `step`, `asked`, `changed`, `called`, `told`, `looked` or `over`.
    pub what: String,
    /// In words.
    pub text: String,
}

/// One outward step that fails for good.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RehearsalFailing {
    /// What fails.
    pub step: String,
    /// How the run ends then.
    pub end: String,
    /// What is left in place.
    pub left: Vec<String>,
    /// Laws that do not hold then.
    pub breaches: Vec<String>,
}
