//! What is configured, for people to see. Never a secret, nor where one lies.

use axum::Json;
use stanch_core::Config;
use stanch_core::config::{EnricherConfig, NotifierConfig, Protected, Team};
use stanch_core::contain::weigh;
use stanch_core::journal::state::Pending;
use stanch_core::journal::{Effect, State, Status};

use super::types::{ConnectorView, LimitView, PersonView, ProtectedView, SettingsView, TeamView};
use super::{Answer, Failures};
use crate::auth::Viewer;
use crate::books::Books;
use crate::chat::links::Standing;
use crate::problem::mistake_view;

pub(super) fn limit(name: &str, value: impl std::fmt::Display) -> LimitView {
    LimitView { name: name.to_owned(), value: value.to_string() }
}

pub(super) fn team(t: &Team) -> TeamView {
    TeamView { name: t.name.clone(), notifier: t.notifier.clone(), to: t.to.clone() }
}

fn limits(config: &Config) -> Vec<LimitView> {
    let c = &config.containment;
    vec![
        limit("default_ttl", c.default_ttl),
        limit("max_ttl", c.max_ttl),
        limit("max_per_10_minutes", c.max_per_10_minutes),
        limit("max_active", c.max_active),
        limit("min_prefix_v4", format!("/{}", c.min_prefix_v4)),
        limit("min_prefix_v6", format!("/{}", c.min_prefix_v6)),
        limit("max_assets_touched", c.max_assets_touched),
        limit("approval_expires", c.approval_expires),
    ]
}

fn enricher(e: &EnricherConfig) -> (&str, &'static str) {
    match e {
        EnricherConfig::Assets { .. } => ("assets", "assets"),
        EnricherConfig::Intel { name, .. } => (name, "intel"),
        EnricherConfig::Warninglists { .. } => ("warninglists", "warninglists"),
        EnricherConfig::Http { name, .. } => (name, "http"),
    }
}

fn notifier(n: &NotifierConfig) -> (&str, &'static str) {
    match n {
        NotifierConfig::Smtp { name, .. } => (name, "smtp"),
        NotifierConfig::Webhook { name, .. } => (name, "webhook"),
        NotifierConfig::Slack { name, .. } => (name, "slack"),
        NotifierConfig::Teams { name, .. } => (name, "teams"),
        NotifierConfig::Rt { name, .. } => (name, "rt"),
        NotifierConfig::Log { name } => (name, "log"),
    }
}

/// Who carries an intention out: role and name. Look-ups go to all enrichers at once, and calls name their
/// connector only in the configuration.
fn by<'s>(s: &'s State, what: &'s Effect) -> Option<(&'static str, &'s str)> {
    match what {
        Effect::Notify { notifier, .. } => Some(("notifier", notifier)),
        Effect::Capture { action } | Effect::Perform { action } => {
            s.actions.get(action).map(|a| ("responder", a.action.responder.as_str()))
        }
        Effect::Verify { action } | Effect::Revert { action } => Some(("responder", &action.responder)),
        Effect::LookUp { .. } | Effect::Enrich { .. } | Effect::Fetch { .. } => None,
    }
}

fn connectors(config: &Config, books: &Books, s: &State) -> Vec<ConnectorView> {
    let open = || s.incidents.values().filter(|i| i.status != Status::Resolved);
    let unanswered = |name: &str| open().flat_map(|i| &i.missing).filter(|m| m.provider == name).count();
    let todo = |role: &str, name: &str| -> Vec<&Pending> {
        s.pending.values().filter(|p| by(s, &p.what) == Some((role, name))).collect()
    };
    let one = |role: &str, (name, kind): (&str, &str)| {
        let todo = todo(role, name);
        let failing: Vec<&&Pending> = todo.iter().filter(|p| p.attempts > 0).collect();
        let latest = failing.iter().max_by_key(|p| p.since);
        let standing = if role == "notifier" { books.link(name) } else { None };
        let down = standing.as_ref().and_then(Standing::trouble);
        let off = role == "notifier" && !books.tells(name);
        let health = match (off, failing.is_empty() && down.is_none()) {
            (true, _) => "off",
            (false, true) => "ok",
            (false, false) => "failing",
        };
        ConnectorView {
            health: health.to_owned(),
            waiting: todo.len(),
            failing: failing.len(),
            trouble: down.or_else(|| latest.and_then(|p| p.last_failure.clone())),
            link: standing.map(|s| s.words()),
            role: role.to_owned(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            simulated: role == "responder" && books.simulated(name),
            unanswered: if role == "enricher" { unanswered(name) } else { 0 },
        }
    };
    let c = &config.connectors;
    let responders = c.responders.iter().map(|r| one("responder", (r.name(), r.kind())));
    let enrichers = c.enrichers.iter().map(|e| one("enricher", enricher(e)));
    let notifiers = c.notifiers.iter().map(|n| one("notifier", notifier(n)));
    responders.chain(enrichers).chain(notifiers).collect()
}

fn protected(p: &Protected) -> ProtectedView {
    ProtectedView { net: p.what.words(), why: p.why.clone() }
}

/// What is configured
#[utoipa::path(get, path = "/api/v1/settings", tag = "operation", security(("person" = ["viewer"])),
    responses((status = 200, description = "The settings", body = SettingsView), Failures))]
pub(super) async fn settings(viewer: Viewer) -> Answer<SettingsView> {
    let books = viewer.books();
    let config = books.config();
    let (discovered, lately) = (books.discovered(), books.lately());
    let config = config.as_deref();
    let view = books.read(|s| SettingsView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        config_hash: config.map(|c| c.hash.clone()).unwrap_or_else(|| s.config_hash.clone()),
        kill_switch: s.kill_switch,
        people: config.into_iter().flat_map(|c| c.people.values()).map(person).collect(),
        teams: config.into_iter().flat_map(|c| c.teams.values()).map(team).collect(),
        protected: {
            let written = config.into_iter().flat_map(|c| &c.containment.protected);
            let own = config.map(weigh::own).unwrap_or_default();
            written.chain(&own).chain(&discovered).chain(&lately).map(protected).collect()
        },
        limits: config.map(limits).unwrap_or_default(),
        noc_team: config.and_then(|c| c.containment.noc_team.clone()),
        connectors: config.map(|c| connectors(c, books, s)).unwrap_or_default(),
        warnings: config.into_iter().flat_map(|c| &c.warnings).map(mistake_view).collect(),
    });
    Ok(Json(view))
}

fn person(p: &stanch_core::config::Person) -> PersonView {
    let teams = p.teams.iter().cloned().collect();
    PersonView { name: p.name.clone(), role: p.role.word().to_owned(), teams }
}
