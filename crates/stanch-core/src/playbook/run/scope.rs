//! What expressions of a playbook see.

use std::cell::LazyCell;
use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};
use stanch_model::{Fact, Meaning, ObservableKind};

use super::Run;
use super::state::id_of;
use crate::expr::{Expr, Scope};
use crate::journal::event::StepEnd;
use crate::journal::incident::Incident;
use crate::journal::state::State;
use crate::playbook::{Change, Playbook, Trigger};

/// Longest text of what the rules of an incident are called, in bytes.
const MOST_CLAIMS: usize = 16 * 1024;

/// An incident as playbook and route conditions see it.
#[must_use]
pub fn incident_value(state: &State, i: &Incident) -> serde_json::Value {
    fields_of(state, i, |_| true)
}

/// The same with only the fields that are read: each walks over all alerts of the incident.
fn fields_of(state: &State, i: &Incident, read: impl Fn(&str) -> bool) -> serde_json::Value {
    let set =
        |f: fn(&crate::journal::event::Joined) -> &str| i.alerts.iter().map(f).collect::<BTreeSet<&str>>();
    let peer = LazyCell::new(|| i.peer());
    let mut fields = Map::new();
    let mut put = |name: &str, value: &dyn Fn() -> Json| {
        if read(name) {
            fields.insert(name.to_owned(), value());
        }
    };
    put("accounts", &|| {
        let who = i.alerts.iter().flat_map(|a| &a.ends.who);
        who.filter_map(|w| w.strip_prefix("user:")).collect::<BTreeSet<&str>>().into_iter().collect()
    });
    put("domains", &|| domains(i).into_iter().collect());
    put("id", &|| i.id.to_string().into());
    put("kind", &|| i.kind().into());
    put("title", &|| crate::story::title(i).into());
    put("severity", &|| i.severity().rank().into());
    put("confidence", &|| i.confidence().into());
    put("site", &|| i.site.as_str().into());
    put("peer", &|| peer.map(|p| p.to_string()).unwrap_or_default().into());
    put("victims", &|| {
        let ends = i.alerts.iter().flat_map(|a| [a.ends.src, a.ends.dst]).flatten();
        let victims: BTreeSet<String> =
            ends.filter(|ip| Some(*ip) != *peer).map(|ip| ip.to_string()).collect();
        victims.into_iter().collect()
    });
    put("assets", &|| {
        i.facts.values().filter_map(asset_name).collect::<BTreeSet<&str>>().into_iter().collect()
    });
    put("techniques", &|| {
        // A part of a technique is that technique too: a condition on T1498 means T1498.001 as well.
        let all = i.alerts.iter().flat_map(|a| &a.techniques).flat_map(|t| [t.as_str(), parent(t)]);
        all.collect::<BTreeSet<&str>>().into_iter().collect()
    });
    put("stages", &|| i.stages().keys().map(|s| s.words()).collect());
    put("rules", &|| set(|a| &a.rule).len().into());
    put("claims", &|| claims(i).into());
    put("alerts", &|| {
        let slots = i.alert_ids().filter_map(|a| state.slot(a));
        slots.map(|s| u64::from(s.count)).sum::<u64>().into()
    });
    put("sources", &|| set(|a| &a.source).into_iter().collect());
    put("products", &|| set(|a| &a.product).into_iter().collect());
    put("team", &|| i.team.clone().unwrap_or_default().into());
    Json::Object(fields)
}

fn parent(technique: &str) -> &str {
    technique.split('.').next().unwrap_or(technique)
}

/// What the rules behind the alerts are called, each once, one a line: for conditions that need words.
/// One text and no list, so that a condition on it costs the same for any incident.
fn claims(i: &Incident) -> String {
    let names: BTreeSet<&str> = i.alerts.iter().map(|a| a.rule.as_str()).collect();
    let mut text = String::new();
    for name in names {
        if text.len() + name.len() > MOST_CLAIMS {
            break;
        }
        text.push_str(name);
        text.push('\n');
    }
    text
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

/// What expressions of a step see: only what these expressions read, because an incident with many
/// alerts and a run with many steps are costly to write out.
pub(super) fn scope<'e>(
    state: &State,
    incident: Option<&Incident>,
    run: &Run,
    loops: &[(String, Json)],
    exprs: impl IntoIterator<Item = &'e Expr>,
) -> Scope {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    let mut steps: BTreeSet<&str> = BTreeSet::new();
    let exprs: Vec<&Expr> = exprs.into_iter().collect();
    for e in &exprs {
        names.extend(e.variables().iter().map(String::as_str));
        steps.extend(e.fields().iter().filter_map(|f| f.strip_prefix("steps.")));
    }
    let mut scope = Scope::new();
    if names.contains("incident")
        && let Some(i) = incident
    {
        let read = |field: &str| exprs.iter().any(|e| e.reads("incident", field));
        scope = scope.with("incident", fields_of(state, i, read));
    }
    if names.contains("run") {
        let run = serde_json::json!({ "id": run.id.to_string(), "playbook": run.name });
        scope = scope.with("run", run);
    }
    if names.contains("inputs") {
        let inputs = if run.inputs.is_null() { Json::Object(Map::new()) } else { run.inputs.value() };
        scope = scope.with("inputs", inputs);
    }
    if names.contains("steps") {
        scope = scope.with("steps", steps_value(run, &steps));
    }
    // An inner loop hides an outer one of the same name.
    for (name, value) in loops.iter().filter(|(name, _)| names.contains(name.as_str())) {
        scope = scope.with(name.clone(), value.clone());
    }
    scope
}

/// What the steps that are over gave: their fields, and how they ended. Of a step in a loop, the
/// latest round's. All steps where the expressions read no single ones.
fn steps_value(run: &Run, wanted: &BTreeSet<&str>) -> Json {
    let mut all = Map::new();
    for (path, _, over) in run.over().collect::<Vec<_>>().into_iter().rev() {
        let id = id_of(path);
        if all.contains_key(id) || !(wanted.is_empty() || wanted.contains(id)) {
            continue;
        }
        let mut value = match over.output.value() {
            Json::Object(fields) => fields,
            Json::Null => Map::new(),
            other => Map::from_iter([("value".to_owned(), other)]),
        };
        value.insert("outcome".into(), (&*over.outcome).into());
        value.insert("failed".into(), (over.end == StepEnd::Failed).into());
        value.insert("skipped".into(), (over.end == StepEnd::Skipped).into());
        all.insert(id.to_owned(), Json::Object(value));
    }
    Json::Object(all)
}

/// The expressions of a change.
pub(super) fn of_change(change: &Change) -> Vec<&Expr> {
    match change {
        Change::BlockAddress { target }
        | Change::LimitAddress { target, .. }
        | Change::BlockPort { target, .. } => vec![target],
        Change::QuarantinePort { port, .. } => vec![port],
        Change::LockAccount { account }
        | Change::UnlockAccount { account }
        | Change::ResetCredential { account } => vec![account],
        Change::RemoveFromGroup { account, group } => vec![account, group],
        Change::SinkholeDomain { domain } => vec![domain],
        Change::Call { subject, inputs, .. } => {
            std::iter::once(subject).chain(inputs.iter().map(|(_, e)| e)).collect()
        }
    }
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
        Trigger::Incident(when) => {
            let value = fields_of(state, incident, |field| when.reads("incident", field));
            when.test(&Scope::new().with("incident", value))
        }
        Trigger::Hook | Trigger::Called => Ok(false),
    }
}
