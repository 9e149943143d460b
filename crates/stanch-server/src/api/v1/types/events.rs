//! What happens, as it happens.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// From where to listen.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// The last journal entry already known; the header `Last-Event-ID` wins over it.
    pub after: Option<u64>,
}

/// What changed between two looks at the journal. Says which things, never what they are now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeView {
    /// The last journal entry it covers.
    pub seq: u64,
    /// Kinds of journal entries, each with how many there were.
    pub kinds: BTreeMap<String, u32>,
    /// Incidents concerned, at most 100.
    pub incidents: Vec<String>,
    /// True when there were too many to list: everything may have changed.
    pub many: bool,
}
