//! Playbooks that run each other: they are there, they may be called, they get what they need, and
//! they do not go round in circles.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::Mistake;
use crate::config::mistake::suggest;
use crate::expr::{Expr, Kind};
use crate::playbook::load::kind_of;
use crate::playbook::{Playbook, Step, StepKind, Trigger};

/// What is wrong with the playbooks that a playbook runs. `others` are all of them.
#[must_use]
pub fn calls(playbook: &Playbook, path: &str, others: &[Arc<Playbook>]) -> Vec<Mistake> {
    let mut calls = Calls { others, playbook, path, m: Vec::new() };
    for step in playbook.all_steps() {
        if let StepKind::Call { playbook, inputs } = &step.kind {
            calls.run(step, playbook, inputs);
        }
    }
    calls.circle();
    calls.m
}

struct Calls<'c> {
    others: &'c [Arc<Playbook>],
    playbook: &'c Playbook,
    path: &'c str,
    m: Vec<Mistake>,
}

impl Calls<'_> {
    fn wrong(&mut self, step: &Step, key: &str, message: String, help: impl Into<String>) {
        let place = self.playbook.places.of(&step.id, key);
        self.m.push(Mistake::error(self.path, place, message, help));
    }

    /// Another playbook: it is there, it may be called, and it gets what it needs.
    fn run(&mut self, step: &Step, name: &str, inputs: &[(String, Expr)]) {
        let Some(other) = find(self.others, name) else {
            let names: Vec<&str> = self.others.iter().map(|p| p.name.as_str()).collect();
            let help = suggest(name, "playbooks", names);
            self.wrong(step, ".playbook", format!("step {}: there is no playbook \"{name}\"", step.id), help);
            return;
        };
        if !matches!(other.trigger, Trigger::Called) {
            let message = format!("step {}: playbook {name} does not say that it may be called", step.id);
            self.wrong(step, ".playbook", message, "give it `on: called` as its trigger");
        }
        if matches!(self.playbook.trigger, Trigger::Hook) {
            self.hooked(step, other);
        }
        for (given, expr) in inputs {
            let Some(param) = other.inputs.iter().find(|p| p.name == *given) else {
                let help = suggest(given, "inputs", other.inputs.iter().map(|p| p.name.as_str()));
                let message = format!("step {}: playbook {name} has no input \"{given}\"", step.id);
                self.wrong(step, ".with", message, help);
                continue;
            };
            let kind = self.playbook.places.kind(&step.id, given).cloned().unwrap_or(Kind::Any);
            let wanted = kind_of(&param.kind);
            if !kind.fits(&wanted) {
                let message = format!(
                    "step {}: `{given}` must be {wanted}, but `{}` is {kind}",
                    step.id,
                    expr.source()
                );
                let help = "free text never becomes a target: give what was read as one";
                self.wrong(step, ".with", message, if wanted.is_target() { help } else { "convert it" });
            }
        }
        let missing = other.inputs.iter().filter(|p| p.default.is_none());
        for param in missing.filter(|p| !inputs.iter().any(|(given, _)| *given == p.name)) {
            let message = format!("step {}: playbook {name} needs the input `{}`", step.id, param.name);
            self.wrong(step, ".playbook", message, format!("add `{}` under `with`", param.name));
        }
    }

    /// What a hook runs has no incident either, and changes nothing.
    fn hooked(&mut self, step: &Step, other: &Playbook) {
        if other.all_steps().iter().any(|s| matches!(s.kind, StepKind::Act(_))) {
            let message =
                format!("step {}: playbook {} makes changes, and a hook may not", step.id, other.name);
            let help = "let an incident's playbook run it";
            self.wrong(step, ".playbook", message, help);
        } else if other.source.contains("incident.") {
            let message =
                format!("step {}: playbook {} reads `incident`, and a hook has none", step.id, other.name);
            self.wrong(step, ".playbook", message, "give it inputs instead");
        }
    }

    /// Playbooks that run each other for ever.
    fn circle(&mut self) {
        let mut seen = BTreeSet::new();
        for step in self.playbook.all_steps() {
            let StepKind::Call { playbook: name, .. } = &step.kind else { continue };
            let mut way = vec![name.clone()];
            if leads_back(self.others, &self.playbook.name, &mut way, &mut seen) {
                let way = way.join(", which runs ");
                let message = format!("step {} runs {way}: this never ends", step.id);
                self.wrong(step, ".playbook", message, "take one of these steps out");
            }
        }
    }
}

fn find<'c>(others: &'c [Arc<Playbook>], name: &str) -> Option<&'c Arc<Playbook>> {
    others.iter().find(|p| p.name == name)
}

/// Follows the last playbook of `way`; true when it leads to `home`, with the whole way.
fn leads_back(
    others: &[Arc<Playbook>],
    home: &str,
    way: &mut Vec<String>,
    seen: &mut BTreeSet<String>,
) -> bool {
    let Some(last) = way.last().cloned() else { return false };
    if last == home {
        return true;
    }
    if !seen.insert(last.clone()) {
        return false;
    }
    let Some(playbook) = find(others, &last) else { return false };
    for step in playbook.all_steps() {
        if let StepKind::Call { playbook: next, .. } = &step.kind {
            way.push(next.clone());
            if leads_back(others, home, way, seen) {
                return true;
            }
            way.pop();
        }
    }
    false
}
