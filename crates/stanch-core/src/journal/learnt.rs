//! What the judgement has seen and been told: the fold's part of triage that learns.
//!
//! Two things are folded. The *watch*: what every new alert says about what is usual, each at the
//! moment it was assessed. And the *examples*: alerts of incidents on which a person gave a verdict,
//! described as they stood when they joined. A model is grown from the examples by the shell, off the
//! engine's thread ([`Learnt::wanted`], [`Asked::grow`]); only the fact that it is in force, and from which
//! verdict on, is journalled. The model itself follows from the fold and a fixed seed, and is grown again
//! at a start ([`Learnt::restore`]), so that a fold gives the same judgement as the life before it.
//!
//! Decides nothing: scores that were given stay as they were journalled.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stanch_judge::kin::Machine;
use stanch_judge::learner::{Example, Facts, Learner, enough};
use stanch_judge::text::number;
use stanch_judge::watch::{Asset, GroupKey, Mark, Watch, tell};
use stanch_model::fact::Criticality;
use stanch_model::{AlertId, Fact, IncidentId, Meaning, Timestamp};

use super::event::{Ends, Joined, NewAlert};
use super::opinion::Opinion;
use super::state::State;
use crate::stage::fingerprint;
use crate::stage::kill_chain::Stage;

/// Settles every random choice of the forests.
const SEED: u64 = 1;
/// Descriptions of alerts of incidents kept for a later verdict; the oldest go.
const DESCRIBED: usize = 20_000;
/// Alerts of one incident that become examples: one for each rule on each machine.
const OF_ONE: usize = 64;
/// Examples a model is grown from; those of the latest incidents.
pub const EXAMPLES: usize = 5_000;
/// A model is grown anew after this many verdicts, or a tenth of all, whichever is more.
const REGROW: u64 = 5;

/// A model is in force from here on. The model itself follows from what was folded before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelGrown {
    /// It knows the first so many verdicts.
    pub upto: u64,
    /// Judged alerts it was grown from.
    pub examples: u64,
    /// Of them, called real.
    pub real: u64,
}

/// A grown model, to be shared.
pub type Grown = Arc<Learner>;

/// What one alert looked like.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    /// Features in the order of [`stanch_judge::watch::COLUMNS`].
    pub row: Vec<f64>,
    /// The rule's name.
    pub rule: String,
    /// The machine, as a number.
    pub place: u64,
}

impl Described {
    /// As the learner reads it.
    #[must_use]
    pub fn facts(&self) -> Facts<'_> {
        Facts { row: &self.row, rule: &self.rule, place: self.place }
    }
}

/// What a model is to be grown from.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The first so many verdicts.
    pub upto: u64,
    examples: Arc<Vec<(Example, u64)>>,
}

impl Asked {
    /// Grows it. Takes up to seconds with 5,000 examples: never on the engine's thread while it runs.
    #[must_use]
    pub fn grow(&self) -> Grown {
        Arc::new(Learner::from_verdicts(self.examples.as_ref().clone(), SEED))
    }

    /// What the journal says once it is in force.
    #[must_use]
    pub fn grown(&self) -> ModelGrown {
        let real = self.examples.iter().filter(|(e, _)| e.matters).count();
        ModelGrown { upto: self.upto, examples: self.examples.len() as u64, real: real as u64 }
    }
}

/// What the judgement has seen and been told.
#[derive(Debug, Default)]
pub struct Learnt {
    watch: Watch,
    latest: Timestamp,
    /// New alerts that were not assessed yet: those of one commit at most.
    awaiting: VecDeque<(AlertId, Mark)>,
    described: BTreeMap<AlertId, Described>,
    examples: BTreeMap<IncidentId, Vec<(Example, u64)>>,
    verdicts: u64,
    asked_at: u64,
    wanted: Option<Asked>,
    next: Option<Asked>,
    in_force: Option<Asked>,
    model: Option<Grown>,
}

impl Learnt {
    /// The model in force, with the number of verdicts it knows.
    #[must_use]
    pub fn model(&self) -> Option<(u64, &Grown)> {
        Some((self.in_force.as_ref()?.upto, self.model.as_ref()?))
    }

    /// What should be grown now; one at a time.
    #[must_use]
    pub fn wanted(&self) -> Option<&Asked> {
        self.wanted.as_ref()
    }

    /// All that was folded, as text: two folds of one journal give the same.
    #[must_use]
    pub fn folded(&self) -> String {
        let asked = |a: &Option<Asked>| a.as_ref().map(|a| (a.upto, a.examples.len()));
        format!(
            "{:?}\n{:?}\n{:?}\n{} verdicts; wanted {:?}, next {:?}, in force {:?}",
            self.watch,
            self.described,
            self.examples,
            self.verdicts,
            asked(&self.wanted),
            asked(&self.next),
            asked(&self.in_force),
        )
    }

    /// How many verdicts there were, repeated ones counted.
    #[must_use]
    pub fn verdicts(&self) -> u64 {
        self.verdicts
    }

    /// Puts the model of a [`ModelGrown`] just applied to work.
    pub fn install(&mut self, model: Grown) {
        self.model = Some(model);
    }

    /// After a fold: grows the model that was in force at its end.
    pub fn restore(&mut self) {
        if let Some(asked) = self.in_force.as_ref().filter(|_| self.model.is_none()) {
            self.model = Some(asked.grow());
        }
    }

    /// Describes an alert of an open group as it stands, with what feeds and the inventory say.
    #[must_use]
    pub fn describe(&self, site: &str, product: &str, rule: &str, ends: &Ends) -> Option<Described> {
        let place = fingerprint::machine(site, ends).map_or(0, |m| m.name);
        let key = GroupKey { site: number(site), rule: rule_number(product, rule), machine: place };
        Some(Described { row: self.watch.row(key, self.latest)?, rule: rule.to_owned(), place })
    }

    /// A new alert came in; it counts once it is assessed.
    pub(super) fn came_in(
        &mut self,
        site: &str,
        n: &NewAlert,
        (product, rule): (&str, &str),
        machine: Option<Machine>,
    ) {
        let tool = number(product);
        let mark = Mark {
            at: n.3,
            site: machine.map_or_else(|| number(site), |m| m.site),
            machine: machine.map_or(0, |m| m.name),
            tool,
            rule: tool.rotate_left(17) ^ number(rule),
            stage: 0,
            severity: n.4.rank(),
            hostile: 0,
            asset: Asset::default(),
        };
        self.awaiting.push_back((n.1, mark));
    }

    /// It was assessed: it counts from now on. Order of time is kept by taking no alert as earlier than
    /// one that was seen before it.
    pub(super) fn assessed(&mut self, id: AlertId, stage: Stage) {
        while let Some((alert, mut mark)) = self.awaiting.pop_front() {
            if alert == id {
                mark.stage = stage as u8;
                self.latest = self.latest.max(mark.at);
                mark.at = self.latest;
                self.watch.note(&mark);
                return;
            }
            if alert > id {
                self.awaiting.push_front((alert, mark));
                return;
            }
        }
    }

    fn joined(&mut self, site: &str, j: &Joined) {
        if self.described.contains_key(&j.alert) {
            return;
        }
        if let Some(d) = self.describe(site, &j.product, &j.rule, &j.ends) {
            if self.described.len() >= DESCRIBED {
                self.described.pop_first();
            }
            self.described.insert(j.alert, d);
        }
    }

    fn judged(&mut self, incident: IncidentId, examples: Vec<(Example, u64)>) {
        self.verdicts += 1;
        self.examples.insert(incident, examples);
        while self.examples.len() > EXAMPLES {
            self.examples.pop_first();
        }
        if self.verdicts - self.asked_at < REGROW.max(self.asked_at / 10) && self.asked_at > 0 {
            return;
        }
        let (mut latest, mut room) = (Vec::new(), EXAMPLES);
        for examples in self.examples.values().rev() {
            if examples.len() > room {
                break;
            }
            room -= examples.len();
            latest.push(examples);
        }
        let all: Vec<(Example, u64)> = latest.into_iter().rev().flatten().cloned().collect();
        let real = all.iter().filter(|(e, _)| e.matters).count();
        if !enough(real, all.len() - real) {
            return;
        }
        self.asked_at = self.verdicts;
        let asked = Asked { upto: self.verdicts, examples: Arc::new(all) };
        if self.wanted.is_none() { self.wanted = Some(asked) } else { self.next = Some(asked) }
    }

    pub(super) fn grown(&mut self, e: &ModelGrown) {
        if self.wanted.as_ref().is_some_and(|w| w.upto == e.upto) {
            self.in_force = self.wanted.take();
            self.model = None;
            self.wanted = self.next.take();
        }
    }
}

impl State {
    /// An alert counts for what is usual from now on; with its stage, before it is scored.
    pub fn sighted(&mut self, id: AlertId, stage: Stage) {
        self.learnt.assessed(id, stage);
        self.health.drift.assessed(self.at, stage);
    }

    /// Keeps how an alert looked when it joined an incident.
    pub(super) fn describe_joined(&mut self, incident: IncidentId, j: &Joined) {
        let Some(i) = self.incidents.get(&incident) else { return };
        self.learnt.joined(&i.site, j);
    }

    /// Makes examples of an incident's alerts: one for each rule on each machine.
    pub(super) fn learn_from(&mut self, incident: IncidentId, opinion: Opinion) {
        let Some(matters) = opinion.matters() else { return };
        let Some(i) = self.incidents.get(&incident) else { return };
        let parts = i.parts.iter().filter_map(|p| self.incidents.get(p));
        let all = i.alerts.iter().chain(parts.flat_map(|p| &p.alerts));
        let (mut seen, mut examples) = (BTreeSet::new(), Vec::new());
        for j in all {
            let Some(d) = self.learnt.described.get(&j.alert) else { continue };
            if examples.len() >= OF_ONE || !seen.insert((d.rule.as_str(), d.place)) {
                continue;
            }
            let mut row = d.row.clone();
            let (hostile, asset) = told_about(i.facts.values(), &j.ends);
            tell(&mut row, hostile, asset);
            let fold = (incident.0 % 5) as u32;
            examples.push((Example { row, rule: d.rule.clone(), fold, matters }, d.place));
        }
        self.learnt.judged(incident, examples);
    }
}

/// What feeds and the inventory say about the ends of an alert.
pub(crate) fn told_about<'a>(facts: impl Iterator<Item = &'a Fact>, ends: &Ends) -> (u8, Asset) {
    let (mut hostile, mut asset) = (0, Asset::default());
    for f in facts {
        let ip: Option<IpAddr> = f.about.value.parse().ok();
        let named = || ends.who.iter().any(|w| w.ends_with(&f.about.value));
        if !(ip.is_some() && (ip == ends.src || ip == ends.dst) || named()) {
            continue;
        }
        match &f.meaning {
            Meaning::Malicious { confidence, .. } => hostile = hostile.max(*confidence),
            Meaning::Asset { criticality, .. } => {
                asset.known = true;
                asset.critical |= matches!(criticality, Criticality::Critical | Criticality::High);
            }
            Meaning::Shared { .. }
            | Meaning::Harmless { .. }
            | Meaning::NeverBlock { .. }
            | Meaning::Seen { .. }
            | Meaning::Traffic { .. }
            | Meaning::Note { .. } => {}
        }
    }
    (hostile, asset)
}

fn rule_number(product: &str, rule: &str) -> u64 {
    number(product).rotate_left(17) ^ number(rule)
}
