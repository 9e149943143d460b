//! What may stand in a support bundle: numbers, times, words of this program, and placeholders.
//!
//! There is no variant for a text that came from anywhere else, so that none can get in by mistake:
//! a bundle is what was allowed, and never what was left after something was taken away.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use stanch_model::{Span, Timestamp};

/// A value that may leave the house.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Safe {
    /// Nothing was there.
    Nothing,
    Yes(bool),
    Count(u64),
    Number(f64),
    /// A word that stands in the source of this program.
    Word(&'static str),
    /// The n-th text of its sort.
    Hidden(Hidden),
    Time(Timestamp),
    Span(Span),
    /// SHA-256 over much more than could be guessed.
    Hash([u8; 32]),
    List(Vec<Safe>),
    Map(Vec<(Key, Safe)>),
}

/// A key that may leave the house.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Word(&'static str),
    Hidden(Hidden),
}

/// In place of a text: the same text has the same number everywhere in one bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hidden(usize);

impl From<&'static str> for Key {
    fn from(word: &'static str) -> Key {
        Key::Word(word)
    }
}

impl From<Hidden> for Key {
    fn from(hidden: Hidden) -> Key {
        Key::Hidden(hidden)
    }
}

impl From<usize> for Safe {
    fn from(n: usize) -> Safe {
        Safe::Count(n as u64)
    }
}

impl From<u64> for Safe {
    fn from(n: u64) -> Safe {
        Safe::Count(n)
    }
}

impl From<bool> for Safe {
    fn from(yes: bool) -> Safe {
        Safe::Yes(yes)
    }
}

impl From<&'static str> for Safe {
    fn from(word: &'static str) -> Safe {
        Safe::Word(word)
    }
}

/// A map with keys of our own.
pub(crate) fn map<const N: usize>(entries: [(&'static str, Safe); N]) -> Safe {
    Safe::Map(entries.into_iter().map(|(k, v)| (Key::Word(k), v)).collect())
}

/// Counts under words of our own, in the order of the words.
pub(crate) fn counts(all: &BTreeMap<&'static str, u64>) -> Safe {
    Safe::Map(all.iter().map(|(word, n)| (Key::Word(word), Safe::Count(*n))).collect())
}

impl Safe {
    /// As it is written into the file.
    pub(crate) fn value(&self) -> Value {
        match self {
            Safe::Nothing => Value::Null,
            Safe::Yes(yes) => json!(yes),
            Safe::Count(n) => json!(n),
            Safe::Number(n) => json!(n),
            Safe::Word(word) => json!(word),
            Safe::Hidden(hidden) => json!(hidden.text()),
            Safe::Time(at) => json!(at.to_string()),
            Safe::Span(span) => json!(span.to_string()),
            Safe::Hash(hash) => json!(hash.iter().map(|b| format!("{b:02x}")).collect::<String>()),
            Safe::List(all) => Value::Array(all.iter().map(Safe::value).collect()),
            Safe::Map(all) => {
                let entry = |(key, value): &(Key, Safe)| (key.text(), value.value());
                Value::Object(all.iter().map(entry).collect::<Map<_, _>>())
            }
        }
    }
}

impl Key {
    fn text(self) -> String {
        match self {
            Key::Word(word) => word.to_owned(),
            Key::Hidden(hidden) => hidden.text(),
        }
    }
}

impl Hidden {
    fn text(self) -> String {
        format!("<text {}>", self.0)
    }
}

/// Gives out placeholders. Lives as long as one bundle is made, and forgets then.
#[derive(Default)]
pub(crate) struct Mask {
    known: BTreeMap<String, usize>,
}

impl Mask {
    /// The placeholder of a text.
    pub(crate) fn hide(&mut self, text: &str) -> Hidden {
        let next = self.known.len() + 1;
        Hidden(*self.known.entry(text.to_owned()).or_insert(next))
    }
}

/// The word of a list that reads like this.
pub(crate) fn word(known: &[&'static str], text: &str) -> Option<&'static str> {
    known.iter().copied().find(|w| *w == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_has_the_same_placeholder_and_no_other_has_it() {
        let mut mask = Mask::default();
        let (a, b, again) = (mask.hide("core-switch"), mask.hide("anna"), mask.hide("core-switch"));
        assert_eq!(a, again);
        assert_ne!(a, b);
        let shown = Safe::Map(vec![(a.into(), Safe::Hidden(b)), ("n".into(), Safe::Number(-3.5))]).value();
        assert_eq!(shown, json!({ "<text 1>": "<text 2>", "n": -3.5 }));
    }
}
