//! Typed values: what a playbook is given, and what people fill in.

use serde_json::{Map, Value as Json};

use crate::contain::parse_target;
use crate::playbook::{Param, Type};

/// Longest text, in bytes.
const LONGEST: usize = 8 * 1024;

/// A type as playbooks spell it.
#[must_use]
pub fn word(kind: &Type) -> String {
    match kind {
        Type::Text => "text".into(),
        Type::Integer => "integer".into(),
        Type::Number => "number".into(),
        Type::Bool => "bool".into(),
        Type::Address => "address".into(),
        Type::Domain => "domain".into(),
        Type::Account => "account".into(),
        Type::Port => "port".into(),
        Type::List(of) => format!("list of {}", word(of)),
        Type::Map => "map".into(),
    }
}

/// The type that playbooks spell so.
#[must_use]
pub fn kind(word: &str) -> Option<Type> {
    Some(match word {
        "text" => Type::Text,
        "integer" => Type::Integer,
        "number" => Type::Number,
        "bool" => Type::Bool,
        "address" => Type::Address,
        "domain" => Type::Domain,
        "account" => Type::Account,
        "port" => Type::Port,
        "map" => Type::Map,
        other => Type::List(Box::new(kind(other.strip_prefix("list of ")?)?)),
    })
}

/// Checks what is given against what is wanted, and fills in defaults. All mistakes at once.
///
/// # Errors
/// What is missing, unknown or of another type, in words.
pub fn check(wanted: &[Param], given: &Json) -> Result<Json, String> {
    let empty = Map::new();
    let given = match given {
        Json::Null => &empty,
        Json::Object(map) => map,
        _ => return Err("inputs must be given by name".into()),
    };
    let mut wrong = Vec::new();
    let mut out = Map::new();
    for p in wanted {
        match given.get(&p.name).or(p.default.as_ref()) {
            None => wrong.push(format!("\"{}\" is missing ({})", p.name, word(&p.kind))),
            Some(value) if fits(&p.kind, value) => drop(out.insert(p.name.clone(), value.clone())),
            Some(_) => wrong.push(format!("\"{}\" must be of type {}", p.name, word(&p.kind))),
        }
    }
    let strangers = given.keys().filter(|k| !wanted.iter().any(|p| p.name == **k));
    wrong.extend(strangers.map(|k| format!("\"{k}\" is not asked for")));
    if wrong.is_empty() { Ok(Json::Object(out)) } else { Err(wrong.join("; ")) }
}

/// The same values, with those that came as text from a command line read by the type that is
/// wanted; what is no such value stays text, and the check will say so.
#[must_use]
pub fn typed(wanted: &[Param], given: Json) -> Json {
    let Json::Object(mut given) = given else { return given };
    for p in wanted {
        let text = given.get(&p.name).and_then(Json::as_str);
        if let Some(value) = text.and_then(|t| parse(&p.kind, t).ok()) {
            given.insert(p.name.clone(), value);
        }
    }
    Json::Object(given)
}

/// The value behind a text from a command line, by the type that is wanted.
///
/// # Errors
/// When the text is no such value.
pub fn parse(kind: &Type, text: &str) -> Result<Json, String> {
    let bad = || format!("\"{text}\" is not of type {}", word(kind));
    let value = match kind {
        Type::Text | Type::Address | Type::Domain | Type::Account | Type::Port => Json::String(text.into()),
        Type::Integer => text.parse::<i64>().map(Json::from).map_err(|_| bad())?,
        Type::Number => text.parse::<f64>().map(Json::from).map_err(|_| bad())?,
        Type::Bool => match text {
            "true" | "yes" => Json::Bool(true),
            "false" | "no" => Json::Bool(false),
            _ => return Err(bad()),
        },
        Type::List(of) => {
            let items = text.split(',').map(str::trim).filter(|t| !t.is_empty());
            Json::Array(items.map(|t| parse(of, t)).collect::<Result<_, _>>()?)
        }
        Type::Map => serde_json::from_str(text).map_err(|_| bad())?,
    };
    if fits(kind, &value) { Ok(value) } else { Err(bad()) }
}

fn fits(kind: &Type, value: &Json) -> bool {
    let text = |ok: fn(&str) -> bool| value.as_str().is_some_and(|t| t.len() <= LONGEST && ok(t));
    match kind {
        Type::Text => text(|_| true),
        Type::Integer => value.is_i64() || value.is_u64(),
        Type::Number => value.is_number(),
        Type::Bool => value.is_boolean(),
        Type::Address => text(|t| parse_target(t).is_ok()),
        Type::Domain => text(domain),
        Type::Account | Type::Port => text(name),
        Type::List(of) => value.as_array().is_some_and(|items| items.iter().all(|v| fits(of, v))),
        Type::Map => value.is_object(),
    }
}

/// A DNS name in letters, digits, hyphens and underscores; at least two labels.
fn domain(text: &str) -> bool {
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    text.len() <= 253 && text.contains('.') && text.trim_end_matches('.').split('.').all(label)
}

/// One word without blanks or control characters.
fn name(text: &str) -> bool {
    (1..=256).contains(&text.len())
        && !text.starts_with('-')
        && !text.chars().any(|c| c.is_whitespace() || crate::expr::hidden(c))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn param(name: &str, kind: Type, default: Option<Json>) -> Param {
        Param { name: name.into(), kind, default, about: String::new() }
    }

    #[test]
    fn every_mistake_in_what_is_given_is_told_at_once() {
        let wanted = [
            param("who", Type::Account, None),
            param("from", Type::List(Box::new(Type::Address)), None),
            param("times", Type::Integer, Some(json!(3))),
        ];
        let good = check(&wanted, &json!({"who": "anna", "from": ["203.0.113.9"]})).expect("a value");
        assert_eq!(good, json!({"who": "anna", "from": ["203.0.113.9"], "times": 3}));
        let wrong =
            check(&wanted, &json!({"from": ["not one"], "times": "x", "else": 1})).expect_err("refused");
        for word in ["\"who\" is missing", "\"from\" must be", "\"times\" must be", "\"else\" is not"] {
            assert!(wrong.contains(word), "{wrong}");
        }
    }

    #[test]
    fn types_read_back_as_they_are_written_and_texts_become_values() {
        for w in ["text", "integer", "bool", "list of address", "list of list of domain", "map", "port"] {
            assert_eq!(word(&kind(w).expect("a value")), w);
        }
        assert_eq!(kind("list of nothing"), None);
        assert_eq!(parse(&Type::Integer, "-4"), Ok(json!(-4)));
        assert_eq!(
            parse(&kind("list of domain").expect("a value"), "a.example, b.example"),
            Ok(json!(["a.example", "b.example"]))
        );
        assert!(parse(&Type::Domain, "-bad.example").is_err());
        assert!(parse(&Type::Account, "two words").is_err());
    }
}
