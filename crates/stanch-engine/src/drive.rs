//! The threads: one that owns the state, and a task for each effect on its way.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, RwLock};

use futures::future::BoxFuture;
use stanch_core::journal::detail::IntakeDetail;
use stanch_core::journal::event::{Event, Loaded};
use stanch_core::journal::{State, decode};
use stanch_model::port::{Journal, JournalError, JournalReader, Notifier, Responder};
use stanch_model::{Alert, AlertId, EffectId, Observable, Span, Timestamp};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::command::{Command, CommandError, Done};
use crate::commit::{Commit, Ordered, Replies, Writer};
use crate::input::{Ack, Answer, Busy, Input, Outcome, Received};
use crate::rules::Rules;
use crate::turn::Turn;

/// Inputs taken into one commit at most.
const GROUP: usize = 512;
/// Bytes of bodies taken into one commit at most; the rest waits for the next.
const GROUP_BYTES: usize = 16 << 20;
/// How often the clock is looked at.
const TICK: std::time::Duration = std::time::Duration::from_millis(100);
/// Ticks between scans for alerts that have aged.
const AGE_EVERY: u64 = 600;

/// Asks all enrichers about some observables of a site.
pub type LookUp = Arc<dyn Fn(String, Vec<Observable>) -> BoxFuture<'static, Vec<Answer>> + Send + Sync>;
/// Tells the time.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the engine calls in the world.
#[derive(Clone)]
pub struct Ports {
    /// All look-ups at once, each with its deadline: every answer, late and failed ones too.
    pub look_up: LookUp,
    /// Devices we can change.
    pub responders: Vec<Arc<dyn Responder>>,
    /// Ways to tell people.
    pub notifiers: Vec<Arc<dyn Notifier>>,
    /// Our clock.
    pub now: Now,
}

/// Why the engine could not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The journal could not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// It holds something this program cannot read.
    #[error(transparent)]
    Undecodable(#[from] stanch_core::journal::Undecodable),
    /// No thread could be started.
    #[error("no thread could be started: {0}")]
    Thread(#[from] std::io::Error),
}

pub(crate) struct Shared {
    pub(crate) state: RwLock<State>,
    rules: RwLock<Arc<Rules>>,
    pub(crate) ports: RwLock<Ports>,
    pub(crate) reader: Mutex<Box<dyn JournalReader>>,
    failed: watch::Sender<Option<String>>,
    stopped: watch::Sender<bool>,
}

/// The running engine. Clones share it.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
    inputs: mpsc::UnboundedSender<Input>,
    room: Arc<Semaphore>,
}

/// Reads a lock whatever a panicking holder left: the state itself is only changed by the one thread,
/// which stops the process on a panic.
pub(crate) fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Folds a journal from its beginning.
///
/// # Errors
/// When it cannot be read, or holds an entry this program does not know.
pub fn recover(journal: &dyn Journal) -> Result<State, EngineError> {
    let mut state = State::default();
    let mut odd = None;
    journal
        .replay(0, &mut |entry| {
            match decode(&entry) {
                Ok(event) => state.apply(entry.seq, entry.at, &event),
                Err(e) => {
                    let seq = e.seq;
                    odd.get_or_insert(e);
                    return Err(JournalError::Broken { seq, why: "see above".into() });
                }
            }
            Ok(())
        })
        .or_else(|e| odd.map_or(Err(EngineError::from(e)), |o| Err(o.into())))?;
    Ok(state)
}

impl Engine {
    /// Reads the journal, then starts. Blocks while reading.
    ///
    /// # Errors
    /// When the journal cannot be read, or a thread cannot be started.
    pub fn start(
        journal: Box<dyn Journal>,
        rules: Rules,
        ports: Ports,
        runtime: tokio::runtime::Handle,
    ) -> Result<Engine, EngineError> {
        let state = recover(journal.as_ref())?;
        let reader = journal.reader()?;
        let own_reader = journal.reader()?;
        let room = Arc::new(Semaphore::new(rules.config.server.intake_queue));
        let shared = Arc::new(Shared {
            state: RwLock::new(state),
            rules: RwLock::new(Arc::new(rules)),
            ports: RwLock::new(ports),
            reader: Mutex::new(reader),
            failed: watch::Sender::new(None),
            stopped: watch::Sender::new(false),
        });
        let (inputs, queue) = mpsc::unbounded_channel();
        let head = journal.head().seq;
        let writer = Writer::start(journal, shared.clone(), inputs.clone(), runtime.clone())?;
        let core = Core {
            shared: shared.clone(),
            writer,
            head,
            reader: own_reader,
            in_flight: BTreeSet::new(),
            ticks: 0,
        };
        std::thread::Builder::new().name("stanch-core".into()).spawn(move || core.run(queue))?;
        let ticks = inputs.clone();
        runtime.spawn(async move {
            let mut every = tokio::time::interval(TICK);
            every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                every.tick().await;
                if ticks.send(Input::Tick).is_err() {
                    return;
                }
            }
        });
        Ok(Engine { shared, inputs, room })
    }

    /// Takes a delivery in; returns after the disk has it.
    ///
    /// # Errors
    /// [`Busy`] when too much is waiting already, or the engine is stopping: nothing was taken in.
    pub async fn receive(&self, received: Received) -> Result<Ack, Busy> {
        let busy = Busy(Span::secs(1));
        let permit = self.room.clone().try_acquire_owned().map_err(|_| busy)?;
        let (reply, answer) = oneshot::channel();
        let received = (received, self.now());
        self.inputs.send(Input::Received(received, reply, permit)).map_err(|_| busy)?;
        answer.await.map_err(|_| busy)
    }

    /// Does what a person asked for.
    ///
    /// # Errors
    /// Why it was not done.
    pub async fn command(&self, command: Command) -> Result<Done, CommandError> {
        let (reply, answer) = oneshot::channel();
        self.inputs.send(Input::Ordered(command, reply)).map_err(|_| CommandError::Stopping)?;
        answer.await.map_err(|_| CommandError::Stopping)?
    }

    /// Swaps rules and ports whole; what is under way goes on with what it began with.
    pub async fn reload(&self, rules: Rules, ports: Ports, by: &str) {
        *write(&self.shared.ports) = ports;
        let (reply, answer) = oneshot::channel();
        if self.inputs.send(Input::Reloaded(Box::new(rules), by.to_owned(), reply)).is_ok() {
            answer.await.ok();
        }
    }

    /// Looks at the state; keep it short, the engine waits meanwhile.
    pub fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&read(&self.shared.state))
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> Arc<Rules> {
        read(&self.shared.rules).clone()
    }

    /// The time by the engine's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (read(&self.shared.ports).now)()
    }

    /// True while intake is taken in.
    ///
    /// # Errors
    /// Why it is not.
    pub fn healthy(&self) -> Result<(), String> {
        match self.shared.failed.borrow().clone() {
            Some(why) => Err(why),
            None if *self.shared.stopped.borrow() => Err("stopped".into()),
            None => Ok(()),
        }
    }

    /// Finishes what is in hand and stops. Effects under way are settled at the next start.
    pub async fn stop(&self) {
        self.room.close();
        self.inputs.send(Input::Stop).ok();
        let mut stopped = self.shared.stopped.subscribe();
        stopped.wait_for(|s| *s).await.ok();
    }

    /// Resolves, with the reason, when the engine can go on no longer: the process must then exit.
    pub async fn failed(&self) -> String {
        let mut failed = self.shared.failed.subscribe();
        let why = failed.wait_for(Option::is_some).await;
        why.ok().and_then(|w| w.clone()).unwrap_or_else(|| "the engine is gone".into())
    }
}

/// The thread that owns the state.
struct Core {
    shared: Arc<Shared>,
    writer: Writer,
    /// Sequence number of the last entry decided; the disk follows.
    head: u64,
    reader: Box<dyn JournalReader>,
    in_flight: BTreeSet<EffectId>,
    ticks: u64,
}

impl Core {
    fn run(mut self, mut queue: mpsc::UnboundedReceiver<Input>) {
        let worked = std::panic::catch_unwind(AssertUnwindSafe(|| self.work(&mut queue)));
        let Core { shared, writer, .. } = self;
        let why = match (worked, writer.finish()) {
            (Ok(()), Ok(())) => None,
            (Ok(()), Err(e)) => Some(e.to_string()),
            (Err(_), _) => Some("a bug stopped the engine; nothing that was acknowledged is lost".to_owned()),
        };
        if let Some(why) = why {
            tracing::error!(error = why, "the engine stops");
            shared.failed.send_replace(Some(why));
        }
        shared.stopped.send_replace(true);
    }

    /// Works until told to stop, or until the disk fails.
    fn work(&mut self, queue: &mut mpsc::UnboundedReceiver<Input>) {
        let mut on = self.wake();
        let mut taken = Vec::with_capacity(GROUP);
        while on && queue.blocking_recv_many(&mut taken, GROUP) > 0 {
            on = self.turn(std::mem::take(&mut taken));
        }
    }

    /// The first turn after a start: says so, and goes on with what was under way.
    fn wake(&mut self) -> bool {
        let rules = self.rules();
        let shared = self.shared.clone();
        let mut state = write(&shared.state);
        let mut turn = Turn::new(&mut state, &rules, self.now(), self.head);
        if turn.state.config_hash != rules.config.hash {
            turn.record(loaded(&rules, "start"));
        }
        turn.wake();
        turn.due();
        let (at, entries, mut outgoing) = (turn.now, turn.entries, turn.outgoing);
        let known: BTreeSet<EffectId> = outgoing.iter().map(|o| o.id).collect();
        outgoing.extend(Turn::new(&mut state, &rules, at, 0).retries(&known));
        drop(state);
        self.head += entries.len() as u64;
        self.hand_over(Commit { at, entries, outgoing, replies: Replies::default() })
    }

    /// Hands a commit to the disk. False when the disk has failed.
    fn hand_over(&mut self, mut commit: Commit) -> bool {
        commit.outgoing.retain(|o| self.in_flight.insert(o.id));
        self.writer.take(commit)
    }

    fn rules(&self) -> Arc<Rules> {
        read(&self.shared.rules).clone()
    }

    fn now(&self) -> Timestamp {
        (read(&self.shared.ports).now)()
    }

    /// One turn over what has come in. False when it is time to stop.
    fn turn(&mut self, inputs: Vec<Input>) -> bool {
        let mut rules = self.rules();
        let mut commit = Commit { at: self.now(), ..Commit::default() };
        let mut go_on = true;
        let (mut deliveries, mut rest) = (Vec::new(), Vec::new());
        let mut bytes = 0;
        for input in inputs {
            match input {
                Input::Received(r, reply, permit) => {
                    bytes += r.0.body.len();
                    deliveries.push((r, reply, permit));
                    if bytes > GROUP_BYTES {
                        self.deliver(&rules, std::mem::take(&mut deliveries), &mut commit);
                        let next = Commit { at: self.now(), ..Commit::default() };
                        go_on &= self.hand_over(std::mem::replace(&mut commit, next));
                        bytes = 0;
                    }
                }
                Input::Reloaded(new, by, reply) => {
                    rules = Arc::new(*new);
                    *write(&self.shared.rules) = rules.clone();
                    rest.push(Other::Loaded(by));
                    commit.replies.reloads.push(reply);
                }
                Input::Ordered(c, reply) => rest.push(Other::Ordered(Box::new(c), reply)),
                Input::Settled(id, outcome) => rest.push(Other::Settled(id, outcome)),
                Input::Tick => rest.push(Other::Tick),
                Input::Stop => go_on = false,
            }
        }
        if !deliveries.is_empty() {
            self.deliver(&rules, deliveries, &mut commit);
        }
        if !rest.is_empty() {
            self.others(&rules, rest, &mut commit);
        }
        self.hand_over(commit) && go_on
    }

    fn deliver(&mut self, rules: &Rules, deliveries: Vec<Waiting>, commit: &mut Commit) {
        let (mut bodies, mut waiting) = (Vec::new(), Vec::new());
        for (r, reply, permit) in deliveries {
            bodies.push(r);
            waiting.push((reply, permit));
        }
        let shared = self.shared.clone();
        let mut state = write(&shared.state);
        let mut turn = Turn::new(&mut state, rules, commit.at, self.head);
        let acks = turn.receive(bodies);
        self.head += turn.entries.len() as u64;
        commit.entries.extend(turn.entries);
        commit.outgoing.extend(turn.outgoing);
        let replies = waiting.into_iter().zip(acks).map(|((reply, permit), ack)| (reply, ack, permit));
        commit.replies.acks.extend(replies);
    }

    fn others(&mut self, rules: &Rules, rest: Vec<Other>, commit: &mut Commit) {
        let shared = self.shared.clone();
        let mut state = write(&shared.state);
        let mut turn = Turn::new(&mut state, rules, commit.at, self.head);
        let mut ticked = false;
        for other in rest {
            match other {
                Other::Loaded(by) => turn.record(loaded(rules, &by)),
                Other::Ordered(command, reply) => {
                    let answer = turn.order(*command);
                    commit.replies.answers.push((reply, answer));
                }
                Other::Settled(id, outcome) => {
                    self.in_flight.remove(&id);
                    let reader = &mut self.reader;
                    turn.settle(id, outcome, &mut |state, alert| fetch(reader.as_mut(), state, alert));
                }
                Other::Tick => ticked = true,
            }
        }
        if ticked {
            self.ticks += 1;
            turn.due();
            if self.ticks.is_multiple_of(AGE_EVERY) {
                turn.age_out();
            }
            let mut known = self.in_flight.clone();
            known.extend(commit.outgoing.iter().chain(&turn.outgoing).map(|o| o.id));
            let again = turn.retries(&known);
            turn.outgoing.extend(again);
        }
        self.head += turn.entries.len() as u64;
        commit.entries.extend(turn.entries);
        commit.outgoing.extend(turn.outgoing);
    }
}

/// A delivery, its sender, and its place in the queue.
type Waiting = ((Received, Timestamp), oneshot::Sender<Ack>, tokio::sync::OwnedSemaphorePermit);

enum Other {
    Loaded(String),
    Ordered(Box<Command>, oneshot::Sender<Ordered>),
    Settled(EffectId, Outcome),
    Tick,
}

fn loaded(rules: &Rules, by: &str) -> Event {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Event::Loaded(Loaded { hash: rules.config.hash.clone(), version, by: by.to_owned() })
}

fn fetch(reader: &mut dyn JournalReader, state: &State, alert: AlertId) -> Option<Alert> {
    let slot = state.slot(alert)?;
    let detail = reader.detail(slot.seq).ok()??;
    IntakeDetail::decode(&detail)?.alert(slot.ordinal as usize)
}
