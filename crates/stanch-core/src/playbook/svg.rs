//! A plan as an SVG picture: one box a step, from top to bottom, what is inside to the right.

use std::fmt::Write as _;

use super::explain::{ways, words};
use super::{Playbook, Step, StepKind};

const ROW: usize = 46;
const INDENT: usize = 28;
const BOX: usize = 34;
const LETTER: usize = 7;
const LONGEST: usize = 90;

/// The picture, whole. Needs no font and no script; everything from the plan is escaped.
#[must_use]
pub fn svg(playbook: &Playbook) -> String {
    let mut rows = vec![Row { depth: 0, title: true, change: false, text: playbook.name.clone() }];
    collect(&playbook.steps, 1, &mut rows);
    let width = rows.iter().map(Row::right).max().unwrap_or(0) + 16;
    let height = rows.len() * ROW + 16;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"monospace\" font-size=\"12\">\n"
    );
    let _ = writeln!(text, "<title>{}</title>", escaped(&playbook.summary));
    for (n, row) in rows.iter().enumerate() {
        let (x, y) = (8 + row.depth * INDENT, 8 + n * ROW);
        if let Some(parent) = (0..n).rev().find(|m| rows[*m].depth < row.depth) {
            let from = 8 + rows[parent].depth * INDENT + 12;
            let (top, middle) = (8 + parent * ROW + BOX, y + BOX / 2);
            let _ = writeln!(text, "<path d=\"M{from} {top}V{middle}H{x}\" fill=\"none\" stroke=\"#888\"/>");
        }
        if !row.title {
            let (line, thick) = if row.change { ("#b00020", 2) } else { ("#444", 1) };
            let wide = row.right() - x;
            let _ = writeln!(
                text,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{BOX}\" rx=\"4\" fill=\"#fff\" stroke=\"{line}\" stroke-width=\"{thick}\"/>"
            );
        }
        let style = if row.title { " font-style=\"italic\"" } else { "" };
        let _ = writeln!(text, "<text x=\"{}\" y=\"{}\"{style}>{}</text>", x + 8, y + 21, escaped(&row.text));
    }
    text.push_str("</svg>\n");
    text
}

struct Row {
    depth: usize,
    title: bool,
    change: bool,
    text: String,
}

impl Row {
    fn right(&self) -> usize {
        8 + self.depth * INDENT + 16 + self.text.chars().count() * LETTER + LETTER
    }
}

fn collect(steps: &[Step], depth: usize, rows: &mut Vec<Row>) {
    for step in steps {
        let mark = if step.when.is_some() { "? " } else { "" };
        let whole = format!("{mark}{}: {}", step.id, words(step));
        let text = if whole.chars().count() > LONGEST {
            format!("{}…", whole.chars().take(LONGEST - 1).collect::<String>())
        } else {
            whole
        };
        rows.push(Row { depth, title: false, change: matches!(step.kind, StepKind::Act(_)), text });
        for (title, inside) in ways(step) {
            match title {
                None => collect(inside, depth + 1, rows),
                Some(title) => {
                    rows.push(Row { depth: depth + 1, title: true, change: false, text: title });
                    collect(inside, depth + 2, rows);
                }
            }
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::load::load;
    use super::*;

    #[test]
    fn every_step_has_a_box_and_strange_text_is_escaped() {
        let playbook = load("everything", "p.yaml", include_str!("load/everything.yaml")).expect("valid");
        let picture = svg(&playbook);
        assert_eq!(picture.matches("<rect").count(), playbook.all_steps().len());
        assert!(picture.contains("&quot;vpn-users&quot;") && !picture.contains("<3"), "{picture}");
        assert!(picture.contains("stroke=\"#b00020\""), "changes stand out");
    }
}
