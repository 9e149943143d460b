//! Coming in through a provider: who they are there, and what that makes them here.
//!
//! Issuer and subject are who somebody is; a name or an address of mail is not. Somebody new gets an account
//! with what their groups may do; somebody known gets what their groups may do now; somebody whom
//! `policies/people.yaml` links by `subject` is that person, and the file says what they may do.

use std::collections::BTreeSet;

use axum::http::HeaderValue;
use stanch_core::config::Role;
use stanch_core::config::yaml::is_name;
use stanch_core::contain::FreshProof;
use stanch_core::contain::fresh::How;
use stanch_core::journal::event::Access;
use stanch_engine::command::Who;
use stanch_model::ApprovalId;

use super::knock::{CameIn, Knock};
use crate::identity::Note;
use crate::identity::book::{Account, Subject};
use crate::identity::who::Credential;
use crate::oidc::id_token::Came as Told;
use crate::oidc::{Errand, Provider, Refused};
use crate::problem::Problem;

/// How long the cookie of somebody at the provider is kept, in seconds: as long as we wait for them.
pub(super) const ERRAND: i64 = 600;

/// What comes back from the provider.
pub(crate) struct Back<'a> {
    pub(crate) code: Option<&'a str>,
    pub(crate) state: &'a str,
    pub(crate) issuer: Option<&'a str>,
}

/// What came of it.
pub(crate) enum Came {
    /// Somebody came in.
    In(CameIn),
    /// Somebody has proved, for this question, that it is still them.
    Proved(ApprovalId),
}

impl Knock {
    /// What the provider is called here, if there is one.
    pub(crate) fn provider_title(&self) -> Option<String> {
        (*self.live.provider.now()).as_ref().map(|p| p.config.title.clone())
    }

    /// Where to send somebody who wants to come in through the provider, and the cookie for the way.
    pub(crate) async fn to_provider(&self) -> Result<(String, HeaderValue), Problem> {
        let Some(provider) = (*self.live.provider.now()).clone() else {
            let mend = "add `provider` to policies/people.yaml, then reload";
            return Err(Problem::not_found("there is no sign-in through a provider here", mend));
        };
        let sent = provider.begin(Errand::SignIn, (self.live.now)()).await;
        let sent = sent.map_err(|_| Problem::busy("the provider does not answer; the log says why"))?;
        let secure = provider.config.url.starts_with("https://");
        Ok((sent.to, self.live.sessions.errand(&sent.cookie, ERRAND, secure)))
    }

    /// The cookie that forgets the way.
    pub(crate) fn errand_done(&self) -> HeaderValue {
        self.live.sessions.errand("", 0, false)
    }

    /// Somebody comes back from the provider.
    pub(crate) async fn by_provider(&self, back: Back<'_>) -> Result<Came, Refused> {
        let provider = (*self.live.provider.now()).clone().ok_or(Refused::Stale)?;
        let cookie = self.live.sessions.on_errand(&self.headers).ok_or(Refused::Stale)?;
        let now = (self.live.now)();
        // Without a code they were refused there; the state is used up all the same.
        let code = back.code.unwrap_or_default();
        if code.is_empty() {
            provider.forget(back.state);
            return Err(Refused::Said);
        }
        let (came, errand) = provider.finish(code, back.state, back.issuer, &cookie, now).await?;
        let name = self.admit(&provider, &came).await?;
        if let Errand::Prove { holder, person, digest, approval } = errand {
            // The session from which they went is the only one that gets anything from it.
            let there = holder.session.is_some_and(|s| self.live.sessions.alive(&s, now));
            if name != person || !there {
                return Err(Refused::Said);
            }
            let proof = FreshProof { how: How::Provider, at: now };
            self.live.proofs.put(*holder, &digest, proof, now);
            return Ok(Came::Proved(approval));
        }
        let since = self.live.identity.look(|b| b.accounts.get(&name).map(|a| a.since));
        let credential = Credential::Account { name, since: since.ok_or(Refused::Said)? };
        let who = self.live.whose(&credential).ok_or(Refused::Said)?;
        let note = Note {
            what: Access::SignedIn,
            of: &who.name,
            says: format!("through {}", provider.config.issuer),
            by: &who,
        };
        self.live.identity.note(&self.live, &note).await.map_err(|_| Refused::Provider)?;
        let secure = provider.config.url.starts_with("https://");
        let opened = self.live.sessions.begin(credential, &who.name, &self.headers, secure, now);
        let cookie = opened.map_err(|_| Refused::Provider)?;
        tracing::info!(person = who.name, "signed in through the provider");
        Ok(Came::In(CameIn { who, cookie }))
    }

    /// The question that somebody comes back for, if they did not want to come in.
    pub(crate) fn about(&self, state: &str) -> Option<ApprovalId> {
        (*self.live.provider.now()).as_ref().and_then(|p| p.about(state))
    }

    /// Who somebody of the provider is here; makes or mends their account first.
    async fn admit(&self, provider: &Provider, came: &Told) -> Result<String, Refused> {
        let (live, config) = (&self.live, &provider.config);
        let subject = Subject { issuer: config.issuer.clone(), subject: came.subject.clone() };
        let written = live.written.now();
        let linked = written.people.values().find(|p| p.subject.as_deref() == Some(&came.subject));
        let of_subject = |(_, a): &(&String, &Account)| a.provider.as_ref() == Some(&subject);
        let known = live
            .identity
            .look(|b| b.accounts.iter().find(of_subject).map(|(name, a)| (name.clone(), a.clone())));
        if known.as_ref().is_some_and(|(_, a)| a.disabled) {
            return Err(Refused::Said);
        }
        if let Some(person) = linked {
            if known.as_ref().is_some_and(|(name, _)| *name != person.name) {
                return Err(Refused::Name);
            }
            if known.is_none() {
                self.keep(&person.name, None, person.role, BTreeSet::new(), subject).await?;
            }
            return Ok(person.name.clone());
        }
        let granted = config.grant(&came.texts(&config.groups_claim));
        let Some((name, account)) = known else {
            let (role, teams) = granted.ok_or(Refused::Groups)?;
            let name = name_of(came.text(&config.name_claim).unwrap_or_default()).ok_or(Refused::Name)?;
            let taken =
                written.people.contains_key(&name) || live.identity.look(|b| b.accounts.contains_key(&name));
            if taken {
                tracing::warn!(
                    name,
                    "a name of the provider is taken here; link them with `subject` in policies/people.yaml"
                );
                return Err(Refused::Name);
            }
            self.keep(&name, Some(role), role, teams, subject).await?;
            return Ok(name);
        };
        if written.people.contains_key(&name) {
            return Err(Refused::Name);
        }
        match granted {
            Some((role, teams)) if account.role == role.word() && account.teams == teams => {}
            Some((role, teams)) => self.regrant(&name, Some(role), teams).await?,
            None => {
                // Whoever lost their groups loses what they gave, at once and everywhere.
                self.regrant(&name, None, BTreeSet::new()).await?;
                live.sessions.end_all(&name, None);
                return Err(Refused::Groups);
            }
        }
        Ok(name)
    }

    /// Makes an account for somebody of the provider, or links one of the file.
    async fn keep(
        &self,
        name: &str,
        granted: Option<Role>,
        role: Role,
        teams: BTreeSet<String>,
        subject: Subject,
    ) -> Result<(), Refused> {
        let by = Who { name: name.to_owned(), role, teams: teams.clone() };
        let says = format!("{} through {}", role.word(), subject.issuer);
        let note = Note { what: Access::Added, of: name, says, by: &by };
        let now = (self.live.now)();
        let kept = self.live.identity.change(&self.live, note, |b| {
            if !b.accounts.contains_key(name) {
                b.add(name, role, teams, "provider", now)?;
                if granted.is_none() {
                    // The file says what they may do; here only who they are at the provider lies.
                    b.account(name)?.role = String::new();
                }
            }
            b.account(name)?.provider = Some(subject);
            Ok(())
        });
        kept.await.map_err(|_| Refused::Provider)
    }

    async fn regrant(&self, name: &str, role: Option<Role>, teams: BTreeSet<String>) -> Result<(), Refused> {
        let by = Who { name: name.to_owned(), role: role.unwrap_or(Role::Viewer), teams: teams.clone() };
        let says = role.map_or("nothing, by their groups", Role::word).to_owned();
        let note = Note { what: Access::Changed, of: name, says, by: &by };
        let changed = self.live.identity.change(&self.live, note, |b| {
            let account = b.account(name)?;
            account.role = role.map_or(String::new(), |r| r.word().to_owned());
            account.teams = teams;
            Ok(())
        });
        changed.await.map_err(|_| Refused::Provider)
    }
}

/// A name for the journal from what the provider says: small letters, what stands before an `@`, and `-`
/// for what cannot stand in a name.
fn name_of(claim: &str) -> Option<String> {
    let before = claim.split('@').next().unwrap_or_default().to_lowercase();
    let name: String = before.chars().map(|c| if matches!(c, '.' | ' ') { '-' } else { c }).collect();
    is_name(&name).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_from_what_the_provider_says_or_not_at_all() {
        for (claim, name) in [
            ("maria", Some("maria")),
            ("Maria.Lopez@example.com", Some("maria-lopez")),
            ("m lopez", Some("m-lopez")),
            ("", None),
            ("@example.com", None),
            ("../admin", None),
            ("администратор", None),
        ] {
            assert_eq!(name_of(claim).as_deref(), name, "{claim:?}");
        }
    }
}
