//! The thread that owns the disk: one commit after the other, then answers and effects.
//!
//! While it waits for a sync, the deciding thread is at work on the next commit: the hand-over has no
//! room to queue in, so at most one commit is decided ahead, and what comes in meanwhile gathers for
//! the one after. Nothing is answered and nothing leaves before its own commit is on disk.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use stanch_core::journal::event::Effect;
use stanch_model::Timestamp;
use stanch_model::port::{Journal, JournalError, NewEntry};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::command::{CommandError, Done};
use crate::drive::{Shared, read};
use crate::input::{Ack, Input, Outgoing};
use crate::outbox::carry_out;

/// Effects under way at once.
const UNDER_WAY: usize = 4_096;

pub(crate) type Ordered = Result<Done, CommandError>;

/// What is answered once the disk has the commit.
#[derive(Default)]
pub(crate) struct Replies {
    pub(crate) acks: Vec<(oneshot::Sender<Ack>, Ack, tokio::sync::OwnedSemaphorePermit)>,
    pub(crate) answers: Vec<(oneshot::Sender<Ordered>, Ordered)>,
    pub(crate) reloads: Vec<oneshot::Sender<()>>,
}

impl Replies {
    fn is_empty(&self) -> bool {
        self.acks.is_empty() && self.answers.is_empty() && self.reloads.is_empty()
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
    }
}

/// Facts and intentions of one turn, all or nothing, and what follows once they are on disk.
#[derive(Default)]
pub(crate) struct Commit {
    pub(crate) at: Timestamp,
    pub(crate) entries: Vec<NewEntry>,
    pub(crate) outgoing: Vec<Outgoing>,
    pub(crate) replies: Replies,
}

impl Commit {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.outgoing.is_empty() && self.replies.is_empty()
    }
}

/// The thread that owns the disk.
pub(crate) struct Writer {
    commits: SyncSender<Commit>,
    thread: JoinHandle<Result<(), JournalError>>,
}

impl Writer {
    /// Starts the thread.
    pub(crate) fn start(
        journal: Box<dyn Journal>,
        shared: Arc<Shared>,
        inputs: mpsc::UnboundedSender<Input>,
        runtime: tokio::runtime::Handle,
    ) -> std::io::Result<Writer> {
        let (commits, queue) = sync_channel(0);
        let disk = Disk { journal, shared, inputs, runtime, slots: Arc::new(Semaphore::new(UNDER_WAY)) };
        let thread =
            std::thread::Builder::new().name("stanch-disk".into()).spawn(move || disk.work(&queue))?;
        Ok(Writer { commits, thread })
    }

    /// Hands a commit over; waits while the one before is being written. False: the disk has failed.
    pub(crate) fn take(&self, commit: Commit) -> bool {
        commit.is_empty() || self.commits.send(commit).is_ok()
    }

    /// Waits for the last commit, and says whether the disk held out.
    pub(crate) fn finish(self) -> Result<(), JournalError> {
        drop(self.commits);
        self.thread.join().unwrap_or_else(|_| {
            Err(JournalError::Io { doing: "written", why: "a bug stopped the writing thread".into() })
        })
    }
}

struct Disk {
    journal: Box<dyn Journal>,
    shared: Arc<Shared>,
    inputs: mpsc::UnboundedSender<Input>,
    runtime: tokio::runtime::Handle,
    slots: Arc<Semaphore>,
}

impl Disk {
    fn work(mut self, queue: &Receiver<Commit>) -> Result<(), JournalError> {
        while let Ok(Commit { at, entries, outgoing, replies }) = queue.recv() {
            if !entries.is_empty() {
                self.journal.append(at, &entries)?;
            }
            if !replies.is_empty() {
                // One wake-up of the runtime for all answers, not one for each.
                self.runtime.spawn(async move { replies.send() });
            }
            self.dispatch(outgoing);
        }
        Ok(())
    }

    /// Sends effects out. Whatever happens to one, an outcome comes back.
    fn dispatch(&self, outgoing: Vec<Outgoing>) {
        for Outgoing { id, what } in outgoing {
            let ports = read(&self.shared.ports).clone();
            let (inputs, slots) = (self.inputs.clone(), self.slots.clone());
            let permit = match &what {
                Effect::Perform { action } => {
                    read(&self.shared.state).actions.get(action).map(|a| a.permit.clone())
                }
                Effect::LookUp { .. }
                | Effect::Notify { .. }
                | Effect::Verify { .. }
                | Effect::Revert { .. } => None,
            };
            self.runtime.spawn(async move {
                let _slot = slots.acquire_owned().await;
                let outcome = carry_out(ports, what, permit).await;
                inputs.send(Input::Settled(id, outcome)).ok();
            });
        }
    }
}
