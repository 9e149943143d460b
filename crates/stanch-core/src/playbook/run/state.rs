//! What is remembered of a run. Folding facts into it decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;
use stanch_model::{ActionId, ApprovalId, EffectId, IncidentId, RunId, TaskId, Timestamp};

use crate::journal::event::{Caller, RunEnd, RunStarted, StepBegan, StepDone, StepEnd, StepTried};
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
    pub inputs: Json,
    /// The step of another run that waits for this one.
    pub caller: Option<Caller>,
    /// Steps that were begun, by path.
    pub steps: BTreeMap<Arc<str>, StepState>,
    /// Steps that are over, in the order in which they ended.
    pub order: Vec<Arc<str>>,
    /// Changes made by this run, in the order in which they were permitted.
    pub actions: Vec<ActionId>,
    /// What the caller of a hook was answered.
    pub reply: Option<Json>,
    /// Since when everything is being undone, and why.
    pub unwinding: Option<(Timestamp, String)>,
    /// When, how and why it ended.
    pub ended: Option<(Timestamp, RunEnd, String)>,
    /// What it gave when it ended.
    pub output: Json,
}

/// What is remembered of one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepState {
    /// When it was begun.
    pub began: Timestamp,
    /// The round of a loop, from 0.
    pub round: u32,
    /// Tries that failed.
    pub tries: u32,
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
    /// The call it waits for.
    pub effect: Option<EffectId>,
    /// How it ended.
    pub over: Option<Box<Over>>,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Over {
    /// When.
    pub at: Timestamp,
    /// How.
    pub end: StepEnd,
    /// What came of it, in words.
    pub outcome: String,
    /// What later steps may read of it.
    pub output: Json,
}

impl StepState {
    /// How it ended; none while it has not.
    #[must_use]
    pub fn end(&self) -> Option<StepEnd> {
        self.over.as_ref().map(|o| o.end)
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
            inputs: e.inputs.clone(),
            caller: e.caller.clone(),
            steps: BTreeMap::new(),
            order: Vec::new(),
            actions: Vec::new(),
            reply: None,
            unwinding: None,
            ended: None,
            output: Json::Null,
        }
    }

    /// What is remembered of a step.
    #[must_use]
    pub fn step(&self, path: &str) -> Option<&StepState> {
        self.steps.get(path)
    }

    /// The same, begun by this if it was not.
    pub fn step_mut(&mut self, at: Timestamp, path: &str) -> &mut StepState {
        let began = || StepState { began: at, ..StepState::default() };
        if !self.steps.contains_key(path) {
            self.steps.insert(path.into(), began());
        }
        self.steps.entry(path.into()).or_insert_with(began)
    }

    /// Remembers that a step was begun, or began its next round.
    pub fn step_began(&mut self, at: Timestamp, e: &StepBegan) {
        let state = self.step_mut(at, &e.path);
        state.round = e.round;
        if !e.way.is_empty() {
            state.way = Some(e.way.as_str().into());
        }
        if !e.items.is_empty() {
            state.items = Some(e.items.as_slice().into());
        }
    }

    /// Remembers that a try failed: the next one begins with nothing.
    pub fn step_tried(&mut self, at: Timestamp, e: &StepTried) {
        let state = self.step_mut(at, &e.path);
        *state = StepState {
            began: state.began,
            tries: state.tries + 1,
            again: Some(e.again),
            last_failure: Some(e.why.as_str().into()),
            ..StepState::default()
        };
    }

    /// Remembers that a step is over.
    pub fn step_done(&mut self, at: Timestamp, e: &StepDone) {
        let over = Over { at, end: e.end, outcome: e.outcome.clone(), output: e.output.clone() };
        if e.reply && self.reply.is_none() {
            self.reply = Some(e.output.clone());
        }
        let state = self.step_mut(at, e.path());
        state.effect = None;
        state.over = Some(Box::new(over));
        self.order.push(e.path().into());
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
        self.steps.iter().filter(|(_, s)| s.over.is_none()).map(|(path, s)| (&**path, s))
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
