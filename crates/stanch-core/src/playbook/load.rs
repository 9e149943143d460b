//! Playbooks from YAML: one file, one plan, all mistakes at once.
//!
//! ```yaml
//! name: c2-beacon                 # the file's name without the ending
//! summary: Confirmed command and control - ask, block at the edge, tell the NOC
//! attack: [T1071, T1095]          # ATT&CK techniques it answers; may be left out
//! react: [RA3101]                 # RE&CT actions it takes; may be left out
//! when: incident.kind == "c2" && incident.confidence >= 0.6
//! steps:                          # in order; each has an id and does one thing
//!   - id: block
//!     when: incident.peer != ""   # skipped when false; may be left out
//!     block:
//!       target: incident.peer     # CEL over typed fields; free text never becomes a target
//!       ttl: 4h                   # default: the policy's
//!       approvers: [netops]       # teams whose members may say yes
//!       expires: 15m              # default: the policy's
//!   - id: check
//!     verify: all                 # look again whether every change is as it should be
//!   - id: hold
//!     wait: lifted                # or a duration such as 30m
//!   - id: tell
//!     notify: { team: netops, text: "${{ incident.peer }} is free again" }
//! sop: |                          # prose for people
//!   What to do by hand, and why.
//! ```
//!
//! A change never outlives its time to live, whatever the playbook says. After a `block`, a later
//! `wait: lifted` keeps the run open until every change of the run is lifted; without one the run
//! ends while the change is still in force, and the lease alone ends it.
//!
//! Expressions are compiled here, and the names and fields they read are checked here, so that
//! what can be known to fail is never found out at night.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use stanch_model::Span;

use super::{Act, Change, OnFailure, Playbook, Retry, Step, StepKind, Trigger, Wait};
use crate::config::Mistake;
use crate::config::mistake::suggest;
use crate::config::yaml::{self, Fields, Node, Value};
use crate::expr::{Expr, ExprError, Text};

/// Most steps of one playbook.
pub const MAX_STEPS: usize = 50;

/// Fields of `incident` in conditions, targets and texts.
pub const INCIDENT_FIELDS: &[&str] = &[
    "alerts",
    "assets",
    "confidence",
    "id",
    "kind",
    "peer",
    "products",
    "rules",
    "severity",
    "site",
    "sources",
    "stages",
    "team",
    "techniques",
    "title",
    "victims",
];

/// Fields of `run` in the conditions and texts of steps.
pub const RUN_FIELDS: &[&str] = &["id", "playbook"];

/// Fields of `incident` that may become a target: addresses, found by parsing and not by reading
/// prose.
///
/// Source: SEC-55.
const TARGET_FIELDS: &[&str] = &["incident.peer", "incident.victims"];

const KEYS: &[&str] = &["name", "summary", "attack", "react", "when", "steps", "sop"];
const STEP_KEYS: &[&str] = &["id", "when", "block", "notify", "wait", "verify"];
const KINDS: &[&str] = &["block", "notify", "wait", "verify"];

/// Reads one playbook. `name` is the file's name without its ending.
///
/// # Errors
/// All mistakes of the file, in the order of their places.
pub fn load(name: &str, path: &str, text: &str) -> Result<Playbook, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let read =
        yaml::parse(path, text, &mut mistakes).and_then(|root| playbook(name, text, &root, &mut mistakes));
    match read {
        Some(playbook) if mistakes.is_empty() => Ok(playbook),
        Some(_) | None => {
            mistakes.sort_by_key(|m| (m.line, m.column));
            Err(mistakes)
        }
    }
}

fn playbook(name: &str, text: &str, root: &Node, m: &mut Vec<Mistake>) -> Option<Playbook> {
    let fields = root.map(m)?;
    fields.finish(KEYS, m);
    if let Some(node) = fields.required("name", m)
        && let Some(written) = node.name(m)
        && written != name
    {
        m.push(node.mistake(
            format!("the playbook is named \"{written}\", but its file \"{name}\""),
            format!("write `name: {name}`, or rename the file"),
        ));
    }
    let summary = fields.required("summary", m).and_then(|n| n.string(m));
    let attack = labels(
        &fields,
        "attack",
        "an ATT&CK technique",
        "write for example T1071 or T1071.004",
        technique,
        m,
    );
    let react = labels(&fields, "react", "a RE&CT action", "write for example RA3101", reaction, m);
    let when = fields.required("when", m).and_then(|n| expr(n, &["incident"], m));
    let steps = fields.required("steps", m).and_then(|n| steps(n, m));
    let sop = fields.required("sop", m).and_then(|n| n.string(m));
    let hash = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    Some(Playbook {
        name: name.to_owned(),
        summary: summary?,
        hash,
        source: text.to_owned(),
        attack,
        csf: Vec::new(),
        react,
        trigger: Trigger::Incident(when?),
        autonomy: None,
        inputs: Vec::new(),
        outputs: Vec::new(),
        steps: steps?,
        sop: sop?,
        places: super::Places::default(),
    })
}

/// A list of labels of one form; what is not of that form is a mistake.
fn labels(
    fields: &Fields<'_>,
    key: &str,
    what: &str,
    help: &str,
    fits: fn(&str) -> bool,
    m: &mut Vec<Mistake>,
) -> Vec<String> {
    let read = fields.optional(key).and_then(|list| {
        list.list(m, |node, m| {
            let label = node.string(m)?;
            if !fits(&label) {
                m.push(node.mistake(format!("\"{label}\" is not {what}"), help));
            }
            Some(label)
        })
    });
    read.unwrap_or_default()
}

fn technique(label: &str) -> bool {
    let (main, sub) = label.split_once('.').map_or((label, None), |(a, b)| (a, Some(b)));
    numbered(main, "T", 4) && sub.is_none_or(|s| numbered(s, "", 3))
}

fn reaction(label: &str) -> bool {
    numbered(label, "RA", 4)
}

fn numbered(label: &str, prefix: &str, digits: usize) -> bool {
    label.strip_prefix(prefix).is_some_and(|n| n.len() == digits && n.bytes().all(|b| b.is_ascii_digit()))
}

fn steps(list: &Node, m: &mut Vec<Mistake>) -> Option<Vec<Step>> {
    let mut ids = BTreeSet::new();
    // Steps that could not be read still count as blocks here, so that one mistake does not look
    // like two.
    let mut blocked = false;
    let count = match &list.value {
        Value::List(items) => items.len(),
        Value::Scalar { .. } | Value::Map(_) | Value::Null | Value::Invalid => 0,
    };
    let steps = list.list(m, |node, m| {
        let fields = node.map(m)?;
        if let Some(idle) = ["wait", "verify"].iter().find_map(|k| fields.optional(k))
            && !blocked
            && is_about_changes(idle)
        {
            m.push(idle.mistake(
                format!("`{}` comes before any `block`: there is no change yet", idle.name),
                "move it after a `block`, or take it out",
            ));
        }
        blocked |= fields.optional("block").is_some();
        step(&fields, &mut ids, m)
    })?;
    if count == 0 {
        m.push(list.mistake("the playbook has no steps", "add at least one, for example a `notify`"));
    } else if count > MAX_STEPS {
        m.push(list.mistake(
            format!("the playbook has {count} steps; at most {MAX_STEPS} are read"),
            "split it in two",
        ));
    }
    Some(steps)
}

/// `wait: lifted` and `verify: …` need something that was changed; `wait: 5m` does not.
fn is_about_changes(node: &Node) -> bool {
    match &node.value {
        Value::Scalar { text, .. } => &*node.name == "verify" || text == "lifted",
        Value::List(_) | Value::Map(_) | Value::Null | Value::Invalid => false,
    }
}

fn step(fields: &Fields<'_>, ids: &mut BTreeSet<String>, m: &mut Vec<Mistake>) -> Option<Step> {
    let id_node = fields.required("id", m);
    let id = id_node.and_then(|n| n.name(m));
    if let (Some(node), Some(id)) = (id_node, &id)
        && !ids.insert(id.clone())
    {
        m.push(node.mistake(format!("there are two steps with the id \"{id}\""), "choose another id"));
    }
    let when = fields.optional("when").map(|node| expr(node, &["incident", "run"], m));
    let strange = fields.entries().iter().any(|(key, _)| !STEP_KEYS.contains(&&*key.text));
    fields.finish(STEP_KEYS, m);
    let kinds: Vec<&str> = KINDS.iter().copied().filter(|k| fields.optional(k).is_some()).collect();
    let kind = match kinds[..] {
        [kind] => fields.optional(kind).and_then(|node| step_kind(kind, node, m)),
        [] => {
            if !strange {
                let help = format!("add one of {}", KINDS.join(", "));
                m.push(fields.node().mistake("this step does nothing", help));
            }
            None
        }
        [first, second, ..] => {
            let message = format!("this step does two things, `{first}` and `{second}`");
            m.push(fields.node().mistake(message, "make two steps of it, each with its own id"));
            None
        }
    };
    let when = match when {
        Some(expr) => Some(expr?),
        None => None,
    };
    Some(Step {
        id: id?,
        about: String::new(),
        when,
        retry: Retry::default(),
        timeout: None,
        on_failure: OnFailure::Hand,
        compensate: Vec::new(),
        kind: kind?,
    })
}

fn step_kind(kind: &str, node: &Node, m: &mut Vec<Mistake>) -> Option<StepKind> {
    match kind {
        "block" => block(node, m),
        "notify" => notify(node, m),
        "wait" => wait(node, m),
        _ => node.choice("scope", &["all"], m).map(|_| StepKind::Verify),
    }
}

fn block(node: &Node, m: &mut Vec<Mistake>) -> Option<StepKind> {
    let fields = node.map(m)?;
    fields.finish(&["target", "ttl", "approvers", "expires"], m);
    let target = fields.required("target", m).and_then(|n| target(n, m));
    let before = m.len();
    let ttl = fields.optional("ttl").and_then(|n| n.span_within(Span::secs(1)..=Span::hours(24 * 90), m));
    let expires = fields.optional("expires").and_then(|n| n.span_within(Span::mins(1)..=Span::hours(24), m));
    let list = fields.required("approvers", m);
    let approvers = list.and_then(|n| n.list(m, |n, m| n.name(m)));
    if let (Some(list), Some([])) = (list, approvers.as_deref())
        && before == m.len()
    {
        m.push(list.mistake("nobody may approve this change", "name at least one team"));
    }
    let change = Change::BlockAddress { target: target? };
    Some(StepKind::Act(Act { change, ttl, approvers: approvers?, people: 1, expires, undo: true }))
}

/// A target: an expression that takes an address from a typed field.
fn target(node: &Node, m: &mut Vec<Mistake>) -> Option<Expr> {
    let target = expr(node, &["incident"], m)?;
    let fields = target.fields();
    let known = TARGET_FIELDS.join(" or ");
    if let Some(other) = fields.iter().find(|f| !TARGET_FIELDS.contains(&f.as_str()) && is_known(f)) {
        let word = other.split('.').next_back().unwrap_or(other);
        let e = ExprError { column: target.column_of(word), message: format!("`{other}` is no address") };
        m.push(placed(node, &e, &format!("take the target from {known}: free text never becomes a target")));
        return None;
    }
    if fields.is_empty() {
        let message = format!("the target \"{}\" is the same for every incident", short(target.source()));
        m.push(node.mistake(message, format!("take it from {known}")));
        return None;
    }
    Some(target)
}

fn notify(node: &Node, m: &mut Vec<Mistake>) -> Option<StepKind> {
    let fields = node.map(m)?;
    fields.finish(&["team", "text"], m);
    let team = fields.required("team", m).and_then(|n| n.name(m));
    let text = fields.required("text", m).and_then(|n| {
        let source = n.string(m)?;
        let checked = Text::compile(&source).and_then(|text| {
            text.check_each(|expr| {
                expr.only_reads(&["incident", "run"])?;
                only_known_fields(expr)
            })?;
            Ok(text)
        });
        checked.map_err(|e| m.push(placed(n, &e, "write \"… ${{ incident.peer }} …\", in quotes"))).ok()
    });
    Some(StepKind::Notify { team: team?, text: text? })
}

fn wait(node: &Node, m: &mut Vec<Mistake>) -> Option<StepKind> {
    let text = node.string(m)?;
    if text == "lifted" {
        return Some(StepKind::Wait(Wait::Lifted));
    }
    if let Ok(span) = text.parse::<Span>() {
        if span > Span::ZERO && span <= Span::hours(24 * 90) {
            return Some(StepKind::Wait(Wait::For(span)));
        }
        m.push(
            node.mistake(
                format!("`wait`: {text} is not between 1ms and 90d"),
                "choose a time within the range",
            ),
        );
        return None;
    }
    let message = format!("`wait`: \"{}\" is neither a duration nor \"lifted\"", short(&text));
    m.push(node.mistake(message, "write for example 30m, or `lifted` to wait until every change is lifted"));
    None
}

/// A compiled expression that reads only what there is.
fn expr(node: &Node, known: &[&str], m: &mut Vec<Mistake>) -> Option<Expr> {
    let source = node.string(m)?;
    let braces = source.contains("${{");
    let checked = Expr::compile(&source).and_then(|expr| {
        expr.only_reads(known)?;
        only_known_fields(&expr)?;
        Ok(expr)
    });
    let help = if braces {
        "this key is always an expression: leave out `${{` and `}}`"
    } else {
        "this is a CEL expression, for example incident.kind == \"c2\""
    };
    checked.map_err(|e| m.push(placed(node, &e, help))).ok()
}

fn fields_of(variable: &str) -> &'static [&'static str] {
    match variable {
        "incident" => INCIDENT_FIELDS,
        "run" => RUN_FIELDS,
        _ => &[],
    }
}

/// True for `incident.peer` and its like.
fn is_known(path: &str) -> bool {
    path.split_once('.').is_some_and(|(variable, field)| fields_of(variable).contains(&field))
}

fn only_known_fields(expr: &Expr) -> Result<(), ExprError> {
    let Some(path) = expr.fields().iter().find(|path| !is_known(path)) else {
        return Ok(());
    };
    let (variable, field) = path.split_once('.').unwrap_or((path, ""));
    let help = suggest(field, "fields", fields_of(variable).iter().copied());
    Err(ExprError {
        message: format!("`{variable}` has no field \"{}\"; {help}", short(field)),
        column: expr.column_of(field),
    })
}

/// A mistake inside a value. The column is exact for a value on one line without escapes.
fn placed(node: &Node, error: &ExprError, help: &str) -> Mistake {
    let mut mistake = node.mistake(format!("`{}`: {error}", node.name), help);
    if let Value::Scalar { text, quoted } = &node.value
        && !text.contains('\n')
        && error.column > 0
    {
        mistake.column += error.column - 1 + usize::from(*quoted);
    }
    mistake
}

fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
