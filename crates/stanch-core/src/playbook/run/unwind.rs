//! Undoing what a run has done, the last first: changes are reverted, compensations carried out,
//! called runs undone in their turn. What cannot be undone is told to a person.

use serde_json::Value as Json;
use stanch_model::ActionId;

use super::state::StepState;
use super::walk::{Flow, WaitsFor, Walk, done, ended, find, join};
use super::{Run, being_reverted, intended, stop};
use crate::journal::event::{ActionEnd, Effect, Event, RunEnd, RunUnwinding, StepEnd};
use crate::playbook::{Step, StepKind};

/// The way under which compensations lie.
const UNDO: &str = "~undo";

impl<'a> Walk<'a> {
    /// The next thing to undo.
    pub(super) fn unwind(&mut self, why: &str) -> Vec<Event> {
        let run = self.run;
        for path in run.order.iter().rev() {
            // What was done to undo is not undone itself.
            if path.split('/').any(|part| part == UNDO) {
                continue;
            }
            let Some(state) = run.step(path) else { continue };
            let undo = join(path, UNDO);
            if run.step(&undo).is_some_and(|s| s.over.is_some()) {
                continue;
            }
            match self.undo(path, state, &undo) {
                Undo::Nothing => {}
                Undo::Facts(events) => return events,
                Undo::Wait => return Vec::new(),
                Undo::Over(end, outcome) => {
                    return vec![Event::StepDone(done(run, &undo, end, outcome, Json::Null))];
                }
            }
        }
        // Changes whose step was tried again, or that nobody could tell of.
        match self.take_back(&run.actions) {
            Undo::Facts(events) => return events,
            Undo::Wait => return Vec::new(),
            Undo::Nothing | Undo::Over(..) => {}
        }
        self.unwound(why)
    }

    fn undo(&mut self, path: &str, state: &'a StepState, undo: &str) -> Undo {
        let Some(step) = find(self.plan, path) else { return Undo::Nothing };
        if let Some(child) = state.more().child.and_then(|c| self.world.state.runs.get(&c)) {
            match self.called(child) {
                Undo::Nothing => {}
                other => return other,
            }
        }
        if let Some(action) = state.more().action {
            if matches!(&step.kind, StepKind::Act(plan) if !plan.undo) {
                return Undo::Over(StepEnd::Failed, "cannot be undone".into());
            }
            match self.take_back(&[action]) {
                Undo::Nothing | Undo::Over(..) => {}
                other => return other,
            }
        }
        if state.end() == Some(StepEnd::Done) && !step.compensate.is_empty() {
            return self.compensate(step, undo);
        }
        match state.more().action.is_some() || state.more().child.is_some() {
            true => Undo::Over(StepEnd::Done, "undone".into()),
            false => Undo::Nothing,
        }
    }

    fn compensate(&mut self, step: &'a Step, undo: &str) -> Undo {
        match self.sequence(&step.compensate, undo) {
            Flow::Facts(events) => Undo::Facts(events),
            Flow::Wait => Undo::Wait,
            Flow::Over => Undo::Over(StepEnd::Done, "undone".into()),
            Flow::Ends(_, why) | Flow::Unwind(why) => {
                let mut events = stop::branch(self.world, self.run, undo, &why);
                let outcome = format!("could not be undone: {why}");
                events.push(Event::StepDone(done(self.run, undo, StepEnd::Failed, outcome, Json::Null)));
                Undo::Facts(events)
            }
        }
    }

    /// Reverts what is, or may be, in place.
    fn take_back(&mut self, actions: &[ActionId]) -> Undo {
        let world = self.world;
        for a in actions.iter().rev().filter_map(|a| world.state.actions.get(a)) {
            let id = a.action.id;
            if let Some((_, ActionEnd::Lifted | ActionEnd::Failed, _)) = a.ended {
                continue;
            }
            if self.no_way_back(&a.step) {
                continue;
            }
            let events = stop::not_captured(world, id, "the run is undone");
            if !events.is_empty() {
                return Undo::Facts(events);
            }
            let on_its_way = world.state.pending.iter().find(|(_, p)| match &p.what {
                Effect::Perform { action } => *action == id,
                Effect::Revert { action } | Effect::Verify { action } => action.id == id,
                Effect::LookUp { .. }
                | Effect::Enrich { .. }
                | Effect::Fetch { .. }
                | Effect::Notify { .. }
                | Effect::Capture { .. } => false,
            });
            if let Some((effect, _)) = on_its_way {
                self.waits.push(WaitsFor::Effect(*effect));
                return Undo::Wait;
            }
            let known_gone = a.ended.is_some()
                && a.observed.as_ref().is_some_and(|(_, o)| *o == stanch_model::Observed::Absent);
            if known_gone || being_reverted(world.state, id) {
                continue;
            }
            let mut next = world.state.next.effect;
            return Undo::Facts(vec![intended(&mut next, Effect::Revert { action: a.action.clone() })]);
        }
        Undo::Nothing
    }

    /// True when the author has said that the change of this step cannot be undone.
    fn no_way_back(&self, path: &str) -> bool {
        find(self.plan, path).is_some_and(|s| matches!(&s.kind, StepKind::Act(plan) if !plan.undo))
    }

    /// Undoes a run that this one called.
    fn called(&mut self, child: &Run) -> Undo {
        match (&child.ended, &child.unwinding) {
            (Some(_), Some(_)) => Undo::Nothing,
            (None, Some(_)) => {
                self.waits.push(WaitsFor::Run(child.id));
                Undo::Wait
            }
            (_, None) => {
                let why = format!("{} is undone", self.run.id);
                let mut events = stop::all(self.world, child, &why);
                events.push(Event::RunUnwinding(RunUnwinding { run: child.id, why }));
                Undo::Facts(events)
            }
        }
    }

    fn unwound(&self, why: &str) -> Vec<Event> {
        let undos = self.run.over().filter(|(path, ..)| path.ends_with(&format!("/{UNDO}")));
        let (mut undone, mut left) = (0, Vec::new());
        for (path, _, over) in undos {
            match over.end {
                StepEnd::Failed => left.push(format!("{} {}", path.trim_end_matches("/~undo"), over.outcome)),
                StepEnd::Done | StepEnd::Skipped | StepEnd::Stopped => undone += 1,
            }
        }
        if left.is_empty() {
            let why = format!("{why}; everything it had done is undone ({undone})");
            return vec![ended(self.run, RunEnd::Unwound, &why, Json::Null)];
        }
        let why = format!("{why}; {undone} undone, but not all: {}", left.join("; "));
        vec![ended(self.run, RunEnd::Handed, &why, Json::Null)]
    }
}

/// What undoing one thing comes to, at this moment.
enum Undo {
    Nothing,
    Facts(Vec<Event>),
    Wait,
    Over(StepEnd, String),
}
