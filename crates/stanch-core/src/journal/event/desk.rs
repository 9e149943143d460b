//! Facts about what people keep for themselves.

use serde::{Deserialize, Serialize};

/// A person kept a filter of the queue under a name, changed it, or gave it up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterKept {
    /// Whose.
    pub person: String,
    /// What they call it.
    pub name: String,
    /// The query of the queue's address; none: it is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
}
