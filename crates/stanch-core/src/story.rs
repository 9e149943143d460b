//! The story of an incident: what happened in order, and on which raw alerts each sentence rests.
//!
//! Deterministic text from the fold, nothing else: the same journal tells the same story. What is
//! known, what is not known and what was done are kept apart.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use stanch_model::{AlertId, IncidentId, Meaning, Timestamp};

use crate::journal::event::Joined;
use crate::journal::incident::{Incident, MarkKind, Status};
use crate::journal::state::State;
use crate::stage::health::OWN_SOURCE;
use crate::stage::kill_chain::Stage;

/// One sentence and what it rests on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sentence {
    /// When it begins (event time for what happened, our clock for what we did).
    pub at: Timestamp,
    /// The sentence.
    pub text: String,
    /// Raw alerts it rests on, oldest first; at most [`CITED`], with `more` counting the rest.
    pub alerts: Vec<AlertId>,
    /// Further alerts behind it.
    pub more: usize,
}

/// One entity's part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Actor {
    /// Address, `host:…` or `user:…`.
    pub entity: String,
    /// What it is, as far as the inventory and the feeds know.
    pub known_as: Vec<String>,
    /// Alerts in which it acted.
    pub acted: u32,
    /// Alerts in which it was acted upon.
    pub suffered: u32,
}

/// The whole story.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Story {
    /// Which incident.
    pub incident: IncidentId,
    /// One line.
    pub title: String,
    /// Where it stands.
    pub status: Status,
    /// OCSF severity word.
    pub severity: &'static str,
    /// Probability that it matters, 0 to 1.
    pub confidence: f64,
    /// Which team answers.
    pub team: Option<String>,
    /// Records received that are part of it.
    pub records: u64,
    /// Distinct alerts after dedup.
    pub alerts: usize,
    /// What happened.
    pub happened: Vec<Sentence>,
    /// Who takes part, the busiest first; at most [`ACTORS`].
    pub actors: Vec<Actor>,
    /// How many take part in all.
    pub actors_total: usize,
    /// Stages of the attack, in order.
    pub stages: Vec<&'static str>,
    /// ATT&CK techniques, where a source named them.
    pub techniques: BTreeSet<String>,
    /// What is not known, and why.
    pub unknown: Vec<String>,
    /// What we did.
    pub done: Vec<Sentence>,
    /// Incidents that are a part of it.
    pub parts: Vec<IncidentId>,
}

/// Alerts named behind one sentence.
pub const CITED: usize = 5;
/// Entities listed.
pub const ACTORS: usize = 12;

/// One line: what kind, who, towards whom.
#[must_use]
pub fn title(i: &Incident) -> String {
    if let Some(own) = i.alerts.first().filter(|a| a.source == OWN_SOURCE) {
        return format!("Stanch itself: {}", own.rule);
    }
    // Wherever it is shown, mails and chat included: nobody takes it for real.
    if i.is_sample() { format!("Sample data: {}", real_title(i)) } else { real_title(i) }
}

fn real_title(i: &Incident) -> String {
    let what = match i.kind() {
        "c2" => "Command and control",
        "exfiltration" => "Data going out",
        "impact" => "Disruption",
        "lateral_movement" => "Lateral movement",
        "malware" => "Malicious code",
        "brute_force" => "Credential attack",
        "exploit" => "Exploit attempt",
        "scan" => "Scanning",
        _ => "Suspicious activity",
    };
    let peer = i.peer();
    let outbound = i.telling().any(|a| a.stage.is_outbound());
    let mut victims: BTreeMap<String, usize> = BTreeMap::new();
    for a in i.telling() {
        for ip in [a.ends.src, a.ends.dst].into_iter().flatten().filter(|ip| Some(*ip) != peer) {
            *victims.entry(name_of(i, &ip.to_string())).or_default() += 1;
        }
    }
    let mut by_count: Vec<(&String, &usize)> = victims.iter().collect();
    by_count.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let victim = match by_count.as_slice() {
        [] => i.entities.keys().next().cloned().unwrap_or_default(),
        [(one, _)] => (*one).clone(),
        [(one, _), rest @ ..] => format!("{one} and {} more", rest.len()),
    };
    match peer {
        Some(p) if outbound => format!("{what}: {victim} → {p}"),
        Some(p) => format!("{what}: {p} → {victim}"),
        None => format!("{what}: {victim}"),
    }
}

/// An entity with its inventory name: `web-1 (10.0.0.5)`.
#[must_use]
pub fn name_of(i: &Incident, entity: &str) -> String {
    let asset = i.facts.values().find_map(|f| match &f.meaning {
        Meaning::Asset { name, .. } if f.about.value == entity => Some(name),
        _ => None,
    });
    asset.map_or_else(|| entity.to_owned(), |name| format!("{name} ({entity})"))
}

/// Tells the story.
#[must_use]
pub fn story(state: &State, incident: &Incident) -> Story {
    let whole = with_parts(state, incident);
    let records = whole.iter().filter_map(|j| state.slot(j.alert)).map(|s| u64::from(s.count)).sum();
    let mut actors = actors(incident);
    let actors_total = actors.len();
    actors.truncate(ACTORS);
    Story {
        incident: incident.id,
        title: title(incident),
        status: incident.status,
        severity: incident.severity().word(),
        confidence: incident.confidence(),
        team: incident.team.clone(),
        records,
        alerts: whole.len(),
        happened: happened(state, incident, &whole),
        actors,
        actors_total,
        stages: incident.stages().keys().filter(|s| **s > Stage::Policy).map(|s| s.words()).collect(),
        techniques: whole.iter().flat_map(|j| j.techniques.iter().cloned()).collect(),
        unknown: unknown(incident),
        done: done(incident),
        parts: incident.parts.iter().copied().collect(),
    }
}

/// What we did, in order. Look-ups are made for each alert and told once, where they began.
fn done(i: &Incident) -> Vec<Sentence> {
    let looked = i.marks.iter().filter(|m| m.what == MarkKind::Enriched).count();
    let mut told = false;
    let mut sentences = Vec::new();
    for m in &i.marks {
        let text = match m.what {
            MarkKind::Enriched if looked > 1 && told => continue,
            MarkKind::Enriched if looked > 1 => {
                told = true;
                format!("looked up who takes part, for {looked} alerts")
            }
            _ => m.text.clone(),
        };
        sentences.push(Sentence { at: m.at, text, alerts: Vec::new(), more: 0 });
    }
    sentences
}

fn with_parts<'a>(state: &'a State, incident: &'a Incident) -> Vec<&'a Joined> {
    let mut all: Vec<&Joined> = incident.alerts.iter().collect();
    let mut todo: Vec<IncidentId> = incident.parts.iter().copied().collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = todo.pop() {
        if seen.insert(id)
            && let Some(part) = state.incidents.get(&id)
        {
            all.extend(&part.alerts);
            todo.extend(part.parts.iter().copied());
        }
    }
    all.sort_by_key(|j| (j.time, j.alert));
    all
}

/// Sentences: within each stage, who did what to whom. One sentence for an actor and a rule; the
/// quietest ones of a stage are folded into one, so that a story stays a page long.
fn happened(state: &State, incident: &Incident, alerts: &[&Joined]) -> Vec<Sentence> {
    let mut groups: BTreeMap<(Stage, String, String), Vec<&Joined>> = BTreeMap::new();
    for j in alerts {
        let actor =
            j.ends.src.map(|ip| ip.to_string()).or_else(|| j.ends.who.first().cloned()).unwrap_or_default();
        groups.entry((j.stage, actor, j.rule.clone())).or_default().push(j);
    }
    type Group<'a> = ((String, String), Vec<&'a Joined>);
    let mut by_stage: BTreeMap<Stage, Vec<Group<'_>>> = BTreeMap::new();
    for ((stage, actor, rule), group) in groups {
        by_stage.entry(stage).or_default().push(((actor, rule), group));
    }
    let mut sentences = Vec::new();
    for (stage, mut groups) in by_stage {
        groups.sort_by_key(|(_, g)| std::cmp::Reverse(worth(g)));
        let rest = groups.split_off(groups.len().min(told_of(stage)));
        for ((actor, rule), group) in &groups {
            sentences.push(sentence(state, incident, stage, actor, Some(rule), group));
        }
        if !rest.is_empty() {
            let rules: BTreeSet<&String> = rest.iter().map(|((_, r), _)| r).collect();
            let actors: BTreeSet<&String> = rest.iter().map(|((a, _), _)| a).collect();
            let all: Vec<&Joined> = rest.iter().flat_map(|(_, g)| g.iter().copied()).collect();
            let actor = match actors.first() {
                Some(one) if actors.len() == 1 => (*one).clone(),
                _ => format!("{} machines", actors.len()),
            };
            let mut s = sentence(state, incident, stage, &actor, None, &all);
            let rules = if rules.len() == 1 {
                "1 further rule".into()
            } else {
                format!("{} further rules", rules.len())
            };
            s.text = format!("{} ({rules})", s.text);
            sentences.push(s);
        }
    }
    sentences.sort_by_key(|s| s.at);
    sentences
}

/// How many sentences a stage may take: what makes the incident what it is, is told in full.
fn told_of(stage: Stage) -> usize {
    match stage {
        Stage::CommandAndControl | Stage::Exfiltration | Stage::LateralMovement => 8,
        Stage::Execution | Stage::Persistence | Stage::PrivilegeEscalation => 5,
        Stage::Unknown
        | Stage::Policy
        | Stage::Reconnaissance
        | Stage::InitialAccess
        | Stage::CredentialAccess
        | Stage::DefenseEvasion
        | Stage::Impact => 2,
    }
}

fn worth(group: &[&Joined]) -> (u16, usize) {
    (group.iter().map(|j| j.score).max().unwrap_or(0), group.len())
}

fn sentence(
    state: &State,
    incident: &Incident,
    stage: Stage,
    actor: &str,
    rule: Option<&String>,
    group: &[&Joined],
) -> Sentence {
    let records: u64 = group.iter().filter_map(|j| state.slot(j.alert)).map(|s| u64::from(s.count)).sum();
    let targets: BTreeSet<String> =
        group.iter().filter_map(|j| j.ends.dst).map(|ip| ip.to_string()).collect();
    let to = match targets.len() {
        0 => String::new(),
        1..=2 => {
            format!(" → {}", targets.iter().map(|t| name_of(incident, t)).collect::<Vec<_>>().join(" and "))
        }
        n => format!(" → {n} machines"),
    };
    let (first, last) = (
        group.iter().map(|j| j.time).min().unwrap_or_default(),
        group.iter().filter_map(|j| state.slot(j.alert)).map(|s| s.last).max().unwrap_or_default(),
    );
    let times =
        if records > 1 { format!(", {records} times over {}", last.since(first)) } else { String::new() };
    let what = rule.map(|r| format!(": {r}")).unwrap_or_default();
    let mut ids: Vec<AlertId> = group.iter().map(|j| j.alert).collect();
    ids.sort_unstable();
    let more = ids.len().saturating_sub(CITED);
    ids.truncate(CITED);
    let actor = name_of(incident, actor);
    let mut stage = stage.words().to_owned();
    if let Some(c) = stage.get_mut(..1) {
        c.make_ascii_uppercase();
    }
    Sentence { at: first, text: format!("{stage}: {actor}{to}{what}{times}"), alerts: ids, more }
}

fn actors(i: &Incident) -> Vec<Actor> {
    let mut actors: Vec<Actor> = i
        .entities
        .iter()
        .map(|(entity, part)| Actor {
            entity: entity.clone(),
            known_as: known_as(i, entity),
            acted: part.acted,
            suffered: part.suffered,
        })
        .collect();
    actors.sort_by(|a, b| (b.acted + b.suffered).cmp(&(a.acted + a.suffered)).then(a.entity.cmp(&b.entity)));
    actors
}

fn known_as(i: &Incident, entity: &str) -> Vec<String> {
    let about = i.facts.values().filter(|f| f.about.value == entity);
    about
        .map(|f| match &f.meaning {
            Meaning::Asset { name, criticality, owner, .. } => {
                let owner = owner.as_ref().map(|o| format!(", owner {o}")).unwrap_or_default();
                format!("our asset {name} ({criticality:?}{owner})").to_lowercase()
            }
            Meaning::Malicious { feed, confidence, label, .. } => {
                let label = label.as_ref().map(|l| format!(" as {l}")).unwrap_or_default();
                format!("called hostile{label} by {feed} ({confidence} %)")
            }
            Meaning::NeverBlock { list } => format!("never to be blocked: {list}"),
            Meaning::Shared { list } => format!("shared by many: {list}"),
            Meaning::Harmless { list } => format!("usually harmless: {list}"),
            Meaning::Seen { first, count, with, .. } => format!("seen {count} times since {first}: {with}"),
            Meaning::Traffic { peers, flows, .. } => {
                format!("{flows} connections with {peers} machines lately")
            }
            Meaning::Note { name, value } => format!("{name}: {value}"),
        })
        .collect()
}

fn unknown(i: &Incident) -> Vec<String> {
    let mut unknown: Vec<String> = i
        .missing
        .iter()
        .take(10)
        .map(|m| format!("{} did not answer about {}: {}", m.provider, m.about, m.failure))
        .collect();
    if i.missing.len() > 10 {
        unknown.push(format!("and {} more look-ups without an answer", i.missing.len() - 10));
    }
    if i.own_addresses().is_empty() {
        unknown.push("none of the machines is in the asset inventory, so whose they are is a guess".into());
    }
    if i.alerts.iter().all(|a| a.techniques.is_empty()) {
        unknown.push("no source named an ATT&CK technique; stages come from rule classes and names".into());
    }
    unknown
}
