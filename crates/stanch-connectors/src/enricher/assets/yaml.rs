//! The inventory as YAML: a list of flat mappings, alone or under `assets:`.
//!
//! Values keep their source text, so that a name of digits keeps its leading zeros. Events are taken
//! one by one with a stack of our own and a bound on its depth; aliases are refused.

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

use super::Mistakes;
use super::read::{At, Row, column, unknown_column};

/// Deepest nesting; an inventory needs four.
const MAX_DEPTH: usize = 16;

enum Value {
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

struct Node {
    at: At,
    value: Value,
}

/// A list or map that is still open; a map's last key may wait for its value.
struct Open {
    at: At,
    list: Option<Vec<Node>>,
    map: Vec<(Node, Node)>,
    key: Option<Node>,
}

pub(super) fn rows(text: &str, mistakes: &mut Mistakes) -> Vec<Row> {
    let root = match tree(text) {
        Ok(Some(root)) => root,
        Ok(None) => {
            mistakes.add((0, 0), "the inventory is empty", "write - name: … for each asset");
            return Vec::new();
        }
        Err((at, why)) => {
            mistakes.add(at, format!("this is not an inventory in YAML: {why}"), "");
            return Vec::new();
        }
    };
    let at = root.at;
    let list = match root.value {
        Value::Map(map) => {
            let named = |(k, _): &(Node, Node)| matches!(&k.value, Value::Text(t) if t == "assets");
            map.into_iter().find(named).map(|(_, v)| v.value)
        }
        other => Some(other),
    };
    match list {
        Some(Value::List(items)) => items.into_iter().map(|i| row(i, mistakes)).collect(),
        _ => {
            mistakes.add(at, "expected a list of assets", "write - name: … for each asset");
            Vec::new()
        }
    }
}

fn row(item: Node, mistakes: &mut Mistakes) -> Row {
    let mut row = Row { at: item.at, fields: Vec::new() };
    let Value::Map(fields) = item.value else {
        mistakes.add(row.at, "an asset is a mapping", "write - name: …");
        return row;
    };
    for (key, value) in fields {
        let heading = if let Value::Text(text) = &key.value { text.as_str() } else { "" };
        let Some(column) = column(heading) else {
            unknown_column(heading, key.at, mistakes);
            continue;
        };
        let items = match value.value {
            Value::List(items) => items,
            other => vec![Node { at: value.at, value: other }],
        };
        for item in items {
            match item.value {
                Value::Text(text) => row.fields.push((column, text, item.at)),
                Value::List(_) | Value::Map(_) => {
                    mistakes.add(item.at, format!("\"{column}\" must be text or a list of texts"), "");
                }
            }
        }
    }
    row
}

fn place(mark: Marker) -> At {
    (mark.line(), mark.col() + 1)
}

/// The first document of a text; `None` when there is none.
fn tree(text: &str) -> Result<Option<Node>, (At, String)> {
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|e| (place(*e.marker()), e.info().to_owned()))?;
        let at = place(span.start);
        let node = match event {
            Event::Alias(_) => return Err((at, "aliases are not taken; write the value out".to_owned())),
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() >= MAX_DEPTH => {
                return Err((at, format!("nested deeper than {MAX_DEPTH} levels")));
            }
            Event::SequenceStart(..) => {
                open.push(Open { at, list: Some(Vec::new()), map: Vec::new(), key: None });
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open { at, list: None, map: Vec::new(), key: None });
                continue;
            }
            Event::Scalar(text, style, ..) => {
                let null = style == ScalarStyle::Plain && matches!(&*text, "~" | "null");
                Node { at, value: Value::Text(if null { String::new() } else { text.into_owned() }) }
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open { at, list: Some(list), .. }) => Node { at, value: Value::List(list) },
                Some(Open { at, map, .. }) => Node { at, value: Value::Map(map) },
                None => continue,
            },
            _ => continue,
        };
        match open.last_mut() {
            None => return Ok(Some(node)),
            Some(Open { list: Some(list), .. }) => list.push(node),
            Some(Open { key: key @ None, .. }) => *key = Some(node),
            Some(Open { key, map, .. }) => map.extend(key.take().map(|k| (k, node))),
        }
    }
    Ok(None)
}
