//! The threads: one that owns the state, and a task for each effect on its way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stanch_core::contain::lease::{Pass, pass};
use stanch_core::journal::State;
use stanch_core::journal::event::{Effect, Event, Loaded};
use stanch_core::journal::learnt::{Asked, Grown};
use stanch_model::port::{Journal, JournalError, JournalReader, NewEntry};
use stanch_model::{ActionId, EffectId, Failure, RunId, Timestamp};
use tokio::sync::{Semaphore, oneshot};

use crate::backlog::{Backlog, Most};
use crate::command::{Command, CommandError, Done};
use crate::engine::{Shared, fetch, read, write};
use crate::input::{Ack, Input, Loader, Outcome, Outgoing, Received};
use crate::lanes::Lanes;
use crate::leases::held_back;
use crate::outbox::carry_out;
use crate::queue::{Hope, Queue};
use crate::rules::Rules;
use crate::runs::{Replied, Waiter};
use crate::turn::Turn;

/// What is taken into one commit: as many deliveries at most (and as many other inputs into the one after
/// it), and so many bytes of bodies. The rest waits for the next, and what is written is answered meanwhile.
/// Larger groups spare no more: at 1,000 alerts a commit costs some 0.1 µs for each.
const GROUP: Most = Most { many: 512, bytes: 384 << 10 };
/// The longest that senders just answered are waited for, so that they share the next commit.
const COMING_BACK: Duration = Duration::from_micros(500);
/// How often the clock is looked at.
const TICK: Duration = Duration::from_millis(100);
/// Ticks between scans for alerts that have aged.
const AGE_EVERY: u64 = 600;
/// Ticks between looks at how sources speak: two seconds.
const HEALTH_EVERY: u64 = 20;
/// Effects under way at once.
const UNDER_WAY: usize = 4_096;

/// Starts the thread that owns the state, and its clock.
///
/// # Errors
/// When no thread can be started.
pub(crate) fn drive(
    shared: Arc<Shared>,
    journal: Box<dyn Journal>,
    reader: Box<dyn JournalReader>,
    inputs: Arc<Queue<Input>>,
    runtime: tokio::runtime::Handle,
) -> std::io::Result<()> {
    let core = Core {
        shared,
        journal,
        reader,
        inputs: inputs.clone(),
        backlog: Backlog::new(),
        aside: VecDeque::new(),
        stopping: false,
        turns: 0,
        last: Spent::default(),
        runtime: runtime.clone(),
        in_flight: BTreeSet::new(),
        waiters: BTreeMap::new(),
        ticks: 0,
        growing: None,
        slots: Arc::new(Semaphore::new(UNDER_WAY)),
        lanes: Lanes::default(),
    };
    std::thread::Builder::new().name("stanch-core".into()).spawn(move || core.run())?;
    runtime.spawn(async move {
        let mut every = tokio::time::interval(TICK);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            if inputs.put(Input::Tick).is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// The thread that owns the state.
struct Core {
    shared: Arc<Shared>,
    journal: Box<dyn Journal>,
    reader: Box<dyn JournalReader>,
    inputs: Arc<Queue<Input>>,
    /// Deliveries beyond what one commit holds.
    backlog: Backlog<Delivery>,
    /// Other inputs, in order; empty but while there are more than one turn takes.
    aside: VecDeque<Input>,
    stopping: bool,
    /// How often was taken what had come in.
    turns: u64,
    /// What the last commit cost, in time.
    last: Spent,
    runtime: tokio::runtime::Handle,
    in_flight: BTreeSet<EffectId>,
    waiters: BTreeMap<RunId, Waiter>,
    ticks: u64,
    /// The model that is being grown: the verdicts it will know.
    growing: Option<u64>,
    slots: Arc<Semaphore>,
    lanes: Lanes,
}

type Ordered = Result<Done, CommandError>;
type Delivery = ((Received, Timestamp), oneshot::Sender<Ack>, tokio::sync::OwnedSemaphorePermit);

/// What is answered once the disk has the commit.
#[derive(Default)]
struct Replies {
    acks: Vec<(oneshot::Sender<Ack>, Ack, tokio::sync::OwnedSemaphorePermit)>,
    answers: Vec<(oneshot::Sender<Ordered>, Ordered)>,
    reloads: Vec<oneshot::Sender<()>>,
    runs: Vec<(Waiter, Replied)>,
}

impl Core {
    fn run(mut self) {
        let why = match std::panic::catch_unwind(AssertUnwindSafe(|| self.work())) {
            Ok(Ok(())) => None,
            Ok(Err(e)) => Some(e.to_string()),
            Err(_) => Some("a bug stopped the engine; nothing that was acknowledged is lost".to_owned()),
        };
        if let Some(why) = why {
            tracing::error!(error = why, "the engine stops");
            self.shared.failed.send_replace(Some(why));
        }
        self.inputs.close();
        self.shared.stopped.send_replace(true);
    }

    fn work(&mut self) -> Result<(), JournalError> {
        self.wake()?;
        let mut hope = None;
        loop {
            let taken = if self.waits() { self.inputs.take_now() } else { self.inputs.take(hope) };
            self.turns += 1;
            self.last = Spent::default();
            let begun = Instant::now();
            let answered = self.turn(taken)?;
            if self.stopping && !self.waits() {
                return Ok(());
            }
            hope = self.hope(answered, begun);
        }
    }

    /// True while more is taken out of the queue than one turn deals with.
    fn waits(&self) -> bool {
        !self.backlog.is_empty() || !self.aside.is_empty()
    }

    /// Senders that were just answered are about to deliver again, and a sync costs the same for one as
    /// for all of them. So they are waited for: as long as the last commit took, which at worst doubles
    /// what a sender waits, and not at all where deciding is what takes the time.
    fn hope(&self, answered: usize, begun: Instant) -> Option<Hope> {
        let now = Instant::now();
        let syncing = self.last.committing;
        let deciding = now.saturating_duration_since(begun).saturating_sub(syncing);
        let many = answered + self.inputs.len();
        (many > 1 && deciding < syncing).then(|| Hope { many, until: now + syncing.min(COMING_BACK) })
    }

    /// The first turn after a start: says so, and goes on with what was under way.
    fn wake(&mut self) -> Result<(), JournalError> {
        let rules = self.rules();
        let shared = self.shared.clone();
        let mut state = write(&shared.state);
        let mut turn = Turn::new(&mut state, &rules, self.now(), self.journal.head().seq);
        if turn.state.config_hash != rules.config.hash {
            turn.record(loaded(&rules, "start".into()));
        }
        turn.wake();
        turn.due();
        let more = turn.more();
        let (at, entries, mut outgoing) = (turn.now, turn.entries, turn.outgoing);
        let known: BTreeSet<EffectId> = outgoing.iter().map(|o| o.id).collect();
        let idle = Turn::new(&mut state, &rules, at, 0).retries(&known);
        drop(state);
        self.go_on(more);
        self.commit(at, &entries)?;
        outgoing.extend(idle);
        self.dispatch(outgoing);
        Ok(())
    }

    fn rules(&self) -> Arc<Rules> {
        read(&self.shared.rules).clone()
    }

    fn now(&self) -> Timestamp {
        (read(&self.shared.ports).now)()
    }

    /// Runs that were left over are not left waiting for the clock.
    fn go_on(&self, more: bool) {
        if more {
            self.inputs.put(Input::Tick).ok();
        }
    }

    /// One turn over what has come in: how many were answered.
    fn turn(&mut self, inputs: Vec<Input>) -> Result<usize, JournalError> {
        let mut replies = Replies::default();
        let deliveries = self.sort(inputs);
        if !deliveries.is_empty() {
            let rules = self.rules();
            self.deliver(&rules, deliveries, &mut replies)?;
        }
        self.rest(&mut replies)?;
        // Whoever waited for a run comes back as senders do.
        let answered = replies.acks.len() + replies.runs.len();
        self.answer(replies);
        Ok(answered)
    }

    /// Sets other inputs aside, and says which deliveries go into this commit: all of them, as they came,
    /// unless that is too much. Only then it matters whose they are.
    fn sort(&mut self, inputs: Vec<Input>) -> Vec<Delivery> {
        let (mut deliveries, mut bytes, mut before_last) = (Vec::new(), 0, 0);
        for input in inputs {
            match input {
                Input::Received(r, reply, permit) => {
                    before_last = bytes;
                    bytes += r.0.body.len();
                    deliveries.push((r, reply, permit));
                }
                Input::Stop => self.stopping = true,
                Input::Reloaded(..)
                | Input::Ordered(..)
                | Input::Settled(..)
                | Input::Grown(..)
                | Input::Tick => self.aside.push_back(input),
            }
        }
        if self.backlog.is_empty() && deliveries.len() <= GROUP.many && before_last <= GROUP.bytes {
            return deliveries;
        }
        let rules = self.rules();
        let share = |source: &str| rules.config.sources.get(source).map(|s| s.share).unwrap_or_default();
        for one in deliveries {
            let received = &one.0.0;
            let (source, bytes) = (received.source.clone(), received.body.len());
            self.backlog.put((&source, bytes), share(&source).critical, one);
        }
        self.backlog.take(GROUP, |source| share(source).weight)
    }

    /// What was set aside, in order, as much as one turn takes.
    fn rest(&mut self, replies: &mut Replies) -> Result<(), JournalError> {
        let (mut rules, mut rest) = (self.rules(), Vec::new());
        let now: Vec<Input> = self.aside.drain(..self.aside.len().min(GROUP.many)).collect();
        for input in now {
            match input {
                Input::Reloaded(new, by, reply) => {
                    // What came before is judged by the rules before; and who saved a playbook is known before
                    // anything runs by it.
                    if !rest.is_empty() {
                        self.others(&rules, std::mem::take(&mut rest), replies)?;
                    }
                    rules = Arc::new(*new);
                    *write(&self.shared.rules) = rules.clone();
                    self.others(&rules, vec![Other::Loaded(by)], replies)?;
                    replies.reloads.push(reply);
                }
                Input::Ordered(c, reply) => rest.push(Other::Ordered(Box::new(c), reply)),
                Input::Settled(id, outcome) => rest.push(Other::Settled(id, outcome)),
                Input::Grown(upto, model) => rest.push(Other::Grown(upto, model)),
                Input::Tick => rest.push(Other::Tick),
                // Never set aside.
                Input::Received(..) | Input::Stop => {}
            }
        }
        if rest.is_empty() {
            return Ok(());
        }
        self.others(&rules, rest, replies)
    }

    /// Lets answers out: one wake-up of the runtime for all of them, not one for each.
    fn answer(&self, replies: Replies) {
        if !replies.is_empty() {
            self.runtime.spawn(async move { replies.send() });
        }
    }

    fn deliver(
        &mut self,
        rules: &Rules,
        deliveries: Vec<Delivery>,
        replies: &mut Replies,
    ) -> Result<(), JournalError> {
        let (mut bodies, mut waiting) = (Vec::new(), Vec::new());
        for (r, reply, permit) in deliveries {
            bodies.push(r);
            waiting.push((reply, permit));
        }
        // Asked before the state is held: a clock is a call into the world.
        let (shared, now) = (self.shared.clone(), self.now());
        let mut state = write(&shared.state);
        let mut turn = Turn::new(&mut state, rules, now, self.journal.head().seq);
        let acks = turn.receive(bodies);
        let (at, entries, outgoing) = (turn.now, turn.entries, turn.outgoing);
        drop(state);
        self.commit(at, &entries)?;
        self.dispatch(outgoing);
        let waited = self.turns;
        let told = waiting.into_iter().zip(acks);
        replies.acks.extend(told.map(|((reply, permit), ack)| (reply, Ack { waited, ..ack }, permit)));
        Ok(())
    }

    fn others(&mut self, rules: &Rules, rest: Vec<Other>, replies: &mut Replies) -> Result<(), JournalError> {
        let (shared, now) = (self.shared.clone(), self.now());
        let mut state = write(&shared.state);
        let mut turn = Turn::new(&mut state, rules, now, self.journal.head().seq);
        let mut ticked = false;
        for other in rest {
            match other {
                Other::Loaded(by) => {
                    turn.record(loaded(rules, by));
                    turn.lift_protected();
                }
                Other::Ordered(command, reply) => {
                    let answer = turn.order(*command);
                    replies.answers.push((reply, answer));
                }
                Other::Settled(id, outcome) => {
                    self.in_flight.remove(&id);
                    let reader = &mut self.reader;
                    turn.settle(id, outcome, &mut |state, alert| fetch(reader.as_mut(), state, alert));
                }
                Other::Grown(upto, model) => turn.grown(upto, model),
                Other::Tick => ticked = true,
            }
        }
        let wanted = turn.state.learnt.wanted().cloned();
        if ticked {
            self.ticks += 1;
            turn.due();
            if self.ticks.is_multiple_of(HEALTH_EVERY) {
                turn.look_after_sources();
                turn.close_earned();
                turn.wake_for_held();
            }
            if self.ticks.is_multiple_of(AGE_EVERY) {
                turn.age_out();
            }
        }
        let mut outgoing = std::mem::take(&mut turn.outgoing);
        if ticked {
            let mut known = self.in_flight.clone();
            known.extend(outgoing.iter().map(|o| o.id));
            outgoing.extend(turn.retries(&known));
        }
        self.waiters.extend(std::mem::take(&mut turn.waiting));
        let told = std::mem::take(&mut turn.told);
        let told =
            told.into_iter().filter_map(|run| Some((self.waiters.remove(&run)?, replied(turn.state, run)?)));
        let told: Vec<_> = told.collect();
        let more = turn.more();
        let (at, entries) = (turn.now, turn.entries);
        drop(state);
        self.go_on(more);
        self.commit(at, &entries)?;
        self.dispatch(outgoing);
        self.grow(wanted);
        replies.runs.extend(told);
        Ok(())
    }

    /// Has a model grown on another thread; its verdicts are on disk.
    fn grow(&mut self, wanted: Option<Asked>) {
        let Some(asked) = wanted.filter(|w| self.growing != Some(w.upto)) else { return };
        self.growing = Some(asked.upto);
        let inputs = self.inputs.clone();
        self.runtime.spawn_blocking(move || {
            inputs.put(Input::Grown(asked.upto, asked.grow())).ok();
        });
    }

    fn commit(&mut self, at: Timestamp, entries: &[NewEntry]) -> Result<(), JournalError> {
        if entries.is_empty() {
            return Ok(());
        }
        let begun = Instant::now();
        self.journal.append(at, entries)?;
        self.last.committing += begun.elapsed();
        Ok(())
    }

    /// What may be done with a change now: nothing, unless our seal is on all it rests on.
    fn pass(&self, action: ActionId) -> Option<Pass> {
        let (rules, now) = (self.rules(), self.now());
        let state = read(&self.shared.state);
        match pass(state.actions.get(&action)?, &rules.seal, now) {
            Ok(pass) => Some(pass),
            Err(why) => {
                tracing::error!(%action, why = %why, "a change is not made");
                None
            }
        }
    }

    /// Sends effects out. Whatever happens to one, an outcome comes back.
    fn dispatch(&mut self, outgoing: Vec<Outgoing>) {
        for Outgoing { id, what } in outgoing {
            if !self.in_flight.insert(id) {
                continue;
            }
            let ports = read(&self.shared.ports).clone();
            let (inputs, slots) = (self.inputs.clone(), self.slots.clone());
            let pass = match &what {
                Effect::Capture { action } | Effect::Perform { action } => self.pass(*action),
                Effect::LookUp { .. }
                | Effect::Enrich { .. }
                | Effect::Fetch { .. }
                | Effect::Notify { .. }
                | Effect::Verify { .. }
                | Effect::Revert { .. } => None,
            };
            let (lanes, shared) = (self.lanes.clone(), self.shared.clone());
            self.runtime.spawn(async move {
                // First, so that a device that is slow holds up nothing else.
                let _lane = match (&what, &pass) {
                    (Effect::Perform { .. }, Some(pass)) => {
                        lanes.enter(&pass.permit.action().responder).await
                    }
                    _ => None,
                };
                let _slot = slots.acquire_owned().await;
                // The last look before the act: the wait may have been long, and clocks jump.
                let held_back = match &what {
                    Effect::Perform { action } => held_back(&read(&shared.state), *action, (ports.now)()),
                    Effect::LookUp { .. }
                    | Effect::Enrich { .. }
                    | Effect::Fetch { .. }
                    | Effect::Notify { .. }
                    | Effect::Capture { .. }
                    | Effect::Verify { .. }
                    | Effect::Revert { .. } => None,
                };
                let outcome = match held_back {
                    Some(why) => Outcome::Changed(Err(Failure::unknown(why))),
                    None => carry_out(ports, id, what, pass).await,
                };
                inputs.put(Input::Settled(id, outcome)).ok();
            });
        }
    }
}

enum Other {
    Loaded(Loader),
    Ordered(Box<Command>, oneshot::Sender<Result<Done, CommandError>>),
    Settled(EffectId, Outcome),
    Grown(u64, Grown),
    Tick,
}

/// Where the time of a turn went.
#[derive(Default)]
struct Spent {
    committing: Duration,
}

impl Replies {
    fn is_empty(&self) -> bool {
        self.acks.is_empty() && self.answers.is_empty() && self.reloads.is_empty() && self.runs.is_empty()
    }

    fn send(self) {
        for (reply, ack, _permit) in self.acks {
            reply.send(ack).ok();
        }
        for (reply, answer) in self.answers {
            reply.send(answer).ok();
        }
        for reply in self.reloads {
            reply.send(()).ok();
        }
        for (waiter, replied) in self.runs {
            waiter.send(replied).ok();
        }
    }
}

/// What whoever waits for a run is told.
fn replied(state: &State, run: RunId) -> Option<Replied> {
    let r = state.runs.get(&run)?;
    let ended = r.ended.as_ref().map(|(_, end, why)| (*end, why.clone()));
    Some(Replied { run, reply: r.reply(), ended })
}

fn loaded(rules: &Rules, by: Loader) -> Event {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let Loader { by, saved } = by;
    Event::Loaded(Loaded { hash: rules.config.hash.clone(), version, by, saved })
}
