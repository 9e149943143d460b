//! The response clock: how long each phase took and who was waited for.
//!
//! Computed from the marks of the fold and nothing else. The segments of an incident partition its
//! wall time exactly: every millisecond from the first alert's arrival to the end (or now) belongs
//! to one party.

mod manual;

use std::collections::BTreeMap;

use serde::Serialize;
use stanch_model::{IncidentId, Span, Timestamp};

use crate::journal::incident::{Incident, MarkKind};
use crate::journal::state::State;

pub use manual::{Manual, ManualKind, manual};

/// Who was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Waiting {
    /// A machine: ours, an enricher or a device.
    Tool,
    /// Somebody to take it.
    HandOff,
    /// A yes or no.
    Approval,
    /// Somebody who has it but has not moved for [`ACTIVE_FOR`].
    Human,
    /// Nobody: somebody is at work.
    Active,
}

/// How long somebody counts as at work after their last move.
pub const ACTIVE_FOR: Span = Span::mins(15);

/// The phases that are measured, each from the first alert's arrival. `None`: not reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Phases {
    pub triage: Option<Span>,
    pub enrich: Option<Span>,
    pub escalate: Option<Span>,
    pub investigate: Option<Span>,
    pub approve: Option<Span>,
    pub contain: Option<Span>,
    pub notify_noc: Option<Span>,
    pub resolve: Option<Span>,
}

impl Phases {
    /// Names and values, in the order they are reached.
    #[must_use]
    pub fn list(&self) -> [(&'static str, Option<Span>); 8] {
        [
            ("triage", self.triage),
            ("enrich", self.enrich),
            ("escalate", self.escalate),
            ("investigate", self.investigate),
            ("approve", self.approve),
            ("contain", self.contain),
            ("notify_noc", self.notify_noc),
            ("resolve", self.resolve),
        ]
    }
}

/// The clock of one incident.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Clock {
    /// Which.
    pub incident: IncidentId,
    /// From the first alert's arrival to the end, or to now.
    pub wall: Span,
    /// Phases reached.
    pub phases: Phases,
    /// Wall time by who was waited for; sums exactly to `wall`.
    pub waiting: BTreeMap<Waiting, Span>,
    /// The party that cost most.
    pub costliest: Waiting,
}

/// The clock of one incident.
#[must_use]
pub fn clock(i: &Incident, now: Timestamp) -> Clock {
    let start = i.first_received;
    let end = i.first_mark(MarkKind::Resolved).unwrap_or(now).max(start);
    let since = |kind: MarkKind| i.first_mark(kind).map(|t| t.max(start).since(start));
    let phases = Phases {
        triage: since(MarkKind::Triaged).or(since(MarkKind::Opened)),
        enrich: since(MarkKind::Enriched),
        escalate: since(MarkKind::Escalated),
        investigate: since(MarkKind::Acknowledged),
        approve: since(MarkKind::Approved),
        contain: since(MarkKind::Contained),
        notify_noc: since(MarkKind::NocNotified),
        resolve: since(MarkKind::Resolved),
    };
    let waiting = partition(i, now);
    let costliest =
        waiting.iter().max_by_key(|(w, s)| (**s, std::cmp::Reverse(**w))).map_or(Waiting::Tool, |(w, _)| *w);
    Clock { incident: i.id, wall: end.since(start), phases, waiting, costliest }
}

/// What the incident waits for between two marks.
#[derive(Default)]
struct Holding {
    opened: bool,
    acknowledged: bool,
    approvals: u32,
    changing: u32,
    last_move: Option<Timestamp>,
}

impl Holding {
    fn take(&mut self, at: Timestamp, what: MarkKind) {
        match what {
            MarkKind::Opened => self.opened = true,
            MarkKind::Acknowledged => {
                self.acknowledged = true;
                self.last_move = Some(at);
            }
            MarkKind::Noted => self.last_move = Some(at),
            MarkKind::ApprovalRequested => self.approvals += 1,
            MarkKind::Approved | MarkKind::ApprovalRefused => {
                self.approvals = self.approvals.saturating_sub(1);
                // Somebody who decides has taken it.
                self.acknowledged = true;
                self.last_move = Some(at);
            }
            MarkKind::ChangePermitted => self.changing += 1,
            MarkKind::Contained | MarkKind::ChangeFailed => self.changing = self.changing.saturating_sub(1),
            MarkKind::Received
            | MarkKind::Triaged
            | MarkKind::Enriched
            | MarkKind::Routed
            | MarkKind::Escalated
            | MarkKind::PageHeld
            | MarkKind::RunStarted
            | MarkKind::RunEnded
            | MarkKind::NocNotified
            | MarkKind::Lifted
            | MarkKind::Merged
            | MarkKind::Unmerged
            | MarkKind::Resolved => {}
        }
    }

    /// Splits `from..to` by who is waited for in it.
    fn split(&self, from: Timestamp, to: Timestamp, add: &mut impl FnMut(Segment)) {
        let mut piece = |on, from, to| add(Segment { from, to, on });
        if !self.opened || self.changing > 0 {
            piece(Waiting::Tool, from, to);
        } else if self.approvals > 0 {
            piece(Waiting::Approval, from, to);
        } else if !self.acknowledged {
            piece(Waiting::HandOff, from, to);
        } else {
            let busy_until = self.last_move.unwrap_or(from).plus(ACTIVE_FOR).clamp(from, to);
            piece(Waiting::Active, from, busy_until);
            piece(Waiting::Human, busy_until, to);
        }
    }
}

/// A stretch of an incident's time, and who was waited for in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// Who was waited for.
    pub on: Waiting,
}

/// The incident's time from its first alert's arrival to its end (or `now`), in order and without
/// holes. Stretches meet at marks, so that each lies between two things that happened; none is empty.
#[must_use]
pub fn segments(i: &Incident, now: Timestamp) -> Vec<Segment> {
    let start = i.first_received;
    let end = i.first_mark(MarkKind::Resolved).unwrap_or(now).max(start);
    let mut all = Vec::new();
    let mut add = |s: Segment| all.extend((s.from < s.to).then_some(s));
    let mut holding = Holding::default();
    let mut from = start;
    for m in &i.marks {
        let at = m.at.clamp(from, end);
        holding.split(from, at, &mut add);
        holding.take(m.at, m.what);
        from = at;
    }
    holding.split(from, end, &mut add);
    all
}

fn partition(i: &Incident, now: Timestamp) -> BTreeMap<Waiting, Span> {
    let all = [Waiting::Tool, Waiting::HandOff, Waiting::Approval, Waiting::Human, Waiting::Active];
    let mut waiting: BTreeMap<Waiting, Span> = all.into_iter().map(|w| (w, Span::ZERO)).collect();
    for s in segments(i, now) {
        let sum = waiting.entry(s.on).or_default();
        *sum = Span(sum.0 + s.to.since(s.from).0);
    }
    waiting
}

/// Median and 90th percentile of one phase over incidents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quantiles {
    /// Incidents that reached it.
    pub n: usize,
    /// Half were faster.
    pub p50: Span,
    /// Nine of ten were faster.
    pub p90: Span,
}

/// The clock over all incidents.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Clocks {
    /// Each incident, the latest first.
    pub incidents: Vec<Clock>,
    /// By phase.
    pub phases: BTreeMap<&'static str, Quantiles>,
    /// Wall time of all incidents by who was waited for.
    pub waiting: BTreeMap<Waiting, Span>,
    /// The party that cost most over all, and what to automate next, in words.
    pub advice: String,
}

/// The clock over all incidents that are not a part of another one.
#[must_use]
pub fn clocks(state: &State, now: Timestamp) -> Clocks {
    let counts = |i: &&Incident| i.merged_into.is_none() && !i.is_sample();
    let incidents: Vec<Clock> =
        state.incidents.values().rev().filter(counts).map(|i| clock(i, now)).collect();
    let mut phases = BTreeMap::new();
    let mut waiting: BTreeMap<Waiting, Span> = BTreeMap::new();
    for c in &incidents {
        for (w, s) in &c.waiting {
            let sum = waiting.entry(*w).or_default();
            *sum = Span(sum.0 + s.0);
        }
    }
    for (n, (name, _)) in Phases::default().list().into_iter().enumerate() {
        let mut reached: Vec<Span> = incidents.iter().filter_map(|c| c.phases.list()[n].1).collect();
        reached.sort_unstable();
        if let Some(q) = quantiles(&reached) {
            phases.insert(name, q);
        }
    }
    let advice = advice(&waiting);
    Clocks { incidents, phases, waiting, advice }
}

/// Nearest-rank quantiles of a sorted list.
fn quantiles(sorted: &[Span]) -> Option<Quantiles> {
    let rank = |q: usize| sorted.get((sorted.len() * q).div_ceil(100).saturating_sub(1)).copied();
    Some(Quantiles { n: sorted.len(), p50: rank(50)?, p90: rank(90)? })
}

fn advice(waiting: &BTreeMap<Waiting, Span>) -> String {
    let total: i64 = waiting.values().map(|s| s.0).sum();
    let Some((w, s)) =
        waiting.iter().max_by_key(|(w, s)| (**s, std::cmp::Reverse(**w))).filter(|_| total > 0)
    else {
        return "no incident yet".into();
    };
    let share = s.0 * 100 / total;
    let next = match w {
        Waiting::Tool => "look at slow enrichers and devices",
        Waiting::HandOff => "shorten the first rung, or let the route acknowledge by chat",
        Waiting::Approval => "pre-authorise the kinds of change that were always approved",
        Waiting::Human => "give the waiting step to a playbook, or remind its owner",
        Waiting::Active => "turn the manual steps noted most often into a playbook",
    };
    format!("{share} % of the time went to {w:?} ({s}): {next}").replace("HandOff", "hand-off").to_string()
}
