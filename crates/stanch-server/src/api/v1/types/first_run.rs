//! The first minutes: what to do next, and sample data.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an administrator does first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FirstRunView {
    /// The configuration folder on the machine that stanch runs on.
    pub config_dir: String,
    /// Sources that can be sent to, by name.
    pub sources: Vec<FirstSourceView>,
    /// Incidents of sample data that are listed.
    pub samples: Vec<String>,
}

/// A source, and how to send to it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FirstSourceView {
    /// Its name, as in `/in/NAME`.
    pub name: String,
    /// Its format.
    pub format: String,
    /// Records taken in from it.
    pub received: u64,
    /// Sends a file with this program.
    pub command: String,
    /// Sends a file with curl; none where a signature has to be made first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub curl: Option<String>,
}
