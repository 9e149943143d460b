//! Sources, the conservation ledger, quarantine and silences.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Every source that is configured or has ever spoken, in order of name.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SourcePage {
    /// The sources.
    pub sources: Vec<SourceView>,
}

/// One source.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SourceView {
    /// Its name, as in `/in/NAME`.
    pub name: String,
    /// Whose network it watches.
    pub site: String,
    /// Its format; none when it is no longer configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// How it proves itself: `bearer`, `hmac`, `routing_key`, `certificate` or `none`.
    pub credential: String,
    /// True when it can send over HTTP.
    pub enabled: bool,
    /// Why it cannot, for the person who has to mend it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_because: Option<String>,
    /// False when anyone on the path could forge it.
    pub authenticated: bool,
    /// Records taken in.
    pub received: u64,
    /// Records counted on known alerts.
    pub merged: u64,
    /// Flow and log records.
    pub context: u64,
    /// Records that wait in quarantine.
    pub quarantined: u64,
    /// When it last spoke, by our clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_heard: Option<String>,
    /// Event time of its latest record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_event: Option<String>,
    /// True when it has been silent for longer than it should.
    pub silent: bool,
    /// How long it may be silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_after_ms: Option<i64>,
    /// The same, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_after: Option<String>,
}

/// Where everything received is: in exactly one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LedgerView {
    /// The totals.
    #[serde(flatten)]
    pub total: TallyView,
    /// True when the totals and every source balance, exactly.
    pub balanced: bool,
    /// By source.
    pub sources: BTreeMap<String, TallyView>,
}

/// Where the records of one source are.
/// `received = merged + suppressed + in_incidents + open + closed + quarantined`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TallyView {
    /// Records taken in and acknowledged.
    pub received: u64,
    /// Counted on an alert that was known already.
    pub merged: u64,
    /// Quiet, by a silence or a maintenance window.
    pub suppressed: u64,
    /// Part of an incident.
    pub in_incidents: u64,
    /// Neither quiet nor part of an incident nor over.
    pub open: u64,
    /// Over: resolved by its source, aged out, or context that makes no claim.
    pub closed: u64,
    /// Could not be read; listed with the reason, can be tried again.
    pub quarantined: u64,
    /// Of `closed`: flow and log records, kept as context.
    pub closed_as_context: u64,
}

/// Which quarantined records to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct QuarantineQuery {
    /// True: also those that were read at a second try. Default false.
    pub all: Option<bool>,
    /// Only of this source.
    pub source: Option<String>,
    /// How many; 100 by default, at most 1000.
    pub limit: Option<usize>,
    /// Only older than this number: the `next_before` of the page before.
    pub before: Option<u64>,
}

/// Records that could not be read, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct QuarantinePage {
    /// The records.
    pub records: Vec<QuarantineItem>,
    /// How many wait in all.
    pub waiting: u64,
    /// What to give as `before` for the next page; none when this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_before: Option<u64>,
}

/// One record that could not be read.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct QuarantineItem {
    /// Its number.
    pub id: u64,
    /// From which source.
    pub source: String,
    /// When it arrived.
    pub at: String,
    /// What is wrong with it.
    pub reason: String,
    /// True once a second try succeeded.
    pub recovered: bool,
    /// The journal entry that holds its bytes.
    pub entry: u64,
}

/// Which silences to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SilenceQuery {
    /// True: also those that are over. Default false.
    pub all: Option<bool>,
}

/// Silences: those set by people first, then those of the configuration.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SilencePage {
    /// The silences.
    pub silences: Vec<SilenceView>,
}

/// One silence.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SilenceView {
    /// Its name: `SIL-2`, or the one in the configuration.
    #[schema(example = "SIL-2")]
    pub id: String,
    /// As written: all must match.
    pub matchers: Vec<String>,
    /// From when, if it has a beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Until when.
    pub until: String,
    /// Who asked for it.
    pub by: String,
    /// Why.
    pub comment: String,
    /// True while it is in force.
    pub active: bool,
    /// True when it comes from the configuration.
    pub configured: bool,
    /// True for planned work.
    pub maintenance: bool,
    /// When it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
}

/// Makes alerts quiet for a while. Exactly one of `until` and `for` is needed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SilenceRequest {
    /// All must match, in Alertmanager's words: `source=edge`, `ip=10.0.0.0/8`, `rule=~".*scan.*"`.
    #[schema(example = json!(["source=suricata", "ip=192.0.2.7"]))]
    pub matchers: Vec<String>,
    /// Until when, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// For how long, for example `2h`.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    #[schema(example = "2h")]
    pub for_: Option<String>,
    /// Why.
    #[schema(example = "planned scan by the security team")]
    pub comment: String,
}
