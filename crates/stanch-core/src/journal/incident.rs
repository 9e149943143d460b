//! An incident: findings worked as one, with what is needed to tell its story.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use stanch_judge::kin::Machine;
use stanch_model::{AlertId, Fact, IncidentId, RunId, Severity, Timestamp};

use super::event::{Joined, Missing};
use crate::decided::Reason;
use crate::stage::kill_chain::Stage;

/// Where an incident stands. Words from PagerDuty and NIST.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nobody has taken it yet.
    Triggered,
    /// Somebody works on it.
    Acknowledged,
    /// A change that contains it is in place.
    Contained,
    /// Over.
    Resolved,
}

/// What happened to the incident and when: the raw material of the clock and of the story's second half.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// When, by our clock.
    pub at: Timestamp,
    /// What.
    pub what: MarkKind,
    /// In words.
    pub text: String,
}

/// Kinds of marks. The clock is computed from these and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum MarkKind {
    Received,
    Triaged,
    Enriched,
    Opened,
    Routed,
    Escalated,
    PageHeld,
    Acknowledged,
    Noted,
    RunStarted,
    RunEnded,
    ApprovalRequested,
    Approved,
    ApprovalRefused,
    ChangePermitted,
    Contained,
    ChangeFailed,
    NocNotified,
    Lifted,
    Merged,
    Unmerged,
    Resolved,
}

/// An entity's part in an incident.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Alerts in which it acted (opened the connection).
    pub acted: u32,
    /// Alerts in which it was acted upon.
    pub suffered: u32,
    /// First event time.
    pub first: Timestamp,
    /// Last event time.
    pub last: Timestamp,
}

/// Where escalation stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Climb {
    /// Which policy.
    pub policy: Option<String>,
    /// Rungs climbed so far.
    pub rung: u32,
    /// When the next one is due.
    pub next: Option<Timestamp>,
    /// Nobody was woken yet because it was not sure enough.
    pub held: bool,
}

/// Sums over the alerts of an incident.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Stages seen, each with its first event time.
    pub stages: BTreeMap<Stage, Timestamp>,
    /// The best score of each rule, in thousandths.
    pub rules: BTreeMap<String, u16>,
    /// The highest severity.
    pub severity: Severity,
}

impl Totals {
    /// Adds one alert.
    pub fn add(&mut self, j: &Joined) {
        let first = self.stages.entry(j.stage).or_insert(j.time);
        *first = j.time.min(*first);
        match self.rules.get_mut(&j.rule) {
            Some(best) => *best = j.score.max(*best),
            None => drop(self.rules.insert(j.rule.clone(), j.score)),
        }
        if j.severity.rank() > self.severity.rank() || self.severity == Severity::Unknown {
            self.severity = j.severity;
        }
    }
}

/// Findings worked as one.
#[derive(Clone, Debug)]
pub struct Incident {
    /// Its name.
    pub id: IncidentId,
    /// Whose network.
    pub site: String,
    /// When it was opened, by our clock.
    pub opened_at: Timestamp,
    /// Why it was opened.
    pub because: Vec<Reason>,
    /// Where it stands.
    pub status: Status,
    /// Its alerts, in the order they joined.
    pub alerts: Vec<Joined>,
    /// Who takes part: addresses, `host:…`, `user:…`.
    pub entities: BTreeMap<String, Part>,
    /// Machines that its alerts sat on, each with its first and last event time.
    pub machines: BTreeMap<Machine, (Timestamp, Timestamp)>,
    /// Sums over its alerts, kept so that a large incident stays cheap to judge.
    pub totals: Totals,
    /// What is known about them, by provider and observable.
    pub facts: BTreeMap<(String, String), Fact>,
    /// Look-ups that did not answer.
    pub missing: Vec<Missing>,
    /// When its first alert arrived, by our clock.
    pub first_received: Timestamp,
    /// Event time of its first and last alert.
    pub span: (Timestamp, Timestamp),
    /// Which team answers.
    pub team: Option<String>,
    /// Who has acknowledged it.
    pub acknowledged_by: Option<String>,
    /// Where escalation stands.
    pub climb: Climb,
    /// Runs of playbooks on it.
    pub runs: Vec<RunId>,
    /// What happened to it.
    pub marks: Vec<Mark>,
    /// Set while it is a part of another one.
    pub merged_into: Option<IncidentId>,
    /// The others that are a part of it.
    pub parts: BTreeSet<IncidentId>,
}

impl Incident {
    /// True when it is made of sample data.
    #[must_use]
    pub fn is_sample(&self) -> bool {
        self.site == crate::config::SAMPLE_SITE
    }

    /// True when it is sample data that was taken away: it stays in the journal and is listed nowhere.
    #[must_use]
    pub fn is_taken_away(&self) -> bool {
        self.is_sample() && self.status == Status::Resolved
    }
}

/// Which kind an incident is named after which stage, the most telling first: a machine that calls
/// home is the matter, whatever else was tried on the way.
pub(crate) const KINDS: [(Stage, &str); 10] = [
    (Stage::CommandAndControl, "c2"),
    (Stage::Exfiltration, "exfiltration"),
    (Stage::Impact, "impact"),
    (Stage::LateralMovement, "lateral_movement"),
    (Stage::Execution, "malware"),
    (Stage::Persistence, "malware"),
    (Stage::PrivilegeEscalation, "malware"),
    (Stage::CredentialAccess, "brute_force"),
    (Stage::InitialAccess, "exploit"),
    (Stage::Reconnaissance, "scan"),
];

fn kind_of(stage: Stage) -> &'static str {
    KINDS.iter().find(|(s, _)| *s == stage).map_or("other", |(_, kind)| kind)
}

impl Incident {
    /// The highest severity of its alerts.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.totals.severity
    }

    /// Probability that it matters, 0 to 1: one minus the product of the doubts of its distinct
    /// rules, so that ten different signs weigh more than one sign ten times.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        let mut scores: Vec<f64> = self.totals.rules.values().map(|s| f64::from(*s) / 1000.0).collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        // Signs of one incident are not independent; each further one counts half of the one before.
        let mut doubt = 1.0;
        for (n, s) in scores.iter().take(8).enumerate() {
            doubt *= 1.0 - s * 0.5f64.powi(i32::try_from(n).unwrap_or(8));
        }
        1.0 - doubt
    }

    /// The stages seen, in attack order, each with its first event time.
    #[must_use]
    pub fn stages(&self) -> &BTreeMap<Stage, Timestamp> {
        &self.totals.stages
    }

    /// What kind of incident it is, for playbooks and routes.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        KINDS
            .iter()
            .find(|(stage, _)| self.totals.stages.contains_key(stage))
            .map_or("other", |(_, kind)| kind)
    }

    /// The alerts that make it what it is: those of the stages its kind is named after.
    pub fn telling(&self) -> impl Iterator<Item = &Joined> + '_ {
        let kind = self.kind();
        self.alerts.iter().filter(move |a| kind_of(a.stage) == kind)
    }

    /// The machine on the other side: the one to block. Chosen from the alerts that make the incident
    /// what it is, so that a call home is answered by blocking the machine called and not whoever
    /// scanned loudest.
    ///
    /// Where the inventory tells which end is ours, the other end seen most often. Where it does not,
    /// the machine that the others have in common, since victims differ and the attacker stays; then
    /// the likelier end, then the lowest address, so that it never flickers.
    #[must_use]
    pub fn peer(&self) -> Option<IpAddr> {
        let ours = self.own_addresses();
        let mut certain: BTreeMap<IpAddr, u64> = BTreeMap::new();
        let mut guess: BTreeMap<IpAddr, (BTreeSet<IpAddr>, u64)> = BTreeMap::new();
        for a in self.telling() {
            let Some(outside) = outside_end(a, &ours) else { continue };
            match (a.ends.src, a.ends.dst) {
                (Some(src), Some(dst)) if ours.contains(&src) == ours.contains(&dst) => {
                    guess.entry(src).or_default().0.insert(dst);
                    guess.entry(dst).or_default().0.insert(src);
                    guess.entry(outside).or_default().1 += 1;
                }
                _ => *certain.entry(outside).or_default() += 1,
            }
        }
        let sure = certain.into_iter().max_by_key(|(ip, n)| (*n, std::cmp::Reverse(*ip))).map(|(ip, _)| ip);
        let likely =
            || guess.into_iter().max_by_key(|(ip, (met, n))| (met.len(), *n, std::cmp::Reverse(*ip)));
        sure.or_else(|| likely().map(|(ip, _)| ip))
    }

    /// Addresses in this incident that the asset inventory knows.
    #[must_use]
    pub fn own_addresses(&self) -> BTreeSet<IpAddr> {
        let assets = self.facts.values().filter(|f| matches!(f.meaning, stanch_model::Meaning::Asset { .. }));
        assets.filter_map(|f| f.about.value.parse().ok()).collect()
    }

    /// Alert ids, in the order they joined.
    pub fn alert_ids(&self) -> impl Iterator<Item = AlertId> + '_ {
        self.alerts.iter().map(|a| a.alert)
    }

    /// When a kind of mark was first made.
    #[must_use]
    pub fn first_mark(&self, what: MarkKind) -> Option<Timestamp> {
        self.marks.iter().find(|m| m.what == what).map(|m| m.at)
    }
}

/// Which end of an alert is the other side: the one that is not ours when exactly one is; else, for
/// a call home, the machine called; else the machine that acted.
fn outside_end(a: &Joined, ours: &BTreeSet<IpAddr>) -> Option<IpAddr> {
    match (a.ends.src, a.ends.dst) {
        (Some(src), Some(dst)) => match (ours.contains(&src), ours.contains(&dst)) {
            (true, false) => Some(dst),
            (false, true) => Some(src),
            _ if a.stage.is_outbound() => Some(dst),
            _ => Some(src),
        },
        (one, other) => one.or(other).filter(|ip| !ours.contains(ip)),
    }
}

#[cfg(test)]
mod tests {
    use stanch_model::{AlertId, Meaning, Observable, ObservableKind};

    use super::*;
    use crate::journal::event::{Event, IncidentOpened};
    use crate::journal::state::State;
    use crate::stage::fingerprint;

    fn alert(stage: Stage, src: &str, dst: &str) -> Joined {
        let ends = stanch_model::Alert {
            src_endpoint: Some(stanch_model::Endpoint { ip: src.parse().ok(), ..Default::default() }),
            dst_endpoint: Some(stanch_model::Endpoint { ip: dst.parse().ok(), ..Default::default() }),
            ..Default::default()
        };
        Joined {
            alert: AlertId(1),
            time: Timestamp(0),
            rule: format!("{stage:?}"),
            product: "ids".into(),
            source: "ids".into(),
            severity: Severity::High,
            score: 700,
            stage,
            ends: fingerprint::ends(&ends),
            techniques: Vec::new(),
            because: String::new(),
        }
    }

    fn incident(alerts: Vec<Joined>, ours: &[&str]) -> Incident {
        let mut state = State::default();
        let id = IncidentId(1);
        let opened = IncidentOpened { incident: id, site: "hq".into(), because: Vec::new() };
        state.apply(1, Timestamp(0), &Event::IncidentOpened(opened));
        let mut i = state.incidents.remove(&id).expect("just opened");
        alerts.iter().for_each(|a| i.totals.add(a));
        i.alerts = alerts;
        for ip in ours {
            let meaning = Meaning::Asset {
                name: "server".into(),
                criticality: Default::default(),
                owner: None,
                kind: None,
            };
            let about = Observable::new(ObservableKind::Ip, (*ip).to_owned());
            let fact = Fact { provider: "assets".into(), about, meaning };
            i.facts.insert(("assets".into(), (*ip).to_owned()), fact);
        }
        i
    }

    #[test]
    fn a_call_home_is_answered_by_blocking_the_machine_called_not_the_loudest() {
        let mut alerts = vec![alert(Stage::Impact, "203.0.113.7", "10.0.0.1"); 9];
        alerts.push(alert(Stage::CommandAndControl, "10.0.0.1", "203.0.113.9"));
        let i = incident(alerts, &["10.0.0.1"]);
        assert_eq!((i.kind(), i.peer()), ("c2", "203.0.113.9".parse().ok()));
    }

    #[test]
    fn a_call_home_seen_from_the_other_side_still_blocks_the_other_side() {
        // Rules on what a shell says back fire on packets from the attacker to our machine.
        let i = incident(vec![alert(Stage::CommandAndControl, "203.0.113.9", "10.0.0.1")], &["10.0.0.1"]);
        assert_eq!(i.peer(), "203.0.113.9".parse().ok());
    }
}
