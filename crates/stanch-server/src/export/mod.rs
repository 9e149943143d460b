//! Taking something out: an incident or the queue as CSV, JSON, OCSF, STIX, Markdown or PDF.
//!
//! Each format is a pure function of the same [`Case`], which is made of what the API shows anyway:
//! nothing leaves by an export that could not be read on a screen. Words of attackers stay words in
//! every format: no formula in a spreadsheet, no link and no markup in a report.

mod csv;
mod markdown;
mod ocsf;
mod pdf;
mod stix;

use stanch_model::{Alert, AlertId, Timestamp};

use crate::api::v1::types::{
    ApprovalSummary, BlockView, IncidentDetail, JournalHead, QueueRow, StoryView, TimelineView,
};

/// In which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    Json,
    Ocsf,
    Stix,
    Markdown,
    Pdf,
}

/// Words for the formats.
const FORMATS: &[(&str, Format)] = &[
    ("csv", Format::Csv),
    ("json", Format::Json),
    ("ocsf", Format::Ocsf),
    ("stix", Format::Stix),
    ("markdown", Format::Markdown),
    ("pdf", Format::Pdf),
];

impl Format {
    /// By its word.
    pub(crate) fn of(word: &str) -> Option<Format> {
        FORMATS.iter().find(|(w, _)| *w == word).map(|(_, f)| *f)
    }

    /// All words, for messages.
    pub(crate) fn words() -> String {
        FORMATS.iter().map(|(w, _)| *w).collect::<Vec<_>>().join(", ")
    }

    /// The media type and the ending of a file.
    pub(crate) const fn kind(self) -> (&'static str, &'static str) {
        match self {
            Format::Csv => ("text/csv; charset=utf-8; header=present", "csv"),
            Format::Json => ("application/json", "json"),
            Format::Ocsf => ("application/json", "ocsf.json"),
            Format::Stix => ("application/stix+json;version=2.1", "stix.json"),
            Format::Markdown => ("text/markdown; charset=utf-8", "md"),
            Format::Pdf => ("application/pdf", "pdf"),
        }
    }
}

/// One incident, with everything an export tells.
pub(crate) struct Case {
    /// When the export was made.
    pub(crate) now: Timestamp,
    /// What lists show, and who takes part.
    pub(crate) incident: IncidentDetail,
    /// The story.
    pub(crate) story: StoryView,
    /// The timeline with its waits.
    pub(crate) timeline: TimelineView,
    /// Changes made for it.
    pub(crate) blocks: Vec<BlockView>,
    /// Questions asked about it.
    pub(crate) approvals: Vec<ApprovalSummary>,
    /// Its alerts, the oldest first, with their time of arrival and bytes as received.
    pub(crate) evidence: Vec<Evidence>,
    /// Where the journal stood.
    pub(crate) head: JournalHead,
}

/// One alert.
pub(crate) struct Evidence {
    pub(crate) id: AlertId,
    pub(crate) alert: Alert,
    pub(crate) raw: Vec<u8>,
    pub(crate) received: Timestamp,
}

/// The queue as it was asked for.
pub(crate) struct Listing {
    /// When the export was made.
    pub(crate) now: Timestamp,
    /// The query, as in the address.
    pub(crate) query: String,
    /// How many match in all.
    pub(crate) total: usize,
    /// The rows.
    pub(crate) rows: Vec<QueueRow>,
}

/// An incident in this form.
pub(crate) fn case(case: &Case, format: Format) -> Vec<u8> {
    match format {
        Format::Csv => csv::case(case),
        Format::Json => json_case(case),
        Format::Ocsf => pretty(&ocsf::case(case)),
        Format::Stix => pretty(&stix::case(case)),
        Format::Markdown => markdown::case(case).into_bytes(),
        Format::Pdf => pdf::render(&markdown::case_lines(case)),
    }
}

/// The queue in this form.
pub(crate) fn listing(list: &Listing, format: Format) -> Vec<u8> {
    match format {
        Format::Csv => csv::listing(list),
        Format::Json => pretty(&serde_json::json!({
            "made_at": list.now.to_string(), "query": list.query, "total": list.total, "incidents": list.rows,
        })),
        Format::Ocsf => pretty(&ocsf::listing(list)),
        Format::Stix => pretty(&stix::listing(list)),
        Format::Markdown => markdown::listing(list).into_bytes(),
        Format::Pdf => pdf::render(&markdown::listing_lines(list)),
    }
}

fn json_case(case: &Case) -> Vec<u8> {
    let evidence: Vec<serde_json::Value> = case
        .evidence
        .iter()
        .map(|e| {
            serde_json::json!({
                "id": e.id.to_string(), "received": e.received.to_string(),
                "normalised": stanch_core::stage::normalise::ocsf(e.id, &e.alert, &e.raw, e.received),
            })
        })
        .collect();
    pretty(&serde_json::json!({
        "made_at": case.now.to_string(), "incident": case.incident, "story": case.story,
        "timeline": case.timeline.rows, "changes": case.blocks, "questions": case.approvals,
        "evidence": evidence, "journal": case.head,
    }))
}

fn pretty(value: &serde_json::Value) -> Vec<u8> {
    serde_json::to_vec_pretty(value).unwrap_or_default()
}

/// Words from outside on one line: what could move a cursor or turn the reading round is shown as `·`.
fn plain(text: &str) -> String {
    let odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().map(|c| if odd(c) { '·' } else { c }).collect()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
