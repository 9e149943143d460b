//! One enricher with its own memory, its own limit and its own patience.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use stanch_model::port::Enricher;
use stanch_model::{Failure, Observable, Span};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::cache::{Cache, Key, Outcome};
use super::{Health, Limits, span};

pub(super) struct Lane {
    enricher: Arc<dyn Enricher>,
    name: String,
    limits: Limits,
    permits: Semaphore,
    state: Mutex<State>,
}

type Call = Shared<BoxFuture<'static, Outcome>>;

struct State {
    cache: Cache,
    /// Look-ups that have not been settled, each with the number of its call.
    under_way: std::collections::HashMap<Key, (u64, Call)>,
    /// Counts calls, and tells an old one from a new one with the same key.
    calls: u64,
    /// Raised by [`Lane::forget`]: calls begun before it are not remembered.
    epoch: u64,
    patience: Patience,
    health: Health,
}

/// The circuit breaker.
#[derive(Default)]
struct Patience {
    failures: u32,
    /// Until when the enricher is left alone.
    until: Option<Instant>,
    /// The one call that may try again has been made.
    trying: bool,
    last: String,
}

impl Lane {
    pub(super) fn new(enricher: Arc<dyn Enricher>, limits: Limits) -> Lane {
        let name = enricher.name().to_owned();
        let state = State {
            cache: Cache::new(limits.remembered),
            under_way: std::collections::HashMap::new(),
            calls: 0,
            epoch: 0,
            patience: Patience::default(),
            health: Health { provider: name.clone(), ..Health::default() },
        };
        let permits = Semaphore::new(limits.concurrency.clamp(1, Semaphore::MAX_PERMITS));
        Lane { enricher, name, limits, permits, state: Mutex::new(state) }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// A panic in the question counts as yes, so that the look-up is recorded as failed.
    pub(super) fn knows(&self, about: &Observable) -> bool {
        std::panic::catch_unwind(AssertUnwindSafe(|| self.enricher.knows(about))).unwrap_or(true)
    }

    /// The state holds no invariant that a panic could break: every change is one assignment.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is remembered, or what the look-up under way will say, or a new one.
    pub(super) async fn ask(self: Arc<Self>, site: Arc<str>, about: Observable) -> Outcome {
        let key = (site, about);
        let call = {
            let mut state = self.state();
            let now = Instant::now();
            if let Some(outcome) = state.cache.get(&key, now) {
                state.health.remembered += 1;
                return outcome;
            }
            // A call that was dropped with its runtime is over without having been settled.
            let flying = state.under_way.get(&key).filter(|(_, call)| call.peek().is_none());
            match flying.map(|(_, call)| call.clone()) {
                Some(call) => {
                    state.health.joined += 1;
                    call
                }
                None => {
                    if let Err(why) = state.patience.allows(now) {
                        state.health.skipped += 1;
                        return Err(why);
                    }
                    state.calls += 1;
                    state.health.calls += 1;
                    let (number, epoch) = (state.calls, state.epoch);
                    let call = self.clone().begin(key.clone(), number, epoch);
                    state.under_way.insert(key, (number, call.clone()));
                    call
                }
            }
        };
        call.await
    }

    /// Starts a task that belongs to no caller: when the one who asked first goes away, the others
    /// still get their answer.
    fn begin(self: Arc<Self>, key: Key, number: u64, epoch: u64) -> Call {
        let task = tokio::spawn(async move {
            let (outcome, telling) = self.look_up(&key).await;
            self.settle(key, (number, epoch), &outcome, telling);
            outcome
        });
        let settled = async move {
            task.await.unwrap_or_else(|_| Err(Failure::transient("the look-up was cut off by a shutdown")))
        };
        settled.boxed().shared()
    }

    /// What it says, and whether that tells anything about the enricher: not when it had less than
    /// half of its time because the look-up had to wait in our own queue.
    async fn look_up(&self, key: &Key) -> (Outcome, bool) {
        let deadline = self.enricher.deadline();
        let begun = OnceLock::new();
        let asked = async {
            let _permit = self.permits.acquire().await.map_err(|_| Failure::transient("shutting down"))?;
            let _ = begun.set(Instant::now());
            self.enricher.look_up(&key.0, &key.1).await
        };
        let caught = AssertUnwindSafe(asked).catch_unwind();
        let mut telling = true;
        let outcome = match tokio::time::timeout(deadline.to_std(), caught).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => {
                let said = panic.downcast_ref::<&str>().copied();
                let said = said
                    .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
                    .unwrap_or("no message");
                Err(Failure::permanent(format!("the enricher broke down: {}", super::super::brief(said))))
            }
            Err(_) => {
                telling = begun.get().is_some_and(|b| b.elapsed() >= deadline.to_std() / 2);
                Err(Failure::Late { after: deadline })
            }
        };
        (outcome, telling)
    }

    fn settle(&self, key: Key, (number, epoch): (u64, u64), outcome: &Outcome, telling: bool) {
        let now = Instant::now();
        let mut state = self.state();
        if state.under_way.get(&key).is_some_and(|(n, _)| *n == number) {
            state.under_way.remove(&key);
        }
        let fresh = match outcome {
            Ok(_) => self.limits.fresh,
            Err(_) => self.limits.fresh_failure,
        };
        if state.epoch == epoch {
            state.cache.put(key, outcome.clone(), now + fresh.to_std());
        }
        match outcome {
            Ok(_) => state.patience = Patience::default(),
            Err(failure) => {
                state.health.failures += 1;
                if telling {
                    state.patience.failed(failure, now, &self.limits);
                }
            }
        }
    }

    pub(super) fn forget(&self) {
        let mut state = self.state();
        state.epoch += 1;
        state.under_way.clear();
        state.cache.clear();
    }

    pub(super) fn health(&self) -> Health {
        let state = self.state();
        let left = state.patience.until.map(|until| until.saturating_duration_since(Instant::now()));
        let left_alone = left.filter(|left| !left.is_zero()).map(span);
        Health { left_alone, ..state.health.clone() }
    }
}

impl Patience {
    /// May it be asked now? After the cool-down one call may try; the others wait for what it finds.
    fn allows(&mut self, now: Instant) -> Result<(), Failure> {
        let Some(until) = self.until else { return Ok(()) };
        if until <= now && !self.trying {
            self.trying = true;
            return Ok(());
        }
        let left = until.saturating_duration_since(now);
        let when = if left.is_zero() {
            "until one look-up works again".to_owned()
        } else {
            format!("for another {}", span(left))
        };
        Err(Failure::transient(format!(
            "not asked {when}: {} failures in a row, the last: {}",
            self.failures, self.last
        )))
    }

    fn failed(&mut self, failure: &Failure, now: Instant, limits: &Limits) {
        self.failures = self.failures.saturating_add(1);
        self.last = match failure {
            Failure::Transient { why }
            | Failure::RateLimited { why, .. }
            | Failure::Unauthorised { why }
            | Failure::Permanent { why }
            | Failure::Unknown { why } => super::super::brief(why),
            Failure::Late { after } => format!("no answer within {after}"),
        };
        let pause = match failure {
            // It told us how long; asking sooner only makes it worse. An hour is the longest we obey.
            Failure::RateLimited { retry_after, .. } => Some(Span(retry_after.0.clamp(1_000, 3_600_000))),
            Failure::Transient { .. }
            | Failure::Unauthorised { .. }
            | Failure::Permanent { .. }
            | Failure::Unknown { .. }
            | Failure::Late { .. } => (self.failures >= limits.failures).then_some(limits.cool_down),
        };
        if let Some(pause) = pause {
            self.until = Some(now + pause.to_std());
            self.trying = false;
        }
    }
}
