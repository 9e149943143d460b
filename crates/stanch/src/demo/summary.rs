//! What the demonstration found, as JSON: for tests, and for those who want numbers.

use serde::Serialize;
use stanch_server::api::v1::types::{ClockView, TallyView};

/// Everything that was shown.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// True when the firewall was pretended.
    pub simulated: bool,
    /// Why it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub simulated_because: Option<String>,
    /// Where every record is.
    #[serde(flatten)]
    pub ledger: TallyView,
    /// True when the ledger balances, exactly.
    pub balanced: bool,
    /// Distinct alerts after dedup.
    pub alerts: u64,
    /// Incidents that stand alone.
    pub incidents: usize,
    /// From the start of the program to the first incident.
    pub first_incident_ms: u64,
    /// How long taking everything in took.
    pub intake_ms: u64,
    /// The incident that needed a decision.
    pub incident: String,
    /// Its title.
    pub title: String,
    /// Records that are part of it.
    pub records_in_story: u64,
    /// The question that was asked.
    pub approval: String,
    /// Its short code.
    pub code: String,
    /// What the engine proposed to block.
    pub target: String,
    /// The machine of ours that the probes came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub victim: Option<String>,
    /// `approved`, or why nothing was changed.
    pub answer: String,
    /// Before the block: `open`, `blocked`, `refused` or `simulated`.
    pub probe_before: String,
    /// While it was in force.
    pub probe_during: String,
    /// After it had ended.
    pub probe_after: String,
    /// True when a connection that had been open before was cut.
    pub session_cut: bool,
    /// The block as the kernel listed it.
    pub kernel: Vec<String>,
    /// Notices about changes that the network team really got.
    pub noc_mails: usize,
    /// How the block ended.
    pub block: String,
    /// How the playbook's run ended.
    pub run: String,
    /// The response clock of the incident.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockView>,
    /// True when the parts of the clock sum exactly to its wall time.
    pub clock_exact: bool,
    /// True when the whole journal was recomputed and holds.
    pub journal_ok: bool,
    /// Entries in it.
    pub journal_entries: u64,
    /// The end of its chain.
    pub journal_head: String,
    /// How long all of it took.
    pub took_ms: u64,
}
