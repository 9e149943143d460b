//! What several configuration files have in common: paths, secrets by reference, names elsewhere.

use std::collections::BTreeSet;

use super::mistake::suggest;
use super::yaml::Node;
use super::{Mistake, SecretRef};

/// Overwrites a default with what was read, if anything was.
pub(super) fn set<T>(slot: &mut T, read: Option<T>) {
    if let Some(value) = read {
        *slot = value;
    }
}

/// Names defined elsewhere. `None` when the place that defines them could not be read: then
/// references are not judged, so that one mistake does not look like many.
pub(super) type Known = Option<BTreeSet<String>>;

/// A name that must be defined elsewhere; `what` in the singular, for example `team`.
pub(super) fn refer(node: &Node, what: &str, known: &Known, mistakes: &mut Vec<Mistake>) -> Option<String> {
    let name = node.string(mistakes)?;
    match known {
        Some(known) if !known.contains(&name) => {
            let plural =
                if what.ends_with('y') { "escalation policies".to_owned() } else { format!("{what}s") };
            let help = suggest(&name, &plural, known.iter().map(String::as_str));
            let shown: String = name.chars().take(64).collect();
            mistakes.push(node.mistake(format!("there is no {what} \"{shown}\""), help));
            None
        }
        _ => Some(name),
    }
}

/// A file or folder, relative to the configuration folder unless it begins with `/`.
pub(super) fn path(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<String> {
    let text = node.string(mistakes)?;
    if text.starts_with('~') || text.contains('$') {
        let help = "`~` and variables are not expanded: write the path out";
        return node.wrong(&text, "a path", help, mistakes);
    }
    Some(text)
}

/// A secret by reference: `{ file: … }` or `{ env: … }`. What stands there instead is never shown.
pub(super) fn secret(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<SecretRef> {
    use super::yaml::Value;
    const HELP: &str =
        "write { file: secrets/NAME }, { env: NAME } or { stored: NAME } and keep the secret there";
    if matches!(node.value, Value::Scalar { .. }) {
        let message = format!("`{}` holds the secret itself; write where to find it", node.name);
        mistakes.push(node.mistake(message, HELP));
        return None;
    }
    let fields = node.map(mistakes)?;
    fields.finish(&["file", "env", "stored"], mistakes);
    if let Some(stored) = fields.optional("stored") {
        if fields.optional("file").is_some() || fields.optional("env").is_some() {
            mistakes.push(
                node.mistake(format!("`{}` says twice where the secret is", node.name), "keep one of them"),
            );
            return None;
        }
        return stored.string(mistakes).map(SecretRef::Stored);
    }
    match (fields.optional("file"), fields.optional("env")) {
        (Some(file), None) => path(file, mistakes).map(SecretRef::File),
        (None, Some(env)) => env_name(env, mistakes).map(SecretRef::Env),
        (Some(_), Some(_)) => {
            mistakes
                .push(node.mistake(format!("`{}` has both `file` and `env`", node.name), "keep one of them"));
            None
        }
        (None, None) => {
            mistakes.push(node.mistake(format!("`{}` does not say where the secret is", node.name), HELP));
            None
        }
    }
}

fn env_name(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<String> {
    let text = node.string(mistakes)?;
    let fits = text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        && !text.starts_with(|c: char| c.is_ascii_digit());
    if fits {
        return Some(text);
    }
    // Not shown: it may be the secret itself, put here by mistake.
    let message = format!("`{}` is not the name of an environment variable", node.name);
    mistakes.push(node.mistake(message, "use capital letters, digits and `_`, and no `$`"));
    None
}
