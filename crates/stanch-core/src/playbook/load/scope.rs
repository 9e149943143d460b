//! What expressions of a playbook can read, and of what kind it is: told step by step, for what a
//! step gives can be read only where it has certainly run.

use std::collections::{BTreeMap, BTreeSet};

use crate::expr::{Kind, Known};
use crate::journal::incident::KINDS;
use crate::playbook::Type;
use crate::stage::kill_chain::Stage;

/// Fields of `run`.
const RUN_FIELDS: [&str; 2] = ["id", "playbook"];

/// Every stage an incident can have reached.
const STAGES: [Stage; 13] = [
    Stage::Unknown,
    Stage::Policy,
    Stage::Reconnaissance,
    Stage::InitialAccess,
    Stage::CredentialAccess,
    Stage::Execution,
    Stage::Persistence,
    Stage::PrivilegeEscalation,
    Stage::DefenseEvasion,
    Stage::LateralMovement,
    Stage::CommandAndControl,
    Stage::Exfiltration,
    Stage::Impact,
];

/// Fields of `incident`, and of what kind they are.
#[must_use]
pub fn incident_kind() -> Kind {
    let texts = || Kind::list(Kind::Text);
    Kind::record([
        ("accounts", Kind::list(Kind::Account)),
        ("alerts", Kind::Int),
        ("assets", texts()),
        ("claims", Kind::Text),
        ("confidence", Kind::Number),
        ("domains", Kind::list(Kind::Domain)),
        ("id", Kind::Text),
        ("kind", Kind::Text),
        ("peer", Kind::Address),
        ("products", texts()),
        ("rules", Kind::Int),
        ("severity", Kind::Int),
        ("site", Kind::Text),
        ("sources", texts()),
        ("stages", texts()),
        ("team", Kind::Text),
        ("techniques", texts()),
        ("title", Kind::Text),
        ("victims", Kind::list(Kind::Address)),
    ])
}

/// Every word `incident.kind` can hold.
#[must_use]
pub fn incident_kinds() -> Vec<&'static str> {
    let mut kinds: Vec<&str> = KINDS.iter().map(|(_, kind)| *kind).chain(["other"]).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// Every word a field of `incident`, or each item of a list field, can hold.
#[must_use]
pub fn incident_words() -> BTreeMap<String, Vec<&'static str>> {
    let stages = STAGES.iter().map(|s| s.words()).collect();
    [("incident.kind".to_owned(), incident_kinds()), ("incident.stages".to_owned(), stages)].into()
}

/// The smallest and the largest value of fields of `incident`.
#[must_use]
pub fn incident_ranges() -> BTreeMap<String, (f64, f64)> {
    let field = |name: &str, low, high| (format!("incident.{name}"), (low, high));
    [
        field("alerts", 1.0, f64::INFINITY),
        field("confidence", 0.0, 1.0),
        field("rules", 1.0, f64::INFINITY),
        field("severity", 0.0, 6.0),
    ]
    .into()
}

/// What an expression at one place of the plan can read.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    known: Known,
    /// What the steps that have certainly run give.
    steps: BTreeMap<String, Kind>,
    /// Steps of which only the run knows what they give.
    open: BTreeSet<String>,
    /// True when a change may have been made before.
    pub(super) acted: bool,
}

impl Seen {
    /// Before the first step. A hook has no incident.
    pub(super) fn start(incident: bool, inputs: &[(String, Kind)]) -> Seen {
        let mut seen =
            Seen { known: Known::default(), steps: BTreeMap::new(), open: BTreeSet::new(), acted: false };
        if incident {
            seen.know("incident", incident_kind());
            seen.known.words = incident_words();
            seen.known.ranges = incident_ranges();
        }
        seen.know("inputs", Kind::record(inputs.iter().cloned()));
        seen.know("run", Kind::record(RUN_FIELDS.map(|f| (f, Kind::Text))));
        seen.know("steps", Kind::record::<&str>([]));
        seen
    }

    /// Only the incident: what the trigger reads.
    pub(super) fn trigger() -> Seen {
        let mut seen = Seen::start(true, &[]);
        seen.known.variables.retain(|name, _| name == "incident");
        seen
    }

    /// One top-level name more, for a loop.
    pub(super) fn know(&mut self, name: &str, kind: Kind) {
        self.known.variables.insert(name.to_owned(), kind);
    }

    /// The top-level names.
    pub(super) fn names(&self) -> Vec<&str> {
        self.known.variables.keys().map(String::as_str).collect()
    }

    /// For the type check.
    pub(super) fn known(&self) -> &Known {
        &self.known
    }

    /// A step that has run from here on. What it gives is certain unless `doubt` says why not.
    pub(super) fn gave(&mut self, id: &str, gives: Vec<(String, Kind)>, doubt: Option<&str>) {
        let mut fields = vec![("failed".to_owned(), Kind::Bool), ("skipped".to_owned(), Kind::Bool)];
        self.known.uncertain.remove(&format!("steps.{id}"));
        for (name, kind) in gives {
            match doubt {
                None => fields.push((name, kind)),
                Some(why) => {
                    self.known.uncertain.insert(format!("steps.{id}.{name}"), (kind, why.to_owned()));
                }
            }
        }
        let kind = match (self.open.contains(id), doubt) {
            (true, None) => Kind::Map,
            (true, Some(why)) => {
                self.known.uncertain.insert(format!("steps.{id}.*"), (Kind::Any, why.to_owned()));
                Kind::record(fields)
            }
            (false, _) => Kind::record(fields),
        };
        self.steps.insert(id.to_owned(), kind);
        self.renew();
    }

    /// A step that may give anything: what a declared call or another playbook answers.
    pub(super) fn anything(&mut self, id: &str) {
        self.open.insert(id.to_owned());
    }

    /// Steps that have not run, or not certainly.
    pub(super) fn doubt<'i>(&mut self, ids: impl IntoIterator<Item = &'i String>, why: &str) {
        for id in ids {
            let kind = self.steps.remove(id).unwrap_or(Kind::Any);
            self.known.uncertain.insert(format!("steps.{id}"), (kind, why.to_owned()));
        }
        self.renew();
    }

    /// After ways of which only one, or none, has been gone: what was known before stays, what was
    /// learnt on the ways is in doubt.
    pub(super) fn after(&mut self, ways: &[Seen], why: &str) {
        for way in ways {
            self.acted |= way.acted;
            for (id, kind) in &way.steps {
                if !self.steps.contains_key(id) {
                    let path = format!("steps.{id}");
                    self.known.uncertain.insert(path, (kind.clone(), why.to_owned()));
                }
            }
            for (path, doubt) in &way.known.uncertain {
                self.known.uncertain.entry(path.clone()).or_insert_with(|| doubt.clone());
            }
        }
    }

    /// After ways that have all been gone to their ends.
    pub(super) fn after_all(&mut self, ways: &[Seen]) {
        for way in ways {
            self.acted |= way.acted;
            for (path, doubt) in &way.known.uncertain {
                self.known.uncertain.entry(path.clone()).or_insert_with(|| doubt.clone());
            }
        }
        for way in ways {
            for (id, kind) in &way.steps {
                self.known.uncertain.remove(&format!("steps.{id}"));
                self.steps.entry(id.clone()).or_insert_with(|| kind.clone());
            }
        }
        self.renew();
    }

    fn renew(&mut self) {
        let steps = Kind::record(self.steps.clone());
        self.know("steps", steps);
    }
}

/// The kind of a declared type.
#[must_use]
pub fn kind_of(of: &Type) -> Kind {
    match of {
        Type::Text => Kind::Text,
        Type::Integer => Kind::Int,
        Type::Number => Kind::Number,
        Type::Bool => Kind::Bool,
        Type::Address => Kind::Address,
        Type::Domain => Kind::Domain,
        Type::Account => Kind::Account,
        Type::Port => Kind::Port,
        Type::List(of) => Kind::list(kind_of(of)),
        Type::Map => Kind::Map,
    }
}
