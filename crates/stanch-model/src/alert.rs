//! A source's normalised claim: our subset of OCSF 1.8 *Detection Finding* (class 2004).
//!
//! Field names follow OCSF where it has one; what a source sent beyond them is kept in `unmapped`,
//! and the bytes as received are kept beside the journal. `stanch_core::stage::normalise` renders
//! the strict OCSF event.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{Observable, ObservableKind, Timestamp, Unmapped};

/// Harm if true. Numbers are OCSF `severity_id`.
///
/// Source: OCSF 1.8.0, dictionary attribute `severity_id`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum Severity {
    /// 0: the source did not say.
    #[default]
    Unknown,
    /// 1
    Informational,
    /// 2
    Low,
    /// 3
    Medium,
    /// 4
    High,
    /// 5
    Critical,
    /// 6
    Fatal,
    /// 99: a scale of the source's own.
    Other,
}

impl Severity {
    /// OCSF `severity_id`.
    #[must_use]
    pub const fn id(self) -> u8 {
        match self {
            Severity::Unknown => 0,
            Severity::Informational => 1,
            Severity::Low => 2,
            Severity::Medium => 3,
            Severity::High => 4,
            Severity::Critical => 5,
            Severity::Fatal => 6,
            Severity::Other => 99,
        }
    }

    /// OCSF `severity`: the word beside the number.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Severity::Unknown => "Unknown",
            Severity::Informational => "Informational",
            Severity::Low => "Low",
            Severity::Medium => "Medium",
            Severity::High => "High",
            Severity::Critical => "Critical",
            Severity::Fatal => "Fatal",
            Severity::Other => "Other",
        }
    }

    /// 0 to 6 for comparing; *Unknown* and *Other* rank as Low, so that they are neither lost nor first.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Severity::Unknown | Severity::Other => 2,
            known => known.id(),
        }
    }
}

impl From<Severity> for u8 {
    fn from(severity: Severity) -> u8 {
        severity.id()
    }
}

impl TryFrom<u8> for Severity {
    type Error = String;

    fn try_from(id: u8) -> Result<Severity, String> {
        Ok(match id {
            0 => Severity::Unknown,
            1 => Severity::Informational,
            2 => Severity::Low,
            3 => Severity::Medium,
            4 => Severity::High,
            5 => Severity::Critical,
            6 => Severity::Fatal,
            99 => Severity::Other,
            other => return Err(format!("severity_id {other} is not one of 0 to 6 or 99")),
        })
    }
}

/// Is the source saying that something is wrong, or that it is over?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// Something is wrong.
    #[default]
    Firing,
    /// The source takes its claim back, or says it has passed.
    Resolved,
}

/// Who made the claim. OCSF `metadata.product`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// For example `suricata`, `zeek`, `wazuh`: lower case, the same for every relay of its alerts.
    pub name: String,
    /// For example `OISF`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_name: Option<String>,
}

/// Which detection fired. OCSF `finding_info.analytic`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The detection's own stable id within the product, for example `1:2010937`.
    pub uid: String,
    /// Its name as people read it.
    pub name: String,
    /// The product's class of it, if any, for example `Potentially Bad Traffic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
}

/// One side of a connection. OCSF `network_endpoint`; at least one field is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// The port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The name, when the source gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
}

/// An ATT&CK reference. OCSF `attack`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attack {
    /// `T1071` or `T1071.004`; empty when only the tactic is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub technique_uid: String,
    /// `TA0011`, or the tactic's name in kebab case when the source only gave that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tactic: Option<String>,
}

/// A source's normalised claim.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// When it happened, by the source's clock. OCSF `time`.
    pub time: Timestamp,
    /// One line for people. OCSF `finding_info.title`.
    pub title: String,
    /// More words, as the source wrote them. OCSF `message`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Harm if true, by the source's own judgement.
    pub severity: Severity,
    /// Firing or resolved.
    #[serde(default)]
    pub state: AlertState,
    /// Who made the claim.
    pub product: Product,
    /// Which detection fired.
    pub rule: Rule,
    /// The sensor that saw it, if the source named one. OCSF `metadata.log_provider`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensor: Option<String>,
    /// The side that opened the connection, as far as the source can tell. OCSF `src_endpoint`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub src_endpoint: Option<Endpoint>,
    /// The other side. OCSF `dst_endpoint`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dst_endpoint: Option<Endpoint>,
    /// The machine the claim is about, for host-based sources. OCSF `device`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Endpoint>,
    /// The account the claim is about. OCSF `actor.user.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// `tcp`, `udp`, `icmp`, … in lower case. OCSF `connection_info.protocol_name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// True when a full exchange was seen (established TCP, a logged-in session), so that the
    /// source address cannot be forged by someone who never received a reply.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub established: bool,
    /// ATT&CK references that the source itself gave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attacks: Vec<Attack>,
    /// Names, digests and links beyond the endpoints and the user.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observables: Vec<Observable>,
    /// The source's own id of this one alert, if it has any. OCSF `finding_info.uid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_uid: Option<String>,
    /// What the source sent beyond the fields above. OCSF `unmapped`.
    #[serde(default, skip_serializing_if = "Unmapped::is_empty")]
    pub unmapped: Unmapped,
}

impl Alert {
    /// Every value seen in this alert that a look-up or a link can use, each once, in a fixed order.
    #[must_use]
    pub fn all_observables(&self) -> Vec<Observable> {
        let mut all = Vec::with_capacity(4 + self.observables.len());
        for end in [&self.src_endpoint, &self.dst_endpoint, &self.device].into_iter().flatten() {
            if let Some(ip) = end.ip {
                all.push(Observable::new(ObservableKind::Ip, ip.to_string()));
            }
            if let Some(name) = &end.hostname {
                all.push(Observable::new(ObservableKind::Hostname, name.clone()));
            }
        }
        if let Some(user) = &self.user {
            all.push(Observable::new(ObservableKind::User, user.clone()));
        }
        all.extend(self.observables.iter().cloned());
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|o| seen.insert(o.clone()));
        all
    }
}
