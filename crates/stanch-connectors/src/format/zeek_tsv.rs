//! Zeek's tab-separated logs: header, columns, escapes.
//!
//! Each line becomes the same fields that Zeek's JSON writer would have given, so that one mapping
//! serves both. Header lines are kept as context records: every byte of the body is accounted for.
//!
//! Source: Zeek `src/threading/formatters/Ascii.cc` and `src/logging/writers/ascii/Ascii.cc`.

use std::ops::Range;

use serde_json::Value;
use stanch_model::port::{Parsed, Record, Rejected};

use super::json::{Fields, MAX_ELEMENTS, MAX_KEYS, MAX_STRING, short};

/// What the header of a log says about its lines.
struct Header {
    separator: String,
    set_separator: String,
    empty: String,
    unset: String,
    path: String,
    /// Column names with their types.
    columns: Vec<(String, String)>,
}

impl Header {
    /// What Zeek writes unless told otherwise.
    fn new() -> Header {
        Header {
            separator: "\t".to_owned(),
            set_separator: ",".to_owned(),
            empty: "(empty)".to_owned(),
            unset: "-".to_owned(),
            path: String::new(),
            columns: Vec::new(),
        }
    }

    /// Takes one header line in.
    fn read(&mut self, line: &str) {
        if let Some(separator) = line.strip_prefix("#separator ") {
            *self = Header { separator: unescape(separator.trim_end()), ..Header::new() };
            return;
        }
        let Some((key, rest)) = line.split_once(self.separator.as_str()) else { return };
        match key {
            "#set_separator" => self.set_separator = unescape(rest),
            "#empty_field" => self.empty = unescape(rest),
            "#unset_field" => self.unset = unescape(rest),
            "#path" => self.path = rest.to_owned(),
            "#fields" => {
                let names = rest.split(self.separator.as_str()).take(MAX_KEYS);
                self.columns = names.map(|name| (name.to_owned(), String::new())).collect();
            }
            "#types" => {
                for (column, kind) in self.columns.iter_mut().zip(rest.split(self.separator.as_str())) {
                    column.1 = kind.to_owned();
                }
            }
            _ => {}
        }
    }

    /// The fields of one line.
    fn fields(&self, line: &str) -> Result<Fields, String> {
        let mut fields = Fields::new();
        let mut cells = line.split(self.separator.as_str());
        for (count, (name, kind)) in self.columns.iter().enumerate() {
            let Some(cell) = cells.next() else {
                return Err(format!("{count} columns where the header names {}", self.columns.len()));
            };
            if cell.len() > MAX_STRING {
                return Err(format!("a column \"{}\" longer than {MAX_STRING} bytes", short(name)));
            }
            if let Some(value) = self.value(cell, kind) {
                fields.insert(name.clone(), value);
            }
        }
        match cells.next() {
            None => Ok(fields),
            Some(_) => Err(format!("more columns than the {} the header names", self.columns.len())),
        }
    }

    /// A cell as Zeek's JSON writer would spell it; `None` when it is unset.
    fn value(&self, cell: &str, kind: &str) -> Option<Value> {
        if cell == self.unset {
            return None;
        }
        let container = kind.strip_suffix(']').and_then(|k| k.split_once('['));
        if let Some(("set" | "vector", item_kind)) = container {
            if cell == self.empty {
                return Some(Value::Array(Vec::new()));
            }
            let items = cell.split(self.set_separator.as_str());
            return Some(Value::Array(items.filter_map(|item| self.value(item, item_kind)).collect()));
        }
        let text = if cell == self.empty { String::new() } else { unescape(cell) };
        Some(match kind {
            "bool" if text == "T" => Value::Bool(true),
            "bool" if text == "F" => Value::Bool(false),
            "count" | "port" | "int" => match (text.parse::<u64>(), text.parse::<i64>()) {
                (Ok(number), _) => number.into(),
                (_, Ok(number)) => number.into(),
                _ => Value::String(text),
            },
            "double" | "interval" => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => number.into(),
                _ => Value::String(text),
            },
            // Times stay text: their digits are exact.
            _ => Value::String(text),
        })
    }
}

/// Reads every line of a log; `each` is given the log's name and the line's fields.
pub(crate) fn records(
    body: &[u8],
    mut each: impl FnMut(&str, Fields) -> Result<Parsed, Rejected>,
) -> Vec<Record> {
    let mut out: Vec<Record> = Vec::new();
    let mut header = Header::new();
    let mut at = 0;
    for line in body.split_inclusive(|b| *b == b'\n') {
        let raw = at..at + trimmed(line);
        at += line.len();
        if raw.is_empty() {
            continue;
        }
        if out.len() >= MAX_ELEMENTS {
            let reason = format!(
                "more than {MAX_ELEMENTS} records in one body; what follows was not read: send smaller batches"
            );
            out.push(Record { raw: raw.start..body.len(), parsed: Err(Rejected { reason }) });
            break;
        }
        let bytes = body.get(raw.clone()).unwrap_or_default();
        // Zeek escapes what is not UTF-8; other writers may not.
        let line = String::from_utf8_lossy(bytes);
        if line.starts_with('#') {
            header.read(&line);
            keep_header(&mut out, raw);
            continue;
        }
        let parsed = match header.columns.is_empty() || header.path.is_empty() {
            true => Err("no #path and #fields lines before it; send the log with its header".to_owned()),
            false => header.fields(&line).map_err(|what| format!("{what}; send the log as Zeek writes it")),
        };
        let parsed = match parsed {
            Ok(fields) => each(&header.path, fields),
            Err(what) => Err(Rejected {
                reason: format!("the Zeek line at byte {} of the body has {what}", raw.start),
            }),
        };
        out.push(Record { raw, parsed });
    }
    out
}

/// Lines of one header become one record.
fn keep_header(out: &mut Vec<Record>, raw: Range<usize>) {
    const WHAT: &str = "zeek header";
    match out.last_mut() {
        Some(Record { raw: last, parsed: Ok(Parsed::Context { what }) }) if what == WHAT => {
            last.end = raw.end
        }
        _ => out.push(Record { raw, parsed: Ok(Parsed::Context { what: WHAT.to_owned() }) }),
    }
}

/// How long a line is without its end. Tabs count: an empty last column is still a column.
fn trimmed(line: &[u8]) -> usize {
    line.iter().rposition(|b| !matches!(b, b'\r' | b'\n')).map_or(0, |last| last + 1)
}

/// Resolves `\xHH` and `\\`. Bytes that together are no UTF-8 stay spelled out, as in Zeek's JSON.
fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(cut) = rest.find('\\') {
        let (plain, escaped) = rest.split_at(cut);
        out.extend_from_slice(plain.as_bytes());
        let byte = escaped
            .get(2..4)
            .filter(|_| escaped.starts_with("\\x"))
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let used = match byte {
            Some(byte) => {
                out.push(byte);
                4
            }
            None if escaped.starts_with("\\\\") => {
                out.push(b'\\');
                2
            }
            None => {
                out.push(b'\\');
                1
            }
        };
        rest = escaped.get(used..).unwrap_or_default();
    }
    out.extend_from_slice(rest.as_bytes());
    let mut text = String::with_capacity(out.len());
    for chunk in out.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|b| text.push_str(&format!("\\x{b:02x}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_resolved_and_broken_bytes_stay_spelled_out() {
        assert_eq!(unescape(r"a\x09b"), "a\tb");
        assert_eq!(unescape(r"a\\,b"), r"a\,b");
        assert_eq!(unescape(r"\xc3\xa9"), "é");
        assert_eq!(unescape(r"\xff!"), r"\xff!");
        for odd in [r"\", r"\x", r"\x4", r"\xé9", r"\q"] {
            assert_eq!(unescape(odd), odd);
        }
    }
}
