//! The timeline of an incident, with its waits, and who stands in it with whom.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Everything that happened, in order, and the waits in between.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TimelineView {
    /// Which incident.
    pub incident: String,
    /// The rows, the oldest first.
    pub rows: Vec<TimelineRow>,
    /// Time from the first alert's arrival to the end, or to now.
    pub wall_ms: i64,
    /// Waits shorter than this are left out.
    pub shortest_gap_ms: i64,
}

/// One row.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TimelineRow {
    /// When it happened or began.
    pub at: String,
    /// Whose clock says so: `source` or `stanch`.
    pub clock: String,
    /// `evidence`, `machine`, `person` or `gap`.
    #[schema(example = "gap")]
    pub by: String,
    /// For what we did: the mark, for example `approval_requested`. For a gap: who was waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// In words.
    pub text: String,
    /// Alerts it rests on, the oldest first, at most 5.
    pub alerts: Vec<String>,
    /// Further alerts behind it.
    pub more: usize,
    /// For a gap: how long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasted_ms: Option<i64>,
    /// For a gap: how long, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasted: Option<String>,
    /// For a gap: true while it goes on.
    pub open: bool,
}

/// Who stands in an incident with whom.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GraphView {
    /// Which incident.
    pub incident: String,
    /// At most 25 cards: entities, and groups of entities that are alike.
    pub cards: Vec<GraphCard>,
    /// What connects them.
    pub links: Vec<GraphLink>,
    /// Entities in all.
    pub entities_total: usize,
    /// Every pair before folding, the busiest first, at most 500: the same as a table.
    pub pairs: Vec<GraphPair>,
    /// Pairs in all.
    pub pairs_total: usize,
}

/// One card.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GraphCard {
    /// Its name within this graph.
    pub id: String,
    /// What people read.
    pub label: String,
    /// `address`, `host`, `user` or `group`.
    pub kind: String,
    /// True when the inventory knows it as ours.
    pub ours: bool,
    /// True for the machine on the other side.
    pub peer: bool,
    /// `low`, `medium`, `high` or `critical`, where the inventory says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub criticality: Option<String>,
    /// What is known about it.
    pub known_as: Vec<String>,
    /// Alerts in which it acted.
    pub acted: u32,
    /// Alerts in which it was acted upon.
    pub suffered: u32,
    /// For a group: who is in it, at most 200.
    pub members: Vec<String>,
    /// For a group: how many are in it.
    pub members_total: usize,
}

/// What connects two cards, from who acted to who was acted upon.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GraphLink {
    /// From which card.
    pub from: String,
    /// To which card.
    pub to: String,
    /// Alerts behind it.
    pub alerts: u32,
    /// The highest severity.
    pub severity: String,
    /// The highest severity, as OCSF `severity_id`.
    pub severity_id: u8,
    /// Stages of the attack, in order.
    pub stages: Vec<String>,
}

/// Who did something to whom.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GraphPair {
    /// Who acted.
    pub from: String,
    /// Who was acted upon.
    pub to: String,
    /// Alerts behind it.
    pub alerts: u32,
    /// The highest severity.
    pub severity: String,
    /// The highest severity, as OCSF `severity_id`.
    pub severity_id: u8,
    /// Stages of the attack, in order.
    pub stages: Vec<String>,
    /// First event time.
    pub first: String,
    /// Last event time.
    pub last: String,
}
