//! Points in time and lengths of time, in whole milliseconds.
//!
//! OCSF counts `time` in milliseconds since 1970-01-01T00:00:00Z, and so does everything inside
//! Stanch; people and the API see RFC 3339 in UTC. Nothing here asks what time it is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z. Serialised as that integer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// `self + span`, saturating at the ends of the range.
    #[must_use]
    pub fn plus(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_add(span.0))
    }

    /// How long after `earlier` this is; negative when it lies before.
    #[must_use]
    pub fn since(self, earlier: Timestamp) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// Reads RFC 3339, also with a zone without colon (`+0000`) or with no zone at all (then UTC).
    ///
    /// # Errors
    /// Says what was not understood; never panics, whatever the text.
    pub fn parse(text: &str) -> Result<Timestamp, BadTime> {
        let bad = || BadTime(text.chars().take(64).collect());
        if let Ok(t) = text.parse::<jiff::Timestamp>() {
            return Ok(Timestamp(t.as_millisecond()));
        }
        let civil: jiff::civil::DateTime = text.trim_end_matches('Z').parse().map_err(|_| bad())?;
        civil
            .to_zoned(jiff::tz::TimeZone::UTC)
            .map(|z| Timestamp(z.timestamp().as_millisecond()))
            .map_err(|_| bad())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(t) => write!(f, "{t:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

/// A text that is no time we know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a time; write RFC 3339, for example 2026-03-03T22:10:00Z")]
pub struct BadTime(pub String);

/// A length of time in milliseconds. Read from and shown as `250ms`, `30s`, `5m`, `4h`, `7d`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(pub i64);

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// `n` seconds.
    #[must_use]
    pub const fn secs(n: i64) -> Span {
        Span(n * 1_000)
    }

    /// `n` minutes.
    #[must_use]
    pub const fn mins(n: i64) -> Span {
        Span(n * 60_000)
    }

    /// `n` hours.
    #[must_use]
    pub const fn hours(n: i64) -> Span {
        Span(n * 3_600_000)
    }

    /// The length as a standard duration; zero when negative.
    #[must_use]
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(u64::try_from(self.0).unwrap_or(0))
    }
}

impl FromStr for Span {
    type Err = BadSpan;

    fn from_str(text: &str) -> Result<Span, BadSpan> {
        let bad = || BadSpan(text.chars().take(32).collect());
        let cut = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let (number, unit) = text.split_at(cut);
        let number: i64 = number.parse().map_err(|_| bad())?;
        let unit = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(bad()),
        };
        number.checked_mul(unit).map(Span).ok_or_else(bad)
    }
}

impl fmt::Display for Span {
    /// Two units at most, for people: `412ms`, `9.1s`, `4m 10s`, `3h 5m`, `2d 4h`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, ms) = if self.0 < 0 { ("-", self.0.unsigned_abs()) } else { ("", self.0.unsigned_abs()) };
        let (s, m, h, d) = (ms / 1_000, ms / 60_000, ms / 3_600_000, ms / 86_400_000);
        let two = |f: &mut fmt::Formatter<'_>, a: u64, ua: &str, b: u64, ub: &str| {
            if b == 0 { write!(f, "{sign}{a}{ua}") } else { write!(f, "{sign}{a}{ua} {b}{ub}") }
        };
        match ms {
            0..1_000 => write!(f, "{sign}{ms}ms"),
            1_000..60_000 if ms % 1_000 == 0 => write!(f, "{sign}{s}s"),
            1_000..60_000 => write!(f, "{sign}{s}.{}s", ms % 1_000 / 100),
            60_000..3_600_000 => two(f, m, "m", s % 60, "s"),
            3_600_000..86_400_000 => two(f, h, "h", m % 60, "m"),
            _ => two(f, d, "d", h % 24, "h"),
        }
    }
}

/// A text that is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a duration; write a whole number and a unit: 250ms, 30s, 5m, 4h or 7d")]
pub struct BadSpan(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_real_sensors_are_read() {
        let z = Timestamp::parse("2017-11-04T12:48:35.198Z").expect("RFC 3339");
        assert_eq!(Timestamp::parse("2017-11-04T12:48:35.198583+0000"), Ok(z));
        assert_eq!(Timestamp::parse("2017-11-04T06:48:35.198-0600"), Ok(z));
        assert_eq!(Timestamp::parse("2017-11-04T12:48:35.198"), Ok(z));
        assert_eq!(z.to_string(), "2017-11-04T12:48:35.198Z");
        assert!(Timestamp::parse("yesterday").is_err());
    }

    #[test]
    fn spans_read_back_and_refuse_bare_numbers() {
        for text in ["250ms", "30s", "5m", "4h", "7d"] {
            let span: Span = text.parse().expect(text);
            assert_eq!(span.to_string(), text);
        }
        assert!("10".parse::<Span>().is_err());
        assert!("10 sec".parse::<Span>().is_err());
        assert!("99999999999999999d".parse::<Span>().is_err());
        assert_eq!(Span(9_140).to_string(), "9.1s");
        assert_eq!(Span(250_000).to_string(), "4m 10s");
    }
}
