//! Alerts: claims of sources, after dedup.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which alerts to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AlertQuery {
    /// `open`, `suppressed`, `in_incident` or `closed`; all by default.
    pub state: Option<String>,
    /// Only of this source.
    pub source: Option<String>,
    /// Only of this incident, for example `INC-3`.
    pub incident: Option<String>,
    /// How many; 100 by default, at most 1000.
    pub limit: Option<usize>,
    /// Only older than this one, for example `A-12`: the `next_before` of the page before.
    pub before: Option<String>,
}

/// A page of alerts, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AlertPage {
    /// The alerts.
    pub alerts: Vec<AlertSummary>,
    /// Alerts known in all, whatever was asked for.
    pub total: u64,
    /// What to give as `before` for the next page; none when this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_before: Option<String>,
}

/// One alert in a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AlertSummary {
    /// Its name.
    #[schema(example = "A-12")]
    pub id: String,
    /// One line for people.
    pub title: String,
    /// From which source it came.
    pub source: String,
    /// Whose network.
    pub site: String,
    /// Who made the claim, for example `suricata`.
    pub product: String,
    /// Which detection fired: its stable id.
    pub rule: String,
    /// `open`, `suppressed`, `in_incident` or `closed`.
    #[schema(example = "in_incident")]
    pub state: String,
    /// Where it is and why, in words: `in INC-3`, `suppressed: …`, `closed: …`, `open`.
    pub place: String,
    /// The incident it is part of, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// OCSF `severity`: the highest claimed.
    #[schema(example = "High")]
    pub severity: String,
    /// OCSF `severity_id`: the highest claimed.
    pub severity_id: u8,
    /// Probability that it matters, 0 to 1.
    pub score: f64,
    /// Where in an attack it belongs, in words.
    pub stage: String,
    /// Records counted on it, itself included.
    pub count: u32,
    /// When it first happened, by the source's clock.
    pub first: String,
    /// When it last happened, by the source's clock.
    pub last: String,
    /// When it arrived, by our clock.
    pub received: String,
    /// Who opened the connection: address, or name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub src: Option<String>,
    /// Who was reached: address, or name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dst: Option<String>,
}

/// One alert, whole.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AlertDetail {
    /// What the list shows.
    #[serde(flatten)]
    pub summary: AlertSummary,
    /// Why it was judged as it was.
    pub reasons: Vec<String>,
    /// Which model judged it: the untrained one, or one grown from verdicts, with how many.
    pub model: String,
    /// Which tenth of the reliability curve its score lies in, 0 to 9.
    pub bucket: u8,
    /// What people found about incidents of that height; none where nobody judged one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<super::ReliabilityBar>,
    /// What is known about the values in it.
    pub facts: Vec<super::FactView>,
    /// Look-ups that did not answer: the knowledge is partial when this is not empty.
    pub missing: Vec<String>,
    /// The alert in one canonical form, in OCSF's words.
    pub normalised: NormalisedAlert,
    /// Bytes of its first record as received; `GET …/raw` gives them.
    pub raw_bytes: usize,
    /// The journal entry that holds them.
    pub entry: u64,
}

/// An alert in one canonical form. Field names follow OCSF 1.8; `GET …/ocsf` gives the strict event.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NormalisedAlert {
    /// When it happened, by the source's clock.
    pub time: String,
    /// One line for people.
    pub title: String,
    /// More words, as the source wrote them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// OCSF `severity` as the source judged it.
    pub severity: String,
    /// OCSF `severity_id` as the source judged it.
    pub severity_id: u8,
    /// `firing` or `resolved`.
    pub state: String,
    /// Who made the claim.
    pub product: String,
    /// That product's vendor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// The detection's stable id.
    pub rule_uid: String,
    /// The detection's name.
    pub rule_name: String,
    /// The product's class of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_category: Option<String>,
    /// The sensor that saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensor: Option<String>,
    /// The side that opened the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub src_endpoint: Option<EndpointView>,
    /// The other side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dst_endpoint: Option<EndpointView>,
    /// The machine the claim is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<EndpointView>,
    /// The account the claim is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// `tcp`, `udp`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// True when a full exchange was seen, so that the source address cannot be forged.
    pub established: bool,
    /// ATT&CK references that the source gave.
    pub attacks: Vec<AttackRef>,
    /// Names, digests and links beyond the endpoints and the user.
    pub observables: Vec<ObservableView>,
    /// The source's own id of this alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_uid: Option<String>,
    /// What the source sent beyond the fields above.
    #[schema(value_type = Object)]
    pub unmapped: serde_json::Map<String, serde_json::Value>,
}

/// One side of a connection.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct EndpointView {
    /// The address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// The port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
}

/// An ATT&CK reference.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AttackRef {
    /// For example `T1071.004`; empty when only the tactic is known.
    pub technique: String,
    /// For example `TA0011`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tactic: Option<String>,
}

/// A value seen.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ObservableView {
    /// `ip`, `hostname`, `user`, `email`, `url`, `hash`, `mac`, `file` or `process`.
    pub kind: String,
    /// Its text.
    pub value: String,
}

/// Records counted on an alert after its first, in the order they came.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OccurrencePage {
    /// The records, at most 1000; the latest are left out first.
    pub occurrences: Vec<OccurrenceView>,
    /// How many there are in all.
    pub total: u64,
}

/// One record counted on an alert.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OccurrenceView {
    /// The journal entry that holds it.
    pub entry: u64,
    /// Its delivery within the entry.
    pub delivery: u32,
    /// Its record within the delivery.
    pub record: u32,
    /// From which source.
    pub source: String,
    /// When it happened, by the source's clock.
    pub time: String,
    /// Why it was counted and not opened anew.
    pub cause: String,
}

/// Takes one counted record out again: it was a different thing.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SplitOccurrenceRequest {
    /// `entry` of the occurrence.
    pub entry: u64,
    /// `delivery` of the occurrence.
    pub delivery: u32,
    /// `record` of the occurrence.
    pub record: u32,
}
