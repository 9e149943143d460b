//! The response clock.

use std::collections::BTreeMap;

use axum::Json;
use serde::Serialize;
use stanch_core::journal::State;
use stanch_core::measure::{self, Clock, Waiting};
use stanch_core::story;
use stanch_model::{IncidentId, Span};

use super::incidents::missing;
use super::types::{ClockView, ClocksView, ManualView, PhaseQuantiles, PhaseTime, WaitingTime};
use super::{Answer, Failures};
use crate::api::extract::Named;
use crate::auth::Viewer;

/// Incidents listed with the clock over all.
const LISTED: usize = 1_000;
/// Manual steps listed.
const STEPS: usize = 100;

pub(super) fn word(w: impl Serialize) -> String {
    serde_json::to_value(w).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn waiting(all: &BTreeMap<Waiting, Span>) -> Vec<WaitingTime> {
    all.iter().map(|(w, s)| WaitingTime { on: word(w), time_ms: s.0, time: s.to_string() }).collect()
}

fn view(state: &State, c: &Clock) -> ClockView {
    let phase = |(name, after): (&'static str, Option<Span>)| PhaseTime {
        phase: name.to_owned(),
        after_ms: after.map(|s| s.0),
        after: after.map(|s| s.to_string()),
    };
    ClockView {
        incident: c.incident.to_string(),
        title: state.incidents.get(&c.incident).map(story::title).unwrap_or_default(),
        wall_ms: c.wall.0,
        wall: c.wall.to_string(),
        phases: c.phases.list().into_iter().map(phase).collect(),
        waiting: waiting(&c.waiting),
        costliest: word(c.costliest),
    }
}

fn manual(m: measure::Manual) -> ManualView {
    ManualView {
        kind: word(m.kind),
        n: m.took.n,
        waiting: m.waiting,
        p50_ms: m.took.p50.0,
        p90_ms: m.took.p90.0,
        lost_ms: m.lost.0,
        lost: m.lost.to_string(),
        instead: m.kind.instead().to_owned(),
        what: m.what,
    }
}

/// The response clock over all incidents
#[utoipa::path(get, path = "/api/v1/clock", tag = "clock", security(("person" = ["viewer"])),
    responses((status = 200, description = "The clock", body = ClocksView), Failures))]
pub(super) async fn all(viewer: Viewer) -> Answer<ClocksView> {
    let now = viewer.books().now();
    let view = viewer.books().read(|s| {
        let clocks = measure::clocks(s, now);
        let quantiles = |(name, q): (&&'static str, &measure::Quantiles)| {
            let q = PhaseQuantiles {
                n: q.n,
                p50_ms: q.p50.0,
                p50: q.p50.to_string(),
                p90_ms: q.p90.0,
                p90: q.p90.to_string(),
            };
            ((*name).to_owned(), q)
        };
        ClocksView {
            incidents: clocks.incidents.iter().take(LISTED).map(|c| view(s, c)).collect(),
            phases: clocks.phases.iter().map(quantiles).collect(),
            waiting: waiting(&clocks.waiting),
            advice: clocks.advice.clone(),
            manual: measure::manual(s, now).into_iter().take(STEPS).map(manual).collect(),
        }
    });
    Ok(Json(view))
}

/// The response clock of one incident
#[utoipa::path(get, path = "/api/v1/clock/{incident}", tag = "clock", security(("person" = ["viewer"])),
    params(("incident" = String, Path, description = "For example INC-3")),
    responses((status = 200, description = "The clock", body = ClockView), Failures))]
pub(super) async fn one(viewer: Viewer, Named(id): Named<IncidentId>) -> Answer<ClockView> {
    let now = viewer.books().now();
    let found = viewer.books().read(|s| s.incidents.get(&id).map(|i| view(s, &measure::clock(i, now))));
    found.map(Json).ok_or_else(|| missing(id))
}
