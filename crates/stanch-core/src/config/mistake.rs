//! One mistake in a configuration folder: what is wrong, where, and how to mend it.
//!
//! Nobody should have to start the process twice to see a second mistake, and nobody should have
//! to search for the place. A mistake never repeats the value of a secret.

use std::fmt::Write as _;

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

/// Help for a word that is none of the known ones: the nearest first, then all of them.
/// `plural` names them, for example `formats`.
pub fn suggest<'a>(word: &str, plural: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    if known.is_empty() {
        return format!("no {plural} are defined yet");
    }
    let all = known.join(", ");
    match nearest(word, &known) {
        Some(near) => format!("did you mean \"{near}\"? known {plural}: {all}"),
        None => format!("known {plural}: {all}"),
    }
}

/// The known word that was most likely meant, if one is close enough: at most a third of its
/// letters differ, or it only differs in case. Ties go to the first.
#[must_use]
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    // Longer words cannot be near to any of ours, and comparing them would take long.
    if word.len() > 64 {
        return None;
    }
    let lower = word.to_lowercase();
    let distance = |k: &str| strsim::damerau_levenshtein(&lower, &k.to_lowercase());
    let near = known.iter().copied().min_by_key(|k| distance(k))?;
    (distance(near) <= (near.chars().count() / 3).max(1)).then_some(near)
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

    #[test]
    fn only_near_words_are_suggested() {
        assert_eq!(nearest("Approvals", &["approve", "approval"]), Some("approval"));
        assert_eq!(nearest("to", &["team", "tls"]), None);
        assert_eq!(nearest("x".repeat(9999).as_str(), &["team"]), None);
        assert_eq!(suggest("netop", "teams", []), "no teams are defined yet");
    }
}
