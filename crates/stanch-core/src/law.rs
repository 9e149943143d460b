//! The numbered laws: what must hold after every turn, whatever came in and whatever crashed. Asked
//! by the simulation and by rehearsals; pure, and in the words of the house (HOUSE §7).

use std::collections::{BTreeMap, BTreeSet};

use stanch_model::{ApprovalId, RunId};

use crate::config::Config;
use crate::journal::State;
use crate::journal::event::Effect;
use crate::journal::incident::Status;
use crate::playbook::run::WaitsFor;

/// A law that does not hold, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The law's number.
    pub law: u8,
    /// What was found.
    pub what: String,
}

impl std::fmt::Display for Breach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "law {} ({}): {}", self.law, name(self.law), self.what)
    }
}

/// What a law says, in one line.
#[must_use]
pub const fn name(law: u8) -> &'static str {
    match law {
        1 => "everything received is counted in exactly one place",
        2 => "no change without a permit for exactly it, journalled before",
        3 => "performing again changes nothing more",
        4 => "folding the journal gives the live state",
        5 => "a step that is over never runs again",
        6 => "every run is over or waits for something that will come",
        7 => "every incident nobody has taken has its next page set, or its ladder has ended",
        8 => "an approval is used at most once",
        9 => "nothing waits for an intention that is not there",
        _ => "no such law",
    }
}

/// Every breach of the laws that a state alone can show (1, 2, 5 to 9). `waits` says what a run waits
/// for.
#[must_use]
pub fn check(state: &State, config: &Config, waits: &dyn Fn(RunId) -> Vec<WaitsFor>) -> Vec<Breach> {
    let mut found = Vec::new();
    let mut breach = |law, what: String| found.push(Breach { law, what });
    let ledger = state.ledger();
    if !ledger.balanced {
        breach(1, format!("{:?}", ledger.total));
    }
    for a in state.actions.values() {
        if a.permit.action().kind != a.action.kind || a.permit.action().id != a.action.id {
            breach(2, format!("{} is not what was permitted", a.action.id));
        }
    }
    for (id, p) in &state.pending {
        if let Effect::Perform { action } | Effect::Capture { action } = &p.what
            && !state.actions.contains_key(action)
        {
            breach(2, format!("{id} would make {action}, which nobody permitted"));
        }
    }
    for run in state.runs.values() {
        let once: BTreeSet<_> = run.order.iter().collect();
        if once.len() != run.order.len() {
            breach(5, format!("{} did a step twice: {:?}", run.id, run.order));
        }
    }
    for run in &state.agenda.live_runs {
        live(state, *run, &waits(*run), &mut breach);
    }
    for i in state.incidents.values() {
        let alone = i.acknowledged_by.is_none() && i.merged_into.is_none() && i.status < Status::Contained;
        if alone && i.team.is_some() && i.climb.next.is_none() && i.climb.rung == 0 {
            let ladder = i.climb.policy.as_ref().is_some_and(|p| config.escalations.contains_key(p));
            if ladder {
                breach(7, format!("{} has nobody to wake", i.id));
            }
        }
    }
    let mut used: BTreeMap<ApprovalId, u32> = BTreeMap::new();
    state.actions.values().filter_map(|a| a.approval).for_each(|a| *used.entry(a).or_default() += 1);
    for (approval, n) in used.into_iter().filter(|(_, n)| *n > 1) {
        breach(8, format!("{approval} allowed {n} changes"));
    }
    found
}

fn live(state: &State, run: RunId, waits: &[WaitsFor], breach: &mut dyn FnMut(u8, String)) {
    if waits.is_empty() {
        breach(6, format!("{run} waits for nothing"));
    }
    let open = |w: &WaitsFor| match w {
        WaitsFor::Time(_) | WaitsFor::LookUps => true,
        WaitsFor::Effect(e) => state.pending.contains_key(e),
        WaitsFor::Question(a) => state.approvals.get(a).is_some_and(|a| a.settled.is_none()),
        WaitsFor::Task(t) => state.tasks.get(t).is_some_and(|t| t.answered.is_none()),
        WaitsFor::Change(a) => state.actions.get(a).is_some_and(|a| {
            let being = |p: &crate::journal::state::Pending| match &p.what {
                Effect::Capture { action } | Effect::Perform { action } => *action == a.action.id,
                Effect::Verify { action } | Effect::Revert { action } => action.id == a.action.id,
                Effect::LookUp { .. }
                | Effect::Enrich { .. }
                | Effect::Fetch { .. }
                | Effect::Notify { .. } => false,
            };
            // In force it has an end; before that, and at its end, the device is being asked.
            a.in_force.is_some() || state.pending.values().any(being)
        }),
        WaitsFor::Run(r) => state.agenda.live_runs.contains(r),
    };
    for w in waits.iter().filter(|w| !open(w)) {
        breach(9, format!("{run} waits for {w:?}, which will not come"));
    }
}
