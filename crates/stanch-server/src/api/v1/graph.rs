//! Who stands in an incident with whom, folded until one can read it.
//!
//! More than 25 cards on a screen tell nobody anything. The busiest entities keep a card of their
//! own; the others are put together with those that have the same part: same neighbour, same side.
//! The table of pairs beside it leaves nothing out.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use stanch_core::journal::event::Joined;
use stanch_core::journal::{Incident, State};
use stanch_core::stage::kill_chain::Stage;
use stanch_core::story;
use stanch_model::{IncidentId, Meaning, Severity, Timestamp};

use super::incidents::missing;
use super::types::{GraphCard, GraphLink, GraphPair, GraphView};
use super::{Answer, Failures};
use crate::api::extract::{Named, time};
use crate::auth::Viewer;

/// Cards at most.
const CARDS: usize = 25;
/// Of them, entities with a card of their own when something has to be folded.
const ALONE: usize = 17;
/// Members listed of a group.
const MEMBERS: usize = 200;
/// Pairs listed.
const PAIRS: usize = 500;

/// What connects two entities.
#[derive(Clone, Debug)]
struct Tie {
    alerts: u32,
    severity: Severity,
    stages: BTreeSet<Stage>,
    first: Timestamp,
    last: Timestamp,
}

type Ties = BTreeMap<(String, String), Tie>;

/// Who did what to whom in one alert. Accounts and names hang on the machine that was reached.
fn pairs_of(j: &Joined) -> Vec<(String, String)> {
    let (src, dst) = (j.ends.src.map(|ip| ip.to_string()), j.ends.dst.map(|ip| ip.to_string()));
    let mut pairs = Vec::new();
    if let (Some(src), Some(dst)) = (&src, &dst) {
        pairs.push((src.clone(), dst.clone()));
    }
    if let Some(at) = dst.or(src) {
        pairs.extend(j.ends.who.iter().filter(|w| **w != at).map(|w| (w.clone(), at.clone())));
    } else if let [first, rest @ ..] = j.ends.who.as_slice() {
        pairs.extend(rest.iter().map(|w| (first.clone(), w.clone())));
    }
    pairs
}

fn ties<'a>(alerts: impl Iterator<Item = &'a Joined>) -> Ties {
    let mut all = Ties::new();
    for j in alerts {
        for pair in pairs_of(j) {
            let tie = all.entry(pair).or_insert_with(|| Tie {
                alerts: 0,
                severity: j.severity,
                stages: BTreeSet::new(),
                first: j.time,
                last: j.time,
            });
            tie.alerts += 1;
            tie.stages.insert(j.stage);
            tie.first = tie.first.min(j.time);
            tie.last = tie.last.max(j.time);
            if j.severity.rank() > tie.severity.rank() {
                tie.severity = j.severity;
            }
        }
    }
    all
}

/// An entity's weight: alerts it is in, and how many others it deals with.
fn weights(ties: &Ties, i: &Incident) -> Vec<(String, u64)> {
    let mut all: BTreeMap<&str, u64> = i.entities.keys().map(|e| (e.as_str(), 0)).collect();
    for ((from, to), tie) in ties {
        for end in [from, to] {
            *all.entry(end).or_default() += u64::from(tie.alerts) + 10;
        }
    }
    let peer = i.peer().map(|p| p.to_string());
    let mut all: Vec<(String, u64)> = all
        .into_iter()
        // The machine on the other side is what it is about, however little it did.
        .map(|(e, w)| (e.to_owned(), if Some(e) == peer.as_deref() { u64::MAX } else { w }))
        .collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    all
}

/// Which card each entity is on: its own name, or a group's.
fn folded(ties: &Ties, ranked: &[(String, u64)]) -> BTreeMap<String, String> {
    let mut place: BTreeMap<String, String> = BTreeMap::new();
    if ranked.len() <= CARDS {
        return ranked.iter().map(|(e, _)| (e.clone(), e.clone())).collect();
    }
    let (alone, rest) = ranked.split_at(ALONE);
    place.extend(alone.iter().map(|(e, _)| (e.clone(), e.clone())));
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (e, _) in rest {
        let mut parts: Vec<(u32, String)> = Vec::new();
        for ((from, to), tie) in ties {
            if from == e && place.get(to) == Some(to) {
                parts.push((tie.alerts, format!("group:acted on {to}")));
            } else if to == e && place.get(from) == Some(from) {
                parts.push((tie.alerts, format!("group:acted upon by {from}")));
            }
        }
        parts.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let name = parts.into_iter().next().map_or_else(|| "group:others".to_owned(), |(_, name)| name);
        groups.entry(name).or_default().push(e);
    }
    // The largest groups keep a card; what is left over shares the last one.
    let mut groups: Vec<(String, Vec<&str>)> = groups.into_iter().collect();
    groups.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then(a.0.cmp(&b.0)));
    let room = CARDS - ALONE - 1;
    for (n, (name, members)) in groups.into_iter().enumerate() {
        let name = if n < room { name } else { "group:others".to_owned() };
        place.extend(members.into_iter().map(|m| (m.to_owned(), name.clone())));
    }
    place
}

fn about<'a>(i: &'a Incident, entity: &'a str) -> impl Iterator<Item = &'a Meaning> + 'a {
    let value =
        entity.split_once(':').filter(|(k, _)| matches!(*k, "host" | "user")).map_or(entity, |(_, v)| v);
    i.facts.values().filter(move |f| f.about.value == value).map(|f| &f.meaning)
}

fn entity_card(i: &Incident, entity: &str, known_as: &BTreeMap<&str, &[String]>) -> GraphCard {
    let kind = match entity.split_once(':') {
        Some(("host", _)) => "host",
        Some(("user", _)) => "user",
        _ => "address",
    };
    let criticality = about(i, entity).find_map(|m| match m {
        Meaning::Asset { criticality, .. } => Some(format!("{criticality:?}").to_lowercase()),
        _ => None,
    });
    let part = i.entities.get(entity);
    GraphCard {
        id: entity.to_owned(),
        label: story::name_of(i, entity),
        kind: kind.to_owned(),
        ours: criticality.is_some(),
        peer: i.peer().is_some_and(|p| p.to_string() == entity),
        criticality,
        known_as: known_as.get(entity).map(|k| k.to_vec()).unwrap_or_default(),
        acted: part.map_or(0, |p| p.acted),
        suffered: part.map_or(0, |p| p.suffered),
        members: Vec::new(),
        members_total: 0,
    }
}

fn group_card(i: &Incident, id: &str, members: &[&String]) -> GraphCard {
    let sum = |f: fn(&stanch_core::journal::incident::Part) -> u32| {
        members.iter().filter_map(|m| i.entities.get(*m)).map(f).sum()
    };
    let part = id.strip_prefix("group:").unwrap_or(id);
    GraphCard {
        id: id.to_owned(),
        label: format!("{} {part}", members.len()),
        kind: "group".to_owned(),
        ours: false,
        peer: false,
        criticality: None,
        known_as: Vec::new(),
        acted: sum(|p| p.acted),
        suffered: sum(|p| p.suffered),
        members: members.iter().take(MEMBERS).map(|m| (*m).clone()).collect(),
        members_total: members.len(),
    }
}

fn stages(all: &BTreeSet<Stage>) -> Vec<String> {
    all.iter().map(|s| s.words().to_owned()).collect()
}

fn links(ties: &Ties, place: &BTreeMap<String, String>) -> Vec<GraphLink> {
    let mut all: BTreeMap<(&str, &str), Tie> = BTreeMap::new();
    for ((from, to), tie) in ties {
        let (Some(a), Some(b)) = (place.get(from), place.get(to)) else { continue };
        if a == b {
            continue;
        }
        all.entry((a, b))
            .and_modify(|t| {
                t.alerts += tie.alerts;
                t.stages.extend(&tie.stages);
                if tie.severity.rank() > t.severity.rank() {
                    t.severity = tie.severity;
                }
            })
            .or_insert_with(|| tie.clone());
    }
    let link = |((from, to), t): ((&str, &str), Tie)| GraphLink {
        from: from.to_owned(),
        to: to.to_owned(),
        alerts: t.alerts,
        severity: t.severity.word().to_owned(),
        severity_id: t.severity.id(),
        stages: stages(&t.stages),
    };
    all.into_iter().map(link).collect()
}

fn pairs(ties: &Ties) -> Vec<GraphPair> {
    let mut all: Vec<(&(String, String), &Tie)> = ties.iter().collect();
    all.sort_by(|a, b| b.1.alerts.cmp(&a.1.alerts).then(a.0.cmp(b.0)));
    let pair = |((from, to), t): (&(String, String), &Tie)| GraphPair {
        from: from.clone(),
        to: to.clone(),
        alerts: t.alerts,
        severity: t.severity.word().to_owned(),
        severity_id: t.severity.id(),
        stages: stages(&t.stages),
        first: time(t.first),
        last: time(t.last),
    };
    all.into_iter().take(PAIRS).map(pair).collect()
}

fn view(s: &State, i: &Incident) -> GraphView {
    let of_it = s.incidents.values().filter(|other| other.id == i.id || s.head_of(other.id) == i.id);
    let ties = ties(of_it.flat_map(|i| &i.alerts));
    let ranked = weights(&ties, i);
    let place = folded(&ties, &ranked);
    let story = story::story(s, i);
    let known_as = story.actors.iter().map(|a| (a.entity.as_str(), a.known_as.as_slice())).collect();
    let mut on: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
    for (entity, card) in &place {
        on.entry(card).or_default().push(entity);
    }
    let card = |(id, members): (&String, Vec<&String>)| {
        if id.starts_with("group:") { group_card(i, id, &members) } else { entity_card(i, id, &known_as) }
    };
    GraphView {
        incident: i.id.to_string(),
        cards: on.into_iter().map(card).collect(),
        links: links(&ties, &place),
        entities_total: ranked.len(),
        pairs_total: ties.len(),
        pairs: pairs(&ties),
    }
}

/// Who stands in an incident with whom
#[utoipa::path(get, path = "/api/v1/incidents/{id}/graph", tag = "incidents", security(("person" = ["viewer"])),
    params(("id" = String, Path, description = "For example INC-3")),
    responses((status = 200, description = "The graph", body = GraphView), Failures))]
pub(super) async fn graph(viewer: Viewer, Named(id): Named<IncidentId>) -> Answer<GraphView> {
    let found = viewer.books().read(|s| s.incidents.get(&id).map(|i| view(s, i)));
    found.map(Json).ok_or_else(|| missing(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tie(alerts: u32) -> Tie {
        let (first, last) = (Timestamp(0), Timestamp(1));
        Tie { alerts, severity: Severity::Low, stages: BTreeSet::new(), first, last }
    }

    #[test]
    fn a_crowd_becomes_at_most_25_cards_and_nobody_is_lost() {
        let mut all = Ties::new();
        for n in 0..300 {
            all.insert((format!("10.0.{}.{}", n / 250, n % 250), format!("192.0.2.{}", n % 40)), tie(n + 1));
        }
        let mut names: BTreeSet<String> = BTreeSet::new();
        all.keys().for_each(|(a, b)| names.extend([a.clone(), b.clone()]));
        let ranked: Vec<(String, u64)> = names.iter().rev().map(|n| (n.clone(), 1)).collect();
        let place = folded(&all, &ranked);
        let cards: BTreeSet<&String> = place.values().collect();
        assert!(cards.len() <= CARDS, "{}", cards.len());
        assert_eq!(place.len(), names.len(), "everybody has a place");
    }

    #[test]
    fn a_few_keep_their_own_cards() {
        let all = Ties::from([(("a".to_owned(), "b".to_owned()), tie(1))]);
        let ranked = vec![("a".to_owned(), 2), ("b".to_owned(), 1)];
        let place = folded(&all, &ranked);
        assert_eq!(place["a"], "a");
        assert_eq!(place["b"], "b");
    }
}
