//! Details that were taken away: by whom, why and how much, and never what they said.

use serde::{Deserialize, Serialize};

/// Bytes as received, normalised alerts and reasons beside old entries were taken away. The store does it with
/// this entry, in one transaction; what it reads of it is `details`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// Ranges of entries whose details are gone, both ends counted.
    pub details: Vec<(u64, u64)>,
    /// How many details that were.
    pub n: u64,
    /// Their bytes, as stored.
    pub bytes: u64,
    /// Why: `retention`.
    pub why: String,
    /// On whose order; `retention` when nobody asked.
    pub by: String,
}
