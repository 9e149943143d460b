//! What people do by hand, and what it costs: the list from which the next step to automate is chosen.
//!
//! Every wait on a person is counted on what was waited for: a yes to one kind of change, a step of a
//! playbook that asks people, an incident that nobody had taken, one whose owner did not move. Ranked by
//! the time lost over all incidents, because a rare hour may cost more than a daily minute.

use std::collections::BTreeMap;

use serde::Serialize;
use stanch_model::{Span, Timestamp};

use super::{Quantiles, Waiting, quantiles, segments};
use crate::journal::state::State;
use crate::playbook::run::id_of;

/// One kind of manual step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Manual {
    /// What is done by hand, in words.
    pub what: String,
    /// Of which kind.
    pub kind: ManualKind,
    /// How often, and how long it took when it was done.
    pub took: Quantiles,
    /// How many of them still wait.
    pub waiting: usize,
    /// Time lost over all of them, those that still wait included.
    pub lost: Span,
}

/// Of which kind a manual step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ManualKind {
    /// A yes or no to a change.
    Approval,
    /// A step of a playbook that asks people.
    Task,
    /// Taking an incident.
    HandOff,
    /// Moving on with an incident one has.
    Work,
}

impl ManualKind {
    /// What would take it off people's hands.
    #[must_use]
    pub const fn instead(self) -> &'static str {
        match self {
            ManualKind::Approval => "pre-authorise it, or let the playbook act where it always got a yes",
            ManualKind::Task => "look the answer up, or give the step to a call",
            ManualKind::HandOff => "shorten the first rung of the escalation, or route it elsewhere",
            ManualKind::Work => "give what is done next to a playbook, or remind the owner earlier",
        }
    }
}

#[derive(Default)]
struct Sum {
    done: Vec<Span>,
    waiting: usize,
    lost: i64,
}

impl Sum {
    fn add(&mut self, took: Span, over: bool) {
        self.lost += took.0;
        if over { self.done.push(took) } else { self.waiting += 1 }
    }
}

/// All manual steps, the costliest first; of equals by name.
#[must_use]
pub fn manual(state: &State, now: Timestamp) -> Vec<Manual> {
    let mut sums: BTreeMap<(ManualKind, String), Sum> = BTreeMap::new();
    for a in state.approvals.values() {
        let what = format!("yes or no: {}", a.approval.action.kind.name().replace('_', " "));
        let until = a.settled.as_ref().map(|(at, _)| *at);
        // A question that has expired is waited for no longer, also when nobody has noted it yet.
        let end = until.unwrap_or(now).min(a.approval.expires_at.max(a.approval.requested_at));
        let over = until.is_some() || a.approval.expires_at <= now;
        sums.entry((ManualKind::Approval, what)).or_default().add(end.since(a.approval.requested_at), over);
    }
    for t in state.tasks.values() {
        let what = format!("{}, step {}: {}", t.task.playbook, id_of(&t.task.step), t.task.text);
        let until = t.answered.as_ref().map(|(at, _)| *at);
        let end = until.unwrap_or(now).min(t.task.expires_at.max(t.task.asked_at));
        let over = until.is_some() || t.task.expires_at <= now;
        sums.entry((ManualKind::Task, what)).or_default().add(end.since(t.task.asked_at), over);
    }
    for i in state.incidents.values().filter(|i| i.merged_into.is_none()) {
        let team = i.team.as_deref().unwrap_or("no team");
        let all = segments(i, now);
        for (on, kind, what) in [
            (Waiting::HandOff, ManualKind::HandOff, format!("take an incident: {team}")),
            (
                Waiting::Human,
                ManualKind::Work,
                format!("move on with an incident: {}", i.kind().replace('_', " ")),
            ),
        ] {
            let of_it = || all.iter().filter(|s| s.on == on);
            let took = Span(of_it().map(|s| s.to.since(s.from).0).sum());
            let goes_on = of_it().next_back().is_some_and(|s| s.to == now)
                && i.status != crate::journal::incident::Status::Resolved;
            if took.0 > 0 {
                sums.entry((kind, what)).or_default().add(took, !goes_on);
            }
        }
    }
    let mut ranked: Vec<Manual> =
        sums.into_iter().map(|((kind, what), sum)| ranked(kind, what, sum)).collect();
    ranked.sort_by(|a, b| b.lost.cmp(&a.lost).then_with(|| a.what.cmp(&b.what)));
    ranked
}

fn ranked(kind: ManualKind, what: String, mut sum: Sum) -> Manual {
    sum.done.sort_unstable();
    let none = Quantiles { n: 0, p50: Span::ZERO, p90: Span::ZERO };
    let took = quantiles(&sum.done).unwrap_or(none);
    Manual { what, kind, took, waiting: sum.waiting, lost: Span(sum.lost) }
}

#[cfg(test)]
mod tests {
    use stanch_model::IncidentId;

    use super::*;
    use crate::journal::Event;
    use crate::journal::event::{ByPerson, IncidentOpened, Routed};

    fn open(state: &mut State, n: u64, at: i64) -> IncidentId {
        let incident = IncidentId(n);
        let opened = IncidentOpened { incident, site: "hq".into(), because: Vec::new() };
        state.apply(n * 10, Timestamp(at), &Event::IncidentOpened(opened));
        incident
    }

    #[test]
    fn what_nobody_took_is_counted_on_its_team_and_the_costliest_comes_first() {
        let mut state = State::default();
        let minute = 60_000;
        for (n, team, taken) in [(1, "secops", 5), (2, "secops", 15), (3, "netops", 120)] {
            let incident = open(&mut state, n, 0);
            let routed = Routed { incident, team: team.into(), ..routed() };
            state.apply(n * 10 + 1, Timestamp(0), &Event::Routed(routed));
            let ack = ByPerson { incident, by: "kt".into(), text: String::new() };
            state.apply(n * 10 + 2, Timestamp(taken * minute), &Event::Acknowledged(ack));
        }
        let all = manual(&state, Timestamp(121 * minute));
        let line = |m: &Manual| (m.what.clone(), m.took.n, m.took.p50, m.lost);
        // What is taken and then lies still costs more here than any hand-off.
        let costliest: Vec<&str> = all.iter().take(2).map(|m| m.what.as_str()).collect();
        assert_eq!(costliest, ["move on with an incident: other", "take an incident: netops"], "{all:#?}");
        let secops = all.iter().find(|m| m.what == "take an incident: secops").map(line);
        assert_eq!(secops, Some(("take an incident: secops".into(), 2, Span::mins(5), Span::mins(20))));
    }

    #[test]
    fn what_still_waits_costs_time_and_is_no_measure_of_how_long_it_takes() {
        let mut state = State::default();
        let incident = open(&mut state, 1, 0);
        state.apply(11, Timestamp(0), &Event::Routed(Routed { incident, team: "secops".into(), ..routed() }));
        let all = manual(&state, Timestamp(600_000));
        assert_eq!((all[0].took.n, all[0].waiting, all[0].lost), (0, 1, Span::mins(10)), "{all:#?}");
    }

    fn routed() -> Routed {
        Routed { incident: IncidentId(0), team: String::new(), escalation: None, because: Vec::new() }
    }
}
