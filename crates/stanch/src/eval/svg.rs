//! Curves as SVG: precision-recall, reliability, budget. Plain shapes, no script, no outside reference.

use std::path::Path;

use anyhow::{Context, Result};

use super::triage::Curves;

const W: f64 = 420.0;
const H: f64 = 300.0;
const MARGIN: f64 = 44.0;

/// Writes three drawings a scenario into a folder, made when missing. Gives their number.
///
/// # Errors
/// When the folder or a file cannot be written.
pub(crate) fn write(dir: &Path, curves: &[Curves]) -> Result<usize> {
    std::fs::create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    let mut written = 0;
    for c in curves {
        let file: String = c.name.chars().map(|ch| if ch.is_alphanumeric() { ch } else { '_' }).collect();
        for (kind, drawing) in [("pr", pr(c)), ("reliability", reliability(c)), ("budget", budget(c))] {
            let path = dir.join(format!("{file}-{kind}.svg"));
            std::fs::write(&path, drawing)
                .with_context(|| format!("{} cannot be written", path.display()))?;
            written += 1;
        }
    }
    Ok(written)
}

fn pr(c: &Curves) -> String {
    let line: Vec<(f64, f64)> =
        std::iter::once((0.0, 1.0)).chain(c.precision_recall.iter().map(|p| (p.0, p.1))).collect();
    frame(&format!("{}: precision over recall", c.name), "recall", "precision", &path(&line, "#1f77b4"))
}

fn reliability(c: &Curves) -> String {
    let total: usize = c.reliability.iter().map(|b| b.count).sum();
    let mut body = path(&[(0.0, 0.0), (1.0, 1.0)], "#999999");
    for b in c.reliability.iter().filter(|b| b.count > 0) {
        let r = 3.0 + 9.0 * (b.count as f64 / total.max(1) as f64).sqrt();
        let (x, y) = at(b.told, b.real);
        body.push_str(&format!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{r:.1}\" fill=\"#1f77b4\" fill-opacity=\"0.7\"><title>{} groups</title></circle>\n",
            b.count
        ));
    }
    frame(
        &format!("{}: what was told, what came true", c.name),
        "probability told",
        "share that was real",
        &body,
    )
}

fn budget(c: &Curves) -> String {
    let most = c.budget.last().map_or(1, |b| b.0) as f64;
    let scale = |n: usize| (n as f64).ln_1p() / most.ln_1p();
    let steps: Vec<(f64, f64)> = c.budget.iter().map(|b| (scale(b.0), b.1)).collect();
    let groups: Vec<(f64, f64)> = c.budget.iter().map(|b| (scale(b.0), b.2)).collect();
    let mut body = path(&steps, "#d62728") + &path(&groups, "#1f77b4");
    for n in [1, 5, 25, 100] {
        let (x, y) = at(scale(n), 0.0);
        body.push_str(&format!(
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{n}</text>\n",
            y + 14.0
        ));
    }
    let title = format!("{}: seen with so many groups a day (red: steps, blue: groups)", c.name);
    frame(&title, "groups looked at a day", "share seen", &body)
}

fn at(x: f64, y: f64) -> (f64, f64) {
    (MARGIN + x * (W - 2.0 * MARGIN), H - MARGIN - y * (H - 2.0 * MARGIN))
}

fn path(points: &[(f64, f64)], colour: &str) -> String {
    let list: Vec<String> = points
        .iter()
        .map(|(x, y)| {
            let (x, y) = at(*x, *y);
            format!("{x:.1},{y:.1}")
        })
        .collect();
    format!(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n",
        list.join(" ")
    )
}

fn frame(title: &str, x: &str, y: &str, body: &str) -> String {
    let (left, bottom) = at(0.0, 0.0);
    let (right, top) = at(1.0, 1.0);
    let (title, middle) = (escape(title), W / 2.0);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {W} {H}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{W}\" height=\"{H}\" fill=\"white\"/>\n\
         <text x=\"{middle}\" y=\"20\" text-anchor=\"middle\">{title}</text>\n\
         <path d=\"M{left} {top} V{bottom} H{right}\" fill=\"none\" stroke=\"black\"/>\n\
         <text x=\"{middle}\" y=\"{:.1}\" text-anchor=\"middle\">{x}</text>\n\
         <text x=\"12\" y=\"{:.1}\" text-anchor=\"middle\" transform=\"rotate(-90 12 {:.1})\">{y}</text>\n\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">1</text>\n{body}</svg>\n",
        H - 8.0,
        H / 2.0,
        H / 2.0,
        left - 4.0,
        top + 4.0,
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_outside_cannot_open_a_tag_or_leave_the_folder() {
        let dir = tempfile::tempdir().expect("a folder");
        let c = Curves { name: "../<script>".into(), budget: vec![(1, 0.5, 0.5)], ..Curves::default() };
        assert_eq!(write(dir.path(), &[c]).expect("written"), 3);
        let text = std::fs::read_to_string(dir.path().join("____script_-pr.svg")).expect("there");
        assert!(!text.contains("<script>"), "{text}");
    }
}
