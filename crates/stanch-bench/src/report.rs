//! Figures, their spread, and the tables made of them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Several measurements of one thing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Figures(pub(crate) Vec<f64>);

impl Figures {
    /// Adds one.
    pub(crate) fn add(&mut self, figure: f64) {
        self.0.push(figure);
    }

    fn sorted(&self) -> Vec<f64> {
        let mut all = self.0.clone();
        all.sort_by(f64::total_cmp);
        all
    }

    /// The one in the middle; the mean of the two middle ones when their number is even.
    pub(crate) fn median(&self) -> f64 {
        let all = self.sorted();
        let middle = |n: usize| all.get(n).copied().unwrap_or(f64::NAN);
        if all.len() % 2 == 1 {
            middle(all.len() / 2)
        } else {
            (middle(all.len() / 2) + middle((all.len() / 2).wrapping_sub(1))) / 2.0
        }
    }

    /// Median, and lowest to highest when there are several.
    pub(crate) fn words(&self) -> String {
        let all = self.sorted();
        match (all.first(), all.last()) {
            (Some(low), Some(high)) if all.len() > 1 => {
                format!("{} [{}–{}]", number(self.median()), number(*low), number(*high))
            }
            _ => number(self.median()),
        }
    }
}

/// A number in as many digits as it deserves, thousands set apart.
pub(crate) fn number(n: f64) -> String {
    if !n.is_finite() {
        return "–".to_owned();
    }
    if n.abs() < 100.0 {
        let digits = if n.abs() < 1.0 {
            3
        } else if n.abs() < 10.0 {
            2
        } else {
            1
        };
        return format!("{n:.digits$}");
    }
    let digits = format!("{n:.0}");
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 && c.is_ascii_digit() {
            out.push('\u{202f}');
        }
        out.push(c);
    }
    out
}

/// One line of a table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    /// For example `S1`; empty for figures without a goal.
    pub(crate) goal: String,
    /// What was measured, with its unit.
    pub(crate) what: String,
    pub(crate) ours: String,
    pub(crate) peer: String,
    /// What the goal is about, in words; empty when there is none.
    pub(crate) result: String,
    pub(crate) floor: String,
    pub(crate) met: Option<bool>,
}

impl Row {
    /// A figure without a goal of its own.
    pub(crate) fn plain(what: impl Into<String>, ours: &Figures, peer: Option<&Figures>) -> Row {
        Row {
            goal: String::new(),
            what: what.into(),
            ours: ours.words(),
            peer: peer.map(Figures::words).unwrap_or_default(),
            result: String::new(),
            floor: String::new(),
            met: None,
        }
    }

    /// With a goal that a number must reach (`at_least`) or must not pass.
    pub(crate) fn goal(mut self, goal: &str, value: f64, unit: &str, floor: f64, at_least: bool) -> Row {
        self.goal = goal.to_owned();
        self.result = format!("{}{unit}", number(value));
        self.floor = format!("{} {}{unit}", if at_least { "≥" } else { "≤" }, number(floor));
        self.met = Some(if at_least { value >= floor } else { value <= floor });
        self
    }
}

/// What one part of the benchmark found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) title: String,
    /// How it was measured.
    pub(crate) method: String,
    pub(crate) rows: Vec<Row>,
    #[serde(default)]
    pub(crate) machine: String,
    #[serde(default)]
    pub(crate) date: String,
}

impl Section {
    /// As a Markdown table.
    pub(crate) fn table(&self) -> String {
        let mut out = String::from(
            "| goal | what | Stanch | peer | result | floor | met |\n| --- | --- | --- | --- | --- | --- | --- |\n",
        );
        for r in &self.rows {
            let met = r.met.map_or("", |m| if m { "yes" } else { "**no**" });
            let Row { goal, what, ours, peer, result, floor, .. } = r;
            // Writing to a string cannot fail.
            let _ = writeln!(out, "| {goal} | {what} | {ours} | {peer} | {result} | {floor} | {met} |");
        }
        out
    }

    /// Prints the table and keeps it: appended to the history, and as the latest of its name.
    pub(crate) fn keep(&self, dir: &Path) -> Result<()> {
        use std::io::Write as _;
        println!("\n{} ({})\n{}", self.title, self.date, self.table());
        std::fs::create_dir_all(dir)?;
        let line = serde_json::to_string(self)?;
        let file = dir.join(format!("{}.json", self.name));
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file)?;
        writeln!(file, "{line}")?;
        Ok(())
    }
}

/// Where the history lies.
pub(crate) fn history() -> PathBuf {
    root().join("target/bench")
}

fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map(Path::to_owned).unwrap_or(here)
}

/// Writes the latest result of these parts into `docs/benchmarks.md`; the others stay as they are.
pub(crate) fn write_docs(names: &[&str]) -> Result<()> {
    let mut sections = Vec::new();
    for name in names {
        let Ok(all) = std::fs::read_to_string(history().join(format!("{name}.json"))) else { continue };
        let last = all.lines().last().context("an empty history")?;
        sections.push(serde_json::from_str(last)?);
    }
    let file = root().join("docs/benchmarks.md");
    let old = std::fs::read_to_string(&file).unwrap_or_default();
    std::fs::write(&file, page(&old, &sections))
        .with_context(|| format!("{} cannot be written", file.display()))?;
    println!("written: docs/benchmarks.md");
    Ok(())
}

/// The page: sections of the old one, those measured now in their places or at the end.
fn page(old: &str, sections: &[Section]) -> String {
    let mut pieces: Vec<(String, String)> = old
        .split("\n## ")
        .skip(1)
        .map(|piece| {
            let title = piece.lines().next().unwrap_or_default().to_owned();
            (title, format!("\n## {}\n", piece.trim_end()))
        })
        .collect();
    for section in sections {
        let Section { title, method, machine, date, .. } = section;
        let text = format!("\n## {title}\n\n{method}\n\nMeasured {date}; {machine}.\n\n{}", section.table());
        match pieces.iter_mut().find(|(there, _)| there == title) {
            Some((_, piece)) => *piece = text,
            None => pieces.push((title.clone(), text)),
        }
    }
    let pieces: String = pieces.into_iter().map(|(_, piece)| piece).collect();
    format!("{HEAD}{pieces}")
}

const HEAD: &str = "# Benchmarks

Written by `cargo xtask bench --write-docs`; `--quick` takes two to three minutes and is not for publishing.
`cargo xtask bench runs` and `keep` are asked for by name: they first install their peers from npm and PyPI, some minutes and 2 GB.

Every figure is the median, with the lowest and the highest in brackets where there are several. A peer is
measured in the same run, on the same machine, with the same bytes, fresh for each measurement; ratios are
what to look at, because wall-clock figures of a shared machine move by a third. *Durable* means:
acknowledged only after the disk has it. CPU is user and system time of the whole server process.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_measured_changes_on_the_page() {
        let section = |title: &str, date: &str| Section {
            name: title.to_lowercase(),
            title: title.to_owned(),
            method: "By hand.".to_owned(),
            rows: vec![Row::plain("x", &Figures(vec![1.0]), None)],
            machine: "a machine".to_owned(),
            date: date.to_owned(),
        };
        let old = page("", &[section("Intake", "monday"), section("Start", "monday")]);
        let new = page(&old, &[section("Start", "friday"), section("Runs", "friday")]);
        let titles: Vec<&str> = new.lines().filter(|l| l.starts_with("## ")).collect();
        assert_eq!(titles, ["## Intake", "## Start", "## Runs"]);
        assert_eq!((new.matches("monday").count(), new.matches("friday").count()), (1, 2));
        assert_eq!(page(&new, &[]), new, "nothing measured changes nothing");
    }

    #[test]
    fn figures_are_told_with_their_spread() {
        let figures = Figures(vec![12_345.6, 10_000.0, 99_999.0]);
        assert_eq!(figures.words(), "12\u{202f}346 [10\u{202f}000–99\u{202f}999]");
        assert_eq!(Figures(vec![0.25]).words(), "0.250");
        assert_eq!(Figures(vec![1.0, 2.0]).median(), 1.5);
        let row = Row::plain("x", &figures, None).goal("S1", 1.5, "×", 2.0, true);
        assert_eq!((row.result.as_str(), row.floor.as_str(), row.met), ("1.50×", "≥ 2.00×", Some(false)));
    }
}
