//! The question to a person: what is shown, and the one digest over all of it.
//!
//! The text is rendered from the same values that the digest is computed over, so that a screen, a
//! mail and the journal cannot disagree about what was asked.
//!
//! Source: SEC-67, SEC-68.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stanch_model::{Action, ActionKind, ApprovalId, IncidentId, RunId, Span, Timestamp};

use super::blast_radius::{BlastRadius, WIDTH, fit};
use crate::Reason;

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
        let Action { id, incident, responder, kind, ttl, before } = &self.action;
        e.number("action.id", id.0);
        e.number("action.incident", incident.0);
        e.text("action.responder", responder);
        kind_into(kind, &mut e);
        if let Some(before) = before {
            e.text("action.before", before);
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
        let mut out = vec![
            format!("{} for {}    short code {}", self.id, self.incident, digest.get(..CODE).unwrap_or("")),
            self.title.clone(),
            String::new(),
            format!(
                "{} for {} on {}",
                capital(&self.action.kind.words()),
                exact(self.action.ttl),
                self.action.responder
            ),
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

/// Every field of the change, each under its own name.
fn kind_into(kind: &ActionKind, e: &mut Encoder) {
    e.text("action.kind", kind.name());
    match kind {
        ActionKind::BlockAddress { target } => e.text("action.target", &target.to_string()),
        ActionKind::LimitAddress { target, packets_per_second } => {
            e.text("action.target", &target.to_string());
            e.number("action.packets_per_second", u64::from(*packets_per_second));
        }
        ActionKind::BlockPort { target, protocol, port } => {
            e.text("action.target", &target.to_string());
            e.text("action.protocol", protocol.word());
            e.number("action.port", u64::from(*port));
        }
        ActionKind::QuarantinePort { port, vlan } => {
            e.text("action.port", port);
            e.number("action.vlan", u64::from(*vlan));
        }
        ActionKind::LockAccount { account }
        | ActionKind::UnlockAccount { account }
        | ActionKind::ResetCredential { account } => e.text("action.account", account),
        ActionKind::RemoveFromGroup { account, group } => {
            e.text("action.account", account);
            e.text("action.group", group);
        }
        ActionKind::SinkholeDomain { domain } => e.text("action.domain", domain),
        ActionKind::Call { call, subject, inputs } => {
            e.text("action.call", call);
            e.text("action.subject", subject);
            let lines: Vec<String> = inputs.iter().map(|(k, v)| format!("{k}={v}")).collect();
            e.list("action.inputs", lines.iter().map(String::as_str));
        }
    }
}

/// With a capital first letter.
fn capital(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
