//! Lists: a table on a terminal, tab-separated lines elsewhere.

use comfy_table::{
    Cell as Drawn, CellAlignment, ColumnConstraint, ContentArrangement, Table as Drawing, Width,
};

use unicode_width::UnicodeWidthStr;

use super::{Paint, Style, safe};

/// Columns between two fields.
const GAP: u16 = 2;

/// One field: what people see, and what a program gets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    shown: String,
    plain: String,
    style: Style,
    is_number: bool,
}

impl Cell {
    /// The same for people and programs.
    pub(crate) fn new(text: impl AsRef<str>) -> Cell {
        let text = safe(text.as_ref());
        Cell { shown: text.clone(), plain: text, ..Cell::default() }
    }

    /// A number, with groups of three for people.
    #[must_use]
    pub(crate) fn number(n: u64) -> Cell {
        Cell { shown: grouped(n), plain: n.to_string(), is_number: true, ..Cell::default() }
    }

    /// A time of the API: relative for people, RFC 3339 for programs.
    #[must_use]
    pub(crate) fn time(time: &str, now: stanch_model::Timestamp) -> Cell {
        // A distance stays on one line.
        let shown = super::relative(time, now).replace(' ', "\u{a0}");
        Cell { shown, plain: safe(time), ..Cell::default() }
    }

    /// A time that may be missing.
    #[must_use]
    pub(crate) fn maybe_time(time: Option<&String>, now: stanch_model::Timestamp) -> Cell {
        time.map_or_else(Cell::default, |t| Cell::time(t, now))
    }

    /// Text that may be missing.
    #[must_use]
    pub(crate) fn maybe(text: Option<&String>) -> Cell {
        text.map_or_else(Cell::default, Cell::new)
    }

    /// In a colour.
    #[must_use]
    pub(crate) fn styled(mut self, style: Style) -> Cell {
        self.style = style;
        self
    }
}

/// `4 812`: a number with thin groups.
#[must_use]
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

/// A list with headings.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty list.
    #[must_use]
    pub(crate) fn new(head: &[&'static str]) -> Table {
        Table { head: head.to_vec(), rows: Vec::new() }
    }

    /// Adds a line.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// True without lines.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// For people: no frame, headings in capitals, long text wrapped at the terminal's width.
    #[must_use]
    pub(crate) fn render(&self, paint: Paint) -> String {
        self.draw(paint, None)
    }

    fn draw(&self, paint: Paint, width: Option<u16>) -> String {
        let mut table = Drawing::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        if let Some(width) = width {
            table.set_width(width);
        }
        let head = self.head.iter().map(|h| drawn(paint, Style::Faint, &h.to_uppercase()));
        table.set_header(head.collect::<Vec<_>>());
        for row in &self.rows {
            table.add_row(row.iter().map(|c| drawn(paint, c.style, &c.shown)).collect::<Vec<_>>());
        }
        let numbers: Vec<bool> = (0..self.head.len())
            .map(|n| self.rows.first().and_then(|row| row.get(n)).is_some_and(|c| c.is_number))
            .collect();
        for (n, (column, is_number)) in table.column_iter_mut().zip(numbers).enumerate() {
            column.set_padding((0, GAP));
            let least = ColumnConstraint::LowerBoundary(Width::Fixed(self.longest_word(n) + GAP));
            column.set_constraint(least);
            if is_number {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let lines: Vec<String> = table.lines().map(|l| l.trim_end().to_owned()).collect();
        format!("{}\n", lines.join("\n"))
    }

    /// The longest word of a column, heading included: names, numbers and headings are not broken.
    fn longest_word(&self, column: usize) -> u16 {
        let limit = if column == 0 { 40 } else { 18 };
        let cells =
            self.rows.iter().filter_map(|row| row.get(column)).map(|c| (c.shown.as_str(), c.is_number));
        let head = self.head.get(column).map(|h| (*h, false));
        let longest = |(text, whole): (&str, bool)| match whole {
            true => text.width(),
            false => text.split(' ').map(UnicodeWidthStr::width).max().unwrap_or(0),
        };
        let longest = cells.chain(head).map(longest).filter(|n| *n <= limit).max().unwrap_or(0);
        u16::try_from(longest).unwrap_or(u16::MAX)
    }

    /// For programs: one line of headings, then one line each; no tab or line break inside a field.
    #[must_use]
    pub(crate) fn tsv(&self) -> String {
        let mut out = self.head.iter().map(|h| h.replace(' ', "_")).collect::<Vec<_>>().join("\t");
        out.push('\n');
        for row in &self.rows {
            out.push_str(&row.iter().map(|c| c.plain.as_str()).collect::<Vec<_>>().join("\t"));
            out.push('\n');
        }
        out
    }
}

fn drawn(paint: Paint, style: Style, text: &str) -> Drawn {
    use comfy_table::{Attribute, Color};
    let cell = Drawn::new(text);
    if !paint.0 {
        return cell;
    }
    match style {
        Style::Plain => cell,
        Style::Strong => cell.add_attribute(Attribute::Bold),
        Style::Faint => cell.add_attribute(Attribute::Dim),
        Style::Good => cell.fg(Color::DarkGreen),
        Style::Warn => cell.fg(Color::DarkYellow),
        Style::Bad => cell.fg(Color::DarkRed).add_attribute(Attribute::Bold),
        Style::Accent => cell.fg(Color::DarkCyan),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new(&["id", "title", "seen by us"]);
        table.row(vec![Cell::new("A-1"), Cell::new("a\tb\u{1b}[31m\nc"), Cell::number(1_234_567)]);
        table
    }

    #[test]
    fn a_field_never_holds_a_tab_a_line_break_or_an_escape() {
        assert_eq!(sample().tsv(), "id\ttitle\tseen_by_us\nA-1\ta\\tb\\x1b[31m\\nc\t1234567\n");
        assert!(!sample().draw(Paint(false), Some(80)).contains('\u{1b}'));
    }

    #[test]
    fn a_table_keeps_to_its_width_and_its_names_whole() {
        let mut table = sample();
        table.row(vec![Cell::new("INC-1234"), Cell::new("word ".repeat(60)), Cell::number(0)]);
        let text = table.draw(Paint(false), Some(60));
        assert!(text.lines().all(|l| l.chars().count() <= 60), "{text}");
        assert!(text.contains("INC-1234"));
        assert!(text.contains("1 234 567"));
    }
}
