//! The configuration folder, compiled: a value in which what is invalid cannot be written.
//!
//! Text comes in as (path, text) pairs; [`compile()`] returns either the whole [`Config`] or
//! *all* mistakes with file, line, column and how to mend them. Nothing here touches the disk.

mod assistant;
mod budgets;
mod calls;
mod channels;
mod check;
mod common;
mod compile;
mod connectors;
mod containment;
pub mod init;
pub mod matcher;
pub mod mistake;
mod outside;
mod people;
mod policy;
mod preauthorisations;
mod programs;
mod provider;
mod responders;
mod role;
mod routing;
mod rules;
mod server;
mod share;
mod sources;
pub mod yaml;

#[cfg(test)]
mod broken;

pub use assistant::AssistantConfig;
pub use budgets::{Automatic, Budget, Budgets};
pub use calls::{CallConfig, CallDoes, InputKind, RequestConfig};
pub use compile::compile;
pub use matcher::{Subject, all_match};
pub use mistake::Mistake;
pub use outside::*;
pub use preauthorisations::entries as preauthorisation_entries;
pub use programs::{ClientAuthority, Program, subject_name};
pub use provider::{GroupRule, ProviderConfig};
pub use responders::{LdapResponder, OvsResponder, ResponderConfig, RpzResponder};
pub use role::{May, Role};
pub use rules::*;
pub use server::{AuditFiles, MasterKey, MasterKeys};
pub use share::Share;
pub use sources::{DEFAULT_SITE, FORMATS, MAPPED_FIELDS, SAMPLE_SITE};
pub use yaml::is_name;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use stanch_model::{ActionKind, Span};

use crate::chat::{ChannelRules, ChatBudget};
use crate::contain::Preauthorisation;
use crate::playbook::Playbook;

/// Everything a configuration folder says.
#[derive(Clone, Debug)]
pub struct Config {
    /// `stanch.yaml`: the process.
    pub server: ServerConfig,
    /// `sources/*.yaml`, by name.
    pub sources: BTreeMap<String, SourceConfig>,
    /// `connectors/*.yaml`: responders, enrichers, notifiers.
    pub connectors: ConnectorsConfig,
    /// `policies/people.yaml`: who may do what.
    pub people: BTreeMap<String, Person>,
    /// `policies/people.yaml`: programs with client certificates, by name.
    pub programs: BTreeMap<String, Program>,
    /// `policies/people.yaml`: sign-in by OpenID Connect, if there is any.
    pub provider: Option<ProviderConfig>,
    /// `policies/people.yaml`: teams and how to reach them.
    pub teams: BTreeMap<String, Team>,
    /// `policies/triage.yaml`
    pub triage: TriagePolicy,
    /// `policies/silences.yaml`: planned work and standing silences.
    pub silences: Vec<SilenceRule>,
    /// `policies/routing.yaml`
    pub routes: Route,
    /// `policies/routing.yaml`, by name.
    pub escalations: BTreeMap<String, EscalationPolicy>,
    /// `policies/containment.yaml`
    pub containment: ContainmentPolicy,
    /// `policies/preauthorisations.yaml`: signed and dated, in the order written.
    pub preauthorisations: Vec<Preauthorisation>,
    /// `policies/assistant.yaml`: a language model that may retell stories. Default: none.
    pub assistant: Option<AssistantConfig>,
    /// `playbooks/*.yaml`, in order of file name.
    pub playbooks: Vec<Arc<Playbook>>,
    /// `correlations/*.yaml`, in order of file name.
    pub correlations: Vec<crate::stage::sigma::Correlation>,
    /// SHA-256 over all files, in hexadecimal: journalled at each load.
    pub hash: String,
    /// What somebody should look at, in order of file and line.
    pub warnings: Vec<Mistake>,
}

impl Config {
    /// How much is said in a channel of this notifier; none when its messages cannot be changed in place.
    #[must_use]
    pub fn chat_budget(&self, notifier: &str) -> Option<ChatBudget> {
        self.connectors.notifiers.iter().find_map(|n| match n {
            NotifierConfig::Slack { name, budget, .. } => (name == notifier).then_some(*budget),
            NotifierConfig::Webhook { .. }
            | NotifierConfig::Smtp { .. }
            | NotifierConfig::Teams { .. }
            | NotifierConfig::Rt { .. }
            | NotifierConfig::Log { .. } => None,
        })
    }

    /// Quiet hours and digest of a channel; none where nothing is said of it.
    #[must_use]
    pub fn channel_rules(&self, notifier: &str, channel: &str) -> Option<&ChannelRules> {
        self.connectors.notifiers.iter().find_map(|n| match n {
            NotifierConfig::Slack { name, channels, .. } => {
                channels.get(channel).filter(|_| name == notifier)
            }
            NotifierConfig::Webhook { .. }
            | NotifierConfig::Smtp { .. }
            | NotifierConfig::Teams { .. }
            | NotifierConfig::Rt { .. }
            | NotifierConfig::Log { .. } => None,
        })
    }

    /// Who makes a change: for a declared call the connector that declares it, for all else the
    /// responder that `policies/containment.yaml` names for its kind.
    #[must_use]
    pub fn responder_for(&self, kind: &ActionKind) -> Option<&str> {
        let declared = if let ActionKind::Call { call, .. } = kind {
            self.connectors.call(call).map(|(with, _)| with.name())
        } else {
            None
        };
        declared.or_else(|| self.containment.responders.get(kind.name()).map(String::as_str))
    }
}

/// The process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Where to listen. Default `127.0.0.1:7878`.
    pub listen: SocketAddr,
    /// Certificate chain and key (PEM files); required when `listen` is not loopback.
    pub tls: Option<TlsFiles>,
    /// Largest request body after decompression, in bytes. Default 8 MiB.
    pub max_body: u64,
    /// Largest ratio of decompressed to compressed size. Default 100.
    pub max_inflate_ratio: u64,
    /// Deliveries waiting for the disk before intake answers 503; one source may have as many there as
    /// places are still free, so half of them at most. Default 1024.
    pub intake_queue: usize,
    /// Longest wait for all look-ups of one alert. Default 2 s.
    pub enrich_deadline: Span,
    /// Requests a second that one caller of the API may send, over ten seconds. Default 200.
    pub requests_per_second: u32,
    /// Where the journal's signed checkpoints and their key lie.
    pub audit: AuditFiles,
    /// Where the key of stored secrets is, and the one before while it is changed.
    pub master_keys: MasterKeys,
    /// How long what lies beside entries is kept. Default: for ever.
    pub retention: crate::retention::Retention,
    /// May the console write playbooks into this folder? Default `auto`.
    pub playbook_edits: PlaybookEdits,
}

/// Whether playbooks may be written through the API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlaybookEdits {
    /// Unless the folder lies in a git work tree: there a change belongs into a commit.
    #[default]
    Auto,
    /// Always, also in a git work tree.
    On,
    /// Never.
    Off,
}

/// PEM files for TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate chain.
    pub cert: String,
    /// Private key.
    pub key: String,
    /// Who signs the certificates of programs; none: nobody is asked for one.
    pub clients: Option<ClientAuthority>,
}

/// A secret by reference: the configuration never holds the secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// The content of a file, without the trailing line break; relative to the configuration folder.
    File(String),
    /// An environment variable.
    Env(String),
    /// A secret that was handed over by API or command line (`stanch secret set`), by its name.
    Stored(String),
}

/// Someone who may use the API, the CLI and, if so marked, approve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The name shown in the journal.
    pub name: String,
    /// Where to read the token, or its SHA-256 in hexadecimal; none for those who sign in otherwise.
    pub token: Option<SecretRef>,
    /// Member of which teams.
    pub teams: BTreeSet<String>,
    /// What this person may do.
    pub role: Role,
    /// The name under which Slack knows them, for example `U012AB3CD`: linked here, by an
    /// administrator, and never by what a message says.
    pub slack: Option<String>,
    /// Their public Ed25519 key, 64 hexadecimal digits: what they sign in advance is checked with it.
    pub key: Option<String>,
    /// Their subject at the provider of `provider`: signing in there, they come in as this person.
    pub subject: Option<String>,
    /// Names of their accounts in directories, beside their own name: never to be locked while they
    /// may approve changes.
    pub accounts: Vec<String>,
}

/// A team and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// The name used in routes.
    pub name: String,
    /// Which notifier.
    pub notifier: String,
    /// To whom.
    pub to: Vec<String>,
}
