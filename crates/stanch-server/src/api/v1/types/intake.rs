//! Answers of the intake routes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What became of a delivery. Sent only after the disk has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AckView {
    /// Records taken in.
    pub accepted: u64,
    /// Of them: alerts not seen before.
    pub new: u64,
    /// Of them: counted on known alerts.
    pub merged: u64,
    /// Of them: flows and logs.
    pub context: u64,
    /// Of them: could not be read; kept, listed, can be tried again.
    pub quarantined: u64,
    /// Journal entry that holds them.
    pub entry: u64,
    /// Names of the new alerts, at most 32.
    pub alerts: Vec<String>,
}

/// The answer of `/v2/enqueue`, in PagerDuty's shape.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PagerDutyAnswer {
    /// `success` or `invalid event`.
    #[schema(example = "success")]
    pub status: String,
    /// In words.
    pub message: String,
    /// The event's own key, or one made for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedup_key: Option<String>,
    /// What is wrong with the event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}
