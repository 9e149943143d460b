//! Confidence that earns autonomy: what may be closed by itself, and on what evidence.
//!
//! Evidence is what people found out about incidents, beside the confidence each had then. A threshold is
//! allowed when the upper bound of the error rate below it, not the rate seen, is within the owner's budget
//! (`auto_close` in `policies/triage.yaml`; off unless written). Twenty thresholds are looked at, so each
//! must hold at a twentieth of the agreed risk. Source: Clopper and Pearson 1934; the correction as in
//! Angelopoulos and others, "Learn then Test", 2021.
//!
//! One incident in ten that could be closed is left to people: otherwise nobody would judge what is closed,
//! and the evidence would go stale. Drift takes the leave back at once.

use stanch_judge::bound::{lower, upper};
use stanch_model::fact::Criticality;
use stanch_model::{IncidentId, Meaning, Timestamp};

use super::health::{OWN_SOURCE, demoted_by};
use crate::config::AutoClose;
use crate::journal::State;
use crate::journal::incident::{Incident, Status};

/// Thresholds looked at: twentieths.
const STEPS: u32 = 20;
/// Of so many incidents that could be closed one is left to people.
const AUDITED: u64 = 10;

/// What people found at one height of confidence.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Bar {
    /// Confidence from here, 0 to 1.
    pub from: f64,
    /// To there.
    pub to: f64,
    /// Judged incidents.
    pub judged: u64,
    /// Of them, those that mattered.
    pub mattered: u64,
    /// Between these the true share lies, at 90 % both sides together.
    pub between: (f64, f64),
}

/// Whether incidents may be closed by themselves, and why or why not.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Standing {
    /// They may.
    pub allowed: bool,
    /// Up to this confidence; none where nothing is earned.
    pub threshold: Option<f64>,
    /// The part of what is closed that may have mattered, 0 to 1; none when it is switched off.
    pub budget: Option<f64>,
    /// Incidents people judged in all.
    pub judged: u64,
    /// Of them, at or below the threshold (or the best one that was not enough).
    pub below: u64,
    /// Of those, mattered: each would have been an error.
    pub errors: u64,
    /// Upper bound of the error rate there.
    pub bound: f64,
    /// Why, or why not.
    pub because: Vec<String>,
    /// The reliability curve.
    pub curve: Vec<Bar>,
}

/// Judged incidents: confidence in thousandths, and whether they mattered.
fn points(state: &State) -> Vec<(u16, bool)> {
    let judged = state.opinions.incidents.values();
    let point = |j: &crate::journal::opinion::Judged| {
        Some((*state.opinions.confidence.get(&j.incident)?, j.opinion.matters()?))
    };
    judged.filter_map(|(_, j, _)| point(j)).collect()
}

fn count(points: &[(u16, bool)], within: impl Fn(u16) -> bool) -> (u64, u64) {
    let inside = points.iter().filter(|p| within(p.0));
    inside.fold((0, 0), |(n, real), p| (n + 1, real + u64::from(p.1)))
}

fn curve(points: &[(u16, bool)]) -> Vec<Bar> {
    (0..10u16)
        .map(|tenth| {
            let (from, to) = (tenth * 100, (tenth + 1) * 100);
            let (judged, mattered) = count(points, |p| p >= from && (p < to || tenth == 9));
            let between = (lower(mattered, judged, 0.95), upper(mattered, judged, 0.95));
            Bar { from: f64::from(from) / 1000.0, to: f64::from(to) / 1000.0, judged, mattered, between }
        })
        .filter(|bar| bar.judged > 0)
        .collect()
}

/// What has been earned.
#[must_use]
pub fn standing(state: &State, policy: Option<&AutoClose>) -> Standing {
    let points = points(state);
    let (judged, curve) = (points.len() as u64, curve(&points));
    let mut out = Standing {
        allowed: false,
        threshold: None,
        budget: policy.map(|p| p.budget),
        judged,
        below: 0,
        errors: 0,
        bound: 1.0,
        because: Vec::new(),
        curve,
    };
    let Some(policy) = policy else {
        out.because.push(
            "switched off: write `auto_close: { budget: 0.01 }` in policies/triage.yaml to allow it once it is earned"
                .into(),
        );
        return out;
    };
    let each = 1.0 - (1.0 - policy.confidence) / f64::from(STEPS);
    let tried = (1..=STEPS).map(|step| {
        let (n, errors) = count(&points, |p| u32::from(p) * STEPS <= step * 1000);
        (f64::from(step) / f64::from(STEPS), n, errors, upper(errors, n, each))
    });
    let tried: Vec<_> = tried.collect();
    let earned = tried.iter().rev().find(|t| t.3 <= policy.budget);
    let best = earned.or_else(|| tried.iter().min_by(|a, b| a.3.total_cmp(&b.3)));
    if let Some((height, n, errors, bound)) = best {
        (out.below, out.errors, out.bound) = (*n, *errors, *bound);
        out.threshold = earned.map(|_| *height);
        out.because.push(format!(
            "of {n} judged incidents up to {:.0} % sure, {errors} mattered: at most {:.1} % of such ones do \
             (at {:.0} % confidence, {STEPS} thresholds looked at)",
            height * 100.0,
            bound * 100.0,
            policy.confidence * 100.0,
        ));
    }
    if earned.is_none() {
        let needed = ((1.0 - each).ln() / (1.0 - policy.budget).ln()).ceil();
        out.because.push(format!(
            "the budget is {:.1} %: not earned; {needed:.0} such incidents without one that mattered would do",
            policy.budget * 100.0
        ));
    }
    let demoted = demoted_by(state);
    out.allowed = earned.is_some() && demoted.is_empty();
    out.because.extend(demoted.into_iter().map(|why| format!("taken back for now: {why}")));
    out
}

/// Why this incident is left to people whatever its confidence; `None` when it may be closed.
#[must_use]
pub fn kept(state: &State, i: &Incident, policy: &AutoClose, now: Timestamp) -> Option<String> {
    let hostile = |m: &Meaning| matches!(m, Meaning::Malicious { .. });
    let critical = |m: &Meaning| {
        matches!(m, Meaning::Asset { criticality: Criticality::Critical | Criticality::High, .. })
    };
    let facts = || i.facts.values().map(|f| &f.meaning);
    let touched = state.actions.values().any(|a| a.action.incident == i.id || a.holders.contains(&i.id));
    let runs = i.runs.iter().filter_map(|r| state.runs.get(r)).any(|r| r.ended.is_none());
    let why = if i.status != Status::Triggered || i.acknowledged_by.is_some() {
        "somebody has it".to_owned()
    } else if i.merged_into.is_some() || !i.parts.is_empty() {
        "it is more than one incident".to_owned()
    } else if state.opinions.incidents.contains_key(&i.id) {
        "somebody judged it".to_owned()
    } else if i.alerts.iter().any(|a| a.source == OWN_SOURCE) {
        "it is about stanch itself".to_owned()
    } else if facts().any(hostile) {
        "a feed calls one end hostile".to_owned()
    } else if facts().any(critical) {
        "an asset of high or critical worth takes part".to_owned()
    } else if touched || runs {
        "something is being done about it".to_owned()
    } else if now.since(i.opened_at) < policy.wait {
        format!("it is younger than {}", policy.wait)
    } else if i.id.0.is_multiple_of(AUDITED) {
        format!("one in {AUDITED} is left to people, so that the figures stay true")
    } else {
        return None;
    };
    Some(why)
}

/// Incidents to be closed now, each with the reason that is written down.
#[must_use]
pub fn closable(state: &State, policy: Option<&AutoClose>, now: Timestamp) -> Vec<(IncidentId, String)> {
    let Some(policy) = policy else { return Vec::new() };
    let mut open = state.incidents.values().filter(|i| i.status == Status::Triggered).peekable();
    if open.peek().is_none() {
        return Vec::new();
    }
    let standing = standing(state, Some(policy));
    let Some(threshold) = standing.threshold.filter(|_| standing.allowed) else { return Vec::new() };
    let because = standing.because.first().cloned().unwrap_or_default();
    open.filter(|i| i.confidence() <= threshold && kept(state, i, policy, now).is_none())
        .map(|i| (i.id, format!("closed by itself at {:.0} % sure: {because}", i.confidence() * 100.0)))
        .collect()
}

#[cfg(test)]
mod tests {
    use stanch_model::Span;

    use super::*;
    use crate::journal::event::{Event, IncidentOpened};
    use crate::journal::opinion::{Judged, Opinion};

    fn policy() -> AutoClose {
        AutoClose { budget: 0.02, ..AutoClose::default() }
    }

    /// So many judged incidents at this confidence, of them so many that mattered.
    fn state(groups: &[(u64, u64, u16)]) -> State {
        let mut s = State::default();
        let mut id = 0;
        for (n, real, confidence) in groups {
            for k in 0..*n {
                id += 1;
                let opinion = if k < *real { Opinion::True } else { Opinion::False };
                let j = Judged { incident: IncidentId(id), opinion, ..Judged::default() };
                s.opinions.confidence.insert(IncidentId(id), *confidence);
                s.opinions.incidents.insert(IncidentId(id), (Timestamp(0), j, Default::default()));
            }
        }
        s
    }

    #[test]
    fn leave_is_earned_by_the_bound_and_not_by_the_share_seen() {
        let few = standing(&state(&[(20, 0, 620)]), Some(&policy()));
        assert!(!few.allowed && few.threshold.is_none() && few.bound > 0.02, "{few:?}");
        assert!(few.because[1].contains("not earned; 297 such incidents"), "{:?}", few.because);
        let many = standing(&state(&[(400, 0, 620), (50, 45, 950)]), Some(&policy()));
        assert_eq!((many.allowed, many.threshold, many.below, many.errors), (true, Some(0.9), 400, 0));
        let one_wrong = standing(&state(&[(400, 4, 620)]), Some(&policy()));
        assert!(!one_wrong.allowed, "{one_wrong:?}");
    }

    #[test]
    fn it_is_off_unless_the_owner_writes_a_budget_and_the_curve_is_shown_all_the_same() {
        let off = standing(&state(&[(400, 0, 620)]), None);
        assert!(!off.allowed && off.because[0].starts_with("switched off"), "{off:?}");
        assert_eq!(off.curve.len(), 1);
        assert_eq!((off.curve[0].judged, off.curve[0].mattered), (400, 0));
        assert!(closable(&state(&[(400, 0, 620)]), None, Timestamp(0)).is_empty());
    }

    #[test]
    fn an_incident_is_closed_only_after_its_wait_and_one_in_ten_is_left_to_people() {
        let mut s = state(&[(400, 0, 620)]);
        for id in [1_001, 1_010] {
            let opened = IncidentOpened { incident: IncidentId(id), site: "hq".into(), because: Vec::new() };
            s.apply(1, Timestamp(0), &Event::IncidentOpened(opened));
        }
        assert!(closable(&s, Some(&policy()), Timestamp(0)).is_empty());
        let later = Timestamp(0).plus(Span::hours(1));
        let closed = closable(&s, Some(&policy()), later);
        assert_eq!(closed.iter().map(|c| c.0).collect::<Vec<_>>(), [IncidentId(1_001)]);
        assert!(closed[0].1.contains("of 400 judged incidents"), "{closed:?}");
        let kept = kept(&s, &s.incidents[&IncidentId(1_010)], &policy(), later);
        assert_eq!(kept.as_deref(), Some("one in 10 is left to people, so that the figures stay true"));
    }

    #[test]
    fn drift_takes_the_leave_back_and_says_so() {
        let mut s = state(&[(400, 0, 620)]);
        for n in 0..30 {
            s.health.drift.verdict(Timestamp(n), IncidentId(n as u64), 900, false);
        }
        let now = standing(&s, Some(&policy()));
        assert!(!now.allowed && now.threshold.is_some());
        assert!(
            now.because.last().is_some_and(|w| w.starts_with("taken back for now: Confidence is not kept"))
        );
    }
}
