//! Shapes that every resource shares.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Every error, whatever the route: a problem as RFC 9457 has it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// The kind of problem: `urn:stanch:error:` and the code.
    #[serde(default, rename = "type")]
    #[schema(example = "urn:stanch:error:ST0404")]
    pub kind: String,
    /// The kind in words, the same for all of it.
    #[serde(default)]
    #[schema(example = "Not Found")]
    pub title: String,
    /// The HTTP status.
    #[serde(default)]
    #[schema(example = 404)]
    pub status: u16,
    /// What went wrong this time, and how to mend it.
    #[serde(default)]
    pub detail: String,
    /// The same in parts.
    pub error: ErrorDetail,
}

/// What went wrong and how to mend it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    /// A stable code with a page of its own, for example `ST0404`.
    #[schema(example = "ST0404")]
    pub code: String,
    /// What went wrong.
    #[schema(example = "there is no INC-99")]
    pub message: String,
    /// How to mend it; may be empty.
    #[schema(example = "list them with GET /api/v1/incidents")]
    pub mend: String,
    /// All mistakes, when a configuration was refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mistakes: Vec<MistakeView>,
}

/// One mistake in the configuration folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MistakeView {
    /// Relative to the folder.
    pub file: String,
    /// From 1; 0 when the whole file is meant.
    pub line: usize,
    /// From 1, in characters; 0 when the whole line is meant.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// How to mend it; may be empty.
    pub help: String,
    /// True when the configuration can be used all the same.
    pub warning: bool,
}

/// What was done.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DoneView {
    /// In words.
    pub message: String,
    /// The incident concerned, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// The run concerned, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// For a second try at a quarantined record: what became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack: Option<super::AckView>,
}
