//! Labelled alerts of one scenario: read, put in order, cut into groups, and described causally.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;
use stanch_core::stage::kill_chain;
use stanch_judge::text::number;
use stanch_judge::watch::{Asset, GAP, GroupKey, Sight, Watch};
use stanch_model::{Alert, Rule, Timestamp};

use super::folder::{Capture, open};

/// One alert.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) at: Timestamp,
    pub(crate) rule: u32,
    pub(crate) machine: u32,
    /// The attack step that caused it, where one did.
    pub(crate) step: Option<u32>,
    /// Labelled noise: no step, and outside every attack window.
    pub(crate) noise: bool,
}

/// A machine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) address: Option<IpAddr>,
    pub(crate) asset: Asset,
    /// Whose it is, when streams are laid over each other; never shown to what is measured.
    pub(crate) owner: usize,
}

/// A scenario.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    /// In order of time, then of content.
    pub(crate) rows: Vec<Row>,
    pub(crate) rules: Vec<String>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) steps: Vec<String>,
}

/// A group, described.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) rule: u32,
    pub(crate) machine: u32,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) count: usize,
    /// Features as they stood at its end.
    pub(crate) features: Vec<f64>,
    /// Steps that caused alerts of it.
    pub(crate) steps: BTreeSet<u32>,
    /// It has a label: a step, or noise.
    pub(crate) scored: bool,
}

impl Group {
    /// An attack step caused at least one of its alerts.
    pub(crate) fn real(&self) -> bool {
        !self.steps.is_empty()
    }
}

#[derive(Deserialize)]
struct Line {
    time: f64,
    name: String,
    #[serde(default)]
    ip: String,
    host: String,
    time_label: String,
    event_label: String,
}

type Inventory = BTreeMap<String, BTreeMap<String, Entry>>;

#[derive(Deserialize, Default)]
struct Entry {
    #[serde(default)]
    groups: Vec<String>,
}

#[derive(Default)]
struct Numbers<K: Ord>(BTreeMap<K, u32>);

impl<K: Ord> Numbers<K> {
    fn of(&mut self, key: K) -> (u32, bool) {
        let next = self.0.len() as u32;
        let n = *self.0.entry(key).or_insert(next);
        (n, n == next)
    }
}

/// Reads a scenario.
///
/// # Errors
/// Says which line of which file is wrong.
pub(crate) fn read(capture: &Capture, inventories: &[PathBuf]) -> Result<Scenario> {
    let assets = inventory(&capture.name, inventories)?;
    let mut s = Scenario { name: capture.name.clone(), ..Scenario::default() };
    let (mut rules, mut hosts, mut steps) = (Numbers::default(), Numbers::default(), Numbers::default());
    let mut csv = csv::Reader::from_reader(open(&capture.path)?);
    for (i, line) in csv.deserialize().enumerate() {
        let line: Line =
            line.with_context(|| format!("{}: record {} cannot be read", capture.path.display(), i + 1))?;
        let (rule, new) = rules.of(line.name.clone());
        if new {
            s.rules.push(line.name);
        }
        let (machine, new) = hosts.of((line.host.clone(), line.ip.clone()));
        if new {
            let asset = asset(assets.get(&line.host));
            s.hosts.push(Host { name: line.host, address: line.ip.parse().ok(), asset, owner: 0 });
        }
        let step = (line.event_label != "-").then(|| {
            let (n, new) = steps.of(line.event_label.clone());
            if new {
                s.steps.push(line.event_label.clone());
            }
            n
        });
        let noise = step.is_none() && line.time_label == "false_positive";
        s.rows.push(Row { at: Timestamp((line.time * 1_000.0) as i64), rule, machine, step, noise });
    }
    s.number_by_name();
    Ok(s)
}

fn inventory(scenario: &str, files: &[PathBuf]) -> Result<BTreeMap<String, Entry>> {
    for file in files {
        let mut all: Inventory = serde_json::from_reader(open(file)?)
            .with_context(|| format!("{} is no inventory", file.display()))?;
        if let Some(own) = all.remove(scenario) {
            return Ok(own);
        }
    }
    Ok(BTreeMap::new())
}

/// What an inventory entry means: its groups read as words any inventory might use.
fn asset(entry: Option<&Entry>) -> Asset {
    let Some(entry) = entry else { return Asset::default() };
    let has =
        |words: &[&str]| entry.groups.iter().any(|g| words.iter().any(|w| g.to_lowercase().contains(w)));
    Asset {
        known: true,
        critical: has(&["server", "firewall", "domain"]),
        outside: has(&["internet", "external", "attacker"]),
    }
}

/// The tool: what stands before the first colon of a rule's name.
pub(crate) fn tool(rule: &str) -> &str {
    rule.split_once(':').map_or("", |(tool, _)| tool)
}

impl Scenario {
    /// Numbers everything in the order of its name and sorts the rows, so that the order of lines in a file
    /// settles nothing, not even what comes first within a second.
    fn number_by_name(&mut self) {
        let rules = renumber(&mut self.rules, Clone::clone);
        let hosts = renumber(&mut self.hosts, |h| (h.name.clone(), h.address));
        let steps = renumber(&mut self.steps, Clone::clone);
        for row in &mut self.rows {
            row.rule = rules[row.rule as usize];
            row.machine = hosts[row.machine as usize];
            row.step = row.step.map(|s| steps[s as usize]);
        }
        self.rows.sort_unstable();
    }

    /// Cuts it into groups and describes each by what had been seen at its end.
    pub(crate) fn groups(&self) -> Vec<Group> {
        let stages: Vec<u8> = self.rules.iter().map(|r| stage(r)).collect();
        let (of, mut groups) = self.cut();
        let last: BTreeMap<usize, usize> = of.iter().enumerate().map(|(row, g)| (*g, row)).collect();
        let mut watch = Watch::default();
        let mut due: Vec<(usize, GroupKey)> = Vec::new();
        for (i, row) in self.rows.iter().enumerate() {
            let (key, _) = watch.see(&self.sight(row, &stages));
            if last[&of[i]] == i {
                due.push((of[i], key));
            }
            // Everything of this second has been seen before any group that ends in it is described.
            if self.rows.get(i + 1).is_none_or(|next| next.at > row.at) {
                for (g, key) in due.drain(..) {
                    groups[g].features = watch.row(key, row.at).unwrap_or_default();
                }
            }
        }
        groups
    }

    fn sight(&self, row: &Row, stages: &[u8]) -> Sight<'_> {
        let (host, rule) = (&self.hosts[row.machine as usize], &self.rules[row.rule as usize]);
        Sight {
            at: row.at,
            site: "",
            machine: &host.name,
            tool: tool(rule),
            rule,
            stage: stages[row.rule as usize],
            severity: 0,
            hostile: 0,
            asset: host.asset,
        }
    }

    /// Which group each row belongs to.
    pub(crate) fn group_of(&self) -> Vec<usize> {
        self.cut().0
    }

    /// Which group each row belongs to, and the groups without features, in order of beginning.
    fn cut(&self) -> (Vec<usize>, Vec<Group>) {
        let mut open: BTreeMap<(u32, u32), usize> = BTreeMap::new();
        let mut groups: Vec<Group> = Vec::new();
        let mut of = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let key = (row.rule, row.machine);
            let at = match open.get(&key) {
                Some(g) if row.at.since(groups[*g].end) <= GAP => *g,
                _ => {
                    open.insert(key, groups.len());
                    groups.push(Group {
                        rule: row.rule,
                        machine: row.machine,
                        start: row.at,
                        end: row.at,
                        count: 0,
                        features: Vec::new(),
                        steps: BTreeSet::new(),
                        scored: false,
                    });
                    groups.len() - 1
                }
            };
            let group = &mut groups[at];
            group.end = row.at;
            group.count += 1;
            group.steps.extend(row.step);
            group.scored |= row.step.is_some() || row.noise;
            of.push(at);
        }
        (of, groups)
    }

    /// The machine's number for the learner.
    pub(crate) fn place(&self, machine: u32) -> u64 {
        number(&self.hosts[machine as usize].name)
    }

    /// Days from the first alert to the last.
    pub(crate) fn days(&self) -> f64 {
        let ends = self.rows.first().zip(self.rows.last());
        ends.map_or(1.0, |(a, b)| b.at.since(a.at).0 as f64 / 86_400_000.0).max(1.0 / 24.0)
    }
}

/// Sorts by a key and gives the new number of each old one.
fn renumber<T: Clone, K: Ord>(all: &mut Vec<T>, key: impl Fn(&T) -> K) -> Vec<u32> {
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|i| key(&all[*i]));
    let mut numbers = vec![0; all.len()];
    order.iter().enumerate().for_each(|(new, old)| numbers[*old] = new as u32);
    *all = order.into_iter().map(|i| all[i].clone()).collect();
    numbers
}

fn stage(rule: &str) -> u8 {
    let alert = Alert {
        rule: Rule { uid: String::new(), name: rule.to_owned(), category: None },
        ..Alert::default()
    };
    kill_chain::stage(&alert) as u8
}
