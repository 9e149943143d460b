//! Playbooks against the calls an operator has declared: they are there, they do what the step says,
//! they get what they need, and what cannot be taken back is said so.

use crate::config::mistake::suggest;
use crate::config::{CallConfig, CallDoes, Config, InputKind, Mistake};
use crate::expr::{Expr, Kind};
use crate::playbook::{Act, Change, Playbook, Step, StepKind};

/// What is wrong with the declared calls of a playbook.
pub(in crate::config) fn declared(config: &Config, playbook: &Playbook, path: &str, m: &mut Vec<Mistake>) {
    for step in playbook.all_steps() {
        let mut check = Declared { config, playbook, step, path, m };
        if let StepKind::Fetch { call, inputs } = &step.kind {
            check.fetch(call, inputs);
        }
        if let StepKind::Act(act) = &step.kind
            && let Change::Call { call, inputs, .. } = &act.change
        {
            check.change(act, call, inputs);
        }
    }
}

struct Declared<'c> {
    config: &'c Config,
    playbook: &'c Playbook,
    step: &'c Step,
    path: &'c str,
    m: &'c mut Vec<Mistake>,
}

impl<'c> Declared<'c> {
    fn wrong(&mut self, key: &str, message: impl AsRef<str>, help: impl Into<String>) {
        let place = self.playbook.places.of(&self.step.id, key);
        let message = format!("step {}: {}", self.step.id, message.as_ref());
        self.m.push(Mistake::error(self.path, place, message, help));
    }

    fn find(&mut self, name: &str) -> Option<&'c CallConfig> {
        let found = self.config.connectors.call(name).map(|(_, call)| call);
        if found.is_none() {
            let all: Vec<&str> = self
                .config
                .connectors
                .responders
                .iter()
                .flat_map(|r| r.calls().iter().map(|c| c.name.as_str()))
                .collect();
            let message = format!("no call \"{name}\" is declared in connectors/");
            if all.is_empty() {
                // As for a kind of change without a responder: nothing of the sort is wired yet, and the
                // step says so when it runs. Beside other calls an unknown name is a mistake.
                let place = self.playbook.places.of(&self.step.id, ".call");
                let message = format!("step {}: {message}, nor any other", self.step.id);
                let help = "declare it under `calls` of an http or exec responder";
                self.m.push(Mistake::warning(self.path, place, message, help));
            } else {
                self.wrong(".call", message, suggest(name, "calls", all));
            }
        }
        found
    }

    fn fetch(&mut self, name: &str, inputs: &[(String, Expr)]) {
        let Some(call) = self.find(name) else { return };
        if call.changes() {
            self.wrong(
                ".call",
                format!("call {name} changes something, and a `fetch` may not"),
                "write it as a `call` step",
            );
        }
        self.given(call, inputs);
    }

    fn change(&mut self, act: &Act, name: &str, inputs: &[(String, Expr)]) {
        let Some(call) = self.find(name) else { return };
        if !call.changes() {
            self.wrong(".call", format!("call {name} changes nothing"), "write it as a `fetch` step");
        }
        let one_way = matches!(&call.does, CallDoes::Change { revert: None, .. });
        if one_way && act.undo && self.step.compensate.is_empty() {
            let help = "write `undo: none` to say that you know, give steps under `compensate`, or declare a `revert`";
            self.wrong("call", format!("call {name} cannot be taken back, and nothing here says so"), help);
        }
        self.given(call, inputs);
    }

    fn given(&mut self, call: &CallConfig, inputs: &[(String, Expr)]) {
        for (name, expr) in inputs {
            let Some(wanted) = call.inputs.get(name) else {
                let help = suggest(name, "inputs", call.inputs.keys().map(String::as_str));
                self.wrong(".with", format!("call {} has no input \"{name}\"", call.name), help);
                continue;
            };
            let kind = self.playbook.places.kind(&self.step.id, name).cloned().unwrap_or(Kind::Any);
            let wanted = kind_of(wanted);
            if !kind.fits(&wanted) {
                let help = if wanted.is_target() { "free text never becomes a target" } else { "convert it" };
                let message = format!("`{name}` must be {wanted}, but `{}` is {kind}", expr.source());
                self.wrong(".with", message, help);
            }
        }
        for name in call.inputs.keys().filter(|name| !inputs.iter().any(|(given, _)| given == *name)) {
            let message = format!("call {} needs the input `{name}`", call.name);
            self.wrong(".call", message, format!("add `{name}` under `with`"));
        }
    }
}

/// The kind of a declared input.
fn kind_of(of: &InputKind) -> Kind {
    match of {
        InputKind::Text | InputKind::Word | InputKind::Choice(_) => Kind::Text,
        InputKind::Integer => Kind::Int,
        InputKind::Boolean => Kind::Bool,
        InputKind::Address | InputKind::Prefix => Kind::Address,
        InputKind::Domain => Kind::Domain,
    }
}
