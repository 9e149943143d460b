//! `stanch.yaml`: the process. Works empty; every key has a default.

use std::net::SocketAddr;

use stanch_model::Span;

use super::common::{path, set};
use super::yaml::{Fields, Node};
use super::{Mistake, PlaybookEdits, ServerConfig, TlsFiles, programs};
use crate::retention::{LONGEST, Retention, SHORTEST};

/// Where the key is that wraps the keys of stored secrets: 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MasterKey {
    /// A file. None: `secrets.key` in the data folder, made with the first secret.
    File(Option<String>),
    /// A systemd credential (`LoadCredential=`, `LoadCredentialEncrypted=`), by its name.
    Credential(String),
    /// A key of type `user` in the kernel's user keyring, by its description.
    Keyring(String),
    /// A program and its arguments; what it prints is the key. For a KMS.
    Command(Vec<String>),
}

/// Keys that wrap the keys of stored secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MasterKeys {
    /// The one in force.
    pub key: MasterKey,
    /// The one before, while it is changed. Default: none.
    pub before: Option<MasterKey>,
}

impl Default for MasterKey {
    fn default() -> MasterKey {
        MasterKey::File(None)
    }
}

/// Files of the audit, relative to the configuration folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFiles {
    /// The private key. Default `audit.key` in the data folder, made at the first start.
    pub key: Option<String>,
    /// Files to which each checkpoint is appended too: on other machines, or media that only grow.
    pub copies: Vec<String>,
}

impl Default for ServerConfig {
    fn default() -> ServerConfig {
        ServerConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 7878)),
            tls: None,
            max_body: 8 << 20,
            max_inflate_ratio: 100,
            intake_queue: 1024,
            enrich_deadline: Span::secs(2),
            requests_per_second: 200,
            audit: AuditFiles::default(),
            master_keys: MasterKeys::default(),
            retention: Retention::default(),
            playbook_edits: PlaybookEdits::Auto,
        }
    }
}

const KEYS: &[&str] = &[
    "listen",
    "tls",
    "max_body",
    "max_inflate_ratio",
    "intake_queue",
    "enrich_deadline",
    "requests_per_second",
    "audit",
    "secrets",
    "retention",
    "playbook_edits",
];
/// Words of `playbook_edits`.
const EDITS: &[(&str, PlaybookEdits)] =
    &[("auto", PlaybookEdits::Auto), ("on", PlaybookEdits::On), ("off", PlaybookEdits::Off)];

/// Reads `stanch.yaml`. `people` is false when nobody has a token yet.
pub(super) fn read(root: &Node, people: bool, mistakes: &mut Vec<Mistake>) -> ServerConfig {
    let mut config = ServerConfig::default();
    let Some(fields) = root.map(mistakes) else { return config };
    let m = mistakes;
    set(&mut config.listen, fields.optional("listen").and_then(|n| listen(n, m)));
    config.tls = fields.optional("tls").and_then(|n| tls(n, m));
    set(&mut config.max_body, fields.optional("max_body").and_then(|n| n.size((1 << 10)..=(1 << 30), m)));
    if let Some(n) = fields.optional("max_inflate_ratio").and_then(|n| n.integer(1..=10_000, m)) {
        config.max_inflate_ratio = n.unsigned_abs();
    }
    if let Some(n) = fields.optional("intake_queue").and_then(|n| n.integer(1..=1_000_000, m)) {
        config.intake_queue = usize::try_from(n).unwrap_or(config.intake_queue);
    }
    let deadline = Span(10)..=Span::mins(1);
    set(
        &mut config.enrich_deadline,
        fields.optional("enrich_deadline").and_then(|n| n.span_within(deadline, m)),
    );
    if let Some(n) = fields.optional("requests_per_second").and_then(|n| n.integer(1..=1_000_000, m)) {
        config.requests_per_second = u32::try_from(n).unwrap_or(config.requests_per_second);
    }
    if let Some(audit) = fields.optional("audit").and_then(|n| audit(n, m)) {
        config.audit = audit;
    }
    set(&mut config.master_keys, fields.optional("secrets").and_then(|n| master_keys(n, m)));
    set(&mut config.retention, fields.optional("retention").and_then(|n| retention(n, m)));
    if let Some(n) = fields.optional("playbook_edits") {
        let words: Vec<&str> = EDITS.iter().map(|(word, _)| *word).collect();
        let chosen = n.choice("playbook_edits", &words, m);
        set(&mut config.playbook_edits, EDITS.iter().find(|(w, _)| Some(*w) == chosen).map(|(_, e)| *e));
    }
    fields.finish(KEYS, m);
    reachable(&config, &fields, people, m);
    config
}

/// Who can be reached from other machines needs TLS, and somebody who can prove who they are.
fn reachable(config: &ServerConfig, fields: &Fields<'_>, people: bool, mistakes: &mut Vec<Mistake>) {
    let Some(node) = fields.optional("listen").filter(|_| !config.listen.ip().is_loopback()) else { return };
    // A `tls` that is written but wrong has been reported already.
    if fields.optional("tls").is_none() {
        let message =
            format!("`listen: {}` can be reached from other machines, but `tls` is missing", config.listen);
        let help = "add `tls: { cert: secrets/tls.crt, key: secrets/tls.key }`, \
                    or listen on 127.0.0.1 behind a proxy that speaks TLS";
        mistakes.push(node.mistake(message, help));
    }
    if !people {
        let message =
            format!("`listen: {}` can be reached from other machines, but nobody has a token", config.listen);
        let help = "add at least one person with a token to policies/people.yaml";
        mistakes.push(node.mistake(message, help));
    }
}

fn listen(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<SocketAddr> {
    const HELP: &str =
        "write address:port, for example 127.0.0.1:7878 or \"[::1]:7878\"; names are not looked up";
    let text = node.string(mistakes)?;
    match text.parse() {
        Ok(address) => Some(address),
        Err(_) => node.wrong(&text, "an address with a port", HELP, mistakes),
    }
}

fn tls(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<TlsFiles> {
    let fields = node.map(mistakes)?;
    let cert = fields.required("cert", mistakes).and_then(|n| path(n, mistakes));
    let key = fields.required("key", mistakes).and_then(|n| path(n, mistakes));
    let clients = fields.optional("clients").and_then(|n| programs::clients(n, mistakes));
    fields.finish(&["cert", "key", "clients"], mistakes);
    Some(TlsFiles { cert: cert?, key: key?, clients })
}

fn audit(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<AuditFiles> {
    let fields = node.map(mistakes)?;
    let key = fields.optional("key").and_then(|n| path(n, mistakes));
    let copies = fields.optional("copies").and_then(|n| n.list(mistakes, path)).unwrap_or_default();
    fields.finish(&["key", "copies"], mistakes);
    Some(AuditFiles { key, copies })
}

fn retention(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<Retention> {
    let fields = node.map(mistakes)?;
    fields.finish(&["alerts", "incidents"], mistakes);
    let mut span = |name| fields.optional(name).and_then(|n| n.span_within(SHORTEST..=LONGEST, mistakes));
    Some(Retention { alerts: span("alerts"), incidents: span("incidents") })
}

fn master_keys(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<MasterKeys> {
    let fields = node.map(mistakes)?;
    fields.finish(&["key", "before"], mistakes);
    let before = fields.optional("before").map(|n| master_key(n, mistakes));
    let key = fields.required("key", mistakes).and_then(|n| master_key(n, mistakes))?;
    Some(MasterKeys { key, before: before.flatten() })
}

fn master_key(key: &Node, mistakes: &mut Vec<Mistake>) -> Option<MasterKey> {
    const HELP: &str = "write { file: PATH }, { credential: NAME }, { keyring: NAME } or { command: [PROGRAM, ARGUMENT] } behind it";
    let fields = key.map(mistakes)?;
    fields.finish(&["file", "credential", "keyring", "command"], mistakes);
    let text = |name| fields.optional(name);
    match (text("file"), text("credential"), text("keyring"), text("command")) {
        (Some(file), None, None, None) => path(file, mistakes).map(|p| MasterKey::File(Some(p))),
        (None, Some(name), None, None) => name.string(mistakes).map(MasterKey::Credential),
        (None, None, Some(name), None) => name.string(mistakes).map(MasterKey::Keyring),
        (None, None, None, Some(words)) => {
            words.list(mistakes, |n, m| n.string(m)).filter(|w| !w.is_empty()).map(MasterKey::Command)
        }
        _ => {
            mistakes.push(key.mistake(format!("`{}` has to say one place where the key is", key.name), HELP));
            None
        }
    }
}
