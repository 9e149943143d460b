//! Who asks, and what only an admin may do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::MistakeView;

/// Who the token belongs to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Whoami {
    /// The name in the journal.
    #[schema(example = "secops-lead")]
    pub name: String,
    /// `viewer`, `analyst`, `author`, `approver`, `operator` or `admin`.
    #[schema(example = "approver")]
    pub role: String,
    /// What that may do: `look`, `work`, `write`, `decide`, `operate`, `govern`.
    #[serde(default)]
    pub may: Vec<String>,
    /// Their teams.
    pub teams: Vec<String>,
    /// By what this request proved itself: `token`, `api_token`, `account`, `certificate`, or `none` without a server.
    #[serde(default)]
    pub way: String,
}

/// A new configuration is in force.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReloadView {
    /// In words.
    pub message: String,
    /// SHA-256 over the folder, in hexadecimal.
    pub hash: String,
    /// True when it differs from the one before.
    pub changed: bool,
    /// What somebody should look at.
    pub warnings: Vec<MistakeView>,
}

/// Stops changes to the outside world, or allows them again.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KillSwitchRequest {
    /// True: nothing new is changed outside. Undoing stays possible.
    pub engaged: bool,
    /// Only changes of this responder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub responder: Option<String>,
    /// Only changes of this playbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playbook: Option<String>,
}

/// Whether changes to the outside world are stopped.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct KillSwitchView {
    /// True: nothing new is changed outside.
    pub engaged: bool,
    /// Responders of which nothing new is changed.
    #[serde(default)]
    pub responders: Vec<String>,
    /// Playbooks by which nothing new is changed.
    #[serde(default)]
    pub playbooks: Vec<String>,
}

/// The session is over.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SignedOut {
    /// In words.
    pub message: String,
}
