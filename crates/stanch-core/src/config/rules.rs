//! The firm's rules, as configured: what matters, who answers, how far the machine may go.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use stanch_model::{Span, Timestamp};

use super::Budgets;

/// Dedup, triage and correlation settings.
#[derive(Clone, Debug, PartialEq)]
pub struct TriagePolicy {
    /// A repeat within this time of the last one is counted, not reopened. Default 30 min.
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
    /// How often decisions may be wrong that nobody is asked about. Default: no budgets.
    pub budgets: Budgets,
}

impl Default for TriagePolicy {
    fn default() -> TriagePolicy {
        TriagePolicy {
            dedup_window: Span::mins(30),
            enrich_at: 0.35,
            incident_at: 0.6,
            age_out: Span::hours(24 * 7),
            correlate_gap: Span::hours(4),
            severity_overrides: BTreeMap::new(),
            budgets: Budgets::default(),
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
    /// Kinds of change to which a yes takes a fresh proof of the person. Default none.
    pub fresh_proof_for: BTreeSet<String>,
    /// True: so it does when the blast radius is high or not known. Default false.
    pub fresh_proof_when_high: bool,
    /// How old a proof may be when it is used. Default 5 min.
    pub fresh_proof_within: Span,
    /// Whether those who have a part in a question may answer it. Default [`SelfApproval::WhenAlone`].
    pub self_approval: SelfApproval,
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
            fresh_proof_for: BTreeSet::new(),
            fresh_proof_when_high: false,
            fresh_proof_within: Span::mins(5),
            self_approval: SelfApproval::WhenAlone,
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

/// May those answer a question who have a part in it: who saved its playbook, or began its run?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelfApproval {
    /// Never. Where one person is alone, nobody answers such a question.
    Never,
    /// Only where nobody else in the configuration may decide about changes.
    WhenAlone,
    /// Always.
    Allowed,
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
