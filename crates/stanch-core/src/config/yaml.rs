//! YAML in one strict profile: every value knows its line and column, and every mistake is found.
//!
//! Scalars keep their source text, so `no`, `1.10` and `0123` are never silently something else;
//! what a value means is decided by the reader that asks for it (`read`). Anchors, aliases, tags
//! and several documents in one file are refused, which also rules out alias bombs. The parser's
//! events are taken one by one with a stack of our own, so that deep nesting cannot exhaust the
//! thread's stack.

mod read;

use std::collections::BTreeMap;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError};

pub use read::{Fields, NAME_HELP, is_name};

use super::mistake::Mistake;

/// Largest file that is read, in bytes: 1 MiB.
pub const MAX_BYTES: usize = 1 << 20;
/// Deepest nesting of lists and maps in one file.
pub const MAX_DEPTH: usize = 32;
/// Most values in one file.
pub const MAX_VALUES: usize = 100_000;

/// One value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// The key it stands under; empty for the whole file, and for a list's items the list's key.
    pub name: Arc<str>,
    /// The file it stands in.
    pub file: Arc<str>,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// What a value is, before anyone has asked for a type.
#[derive(Clone, Debug)]
pub enum Value {
    /// One value as written, without its quotes.
    Scalar {
        /// The text.
        text: String,
        /// True when it stood in quotes or in a `|` or `>` block.
        quoted: bool,
    },
    /// `- a`, `- b` or `[a, b]`.
    List(Vec<Node>),
    /// `key: value`; keys are unique, in the order written.
    Map(Vec<(Key, Node)>),
    /// Nothing was written, or `~` or `null`.
    Null,
    /// Already reported as a mistake: readers stay silent.
    Invalid,
}

/// A key and where it stands.
#[derive(Clone, Debug)]
pub struct Key {
    /// As written, without its quotes.
    pub text: Arc<str>,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// Reads one file. An empty file is an empty map. `None` only when the text as a whole could not
/// be read; the mistake says why.
pub fn parse(file: &str, text: &str, mistakes: &mut Vec<Mistake>) -> Option<Node> {
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_BYTES} are read", text.len());
        mistakes.push(Mistake::error(file, (0, 0), message, "split it into several files"));
        return None;
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder::new(file, mistakes);
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => {
                if !builder.take(event, span.start) {
                    return None;
                }
            }
            Err(e) => {
                let mistake = syntax(file, text, &e);
                builder.mistakes.push(mistake);
                return None;
            }
        }
    }
    Some(builder.finish())
}

/// What the parser could not read, with help for the causes people meet most.
fn syntax(file: &str, text: &str, error: &ScanError) -> Mistake {
    let at = error.marker();
    let line = text.lines().nth(at.line().saturating_sub(1)).unwrap_or_default();
    let info = error.info();
    let indent = &line[..line.len() - line.trim_start().len()];
    let help = if info.contains("anchor") {
        "aliases (`*name`) are not used here: write the value out where it is needed"
    } else if info.contains("recursion") {
        "nothing in this configuration needs such depth"
    } else if line.contains("${{") {
        "put the whole expression in quotes: \"${{ … }}\""
    } else if indent.contains('\t') {
        "YAML indents with spaces: replace the tab"
    } else if line.contains(": [") || line.contains("- [") {
        "put a text that begins with `[` in quotes, or close the list"
    } else if line.matches(": ").count() > 1 {
        "put a text that contains `: ` in quotes"
    } else if line.matches('"').count() % 2 == 1 || line.matches('\'').count() % 2 == 1 {
        "close the quotes"
    } else {
        "check the indentation and the quotes here and in the line above"
    };
    Mistake::error(file, (at.line(), at.col() + 1), format!("this is not YAML: {info}"), help)
}

/// A list or a map that is not finished yet.
struct Open {
    node: Node,
    /// For a map: the key whose value comes next; `None` inside when the key was no plain text.
    key: Option<Option<Key>>,
    /// For a map: the line of each key so far.
    lines: BTreeMap<Arc<str>, usize>,
}

struct Builder<'m> {
    file: Arc<str>,
    mistakes: &'m mut Vec<Mistake>,
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    values: usize,
}

impl<'m> Builder<'m> {
    fn new(file: &str, mistakes: &'m mut Vec<Mistake>) -> Builder<'m> {
        Builder { file: file.into(), mistakes, open: Vec::new(), root: None, documents: 0, values: 0 }
    }

    /// Takes one event; false when there is no point in going on.
    fn take(&mut self, event: Event<'_>, at: Marker) -> bool {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => true,
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.report(at, "a second document begins here", "write one document per file");
                }
                self.documents == 1
            }
            Event::Alias(_) => {
                let help = "write the value out where it is needed";
                self.report(at, "aliases (`*name`) are not used here", help);
                self.close(Value::Invalid, at)
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse(anchor, tag.is_some(), at);
                let quoted = style != ScalarStyle::Plain;
                let null = !quoted && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value =
                    if null { Value::Null } else { Value::Scalar { text: text.into_owned(), quoted } };
                self.close(value, at)
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse(anchor, tag.is_some(), at);
                self.begin(Value::List(Vec::new()), at)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse(anchor, tag.is_some(), at);
                self.begin(Value::Map(Vec::new()), at)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => self.attach(open.node),
                None => true,
            },
        }
    }

    fn report(&mut self, at: Marker, message: &str, help: &str) {
        self.mistakes.push(Mistake::error(&self.file, (at.line(), at.col() + 1), message, help));
    }

    fn refuse(&mut self, anchor: usize, tag: bool, at: Marker) {
        if anchor > 0 {
            let help = "write the value out where it is needed";
            self.report(at, "anchors (`&name`) are not used here", help);
        }
        if tag {
            self.report(at, "tags (`!name`) are not used here", "put a text that begins with `!` in quotes");
        }
    }

    fn node(&self, value: Value, at: Marker) -> Node {
        let pending = self.open.last().and_then(|o| o.key.as_ref()?.as_ref());
        let name = match (self.open.last(), pending) {
            (_, Some(key)) => key.text.clone(),
            (Some(parent), None) => parent.node.name.clone(),
            (None, None) => "".into(),
        };
        // An empty value has no place of its own: its key's is what people look for.
        let (line, column) = match (&value, pending) {
            (Value::Null, Some(key)) => (key.line, key.column),
            _ => (at.line(), at.col() + 1),
        };
        Node { value, name, file: self.file.clone(), line, column }
    }

    fn begin(&mut self, value: Value, at: Marker) -> bool {
        if self.open.len() >= MAX_DEPTH {
            let message = format!("lists and maps are nested more than {MAX_DEPTH} deep");
            self.report(at, &message, "nothing in this configuration needs such depth");
            return false;
        }
        let node = self.node(value, at);
        self.open.push(Open { node, key: None, lines: BTreeMap::new() });
        true
    }

    fn close(&mut self, value: Value, at: Marker) -> bool {
        let node = self.node(value, at);
        self.attach(node)
    }

    /// Puts a finished value where it belongs.
    fn attach(&mut self, node: Node) -> bool {
        self.values += 1;
        if self.values > MAX_VALUES {
            let message = format!("the file holds more than {MAX_VALUES} values");
            let place = (node.line, node.column);
            self.mistakes.push(Mistake::error(&self.file, place, message, "split it into several files"));
            return false;
        }
        let Some(parent) = self.open.last_mut() else {
            self.root.get_or_insert(node);
            return true;
        };
        match &mut parent.node.value {
            Value::List(items) => items.push(node),
            Value::Map(entries) => match parent.key.take() {
                None => {
                    let braces = matches!(node.value, Value::Map(_)) && entries.is_empty();
                    parent.key = Some(key(node, self.mistakes));
                    if braces {
                        // `{{ x }}`: said once is enough.
                        parent.node.value = Value::Invalid;
                    }
                }
                Some(None) => {}
                Some(Some(key)) => {
                    if let Some(first) = parent.lines.get(&key.text) {
                        let message = format!("`{}` stands here twice", key.text);
                        let help = format!("keep one of them; the first is in line {first}");
                        let place = (key.line, key.column);
                        self.mistakes.push(Mistake::error(&self.file, place, message, help));
                    } else {
                        parent.lines.insert(key.text.clone(), key.line);
                        entries.push((key, node));
                    }
                }
            },
            Value::Scalar { .. } | Value::Null | Value::Invalid => {}
        }
        true
    }

    fn finish(self) -> Node {
        let empty =
            || Node { value: Value::Null, name: "".into(), file: self.file.clone(), line: 1, column: 1 };
        let mut root = self.root.unwrap_or_else(empty);
        if matches!(root.value, Value::Null) {
            root.value = Value::Map(Vec::new());
        }
        root
    }
}

/// A value that stands where a key should; `None` when it is no plain text.
fn key(node: Node, mistakes: &mut Vec<Mistake>) -> Option<Key> {
    let (line, column) = (node.line, node.column);
    match node.value {
        Value::Scalar { text, .. } if !text.trim().is_empty() => {
            Some(Key { text: text.into(), line, column })
        }
        Value::Invalid => None,
        Value::Map(_) => {
            let help = "braces begin a map in YAML; an expression is written \"${{ … }}\", in quotes";
            mistakes.push(node.mistake("a map cannot be a key", help));
            None
        }
        Value::Scalar { .. } | Value::List(_) | Value::Null => {
            mistakes.push(node.mistake("a key must be a plain word", "write `key: value`"));
            None
        }
    }
}

#[cfg(test)]
mod tests;
