//! From a proof to a person: at every request anew, so that what is taken back is gone at once.

use stanch_core::config::Role;
use stanch_engine::command::Who;

use super::TOKEN;
use crate::certificate::Shown;
use crate::live::Live;
use crate::secrets::TokenDigest;

/// What somebody has shown, without the secret itself.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// The token that the configuration names for a person.
    Configured(TokenDigest),
    /// A token made here, by its number.
    Api(u64),
    /// An account, and since when its proof is what it was.
    Account {
        /// Whose.
        name: String,
        /// As in [`super::book::Account::since`].
        since: i64,
    },
    /// A client certificate.
    Certificate(Shown),
}

impl Credential {
    /// How people find it.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Credential::Configured(_) => "token",
            Credential::Api(_) => "api_token",
            Credential::Account { .. } => "account",
            Credential::Certificate(_) => "certificate",
        }
    }
}

impl Live {
    /// What a bearer token is, if it is anything; says nothing yet about what it is worth.
    pub(crate) fn credential(&self, token: &str) -> Option<Credential> {
        if token.trim().is_empty() {
            return None;
        }
        if !token.starts_with(TOKEN) {
            let digest = TokenDigest::of(token);
            return self.people.now().of(&digest).map(|_| Credential::Configured(digest));
        }
        let (digest, now) = (self.identity.digest(token), (self.now)());
        self.identity.look(|b| b.token(&digest, now).map(|(id, _)| Credential::Api(id)))
    }

    /// Whose proof this is, and what they may do with it now.
    pub(crate) fn whose(&self, credential: &Credential) -> Option<Who> {
        let people = self.people.now();
        match credential {
            Credential::Configured(digest) => people.of(digest).cloned(),
            Credential::Account { name, since } => {
                let good = |a: &super::book::Account| !a.disabled && a.since == *since;
                let good = self.identity.look(|b| b.accounts.get(name).is_some_and(good));
                people.named(name).filter(|_| good).cloned()
            }
            Credential::Certificate(shown) => {
                let names = self.clients.now().judge(shown, (self.now)()).ok()?;
                people.program(&names).cloned()
            }
            Credential::Api(id) => {
                let now = (self.now)();
                let token = self.identity.look(|b| {
                    let token = b.tokens.get(id).filter(|t| now.0 < t.until)?;
                    let shut = b.accounts.get(&token.person).is_some_and(|a| a.disabled);
                    (!shut).then(|| token.clone())
                })?;
                let owner = people.named(&token.person)?;
                let role = Role::of_word(&token.role)?;
                // Whoever may no longer do what the token may has no use of it either.
                if !owner.role.covers(role) {
                    return None;
                }
                self.identity.used(*id, now);
                Some(Who { role, ..owner.clone() })
            }
        }
    }
}
