//! JSON that is kept for long and read seldom: its text in place of its tree.
//!
//! A map of two short fields takes 700 bytes as a tree and 40 as text, and a hundred thousand runs may
//! wait at once. Reading it costs about what cloning the tree did.

use serde_json::Value as Json;

/// One JSON value, as text; null takes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packed(Option<Box<str>>);

impl Packed {
    /// Packs a value.
    #[must_use]
    pub fn of(value: &Json) -> Packed {
        Packed((!value.is_null()).then(|| value.to_string().into_boxed_str()))
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> Json {
        // It was written by this module: what does not read is not there.
        self.0.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// True for null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.0.is_none()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_packed_comes_out_as_it_was() {
        for value in [json!(null), json!({}), json!({"a": [1, 1.5, "x\n", null, true]}), json!(u64::MAX)] {
            assert_eq!(Packed::of(&value).value(), value);
        }
        assert!(Packed::of(&json!(null)).is_null() && !Packed::of(&json!({})).is_null());
        assert!(size_of::<Packed>() <= 16);
    }
}
