//! Calls that an operator declares with a responder of type `http` or `exec`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use stanch_model::Span;

use super::Mistake;
use super::common::set;
use super::connectors::{Taken, name};
use super::responders::absolute;
use super::yaml::{Fields, Node, Value, is_name};

/// What an input may be, without the lists of words.
const INPUTS: &[&str] = &["text", "word", "integer", "boolean", "address", "prefix", "domain"];
const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE"];

/// How a call is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Http,
    Program,
}

/// One declared call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallConfig {
    /// Its name in playbooks.
    pub name: String,
    /// Its inputs, all of them required.
    pub inputs: BTreeMap<String, InputKind>,
    /// What it does.
    pub does: CallDoes,
}

impl CallConfig {
    /// Whether it changes something outside.
    #[must_use]
    pub fn changes(&self) -> bool {
        match &self.does {
            CallDoes::Ask(_) => false,
            CallDoes::Change { .. } => true,
            CallDoes::Program { changes, .. } => *changes,
        }
    }
}

/// What an input may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// Any text without control characters.
    Text,
    /// Letters, digits and `. _ - @ :`.
    Word,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// An IP address.
    Address,
    /// An address or prefix.
    Prefix,
    /// A domain name.
    Domain,
    /// One of these.
    Choice(Vec<String>),
}

/// What a call does. A folder declares a handful of calls: their size does not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)]
pub enum CallDoes {
    /// Asks over HTTP.
    Ask(RequestConfig),
    /// Changes something over HTTP.
    Change {
        /// Makes the change.
        perform: RequestConfig,
        /// Tells whether it is there.
        verify: RequestConfig,
        /// Takes it back, where that can be done.
        revert: Option<RequestConfig>,
    },
    /// Runs a program.
    Program {
        /// Whether it changes something. Default true.
        changes: bool,
        /// Its absolute path.
        program: String,
        /// Its arguments.
        args: Vec<String>,
        /// SHA-256 of its file, if nothing else may ever be run.
        sha256: Option<String>,
        /// Whether it may be run at all. Default false.
        enabled: bool,
        /// How long it may take. Default 10 s.
        timeout: Span,
    },
}

/// One HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestConfig {
    /// GET, POST, PUT, PATCH or DELETE. Default GET to look, POST to change.
    pub method: String,
    /// With `{input}` in its path and query.
    pub url: String,
    /// Name and value.
    pub headers: Vec<(String, String)>,
    /// Sent as JSON.
    pub body: Option<Json>,
    /// Statuses that mean success. Default 200, 201, 202, 204.
    pub expect: Vec<u16>,
    /// Where the outcome lies, as a JSON pointer.
    pub outcome: Option<String>,
    /// For `verify`: statuses that mean "not there". Default 404.
    pub absent: Vec<u16>,
    /// For `verify`: it is there when the outcome is this.
    pub equals: Option<Json>,
}

/// Reads `calls` of one responder. Names are unique over all responders: a playbook names the call
/// alone.
pub(super) fn read(fields: &Fields<'_>, by: By, taken: &mut Taken, m: &mut Vec<Mistake>) -> Vec<CallConfig> {
    let Some(node) = fields.required("calls", m) else { return Vec::new() };
    node.list(m, |item, m| call(item, by, taken, m)).unwrap_or_default()
}

fn call(node: &Node, by: By, taken: &mut Taken, m: &mut Vec<Mistake>) -> Option<CallConfig> {
    let fields = node.map(m)?;
    let name = name(&fields, "call", taken, m);
    let inputs = fields.optional("inputs").and_then(|n| inputs(n, m)).unwrap_or_default();
    let mut changes = true;
    set(&mut changes, fields.optional("changes").and_then(|n| n.boolean(m)));
    let known: BTreeSet<&str> = inputs.keys().map(String::as_str).chain(["key"]).collect();
    let does = match by {
        By::Program => program(&fields, changes, &known, m),
        By::Http if changes => change(&fields, &known, m),
        By::Http => {
            let ask = fields.required("ask", m).and_then(|n| request(n, Kind::Look, &known, m));
            fields.finish(&["name", "inputs", "changes", "ask"], m);
            ask.map(CallDoes::Ask)
        }
    };
    Some(CallConfig { name: name?, inputs, does: does? })
}

fn inputs(node: &Node, m: &mut Vec<Mistake>) -> Option<BTreeMap<String, InputKind>> {
    let fields = node.map(m)?;
    let mut all = BTreeMap::new();
    for (key, value) in fields.entries() {
        if !is_name(&key.text) || key.text.contains('-') || matches!(&*key.text, "key" | "ttl_seconds") {
            let help = "use small letters, digits and `_`; `key` and `ttl_seconds` are taken";
            m.push(value.mistake(format!("`{}` cannot be the name of an input", key.text), help));
            continue;
        }
        if let Value::List(_) = value.value {
            let words = value.list(m, |n, m| n.string(m)).unwrap_or_default();
            all.insert(key.text.to_string(), InputKind::Choice(words));
            continue;
        }
        let kind = match value.choice("input type", INPUTS, m) {
            Some("text") => InputKind::Text,
            Some("integer") => InputKind::Integer,
            Some("boolean") => InputKind::Boolean,
            Some("address") => InputKind::Address,
            Some("prefix") => InputKind::Prefix,
            Some("domain") => InputKind::Domain,
            Some(_) => InputKind::Word,
            None => continue,
        };
        all.insert(key.text.to_string(), kind);
    }
    Some(all)
}

fn change(fields: &Fields<'_>, known: &BTreeSet<&str>, m: &mut Vec<Mistake>) -> Option<CallDoes> {
    let perform = fields.required("perform", m).and_then(|n| request(n, Kind::Change, known, m));
    let verify = fields.required("verify", m).and_then(|n| request(n, Kind::Verify, known, m));
    let revert = fields.optional("revert").map(|n| request(n, Kind::Change, known, m));
    fields.finish(&["name", "inputs", "changes", "perform", "verify", "revert"], m);
    if revert.is_none() {
        let help = "add `revert`; without it playbooks must say `undo: none`";
        m.push(fields.node().warning("this call cannot be taken back", help));
    }
    let revert = match revert {
        Some(read) => Some(read?),
        None => None,
    };
    Some(CallDoes::Change { perform: perform?, verify: verify?, revert })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Look,
    Verify,
    Change,
}

fn request(node: &Node, kind: Kind, known: &BTreeSet<&str>, m: &mut Vec<Mistake>) -> Option<RequestConfig> {
    let fields = node.map(m)?;
    let mut known = known.clone();
    if kind != Kind::Look {
        known.insert("ttl_seconds");
    }
    let mut method = if kind == Kind::Change { "POST" } else { "GET" };
    set(&mut method, fields.optional("method").and_then(|n| n.choice("method", METHODS, m)));
    let url = fields.required("url", m).and_then(|n| url(n, &known, m));
    let headers = fields.optional("headers").and_then(|n| headers(n, &known, m)).unwrap_or_default();
    let body = fields.optional("body").and_then(|n| json(n, &known, m));
    let mut expect = vec![200, 201, 202, 204];
    set(&mut expect, fields.optional("expect").and_then(|n| n.list(m, status)));
    let outcome = fields.optional("outcome").and_then(|n| pointer(n, m));
    let mut absent = vec![404];
    let mut equals = None;
    if kind == Kind::Verify {
        set(&mut absent, fields.optional("absent").and_then(|n| n.list(m, status)));
        equals = fields.optional("equals").and_then(|n| json(n, &known, m));
        fields.finish(&["method", "url", "headers", "body", "expect", "outcome", "absent", "equals"], m);
    } else {
        fields.finish(&["method", "url", "headers", "body", "expect", "outcome"], m);
    }
    Some(RequestConfig {
        method: method.to_owned(),
        url: url?,
        headers,
        body,
        expect,
        outcome,
        absent,
        equals,
    })
}

fn status(node: &Node, m: &mut Vec<Mistake>) -> Option<u16> {
    node.integer(100..=599, m).and_then(|n| u16::try_from(n).ok())
}

fn pointer(node: &Node, m: &mut Vec<Mistake>) -> Option<String> {
    let text = node.string(m)?;
    if text.starts_with('/') {
        return Some(text);
    }
    node.wrong(&text, "a JSON pointer", "begin it with `/`, for example /host/state (RFC 6901)", m)
}

/// A text with `{name}` in it, of names that are known here.
fn places(node: &Node, text: &str, known: &BTreeSet<&str>, m: &mut Vec<Mistake>) -> bool {
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let Some(close) = rest[open..].find('}') else {
            m.push(node.mistake("a `{` is not closed", "write {input}; a plain brace is not possible here"));
            return false;
        };
        let name = &rest[open + 1..open + close];
        if !known.contains(name) {
            let all: Vec<&str> = known.iter().copied().collect();
            let shown: String = name.chars().take(64).collect();
            let help = format!("known here: {}", all.join(", "));
            m.push(node.mistake(format!("there is no input \"{shown}\""), help));
            return false;
        }
        rest = &rest[open + close + 1..];
    }
    true
}

fn url(node: &Node, known: &BTreeSet<&str>, m: &mut Vec<Mistake>) -> Option<String> {
    const HELP: &str = "write for example https://edr.example.com/v1/hosts/{host}";
    let text = node.string(m)?;
    if !places(node, &text, known, m) {
        return None;
    }
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.map(|r| r.split(['/', '?', '#']).next().unwrap_or_default());
    match host {
        None => node.wrong(&text, "an http or https URL", HELP, m),
        Some(host) if host.is_empty() || host.contains(['{', '@', ' ']) => {
            node.wrong(&text, "a URL with a fixed host and without credentials", HELP, m)
        }
        Some(_) => Some(text),
    }
}

fn headers(node: &Node, known: &BTreeSet<&str>, m: &mut Vec<Mistake>) -> Option<Vec<(String, String)>> {
    let fields = node.map(m)?;
    let mut all = Vec::new();
    for (key, value) in fields.entries() {
        if key.text.eq_ignore_ascii_case("authorization") {
            m.push(value.mistake("credentials are not declared as a header", "use `token: { file: … }`"));
        } else if let Some(text) = value.string(m).filter(|text| places(value, text, known, m)) {
            all.push((key.text.to_string(), text));
        }
    }
    Some(all)
}

/// YAML as JSON: numbers, `true`, `false` and `null` without quotes are what they look like.
fn json(node: &Node, known: &BTreeSet<&str>, m: &mut Vec<Mistake>) -> Option<Json> {
    Some(match &node.value {
        Value::Null => Json::Null,
        Value::Invalid => return None,
        Value::Scalar { text, quoted } => {
            let number = || {
                text.parse::<i64>()
                    .map(Json::from)
                    .ok()
                    .filter(|n| n.as_i64().is_some_and(|n| n.to_string() == text.as_str()))
            };
            match text.as_str() {
                "true" if !quoted => Json::Bool(true),
                "false" if !quoted => Json::Bool(false),
                _ if !quoted && number().is_some() => number()?,
                text => {
                    if !places(node, text, known, m) {
                        return None;
                    }
                    Json::from(text)
                }
            }
        }
        Value::List(items) => Json::Array(items.iter().map(|n| json(n, known, m)).collect::<Option<_>>()?),
        Value::Map(entries) => {
            let entry = |(key, value): &(super::yaml::Key, Node), m: &mut Vec<Mistake>| {
                Some((key.text.to_string(), json(value, known, m)?))
            };
            Json::Object(entries.iter().map(|e| entry(e, m)).collect::<Option<_>>()?)
        }
    })
}

fn program(
    fields: &Fields<'_>,
    changes: bool,
    known: &BTreeSet<&str>,
    m: &mut Vec<Mistake>,
) -> Option<CallDoes> {
    let program = fields.required("program", m).and_then(|n| absolute(n, m));
    let mut known = known.clone();
    if changes {
        known.insert("ttl_seconds");
    }
    let args = fields
        .optional("args")
        .and_then(|n| n.list(m, |n, m| n.string(m).filter(|text| places(n, text, &known, m))));
    let sha256 = fields.optional("sha256").and_then(|n| digest(n, m));
    let mut enabled = false;
    set(&mut enabled, fields.optional("enabled").and_then(|n| n.boolean(m)));
    let mut timeout = Span::secs(10);
    let range = Span::secs(1)..=Span::secs(25);
    set(&mut timeout, fields.optional("timeout").and_then(|n| n.span_within(range, m)));
    fields.finish(&["name", "inputs", "changes", "program", "args", "sha256", "enabled", "timeout"], m);
    let args = args.unwrap_or_default();
    Some(CallDoes::Program { changes, program: program?, args, sha256, enabled, timeout })
}

fn digest(node: &Node, m: &mut Vec<Mistake>) -> Option<String> {
    let text = node.string(m)?;
    if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Some(text.to_ascii_lowercase());
    }
    node.wrong(&text, "a SHA-256", "write the 64 hexadecimal digits that `sha256sum` prints", m)
}
