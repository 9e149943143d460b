//! Going on with a run that ended in a person's hands: from the step that failed, all that was done kept.
//!
//! What is over stays over: a step that was done never runs again, with its output as it was. Begun anew is
//! what failed and what was stopped because of it, as if for the first time: plan, guard, question, permit,
//! evidence no older than the guard allows. Nothing of an old question or an old yes counts for it.

use super::Run;
use super::state::{StepState, within};
use super::walk::{find, join};
use crate::journal::State;
use crate::journal::event::{ActionEnd, RunEnd, RunResumed, StepEnd};
use crate::playbook::{OnFailure, Playbook, StepKind};

/// What going on with a run comes to: its own part first, then those of runs that it called.
///
/// # Errors
/// Why it cannot go on, in words, with what to do instead.
pub fn resume(state: &State, run: &Run, by: &str, reason: &str) -> Result<Vec<RunResumed>, String> {
    if let Some(caller) = &run.caller {
        return Err(format!("{} was called by {}: go on with that one", run.id, caller.run));
    }
    let mut all = Vec::new();
    reopen(state, run, (by, reason), &mut all)?;
    Ok(all)
}

fn reopen(state: &State, run: &Run, who: (&str, &str), all: &mut Vec<RunResumed>) -> Result<(), String> {
    let plan = may_go_on(run)?;
    let (by, reason) = (who.0.to_owned(), who.1.to_owned());
    let resumed = RunResumed { run: run.id, again: Vec::new(), on: Vec::new(), by, reason };
    let mut found = Found { state, run, plan, resumed, called: Vec::new() };
    let mut closed: Vec<(&str, String)> = Vec::new();
    for (path, step) in run.steps.iter() {
        let Some(end) = step.end() else { continue };
        let over =
            |(outer, but): &(&str, String)| path != *outer && within(path, outer) && !within(path, but);
        if closed.iter().any(over) {
            continue;
        }
        let handled = find(plan, path).map(|s| &s.on_failure);
        match (end, handled) {
            (StepEnd::Done | StepEnd::Skipped, _) => closed.push((path, nothing())),
            (StepEnd::Failed, Some(OnFailure::Continue | OnFailure::Unwind)) => {
                closed.push((path, nothing()))
            }
            // It stays failed; what was to be done about that may itself go on.
            (StepEnd::Failed, Some(OnFailure::Steps(_))) => closed.push((path, join(path, "failed"))),
            (StepEnd::Failed, Some(OnFailure::Hand) | None) | (StepEnd::Stopped, _) => {
                found.step(path, step)?
            }
        }
    }
    let Found { resumed, called, .. } = found;
    if resumed.again.is_empty() && resumed.on.is_empty() {
        return Err(format!("no step of {} has failed: there is none to go on from", run.id));
    }
    all.push(resumed);
    for child in called {
        reopen(state, child, who, all)?;
    }
    Ok(())
}

/// A path that nothing lies within.
fn nothing() -> String {
    "//".to_owned()
}

fn may_go_on(run: &Run) -> Result<&Playbook, String> {
    let id = run.id;
    let anew = "begin a new run where that is wanted";
    if run.unwinding.is_some() {
        return Err(format!("what {id} had done was undone: {anew}"));
    }
    match &run.ended {
        None => return Err(format!("{id} is under way: it goes on by itself")),
        Some((_, RunEnd::Completed, _)) => return Err(format!("{id} is completed: {anew}")),
        Some((_, RunEnd::Declined, why)) => {
            return Err(format!("{id} was ended on purpose ({why}): {anew}"));
        }
        Some((_, RunEnd::Unwound, _)) => return Err(format!("what {id} had done was undone: {anew}")),
        Some((_, RunEnd::Stopped, _)) if run.caller.is_none() => {
            return Err(format!("{id} was stopped: {anew}"));
        }
        Some((_, RunEnd::Handed | RunEnd::Stopped, _)) => {}
    }
    run.playbook.as_deref().ok_or_else(|| format!("this version of stanch cannot read the playbook of {id}"))
}

/// What of one run is begun anew.
struct Found<'a> {
    state: &'a State,
    run: &'a Run,
    plan: &'a Playbook,
    resumed: RunResumed,
    called: Vec<&'a Run>,
}

impl<'a> Found<'a> {
    fn step(&mut self, path: &str, step: &'a StepState) -> Result<(), String> {
        let kept = self.keeps(path, step)?;
        if kept { &mut self.resumed.on } else { &mut self.resumed.again }.push(path.to_owned());
        Ok(())
    }

    /// True for a step that goes on with what it has; false for one that begins with nothing.
    fn keeps(&mut self, path: &str, step: &'a StepState) -> Result<bool, String> {
        let Some(planned) = find(self.plan, path) else { return Ok(false) };
        match &planned.kind {
            StepKind::If { .. }
            | StepKind::Switch { .. }
            | StepKind::Parallel { .. }
            | StepKind::ForEach { .. }
            | StepKind::Repeat { .. } => {
                let inside = |(p, _): (&str, &StepState)| p != path && within(p, path);
                Ok(self.run.steps.iter().any(inside))
            }
            StepKind::Act(_) => self.keeps_change(step),
            StepKind::Call { .. } => self.keeps_call(step),
            StepKind::Enrich { .. }
            | StepKind::Fetch { .. }
            | StepKind::Set { .. }
            | StepKind::Wait(_)
            | StepKind::Approve { .. }
            | StepKind::Manual { .. }
            | StepKind::Notify { .. }
            | StepKind::Verify
            | StepKind::Reply { .. } => Ok(false),
        }
    }

    /// A change that was made, or is on its way, is not asked for a second time; one of which nobody can tell
    /// is not repeated before somebody has looked.
    fn keeps_change(&self, step: &StepState) -> Result<bool, String> {
        let Some(made) = step.more().action.and_then(|a| self.state.actions.get(&a)) else {
            return Ok(false);
        };
        let gone = made.observed.as_ref().is_some_and(|(_, o)| *o == stanch_model::Observed::Absent);
        match &made.ended {
            None => Ok(true),
            Some((_, ActionEnd::Lifted | ActionEnd::Failed, _)) => Ok(false),
            Some((_, ActionEnd::Unknown, _)) if gone => Ok(false),
            Some((_, ActionEnd::Unknown, why)) => Err(format!(
                "it is not known whether {} is in place ({why}): take it back with `stanch release {}`, and begin a new run",
                made.action.id, made.action.id
            )),
        }
    }

    /// A called run goes on where it stood: what it has done is not done again either.
    fn keeps_call(&mut self, step: &StepState) -> Result<bool, String> {
        let Some(child) = step.more().child.and_then(|c| self.state.runs.get(&c)) else { return Ok(false) };
        match &child.ended {
            None | Some((_, RunEnd::Completed, _)) => {}
            Some((_, RunEnd::Handed | RunEnd::Stopped | RunEnd::Declined | RunEnd::Unwound, _)) => {
                may_go_on(child)?;
                self.called.push(child);
            }
        }
        Ok(true)
    }
}
