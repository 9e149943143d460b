//! What is remembered of a run. Folding facts into it decides nothing.

use std::sync::Arc;

use serde_json::Value as Json;
use stanch_model::{ActionId, ApprovalId, EffectId, IncidentId, RunId, TaskId, Timestamp};

use super::packed::Packed;
use super::steps::Steps;
use crate::journal::event::{
    Caller, RunEnd, RunResumed, RunStarted, StepBegan, StepDone, StepEnd, StepTried,
};
use crate::playbook::Playbook;

/// One execution of a playbook.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its name.
    pub id: RunId,
    /// For which incident; none when a call from outside began it.
    pub incident: Option<IncidentId>,
    /// The plan, pinned when the run began; `None` only if this program can no longer read it.
    pub playbook: Option<Arc<Playbook>>,
    /// The playbook's name.
    pub name: String,
    /// When it began.
    pub started: Timestamp,
    /// The person or source that asked for it; none when a trigger did.
    pub by: Option<String>,
    /// What it was given.
    pub inputs: Packed,
    /// The step of another run that waits for this one.
    pub caller: Option<Box<Caller>>,
    /// Steps that were begun, by path.
    pub steps: Steps,
    /// Steps that are over, in the order in which they ended.
    pub order: Vec<Arc<str>>,
    /// Changes made by this run, in the order in which they were permitted.
    pub actions: Vec<ActionId>,
    /// The step that answered the caller of a hook.
    pub replied: Option<Arc<str>>,
    /// Since when everything is being undone, and why.
    pub unwinding: Option<(Timestamp, String)>,
    /// When, how and why it ended.
    pub ended: Option<(Timestamp, RunEnd, String)>,
    /// What it gave when it ended.
    pub output: Packed,
    /// How often, when and by whom it was made to go on after it had ended.
    pub resumed: Vec<Resumed>,
}

/// A run that had ended was made to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// Why, in their words; may be empty.
    pub reason: String,
    /// From which steps: path, and why it had failed or was stopped.
    pub from: Vec<(String, String)>,
}

/// What is remembered of one step. Small, because most steps only wait or are over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepState {
    /// When it was begun.
    pub began: Timestamp,
    /// The round of a loop, from 0.
    pub round: u32,
    /// Tries that failed.
    pub tries: u32,
    /// The call it waits for.
    pub effect: Option<EffectId>,
    /// How it ended.
    pub over: Option<Box<Over>>,
    pub(super) more: Option<Box<More>>,
}

/// What only some steps have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct More {
    /// When it is tried again, after a try that failed.
    pub again: Option<Timestamp>,
    /// Why the last try failed.
    pub last_failure: Option<Box<str>>,
    /// Which way was taken.
    pub way: Option<Box<str>>,
    /// What a loop goes through.
    pub items: Option<Arc<[Json]>>,
    /// The question about a change that was asked in this try.
    pub approval: Option<ApprovalId>,
    /// The change made in this try.
    pub action: Option<ActionId>,
    /// What people were asked in this try.
    pub task: Option<TaskId>,
    /// The run it called in this try.
    pub child: Option<RunId>,
}

/// What a step has that has nothing more.
static NOTHING: More = More {
    again: None,
    last_failure: None,
    way: None,
    items: None,
    approval: None,
    action: None,
    task: None,
    child: None,
};

/// How a step ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Over {
    /// When.
    pub at: Timestamp,
    /// How.
    pub end: StepEnd,
    /// What came of it, in words.
    pub outcome: Box<str>,
    /// What later steps may read of it.
    pub output: Packed,
}

impl StepState {
    /// How it ended; none while it has not.
    #[must_use]
    pub fn end(&self) -> Option<StepEnd> {
        self.over.as_ref().map(|o| o.end)
    }

    /// What only some steps have.
    #[must_use]
    pub fn more(&self) -> &More {
        self.more.as_deref().unwrap_or(&NOTHING)
    }

    /// The same, to be changed.
    pub fn more_mut(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }
}

impl Run {
    /// A run that has just begun.
    #[must_use]
    pub fn new(at: Timestamp, e: &RunStarted, playbook: Option<Arc<Playbook>>) -> Run {
        Run {
            id: e.run,
            incident: e.incident,
            playbook,
            name: e.playbook.clone(),
            started: at,
            by: e.by.clone(),
            inputs: Packed::of(&e.inputs),
            caller: e.caller.clone().map(Box::new),
            steps: Steps::default(),
            order: Vec::new(),
            actions: Vec::new(),
            replied: None,
            unwinding: None,
            ended: None,
            output: Packed::default(),
            resumed: Vec::new(),
        }
    }

    /// Goes on: these steps begin with nothing, those with what they have, and all others stay as they are.
    pub fn go_on(&mut self, at: Timestamp, e: &RunResumed) {
        let why = |path: &String| {
            let over = self.steps.get(path).and_then(|s| s.over.as_ref());
            (path.clone(), over.map(|o| o.outcome.to_string()).unwrap_or_default())
        };
        let from = e.again.iter().chain(&e.on).map(why).collect();
        self.resumed.push(Resumed { at, by: e.by.clone(), reason: e.reason.clone(), from });
        self.ended = None;
        self.output = Packed::default();
        self.order.retain(|path| !e.again.iter().chain(&e.on).any(|p| p.as_str() == &**path));
        for path in &e.again {
            self.steps.forget(path);
        }
        for path in &e.on {
            let state = self.step_mut(at, path);
            *state =
                StepState { began: at, round: state.round, more: state.more.take(), ..StepState::default() };
        }
    }

    /// Who asked for what it does now: whoever let it go on last, or the one who began it.
    #[must_use]
    pub fn asked_by(&self) -> Option<&String> {
        self.resumed.last().map(|r| &r.by).or(self.by.as_ref())
    }

    /// What is remembered of a step.
    #[must_use]
    pub fn step(&self, path: &str) -> Option<&StepState> {
        self.steps.get(path)
    }

    /// The same, begun by this if it was not.
    pub fn step_mut(&mut self, at: Timestamp, path: &str) -> &mut StepState {
        self.steps.begun(path, at)
    }

    /// What the caller of a hook was answered.
    #[must_use]
    pub fn reply(&self) -> Option<Json> {
        let step = self.steps.get(self.replied.as_deref()?)?;
        Some(step.over.as_ref()?.output.value())
    }

    /// Remembers that a step was begun, or began its next round.
    pub fn step_began(&mut self, at: Timestamp, e: &StepBegan) {
        let state = self.step_mut(at, &e.path);
        state.round = e.round;
        if !e.way.is_empty() {
            state.more_mut().way = Some(e.way.as_str().into());
        }
        if !e.items.is_empty() {
            state.more_mut().items = Some(e.items.as_slice().into());
        }
    }

    /// Remembers that a try failed: the next one begins with nothing.
    pub fn step_tried(&mut self, at: Timestamp, e: &StepTried) {
        let state = self.step_mut(at, &e.path);
        let more =
            More { again: Some(e.again), last_failure: Some(e.why.as_str().into()), ..More::default() };
        *state = StepState {
            began: state.began,
            tries: state.tries + 1,
            more: Some(Box::new(more)),
            ..StepState::default()
        };
    }

    /// Remembers that a step is over.
    pub fn step_done(&mut self, at: Timestamp, e: &StepDone) {
        let output = Packed::of(&e.output);
        let over = Over { at, end: e.end, outcome: e.outcome.as_str().into(), output };
        let state = self.step_mut(at, e.path());
        state.effect = None;
        state.over = Some(Box::new(over));
        let path = self.steps.path(e.path()).unwrap_or_else(|| e.path().into());
        if e.reply && self.replied.is_none() {
            self.replied = Some(path.clone());
        }
        if self.order.len() < 16 {
            self.order.reserve_exact(1);
        }
        self.order.push(path);
    }

    /// Steps that are over, in the order in which they ended: path and how.
    pub fn over(&self) -> impl Iterator<Item = (&str, &StepState, &Over)> {
        self.order.iter().filter_map(|path| {
            let state = self.steps.get(path)?;
            Some((&**path, state, &**state.over.as_ref()?))
        })
    }

    /// Steps that were begun and are not over, the outer before the inner.
    pub fn under_way(&self) -> impl Iterator<Item = (&str, &StepState)> {
        self.steps.iter().filter(|(_, s)| s.over.is_none())
    }

    /// The step at which a fact from before runs had paths was made: the question's, or the first
    /// one that is not over.
    #[must_use]
    pub fn old_path(&self) -> String {
        let steps = self.playbook.iter().flat_map(|p| &p.steps);
        let open = steps.map(|s| s.id.as_str()).find(|id| self.step(id).is_none_or(|s| s.over.is_none()));
        open.unwrap_or_default().to_owned()
    }
}

/// The id of a step in its playbook: the last part of its path.
#[must_use]
pub fn id_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// True when `path` is `outer` or lies within it.
#[must_use]
pub fn within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || outer.is_empty())
}
