//! Tables of indicators as abuse.ch publishes them (URLhaus, ThreatFox, Feodo Tracker, SSL blacklist,
//! MalwareBazaar): comma-separated, quoted or not, the heading often inside the last comment line.

use stanch_model::Timestamp;

use super::{Intel, Mistakes, UNSAID_CONFIDENCE};

/// Headings that hold indicators. Source: the published files of abuse.ch; the last four are ours.
const INDICATORS: [&str; 15] = [
    "url",
    "ioc_value",
    "ioc",
    "dst_ip",
    "dstip",
    "ip_address",
    "sha256_hash",
    "sha1_hash",
    "md5_hash",
    "sha1",
    "indicator",
    "ip",
    "domain",
    "host",
    "hash",
];
/// Headings that name the threat, best first.
const LABELS: [&str; 8] = [
    "malware_printable",
    "malware",
    "signature",
    "malware_family",
    "listingreason",
    "fk_malware",
    "threat",
    "label",
];
const CONFIDENCES: [&str; 2] = ["confidence_level", "confidence"];
const UNTIL: [&str; 2] = ["valid_until", "expires"];

/// The columns of a table and the line its heading stands in (from 1).
pub(super) struct Heading {
    line: usize,
    columns: usize,
    indicators: Vec<usize>,
    label: Vec<usize>,
    confidence: Option<usize>,
    until: Option<usize>,
}

/// Finds the heading: a line, in a comment or not, that names an indicator column and another one.
pub(super) fn heading(text: &str) -> Option<Heading> {
    for (i, line) in text.lines().enumerate().take(200) {
        let bare = line.trim_start_matches(['#', ' ', ';']);
        let names: Vec<String> = split(bare).into_iter().map(|n| n.to_ascii_lowercase()).collect();
        let position =
            |wanted: &str| names.iter().position(|n| n == wanted || n.strip_suffix("_utc") == Some(wanted));
        let indicators: Vec<usize> = INDICATORS.iter().filter_map(|w| position(w)).collect();
        let comment = line.starts_with(['#', ';']);
        let enough = if comment { 3 } else { 2 };
        if names.len() >= enough && !indicators.is_empty() && names.iter().all(|n| is_name(n)) {
            // Digests of one file stand side by side and all count. Otherwise the first kind is meant:
            // the host beside a URL is often a hosting firm that has done nothing.
            let digest = |at: &usize| ["hash", "sha1", "md5"].iter().any(|w| names[*at].contains(w));
            let all = digest(&indicators[0]);
            let meant = |(i, at): &(usize, usize)| *i == 0 || (all && digest(at));
            return Some(Heading {
                line: i + 1,
                columns: names.len(),
                indicators: indicators.iter().copied().enumerate().filter(meant).map(|(_, at)| at).collect(),
                label: LABELS.iter().filter_map(|w| position(w)).collect(),
                confidence: CONFIDENCES.iter().find_map(|w| position(w)),
                until: UNTIL.iter().find_map(|w| position(w)),
            });
        }
        if !comment && !line.trim().is_empty() {
            return None;
        }
    }
    None
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 40
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-() ".contains(c))
}

/// Adds every row.
pub(super) fn read(text: &str, intel: &mut Intel, mistakes: &mut Mistakes) {
    let Some(head) = heading(text) else { return };
    for (i, line) in text.lines().enumerate().skip(head.line) {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let at = (i + 1, 0);
        let row = split(line);
        if row.len() < head.columns.min(head.indicators[0] + 1) || row.len() > head.columns {
            mistakes.add(
                at,
                format!("{} values under {} columns", row.len(), head.columns),
                "quote values that hold a comma",
            );
            continue;
        }
        let cell = |at: usize| row.get(at).map(String::as_str).filter(|c| !matches!(*c, "" | "None" | "n/a"));
        let label =
            head.label.iter().find_map(|at| cell(*at)).map(|l| l.chars().take(120).collect::<String>());
        let confidence = match head.confidence.and_then(cell) {
            None => UNSAID_CONFIDENCE,
            Some(said) => match said.parse::<u8>() {
                Ok(said @ 0..=100) => said,
                _ => {
                    mistakes.add(
                        at,
                        format!("\"{}\" is no confidence", super::brief(said)),
                        "write 0 to 100",
                    );
                    UNSAID_CONFIDENCE
                }
            },
        };
        let until =
            head.until.and_then(cell).and_then(|t| match Timestamp::parse(t.trim_end_matches(" UTC")) {
                Ok(t) => Some(t),
                Err(e) => {
                    mistakes.add(at, e.to_string(), "");
                    None
                }
            });
        let entry = intel.entry(confidence, label.as_deref(), until);
        let found: Vec<&str> = head.indicators.iter().filter_map(|at| cell(*at)).collect();
        if found.is_empty() {
            mistakes.add(at, "there is no indicator in this row", "");
        }
        found.into_iter().for_each(|value| intel.take(value, entry, at, mistakes));
    }
}

/// Takes a line apart at commas outside quotes. Tolerates a space before a quote, as ThreatFox
/// writes it, which a strict reader would take for part of the value.
fn split(line: &str) -> Vec<String> {
    let mut cells = Vec::new();
    let (mut cell, mut quoted) = (String::new(), false);
    let mut chars = line.trim().chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if cell.trim().is_empty() => quoted = true,
            ',' if !quoted => cells.push(std::mem::take(&mut cell).trim().to_owned()),
            c => cell.push(c),
        }
    }
    cells.push(cell.trim().to_owned());
    cells
}
