//! From a service's answer to facts. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use stanch_model::{Fact, Failure, Meaning, Observable};

use super::super::intel::UNSAID_CONFIDENCE;

/// More notes than this are a wrong answer.
const MAX_NOTES: usize = 32;
/// Longer texts are cut (characters).
const MAX_TEXT: usize = 256;

/// The answer; see the module's documentation. Fields we do not know are allowed, so that a
/// service may say more to others.
#[derive(Deserialize)]
struct Answer {
    malicious: Option<bool>,
    confidence: Option<u8>,
    label: Option<String>,
    note: Option<BTreeMap<String, Value>>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

pub(super) fn facts(provider: &str, about: &Observable, body: &[u8]) -> Result<Vec<Fact>, Failure> {
    let wrong = |why: String| Failure::permanent(format!("the answer has the wrong shape: {why}"));
    let answer: Answer = serde_json::from_slice(body).map_err(|e| wrong(super::brief(&e.to_string())))?;
    if answer.malicious.is_none() && answer.note.is_none() && !answer.others.is_empty() {
        return Err(wrong("it says neither \"malicious\" nor \"note\"".to_owned()));
    }
    let confidence = answer.confidence.unwrap_or(UNSAID_CONFIDENCE);
    if confidence > 100 {
        return Err(wrong(format!("a confidence of {confidence} is more than 100")));
    }
    let mut facts = Vec::new();
    let mut say = |meaning| facts.push(Fact { provider: provider.to_owned(), about: about.clone(), meaning });
    if answer.malicious == Some(true) {
        let label = answer.label.as_deref().map(text).filter(|l| !l.is_empty());
        say(Meaning::Malicious { feed: provider.to_owned(), confidence, label, valid_until: None });
    }
    let notes = answer.note.unwrap_or_default();
    if notes.len() > MAX_NOTES {
        return Err(wrong(format!("{} notes are more than {MAX_NOTES}", notes.len())));
    }
    for (name, value) in notes {
        let value = match value {
            Value::String(said) => text(&said),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            Value::Null => continue,
            Value::Array(_) | Value::Object(_) => {
                return Err(wrong(format!(
                    "the note \"{}\" is neither text, number nor boolean",
                    text(&name)
                )));
            }
        };
        say(Meaning::Note { name: text(&name), value });
    }
    Ok(facts)
}

/// Text for a screen: no control characters, not endless.
fn text(said: &str) -> String {
    said.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect::<String>().trim().to_owned()
}
