//! Facts about what came in and what it was taken for.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use stanch_model::{AlertId, Fact, Failure, Flow, Observable, Severity, Timestamp};

use crate::decided::Reason;
use crate::stage::kill_chain::Stage;

/// Deliveries that came in, and what became of each record. The bytes lie in the entry's detail.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Intake {
    /// In the order they arrived.
    pub deliveries: Vec<Delivered>,
}

/// One delivery. Every record of it is in exactly one of the lists, by its index.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Delivered {
    /// From which source.
    pub source: String,
    /// Whose network that source watches.
    pub site: String,
    /// When it came in; 0 means with the entry.
    #[serde(default)]
    pub arrived: Timestamp,
    /// How many records it held.
    pub n: u32,
    /// Set when this is a second try at a quarantined record: then nothing new was received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<u64>,
    /// Rules never heard of before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleSeen>,
    /// Alerts not seen before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new: Vec<NewAlert>,
    /// Repeats, redeliveries and relays of alerts seen before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<Merged>,
    /// Flow records: context, not claims.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flows: Vec<(u32, Flow)>,
    /// Other context.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub context: Vec<(u32, String)>,
    /// Records that could not be read, with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<(u32, String)>,
}

/// A rule, named once, so that millions of alerts need not repeat it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleSeen {
    /// Its fingerprint.
    pub rule: u64,
    /// Whose rule it is.
    pub product: String,
    /// Its name as people read it.
    pub name: String,
    /// Its name within the product, as matchers of silences write it. Empty in old journals.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// ATT&CK techniques its source gives for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub techniques: Vec<String>,
}

/// An alert not seen before. A tuple in JSON, because there may be millions to read at start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewAlert(
    /// Index of its record in the delivery.
    pub u32,
    /// Its name.
    pub AlertId,
    /// What repeats of it share.
    pub Key,
    /// When it happened, by the source's clock.
    pub Timestamp,
    /// The source's severity.
    pub Severity,
    /// The entities it speaks of.
    pub Arc<Ends>,
    /// Fingerprint of the rule within its product.
    pub u64,
    /// Fingerprint of this very delivery, to tell a redelivery from a repeat.
    pub u64,
);

/// The entities an alert speaks of, short.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ends {
    /// Who opened the connection.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub src: Option<IpAddr>,
    /// Who was reached.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub dst: Option<IpAddr>,
    /// On which port.
    #[serde(rename = "p", default, skip_serializing_if = "is_zero")]
    pub port: u16,
    /// Machine names and accounts, as `host:web-1` and `user:root`.
    #[serde(rename = "w", default, skip_serializing_if = "Vec::is_empty", deserialize_with = "tight")]
    pub who: Vec<String>,
    /// A full exchange was seen, so that the source address cannot be forged.
    #[serde(rename = "e", default, skip_serializing_if = "std::ops::Not::not")]
    pub established: bool,
}

/// A list with no room to grow: hundreds of thousands stay in memory, most of one text.
fn tight<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let mut all = Vec::deserialize(from)?;
    all.shrink_to_fit();
    Ok(all)
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
fn is_zero(port: &u16) -> bool {
    *port == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
fn untrained(model: &u64) -> bool {
    *model == 0
}

/// A record that was counted, not reopened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Merged(
    /// Index of its record in the delivery.
    pub u32,
    /// Into which alert.
    pub AlertId,
    /// When it happened.
    pub Timestamp,
    /// Why.
    pub MergeCause,
    /// The severity it claimed; a merge never lowers the alert's.
    pub Severity,
    /// Fingerprint of this very delivery.
    pub u64,
);

/// Why a record was merged into an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MergeCause {
    /// The same thing happened again within the window.
    #[serde(rename = "r")]
    Repeat,
    /// The same record was sent again.
    #[serde(rename = "d")]
    Redelivery,
    /// Another tool relayed the same alert.
    #[serde(rename = "x")]
    Relay,
    /// The source says it is over.
    #[serde(rename = "z")]
    Resolution,
}

impl MergeCause {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            MergeCause::Repeat => "the same rule on the same machines within the window",
            MergeCause::Redelivery => "the same record, sent again",
            MergeCause::Relay => "the same alert, relayed by another tool",
            MergeCause::Resolution => "the source says it is over",
        }
    }
}

/// What repeats of an alert share: 128 bits of a SHA-256. 32 hexadecimal digits in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub u128);

impl Serialize for Key {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:032x}", self.0))
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map(Key).map_err(serde::de::Error::custom)
    }
}

/// Verdicts of suppress and triage over new alerts. Reasons lie in the entry's detail.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Assessed {
    /// One for each alert.
    pub items: Vec<Assessment>,
    /// The model that scored them: it knew so many verdicts; 0 for the untrained one.
    #[serde(default, skip_serializing_if = "untrained")]
    pub model: u64,
}

/// Alerts that were alone were judged once more, with what came after them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookedAgain {
    /// All that waited up to this one have been looked at.
    pub upto: AlertId,
    /// Scores that are other than before, in thousandths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<(AlertId, u16)>,
}

/// One verdict. A tuple in JSON, because there may be millions to read at start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assessment(
    /// Which alert.
    pub AlertId,
    /// What became of it.
    pub Verdict,
    /// Probability that it matters, in thousandths.
    pub u16,
    /// Where in an attack it belongs.
    pub Stage,
);

/// What became of a new alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Waiting: neither quiet nor yet part of an incident.
    #[serde(rename = "o")]
    Open,
    /// Quiet, because of this silence or window.
    #[serde(rename = "q")]
    Suppressed(String),
}

/// Answers of the look-ups for one alert, and the score after them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Enriched {
    /// Which alert.
    pub alert: AlertId,
    /// What was learnt.
    pub facts: Vec<Fact>,
    /// Who did not answer, and why: the result is partial when this is not empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
    /// Probability that it matters, in thousandths, with the facts.
    pub score: u16,
    /// Why.
    pub because: Vec<Reason>,
}

/// A look-up without an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Which enricher.
    pub provider: String,
    /// About what.
    pub about: Observable,
    /// Why.
    pub failure: Failure,
}

/// Open alerts that are over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertsClosed {
    /// Which.
    pub alerts: Vec<AlertId>,
    /// Why: `resolved by its source`, `no repeat for 7d`, …
    pub why: String,
}

/// A merged record was taken out again: it had been a different thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OccurrenceSplit {
    /// Out of which alert.
    pub from: AlertId,
    /// Where the record lay: entry, delivery, record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<(u64, u32, u32)>,
    /// It is now this one.
    pub alert: NewAlert,
    /// From which source it had come.
    pub source: String,
    /// By whom.
    pub by: String,
}
