//! What people found out: which incidents were true, which were false, which were real and harmless.
//!
//! An opinion is a fact like any other. The fold counts it for every rule of the incident, triage
//! reads the counts, and [`noise`] proposes what could be kept quiet, with what that would have cost.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use stanch_model::{IncidentId, Timestamp};

use super::state::State;
use crate::stage::fingerprint;

/// What an incident turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Opinion {
    /// An attack, or what comes before one.
    #[default]
    True,
    /// Nothing of the kind happened.
    False,
    /// It happened and is meant to: a scanner of ours, an administrator at work.
    Benign,
    /// It is a part of another incident, or the same again.
    Duplicate,
    /// It was sent to the wrong team.
    WrongTeam,
    /// It holds what does not belong together.
    WrongMerge,
}

impl Opinion {
    /// All of them.
    pub const ALL: [Opinion; 6] = [
        Opinion::True,
        Opinion::False,
        Opinion::Benign,
        Opinion::Duplicate,
        Opinion::WrongTeam,
        Opinion::WrongMerge,
    ];

    /// As written on the command line and in the API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Opinion::True => "true",
            Opinion::False => "false",
            Opinion::Benign => "benign",
            Opinion::Duplicate => "duplicate",
            Opinion::WrongTeam => "wrong_team",
            Opinion::WrongMerge => "wrong_merge",
        }
    }

    /// What it says about the alerts: true when they mattered, false when not; `None` when nothing.
    #[must_use]
    pub const fn matters(self) -> Option<bool> {
        match self {
            Opinion::True => Some(true),
            Opinion::False | Opinion::Benign => Some(false),
            Opinion::Duplicate | Opinion::WrongTeam | Opinion::WrongMerge => None,
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn read(word: &str) -> Option<Opinion> {
        Opinion::ALL.into_iter().find(|o| o.word() == word)
    }
}

/// A person said what an incident turned out to be. A later opinion replaces an earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// Which incident.
    pub incident: IncidentId,
    /// What it was.
    pub opinion: Opinion,
    /// By whom.
    pub by: String,
    /// For a duplicate: of which incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<IncidentId>,
    /// For the wrong team: which would have been the right one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// Opinions about the incidents that a rule took part in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Were true.
    pub confirmed: u32,
    /// Were false or harmless.
    pub refuted: u32,
}

impl Tally {
    /// How many opinions.
    #[must_use]
    pub const fn all(self) -> u32 {
        self.confirmed + self.refuted
    }

    /// What the opinions add to the log odds that the rule matters, from -2 to 2.
    ///
    /// The log of (confirmed + ½) to (refuted + ½), drawn towards 0 while opinions are few: after
    /// one it counts a fifth, after four a half.
    #[must_use]
    pub fn log_odds(self) -> f64 {
        let (c, r) = (f64::from(self.confirmed), f64::from(self.refuted));
        let n = c + r;
        (((c + 0.5) / (r + 0.5)).ln() * n / (n + 4.0)).clamp(-2.0, 2.0)
    }
}

/// Everything people found out.
#[derive(Clone, Debug, Default)]
pub struct Opinions {
    /// By rule at a site.
    pub rules: BTreeMap<u64, Tally>,
    /// The latest opinion on each incident: when, what, and the rules it counted for.
    pub incidents: BTreeMap<IncidentId, (Timestamp, Judged, BTreeSet<u64>)>,
    /// The confidence each of them had when it was judged, in thousandths.
    pub confidence: BTreeMap<IncidentId, u16>,
    /// The latest of each other kind of correction on each incident: it says nothing about whether the
    /// alerts mattered, and replaces no opinion that does.
    pub corrections: BTreeMap<(IncidentId, Opinion), (Timestamp, Judged)>,
}

impl State {
    /// Counts an opinion; one given before on the same incident no longer counts.
    pub(super) fn judged(&mut self, at: Timestamp, e: &Judged) {
        let Some(matters) = e.opinion.matters() else { return self.corrected(at, e) };
        let Some(incident) = self.incidents.get(&e.incident) else { return };
        let confidence = (incident.confidence() * 1000.0).round() as u16;
        let names: BTreeSet<(&str, &str)> =
            incident.alerts.iter().map(|a| (a.product.as_str(), a.rule.as_str())).collect();
        let rules: BTreeSet<u64> = self
            .rules
            .values()
            .filter(|r| names.contains(&(r.product.as_str(), r.name.as_str())))
            .map(|r| fingerprint::rule_at(&incident.site, r.rule))
            .collect();
        if let Some((_, old, counted)) = self.opinions.incidents.remove(&e.incident) {
            for rule in counted {
                let tally = self.opinions.rules.entry(rule).or_default();
                let count =
                    if old.opinion == Opinion::True { &mut tally.confirmed } else { &mut tally.refuted };
                *count = count.saturating_sub(1);
            }
        }
        for rule in &rules {
            let tally = self.opinions.rules.entry(*rule).or_default();
            *(if matters { &mut tally.confirmed } else { &mut tally.refuted }) += 1;
        }
        self.opinions.incidents.insert(e.incident, (at, e.clone(), rules));
        self.opinions.confidence.insert(e.incident, confidence);
        self.learn_from(e.incident, e.opinion);
        self.health.drift.verdict(at, e.incident, confidence, matters);
    }

    /// Takes in a correction. What it teaches about belonging together counts once an incident.
    fn corrected(&mut self, at: Timestamp, e: &Judged) {
        if !self.incidents.contains_key(&e.incident) {
            return;
        }
        let known = self.opinions.corrections.insert((e.incident, e.opinion), (at, e.clone()));
        match (e.opinion, e.of) {
            (Opinion::WrongMerge, _) if known.is_none() => self.wrongly_merged(e.incident),
            (Opinion::Duplicate, Some(of)) if known.is_none() => self.bound(e.incident, of, 1),
            _ => {}
        }
    }
}

/// A rule that could be kept quiet, and what that would have cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Noise {
    /// Whose rule it is.
    pub product: String,
    /// Its name.
    pub rule: String,
    /// At which site.
    pub site: String,
    /// Distinct alerts it would have hidden so far.
    pub hides: u64,
    /// Of so many in all.
    pub of: u64,
    /// Incidents people called true that it took part in: what hiding it would have cost.
    pub hidden_confirmed: u32,
    /// Of so many called true in all.
    pub of_confirmed: u32,
    /// Incidents people called false or harmless that it took part in.
    pub refuted: u32,
    /// The matcher of a silence that would do it. Nobody sets it but a person.
    pub matcher: String,
}

/// Opinions needed before anything is proposed.
const ENOUGH: u32 = 3;

/// Rules that people called false or harmless at least three times and never true, the noisiest
/// first.
#[must_use]
pub fn noise(state: &State) -> Vec<Noise> {
    let confirmed =
        state.opinions.incidents.values().filter(|(_, j, _)| j.opinion == Opinion::True).count() as u32;
    let sites: BTreeSet<&str> = state.sources.iter().map(|s| s.site.as_str()).collect();
    let mut out = Vec::new();
    for seen in state.rules.values() {
        for site in &sites {
            let at = fingerprint::rule_at(site, seen.rule);
            let Some(tally) =
                state.opinions.rules.get(&at).filter(|t| t.refuted >= ENOUGH && t.confirmed == 0)
            else {
                continue;
            };
            out.push(Noise {
                product: seen.product.clone(),
                rule: seen.name.clone(),
                site: (*site).to_owned(),
                hides: u64::from(state.baseline.rule.get(&at).copied().unwrap_or(0)),
                of: state.baseline.total,
                hidden_confirmed: tally.confirmed,
                of_confirmed: confirmed,
                refuted: tally.refuted,
                matcher: format!("rule={}", if seen.uid.is_empty() { &seen.name } else { &seen.uid }),
            });
        }
    }
    out.sort_by(|a, b| b.hides.cmp(&a.hides).then_with(|| a.rule.cmp(&b.rule)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_opinions_move_little_and_many_move_at_most_two() {
        let of = |confirmed, refuted| Tally { confirmed, refuted }.log_odds();
        assert_eq!(of(0, 0), 0.0);
        assert!(of(0, 1) > -0.3 && of(0, 1) < 0.0, "{}", of(0, 1));
        assert!(of(0, 4) < -1.0);
        assert_eq!(of(0, 1000), -2.0);
        assert_eq!(of(1000, 0), 2.0);
        assert!(of(5, 5).abs() < 1e-9);
    }

    #[test]
    fn words_are_read_back() {
        for o in [Opinion::True, Opinion::False, Opinion::Benign] {
            assert_eq!(Opinion::read(o.word()), Some(o));
        }
        assert_eq!(Opinion::read("maybe"), None);
    }
}
