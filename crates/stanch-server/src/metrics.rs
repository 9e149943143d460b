//! Numbers for Prometheus: what the fold knows, and how long deliveries took.
//!
//! Labels are sources, states and outcomes: never an alert, an address or a person.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use stanch_core::journal::incident::Status;
use stanch_core::journal::{Ledger, State};
use stanch_model::Timestamp;

use crate::intake::{Doors, Refusal};

/// Upper bounds of the latency histogram, in microseconds.
const BOUNDS: [u64; 13] =
    [250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000];
/// Outcomes of a delivery, in the order of [`outcome`].
const OUTCOMES: [&str; 11] = [
    "accepted",
    "denied",
    "too_large",
    "encoding",
    "broken_gzip",
    "empty",
    "interrupted",
    "replayed",
    "busy",
    "share",
    "limit",
];

/// What is counted beside the journal: only what the journal does not hold.
#[derive(Default)]
pub(crate) struct Metrics {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    sum_us: AtomicU64,
    outcomes: [AtomicU64; OUTCOMES.len()],
    /// Errors answered, by code: how many, and when last. Not on the page.
    codes: Mutex<BTreeMap<&'static str, (u64, Timestamp)>>,
}

fn outcome(refusal: Option<&Refusal>) -> usize {
    match refusal {
        None => 0,
        Some(Refusal::Denied | Refusal::Certificate(_)) => 1,
        Some(Refusal::TooLarge(_)) => 2,
        Some(Refusal::Encoding) => 3,
        Some(Refusal::BrokenGzip) => 4,
        Some(Refusal::Empty) => 5,
        Some(Refusal::Interrupted) => 6,
        Some(Refusal::Replayed) => 7,
        Some(Refusal::Busy) => 8,
        Some(Refusal::Share) => 9,
        Some(Refusal::Limit(_)) => 10,
    }
}

impl Metrics {
    /// Counts one delivery; only those taken in have a latency worth knowing.
    pub(crate) fn delivered(&self, took: Duration, refusal: Option<&Refusal>) {
        self.outcomes[outcome(refusal)].fetch_add(1, Ordering::Relaxed);
        if refusal.is_none() {
            let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            let bucket = BOUNDS.iter().position(|b| us <= *b).unwrap_or(BOUNDS.len());
            self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
            self.sum_us.fetch_add(us, Ordering::Relaxed);
        }
    }

    /// Counts an error that was answered.
    pub(crate) fn erred(&self, code: &'static str, at: Timestamp) {
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = codes.entry(code).or_insert((0, at));
        *entry = (entry.0 + 1, at);
    }

    /// Errors answered since the start: code, how many, and when last.
    pub(crate) fn codes(&self) -> Vec<(&'static str, u64, Timestamp)> {
        let codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        codes.iter().map(|(code, (n, last))| (*code, *n, *last)).collect()
    }

    fn write(&self, out: &mut Page) {
        out.family("stanch_intake_deliveries_total", "counter", "Deliveries by what became of them.");
        for (name, n) in OUTCOMES.iter().zip(&self.outcomes) {
            out.line("stanch_intake_deliveries_total", &[("outcome", name)], n.load(Ordering::Relaxed));
        }
        out.family(
            "stanch_intake_seconds",
            "histogram",
            "From the request to the answer, for deliveries taken in.",
        );
        let mut so_far = 0;
        for (bound, n) in BOUNDS.iter().zip(&self.buckets) {
            so_far += n.load(Ordering::Relaxed);
            let bound = (*bound as f64 / 1e6).to_string();
            out.line("stanch_intake_seconds_bucket", &[("le", &bound)], so_far);
        }
        so_far += self.buckets[BOUNDS.len()].load(Ordering::Relaxed);
        out.line("stanch_intake_seconds_bucket", &[("le", "+Inf")], so_far);
        let sum = self.sum_us.load(Ordering::Relaxed) as f64 / 1e6;
        out.line("stanch_intake_seconds_sum", &[], sum);
        out.line("stanch_intake_seconds_count", &[], so_far);
    }
}

/// A page of metrics in Prometheus' text format.
#[derive(Default)]
struct Page {
    text: String,
    /// Stands on every line where there are several.
    tenant: Option<String>,
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let escape = |v: &str| v.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let tenant = self.tenant.as_deref().map(|t| ("tenant", t));
        let labels: Vec<String> =
            tenant.iter().chain(labels).map(|(k, v)| format!("{k}=\"{}\"", escape(v))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "{name}{labels} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, kind, help);
        self.line(name, &[], value);
    }
}

/// What the page needs of the fold, taken in one look.
pub(crate) struct Numbers {
    ledger: Ledger,
    heard: Vec<(String, i64)>,
    incidents: [(&'static str, usize); 4],
    approvals: usize,
    blocks: usize,
    pending: usize,
    runs: usize,
    seq: u64,
    kill_switch: bool,
}

impl Numbers {
    /// Takes them.
    pub(crate) fn of(state: &State) -> Numbers {
        let status =
            |s: Status| state.incidents.values().filter(|i| i.status == s && i.merged_into.is_none()).count();
        Numbers {
            ledger: state.ledger(),
            heard: state.sources.iter().map(|s| (s.name.clone(), s.last_heard.0)).collect(),
            incidents: [
                ("triggered", status(Status::Triggered)),
                ("acknowledged", status(Status::Acknowledged)),
                ("contained", status(Status::Contained)),
                ("resolved", status(Status::Resolved)),
            ],
            approvals: state.approvals.values().filter(|a| a.settled.is_none()).count(),
            blocks: state.live_actions().filter(|a| a.in_force.is_some()).count(),
            pending: state.pending.len(),
            runs: state.agenda.live_runs.len(),
            seq: state.seq,
            kill_switch: state.kill_switch,
        }
    }
}

/// What was refused to each source, and how long it waited.
fn shares(out: &mut Page, doors: &Doors) {
    let all: Vec<_> = doors.all().into_iter().map(|d| (d.name.as_str(), d.share.told())).collect();
    let name = "stanch_source_refused_total";
    out.family(name, "counter", "Deliveries that a source was told to send again later, by why.");
    for (source, [share, limit, _]) in &all {
        out.line(name, &[("source", source), ("why", "share")], share);
        out.line(name, &[("source", source), ("why", "limit")], limit);
    }
    let name = "stanch_source_commits_waited_max";
    out.family(name, "gauge", "The most commits that a delivery of a source waited for, its own among them.");
    for (source, [.., waited]) in &all {
        out.line(name, &[("source", source)], waited);
    }
}

/// The page.
pub(crate) fn render(
    numbers: &Numbers,
    metrics: Option<&Metrics>,
    doors: Option<&Doors>,
    tenant: Option<&str>,
) -> String {
    let mut out = Page { tenant: tenant.map(str::to_owned), ..Page::default() };
    out.family("stanch_build_info", "gauge", "The version that runs.");
    out.line("stanch_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    out.family("stanch_records_received_total", "counter", "Records taken in and acknowledged.");
    for (source, t) in &numbers.ledger.sources {
        out.line("stanch_records_received_total", &[("source", source)], t.received);
    }
    out.family("stanch_records", "gauge", "Where everything received is; sums to what was received.");
    for (source, t) in &numbers.ledger.sources {
        let places = [
            ("merged", t.merged),
            ("suppressed", t.suppressed),
            ("in_incidents", t.in_incidents),
            ("open", t.open),
            ("closed", t.closed),
            ("quarantined", t.quarantined),
        ];
        for (place, n) in places {
            out.line("stanch_records", &[("source", source), ("place", place)], n);
        }
    }
    let balanced = u8::from(numbers.ledger.balanced);
    out.one(
        "stanch_ledger_balanced",
        "gauge",
        "1 while everything received is in exactly one place.",
        balanced,
    );
    out.family("stanch_source_last_heard_timestamp_seconds", "gauge", "When a source last spoke.");
    for (source, at) in &numbers.heard {
        out.line("stanch_source_last_heard_timestamp_seconds", &[("source", source)], *at as f64 / 1e3);
    }
    out.family("stanch_incidents", "gauge", "Incidents by status.");
    for (status, n) in numbers.incidents {
        out.line("stanch_incidents", &[("status", status)], n);
    }
    out.one("stanch_approvals_pending", "gauge", "Questions that wait for a person.", numbers.approvals);
    out.one("stanch_blocks_in_force", "gauge", "Changes in force on the outside world.", numbers.blocks);
    out.one("stanch_effects_pending", "gauge", "Intentions not settled yet.", numbers.pending);
    out.one("stanch_runs_under_way", "gauge", "Runs of playbooks that are not over.", numbers.runs);
    out.one("stanch_journal_entries_total", "counter", "Entries in the journal.", numbers.seq);
    out.one(
        "stanch_kill_switch",
        "gauge",
        "1 while changes to the outside world are stopped.",
        u8::from(numbers.kill_switch),
    );
    if let Some(metrics) = metrics {
        metrics.write(&mut out);
    }
    if let Some(doors) = doors {
        shares(&mut out, doors);
    }
    out.text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_a_type_for_every_name_and_the_buckets_add_up() {
        let metrics = Metrics::default();
        metrics.delivered(Duration::from_micros(300), None);
        metrics.delivered(Duration::from_secs(60), None);
        metrics.delivered(Duration::from_micros(10), Some(&Refusal::Denied));
        let page = render(&Numbers::of(&State::default()), Some(&metrics), None, None);
        for line in page.lines().filter(|l| !l.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap();
            let family =
                ["_bucket", "_sum", "_count"].iter().find_map(|s| name.strip_suffix(s)).unwrap_or(name);
            assert!(page.contains(&format!("# TYPE {family} ")), "{line}");
        }
        assert!(page.contains("stanch_intake_seconds_bucket{le=\"0.0005\"} 1\n"));
        assert!(page.contains("stanch_intake_seconds_bucket{le=\"+Inf\"} 2\n"));
        assert!(page.contains("stanch_intake_deliveries_total{outcome=\"denied\"} 1\n"));
    }
}
