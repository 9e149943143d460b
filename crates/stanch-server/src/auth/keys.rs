//! What administrators do about who may come in. Nobody changes what they themselves may do.
//!
//! Source: SEC-29.

use std::collections::BTreeSet;

use stanch_core::config::Role;
use stanch_core::config::yaml::is_name;
use stanch_core::journal::event::Access;
use stanch_model::Timestamp;

use super::Admin;
use crate::identity::book::Account;
use crate::identity::{Note, random};
use crate::problem::Problem;

/// Somebody as administrators see them.
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) teams: BTreeSet<String>,
    /// True when `policies/people.yaml` names them.
    pub(crate) written: bool,
    /// True when that file names a token for them.
    pub(crate) token: bool,
    pub(crate) account: Option<Account>,
    pub(crate) sessions: usize,
    pub(crate) tokens: usize,
}

/// What is to be changed about an account; what is none stays.
#[derive(Default)]
pub(crate) struct Change {
    pub(crate) role: Option<Role>,
    pub(crate) teams: Option<BTreeSet<String>>,
    pub(crate) disabled: Option<bool>,
}

impl Admin {
    /// Everybody, by name.
    pub(crate) fn people(&self) -> Result<Vec<Known>, Problem> {
        let live = self.live()?;
        let (book, written, now) = (live.identity.book(), live.written.now(), (live.now)());
        let names: BTreeSet<&String> = written.people.keys().chain(book.accounts.keys()).collect();
        let known = |name: &String| {
            let (person, account) = (written.people.get(name), book.accounts.get(name));
            let role = person.map(|p| p.role).or_else(|| Role::of_word(&account?.role))?;
            let teams = person.map(|p| &p.teams).or(account.map(|a| &a.teams)).cloned();
            Some(Known {
                name: name.clone(),
                role,
                teams: teams.unwrap_or_default(),
                written: person.is_some(),
                token: person.is_some_and(|p| p.token.is_some()),
                account: account.cloned(),
                sessions: live.sessions.count(name, now),
                tokens: book.tokens.values().filter(|t| t.person == *name && now.0 < t.until).count(),
            })
        };
        Ok(names.into_iter().filter_map(known).collect())
    }

    /// Makes an account for somebody whom the configuration does not name.
    pub(crate) async fn add_person(
        &self,
        name: &str,
        role: Role,
        teams: BTreeSet<String>,
    ) -> Result<(), Problem> {
        let live = self.live()?;
        if !is_name(name) {
            return Err(Problem::invalid(
                "this cannot be a name here",
                "use small letters, digits, `-` and `_`, at most 63, beginning with a letter or a digit",
            ));
        }
        self.known_teams(&teams)?;
        if live.written.now().people.contains_key(name) {
            let message = format!("policies/people.yaml names {name} already");
            return Err(Problem::invalid(message, "for a password, run: stanch people invite NAME"));
        }
        let says = role.word().to_owned();
        let note = Note { what: Access::Added, of: name, says, by: self.who() };
        let (by, now) = (self.who().name.clone(), (live.now)());
        live.identity.change(live, note, |b| b.add(name, role, teams, &by, now)).await
    }

    fn known_teams(&self, teams: &BTreeSet<String>) -> Result<(), Problem> {
        let written = self.live()?.written.now();
        match teams.iter().find(|t| !written.teams.contains(*t)) {
            None => Ok(()),
            Some(_) => {
                let known: Vec<&str> = written.teams.iter().map(String::as_str).collect();
                let message = "one of `teams` is not a team of policies/people.yaml";
                Err(Problem::invalid(message, format!("known teams: {}", known.join(", "))))
            }
        }
    }

    /// Makes a link to set a password; returns what it holds, and until when it is good.
    pub(crate) async fn invite(&self, name: &str) -> Result<(String, Timestamp), Problem> {
        let live = self.live()?;
        let secret = random().map_err(|_| Problem::internal("the system gives no random numbers"))?;
        let digest = live.identity.digest(&secret);
        let written = live.written.now().people.contains_key(name);
        let note = Note { what: Access::Invited, of: name, says: String::new(), by: self.who() };
        let (by, now) = (self.who().name.clone(), (live.now)());
        let until = live
            .identity
            .change(live, note, |b| {
                if written && !b.accounts.contains_key(name) {
                    // The configuration says what they may do; here only their password lies.
                    b.add(name, Role::Viewer, BTreeSet::new(), &by, now)?;
                    b.account(name)?.role = String::new();
                }
                b.invite(name, digest, now)
            })
            .await?;
        Ok((secret, until))
    }

    /// Changes role or teams of an account, shuts it, or opens it again.
    pub(crate) async fn change_person(&self, name: &str, change: Change) -> Result<(), Problem> {
        let live = self.live()?;
        if name == self.who().name {
            let message = "nobody changes what they themselves may do";
            return Err(Problem::forbidden(message, "ask another administrator"));
        }
        if let Some(teams) = &change.teams {
            self.known_teams(teams)?;
        }
        let written = live.written.now().people.contains_key(name);
        if written && (change.role.is_some() || change.teams.is_some()) {
            let message = format!("policies/people.yaml says what {name} may do");
            return Err(Problem::invalid(message, "change it there, then reload"));
        }
        let what = match change.disabled {
            Some(true) => Access::Disabled,
            Some(false) => Access::Enabled,
            None => Access::Changed,
        };
        let says = change.role.map(|r| r.word().to_owned()).unwrap_or_default();
        let note = Note { what, of: name, says, by: self.who() };
        let shut = change.disabled == Some(true);
        live.identity
            .change(live, note, |b| {
                let account = b.account(name)?;
                if let Some(role) = change.role {
                    account.role = role.word().to_owned();
                }
                if let Some(teams) = change.teams {
                    account.teams = teams;
                }
                if let Some(disabled) = change.disabled {
                    account.disabled = disabled;
                    account.invite = None;
                }
                Ok(())
            })
            .await?;
        if shut {
            live.sessions.end_all(name, None);
        }
        Ok(())
    }

    /// Ends every session of somebody; returns how many.
    pub(crate) async fn end_sessions(&self, name: &str) -> Result<usize, Problem> {
        let live = self.live()?;
        if live.people.now().named(name).is_none() {
            return Err(Problem::not_found("there is nobody of this name", "list people first"));
        }
        let what = Access::SignedOutEverywhere;
        let note = Note { what, of: name, says: String::new(), by: self.who() };
        live.identity.note(live, &note).await?;
        Ok(live.sessions.end_all(name, None))
    }
}
