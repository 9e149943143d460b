//! `policies/triage.yaml` and `policies/silences.yaml`.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use stanch_model::{Severity, Span};

use super::common::set;
use super::matcher;
use super::yaml::{Fields, Node};
use super::{Mistake, SilenceRule, TriagePolicy, budgets};

const DAY: Span = Span::hours(24);

pub(super) fn days(n: i64) -> Span {
    Span(DAY.0 * n)
}

/// A duration under a key, within a range, over its default.
pub(super) fn span(
    slot: &mut Span,
    fields: &Fields<'_>,
    key: &str,
    range: RangeInclusive<Span>,
    m: &mut Vec<Mistake>,
) {
    set(slot, fields.optional(key).and_then(|n| n.span_within(range, m)));
}

/// Reads `policies/triage.yaml`.
pub(super) fn triage(root: &Node, m: &mut Vec<Mistake>) -> TriagePolicy {
    let mut policy = TriagePolicy::default();
    let before = m.len();
    let Some(fields) = root.map(m) else { return policy };
    span(&mut policy.dedup_window, &fields, "dedup_window", Span::mins(1)..=days(90), m);
    span(&mut policy.age_out, &fields, "age_out", Span::hours(1)..=days(365), m);
    span(&mut policy.correlate_gap, &fields, "correlate_gap", Span::mins(1)..=days(30), m);
    set(&mut policy.enrich_at, fields.optional("enrich_at").and_then(|n| n.float(0.0..=1.0, m)));
    set(&mut policy.incident_at, fields.optional("incident_at").and_then(|n| n.float(0.0..=1.0, m)));
    if let Some(entries) = fields.optional("severity_overrides").and_then(|n| n.map(m)) {
        for (key, node) in entries.entries() {
            if let Some(severity) = severity(node, m) {
                policy.severity_overrides.insert(key.text.to_string(), severity.id());
            }
        }
    }
    policy.budgets = budgets::read(&fields, m);
    const KEYS: &[&str] = &[
        "dedup_window",
        "enrich_at",
        "incident_at",
        "age_out",
        "correlate_gap",
        "severity_overrides",
        "auto_close",
        "budgets",
    ];
    fields.finish(KEYS, m);
    // Two values are compared only when both could be read.
    if m.len() == before
        && policy.enrich_at > policy.incident_at
        && let Some(node) = fields.optional("enrich_at").or(fields.optional("incident_at"))
    {
        let message =
            format!("`enrich_at` ({}) is above `incident_at` ({})", policy.enrich_at, policy.incident_at);
        m.push(
            node.mistake(message, "look-ups must come before the incident: make `enrich_at` the smaller one"),
        );
    }
    policy
}

/// A severity by its OCSF word in small letters, or by its id.
fn severity(node: &Node, m: &mut Vec<Mistake>) -> Option<Severity> {
    let text = node.string(m)?;
    if let Some(severity) = matcher::severity(&text) {
        return Some(severity);
    }
    node.choice("severity", matcher::SEVERITIES, m);
    None
}

/// Reads `policies/silences.yaml`.
pub(super) fn silences(root: &Node, m: &mut Vec<Mistake>) -> Vec<SilenceRule> {
    let Some(fields) = root.map(m) else { return Vec::new() };
    fields.finish(&["silences"], m);
    let mut names = BTreeSet::new();
    let list = fields.optional("silences").and_then(|n| n.list(m, |n, m| silence(n, &mut names, m)));
    list.unwrap_or_default()
}

fn silence(node: &Node, names: &mut BTreeSet<String>, m: &mut Vec<Mistake>) -> Option<SilenceRule> {
    let fields = node.map(m)?;
    let name_node = fields.required("name", m);
    let name = name_node.and_then(|n| n.string(m));
    if let (Some(node), Some(name)) = (name_node, &name)
        && !names.insert(name.clone())
    {
        m.push(node.mistake(format!("there are two silences named \"{name}\""), "choose another name"));
    }
    let list = fields.required("matchers", m);
    let matchers = list.and_then(|n| matcher::list(n, m));
    if let Some(list) = list.filter(|n| matcher::is_empty(n)) {
        m.push(
            list.mistake("a silence without matchers would silence everything", "add at least one matcher"),
        );
    }
    let from = fields.optional("from").and_then(|n| n.timestamp(m));
    let until_node = fields.required("until", m);
    let until = until_node.and_then(|n| n.timestamp(m));
    if let (Some(node), Some(from), Some(until)) = (until_node, from, until)
        && until <= from
    {
        m.push(node.mistake("the silence ends before it begins", "make `until` later than `from`"));
    }
    let author = fields.required("author", m).and_then(|n| n.string(m));
    let comment = fields.required("comment", m).and_then(|n| n.string(m));
    let mut maintenance = false;
    set(&mut maintenance, fields.optional("maintenance").and_then(|n| n.boolean(m)));
    fields.finish(&["name", "matchers", "from", "until", "author", "comment", "maintenance"], m);
    Some(SilenceRule {
        name: name?,
        matchers: matchers?,
        from,
        until: until?,
        author: author?,
        comment: comment?,
        maintenance,
    })
}
