//! Matchers in Alertmanager's words: `field=value`, `!=`, `=~`, `!~`, and `severity>=high`.
//!
//! A field with several values (addresses, hosts, users, tactics) equals a value when any of them
//! does, and differs from it when none of them does. A field that is not there is the empty text,
//! as in Alertmanager. Regular expressions are anchored at both ends and limited in size.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use regex::RegexBuilder;
use stanch_model::Severity;

use super::mistake::suggest;
use super::yaml::{Node, Value};
use super::{MatchOp, Matcher, Mistake};
use crate::decided::Reason;

/// The fields that can be tested, in alphabetical order.
pub const FIELDS: &[&str] =
    &["host", "ip", "kind", "product", "rule", "severity", "site", "source", "tactic", "team", "user"];

/// The severities by word, mildest first.
pub const SEVERITIES: &[&str] =
    &["unknown", "informational", "low", "medium", "high", "critical", "fatal", "other"];

/// Longest regular expression, in bytes.
pub const MAX_PATTERN: usize = 1024;
/// Largest compiled regular expression, in bytes.
pub const MAX_COMPILED: usize = 256 * 1024;

/// What matchers look at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// The source's name.
    pub source: &'a str,
    /// The site the source stands at.
    pub site: &'a str,
    /// The product that made the claim.
    pub product: &'a str,
    /// The rule's uid.
    pub rule: &'a str,
    /// OCSF `severity_id`: 0 to 6, or 99.
    pub severity: u8,
    /// All addresses seen.
    pub ips: &'a [IpAddr],
    /// All host names seen.
    pub hosts: &'a [String],
    /// All accounts seen.
    pub users: &'a [String],
    /// ATT&CK tactics, by id or name.
    pub tactics: &'a [String],
    /// The team that answers, once it is known.
    pub team: Option<&'a str>,
    /// The kind of incident, once it is known.
    pub kind: Option<&'a str>,
}

/// A text that is no matcher.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadMatcher {
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: String,
}

impl BadMatcher {
    fn new<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, BadMatcher> {
        Err(BadMatcher { message: message.into(), help: help.into() })
    }
}

impl Matcher {
    /// Reads `field=value`, `field!=value`, `field=~regex`, `field!~regex` or `severity>=word`.
    /// Spaces around the operator and quotes around the value are allowed.
    ///
    /// # Errors
    /// Says what is wrong and how to mend it.
    pub fn parse(text: &str) -> Result<Matcher, BadMatcher> {
        let shown: String = text.chars().take(64).collect();
        let cut = text.find(['=', '!', '>', '<', '~']).unwrap_or(text.len());
        let (field, rest) = text.split_at(cut);
        const OPS: &[(&str, MatchOp)] = &[
            ("=~", MatchOp::Regex),
            ("!~", MatchOp::NotRegex),
            ("!=", MatchOp::NotEqual),
            (">=", MatchOp::AtLeast),
            ("=", MatchOp::Equal),
        ];
        let Some((sign, op)) = OPS.iter().find(|(sign, _)| rest.starts_with(sign)) else {
            let help = "write for example source=edge, rule!~1:20.* or severity>=high";
            return BadMatcher::new(format!("\"{shown}\" is not a matcher"), help);
        };
        let value = unquote(rest[sign.len()..].trim(), &shown)?;
        Matcher::new(field.trim(), *op, value)
    }

    fn new(field: &str, op: MatchOp, value: String) -> Result<Matcher, BadMatcher> {
        if !FIELDS.contains(&field) {
            let shown: String = field.chars().take(64).collect();
            return BadMatcher::new(
                format!("there is no field \"{shown}\" to match on"),
                suggest(field, "fields", FIELDS.iter().copied()),
            );
        }
        if op == MatchOp::AtLeast && field != "severity" {
            return BadMatcher::new(format!("`>=` is for severity only, not for {field}"), "write = or =~");
        }
        let tests_text = matches!(op, MatchOp::Regex | MatchOp::NotRegex);
        if field == "severity" && !tests_text && severity(&value).is_none() {
            let shown: String = value.chars().take(64).collect();
            let help = suggest(&value, "severities", SEVERITIES.iter().copied());
            return BadMatcher::new(format!("unknown severity \"{shown}\""), help);
        }
        let regex = if tests_text { Some(compile(field, &value)?) } else { None };
        let net = if field == "ip" && !tests_text { net(&value)? } else { None };
        Ok(Matcher { field: field.to_owned(), op, value, regex, net })
    }

    /// True when the subject fits.
    #[must_use]
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        match self.op {
            MatchOp::Equal | MatchOp::Regex => self.any(subject),
            MatchOp::NotEqual | MatchOp::NotRegex => !self.any(subject),
            MatchOp::AtLeast => match (severity(&self.value), Severity::try_from(subject.severity)) {
                (Some(least), Ok(is)) => is.rank() >= least.rank(),
                _ => false,
            },
        }
    }

    /// True when any of the field's values is the one asked for.
    fn any(&self, s: &Subject<'_>) -> bool {
        let one = |text: &str| match &self.regex {
            Some(regex) => regex.is_match(text),
            None if ignores_case(&self.field) => text.eq_ignore_ascii_case(&self.value),
            None => text == self.value,
        };
        let many = |texts: &[String]| match texts {
            [] => one(""),
            some => some.iter().any(|t| one(t)),
        };
        match self.field.as_str() {
            "source" => one(s.source),
            "site" => one(s.site),
            "product" => one(s.product),
            "rule" => one(s.rule),
            "host" => many(s.hosts),
            "user" => many(s.users),
            "tactic" => many(s.tactics),
            "team" => one(s.team.unwrap_or_default()),
            "kind" => one(s.kind.unwrap_or_default()),
            "severity" => match (&self.regex, Severity::try_from(s.severity)) {
                (Some(regex), Ok(is)) => regex.is_match(is.word()),
                (None, Ok(is)) => severity(&self.value) == Some(is),
                (_, Err(_)) => false,
            },
            "ip" => match &self.net {
                Some(net) => s.ips.iter().any(|ip| net.contains(&ip.to_canonical())),
                None if s.ips.is_empty() => one(""),
                None => s.ips.iter().any(|ip| one(&ip.to_canonical().to_string())),
            },
            _ => false,
        }
    }
}

impl fmt::Display for Matcher {
    /// As written, without needless spaces and quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.op {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Regex => "=~",
            MatchOp::NotRegex => "!~",
            MatchOp::AtLeast => ">=",
        };
        let bare = !self.value.is_empty() && !self.value.starts_with('"') && self.value.trim() == self.value;
        if bare {
            write!(f, "{}{sign}{}", self.field, self.value)
        } else {
            write!(f, "{}{sign}\"{}\"", self.field, self.value)
        }
    }
}

/// Why the subject fits all matchers; `None` when it does not. No matchers fit everything.
#[must_use]
pub fn all_match(matchers: &[Matcher], subject: &Subject<'_>) -> Option<Reason> {
    if !matchers.iter().all(|m| m.matches(subject)) {
        return None;
    }
    if matchers.is_empty() {
        return Some(Reason::new("takes everything"));
    }
    let words: Vec<String> = matchers.iter().map(Matcher::to_string).collect();
    Some(Reason::new(words.join(", ")))
}

/// A severity by its OCSF word in any case, or by its id.
pub(super) fn severity(text: &str) -> Option<Severity> {
    if let Ok(id) = text.parse::<u8>() {
        return Severity::try_from(id).ok().filter(|s| s.id().to_string() == text);
    }
    (0..=6)
        .chain([99])
        .filter_map(|id| Severity::try_from(id).ok())
        .find(|s| s.word().eq_ignore_ascii_case(text))
}

/// A list of matchers in a file.
pub(super) fn list(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<Vec<Matcher>> {
    node.list(mistakes, |item, mistakes| {
        if let Value::Map(_) = item.value {
            let help = "write `- field=value` without a colon; put it in quotes if it contains `: `";
            mistakes.push(item.mistake("a matcher is a text, not a map", help));
            return None;
        }
        let text = item.string(mistakes)?;
        match Matcher::parse(&text) {
            Ok(matcher) => Some(matcher),
            Err(bad) => {
                mistakes.push(item.mistake(bad.message, bad.help));
                None
            }
        }
    })
}

/// True when a list was written without items.
pub(super) fn is_empty(node: &Node) -> bool {
    match &node.value {
        Value::List(items) => items.is_empty(),
        Value::Null => true,
        Value::Scalar { .. } | Value::Map(_) | Value::Invalid => false,
    }
}

/// Host names and ATT&CK words are the same in any case; everything else is compared as it is.
fn ignores_case(field: &str) -> bool {
    matches!(field, "host" | "tactic" | "severity")
}

fn unquote(value: &str, shown: &str) -> Result<String, BadMatcher> {
    let Some(inner) = value.strip_prefix('"') else {
        if value.is_empty() {
            let help = "write a value; \"\" stands for a field that is not there";
            return BadMatcher::new(format!("\"{shown}\" has no value"), help);
        }
        return Ok(value.to_owned());
    };
    match inner.strip_suffix('"') {
        Some(inner) => Ok(inner.to_owned()),
        None => BadMatcher::new(
            format!("the quotes in \"{shown}\" are not closed"),
            "close them, or leave them out",
        ),
    }
}

fn compile(field: &str, pattern: &str) -> Result<regex::Regex, BadMatcher> {
    if pattern.len() > MAX_PATTERN {
        let message =
            format!("the regular expression has {} bytes; at most {MAX_PATTERN} are allowed", pattern.len());
        return BadMatcher::new(message, "make it shorter, or use several routes");
    }
    // Judged alone first, so that the anchors cannot be closed from inside, as by `a)|(b`.
    let bad = |e: regex::Error| {
        let why = match e {
            regex::Error::CompiledTooBig(_) => "it grows too large".to_owned(),
            other => {
                other.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
            }
        };
        let shown: String = pattern.chars().take(64).collect();
        let help = "a `.` stands for any character: write `\\.` for a dot; the whole value must match";
        BadMatcher {
            message: format!("\"{shown}\" is not a regular expression: {why}"),
            help: help.to_owned(),
        }
    };
    let build = |text: &str| {
        RegexBuilder::new(text)
            .case_insensitive(ignores_case(field))
            .size_limit(MAX_COMPILED)
            .dfa_size_limit(MAX_COMPILED)
            .nest_limit(32)
            .build()
            .map_err(bad)
    };
    build(pattern)?;
    build(&format!("^(?:{pattern})$"))
}

fn net(value: &str) -> Result<Option<IpNet>, BadMatcher> {
    if value.is_empty() {
        return Ok(None);
    }
    if let Ok(ip) = value.parse::<IpAddr>() {
        return Ok(Some(IpNet::from(ip.to_canonical())));
    }
    match value.parse::<IpNet>() {
        Ok(net) if net.trunc() == net => Ok(Some(net)),
        Ok(net) => BadMatcher::new(
            format!("\"{value}\" has bits set beyond its length"),
            format!("write {}, or the single address {}", net.trunc(), net.addr()),
        ),
        Err(_) => {
            let shown: String = value.chars().take(64).collect();
            let help = "write for example ip=192.0.2.0/24, or ip=~ with a regular expression";
            BadMatcher::new(format!("\"{shown}\" is not an address or a prefix"), help)
        }
    }
}

#[cfg(test)]
mod tests;
