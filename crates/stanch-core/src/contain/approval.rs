//! A question to a person, and an answer that holds for exactly that question.
//!
//! Everything a person is shown goes into one digest. The answer names the digest, the guard
//! computes it again, and any difference — another target, a longer time, a reason rewritten, a row
//! changed in a database — makes the answer worthless.
//!
//! Source: SEC-67, SEC-68, SEC-72, SEC-77; P-11.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use stanch_model::{Action, ApprovalId, Span, Timestamp};

use super::fresh::FreshProof;
use super::parties::instead;
pub use super::question::Approval;
use crate::Reason;
use crate::config::{May, Role};

/// Where a question stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ApprovalState {
    /// Nobody has answered.
    Pending,
    /// Someone said yes, and it has been or will be acted upon: it cannot be used again.
    Approved {
        /// Who.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// Someone said no.
    Denied {
        /// Who.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// Nobody answered in time.
    Expired,
    /// What it asked for no longer applies.
    Withdrawn,
}

/// An answer as it came in. Identity, role and teams come from our own configuration, never from
/// the message.
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    /// Who answers.
    pub person: &'a str,
    /// True for a token that belongs to a program.
    pub machine: bool,
    /// What this person may do now.
    pub role: Role,
    /// Of which teams this person is a member now.
    pub teams: &'a BTreeSet<String>,
    /// The digest of what this person was shown: all 64 digits.
    pub digest: &'a str,
    /// Yes or no.
    pub approve: bool,
    /// In the person's words.
    pub reason: Option<&'a str>,
    /// What they have proved just now for this very question. Whose and for what it is has been found out.
    pub proof: Option<FreshProof>,
    /// Who else may say yes, by name: for words only.
    pub others: &'a [String],
}

/// One person's yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The fresh proof of the person that it came with, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<FreshProof>,
}

/// A yes: to exactly one question, usable once. Made by [`decide`] or read back from the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    approval: Approval,
    digest: String,
    yes: Vec<Vote>,
    used: bool,
}

impl Approved {
    /// What was asked.
    #[must_use]
    pub fn approval(&self) -> &Approval {
        &self.approval
    }

    /// The digest the person named.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Who said yes, and when, in the order they did.
    #[must_use]
    pub fn yes(&self) -> &[Vote] {
        &self.yes
    }

    /// How many different people said yes.
    #[must_use]
    pub fn people(&self) -> usize {
        self.yes.iter().map(|v| v.by.as_str()).collect::<BTreeSet<_>>().len()
    }

    /// Who said yes, in words: `jon`, `jon and mira`.
    #[must_use]
    pub fn by(&self) -> String {
        self.yes.iter().map(|v| v.by.as_str()).collect::<Vec<_>>().join(" and ")
    }

    /// When the last of them did.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.yes.iter().map(|v| v.at).max().unwrap_or(Timestamp(i64::MIN))
    }

    /// The same, marked as used: the guard will not accept it again.
    #[must_use]
    pub fn used(mut self) -> Approved {
        self.used = true;
        self
    }

    /// Read back from the journal: the question as it was asked, the digest as it was answered,
    /// and whether a permit that rests on it is there too. The digest must come from the answer and
    /// not from the question, or there is nothing to compare. Whether the answer carries our seal
    /// is for the caller to find out.
    pub(crate) fn from_journal(approval: &Approval, digest: &str, yes: &[Vote], used: bool) -> Approved {
        Approved { approval: approval.clone(), digest: digest.to_owned(), yes: yes.to_vec(), used }
    }

    /// Does this yes cover `action`, now? The digest is computed again from what was asked.
    ///
    /// # Errors
    /// Why it does not.
    pub fn covers(&self, action: &Action, now: Timestamp) -> Result<(), Reason> {
        let id = self.approval.id;
        let refuse = |why: String| Err(Reason::new(why));
        if !same(&self.approval.digest(), &self.digest) {
            return refuse(format!("approval: {id} is not what {} agreed to: its digest differs", self.by()));
        }
        if self.approval.action != *action {
            return refuse(format!("approval: {id} covers another action than {}", action.id));
        }
        if self.used {
            return refuse(format!("approval: {id} has been used already"));
        }
        if now >= self.approval.expires_at {
            return refuse(format!("approval: {id} expired at {}", self.approval.expires_at));
        }
        let outside = |v: &&Vote| v.at >= self.approval.expires_at || v.at < self.approval.requested_at;
        if let Some(v) = self.yes.iter().find(outside) {
            return refuse(format!("approval: {id} was answered outside its time, at {}", v.at));
        }
        if let Some((by, why)) = self.yes.iter().find_map(|v| Some((&v.by, self.approval.no_vote_of(&v.by)?)))
        {
            return refuse(format!("approval: {id} was answered by {by}, who {why}"));
        }
        if let Some(within) = self.approval.fresh_within
            && let Some(v) = self.yes.iter().find(|v| !v.proof.is_some_and(|p| p.holds(within, v.at)))
        {
            return refuse(format!("approval: {id} was answered by {} without a fresh proof", v.by));
        }
        let (have, need) = (self.people(), usize::from(self.approval.people.max(1)));
        if have < need {
            return refuse(format!("approval: {id} needs {need} people, and {have} said yes"));
        }
        Ok(())
    }
}

/// What an answer amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Yes, by as many people as it takes.
    Approved(Box<Approved>),
    /// One yes of several.
    Counted {
        /// Who.
        by: String,
        /// How many more people it takes.
        missing: u8,
    },
    /// No. One is enough, whoever said yes before.
    Denied {
        /// Who.
        by: String,
        /// In that person's words.
        reason: Option<String>,
    },
}

/// Why an answer does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    /// Somebody was first.
    #[error("{id} was {word} by {by} at {at}; this answer changes nothing")]
    AlreadyAnswered {
        /// Which question.
        id: ApprovalId,
        /// `approved` or `denied`.
        word: &'static str,
        /// Who.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// Too late.
    #[error("{id} expired at {at}; nothing was changed, and a new question has to be asked")]
    Expired {
        /// Which question.
        id: ApprovalId,
        /// When it did.
        at: Timestamp,
    },
    /// Not asked any more.
    #[error("{id} was withdrawn: what it asked for no longer applies")]
    Withdrawn {
        /// Which question.
        id: ApprovalId,
    },
    /// Nobody agrees with themselves.
    #[error("{person} {why}, so a yes of {person} does not count for {id}; {instead}")]
    Party {
        /// Which question.
        id: ApprovalId,
        /// Who.
        person: String,
        /// What they have to do with it.
        why: String,
        /// Who may answer instead, or how to mend it.
        instead: String,
    },
    /// Nobody knows that it is them.
    #[error("a yes to {id} takes a fresh proof that it is {person}, not older than {within}")]
    Unproved {
        /// Which question.
        id: ApprovalId,
        /// Who.
        person: String,
        /// How old it may be.
        within: Span,
    },
    /// The same person again.
    #[error("{person} has said yes to {id} already; it takes {missing} more, of other people")]
    Twice {
        /// Which question.
        id: ApprovalId,
        /// Who.
        person: String,
        /// How many more people it takes.
        missing: u8,
    },
    /// The answer is to something else.
    #[error("this answer is not to {id} as it stands (its code is {code}); look at it again")]
    AnotherQuestion {
        /// Which question.
        id: ApprovalId,
        /// Its short code.
        code: String,
    },
    /// A program must not decide.
    #[error("{person} is a program; {id} has to be answered by a person")]
    Machine {
        /// Which question.
        id: ApprovalId,
        /// Who.
        person: String,
    },
    /// Not allowed to.
    #[error("{person} has the role {role}; {id} needs at least approver")]
    Role {
        /// Which question.
        id: ApprovalId,
        /// Who.
        person: String,
        /// The role that is not enough.
        role: &'static str,
    },
    /// Not asked.
    #[error("{person} is in none of the teams that may answer {id}: {teams}")]
    Team {
        /// Which question.
        id: ApprovalId,
        /// Who.
        person: String,
        /// Who may.
        teams: String,
    },
}

/// Weighs an answer. Authority is judged before anything about the question is told, and a
/// question that is over stays over. `yes` is what was counted so far.
///
/// # Errors
/// Why the answer does not count; nothing changes then.
pub fn decide(
    approval: &Approval,
    state: &ApprovalState,
    yes: &[Vote],
    answer: &Answer<'_>,
    now: Timestamp,
) -> Result<Decision, ApprovalError> {
    let id = approval.id;
    let person = answer.person.to_owned();
    if answer.machine {
        return Err(ApprovalError::Machine { id, person });
    }
    if !answer.role.may(May::Decide) {
        let role = answer.role.word();
        return Err(ApprovalError::Role { id, person, role });
    }
    if !has_authority(approval, answer.role, answer.teams) {
        let teams = approval.teams.join(", ");
        return Err(ApprovalError::Team { id, person, teams });
    }
    match state {
        ApprovalState::Pending => {}
        ApprovalState::Approved { by, at } => {
            return Err(ApprovalError::AlreadyAnswered { id, word: "approved", by: by.clone(), at: *at });
        }
        ApprovalState::Denied { by, at } => {
            return Err(ApprovalError::AlreadyAnswered { id, word: "denied", by: by.clone(), at: *at });
        }
        ApprovalState::Expired => return Err(ApprovalError::Expired { id, at: approval.expires_at }),
        ApprovalState::Withdrawn => return Err(ApprovalError::Withdrawn { id }),
    }
    if now >= approval.expires_at {
        return Err(ApprovalError::Expired { id, at: approval.expires_at });
    }
    let digest = approval.digest();
    if !same(&digest, answer.digest) {
        return Err(ApprovalError::AnotherQuestion { id, code: approval.code() });
    }
    if !answer.approve {
        return Ok(Decision::Denied { by: person, reason: answer.reason.map(str::to_owned) });
    }
    if let Some(why) = approval.no_vote_of(answer.person) {
        let instead = instead(answer.others, &approval.teams);
        return Err(ApprovalError::Party { id, person, why, instead });
    }
    let people: BTreeSet<&str> = yes.iter().map(|v| v.by.as_str()).collect();
    let have = u8::try_from(people.len()).unwrap_or(u8::MAX);
    let missing = approval.people.max(1).saturating_sub(have);
    if people.contains(answer.person) {
        return Err(ApprovalError::Twice { id, person, missing });
    }
    if let Some(within) = approval.fresh_within
        && !answer.proof.is_some_and(|p| p.holds(within, now))
    {
        return Err(ApprovalError::Unproved { id, person, within });
    }
    if missing > 1 {
        return Ok(Decision::Counted { by: person, missing: missing - 1 });
    }
    let mut yes = yes.to_vec();
    yes.push(Vote { by: person, at: now, proof: answer.proof });
    Ok(Decision::Approved(Box::new(Approved { approval: approval.clone(), digest, yes, used: false })))
}

/// True when this person may still say yes to this question: who had the authority when answering
/// may have lost it since.
#[must_use]
pub fn has_authority(approval: &Approval, role: Role, teams: &BTreeSet<String>) -> bool {
    role.may(May::Decide) && approval.teams.iter().any(|team| teams.contains(team))
}

/// Compares with the same work wherever the first difference lies.
fn same(ours: &str, theirs: &str) -> bool {
    let (ours, theirs) = (ours.as_bytes(), theirs.as_bytes());
    let mut difference = u8::from(ours.len() != theirs.len());
    for (i, a) in ours.iter().enumerate() {
        difference |= a ^ theirs.get(i).copied().unwrap_or(!a);
    }
    difference == 0
}

#[cfg(test)]
#[path = "approval_tests.rs"]
mod tests;
