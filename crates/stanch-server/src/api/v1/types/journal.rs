//! The journal itself.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which entries to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct JournalQuery {
    /// Only entries after this one. Default 0.
    pub after: Option<u64>,
    /// How many; 100 by default, at most 1000.
    pub limit: Option<usize>,
}

/// Entries in order.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct JournalPage {
    /// The entries.
    pub entries: Vec<JournalEntry>,
    /// What to give as `after` for the next page; none when this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_after: Option<u64>,
}

/// One entry as it stands in the journal.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct JournalEntry {
    /// 1, 2, 3, … without gaps.
    pub seq: u64,
    /// When it was committed, by our clock.
    pub at: String,
    /// What it belongs to.
    pub stream: String,
    /// What it says.
    pub kind: String,
    /// The facts.
    #[schema(value_type = Object)]
    pub body: serde_json::Value,
}

/// The end of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JournalHead {
    /// Sequence number of the last entry; 0 when the journal is empty.
    pub seq: u64,
    /// SHA-256 over it and everything before it, in hexadecimal.
    pub hash: String,
}

/// Whether the chain holds.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct VerifyView {
    /// True when every entry is as it was written.
    pub ok: bool,
    /// The end of the chain as recomputed, when it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<JournalHead>,
    /// The first entry that does not fit, when it does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<VerifyBroken>,
    /// How many details were taken away by retention; the chain holds without them.
    #[serde(default)]
    pub erased: u64,
    /// How long it took.
    pub took_ms: i64,
    /// The same, in words.
    pub took: String,
}

/// Where the chain breaks.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct VerifyBroken {
    /// The first entry that does not fit.
    pub seq: u64,
    /// What does not fit.
    pub why: String,
}

/// Where the audit stands.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditView {
    /// The public key in use: write it down elsewhere, and verify with it.
    #[schema(example = "stanch-audit+65db0653+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c")]
    pub key: String,
    /// The last signed checkpoint as text; empty before the first.
    pub checkpoint: String,
}

/// How to hold the journal against its checkpoints.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditRequest {
    /// Public keys kept elsewhere; none: those beside the journal, which whoever wrote it could replace.
    #[serde(default)]
    #[schema(max_items = 16)]
    pub keys: Vec<String>,
    /// More checkpoints, kept elsewhere, as text.
    #[serde(default)]
    #[schema(max_length = 60000)]
    pub checkpoints: String,
}

/// What holding the journal against its checkpoints has shown.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditReport {
    /// True when nothing was found.
    pub ok: bool,
    /// The end of the chain as recomputed, when it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<JournalHead>,
    /// How many checkpoints were looked at.
    pub checkpoints: u64,
    /// Up to which entry a believed checkpoint vouches for the journal; 0: for nothing.
    pub covered: u64,
    /// The keys that were believed.
    pub keys: Vec<String>,
    /// True when they were given by whoever asked; false when they lay beside the journal.
    pub pinned: bool,
    /// What does not fit, at most 50.
    pub findings: Vec<AuditFinding>,
    /// How many there are in all.
    pub findings_total: u64,
    /// How long it took.
    pub took_ms: i64,
    /// The same, in words.
    pub took: String,
}

/// Something that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditFinding {
    /// `broken`, `truncated`, `rewritten`, `forged`, `stranger`, `other`, `backwards`, `damaged` or `unsigned`.
    pub what: String,
    /// At which entry; 0 where there is none to name.
    pub entry: u64,
    /// In words.
    pub why: String,
}
