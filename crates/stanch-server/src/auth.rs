//! Authorisation as a type: the only door between a request and the engine.
//!
//! A [`Desk`] is all that handlers share, and nothing in it can be reached from outside this file.
//! A handler that wants to look takes a [`Viewer`]; one that wants to change something takes an
//! [`Analyst`], [`Approver`] or [`Admin`]. Whoever forgets has nothing to work with.
//!
//! Name, role and teams come from the configuration, by the token alone; nothing a client says about
//! itself is read.
//!
//! Source: SEC-14, SEC-25, SEC-27, SEC-29.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use stanch_core::config::Role;
use stanch_engine::command::Who;
use stanch_engine::{Command, Done};

use crate::books::Books;
use crate::intake::bearer;
use crate::live::Live;
use crate::metrics::{self, Numbers};
use crate::offline::Offline;
use crate::problem::Problem;

/// What handlers share. Holds everything and gives nothing away without a check.
#[derive(Clone)]
pub(crate) struct Desk(Books);

impl Desk {
    pub(crate) fn live(live: Arc<Live>) -> Desk {
        Desk(Books::Live(live))
    }

    pub(crate) fn offline(offline: Arc<Offline>) -> Desk {
        Desk(Books::Offline(offline))
    }

    /// Who asks.
    fn who(&self, headers: &HeaderMap) -> Result<Who, Problem> {
        match &self.0 {
            Books::Live(live) => {
                let token = bearer(headers).ok_or_else(Problem::unauthorised)?;
                live.people.now().who(token).cloned().ok_or_else(Problem::unauthorised)
            }
            Books::Offline(_) => Ok(Who {
                name: "offline".to_owned(),
                role: Role::Viewer,
                teams: std::collections::BTreeSet::new(),
            }),
        }
    }

    /// True, or why not: the journal is open and takes entries.
    pub(crate) fn ready(&self) -> Result<(), String> {
        match &self.0 {
            Books::Live(live) => live.engine.healthy(),
            Books::Offline(_) => Ok(()),
        }
    }

    /// The page of metrics: free where only this machine can ask, else for viewers.
    pub(crate) fn scrape(&self, headers: &HeaderMap) -> Result<String, Problem> {
        if let Books::Live(live) = &self.0
            && !live.open_metrics
        {
            self.who(headers)?;
        }
        let numbers = self.0.read(Numbers::of);
        Ok(metrics::render(&numbers, self.0.metrics()))
    }
}

/// A role as a type.
pub(crate) trait Rank: Send + Sync + 'static {
    /// The least role that passes.
    const ROLE: Role;
}

/// A role that may change something.
pub(crate) trait MayChange: Rank {}

/// Looks.
pub(crate) struct Looks;
/// Works on alerts and incidents.
pub(crate) struct Works;
/// Decides about changes.
pub(crate) struct Decides;
/// Keeps Stanch running.
pub(crate) struct Keeps;

impl Rank for Looks {
    const ROLE: Role = Role::Viewer;
}
impl Rank for Works {
    const ROLE: Role = Role::Analyst;
}
impl Rank for Decides {
    const ROLE: Role = Role::Approver;
}
impl Rank for Keeps {
    const ROLE: Role = Role::Admin;
}
impl MayChange for Works {}
impl MayChange for Decides {}
impl MayChange for Keeps {}

/// Somebody who is known and has at least this role. Only the extractor makes one.
pub(crate) struct Authorised<R: Rank> {
    who: Who,
    books: Books,
    rank: PhantomData<R>,
}

/// Somebody who may look.
pub(crate) type Viewer = Authorised<Looks>;
/// Somebody who may work on alerts and incidents.
pub(crate) type Analyst = Authorised<Works>;
/// Somebody who may decide about changes.
pub(crate) type Approver = Authorised<Decides>;
/// Somebody who keeps Stanch running.
pub(crate) type Admin = Authorised<Keeps>;

impl<R: Rank> FromRequestParts<Desk> for Authorised<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, desk: &Desk) -> Result<Self, Problem> {
        let who = desk.who(&parts.headers)?;
        if who.role < R::ROLE {
            if matches!(desk.0, Books::Offline(_)) {
                return Err(Problem::read_only());
            }
            return Err(Problem::role(who.role.word(), R::ROLE.word()));
        }
        Ok(Authorised { who, books: desk.0.clone(), rank: PhantomData })
    }
}

impl<R: Rank> Authorised<R> {
    /// Who it is.
    pub(crate) fn who(&self) -> &Who {
        &self.who
    }

    /// What there is to see.
    pub(crate) fn books(&self) -> &Books {
        &self.books
    }

    /// A look that reads the disk, away from the threads that answer others.
    pub(crate) async fn look<T, F>(&self, look: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Books) -> Result<T, Problem> + Send + 'static,
    {
        let books = self.books.clone();
        let looked = tokio::task::spawn_blocking(move || look(&books)).await;
        looked.unwrap_or_else(|_| Err(Problem::internal("a bug ended this request")))
    }
}

impl<R: MayChange> Authorised<R> {
    /// Has something done, in this person's name.
    pub(crate) async fn command(&self, command: impl FnOnce(Who) -> Command) -> Result<Done, Problem> {
        let Books::Live(live) = &self.books else { return Err(Problem::read_only()) };
        Ok(live.engine.command(command(self.who.clone())).await?)
    }
}

impl Authorised<Decides> {
    /// For what needs more than an approver in one of its cases.
    pub(crate) fn needs(&self, role: Role) -> Result<(), Problem> {
        if self.who.role < role { Err(Problem::role(self.who.role.word(), role.word())) } else { Ok(()) }
    }
}

impl Authorised<Keeps> {
    /// Everything, for those who keep Stanch running.
    pub(crate) fn running(&self) -> Result<&Arc<Live>, Problem> {
        match &self.books {
            Books::Live(live) => Ok(live),
            Books::Offline(_) => Err(Problem::read_only()),
        }
    }
}
