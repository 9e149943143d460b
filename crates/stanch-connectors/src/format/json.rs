//! One bounded reader for every JSON format: from a body to its objects, each with its bytes.
//!
//! A body may be one object, an array of objects, one object to a line, or objects end to end.
//! What cannot be read costs only its own stretch: the objects beside it are still read. Work and
//! memory are bounded by the limits below, whatever the sender does; nothing here recurses deeper
//! than [`MAX_DEPTH`].

use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use stanch_model::port::{Parsed, Record, Rejected};

use super::stretch::{Stretch, Stretches};

/// How deep objects and arrays may be nested in one record.
/// Source: OWASP ASVS V13 asks for a limit; real alerts measured reach 9 (GitHub webhooks).
pub const MAX_DEPTH: usize = 64;
/// How many keys one record may hold, all levels together.
pub const MAX_KEYS: usize = 10_000;
/// How many values one record may hold, array items included; bounds memory at about 32 bytes each.
pub const MAX_VALUES: usize = 100_000;
/// The longest key or string, in bytes.
pub const MAX_STRING: usize = 256 * 1024;
/// How many records one body may hold.
pub const MAX_ELEMENTS: usize = 100_000;

/// The fields of one JSON object.
pub(crate) type Fields = Map<String, Value>;

/// Reads every object of a body and lets `each` say what it is.
///
/// A body that holds no object at all is one rejected record over all of its bytes; a body of
/// nothing but white space, or an empty array, gives none.
pub(crate) fn records(body: &[u8], mut each: impl FnMut(Fields) -> Result<Parsed, Rejected>) -> Vec<Record> {
    stretches(body, |range, out| {
        let parsed = object(body, range.clone()).and_then(&mut each);
        out.push(Record { raw: range, parsed });
    })
}

/// Like [`records`], for formats that take an object apart themselves: `each` is given its bytes.
pub(crate) fn stretches(body: &[u8], mut each: impl FnMut(Range<usize>, &mut Vec<Record>)) -> Vec<Record> {
    let mut out = Vec::new();
    let mut objects = 0usize;
    for stretch in Stretches::new(body) {
        match stretch {
            Stretch::Object(range) => {
                objects += 1;
                each(range, &mut out);
            }
            Stretch::Bad { range, is_object, reason } => {
                objects += usize::from(is_object);
                out.push(Record { raw: range, parsed: Err(Rejected { reason }) });
            }
        }
    }
    if objects == 0 {
        out.truncate(1);
        out.iter_mut().for_each(|record| record.raw = 0..body.len());
    }
    out
}

/// Reads one object within the limits. `range` is where it lies in `body`.
pub(crate) fn object(body: &[u8], range: Range<usize>) -> Result<Fields, Rejected> {
    let start = range.start;
    let slice = body.get(range).unwrap_or_default();
    let mut budget = Budget { keys: MAX_KEYS, values: MAX_VALUES, path: Vec::new() };
    let mut reader = serde_json::Deserializer::from_slice(slice);
    let seed = Bounded { budget: &mut budget, depth: 0 };
    let failure = match seed.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value)) {
        Ok(Value::Object(fields)) => return Ok(fields),
        Ok(_) => return Err(Rejected { reason: not_an_object(start) }),
        Err(failure) => failure,
    };
    Err(Rejected { reason: explain(slice, start, &failure, &budget.path) })
}

/// The reason for a value that is no object.
pub(crate) fn not_an_object(at: usize) -> String {
    format!(
        "at byte {at} of the body there is no JSON object; send one object, an array of objects, or one object per line"
    )
}

/// Says what is wrong, where, and what would be right.
fn explain(slice: &[u8], start: usize, failure: &serde_json::Error, path: &[String]) -> String {
    let line_start = match failure.line() {
        0 | 1 => 0,
        line => {
            slice.iter().enumerate().filter(|(_, b)| **b == b'\n').nth(line - 2).map_or(0, |(at, _)| at + 1)
        }
    };
    let at = start + (line_start + failure.column().saturating_sub(1)).min(slice.len());
    let text = failure.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    let (what, mend) = what.split_once(MEND).unwrap_or((what, "send well-formed JSON (RFC 8259, UTF-8)"));
    let field = match path.is_empty() {
        true => String::new(),
        false => {
            format!(", in field \"{}\"", path.iter().rev().map(|k| short(k)).collect::<Vec<_>>().join("."))
        }
    };
    format!("at byte {at} of the body (line {} of the record){field}: {what}; {mend}", failure.line().max(1))
}

/// Parts what is wrong from how to mend it inside an error made here. Cannot be typed by accident.
const MEND: &str = "\u{1}mend\u{1}";

/// A text short enough to be quoted in a reason.
pub(crate) fn short(text: &str) -> String {
    const QUOTED: usize = 64;
    match text.char_indices().nth(QUOTED) {
        None => text.to_owned(),
        Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or_default()),
    }
}

/// What one record may still use up, and where it went wrong.
struct Budget {
    keys: usize,
    values: usize,
    /// Keys from the place of the failure outwards; empty while all is well.
    path: Vec<String>,
}

impl Budget {
    fn one_value<E: serde::de::Error>(&mut self) -> Result<(), E> {
        self.values = self.values.checked_sub(1).ok_or_else(|| {
            E::custom(format_args!(
                "more than {MAX_VALUES} values in one record{MEND}split it or shorten its lists"
            ))
        })?;
        Ok(())
    }

    fn one_key<E: serde::de::Error>(&mut self) -> Result<(), E> {
        self.keys = self.keys.checked_sub(1).ok_or_else(|| {
            E::custom(format_args!(
                "more than {MAX_KEYS} keys in one record{MEND}split it or send fewer fields"
            ))
        })?;
        Ok(())
    }
}

fn check_length<E: serde::de::Error>(text: &str) -> Result<(), E> {
    if text.len() <= MAX_STRING {
        return Ok(());
    }
    Err(E::custom(format_args!(
        "a string of {} bytes, longer than {MAX_STRING}{MEND}shorten it or leave it out",
        text.len()
    )))
}

/// Builds a `Value` within a budget.
struct Bounded<'b> {
    budget: &'b mut Budget,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        self.budget.one_value()?;
        if self.depth > MAX_DEPTH {
            return Err(D::Error::custom(format_args!(
                "nested deeper than {MAX_DEPTH}{MEND}send a flatter record"
            )));
        }
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        check_length(text)?;
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let Bounded { budget, depth } = self;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Bounded { budget, depth: depth + 1 })? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let Bounded { budget, depth } = self;
        let mut fields = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            budget.one_key()?;
            check_length(&key)?;
            match fields.entry(key) {
                serde_json::map::Entry::Vacant(place) => {
                    match members.next_value_seed(Bounded { budget, depth: depth + 1 }) {
                        Ok(value) => {
                            place.insert(value);
                        }
                        Err(failure) => {
                            budget.path.push(place.key().clone());
                            return Err(failure);
                        }
                    }
                }
                serde_json::map::Entry::Occupied(place) => {
                    let key = short(place.key());
                    return Err(A::Error::custom(format_args!(
                        "the key \"{key}\" is there twice{MEND}send each key once"
                    )));
                }
            }
        }
        Ok(Value::Object(fields))
    }
}

/// Where the value of a member of the object `slice` lies in `slice`, without building anything.
/// The first wins when there are several; the bounded reader rejects such an object afterwards.
pub(crate) fn find_member(slice: &[u8], name: &str) -> Option<Range<usize>> {
    let mut at = 1;
    loop {
        at = super::stretch::skip_space_and(slice, at, b",");
        if slice.get(at) != Some(&b'"') {
            return None;
        }
        let key_end = super::stretch::string_end(slice, at)?;
        let key = slice.get(at + 1..key_end - 1)?;
        at = super::stretch::skip_space_and(slice, key_end, b":");
        let end = super::stretch::value_end(slice, at)?;
        if key == name.as_bytes() {
            return Some(at..end);
        }
        at = end;
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
