//! What is counted: the ledger, the page of metrics, the tables of the fold, and how long steps take.

use std::collections::BTreeMap;

use stanch_core::journal::event::StepEnd;
use stanch_core::journal::{State, Tally};
use stanch_core::measure;
use stanch_core::playbook::run::id_of;
use stanch_core::playbook::{Playbook, Step};
use stanch_model::{Span, Timestamp};

use super::safe::{Key, Mask, Safe, map, word};

/// Names on the page of metrics.
const METRICS: &[&str] = &[
    "stanch_approvals_pending",
    "stanch_blocks_in_force",
    "stanch_build_info",
    "stanch_effects_pending",
    "stanch_incidents",
    "stanch_intake_deliveries_total",
    "stanch_intake_seconds_bucket",
    "stanch_intake_seconds_count",
    "stanch_intake_seconds_sum",
    "stanch_journal_entries_total",
    "stanch_kill_switch",
    "stanch_ledger_balanced",
    "stanch_records",
    "stanch_records_received_total",
    "stanch_runs_under_way",
    "stanch_source_commits_waited_max",
    "stanch_source_last_heard_timestamp_seconds",
    "stanch_source_refused_total",
];
/// Labels on it.
const LABELS: &[&str] = &["le", "outcome", "place", "source", "status", "tenant", "version", "why"];
/// Words behind them.
const VALUES: &[&str] = &[
    env!("CARGO_PKG_VERSION"),
    "+Inf",
    "0.00025",
    "0.0005",
    "0.001",
    "0.0025",
    "0.005",
    "0.01",
    "0.025",
    "0.05",
    "0.1",
    "0.25",
    "0.5",
    "1",
    "5",
    "accepted",
    "acknowledged",
    "broken_gzip",
    "busy",
    "closed",
    "contained",
    "denied",
    "empty",
    "encoding",
    "in_incidents",
    "interrupted",
    "limit",
    "merged",
    "open",
    "quarantined",
    "replayed",
    "resolved",
    "share",
    "suppressed",
    "too_large",
    "triggered",
];
/// Labels whose values are names that people gave.
const NAMES: &[&str] = &["source", "tenant"];

/// Where everything received is.
pub(super) fn ledger(state: &State, mask: &mut Mask) -> Safe {
    let ledger = state.ledger();
    let sources = ledger.sources.iter().map(|(name, t)| (Key::Hidden(mask.hide(name)), tally(t))).collect();
    map([
        ("balanced", ledger.balanced.into()),
        ("total", tally(&ledger.total)),
        ("sources", Safe::Map(sources)),
    ])
}

fn tally(t: &Tally) -> Safe {
    map([
        ("received", t.received.into()),
        ("merged", t.merged.into()),
        ("suppressed", t.suppressed.into()),
        ("in_incidents", t.in_incidents.into()),
        ("open", t.open.into()),
        ("closed", t.closed.into()),
        ("quarantined", t.quarantined.into()),
        ("closed_as_context", t.closed_as_context.into()),
    ])
}

/// The page of metrics, line by line; a name or label that is not in the lists is left out.
pub(super) fn metrics(page: &str, mask: &mut Mask) -> Safe {
    let lines = page.lines().filter(|l| !l.starts_with('#'));
    Safe::List(lines.filter_map(|line| metric(line, mask)).collect())
}

fn metric(line: &str, mask: &mut Mask) -> Option<Safe> {
    let (head, value) = line.rsplit_once(' ')?;
    let (name, labels) = head.split_once('{').unwrap_or((head, "}"));
    let name = word(METRICS, name)?;
    let value = value.parse::<f64>().ok()?;
    let mut all = vec![(Key::Word("name"), Safe::Word(name)), (Key::Word("value"), Safe::Number(value))];
    for label in labels.strip_suffix('}')?.split("\",").filter(|l| !l.is_empty()) {
        let (key, text) = label.split_once("=\"")?;
        let text = text.strip_suffix('"').unwrap_or(text);
        let key = word(LABELS, key)?;
        let shown = if word(NAMES, key).is_some() { None } else { word(VALUES, text) };
        all.push((Key::Word(key), shown.map_or_else(|| Safe::Hidden(mask.hide(text)), Safe::Word)));
    }
    Some(Safe::Map(all))
}

/// How much the fold holds.
pub(super) fn tables(s: &State) -> Safe {
    let open = s.approvals.values().filter(|a| a.settled.is_none()).count();
    map([
        ("alerts", s.slots.len().into()),
        ("sources", s.sources.len().into()),
        ("rules", s.rules.len().into()),
        ("entities", s.by_entity.len().into()),
        ("machines_in_incidents", s.by_machine.len().into()),
        ("occurrences_split", s.split.len().into()),
        ("incidents", s.incidents.len().into()),
        ("facts", s.facts.len().into()),
        ("runs", s.runs.len().into()),
        ("runs_under_way", s.agenda.live_runs.len().into()),
        ("playbooks_pinned", s.playbooks.len().into()),
        ("approvals", s.approvals.len().into()),
        ("approvals_open", open.into()),
        ("tasks", s.tasks.len().into()),
        ("changes", s.actions.len().into()),
        ("effects_pending", s.pending.len().into()),
        ("silences", s.silences.len().into()),
        ("quarantined", s.quarantine.len().into()),
        ("causes", s.causes.len().into()),
        ("kill_switch", s.kill_switch.into()),
        ("stops", s.stopped.len().into()),
    ])
}

/// How long the phases of incidents and the steps of runs took.
pub(super) fn times(s: &State, now: Timestamp) -> Safe {
    let phases = measure::clocks(s, now).phases;
    let phases = phases.into_iter().map(|(name, q)| {
        let took = map([("n", q.n.into()), ("p50", Safe::Span(q.p50)), ("p90", Safe::Span(q.p90))]);
        (Key::Word(name), took)
    });
    map([("phases", Safe::Map(phases.collect())), ("steps", steps(s))])
}

#[derive(Default)]
struct Took {
    all: Vec<Span>,
    failed: u64,
    tries: u64,
}

/// By kind of step: steps that are over, how many failed, how often was tried again, and how long they took.
fn steps(s: &State) -> Safe {
    let mut kinds: BTreeMap<&'static str, Took> = BTreeMap::new();
    for run in s.runs.values() {
        for (path, state, over) in run.over().filter(|(_, _, over)| over.end != StepEnd::Skipped) {
            let kind = run.playbook.as_deref().and_then(|p| kind_of(p, id_of(path))).unwrap_or("unknown");
            let took = kinds.entry(kind).or_default();
            took.all.push(over.at.since(state.began));
            took.failed += u64::from(over.end == StepEnd::Failed);
            took.tries += u64::from(state.tries);
        }
    }
    let shown = |(kind, mut took): (&'static str, Took)| {
        took.all.sort_unstable();
        let at = |share: usize| Safe::Span(took.all[(took.all.len() - 1) * share / 100]);
        let entry = map([
            ("n", took.all.len().into()),
            ("failed", took.failed.into()),
            ("tried_again", took.tries.into()),
            ("p50", at(50)),
            ("p90", at(90)),
            ("longest", at(100)),
        ]);
        (Key::Word(kind), entry)
    };
    Safe::Map(kinds.into_iter().map(shown).collect())
}

fn kind_of(playbook: &Playbook, id: &str) -> Option<&'static str> {
    fn within(steps: &[Step], id: &str) -> Option<&'static str> {
        steps.iter().find_map(|s| {
            if s.id == id { Some(s.kind.name()) } else { s.inner().find_map(|inner| within(inner, id)) }
        })
    }
    within(&playbook.steps, id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Metrics, Numbers, render};

    #[test]
    fn every_line_of_the_page_is_allowed_and_names_on_it_are_hidden() {
        let page = render(&Numbers::of(&State::default()), Some(&Metrics::default()), None, Some("a-tenant"));
        let page = page + "stanch_records_received_total{source=\"core-switch\"} 3\n";
        let lines = page.lines().filter(|l| !l.starts_with('#')).count();
        let Safe::List(shown) = metrics(&page, &mut Mask::default()) else { panic!("a list") };
        assert_eq!(shown.len(), lines, "a name or label is not in the list");
        let text = Safe::List(shown).value().to_string();
        assert!(!text.contains("core-switch") && !text.contains("a-tenant"), "{text}");
        let hidden = text.matches("<text").count();
        assert_eq!(hidden, lines - 1 + 1, "only tenant and source are hidden: {text}");
        assert!(metric("made_up_total 3", &mut Mask::default()).is_none());
        assert!(metric("stanch_records{user=\"anna\"} 3", &mut Mask::default()).is_none());
    }
}
