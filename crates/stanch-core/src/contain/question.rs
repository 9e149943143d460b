//! The question to a person: what is shown, and the one digest over all of it.
//!
//! The text is rendered from the same values that the digest is computed over, so that a screen, a
//! mail and the journal cannot disagree about what was asked. The digest is SHA-256 over canonical
//! JSON (RFC 8785), so that anybody can compute it again; questions of the first version, which lie
//! in old journals, keep the encoding they were asked with ([`super::question_v1`]).
//!
//! Source: SEC-67, SEC-68; RFC 8785.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stanch_model::{Action, ActionKind, ApprovalId, IncidentId, RunId, Span, Timestamp};

use super::blast_radius::{BlastRadius, WIDTH, fit};
use super::parties::{self, Party};
use crate::Reason;

/// First field of every digest: a digest of one version never equals one of another.
const VERSION: &str = "stanch approval v2";

/// The encoding of digests that new questions get.
pub const ENCODING: u8 = 2;

/// Length of the short code, in hexadecimal digits. For people to compare, never for deciding.
const CODE: usize = 8;

/// A question to a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// How its digest is encoded; 1 in journals of the first version.
    #[serde(default = "one")]
    pub encoding: u8,
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
    /// True when the change cannot be undone, and so has no end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lasting: bool,
    /// True when the change is in force already, and this is about a later end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub renewal: bool,
    /// How many different people have to say yes.
    #[serde(default = "one")]
    pub people: u8,
    /// The person who asked for it; none when the machine did. Nobody agrees with themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<String>,
    /// Everybody with a part in it, and whether their yes counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parties: Vec<Party>,
    /// How old the proof of the person may be that each yes takes; none where it takes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh_within: Option<Span>,
    /// SHA-256 of the configuration in force when it was asked, in hexadecimal.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub policy: String,
    /// Members of these teams may answer.
    pub teams: Vec<String>,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// An answer counts only before this. Silence is a no.
    pub expires_at: Timestamp,
}

impl Approval {
    /// SHA-256 over everything that is shown, 64 hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> String {
        if self.encoding == 1 {
            return super::question_v1::digest(self);
        }
        hex(&Sha256::digest(self.canonical()))
    }

    /// What the digest is computed over: canonical JSON (RFC 8785) in which every number is a text,
    /// so that no reader rounds one.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        let Action { id, incident, responder, kind, ttl, before } = &self.action;
        let lines = |list: &[Reason]| list.iter().map(|r| r.0.clone()).collect::<Vec<_>>();
        let mut value = serde_json::json!({
            "version": VERSION,
            "approval": self.id.to_string(),
            "incident": self.incident.to_string(),
            "title": self.title,
            "run": self.run.to_string(),
            "playbook": self.playbook,
            "playbook_hash": self.playbook_hash,
            "step": self.step,
            "action": {
                "id": id.to_string(),
                "incident": incident.to_string(),
                "responder": responder,
                "kind": texts(serde_json::to_value(kind).unwrap_or_default()),
                "ttl_ms": ttl.0.to_string(),
                "before": before,
            },
            "simulated": self.simulated,
            "lasting": self.lasting,
            "renewal": self.renewal,
            "blast": self.blast.lines(),
            "because": lines(&self.because),
            "people": self.people.to_string(),
            "asked_by": self.asked_by,
            "policy": self.policy,
            "teams": self.teams,
            "requested_at": self.requested_at.0.to_string(),
            "expires_at": self.expires_at.0.to_string(),
        });
        if let Some(within) = self.fresh_within {
            value["fresh_within_ms"] = within.0.to_string().into();
        }
        // Questions of journals from before have no such name, and keep their digest.
        if !self.parties.is_empty() {
            value["parties"] =
                serde_json::json!(self.parties.iter().map(canonical_party).collect::<Vec<_>>());
        }
        // Texts, lists and maps only: nothing here can fail to be written.
        plain(&value).or_else(|| serde_json_canonicalizer::to_vec(&value).ok()).unwrap_or_default()
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
        self.shown_with(&self.digest())
    }

    /// The same, with the digest already at hand: it takes most of the time.
    pub(crate) fn shown_with(&self, digest: &str) -> String {
        let mut out = vec![
            format!("{} for {}    short code {}", self.id, self.incident, digest.get(..CODE).unwrap_or("")),
            self.title.clone(),
            String::new(),
            self.headline(),
        ];
        if let ActionKind::Call { inputs, .. } = &self.action.kind {
            for (name, value) in inputs {
                wrap_words("  ", &format!("{name}: {value}"), &mut out);
            }
        }
        if self.simulated {
            out.push("SIMULATED: nothing real is changed".to_owned());
        }
        let who = self.asked_by.as_ref().map_or_else(String::new, |who| format!(" for {who}"));
        out.push(format!("asked by playbook {}, step {} ({}){who}", self.playbook, self.step, self.run));
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
        for party in &self.parties {
            let first = if party.counts { "may answer all the same: " } else { "does not count: " };
            wrap_words(first, &format!("{}, who {}", party.person, party.why), &mut out);
        }
        out.push(format!("asked {}, open until {}", self.requested_at, self.expires_at));
        if self.people > 1 {
            out.push(format!("It takes {} different people to say yes, and one to say no.", self.people));
        }
        if let Some(within) = self.fresh_within {
            let what = format!("a fresh proof that it is you, not older than {within}, in the console");
            wrap_words("each yes takes: ", &what, &mut out);
        }
        out.push(
            if self.lasting {
                "No answer means no. THE CHANGE CANNOT BE UNDONE and has no end."
            } else {
                "No answer means no. The change ends by itself when its time is over."
            }
            .to_owned(),
        );
        out.push(format!("sha-256 {digest}"));
        let mut text = String::new();
        for line in out {
            text.push_str(&fit(&line));
            text.push('\n');
        }
        text
    }
}

impl Approval {
    /// Why a yes of this person does not count, if it does not.
    #[must_use]
    pub fn no_vote_of(&self, person: &str) -> Option<String> {
        parties::no_vote_of(&self.parties, self.asked_by.as_deref(), person)
    }

    /// What would be done, in one line.
    #[must_use]
    pub fn headline(&self) -> String {
        let what = capital(&self.action.kind.words());
        let (ttl, on) = (exact(self.action.ttl), &self.action.responder);
        match (self.lasting, self.renewal) {
            (true, _) => format!("{what} for good on {on}"),
            (false, true) => format!("Go on for {ttl} more: {} on {on}", self.action.kind.words()),
            (false, false) => format!("{what} for {ttl} on {on}"),
        }
    }
}

fn canonical_party(p: &Party) -> serde_json::Value {
    serde_json::json!({ "person": p.person, "why": p.why, "counts": p.counts })
}

const fn one() -> u8 {
    1
}

/// The same value with every number as a text.
fn texts(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Number(n) => Value::String(n.to_string()),
        Value::Array(list) => Value::Array(list.into_iter().map(texts).collect()),
        Value::Object(map) => Value::Object(map.into_iter().map(|(k, v)| (k, texts(v))).collect()),
        Value::Null | Value::Bool(_) | Value::String(_) => value,
    }
}

/// Canonical JSON of a value without numbers, where all names are ASCII; `None` for any other. Their order
/// by code units is then that of their bytes, and texts are escaped by both ways alike, so that this gives
/// what the library gives, in a fraction of the time.
fn plain(value: &serde_json::Value) -> Option<Vec<u8>> {
    fn write(value: &serde_json::Value, out: &mut Vec<u8>) -> Option<()> {
        use serde_json::Value;
        match value {
            Value::Number(_) => return None,
            Value::Null | Value::Bool(_) | Value::String(_) => {
                serde_json::to_writer(&mut *out, value).ok()?;
            }
            Value::Array(list) => {
                out.push(b'[');
                for (n, value) in list.iter().enumerate() {
                    out.extend((n > 0).then_some(b','));
                    write(value, out)?;
                }
                out.push(b']');
            }
            Value::Object(map) => {
                let mut all: Vec<(&String, &Value)> = map.iter().collect();
                if !all.iter().all(|(name, _)| name.is_ascii()) {
                    return None;
                }
                all.sort_unstable_by_key(|(name, _)| *name);
                out.push(b'{');
                for (n, (name, value)) in all.into_iter().enumerate() {
                    out.extend((n > 0).then_some(b','));
                    serde_json::to_writer(&mut *out, name).ok()?;
                    out.push(b':');
                    write(value, out)?;
                }
                out.push(b'}');
            }
        }
        Some(())
    }
    let mut out = Vec::with_capacity(2_048);
    write(value, &mut out)?;
    Some(out)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |n: u8| char::from(DIGITS[usize::from(n)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// A time to live to the millisecond: nothing is rounded away from the person who decides.
pub(super) fn exact(span: Span) -> String {
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

/// With a capital first letter.
fn capital(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn value(name: &'static str) -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            "(?s).{0,12}".prop_map(Value::String),
            "[\u{0}-\u{1f}\u{7f}\"\\\\/\u{2028}\u{1f600}]{0,6}".prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            let map = proptest::collection::btree_map(name, inner.clone(), 0..6);
            prop_oneof![
                proptest::collection::vec(inner, 0..6).prop_map(Value::Array),
                map.prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_here_is_what_the_library_writes(v in value("[\u{0}-\u{7f}]{0,8}")) {
            prop_assert_eq!(plain(&v), serde_json_canonicalizer::to_vec(&v).ok());
        }

        #[test]
        fn names_beyond_ascii_are_left_to_the_library(v in value("(?s).{0,3}")) {
            let library = serde_json_canonicalizer::to_vec(&v).ok();
            prop_assert!(plain(&v).is_none_or(|own| Some(own) == library));
        }
    }

    #[test]
    fn numbers_and_names_beyond_ascii_are_left_to_the_library() {
        assert_eq!(plain(&json!({ "a": [1] })), None);
        assert_eq!(plain(&json!({ "\u{e000}": "", "\u{10000}": "" })), None);
        assert_eq!(
            plain(&json!({ "b": "\u{1}", "B": null })).as_deref(),
            Some(br#"{"B":null,"b":"\u0001"}"#.as_slice())
        );
    }
}
