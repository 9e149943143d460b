//! Sources: who may send, and when each last did.

use std::collections::BTreeMap;

use axum::Json;
use stanch_core::Config;
use stanch_core::config::{Credential, SourceConfig};
use stanch_core::journal::state::SourceState;
use stanch_core::stage::health::OWN_SOURCE;
use stanch_model::Timestamp;

use super::types::{SourcePage, SourceView};
use super::{Answer, Failures};
use crate::api::extract::time;
use crate::auth::Viewer;
use crate::intake::Doors;

/// List sources
#[utoipa::path(get, path = "/api/v1/sources", tag = "sources", security(("person" = ["viewer"])),
    responses((status = 200, description = "All of them", body = SourcePage), Failures))]
pub(super) async fn list(viewer: Viewer) -> Answer<SourcePage> {
    let books = viewer.books();
    let heard: BTreeMap<String, SourceState> =
        books.read(|s| s.sources.iter().map(|s| (s.name.clone(), s.clone())).collect());
    let (config, doors, now) = (books.config(), books.doors(), books.now());
    let none = BTreeMap::new();
    let configured = config.as_deref().map_or(&none, |c: &Config| &c.sources);
    let mut names: Vec<&String> = heard.keys().chain(configured.keys()).collect();
    names.sort();
    names.dedup();
    let one = |name: &&String| view(name, configured.get(*name), heard.get(*name), doors.as_deref(), now);
    Ok(Json(SourcePage { sources: names.iter().map(one).collect() }))
}

fn credential(config: Option<&SourceConfig>) -> &'static str {
    match config.and_then(|c| c.credential.as_ref()) {
        None => "none",
        Some(Credential::Bearer(_)) => "bearer",
        Some(Credential::Hmac { .. }) => "hmac",
        Some(Credential::RoutingKey(_)) => "routing_key",
        Some(Credential::Certificate(_)) => "certificate",
    }
}

fn view(
    name: &str,
    config: Option<&SourceConfig>,
    heard: Option<&SourceState>,
    doors: Option<&Doors>,
    now: Timestamp,
) -> SourceView {
    let door = doors.and_then(|d| d.by_name(name));
    let disabled_because = match (config, doors, door) {
        // What stanch says about what it listens to.
        (None, _, _) if name == OWN_SOURCE => None,
        (None, _, _) => Some("it is not configured (any more)".to_owned()),
        (Some(_), None, _) => Some("stanch is not running".to_owned()),
        (Some(_), Some(_), None) => Some("its configuration could not be used".to_owned()),
        (Some(_), Some(_), Some(door)) => door.shut.clone(),
    };
    let count = |f: fn(&SourceState) -> u64| heard.map_or(0, f);
    let silent_after = config.and_then(|c| c.silent_after);
    let last = heard.map(|h| h.last_heard);
    let spoken = |at: Timestamp| (at.0 > 0).then(|| time(at));
    SourceView {
        name: name.to_owned(),
        site: config.map(|c| c.site.clone()).or_else(|| heard.map(|h| h.site.clone())).unwrap_or_default(),
        format: config.map(|c| c.format.clone()),
        credential: credential(config).to_owned(),
        enabled: disabled_because.is_none(),
        disabled_because,
        authenticated: config.is_some_and(|c| c.authenticated),
        received: count(|h| h.received),
        merged: count(|h| h.merged),
        context: count(|h| h.context),
        quarantined: count(|h| h.quarantined),
        last_heard: last.and_then(spoken),
        last_event: heard.map(|h| h.last_event).and_then(spoken),
        silent: silent_after.is_some_and(|after| last.is_none_or(|at| now.since(at) > after)),
        silent_after_ms: silent_after.map(|s| s.0),
        silent_after: silent_after.map(|s| s.to_string()),
    }
}
