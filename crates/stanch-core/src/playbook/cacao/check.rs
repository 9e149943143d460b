//! What a document must be before its steps are looked at.

use serde_json::{Map, Value};

use super::document::{object, text};
use super::{Findings, short};

/// Types of workflow steps; the key of a step begins with one of them.
///
/// Source: CACAO 2.0, section 4.
pub(super) const STEP_TYPES: &[&str] = &[
    "start",
    "end",
    "action",
    "playbook-action",
    "parallel",
    "if-condition",
    "while-condition",
    "switch-condition",
];

/// Properties of a playbook that the standard knows.
///
/// Source: CACAO 2.0, section 3.1.
const KNOWN: &[&str] = &[
    "type",
    "spec_version",
    "id",
    "name",
    "description",
    "playbook_types",
    "playbook_activities",
    "playbook_processing_summary",
    "created_by",
    "created",
    "modified",
    "revoked",
    "valid_from",
    "valid_until",
    "derived_from",
    "related_to",
    "priority",
    "severity",
    "impact",
    "industry_sectors",
    "labels",
    "external_references",
    "markings",
    "playbook_variables",
    "workflow_start",
    "workflow_exception",
    "workflow",
    "playbook_extensions",
    "authentication_info_definitions",
    "agent_definitions",
    "target_definitions",
    "extension_definitions",
    "data_marking_definitions",
    "signatures",
];

/// Fields that hold a secret in the clear.
///
/// Source: CACAO 2.0, section 6: http-basic, oauth2, user-auth.
const SECRETS: &[&str] = &["password", "token", "oauth_header", "private_key", "passphrase", "secret"];

/// Checks everything but the graph of steps.
pub(super) fn document(d: &Map<String, Value>, f: &mut Findings) {
    expect(d, "type", "playbook", f);
    expect(d, "spec_version", "cacao-2.0", f);
    for key in ["id", "name", "created_by", "created", "modified", "workflow_start"] {
        if text(d, key).is_none_or(|t| t.trim().is_empty()) {
            f.refuse(format!("/{key}"), format!("`{key}` is missing"), "a CACAO 2.0 playbook must have it");
        }
    }
    if let Some(id) = text(d, "id") {
        identifier(id, Some("playbook"), "/id", f);
    }
    if let Some(by) = text(d, "created_by") {
        identifier(by, Some("identity"), "/created_by", f);
    }
    for key in ["created", "modified", "valid_from", "valid_until"] {
        if let Some(time) = text(d, key)
            && time.parse::<jiff::Timestamp>().is_err()
        {
            f.refuse(
                format!("/{key}"),
                format!("\"{}\" is not a time", short(time)),
                "write for example 2026-01-31T12:00:00.000Z",
            );
        }
    }
    if d.get("revoked") == Some(&Value::Bool(true)) {
        f.refuse("/revoked", "its author has revoked this playbook", "ask its author for a newer version");
    }
    for key in d.keys().filter(|k| !KNOWN.contains(&k.as_str())) {
        f.warn(
            format!("/{}", short(key)),
            format!("`{}` is not known to CACAO 2.0 and is left out", short(key)),
            "nothing, if it is only a remark",
        );
    }
    secrets(d, f);
    variables(object(d, "playbook_variables"), "/playbook_variables", f);
    if object(d, "workflow").is_none_or(Map::is_empty) {
        f.refuse("/workflow", "there are no steps", "add a start, an action and an end");
    }
}

fn expect(d: &Map<String, Value>, key: &str, value: &str, f: &mut Findings) {
    match text(d, key) {
        Some(there) if there == value => {}
        Some(there) => f.refuse(
            format!("/{key}"),
            format!("`{key}` is \"{}\", not \"{value}\"", short(there)),
            "only CACAO 2.0 playbooks can be read",
        ),
        None => f.refuse(
            format!("/{key}"),
            format!("`{key}` is missing"),
            format!("write \"{key}\": \"{value}\" if this is a CACAO 2.0 playbook"),
        ),
    }
}

/// `type--uuid`, with a UUID of version 1 to 5 as the official schemas want it.
pub(super) fn identifier(id: &str, kind: Option<&str>, place: &str, f: &mut Findings) {
    let parts = id.split_once("--");
    let kind_fits = parts.is_some_and(|(k, _)| kind.is_none_or(|kind| kind == k));
    if !kind_fits || !parts.is_some_and(|(_, uuid)| is_uuid(uuid)) {
        let kind = kind.unwrap_or("type");
        f.warn(
            place,
            format!("\"{}\" is not an identifier such as {kind}--UUID", short(id)),
            "other tools may refuse it; use a UUID of version 4",
        );
    }
}

fn is_uuid(text: &str) -> bool {
    let sizes = [8, 4, 4, 4, 12];
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() == 5
        && parts.iter().zip(sizes).all(|(p, n)| p.len() == n && p.bytes().all(|b| b.is_ascii_hexdigit()))
        && parts.get(2).is_some_and(|p| p.starts_with(|c: char| ('1'..='5').contains(&c)))
}

/// Secrets are refused, each by itself: the plan can be read without them, and nothing of them is
/// written anywhere.
fn secrets(d: &Map<String, Value>, f: &mut Findings) {
    let Some(all) = object(d, "authentication_info_definitions") else { return };
    for (id, info) in all {
        let Some(info) = info.as_object() else { continue };
        if info.get("kms") == Some(&Value::Bool(true)) {
            continue;
        }
        for key in SECRETS.iter().filter(|k| info.contains_key(**k)) {
            f.warn(
                format!("/authentication_info_definitions/{}/{key}", short(id)),
                format!("the {key} written here is refused and not taken over"),
                "change it, for others have read it; then name a secret of your own in connectors.yaml",
            );
        }
    }
}

/// Names and values of variables.
pub(super) fn variables(all: Option<&Map<String, Value>>, place: &str, f: &mut Findings) {
    for (name, body) in all.into_iter().flatten() {
        let place = format!("{place}/{}", short(name));
        if super::condition::variable(name).is_none() {
            f.refuse(
                &place,
                format!("\"{}\" is no name of a variable", short(name)),
                "write __name__, with letters, digits, `_` and `-`",
            );
        }
        match body.as_object().map(|b| b.get("value")) {
            Some(None | Some(Value::String(_) | Value::Null | Value::Object(_))) => {}
            Some(Some(_)) => f.warn(
                &place,
                "its value is no text; the standard wants numbers and yes-or-no as text",
                "put the value in quotes",
            ),
            None => f.refuse(&place, "a variable must be an object", "write {\"type\": \"string\"}"),
        }
    }
}
