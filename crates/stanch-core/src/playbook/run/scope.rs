//! What expressions of a playbook see.

use std::collections::BTreeSet;

use stanch_model::{Fact, Meaning, ObservableKind};

use super::Run;
use crate::expr::Scope;
use crate::journal::incident::Incident;
use crate::journal::state::State;
use crate::playbook::{Playbook, Trigger};

/// An incident as playbook and route conditions see it.
#[must_use]
pub fn incident_value(state: &State, i: &Incident) -> serde_json::Value {
    let peer = i.peer();
    let victims: BTreeSet<String> = i
        .alerts
        .iter()
        .flat_map(|a| [a.ends.src, a.ends.dst])
        .flatten()
        .filter(|ip| Some(*ip) != peer)
        .map(|ip| ip.to_string())
        .collect();
    let assets: BTreeSet<&str> = i.facts.values().filter_map(|f| asset_name(f)).collect();
    let set =
        |f: fn(&crate::journal::event::Joined) -> &str| i.alerts.iter().map(f).collect::<BTreeSet<&str>>();
    let accounts: BTreeSet<&str> =
        i.alerts.iter().flat_map(|a| &a.ends.who).filter_map(|w| w.strip_prefix("user:")).collect();
    let techniques: BTreeSet<&String> = i.alerts.iter().flat_map(|a| &a.techniques).collect();
    serde_json::json!({
        "accounts": accounts,
        "domains": domains(i),
        "id": i.id.to_string(),
        "kind": i.kind(),
        "title": crate::story::title(i),
        "severity": i.severity().rank(),
        "confidence": i.confidence(),
        "site": i.site,
        "peer": peer.map(|p| p.to_string()).unwrap_or_default(),
        "victims": victims,
        "assets": assets,
        "techniques": techniques,
        "stages": i.stages().keys().map(|s| s.words()).collect::<Vec<_>>(),
        "rules": set(|a| &a.rule).len(),
        "alerts": i.alert_ids().filter_map(|a| state.slot(a)).map(|s| u64::from(s.count)).sum::<u64>(),
        "sources": set(|a| &a.source),
        "products": set(|a| &a.product),
        "team": i.team.clone().unwrap_or_default(),
    })
}

/// Names on the other side: those a look-up knew something about, and full names alerts speak of; a
/// name of ours is none of them.
fn domains(i: &Incident) -> BTreeSet<String> {
    let ours: BTreeSet<&str> = i.facts.values().filter_map(asset_name).collect();
    let known = i.facts.values().map(|f| &f.about).filter(|o| o.kind == ObservableKind::Hostname);
    let known = known.map(|o| o.value.as_str());
    let spoken = i.alerts.iter().flat_map(|a| &a.ends.who).filter_map(|w| w.strip_prefix("host:"));
    let all = known.chain(spoken.filter(|name| name.contains('.')));
    all.filter(|name| !ours.contains(name)).map(str::to_ascii_lowercase).collect()
}

fn asset_name(fact: &Fact) -> Option<&str> {
    match &fact.meaning {
        Meaning::Asset { name, .. } => Some(name),
        _ => None,
    }
}

pub(super) fn scope(state: &State, incident: &Incident, run: &Run) -> Scope {
    let run = serde_json::json!({ "id": run.id.to_string(), "playbook": run.name });
    Scope::new().with("incident", incident_value(state, incident)).with("run", run)
}

/// True when a playbook wants to run on an incident now; an error is told, never taken for no.
///
/// # Errors
/// What could not be evaluated.
pub fn triggers(
    state: &State,
    playbook: &Playbook,
    incident: &Incident,
) -> Result<bool, crate::expr::ExprError> {
    match &playbook.trigger {
        Trigger::Incident(when) => when.test(&Scope::new().with("incident", incident_value(state, incident))),
        Trigger::Hook | Trigger::Called => Ok(false),
    }
}
