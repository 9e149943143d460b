//! What is configured: playbooks, people, connectors, what must not be touched. Never a secret.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Playbooks in force, in order of their files.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PlaybookPage {
    /// The playbooks.
    pub playbooks: Vec<PlaybookView>,
    /// Why playbooks cannot be saved from here; absent when they can, by those who may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<String>,
}

/// One playbook in a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PlaybookView {
    /// Its name.
    #[schema(example = "c2-beacon")]
    pub name: String,
    /// One line.
    pub summary: String,
    /// SHA-256 over the file, in hexadecimal: what runs are pinned to.
    pub hash: String,
    /// ATT&CK techniques it answers.
    pub attack: Vec<String>,
    /// Steps in order.
    pub steps: Vec<String>,
    /// Runs so far, whatever version they are pinned to.
    pub runs: usize,
    /// Of them: under way.
    pub running: usize,
    /// Of them: completed.
    pub completed: usize,
    /// Of them: handed to a person.
    pub handed: usize,
    /// When the latest began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_started: Option<String>,
}

/// One playbook, whole.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PlaybookDetail {
    /// What the list shows.
    #[serde(flatten)]
    pub summary: PlaybookView,
    /// The file as it stands.
    pub source: String,
    /// What people do by hand, and why.
    pub sop: String,
}

/// What is configured.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SettingsView {
    /// Which program answers.
    pub version: String,
    /// SHA-256 over the configuration folder.
    pub config_hash: String,
    /// True when changes to the outside world are stopped.
    pub kill_switch: bool,
    /// Who may do what.
    pub people: Vec<PersonView>,
    /// Teams, and how they are told.
    pub teams: Vec<TeamView>,
    /// Never to be touched.
    pub protected: Vec<ProtectedView>,
    /// Limits of containment, each as name and value.
    pub limits: Vec<LimitView>,
    /// Who is told of every change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noc_team: Option<String>,
    /// Devices, look-ups and ways to tell people.
    pub connectors: Vec<ConnectorView>,
    /// What somebody should look at in the configuration.
    pub warnings: Vec<super::MistakeView>,
}

/// Somebody who may sign in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PersonView {
    /// The name in the journal.
    pub name: String,
    /// `viewer`, `analyst`, `approver` or `admin`.
    pub role: String,
    /// Their teams.
    pub teams: Vec<String>,
}

/// A team.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TeamView {
    /// Its name.
    pub name: String,
    /// By which notifier it is told.
    pub notifier: String,
    /// Where.
    pub to: Vec<String>,
}

/// Something never to be touched.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProtectedView {
    /// What: an address or prefix, an account, a group, a name or a port.
    pub net: String,
    /// Why.
    pub why: String,
}

/// A limit.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LimitView {
    /// Its name, as in policies/containment.yaml.
    pub name: String,
    /// Its value, with its unit.
    pub value: String,
}

/// A connector.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConnectorView {
    /// `responder`, `enricher` or `notifier`.
    pub role: String,
    /// Its name.
    pub name: String,
    /// Its type, as in the configuration.
    pub kind: String,
    /// True when nothing real is changed by it.
    pub simulated: bool,
    /// `ok`; `failing`: what it has to do was tried in vain, or its lasting connection is down; `off`: it is in the
    /// configuration but not at work, a secret that is not there yet or nobody who is told by it. What is told of
    /// a connector that is off stands among the warnings.
    #[serde(default)]
    pub health: String,
    /// What it could not answer lately: look-ups of open incidents without an answer.
    pub unanswered: usize,
    /// What it still has to do: messages not delivered, changes not made or looked at yet.
    #[serde(default)]
    pub waiting: usize,
    /// Of them: tried in vain at least once.
    #[serde(default)]
    pub failing: usize,
    /// Why the latest of those failed, or why its connection is down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// How its lasting connection stands, if it has one: Socket Mode of Slack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// What exactly would happen after a yes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DryRunView {
    /// Which question.
    pub approval: String,
    /// What would be done, in words.
    pub action: String,
    /// The call, field by field.
    pub call: Vec<LimitView>,
    /// What it touches.
    pub targets: Vec<String>,
    /// Why the target is protected, if it is: then even a yes does nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protected: Option<String>,
    /// How it is undone.
    pub undo: Vec<String>,
    /// Who is told.
    pub told: Vec<TeamView>,
    /// True when nothing real is changed.
    pub simulated: bool,
    /// True when changes to the outside world are stopped: then a yes does nothing.
    pub kill_switch: bool,
    /// The digest an answer has to name.
    pub digest: String,
}
