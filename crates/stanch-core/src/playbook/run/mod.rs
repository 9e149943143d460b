//! One execution of a playbook: what it has done and what it does next.
//!
//! [`advance`] decides, [`Run::step_done`] and the fold remember. A step that is done never runs
//! again, whatever crashes in between; a run that waits always waits for something that will come:
//! an answer or its expiry, a device's reply or its retry, the end of a lease.

mod act;
mod scope;

use std::net::IpAddr;
use std::sync::Arc;

use stanch_model::{ActionId, ApprovalId, EffectId, Fact, IncidentId, Notice, RunId, Timestamp, Urgency};

pub use act::{MAX_EVIDENCE_AGE, blast, judge};
pub use scope::{incident_value, triggers};

use super::{Playbook, StepKind, Wait};
use crate::config::{Config, Protected};
use crate::contain::Mode;
use crate::expr::{Scope, Text};
use crate::journal::event::{Effect, Event, Intended, RunEnd, RunEnded, RunStarted, StepDone};
use crate::journal::incident::Incident;
use crate::journal::state::State;

/// One execution of a playbook.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its name.
    pub id: RunId,
    /// For which incident.
    pub incident: IncidentId,
    /// The plan, pinned when the run began; `None` only if this program can no longer read it.
    pub playbook: Option<Arc<Playbook>>,
    /// The playbook's name.
    pub name: String,
    /// When it began.
    pub started: Timestamp,
    /// Index of the step in hand.
    pub cursor: usize,
    /// Since when.
    pub step_since: Timestamp,
    /// The question asked in this step, if any.
    pub approval: Option<ApprovalId>,
    /// Changes made by this run.
    pub actions: Vec<ActionId>,
    /// The change made in this step, if any.
    pub step_action: Option<ActionId>,
    /// Steps that are over, with what came of them.
    pub done: Vec<(Timestamp, String, String)>,
    /// When, how and why it ended.
    pub ended: Option<(Timestamp, RunEnd, String)>,
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
            cursor: 0,
            step_since: at,
            approval: None,
            actions: Vec::new(),
            step_action: None,
            done: Vec::new(),
            ended: None,
        }
    }

    /// Remembers that a step is over.
    pub fn step_done(&mut self, at: Timestamp, e: &StepDone) {
        self.done.push((at, e.id.clone(), e.outcome.clone()));
        self.cursor = e.step as usize + 1;
        self.step_since = at;
        self.approval = None;
        self.step_action = None;
    }
}

/// All that deciding about a run may look at.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// The fold.
    pub state: &'a State,
    /// The rules.
    pub config: &'a Config,
    /// Addresses that must never be blocked, found by ourselves.
    pub discovered: &'a [Protected],
    /// Look-ups that answer at once.
    pub look_up: &'a dyn Fn(&str, IpAddr) -> Vec<Fact>,
    /// True when the responder of this name changes nothing real.
    pub simulated: &'a dyn Fn(&str) -> bool,
    /// May the world be changed at all?
    pub mode: Mode,
    /// Everything outward is stopped.
    pub kill_switch: bool,
    /// The time.
    pub now: Timestamp,
}

/// What the run does next. Empty: it waits. Call again after applying what came back, until empty.
#[must_use]
pub fn advance(world: World<'_>, run: &Run) -> Vec<Event> {
    if run.ended.is_some() {
        return Vec::new();
    }
    let Some(playbook) = run.playbook.as_ref() else {
        return end(run, RunEnd::Handed, "this version of stanch cannot read the pinned playbook");
    };
    let Some(incident) = world.state.incidents.get(&run.incident) else {
        return end(run, RunEnd::Handed, "its incident is gone");
    };
    let Some(step) = playbook.steps.get(run.cursor) else {
        return end(run, RunEnd::Completed, "all steps done");
    };
    let scope = scope::scope(world.state, incident, run);
    if run.approval.is_none() && run.step_action.is_none() {
        match step.when.as_ref().map(|w| w.test(&scope)) {
            None | Some(Ok(true)) => {}
            Some(Ok(false)) => return done(run, &step.id, "skipped: its condition does not hold"),
            Some(Err(e)) => {
                return end(
                    run,
                    RunEnd::Handed,
                    &format!("the condition of step {} cannot be told: {e}", step.id),
                );
            }
        }
    }
    match &step.kind {
        StepKind::Act(plan) => act::act(world, run, incident, &step.id, plan, &scope),
        StepKind::Notify { team, text } => notify_step(world, run, incident, &step.id, team, text, &scope),
        StepKind::Wait(Wait::For(span)) => {
            let over = run.step_since.plus(*span) <= world.now;
            if over { done(run, &step.id, &format!("waited {span}")) } else { Vec::new() }
        }
        StepKind::Wait(Wait::Lifted) => {
            let all =
                run.actions.iter().all(|a| world.state.actions.get(a).is_none_or(|a| a.ended.is_some()));
            if all { done(run, &step.id, "every change is lifted") } else { Vec::new() }
        }
        StepKind::Verify => verify_step(world, run, &step.id),
        StepKind::Enrich { .. }
        | StepKind::Fetch { .. }
        | StepKind::Set { .. }
        | StepKind::If { .. }
        | StepKind::Switch { .. }
        | StepKind::Parallel { .. }
        | StepKind::ForEach { .. }
        | StepKind::Repeat { .. }
        | StepKind::Wait(Wait::Until { .. })
        | StepKind::Approve { .. }
        | StepKind::Manual { .. }
        | StepKind::Call { .. }
        | StepKind::Reply { .. } => end(run, RunEnd::Handed, "the loader does not make such steps yet"),
    }
}

fn done(run: &Run, id: &str, outcome: &str) -> Vec<Event> {
    vec![Event::StepDone(StepDone {
        run: run.id,
        step: run.cursor as u32,
        id: id.to_owned(),
        outcome: outcome.to_owned(),
    })]
}

fn end(run: &Run, end: RunEnd, why: &str) -> Vec<Event> {
    vec![Event::RunEnded(RunEnded { run: run.id, end, why: why.to_owned() })]
}

// ------------------------------------------------------------------------------- small helpers

/// An intention with the next free number.
pub fn intended(next: &mut u64, what: Effect) -> Event {
    let effect = EffectId(*next);
    *next += 1;
    Event::Intended(Intended { effect, what })
}

/// Tells a team, if it has a way to be told; a team that is not configured any more is told nothing
/// here, and `stanch check` has said so.
pub fn tell(
    world: World<'_>,
    next: &mut u64,
    incident: IncidentId,
    team: &str,
    (subject, body, key): (String, String, String),
    urgency: Urgency,
    noc: bool,
) -> Option<Event> {
    let team = world.config.teams.get(team)?;
    let notice = Notice { key, incident, urgency, to: team.to.clone(), subject, body, at: world.now };
    Some(intended(next, Effect::Notify { notifier: team.notifier.clone(), notice, noc }))
}

fn notify_step(
    world: World<'_>,
    run: &Run,
    incident: &Incident,
    id: &str,
    team: &str,
    text: &Text,
    scope: &Scope,
) -> Vec<Event> {
    let line = match text.render(scope) {
        Ok(line) => line,
        Err(e) => return end(run, RunEnd::Handed, &format!("the text of step {id} cannot be made: {e}")),
    };
    let mut next = world.state.next.effect;
    let key = format!("{}-{id}", run.id);
    let body = format!("{line}\n\n{}\n", crate::story::title(incident));
    let noc = world.config.containment.noc_team.as_deref() == Some(team);
    let mut events: Vec<Event> =
        tell(world, &mut next, incident.id, team, (line, body, key), Urgency::Information, noc)
            .into_iter()
            .collect();
    events.extend(done(run, id, &format!("told {team}")));
    events
}

fn verify_step(world: World<'_>, run: &Run, id: &str) -> Vec<Event> {
    let mut next = world.state.next.effect;
    let mut events = Vec::new();
    let mut seen = Vec::new();
    for a in run.actions.iter().filter_map(|a| world.state.actions.get(a)) {
        match &a.observed {
            Some((at, observed)) if *at >= run.step_since => {
                seen.push(format!("{}: {observed:?}", a.action.id))
            }
            _ if being_verified(world.state, a.action.id) => return Vec::new(),
            _ => events.push(intended(&mut next, Effect::Verify { action: a.action.clone() })),
        }
    }
    if events.is_empty() {
        let what = if seen.is_empty() { "nothing to look at".to_owned() } else { seen.join(", ") };
        return done(run, id, &format!("looked again: {what}"));
    }
    events
}

/// True while a look at a change is under way.
#[must_use]
pub fn being_verified(state: &State, action: ActionId) -> bool {
    state.pending.values().any(|p| matches!(&p.what, Effect::Verify { action: a } if a.id == action))
}

/// True while taking a change back is under way.
#[must_use]
pub fn being_reverted(state: &State, action: ActionId) -> bool {
    state.pending.values().any(|p| matches!(&p.what, Effect::Revert { action: a } if a.id == action))
}
