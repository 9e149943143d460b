//! What is configured and does nothing: routes nobody comes by, playbooks that never run, silences
//! that hide nothing, sources that say nothing. Kept rules that match nothing are a promise nobody
//! checks; here is the list.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use stanch_model::Timestamp;

use crate::config::{Config, Route};
use crate::journal::State;
use crate::journal::state::Disposition;
use crate::playbook::Trigger;
use crate::stage::subject;

/// Something that did nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Idle {
    /// `source`, `route`, `playbook` or `silence`.
    pub kind: &'static str,
    /// Its name, or for a route what it matches.
    pub name: String,
    /// Where it stands in the configuration folder.
    pub place: String,
    /// When it last did something; none: never in this journal.
    pub last: Option<Timestamp>,
    /// Why it may be so.
    pub hint: String,
}

/// Everything configured that did nothing since `since`, in the order of kind and place.
#[must_use]
pub fn idle(state: &State, config: &Config, since: Timestamp) -> Vec<Idle> {
    let mut out = Vec::new();
    sources(state, config, since, &mut out);
    routes(state, config, since, &mut out);
    playbooks(state, config, since, &mut out);
    silences(state, config, since, &mut out);
    out
}

fn sources(state: &State, config: &Config, since: Timestamp, out: &mut Vec<Idle>) {
    for name in config.sources.keys() {
        let heard = state.sources.iter().filter(|s| s.name == *name && s.received > 0);
        let last = heard.map(|s| s.last_heard).max();
        if last.is_none_or(|at| at < since) {
            out.push(Idle {
                kind: "source",
                name: name.clone(),
                place: format!("sources/{name}.yaml"),
                last,
                hint: "it sends nothing: is it still there, and is its credential right?".into(),
            });
        }
    }
}

fn routes(state: &State, config: &Config, since: Timestamp, out: &mut Vec<Idle>) {
    let mut last: BTreeMap<String, Timestamp> = BTreeMap::new();
    for incident in state.incidents.values() {
        for reason in subject::route_incident(config, incident).because {
            // Reasons of the path begin with the line of the route.
            if let Some((place, _)) = reason.0.split_once(": ") {
                let at = last.entry(place.to_owned()).or_insert(incident.first_received);
                *at = (*at).max(incident.first_received);
            }
        }
    }
    let mut todo: Vec<&Route> = config.routes.routes.iter().collect();
    let mut found = Vec::new();
    while let Some(route) = todo.pop() {
        let at = last.get(&route.place).copied();
        if at.is_none_or(|at| at < since) {
            let matchers: Vec<String> = route.matchers.iter().map(ToString::to_string).collect();
            found.push(Idle {
                kind: "route",
                name: matchers.join(", "),
                place: route.place.clone(),
                last: at,
                hint: "no incident came this way: does an earlier route take it, or is a value misspelt?"
                    .into(),
            });
        } else {
            todo.extend(&route.routes);
        }
    }
    found.sort_by(|a, b| a.place.cmp(&b.place));
    out.extend(found);
}

fn playbooks(state: &State, config: &Config, since: Timestamp, out: &mut Vec<Idle>) {
    for playbook in &config.playbooks {
        let last = state.runs.values().filter(|r| r.name == playbook.name).map(|r| r.started).max();
        if last.is_none_or(|at| at < since) {
            let hint = match &playbook.trigger {
                Trigger::Incident(when) => format!("no incident fulfilled: {}", when.source()),
                Trigger::Hook => "its hook was not called".into(),
                Trigger::Called => "nobody called it".into(),
            };
            out.push(Idle {
                kind: "playbook",
                name: playbook.name.clone(),
                place: format!("playbooks/{}.yaml", playbook.name),
                last,
                hint,
            });
        }
    }
}

fn silences(state: &State, config: &Config, since: Timestamp, out: &mut Vec<Idle>) {
    let mut last: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for slot in state.slots.iter().filter(|s| s.disposition == Disposition::Suppressed) {
        let at = last.entry(state.cause(slot.link)).or_insert(slot.arrived);
        *at = (*at).max(slot.arrived);
    }
    let configured = config.silences.iter().map(|s| (s.name.clone(), "policies/silences.yaml".to_owned()));
    let set = state.silences.iter().filter(|(_, (_, ended))| ended.is_none());
    let set = set.map(|(id, (s, _))| (id.to_string(), format!("set by {}", s.by)));
    let mut told = BTreeSet::new();
    for (name, place) in configured.chain(set) {
        let at = last.get(name.as_str()).copied();
        if at.is_none_or(|at| at < since) && told.insert(name.clone()) {
            let hint = "it hides nothing: end it, or mend its matchers".into();
            out.push(Idle { kind: "silence", name, place, last: at, hint });
        }
    }
}
