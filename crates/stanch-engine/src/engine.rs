//! The engine as others hold it: what comes in, what can be asked, and what it calls in the world.

use std::sync::{Arc, Mutex, RwLock};

use futures::future::BoxFuture;
use stanch_core::journal::State;
use stanch_core::journal::detail::IntakeDetail;
use stanch_core::playbook::run::{WaitsFor, standing};
use stanch_model::port::{Caller, Journal, JournalError, JournalReader, Notifier, Responder};
use stanch_model::{Alert, AlertId, Observable, RunId, Span, Timestamp};
use tokio::sync::{Semaphore, oneshot, watch};

use crate::command::{Command, CommandError, Done};
use crate::drive::drive;
use crate::input::{Ack, Answer, Busy, Input, Loader, Received};
use crate::queue::Queue;
use crate::recover::recover;
use crate::rules::Rules;

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
    /// Calls that an operator has declared.
    pub callers: Vec<Arc<dyn Caller>>,
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
    pub(crate) rules: RwLock<Arc<Rules>>,
    pub(crate) ports: RwLock<Ports>,
    pub(crate) reader: Mutex<Box<dyn JournalReader>>,
    pub(crate) failed: watch::Sender<Option<String>>,
    pub(crate) stopped: watch::Sender<bool>,
}

/// The running engine. Clones share it.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
    inputs: Arc<Queue<Input>>,
    room: Arc<Semaphore>,
}

/// Reads a lock whatever a panicking holder left: the state itself is only changed by the one thread,
/// which stops the process on a panic.
pub(crate) fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

pub(crate) fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(std::sync::PoisonError::into_inner)
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
        let inputs = Arc::new(Queue::new());
        drive(shared.clone(), journal, own_reader, inputs.clone(), runtime)?;
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
        let before = self.inputs.put(Input::Received(received, reply, permit)).map_err(|_| busy)?;
        let mut ack = answer.await.map_err(|_| busy)?;
        ack.waited = ack.waited.saturating_sub(before);
        Ok(ack)
    }

    /// How many deliveries more may wait for the disk now.
    #[must_use]
    pub fn free(&self) -> usize {
        self.room.available_permits()
    }

    /// Does what a person asked for.
    ///
    /// # Errors
    /// Why it was not done.
    pub async fn command(&self, command: Command) -> Result<Done, CommandError> {
        let (reply, answer) = oneshot::channel();
        self.inputs.put(Input::Ordered(command, reply)).map_err(|_| CommandError::Stopping)?;
        answer.await.map_err(|_| CommandError::Stopping)?
    }

    /// Swaps rules and ports whole; what is under way goes on with what it began with.
    pub async fn reload(&self, rules: Rules, ports: Ports, by: impl Into<Loader>) {
        *write(&self.shared.ports) = ports;
        let (reply, answer) = oneshot::channel();
        if self.inputs.put(Input::Reloaded(Box::new(rules), by.into(), reply)).is_ok() {
            answer.await.ok();
        }
    }

    /// Puts other rules in force and keeps what is connected: who may do what has changed, and nothing
    /// else.
    pub async fn rule(&self, rules: Rules, by: &str) {
        let (reply, answer) = oneshot::channel();
        if self.inputs.put(Input::Reloaded(Box::new(rules), by.into(), reply)).is_ok() {
            answer.await.ok();
        }
    }

    /// Looks at the state; keep it short, the engine waits meanwhile.
    pub fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&read(&self.shared.state))
    }

    /// What a run waits for; empty when it is over or there is none.
    #[must_use]
    pub fn waits(&self, run: RunId) -> Vec<WaitsFor> {
        let (rules, now) = (self.rules(), self.now());
        self.read(|s| match s.runs.get(&run) {
            Some(r) => rules.world(s, now, |w| standing(w, r).waits),
            None => Vec::new(),
        })
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> Arc<Rules> {
        read(&self.shared.rules).clone()
    }

    /// True when a notifier of this name is at work.
    #[must_use]
    pub fn tells(&self, notifier: &str) -> bool {
        read(&self.shared.ports).notifiers.iter().any(|n| n.name() == notifier)
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
        self.inputs.put(Input::Stop).ok();
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

/// Reads an alert back from the journal's details.
pub(crate) fn fetch(reader: &mut dyn JournalReader, state: &State, alert: AlertId) -> Option<Alert> {
    let slot = state.slot(alert)?;
    let detail = reader.detail(slot.seq).ok()??;
    IntakeDetail::decode(&detail)?.alert(slot.ordinal as usize)
}
