//! The configuration without what it says: its structure, its numbers, and the words of the schema.
//!
//! Keys stay when they are keys of the schema; values stay when they stand under a key of
//! [`MEASURES`] and are a number with or without a unit, when they are one of [`WORDS`] under a key of
//! [`CHOICES`], or when they are true or false. All else is a placeholder: names, texts, addresses,
//! URLs, conditions, references to secrets, and keys that are names.

use std::path::Path;

use stanch_core::config::yaml::{self, Node, Value};
use stanch_core::playbook::shape;

use super::safe::{Key, Mask, Safe, map, word};
use super::words::{CHOICES, FILES, FOLDERS, KEYS, MEASURES, UNITS, WORDS};

/// The folder, and how many mistakes it has. Blocks.
pub(super) fn of(dir: &Path, mask: &mut Mask) -> Safe {
    let mistakes = crate::config_dir::check(dir);
    let warnings = mistakes.iter().filter(|m| m.warning).count();
    let texts = crate::config_dir::texts(dir).unwrap_or_default();
    let files = texts.iter().map(|(path, text)| file(path, text, mask)).collect();
    map([
        ("mistakes", (mistakes.len() - warnings).into()),
        ("warnings", warnings.into()),
        ("files", Safe::List(files)),
    ])
}

fn file(path: &str, text: &str, mask: &mut Mask) -> Safe {
    let (folder, name) = path.split_once('/').unwrap_or(("", path));
    let shown = |known: &[&'static str], text: &str, mask: &mut Mask| {
        word(known, text).map_or_else(|| Safe::Hidden(mask.hide(text)), Safe::Word)
    };
    let folder = if folder.is_empty() { Safe::Nothing } else { shown(FOLDERS, folder, mask) };
    let content = match yaml::parse(path, text, &mut Vec::new()) {
        Some(node) => node_shown(&node, None, mask),
        None => Safe::Word("not yaml"),
    };
    map([
        ("folder", folder),
        ("name", shown(FILES, name, mask)),
        ("bytes", text.len().into()),
        ("lines", text.lines().count().into()),
        ("content", content),
    ])
}

/// A value and all in it; `under` is the key of the schema it stands under, if that is one.
fn node_shown(node: &Node, under: Option<&'static str>, mask: &mut Mask) -> Safe {
    match &node.value {
        Value::Null => Safe::Nothing,
        Value::Invalid => Safe::Word("not readable"),
        Value::Scalar { text, quoted } => scalar(text, *quoted, under, mask),
        Value::List(all) => Safe::List(all.iter().map(|n| node_shown(n, under, mask)).collect()),
        Value::Map(all) => Safe::Map(
            all.iter()
                .map(|(key, value)| {
                    let known = key_of(&key.text);
                    let key = known.map_or_else(|| Key::Hidden(mask.hide(&key.text)), Key::Word);
                    (key, node_shown(value, known, mask))
                })
                .collect(),
        ),
    }
}

fn key_of(text: &str) -> Option<&'static str> {
    let of = |keys: &[shape::Key]| keys.iter().map(|k| k.name).find(|k| *k == text);
    let lists = [shape::HEADER, shape::STEP, shape::RETRY, shape::PARAM];
    let kind = || shape::KINDS.iter().map(|k| k.name).find(|k| *k == text);
    let inner = || shape::KINDS.iter().flat_map(|k| shape::keys(k.name)).find(|k| *k == text);
    word(KEYS, text).or_else(|| lists.into_iter().find_map(of)).or_else(kind).or_else(inner)
}

fn scalar(text: &str, quoted: bool, under: Option<&'static str>, mask: &mut Mask) -> Safe {
    let hidden = |mask: &mut Mask| Safe::Hidden(mask.hide(text));
    let Some(under) = under else { return hidden(mask) };
    if !quoted && matches!(text, "true" | "false") {
        return Safe::Yes(text == "true");
    }
    if !quoted
        && word(MEASURES, under).is_some()
        && let Some(measure) = measure(text)
    {
        return measure;
    }
    if word(CHOICES, under).is_some()
        && let Some(word) = word(WORDS, text)
    {
        return Safe::Word(word);
    }
    hidden(mask)
}

/// `8MiB`, `30s`, `0.6`: the number, and its unit where there is one.
fn measure(text: &str) -> Option<Safe> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end)?;
    let unit = word(UNITS, unit)?;
    // A number with more digits than any measure needs is something else.
    if digits.is_empty() || digits.len() > 10 {
        return None;
    }
    let number = match digits.parse::<u64>() {
        Ok(n) => Safe::Count(n),
        Err(_) => Safe::Number(digits.parse().ok()?),
    };
    Some(if unit.is_empty() { number } else { Safe::List(vec![number, Safe::Word(unit)]) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(text: &str) -> serde_json::Value {
        file("sources/core-switch.yaml", text, &mut Mask::default()).value()["content"].clone()
    }

    #[test]
    fn structure_numbers_and_words_of_the_schema_stay_and_nothing_else() {
        let text = "format: suricata\nsilent_after: 30m\ntoken: { file: secrets/x.token }\n\
                    labels: { bavaria: 4711, on: 12 }\nsites: [munich, \"true\"]\nenabled: true\n";
        let hidden = shown(text);
        assert_eq!(hidden["format"], "suricata");
        assert_eq!(hidden["silent_after"], json!([30, "m"]));
        assert_eq!(hidden["enabled"], true);
        let text = hidden.to_string();
        for said in ["secrets/x", "bavaria", "4711", "munich", "12"] {
            assert!(!text.contains(said), "{said}: {text}");
        }
    }

    #[test]
    fn a_word_of_the_schema_under_a_name_and_a_number_that_is_long_are_hidden() {
        let hidden = shown("anna: suricata\nname: admin\ntimeout: 491701234567\nwait: 5x\n").to_string();
        for said in ["suricata", "admin", "4917", "5x", "anna"] {
            assert!(!hidden.contains(said), "{said}: {hidden}");
        }
    }

    #[test]
    fn every_key_of_the_folder_we_begin_with_is_known() {
        for (path, text) in stanch_core::config::init::template() {
            let Some(node) =
                path.ends_with(".yaml").then(|| yaml::parse(path, text, &mut Vec::new())).flatten()
            else {
                continue;
            };
            let Value::Map(all) = &node.value else { continue };
            for (key, _) in all {
                assert!(key_of(&key.text).is_some(), "{path}: {}", key.text);
            }
        }
    }
}
