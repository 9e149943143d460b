//! Commands of an action: what each type becomes here.
//!
//! Nothing that arrives in a document is run as it stands. A call over HTTP becomes a call that an
//! operator has to declare; a shell command becomes a task for people that shows its text, or the
//! call of a program that an operator has named for it; OpenC2 is told in words.

use serde_json::{Map, Value};

use super::document::{object, text};
use super::{Findings, short};

/// Shells and remote shells: text that would run as a program.
///
/// Source: CACAO 2.0, section 5.
const SHELLS: &[&str] = &["bash", "ssh", "powershell", "caldera-cmd"];

/// What a command becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// A task for people, in words.
    Task(String),
    /// A program's text: a task, unless an operator has named a program for this step.
    Shell(String),
    /// A call over HTTP: method, URL with its variables as written, and body.
    Http { method: String, url: String, body: String },
}

/// Reads one command.
pub(super) fn command(command: &Map<String, Value>, place: &str, f: &mut Findings) -> Doing {
    let kind = text(command, "type").unwrap_or("");
    let said = said(command, place, f);
    match kind {
        "manual" => Doing::Task(said),
        "http-api" => http(&said, command, place, f),
        "openc2" | "openc2-http" => Doing::Task(openc2(command, place, f)),
        kind if SHELLS.contains(&kind) => {
            f.warn(
                place,
                format!("a {kind} command is not run: it becomes a task that shows its text"),
                "declare a program under `calls` in connectors.yaml and name it with --exec STEP=CALL",
            );
            Doing::Shell(said)
        }
        kind => {
            f.warn(
                place,
                format!("a command of type \"{}\" cannot be run here: it becomes a task", short(kind)),
                "replace the task by a step of ours when one fits",
            );
            let what = if said.is_empty() { "see the notes of the playbook".to_owned() } else { said };
            Doing::Task(format!("{}: {what}", short(kind)))
        }
    }
}

/// The command's text, decoded where it is in base64.
fn said(command: &Map<String, Value>, place: &str, f: &mut Findings) -> String {
    if let Some(plain) = text(command, "command") {
        return plain.to_owned();
    }
    decoded(command, "command_b64", place, f).unwrap_or_default()
}

fn decoded(command: &Map<String, Value>, key: &str, place: &str, f: &mut Findings) -> Option<String> {
    let coded = text(command, key)?;
    let bytes = base64(coded);
    let plain = bytes.and_then(|b| String::from_utf8(b).ok());
    if plain.is_none() {
        f.refuse(format!("{place}/{key}"), format!("`{key}` is not text in base64"), "encode it again");
    }
    plain
}

fn http(said: &str, command: &Map<String, Value>, place: &str, f: &mut Findings) -> Doing {
    let mut words = said.split_whitespace();
    let method = words.next().unwrap_or("").to_ascii_uppercase();
    let url = words.next().unwrap_or("").to_owned();
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    if !methods.contains(&method.as_str()) || url.is_empty() {
        f.refuse(
            format!("{place}/command"),
            format!("\"{}\" is not the first line of an HTTP request", short(said)),
            "write for example \"GET /api/v1/hosts HTTP/1.1\"",
        );
    }
    for (name, _) in object(command, "headers").into_iter().flatten() {
        if ["authorization", "cookie", "x-api-key"].contains(&name.to_ascii_lowercase().as_str()) {
            f.warn(
                format!("{place}/headers/{}", short(name)),
                "a credential written in a header is refused and not taken over",
                "name a secret of your own where the call is declared",
            );
        }
    }
    let body = text(command, "content").map(ToOwned::to_owned);
    let body = body.or_else(|| decoded(command, "content_b64", place, f)).unwrap_or_default();
    Doing::Http { method, url, body }
}

/// An OpenC2 request in words: `deny ipv4_connection dst_addr=…`.
fn openc2(command: &Map<String, Value>, place: &str, f: &mut Findings) -> String {
    let body = decoded(command, "content_b64", place, f).or_else(|| text(command, "content").map(Into::into));
    let json: Option<Value> = body.as_deref().and_then(|b| serde_json::from_str(b).ok());
    let request = json.as_ref().and_then(|j| {
        j.pointer("/body/openc2/request").or_else(|| j.get("request")).or_else(|| j.get("action").map(|_| j))
    });
    let Some(request) = request else {
        f.warn(place, "this OpenC2 command has no request that can be read", "do it by hand");
        return "OpenC2: the request cannot be read; see the document".to_owned();
    };
    let action = request.get("action").and_then(Value::as_str).unwrap_or("?");
    let mut out = format!("OpenC2: {}", short(action));
    for (kind, target) in request.get("target").and_then(Value::as_object).into_iter().flatten() {
        out.push_str(&format!(" {}", short(kind)));
        match target {
            Value::Object(parts) => {
                for (key, value) in parts {
                    let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
                    out.push_str(&format!(" {}={}", short(key), short(&value)));
                }
            }
            other => {
                let value = other.as_str().map_or_else(|| other.to_string(), ToOwned::to_owned);
                out.push_str(&format!(" {}", short(&value)));
            }
        }
    }
    f.warn(
        place,
        format!("{out}: a fixed target is not acted upon by itself; it becomes a task"),
        "write a change whose target comes from the incident, for example block_address",
    );
    out
}

/// Standard or URL-safe base64, with or without padding; blanks are left out.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD_NO_PAD;

    let one: String = text
        .chars()
        .filter(|c| !c.is_ascii_whitespace() && *c != '=')
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            c => c,
        })
        .collect();
    STANDARD_NO_PAD.decode(one).ok()
}
