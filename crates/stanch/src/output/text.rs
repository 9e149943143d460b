//! Colours and line breaks.

use unicode_width::UnicodeWidthStr;

use super::safe;

/// The widest line of a text view, in columns.
pub(crate) const WIDTH: usize = 100;

/// Whether colours are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paint(pub bool);

/// What a piece of text is, not which colour it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Style {
    /// As the terminal has it.
    #[default]
    Plain,
    /// A heading or a name.
    Strong,
    /// Less important.
    Faint,
    /// In order.
    Good,
    /// Somebody should look.
    Warn,
    /// Wrong, or urgent.
    Bad,
    /// A command to type.
    Accent,
}

impl Style {
    /// The colour of an OCSF severity word.
    #[must_use]
    pub(crate) fn of_severity(word: &str) -> Style {
        match word {
            "Fatal" | "Critical" | "High" => Style::Bad,
            "Medium" => Style::Warn,
            "Low" | "Informational" => Style::Faint,
            _ => Style::Plain,
        }
    }

    const fn codes(self) -> &'static str {
        match self {
            Style::Plain => "",
            Style::Strong => "1",
            Style::Faint => "2",
            Style::Good => "32",
            Style::Warn => "33",
            Style::Bad => "1;31",
            Style::Accent => "36",
        }
    }
}

impl Paint {
    /// The text in its colour. The text must be safe already.
    #[must_use]
    pub(crate) fn on(self, style: Style, text: &str) -> String {
        if !self.0 || style == Style::Plain || text.is_empty() {
            return text.to_owned();
        }
        format!("\u{1b}[{}m{text}\u{1b}[0m", style.codes())
    }
}

/// Breaks a text of unknown origin into lines of at most `width` columns. Words longer than a line
/// are broken too; nothing is cut off.
#[must_use]
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(8);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in safe(text).split(' ').filter(|w| !w.is_empty()) {
        let mut rest = word;
        loop {
            let wide = rest.width();
            let gap = usize::from(used > 0);
            if used + gap + wide <= width {
                if gap == 1 {
                    line.push(' ');
                }
                line.push_str(rest);
                used += gap + wide;
                break;
            }
            if used > 0 {
                lines.push(std::mem::take(&mut line));
                used = 0;
                continue;
            }
            let cut = cut_at(rest, width);
            let (head, tail) = rest.split_at(cut);
            lines.push(head.to_owned());
            rest = tail;
        }
    }
    if used > 0 || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// Where to cut so that at most `width` columns are left of it; at least one character.
fn cut_at(text: &str, width: usize) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.to_string().as_str().width();
        if used > width && at > 0 {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_too_wide_and_nothing_is_lost() {
        let text = format!("short words and {} then 漢字漢字漢字漢字 end", "x".repeat(50));
        let lines = wrap(&text, 20);
        assert!(lines.iter().all(|l| l.width() <= 20), "{lines:?}");
        let letters = |s: &str| s.chars().filter(|c| *c != ' ').collect::<String>();
        assert_eq!(letters(&lines.concat()), letters(&text));
        assert_eq!(wrap("", 20), [""]);
    }

    #[test]
    fn colours_only_where_they_are_wanted() {
        assert_eq!(Paint(false).on(Style::Bad, "x"), "x");
        assert_eq!(Paint(true).on(Style::Bad, "x"), "\u{1b}[1;31mx\u{1b}[0m");
        assert_eq!(Paint(true).on(Style::Plain, "x"), "x");
    }
}
