//! Who may begin a run from outside: a person who works on alerts, or a source that proves itself.
//!
//! People share the limit of every caller of the API. A source is a machine that sends as fast as things
//! happen, so nothing counts it by the second: like deliveries of alerts, its calls are asked to come again
//! only while too many wait for the disk.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use stanch_core::config::Role;
use stanch_engine::command::Who;
use stanch_engine::{Command, Done};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{Authorised, Desk, Works};
use crate::books::Books;
use crate::certificate::{self, Shown};
use crate::intake::bearer;
use crate::live::Live;
use crate::problem::Problem;

/// Room for calls: those that wait for the disk, and those that wait for an answer.
pub(crate) struct HookRoom {
    begin: Semaphore,
    answer: Semaphore,
}

impl HookRoom {
    /// For so many of each.
    pub(crate) fn new(most: usize) -> HookRoom {
        HookRoom { begin: Semaphore::new(most), answer: Semaphore::new(most) }
    }
}

/// Whoever begins a run by a call.
pub(crate) struct HookCaller {
    who: Who,
    live: Arc<Live>,
}

impl Desk {
    /// The source that calls, by its bearer token or its certificate.
    pub(crate) fn source(&self, parts: &Parts) -> Option<String> {
        let Books::Live(live) = &self.0 else { return None };
        let doors = live.intake.doors();
        if let Some(token) = bearer(&parts.headers).filter(|t| !t.trim().is_empty()) {
            return doors.of_token(token).map(|d| d.name.clone());
        }
        let shown =
            Shown::of(&parts.extensions).filter(|_| certificate::not_a_browser(&parts.headers).is_ok())?;
        let names = live.clients.now().judge(&shown, (live.now)()).ok()?;
        doors.of_names(&names).map(|d| d.name.clone())
    }
}

impl FromRequestParts<Desk> for HookCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, desk: &Desk) -> Result<Self, Problem> {
        let Books::Live(live) = &desk.0 else { return Err(Problem::read_only()) };
        if let Some(name) = desk.source(parts) {
            let teams = std::collections::BTreeSet::new();
            let who = Who { name: format!("source {name}"), role: Role::Viewer, teams };
            return Ok(HookCaller { who, live: live.clone() });
        }
        let person = Authorised::<Works>::from_request_parts(parts, desk).await?;
        Ok(HookCaller { who: person.who, live: live.clone() })
    }
}

impl HookCaller {
    /// Orders what the caller may order.
    ///
    /// # Errors
    /// Why it was not done, or that too many calls wait for the disk already.
    pub(crate) async fn command(&self, order: impl FnOnce(Who) -> Command) -> Result<Done, Problem> {
        let busy = |_| Problem::busy("too many calls wait for the disk; no run was begun");
        let _place = self.live.hooks.begin.try_acquire().map_err(busy)?;
        Ok(self.live.engine.command(order(self.who.clone())).await?)
    }

    /// A place to wait for the answer of the run. None when too many wait already: then the call is
    /// answered at once, and the run goes on.
    pub(crate) fn place_to_wait(&self) -> Option<SemaphorePermit<'_>> {
        self.live.hooks.answer.try_acquire().ok()
    }
}
