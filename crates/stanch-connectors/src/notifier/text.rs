//! Makes text from alerts harmless before it reaches a person's mailbox or terminal. Pure.
//!
//! What an attacker put into a host name or a URL must neither add a header nor hide itself: control
//! and direction characters are shown as escapes instead of being obeyed or dropped.

/// Characters of a subject at most. Source: RFC 5322 §2.1.1 allows 998 in a line; mail programs show
/// far less.
const SUBJECT: usize = 200;
/// Characters of a body at most.
const BODY: usize = 256 * 1024;

/// One line, without anything that could end it.
pub(super) fn subject(text: &str) -> String {
    cut(visible(text, &[]), SUBJECT)
}

/// Many lines; only line feeds and tabs keep their meaning.
pub(super) fn body(text: &str) -> String {
    let mut text = cut(visible(&text.replace("\r\n", "\n"), &['\n', '\t']), BODY);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn visible(text: &str, kept: &[char]) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if !kept.contains(&c) && (c.is_control() || is_deceptive(c)) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Characters that reorder or hide text: direction marks, zero width, line and paragraph separators.
/// Source: Unicode UAX #9 and UTS #39.
fn is_deceptive(c: char) -> bool {
    matches!(c, '\u{00ad}' | '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn cut(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{} [cut]", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_cannot_end_its_line_or_turn_its_direction() {
        assert_eq!(subject("a\r\nBcc: x@example.net"), "a\\r\\nBcc: x@example.net");
        assert_eq!(subject("gpj.\u{202e}exe"), "gpj.\\u{202e}exe");
        assert_eq!(subject("\u{1b}[2Jgone\u{7f}\u{85}"), "\\u{1b}[2Jgone\\u{7f}\\u{85}");
        assert_eq!(subject("Größe \u{2192} 10.0.0.1"), "Größe \u{2192} 10.0.0.1");
        assert_eq!(subject(&"x".repeat(300)).len(), 206);
    }

    #[test]
    fn a_body_keeps_its_lines_and_nothing_else() {
        assert_eq!(body("one\r\n\ttwo\rthree\u{0}"), "one\n\ttwo\\rthree\\u{0}\n");
    }
}
