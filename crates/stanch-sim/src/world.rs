//! One world: moves drawn from a seed, faults in between, laws after each.

use std::collections::BTreeSet;

use serde_json::json;
use stanch_core::journal::State;
use stanch_core::journal::event::{ActionEnd, Effect};
use stanch_core::law::{self, Breach};
use stanch_engine::command::Stops;
use stanch_engine::{Answer, Command, Hand, Outcome as Came, Start, TaskReply, recover};
use stanch_model::{ActionId, EffectId, Failure, IncidentId, Observable, Observed, Span, Timestamp};
use stanch_store::MemoryJournal;

use crate::chance::Chance;
use crate::device::Device;
use crate::firm::{self, DAY, START, person};

/// What came of one world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Where the journal ended: its length and its hash.
    pub head: String,
    /// Laws that did not hold, with the move after which that was seen.
    pub breaches: Vec<(u64, Breach)>,
    /// What happened, in numbers: alerts, runs, changes, crashes, effects.
    pub counts: [u64; 5],
}

/// An effect on its way.
struct Flight {
    id: EffectId,
    what: Effect,
    due: Timestamp,
}

struct World {
    chance: Chance,
    journal: MemoryJournal,
    hand: Hand,
    now: Timestamp,
    device: Device,
    flights: Vec<Flight>,
    /// Answers that came, to be sent once more.
    again: Vec<(EffectId, Came)>,
    /// Changes about which the device did not tell the truth, or nothing at all.
    lied: BTreeSet<ActionId>,
    /// The disk has been told to refuse.
    refusing: bool,
    peace: bool,
    sent: u64,
    crashes: u64,
    effects: u64,
    breaches: Vec<(u64, Breach)>,
    moves: u64,
}

/// Plays one world to its end.
///
/// # Errors
/// When the firm's own files cannot be used.
pub fn play(seed: u64) -> Result<Outcome, String> {
    let mut w = World::new(seed)?;
    let moves = 40 + w.chance.below(120);
    for _ in 0..moves {
        w.moves += 1;
        w.step();
        w.laws();
    }
    w.rest();
    Ok(Outcome {
        head: w.hand.head(),
        counts: [
            w.sent,
            w.hand.state().next.run - 1,
            w.hand.state().actions.len() as u64,
            w.crashes,
            w.effects,
        ],
        breaches: w.breaches,
    })
}

impl World {
    fn new(seed: u64) -> Result<World, String> {
        let journal = MemoryJournal::new();
        let hand =
            Hand::open(Box::new(journal.reopen()), firm::rules()?, START).map_err(|e| e.to_string())?;
        Ok(World {
            chance: Chance::new(seed),
            journal,
            hand,
            now: START,
            device: Device::default(),
            flights: Vec::new(),
            again: Vec::new(),
            lied: BTreeSet::new(),
            refusing: false,
            peace: false,
            sent: 0,
            crashes: 0,
            effects: 0,
            breaches: Vec::new(),
            moves: 0,
        })
    }

    // ---------------------------------------------------------------------------------- moves

    fn step(&mut self) {
        match self.chance.below(20) {
            0..=3 => self.alert(),
            4 => self.call(),
            5..=7 => self.people(),
            8 => self.pass(),
            9 if self.chance.once_in(3) => self.crash(),
            10 if self.chance.once_in(6) => self.device.flush(),
            11 => self.repeat(),
            12 if self.chance.once_in(4) => self.refuse(),
            _ => self.deliver(),
        }
        self.collect();
    }

    /// An answer of the engine that was not kept: the process ends and begins again.
    fn try_hand<T>(
        &mut self,
        order: impl FnOnce(&mut Hand, Timestamp) -> Result<T, stanch_engine::EngineError>,
    ) -> bool {
        let now = self.now;
        let kept = order(&mut self.hand, now).is_ok();
        if !kept {
            self.crash();
        }
        kept
    }

    fn alert(&mut self) {
        let c = &mut self.chance;
        let (sid, kind, victim, other) = (c.below(9), c.below(3), c.below(4), c.below(6));
        // Some come late, some from a clock ahead.
        let at = self.now.plus(Span::secs(c.below(120) as i64 - 90));
        let received = firm::alert(at, sid, kind, victim, other);
        let records = received.records.len() as u64;
        // What the disk refused was not acknowledged, and is not counted.
        if self.try_hand(|hand, now| hand.receive(now, received)) {
            self.sent += records;
        }
    }

    fn call(&mut self) {
        let n = self.chance.below(9);
        let (playbook, inputs, hook) = match self.chance.below(3) {
            0 => ("helper", json!({ "n": n }), false),
            _ => ("greet", json!({ "n": n }), true),
        };
        let asked = Start { playbook: playbook.into(), incident: None, inputs, hook, waiter: None };
        self.try_hand(|hand, now| hand.order(now, Command::Start { asked, who: person("lead") }));
    }

    fn people(&mut self) {
        let Some(command) = self.order() else { return };
        self.try_hand(|hand, now| hand.order(now, command));
    }

    fn order(&mut self) -> Option<Command> {
        let who = person(if self.chance.once_in(3) { "second" } else { "lead" });
        let state = self.hand.state();
        let incidents: Vec<IncidentId> = state.incidents.keys().copied().collect();
        let open: Vec<_> =
            state.approvals.values().filter(|a| a.settled.is_none()).map(|a| a.approval.id).collect();
        let tasks: Vec<_> =
            state.tasks.values().filter(|t| t.answered.is_none()).map(|t| t.task.id).collect();
        let live: Vec<ActionId> = state.live_actions().map(|a| a.action.id).collect();
        let c = &mut self.chance;
        Some(match c.below(14) {
            0..=5 => {
                let approval = c.pick(&open)?;
                let digest = self.hand.state().approvals[&approval].approval.digest();
                let approve = !self.chance.once_in(4);
                Command::Decide { approval, who, digest, approve, reason: None, proof: None }
            }
            6..=8 => {
                let task = c.pick(&tasks)?;
                let digest = self.hand.state().tasks[&task].task.digest();
                let yes = !self.chance.once_in(4);
                let reply = TaskReply { task, digest, yes, values: json!({}), reason: String::new() };
                Command::AnswerTask { reply, who }
            }
            9 => Command::Acknowledge { incident: c.pick(&incidents)?, who },
            10 => {
                let leave_changes = c.once_in(2);
                Command::Resolve { incident: c.pick(&incidents)?, who, text: "done".into(), leave_changes }
            }
            11 => {
                let (from, into) = (c.pick(&incidents)?, c.pick(&incidents)?);
                Command::Merge { from, into, who, because: "the same".into() }
            }
            12 => Command::Release { action: c.pick(&live)?, who, reason: "it hurts".into(), only: None },
            _ => Command::KillSwitch { engaged: c.once_in(3), stops: Stops::Everything, who },
        })
    }

    fn pass(&mut self) {
        let c = &mut self.chance;
        let span = match c.below(12) {
            0..=4 => Span(c.below(2_000) as i64),
            5..=8 => Span::secs(c.below(600) as i64),
            9 => Span::mins(c.below(600) as i64),
            // The clock is set, forwards or back.
            10 => Span(DAY.0 * (1 + c.below(30) as i64)),
            _ => Span::secs(-(c.below(3_600) as i64)),
        };
        self.now = self.now.plus(span);
        self.device.expire(self.now);
        self.try_hand(Hand::tick);
    }

    /// The process ends. What was on its way may have arrived all the same; nobody hears of it.
    fn crash(&mut self) {
        self.crashes += 1;
        self.again.clear();
        // What the disk refused is in the live state and not in the journal: then they differ rightly.
        if !self.refusing {
            self.folded();
        }
        self.refusing = false;
        for f in std::mem::take(&mut self.flights) {
            if self.chance.once_in(2) {
                drop(self.carry_out(&f.what));
            }
        }
        self.open(self.journal.reopen());
    }

    fn open(&mut self, journal: MemoryJournal) {
        // The firm's files loaded once, so they load again; a journal of our own is readable.
        let Ok(rules) = firm::rules() else { return };
        match Hand::open(Box::new(journal), rules, self.now) {
            Ok(hand) => self.hand = hand,
            Err(e) => self.broken(4, e.to_string()),
        }
        self.collect();
    }

    /// The disk refuses after a few more commits: the process has to end, and loses nothing.
    fn refuse(&mut self) {
        self.crash();
        let more = 1 + self.chance.below(4);
        let failing = self.journal.reopen().failing_after(more);
        self.refusing = true;
        self.open(failing);
    }

    // -------------------------------------------------------------------------------- effects

    fn collect(&mut self) {
        for (id, what) in self.hand.outgoing() {
            let delay = if self.peace { 0 } else { self.chance.below(4_000) as i64 };
            self.flights.push(Flight { id, what, due: self.now.plus(Span(delay)) });
        }
    }

    /// One of the effects on their way arrives, in any order, and its answer comes back, or does not.
    fn deliver(&mut self) {
        if self.flights.is_empty() {
            return self.pass();
        }
        let n = self.chance.below(self.flights.len() as u64) as usize;
        let f = self.flights.swap_remove(n);
        self.now = self.now.max(f.due);
        let came = self.carry_out(&f.what);
        self.effects += 1;
        if !self.peace && self.chance.once_in(8) {
            self.again.push((f.id, came.clone()));
        }
        self.try_hand(|hand, now| hand.settle(now, f.id, came));
    }

    /// An answer comes a second time.
    fn repeat(&mut self) {
        if let Some((id, came)) = self.again.pop() {
            self.try_hand(|hand, now| hand.settle(now, id, came));
        }
    }

    fn trouble(&mut self) -> Option<Failure> {
        if self.peace {
            return None;
        }
        match self.chance.below(10) {
            0 => Some(Failure::transient("busy")),
            1 => Some(Failure::permanent("no such thing")),
            2 => Some(Failure::unknown("the line went dead")),
            3 => Some(Failure::RateLimited { why: "slower".into(), retry_after: Span::secs(90) }),
            _ => None,
        }
    }

    fn carry_out(&mut self, what: &Effect) -> Came {
        let trouble = self.trouble();
        match what {
            Effect::LookUp { about, .. } | Effect::Enrich { about, .. } => {
                let one = |o: &Observable| Answer {
                    provider: "assets".into(),
                    about: o.clone(),
                    outcome: trouble.clone().map_or_else(|| Ok(firm::facts(o)), Err),
                    took: Span(1),
                };
                Came::Looked(about.iter().map(one).collect())
            }
            Effect::Fetch { .. } => Came::Fetched(trouble.map_or_else(|| Ok(json!({ "ok": true })), Err)),
            Effect::Notify { .. } => Came::Told(trouble.map_or_else(|| Ok("250".into()), Err)),
            Effect::Capture { action } => match self.hand.pass(*action, self.now) {
                None => Came::Captured(Err(Failure::permanent("no permit"))),
                Some(_) => Came::Captured(trouble.map_or_else(|| Ok(None), Err)),
            },
            Effect::Perform { action } => self.perform(*action, trouble),
            Effect::Verify { action } => {
                // A device may lie, about what is there and about what is not.
                let shown = self.device.look(action.id, self.now);
                let lie = !self.peace && self.chance.once_in(12);
                if lie || trouble.is_some() {
                    self.lied.insert(action.id);
                }
                let shown = match (lie, shown) {
                    (true, Observed::Absent) => Observed::Present { expires_in: None },
                    (true, _) => Observed::Absent,
                    (false, shown) => shown,
                };
                Came::Changed(trouble.map_or(Ok(shown), Err))
            }
            Effect::Revert { action } => match trouble {
                Some(f @ Failure::Unknown { .. }) => {
                    self.device.revert(action.id);
                    Came::Changed(Err(f))
                }
                Some(f) => Came::Changed(Err(f)),
                None => Came::Changed(Ok(self.device.revert(action.id))),
            },
        }
    }

    fn perform(&mut self, id: ActionId, trouble: Option<Failure>) -> Came {
        let Some(pass) = self.hand.pass(id, self.now) else {
            return Came::Changed(Err(Failure::permanent("no permit")));
        };
        let action = pass.permit.into_action();
        let over = self.hand.state().actions.get(&id).is_some_and(|a| a.ended.is_some());
        if over {
            self.broken(3, format!("{id} is over, and is made again"));
        }
        match trouble {
            // It may have happened, or not: both do.
            Some(f @ Failure::Unknown { .. }) => {
                if self.chance.once_in(2) {
                    self.device.perform(&action, self.now);
                }
                Came::Changed(Err(f))
            }
            Some(f) => Came::Changed(Err(f)),
            None if !self.peace && self.chance.once_in(15) => {
                self.lied.insert(id);
                Came::Changed(Ok(Observed::Present { expires_in: Some(action.ttl) }))
            }
            None => Came::Changed(Ok(self.device.perform(&action, self.now))),
        }
    }

    // ----------------------------------------------------------------------------------- laws

    fn broken(&mut self, law: u8, what: String) {
        self.breaches.push((self.moves, Breach { law, what }));
    }

    fn laws(&mut self) {
        // The engine looks at the clock all the time: what is due has been done when anybody looks.
        self.try_hand(Hand::tick);
        self.collect();
        let (hand, now) = (&self.hand, self.now);
        let found = law::check(hand.state(), &hand.rules().config, &|run| hand.waits(run, now));
        self.breaches.extend(found.into_iter().map(|b| (self.moves, b)));
        let received = self.hand.state().ledger().total.received;
        if received != self.sent {
            self.broken(1, format!("{} records were sent and {received} are counted", self.sent));
        }
    }

    /// No more faults: everything must come to an end by itself.
    fn rest(&mut self) {
        self.peace = true;
        self.again.clear();
        self.crash();
        let lift = Command::KillSwitch { engaged: false, stops: Stops::Everything, who: person("lead") };
        self.try_hand(|hand, now| hand.order(now, lift));
        for _ in 0..600 {
            self.collect();
            while !self.flights.is_empty() {
                self.deliver();
                self.collect();
            }
            if self.settled() {
                break;
            }
            self.now = self.now.plus(Span::mins(5));
            self.device.expire(self.now);
            self.try_hand(Hand::tick);
        }
        self.moves += 1;
        self.laws();
        if !self.settled() {
            let s = self.hand.state();
            let runs: Vec<_> =
                s.agenda.live_runs.iter().map(|r| (*r, self.hand.waits(*r, self.now))).collect();
            let live: Vec<_> = s.live_actions().map(|a| (a.action.id, a.in_force)).collect();
            let pending: Vec<_> = s.pending.iter().take(5).map(|(id, p)| (*id, p.what.clone())).collect();
            self.broken(6, format!("no rest: runs {runs:?}, changes {live:?}, pending {pending:?}"));
        }
        self.device.expire(self.now);
        // Nothing is left behind. The one excuse is a device that did not tell the truth about this very
        // change: then nobody can know, it is not called lifted, and the device's own timer ends it.
        let state = self.hand.state();
        let known = |id: &ActionId| match state.actions.get(id).and_then(|a| a.ended.as_ref()) {
            Some((_, ActionEnd::Failed | ActionEnd::Unknown, _)) => !self.lied.contains(id),
            Some((_, ActionEnd::Lifted, _)) | None => true,
        };
        let left: Vec<ActionId> = self.device.left().into_iter().filter(known).collect();
        if !left.is_empty() {
            let ends: Vec<_> = left.iter().map(|id| state.actions.get(id).map(|a| &a.ended)).collect();
            self.broken(3, format!("over, and still on the device: {left:?} {ends:?}"));
        }
        self.folded();
    }

    /// The journal, read from its beginning, gives the state that is live.
    fn folded(&mut self) {
        match recover(&self.journal.reopen()) {
            Ok(folded) if shown(&folded) == shown(self.hand.state()) => {}
            Ok(_) => self.broken(4, "the fold differs from the live state".into()),
            Err(e) => self.broken(4, e.to_string()),
        }
    }

    fn settled(&self) -> bool {
        let s = self.hand.state();
        let unknown = |a: &stanch_core::journal::state::ActionState| a.ended.is_none();
        s.agenda.live_runs.is_empty() && s.pending.is_empty() && !s.actions.values().any(unknown)
    }
}

/// What two folds of the same journal must agree on.
fn shown(s: &State) -> BTreeSet<String> {
    let runs = s.runs.values().map(|r| format!("{} {:?} {:?} {:?}", r.id, r.steps, r.order, r.ended));
    let actions = s.actions.values().map(|a| format!("{a:?}"));
    let asked = s.approvals.values().map(|a| format!("{a:?}"));
    let tasks = s.tasks.values().map(|t| format!("{t:?}"));
    let incidents = s.incidents.values().map(|i| format!("{i:?}"));
    let rest = format!("{:?} {:?} {:?} {:?}", s.ledger(), s.pending, s.next, s.agenda.live_runs);
    runs.chain(actions).chain(asked).chain(tasks).chain(incidents).chain([rest]).collect()
}
