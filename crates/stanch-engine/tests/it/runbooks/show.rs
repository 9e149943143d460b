//! One rehearsal, told line by line: alerts in, questions answered, devices changed and changed back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::Value as Json;
use stanch_connectors::notifier::{Sink, Smtp, SmtpConfig};
use stanch_connectors::responder::{Faulty, Simulated};
use stanch_core::journal::event::Effect;
use stanch_core::law;
use stanch_core::playbook::run::task::Ask;
use stanch_core::playbook::run::{WaitsFor, incident_value};
use stanch_engine::{Answer, Command, Hand, Outcome, Received, Rules, TaskReply};
use stanch_model::port::{Notifier as _, Responder as _};
use stanch_model::{Action, Failure, IncidentId, Observable, Observed, RunId, Span, Timestamp};
use stanch_store::MemoryJournal;

use super::firm::{DEVICES, somebody};

/// Most moves of one rehearsal.
const MOVES: u32 = 4_000;

/// What people answer, by the name of the step.
pub type People = BTreeMap<String, Json>;

pub struct Show {
    pub hand: Hand,
    clock: Arc<AtomicI64>,
    begun: Timestamp,
    pub devices: BTreeMap<String, Faulty<Simulated>>,
    pub mail: Sink,
    smtp: Smtp,
    people: People,
    told: BTreeSet<(RunId, String)>,
    pub lines: Vec<String>,
    pub sent: usize,
}

impl Show {
    pub async fn new(rules: Rules, begun: Timestamp, people: People) -> Show {
        let clock = Arc::new(AtomicI64::new(begun.0));
        let device = |name: &str| {
            let time = clock.clone();
            Faulty::new(Simulated::new(name, Arc::new(move || Timestamp(time.load(Ordering::SeqCst)))))
        };
        let devices = DEVICES.iter().map(|(name, _)| ((*name).to_owned(), device(name))).collect();
        let mail = Sink::start().await.unwrap();
        let smtp = SmtpConfig::local("mail", mail.addr(), "stanch@example.com", &["ops@example.com"]);
        let smtp = Smtp::new(smtp).unwrap();
        let hand = Hand::open(Box::new(MemoryJournal::new()), rules, begun).unwrap();
        let (told, lines) = (BTreeSet::new(), Vec::new());
        Show { hand, clock, begun, devices, mail, smtp, people, told, lines, sent: 0 }
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.clock.load(Ordering::SeqCst))
    }

    fn say(&mut self, what: &str, text: impl AsRef<str>) {
        let after = self.now().since(self.begun);
        let after = if after.0 == 0 { "0s".to_owned() } else { after.to_string() };
        self.lines.push(format!("{after:>8}  {what:<9} {}", text.as_ref()));
    }

    pub fn receive(&mut self, name: &str, received: Received) {
        let said = format!("{name}: {} records", received.records.len());
        self.say("received", said);
        let now = self.now();
        let ack = self.hand.receive(now, received).unwrap();
        self.hand.tick(now).unwrap();
        assert_eq!(ack.quarantined, 0, "{name} holds a record that cannot be read");
    }

    /// Look-ups answer, and notices go out, until nothing is under way; nobody has said anything yet.
    pub async fn settle(&mut self) {
        loop {
            let out = self.hand.outgoing();
            if out.is_empty() {
                return;
            }
            for (id, what) in out {
                let came = self.carry_out(what).await;
                self.hand.settle(self.now(), id, came).unwrap();
            }
        }
    }

    /// Whoever is on duty takes the incident, so that nobody is paged again and again.
    pub fn take(&mut self, incident: IncidentId) {
        let state = self.hand.state();
        let i = incident_value(state, &state.incidents[&incident]);
        self.say(
            "incident",
            format!(
                "{incident}, {}, confidence {:.2}, severity {}: {}",
                i["kind"].as_str().unwrap(),
                i["confidence"].as_f64().unwrap(),
                i["severity"],
                i["title"].as_str().unwrap()
            ),
        );
        let who = somebody(&self.hand.rules().config, &["secops".to_owned()], &[]).unwrap();
        let now = self.now();
        self.hand.order(now, Command::Acknowledge { incident, who }).unwrap().unwrap();
    }

    /// Plays until every run is over, nothing is under way, and nothing is in force any more.
    pub async fn play(&mut self) {
        for _ in 0..MOVES {
            self.steps();
            let state = self.hand.state();
            if state.agenda.live_runs.is_empty()
                && state.pending.is_empty()
                && state.live_actions().all(|a| a.lasting && a.in_force.is_some())
            {
                return;
            }
            self.one().await;
            let (hand, now) = (&self.hand, self.now());
            let found = law::check(hand.state(), &hand.rules().config, &|run| hand.waits(run, now));
            assert!(found.is_empty(), "{found:?}\n{}", self.lines.join("\n"));
        }
        panic!("no end after {MOVES} moves:\n{}", self.lines.join("\n"));
    }

    async fn one(&mut self) {
        let out = self.hand.outgoing();
        if out.is_empty() && !self.approval() && !self.task() {
            self.clock.store(self.next_time().0, Ordering::SeqCst);
            self.hand.tick(self.now()).unwrap();
        }
        for (id, what) in out {
            let came = self.carry_out(what).await;
            self.hand.settle(self.now(), id, came).unwrap();
        }
        self.steps();
    }

    fn next_time(&self) -> Timestamp {
        let (state, now) = (self.hand.state(), self.now());
        let mut times: Vec<Timestamp> = state.pending.values().map(|p| p.not_before).collect();
        for run in &state.agenda.live_runs {
            times.extend(self.hand.waits(*run, now).iter().filter_map(|w| match w {
                WaitsFor::Time(at) => Some(*at),
                WaitsFor::Effect(_)
                | WaitsFor::Question(_)
                | WaitsFor::Task(_)
                | WaitsFor::Change(_)
                | WaitsFor::Run(_)
                | WaitsFor::LookUps => None,
            }));
        }
        times.extend(state.live_actions().filter_map(|a| a.in_force.map(|(_, until)| until)));
        times.into_iter().filter(|t| *t > now).min().unwrap_or_else(|| now.plus(Span::mins(1)))
    }

    /// Somebody who is asked answers a question about a change. True when there was one.
    fn approval(&mut self) -> bool {
        let state = self.hand.state();
        let Some(a) = state.approvals.values().find(|a| a.settled.is_none()) else { return false };
        let said: Vec<String> = a.yes.iter().map(|(v, _)| v.by.clone()).collect();
        let a = a.approval.clone();
        let who = somebody(&self.hand.rules().config, &a.teams, &said).expect("somebody who may agree");
        let approve =
            !matches!(self.people.get(stanch_core::playbook::run::id_of(&a.step)), Some(Json::Bool(false)));
        let word = if approve { "yes" } else { "no" };
        self.say(
            "asked",
            format!(
                "{} of {}: {} {}? {} says {word}",
                if a.people == 1 { "one".to_owned() } else { a.people.to_string() },
                a.teams.join(", "),
                a.action.kind.words(),
                if a.lasting { "for good".to_owned() } else { format!("for {}", a.action.ttl) },
                who.name
            ),
        );
        let command =
            Command::Decide { approval: a.id, who, digest: a.digest(), approve, reason: None, proof: None };
        let now = self.now();
        self.hand.order(now, command).unwrap().unwrap();
        true
    }

    /// Somebody who is asked does work by hand, or decides. True when there was something.
    fn task(&mut self) -> bool {
        let state = self.hand.state();
        let Some(t) = state.tasks.values().find(|t| t.answered.is_none()).map(|t| t.task.clone()) else {
            return false;
        };
        let step = stanch_core::playbook::run::id_of(&t.step).to_owned();
        let said = self.people.get(&step).unwrap_or_else(|| panic!("people.json has no answer for {step}"));
        let (yes, values) = match &t.ask {
            Ask::Decision => (said.as_bool().expect("true or false"), Json::Null),
            Ask::Work { .. } => (true, said.clone()),
        };
        let who = somebody(&self.hand.rules().config, &t.teams, &[]).expect("somebody who may answer");
        let words =
            if values.is_null() { if yes { "yes" } else { "no" }.to_owned() } else { values.to_string() };
        self.say("asked", format!("{}: {} {} says {words}", t.teams.join(", "), t.text, who.name));
        let reply = TaskReply { task: t.id, digest: t.digest(), yes, values, reason: String::new() };
        let now = self.now();
        self.hand.order(now, Command::AnswerTask { reply, who }).unwrap().unwrap();
        true
    }

    /// Tells which steps and runs are over now.
    fn steps(&mut self) {
        let mut fresh = Vec::new();
        for run in self.hand.state().runs.values() {
            for (path, _, over) in run.over() {
                if self.told.insert((run.id, path.to_owned())) {
                    let end =
                        if over.end.is_done() { String::new() } else { format!("{}: ", over.end.word()) };
                    fresh.push(("step", format!("{path}: {end}{}", over.outcome)));
                }
            }
            if let Some((_, end, why)) = &run.ended
                && self.told.insert((run.id, String::new()))
            {
                fresh.push(("over", format!("{} {}: {why}", run.name, end.word())));
            }
        }
        fresh.into_iter().for_each(|(what, text)| self.say(what, text));
    }

    async fn carry_out(&mut self, what: Effect) -> Outcome {
        match what {
            Effect::LookUp { site, about, .. } | Effect::Enrich { site, about, .. } => {
                let rules = self.hand.rules();
                let one = |o: &Observable| Answer {
                    provider: "references".into(),
                    about: o.clone(),
                    outcome: Ok(rules.about(&site, o)),
                    took: Span(1),
                };
                let answers: Vec<Answer> = about.iter().map(one).collect();
                let known: usize = answers.iter().filter_map(|a| a.outcome.as_ref().ok()).map(Vec::len).sum();
                let about: Vec<String> = about.iter().map(ToString::to_string).collect();
                self.say("looked up", format!("{}: {known} facts", about.join(", ")));
                Outcome::Looked(answers)
            }
            Effect::Fetch { call, .. } => {
                Outcome::Fetched(Err(Failure::permanent(format!("nobody declared {call}"))))
            }
            Effect::Notify { notice, noc, .. } => {
                let whom = notice.to.join(", ");
                self.say(if noc { "noc told" } else { "told" }, format!("{whom}: {}", notice.subject));
                self.sent += 1;
                Outcome::Told(self.smtp.notify(&notice).await)
            }
            Effect::Capture { action } => {
                let action = self.hand.pass(action, self.now()).expect("a permit").permit.into_action();
                Outcome::Captured(self.devices[&action.responder].capture(&action).await)
            }
            Effect::Perform { action } => {
                let action = self.hand.pass(action, self.now()).expect("a permit").permit.into_action();
                let came = self.devices[&action.responder].perform(&action).await;
                self.on_device("changed", &action, &came);
                Outcome::Changed(came)
            }
            Effect::Verify { action } => {
                let came = self.devices[&action.responder].verify(&action).await;
                self.on_device("looked", &action, &came);
                Outcome::Changed(came)
            }
            Effect::Revert { action } => {
                let came = self.devices[&action.responder].revert(&action).await;
                self.on_device("undone", &action, &came);
                Outcome::Changed(came)
            }
        }
    }

    fn on_device(&mut self, what: &str, action: &Action, came: &Result<Observed, Failure>) {
        let shows = match came {
            Ok(Observed::Present { expires_in }) => {
                expires_in.map_or("in place".to_owned(), |left| format!("in place for {left}"))
            }
            Ok(Observed::Absent) => "not there".to_owned(),
            Ok(Observed::Different { what }) => what.clone(),
            Err(f) => f.to_string(),
        };
        let line = format!("{} on {}: {shows}", action.kind.words(), action.responder);
        // Every lease is looked at once a minute; what has not changed is not told again.
        let again =
            self.lines.iter().rev().find(|l| l.contains(&action.kind.words()) && l.contains("  looked "));
        if what == "looked" && again.is_some_and(|l| l.contains("in place")) && shows.starts_with("in place")
        {
            return;
        }
        self.say(what, line);
    }
}
