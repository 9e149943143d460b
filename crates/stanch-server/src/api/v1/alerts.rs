//! Alerts: what was claimed, where it is, and why it was judged so.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use stanch_core::journal::event::Missing;
use stanch_core::journal::{AlertSlot, Disposition, Incident, State};
use stanch_core::stage::autonomy;
use stanch_core::stage::fingerprint::entities;
use stanch_core::stage::normalise::ocsf;
use stanch_core::stage::triage::UNTRAINED;
use stanch_model::{Alert, AlertId, AlertState, Endpoint, Fact, IncidentId};

use super::incidents::fact_view;
use super::judgement::bar_view;
use super::types::{
    AlertDetail, AlertPage, AlertQuery, AlertSummary, AttackRef, EndpointView, ErrorBody, FactView,
    NormalisedAlert, ObservableView,
};
use super::{Answer, Failures};
use crate::api::extract::{Named, Query, limit, named, time};
use crate::auth::Viewer;
use crate::books::Place;
use crate::problem::Problem;

/// The summary as far as the state knows it; the rest comes from disk.
fn summary(state: &State, id: AlertId, slot: &AlertSlot) -> AlertSummary {
    let source = state.sources.get(usize::from(slot.source));
    let incident =
        (slot.disposition == Disposition::InIncident).then(|| IncidentId(u64::from(slot.link)).to_string());
    AlertSummary {
        id: id.to_string(),
        title: String::new(),
        source: source.map(|s| s.name.clone()).unwrap_or_default(),
        site: source.map(|s| s.site.clone()).unwrap_or_default(),
        product: String::new(),
        rule: String::new(),
        state: word(slot.disposition).to_owned(),
        place: state.place_of(slot),
        incident,
        severity: slot.severity.word().to_owned(),
        severity_id: slot.severity.id(),
        score: f64::from(slot.score) / 1_000.0,
        stage: slot.stage.words().to_owned(),
        count: slot.count,
        first: time(slot.first),
        last: time(slot.last),
        received: time(slot.arrived),
        src: None,
        dst: None,
    }
}

fn fill(summary: &mut AlertSummary, alert: &Alert) {
    let name = |e: &Endpoint| e.ip.map(|ip| ip.to_string()).or_else(|| e.hostname.clone());
    summary.title.clone_from(&alert.title);
    summary.product.clone_from(&alert.product.name);
    summary.rule.clone_from(&alert.rule.uid);
    summary.src = alert.src_endpoint.as_ref().and_then(name);
    summary.dst = alert.dst_endpoint.as_ref().or(alert.device.as_ref()).and_then(name);
}

const fn word(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::Open => "open",
        Disposition::Suppressed => "suppressed",
        Disposition::InIncident => "in_incident",
        Disposition::Closed => "closed",
    }
}

/// What is asked for, read.
struct Filter {
    state: Option<Disposition>,
    source: Option<u16>,
    before: AlertId,
}

impl Filter {
    fn keeps(&self, id: AlertId, slot: &AlertSlot) -> bool {
        id < self.before
            && self.state.is_none_or(|d| d == slot.disposition)
            && self.source.is_none_or(|s| s == slot.source)
    }
}

fn disposition(text: &str) -> Result<Disposition, Problem> {
    let all = [Disposition::Open, Disposition::Suppressed, Disposition::InIncident, Disposition::Closed];
    all.into_iter().find(|d| word(*d) == text).ok_or_else(|| {
        Problem::invalid("there is no such state", "write open, suppressed, in_incident or closed")
    })
}

/// One more than asked for, to know whether there is a next page.
fn pick(
    state: &State,
    filter: &Filter,
    incident: Option<IncidentId>,
    most: usize,
) -> Vec<(Place, AlertSummary)> {
    let keep = |id: AlertId| {
        let slot = state.slot(id)?;
        filter.keeps(id, slot).then(|| (Place::of(id, slot), summary(state, id, slot)))
    };
    match incident.and_then(|i| state.incidents.get(&i)) {
        Some(incident) => {
            let mut ids: Vec<AlertId> = incident.alert_ids().collect();
            ids.sort_unstable_by(|a, b| b.cmp(a));
            ids.into_iter().filter_map(keep).take(most).collect()
        }
        None => {
            let newest = (state.slots.len() as u64).min(filter.before.0.saturating_sub(1));
            (1..=newest).rev().map(AlertId).filter_map(keep).take(most).collect()
        }
    }
}

/// List alerts, the newest first
#[utoipa::path(get, path = "/api/v1/alerts", tag = "alerts", security(("person" = ["viewer"])), params(AlertQuery),
    responses((status = 200, description = "A page", body = AlertPage), Failures))]
pub(super) async fn list(viewer: Viewer, Query(asked): Query<AlertQuery>) -> Answer<AlertPage> {
    let most = limit(asked.limit)?;
    let incident: Option<IncidentId> = named(asked.incident.as_ref())?;
    let before = named(asked.before.as_ref())?.unwrap_or(AlertId(u64::MAX));
    let state = asked.state.as_deref().map(disposition).transpose()?;
    let books = viewer.books();
    let page = books.read(|s| {
        if let Some(i) = incident.filter(|i| !s.incidents.contains_key(i)) {
            return Err(Problem::not_found(
                format!("there is no {i}"),
                "list them with GET /api/v1/incidents",
            ));
        }
        let source = match asked.source.as_deref().map(|n| s.source(n)) {
            Some(None) => return Ok((Vec::new(), s.slots.len() as u64)),
            Some(Some((index, _))) => Some(index),
            None => None,
        };
        let filter = Filter { state, source, before };
        Ok((pick(s, &filter, incident, most + 1), s.slots.len() as u64))
    });
    let (mut found, total) = page?;
    let more = found.len() > most;
    found.truncate(most);
    let places: Vec<Place> = found.iter().map(|(place, _)| *place).collect();
    let known: BTreeMap<AlertId, Alert> = viewer.look(move |books| Ok(books.alerts(&places)?)).await?;
    let next_before = found.last().filter(|_| more).map(|(place, _)| place.id.to_string());
    let alerts = found.into_iter().map(|(place, mut summary)| {
        if let Some(alert) = known.get(&place.id) {
            fill(&mut summary, alert);
        }
        summary
    });
    Ok(Json(AlertPage { alerts: alerts.collect(), total, next_before }))
}

/// What was learnt about the values in one alert: kept with its incident once it is in one.
type Learnt = (Vec<FactView>, Vec<String>);

fn unanswered(m: &Missing) -> String {
    format!("{} about {}: {}", m.provider, m.about, m.failure)
}

fn learnt(state: &State, id: AlertId, slot: &AlertSlot) -> Learnt {
    let all = |facts: &mut dyn Iterator<Item = &Fact>, missing: &[Missing]| {
        (facts.map(fact_view).collect(), missing.iter().map(unanswered).collect())
    };
    if slot.disposition == Disposition::InIncident {
        let incident = state.incidents.get(&IncidentId(u64::from(slot.link)));
        let mine = |i: &Incident| {
            i.alerts.iter().find(|j| j.alert == id).map(|j| entities(&j.ends)).unwrap_or_default()
        };
        return incident.map_or_else(Learnt::default, |i| {
            let mine = mine(i);
            let about = |value: &str| {
                mine.iter().any(|e| e == value || e.split_once(':').is_some_and(|(_, v)| v == value))
            };
            let missing: Vec<Missing> = i.missing.iter().filter(|m| about(&m.about.value)).cloned().collect();
            all(&mut i.facts.values().filter(|f| about(&f.about.value)), &missing)
        });
    }
    state.facts.get(&id).map_or_else(Learnt::default, |l| all(&mut l.facts.iter(), &l.missing))
}

fn missing(id: AlertId) -> Problem {
    Problem::not_found(format!("there is no {id}"), "list them with GET /api/v1/alerts")
}

/// Where an alert lies, and what the state says about it.
fn locate(viewer: &Viewer, id: AlertId) -> Result<(Place, AlertSummary, Learnt), Problem> {
    let found = viewer.books().read(|s| {
        let slot = s.slot(id)?;
        Some((Place::of(id, slot), summary(s, id, slot), learnt(s, id, slot)))
    });
    found.ok_or_else(|| missing(id))
}

/// One alert
#[utoipa::path(get, path = "/api/v1/alerts/{id}", tag = "alerts", security(("person" = ["viewer"])),
    params(("id" = String, Path, description = "For example A-12")),
    responses((status = 200, description = "The alert", body = AlertDetail), Failures))]
pub(super) async fn one(viewer: Viewer, Named(id): Named<AlertId>) -> Answer<AlertDetail> {
    let (place, mut summary, (facts, missing_answers)) = locate(&viewer, id)?;
    let (found, reasons) = viewer.look(move |b| Ok((b.alert(place)?, b.reasons(place)?))).await?;
    let (alert, raw) = found.ok_or_else(|| taken_away(id))?;
    fill(&mut summary, &alert);
    let normalised = normalised(alert);
    let curve = viewer.books().read(autonomy::curve);
    let bar = curve.into_iter().find(|b| summary.score >= b.from && (summary.score < b.to || b.to >= 1.0));
    let told = reasons.iter().rev().find(|r| r.starts_with("model "));
    Ok(Json(AlertDetail {
        model: told.cloned().unwrap_or_else(|| UNTRAINED.to_owned()),
        bucket: ((summary.score * 10.0) as u8).min(9),
        calibration: bar.map(bar_view),
        summary,
        reasons,
        facts,
        missing: missing_answers,
        normalised,
        raw_bytes: raw.len(),
        entry: place.seq,
    }))
}

/// What lay beside its entry is gone.
fn taken_away(id: AlertId) -> Problem {
    let message = format!("what lay beside {id} was taken away: bytes, normalised form and reasons");
    Problem::not_found(
        message,
        "its score, incident and times stay: see GET /api/v1/alerts and /api/v1/incidents",
    )
}

fn endpoint(e: Endpoint) -> EndpointView {
    EndpointView { ip: e.ip.map(|ip| ip.to_string()), port: e.port, hostname: e.hostname }
}

fn normalised(a: Alert) -> NormalisedAlert {
    let attack = |x: stanch_model::Attack| AttackRef { technique: x.technique_uid, tactic: x.tactic };
    let observable =
        |o: stanch_model::Observable| ObservableView { kind: o.kind.word().to_owned(), value: o.value };
    NormalisedAlert {
        time: time(a.time),
        title: a.title,
        message: a.message,
        severity: a.severity.word().to_owned(),
        severity_id: a.severity.id(),
        state: if a.state == AlertState::Resolved { "resolved" } else { "firing" }.to_owned(),
        product: a.product.name,
        vendor: a.product.vendor_name,
        rule_uid: a.rule.uid,
        rule_name: a.rule.name,
        rule_category: a.rule.category,
        sensor: a.sensor,
        src_endpoint: a.src_endpoint.map(endpoint),
        dst_endpoint: a.dst_endpoint.map(endpoint),
        device: a.device.map(endpoint),
        user: a.user,
        protocol: a.protocol,
        established: a.established,
        attacks: a.attacks.into_iter().map(attack).collect(),
        observables: a.observables.into_iter().map(observable).collect(),
        source_uid: a.source_uid,
        unmapped: a.unmapped.into_fields(),
    }
}

/// Bytes as received, never shown by a browser as anything but a download.
pub(super) fn download(bytes: Vec<u8>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment")),
    ];
    (headers, bytes).into_response()
}

/// The bytes of an alert as received
#[utoipa::path(get, path = "/api/v1/alerts/{id}/raw", tag = "alerts", security(("person" = ["viewer"])),
    params(("id" = String, Path, description = "For example A-12")),
    responses((status = 200, description = "The bytes", body = String, content_type = "application/octet-stream"), Failures))]
pub(super) async fn raw(viewer: Viewer, Named(id): Named<AlertId>) -> Result<Response, Problem> {
    let (place, ..) = locate(&viewer, id)?;
    let found = viewer.look(move |b| Ok(b.alert(place)?)).await?;
    found.map(|(_, raw)| download(raw)).ok_or_else(|| taken_away(id))
}

/// An alert as an OCSF 1.8 Detection Finding
#[utoipa::path(get, path = "/api/v1/alerts/{id}/ocsf", tag = "alerts", security(("person" = ["viewer"])),
    params(("id" = String, Path, description = "For example A-12")),
    responses((status = 200, description = "The event", body = Object), (status = 500, description = "The journal could not be read", body = ErrorBody), Failures))]
pub(super) async fn ocsf_event(viewer: Viewer, Named(id): Named<AlertId>) -> Answer<Value> {
    let (place, ..) = locate(&viewer, id)?;
    let received = viewer.books().read(|s| s.slot(id).map(|a| a.arrived)).unwrap_or_default();
    let found = viewer.look(move |b| Ok(b.alert(place)?)).await?;
    let (alert, raw) = found.ok_or_else(|| taken_away(id))?;
    Ok(Json(ocsf(id, &alert, &raw, received)))
}
