//! Carries intentions out, each once it is on disk, and brings back what came of it.
//!
//! The only place that calls a responder. A change needs the guard's permit by value; looking and
//! undoing need none.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use stanch_core::contain::lease::Pass;
use stanch_core::journal::event::Effect;
use stanch_model::port::Responder;
use stanch_model::{Action, EffectId, Failure, Observable, Span};

use crate::engine::Ports;
use crate::input::{Answer, Outcome};

/// A change, a look or a release that takes longer is given up; its outcome is then unknown.
const CHANGE_TAKES: Span = Span::secs(30);
/// A notice that takes longer is tried again.
const NOTICE_TAKES: Span = Span::secs(30);
/// A declared call that takes longer is given up.
const FETCH_TAKES: Span = Span::secs(30);

/// Carries out one effect. The only place that calls a responder, and it needs the permit to change
/// anything.
pub(crate) async fn carry_out(ports: Ports, id: EffectId, what: Effect, pass: Option<Pass>) -> Outcome {
    match what {
        Effect::LookUp { site, about, .. } | Effect::Enrich { site, about, .. } => {
            let asked = about.clone();
            let answers = AssertUnwindSafe((ports.look_up)(site, about)).catch_unwind().await;
            Outcome::Looked(answers.unwrap_or_else(|_| panicked(&asked)))
        }
        Effect::Notify { notifier, notice, .. } => {
            let Some(n) = ports.notifiers.iter().find(|n| n.name() == notifier) else {
                return Outcome::Told(Err(Failure::transient(format!("no notifier is called {notifier}"))));
            };
            let told = AssertUnwindSafe(tokio::time::timeout(NOTICE_TAKES.to_std(), n.notify(&notice)));
            Outcome::Told(match told.catch_unwind().await {
                Ok(Ok(told)) => told,
                Ok(Err(_)) => Err(Failure::Late { after: NOTICE_TAKES }),
                Err(_) => Err(Failure::transient("a bug in the notifier")),
            })
        }
        Effect::Fetch { call, inputs, .. } => Outcome::Fetched(fetch(&ports, &call, id, &inputs).await),
        Effect::Capture { .. } => match pass {
            None => {
                Outcome::Captured(Err(Failure::permanent("there is no permit with our seal for this change")))
            }
            Some(pass) => Outcome::Captured(capture(&ports, pass.permit.action()).await),
        },
        Effect::Perform { .. } => match pass {
            None => {
                Outcome::Changed(Err(Failure::permanent("there is no permit with our seal for this change")))
            }
            Some(Pass { permit, again }) => {
                let action = permit.into_action();
                let responder = action.responder.clone();
                let perform = |r: Arc<dyn Responder>| async move {
                    // A device with a timer of its own has to be given the new time.
                    if again && r.expires_by_itself() {
                        r.renew(&action).await
                    } else {
                        r.perform(&action).await
                    }
                };
                change(&ports, &responder, perform).await
            }
        },
        Effect::Verify { action } => {
            change(&ports, &action.responder.clone(), |r| async move { r.verify(&action).await }).await
        }
        Effect::Revert { action } => {
            change(&ports, &action.responder.clone(), |r| async move { r.revert(&action).await }).await
        }
    }
}

/// Makes a declared call. The effect's name is the key: the same for every try after a crash.
async fn fetch(
    ports: &Ports,
    call: &str,
    id: EffectId,
    inputs: &BTreeMap<String, String>,
) -> Result<serde_json::Value, Failure> {
    let Some((caller, changes)) = ports.callers.iter().find_map(|c| Some((c, c.changes(call)?))) else {
        return Err(Failure::permanent(format!("no call {call} is declared in connectors")));
    };
    if changes {
        let why = format!("call {call} changes something outside; use it as a change, not to fetch");
        return Err(Failure::permanent(why));
    }
    let key = id.to_string();
    let made = AssertUnwindSafe(tokio::time::timeout(FETCH_TAKES.to_std(), caller.call(call, &key, inputs)));
    match made.catch_unwind().await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(Failure::Late { after: FETCH_TAKES }),
        Err(_) => Err(Failure::transient("a bug in the connector of this call")),
    }
}

/// Looks what is there before a change.
async fn capture(ports: &Ports, action: &Action) -> Result<Option<String>, Failure> {
    let Some(r) = ports.responders.iter().find(|r| r.name() == action.responder) else {
        return Err(Failure::transient(format!("no responder is called {}", action.responder)));
    };
    let looked = AssertUnwindSafe(tokio::time::timeout(CHANGE_TAKES.to_std(), r.capture(action)));
    match looked.catch_unwind().await {
        Ok(Ok(before)) => before,
        Ok(Err(_)) => Err(Failure::transient(format!("no answer within {CHANGE_TAKES}"))),
        Err(_) => Err(Failure::permanent("a bug in the responder")),
    }
}

async fn change<F, T>(ports: &Ports, responder: &str, call: F) -> Outcome
where
    F: FnOnce(Arc<dyn Responder>) -> T,
    T: Future<Output = Result<stanch_model::Observed, Failure>>,
{
    let Some(r) = ports.responders.iter().find(|r| r.name() == responder).cloned() else {
        return Outcome::Changed(Err(Failure::transient(format!("no responder is called {responder}"))));
    };
    let call = AssertUnwindSafe(tokio::time::timeout(CHANGE_TAKES.to_std(), call(r)));
    Outcome::Changed(match call.catch_unwind().await {
        Ok(Ok(observed)) => observed,
        Ok(Err(_)) => Err(Failure::unknown(format!("no answer within {CHANGE_TAKES}"))),
        Err(_) => Err(Failure::unknown("a bug in the responder")),
    })
}

fn panicked(about: &[Observable]) -> Vec<Answer> {
    let one = |o: &Observable| Answer {
        provider: "enrichers".into(),
        about: o.clone(),
        outcome: Err(Failure::permanent("a bug in an enricher")),
        took: Span::ZERO,
    };
    about.iter().map(one).collect()
}
