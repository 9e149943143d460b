//! Facts about incidents: what belongs to them, and who has them.

use serde::{Deserialize, Serialize};
use stanch_model::{AlertId, IncidentId, Severity, Timestamp};

use super::Ends;
use crate::decided::Reason;
use crate::stage::kill_chain::Stage;

/// A new incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentOpened {
    /// Its name.
    pub incident: IncidentId,
    /// Whose network.
    pub site: String,
    /// Why it was opened.
    pub because: Vec<Reason>,
}

/// Alerts that belong to an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertsJoined {
    /// Which incident.
    pub incident: IncidentId,
    /// Which alerts, with what the story needs of them.
    pub alerts: Vec<Joined>,
}

/// What the story needs of an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Joined {
    /// Which alert.
    pub alert: AlertId,
    /// When it happened.
    pub time: Timestamp,
    /// The rule, as people read it.
    pub rule: String,
    /// Who made the claim.
    pub product: String,
    /// From which source it came.
    pub source: String,
    /// Harm if true, recalibrated.
    pub severity: Severity,
    /// Score in thousandths.
    pub score: u16,
    /// Where in an attack it belongs.
    pub stage: Stage,
    /// Whom it speaks of.
    pub ends: Ends,
    /// ATT&CK techniques, where known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub techniques: Vec<String>,
    /// Why it belongs here.
    pub because: String,
}

/// Alerts moved by a person from one incident to another (a split, or its undoing).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertsMoved {
    /// From which.
    pub from: IncidentId,
    /// To which.
    pub to: IncidentId,
    /// Which alerts.
    pub alerts: Vec<AlertId>,
    /// By whom.
    pub by: String,
}

/// Two incidents are one. A link: both keep what is theirs, and it can be taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentsMerged {
    /// The one that goes on.
    pub into: IncidentId,
    /// The one that becomes a part of it.
    pub from: IncidentId,
    /// By whom: a person, or `stanch`.
    pub by: String,
    /// Why.
    pub because: String,
}

/// The link is taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentsUnmerged {
    /// The one that had become a part.
    pub from: IncidentId,
    /// By whom.
    pub by: String,
}

/// Who answers for an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Routed {
    /// Which incident.
    pub incident: IncidentId,
    /// Which team.
    pub team: String,
    /// Which escalation policy, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<String>,
    /// Why.
    pub because: Vec<Reason>,
}

/// A rung of the escalation ladder was reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Escalated {
    /// Which incident.
    pub incident: IncidentId,
    /// Rungs climbed so far, from 1, over all rounds.
    pub rung: u32,
    /// Who was told.
    pub teams: Vec<String>,
    /// When the next rung is due; none when the ladder ends here.
    pub next: Option<Timestamp>,
}

/// Nobody is woken for an incident yet: it is less sure than what people are woken for at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageHeld {
    /// Which incident.
    pub incident: IncidentId,
    /// Then it pages like any other.
    pub until: Timestamp,
    /// Why.
    pub because: Vec<Reason>,
}

/// A person did something to an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ByPerson {
    /// Which incident.
    pub incident: IncidentId,
    /// Who: a person, or `stanch`.
    pub by: String,
    /// What they said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}
