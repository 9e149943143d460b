//! From file to rows, from rows to assets. Pure; every mistake keeps its place.

use stanch_model::fact::Criticality;

use super::super::index;
use super::{Asset, Mistakes, brief};

const COLUMNS: [&str; 9] = ["name", "ip", "hostname", "user", "owner", "kind", "criticality", "site", "tags"];
const CRITICALITIES: [(&str, Criticality); 4] = [
    ("low", Criticality::Low),
    ("medium", Criticality::Medium),
    ("high", Criticality::High),
    ("critical", Criticality::Critical),
];

pub(super) type At = (usize, usize);

/// One asset as text: field by field, with positions.
pub(super) struct Row {
    pub(super) at: At,
    pub(super) fields: Vec<(&'static str, String, At)>,
}

/// The column a heading means; plural and singular are the same.
pub(super) fn column(heading: &str) -> Option<&'static str> {
    let heading = heading.trim().to_lowercase();
    let wanted = match heading.as_str() {
        "ips" | "address" | "addresses" => "ip",
        "hostnames" | "host" => "hostname",
        "users" => "user",
        "tag" => "tags",
        other => other,
    };
    COLUMNS.into_iter().find(|c| *c == wanted)
}

pub(super) fn unknown_column(heading: &str, at: At, mistakes: &mut Mistakes) {
    let help = match stanch_expr::near::nearest(heading.trim(), &COLUMNS) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("the columns are {}", COLUMNS.join(", ")),
    };
    mistakes.add(at, format!("there is no column \"{}\"", brief(heading)), help);
}

/// Where a text stands in a line, counted in characters from 1; 0 when it cannot be told.
fn find(lines: &[&str], line: usize, text: &str) -> At {
    let within = line.checked_sub(1).and_then(|i| lines.get(i)).filter(|_| !text.is_empty());
    let byte = within.and_then(|l| l.find(text).map(|at| l[..at].chars().count() + 1));
    (line, byte.unwrap_or(0))
}

pub(super) fn csv(text: &str, mistakes: &mut Mistakes) -> Vec<Row> {
    let lines: Vec<&str> = text.lines().collect();
    let head = lines.iter().find(|l| !l.trim().is_empty() && !l.starts_with('#')).copied().unwrap_or("");
    let delimiter = [b',', b';', b'\t'].into_iter().find(|d| head.as_bytes().contains(d)).unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut columns: Option<Vec<Option<&'static str>>> = None;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(e) => {
                let line = e.position().map_or(0, line_of);
                mistakes.add((line, 0), format!("this is not CSV: {e}"), "");
                continue;
            }
        };
        let line = record.position().map_or(0, line_of);
        let Some(columns) = &columns else {
            columns = Some(headings(&record, line, &lines, mistakes));
            continue;
        };
        if record.len() > columns.len() {
            let message = format!("{} values under {} columns", record.len(), columns.len());
            mistakes.add(
                (line, 0),
                message,
                "quote values that hold a comma, or separate addresses by spaces",
            );
        }
        let fields = columns
            .iter()
            .zip(&record)
            .filter_map(|(column, value)| Some(((*column)?, value.to_owned(), find(&lines, line, value))));
        rows.push(Row { at: (line, 0), fields: fields.collect() });
    }
    if columns.is_none() {
        mistakes.add((0, 0), "the inventory is empty", format!("start with the line {}", COLUMNS.join(",")));
    }
    rows
}

fn line_of(position: &csv::Position) -> usize {
    usize::try_from(position.line()).unwrap_or(0)
}

fn headings(
    record: &csv::StringRecord,
    line: usize,
    lines: &[&str],
    mistakes: &mut Mistakes,
) -> Vec<Option<&'static str>> {
    let mut seen: Vec<Option<&'static str>> = Vec::new();
    for heading in record {
        let found = column(heading);
        let at = find(lines, line, heading);
        match found {
            None if heading.is_empty() => {}
            None => unknown_column(heading, at, mistakes),
            Some(c) if seen.contains(&Some(c)) => {
                mistakes.add(at, format!("column \"{c}\" is there twice"), "")
            }
            Some(_) => {}
        }
        seen.push(found);
    }
    if !seen.contains(&Some("name")) {
        mistakes.add((line, 0), "there is no column \"name\"", "the first line must name the columns");
    }
    seen
}

/// Makes an asset of a row; `None` when it has no name or nothing at all could be read.
pub(super) fn compile(row: Row, mistakes: &mut Mistakes) -> Option<Asset> {
    if row.fields.iter().all(|(_, value, _)| value.trim().is_empty()) {
        return None;
    }
    let mut asset = Asset::default();
    for (column, value, at) in &row.fields {
        let value = value.trim();
        let words = || value.split([' ', ';', ',', '\t', '\n']).filter(|w| !w.is_empty());
        let one = || (!value.is_empty()).then(|| value.to_owned());
        match *column {
            "name" => asset.name = value.to_owned(),
            "ip" => {
                for word in words() {
                    match index::address(word) {
                        Some(net) => asset.addresses.push(net),
                        None => mistakes.add(
                            *at,
                            format!("\"{}\" is no address", brief(word)),
                            "write 192.0.2.7, 2001:db8::7 or a network like 192.0.2.0/24",
                        ),
                    }
                }
            }
            "hostname" => {
                asset.hostnames.extend(
                    words().map(|w| w.trim_end_matches('.').to_lowercase()).filter(|w| !w.is_empty()),
                );
            }
            "user" => asset.users.extend(words().map(str::to_lowercase)),
            "owner" => asset.owner = one(),
            "kind" => asset.kind = one(),
            "criticality" => asset.criticality = criticality(value, *at, mistakes),
            "site" => asset.site = one(),
            _ => asset.tags.extend(words().map(str::to_owned)),
        }
    }
    if asset.name.is_empty() {
        mistakes.add(row.at, "the asset has no name", "fill in the column \"name\"");
        return None;
    }
    Some(asset)
}

fn criticality(value: &str, at: At, mistakes: &mut Mistakes) -> Criticality {
    if value.is_empty() {
        return Criticality::default();
    }
    let lower = value.to_lowercase();
    if let Some((_, known)) = CRITICALITIES.iter().find(|(word, _)| *word == lower) {
        return *known;
    }
    let words = CRITICALITIES.map(|(word, _)| word);
    let help = match stanch_expr::near::nearest(value, &words) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("write one of {}", words.join(", ")),
    };
    mistakes.add(at, format!("\"{}\" is no criticality", brief(value)), help);
    Criticality::Critical
}
