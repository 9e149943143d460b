//! A rehearsal: a playbook carried out by the very code that would carry it out, on a world that only
//! pretends. Devices do what they are told, calls answer what the author says they answer, people
//! say yes and fill in what the author says they do, and time passes when all wait.
//!
//! The same plan is then played with a crash behind every commit, and with every outward step failing
//! in turn; the numbered laws are asked throughout.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value as Json};
use stanch_core::config::{Config, May};
use stanch_core::contain::FreshProof;
use stanch_core::contain::fresh::How;
use stanch_core::journal::event::{Effect, RunEnd};
use stanch_core::law;
use stanch_core::playbook::run::task::{Ask, Field};
use stanch_core::playbook::run::{WaitsFor, id_of};
use stanch_model::{Action, ActionId, Failure, Observed, RunId, Span, Timestamp};

use crate::command::{Command, Who};
use crate::engine::EngineError;
use crate::hand::Hand;
use crate::input::Outcome;
use crate::runs::TaskReply;

/// Most moves of one play: a plan that needs more is stuck.
const MOVES: u32 = 5_000;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// How long after the beginning, for example `1h 5m`.
    pub after: String,
    /// `step`, `asked`, `changed`, `called`, `told`, `looked` or `over`.
    pub what: String,
    /// In words.
    pub text: String,
}

/// One play of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Play {
    /// What happened, in order.
    pub lines: Vec<Line>,
    /// How the run ended, in words; empty when it did not.
    pub end: String,
    /// Laws that did not hold.
    pub breaches: Vec<String>,
    /// Commits it took.
    pub commits: u64,
    /// Outward steps it took.
    pub outward: u64,
    /// What was left in place at the end.
    pub left: Vec<String>,
}

/// What goes wrong in a play.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// The process ends after so many moves, and begins again.
    pub crash_after: Option<u32>,
    /// The outward step of this number, from 0, fails for good.
    pub fail: Option<u64>,
}

/// Opens the engine, with the run begun: the same each time it is called, on a journal of its own,
/// or on the journal it opened last when that is to be read again.
pub type Open<'a> = &'a mut dyn FnMut(Timestamp, bool) -> Result<(Hand, RunId), EngineError>;

/// Plays the plan once.
///
/// # Errors
/// When the journal in memory refuses.
pub fn play(
    open: Open<'_>,
    begun: Timestamp,
    answers: &BTreeMap<String, Json>,
    trouble: Trouble,
) -> Result<Play, EngineError> {
    let (hand, run) = open(begun, false)?;
    let (present, said, lines) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
    let mut stage = Stage {
        hand,
        run,
        begun,
        now: begun,
        answers,
        trouble,
        present,
        said,
        lines,
        outward: 0,
        breaches: Vec::new(),
    };
    let mut moves = 0;
    while moves < MOVES && !stage.over() {
        moves += 1;
        if trouble.crash_after == Some(moves) {
            stage.hand = open(stage.now, true)?.0;
        }
        stage.one()?;
    }
    stage.tell_steps();
    let end = stage.hand.state().runs.get(&run).and_then(|r| r.ended.clone());
    let end = end.map(|(_, end, why)| format!("{}: {why}", end.word())).unwrap_or_default();
    stage.present.retain(|_, (_, until)| *until > stage.now);
    let left = stage.present.values().map(|(a, until)| format!("{} until {until}", a.kind.words())).collect();
    let commits = stage.hand.turns();
    Ok(Play { lines: stage.lines, end, breaches: stage.breaches, commits, outward: stage.outward, left })
}

struct Stage<'a> {
    hand: Hand,
    run: RunId,
    begun: Timestamp,
    now: Timestamp,
    answers: &'a BTreeMap<String, Json>,
    trouble: Trouble,
    present: BTreeMap<ActionId, (Action, Timestamp)>,
    /// Steps that have been told, by run and path.
    said: BTreeSet<(RunId, String)>,
    lines: Vec<Line>,
    outward: u64,
    breaches: Vec<String>,
}

impl Stage<'_> {
    fn over(&self) -> bool {
        let s = self.hand.state();
        s.runs.get(&self.run).is_none_or(|r| r.ended.is_some()) && s.pending.is_empty()
    }

    fn say(&mut self, what: &str, text: impl Into<String>) {
        let after = self.now.since(self.begun).to_string();
        self.lines.push(Line { after, what: what.to_owned(), text: text.into() });
    }

    fn one(&mut self) -> Result<(), EngineError> {
        let out = self.hand.outgoing();
        if out.is_empty() && !self.people()? {
            self.now = self.next_time();
            self.hand.tick(self.now)?;
        }
        for (id, what) in out {
            let outcome = self.carry_out(&what);
            self.hand.settle(self.now, id, outcome)?;
        }
        self.tell_steps();
        let (hand, now) = (&self.hand, self.now);
        let found = law::check(hand.state(), &hand.rules().config, &|run| hand.waits(run, now));
        for b in found.iter().map(ToString::to_string) {
            if !self.breaches.contains(&b) {
                self.breaches.push(b);
            }
        }
        Ok(())
    }

    /// The next time at which something happens by itself; a minute on where nobody can tell.
    fn next_time(&self) -> Timestamp {
        let s = self.hand.state();
        let mut times: Vec<Timestamp> = s.pending.values().map(|p| p.not_before).collect();
        for run in &s.agenda.live_runs {
            times.extend(self.hand.waits(*run, self.now).iter().filter_map(|w| match w {
                WaitsFor::Time(at) => Some(*at),
                WaitsFor::Effect(_)
                | WaitsFor::Question(_)
                | WaitsFor::Task(_)
                | WaitsFor::Change(_)
                | WaitsFor::Run(_)
                | WaitsFor::LookUps => None,
            }));
        }
        times.extend(s.live_actions().filter_map(|a| a.in_force.map(|(_, until)| until)));
        let next = times.into_iter().filter(|t| *t > self.now).min();
        next.unwrap_or_else(|| self.now.plus(Span::mins(1)))
    }

    fn tell_steps(&mut self) {
        let mut fresh = Vec::new();
        for run in self.hand.state().runs.values() {
            for (path, _, over) in run.over() {
                if self.said.insert((run.id, path.to_owned())) {
                    let whose = if run.id == self.run { String::new() } else { format!("{} ", run.name) };
                    let end =
                        if over.end.is_done() { String::new() } else { format!("{}: ", over.end.word()) };
                    fresh.push(("step", format!("{whose}{path}: {end}{}", over.outcome)));
                }
            }
            if let Some((_, end, why)) = &run.ended
                && self.said.insert((run.id, String::new()))
            {
                let word = if *end == RunEnd::Completed { "completed" } else { end.word() };
                fresh.push(("over", format!("{} {word}: {why}", run.name)));
            }
        }
        fresh.into_iter().for_each(|(what, text)| self.say(what, text));
    }

    /// People say yes, and fill in what they are asked for. True when somebody did.
    fn people(&mut self) -> Result<bool, EngineError> {
        let s = self.hand.state();
        let config = self.hand.rules().config.clone();
        let open = s.approvals.values().find(|a| a.settled.is_none());
        if let Some((a, said)) =
            open.map(|a| (a.approval.clone(), a.yes.iter().map(|(v, _)| v.by.clone()).collect::<Vec<_>>()))
        {
            let text =
                format!("{} may answer: {} for {}?", a.teams.join(", "), a.action.kind.words(), a.action.ttl);
            let Some(who) = somebody(&config, &a.teams, &said) else {
                self.say("asked", format!("{text} nobody in the configuration may say yes"));
                return Ok(false);
            };
            let approve = self.yes(&a.step);
            self.say("asked", format!("{text} {} says {}", who.name, if approve { "yes" } else { "no" }));
            let (approval, digest) = (a.id, a.digest());
            // Somebody who would prove that it is them, where that is asked.
            let proof = Some(FreshProof { how: How::Password, at: self.now });
            let reason = Some("rehearsal".into());
            let answer = Command::Decide { approval, who, digest, approve, reason, proof };
            return Ok(self.hand.order(self.now, answer)?.is_ok());
        }
        let open = s.tasks.values().find(|t| t.answered.is_none()).map(|t| t.task.clone());
        let Some(t) = open else { return Ok(false) };
        let Some(who) = somebody(&config, &t.teams, &[]) else { return Ok(false) };
        let (yes, values) = match &t.ask {
            Ask::Decision => (self.yes(&t.step), Json::Null),
            Ask::Work { form } => {
                let filled = self.answers.get(id_of(&t.step)).and_then(Json::as_object);
                let value = |f: &Field| match filled.and_then(|o| o.get(&f.name)) {
                    Some(given) => given.clone(),
                    None => sample(&f.kind, f.default.as_ref()),
                };
                let form: Map<_, _> = form.iter().map(|f| (f.name.clone(), value(f))).collect();
                (true, form.into())
            }
        };
        let words = match (&t.ask, yes) {
            (Ask::Work { .. }, _) => format!("answers {values}"),
            (Ask::Decision, true) => "says yes".to_owned(),
            (Ask::Decision, false) => "says no".to_owned(),
        };
        self.say("asked", format!("{} may answer: {} {} {words}", t.teams.join(", "), t.text, who.name));
        let reply = TaskReply { task: t.id, digest: t.digest(), yes, values, reason: "rehearsal".into() };
        Ok(self.hand.order(self.now, Command::AnswerTask { reply, who })?.is_ok())
    }

    /// What is said to a yes-or-no question of a step: yes, unless the author says otherwise.
    fn yes(&self, step: &str) -> bool {
        !matches!(self.answers.get(id_of(step)), Some(Json::Bool(false)))
    }

    fn carry_out(&mut self, what: &Effect) -> Outcome {
        let outward = matches!(what, Effect::Capture { .. } | Effect::Perform { .. } | Effect::Fetch { .. });
        let number = self.outward;
        self.outward += u64::from(outward);
        let fails = (outward && self.trouble.fail == Some(number))
            .then(|| Failure::permanent("rehearsal: this fails"));
        match what {
            Effect::LookUp { .. } => Outcome::Looked(Vec::new()),
            Effect::Enrich { about, .. } => {
                let about: Vec<String> = about.iter().map(ToString::to_string).collect();
                self.say("looked", format!("asked all enrichers about {}", about.join(", ")));
                Outcome::Looked(Vec::new())
            }
            Effect::Fetch { call, inputs, .. } => {
                let answer = self.answers.get(call).cloned().unwrap_or_else(|| Json::Object(Map::new()));
                self.say(
                    "called",
                    format!(
                        "{call} {inputs:?}: {}",
                        fails.as_ref().map_or(answer.to_string(), ToString::to_string)
                    ),
                );
                Outcome::Fetched(fails.map_or(Ok(answer), Err))
            }
            Effect::Notify { notice, .. } => {
                self.say("told", format!("{}: {}", notice.to.join(", "), notice.subject));
                Outcome::Told(Ok("rehearsal".into()))
            }
            Effect::Capture { .. } => Outcome::Captured(fails.map_or(Ok(None), Err)),
            Effect::Perform { action } => {
                let Some(pass) = self.hand.pass(*action, self.now) else {
                    return Outcome::Changed(Err(Failure::permanent("there is no permit for this change")));
                };
                let action = pass.permit.into_action();
                let words = format!("{} on {}", action.kind.words(), action.responder);
                self.say("changed", fails.as_ref().map_or(words.clone(), |f| format!("{words}: {f}")));
                if let Some(f) = fails {
                    return Outcome::Changed(Err(f));
                }
                let (ttl, until) = (action.ttl, self.now.plus(action.ttl));
                self.present.insert(action.id, (action, until));
                Outcome::Changed(Ok(Observed::Present { expires_in: Some(ttl) }))
            }
            Effect::Verify { action } => Outcome::Changed(Ok(match self.present.get(&action.id) {
                Some((_, until)) if *until > self.now => {
                    Observed::Present { expires_in: Some(until.since(self.now)) }
                }
                Some(_) | None => Observed::Absent,
            })),
            Effect::Revert { action } => {
                self.say("changed", format!("undone: {} on {}", action.kind.words(), action.responder));
                self.present.remove(&action.id);
                Outcome::Changed(Ok(Observed::Absent))
            }
        }
    }
}

/// Somebody of the configuration who may say yes for one of these teams and has not yet.
fn somebody(config: &Config, teams: &[String], not: &[String]) -> Option<Who> {
    let may = |(name, p): &(&String, &stanch_core::config::Person)| {
        p.role.may(May::Decide) && !not.contains(name) && p.teams.iter().any(|t| teams.contains(t))
    };
    let (name, p) = config.people.iter().find(may)?;
    Some(Who { name: name.clone(), role: p.role, teams: p.teams.iter().cloned().collect() })
}

/// A value of a type, for forms without a default.
fn sample(kind: &str, default: Option<&Json>) -> Json {
    if let Some(d) = default {
        return d.clone();
    }
    match kind {
        "integer" | "number" => 1.into(),
        "bool" => true.into(),
        "address" => "203.0.113.9".into(),
        "domain" => "host.example".into(),
        "account" => "someone".into(),
        "port" => "eth0".into(),
        "map" => Json::Object(Map::new()),
        "text" => "rehearsal".into(),
        list => Json::Array(list.strip_prefix("list of ").map(|of| sample(of, None)).into_iter().collect()),
    }
}
