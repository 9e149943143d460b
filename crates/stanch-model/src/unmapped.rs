//! What a source sent beyond the fields we know: read only when somebody asks for it.
//!
//! Most alerts are repeats, and of a repeat nobody reads this. So a format may hand it over as the
//! text it came in, and the many small values in it are made when they are looked at.

use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

type Fields = Map<String, Value>;

/// The fields of one JSON object, as text or taken apart. Behaves as the map it stands for.
#[derive(Clone, Debug, Default)]
pub struct Unmapped {
    fields: OnceLock<Fields>,
    /// The object as text; empty when it has been taken apart, or holds nothing.
    text: String,
}

impl Unmapped {
    /// Fields as they came. `text` must be one JSON object without a key twice, as the caller has
    /// checked; of anything else nothing would be kept but the bytes of the record.
    #[must_use]
    pub fn from_text(text: String) -> Unmapped {
        let text = if text == "{}" { String::new() } else { text };
        Unmapped { fields: OnceLock::new(), text }
    }

    /// True when there is nothing in it; does not take it apart.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.fields.get().is_none_or(Map::is_empty)
    }

    /// The fields.
    #[must_use]
    pub fn into_fields(mut self) -> Fields {
        std::mem::take(&mut *self)
    }
}

impl Deref for Unmapped {
    type Target = Fields;

    fn deref(&self) -> &Fields {
        self.fields.get_or_init(|| serde_json::from_str(&self.text).unwrap_or_default())
    }
}

impl DerefMut for Unmapped {
    fn deref_mut(&mut self) -> &mut Fields {
        let fields = self.fields.take();
        let text = std::mem::take(&mut self.text);
        let fields = fields.unwrap_or_else(|| serde_json::from_str(&text).unwrap_or_default());
        self.fields = OnceLock::from(fields);
        self.fields.get_mut().unwrap_or_else(|| unreachable!("it was put there in the line above"))
    }
}

impl From<Fields> for Unmapped {
    fn from(fields: Fields) -> Unmapped {
        Unmapped { fields: OnceLock::from(fields), text: String::new() }
    }
}

impl PartialEq for Unmapped {
    fn eq(&self, other: &Unmapped) -> bool {
        **self == **other
    }
}

impl Serialize for Unmapped {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_str::<&RawValue>(&self.text) {
            Ok(raw) => raw.serialize(to),
            Err(_) => (**self).serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Unmapped {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Unmapped, D::Error> {
        Fields::deserialize(from).map(Unmapped::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"labels":{"b":"2","a":"1"},"n":1}"#;

    #[test]
    fn text_and_map_are_the_same_thing() {
        let text = Unmapped::from_text(TEXT.to_owned());
        let map: Unmapped = serde_json::from_str(TEXT).expect("json");
        assert_eq!(text, map);
        assert_eq!(text["labels"]["a"], "1");
        assert_eq!(serde_json::to_value(&text).expect("json"), serde_json::to_value(&map).expect("json"));
        assert_eq!(serde_json::to_string(&text).expect("json"), TEXT);
    }

    #[test]
    fn nothing_is_nothing_either_way() {
        for empty in [Unmapped::default(), Unmapped::from_text("{}".to_owned()), Fields::new().into()] {
            assert!(empty.is_empty());
            assert_eq!(empty, Unmapped::default());
            assert_eq!(serde_json::to_string(&empty).expect("json"), "{}");
        }
        assert!(!Unmapped::from_text(TEXT.to_owned()).is_empty());
    }

    #[test]
    fn what_is_changed_is_what_is_written() {
        let mut text = Unmapped::from_text(TEXT.to_owned());
        text.insert("more".to_owned(), Value::Bool(true));
        assert_eq!(serde_json::to_value(&text).expect("json")["more"], true);
        assert_eq!(text.into_fields().len(), 3);
    }
}
