//! Rows about incidents: what the running engine makes of a scenario, and of two intrusions at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Result;
use stanch_core::journal::incident::Incident;
use stanch_core::stage::triage::{Baselines, Model};
use stanch_judge::learner::Learner;
use stanch_judge::measure;
use stanch_model::{IncidentId, Span, Timestamp};

use super::figure::{Figure, Target};
use super::lived::{self, Lived, Trained};
use super::scenario::{Host, Row, Scenario};
use super::{Data, Read, Scenarios};

/// An incident as the engine left it.
struct Piece {
    id: IncidentId,
    groups: Vec<usize>,
    confidence: f64,
}

fn pieces(read: &Read, lived: &Lived) -> Vec<Piece> {
    let mut all: BTreeMap<IncidentId, Vec<usize>> = BTreeMap::new();
    for (group, home) in lived.homes(&read.scenario.group_of(), read.groups.len()).into_iter().enumerate() {
        if let Some(home) = home {
            all.entry(home).or_default().push(group);
        }
    }
    let confidence = |id: &IncidentId| lived.state.incidents.get(id).map_or(0.0, Incident::confidence);
    all.into_iter().map(|(id, groups)| Piece { confidence: confidence(&id), id, groups }).collect()
}

/// The rows of one scenario: judged by a model trained on others, and, for orientation, as it is installed.
///
/// # Errors
/// When the folder that comes with the program has mistakes.
pub(crate) fn rows(read: &Read, trained: Learner) -> Result<Vec<Figure>> {
    let mut figures = story(read, Arc::new(Trained(trained)))?;
    let installed = story(read, Arc::new(Baselines))?;
    let value = |field: &str| installed.iter().find(|f| f.field == field).map_or(f64::NAN, |f| f.value);
    figures.extend([
        Figure::new(
            "story_completeness_as_installed",
            "  completeness as installed, nothing learnt",
            value("story_completeness"),
            Target::Told,
        ),
        Figure::new(
            "story_purity_as_installed",
            "  purity as installed",
            value("story_purity"),
            Target::Told,
        ),
    ]);
    Ok(figures)
}

fn story(read: &Read, model: Arc<dyn Model>) -> Result<Vec<Figure>> {
    let lived = lived::live(&read.scenario, model)?;
    let incidents = pieces(read, &lived);
    let scores = lived.scores(&read.scenario.group_of(), read.groups.len());
    let groups = &read.groups;
    let attack = groups.iter().filter(|g| g.real()).count();
    if attack == 0 {
        return Ok(Vec::new());
    }
    let count = |i: &Piece| {
        let real = i.groups.iter().filter(|g| groups[**g].real()).count();
        (real, i.groups.iter().filter(|g| groups[**g].scored).count())
    };
    let mut pieces: Vec<(usize, usize)> = incidents.iter().map(count).filter(|(real, _)| *real > 0).collect();
    pieces.sort_unstable_by(|a, b| b.cmp(a));
    let held: usize = pieces.iter().map(|p| p.0).sum();
    let all: usize = pieces.iter().map(|p| p.1).sum();
    let most = pieces.first().map_or(0, |p| p.0);
    let share = |a: usize, b: usize| a as f64 / b.max(1) as f64;
    let (chain, inside) = chain(read, &incidents);
    let (a_day, note) = shown_a_day(read, &incidents, &scores);
    let left: Vec<String> = left_out(read, &incidents);
    Ok(vec![
        Figure::new(
            "incidents_a_day_at_full_recall",
            "incidents a day, every attack step in one",
            a_day,
            Target::AtMost(25.0),
        )
        .saying(note),
        Figure::new(
            "story_completeness",
            "story: attack groups in the largest piece",
            share(most, attack),
            Target::AtLeast(0.9),
        )
        .saying(format!(
            "{most} of {attack} groups{}",
            if left.is_empty() { String::new() } else { format!("; elsewhere: {}", left.join(", ")) }
        )),
        Figure::new(
            "story_completeness_of_the_chain",
            "  of those with no 12 hours between them",
            share(inside, chain),
            Target::Told,
        )
        .saying(format!("{inside} of {chain} groups; slow steps days away are left out here, not above")),
        Figure::new(
            "story_purity",
            "story: attack among the groups of its pieces",
            share(held, all),
            Target::AtLeast(0.9),
        )
        .saying(format!("{held} of {all} labelled groups")),
        Figure::new("story_pieces", "story: pieces", pieces.len() as f64, Target::AtMost(2.0)),
    ])
}

/// The longest chain of attack groups with no twelve hours between them, and how many of it one incident holds.
fn chain(read: &Read, incidents: &[Piece]) -> (usize, usize) {
    let mut attack: Vec<usize> = (0..read.groups.len()).filter(|i| read.groups[*i].real()).collect();
    attack.sort_by_key(|i| read.groups[*i].start);
    let mut chains: Vec<Vec<usize>> = Vec::new();
    let mut last = Timestamp(i64::MIN);
    for i in attack {
        let g = &read.groups[i];
        // A slow step may run for days; it is where it began.
        match chains.last_mut() {
            Some(chain) if g.start.since(last) <= Span::mins(12 * 60) => chain.push(i),
            _ => chains.push(vec![i]),
        }
        last = g.start;
    }
    let longest: BTreeSet<usize> =
        chains.into_iter().max_by_key(Vec::len).unwrap_or_default().into_iter().collect();
    let held = incidents.iter().map(|i| i.groups.iter().filter(|g| longest.contains(g)).count()).max();
    (longest.len(), held.unwrap_or(0))
}

/// Incidents shown a day when they are shown by probability until every attack step is in one. Groups that
/// stayed alone count as incidents of their own.
fn shown_a_day(read: &Read, incidents: &[Piece], scores: &[f64]) -> (f64, String) {
    let groups = &read.groups;
    let mut in_one: BTreeSet<usize> = BTreeSet::new();
    let mut shown: Vec<(f64, Vec<usize>)> = Vec::new();
    for i in incidents {
        in_one.extend(&i.groups);
        shown.push((i.confidence, i.groups.clone()));
    }
    shown.extend((0..groups.len()).filter(|i| !in_one.contains(i)).map(|i| (scores[i], vec![i])));
    shown.sort_by(|a, b| b.0.total_cmp(&a.0));
    let steps: BTreeSet<u32> = groups.iter().flat_map(|g| g.steps.iter().copied()).collect();
    let mut seen: BTreeSet<u32> = BTreeSet::new();
    let mut needed = 0;
    for (_, members) in &shown {
        if seen.len() == steps.len() {
            break;
        }
        needed += 1;
        seen.extend(members.iter().flat_map(|g| groups[*g].steps.iter().copied()));
    }
    let days = read.scenario.days();
    (
        needed as f64 / days,
        format!(
            "{needed} in {days:.1} days; without incidents {:.0} groups a day",
            groups.len() as f64 / days
        ),
    )
}

/// Steps whose groups are not all in the largest piece, with how many are elsewhere.
fn left_out(read: &Read, incidents: &[Piece]) -> Vec<String> {
    let real = |i: &Piece| i.groups.iter().filter(|g| read.groups[**g].real()).count();
    let Some(largest) = incidents.iter().max_by_key(|i| (real(i), std::cmp::Reverse(i.id))) else {
        return Vec::new();
    };
    let inside: BTreeSet<usize> = largest.groups.iter().copied().collect();
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for (i, g) in read.groups.iter().enumerate().filter(|(i, g)| g.real() && !inside.contains(i)) {
        let _ = i;
        for step in &g.steps {
            *left.entry(&read.scenario.steps[*step as usize]).or_default() += 1;
        }
    }
    left.into_iter().map(|(step, n)| format!("{step} {n}")).collect()
}

/// Two intrusions at once: the next scenario of the folder is moved in time so that both attacks begin
/// together, and both are laid on one stream of one site. Are groups of one intrusion nearer to each other
/// than to those of the other?
///
/// # Errors
/// When the folder that comes with the program has mistakes.
pub(crate) fn concurrent(all: &Scenarios, data: &Data<'_>, name: &str) -> Result<Vec<Figure>> {
    let names: Vec<&String> = all.test.keys().collect();
    let Some(at) = names.iter().position(|n| *n == name).filter(|_| names.len() > 1) else {
        return Ok(Vec::new());
    };
    let (one, other) = (&all.test[names[at]], &all.test[names[(at + 1) % names.len()]]);
    let Some(both) = overlay(&one.scenario, &other.scenario) else { return Ok(Vec::new()) };
    let examples = all.lived_examples(&[&one.scenario.name, &other.scenario.name]);
    if examples.is_empty() {
        return Ok(Vec::new());
    }
    let groups = both.groups();
    let read = Read { scenario: both, groups };
    let lived = lived::live(&read.scenario, Arc::new(Trained(Learner::train(examples, data.seed))))?;
    let homes = lived.homes(&read.scenario.group_of(), read.groups.len());
    let attack: Vec<usize> = (0..read.groups.len()).filter(|i| read.groups[*i].real()).collect();
    let (mut near, mut same) = (Vec::new(), Vec::new());
    let host = |i: usize| &read.scenario.hosts[read.groups[i].machine as usize];
    for (k, i) in attack.iter().enumerate() {
        for j in &attack[k + 1..] {
            let joined = homes[*i].is_some() && homes[*i] == homes[*j];
            let (one, other) = (lived::machine(host(*i)), lived::machine(host(*j)));
            let kinship = one.zip(other).map_or(0.0, |(a, b)| lived.state.kin.nearness(&a, &b));
            near.push(if joined { 1.0 + kinship } else { kinship });
            same.push(host(*i).owner == host(*j).owner);
        }
    }
    let mut owners: BTreeMap<IncidentId, BTreeSet<usize>> = BTreeMap::new();
    for i in &attack {
        if let Some(home) = homes[*i] {
            owners.entry(home).or_default().insert(host(*i).owner);
        }
    }
    let mixed = owners.values().filter(|o| o.len() > 1).count();
    Ok(vec![
        Figure::new(
            "concurrent_attacks_pairwise_auc",
            "two attacks at once: pairwise AUC",
            measure::auc(&near, &same),
            Target::AtLeast(0.95),
        )
        .saying(format!("with {} on one stream; {mixed} incidents hold steps of both", other.scenario.name)),
    ])
}

/// Lays `b` over `a`, moved so that the first steps that come after the first day begin at the same moment.
fn overlay(a: &Scenario, b: &Scenario) -> Option<Scenario> {
    let begins = |s: &Scenario| {
        // The busiest hour of attack alerts: scenarios may have slow steps that begin long before.
        let mut hours: BTreeMap<i64, (usize, Timestamp)> = BTreeMap::new();
        for r in s.rows.iter().filter(|r| r.step.is_some()) {
            hours.entry(r.at.0.div_euclid(3_600_000)).or_insert((0, r.at)).0 += 1;
        }
        hours.into_values().max_by_key(|(n, at)| (*n, std::cmp::Reverse(*at))).map(|(_, at)| at)
    };
    let moved: Span = begins(a)?.since(begins(b)?);
    let mut both = a.clone();
    both.name = format!("{}+{}", a.name, b.name);
    let rules: Vec<u32> = b.rules.iter().map(|r| index(&mut both.rules, r)).collect();
    let steps: Vec<u32> = b.steps.iter().map(|s| index(&mut both.steps, s)).collect();
    let first = both.hosts.len() as u32;
    both.hosts.iter_mut().for_each(Host::told_by_address);
    both.hosts.extend(b.hosts.iter().cloned().map(|mut h| {
        h.owner = 1;
        h.told_by_address();
        h
    }));
    both.rows.extend(b.rows.iter().map(|r| Row {
        at: r.at.plus(moved),
        rule: rules[r.rule as usize],
        machine: first + r.machine,
        step: r.step.map(|s| steps[s as usize]),
        noise: r.noise,
    }));
    both.rows.sort_unstable();
    Some(both)
}

impl Host {
    /// On one stream two companies may use one name; a machine is then told by its address as well.
    fn told_by_address(&mut self) {
        if let Some(ip) = self.address {
            self.name = format!("{}@{ip}", self.name);
        }
    }
}

fn index(all: &mut Vec<String>, text: &str) -> u32 {
    let at = all.iter().position(|t| t == text).unwrap_or_else(|| {
        all.push(text.to_owned());
        all.len() - 1
    });
    at as u32
}
