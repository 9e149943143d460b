//! The digest of questions of the first version: kept, so that an answer in an old journal can be
//! checked for ever. New questions use canonical JSON.
//!
//! Each field is written as name and value, each with its length before it (8 bytes, big endian), in
//! a fixed order; lists are preceded by their length.

use sha2::{Digest, Sha256};
use stanch_model::{Action, ActionKind};

use super::question::{Approval, hex};

/// First field of every digest.
const VERSION: &str = "stanch approval v1";

/// SHA-256 over everything that was shown, 64 hexadecimal digits.
pub(super) fn digest(a: &Approval) -> String {
    let mut e = Encoder::new();
    e.text("version", VERSION);
    e.number("approval", a.id.0);
    e.number("incident", a.incident.0);
    e.text("title", &a.title);
    e.number("run", a.run.0);
    e.text("playbook", &a.playbook);
    e.text("playbook_hash", &a.playbook_hash);
    e.text("step", &a.step);
    let Action { id, incident, responder, kind, ttl, before } = &a.action;
    e.number("action.id", id.0);
    e.number("action.incident", incident.0);
    e.text("action.responder", responder);
    kind_into(kind, &mut e);
    if let Some(before) = before {
        e.text("action.before", before);
    }
    e.time("action.ttl", ttl.0);
    e.text("simulated", if a.simulated { "yes" } else { "no" });
    e.list("blast", a.blast.lines().iter().map(String::as_str));
    e.list("because", a.because.iter().map(|r| r.0.as_str()));
    e.list("teams", a.teams.iter().map(String::as_str));
    e.time("requested_at", a.requested_at.0);
    e.time("expires_at", a.expires_at.0);
    e.finish()
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
        hex(&self.0.finalize())
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
