//! The response clock.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The clock over all incidents.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ClocksView {
    /// Each incident, the latest first, at most 1000.
    pub incidents: Vec<ClockView>,
    /// By phase: `triage`, `enrich`, `escalate`, `investigate`, `approve`, `contain`, `notify_noc`, `resolve`.
    pub phases: BTreeMap<String, PhaseQuantiles>,
    /// Wall time of all incidents by who was waited for.
    pub waiting: Vec<WaitingTime>,
    /// The party that cost most, and what to do about it.
    pub advice: String,
    /// What people do by hand, the costliest first, at most 100.
    #[serde(default)]
    pub manual: Vec<ManualView>,
}

/// One kind of manual step.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ManualView {
    /// What is done by hand.
    pub what: String,
    /// `approval`, `task`, `hand_off` or `work`.
    pub kind: String,
    /// How often it was done.
    pub n: usize,
    /// How many still wait.
    pub waiting: usize,
    /// Half were faster.
    pub p50_ms: i64,
    /// Nine of ten were faster.
    pub p90_ms: i64,
    /// Time lost over all of them, those that still wait included.
    pub lost_ms: i64,
    /// The same, in words.
    pub lost: String,
    /// What would take it off people's hands.
    pub instead: String,
}

/// Median and 90th percentile of one phase, from the first alert's arrival.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PhaseQuantiles {
    /// Incidents that reached it.
    pub n: usize,
    /// Half were faster.
    pub p50_ms: i64,
    /// Half were faster, in words.
    pub p50: String,
    /// Nine of ten were faster.
    pub p90_ms: i64,
    /// Nine of ten were faster, in words.
    pub p90: String,
}

/// The clock of one incident.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ClockView {
    /// Which.
    pub incident: String,
    /// Its title.
    pub title: String,
    /// From the first alert's arrival to the end, or to now.
    pub wall_ms: i64,
    /// The same, in words.
    pub wall: String,
    /// Phases in the order they are reached; those not reached have no time.
    pub phases: Vec<PhaseTime>,
    /// Wall time by who was waited for; sums exactly to `wall_ms`.
    pub waiting: Vec<WaitingTime>,
    /// The party that cost most.
    pub costliest: String,
}

/// When one phase was reached.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PhaseTime {
    /// Which.
    #[schema(example = "contain")]
    pub phase: String,
    /// Since the first alert's arrival; none: not reached.
    pub after_ms: Option<i64>,
    /// The same, in words.
    pub after: Option<String>,
}

/// How long one party was waited for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WaitingTime {
    /// `tool`, `hand_off`, `approval`, `human`, or `active` when nobody was waited for.
    #[schema(example = "approval")]
    pub on: String,
    /// How long.
    pub time_ms: i64,
    /// The same, in words.
    pub time: String,
}
