//! One mistake in a configuration folder: what is wrong, where, and how to mend it.
//!
//! Nobody should have to start the process twice to see a second mistake, and nobody should have
//! to search for the place. A mistake never repeats the value of a secret.

use std::fmt::Write as _;

pub use stanch_expr::near::{nearest, suggest};

/// One mistake in a configuration folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Mistake {
    /// Relative to the folder.
    pub file: String,
    /// From 1; 0 when the whole file is meant.
    pub line: usize,
    /// From 1, in characters; 0 when the whole line is meant.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// How to mend it; may be empty.
    pub help: String,
    /// True when the configuration can be used all the same, but somebody should look at it.
    pub warning: bool,
}

impl Mistake {
    /// Something that has to be mended before the configuration can be used.
    pub fn error(
        file: &str,
        (line, column): (usize, usize),
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Mistake {
        let (message, help) = (message.into(), help.into());
        Mistake { file: file.to_owned(), line, column, message, help, warning: false }
    }

    /// Something that somebody should look at; the configuration can be used all the same.
    pub fn warning(
        file: &str,
        place: (usize, usize),
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Mistake {
        Mistake { warning: true, ..Mistake::error(file, place, message, help) }
    }

    /// In words, one or two lines:
    ///
    /// ```text
    /// sources/edge.yaml:4:11: unknown format "suricatta"
    ///   mend: did you mean "suricata"? known formats: alertmanager, …
    /// ```
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = self.file.clone();
        for number in [self.line, self.column].into_iter().take_while(|n| *n > 0) {
            let _ = write!(text, ":{number}");
        }
        let _ = write!(text, ": {}{}", if self.warning { "warning: " } else { "" }, self.message);
        if !self.help.is_empty() {
            let _ = write!(text, "\n  mend: {}", self.help);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_reads_as_place_message_and_how_to_mend_it() {
        let help = suggest("suricatta", "formats", ["suricata", "zeek"]);
        let m = Mistake::error("sources/edge.yaml", (4, 11), "unknown format \"suricatta\"", help);
        assert_eq!(
            m.render(),
            "sources/edge.yaml:4:11: unknown format \"suricatta\"\n  \
             mend: did you mean \"suricata\"? known formats: suricata, zeek"
        );
        let w = Mistake::warning("stanch.yaml", (0, 0), "is odd", "");
        assert_eq!(w.render(), "stanch.yaml: warning: is odd");
    }
}
