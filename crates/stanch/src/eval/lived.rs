//! A scenario as the running engine lives it: every alert through its stages, and what came of each.
//!
//! The same code as in `stanch serve`, from dedup to incidents, by the folder that `stanch init` writes; only
//! the wire, the disk and the devices are missing. Labels stay on this side.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use stanch_core::config::{compile, init};
use stanch_core::journal::State;
use stanch_core::journal::state::Disposition;
use stanch_core::stage::fingerprint;
use stanch_core::stage::triage::{Features, Model, Score};
use stanch_judge::kin::Machine;
use stanch_judge::learner::{Example, Learner};
use stanch_model::port::{Parsed, Record};
use stanch_model::{Alert, AlertId, Endpoint, IncidentId, Product, Rule, Span};
use stanch_server::replay::{Received, Rules, Stream};

use super::scenario::{Host, Row, Scenario, tool};

/// Most alerts in one commit, as in the running engine.
pub(crate) const AT_ONCE: usize = 512;
/// The site and the source of a scenario: one stream of one firm.
const SITE: &str = "eval";
/// So long after the last alert the clock goes on.
const AFTER: Span = Span::hours(1);

/// What came of a scenario.
pub(crate) struct Lived {
    /// The alert that each row was counted on.
    pub(crate) alerts: Vec<AlertId>,
    /// The end of it.
    pub(crate) state: State,
    /// How each alert looked when it came in.
    looks: BTreeMap<AlertId, Vec<f64>>,
}

/// A model trained on other captures, in the seat of the untrained one.
pub(crate) struct Trained(pub(crate) Learner);

impl Model for Trained {
    fn score(&self, features: &Features) -> Score {
        let probability = features.described.as_ref().map_or(0.0, |d| self.0.score_all(&[d.facts()])[0]);
        Score { probability, because: Vec::new(), model: 0 }
    }

    fn reads_described(&self) -> bool {
        true
    }
}

/// Says the same of every alert.
pub(crate) struct Always(pub(crate) f64);

impl Model for Always {
    fn score(&self, _: &Features) -> Score {
        Score { probability: self.0, because: Vec::new(), model: 0 }
    }
}

/// Leads a scenario through the engine, judged by this model.
///
/// # Errors
/// When the folder that comes with the program has mistakes.
pub(crate) fn live(scenario: &Scenario, model: Arc<dyn Model>) -> Result<Lived> {
    let mut stream = Stream::new(rules(model)?);
    let (mut alerts, mut looks) = (Vec::with_capacity(scenario.rows.len()), BTreeMap::new());
    for rows in scenario.rows.chunk_by(|a, b| a.at == b.at).flat_map(|second| second.chunks(AT_ONCE)) {
        let first = alerts.len();
        let (keys, records): (Vec<String>, Vec<Record>) =
            rows.iter().enumerate().map(|(n, row)| record(scenario, row, first + n)).unzip();
        let known = stream.state().slots.len() as u64;
        let (source, site) = (SITE.to_owned(), SITE.to_owned());
        stream
            .receive(rows[0].at, vec![Received { source, site, body: Vec::new(), records, retry_of: None }]);
        let state = stream.state();
        for (key, row) in keys.iter().zip(rows) {
            let alert = state.seen.get(fingerprint::key(SITE, key)).map_or(AlertId(0), |k| k.alert);
            alerts.push(alert);
            if alert.0 > known && !looks.contains_key(&alert) {
                looks.insert(alert, look(state, scenario, row));
            }
        }
    }
    if let Some(last) = scenario.rows.last() {
        stream.pass(last.at.plus(AFTER));
    }
    Ok(Lived { alerts, looks, state: stream.into_state() })
}

/// The rules of the folder that `stanch init` writes, with this model.
///
/// # Errors
/// When that folder has mistakes.
pub(crate) fn rules(model: Arc<dyn Model>) -> Result<Rules> {
    let files: Vec<(String, String)> =
        init::template().iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let config = compile(&files).map_err(|all| anyhow!("the template has {} mistakes", all.len()))?;
    let mut rules = Rules::new(Arc::new(config));
    rules.model = model;
    Ok(rules)
}

fn look(state: &State, scenario: &Scenario, row: &Row) -> Vec<f64> {
    let (host, rule) = (&scenario.hosts[row.machine as usize], &scenario.rules[row.rule as usize]);
    let ends = fingerprint::ends(&claim(host, rule));
    state.learnt.describe(SITE, tool(rule), rule, &ends).map(|d| d.row).unwrap_or_default()
}

/// A row as a format would hand it over, with what its repeats share.
fn record(scenario: &Scenario, row: &Row, n: usize) -> (String, Record) {
    let (host, rule) = (&scenario.hosts[row.machine as usize], &scenario.rules[row.rule as usize]);
    let group_key = format!("{rule}|{}|{:?}", host.name, host.address);
    let alert = Alert { time: row.at, source_uid: Some(n.to_string()), ..claim(host, rule) };
    let parsed = Parsed::Alert { alert: Box::new(alert), group_key: group_key.clone() };
    (group_key, Record { raw: 0..0, parsed: Ok(parsed) })
}

/// What every alert of a rule on a machine says. The captures give neither severity nor the other end.
fn claim(host: &Host, rule: &str) -> Alert {
    Alert {
        title: rule.to_owned(),
        product: Product { name: tool(rule).to_owned(), vendor_name: None },
        rule: Rule { uid: rule.to_owned(), name: rule.to_owned(), category: None },
        device: Some(Endpoint { ip: host.address, hostname: Some(host.name.clone()), port: None }),
        ..Alert::default()
    }
}

/// A machine as the correlator tells it.
pub(crate) fn machine(host: &Host) -> Option<Machine> {
    fingerprint::machine(SITE, &fingerprint::ends(&claim(host, "")))
}

impl Lived {
    /// The incident that holds an alert at the end.
    fn home(&self, alert: AlertId) -> Option<IncidentId> {
        let slot = self.state.slot(alert).filter(|s| s.disposition == Disposition::InIncident)?;
        Some(self.state.head_of(IncidentId(u64::from(slot.link))))
    }

    /// The incident of each group: the one that holds most of its alerts; none when more of them are in none.
    pub(crate) fn homes(&self, of: &[usize], groups: usize) -> Vec<Option<IncidentId>> {
        let mut votes: Vec<BTreeMap<Option<IncidentId>, usize>> = vec![BTreeMap::new(); groups];
        for (group, alert) in of.iter().zip(&self.alerts) {
            *votes[*group].entry(self.home(*alert)).or_default() += 1;
        }
        let most = |v: BTreeMap<Option<IncidentId>, usize>| v.into_iter().max_by_key(|(home, n)| (*n, *home));
        votes.into_iter().map(|v| most(v).and_then(|(home, _)| home)).collect()
    }

    /// The best score among the alerts of each group.
    pub(crate) fn scores(&self, of: &[usize], groups: usize) -> Vec<f64> {
        let mut best = vec![0.0_f64; groups];
        for (group, alert) in of.iter().zip(&self.alerts) {
            let score = self.state.slot(*alert).map_or(0.0, |s| f64::from(s.score) / 1000.0);
            best[*group] = best[*group].max(score);
        }
        best
    }

    /// How each labelled alert looked, as an example: it mattered when an attack step caused one of its
    /// records. Folds are days.
    pub(crate) fn examples(&self, s: &Scenario) -> Vec<Example> {
        let mut about: BTreeMap<AlertId, (&Row, bool, bool)> = BTreeMap::new();
        for (row, alert) in s.rows.iter().zip(&self.alerts) {
            let known = about.entry(*alert).or_insert((row, false, false));
            known.1 |= row.step.is_some();
            known.2 |= row.step.is_some() || row.noise;
        }
        let example = |(alert, (first, matters, scored)): (AlertId, (&Row, bool, bool))| {
            let row = self.looks.get(&alert).filter(|look| scored && !look.is_empty())?.clone();
            let fold = (first.at.0.div_euclid(86_400_000) % 16) as u32;
            Some(Example { row, rule: s.rules[first.rule as usize].clone(), fold, matters })
        };
        about.into_iter().filter_map(example).collect()
    }
}
