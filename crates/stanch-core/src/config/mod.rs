//! The configuration folder, compiled: a value in which what is invalid cannot be written.
//!
//! Text comes in as (path, text) pairs; [`compile()`] returns either the whole [`Config`] or
//! *all* mistakes with file, line, column and how to mend them. Nothing here touches the disk.

mod assistant;
mod calls;
mod check;
mod common;
mod compile;
mod connectors;
mod containment;
pub mod init;
pub mod matcher;
pub mod mistake;
mod people;
mod policy;
mod preauthorisations;
mod programs;
mod provider;
mod responders;
mod role;
mod routing;
mod server;
mod sources;
pub mod yaml;

#[cfg(test)]
mod broken;

pub use assistant::AssistantConfig;
pub use calls::{CallConfig, CallDoes, InputKind, RequestConfig};
pub use compile::compile;
pub use matcher::{Subject, all_match};
pub use mistake::Mistake;
pub use preauthorisations::entries as preauthorisation_entries;
pub use programs::{ClientAuthority, Program, subject_name};
pub use provider::{GroupRule, ProviderConfig};
pub use responders::{LdapResponder, OvsResponder, ResponderConfig, RpzResponder};
pub use role::{May, Role};
pub use server::{AuditFiles, MasterKey};
pub use sources::{DEFAULT_SITE, FORMATS, MAPPED_FIELDS, SAMPLE_SITE};
pub use yaml::is_name;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use ipnet::IpNet;
use stanch_model::{ActionKind, Span, Timestamp};

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
    /// Deliveries waiting for the disk before intake answers 503. Default 1024.
    pub intake_queue: usize,
    /// Longest wait for all look-ups of one alert. Default 2 s.
    pub enrich_deadline: Span,
    /// Requests a second that one caller of the API may send, over ten seconds. Default 200.
    pub requests_per_second: u32,
    /// Where the journal's signed checkpoints and their key lie.
    pub audit: AuditFiles,
    /// Where the key of stored secrets is.
    pub master_key: MasterKey,
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

/// One sender of alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceConfig {
    /// The name, as in the URL `/in/NAME`.
    pub name: String,
    /// One of the known formats, or `generic` with a mapping.
    pub format: String,
    /// For `generic`: the mapping, CEL by target field.
    pub mapping: Option<GenericMapping>,
    /// How the sender proves itself. Without one the source is disabled for HTTP.
    pub credential: Option<Credential>,
    /// Whose addresses these are: addresses of different sites are different machines.
    pub site: String,
    /// False when anyone on the path could forge it (UDP syslog); such a source never justifies an
    /// automatic block by itself. Default true.
    pub authenticated: bool,
    /// Silence longer than this is worth an alert of its own; none by default.
    pub silent_after: Option<Span>,
}

/// The generic mapping as written.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct GenericMapping {
    /// CEL giving the list of records in one body; none means each JSON element is a record.
    pub records: Option<String>,
    /// Target field to CEL expression over `event`.
    pub fields: BTreeMap<String, String>,
}

/// How a sender proves itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// `Authorization: Bearer …`
    Bearer(SecretRef),
    /// HMAC-SHA-256 over `timestamp.body`, in hexadecimal; up to two active secrets for rotation.
    Hmac {
        /// The active secrets.
        secrets: Vec<SecretRef>,
        /// Header with the signature, with or without a `sha256=` or `v1=` prefix.
        header: String,
        /// Header with the seconds since 1970; without it only the body is signed.
        timestamp_header: Option<String>,
    },
    /// The `routing_key` of PagerDuty Events v2.
    RoutingKey(SecretRef),
    /// A client certificate with this URI or DNS name in it.
    Certificate(String),
}

/// Connectors as configured; the server builds them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectorsConfig {
    /// Devices we can change.
    pub responders: Vec<ResponderConfig>,
    /// Look-ups, in the order their answers are shown.
    pub enrichers: Vec<EnricherConfig>,
    /// Ways to tell people.
    pub notifiers: Vec<NotifierConfig>,
}

impl ConnectorsConfig {
    /// A declared call, and the responder it is declared with.
    #[must_use]
    pub fn call(&self, name: &str) -> Option<(&ResponderConfig, &CallConfig)> {
        let with = |r| Some((r, ResponderConfig::calls(r).iter().find(|c| c.name == name)?));
        self.responders.iter().find_map(with)
    }
}

/// A look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnricherConfig {
    /// Asset inventory, CSV or YAML.
    Assets {
        /// File, relative to the configuration folder.
        path: String,
    },
    /// A threat-intelligence file: plain list, abuse.ch CSV, Spamhaus DROP or STIX 2.1 bundle.
    Intel {
        /// The feed's name.
        name: String,
        /// File, relative to the configuration folder.
        path: String,
    },
    /// A folder of MISP warninglists, judged by meaning; a small default set is built in.
    Warninglists {
        /// Folder, relative to the configuration folder.
        path: String,
    },
    /// A look-up over HTTP.
    Http {
        /// Name.
        name: String,
        /// URL with `{value}` and `{kind}`.
        url: String,
        /// Observable kinds it knows; empty means all.
        kinds: Vec<String>,
        /// Bearer token, if any.
        token: Option<SecretRef>,
        /// Longest wait. Default 1 s.
        deadline: Span,
        /// Ranges that its name may lead to although they are not on the internet.
        allow_private: Vec<IpNet>,
    },
}

/// A way to tell people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotifierConfig {
    /// Mail by SMTP.
    Smtp {
        /// Name.
        name: String,
        /// Server name or address.
        host: String,
        /// Port. Default 587; 465 with `tls: tls`, 25 with `tls: none`.
        port: u16,
        /// `none`, `starttls` or `tls`. Default `starttls`.
        tls: String,
        /// Sender address.
        from: String,
        /// User name, if the server wants one.
        username: Option<String>,
        /// Password, if the server wants one.
        password: Option<SecretRef>,
    },
    /// Another program, by signed webhooks.
    Webhook {
        /// Name.
        name: String,
        /// Where to send; HTTPS, or HTTP to this machine.
        url: String,
        /// The key, `whsec_` and base64.
        secret: SecretRef,
        /// Ranges that its name may lead to although they are not on the internet.
        allow_private: Vec<IpNet>,
    },
    /// A workspace of Slack; a team's `to` names channels.
    Slack {
        /// Name.
        name: String,
        /// Where Slack's Web API is. Default `https://slack.com/api`.
        url: String,
        /// The bot token.
        token: SecretRef,
        /// What Slack signs its requests with; without it no button is answered.
        signing_secret: Option<SecretRef>,
        /// The workspace, for example `T0123ABCD`; answers from others are refused. None: not looked at.
        workspace: Option<String>,
        /// Ranges that its name may lead to although they are not on the internet.
        allow_private: Vec<IpNet>,
    },
    /// A channel of Microsoft Teams, by a workflow that waits for web requests.
    Teams {
        /// Name.
        name: String,
        /// The workflow's address without its `sig`.
        url: String,
        /// The value of `sig`.
        sig: SecretRef,
        /// Where people reach the console; cards lead there.
        console: Option<String>,
        /// Ranges that its name may lead to although they are not on the internet.
        allow_private: Vec<IpNet>,
    },
    /// A queue of Request Tracker 5.
    Rt {
        /// Name.
        name: String,
        /// Where it is.
        url: String,
        /// An authentication token.
        token: SecretRef,
        /// Queue of new tickets. Default `General`.
        queue: String,
        /// Ranges that its name may lead to although they are not on the internet.
        allow_private: Vec<IpNet>,
    },
    /// The log only.
    Log {
        /// Name.
        name: String,
    },
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

/// Dedup, triage and correlation settings.
#[derive(Clone, Debug, PartialEq)]
pub struct TriagePolicy {
    /// A repeat within this time of the last one is counted, not reopened. Default 24 h.
    pub dedup_window: Span,
    /// Score from which look-ups are made. 0 to 1, default 0.35.
    pub enrich_at: f64,
    /// Score from which an incident is opened. 0 to 1, default 0.6.
    pub incident_at: f64,
    /// Open alerts below the mark are closed after this long without a repeat. Default 7 d.
    pub age_out: Span,
    /// An alert joins an incident whose last activity is at most this far away. Default 4 h.
    pub correlate_gap: Span,
    /// Severity recalibrated per rule: rule uid to OCSF severity id.
    pub severity_overrides: BTreeMap<String, u8>,
    /// Incidents may be closed by themselves once that is earned. Default: never.
    pub auto_close: Option<AutoClose>,
}

/// When an incident may be closed by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AutoClose {
    /// The part of what is closed that may have mattered, at most. 0.0001 to 0.5, no default.
    pub budget: f64,
    /// How sure that bound must be. 0.5 to 0.9999, default 0.95.
    pub confidence: f64,
    /// An incident is left open at least this long, so that what belongs to it can come. Default 30 min.
    pub wait: Span,
}

impl Default for AutoClose {
    fn default() -> AutoClose {
        AutoClose { budget: 0.01, confidence: 0.95, wait: Span::mins(30) }
    }
}

impl Default for TriagePolicy {
    fn default() -> TriagePolicy {
        TriagePolicy {
            dedup_window: Span::hours(24),
            enrich_at: 0.35,
            incident_at: 0.6,
            age_out: Span::hours(24 * 7),
            correlate_gap: Span::hours(4),
            severity_overrides: BTreeMap::new(),
            auto_close: None,
        }
    }
}

/// A test on one field of an alert or incident, in Alertmanager's words.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// `source`, `site`, `product`, `rule`, `severity`, `ip`, `host`, `user`, `team`, `tactic`, `kind`.
    pub field: String,
    /// How to compare.
    pub op: MatchOp,
    /// With what, as written.
    pub value: String,
    /// For `=~` and `!~`: compiled, anchored at both ends.
    pub regex: Option<regex::Regex>,
    /// For `ip`: the value as a prefix, if it is one.
    pub net: Option<IpNet>,
}

/// How a matcher compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchOp {
    /// `=`; for `ip`, contained in.
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
    /// `>=`, for `severity` only
    AtLeast,
}

/// Why alerts are quiet for a while: planned work, or a known nuisance.
#[derive(Clone, Debug)]
pub struct SilenceRule {
    /// Its name, shown as the cause.
    pub name: String,
    /// All must match.
    pub matchers: Vec<Matcher>,
    /// From when; none means always has been.
    pub from: Option<Timestamp>,
    /// Until when: required, nothing is silent for ever.
    pub until: Timestamp,
    /// Who asked for it.
    pub author: String,
    /// Why.
    pub comment: String,
    /// True for planned work (a maintenance window), false for a silence.
    pub maintenance: bool,
}

/// A node of the routing tree: the first child that matches wins, its gaps filled by its parents.
#[derive(Clone, Debug, Default)]
pub struct Route {
    /// All must match; empty matches everything.
    pub matchers: Vec<Matcher>,
    /// Which team answers.
    pub team: Option<String>,
    /// Which escalation policy.
    pub escalation: Option<String>,
    /// How far the machine may go by itself.
    pub autonomy: Option<Autonomy>,
    /// Tried in order.
    pub routes: Vec<Route>,
    /// File and line, for reasons.
    pub place: String,
}

/// How far the machine may go by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Autonomy {
    /// Watch and write down.
    Observe,
    /// Propose.
    Suggest,
    /// Act after one human yes. The default.
    Approve,
    /// Act, where the guard agrees.
    Act,
}

impl Autonomy {
    /// The word used in files and on screens.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Autonomy::Observe => "observe",
            Autonomy::Suggest => "suggest",
            Autonomy::Approve => "approve",
            Autonomy::Act => "act",
        }
    }
}

/// Who is woken, in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EscalationPolicy {
    /// Its name.
    pub name: String,
    /// In order; at least one.
    pub rules: Vec<EscalationRule>,
    /// How often the whole list is gone through. Default 3.
    pub repeat: u32,
}

/// One rung.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EscalationRule {
    /// Teams to notify.
    pub teams: Vec<String>,
    /// How long to wait for an acknowledgement before the next rung.
    pub wait: Span,
}

/// Limits on what may be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainmentPolicy {
    /// Never to be touched, with the reason.
    pub protected: Vec<Protected>,
    /// Default time to live of a change. Default 4 h.
    pub default_ttl: Span,
    /// Longest allowed, renewals included. Default 7 d.
    pub max_ttl: Span,
    /// Changes begun in any ten minutes, of all kinds together. Default 10.
    pub max_per_10_minutes: u32,
    /// Changes in force at once, of all kinds together. Default 200.
    pub max_active: u32,
    /// Tighter caps for some kinds of change, by [`stanch_model::ActionKind::name`].
    pub caps: BTreeMap<String, Caps>,
    /// Narrowest width a person may approve alone: prefix length for IPv4. Default 29.
    pub min_prefix_v4: u8,
    /// The same for IPv6. Default 64.
    pub min_prefix_v6: u8,
    /// Most of our own machines that may be touched without a second look. Default 5.
    pub max_assets_touched: u32,
    /// VLANs that no port may be put into. Default 1, where switches are managed unless somebody
    /// has moved that.
    pub management_vlans: BTreeSet<u16>,
    /// Kinds of change that two people must agree to. Default none.
    pub two_people_for: BTreeSet<String>,
    /// True: so must they when the blast radius is high or not known. Default false.
    pub two_people_when_high: bool,
    /// How far the machine may go with a playbook of which this very version has never completed a
    /// run. Default [`Autonomy::Approve`].
    pub new_playbooks: Autonomy,
    /// How far the machine may go at most; the first rule that fits counts. Never raises what the
    /// route and the playbook allow.
    pub autonomy: Vec<AutonomyRule>,
    /// What happens when a change vanishes before its time. Default [`Drift::Tell`].
    pub drift: Drift,
    /// A change for an incident that is not critical waits this long for a no of the NOC. Default:
    /// it does not wait.
    pub noc_veto: Option<Span>,
    /// Which responder makes which kind of change: `block_address` → `edge-fw`. The kinds are the
    /// names of [`stanch_model::ActionKind`]; a kind that is not here cannot be done.
    pub responders: BTreeMap<String, String>,
    /// Team told of every change: the NOC.
    pub noc_team: Option<String>,
    /// How long an approval may wait. Default 15 min.
    pub approval_expires: Span,
    /// File with the key that seals approvals and permits, outside the database. Default
    /// `approval.key` in the data folder, made at the first start.
    pub seal_key: Option<String>,
}

impl Default for ContainmentPolicy {
    fn default() -> ContainmentPolicy {
        let caps = |kind: &str, per_10_minutes, active| (kind.to_owned(), Caps { per_10_minutes, active });
        ContainmentPolicy {
            protected: Vec::new(),
            default_ttl: Span::hours(4),
            max_ttl: Span::hours(24 * 7),
            max_per_10_minutes: 10,
            max_active: 200,
            // A wrong block slows somebody down; a wrong lock stops a person's work, and a wrong port
            // a machine's.
            caps: BTreeMap::from([
                caps("quarantine_port", 5, 20),
                caps("lock_account", 5, 20),
                caps("unlock_account", 5, 20),
                caps("reset_credential", 3, 20),
                caps("remove_from_group", 5, 20),
            ]),
            min_prefix_v4: 29,
            min_prefix_v6: 64,
            max_assets_touched: 5,
            management_vlans: BTreeSet::from([1]),
            two_people_for: BTreeSet::new(),
            two_people_when_high: false,
            new_playbooks: Autonomy::Approve,
            autonomy: Vec::new(),
            drift: Drift::Tell,
            noc_veto: None,
            responders: BTreeMap::new(),
            noc_team: None,
            approval_expires: Span::mins(15),
            seal_key: None,
        }
    }
}

/// How many changes of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Begun in any ten minutes.
    pub per_10_minutes: u32,
    /// In force at once.
    pub active: u32,
}

/// How far the machine may go at most with some changes. What is empty fits everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutonomyRule {
    /// Names of playbooks.
    pub playbooks: BTreeSet<String>,
    /// Kinds of change.
    pub actions: BTreeSet<String>,
    /// Classes of targets: `external` for what the inventory does not know, a criticality (`low` to
    /// `critical`), or a kind of asset as the inventory calls it.
    pub assets: BTreeSet<String>,
    /// How far.
    pub at_most: Autonomy,
    /// File and line, for reasons.
    pub place: String,
}

/// What happens when a change vanishes before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drift {
    /// People are told. Whoever removed it may have had a reason.
    Tell,
    /// It is made again for the rest of its time, where the guard still agrees, and people are told.
    Repair,
}

/// Something never to be touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protected {
    /// What.
    pub what: Thing,
    /// Why, for people.
    pub why: String,
}

impl Protected {
    /// A protected address or prefix.
    #[must_use]
    pub fn net(net: IpNet, why: impl Into<String>) -> Protected {
        Protected { what: Thing::Net(net), why: why.into() }
    }
}

/// What can be protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thing {
    /// An address or prefix.
    Net(IpNet),
    /// An account; without a realm, in every realm.
    Account(String),
    /// A group.
    Group(String),
    /// A name, all names below it, and so all above it.
    Domain(String),
    /// A port of a switch.
    Port(String),
}

impl Thing {
    /// As people write it.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Thing::Net(net) => stanch_model::action::plain(net),
            Thing::Account(name) => format!("account {name}"),
            Thing::Group(name) => format!("group {name}"),
            Thing::Domain(name) => name.clone(),
            Thing::Port(name) => format!("port {name}"),
        }
    }
}
