//! Steps that do one thing and stand around no others.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use stanch_model::{
    EffectId, IncidentId, Observable, ObservableKind, Observed, RunId, Span, TaskId, Urgency,
};

use super::act::act;
use super::task::{Ask, Field, Task};
use super::walk::{At, Done, Next, WaitsFor, Walk};
use super::{Run, being_verified, inputs, intended, tell};
use crate::config::DEFAULT_SITE;
use crate::contain::parties::parties;
use crate::expr::{Expr, Text};
use crate::journal::event::{Answered, Caller, Effect, Event, RunEnd, RunStarted, TaskAnswered};
use crate::journal::incident::Status;
use crate::playbook::{Act, Param, Playbook, Wait};

/// How long work by hand may take where the playbook does not say.
pub const WORK_TAKES: Span = Span::hours(24);
/// How often a condition is looked at while a run waits for it.
const LOOK_EVERY: Span = Span::mins(1);
/// How many runs may call each other down.
pub const MAX_DEPTH: u8 = 4;

impl<'a> Walk<'a> {
    /// A change. What it rests on is looked at again before it is planned or, after a yes, made.
    pub(super) fn change(&mut self, at: At<'a, '_>, plan: &'a Act) -> Next {
        let Some(incident) = self.incident else {
            return Next::Failed("a run without an incident changes nothing".into());
        };
        let made = at.state.is_some_and(|s| s.more().action.is_some());
        if !made && let Some(stale) = self.stale() {
            return Next::Declined(stale);
        }
        let scope = self.scope(super::scope::of_change(&plan.change));
        let next = act(self.world, self.run, incident, &at, plan, &scope);
        if matches!(next, Next::Wait) {
            self.change_waits(at);
        }
        next
    }

    fn change_waits(&mut self, at: At<'_, '_>) {
        let Some(state) = at.state else { return };
        if let Some(action) = state.more().action {
            return self.waits.push(WaitsFor::Change(action));
        }
        let asked = state.more().approval.and_then(|id| self.world.state.approvals.get(&id));
        if let Some(asked) = asked.filter(|asked| asked.settled.is_none()) {
            self.waits.push(WaitsFor::Question(asked.approval.id));
            return self.waits.push(WaitsFor::Time(asked.approval.expires_at));
        }
        // For the NOC's time to say no, after a yes or without one; else for look-ups, or for another run's
        // same question.
        let mine = |a: &&crate::journal::state::AnnouncedState| {
            a.what.run == self.run.id && a.what.step == at.path && a.vetoed.is_none()
        };
        let due = self.world.state.announced.values().rev().find(mine).map(|a| a.what.at);
        let due = due.filter(|due| *due > self.world.now);
        self.waits.push(due.map_or(WaitsFor::LookUps, WaitsFor::Time));
    }

    /// Why nothing may be changed for this incident any more.
    fn stale(&self) -> Option<String> {
        let incident = self.incident?;
        if incident.status == Status::Resolved {
            return Some(format!("{} was resolved meanwhile; nothing was changed", incident.id));
        }
        let own = self.run.incident?;
        let other = |r: &&RunId| **r != self.run.id && self.run.caller.is_none();
        let twin = incident.runs.iter().filter(other).filter_map(|r| self.world.state.runs.get(r));
        let twin = twin.filter(|_| own != incident.id).find(|r| r.name == self.run.name)?;
        Some(format!("{own} is now a part of {}, for which {} runs the same playbook", incident.id, twin.id))
    }

    pub(super) fn enrich(&mut self, at: At<'a, '_>, about: &Expr) -> Next {
        if let Some(effect) = at.state.and_then(|s| s.effect) {
            return self.waits_for(effect);
        }
        let value = match about.eval(&self.scope([about])) {
            Ok(Json::String(text)) if !text.trim().is_empty() => text,
            Ok(_) => return Next::Failed("what to ask about is not a text".into()),
            Err(e) => return Next::Failed(format!("what to ask about cannot be told: {e}")),
        };
        let site = self.incident.map_or(DEFAULT_SITE, |i| i.site.as_str()).to_owned();
        let about = vec![observable(value.trim())];
        let (run, path) = (self.run.id, at.path.to_owned());
        let mut next = self.world.state.next.effect;
        Next::Facts(vec![intended(&mut next, Effect::Enrich { run, path, site, about })])
    }

    pub(super) fn fetch(&mut self, at: At<'a, '_>, call: &str, given: &[(String, Expr)]) -> Next {
        if let Some(effect) = at.state.and_then(|s| s.effect) {
            return self.waits_for(effect);
        }
        let values = match self.values(given) {
            Ok(values) => values,
            Err(why) => return Next::Failed(why),
        };
        let text = |v: Json| match v {
            Json::String(text) => text,
            other => other.to_string(),
        };
        let inputs: BTreeMap<String, String> = values.into_iter().map(|(k, v)| (k, text(v))).collect();
        let (run, path, call) = (self.run.id, at.path.to_owned(), call.to_owned());
        let mut next = self.world.state.next.effect;
        Next::Facts(vec![intended(&mut next, Effect::Fetch { run, path, call, inputs })])
    }

    fn waits_for(&mut self, effect: EffectId) -> Next {
        self.waits.push(WaitsFor::Effect(effect));
        Next::Wait
    }

    fn values(&self, wanted: &[(String, Expr)]) -> Result<serde_json::Map<String, Json>, String> {
        let scope = self.scope(wanted.iter().map(|(_, e)| e));
        let value = |(name, expr): &(String, Expr)| match expr.eval(&scope) {
            Ok(value) => Ok((name.clone(), value)),
            Err(e) => Err(format!("{name} cannot be told: {e}")),
        };
        wanted.iter().map(value).collect()
    }

    pub(super) fn set(&self, values: &[(String, Expr)], reply: bool) -> Next {
        match self.values(values) {
            Ok(values) => {
                let names: Vec<&str> = values.keys().map(String::as_str).collect();
                let outcome =
                    if reply { "answered the caller".into() } else { format!("set {}", names.join(", ")) };
                Next::Done(Vec::new(), Done { outcome, output: Json::Object(values), reply })
            }
            Err(why) => Next::Failed(why),
        }
    }

    pub(super) fn wait(&mut self, at: At<'a, '_>, wait: &Wait) -> Next {
        let now = self.world.now;
        match wait {
            Wait::For(span) => {
                let end = at.since(now).plus(*span);
                if end <= now {
                    return Next::done(format!("waited {span}"));
                }
                self.waits.push(WaitsFor::Time(end));
                Next::Wait
            }
            Wait::Lifted => {
                let live = self.changes(self.run).into_iter().filter(|a| a.ended.is_none());
                let live: Vec<_> = live.map(|a| WaitsFor::Change(a.action.id)).collect();
                if live.is_empty() {
                    return Next::done("every change is lifted");
                }
                self.waits.extend(live);
                Next::Wait
            }
            Wait::Until { condition, at_most } => {
                let end = at.since(now).plus(*at_most);
                match condition.test(&self.scope([condition])) {
                    Ok(true) => return Next::done(format!("it holds now: {}", condition.source())),
                    Ok(false) if end <= now => {
                        return Next::Failed(format!(
                            "it did not hold within {at_most}: {}",
                            condition.source()
                        ));
                    }
                    Ok(false) => {}
                    Err(e) => return Next::Failed(format!("its condition cannot be told: {e}")),
                }
                self.waits.push(WaitsFor::Time(end.min(now.plus(LOOK_EVERY))));
                Next::Wait
            }
        }
    }

    /// The changes of a run and of the runs it called.
    pub(super) fn changes(&self, run: &Run) -> Vec<&'a crate::journal::state::ActionState> {
        let state = self.world.state;
        let mut found: Vec<_> = run.actions.iter().filter_map(|a| state.actions.get(a)).collect();
        for child in run.steps.values().filter_map(|s| state.runs.get(&s.more().child?)) {
            found.extend(self.changes(child));
        }
        found
    }

    pub(super) fn approve(
        &mut self,
        at: At<'a, '_>,
        question: &Text,
        approvers: &[String],
        expires: Option<Span>,
    ) -> Next {
        let Some(id) = at.state.and_then(|s| s.more().task) else {
            let expires = expires.unwrap_or(self.world.config.containment.approval_expires);
            return self.ask(at, question, Ask::Decision, approvers, expires);
        };
        match self.answer(id) {
            Ok(e) => match e.answer {
                Answered::Approved => {
                    let output = serde_json::json!({ "by": e.by, "reason": e.reason });
                    Next::gives(format!("{} said yes", e.by), output)
                }
                Answered::Denied => Next::Declined(format!("{} said no", e.by)),
                Answered::Expired => Next::Failed("nobody answered in time".into()),
                Answered::Withdrawn => Next::Declined(format!("the question was withdrawn: {}", e.reason)),
            },
            Err(next) => next,
        }
    }

    pub(super) fn manual(
        &mut self,
        at: At<'a, '_>,
        task: &Text,
        team: &str,
        form: &[Param],
        expires: Option<Span>,
    ) -> Next {
        let Some(id) = at.state.and_then(|s| s.more().task) else {
            let form = form.iter().map(Field::of).collect();
            return self.ask(at, task, Ask::Work { form }, &[team.to_owned()], expires.unwrap_or(WORK_TAKES));
        };
        match self.answer(id) {
            Ok(e) => match e.answer {
                Answered::Approved => Next::gives(format!("done by {}", e.by), e.values.clone()),
                Answered::Denied => Next::Failed(format!("{} could not do it: {}", e.by, e.reason)),
                Answered::Expired => Next::Failed("nobody did it in time".into()),
                Answered::Withdrawn => Next::Declined(format!("the task was withdrawn: {}", e.reason)),
            },
            Err(next) => next,
        }
    }

    /// The answer to a task; what to do while there is none.
    fn answer(&mut self, id: TaskId) -> Result<&'a TaskAnswered, Next> {
        let Some(asked) = self.world.state.tasks.get(&id) else {
            return Err(Next::Failed(format!("{id} is not in the journal")));
        };
        if let Some((_, e)) = &asked.answered {
            let ours = e.digest == asked.task.digest() && self.world.seal.holds_answer(e);
            if e.answer == Answered::Approved && !ours {
                return Err(Next::Failed(format!(
                    "the answer to {id} does not carry our seal; somebody wrote it past stanch, look at `stanch journal`"
                )));
            }
            return Ok(e);
        }
        if asked.task.expires_at <= self.world.now {
            return Err(Next::Facts(vec![Event::TaskAnswered(TaskAnswered {
                task: id,
                answer: Answered::Expired,
                by: "stanch".into(),
                digest: String::new(),
                values: Json::Null,
                reason: String::new(),
                seal: String::new(),
            })]));
        }
        self.waits.push(WaitsFor::Task(id));
        self.waits.push(WaitsFor::Time(asked.task.expires_at));
        Err(Next::Wait)
    }

    fn ask(&self, at: At<'a, '_>, text: &Text, ask: Ask, teams: &[String], expires: Span) -> Next {
        let text = match text.render(&self.scope(text.expressions())) {
            Ok(text) => text,
            Err(e) => return Next::Failed(format!("what to ask cannot be written: {e}")),
        };
        let now = self.world.now;
        let parties = match ask {
            Ask::Decision => parties(self.world.config, self.world.state, Some(self.run.id), None),
            Ask::Work { .. } => Vec::new(),
        };
        let task = Task {
            id: TaskId(self.world.state.next.task),
            run: self.run.id,
            step: at.path.to_owned(),
            playbook: self.run.name.clone(),
            playbook_hash: self.plan.hash.clone(),
            incident: self.run.incident,
            title: self.title(),
            text,
            ask,
            teams: teams.to_vec(),
            requested_by: self.run.asked_by().cloned(),
            parties,
            asked_at: now,
            expires_at: now.plus(expires),
        };
        let subject = format!("{} from playbook {}: {}", task.id, task.playbook, first_line(&task.text));
        let body = format!(
            "{}\n\n{}\n\nOpen until {}.\nLook at it with:  stanch tasks {}\n",
            task.text, task.title, task.expires_at, task.id
        );
        let mut next = self.world.state.next.effect;
        let incident = self.incident_id();
        let told: Vec<Event> = teams
            .iter()
            .filter_map(|team| {
                let notice = (subject.clone(), body.clone(), format!("{}-asked-{team}", task.id));
                tell(self.world, &mut next, incident, team, notice, Urgency::Warning, false)
            })
            .collect();
        let mut events = vec![Event::TaskOpened(Box::new(task))];
        events.extend(told);
        Next::Facts(events)
    }

    /// The incident's number for notices: 0 when the run has none.
    fn incident_id(&self) -> IncidentId {
        self.incident.map_or(IncidentId(0), |i| i.id)
    }

    fn title(&self) -> String {
        self.incident.map_or_else(|| self.plan.summary.clone(), crate::story::title)
    }

    pub(super) fn notify(&self, at: At<'a, '_>, team: &str, text: &Text) -> Next {
        let text = match text.render(&self.scope(text.expressions())) {
            Ok(text) => text,
            Err(e) => return Next::Failed(format!("its text cannot be written: {e}")),
        };
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let body = match rest.trim() {
            "" => format!("{first}\n\n{}\n", self.title()),
            rest => format!("{rest}\n\n{}\n", self.title()),
        };
        let mut next = self.world.state.next.effect;
        let noc = self.world.config.containment.noc_team.as_deref() == Some(team);
        let notice = (first.to_owned(), body, format!("{}-{}", self.run.id, at.path));
        let told = tell(self.world, &mut next, self.incident_id(), team, notice, Urgency::Information, noc);
        let outcome = format!("told {team}");
        Next::Done(told.into_iter().collect(), Done { outcome, ..Done::default() })
    }

    /// Looks at every change of the run, and fails when one is not as it should be.
    pub(super) fn verify(&mut self, at: At<'a, '_>) -> Next {
        let since = at.since(self.world.now);
        let mut next = self.world.state.next.effect;
        let (mut looks, mut seen, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
        let mut waiting = false;
        for a in self.changes(self.run) {
            match &a.observed {
                Some((when, observed)) if at.state.is_some() && *when >= since => {
                    let there = matches!(observed, Observed::Present { .. });
                    let should = a.ended.is_none();
                    let words = format!("{}: {}", a.action.id, shown(observed));
                    if there == should { seen.push(words) } else { wrong.push(words) }
                }
                _ if being_verified(self.world.state, a.action.id) => {
                    self.waits.push(WaitsFor::Change(a.action.id));
                    waiting = true;
                }
                _ => looks.push(intended(&mut next, Effect::Verify { action: a.action.clone() })),
            }
        }
        if !looks.is_empty() {
            return Next::Facts(looks);
        }
        if waiting {
            return Next::Wait;
        }
        if !wrong.is_empty() {
            return Next::Failed(format!("not as it should be: {}", wrong.join(", ")));
        }
        let what = if seen.is_empty() { "nothing to look at".to_owned() } else { seen.join(", ") };
        Next::done(format!("looked again: {what}"))
    }

    pub(super) fn call(&mut self, at: At<'a, '_>, name: &str, given: &[(String, Expr)]) -> Next {
        let Some(child) = at.state.and_then(|s| s.more().child) else {
            return self.call_begins(at, name, given);
        };
        let Some(child) = self.world.state.runs.get(&child) else {
            return Next::Failed(format!("{child} is not in the journal"));
        };
        match &child.ended {
            None => {
                self.waits.push(WaitsFor::Run(child.id));
                Next::Wait
            }
            Some((_, RunEnd::Completed, _)) => {
                Next::gives(format!("{} of {name} is done", child.id), child.output.value())
            }
            Some((_, end, why)) => {
                Next::Failed(format!("{} of {name} ended {}: {why}", child.id, end.word()))
            }
        }
    }

    fn call_begins(&self, at: At<'a, '_>, name: &str, given: &[(String, Expr)]) -> Next {
        let depth = self.run.caller.as_ref().map_or(0, |c| c.depth) + 1;
        if depth > MAX_DEPTH {
            return Next::Failed(format!("playbooks call each other more than {MAX_DEPTH} deep"));
        }
        let Some(playbook) = self.world.config.playbooks.iter().find(|p| p.name == name) else {
            return Next::Failed(format!("there is no playbook {name}"));
        };
        let inputs = self.values(given).and_then(|v| inputs::check(&playbook.inputs, &Json::Object(v)));
        match inputs {
            Ok(inputs) => {
                let caller = Caller { run: self.run.id, path: at.path.to_owned(), depth };
                let started = started(self.world.state, playbook, self.run.incident, inputs);
                Next::Facts(vec![Event::RunStarted(RunStarted {
                    caller: Some(caller),
                    by: self.run.asked_by().cloned(),
                    ..started
                })])
            }
            Err(why) => Next::Failed(format!("{name} cannot be called: {why}")),
        }
    }
}

/// The fact that a run of a playbook begins, pinned as the playbook is now.
#[must_use]
pub fn started(
    state: &crate::journal::State,
    playbook: &Playbook,
    incident: Option<IncidentId>,
    inputs: Json,
) -> RunStarted {
    let held = state.playbooks.contains_key(&playbook.hash);
    RunStarted {
        run: RunId(state.next.run),
        incident,
        playbook: playbook.name.clone(),
        hash: playbook.hash.clone(),
        source: if held { String::new() } else { playbook.source.clone() },
        inputs: if inputs.as_object().is_some_and(serde_json::Map::is_empty) { Json::Null } else { inputs },
        caller: None,
        by: None,
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn shown(o: &Observed) -> String {
    match o {
        Observed::Present { .. } => "in place".into(),
        Observed::Absent => "gone".into(),
        Observed::Different { what } => format!("something else is there: {what}"),
    }
}

/// What kind of thing a text names.
fn observable(text: &str) -> Observable {
    let hex = |n: usize| text.len() == n && text.bytes().all(|b| b.is_ascii_hexdigit());
    let kind = if text.parse::<std::net::IpAddr>().is_ok() {
        ObservableKind::Ip
    } else if hex(32) || hex(40) || hex(64) {
        ObservableKind::Hash
    } else if text.contains("://") {
        ObservableKind::Url
    } else if text.contains('@') {
        ObservableKind::Email
    } else if text.contains('.') {
        ObservableKind::Hostname
    } else {
        ObservableKind::User
    };
    Observable::new(kind, text)
}
