//! What is asked of people that is not about one change: a decision, or work by hand.
//!
//! The same care as for a change: everything shown is in one digest, an answer names the digest,
//! counts once and in time, and comes from somebody who may give it.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use stanch_model::{IncidentId, RunId, TaskId, Timestamp};

use super::inputs;
use crate::config::{May, Role};
use crate::contain::parties::{self, Party};
use crate::playbook::{Param, Type};

/// First part of every digest: a digest of one version never equals one of another.
const VERSION: &str = "stanch task v1";

/// Something asked of people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its name.
    pub id: TaskId,
    /// Asked by which run.
    pub run: RunId,
    /// At which of its steps: a path.
    pub step: String,
    /// Of which playbook.
    pub playbook: String,
    /// SHA-256 of that playbook, in hexadecimal.
    pub playbook_hash: String,
    /// About which incident, if the run has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// That incident's title, or the playbook's summary, as shown.
    pub title: String,
    /// The question, or what to do.
    pub text: String,
    /// What kind of answer is wanted.
    pub ask: Ask,
    /// Members of these teams may answer.
    pub teams: Vec<String>,
    /// Who asked for the run, and so may not decide here; none when a trigger did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    /// Everybody with a part in a decision, and whether theirs counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parties: Vec<Party>,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// An answer counts only before this. Silence is never a yes.
    pub expires_at: Timestamp,
}

/// What kind of answer is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// Yes or no, from an approver.
    Decision,
    /// Work by hand, and then this form.
    Work {
        /// The form's fields.
        form: Vec<Field>,
    },
}

/// One field of a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What may be given, as playbooks spell it.
    #[serde(rename = "type")]
    pub kind: String,
    /// Taken when nothing is given; none means it must be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Json>,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
}

impl Field {
    /// A field as it is shown and stored.
    #[must_use]
    pub fn of(p: &Param) -> Field {
        Field {
            name: p.name.clone(),
            kind: inputs::word(&p.kind),
            default: p.default.clone(),
            about: p.about.clone(),
        }
    }

    /// The field as a parameter again; a kind this program does not know counts as text.
    #[must_use]
    pub fn param(&self) -> Param {
        let kind = inputs::kind(&self.kind).unwrap_or(Type::Text);
        Param { name: self.name.clone(), kind, default: self.default.clone(), about: self.about.clone() }
    }
}

impl Task {
    /// Why this person does not decide it, if they do not. Work by hand anybody may do.
    #[must_use]
    pub fn no_vote_of(&self, person: &str) -> Option<String> {
        let why = parties::no_vote_of(&self.parties, self.requested_by.as_deref(), person);
        why.filter(|_| self.ask == Ask::Decision)
    }

    /// SHA-256 over everything that is shown, 64 hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> String {
        // The field order is the struct's, and JSON says where each value ends: no two different
        // tasks are written alike.
        let json = serde_json::to_vec(self).unwrap_or_default();
        let mut hash = Sha256::new();
        hash.update(VERSION.as_bytes());
        hash.update([0]);
        hash.update(json);
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// An answer as it came in. Identity, role and teams come from our own configuration.
#[derive(Clone, Debug)]
pub struct Reply<'a> {
    /// Who answers.
    pub person: &'a str,
    /// What this person may do now.
    pub role: Role,
    /// Of which teams this person is a member now.
    pub teams: &'a std::collections::BTreeSet<String>,
    /// The digest of what this person was shown.
    pub digest: &'a str,
    /// Yes or done; no or cannot be done.
    pub yes: bool,
    /// The form, for work.
    pub values: &'a Json,
}

/// Why an answer to a task does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// Not allowed to.
    #[error("{0}")]
    Refused(String),
    /// Too late, or not to this task as it stands.
    #[error("{0}")]
    Conflict(String),
    /// The form is not filled in as it should be.
    #[error("{0}")]
    Invalid(String),
}

/// Weighs an answer to an open task; gives the form's values, checked and with their defaults.
///
/// # Errors
/// Why the answer does not count; nothing changes then.
pub fn weigh(task: &Task, r: &Reply<'_>, now: Timestamp) -> Result<Json, TaskError> {
    let id = task.id;
    let needed = match task.ask {
        Ask::Decision => May::Decide,
        Ask::Work { .. } => May::Work,
    };
    if !r.role.may(needed) {
        let word = needed.least().word();
        return Err(TaskError::Refused(format!(
            "{} needs at least the role {word} to answer {id}",
            r.person
        )));
    }
    if !task.teams.iter().any(|team| r.teams.contains(team)) {
        let teams = task.teams.join(", ");
        return Err(TaskError::Refused(format!(
            "{} is in none of the teams that may answer {id}: {teams}",
            r.person
        )));
    }
    if let Some(why) = task.no_vote_of(r.person) {
        return Err(TaskError::Refused(format!(
            "{} {why} and cannot decide {id} too; another approver has to",
            r.person
        )));
    }
    if now >= task.expires_at {
        return Err(TaskError::Conflict(format!("{id} expired at {}; nothing was done", task.expires_at)));
    }
    if task.digest() != r.digest {
        return Err(TaskError::Conflict(format!(
            "this answer is not to {id} as it stands; look at it again"
        )));
    }
    match &task.ask {
        Ask::Work { form } if r.yes => {
            let params: Vec<Param> = form.iter().map(Field::param).collect();
            inputs::check(&params, r.values).map_err(TaskError::Invalid)
        }
        Ask::Work { .. } | Ask::Decision => Ok(Json::Null),
    }
}
