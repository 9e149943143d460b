//! What the demonstration prints: acts with a heading, one live line, nothing at all for `--json`.

use std::time::Duration;

use super::feed::Fed;
use crate::output::{Out, Style, WIDTH, safe, wrap};

/// Width of the words in front of a line.
const LABEL: usize = 10;

/// Prints.
pub struct Tell<'a> {
    out: &'a Out,
    simulated: bool,
}

impl<'a> Tell<'a> {
    /// Prints to this, unless JSON was asked for. Every heading says so when the firewall is pretended.
    #[must_use]
    pub fn new(out: &'a Out, simulated: bool) -> Tell<'a> {
        Tell { out, simulated }
    }

    /// True when nothing is printed.
    #[must_use]
    pub fn silent(&self) -> bool {
        self.out.json || self.out.quiet
    }

    /// Text in a colour; made safe here.
    #[must_use]
    pub fn paint(&self, style: Style, text: &str) -> String {
        self.out.paint.on(style, &safe(text))
    }

    /// A line that is safe already.
    pub fn raw(&self, line: &str) {
        if !self.silent() {
            self.out.line(line);
        }
    }

    /// The heading of an act.
    pub fn act(&self, number: u8, name: &str, about: &str) {
        self.raw("");
        let label = if self.simulated { "  SIMULATED" } else { "" };
        self.raw(&format!(
            "{} {}{}",
            self.paint(Style::Accent, &format!("{number}  {name:<10}")),
            self.paint(Style::Strong, about),
            self.paint(Style::Warn, label),
        ));
    }

    /// A label and a text of unknown origin, broken to the width of the screen.
    pub fn said(&self, label: &str, style: Style, text: &str) {
        for (n, line) in wrap(text, WIDTH - LABEL - 5).iter().enumerate() {
            let label = if n == 0 { label } else { "" };
            self.raw(&format!(
                "   {} {}",
                self.paint(Style::Faint, &format!("{label:<LABEL$}")),
                self.out.paint.on(style, line)
            ));
        }
    }

    /// A label, a text, and behind it a verdict in a colour of its own.
    pub fn pair(&self, label: &str, text: &str, style: Style, verdict: &str) {
        let label = self.paint(Style::Faint, &format!("{label:<LABEL$}"));
        self.raw(&format!("   {label} {}   {}", safe(text), self.paint(style, verdict)));
    }

    /// A line of a quotation, cut to the width of the screen.
    pub fn quoted(&self, line: &str, style: Style) {
        let line: String = safe(line).chars().take(WIDTH - 5).collect();
        let line = format!("   {} {}", self.paint(Style::Faint, "│"), self.out.paint.on(style, &line));
        self.raw(line.trim_end());
    }

    /// Progress, in place on a terminal; elsewhere nothing.
    pub fn live(&self, fed: &Fed, of: usize, words: &str) {
        if self.silent() || !self.out.tty {
            return;
        }
        let width = 20;
        let done = usize::try_from(fed.records).unwrap_or(0) * width / of.max(1);
        let bar = format!("{}{}", "█".repeat(done), "░".repeat(width - done.min(width)));
        let counts = format!(
            "{} records → {} alerts → {} open",
            number(fed.records),
            number(fed.alerts),
            incidents(fed.incidents)
        );
        let room = WIDTH.saturating_sub(width + counts.chars().count() + 8);
        let words: String = safe(words).chars().take(room).collect();
        let line = format!(
            "\r\u{1b}[2K   {} {counts}  {}",
            self.out.paint.on(Style::Accent, &bar),
            self.out.paint.on(Style::Faint, &words)
        );
        self.out.bytes(line.as_bytes());
    }

    /// The live line is over.
    pub fn live_end(&self) {
        if !self.silent() && self.out.tty {
            self.out.bytes(b"\r\x1b[2K");
        }
    }

    /// Something reached while the live line runs.
    pub fn milestone(&self, at: Duration, what: &str) {
        self.live_end();
        self.said(&seconds(at), Style::Plain, what);
    }

    /// A count-down, in place on a terminal; elsewhere nothing.
    pub fn countdown(&self, left: Duration, of: Duration, what: &str) {
        if self.silent() || !self.out.tty {
            return;
        }
        let width = 20_u128;
        let full = (left.as_millis() * width / of.as_millis().max(1)).min(width);
        let bar = "█".repeat(usize::try_from(full).unwrap_or(0));
        let bar = format!("{bar:░<20}");
        let line = format!(
            "\r\u{1b}[2K   {} {} {}",
            self.out.paint.on(Style::Warn, &bar),
            seconds(left),
            safe(what)
        );
        self.out.bytes(line.as_bytes());
    }
}

/// `1 incident`, `2 incidents`.
#[must_use]
pub fn incidents(n: usize) -> String {
    if n == 1 { "1 incident".into() } else { format!("{n} incidents") }
}

/// A number with its thousands apart.
#[must_use]
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Seconds with one decimal.
#[must_use]
pub fn seconds(d: Duration) -> String {
    format!("{:.1} s", d.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(
            [0, 999, 1_000, 4_274, 1_000_000].map(number),
            ["0", "999", "1,000", "4,274", "1,000,000"]
        );
        assert_eq!(seconds(Duration::from_millis(1_240)), "1.2 s");
    }
}
