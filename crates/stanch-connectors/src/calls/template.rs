//! Typed inputs and the places they go to. Data never becomes structure: a URL keeps its host and its
//! path, a JSON body its shape, an argument stays one argument.
//!
//! Places are written `{name}`; besides the inputs there are `{key}` (the same for every try of one
//! thing, and our tag) and, for changes, `{ttl_seconds}`. What was put in is not looked at again.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use reqwest::Url;
use serde_json::Value;

/// Longest value of an input, in bytes.
const LONGEST: usize = 1_024;

/// What an input may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputType {
    /// Any text without control characters, up to 1024 bytes.
    Text,
    /// Letters, digits, `.`, `_`, `-`, `@` and `:`, not beginning with `-`; up to 128.
    Word,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// An IP address.
    Address,
    /// An address or prefix.
    Prefix,
    /// A domain name in lower case.
    Domain,
    /// One of these words.
    Choice(Vec<String>),
}

impl InputType {
    /// Why a value does not fit, if it does not.
    #[must_use]
    pub fn mistake(&self, value: &str) -> Option<String> {
        let word = |c: char| c.is_ascii_alphanumeric() || "._-@:".contains(c);
        let (fits, wanted) = match self {
            InputType::Text => (!value.chars().any(char::is_control), "text without control characters"),
            InputType::Word => (
                !value.is_empty() && value.len() <= 128 && !value.starts_with('-') && value.chars().all(word),
                "a word of letters, digits and . _ - @ :",
            ),
            InputType::Integer => (value.parse::<i64>().is_ok(), "a whole number"),
            InputType::Boolean => (matches!(value, "true" | "false"), "true or false"),
            InputType::Address => (value.parse::<IpAddr>().is_ok(), "an IP address"),
            InputType::Prefix => {
                (value.parse::<IpNet>().is_ok() || value.parse::<IpAddr>().is_ok(), "an address or prefix")
            }
            InputType::Domain => (domain(value), "a domain name in lower case"),
            InputType::Choice(all) => (all.iter().any(|one| one == value), "one of the words listed"),
        };
        let shown: String = value.chars().take(64).collect();
        (!fits || value.len() > LONGEST).then(|| format!("{shown:?} is not {wanted}"))
    }
}

fn domain(name: &str) -> bool {
    let label = |l: &str| {
        !l.is_empty()
            && l.len() <= 63
            && !l.starts_with('-')
            && l.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
    };
    name.len() <= 253 && name.contains('.') && name.split('.').all(label)
}

/// Values by the names of their places, with what they are.
pub(super) struct Values<'v> {
    values: BTreeMap<&'v str, (&'v str, &'v InputType)>,
}

const KEY: InputType = InputType::Word;
const SECONDS: InputType = InputType::Integer;

impl<'v> Values<'v> {
    /// Checks that exactly the declared inputs are there and fit.
    pub(super) fn new(
        declared: &'v BTreeMap<String, InputType>,
        given: &'v BTreeMap<String, String>,
    ) -> Result<Values<'v>, String> {
        if let Some(name) = given.keys().find(|name| !declared.contains_key(*name)) {
            return Err(format!("there is no input {name}"));
        }
        let mut values = BTreeMap::new();
        for (name, kind) in declared {
            let value = given.get(name).ok_or_else(|| format!("the input {name} is missing"))?;
            if let Some(why) = kind.mistake(value) {
                return Err(format!("input {name}: {why}"));
            }
            values.insert(name.as_str(), (value.as_str(), kind));
        }
        Ok(Values { values })
    }

    pub(super) fn with(mut self, key: &'v str, ttl_seconds: Option<&'v str>) -> Values<'v> {
        self.values.insert("key", (key, &KEY));
        if let Some(seconds) = ttl_seconds {
            self.values.insert("ttl_seconds", (seconds, &SECONDS));
        }
        self
    }

    fn get(&self, name: &str) -> Result<(&'v str, &'v InputType), String> {
        self.values.get(name).copied().ok_or_else(|| format!("nothing is called {{{name}}}"))
    }
}

/// The pieces of a template: fixed text and names of places.
fn pieces(template: &str) -> Result<Vec<(&str, Option<&str>)>, String> {
    let mut rest = template;
    let mut all = Vec::new();
    while let Some(open) = rest.find('{') {
        let after = &rest[open + 1..];
        let close = after.find('}').ok_or_else(|| format!("`{{` is not closed in {template:?}"))?;
        let name = &after[..close];
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') || name.is_empty() {
            return Err(format!("{{{name}}} is not the name of an input"));
        }
        all.push((&rest[..open], Some(name)));
        rest = &after[close + 1..];
    }
    all.push((rest, None));
    Ok(all)
}

/// All names of places in a template.
///
/// # Errors
/// A brace that is not closed, or no name between two.
pub fn names(template: &str) -> Result<Vec<&str>, String> {
    Ok(pieces(template)?.into_iter().filter_map(|(_, name)| name).collect())
}

/// Fills a template; `each` makes a value fit for where it goes.
fn fill(template: &str, values: &Values<'_>, each: impl Fn(&str) -> String) -> Result<String, String> {
    let mut text = String::new();
    for (fixed, name) in pieces(template)? {
        text.push_str(fixed);
        if let Some(name) = name {
            text.push_str(&each(values.get(name)?.0));
        }
    }
    Ok(text)
}

/// A URL with its places filled, percent-encoded. Scheme, host and port are those of the template.
pub(super) fn url(template: &str, values: &Values<'_>) -> Result<Url, String> {
    let fixed = Url::parse(&template.replace(['{', '}'], "x")).map_err(|e| format!("{template:?}: {e}"))?;
    let end = template.find("://").map_or(0, |at| at + 3);
    let authority = template[end..].split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('{') {
        return Err("a place stands in the host of the URL".to_owned());
    }
    for name in names(template)? {
        // Dots alone would climb to another path, encoded or not.
        if values.get(name)?.0.chars().all(|c| c == '.') {
            return Err(format!("the input {name} is empty or only dots, and would change the path"));
        }
    }
    let text = fill(template, values, encoded)?;
    let url = Url::parse(&text).map_err(|e| format!("no URL comes of it: {e}"))?;
    if url.origin() != fixed.origin() {
        return Err("an input would lead to another host".to_owned());
    }
    Ok(url)
}

/// Everything but letters, digits, `-`, `.`, `_` and `~`. Source: RFC 3986, 2.3.
fn encoded(value: &str) -> String {
    value.bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte))
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
        text
    })
}

/// A header's value: one line, whatever is put in.
pub(super) fn header(template: &str, values: &Values<'_>) -> Result<String, String> {
    let text = fill(template, values, str::to_owned)?;
    if text.chars().any(|c| c.is_control() || !c.is_ascii()) {
        return Err("a header would hold characters that no header can".to_owned());
    }
    Ok(text)
}

/// A body: its shape is the template's, only texts in it are filled. A text that is one place and
/// nothing else becomes a number or a boolean where its input is one.
pub(super) fn body(template: &Value, values: &Values<'_>) -> Result<Value, String> {
    Ok(match template {
        Value::String(text) => {
            if let [("", Some(name)), ("", None)] = pieces(text)?.as_slice() {
                let (value, kind) = values.get(name)?;
                let typed = matches!(kind, InputType::Integer | InputType::Boolean);
                let parsed = if typed { serde_json::from_str(value).ok() } else { None };
                parsed.unwrap_or_else(|| Value::String(value.to_owned()))
            } else {
                Value::String(fill(text, values, str::to_owned)?)
            }
        }
        Value::Array(items) => items.iter().map(|item| body(item, values)).collect::<Result<_, _>>()?,
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| Ok((name.clone(), body(value, values)?));
            Value::Object(fields.iter().map(field).collect::<Result<_, String>>()?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => template.clone(),
    })
}

/// One argument of a program. What begins with an input must not come out as an option.
pub(super) fn argument(template: &str, values: &Values<'_>) -> Result<String, String> {
    let text = fill(template, values, str::to_owned)?;
    if text.contains('\0') {
        return Err("an argument would hold a zero byte".to_owned());
    }
    if template.starts_with('{') && text.starts_with('-') {
        return Err(format!("an input would come out as an option: {text:?}"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with<T>(
        pairs: &[(&str, InputType, &str)],
        f: impl FnOnce(&Values<'_>) -> Result<T, String>,
    ) -> Result<T, String> {
        let declared = pairs.iter().map(|(n, k, _)| ((*n).to_owned(), k.clone())).collect();
        let given = pairs.iter().map(|(n, _, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Values::new(&declared, &given).and_then(|values| f(&values.with("stanch:ACT-4", Some("600"))))
    }

    fn text(value: &str) -> Vec<(&'static str, InputType, &str)> {
        vec![("host", InputType::Text, value)]
    }

    #[test]
    fn a_url_keeps_its_host_and_its_path_whatever_is_put_in() {
        let put = |value: &str| {
            with(&text(value), |v| url("https://edr.example.com/hosts/{host}/isolate?by={key}", v))
                .map(|u| u.to_string())
        };
        assert_eq!(
            put("ws-12"),
            Ok("https://edr.example.com/hosts/ws-12/isolate?by=stanch%3AACT-4".to_owned())
        );
        for value in
            ["../../admin", "a/b", "x?admin=1", "x#y", "@evil.example", "//evil.example", "%2e%2e", "\\evil"]
        {
            let there = put(value).expect(value);
            assert!(
                there.starts_with("https://edr.example.com/hosts/") && there.contains("/isolate?by="),
                "{there}"
            );
            assert_eq!(there.matches('/').count(), 5, "{there}");
        }
        for value in ["..", ".", ""] {
            assert!(put(value).is_err(), "{value:?}");
        }
        let in_host = with(&text("evil"), |v| url("https://{host}.example.com/", v));
        assert!(in_host.is_err_and(|why| why.contains("in the host")));
        let in_port = with(&text("@evil:1"), |v| url("https://example.com:{host}/", v));
        assert!(in_port.is_err());
    }

    #[test]
    fn a_body_keeps_its_shape_and_what_was_put_in_is_not_filled_again() {
        let shape = json!({ "host": "{host}", "note": "by {key} for {host}", "ttl": "{ttl_seconds}", "n": [1, null] });
        let nasty = "\", \"admin\": true, \"x\": \"{key}";
        let filled = with(&text(nasty), |v| body(&shape, v)).expect("filled");
        assert_eq!(filled["host"], nasty);
        assert_eq!(filled["note"], format!("by stanch:ACT-4 for {nasty}"));
        assert_eq!((filled["ttl"].as_i64(), filled["n"].clone()), (Some(600), json!([1, null])));
        assert!(with(&[], |v| body(&json!("{host}"), v)).is_err(), "an unknown place is never left empty");
    }

    #[test]
    fn an_argument_is_one_argument_and_never_an_option() {
        let put = |template: &str, value: &str| with(&text(value), |v| argument(template, v));
        assert_eq!(put("{host}", "a b; rm -rf $(x)"), Ok("a b; rm -rf $(x)".to_owned()));
        assert!(put("{host}", "--delete-all").is_err());
        assert_eq!(put("--host={host}", "-x"), Ok("--host=-x".to_owned()));
    }

    #[test]
    fn headers_cannot_be_split() {
        assert!(with(&text("a"), |v| header("x {host}", v)).is_ok());
        assert!(with(&text("ä"), |v| header("{host}", v)).is_err());
        assert!(with(&text("a\r\nX: y"), |v| header("{host}", v)).is_err());
    }

    #[test]
    fn inputs_are_exactly_those_declared_and_of_their_type() {
        let kinds = [
            (InputType::Text, "any thing", "a\nb"),
            (InputType::Word, "ws-12.example:1", "-x"),
            (InputType::Integer, "-12", "1e3"),
            (InputType::Boolean, "true", "yes"),
            (InputType::Address, "10.0.0.1", "010.0.0.1"),
            (InputType::Prefix, "10.0.0.0/8", "10.0.0.0/33"),
            (InputType::Domain, "a-b.example", "Example.com"),
            (InputType::Choice(vec!["low".into()]), "low", "high"),
        ];
        for (kind, good, bad) in kinds {
            assert_eq!(kind.mistake(good), None);
            assert!(kind.mistake(bad).is_some(), "{kind:?} {bad}");
            assert!(kind.mistake(&"a".repeat(2_000)).is_some());
        }
        let declared = BTreeMap::from([("host".to_owned(), InputType::Text)]);
        let given = |name: &str| BTreeMap::from([(name.to_owned(), "x".to_owned())]);
        assert!(Values::new(&declared, &given("hots")).is_err());
        assert!(Values::new(&declared, &BTreeMap::new()).is_err());
        assert!(names("{a} {b").is_err() && names("{}").is_err() && names("{a b}").is_err());
    }
}
