//! A report for people: Markdown for tickets, and the same lines for PDF.

use super::{Case, Listing, plain};

/// One part of a report.
pub(super) enum Line {
    /// A title.
    Title(String),
    /// A heading.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// A point of a list.
    Point(String),
    /// A row of a list with its time or name before it.
    Row(String, String),
}

/// The report of an incident.
pub(super) fn case_lines(case: &Case) -> Vec<Line> {
    let (s, story) = (&case.incident.summary, &case.story);
    let mut out = vec![
        Line::Title(format!("{}: {}", s.id, s.title)),
        Line::Text(format!(
            "{} severity, {}, {:.0} % sure. {} alerts from {} records. Team: {}. Owner: {}.",
            s.severity,
            s.status,
            s.confidence * 100.0,
            s.alerts,
            s.records,
            s.team.as_deref().unwrap_or("none"),
            s.acknowledged_by.as_deref().unwrap_or("nobody")
        )),
        Line::Text(format!(
            "Opened {}. First seen {}, last {}. All times are UTC.",
            s.opened_at, s.first, s.last
        )),
    ];
    section(&mut out, "Why it is an incident", case.incident.because.iter().map(|b| Line::Point(b.clone())));
    let told = |s: &crate::api::v1::types::SentenceView| {
        let more = if s.more > 0 { format!(" and {} more", s.more) } else { String::new() };
        let rests =
            if s.alerts.is_empty() { String::new() } else { format!(" [{}{more}]", s.alerts.join(", ")) };
        Line::Row(s.at.clone(), format!("{}{rests}", s.text))
    };
    section(&mut out, "What happened", story.happened.iter().map(told));
    let actor = |a: &crate::api::v1::types::ActorView| {
        let known =
            if a.known_as.is_empty() { String::new() } else { format!("; {}", a.known_as.join("; ")) };
        Line::Row(a.entity.clone(), format!("acted in {}, acted upon in {}{known}", a.acted, a.suffered))
    };
    section(&mut out, "Who takes part", story.actors.iter().map(actor));
    let techniques = (!story.techniques.is_empty()).then(|| Line::Text(story.techniques.join(", ")));
    section(&mut out, "ATT&CK", techniques);
    section(&mut out, "What is not known", story.unknown.iter().map(|u| Line::Point(u.clone())));
    section(&mut out, "What past incidents say", story.before.iter().map(|b| Line::Point(b.clone())));
    section(&mut out, "What was done", story.done.iter().map(told));
    let block = |b: &crate::api::v1::types::BlockView| {
        let simulated = if b.simulated { ", simulated" } else { "" };
        let until = b.until.as_ref().map(|u| format!(", until {u}")).unwrap_or_default();
        Line::Row(b.id.clone(), format!("{} on {}{simulated}: {}{until}", b.action, b.responder, b.state))
    };
    section(&mut out, "Changes", case.blocks.iter().map(block));
    let asked = |a: &crate::api::v1::types::ApprovalSummary| {
        Line::Row(a.id.clone(), format!("{}: {}", a.action, a.state))
    };
    section(&mut out, "Questions", case.approvals.iter().map(asked));
    let row = |r: &crate::api::v1::types::TimelineRow| {
        let lasted = r.lasted.as_ref().map(|l| format!(" for {l}{}", if r.open { " so far" } else { "" }));
        Line::Row(r.at.clone(), format!("{}: {}{}", r.by, r.text, lasted.unwrap_or_default()))
    };
    section(&mut out, "Timeline, with its waits", case.timeline.rows.iter().map(row));
    out.push(Line::Text(format!(
        "Made {} by Stanch {} from journal entry {}, chain {}.",
        case.now,
        env!("CARGO_PKG_VERSION"),
        case.head.seq,
        case.head.hash
    )));
    out
}

fn section(out: &mut Vec<Line>, heading: &str, lines: impl IntoIterator<Item = Line>) {
    let mut lines = lines.into_iter().peekable();
    if lines.peek().is_some() {
        out.push(Line::Heading(heading.to_owned()));
        out.extend(lines);
    }
}

/// The queue, an incident a row.
pub(super) fn listing_lines(list: &Listing) -> Vec<Line> {
    let asked = if list.query.is_empty() { "all that are open".to_owned() } else { list.query.clone() };
    let shown = if list.rows.len() < list.total {
        format!(", the first {} shown", list.rows.len())
    } else {
        String::new()
    };
    let mut out = vec![
        Line::Title("Queue".to_owned()),
        Line::Text(format!(
            "{} incidents{shown}. Asked for: {asked}. Made {}. All times are UTC.",
            list.total, list.now
        )),
    ];
    out.extend(list.rows.iter().map(|r| {
        let s = &r.summary;
        let owner = s.acknowledged_by.as_deref().unwrap_or("nobody");
        let waits = r.waiting_on.as_ref().map(|w| format!(", waits for {w}")).unwrap_or_default();
        Line::Row(
            s.id.clone(),
            format!(
                "{}, {}: {} ({} alerts, opened {}, owner {owner}{waits})",
                s.severity, s.status, s.title, s.alerts, s.opened_at
            ),
        )
    }));
    out
}

/// The report of an incident.
pub(super) fn case(c: &Case) -> String {
    render(&case_lines(c))
}

/// The queue.
pub(super) fn listing(list: &Listing) -> String {
    render(&listing_lines(list))
}

fn render(lines: &[Line]) -> String {
    let mut out = String::new();
    let mut in_list = false;
    for line in lines {
        let list = matches!(line, Line::Point(_) | Line::Row(..));
        if in_list && !list {
            out.push('\n');
        }
        in_list = list;
        match line {
            Line::Title(t) => out.push_str(&format!("# {}\n\n", escaped(t))),
            Line::Heading(t) => out.push_str(&format!("## {}\n\n", escaped(t))),
            Line::Text(t) => out.push_str(&format!("{}\n\n", escaped(t))),
            Line::Point(t) => out.push_str(&format!("- {}\n", escaped(t))),
            Line::Row(name, t) => out.push_str(&format!("- {}: {}\n", escaped(name), escaped(t))),
        }
    }
    out
}

/// Words from outside as text: no markup, no markup of HTML, and no link, also not one that a reader
/// makes of a bare address.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in plain(text).chars() {
        if matches!(
            c,
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '!' | '&' | '$'
        ) {
            out.push('\\');
        }
        out.push(c);
    }
    // Defanged, as reports about attacks are: `http[:]//`, `www[.]`.
    out.replace("://", "\\[:\\]//").replace("www.", "www\\[.\\]").replace("WWW.", "WWW\\[.\\]")
}
