//! Calls that an operator has declared: over HTTP, or a program with fixed arguments. For products we
//! do not ship a connector for.
//!
//! A call that changes something is declared as three: perform, verify, revert. It is a change like
//! any other: it is captured first (what is already so was done by somebody else and is left
//! alone), performed with our tag as its key, read back, and taken back only where it was captured.
//! A call that changes nothing is a look-up a playbook can make (`fetch`).
//!
//! An answer that was lost, and one that says "internal error", leave the outcome unknown: it is
//! looked at, never repeated blindly.

mod exec;
mod http;
mod template;

#[cfg(test)]
mod exec_tests;
#[cfg(test)]
mod http_tests;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use stanch_model::port::{Caller, Responder};
use stanch_model::{Action, ActionKind, Failure, Observed, Span};

use crate::egress::Egress;
use crate::notifier::Secret;
pub use exec::Program;
pub use http::{Look, Request};
use template::Values;
pub use template::{InputType, names};

/// What one call does.
#[derive(Clone, Debug)]
pub enum Does {
    /// Asks over HTTP and changes nothing.
    Ask(Request),
    /// Changes something over HTTP.
    Change(Box<Change>),
    /// Runs a program.
    Run {
        /// Which, and how.
        program: Program,
        /// Whether it changes something: then it is asked to perform, verify and revert.
        changes: bool,
    },
}

/// The three requests of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Makes the change.
    pub perform: Request,
    /// Tells whether it is there.
    pub verify: Look,
    /// Takes it back; none when that cannot be done.
    pub revert: Option<Request>,
}

/// One declared call.
#[derive(Clone, Debug)]
pub struct Declared {
    /// Its inputs, all of them required.
    pub inputs: BTreeMap<String, InputType>,
    /// What it does.
    pub does: Does,
}

/// Which of the three a call is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Perform,
    Verify,
    Revert,
}

impl Verb {
    const fn word(self) -> &'static str {
        match self {
            Verb::Perform => "perform",
            Verb::Verify => "verify",
            Verb::Revert => "revert",
        }
    }
}

/// Settings of one set of declared calls.
#[derive(Clone, Debug)]
pub struct CallsConfig {
    /// The name used in playbooks.
    pub name: String,
    /// Where its HTTP calls may go.
    pub egress: Egress,
    /// Sent as `Authorization: Bearer …`, to those hosts alone. Default: none.
    pub token: Option<Secret>,
    /// How long one HTTP call may take. Default 10 s.
    pub timeout: Duration,
    /// By name.
    pub calls: BTreeMap<String, Declared>,
}

impl CallsConfig {
    /// All mistakes in these settings; opens nothing.
    #[must_use]
    pub fn check(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        for (name, call) in &self.calls {
            let found = match &call.does {
                Does::Ask(request) => request.mistakes(&call.inputs, &self.egress),
                Does::Change(change) => {
                    [Some(&change.perform), Some(&change.verify.request), change.revert.as_ref()]
                        .into_iter()
                        .flatten()
                        .flat_map(|request| request.mistakes(&call.inputs, &self.egress))
                        .collect()
                }
                Does::Run { program, .. } => program.mistakes(&call.inputs),
            };
            mistakes.extend(found.into_iter().map(|why| format!("call {name}: {why}")));
        }
        mistakes
    }
}

/// A set of declared calls. Serves changes as a responder, and look-ups as a caller.
#[derive(Debug)]
pub struct Calls {
    config: CallsConfig,
    client: reqwest::Client,
}

impl Calls {
    /// Opens nothing; the first call finds out whether it works.
    ///
    /// # Errors
    /// All mistakes of the settings.
    pub fn new(config: CallsConfig) -> Result<Calls, Vec<String>> {
        let mistakes = config.check();
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let client = config.egress.client(config.timeout).map_err(|why| vec![why])?;
        Ok(Calls { config, client })
    }

    fn declared(&self, name: &str) -> Result<&Declared, Failure> {
        let none = || Failure::permanent(format!("no call {name} is declared in {}", self.config.name));
        self.config.calls.get(name).ok_or_else(none)
    }

    fn http(&self) -> http::Http<'_> {
        http::Http {
            client: &self.client,
            egress: &self.config.egress,
            token: self.config.token.as_ref(),
            timeout: self.config.timeout,
        }
    }

    /// One of the three verbs of a change.
    async fn verb(&self, verb: Verb, action: &Action) -> Result<Observed, Failure> {
        let ActionKind::Call { call, inputs, .. } = &action.kind else {
            return Err(Failure::permanent(format!("{} cannot {}", self.config.name, action.kind.words())));
        };
        let declared = self.declared(call)?;
        let (tag, ttl) = (action.tag(), seconds(action.ttl));
        let values =
            Values::new(&declared.inputs, inputs).map_err(Failure::permanent)?.with(&tag, Some(&ttl));
        match &declared.does {
            Does::Ask(_) | Does::Run { changes: false, .. } => {
                Err(Failure::permanent(format!("{call} is declared to change nothing; use it as a look-up")))
            }
            Does::Run { program, changes: true } => program.act(verb, action, inputs, &values).await,
            Does::Change(change) => match (verb, &change.revert) {
                (Verb::Verify, _) => self.http().look(&change.verify, &values).await,
                (Verb::Perform, _) => {
                    self.http().send(&change.perform, &values, Some(&tag), true).await?;
                    self.read_back(&change.verify, &values).await
                }
                (Verb::Revert, Some(revert)) => {
                    self.http().send(revert, &values, Some(&format!("{tag}:revert")), true).await?;
                    self.read_back(&change.verify, &values).await
                }
                (Verb::Revert, None) => {
                    Err(Failure::permanent(format!("{call} is declared without a way back")))
                }
            },
        }
    }

    async fn read_back(&self, verify: &Look, values: &Values<'_>) -> Result<Observed, Failure> {
        let seen = self.http().look(verify, values).await;
        seen.map_err(|f| Failure::unknown(format!("called, not read back: {f}")))
    }
}

/// Whole seconds, at least 1.
fn seconds(ttl: Span) -> String {
    (ttl.0 / 1_000).max(1).to_string()
}

#[async_trait]
impl Responder for Calls {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn simulated(&self) -> bool {
        false
    }

    /// What the other side does after `{ttl_seconds}` is not known here; the lease ends it.
    fn expires_by_itself(&self) -> bool {
        false
    }

    fn management_addresses(&self) -> Vec<IpAddr> {
        self.config.egress.addresses()
    }

    fn can(&self, kind: &ActionKind) -> bool {
        let ActionKind::Call { call, .. } = kind else { return false };
        self.config.calls.get(call).is_some_and(|declared| match &declared.does {
            Does::Ask(_) => false,
            Does::Change(_) => true,
            Does::Run { program, changes } => *changes && program.enabled,
        })
    }

    async fn capture(&self, action: &Action) -> Result<Option<String>, Failure> {
        match self.verb(Verb::Verify, action).await? {
            Observed::Absent => Ok(Some("absent".to_owned())),
            Observed::Present { .. } => {
                let why =
                    format!("{}: it is so already, and not by this action; left alone", action.kind.words());
                Err(Failure::permanent(why))
            }
            Observed::Different { what } => Err(Failure::permanent(what)),
        }
    }

    async fn perform(&self, action: &Action) -> Result<Observed, Failure> {
        if action.before.is_none() {
            return Err(Failure::permanent("nothing was called: how it was before had not been captured"));
        }
        match self.verb(Verb::Verify, action).await? {
            Observed::Absent => {}
            // It was not so when it was captured: an earlier try of ours.
            seen @ (Observed::Present { .. } | Observed::Different { .. }) => return Ok(seen),
        }
        match self.verb(Verb::Perform, action).await? {
            Observed::Absent => {
                Err(Failure::unknown("the call was accepted, and its effect is not to be seen"))
            }
            seen @ (Observed::Present { .. } | Observed::Different { .. }) => Ok(seen),
        }
    }

    async fn verify(&self, action: &Action) -> Result<Observed, Failure> {
        self.verb(Verb::Verify, action).await
    }

    async fn revert(&self, action: &Action) -> Result<Observed, Failure> {
        // Never captured is never performed: what is there is somebody else's.
        if action.before.is_none() || self.verb(Verb::Verify, action).await? == Observed::Absent {
            return Ok(Observed::Absent);
        }
        match self.verb(Verb::Revert, action).await? {
            Observed::Absent => Ok(Observed::Absent),
            Observed::Present { .. } => {
                Err(Failure::unknown("the way back was accepted, and it is still there"))
            }
            Observed::Different { what } => Err(Failure::unknown(what)),
        }
    }
}

#[async_trait]
impl Caller for Calls {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn changes(&self, call: &str) -> Option<bool> {
        self.config.calls.get(call).map(|declared| match &declared.does {
            Does::Ask(_) => false,
            Does::Change(_) => true,
            Does::Run { changes, .. } => *changes,
        })
    }

    async fn call(&self, call: &str, key: &str, inputs: &BTreeMap<String, String>) -> Result<Value, Failure> {
        let declared = self.declared(call)?;
        let values = Values::new(&declared.inputs, inputs).map_err(Failure::permanent)?.with(key, None);
        match &declared.does {
            Does::Ask(request) => self.http().send(request, &values, Some(key), false).await,
            Does::Run { program, changes: false } => program.ask(key, inputs, &values).await,
            Does::Change(_) | Does::Run { changes: true, .. } => Err(Failure::permanent(format!(
                "{call} changes something; it needs a change step, with its guard and its lease"
            ))),
        }
    }
}
