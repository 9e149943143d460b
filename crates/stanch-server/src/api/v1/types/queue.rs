//! The queue: incidents in the order of work.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::IncidentSummary;

/// Which incidents, in which order.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct QueueFilter {
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
    #[serde(default, deserialize_with = "yes_or_no")]
    pub waiting: Option<bool>,
    /// Words that must all occur in title, site, name or entities. At most 200 characters.
    pub q: Option<String>,
    /// A filter in CEL over `incident`, for example `incident.severity >= 4 && incident.owner == ""`.
    /// The fields are listed by GET /api/v1/queue/filters.
    #[serde(rename = "where")]
    pub filter: Option<String>,
    /// `priority` (the default), `newest`, `oldest` or `activity`.
    pub sort: Option<String>,
}

/// Which page of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct QueuePart {
    /// How many to leave out first. Default 0.
    pub offset: Option<usize>,
    /// How many; 100 by default, at most 1000.
    pub limit: Option<usize>,
}

/// A page of the queue, as it is asked for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueQuery {
    /// Which incidents, in which order.
    #[serde(flatten)]
    pub filter: QueueFilter,
    /// How many to leave out first.
    pub offset: Option<usize>,
    /// How many.
    pub limit: Option<usize>,
}

/// Within a query a value has come as text by the time it is known what it has to be.
fn yes_or_no<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<bool>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Said {
        Plain(bool),
        Text(String),
    }
    match Option::<Said>::deserialize(from)? {
        None => Ok(None),
        Some(Said::Plain(said)) => Ok(Some(said)),
        Some(Said::Text(text)) => text.parse().map(Some).map_err(serde::de::Error::custom),
    }
}

/// A page of the queue.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct QueuePage {
    /// The rows.
    pub rows: Vec<QueueRow>,
    /// How many match in all.
    pub total: usize,
    /// How many there are when nothing but the status is asked for.
    pub unfiltered: usize,
    /// What else there is, over all of this status.
    pub facets: Vec<Facet>,
    /// Incidents for which the filter had no value: they are neither in nor out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undecided: Option<Undecided>,
    /// The journal entry up to which this is true.
    pub seq: u64,
}

/// One incident in the queue.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct QueueRow {
    /// What every list shows.
    #[serde(flatten)]
    pub summary: IncidentSummary,
    /// The five stages of the response, in order.
    pub clock: Vec<ClockCell>,
    /// Who is waited for: `tool`, `hand_off`, `approval`, `human`, `active`; none when it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_on: Option<String>,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<String>,
    /// Questions that wait for a yes or no.
    pub approvals: Vec<String>,
    /// When the first of them expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Changes in force or on their way there.
    pub live_blocks: usize,
    /// Who takes part, the busiest first, at most 3.
    pub entities: Vec<String>,
    /// How many take part in all.
    pub entities_total: usize,
    /// Sources that speak of it.
    pub sources: usize,
}

/// One stage of the response.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ClockCell {
    /// `triage`, `enrich`, `escalate`, `investigate` or `contain`.
    pub phase: String,
    /// Since the first alert's arrival; none: not reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<i64>,
    /// The same, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A value that rows have, and how many have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Facet {
    /// `severity`, `status`, `team`, `owner` or `kind`.
    pub field: String,
    /// The value; empty for none.
    pub value: String,
    /// How many.
    pub count: usize,
}

/// Incidents for which a filter had no value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Undecided {
    /// How many.
    pub count: usize,
    /// The first of them.
    pub first: String,
    /// Why it had none there.
    pub why: String,
}

/// Filters that somebody keeps, and what a filter can read.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FilterPage {
    /// Those of whoever asks, by name.
    pub filters: Vec<FilterView>,
    /// Fields of `incident`.
    pub fields: Vec<FilterField>,
    /// Functions, beside the operators and `has`, `all`, `exists`, `exists_one`, `map` and `filter`.
    pub functions: Vec<String>,
}

/// A filter that somebody keeps.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FilterView {
    /// What it is called.
    pub name: String,
    /// The query of the queue's address, for example `where=incident.severity%20%3E%3D%204`.
    pub search: String,
}

/// One field that a filter can read.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FilterField {
    /// Its name behind `incident.`.
    pub name: String,
    /// Its kind, in words.
    pub kind: String,
    /// What it says, where that is not plain.
    pub about: String,
    /// All the words it can hold, where they are known.
    pub words: Vec<String>,
}

/// Keeps a filter, or gives it up.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FilterRequest {
    /// What it is called, 1 to 60 characters.
    pub name: String,
    /// The query of the queue's address; left out: the filter is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
}

/// Does the same to many incidents at once.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkRequest {
    /// Which, at most 500; empty when `matching` is given.
    #[serde(default)]
    pub incidents: Vec<String>,
    /// Instead: all that this asks for, at most 5000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matching: Option<QueueFilter>,
    /// With `matching`: how many the person saw. When more match now, nothing is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<usize>,
    /// `ack` or `resolve`.
    #[schema(example = "ack")]
    pub action: String,
    /// Why; needed to resolve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What became of each.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BulkView {
    /// How many it worked for.
    pub done: usize,
    /// Those it did not work for, and why.
    pub failed: Vec<BulkFailure>,
}

/// One it did not work for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BulkFailure {
    /// Which.
    pub incident: String,
    /// Why.
    pub why: String,
}
