//! A report as PDF: A4, the fonts every reader has, no script, no link, no attachment.
//!
//! `pdf-writer` writes the parts of the format and nothing else; the layout is lines from top to bottom.
//! The built-in fonts hold Western European letters; any other letter is told by its number, as
//! `[U+4E2D]`, so that nothing is lost and nothing is guessed. Markdown keeps all letters.
//!
//! Source: ISO 32000-1, annex D.2 (WinAnsi); Adobe's metrics of Helvetica.

use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str, TextStr};

use super::markdown::Line;
use super::plain;

/// A4, in points.
const PAGE: (f32, f32) = (595.0, 842.0);
const MARGIN: f32 = 50.0;
/// Width of the names and times before rows.
const NAMES: f32 = 128.0;

/// Widths of the letters from space to `~` in Helvetica, in thousandths of the size.
#[rustfmt::skip]
const WIDTHS: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778,
    722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278,
    278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

/// A text in WinAnsi; what it does not hold is told by its number.
fn encoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            ' '..='~' => out.push(c as u8),
            '\u{a0}'..='\u{ff}' => out.push(c as u32 as u8),
            '€' => out.push(0x80),
            '…' => out.push(0x85),
            '‘' => out.push(0x91),
            '’' => out.push(0x92),
            '“' => out.push(0x93),
            '”' => out.push(0x94),
            '•' => out.push(0x95),
            '–' => out.push(0x96),
            '—' => out.push(0x97),
            '→' => out.extend_from_slice(b"->"),
            other => out.extend_from_slice(format!("[U+{:04X}]", other as u32).as_bytes()),
        }
    }
    out
}

fn width(text: &[u8], size: f32) -> f32 {
    // Letters beyond ASCII are at most as wide as a capital.
    let one = |b: &u8| f32::from(WIDTHS.get(usize::from(b.wrapping_sub(b' '))).copied().unwrap_or(667));
    text.iter().map(one).sum::<f32>() * size / 1000.0
}

/// Breaks a text at its blanks, and in the middle of words that are longer than a line.
fn wrapped(text: &str, size: f32, wide: f32) -> Vec<Vec<u8>> {
    let (mut lines, mut line) = (Vec::new(), Vec::new());
    for word in encoded(text).split(|b| *b == b' ') {
        let joined = if line.is_empty() { word.to_vec() } else { [&line[..], b" ", word].concat() };
        if width(&joined, size) <= wide {
            line = joined;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for b in word {
            line.push(*b);
            if width(&line, size) > wide {
                line.pop();
                lines.push(std::mem::take(&mut line));
                line.push(*b);
            }
        }
    }
    lines.push(line);
    lines
}

/// Text from top to bottom, a content stream a page.
struct Pages {
    done: Vec<Content>,
    now: Content,
    y: f32,
}

impl Pages {
    fn down(&mut self, by: f32) {
        self.y -= by;
        if self.y < MARGIN {
            self.done.push(std::mem::replace(&mut self.now, Content::new()));
            self.y = PAGE.1 - MARGIN - by;
        }
    }

    fn put(&mut self, font: &[u8], size: f32, x: f32, text: &[u8]) {
        self.now.begin_text();
        self.now.set_font(Name(font), size);
        self.now.next_line(x, self.y);
        self.now.show(Str(text));
        self.now.end_text();
    }

    fn text(&mut self, font: &[u8], size: f32, x: f32, text: &str) {
        for line in wrapped(text, size, PAGE.0 - MARGIN - x) {
            self.down(size * 1.35);
            self.put(font, size, x, &line);
        }
    }

    fn line(&mut self, line: &Line) {
        match line {
            Line::Title(t) => {
                self.text(b"B", 17.0, MARGIN, t);
                self.down(4.0);
            }
            Line::Heading(t) => {
                self.down(10.0);
                self.text(b"B", 12.0, MARGIN, t);
                self.down(2.0);
            }
            Line::Text(t) => {
                self.text(b"R", 9.5, MARGIN, t);
                self.down(4.0);
            }
            Line::Point(t) => self.text(b"R", 9.5, MARGIN + 10.0, &format!("• {t}")),
            Line::Row(name, t) => self.row(name, t),
        }
    }

    fn row(&mut self, name: &str, text: &str) {
        let size = 9.0;
        let names = wrapped(name, size, NAMES - 6.0);
        let texts = wrapped(text, size, PAGE.0 - 2.0 * MARGIN - NAMES);
        for n in 0..names.len().max(texts.len()) {
            self.down(size * 1.35);
            if let Some(name) = names.get(n) {
                self.put(b"B", size, MARGIN, name);
            }
            if let Some(text) = texts.get(n) {
                self.put(b"R", size, MARGIN + NAMES, text);
            }
        }
    }
}

/// The document.
pub(super) fn render(lines: &[Line]) -> Vec<u8> {
    let mut pages = Pages { done: Vec::new(), now: Content::new(), y: PAGE.1 - MARGIN };
    lines.iter().for_each(|l| pages.line(l));
    let mut all = pages.done;
    all.push(pages.now);

    let mut next = 0;
    let mut name = || {
        next += 1;
        Ref::new(next)
    };
    let (catalog, tree, regular, bold, info) = (name(), name(), name(), name(), name());
    let ids: Vec<(Ref, Ref)> = all.iter().map(|_| (name(), name())).collect();
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(tree).lang(TextStr("en"));
    let count = i32::try_from(ids.len()).unwrap_or(i32::MAX);
    pdf.pages(tree).kids(ids.iter().map(|(page, _)| *page)).count(count);
    for (id, base) in [(regular, "Helvetica"), (bold, "Helvetica-Bold")] {
        pdf.type1_font(id).base_font(Name(base.as_bytes())).encoding_predefined(Name(b"WinAnsiEncoding"));
    }
    let title = lines.iter().find_map(|l| match l {
        Line::Title(t) => Some(plain(t)),
        Line::Heading(_) | Line::Text(_) | Line::Point(_) | Line::Row(..) => None,
    });
    pdf.document_info(info).title(TextStr(&title.unwrap_or_default())).producer(TextStr("Stanch"));
    for ((page, stream), content) in ids.iter().zip(all) {
        let mut p = pdf.page(*page);
        p.parent(tree).media_box(Rect::new(0.0, 0.0, PAGE.0, PAGE.1)).contents(*stream);
        p.resources().fonts().pair(Name(b"R"), regular).pair(Name(b"B"), bold);
        p.finish();
        pdf.stream(*stream, &content.finish());
    }
    pdf.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_the_font_does_not_hold_are_told_by_number() {
        assert_eq!(encoded("a é € 中\u{202e}"), b"a \xe9 \x80 [U+4E2D]\xb7");
    }

    #[test]
    fn a_line_never_leaves_the_page_also_with_one_endless_word() {
        for line in wrapped(&"W".repeat(3_000), 9.0, 300.0) {
            assert!(width(&line, 9.0) <= 300.0);
        }
        assert_eq!(wrapped("one two", 9.0, 20.0), [b"one".to_vec(), b"two".to_vec()]);
    }

    #[test]
    fn a_long_report_has_several_pages() {
        let rows: Vec<Line> = (0..200).map(|n| Line::Row(format!("r{n}"), "text ".repeat(30))).collect();
        let pdf = render(&rows);
        assert!(pdf.starts_with(b"%PDF-1.7"));
        let pages = pdf.windows(11).filter(|w| w == b"/Type /Page").count();
        assert!(pages > 5, "{pages}");
    }
}
