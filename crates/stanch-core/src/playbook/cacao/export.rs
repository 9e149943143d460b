//! A plan of ours as a CACAO document.
//!
//! Every step becomes a step of the standard, so that other tools can show the flow and people can
//! follow it by hand: changes, calls and questions become actions with a `manual` command. What the
//! standard cannot say (time to live, approvers, retries, expressions in CEL) travels in one
//! extension, and with it the plan's own text, so that [`super::import`] gives back the same plan.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::condition::Condition;
use super::document::{object, text};
use crate::playbook::{Join, OnFailure, Playbook, Step, StepKind, Trigger, Wait};

/// Our extension. A UUID of version 4, drawn once.
const EXTENSION: &str = "extension-definition--3f1d8a52-9c64-4f0b-8f5e-6a7c21b0d4e9";

/// Our name space for identifiers: the same plan has the same identifiers everywhere.
const SPACE: Uuid = Uuid::from_u128(0x7c9e_4d1a_52b8_4a6f_9d03_e5f1_8b27_c640);

/// When a document was made, and by whom.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// The plan's first version, as RFC 3339 with milliseconds.
    pub created: String,
    /// This version.
    pub modified: String,
    /// The organisation's name; its identifier is derived from it.
    pub by: String,
}

/// Writes a plan as a CACAO 2.0 document.
#[must_use]
pub fn export(playbook: &Playbook, stamp: &Stamp) -> Value {
    let mut e = Export { name: &playbook.name, workflow: Map::new(), variables: Map::new(), uncertain: 0 };
    let last = e.end("");
    let first = e.list(&playbook.steps, "", &last);
    let start = e.id("start", "");
    e.workflow.insert(
        start.clone(),
        json!({ "type": "start", "name": "Start", "description": trigger(playbook), "on_completion": first }),
    );
    let agent = e.agent();
    let mut d = json!({
        "type": "playbook",
        "spec_version": "cacao-2.0",
        "id": format!("playbook--{}", e.uuid("playbook", "")),
        "name": playbook.name,
        "description": playbook.summary,
        "playbook_types": ["investigation", "mitigation"],
        "playbook_activities": activities(&playbook.steps),
        "created_by": format!("identity--{}", Uuid::new_v5(&SPACE, stamp.by.as_bytes())),
        "created": stamp.created,
        "modified": stamp.modified,
        "labels": labels(playbook),
        "workflow_start": start,
        "workflow": Value::Object(std::mem::take(&mut e.workflow)),
        "agent_definitions": {
            agent: { "type": "group", "name": "Stanch", "description": "The engine and the teams it asks" }
        },
        "extension_definitions": {
            EXTENSION: {
                "type": "extension-definition",
                "name": "Stanch plan",
                "description": "What CACAO cannot say of a plan: time to live, approvers, retries, CEL",
                "created_by": format!("identity--{}", Uuid::new_v5(&SPACE, b"stanch")),
                "schema": "https://stanch.example/schemas/playbook.schema.json",
                "version": "1.0.0"
            }
        },
        "playbook_extensions": {
            EXTENSION: { "format": "stanch-yaml-1", "hash": playbook.hash, "source": playbook.source }
        },
    });
    if let Some(map) = d.as_object_mut() {
        map.retain(|_, v| v.as_array().is_none_or(|list| !list.is_empty()));
        if !e.variables.is_empty() {
            map.insert("playbook_variables".to_owned(), Value::Object(e.variables));
        }
    }
    d
}

/// The plan inside a document of our own: its name and text. None for documents of others, and for
/// ours when somebody has edited the text without its hash.
pub(super) fn original(d: &Map<String, Value>) -> Option<(String, String)> {
    use sha2::{Digest, Sha256};
    let ours = object(d, "playbook_extensions")?.get(EXTENSION)?.as_object()?;
    let source = text(ours, "source")?;
    let hash: String = Sha256::digest(source.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
    (text(ours, "format") == Some("stanch-yaml-1") && text(ours, "hash") == Some(&hash))
        .then(|| (text(d, "name").unwrap_or("imported").to_owned(), source.to_owned()))
}

fn trigger(playbook: &Playbook) -> String {
    match &playbook.trigger {
        Trigger::Incident(when) => format!("Runs on an incident for which: {}", when.source()),
        Trigger::Hook => "Runs when its hook is called".to_owned(),
        Trigger::Called => "Runs when it is called".to_owned(),
    }
}

fn labels(playbook: &Playbook) -> Vec<String> {
    let all = playbook.attack.iter().chain(&playbook.react).chain(&playbook.csf);
    all.map(|label| label.to_ascii_lowercase()).collect()
}

/// What the steps do, in the standard's words, each once.
fn activities(steps: &[Step]) -> Vec<&'static str> {
    let mut out = std::collections::BTreeSet::new();
    let mut todo: Vec<&Step> = steps.iter().collect();
    while let Some(step) = todo.pop() {
        out.insert(activity(&step.kind));
        todo.extend(children(&step.kind));
    }
    out.into_iter().collect()
}

fn children(kind: &StepKind) -> Vec<&Step> {
    match kind {
        StepKind::If { then, otherwise, .. } => then.iter().chain(otherwise).collect(),
        StepKind::Switch { cases, default, .. } => {
            cases.iter().flat_map(|(_, steps)| steps).chain(default.iter().flatten()).collect()
        }
        StepKind::Parallel { branches, .. } => branches.iter().flat_map(|(_, steps)| steps).collect(),
        StepKind::ForEach { steps, .. } | StepKind::Repeat { steps, .. } => steps.iter().collect(),
        StepKind::Act(_)
        | StepKind::Enrich { .. }
        | StepKind::Fetch { .. }
        | StepKind::Set { .. }
        | StepKind::Wait(_)
        | StepKind::Approve { .. }
        | StepKind::Manual { .. }
        | StepKind::Notify { .. }
        | StepKind::Verify
        | StepKind::Call { .. }
        | StepKind::Reply { .. } => Vec::new(),
    }
}

/// Source: CACAO 2.0, section 3.1.2.
fn activity(kind: &StepKind) -> &'static str {
    match kind {
        StepKind::Act(_) => "restrict-access",
        StepKind::Enrich { .. } | StepKind::Fetch { .. } => "identify-indicators",
        StepKind::Notify { .. } | StepKind::Reply { .. } => "deliver-content",
        StepKind::Approve { .. } | StepKind::Manual { .. } => "execute-operation",
        StepKind::Verify => "analyze-collected-data",
        StepKind::Set { .. } => "compose-content",
        StepKind::If { .. }
        | StepKind::Switch { .. }
        | StepKind::Parallel { .. }
        | StepKind::ForEach { .. }
        | StepKind::Repeat { .. }
        | StepKind::Wait(_)
        | StepKind::Call { .. } => "step-sequence",
    }
}

struct Export<'p> {
    name: &'p str,
    workflow: Map<String, Value>,
    variables: Map<String, Value>,
    /// Conditions that no STIX pattern can say, so far.
    uncertain: usize,
}

impl Export<'_> {
    fn uuid(&self, kind: &str, path: &str) -> Uuid {
        Uuid::new_v5(&SPACE, format!("{}/{kind}/{path}", self.name).as_bytes())
    }

    fn id(&self, kind: &str, path: &str) -> String {
        format!("{kind}--{}", self.uuid(kind, path))
    }

    fn agent(&self) -> String {
        self.id("group", "stanch")
    }

    /// An end of its own for every branch.
    fn end(&mut self, path: &str) -> String {
        let id = self.id("end", path);
        self.workflow.insert(id.clone(), json!({ "type": "end", "name": "End" }));
        id
    }

    /// Writes the steps and returns where they begin; after the last comes `after`.
    fn list(&mut self, steps: &[Step], path: &str, after: &str) -> String {
        let mut next = after.to_owned();
        for step in steps.iter().rev() {
            next = self.step(step, path, &next);
        }
        next
    }

    /// A branch: the steps, and an end of its own.
    fn branch(&mut self, steps: &[Step], path: &str) -> String {
        let end = self.end(path);
        self.list(steps, path, &end)
    }

    fn step(&mut self, step: &Step, path: &str, after: &str) -> String {
        let path = format!("{path}/{}", step.id);
        let kind = self.kind(step, &path);
        let id = self.id(kind.0, &path);
        let mut body = kind.1;
        body.insert("type".to_owned(), json!(kind.0));
        body.insert("name".to_owned(), json!(step.id));
        if !step.about.is_empty() {
            body.insert("description".to_owned(), json!(step.about));
        }
        if let Some(timeout) = step.timeout {
            body.insert("timeout".to_owned(), json!(timeout.0.max(1)));
        }
        match &step.on_failure {
            OnFailure::Steps(steps) => {
                let failed = self.branch(steps, &format!("{path}/failed"));
                body.insert("on_success".to_owned(), json!(after));
                body.insert("on_failure".to_owned(), json!(failed));
            }
            OnFailure::Hand | OnFailure::Continue | OnFailure::Unwind => {
                body.insert("on_completion".to_owned(), json!(after));
            }
        }
        self.workflow.insert(id.clone(), Value::Object(body));
        match &step.when {
            None => id,
            Some(when) => self.skippable(when.source(), &path, id, after),
        }
    }

    /// A step with a condition: a branch around it.
    fn skippable(&mut self, when: &str, path: &str, inner: String, after: &str) -> String {
        let end = self.end(&format!("{path}/when"));
        if let Some(body) = self.workflow.get_mut(&inner).and_then(Value::as_object_mut) {
            for key in ["on_completion", "on_success"] {
                if body.contains_key(key) {
                    body.insert(key.to_owned(), json!(end));
                }
            }
        }
        let id = self.id("if-condition", &format!("{path}/when"));
        let condition = self.condition(when);
        self.workflow.insert(
            id.clone(),
            json!({ "type": "if-condition", "name": "Only when", "condition": condition, "on_true": inner, "on_completion": after }),
        );
        id
    }

    /// A condition in the standard's own words where they can say it; otherwise a variable that
    /// stands for it, explained, set from outside.
    fn condition(&mut self, cel: &str) -> String {
        if let Some(known) = Condition::parse(cel).ok().and_then(|c| c.stix()) {
            return known;
        }
        self.uncertain += 1;
        let name = format!("__condition_{}__", self.uncertain);
        self.variables.insert(
            name.clone(),
            json!({ "type": "bool", "description": format!("True when, in CEL: {cel}"), "value": "false", "external": true }),
        );
        format!("[{name}:value = 'true']")
    }

    fn manual(&self, what: &str, kind: &StepKind) -> (&'static str, Map<String, Value>) {
        let body = json!({
            "commands": [{ "type": "manual", "command": what, "playbook_activity": activity(kind) }],
            "agent": self.agent(),
        });
        ("action", into_map(body))
    }

    fn kind(&mut self, step: &Step, path: &str) -> (&'static str, Map<String, Value>) {
        let kind = &step.kind;
        match kind {
            StepKind::Act(act) => {
                let ttl = act.ttl.map(|t| format!(" for {t}")).unwrap_or_default();
                self.manual(
                    &format!("{}{ttl}, after a yes of {}", act.change.name(), act.approvers.join(" or ")),
                    kind,
                )
            }
            StepKind::Enrich { about } => self.manual(&format!("Find out about {}", about.source()), kind),
            StepKind::Fetch { call, .. } => self.manual(&format!("Ask {call}"), kind),
            StepKind::Set { values } => {
                let all: Vec<String> = values.iter().map(|(k, v)| format!("{k} = {}", v.source())).collect();
                self.manual(&format!("Note: {}", all.join("; ")), kind)
            }
            StepKind::Approve { question, approvers, .. } => {
                self.manual(&format!("Ask {}: {}", approvers.join(" or "), question.source()), kind)
            }
            StepKind::Manual { task, team, .. } => self.manual(&format!("{team}: {}", task.source()), kind),
            StepKind::Notify { team, text } => self.manual(&format!("Tell {team}: {}", text.source()), kind),
            StepKind::Verify => self.manual("Look whether every change is as it should be", kind),
            StepKind::Reply { .. } => self.manual("Answer the caller", kind),
            StepKind::Wait(wait) => self.wait(wait, kind),
            StepKind::Call { playbook, .. } => {
                let id =
                    format!("playbook--{}", Uuid::new_v5(&SPACE, format!("{playbook}/playbook/").as_bytes()));
                ("playbook-action", into_map(json!({ "playbook_id": id })))
            }
            StepKind::If { condition, then, otherwise } => {
                let condition = self.condition(condition.source());
                let on_true = self.branch(then, &format!("{path}/then"));
                let mut body = into_map(json!({ "condition": condition, "on_true": on_true }));
                if !otherwise.is_empty() {
                    body.insert(
                        "on_false".to_owned(),
                        json!(self.branch(otherwise, &format!("{path}/else"))),
                    );
                }
                ("if-condition", body)
            }
            StepKind::Switch { on, cases, default } => {
                self.switch(on.source(), cases, default.as_deref(), path)
            }
            StepKind::Parallel { branches, until } => self.parallel(branches, *until, path),
            StepKind::ForEach { list, steps, .. } => {
                let condition = self.condition(&format!("another one is left in {}", list.source()));
                let on_true = self.branch(steps, &format!("{path}/each"));
                ("while-condition", into_map(json!({ "condition": condition, "on_true": on_true })))
            }
            StepKind::Repeat { condition, steps, .. } => {
                let condition = self.condition(condition.source());
                let on_true = self.branch(steps, &format!("{path}/round"));
                ("while-condition", into_map(json!({ "condition": condition, "on_true": on_true })))
            }
        }
    }

    fn wait(&self, wait: &Wait, kind: &StepKind) -> (&'static str, Map<String, Value>) {
        let (what, delay) = match wait {
            Wait::For(span) => (format!("Wait {span}"), Some(span.0.max(1))),
            Wait::Lifted => ("Wait until every change is lifted".to_owned(), None),
            Wait::Until { condition, at_most } => {
                (format!("Wait until {}, at most {at_most}", condition.source()), None)
            }
        };
        let (step, mut body) = self.manual(&what, kind);
        if let Some(delay) = delay {
            body.insert("delay".to_owned(), json!(delay));
        }
        (step, body)
    }

    fn switch(
        &mut self,
        on: &str,
        cases: &[(String, Vec<Step>)],
        default: Option<&[Step]>,
        path: &str,
    ) -> (&'static str, Map<String, Value>) {
        let name = format!("__{}__", variable_name(on));
        self.variables.insert(
            name.clone(),
            json!({ "type": "string", "description": format!("In CEL: {on}"), "external": true }),
        );
        let mut all = Map::new();
        for (value, steps) in cases {
            all.insert(value.clone(), json!(self.branch(steps, &format!("{path}/case/{value}"))));
        }
        if let Some(steps) = default {
            all.insert("default".to_owned(), json!(self.branch(steps, &format!("{path}/default"))));
        }
        ("switch-condition", into_map(json!({ "switch": name, "cases": all })))
    }

    /// The standard waits for all branches and wants two of them.
    fn parallel(
        &mut self,
        branches: &[(String, Vec<Step>)],
        until: Join,
        path: &str,
    ) -> (&'static str, Map<String, Value>) {
        let next: Vec<String> =
            branches.iter().map(|(name, steps)| self.branch(steps, &format!("{path}/{name}"))).collect();
        let mut body = into_map(json!({ "next_steps": next }));
        if until == Join::Any {
            body.insert("description".to_owned(), json!("Over as soon as one of the branches is over"));
        }
        ("parallel", body)
    }
}

fn into_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

fn variable_name(cel: &str) -> String {
    let name: String =
        cel.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(60).collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { format!("v_{name}") }
}
