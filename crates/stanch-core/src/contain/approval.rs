//! A question to a person, and an answer that holds for exactly that question.
//!
//! Everything a person is shown goes into one digest. The answer names the digest, the guard
//! computes it again, and any difference — another target, a longer time, a reason rewritten, a row
//! changed in a database — makes the answer worthless.
//!
//! Source: SEC-67, SEC-68, SEC-72, SEC-77; P-11.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stanch_model::action::plain;
use stanch_model::{Action, ActionKind, ApprovalId, IncidentId, RunId, Span, Timestamp};

use super::blast_radius::{BlastRadius, WIDTH, fit};
use crate::Reason;
use crate::config::Role;

/// First field of every digest: a digest of one version never equals one of another.
const VERSION: &str = "stanch approval v1";

/// Length of the short code, in hexadecimal digits. For people to compare, never for deciding.
const CODE: usize = 8;

/// A question to a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Its name.
    pub id: ApprovalId,
    /// About which incident.
    pub incident: IncidentId,
    /// That incident's title, as shown.
    pub title: String,
    /// Asked by which run.
    pub run: RunId,
    /// Of which playbook.
    pub playbook: String,
    /// SHA-256 of that playbook, in hexadecimal.
    pub playbook_hash: String,
    /// At which of its steps.
    pub step: String,
    /// What would be done, to the letter.
    pub action: Action,
    /// True when the responder changes nothing real.
    pub simulated: bool,
    /// Whom it would hurt.
    pub blast: BlastRadius,
    /// Why it is proposed, and why a person is asked.
    pub because: Vec<Reason>,
    /// Members of these teams may answer.
    pub teams: Vec<String>,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// An answer counts only before this. Silence is a no.
    pub expires_at: Timestamp,
}

impl Approval {
    /// SHA-256 over everything that is shown, 64 hexadecimal digits.
    ///
    /// Each field is written as name and value, each with its length before it (8 bytes, big
    /// endian), in a fixed order; lists are preceded by their length. No two different questions
    /// are encoded alike.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut e = Encoder::new();
        e.text("version", VERSION);
        e.number("approval", self.id.0);
        e.number("incident", self.incident.0);
        e.text("title", &self.title);
        e.number("run", self.run.0);
        e.text("playbook", &self.playbook);
        e.text("playbook_hash", &self.playbook_hash);
        e.text("step", &self.step);
        let Action { id, incident, responder, kind, ttl } = &self.action;
        e.number("action.id", id.0);
        e.number("action.incident", incident.0);
        e.text("action.responder", responder);
        match kind {
            ActionKind::BlockAddress { target } => {
                e.text("action.kind", "block_address");
                e.text("action.target", &target.to_string());
            }
        }
        e.time("action.ttl", ttl.0);
        e.text("simulated", if self.simulated { "yes" } else { "no" });
        e.list("blast", self.blast.lines().iter().map(String::as_str));
        e.list("because", self.because.iter().map(|r| r.0.as_str()));
        e.list("teams", self.teams.iter().map(String::as_str));
        e.time("requested_at", self.requested_at.0);
        e.time("expires_at", self.expires_at.0);
        e.finish()
    }

    /// The first eight digits of the digest: what people compare between screen, mail and phone.
    #[must_use]
    pub fn code(&self) -> String {
        self.digest().chars().take(CODE).collect()
    }

    /// What a person is shown, exactly: the same on every screen. Lines of at most 78 characters,
    /// no control characters whatever the reasons contain.
    #[must_use]
    pub fn shown(&self) -> String {
        let digest = self.digest();
        let ActionKind::BlockAddress { target } = &self.action.kind;
        let mut out = vec![
            format!("{} for {}    short code {}", self.id, self.incident, digest.get(..CODE).unwrap_or("")),
            self.title.clone(),
            String::new(),
            format!("Block {} for {} on {}", plain(target), exact(self.action.ttl), self.action.responder),
        ];
        if self.simulated {
            out.push("SIMULATED: nothing real is changed".to_owned());
        }
        out.push(format!("asked by playbook {}, step {} ({})", self.playbook, self.step, self.run));
        out.push(String::new());
        out.push("why".to_owned());
        for reason in &self.because {
            wrap(&reason.0, &mut out);
        }
        out.push(String::new());
        out.push("what it touches".to_owned());
        out.extend(self.blast.lines().into_iter().map(|line| format!("  {line}")));
        out.push(String::new());
        wrap_words("may answer: ", &self.teams.join(", "), &mut out);
        out.push(format!("asked {}, open until {}", self.requested_at, self.expires_at));
        out.push("No answer means no. The change ends by itself when its time is over.".to_owned());
        out.push(format!("sha-256 {digest}"));
        let mut text = String::new();
        for line in out {
            text.push_str(&fit(&line));
            text.push('\n');
        }
        text
    }
}

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
}

/// A yes: to exactly one question, usable once. Made by [`decide`] or read back from the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    approval: Approval,
    digest: String,
    by: String,
    at: Timestamp,
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

    /// Who said yes.
    #[must_use]
    pub fn by(&self) -> &str {
        &self.by
    }

    /// When.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The same, marked as used: the guard will not accept it again.
    #[must_use]
    pub fn used(mut self) -> Approved {
        self.used = true;
        self
    }

    /// Read back from the journal: the question as it was asked, the digest as it was answered,
    /// and whether a permit that rests on it is there too. The digest must come from the answer and
    /// not from the question, or there is nothing to compare.
    #[allow(dead_code)] // for the run machine
    pub(crate) fn from_journal(
        approval: &Approval,
        digest: &str,
        by: &str,
        at: Timestamp,
        used: bool,
    ) -> Approved {
        let (approval, digest, by) = (approval.clone(), digest.to_owned(), by.to_owned());
        Approved { approval, digest, by, at, used }
    }

    /// Does this yes cover `action`, now? The digest is computed again from what was asked.
    ///
    /// # Errors
    /// Why it does not.
    pub fn covers(&self, action: &Action, now: Timestamp) -> Result<(), Reason> {
        let id = self.approval.id;
        let refuse = |why: String| Err(Reason::new(why));
        if !same(&self.approval.digest(), &self.digest) {
            return refuse(format!("approval: {id} is not what {} agreed to: its digest differs", self.by));
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
        if self.at >= self.approval.expires_at || self.at < self.approval.requested_at {
            return refuse(format!("approval: {id} was answered outside its time, at {}", self.at));
        }
        Ok(())
    }
}

/// What an answer amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Approved(Approved),
    /// No.
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
/// question that is over stays over.
///
/// # Errors
/// Why the answer does not count; nothing changes then.
pub fn decide(
    approval: &Approval,
    state: &ApprovalState,
    answer: &Answer<'_>,
    now: Timestamp,
) -> Result<Decision, ApprovalError> {
    let id = approval.id;
    let person = answer.person.to_owned();
    if answer.machine {
        return Err(ApprovalError::Machine { id, person });
    }
    if answer.role < Role::Approver {
        let role = if answer.role == Role::Viewer { "viewer" } else { "analyst" };
        return Err(ApprovalError::Role { id, person, role });
    }
    if !approval.teams.iter().any(|team| answer.teams.contains(team)) {
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
    let approval = approval.clone();
    Ok(Decision::Approved(Approved { approval, digest, by: person, at: now, used: false }))
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

/// A time to live to the millisecond: nothing is rounded away from the person who decides.
fn exact(span: Span) -> String {
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let (mut rest, mut out) = (span.0, Vec::new());
    for (unit, length) in units {
        if rest >= length {
            out.push(format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    if out.is_empty() { format!("{}ms", span.0) } else { out.join(" ") }
}

/// A reason as an indented paragraph with a dash.
fn wrap(text: &str, out: &mut Vec<String>) {
    wrap_words("  - ", text, out);
}

fn wrap_words(first: &str, text: &str, out: &mut Vec<String>) {
    let indent = " ".repeat(first.chars().count());
    let room = WIDTH - indent.len();
    let mut line = first.to_owned();
    let mut used = 0;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()) {
        // A word longer than a line is broken: nothing of a reason is cut off.
        let letters: Vec<char> = word.chars().collect();
        for piece in letters.chunks(room) {
            if used > 0 && used + 1 + piece.len() > room {
                out.push(std::mem::replace(&mut line, indent.clone()));
                used = 0;
            }
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.extend(piece);
            used += piece.len();
        }
    }
    out.push(line);
}

struct Encoder(Sha256);

impl Encoder {
    fn new() -> Encoder {
        Encoder(Sha256::new())
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.0.update(length.to_be_bytes());
        self.0.update(bytes);
    }

    fn text(&mut self, name: &str, value: &str) {
        self.bytes(name.as_bytes());
        self.bytes(value.as_bytes());
    }

    fn number(&mut self, name: &str, value: u64) {
        self.text(name, &value.to_string());
    }

    fn time(&mut self, name: &str, value: i64) {
        self.text(name, &value.to_string());
    }

    fn list<'t>(&mut self, name: &str, items: impl ExactSizeIterator<Item = &'t str>) {
        self.number(name, u64::try_from(items.len()).unwrap_or(u64::MAX));
        for item in items {
            self.bytes(item.as_bytes());
        }
    }

    fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
#[path = "approval_tests.rs"]
mod tests;
