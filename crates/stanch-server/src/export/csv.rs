//! Rows for a spreadsheet: no field of them is a formula.
//!
//! Source: OWASP, CSV Injection: a field that begins with `=`, `+`, `-`, `@`, a tab or a line end is
//! taken for a formula by spreadsheets, whatever quotes stand around it.

use super::{Case, Listing, plain};

/// A field that every spreadsheet takes for text.
pub(super) fn safe(text: &str) -> String {
    let text = plain(text);
    // Also behind blanks: some programs trim first. `plain` has made tabs and line ends visible.
    match text.trim_start().chars().next() {
        Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '·') => format!("'{text}"),
        Some(_) | None => text,
    }
}

fn sheet<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> Vec<u8> {
    let mut sheet = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .quote_style(csv::QuoteStyle::Necessary)
        .from_writer(Vec::new());
    // Writing into memory cannot fail.
    let _ = sheet.write_record(head);
    for row in rows {
        let _ = sheet.write_record(row.iter().map(|f| safe(f)));
    }
    sheet.into_inner().unwrap_or_default()
}

/// The timeline of an incident.
pub(super) fn case(case: &Case) -> Vec<u8> {
    let head = ["incident", "at", "clock", "by", "what", "text", "alerts", "further_alerts", "lasted_ms"];
    let rows = case.timeline.rows.iter().map(|r| {
        [
            case.incident.summary.id.clone(),
            r.at.clone(),
            r.clock.clone(),
            r.by.clone(),
            r.what.clone().unwrap_or_default(),
            r.text.clone(),
            r.alerts.join(" "),
            r.more.to_string(),
            r.lasted_ms.map(|ms| ms.to_string()).unwrap_or_default(),
        ]
    });
    sheet(head, rows)
}

/// The queue.
pub(super) fn listing(list: &Listing) -> Vec<u8> {
    let head = [
        "id",
        "severity",
        "status",
        "kind",
        "title",
        "confidence",
        "team",
        "owner",
        "site",
        "opened_at",
        "first",
        "last",
        "alerts",
        "records",
        "waiting_on",
        "waiting_since",
        "entities",
        "sources",
        "changes_in_force",
    ];
    let rows = list.rows.iter().map(|r| {
        let s = &r.summary;
        [
            s.id.clone(),
            s.severity.clone(),
            s.status.clone(),
            s.kind.clone(),
            s.title.clone(),
            format!("{:.2}", s.confidence),
            s.team.clone().unwrap_or_default(),
            s.acknowledged_by.clone().unwrap_or_default(),
            s.site.clone(),
            s.opened_at.clone(),
            s.first.clone(),
            s.last.clone(),
            s.alerts.to_string(),
            s.records.to_string(),
            r.waiting_on.clone().unwrap_or_default(),
            r.waiting_since.clone().unwrap_or_default(),
            r.entities.join(" "),
            r.sources.to_string(),
            r.live_blocks.to_string(),
        ]
    });
    sheet(head, rows)
}
