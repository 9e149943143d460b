//! Fresh proofs: somebody shows again that it is them, for one question, from where they are signed in.
//!
//! A proof is no text that could be stolen: it is remembered here, for the session (or the token) that asked
//! and the digest of the question that was shown, and is gone with the first yes that uses it. Who has just
//! proved themselves for one question has proved nothing for the next, and another session of the same person
//! nothing at all. A restart forgets them all.
//!
//! Source: SEC-22, SEC-76; OpenID Connect Core 1.0 §3.1.2.1 (`prompt`, `max_age`).

use std::sync::{Mutex, PoisonError};

use axum::http::HeaderValue;
use stanch_core::contain::FreshProof;
use stanch_core::contain::fresh::How;
use stanch_model::{ApprovalId, Span, Timestamp};

use super::provided::ERRAND;
use super::{Authorised, Decides, Rank, may_try};
use crate::books::Books;
use crate::identity::password;
use crate::identity::who::Credential;
use crate::live::Live;
use crate::oidc::Errand;
use crate::problem::Problem;
use crate::secrets::TokenDigest;

/// Proofs that are remembered; the oldest make room.
const MOST: usize = 10_000;
/// The policy can make them shorter, and never longer.
const LONGEST: Span = Span::hours(1);

/// From where somebody is signed in: a session, or a token that is sent with every request.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) credential: Credential,
    pub(crate) session: Option<TokenDigest>,
}

struct Kept {
    holder: Holder,
    /// Of the question.
    digest: String,
    proof: FreshProof,
}

/// All proofs that were not used yet.
#[derive(Default)]
pub(crate) struct Proofs(Mutex<Vec<Kept>>);

impl Proofs {
    fn table(&self) -> std::sync::MutexGuard<'_, Vec<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers one; an earlier one for the same is worth nothing any more.
    pub(crate) fn put(&self, holder: Holder, digest: &str, proof: FreshProof, now: Timestamp) {
        let mut table = self.table();
        table.retain(|k| now.since(k.proof.at) <= LONGEST && !(k.holder == holder && k.digest == digest));
        if table.len() >= MOST {
            table.remove(0);
        }
        table.push(Kept { holder, digest: digest.to_owned(), proof });
    }

    /// Uses one up.
    fn take(&self, holder: &Holder, digest: &str) -> Option<FreshProof> {
        let mut table = self.table();
        let at = table.iter().position(|k| k.holder == *holder && k.digest == digest)?;
        Some(table.remove(at).proof)
    }

    fn look(&self, holder: &Holder, digest: &str) -> Option<FreshProof> {
        self.table().iter().find(|k| k.holder == *holder && k.digest == digest).map(|k| k.proof)
    }
}

/// What somebody shows.
pub(crate) enum Shows {
    Password(String),
    Token(String),
}

impl<R: Rank> Authorised<R> {
    fn holder(&self) -> Option<Holder> {
        let proof = self.proof.as_ref()?;
        Some(Holder { credential: proof.credential.clone(), session: proof.session })
    }

    /// By what this person can prove that it is them, from where they are: words of [`How`].
    pub(crate) fn proofs(&self) -> Vec<&'static str> {
        let (Books::Live(live), Some(holder)) = (&self.books, self.holder()) else { return Vec::new() };
        let (password, provider) = live.identity.look(|b| {
            let account = b.accounts.get(&self.who.name).filter(|a| !a.disabled);
            (account.is_some_and(|a| a.password.is_some()), account.is_some_and(|a| a.provider.is_some()))
        });
        let browser = holder.session.is_some();
        let person = !matches!(holder.credential, Credential::Certificate(_));
        let token = browser && matches!(holder.credential, Credential::Configured(_));
        let provider = provider && browser && live.provider.now().is_some();
        let all = [
            (How::Password, password && person),
            (How::Provider, provider),
            (How::Token, token && !password && !provider),
        ];
        all.into_iter().filter(|(_, can)| *can).map(|(how, _)| how.word()).collect()
    }

    /// What this person has proved from here for the question of this digest.
    pub(crate) fn proved(&self, digest: &str, within: Span) -> bool {
        let (Books::Live(live), Some(holder)) = (&self.books, self.holder()) else { return false };
        live.proofs.look(&holder, digest).is_some_and(|p| p.holds(within, (live.now)()))
    }
}

impl Authorised<Decides> {
    /// Uses up what this person has proved from here for the question of this digest.
    pub(crate) fn use_proof(&self, digest: &str) -> Option<FreshProof> {
        let Books::Live(live) = &self.books else { return None };
        live.proofs.take(&self.holder()?, digest)
    }

    /// Shows again that it is them; good for one yes to the question of this digest.
    pub(crate) async fn prove(&self, digest: &str, shows: Shows) -> Result<FreshProof, Problem> {
        let live = self.live()?;
        let holder = self.holder().ok_or_else(|| self.cannot())?;
        let name = &self.who.name;
        let how = match &shows {
            Shows::Password(_) => How::Password,
            Shows::Token(_) => How::Token,
        };
        if !self.proofs().contains(&how.word()) {
            return Err(self.cannot());
        }
        may_try(live, None, Some(name))?;
        let right = match shows {
            Shows::Password(text) => self.has_password(live, text).await?,
            Shows::Token(text) => {
                let token = TokenDigest::of(text.trim());
                matches!(&holder.credential, Credential::Configured(own) if own.same(&token))
            }
        };
        let at = (live.now)();
        if !right {
            live.identity.throttle().failed(None, Some(name), at);
            return Err(Problem::unproved(
                format!("this is not the {} of {name}; nothing was approved", how.word()),
                "try again",
            ));
        }
        let proof = FreshProof { how, at };
        live.proofs.put(holder, digest, proof, at);
        Ok(proof)
    }

    async fn has_password(&self, live: &Live, text: String) -> Result<bool, Problem> {
        let kept = live.identity.look(|b| {
            b.accounts.get(&self.who.name).filter(|a| !a.disabled).and_then(|a| a.password.clone())
        });
        live.identity.with_password(move || password::verify(kept.as_deref(), &text)).await
    }

    /// Where to send this person to sign in once more, and the cookie for the way.
    pub(crate) async fn to_prove(
        &self,
        approval: ApprovalId,
        digest: &str,
    ) -> Result<(String, HeaderValue), Problem> {
        let live = self.live()?;
        let holder = self.holder().filter(|_| self.proofs().contains(&How::Provider.word()));
        let (Some(provider), Some(holder)) = ((*live.provider.now()).clone(), holder) else {
            return Err(self.cannot());
        };
        let person = self.who.name.clone();
        let errand = Errand::Prove { holder: Box::new(holder), person, digest: digest.to_owned(), approval };
        let sent = provider.begin(errand, (live.now)()).await;
        let sent = sent.map_err(|_| Problem::busy("the provider does not answer; the log says why"))?;
        let secure = provider.config.url.starts_with("https://");
        Ok((sent.to, live.sessions.errand(&sent.cookie, ERRAND, secure)))
    }

    fn cannot(&self) -> Problem {
        let name = &self.who.name;
        Problem::unproved(
            format!("{name} cannot prove in this way that it is them"),
            "answer in the console, signed in with a password or through the provider; an administrator makes a link to set a password: stanch people invite NAME",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(token: &str, session: Option<&str>) -> Holder {
        let credential = Credential::Configured(TokenDigest::of(token));
        Holder { credential, session: session.map(TokenDigest::of) }
    }

    #[test]
    fn a_proof_is_for_one_session_and_one_question_and_used_once() {
        let proofs = Proofs::default();
        let (mine, now) = (holder("a", Some("one")), Timestamp(1_000_000_000));
        let proof = FreshProof { how: How::Password, at: now };
        proofs.put(mine.clone(), "digest", proof, now);
        for other in [holder("a", Some("two")), holder("a", None), holder("b", Some("one"))] {
            assert_eq!(proofs.take(&other, "digest"), None);
        }
        assert_eq!(proofs.take(&mine, "other"), None);
        assert_eq!(proofs.look(&mine, "digest"), Some(proof));
        assert_eq!(proofs.take(&mine, "digest"), Some(proof));
        assert_eq!(proofs.take(&mine, "digest"), None, "used up");
    }

    #[test]
    fn only_so_many_are_remembered_and_no_old_ones() {
        let proofs = Proofs::default();
        let (mine, now) = (holder("a", None), Timestamp(1_000_000_000));
        let at = |at| FreshProof { how: How::Token, at };
        proofs.put(mine.clone(), "old", at(now), now);
        let late = now.plus(Span::hours(1)).plus(Span(1));
        proofs.put(mine.clone(), "new", at(late), late);
        assert_eq!(proofs.table().len(), 1);
        proofs.put(mine.clone(), "new", at(late.plus(Span(1))), late.plus(Span(1)));
        assert_eq!(proofs.table().len(), 1, "the later one counts");
    }
}
