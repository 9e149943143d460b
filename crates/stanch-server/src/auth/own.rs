//! What people do about their own proofs: tokens, password, sessions.

use std::sync::Arc;

use stanch_core::config::{May, Role};
use stanch_core::journal::event::Access;
use stanch_model::{Span, Timestamp};

use super::knock::hashed;
use super::{Authorised, MayChange, Proof, Rank};
use crate::assist::Assist;
use crate::books::Books;
use crate::identity::book::{ApiToken, No, Wanted};
use crate::identity::who::Credential;
use crate::identity::{Note, TOKEN, password, random};
use crate::live::Live;
use crate::problem::Problem;

/// A token that was just made: the only time anybody sees it.
pub(crate) struct Made {
    pub(crate) id: u64,
    pub(crate) secret: String,
    pub(crate) until: Timestamp,
}

impl<R: Rank> Authorised<R> {
    pub(super) fn live(&self) -> Result<&Arc<Live>, Problem> {
        match &self.books {
            Books::Live(live) => Ok(live),
            Books::Offline(_) => Err(Problem::read_only()),
        }
    }

    /// Somebody by name, as far as they may come in.
    pub(crate) fn known(&self, name: &str) -> Result<Option<stanch_engine::command::Who>, Problem> {
        Ok(self.live()?.people.now().named(name).cloned())
    }

    /// The language model, for those who work on incidents.
    pub(crate) fn assist(&self) -> Result<&Assist, Problem>
    where
        R: MayChange,
    {
        Ok(&self.live()?.assist)
    }

    /// By what this request proved itself.
    pub(crate) fn way(&self) -> &'static str {
        self.proof.as_ref().map_or("none", |p| p.credential.word())
    }

    /// A token must not be able to outlive itself by making others.
    fn not_by_token(&self) -> Result<(), Problem> {
        let program = |p: &Proof| matches!(p.credential, Credential::Api(_) | Credential::Certificate(_));
        if self.proof.as_ref().is_some_and(program) {
            let message = "an API token can neither make tokens nor change a password, nor can a program";
            return Err(Problem::forbidden(message, "sign in to the console, or use your own token"));
        }
        Ok(())
    }

    /// Tokens: one's own, or those of all for administrators.
    pub(crate) fn tokens(&self) -> Result<Vec<(u64, ApiToken)>, Problem> {
        let (live, now) = (self.live()?, (self.live()?.now)());
        let all = self.who.role.may(May::Govern);
        let mine = |t: &ApiToken| now.0 < t.until && (all || t.person == self.who.name);
        Ok(live
            .identity
            .look(|b| b.tokens.iter().filter(|(_, t)| mine(t)).map(|(id, t)| (*id, t.clone())).collect()))
    }

    /// Makes a token for oneself, that may do no more than oneself.
    pub(crate) async fn make_token(
        &self,
        name: &str,
        role: Role,
        lasts: Option<Span>,
    ) -> Result<Made, Problem> {
        self.not_by_token()?;
        if !self.who.role.covers(role) {
            return Err(Problem::role(self.who.role.word(), role.word()));
        }
        let live = self.live()?;
        let random = random().map_err(|_| Problem::internal("the system gives no random numbers"))?;
        let secret = format!("{TOKEN}{random}");
        let digest = live.identity.digest(&secret);
        let says = format!("{name} ({})", role.word());
        let note = Note { what: Access::TokenMade, of: &self.who.name, says, by: &self.who };
        let wanted = Wanted { person: &self.who.name, name, role, lasts, digest };
        let now = (live.now)();
        let (id, until) = live.identity.change(live, note, |b| b.make_token(wanted, now)).await?;
        Ok(Made { id, secret, until })
    }

    /// Takes a token back: one's own, or anybody's for administrators.
    pub(crate) async fn revoke_token(&self, id: u64) -> Result<String, Problem> {
        let live = self.live()?;
        let found = self.tokens()?.into_iter().find(|(n, _)| *n == id);
        let Some((_, token)) = found else { return Err(No::Unknown(format!("TOK-{id}")).into()) };
        let note = Note {
            what: Access::TokenRevoked,
            of: &token.person,
            says: format!("{} (TOK-{id})", token.name),
            by: &self.who,
        };
        live.identity
            .change(live, note, |b| {
                b.tokens.remove(&id);
                Ok(())
            })
            .await?;
        Ok(token.name)
    }

    /// Sets another password, given the one before; every other session ends.
    pub(crate) async fn change_password(&self, before: String, after: String) -> Result<(), Problem> {
        self.not_by_token()?;
        let (live, name) = (self.live()?, self.who.name.clone());
        super::may_try(live, None, Some(&name))?;
        let kept = live.identity.look(|b| b.accounts.get(&name).and_then(|a| a.password.clone()));
        let right = live.identity.with_password(move || password::verify(kept.as_deref(), &before)).await?;
        let now = (live.now)();
        if !right {
            live.identity.throttle().failed(None, Some(&name), now);
            return Err(Problem::wrong_password());
        }
        let hash = hashed(live, &name, after).await?;
        let note = Note { what: Access::PasswordSet, of: &name, says: String::new(), by: &self.who };
        live.identity.change(live, note, |b| b.set_password(&name, hash, now)).await?;
        live.sessions.end_all(&name, None);
        Ok(())
    }

    /// Ends every session of oneself, this one included; returns how many.
    pub(crate) async fn sign_out_everywhere(&self) -> Result<usize, Problem> {
        let live = self.live()?;
        let of = self.who.name.as_str();
        let note = Note { what: Access::SignedOutEverywhere, of, says: String::new(), by: &self.who };
        live.identity.note(live, &note).await?;
        Ok(live.sessions.end_all(of, None))
    }
}
