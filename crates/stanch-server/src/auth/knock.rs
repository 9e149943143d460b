//! Coming in without a proof that the API already knows: by password, by a link, by the set-up token.
//!
//! Every way is slowed down for those who are wrong, answers the same for every cause, and gives a
//! session to our own pages only.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use stanch_core::config::Role;
use stanch_core::config::yaml::is_name;
use stanch_core::journal::event::Access;
use stanch_engine::command::Who;

use super::{Desk, may_try};
use crate::books::Books;
use crate::identity::book::Book;
use crate::identity::who::Credential;
use crate::identity::{Note, password};
use crate::live::Live;
use crate::problem::Problem;

/// Somebody at the door, of whom nothing is known yet.
pub(crate) struct Knock {
    pub(super) live: Arc<Live>,
    peer: Option<IpAddr>,
    pub(super) headers: HeaderMap,
}

/// Somebody who has just come in.
pub(crate) struct CameIn {
    /// Who.
    pub(crate) who: Who,
    /// The cookie to set.
    pub(crate) cookie: HeaderValue,
}

impl FromRequestParts<Desk> for Knock {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, desk: &Desk) -> Result<Self, Problem> {
        let Books::Live(live) = &desk.0 else { return Err(Problem::read_only()) };
        // Before anything is read: others are not even told what a door wants to know.
        if !parts.method.is_safe() {
            live.sessions.must_be_our_page(&parts.headers)?;
        }
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|c| c.0.ip());
        Ok(Knock { live: live.clone(), peer, headers: parts.headers.clone() })
    }
}

impl Knock {
    /// True when somebody has a password.
    pub(crate) fn has_passwords(&self) -> bool {
        self.live.identity.look(Book::can_come_in)
    }

    /// True while the set-up token can be used, as far as somebody on this machine may know.
    pub(crate) fn can_be_set_up(&self) -> bool {
        self.is_near() && self.live.identity.can_be_set_up((self.live.now)())
    }

    /// True when this request was made on this machine.
    fn is_near(&self) -> bool {
        self.peer.is_none_or(|ip| ip.to_canonical().is_loopback())
    }

    fn failed(&self, account: Option<&str>) {
        self.live.identity.throttle().failed(self.peer, account, (self.live.now)());
    }

    /// By name and password.
    pub(crate) async fn by_password(&self, name: &str, password: String) -> Result<CameIn, Problem> {
        // What cannot be a name is nobody's, and is not kept as long as somebody likes.
        let name = if is_name(name) { name } else { "-" };
        may_try(&self.live, self.peer, Some(name))?;
        let kept = self.live.identity.look(|b| {
            let account = b.accounts.get(name).filter(|a| !a.disabled);
            account.and_then(|a| Some((a.password.clone()?, a.since)))
        });
        let hash = kept.as_ref().map(|k| k.0.clone());
        let right =
            self.live.identity.with_password(move || password::verify(hash.as_deref(), &password)).await?;
        let Some((_, since)) = kept.filter(|_| right) else {
            self.failed(Some(name));
            return Err(Problem::wrong_password());
        };
        let credential = Credential::Account { name: name.to_owned(), since };
        let Some(who) = self.live.whose(&credential) else { return Err(Problem::wrong_password()) };
        self.live.identity.throttle().came_in(self.peer, name);
        self.come_in(who, credential, "by password").await
    }

    /// By a link: sets the password, and comes in with it.
    pub(crate) async fn by_invite(&self, token: &str, password: String) -> Result<CameIn, Problem> {
        may_try(&self.live, self.peer, None)?;
        let (identity, now) = (&self.live.identity, (self.live.now)());
        let digest = identity.digest(token);
        let Some(name) = identity.look(|b| b.invited(&digest, now).map(str::to_owned)) else {
            self.failed(None);
            return Err(Problem::spent());
        };
        let hash = hashed(&self.live, &name, password).await?;
        let by = self.live.people.now().named(&name).cloned().ok_or_else(Problem::spent)?;
        let note = Note { what: Access::PasswordSet, of: &name, says: "with a link".to_owned(), by: &by };
        let set = identity.change(&self.live, note, |b| {
            // Looked at again: two who use one link at the same time must not both come in.
            let mine = b.invited(&digest, now) == Some(name.as_str());
            if mine { b.set_password(&name, hash, now).map(|()| true) } else { Ok(false) }
        });
        if !set.await? {
            return Err(Problem::spent());
        }
        self.live.sessions.end_all(&name, None);
        let since = identity.look(|b| b.accounts.get(&name).map(|a| a.since)).unwrap_or_default();
        self.come_in(by, Credential::Account { name, since }, "by a link").await
    }

    /// By the set-up token: makes the first administrator, and comes in as them.
    pub(crate) async fn by_set_up(
        &self,
        token: &str,
        name: &str,
        password: String,
    ) -> Result<CameIn, Problem> {
        may_try(&self.live, self.peer, None)?;
        let (identity, now) = (&self.live.identity, (self.live.now)());
        if !self.is_near() || !identity.is_set_up(token, now) {
            self.failed(None);
            return Err(Problem::spent());
        }
        if !is_name(name) {
            return Err(Problem::invalid(
                "this cannot be a name here",
                "use small letters, digits, `-` and `_`, at most 63, beginning with a letter or a digit",
            ));
        }
        let written = self.live.written.now().people.get(name).map(|p| p.role);
        if written.is_some_and(|role| role != Role::Admin) {
            let message = format!("policies/people.yaml names {name}, and not as an admin");
            return Err(Problem::invalid(message, "choose another name"));
        }
        let hash = hashed(&self.live, name, password).await?;
        if !identity.use_set_up(token, now) {
            return Err(Problem::spent());
        }
        let by = Who { name: name.to_owned(), role: Role::Admin, teams: BTreeSet::new() };
        let note = Note { what: Access::SetUp, of: name, says: "with the set-up token".to_owned(), by: &by };
        identity
            .change(&self.live, note, |b| {
                if !b.accounts.contains_key(name) {
                    b.add(name, Role::Admin, BTreeSet::new(), "set-up", now)?;
                }
                let account = b.account(name)?;
                account.disabled = false;
                if written.is_none() {
                    account.role = Role::Admin.word().to_owned();
                }
                b.set_password(name, hash, now)
            })
            .await?;
        let since = identity.look(|b| b.accounts.get(name).map(|a| a.since)).unwrap_or_default();
        self.come_in(by, Credential::Account { name: name.to_owned(), since }, "with the set-up token").await
    }

    async fn come_in(&self, who: Who, credential: Credential, how: &str) -> Result<CameIn, Problem> {
        let note = Note { what: Access::SignedIn, of: &who.name, says: how.to_owned(), by: &who };
        self.live.identity.note(&self.live, &note).await?;
        let cookie = self.live.sessions.open(credential, &who.name, &self.headers, (self.live.now)())?;
        tracing::info!(person = who.name, how, "signed in to the console");
        Ok(CameIn { who, cookie })
    }
}

/// A password made ready to be kept.
///
/// # Errors
/// When it cannot be one, or this machine cannot hash it.
pub(super) async fn hashed(live: &Live, name: &str, text: String) -> Result<String, Problem> {
    password::acceptable(name, &text).map_err(|(message, mend)| Problem::invalid(message, mend))?;
    let hash = live.identity.with_password(move || password::hash(&text)).await?;
    hash.map_err(|_| Problem::internal("the password could not be hashed"))
}
