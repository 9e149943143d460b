//! Incidents: findings worked as one.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which incidents to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct IncidentQuery {
    /// `triggered`, `acknowledged`, `contained`, `resolved`, or `open` for all that are not resolved.
    pub status: Option<String>,
    /// How many; 100 by default, at most 1000.
    pub limit: Option<usize>,
    /// Only older than this one, for example `INC-12`.
    pub before: Option<String>,
    /// True: also those that are a part of another one. Default false.
    pub parts: Option<bool>,
}

/// A page of incidents, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct IncidentPage {
    /// The incidents.
    pub incidents: Vec<IncidentSummary>,
    /// Incidents known in all, whatever was asked for.
    pub total: u64,
    /// What to give as `before` for the next page; none when this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_before: Option<String>,
}

/// One incident in a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct IncidentSummary {
    /// Its name.
    #[schema(example = "INC-3")]
    pub id: String,
    /// One line.
    pub title: String,
    /// `triggered`, `acknowledged`, `contained` or `resolved`.
    #[schema(example = "triggered")]
    pub status: String,
    /// OCSF `severity`.
    pub severity: String,
    /// OCSF `severity_id`.
    pub severity_id: u8,
    /// Probability that it matters, 0 to 1.
    pub confidence: f64,
    /// `c2`, `exfiltration`, `impact`, `lateral_movement`, `malware`, `brute_force`, `exploit`, `scan` or `other`.
    pub kind: String,
    /// Whose network.
    pub site: String,
    /// Which team answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Who has taken it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_by: Option<String>,
    /// When it was opened, by our clock.
    pub opened_at: String,
    /// When its first alert arrived, by our clock.
    pub first_received: String,
    /// Event time of its first alert.
    pub first: String,
    /// Event time of its last alert.
    pub last: String,
    /// Distinct alerts.
    pub alerts: usize,
    /// Records received that are part of it.
    pub records: u64,
    /// The machine on the other side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// Set while it is a part of another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<String>,
}

/// One incident, whole.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct IncidentDetail {
    /// What the list shows.
    #[serde(flatten)]
    pub summary: IncidentSummary,
    /// Why it was opened.
    pub because: Vec<String>,
    /// Its alerts in the order they joined, at most 1000; `GET alerts?incident=` pages through all.
    pub alert_ids: Vec<String>,
    /// Who takes part, the busiest first, at most 200.
    pub entities: Vec<EntityView>,
    /// How many take part in all.
    pub entities_total: usize,
    /// What is known about them.
    pub facts: Vec<FactView>,
    /// Look-ups that did not answer: the knowledge is partial when this is not empty.
    pub missing: Vec<MissingView>,
    /// Stages of the attack, in order.
    pub stages: Vec<String>,
    /// What happened to the incident, in order.
    pub marks: Vec<MarkView>,
    /// Where escalation stands.
    pub escalation: ClimbView,
    /// Runs of playbooks on it.
    pub runs: Vec<String>,
    /// Questions to people about it.
    pub approvals: Vec<String>,
    /// Changes to the outside world made for it.
    pub blocks: Vec<String>,
    /// Incidents that are a part of it.
    pub parts: Vec<String>,
}

/// An entity's part.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EntityView {
    /// Address, `host:…` or `user:…`.
    pub entity: String,
    /// Alerts in which it acted.
    pub acted: u32,
    /// Alerts in which it was acted upon.
    pub suffered: u32,
    /// First event time.
    pub first: String,
    /// Last event time.
    pub last: String,
}

/// One thing learnt.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FactView {
    /// Who says so.
    pub provider: String,
    /// About what, for example `ip 203.0.113.9`.
    pub about: String,
    /// What it means, with its fields: `{"is": "asset", "name": …}`.
    #[schema(value_type = Object)]
    pub meaning: serde_json::Value,
}

/// A look-up without an answer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MissingView {
    /// Which enricher.
    pub provider: String,
    /// About what.
    pub about: String,
    /// Why.
    pub why: String,
}

/// Something that happened to the incident.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MarkView {
    /// When, by our clock.
    pub at: String,
    /// What, for example `approval_requested`.
    pub what: String,
    /// In words.
    pub text: String,
}

/// Where escalation stands.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ClimbView {
    /// Which policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Rungs climbed so far.
    pub rung: u32,
    /// When the next one is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The story of an incident.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StoryView {
    /// Which incident.
    pub incident: String,
    /// One line.
    pub title: String,
    /// Where it stands.
    pub status: String,
    /// OCSF severity word.
    pub severity: String,
    /// Probability that it matters, 0 to 1.
    pub confidence: f64,
    /// Which team answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Records received that are part of it.
    pub records: u64,
    /// Distinct alerts after dedup.
    pub alerts: usize,
    /// What happened.
    pub happened: Vec<SentenceView>,
    /// Who takes part, the busiest first.
    pub actors: Vec<ActorView>,
    /// How many take part in all.
    pub actors_total: usize,
    /// Stages of the attack, in order.
    pub stages: Vec<String>,
    /// ATT&CK techniques, where a source named them.
    pub techniques: Vec<String>,
    /// What is not known, and why.
    pub unknown: Vec<String>,
    /// What we did.
    pub done: Vec<SentenceView>,
    /// Incidents that are a part of it.
    pub parts: Vec<String>,
    /// What solved it before, and who should have it, from past incidents.
    #[serde(default)]
    pub before: Vec<String>,
    /// The whole as plain text, lines of about 100 characters.
    pub text: String,
    /// A language model that may be asked to tell it again; none unless configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assistant: Option<String>,
}

/// One sentence and what it rests on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SentenceView {
    /// When it begins.
    pub at: String,
    /// The sentence.
    pub text: String,
    /// Alerts it rests on, the oldest first.
    pub alerts: Vec<String>,
    /// Further alerts behind it.
    pub more: usize,
}

/// One entity's part in the story.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ActorView {
    /// Address, `host:…` or `user:…`.
    pub entity: String,
    /// What it is, as far as is known.
    pub known_as: Vec<String>,
    /// Alerts in which it acted.
    pub acted: u32,
    /// Alerts in which it was acted upon.
    pub suffered: u32,
}

/// Takes an incident. The body may be left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AckRequest {}

/// Writes something down on an incident.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoteRequest {
    /// What, at most 8 KiB.
    #[schema(example = "the owner of web-1 confirms: not a test")]
    pub text: String,
}

/// Closes an incident.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveRequest {
    /// Why.
    #[schema(example = "host rebuilt")]
    pub reason: String,
    /// True: changes in force run to their end. Default false: then it is refused while one is.
    #[serde(default)]
    pub leave_changes: bool,
}

/// Makes the incident in the path a part of another one.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MergeRequest {
    /// The one that goes on.
    #[schema(example = "INC-1")]
    pub into: String,
    /// Why.
    pub reason: String,
}

/// Takes the incident in the path out of the one it is a part of. The body may be left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnmergeRequest {}

/// Moves alerts out of the incident in the path.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SplitRequest {
    /// Which alerts.
    pub alerts: Vec<String>,
    /// Into which incident; none opens a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}
