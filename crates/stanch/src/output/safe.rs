//! Text of unknown origin, made visible before it reaches a terminal.
//!
//! Alert titles are written by whoever attacks. On a terminal they could move the cursor, rename the
//! window, change the clipboard, turn the reading order round, or hide words between invisible
//! letters. Nothing is removed: what cannot be seen is written out as `\x1b` or `\u{202e}`.
//!
//! Source: Unicode Technical Report 36, UAX 9 (bidirectional controls), CVE-2021-42574.

use std::fmt::Write as _;

/// True for characters that act on a terminal or cannot be seen.
fn dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Bidirectional controls.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Zero width, invisible operators, deprecated format controls, byte order mark.
            | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{feff}'
            | '\u{ad}' | '\u{34f}' | '\u{180b}'..='\u{180f}' | '\u{fff0}'..='\u{fffb}'
            // Letters that are drawn as nothing.
            | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}' | '\u{2800}'
            // Line and paragraph separators, variation selectors, tags, private use.
            | '\u{2028}' | '\u{2029}' | '\u{fe00}'..='\u{fe0f}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..='\u{10ffff}')
}

fn write_out(c: char, to: &mut String) {
    // Writing to a String cannot fail.
    let _ = match c {
        '\n' => write!(to, "\\n"),
        '\r' => write!(to, "\\r"),
        '\t' => write!(to, "\\t"),
        c if u32::from(c) < 0x100 => write!(to, "\\x{:02x}", u32::from(c)),
        c => write!(to, "\\u{{{:x}}}", u32::from(c)),
    };
}

/// One line: also line breaks and tabs are made visible.
#[must_use]
pub(crate) fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if dangerous(c) { write_out(c, &mut out) } else { out.push(c) }
    }
    out
}

/// Several lines: line breaks stay.
#[must_use]
pub(crate) fn safe_lines(text: &str) -> String {
    text.split('\n').map(safe).collect::<Vec<_>>().join("\n")
}

/// JSON text with dangerous characters as `\u` escapes: the same values, harmless to look at.
#[must_use]
pub(crate) fn safe_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        // Line breaks and spaces are the writer's own; inside strings they are escaped already.
        if c != '\n' && dangerous(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_written_out() {
        assert_eq!(safe("\u{1b}[2Jgone"), "\\x1b[2Jgone");
        assert_eq!(safe("\u{9b}31mred"), "\\x9b31mred");
        assert_eq!(safe("\u{1b}]52;c;ZXZpbA==\u{7}"), "\\x1b]52;c;ZXZpbA==\\x07");
        assert_eq!(safe("a\rb\nc\td\u{8}\u{7f}"), "a\\rb\\nc\\td\\x08\\x7f");
    }

    #[test]
    fn what_turns_round_or_hides_text_is_written_out() {
        assert_eq!(safe("invoice\u{202e}fdp.exe"), "invoice\\u{202e}fdp.exe");
        assert_eq!(safe("pay\u{200b}pal\u{feff}"), "pay\\u{200b}pal\\u{feff}");
        assert_eq!(safe("x\u{e0041}\u{fe0f}\u{3164}"), "x\\u{e0041}\\u{fe0f}\\u{3164}");
        assert_eq!(safe("\u{2066}a\u{2069}"), "\\u{2066}a\\u{2069}");
    }

    #[test]
    fn honest_text_of_any_script_stays_as_it_is() {
        for text in ["Größe → 12 µs", "перебор паролей", "ログイン失敗", "تسجيل الدخول", "ok ✓ 🔥"]
        {
            assert_eq!(safe(text), text);
        }
    }

    #[test]
    fn lines_stay_lines_where_they_may() {
        assert_eq!(safe_lines("a\nb\u{1b}c\r\n"), "a\nb\\x1bc\\r\n");
    }

    #[test]
    fn json_keeps_its_values() {
        let text = serde_json::to_string_pretty(&serde_json::json!({ "t": "a\u{202e}\u{9b}\u{e0041}\n" }));
        let shown = safe_json(&text.expect("JSON"));
        assert!(shown.contains("\\u202e") && shown.contains("\\u009b") && shown.contains("\\udb40\\udc41"));
        let back: serde_json::Value = serde_json::from_str(&shown).expect("still JSON");
        assert_eq!(back["t"], "a\u{202e}\u{9b}\u{e0041}\n");
    }
}
