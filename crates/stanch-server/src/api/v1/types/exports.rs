//! Exports.

use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::QueueQuery;

/// In which form.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// `json` (the default), `csv`, `ocsf`, `stix`, `markdown` or `pdf`.
    pub format: Option<String>,
}

/// Which incidents, in which order and form: as for the queue.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct QueueExportQuery {
    /// `json` (the default), `csv`, `ocsf`, `stix`, `markdown` or `pdf`.
    pub format: Option<String>,
    /// `open` (the default), `all`, `triggered`, `acknowledged`, `contained` or `resolved`.
    pub status: Option<String>,
    /// Severities, separated by commas: `critical,high`.
    pub severity: Option<String>,
    /// Only of this team.
    pub team: Option<String>,
    /// Only taken by this person; `none`: by nobody; `me`: by you.
    pub owner: Option<String>,
    /// Only of this kind, for example `c2`.
    pub kind: Option<String>,
    /// True: only those that wait for a yes or no.
    pub waiting: Option<bool>,
    /// Words that must all occur in title, site, name or entities. At most 200 characters.
    pub q: Option<String>,
    /// A filter in CEL over `incident`.
    #[serde(rename = "where")]
    pub filter: Option<String>,
    /// `priority` (the default), `newest`, `oldest` or `activity`.
    pub sort: Option<String>,
}

impl QueueExportQuery {
    /// What it asks of the queue.
    #[must_use]
    pub fn queue(self) -> QueueQuery {
        QueueQuery {
            status: self.status,
            severity: self.severity,
            team: self.team,
            owner: self.owner,
            kind: self.kind,
            waiting: self.waiting,
            q: self.q,
            filter: self.filter,
            sort: self.sort,
            offset: None,
            limit: None,
        }
    }
}
