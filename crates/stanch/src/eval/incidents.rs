//! Rows about incidents: is one intrusion one incident, and are two at once two?

use std::collections::{BTreeMap, BTreeSet};

use stanch_judge::incident::{Correlator, Incident, Judged, Kin, Machine, Policy};
use stanch_judge::learner::Learner;
use stanch_judge::measure;
use stanch_judge::text::number;
use stanch_model::{Span, Timestamp};

use super::figure::{Figure, Target};
use super::scenario::{Group, Host, Row, Scenario};
use super::{Data, Read, Scenarios, examples, triage};

/// Runs the correlator over judged groups in the order it would see them.
pub(crate) fn correlate(scenario: &Scenario, groups: &[Group], scores: &[f64]) -> (Vec<Incident>, Kin) {
    let machine = |i: u32| {
        let host = &scenario.hosts[i as usize];
        Machine { site: 0, name: host.name.clone(), address: host.address }
    };
    // A group is met when it begins and placed when it ends; at one moment beginnings come first.
    let mut events: Vec<(Timestamp, bool, usize)> = Vec::with_capacity(2 * groups.len());
    for (i, g) in groups.iter().enumerate() {
        events.push((g.start, false, i));
        events.push((g.end, true, i));
    }
    events.sort_unstable();
    let mut correlator = Correlator::new(Policy::default());
    for (at, ends, i) in events {
        let g = &groups[i];
        if ends {
            let probability = scores[i];
            correlator.place(&Judged {
                id: i,
                machine: machine(g.machine),
                span: (g.start, g.end),
                probability,
                stage: g.stage,
            });
        } else {
            correlator.met(&machine(g.machine), number(&scenario.rules[g.rule as usize]), at);
        }
    }
    correlator.finish()
}

/// The rows of one scenario.
pub(crate) fn rows(read: &Read, scores: &[f64]) -> Vec<Figure> {
    let (incidents, _) = correlate(&read.scenario, &read.groups, scores);
    let groups = &read.groups;
    let attack = groups.iter().filter(|g| g.real()).count();
    if attack == 0 {
        return Vec::new();
    }
    let count = |i: &Incident| {
        let real = i.members.iter().filter(|(g, _)| groups[*g].real()).count();
        (real, i.members.iter().filter(|(g, _)| groups[*g].scored).count())
    };
    let mut pieces: Vec<(usize, usize)> = incidents.iter().map(count).filter(|(real, _)| *real > 0).collect();
    pieces.sort_unstable_by(|a, b| b.cmp(a));
    let held: usize = pieces.iter().map(|p| p.0).sum();
    let all: usize = pieces.iter().map(|p| p.1).sum();
    let most = pieces.first().map_or(0, |p| p.0);
    let share = |a: usize, b: usize| a as f64 / b.max(1) as f64;
    let (chain, inside) = chain(read, &incidents);
    let (a_day, note) = shown_a_day(read, &incidents, scores);
    let left: Vec<String> = left_out(read, &incidents);
    vec![
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
    ]
}

/// The longest chain of attack groups with no twelve hours between them, and how many of it one incident holds.
fn chain(read: &Read, incidents: &[Incident]) -> (usize, usize) {
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
    let held = incidents.iter().map(|i| i.members.iter().filter(|(g, _)| longest.contains(g)).count()).max();
    (longest.len(), held.unwrap_or(0))
}

/// Incidents shown a day when they are shown by probability until every attack step is in one. Groups that
/// stayed alone count as incidents of their own.
fn shown_a_day(read: &Read, incidents: &[Incident], scores: &[f64]) -> (f64, String) {
    let groups = &read.groups;
    let mut in_one: BTreeSet<usize> = BTreeSet::new();
    let mut shown: Vec<(f64, Vec<usize>)> = Vec::new();
    for i in incidents {
        let members: Vec<usize> = i.members.iter().map(|(g, _)| *g).collect();
        in_one.extend(&members);
        shown.push((i.probability, members));
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
fn left_out(read: &Read, incidents: &[Incident]) -> Vec<String> {
    let real = |i: &Incident| i.members.iter().filter(|(g, _)| read.groups[*g].real()).count();
    let Some(largest) = incidents.iter().max_by_key(|i| (real(i), std::cmp::Reverse(i.id))) else {
        return Vec::new();
    };
    let inside: BTreeSet<usize> = largest.members.iter().map(|(g, _)| *g).collect();
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
pub(crate) fn concurrent(all: &Scenarios, data: &Data<'_>, name: &str) -> Vec<Figure> {
    let names: Vec<&String> = all.test.keys().collect();
    let Some(at) = names.iter().position(|n| *n == name).filter(|_| names.len() > 1) else {
        return Vec::new();
    };
    let (one, other) = (&all.test[names[at]], &all.test[names[(at + 1) % names.len()]]);
    let Some(both) = overlay(&one.scenario, &other.scenario) else { return Vec::new() };
    let teachers = all.teachers(data.same, &[&one.scenario.name, &other.scenario.name]);
    if teachers.is_empty() {
        return Vec::new();
    }
    let learner = Learner::train(examples(&teachers), data.seed);
    let groups = both.groups();
    let read = Read { scenario: both, groups };
    let scores = triage::scores(&learner, &read);
    let (incidents, kin) = correlate(&read.scenario, &read.groups, &scores);
    let of: BTreeMap<usize, usize> =
        incidents.iter().flat_map(|i| i.members.iter().map(|(g, _)| (*g, i.id))).collect();
    let attack: Vec<usize> = (0..read.groups.len()).filter(|i| read.groups[*i].real()).collect();
    let (mut near, mut same) = (Vec::new(), Vec::new());
    let host = |i: usize| &read.scenario.hosts[read.groups[i].machine as usize];
    let machine = |h: &Host| Machine { site: 0, name: h.name.clone(), address: h.address };
    for (k, i) in attack.iter().enumerate() {
        for j in &attack[k + 1..] {
            let joined = of.get(i).is_some_and(|a| of.get(j) == Some(a));
            let kinship = kin.nearness(&machine(host(*i)), &machine(host(*j)));
            near.push(if joined { 1.0 + kinship } else { kinship });
            same.push(host(*i).owner == host(*j).owner);
        }
    }
    let mixed = incidents.iter().filter(|i| {
        let owners: BTreeSet<usize> =
            i.members.iter().filter(|(g, _)| read.groups[*g].real()).map(|(g, _)| host(*g).owner).collect();
        owners.len() > 1
    });
    vec![
        Figure::new(
            "concurrent_attacks_pairwise_auc",
            "two attacks at once: pairwise AUC",
            measure::auc(&near, &same),
            Target::AtLeast(0.95),
        )
        .saying(format!(
            "with {} on one stream; {} incidents hold steps of both",
            other.scenario.name,
            mixed.count()
        )),
    ]
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
