//! One play: a change is asked for, made, held, and undone, and on the way something goes wrong.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use futures::executor::block_on;
use serde_json::Value as Json;
use stanch_connectors::responder::fake::{Fault, Verb};
use stanch_connectors::responder::{Faulty, Simulated};
use stanch_core::journal::State;
use stanch_core::journal::event::{ActionEnd, Effect};
use stanch_core::law;
use stanch_core::playbook::run::WaitsFor;
use stanch_engine::{Command, EngineError, Hand, Outcome, Rules, TaskReply, recover};
use stanch_model::port::{Entry, Head, Journal, JournalError, JournalReader, NewEntry, Responder as _};
use stanch_model::{Action, ActionId, EffectId, Failure, Span, Timestamp};
use stanch_store::MemoryJournal;

use super::firm;
use crate::world::START;

/// Where the process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    /// The intention is on disk, nothing has been sent.
    Intent,
    /// The disk refuses the record that would allow it: nothing may be sent.
    Audit,
    /// While it is sent: the device never hears of it.
    Send,
    /// The device has done it, and the connection ends before it answers.
    Effect,
    /// The answer is here, and nothing is written yet.
    Reply,
    /// The disk refuses the record of what came of it.
    Record,
    /// What came of it is on disk, and nobody has been told.
    Ack,
}

pub const KILLS: [Kill; 7] =
    [Kill::Intent, Kill::Audit, Kill::Send, Kill::Effect, Kill::Reply, Kill::Record, Kill::Ack];

/// The journal, whose disk can be made to refuse.
struct Disk {
    rows: MemoryJournal,
    refuses: Arc<AtomicBool>,
}

impl Journal for Disk {
    fn append(&mut self, at: Timestamp, entries: &[NewEntry]) -> Result<Head, JournalError> {
        if self.refuses.load(Ordering::SeqCst) && !entries.is_empty() {
            return self.rows.clone().failing_after(0).append(at, entries);
        }
        self.rows.append(at, entries)
    }

    fn head(&self) -> Head {
        self.rows.head()
    }

    fn replay(
        &self,
        after: u64,
        each: &mut dyn FnMut(Entry) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        self.rows.replay(after, each)
    }

    fn reader(&self) -> Result<Box<dyn JournalReader>, JournalError> {
        self.rows.reader()
    }
}

/// What came of a play.
#[derive(Debug, Default)]
pub struct Came {
    /// The kill struck.
    pub struck: bool,
    /// The change was in place, was seen, and is gone again (or stays, where it cannot be undone).
    pub made: bool,
    /// A person was told that it needs a person, or that the device does not show what it should.
    pub told: bool,
    /// It ended as "nobody can tell".
    pub unknown: bool,
    /// What was wrong: a double effect, an effect nobody knows of, a law.
    pub wrong: Vec<String>,
}

/// SplitMix64, as in the simulation.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

pub struct Play {
    rules: Rules,
    lasting: bool,
    chance: Chance,
    hand: Hand,
    rows: MemoryJournal,
    refuses: Arc<AtomicBool>,
    clock: Arc<AtomicI64>,
    device: Faulty<Simulated>,
    flights: Vec<(EffectId, Effect)>,
    kill: Option<(Kill, Verb)>,
    struck: bool,
    notices: Vec<String>,
    permitted: BTreeSet<ActionId>,
    wrong: Vec<String>,
}

impl Play {
    pub fn new(kind: &str, rules: &Rules, kill: Option<(Kill, Verb)>, seed: u64) -> Play {
        let clock = Arc::new(AtomicI64::new(START.0));
        let time = clock.clone();
        let device = Simulated::new("edge", Arc::new(move || Timestamp(time.load(Ordering::SeqCst))));
        let device = Faulty::new(device).with_half(Arc::new(|d: &Simulated, action| d.half(action)));
        let (rows, refuses) = (MemoryJournal::new(), Arc::new(AtomicBool::new(false)));
        let disk = Disk { rows: rows.reopen(), refuses: refuses.clone() };
        let mut hand = Hand::open(Box::new(disk), rules.clone(), START).unwrap();
        hand.receive(START, firm::alert()).unwrap();
        hand.tick(START).unwrap();
        let runs = hand.state().runs.values().map(|r| &r.ended).collect::<Vec<_>>();
        assert_eq!(runs, [&None], "{kind}: the alert starts the run");
        Play {
            rules: rules.clone(),
            lasting: kind == firm::LASTING,
            chance: Chance(seed.wrapping_mul(0x5851_f42d_4c95_7f2d)),
            hand,
            rows,
            refuses,
            clock,
            device,
            flights: Vec::new(),
            kill,
            struck: false,
            notices: Vec::new(),
            permitted: BTreeSet::new(),
            wrong: Vec::new(),
        }
    }

    /// Lets the device do something wrong.
    pub fn lie(&self, fault: Fault) {
        self.device.next(fault);
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.clock.load(Ordering::SeqCst))
    }

    fn pass(&self, span: Span) {
        self.clock.fetch_add(span.0, Ordering::SeqCst);
    }

    /// The process ends, and begins again some time later.
    fn crash(&mut self) {
        self.refuses.store(false, Ordering::SeqCst);
        self.flights.clear();
        // Sometimes at once, sometimes so late that what was permitted is stale.
        let late = [0, 0, 500, 30_000, 200_000][self.chance.below(5) as usize];
        self.pass(Span(late));
        let disk = Disk { rows: self.rows.reopen(), refuses: self.refuses.clone() };
        self.hand = Hand::open(Box::new(disk), self.rules.clone(), self.now()).unwrap();
    }

    fn try_hand<T>(&mut self, order: impl FnOnce(&mut Hand, Timestamp) -> Result<T, EngineError>) {
        let now = self.now();
        if order(&mut self.hand, now).is_err() {
            self.crash();
        }
    }

    /// Makes the disk refuse what follows, if this is the point to be killed at.
    fn audit(&mut self, verb: Verb) {
        if self.kill == Some((Kill::Audit, verb)) && !self.struck {
            self.struck = true;
            self.refuses.store(true, Ordering::SeqCst);
        }
    }

    pub fn go(mut self) -> Came {
        for _ in 0..3_000 {
            self.step();
            self.laws();
            if self.over() {
                return self.came();
            }
        }
        let left = format!("no end: {:?}", self.hand.state().pending);
        self.wrong.push(left);
        self.came()
    }

    fn over(&self) -> bool {
        let s = self.hand.state();
        // One that stays is looked at until the time it would have been held for is over.
        let watched = |until| until > self.now();
        let held = s.live_actions().any(|a| !a.lasting || a.in_force.is_none_or(|(_, until)| watched(until)));
        self.flights.is_empty() && s.agenda.live_runs.is_empty() && s.pending.is_empty() && !held
    }

    fn step(&mut self) {
        let out = self.hand.outgoing();
        self.flights.extend(out);
        if !self.flights.is_empty() {
            let n = self.chance.below(self.flights.len() as u64) as usize;
            let (id, what) = self.flights.swap_remove(n);
            return self.deliver(id, what);
        }
        if self.people() {
            return;
        }
        let next = self.next_time();
        self.clock.store(next.0, Ordering::SeqCst);
        if self.hand.state().live_actions().any(|a| a.in_force.is_some_and(|(_, until)| until <= next)) {
            self.audit(Verb::Revert);
        }
        self.try_hand(Hand::tick);
        self.refuses.store(false, Ordering::SeqCst);
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
        times.push(now.plus(Span::mins(1)));
        times.into_iter().filter(|t| *t > now).min().unwrap()
    }

    fn people(&mut self) -> bool {
        let s = self.hand.state();
        if let Some(a) = s.approvals.values().find(|a| a.settled.is_none()) {
            let name = if a.yes.is_empty() { "lead" } else { "second" };
            let (last, a) = (a.yes.len() + 1 == usize::from(a.approval.people), a.approval.clone());
            let (approval, digest, who) = (a.id, a.digest(), firm::person(name));
            if last {
                self.audit(Verb::Perform);
            }
            let command = Command::Decide { approval, who, digest, approve: true, reason: None, proof: None };
            self.try_hand(|hand, now| hand.order(now, command));
            self.refuses.store(false, Ordering::SeqCst);
            return true;
        }
        let Some(t) = s.tasks.values().find(|t| t.answered.is_none()) else { return false };
        let (task, digest) = (t.task.id, t.task.digest());
        let reply = TaskReply { task, digest, yes: true, values: Json::Null, reason: String::new() };
        let who = firm::person("lead");
        self.try_hand(|hand, now| hand.order(now, Command::AnswerTask { reply, who }));
        true
    }

    fn deliver(&mut self, id: EffectId, what: Effect) {
        let verb = match &what {
            Effect::Perform { .. } => Some(Verb::Perform),
            Effect::Revert { .. } => Some(Verb::Revert),
            Effect::LookUp { .. }
            | Effect::Notify { .. }
            | Effect::Enrich { .. }
            | Effect::Fetch { .. }
            | Effect::Capture { .. }
            | Effect::Verify { .. } => None,
        };
        let kill = self.kill.filter(|(_, v)| !self.struck && Some(*v) == verb).map(|(kill, _)| kill);
        self.struck |= kill.is_some_and(|k| k != Kill::Audit);
        match kill {
            Some(Kill::Intent) => return self.crash(),
            Some(Kill::Send) => {
                self.device.next(Fault::ErrorBefore(Failure::unknown("the line went dead")));
                drop(self.carry_out(what));
                return self.crash();
            }
            Some(Kill::Effect) => {
                self.device.next(Fault::TimeoutAfterApply);
                drop(self.carry_out(what));
                return self.crash();
            }
            Some(Kill::Reply) => {
                drop(self.carry_out(what));
                return self.crash();
            }
            Some(Kill::Audit | Kill::Record | Kill::Ack) | None => {}
        }
        let came = self.carry_out(what);
        if kill == Some(Kill::Record) {
            self.refuses.store(true, Ordering::SeqCst);
        }
        let again = came.clone();
        self.try_hand(|hand, now| hand.settle(now, id, came));
        self.refuses.store(false, Ordering::SeqCst);
        if kill == Some(Kill::Ack) {
            return self.crash();
        }
        // The network repeats an answer.
        if self.chance.below(6) == 0 {
            self.try_hand(|hand, now| hand.settle(now, id, again));
        }
    }

    fn permit(&mut self, id: ActionId) -> Option<Action> {
        let pass = self.hand.pass(id, self.now())?;
        self.permitted.insert(id);
        Some(pass.permit.into_action())
    }

    fn carry_out(&mut self, what: Effect) -> Outcome {
        let none = || Failure::permanent("there is no permit with our seal for this change");
        match what {
            Effect::LookUp { .. } | Effect::Enrich { .. } => Outcome::Looked(Vec::new()),
            Effect::Fetch { .. } => Outcome::Fetched(Err(Failure::permanent("nothing is declared"))),
            Effect::Notify { notice, .. } => {
                self.notices.push(notice.subject);
                Outcome::Told(Ok("250".into()))
            }
            Effect::Capture { action } => Outcome::Captured(match self.permit(action) {
                Some(a) => block_on(self.device.capture(&a)),
                None => Err(none()),
            }),
            Effect::Perform { action } => Outcome::Changed(match self.permit(action) {
                Some(a) => block_on(self.device.perform(&a)),
                None => Err(none()),
            }),
            Effect::Verify { action } => Outcome::Changed(block_on(self.device.verify(&action))),
            Effect::Revert { action } => Outcome::Changed(block_on(self.device.revert(&action))),
        }
    }

    fn laws(&mut self) {
        let (hand, now) = (&self.hand, self.now());
        let found = law::check(hand.state(), &hand.rules().config, &|run| hand.waits(run, now));
        self.wrong.extend(found.iter().map(ToString::to_string));
    }

    /// After an answer that says nothing, the device is looked at before it is asked again.
    fn blind(&self) -> bool {
        let ledger = self.device.ledger();
        let calls: Vec<_> = ledger.iter().filter(|l| l.verb != Verb::Revert).collect();
        calls.windows(2).any(|two| {
            let silent = match &two[0].fault {
                Some(Fault::TimeoutAfterApply | Fault::ErrorAfterApply) => true,
                Some(Fault::ErrorBefore(f)) => matches!(f, Failure::Unknown { .. }),
                Some(_) | None => false,
            };
            silent && two[0].verb == Verb::Perform && two[1].verb == Verb::Perform
        })
    }

    fn came(mut self) -> Came {
        if !self.device.doubles().is_empty() {
            self.wrong.push(format!("twice: {:?}", self.device.ledger()));
        }
        if self.kill.is_none() && self.blind() {
            self.wrong.push(format!("repeated blindly: {:?}", self.device.ledger()));
        }
        let effects = |v: Verb| self.device.ledger().iter().any(|l| l.verb == v && l.effect);
        let happened = effects(Verb::Perform);
        if happened && self.permitted.is_empty() {
            self.wrong.push("changed without a permit".into());
        }
        let s = self.hand.state();
        let ended = |end: ActionEnd| s.actions.values().any(|a| a.ended.as_ref().is_some_and(|e| e.1 == end));
        let lasts = s.actions.values().any(|a| a.lasting && a.in_force.is_some() && a.ended.is_none());
        let made = happened && (ended(ActionEnd::Lifted) || lasts);
        let unknown = ended(ActionEnd::Unknown);
        let person = |n: &String| {
            n.contains("needs a person") || n.contains("Drift") || n.contains("cannot be lifted")
        };
        let told = self.notices.iter().any(person);
        if !made && !told {
            self.wrong.push(format!("lost, and nobody was told: {:?} {:?}", s.actions, self.notices));
        }
        if !self.lasting && !self.device.device().is_empty() {
            // Only where nobody could tell, or where the device lied about it; and then for no longer than
            // its own timer.
            let excuse = unknown || self.kill.is_none();
            self.pass(Span::hours(1));
            if !excuse || !self.device.device().is_empty() {
                self.wrong.push(format!("left on the device: {:?}", self.device.ledger()));
            }
        }
        match recover(&self.rows.reopen()) {
            Ok(folded) if shown(&folded) == shown(self.hand.state()) => {}
            Ok(_) => self.wrong.push("the fold differs from the live state".into()),
            Err(e) => self.wrong.push(e.to_string()),
        }
        Came { struck: self.struck, made, told, unknown, wrong: self.wrong }
    }
}

/// What two folds of the same journal must agree on.
fn shown(s: &State) -> String {
    format!("{:?}\n{:?}\n{:?}\n{:?}", s.actions, s.approvals, s.pending, s.agenda.live_runs)
}
