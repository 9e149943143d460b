//! A graph of steps, as the standard writes it, to steps inside steps, as people read them.
//!
//! The standard encodes structure as jumps: every branch runs to an `end` of its own, and then the
//! step that branched goes on. Here each branch becomes a list, and what cannot be one is refused: a
//! jump to a step that is not there, a circle that is no `while-condition`, a step that two
//! branches share, a step that nothing leads to.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::check::STEP_TYPES;
use super::document::{object, text, texts};
use super::{Findings, short};

/// Most steps of one document.
const MOST_STEPS: usize = 500;

/// Deepest nesting of branches.
const DEEPEST: usize = 16;

/// Most branches of one step.
const MOST_BRANCHES: usize = 100;

/// One step and what lies inside it.
#[derive(Debug)]
pub(super) struct Node<'d> {
    /// Its key in the document.
    pub id: &'d str,
    /// Its body.
    pub step: &'d Map<String, Value>,
    /// What it is.
    pub kind: Kind<'d>,
    /// Steps when it fails. None: as the playbook says for all.
    pub on_failure: Option<Vec<Node<'d>>>,
}

/// Branches by name.
pub(super) type Branches<'d> = Vec<(&'d str, Vec<Node<'d>>)>;

/// What a step is.
#[derive(Debug)]
pub(super) enum Kind<'d> {
    Action,
    Playbook,
    Parallel(Branches<'d>),
    If { then: Vec<Node<'d>>, otherwise: Vec<Node<'d>> },
    While(Vec<Node<'d>>),
    Switch { cases: Branches<'d>, default: Option<Vec<Node<'d>>> },
}

/// The whole flow: what runs, and what runs when something fails for which nothing else is said.
#[derive(Debug)]
pub(super) struct Flow<'d> {
    pub steps: Vec<Node<'d>>,
    pub exception: Vec<Node<'d>>,
}

/// Reads the flow of a document.
pub(super) fn flow<'d>(d: &'d Map<String, Value>, f: &mut Findings) -> Option<Flow<'d>> {
    let workflow = object(d, "workflow")?;
    if workflow.len() > MOST_STEPS {
        f.refuse(
            "/workflow",
            format!("there are {} steps; at most {MOST_STEPS} are read", workflow.len()),
            "split the playbook into several and call one from the other",
        );
        return None;
    }
    keys(workflow, f);
    let mut walk = Walk { workflow, seen: BTreeSet::new(), ends: BTreeSet::new(), path: Vec::new(), f };
    let steps = walk.list(text(d, "workflow_start")?, "/workflow_start");
    let exception = match text(d, "workflow_exception") {
        Some(id) if workflow.contains_key(id) => walk.list(id, "/workflow_exception"),
        Some(id) => {
            let message = format!("the step \"{}\" is not there", short(id));
            walk.f.warn("/workflow_exception", message, "a failure is handed to a person instead");
            Vec::new()
        }
        None => Vec::new(),
    };
    let (seen, ends) = (walk.seen, walk.ends);
    for (id, step) in workflow {
        if seen.contains(id.as_str()) || ends.contains(id.as_str()) {
            continue;
        }
        let place = format!("/workflow/{}", short(id));
        if step.get("type").and_then(Value::as_str) == Some("end") {
            f.warn(place, "nothing leads to this end", "take it out");
        } else {
            f.refuse(place, "nothing leads to this step", "point an on_completion to it, or take it out");
        }
    }
    Some(Flow { steps, exception })
}

fn keys(workflow: &Map<String, Value>, f: &mut Findings) {
    let mut starts = 0;
    for (id, step) in workflow {
        let place = format!("/workflow/{}", short(id));
        let kind = step.get("type").and_then(Value::as_str).unwrap_or("");
        if !STEP_TYPES.contains(&kind) {
            f.refuse(
                &place,
                format!("a step of type \"{}\" is not known", short(kind)),
                format!("the types are {}", STEP_TYPES.join(", ")),
            );
        } else if id.split_once("--").is_none_or(|(prefix, _)| prefix != kind) {
            f.refuse(
                &place,
                format!("its key does not begin with its type, {kind}"),
                format!("name it {kind}--UUID and point to it by that name"),
            );
        } else {
            super::check::identifier(id, Some(kind), &place, f);
        }
        starts += usize::from(kind == "start");
        variables_and_times(step, &place, f);
    }
    if starts > 1 {
        f.refuse("/workflow", format!("there are {starts} steps of type start"), "keep one");
    }
}

fn variables_and_times(step: &Value, place: &str, f: &mut Findings) {
    let Some(step) = step.as_object() else { return };
    super::check::variables(object(step, "step_variables"), &format!("{place}/step_variables"), f);
    for key in ["timeout", "delay"] {
        match step.get(key).map(Value::as_i64) {
            None => {}
            Some(Some(ms)) if ms > 0 || (ms == 0 && key == "delay") => {}
            Some(_) => f.refuse(
                format!("{place}/{key}"),
                format!("`{key}` is not a number of milliseconds above 0"),
                "leave it out, or write for example 60000",
            ),
        }
    }
}

struct Walk<'d, 'f> {
    workflow: &'d Map<String, Value>,
    /// Steps already placed.
    seen: BTreeSet<&'d str>,
    /// Ends reached.
    ends: BTreeSet<&'d str>,
    /// From the start to here: a step that is on it again closes a circle.
    path: Vec<&'d str>,
    f: &'f mut Findings,
}

impl<'d> Walk<'d, '_> {
    /// Follows a list of steps to its end.
    fn list(&mut self, first: &'d str, from: &str) -> Vec<Node<'d>> {
        let mut out = Vec::new();
        let entered = self.path.len();
        let mut next = Some((first, from.to_owned()));
        while let Some((id, from)) = next.take() {
            let Some(step) = self.step(id, &from) else { break };
            let place = format!("/workflow/{id}");
            let kind = text(step, "type").unwrap_or("");
            if kind == "end" {
                if !self.ends.insert(id) && from != "/workflow_exception" {
                    let message = "several branches end in this one end";
                    self.f.warn(&place, message, "give each branch an end of its own: the standard wants it");
                }
                break;
            }
            if !self.enter(id, &from) {
                break;
            }
            if kind != "start" {
                out.push(self.node(id, step, kind, &place));
            }
            next = self.after(step, &place);
            if next.is_none() {
                self.f.refuse(
                    &place,
                    "nothing follows this step, and it is no end",
                    "add `on_completion`, at least to an end",
                );
            }
        }
        self.path.truncate(entered);
        out
    }

    fn step(&mut self, id: &'d str, from: &str) -> Option<&'d Map<String, Value>> {
        let step = self.workflow.get(id).and_then(Value::as_object);
        if step.is_none() {
            self.f.refuse(
                from,
                format!("it points to \"{}\", and there is no such step", short(id)),
                "add the step to the workflow, or mend the name",
            );
        }
        step
    }

    fn enter(&mut self, id: &'d str, from: &str) -> bool {
        if self.path.contains(&id) {
            self.f.refuse(
                from,
                format!("it leads back to \"{}\": a circle", short(id)),
                "use a while-condition, which has a bound here",
            );
            return false;
        }
        if !self.seen.insert(id) {
            self.f.refuse(
                from,
                format!("it leads to \"{}\", which another branch has already", short(id)),
                "a step belongs to one branch: copy it, or let the step that branches go on to it",
            );
            return false;
        }
        self.path.push(id);
        true
    }

    fn after(&mut self, step: &'d Map<String, Value>, place: &str) -> Option<(&'d str, String)> {
        let (completion, success) = (text(step, "on_completion"), text(step, "on_success"));
        if completion.is_some() && (success.is_some() || step.contains_key("on_failure")) {
            self.f.warn(
                format!("{place}/on_completion"),
                "the standard does not want it beside on_success or on_failure",
                "it is read as on_success",
            );
        }
        match (success, completion) {
            (Some(id), _) => Some((id, format!("{place}/on_success"))),
            (None, Some(id)) => Some((id, format!("{place}/on_completion"))),
            // Some engines let a step that branches end the flow when nothing follows.
            (None, None) if text(step, "type") == Some("parallel") => {
                text(step, "on_failure").map(|id| (id, format!("{place}/on_failure")))
            }
            (None, None) => None,
        }
    }

    fn branch(&mut self, id: Option<&'d str>, from: String) -> Vec<Node<'d>> {
        let Some(id) = id else { return Vec::new() };
        if self.path.len() > DEEPEST * 8 || self.path.len() > MOST_STEPS {
            self.f.refuse(&from, "branches are nested too deep", "call a playbook of its own there");
            return Vec::new();
        }
        self.list(id, &from)
    }

    fn node(&mut self, id: &'d str, step: &'d Map<String, Value>, kind: &str, place: &str) -> Node<'d> {
        let kind = match kind {
            "playbook-action" => Kind::Playbook,
            "parallel" => self.parallel(step, place),
            "if-condition" => {
                if !step.contains_key("on_true") {
                    self.f.refuse(place, "`on_true` is missing", "say what happens when it holds");
                }
                Kind::If {
                    then: self.branch(text(step, "on_true"), format!("{place}/on_true")),
                    otherwise: self.branch(text(step, "on_false"), format!("{place}/on_false")),
                }
            }
            "while-condition" => {
                if !step.contains_key("on_true") {
                    self.f.refuse(place, "`on_true` is missing", "say what happens in each round");
                }
                Kind::While(self.branch(text(step, "on_true"), format!("{place}/on_true")))
            }
            "switch-condition" => self.switch(step, place),
            _ => Kind::Action,
        };
        let on_failure = text(step, "on_failure")
            .filter(|_| !matches!(kind, Kind::Parallel(_)))
            .map(|to| self.branch(Some(to), format!("{place}/on_failure")));
        Node { id, step, kind, on_failure }
    }

    fn parallel(&mut self, step: &'d Map<String, Value>, place: &str) -> Kind<'d> {
        let next = texts(step, "next_steps");
        if next.len() < 2 || next.len() > MOST_BRANCHES {
            self.f.refuse(
                format!("{place}/next_steps"),
                format!("there are {} branches", next.len()),
                format!("between 2 and {MOST_BRANCHES} are read"),
            );
        }
        let branches = next.into_iter().take(MOST_BRANCHES);
        Kind::Parallel(
            branches.map(|id| (id, self.branch(Some(id), format!("{place}/next_steps")))).collect(),
        )
    }

    fn switch(&mut self, step: &'d Map<String, Value>, place: &str) -> Kind<'d> {
        let (mut cases, mut default) = (Vec::new(), None);
        for (value, to) in object(step, "cases").into_iter().flatten() {
            let from = format!("{place}/cases/{}", short(value));
            let Some(to) = to.as_str() else {
                self.f.refuse(from, "a case must name a step", "write its identifier in quotes");
                continue;
            };
            let steps = self.branch(Some(to), from);
            if value == "default" { default = Some(steps) } else { cases.push((value.as_str(), steps)) }
        }
        if cases.is_empty() {
            self.f.refuse(format!("{place}/cases"), "there are no cases", "add at least one");
        }
        Kind::Switch { cases, default }
    }
}
