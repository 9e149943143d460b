//! Retention, and where a subject stands.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Take away what was kept for long enough.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetentionRequest {
    /// Only say what would be taken away.
    #[serde(default)]
    pub dry_run: bool,
}

/// What was taken away, or would be.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RetentionView {
    /// True when it was done.
    pub done: bool,
    /// Details: what lies beside one entry.
    pub details: u64,
    /// Their bytes, as stored.
    pub bytes: u64,
    /// Old enough, and kept for an open incident or a change in force.
    pub needed: u64,
    /// How long alerts in no incident are kept; none: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerts: Option<String>,
    /// How long alerts of resolved incidents are kept; none: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incidents: Option<String>,
    /// In words.
    pub message: String,
}

/// Say where somebody or something stands.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ErasureRequest {
    /// An account, a mail address, a host, an address: 3 to 256 bytes. Written nowhere.
    #[schema(min_length = 3, max_length = 256)]
    pub subject: String,
}

/// Where a subject stands.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ErasureView {
    /// Always false: nothing is erased by subject yet.
    pub erased: bool,
    /// Entries whose bodies name it.
    pub entries: u64,
    /// Details that hold it.
    pub details: u64,
    /// Of these, those that an open incident or a change in force rests on.
    pub needed: u64,
    /// By kind of entry.
    pub kinds: Vec<ErasureKind>,
    /// Files beside the journal.
    pub files: Vec<ErasureFile>,
    /// Incidents that speak of it and are not resolved.
    pub open_incidents: Vec<String>,
    /// What stays, and why.
    pub stays: Vec<String>,
}

/// Where a subject stands, in one kind of entry.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ErasureKind {
    /// The kind.
    pub kind: String,
    /// Entries whose bodies name it.
    pub entries: u64,
    /// The first of them; 0 when there is none.
    pub first: u64,
    /// The last of them; 0 when there is none.
    pub last: u64,
    /// Details that hold it.
    pub details: u64,
    /// Their bytes, unpacked.
    pub detail_bytes: u64,
    /// Of these details, those that are needed.
    pub needed: u64,
}

/// A file that holds a subject.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ErasureFile {
    /// Its path in the data folder.
    pub file: String,
    /// How often.
    pub times: u64,
}
