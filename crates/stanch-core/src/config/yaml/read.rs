//! Typed readers: each says what it wanted, what it found, and how to write it.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;
use stanch_model::{Span, Timestamp};

use super::super::mistake::{Mistake, nearest, suggest};
use super::{Key, Node, Value};

/// The entries of a map.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    node: &'a Node,
    entries: &'a [(Key, Node)],
}

impl Node {
    /// A mistake at this place.
    pub fn mistake(&self, message: impl Into<String>, help: impl Into<String>) -> Mistake {
        Mistake::error(&self.file, (self.line, self.column), message, help)
    }

    /// A warning at this place.
    pub fn warning(&self, message: impl Into<String>, help: impl Into<String>) -> Mistake {
        Mistake::warning(&self.file, (self.line, self.column), message, help)
    }

    /// `file:line`, for reasons.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }

    /// True when nothing was written after the key.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// How the value is called in messages.
    fn called(&self) -> String {
        if self.name.is_empty() { "the file".to_owned() } else { format!("`{}`", self.name) }
    }

    /// One value of any kind as written, and whether it stood in quotes. Never empty.
    fn scalar(&self, wanted: &str, mistakes: &mut Vec<Mistake>) -> Option<(&str, bool)> {
        let called = self.called();
        let (message, help) = match &self.value {
            Value::Scalar { text, quoted } if !text.trim().is_empty() => return Some((text, *quoted)),
            Value::Scalar { .. } | Value::Null => {
                let help = "write a value, or take the key out";
                (format!("{called} is empty; it must be {wanted}"), help)
            }
            Value::List(_) => (
                format!("{called} is a list; it must be {wanted}"),
                "write a single value; put it in quotes if it begins with `[`",
            ),
            Value::Map(_) => (
                format!("{called} is a map; it must be {wanted}"),
                "write a single value; put it in quotes if it begins with `{`",
            ),
            Value::Invalid => return None,
        };
        mistakes.push(self.mistake(message, help));
        None
    }

    /// A value that must not stand in quotes.
    fn plain(&self, wanted: &str, mistakes: &mut Vec<Mistake>) -> Option<&str> {
        let (text, quoted) = self.scalar(wanted, mistakes)?;
        if quoted {
            let message = format!("{} is a text; it must be {wanted}", self.called());
            mistakes.push(self.mistake(message, "take the quotes away"));
            return None;
        }
        Some(text)
    }

    /// Reports a text that is not what was wanted.
    pub(in crate::config) fn wrong<T>(
        &self,
        text: &str,
        wanted: &str,
        help: &str,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<T> {
        let shown: String = text.chars().take(64).collect();
        mistakes.push(self.mistake(format!("{}: \"{shown}\" is not {wanted}", self.called()), help));
        None
    }

    /// Any text as written: `no`, `1.10` and `0123` stay what they are. Never blank.
    pub fn string(&self, mistakes: &mut Vec<Mistake>) -> Option<String> {
        self.scalar("a text", mistakes).map(|(text, _)| text.to_owned())
    }

    /// A name: small letters, digits, `-` and `_`, at most 63, beginning with a letter or a digit.
    pub fn name(&self, mistakes: &mut Vec<Mistake>) -> Option<String> {
        let (text, _) = self.scalar("a name", mistakes)?;
        if is_name(text) {
            return Some(text.to_owned());
        }
        self.wrong(text, "a name", NAME_HELP, mistakes)
    }

    /// `true` or `false`, nothing else.
    pub fn boolean(&self, mistakes: &mut Vec<Mistake>) -> Option<bool> {
        let text = self.plain("true or false", mistakes)?;
        let help = match text.to_ascii_lowercase().as_str() {
            _ if text == "true" => return Some(true),
            _ if text == "false" => return Some(false),
            "yes" | "on" | "y" | "true" => "write true",
            "no" | "off" | "n" | "false" => "write false",
            _ => "write true or false",
        };
        self.wrong(text, "true or false", help, mistakes)
    }

    /// A whole number within a range, in decimal digits without leading zeros.
    pub fn integer(&self, range: RangeInclusive<i64>, mistakes: &mut Vec<Mistake>) -> Option<i64> {
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        let text = self.plain(&wanted, mistakes)?;
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()) {
            return self.wrong(text, &wanted, "take the leading zeros away", mistakes);
        }
        match text.parse::<i64>() {
            Ok(n) if range.contains(&n) && !text.starts_with('+') => Some(n),
            Ok(_) => self.wrong(text, &wanted, "choose one within the range", mistakes),
            Err(_) => self.wrong(text, &wanted, "write decimal digits only, for example 10", mistakes),
        }
    }

    /// A number within a range, in decimal notation.
    pub fn float(&self, range: RangeInclusive<f64>, mistakes: &mut Vec<Mistake>) -> Option<f64> {
        let wanted = format!("a number from {} to {}", range.start(), range.end());
        let text = self.plain(&wanted, mistakes)?;
        let spelled = text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
        match text.parse::<f64>() {
            Ok(n) if spelled && range.contains(&n) => Some(n),
            Ok(_) if spelled => self.wrong(text, &wanted, "choose one within the range", mistakes),
            _ => self.wrong(text, &wanted, "write it with a point, for example 0.6", mistakes),
        }
    }

    /// A length of time with its unit, at least a millisecond: `250ms`, `30s`, `5m`, `4h`, `7d`.
    pub fn span(&self, mistakes: &mut Vec<Mistake>) -> Option<Span> {
        self.span_within(Span(1)..=Span::hours(24 * 3660), mistakes)
    }

    /// A length of time with its unit, within a range.
    pub fn span_within(&self, range: RangeInclusive<Span>, mistakes: &mut Vec<Mistake>) -> Option<Span> {
        const HELP: &str = "write a whole number and a unit, without a space: 250ms, 30s, 5m, 4h or 7d";
        let (text, _) = self.scalar("a duration", mistakes)?;
        match text.parse::<Span>() {
            Ok(span) if range.contains(&span) => Some(span),
            Ok(_) => {
                let wanted = format!("a duration from {} to {}", range.start(), range.end());
                self.wrong(text, &wanted, "choose one within the range", mistakes)
            }
            Err(_) => self.wrong(text, "a duration", HELP, mistakes),
        }
    }

    /// A number of bytes with its unit, within a range: `512B`, `64KiB`, `8MiB`, `1GiB`.
    pub fn size(&self, range: RangeInclusive<u64>, mistakes: &mut Vec<Mistake>) -> Option<u64> {
        const HELP: &str = "write a whole number and a unit, without a space: 512B, 64KiB, 8MiB or 1GiB";
        let (text, _) = self.scalar("a size", mistakes)?;
        match parse_size(text) {
            Some(size) if range.contains(&size) => Some(size),
            Some(_) => {
                let wanted =
                    format!("a size from {} to {}", show_size(*range.start()), show_size(*range.end()));
                self.wrong(text, &wanted, "choose one within the range", mistakes)
            }
            None => self.wrong(text, "a size", HELP, mistakes),
        }
    }

    /// A point in time, RFC 3339 with its zone.
    pub fn timestamp(&self, mistakes: &mut Vec<Mistake>) -> Option<Timestamp> {
        const HELP: &str = "write RFC 3339 with a zone, for example 2026-03-03T22:10:00Z";
        let (text, _) = self.scalar("a point in time", mistakes)?;
        // Strict on purpose: a maintenance window in the wrong zone is worse than none.
        match text.parse::<jiff::Timestamp>() {
            Ok(t) => Some(Timestamp(t.as_millisecond())),
            Err(_) => self.wrong(text, "a point in time", HELP, mistakes),
        }
    }

    /// An address, or a prefix without host bits; an address alone is a prefix of full length.
    pub fn net(&self, mistakes: &mut Vec<Mistake>) -> Option<IpNet> {
        let (text, _) = self.scalar("an address or a prefix", mistakes)?;
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Some(IpNet::from(ip));
        }
        match text.parse::<IpNet>() {
            Ok(net) if net.trunc() == net => Some(net),
            Ok(net) => {
                let help = format!("write {}, or the single address {}", net.trunc(), net.addr());
                self.wrong(text, "a prefix: bits are set beyond its length", &help, mistakes)
            }
            Err(_) => {
                let help = "write for example 192.0.2.0/24, 2001:db8::/32 or 192.0.2.7";
                self.wrong(text, "an address or a prefix", help, mistakes)
            }
        }
    }

    /// One address.
    pub fn ip(&self, mistakes: &mut Vec<Mistake>) -> Option<IpAddr> {
        let (text, _) = self.scalar("an address", mistakes)?;
        match text.parse() {
            Ok(ip) => Some(ip),
            Err(_) => {
                let help = "write for example 192.0.2.7 or 2001:db8::7, without a prefix length";
                self.wrong(text, "an address", help, mistakes)
            }
        }
    }

    /// One of the known words; `what` names it in the singular, for example `format`.
    pub fn choice<'k>(&self, what: &str, known: &[&'k str], mistakes: &mut Vec<Mistake>) -> Option<&'k str> {
        let (text, _) = self.scalar(&format!("a {what}"), mistakes)?;
        if let Some(word) = known.iter().find(|k| **k == text) {
            return Some(word);
        }
        let shown: String = text.chars().take(64).collect();
        let help = suggest(text, &plural(what), known.iter().copied());
        mistakes.push(self.mistake(format!("unknown {what} \"{shown}\""), help));
        None
    }

    /// The items of a list, each read by `item`; what could not be read is left out. Nothing
    /// written is an empty list.
    pub fn list<'a, T>(
        &'a self,
        mistakes: &mut Vec<Mistake>,
        mut item: impl FnMut(&'a Node, &mut Vec<Mistake>) -> Option<T>,
    ) -> Option<Vec<T>> {
        match &self.value {
            Value::List(items) => Some(items.iter().filter_map(|n| item(n, mistakes)).collect()),
            Value::Null => Some(Vec::new()),
            Value::Invalid => None,
            Value::Scalar { .. } | Value::Map(_) => {
                let message = format!("{} must be a list", self.called());
                mistakes.push(self.mistake(message, "write `[a, b]`, or one `- item` per line"));
                None
            }
        }
    }

    /// The entries of a map. Nothing written is an empty map.
    pub fn map(&self, mistakes: &mut Vec<Mistake>) -> Option<Fields<'_>> {
        match &self.value {
            Value::Map(entries) => Some(Fields { node: self, entries }),
            Value::Null => Some(Fields { node: self, entries: &[] }),
            Value::Invalid => None,
            Value::Scalar { .. } | Value::List(_) => {
                let message = format!("{} must be a map", self.called());
                mistakes.push(self.mistake(message, "write one `key: value` per line"));
                None
            }
        }
    }
}

impl<'a> Fields<'a> {
    /// The map itself, for mistakes about it as a whole.
    #[must_use]
    pub fn node(&self) -> &'a Node {
        self.node
    }

    /// All entries, in the order written: for maps whose keys are names.
    #[must_use]
    pub fn entries(&self) -> &'a [(Key, Node)] {
        self.entries
    }

    /// The value under `name`, or a mistake that it is missing.
    pub fn required(&self, name: &str, mistakes: &mut Vec<Mistake>) -> Option<&'a Node> {
        let found = self.optional(name);
        if found.is_none() {
            let place = if self.node.name.is_empty() { "" } else { &*self.node.name };
            let inside = if place.is_empty() { String::new() } else { format!(" in `{place}`") };
            mistakes
                .push(self.node.mistake(format!("`{name}` is missing{inside}"), format!("add `{name}: …`")));
        }
        found
    }

    /// The value under `name`, if it was written.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<&'a Node> {
        self.entries.iter().find(|(k, _)| &*k.text == name).map(|(_, node)| node)
    }

    /// Every key beyond the known ones is a mistake, shown where the key stands.
    pub fn finish(&self, known: &[&str], mistakes: &mut Vec<Mistake>) {
        for (key, _) in self.entries.iter().filter(|(k, _)| !known.contains(&&*k.text)) {
            let help = match nearest(&key.text, known) {
                Some(near) => format!("did you mean `{near}`? known here: {}", known.join(", ")),
                None => format!("take it out; known here: {}", known.join(", ")),
            };
            let shown: String = key.text.chars().take(64).collect();
            let place = (key.line, key.column);
            mistakes.push(Mistake::error(&self.node.file, place, format!("unknown key `{shown}`"), help));
        }
    }
}

/// What a name may look like, for help texts.
pub const NAME_HELP: &str =
    "use small letters, digits, `-` and `_`, at most 63, beginning with a letter or a digit";

/// True for small letters, digits, `-` and `_`, at most 63, beginning with a letter or a digit.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let begins = text.bytes().next().is_some_and(|b| b != b'-' && b != b'_');
    begins && text.len() <= 63 && text.bytes().all(allowed)
}

/// `policy` → `policies`, `format` → `formats`.
fn plural(what: &str) -> String {
    match what.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{what}s"),
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let cut = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(cut);
    let unit = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

fn show_size(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((unit, word)) => format!("{}{word}", bytes / unit),
        None => format!("{bytes}B"),
    }
}
