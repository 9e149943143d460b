//! What stands outside, as configured: who sends, who is asked, who is told, what may be changed.

use std::collections::BTreeMap;

use ipnet::IpNet;
use stanch_model::Span;

use super::{CallConfig, ResponderConfig, SecretRef, Share};
use crate::chat::{ChannelRules, ChatBudget};

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
    /// How much of intake it may take.
    pub share: Share,
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
        /// Where people reach the console; mails lead there.
        console: Option<String>,
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
        /// What Slack signs its requests with, where clicks come in over HTTP. None by default.
        signing_secret: Option<SecretRef>,
        /// The app-level token, `xapp-…`, where clicks come in over a socket that we open (Socket Mode).
        /// None by default. Without either of the two no button is shown.
        app_token: Option<SecretRef>,
        /// The workspace, for example `T0123ABCD`; answers from others are refused. None: not looked at.
        workspace: Option<String>,
        /// How much is said in one channel before a storm message takes over.
        budget: ChatBudget,
        /// Quiet hours and digests, by channel as teams name it. Default: none, everything is told at once.
        channels: BTreeMap<String, ChannelRules>,
        /// Where people reach the console; messages lead there. None: they carry no link.
        console: Option<String>,
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
