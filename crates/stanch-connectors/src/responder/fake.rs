//! A wrapper that makes any responder fail on demand and keeps a ledger of real effects.
//!
//! For tests and rehearsals only. The ledger is kept beside the device, not beside the caller, so it
//! survives the caller's crash and shows afterwards whether anything was done twice.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use stanch_model::port::Responder;
use stanch_model::{Action, ActionId, ActionKind, Failure, Observed};

/// One thing that goes wrong, once, at the next call it applies to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call fails, and nothing was done. Applies to perform and revert.
    ErrorBefore(Failure),
    /// The call takes effect, and its answer is lost: `Unknown`. Applies to perform and revert.
    TimeoutAfterApply,
    /// The call takes effect, and its answer is "internal error": `Unknown`. Applies to perform and revert.
    ErrorAfterApply,
    /// Half of the change is made, and the answer is success. Applies to perform.
    HalfApply,
    /// The call says `Present` and does nothing. Applies to perform.
    LieOnPerform,
    /// The call says `Absent` and does nothing. Applies to revert.
    LieOnRevert,
    /// The look says the opposite of what is so. Applies to verify.
    LieOnVerify,
    /// The device cannot be read. Applies to verify.
    BlindVerify(Failure),
    /// The call takes effect and its answer comes late. Applies to every verb.
    Delay(Duration),
    /// The call takes effect twice, as when a network repeats a request. Applies to perform and revert.
    Duplicate,
}

/// Which of the three was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// The change was asked for.
    Perform,
    /// A look was asked for.
    Verify,
    /// The taking back was asked for.
    Revert,
}

/// One call as the device saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What was called.
    pub verb: Verb,
    /// For which action.
    pub action: ActionId,
    /// True when the device changed.
    pub effect: bool,
    /// What went wrong, if anything was made to.
    pub fault: Option<Fault>,
}

/// Makes half of a change on a device.
pub type HalfDone<R> = Arc<dyn Fn(&R, &Action) + Send + Sync>;

/// A responder with faults and a ledger around another. Clones share both.
#[derive(Clone)]
pub struct Faulty<R> {
    device: Arc<R>,
    half: Option<HalfDone<R>>,
    faults: Arc<Mutex<VecDeque<Fault>>>,
    ledger: Arc<Mutex<Vec<Line>>>,
}

impl<R: std::fmt::Debug> std::fmt::Debug for Faulty<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Faulty")
            .field("device", &self.device)
            .field("faults", &self.faults)
            .field("ledger", &self.ledger)
            .finish_non_exhaustive()
    }
}

impl<R: Responder> Faulty<R> {
    /// Around `device`, without faults.
    pub fn new(device: R) -> Faulty<R> {
        Faulty { device: Arc::new(device), half: None, faults: Arc::default(), ledger: Arc::default() }
    }

    /// The same, with a way to make half of a change: for [`Fault::HalfApply`].
    #[must_use]
    pub fn with_half(mut self, half: HalfDone<R>) -> Faulty<R> {
        self.half = Some(half);
        self
    }

    /// The device itself.
    #[must_use]
    pub fn device(&self) -> &R {
        &self.device
    }

    /// Adds a fault; faults that apply to the same verb strike in the order they were added.
    pub fn next(&self, fault: Fault) {
        lock(&self.faults).push_back(fault);
    }

    /// Every call so far, oldest first.
    #[must_use]
    pub fn ledger(&self) -> Vec<Line> {
        lock(&self.ledger).clone()
    }

    /// Actions that took effect again without having been reverted in between: must stay empty.
    #[must_use]
    pub fn doubles(&self) -> Vec<ActionId> {
        let ledger = lock(&self.ledger);
        let mut standing = Vec::new();
        let mut doubles = Vec::new();
        for line in ledger.iter().filter(|line| line.effect) {
            match line.verb {
                Verb::Perform if standing.contains(&line.action) => doubles.push(line.action),
                Verb::Perform => standing.push(line.action),
                Verb::Revert => standing.retain(|id| *id != line.action),
                Verb::Verify => {}
            }
        }
        doubles
    }

    fn take(&self, verb: Verb) -> Option<Fault> {
        let mut faults = lock(&self.faults);
        let at = faults.iter().position(|fault| applies(fault, verb))?;
        faults.remove(at)
    }

    fn write(&self, verb: Verb, action: &Action, effect: bool, fault: Option<Fault>) {
        lock(&self.ledger).push(Line { verb, action: action.id, effect, fault });
    }

    async fn is_present(&self, action: &Action) -> bool {
        matches!(self.device.verify(action).await, Ok(Observed::Present { .. }))
    }

    /// Calls the device once and writes down whether it changed.
    async fn call(&self, verb: Verb, action: &Action, fault: Option<Fault>) -> Result<Observed, Failure> {
        let before = self.is_present(action).await;
        let answer = match verb {
            Verb::Perform => self.device.perform(action).await,
            Verb::Revert => self.device.revert(action).await,
            Verb::Verify => self.device.verify(action).await,
        };
        let effect = before != self.is_present(action).await;
        self.write(verb, action, effect, fault);
        answer
    }

    async fn with_faults(&self, verb: Verb, action: &Action) -> Result<Observed, Failure> {
        let fault = self.take(verb);
        match fault.clone() {
            None => self.call(verb, action, None).await,
            Some(Fault::ErrorBefore(failure) | Fault::BlindVerify(failure)) => {
                self.write(verb, action, false, fault);
                Err(failure)
            }
            Some(Fault::TimeoutAfterApply) => {
                // The device did it or not; the caller hears nothing either way.
                let _ = self.call(verb, action, fault).await;
                Err(Failure::unknown("the answer was lost"))
            }
            Some(Fault::ErrorAfterApply) => {
                let _ = self.call(verb, action, fault).await;
                Err(Failure::unknown("the answer was 500 Internal Server Error"))
            }
            Some(Fault::HalfApply) => {
                if let Some(half) = &self.half {
                    half(&self.device, action);
                }
                self.write(verb, action, false, fault);
                Ok(Observed::Present { expires_in: Some(action.ttl) })
            }
            Some(Fault::LieOnVerify) => {
                let is = self.is_present(action).await;
                self.write(verb, action, false, fault);
                Ok(if is { Observed::Absent } else { Observed::Present { expires_in: Some(action.ttl) } })
            }
            Some(Fault::LieOnPerform) => {
                self.write(verb, action, false, fault);
                Ok(Observed::Present { expires_in: Some(action.ttl) })
            }
            Some(Fault::LieOnRevert) => {
                self.write(verb, action, false, fault);
                Ok(Observed::Absent)
            }
            Some(Fault::Delay(long)) => {
                let answer = self.call(verb, action, fault).await;
                tokio::time::sleep(long).await;
                answer
            }
            Some(Fault::Duplicate) => {
                let _ = self.call(verb, action, fault.clone()).await;
                self.call(verb, action, fault).await
            }
        }
    }
}

fn applies(fault: &Fault, verb: Verb) -> bool {
    match fault {
        Fault::ErrorBefore(_) | Fault::TimeoutAfterApply | Fault::ErrorAfterApply | Fault::Duplicate => {
            verb != Verb::Verify
        }
        Fault::LieOnPerform | Fault::HalfApply => verb == Verb::Perform,
        Fault::LieOnRevert => verb == Verb::Revert,
        Fault::BlindVerify(_) | Fault::LieOnVerify => verb == Verb::Verify,
        Fault::Delay(_) => true,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl<R: Responder> Responder for Faulty<R> {
    fn name(&self) -> &str {
        self.device.name()
    }

    fn simulated(&self) -> bool {
        self.device.simulated()
    }

    fn expires_by_itself(&self) -> bool {
        self.device.expires_by_itself()
    }

    fn can(&self, kind: &ActionKind) -> bool {
        self.device.can(kind)
    }

    fn management_addresses(&self) -> Vec<std::net::IpAddr> {
        self.device.management_addresses()
    }

    async fn capture(&self, action: &Action) -> Result<Option<String>, Failure> {
        self.device.capture(action).await
    }

    async fn perform(&self, action: &Action) -> Result<Observed, Failure> {
        self.with_faults(Verb::Perform, action).await
    }

    async fn verify(&self, action: &Action) -> Result<Observed, Failure> {
        self.with_faults(Verb::Verify, action).await
    }

    async fn revert(&self, action: &Action) -> Result<Observed, Failure> {
        self.with_faults(Verb::Revert, action).await
    }
}

#[cfg(test)]
#[path = "fake_tests.rs"]
mod tests;
