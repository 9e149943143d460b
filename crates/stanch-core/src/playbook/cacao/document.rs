//! JSON as it comes from outside: bounded, and without a key that is there twice.

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::Findings;

/// Largest document, in bytes.
const LARGEST: usize = 4 * 1024 * 1024;

/// Longest single text, in bytes. A playbook's longest honest text is a script.
const LONGEST: usize = 256 * 1024;

/// Reads a document. `None` when it cannot be read; the reason is among the findings.
pub(super) fn read(text: &str, f: &mut Findings) -> Option<Map<String, Value>> {
    if text.len() > LARGEST {
        f.refuse(
            "",
            format!("the document has {} bytes; at most {LARGEST} are read", text.len()),
            "split the playbook into several and call one from the other",
        );
        return None;
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let value = Once.deserialize(&mut json).and_then(|v| json.end().map(|()| v));
    match value {
        Ok(Value::Object(map)) => Some(map),
        Ok(_) => {
            f.refuse("", "this is JSON, but no object", "give a CACAO playbook: an object with \"type\"");
            None
        }
        Err(e) => {
            f.refuse("", format!("this is not JSON that can be read: {e}"), "mend the JSON at that place");
            None
        }
    }
}

/// Reads a value in which no object has the same key twice: readers differ in which one they take,
/// and then two people read two playbooks.
struct Once;

impl<'de> DeserializeSeed<'de> for Once {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Once {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E: Error>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_u64<E: Error>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_f64<E: Error>(self, v: f64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_str<E: Error>(self, v: &str) -> Result<Value, E> {
        if v.len() > LONGEST {
            return Err(E::custom(format!("a text of {} bytes; at most {LONGEST} are read", v.len())));
        }
        Ok(Value::String(v.to_owned()))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element_seed(Once)? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(Once)?;
            if out.contains_key(&key) {
                return Err(A::Error::custom(format!("the key \"{}\" is there twice", super::short(&key))));
            }
            out.insert(key, value);
        }
        Ok(Value::Object(out))
    }
}

/// A text field of an object.
pub(super) fn text<'v>(map: &'v Map<String, Value>, key: &str) -> Option<&'v str> {
    map.get(key).and_then(Value::as_str)
}

/// The texts of a list field; what is not text is left out (the checks have said so).
pub(super) fn texts<'v>(map: &'v Map<String, Value>, key: &str) -> Vec<&'v str> {
    map.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// An object field.
pub(super) fn object<'v>(map: &'v Map<String, Value>, key: &str) -> Option<&'v Map<String, Value>> {
    map.get(key).and_then(Value::as_object)
}
