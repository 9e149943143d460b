//! Does it matter? Features in, probability and reasons out.
//!
//! The seam is made to last: [`Features`] hold only what was known before the alert, and a
//! [`Model`] turns them into a [`Score`]. The model here is a plain sum of baselines that works with
//! no training at all; one that learns takes its place behind the same trait.

use stanch_model::fact::Criticality;
use stanch_model::{Alert, Fact, Meaning, Severity};

use crate::config::TriagePolicy;
use crate::decided::Reason;
use crate::journal::event::Ends;
use crate::journal::learnt::{Described, told_about};
use crate::journal::sightings::Mention;
use crate::journal::state::State;
use crate::stage::fingerprint;
use crate::stage::kill_chain::{self, Stage};

/// What is known about an alert when it is judged. Nothing from the future.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// Harm if true, recalibrated by rule.
    pub severity: Severity,
    /// Where in an attack it belongs.
    pub stage: Stage,
    /// New alerts of this rule at this site before this one.
    pub rule_seen: u32,
    /// New alerts of this rule on this machine before this one.
    pub rule_on_seen: u32,
    /// New alerts in all before this one.
    pub seen: u64,
    /// Distinct stages in recent alerts of the machine that acted, this one included.
    pub stages_of_actor: u32,
    /// How much it would hurt to lose the asset concerned, with its name.
    pub asset: Option<(String, Criticality)>,
    /// A feed calls one end hostile: feed, value, confidence 0 to 100.
    pub malicious: Option<(String, String, u8)>,
    /// One end is shared by many unrelated parties: which list.
    pub shared: Option<String>,
    /// One end is well known and usually benign: which list.
    pub harmless: Option<String>,
    /// A full exchange was seen.
    pub established: bool,
    /// What people found out about incidents with this rule at this site.
    pub opinions: crate::journal::opinion::Tally,
    /// What the alert looks like to a model grown from verdicts; `None` while there is none.
    pub described: Option<Described>,
}

/// Probability that an alert matters, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// 0 to 1.
    pub probability: f64,
    /// The strongest first.
    pub because: Vec<Reason>,
    /// Which model: the number of verdicts it was grown from; 0 for the untrained one.
    pub model: u64,
}

impl Score {
    /// Thousandths, as stored.
    #[must_use]
    pub fn thousandths(&self) -> u16 {
        (self.probability.clamp(0.0, 1.0) * 1000.0).round() as u16
    }
}

/// The untrained model, by name and version.
pub const UNTRAINED: &str = "baselines-2";

/// Turns features into a score.
pub trait Model: Send + Sync {
    /// Judges.
    fn score(&self, features: &Features) -> Score;

    /// True when it reads [`Features::described`], which costs more than all other features together.
    fn reads_described(&self) -> bool {
        false
    }
}

/// Alerts of the actor looked back over for `stages_of_actor`.
const LOOK_BACK: usize = 128;

/// Gathers what is known about an alert. `facts` are answers of look-ups so far; none is fine.
#[must_use]
pub fn features(
    state: &State,
    policy: &TriagePolicy,
    site: &str,
    alert: &Alert,
    ends: &Ends,
    facts: &[Fact],
) -> Features {
    let told = Told {
        severity: severity(policy, &alert.rule.uid, alert.severity),
        stage: kill_chain::stage(alert),
        rule: fingerprint::rule(alert),
        itself: 0,
    };
    gathered(state, site, &told, ends, facts)
}

/// What an alert says of itself.
struct Told {
    severity: Severity,
    stage: Stage,
    rule: u64,
    /// 1 when it has been counted itself already.
    itself: u32,
}

fn gathered(state: &State, site: &str, told: &Told, ends: &Ends, facts: &[Fact]) -> Features {
    let others = |seen: Option<&u32>| seen.copied().unwrap_or(0).saturating_sub(told.itself);
    let at = fingerprint::rule_at(site, told.rule);
    let mut f = Features {
        severity: told.severity,
        stage: told.stage,
        rule_seen: others(state.baseline.rule.get(&at)),
        rule_on_seen: others(state.baseline.rule_on.get(&fingerprint::rule_on(site, told.rule, ends))),
        seen: state.baseline.total,
        stages_of_actor: stages_of_actor(state, site, ends, told.stage),
        established: ends.established,
        opinions: state.opinions.rules.get(&at).copied().unwrap_or_default(),
        ..Features::default()
    };
    for fact in facts {
        learn(&mut f, fact);
    }
    f
}

/// What is known now about an alert that came in a while ago, described by what happened around it since.
#[must_use]
pub fn again(state: &State, policy: &TriagePolicy, m: &Mention, facts: &[Fact]) -> Option<Features> {
    let (slot, rule) = (state.slot(m.alert)?, state.rules.get(&m.rule)?);
    let site = state.sources.get(usize::from(slot.source))?.site.as_str();
    let severity = severity(policy, &rule.uid, slot.severity);
    let told = Told { severity, stage: slot.stage, rule: m.rule, itself: 1 };
    let mut f = gathered(state, site, &told, &m.ends, facts);
    f.described = described(state, site, (&rule.product, &rule.name), &m.ends, facts);
    Some(f)
}

/// Adds how the alert stands out, with what feeds and the inventory say; call it once the alert counts
/// as seen, and only where a model reads it: it costs more than all other features together.
pub fn describe(f: &mut Features, state: &State, site: &str, alert: &Alert, ends: &Ends, facts: &[Fact]) {
    f.described = described(state, site, (&alert.product.name, &alert.rule.name), ends, facts);
}

fn described(
    state: &State,
    site: &str,
    (product, rule): (&str, &str),
    ends: &Ends,
    facts: &[Fact],
) -> Option<Described> {
    let mut described = state.learnt.describe(site, product, rule, ends)?;
    let (hostile, asset) = told_about(facts.iter(), ends);
    stanch_judge::watch::tell(&mut described.row, hostile, asset);
    Some(described)
}

fn severity(policy: &TriagePolicy, rule: &str, claimed: Severity) -> Severity {
    let set = policy.severity_overrides.get(rule).and_then(|id| Severity::try_from(*id).ok());
    set.unwrap_or(claimed)
}

fn stages_of_actor(state: &State, site: &str, ends: &Ends, own: Stage) -> u32 {
    let Some(actor) = ends.src else { return 1 };
    let mut stages = vec![own];
    for m in state.recent.of(fingerprint::entity(site, &actor.to_string())).take(LOOK_BACK) {
        if let Some(slot) = state.slot(m.alert)
            && !stages.contains(&slot.stage)
        {
            stages.push(slot.stage);
        }
    }
    stages.iter().filter(|s| **s > Stage::Policy).count().max(1) as u32
}

fn learn(f: &mut Features, fact: &Fact) {
    match &fact.meaning {
        Meaning::Asset { name, criticality, .. } => {
            if f.asset.as_ref().is_none_or(|(_, c)| c < criticality) {
                f.asset = Some((name.clone(), *criticality));
            }
        }
        Meaning::Malicious { feed, confidence, .. } => {
            if f.malicious.as_ref().is_none_or(|(_, _, c)| c < confidence) {
                f.malicious = Some((feed.clone(), fact.about.value.clone(), *confidence));
            }
        }
        Meaning::Shared { list } => f.shared = Some(list.clone()),
        Meaning::Harmless { list } => f.harmless = Some(list.clone()),
        Meaning::NeverBlock { .. }
        | Meaning::Seen { .. }
        | Meaning::Traffic { .. }
        | Meaning::Note { .. } => {}
    }
}

/// The untrained model: a logistic sum of named parts, each shown as a reason.
///
/// The weights are a starting point, set by hand so that a severe, rare alert late in an attack
/// passes 0.6 alone and everyday reconnaissance never does; they are replaced by learnt ones.
pub struct Baselines;

/// Weight of nothing known: most alerts do not matter.
const BIAS: f64 = -3.2;

impl Model for Baselines {
    fn score(&self, f: &Features) -> Score {
        let mut parts: Vec<(f64, String)> = vec![
            (2.6 * f64::from(f.severity.rank()) / 6.0, format!("severity {}", f.severity.word())),
            (3.0 * f64::from(f.stage.weight().0) / 100.0, format!("stage: {}", f.stage.words())),
            (0.8 / (1.0 + f64::from(f.rule_seen).ln_1p()), rarity("this rule at this site", f.rule_seen)),
            (
                0.4 / (1.0 + f64::from(f.rule_on_seen).ln_1p()),
                rarity("this rule on this machine", f.rule_on_seen),
            ),
        ];
        if f.stages_of_actor > 1 {
            let more = f64::from(f.stages_of_actor.min(4) - 1);
            parts.push((
                0.5 * more,
                format!("the same machine showed {} stages of an attack", f.stages_of_actor),
            ));
        }
        if let Some((name, criticality)) = &f.asset {
            let (weight, word) = match criticality {
                Criticality::Critical => (1.0, "critical"),
                Criticality::High => (0.6, "high"),
                Criticality::Medium => (0.2, "medium"),
                Criticality::Low => (-0.2, "low"),
            };
            parts.push((weight, format!("asset {name} is of {word} criticality")));
        }
        if let Some((feed, value, confidence)) = &f.malicious {
            parts.push((
                2.5 * f64::from(*confidence) / 100.0,
                format!("{feed} calls {value} hostile ({confidence} %)"),
            ));
        }
        if let Some(list) = &f.shared {
            parts.push((-0.3, format!("shared by many: {list}")));
        }
        if let Some(list) = &f.harmless {
            parts.push((-1.0, format!("usually harmless: {list}")));
        }
        if f.opinions.all() > 0 {
            let (of, n) = (f.opinions.confirmed, f.opinions.all());
            let words = format!("people called {of} of {n} incidents with this rule true");
            parts.push((f.opinions.log_odds(), words));
        }
        let sum = BIAS + parts.iter().map(|(w, _)| w).sum::<f64>();
        parts.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()));
        let because = parts.into_iter().filter(|(w, _)| w.abs() >= 0.1);
        Score {
            probability: 1.0 / (1.0 + (-sum).exp()),
            because: because.take(5).map(|(w, words)| Reason::new(format!("{words} ({w:+.1})"))).collect(),
            model: 0,
        }
    }
}

fn rarity(what: &str, seen: u32) -> String {
    match seen {
        0 => format!("{what}: never before"),
        1 => format!("{what}: once before"),
        n => format!("{what}: {n} times before"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(f: &Features) -> f64 {
        Baselines.score(f).probability
    }

    #[test]
    fn a_severe_rare_call_home_passes_alone_and_everyday_scanning_never_does() {
        let call =
            Features { severity: Severity::High, stage: Stage::CommandAndControl, ..Features::default() };
        let scan = Features {
            severity: Severity::Medium,
            stage: Stage::Reconnaissance,
            rule_seen: 400,
            rule_on_seen: 20,
            ..Features::default()
        };
        assert!(p(&call) > 0.8, "{}", p(&call));
        assert!(p(&scan) < 0.35, "{}", p(&scan));
    }

    #[test]
    fn opinions_of_people_raise_and_lower_and_are_told() {
        let tally = |confirmed, refuted| crate::journal::opinion::Tally { confirmed, refuted };
        let base = Features { severity: Severity::Medium, ..Features::default() };
        let bad = Features { opinions: tally(6, 0), ..base.clone() };
        let noise = Features { opinions: tally(0, 6), ..base.clone() };
        assert!(p(&bad) > p(&base) && p(&noise) < p(&base));
        let because = Baselines.score(&noise).because;
        let told =
            because.iter().any(|r| r.0.starts_with("people called 0 of 6 incidents with this rule true"));
        assert!(told, "{because:?}");
    }

    #[test]
    fn intelligence_raises_and_well_known_names_lower() {
        let base = Features { severity: Severity::Medium, ..Features::default() };
        let hit = Features { malicious: Some(("feed".into(), "203.0.113.9".into(), 90)), ..base.clone() };
        let known = Features { harmless: Some("top sites".into()), ..base.clone() };
        assert!(p(&hit) > p(&base) && p(&known) < p(&base));
        let because = Baselines.score(&hit).because;
        assert!(because[0].0.starts_with("feed calls 203.0.113.9 hostile (90 %)"), "{because:?}");
    }
}
