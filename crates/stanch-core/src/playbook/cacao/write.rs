//! Plans as YAML that people read in a diff: block style, keys in the order given, long text in
//! blocks, everything else quoted only where it must be.

use std::fmt::Write as _;

/// Lists of short plain values are written in one line up to this width.
const WIDTH: usize = 96;

/// Writes a value as a YAML document. Objects keep their order.
pub(super) fn yaml(value: &Tree) -> String {
    let mut out = String::new();
    node(value, 0, &mut out);
    out
}

/// A value whose objects keep their order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    Text(String),
    Number(i64),
    Bool(bool),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

impl Tree {
    pub(super) fn text(text: impl Into<String>) -> Tree {
        Tree::Text(text.into())
    }

    /// One key, one value.
    pub(super) fn one(key: &str, value: Tree) -> Tree {
        Tree::Map(vec![(key.to_owned(), value)])
    }
}

fn node(value: &Tree, indent: usize, out: &mut String) {
    match value {
        Tree::Map(entries) => {
            for (key, value) in entries {
                let key = if is_word(key) { key.clone() } else { scalar(key) };
                let _ = write!(out, "{:indent$}{key}:", "");
                after_key(value, indent, out);
            }
        }
        Tree::List(items) => {
            for item in items {
                let _ = write!(out, "{:indent$}- ", "");
                match item {
                    Tree::Map(entries) if !entries.is_empty() => {
                        let mut inner = String::new();
                        node(item, indent + 2, &mut inner);
                        out.push_str(inner.trim_start_matches(' '));
                    }
                    other => {
                        out.push_str(&inline(other));
                        out.push('\n');
                    }
                }
            }
        }
        Tree::Text(_) | Tree::Number(_) | Tree::Bool(_) => {
            out.push_str(&inline(value));
            out.push('\n');
        }
    }
}

fn after_key(value: &Tree, indent: usize, out: &mut String) {
    match value {
        Tree::Text(text) if text.contains('\n') && is_printable(text) => {
            let keep = if text.ends_with('\n') { "|" } else { "|-" };
            let _ = writeln!(out, " {keep}{}", if text.starts_with(' ') { "2" } else { "" });
            for line in text.trim_end_matches('\n').split('\n') {
                if line.is_empty() {
                    out.push('\n');
                } else {
                    let _ = writeln!(out, "{:w$}{line}", "", w = indent + 2);
                }
            }
        }
        Tree::Map(entries) if !entries.is_empty() => {
            out.push('\n');
            node(value, indent + 2, out);
        }
        Tree::List(items) if !items.is_empty() => {
            let line = inline(value);
            let plain = items.iter().all(|i| !matches!(i, Tree::List(_) | Tree::Map(_)));
            if plain && line.len() + indent < WIDTH {
                let _ = writeln!(out, " {line}");
            } else {
                out.push('\n');
                node(value, indent + 2, out);
            }
        }
        other => {
            let _ = writeln!(out, " {}", inline(other));
        }
    }
}

fn inline(value: &Tree) -> String {
    match value {
        Tree::Text(text) => scalar(text),
        Tree::Number(n) => n.to_string(),
        Tree::Bool(b) => b.to_string(),
        Tree::List(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Tree::Map(entries) => {
            let all: Vec<String> =
                entries.iter().map(|(k, v)| format!("{}: {}", scalar(k), inline(v))).collect();
            format!("{{ {} }}", all.join(", ")).replace("{  }", "{}")
        }
    }
}

fn is_printable(text: &str) -> bool {
    text.chars().all(|c| c == '\n' || !c.is_control()) && text.lines().all(|l| l.trim_end() == l)
}

/// `on` and its like are plain words to a reader of YAML 1.2, and so is every key of ours.
fn is_word(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

/// Plain where a YAML reader takes it as the same text in a block and in a flow; quoted otherwise.
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || " _-./+()?".contains(c) || (c as u32) > 0xa0;
    let first = text.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == '/');
    let digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let first = first || (digits.len() < text.len() && ["ms", "s", "m", "h", "d"].contains(&digits));
    let word = text.to_ascii_lowercase();
    let special = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"].contains(&word.as_str());
    if first && !special && text.chars().all(plain) && !text.ends_with(' ') && !text.contains(" -") {
        return text.to_owned();
    }
    // JSON's escapes are YAML's.
    serde_json::to_string(text).unwrap_or_default()
}
