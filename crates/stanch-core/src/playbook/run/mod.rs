//! One execution of a playbook: what it has done and what it does next.
//!
//! [`advance`] decides, [`Run`] remembers. Deciding is a walk over the plan with what is remembered
//! of the run: what is over is passed by, and the first step with something to do says what. Facts
//! are taken, and the walk is made again, until all wait.
//!
//! A step that is over never runs again, whatever crashes in between. A run that waits always waits
//! for something that will come: an answer or its expiry, a device's reply or its retry, the end of a
//! lease, a time; [`standing`] says for what, and a law checks it.

mod act;
mod flow;
pub mod inputs;
mod leaf;
mod packed;
mod resume;
mod scope;
mod state;
mod steps;
mod stop;
pub mod task;
mod unwind;
mod walk;

#[cfg(test)]
mod resume_tests;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use serde_json::Value as Json;
use stanch_model::{
    ActionId, EffectId, Fact, Failure, IncidentId, Notice, Observable, Span, Timestamp, Urgency,
};

pub use act::{MAX_EVIDENCE_AGE, blast, executable, judge, of_change, question_notices};
pub use leaf::{MAX_DEPTH, WORK_TAKES, started};
pub use packed::Packed;
pub use resume::resume;
pub use scope::{incident_value, triggers};
pub use state::{More, Over, Resumed, Run, StepState, id_of, within};
pub use steps::Steps;
pub use task::Task;
pub use walk::{MAX_OUTPUT, WaitsFor, can_retry, find};

use crate::config::{Config, Protected};
use crate::contain::{Mode, Seal};
use crate::journal::event::{Effect, Event, Intended, RunEnd, StepEnd, StepTried};
use crate::journal::state::State;
use walk::Walk;

/// All that deciding about a run may look at.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// The fold.
    pub state: &'a State,
    /// The rules.
    pub config: &'a Config,
    /// Addresses that must never be blocked, found by ourselves.
    pub discovered: &'a [Protected],
    /// Addresses from which those who act are connected now: no new change may cut them off.
    pub connected: &'a [Protected],
    /// Where the names lead that we depend on: the same holds for them.
    pub resolved: &'a [Protected],
    /// Look-ups that answer at once.
    pub look_up: &'a dyn Fn(&str, IpAddr) -> Vec<Fact>,
    /// The same for what is no address.
    pub about: &'a dyn Fn(&str, &Observable) -> Vec<Fact>,
    /// Our seal on what people and the guard agreed to.
    pub seal: &'a Seal,
    /// True when the responder of this name changes nothing real.
    pub simulated: &'a dyn Fn(&str) -> bool,
    /// May the world be changed at all?
    pub mode: Mode,
    /// Everything outward is stopped.
    pub kill_switch: bool,
    /// The time.
    pub now: Timestamp,
}

/// What a run does next, or what it waits for.
#[derive(Debug, Default)]
pub struct Standing {
    /// Facts to take; then ask again. Empty: it waits.
    pub events: Vec<Event>,
    /// What it waits for. Empty only while there are facts to take, or when the run is over.
    pub waits: Vec<WaitsFor>,
}

impl Standing {
    /// The next time at which something is due by itself.
    #[must_use]
    pub fn wake(&self) -> Option<Timestamp> {
        let due = self.waits.iter().filter_map(|w| match w {
            WaitsFor::Time(at) => Some(*at),
            WaitsFor::Effect(_)
            | WaitsFor::Question(_)
            | WaitsFor::Task(_)
            | WaitsFor::Change(_)
            | WaitsFor::Run(_)
            | WaitsFor::LookUps => None,
        });
        due.min()
    }
}

/// What the run does next. Empty: it waits. Call again after applying what came back, until empty.
#[must_use]
pub fn advance(world: World<'_>, run: &Run) -> Vec<Event> {
    standing(world, run).events
}

/// What the run does next, or what it waits for.
#[must_use]
pub fn standing(world: World<'_>, run: &Run) -> Standing {
    let only = |event| Standing { events: vec![event], waits: Vec::new() };
    if run.ended.is_some() {
        return Standing::default();
    }
    let Some(plan) = &run.playbook else {
        let why = "this version of stanch cannot read its playbook";
        return only(walk::ended(run, RunEnd::Handed, why, Json::Null));
    };
    let incident = match run.incident {
        None => None,
        Some(id) => match world.state.incidents.get(&world.state.head_of(id)) {
            Some(incident) => Some(incident),
            None => return only(walk::ended(run, RunEnd::Handed, "its incident is gone", Json::Null)),
        },
    };
    let mut walk = Walk { world, run, plan, incident, loops: Vec::new(), waits: Vec::new() };
    let events = match &run.unwinding {
        None => walk.plan(),
        Some((_, why)) => walk.unwind(why),
    };
    Standing { events, waits: walk.waits }
}

/// What follows from the answer to a call or a look-up that a step waits for: the step is over, or
/// it is tried again. Nothing when the step does not wait for it any more.
#[must_use]
pub fn answered(
    world: World<'_>,
    run: &Run,
    path: &str,
    effect: EffectId,
    outcome: Result<Json, Failure>,
) -> Vec<Event> {
    let waiting = run.step(path).filter(|s| s.over.is_none() && s.effect == Some(effect));
    let (Some(state), None) = (waiting, &run.ended) else { return Vec::new() };
    let over =
        |end, outcome: String, output| vec![Event::StepDone(walk::done(run, path, end, outcome, output))];
    let failure = match outcome {
        Ok(answer) => {
            let size = answer.to_string().len();
            if size <= MAX_OUTPUT {
                return over(StepEnd::Done, "answered".into(), answer);
            }
            Failure::permanent(format!("it answered {size} bytes; at most {MAX_OUTPUT} are kept"))
        }
        Err(failure) => failure,
    };
    let why = failure.to_string();
    let retry = run.playbook.as_ref().and_then(|p| find(p, path)).map(|s| s.retry).unwrap_or_default();
    let after = match &failure {
        Failure::Permanent { .. } | Failure::Unauthorised { .. } => None,
        Failure::RateLimited { retry_after, .. } => Some(*retry_after),
        Failure::Transient { .. } | Failure::Unknown { .. } | Failure::Late { .. } => Some(Span::ZERO),
    };
    match after.filter(|_| state.tries < retry.times) {
        Some(at_least) => {
            let wait = walk::pause(retry, state.tries).max(at_least);
            let again = world.now.plus(wait);
            vec![Event::StepTried(StepTried { run: run.id, path: path.to_owned(), why, again })]
        }
        None => over(StepEnd::Failed, why, Json::Null),
    }
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
    let (to, at) = (team.to.clone(), world.now);
    let notice = Notice {
        key,
        incident,
        urgency,
        to,
        subject,
        body,
        at,
        ask: None,
        about: None,
        closes: false,
        card: None,
        undo: None,
    };
    Some(intended(next, Effect::Notify { notifier: team.notifier.clone(), notice, noc }))
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
