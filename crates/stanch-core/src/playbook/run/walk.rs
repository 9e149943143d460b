//! The walk: over the plan with what is remembered of the run, to the next thing to do.
//!
//! Every call walks from the beginning and changes nothing. What is over is passed by; the first
//! step that has something to do gives the facts to take, and the walk is made again. Where all
//! wait, the walk has collected what they wait for: that is the run's next timer.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use stanch_model::{ActionId, ApprovalId, EffectId, RunId, Span, TaskId, Timestamp};

use super::state::{StepState, id_of};
use super::{Run, World, stop};
use crate::expr::{Expr, Scope};
use crate::journal::event::{Event, RunEnd, RunEnded, RunUnwinding, StepBegan, StepDone, StepEnd, StepTried};
use crate::journal::incident::Incident;
use crate::playbook::{OnFailure, Playbook, Retry, Step, StepKind};

/// Most bytes of JSON that a step may give.
pub const MAX_OUTPUT: usize = 64 * 1024;

/// The longest wait between two tries.
const LONGEST_WAIT: Span = Span::hours(1);

/// What a run waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each says what
pub enum WaitsFor {
    Time(Timestamp),
    Effect(EffectId),
    Question(ApprovalId),
    Task(TaskId),
    Change(ActionId),
    Run(RunId),
    LookUps,
}

/// What one step comes to, at this moment.
#[derive(Debug)]
pub(super) enum Next {
    /// Facts to take; then the walk is made again.
    Facts(Vec<Event>),
    /// It waits; what for has been noted.
    Wait,
    /// It is over, after these facts.
    Done(Vec<Event>, Done),
    /// It failed; another try may help.
    Failed(String),
    /// It failed, and it cannot be told what came of it: never tried again.
    Unknown(String),
    /// The run ends here, with nothing more changed, on purpose.
    Declined(String),
}

/// What came of a step.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// In words.
    pub(super) outcome: String,
    /// What later steps may read of it.
    pub(super) output: Json,
    /// True when it is the answer to the caller of a hook.
    pub(super) reply: bool,
}

impl Next {
    /// Over, with nothing to give.
    pub(super) fn done(outcome: impl Into<String>) -> Next {
        Next::Done(Vec::new(), Done { outcome: outcome.into(), ..Done::default() })
    }

    /// Over, with something to give.
    pub(super) fn gives(outcome: impl Into<String>, output: Json) -> Next {
        Next::Done(Vec::new(), Done { outcome: outcome.into(), output, reply: false })
    }
}

/// What a sequence of steps comes to, at this moment.
pub(super) enum Flow {
    /// Facts to take; then the walk is made again.
    Facts(Vec<Event>),
    /// It waits.
    Wait,
    /// All its steps are over.
    Over,
    /// The run ends here.
    Ends(RunEnd, String),
    /// All that the run has done is to be undone.
    Unwind(String),
}

/// One walk.
pub(super) struct Walk<'a> {
    pub(super) world: World<'a>,
    pub(super) run: &'a Run,
    pub(super) plan: &'a Playbook,
    pub(super) incident: Option<&'a Incident>,
    /// Values of the loops around the step in hand.
    pub(super) loops: Vec<(String, Json)>,
    /// What the run waits for.
    pub(super) waits: Vec<WaitsFor>,
}

/// The step in hand: where it stands, what is planned, what is remembered of it.
#[derive(Clone, Copy)]
pub(super) struct At<'a, 'p> {
    pub(super) path: &'p str,
    pub(super) step: &'a Step,
    pub(super) state: Option<&'a StepState>,
}

impl At<'_, '_> {
    /// Since when the step is under way: now, if it is only beginning.
    pub(super) fn since(&self, now: Timestamp) -> Timestamp {
        self.state.map_or(now, |s| s.began)
    }
}

impl<'a> Walk<'a> {
    /// Walks over the whole plan.
    pub(super) fn plan(&mut self) -> Vec<Event> {
        let plan = self.plan;
        match self.sequence(&plan.steps, "") {
            Flow::Facts(events) => events,
            Flow::Wait => Vec::new(),
            Flow::Over => self.completed(),
            Flow::Ends(end, why) => {
                let mut events = stop::all(self.world, self.run, &why);
                events.push(ended(self.run, end, &why, Json::Null));
                events
            }
            Flow::Unwind(why) => {
                let mut events = stop::all(self.world, self.run, &why);
                events.push(Event::RunUnwinding(RunUnwinding { run: self.run.id, why }));
                events
            }
        }
    }

    fn completed(&self) -> Vec<Event> {
        let mut output = serde_json::Map::new();
        for (name, expr) in &self.plan.outputs {
            match expr.eval(&self.scope([expr])) {
                Ok(value) => drop(output.insert(name.clone(), value)),
                Err(e) => {
                    let why = format!("all steps are done, but output {name} cannot be told: {e}");
                    return vec![ended(self.run, RunEnd::Handed, &why, Json::Null)];
                }
            }
        }
        let output = if output.is_empty() { Json::Null } else { Json::Object(output) };
        vec![ended(self.run, RunEnd::Completed, "all steps done", output)]
    }

    /// Steps one after the other. `around` is the path of what they stand in, with the way taken.
    pub(super) fn sequence(&mut self, steps: &'a [Step], around: &str) -> Flow {
        for step in steps {
            let path = join(around, &step.id);
            match self.step(step, &path) {
                Flow::Over => {}
                other => return other,
            }
        }
        Flow::Over
    }

    fn step(&mut self, step: &'a Step, path: &str) -> Flow {
        let run = self.run;
        let state = run.step(path);
        if let Some(over) = state.and_then(|s| s.over.as_ref()) {
            return match over.end {
                StepEnd::Done | StepEnd::Skipped => Flow::Over,
                StepEnd::Failed => self.after_failure(step, path, &over.outcome),
                // Whatever stopped it decides what follows; here it only does not stand in the way.
                StepEnd::Stopped => Flow::Over,
            };
        }
        let at = At { path, step, state };
        if state.is_none()
            && let Some(when) = &step.when
        {
            match when.test(&self.scope([when])) {
                Ok(true) => {}
                Ok(false) => {
                    return self.over(at, StepEnd::Skipped, "its condition does not hold", Json::Null);
                }
                Err(e) => return self.failed(at, format!("its condition cannot be told: {e}"), false),
            }
        }
        if let Some(limit) = step.timeout {
            let end = at.since(self.world.now).plus(limit);
            if end <= self.world.now {
                return self.failed(at, format!("it took longer than {limit}"), false);
            }
            self.waits.push(WaitsFor::Time(end));
        }
        if let Some(again) = state.and_then(|s| s.more().again).filter(|t| *t > self.world.now) {
            self.waits.push(WaitsFor::Time(again));
            return Flow::Wait;
        }
        self.go(at)
    }

    /// Lets the step do what it is for.
    fn go(&mut self, at: At<'a, '_>) -> Flow {
        let next = match self.kind(at) {
            Ok(next) => next,
            Err(flow) => return flow,
        };
        match next {
            Next::Facts(events) => Flow::Facts(self.begun(at, events)),
            Next::Wait if at.state.is_none() => Flow::Facts(vec![self.began(at.path)]),
            Next::Wait => Flow::Wait,
            Next::Done(mut events, done) => {
                if done.output.to_string().len() > MAX_OUTPUT {
                    return self.failed(at, format!("it gave more than {} KiB", MAX_OUTPUT / 1024), false);
                }
                let mut over = self.done(at, StepEnd::Done, done.outcome, done.output);
                over.reply = done.reply;
                events.push(Event::StepDone(over));
                Flow::Facts(events)
            }
            Next::Failed(why) => self.failed(at, why, true),
            Next::Unknown(why) => self.failed(at, why, false),
            Next::Declined(why) => Flow::Ends(RunEnd::Declined, why),
        }
    }

    /// What the kind of the step comes to; for steps around other steps perhaps what those come to.
    fn kind(&mut self, at: At<'a, '_>) -> Result<Next, Flow> {
        match &at.step.kind {
            StepKind::If { condition, then, otherwise } => self.if_step(at, condition, then, otherwise),
            StepKind::Switch { on, cases, default } => self.switch(at, on, cases, default.as_deref()),
            StepKind::Parallel { branches, until } => self.parallel(at, branches, *until),
            StepKind::ForEach { variable, list, at_most, steps } => {
                self.for_each(at, variable, list, *at_most, steps)
            }
            StepKind::Repeat { condition, at_most, every, steps } => {
                self.repeat(at, condition, *at_most, *every, steps)
            }
            StepKind::Act(plan) => Ok(self.change(at, plan)),
            StepKind::Enrich { about } => Ok(self.enrich(at, about)),
            StepKind::Fetch { call, inputs } => Ok(self.fetch(at, call, inputs)),
            StepKind::Set { values } => Ok(self.set(values, false)),
            StepKind::Reply { values } => Ok(self.set(values, true)),
            StepKind::Wait(wait) => Ok(self.wait(at, wait)),
            StepKind::Approve { question, approvers, expires } => {
                Ok(self.approve(at, question, approvers, *expires))
            }
            StepKind::Manual { task, team, form, expires } => Ok(self.manual(at, task, team, form, *expires)),
            StepKind::Notify { team, text } => Ok(self.notify(at, team, text)),
            StepKind::Verify => Ok(self.verify(at)),
            StepKind::Call { playbook, inputs } => Ok(self.call(at, playbook, inputs)),
        }
    }

    fn after_failure(&mut self, step: &'a Step, path: &str, why: &str) -> Flow {
        match &step.on_failure {
            OnFailure::Hand => Flow::Ends(RunEnd::Handed, why.to_owned()),
            OnFailure::Continue => Flow::Over,
            OnFailure::Unwind => Flow::Unwind(why.to_owned()),
            OnFailure::Steps(steps) => self.sequence(steps, &join(path, "failed")),
        }
    }

    /// A failed try: another one later, or the end of the step.
    fn failed(&self, at: At<'_, '_>, why: String, again: bool) -> Flow {
        let tries = at.state.map_or(0, |s| s.tries);
        let mut events = stop::within_step(self.world, self.run, at.path, &why);
        if again && tries < at.step.retry.times && can_retry(&at.step.kind) {
            let again = self.world.now.plus(pause(at.step.retry, tries));
            let tried = StepTried { run: self.run.id, path: at.path.to_owned(), why, again };
            events.push(Event::StepTried(tried));
            return Flow::Facts(events);
        }
        events.push(Event::StepDone(self.done(at, StepEnd::Failed, why, Json::Null)));
        Flow::Facts(events)
    }

    /// The step is over.
    pub(super) fn over(&self, at: At<'_, '_>, end: StepEnd, outcome: &str, output: Json) -> Flow {
        Flow::Facts(vec![Event::StepDone(self.done(at, end, outcome.to_owned(), output))])
    }

    fn done(&self, at: At<'_, '_>, end: StepEnd, outcome: String, output: Json) -> StepDone {
        done(self.run, at.path, end, outcome, output)
    }

    /// The fact that a step was begun.
    pub(super) fn began(&self, path: &str) -> Event {
        Event::StepBegan(StepBegan {
            run: self.run.id,
            path: path.to_owned(),
            round: 0,
            way: String::new(),
            items: Vec::new(),
        })
    }

    /// Facts of a step, after the fact that it was begun where they do not say so themselves.
    fn begun(&self, at: At<'_, '_>, mut events: Vec<Event>) -> Vec<Event> {
        if at.state.is_none() && !events.iter().any(|e| begins(e, at.path)) {
            events.insert(0, self.began(at.path));
        }
        events
    }

    /// What these expressions see.
    pub(super) fn scope<'e>(&self, exprs: impl IntoIterator<Item = &'e Expr>) -> Scope {
        super::scope::scope(self.world.state, self.incident, self.run, &self.loops, exprs)
    }
}

/// True when a step of this kind can be tried again after a failure: those that ask something
/// outside. `retry` on any other is a mistake of the author.
#[must_use]
pub const fn can_retry(kind: &StepKind) -> bool {
    match kind {
        StepKind::Act(_) | StepKind::Enrich { .. } | StepKind::Fetch { .. } | StepKind::Call { .. } => true,
        StepKind::Verify => true,
        StepKind::Set { .. }
        | StepKind::If { .. }
        | StepKind::Switch { .. }
        | StepKind::Parallel { .. }
        | StepKind::ForEach { .. }
        | StepKind::Repeat { .. }
        | StepKind::Wait(_)
        | StepKind::Approve { .. }
        | StepKind::Manual { .. }
        | StepKind::Notify { .. }
        | StepKind::Reply { .. } => false,
    }
}

/// How long to wait before the next try, after so many that failed before this one.
pub(super) fn pause(retry: Retry, tries: u32) -> Span {
    Span(retry.wait.0.saturating_mul(1i64 << tries.min(20))).min(LONGEST_WAIT)
}

/// True when a fact says by itself that the step was begun.
fn begins(event: &Event, path: &str) -> bool {
    use crate::journal::event::Effect;
    match event {
        Event::StepBegan(e) => e.path == path,
        Event::ApprovalRequested(a) => a.step == path,
        Event::ActionPermitted(p) => p.step == path,
        Event::Announced(a) => a.step == path,
        Event::LeaseJoined(l) => l.step == path,
        Event::TaskOpened(t) => t.step == path,
        Event::RunStarted(r) => r.caller.as_ref().is_some_and(|c| c.path == path),
        Event::Intended(i) => match &i.what {
            Effect::Enrich { path: p, .. } | Effect::Fetch { path: p, .. } => p == path,
            Effect::LookUp { .. }
            | Effect::Notify { .. }
            | Effect::Capture { .. }
            | Effect::Perform { .. }
            | Effect::Verify { .. }
            | Effect::Revert { .. } => false,
        },
        _ => false,
    }
}

/// The fact that a step is over.
pub(super) fn done(run: &Run, path: &str, end: StepEnd, outcome: String, output: Json) -> StepDone {
    let id = id_of(path).to_owned();
    let path = if id == path { String::new() } else { path.to_owned() };
    StepDone { run: run.id, step: 0, id, path, end, outcome, output, reply: false }
}

/// The fact that a run is over.
pub(super) fn ended(run: &Run, end: RunEnd, why: &str, output: Json) -> Event {
    Event::RunEnded(RunEnded { run: run.id, end, why: why.to_owned(), output })
}

/// A path one step deeper.
pub(super) fn join(around: &str, id: &str) -> String {
    if around.is_empty() { id.to_owned() } else { format!("{around}/{id}") }
}

/// The step of a plan that a path names.
#[must_use]
pub fn find<'p>(plan: &'p Playbook, path: &str) -> Option<&'p Step> {
    // Ids are unique within a playbook, so that the last part alone names the step.
    index(&plan.steps).remove(id_of(path))
}

/// The steps that stand directly within a step.
fn inner(step: &Step) -> Vec<&Step> {
    let mut found: Vec<&Step> = step.compensate.iter().collect();
    if let OnFailure::Steps(steps) = &step.on_failure {
        found.extend(steps);
    }
    match &step.kind {
        StepKind::If { then, otherwise, .. } => found.extend(then.iter().chain(otherwise)),
        StepKind::Switch { cases, default, .. } => {
            found.extend(cases.iter().flat_map(|(_, steps)| steps));
            found.extend(default.iter().flatten());
        }
        StepKind::Parallel { branches, .. } => found.extend(branches.iter().flat_map(|(_, steps)| steps)),
        StepKind::ForEach { steps, .. } | StepKind::Repeat { steps, .. } => found.extend(steps),
        StepKind::Act(_)
        | StepKind::Enrich { .. }
        | StepKind::Fetch { .. }
        | StepKind::Set { .. }
        | StepKind::Wait(_)
        | StepKind::Approve { .. }
        | StepKind::Manual { .. }
        | StepKind::Notify { .. }
        | StepKind::Verify
        | StepKind::Call { .. }
        | StepKind::Reply { .. } => {}
    }
    found
}

fn index(steps: &[Step]) -> BTreeMap<&str, &Step> {
    let mut found = BTreeMap::new();
    let mut open: Vec<&Step> = steps.iter().collect();
    while let Some(step) = open.pop() {
        found.insert(step.id.as_str(), step);
        open.extend(inner(step));
    }
    found
}
