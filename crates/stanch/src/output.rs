//! The only place that prints: data on stdout, messages on stderr, tables on a terminal.
//!
//! Whatever a source, a feed or a person wrote passes [`safe()`] before it reaches a terminal, so
//! that a title cannot move the cursor, change colours or hide half of itself.

mod bar;
mod safe;
mod table;
mod text;

use std::cell::Cell as Flag;
use std::io::{IsTerminal, Write};

use serde::Serialize;
use serde_json::json;
use stanch_model::{Span, Timestamp};
use stanch_server::api::v1::types::MistakeView;

use crate::exit::{Exit, Failure};

pub(crate) use bar::{Slice, percents, stacked};
pub(crate) use safe::{safe, safe_json, safe_lines};
pub(crate) use table::{Cell, Table, grouped};
pub(crate) use text::{Paint, Style, WIDTH, wrap};

/// Where output goes and how it looks.
pub(crate) struct Out {
    /// Print JSON.
    pub(crate) json: bool,
    /// No messages on stderr but errors.
    pub(crate) quiet: bool,
    /// Stdout is a terminal.
    pub(crate) tty: bool,
    /// Colours on stdout.
    pub(crate) paint: Paint,
    failed: Flag<bool>,
}

impl Out {
    /// Looks at the terminal and at `NO_COLOR`. Source: <https://no-color.org>.
    #[must_use]
    pub(crate) fn new(json: bool, quiet: bool, no_color: bool) -> Out {
        let tty = std::io::stdout().is_terminal();
        let plain = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
        let paint = Paint(tty && !json && !no_color && !plain("NO_COLOR") && !dumb);
        Out { json, quiet, tty, paint, failed: Flag::new(false) }
    }

    /// Bytes to stdout as they are. A reader that went away is no failure; a full disk is.
    pub(crate) fn bytes(&self, bytes: &[u8]) {
        let mut stdout = std::io::stdout().lock();
        if let Err(error) = stdout.write_all(bytes).and_then(|()| stdout.flush())
            && error.kind() != std::io::ErrorKind::BrokenPipe
        {
            self.failed.set(true);
        }
    }

    /// One line of data. The caller has made it safe.
    pub(crate) fn line(&self, text: impl AsRef<str>) {
        self.bytes(format!("{}\n", text.as_ref()).as_bytes());
    }

    /// A value as JSON: indented, keys as given, dangerous characters escaped.
    pub(crate) fn json(&self, value: &impl Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.line(safe_json(&text)),
            Err(_) => self.failed.set(true),
        }
    }

    /// A table on a terminal, tab-separated lines otherwise.
    pub(crate) fn table(&self, table: &Table) {
        if self.tty {
            self.bytes(table.render(self.paint).as_bytes())
        } else {
            self.bytes(table.tsv().as_bytes())
        }
    }

    /// A message for people, unless they asked for quiet or JSON.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        if !self.quiet && !self.json {
            self.say(text.as_ref());
        }
    }

    /// A message that is always shown.
    pub(crate) fn say(&self, text: &str) {
        let mut stderr = std::io::stderr().lock();
        // Nobody is left to be told when stderr cannot be written to.
        let _ = writeln!(stderr, "{text}");
    }

    /// A question without a line break after it.
    pub(crate) fn ask(&self, text: &str) {
        let mut stderr = std::io::stderr().lock();
        let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
    }

    /// Says what failed and gives the exit code.
    pub(crate) fn failure(&self, error: &anyhow::Error) -> Exit {
        let plain;
        let failure = match error.downcast_ref::<Failure>() {
            Some(failure) => failure,
            None => {
                plain = Failure::new(Exit::Failed, format!("{error:#}"), "");
                &plain
            }
        };
        if self.json {
            let Failure { code, message, mend, mistakes, .. } = failure;
            let mut error = json!({ "code": code, "message": message, "mend": mend });
            if !mistakes.is_empty() {
                error["mistakes"] = json!(mistakes);
            }
            self.say(&safe_json(&json!({ "error": error }).to_string()));
            return failure.exit;
        }
        for mistake in &failure.mistakes {
            self.say(&render_mistake(mistake));
        }
        let code = failure.code.as_ref().map(|c| format!(" [{}]", safe(c))).unwrap_or_default();
        self.say(&format!("error: {}{code}", safe_lines(&failure.message)));
        if !failure.mend.is_empty() {
            self.say(&format!("  mend: {}", safe_lines(&failure.mend)));
        }
        failure.exit
    }

    /// True when something could not be written.
    #[must_use]
    pub(crate) fn broken(&self) -> bool {
        self.failed.get()
    }
}

/// A mistake in the configuration as two lines: place and message, how to mend it.
#[must_use]
pub(crate) fn render_mistake(m: &MistakeView) -> String {
    let mut text = safe(&m.file);
    for number in [m.line, m.column].into_iter().take_while(|n| *n > 0) {
        text.push_str(&format!(":{number}"));
    }
    text.push_str(if m.warning { ": warning: " } else { ": " });
    text.push_str(&safe(&m.message));
    if !m.help.is_empty() {
        text.push_str(&format!("\n  mend: {}", safe(&m.help)));
    }
    text
}

/// The time now, in whole milliseconds.
#[must_use]
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Beyond this a date says more than a distance.
const FAR: Span = Span::hours(24 * 30);

/// A time of the API as people read it: `4m 10s ago`, `in 15m`.
#[must_use]
pub(crate) fn relative(time: &str, now: Timestamp) -> String {
    let Ok(at) = Timestamp::parse(time) else { return safe(time) };
    let day = || at.to_string().split('T').next().unwrap_or_default().to_owned();
    match now.since(at) {
        Span(far) if far.abs() > FAR.0 => day(),
        Span(0..1_000) => "just now".to_owned(),
        past if past.0 > 0 => format!("{past} ago"),
        Span(ahead) => format!("in {}", Span(-ahead)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_distance_from_now() {
        let now = Timestamp::parse("2026-03-03T22:10:00Z").expect("a time");
        assert_eq!(relative("2026-03-03T22:05:50Z", now), "4m 10s ago");
        assert_eq!(relative("2026-03-03T22:25:00Z", now), "in 15m");
        assert_eq!(relative("2026-03-03T22:09:59.500Z", now), "just now");
        assert_eq!(relative("2017-11-04T12:48:35Z", now), "2017-11-04");
        assert_eq!(relative("soon\u{1b}[31m", now), "soon\\x1b[31m");
    }

    #[test]
    fn a_mistake_names_its_place_and_how_to_mend_it() {
        let m = MistakeView {
            file: "stanch.yaml".into(),
            line: 3,
            column: 9,
            message: "no port".into(),
            help: "write 127.0.0.1:7878".into(),
            warning: false,
        };
        assert_eq!(render_mistake(&m), "stanch.yaml:3:9: no port\n  mend: write 127.0.0.1:7878");
    }
}
