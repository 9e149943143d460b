//! Authorisation as a type: the only door between a request and the engine.
//!
//! A [`Desk`] is all that handlers share, and nothing in it can be reached from outside this file.
//! A handler that wants to look takes a [`Viewer`]; one that wants to change something takes an
//! [`Analyst`], [`Approver`] or [`Admin`]. Whoever forgets has nothing to work with.
//!
//! Name, role and teams come from the configuration, by the token alone; nothing a client says about
//! itself is read.
//!
//! Whoever wants to come in is in `knock`; what people do about their own proofs in `own`, what
//! administrators do about those of others in `keys`.
//!
//! Source: SEC-14, SEC-25, SEC-27, SEC-29.

mod clicks;
pub(crate) mod door;
mod fresh;
mod hook;
mod keys;
mod knock;
mod own;
mod provided;

use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use stanch_core::config::{May, Role};
use stanch_engine::command::Who;
use stanch_engine::{Command, Done};

use crate::api::manners::{Answers, Limits};
use crate::books::Books;
use crate::certificate::{self, Shown};
use crate::identity::who::Credential;
use crate::intake::bearer;
use crate::live::Live;
use crate::metrics::{self, Numbers};
use crate::offline::Offline;
use crate::problem::Problem;
use crate::secrets::TokenDigest;
use crate::sse::Pulse;

pub(crate) use fresh::{Holder, Proofs, Shows};
pub(crate) use hook::{HookCaller, HookRoom};
pub(crate) use keys::Change;
pub(crate) use knock::{CameIn, Knock};
pub(crate) use provided::{Back, Came};

/// What handlers share. Holds everything and gives nothing away without a check.
#[derive(Clone)]
pub(crate) struct Desk(Books);

/// Who asks, as far as that is known.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// By name.
    Person(String),
    /// A source that begins a run, by name.
    Source(String),
    /// By address; empty where none is known.
    Stranger(String),
}

impl Caller {
    /// The same for the same caller, and for no other.
    pub(crate) fn key(&self) -> String {
        match self {
            Caller::Person(name) => format!("person {name}"),
            Caller::Source(name) => format!("source {name}"),
            Caller::Stranger(address) => format!("address {address}"),
        }
    }
}

impl Desk {
    pub(crate) fn live(live: Arc<Live>) -> Desk {
        Desk(Books::Live(live))
    }

    pub(crate) fn offline(offline: Arc<Offline>) -> Desk {
        Desk(Books::Offline(offline))
    }

    /// Who asks: by a token, or by the session of a browser that gave one.
    fn who(&self, parts: &Parts) -> Result<(Who, Option<Proof>), Problem> {
        let headers = &parts.headers;
        match &self.0 {
            Books::Live(live) => {
                let proof = match (bearer(headers), Shown::of(&parts.extensions)) {
                    (Some(token), _) => {
                        let credential = live.credential(token).ok_or_else(Problem::unauthorised)?;
                        Proof { credential, session: None }
                    }
                    (None, Some(shown)) if !live.sessions.carries(headers) => {
                        return by_certificate(live, headers, shown);
                    }
                    (None, _) => {
                        let (session, credential) = live.sessions.of(&parts.method, headers, (live.now)())?;
                        Proof { credential, session: Some(session) }
                    }
                };
                let who = live.whose(&proof.credential).ok_or_else(Problem::unauthorised)?;
                Ok((who, Some(proof)))
            }
            Books::Offline(_) => {
                let teams = std::collections::BTreeSet::new();
                Ok((Who { name: "offline".to_owned(), role: Role::Viewer, teams }, None))
            }
        }
    }

    /// True when a browser that names this host means us.
    pub(crate) fn is_ours(&self, headers: &HeaderMap) -> bool {
        match &self.0 {
            Books::Live(live) => {
                let host = headers.get(header::HOST).map(|h| h.to_str().unwrap_or("?"));
                host.is_none_or(|h| live.sessions.place().is_ours(h))
            }
            Books::Offline(_) => true,
        }
    }

    /// Who asks, as far as that is known: for limits and kept answers, not for permission.
    pub(crate) fn caller(&self, parts: &Parts) -> Caller {
        if let Ok((who, _)) = self.who(parts) {
            return Caller::Person(who.name);
        }
        // Nothing else of the API answers to sources.
        if parts.uri.path().starts_with("/api/v1/hooks/")
            && let Some(name) = self.source(parts)
        {
            return Caller::Source(name);
        }
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|c| c.0.ip().to_canonical());
        Caller::Stranger(peer.map_or_else(String::new, |ip| ip.to_string()))
    }

    /// How fast people and strangers may ask; none where nothing runs.
    pub(crate) fn limits(&self) -> Option<&Limits> {
        match &self.0 {
            Books::Live(live) => Some(&live.limits),
            Books::Offline(_) => None,
        }
    }

    /// Answers that are kept for whoever asks twice.
    pub(crate) fn answers(&self) -> Option<&Arc<Answers>> {
        match &self.0 {
            Books::Live(live) => Some(&live.answers),
            Books::Offline(_) => None,
        }
    }

    /// The time by our clock.
    pub(crate) fn now(&self) -> stanch_model::Timestamp {
        self.0.now()
    }

    /// Counts an error that was answered.
    pub(crate) fn erred(&self, code: &'static str) {
        if let Some(metrics) = self.0.metrics() {
            metrics.erred(code, self.0.now());
        }
    }

    /// True, or why not: the journal is open and takes entries.
    pub(crate) fn ready(&self) -> Result<(), String> {
        match &self.0 {
            Books::Live(live) => live.engine.healthy(),
            Books::Offline(_) => Ok(()),
        }
    }

    /// The page of metrics: free where only this machine can ask, and under a name of its own; else for
    /// viewers.
    pub(crate) fn scrape(&self, parts: &Parts) -> Result<String, Problem> {
        if let Books::Live(live) = &self.0
            && (!live.open_metrics || !self.is_ours(&parts.headers))
        {
            self.who(parts)?;
        }
        let numbers = self.0.read(Numbers::of);
        let tenant = match &self.0 {
            Books::Live(live) => live.tenant.as_deref(),
            Books::Offline(_) => None,
        };
        Ok(metrics::render(&numbers, self.0.metrics(), self.0.doors().as_deref(), tenant))
    }
}

/// The program of a client certificate.
fn by_certificate(live: &Live, headers: &HeaderMap, shown: Shown) -> Result<(Who, Option<Proof>), Problem> {
    certificate::not_a_browser(headers).map_err(|why| Problem::certificate(&why))?;
    let judged = live.clients.now().judge(&shown, (live.now)());
    judged.map_err(|why| Problem::certificate(&why))?;
    let credential = Credential::Certificate(shown);
    let who = live.whose(&credential).ok_or_else(|| Problem::certificate(&certificate::Refused::Unmapped))?;
    Ok((who, Some(Proof { credential, session: None })))
}

/// What somebody has shown.
#[derive(Clone)]
struct Proof {
    credential: Credential,
    session: Option<TokenDigest>,
}

/// A role as a type.
pub trait Rank: Send + Sync + 'static {
    /// What it may do.
    const MAY: May;
    /// The least roles that pass, as words: of [`Rank::MAY`] and of [`Rank::OR`].
    const LEAST: &'static [&'static str];
    /// What is enough instead, if anything is.
    const OR: Option<May> = None;

    /// True when a role is enough.
    fn suits(role: Role) -> bool {
        role.may(Self::MAY) || Self::OR.is_some_and(|or| role.may(or))
    }
}

/// A role that may change something.
pub trait MayChange: Rank {}

/// Looks.
pub struct Looks;
/// Works on alerts and incidents.
pub(crate) struct Works;
/// Decides about changes.
pub(crate) struct Decides;
/// Writes playbooks and what else the console edits.
pub(crate) struct Writes;
/// Keeps Stanch running.
pub(crate) struct Operates;
/// Says who may come in, and may do everything else too.
pub(crate) struct Keeps;
/// Whoever decides or operates: stopping everything must never wait for the right person.
pub(crate) struct Stops;

impl Rank for Looks {
    const MAY: May = May::Look;
    const LEAST: &'static [&'static str] = &["viewer"];
}
impl Rank for Works {
    const MAY: May = May::Work;
    const LEAST: &'static [&'static str] = &["analyst"];
}
impl Rank for Decides {
    const MAY: May = May::Decide;
    const LEAST: &'static [&'static str] = &["approver"];
}
impl Rank for Keeps {
    const MAY: May = May::Govern;
    const LEAST: &'static [&'static str] = &["admin"];
}
impl Rank for Writes {
    const MAY: May = May::Write;
    const LEAST: &'static [&'static str] = &["author"];
}
impl Rank for Operates {
    const MAY: May = May::Operate;
    const LEAST: &'static [&'static str] = &["operator"];
}
impl Rank for Stops {
    const MAY: May = May::Decide;
    const OR: Option<May> = Some(May::Operate);
    const LEAST: &'static [&'static str] = &["approver", "operator"];
}
/// A role that keeps Stanch running.
pub trait Runs: MayChange {}
impl Runs for Operates {}
impl Runs for Keeps {}
impl Runs for Writes {}
impl MayChange for Writes {}
impl MayChange for Operates {}
impl MayChange for Stops {}
impl MayChange for Works {}
impl MayChange for Decides {}
impl MayChange for Keeps {}

/// Somebody who is known and has at least this role. Only the extractor makes one.
pub struct Authorised<R: Rank> {
    who: Who,
    proof: Option<Proof>,
    books: Books,
    rank: PhantomData<R>,
}

/// Somebody who may look.
pub type Viewer = Authorised<Looks>;
/// Somebody who may work on alerts and incidents.
pub(crate) type Analyst = Authorised<Works>;
/// Somebody who may decide about changes.
pub(crate) type Approver = Authorised<Decides>;
/// Somebody who may write playbooks and what else the console edits.
pub(crate) type Author = Authorised<Writes>;
/// Somebody who keeps Stanch running.
pub(crate) type Operator = Authorised<Operates>;
/// Somebody who may stop everything.
pub(crate) type Stopper = Authorised<Stops>;
/// Somebody who says who may come in.
pub(crate) type Admin = Authorised<Keeps>;

impl<R: Rank> FromRequestParts<Desk> for Authorised<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, desk: &Desk) -> Result<Self, Problem> {
        let (who, proof) = desk.who(parts)?;
        if !R::suits(who.role) {
            if matches!(desk.0, Books::Offline(_)) {
                return Err(Problem::read_only());
            }
            return Err(Problem::role(who.role.word(), R::MAY.least().word()));
        }
        if let (Books::Live(live), Some(peer)) = (&desk.0, parts.extensions.get::<ConnectInfo<SocketAddr>>())
        {
            let acts = who.role.may(May::Work) || who.role.may(May::Operate);
            if acts && let Some(list) = live.desks.seen(peer.0.ip(), &who.name, (live.now)()) {
                live.engine.rules().connected.set(list);
            }
        }
        Ok(Authorised { who, proof, books: desk.0.clone(), rank: PhantomData })
    }
}

/// Somebody who has just shown a token to get a session for it. Wrong tokens are counted by where
/// they come from, and slowed down.
pub(crate) struct SignIn {
    who: Who,
    credential: Credential,
    live: Arc<Live>,
}

impl FromRequestParts<Desk> for SignIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, desk: &Desk) -> Result<Self, Problem> {
        let Books::Live(live) = &desk.0 else { return Err(Problem::read_only()) };
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|c| c.0.ip());
        let now = (live.now)();
        // First: what pages of other sites send must not count against whoever has them open.
        live.sessions.must_be_our_page(&parts.headers)?;
        may_try(live, peer, None)?;
        let credential = bearer(&parts.headers).and_then(|t| live.credential(t));
        let known = credential.and_then(|c| Some((live.whose(&c)?, c)));
        match known {
            Some((who, credential)) => Ok(SignIn { who, credential, live: live.clone() }),
            None => {
                live.identity.throttle().failed(peer, None, now);
                Err(Problem::unauthorised())
            }
        }
    }
}

impl SignIn {
    /// Who it is.
    pub(crate) fn who(&self) -> &Who {
        &self.who
    }

    /// By what they came in.
    pub(crate) fn way(&self) -> &'static str {
        self.credential.word()
    }

    /// Opens a session; returns the cookie to set.
    pub(crate) fn open(&self, headers: &HeaderMap) -> Result<HeaderValue, Problem> {
        self.live.sessions.open(self.credential.clone(), &self.who.name, headers, (self.live.now)())
    }
}

/// # Errors
/// When this address has been wrong too often, or too many have been about this account.
fn may_try(live: &Live, peer: Option<IpAddr>, account: Option<&str>) -> Result<(), Problem> {
    match live.identity.throttle().wait(peer, account, (live.now)()) {
        Some(seconds) => Err(Problem::too_many(seconds)),
        None => Ok(()),
    }
}

impl<R: Rank> Authorised<R> {
    /// Ends the session of this request, if it has one; returns the cookie that forgets it.
    pub(crate) fn sign_out(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        match &self.books {
            Books::Live(live) => Some(live.sessions.end(headers)),
            Books::Offline(_) => None,
        }
    }

    /// True while what was shown is still worth something, for answers that take long.
    pub(crate) fn still(&self) -> bool {
        match (&self.books, &self.proof) {
            (Books::Live(live), Some(proof)) => {
                let known = live.whose(&proof.credential).is_some_and(|w| R::suits(w.role));
                known && proof.session.is_none_or(|s| live.sessions.alive(&s, (live.now)()))
            }
            (Books::Live(_), None) => false,
            (Books::Offline(_), _) => true,
        }
    }

    /// What happens from now on; none when nothing runs.
    pub(crate) fn pulse(&self) -> Result<&Arc<Pulse>, Problem> {
        match &self.books {
            Books::Live(live) => Ok(&live.pulse),
            Books::Offline(_) => Err(Problem::read_only()),
        }
    }

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

impl Authorised<Looks> {
    /// Keeps a filter for this person, or gives it up: the one thing that whoever may look may write,
    /// because it concerns nobody else.
    pub(crate) async fn keep_filter(&self, name: String, search: Option<String>) -> Result<Done, Problem> {
        let Books::Live(live) = &self.books else { return Err(Problem::read_only()) };
        let who = self.who.clone();
        Ok(live.engine.command(Command::KeepFilter { name, search, who }).await?)
    }
}

impl<R: MayChange> Authorised<R> {
    /// Has something done, in this person's name.
    pub(crate) async fn command(&self, command: impl FnOnce(Who) -> Command) -> Result<Done, Problem> {
        let Books::Live(live) = &self.books else { return Err(Problem::read_only()) };
        Ok(live.engine.command(command(self.who.clone())).await?)
    }
}

impl Authorised<Stops> {
    /// For what needs more than an approver in one of its cases.
    pub(crate) fn needs(&self, what: May) -> Result<(), Problem> {
        let role = self.who.role;
        if role.may(what) { Ok(()) } else { Err(Problem::role(role.word(), what.least().word())) }
    }
}

impl<R: Runs> Authorised<R> {
    /// Everything, for those who keep Stanch running.
    pub(crate) fn running(&self) -> Result<&Arc<Live>, Problem> {
        match &self.books {
            Books::Live(live) => Ok(live),
            Books::Offline(_) => Err(Problem::read_only()),
        }
    }
}
