//! What is known of people's proofs, as a value: accounts, passwords, links, API tokens.
//!
//! Everything here is a plain function of what is known, what is asked and the time. Names and roles of
//! people in `policies/people.yaml` are not repeated here: an account of the same name only adds a
//! password to them.
//!
//! Source: SEC-19, SEC-21, SEC-29.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use stanch_core::config::{May, Person, Role};
use stanch_model::{Span, Timestamp};

/// A link to set a password can be used for this long.
pub(crate) const INVITED: Span = Span::hours(24);
/// A token is good for this long unless something else is said.
pub(crate) const TOKEN_LASTS: Span = Span::hours(90 * 24);
/// And never for longer than this.
pub(crate) const TOKEN_LONGEST: Span = Span::hours(366 * 24);
/// Accounts at most.
const ACCOUNTS: usize = 10_000;
/// Tokens of one person at most.
const TOKENS: usize = 50;

/// Why something is not done: in words, and how to mend it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum No {
    /// There is no such account or token.
    Unknown(String),
    /// It does not fit what is there.
    Conflict(String, &'static str),
    /// What was asked makes no sense.
    Invalid(String, &'static str),
}

/// Everything, as it lies on disk.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Book {
    /// Of the form, for programs to come.
    pub(crate) version: u32,
    #[serde(default)]
    pub(crate) accounts: BTreeMap<String, Account>,
    #[serde(default)]
    pub(crate) tokens: BTreeMap<u64, ApiToken>,
    #[serde(default)]
    pub(crate) next_token: u64,
}

/// Somebody who signs in with a password or through a provider.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Account {
    /// Counts only for those whom `policies/people.yaml` does not name.
    pub(crate) role: String,
    #[serde(default)]
    pub(crate) teams: BTreeSet<String>,
    /// PHC string; none until a link was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<String>,
    /// When the password was set, in milliseconds since 1970: sessions that began with another end.
    #[serde(default)]
    pub(crate) since: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) invite: Option<Invite>,
    /// Who they are for a provider: issuer and subject, and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) provider: Option<Subject>,
    #[serde(default)]
    pub(crate) disabled: bool,
    pub(crate) created: i64,
    pub(crate) by: String,
}

/// A link to set a password, once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Invite {
    /// Digest of what the link holds, in hexadecimal.
    pub(crate) digest: String,
    /// In milliseconds since 1970.
    pub(crate) until: i64,
}

/// Somebody as a provider knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subject {
    pub(crate) issuer: String,
    pub(crate) subject: String,
}

/// A token for programs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ApiToken {
    pub(crate) person: String,
    /// What it is for, in words.
    pub(crate) name: String,
    /// Keyed digest, in hexadecimal.
    pub(crate) digest: String,
    /// The most it may do: never more than its owner.
    pub(crate) role: String,
    pub(crate) created: i64,
    pub(crate) until: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) used: Option<i64>,
}

/// A token to be.
pub(crate) struct Wanted<'a> {
    pub(crate) person: &'a str,
    pub(crate) name: &'a str,
    pub(crate) role: Role,
    pub(crate) lasts: Option<Span>,
    pub(crate) digest: String,
}

impl Book {
    /// Adds those who are not in the configuration to its people; teams that are gone are left out.
    pub(crate) fn enlist(&self, people: &mut BTreeMap<String, Person>, teams: &BTreeSet<String>) {
        for (name, a) in self.accounts.iter().filter(|(_, a)| !a.disabled) {
            let Some(role) = Role::of_word(&a.role) else { continue };
            people.entry(name.clone()).or_insert_with(|| Person {
                name: name.clone(),
                token: None,
                teams: a.teams.intersection(teams).cloned().collect(),
                role,
                slack: None,
                key: None,
                subject: None,
                accounts: Vec::new(),
            });
        }
    }

    /// True when somebody can sign in with a password.
    pub(crate) fn can_come_in(&self) -> bool {
        self.accounts.values().any(|a| a.password.is_some() && !a.disabled)
    }

    /// True when somebody who may do everything can sign in with a password.
    pub(crate) fn has_admin(&self, people: &BTreeMap<String, Person>) -> bool {
        let admin = |name: &String, a: &Account| {
            let role = people.get(name).map(|p| p.role).or(Role::of_word(&a.role));
            a.password.is_some() && !a.disabled && role.is_some_and(|r| r.may(May::Govern))
        };
        self.accounts.iter().any(|(name, a)| admin(name, a))
    }

    /// Makes an account without a proof.
    pub(crate) fn add(
        &mut self,
        name: &str,
        role: Role,
        teams: BTreeSet<String>,
        by: &str,
        now: Timestamp,
    ) -> Result<(), No> {
        if self.accounts.contains_key(name) {
            let mend = "choose another name, or change that account";
            return Err(No::Conflict(format!("there is an account {name} already"), mend));
        }
        if self.accounts.len() >= ACCOUNTS {
            return Err(No::Conflict(
                format!("there are {ACCOUNTS} accounts already"),
                "delete what nobody uses",
            ));
        }
        let account = Account {
            role: role.word().to_owned(),
            teams,
            password: None,
            since: now.0,
            invite: None,
            provider: None,
            disabled: false,
            created: now.0,
            by: by.to_owned(),
        };
        self.accounts.insert(name.to_owned(), account);
        Ok(())
    }

    pub(crate) fn account(&mut self, name: &str) -> Result<&mut Account, No> {
        self.accounts.get_mut(name).ok_or_else(|| No::Unknown(format!("account {name}")))
    }

    /// Keeps the digest of a new link; the one before is worth nothing from now on.
    pub(crate) fn invite(&mut self, name: &str, digest: String, now: Timestamp) -> Result<Timestamp, No> {
        let account = self.account(name)?;
        if account.disabled {
            return Err(No::Conflict(format!("the account {name} is shut"), "open it again first"));
        }
        let until = now.plus(INVITED);
        account.invite = Some(Invite { digest, until: until.0 });
        Ok(until)
    }

    /// Whose link this is, if it can still be used.
    pub(crate) fn invited(&self, digest: &str, now: Timestamp) -> Option<&str> {
        let good = |a: &Account| {
            let link = a.invite.as_ref().filter(|i| now.0 < i.until && !a.disabled);
            link.is_some_and(|i| same(&i.digest, digest))
        };
        self.accounts.iter().find(|(_, a)| good(a)).map(|(name, _)| name.as_str())
    }

    /// Keeps a password; the link is used up, and sessions that began before end.
    pub(crate) fn set_password(&mut self, name: &str, hash: String, now: Timestamp) -> Result<(), No> {
        let account = self.account(name)?;
        account.password = Some(hash);
        account.invite = None;
        account.since = now.0.max(account.since + 1);
        Ok(())
    }

    /// Makes a token; returns its number and its end.
    pub(crate) fn make_token(&mut self, w: Wanted<'_>, now: Timestamp) -> Result<(u64, Timestamp), No> {
        self.tokens.retain(|_, t| now.0 < t.until);
        if self.tokens.values().filter(|t| t.person == w.person).count() >= TOKENS {
            let mend = "take back what is not used any more";
            return Err(No::Conflict(format!("{} has {TOKENS} tokens already", w.person), mend));
        }
        let lasts = w.lasts.unwrap_or(TOKEN_LASTS);
        if lasts > TOKEN_LONGEST || lasts < Span::mins(1) {
            let message = format!("a token cannot last {lasts}");
            return Err(No::Invalid(message, "write a time from 1m to 366d, for example 30d"));
        }
        self.next_token += 1;
        let (id, until) = (self.next_token, now.plus(lasts));
        let token = ApiToken {
            person: w.person.to_owned(),
            name: w.name.to_owned(),
            digest: w.digest,
            role: w.role.word().to_owned(),
            created: now.0,
            until: until.0,
            used: None,
        };
        self.tokens.insert(id, token);
        Ok((id, until))
    }

    /// The token with this digest, if it is still good. Every one is compared, so that time tells nothing.
    pub(crate) fn token(&self, digest: &str, now: Timestamp) -> Option<(u64, &ApiToken)> {
        let mut found = None;
        for (id, token) in &self.tokens {
            if same(&token.digest, digest) && now.0 < token.until {
                found = Some((*id, token));
            }
        }
        found
    }
}

/// Takes the same time wherever the first difference lies.
pub(crate) fn same(a: &str, b: &str) -> bool {
    use subtle::ConstantTimeEq;
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000_000);

    fn book() -> Book {
        let mut book = Book::default();
        book.add("maria", Role::Analyst, BTreeSet::from(["secops".to_owned()]), "admin", NOW).unwrap();
        book
    }

    #[test]
    fn a_link_is_good_once_for_a_day_and_the_newest_only() {
        let mut b = book();
        b.invite("maria", "one".into(), NOW).unwrap();
        let until = b.invite("maria", "two".into(), NOW).unwrap();
        assert_eq!(b.invited("one", NOW), None);
        assert_eq!(b.invited("two", NOW), Some("maria"));
        assert_eq!(b.invited("two", until), None, "a day later");
        b.set_password("maria", "hash".into(), NOW).unwrap();
        assert_eq!(b.invited("two", NOW), None, "once");
        b.accounts.get_mut("maria").unwrap().disabled = true;
        assert!(matches!(b.invite("maria", "three".into(), NOW), Err(No::Conflict(..))));
        assert!(matches!(b.invite("nobody", "x".into(), NOW), Err(No::Unknown(_))));
    }

    #[test]
    fn a_token_ends_by_itself_and_cannot_be_made_for_ever() {
        let mut b = book();
        let want = |lasts, digest: &str| Wanted {
            person: "maria",
            name: "ci",
            role: Role::Viewer,
            lasts,
            digest: digest.to_owned(),
        };
        let (id, until) = b.make_token(want(None, "d1"), NOW).unwrap();
        assert_eq!(b.token("d1", NOW).map(|t| t.0), Some(id));
        assert!(b.token("d1", until).is_none());
        assert!(b.token("d2", NOW).is_none());
        for bad in [Span::secs(59), Span::hours(367 * 24)] {
            assert!(matches!(b.make_token(want(Some(bad), "d3"), NOW), Err(No::Invalid(..))));
        }
        for n in 1..TOKENS {
            b.make_token(want(None, &format!("m{n}")), NOW).unwrap();
        }
        assert!(matches!(b.make_token(want(None, "more"), NOW), Err(No::Conflict(..))));
        assert!(b.make_token(want(None, "later"), until).is_ok(), "what is over makes room");
    }

    #[test]
    fn an_account_adds_to_the_configuration_and_never_changes_what_it_says() {
        let mut b = book();
        b.add("lead", Role::Admin, BTreeSet::new(), "admin", NOW).unwrap();
        let lead = Person {
            name: "lead".into(),
            token: None,
            teams: BTreeSet::new(),
            role: Role::Viewer,
            slack: None,
            key: None,
            subject: None,
            accounts: Vec::new(),
        };
        let mut people = BTreeMap::from([("lead".to_owned(), lead)]);
        b.enlist(&mut people, &BTreeSet::from(["netops".to_owned()]));
        assert_eq!(people["lead"].role, Role::Viewer, "the file says what lead may do");
        assert_eq!(people["maria"].role, Role::Analyst);
        assert!(people["maria"].teams.is_empty(), "a team that is gone gives nothing");
        b.accounts.get_mut("maria").unwrap().disabled = true;
        let mut people = BTreeMap::new();
        b.enlist(&mut people, &BTreeSet::new());
        assert!(!people.contains_key("maria"));
    }
}
