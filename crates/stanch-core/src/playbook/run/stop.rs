//! Stopping what is under way: questions and tasks are withdrawn, calls are no longer waited for,
//! called runs end. Changes that were made stay, and end by their own time.

use serde_json::Value as Json;
use stanch_model::{ActionId, EffectId, Failure};

use super::state::{StepState, within};
use super::walk::{done, ended};
use super::{Run, World};
use crate::journal::event::{
    ActionEnd, ActionEnded, Answered, ApprovalSettled, Effect, Event, RunEnd, Settled, StepEnd, TaskAnswered,
};

/// Everything of a run.
pub(super) fn all(world: World<'_>, run: &Run, why: &str) -> Vec<Event> {
    branch(world, run, "", why)
}

/// Everything under `around`, the inner before the outer.
pub(super) fn branch(world: World<'_>, run: &Run, around: &str, why: &str) -> Vec<Event> {
    let mut events = Vec::new();
    let open: Vec<_> = run.under_way().filter(|(path, _)| within(path, around)).collect();
    for (path, state) in open.into_iter().rev() {
        events.extend(withdraw(world, state, why));
        let stopped = done(run, path, StepEnd::Stopped, format!("stopped: {why}"), Json::Null);
        events.push(Event::StepDone(stopped));
    }
    events
}

/// Everything within a step, and what the step itself waits for; how the step ends is for the
/// caller to say.
pub(super) fn within_step(world: World<'_>, run: &Run, path: &str, why: &str) -> Vec<Event> {
    let mut events = Vec::new();
    let open: Vec<_> = run.under_way().filter(|(p, _)| within(p, path)).collect();
    for (inner, state) in open.into_iter().rev() {
        events.extend(withdraw(world, state, why));
        if inner != path {
            let stopped = done(run, inner, StepEnd::Stopped, format!("stopped: {why}"), Json::Null);
            events.push(Event::StepDone(stopped));
        }
    }
    events
}

/// Takes back what a step waits for.
fn withdraw(world: World<'_>, step: &StepState, why: &str) -> Vec<Event> {
    let state = world.state;
    let mut events = Vec::new();
    if let Some(effect) = step.effect.filter(|e| state.pending.contains_key(e)) {
        events.push(given_up(effect, why));
    }
    if let Some(approval) =
        step.more().approval.filter(|a| state.approvals.get(a).is_some_and(|a| a.settled.is_none()))
    {
        events.push(Event::ApprovalSettled(ApprovalSettled {
            approval,
            answer: Answered::Withdrawn,
            by: "stanch".into(),
            digest: String::new(),
            reason: why.to_owned(),
            seal: String::new(),
            proof: None,
        }));
    }
    if let Some(task) = step.more().task.filter(|t| state.tasks.get(t).is_some_and(|t| t.answered.is_none()))
    {
        events.push(Event::TaskAnswered(TaskAnswered {
            task,
            answer: Answered::Withdrawn,
            by: "stanch".into(),
            digest: String::new(),
            values: Json::Null,
            reason: why.to_owned(),
            seal: String::new(),
        }));
    }
    if let Some(action) = step.more().action {
        events.extend(not_captured(world, action, why));
    }
    if let Some(child) = step.more().child.and_then(|c| state.runs.get(&c)).filter(|c| c.ended.is_none()) {
        events.extend(all(world, child, why));
        events.push(ended(child, RunEnd::Stopped, why, Json::Null));
    }
    events
}

/// A change before which the device is only being looked at is not made.
pub(super) fn not_captured(world: World<'_>, action: ActionId, why: &str) -> Vec<Event> {
    let looking = world
        .state
        .pending
        .iter()
        .find(|(_, p)| matches!(&p.what, Effect::Capture { action: a } if *a == action));
    let Some((effect, _)) = looking else { return Vec::new() };
    let why = format!("stopped before anything was changed: {why}");
    vec![given_up(*effect, &why), Event::ActionEnded(ActionEnded { action, end: ActionEnd::Failed, why })]
}

fn given_up(effect: EffectId, why: &str) -> Event {
    let failure = Some(Failure::permanent(format!("no longer needed: {why}")));
    Event::Settled(Settled { effect, failure, retry_at: None, receipt: String::new() })
}
