//! Steps that learn, compute, call other playbooks and answer.

use super::Reader;
use super::scope::Seen;
use super::step::Read;
use crate::config::yaml::{Node, Value};
use crate::expr::Kind;
use crate::playbook::{StepKind, shape};

impl Reader<'_> {
    pub(super) fn enrich(&mut self, node: &Node, seen: &Seen) -> Option<Read> {
        let fields = node.map(self.m)?;
        fields.finish(&shape::keys("enrich"), self.m);
        let about = fields.required("about", self.m).and_then(|n| self.expr(n, seen, &Kind::Text))?;
        let gives = vec![("facts".to_owned(), Kind::list(Kind::Map))];
        Some(Read { kind: StepKind::Enrich { about }, gives })
    }

    pub(super) fn fetch(&mut self, node: &Node, seen: &mut Seen) -> Option<Read> {
        let fields = node.map(self.m)?;
        fields.finish(&shape::keys("fetch"), self.m);
        let call = fields.required("call", self.m).and_then(|n| n.name(self.m));
        let inputs = fields.optional("with").map_or(Some(Vec::new()), |n| self.exprs(n, seen));
        seen.anything(&self.step);
        Some(Read::plain(StepKind::Fetch { call: call?, inputs: inputs? }))
    }

    pub(super) fn set(&mut self, node: &Node, seen: &Seen) -> Option<Read> {
        let values = self.exprs(node, seen)?;
        if matches!(&node.value, Value::Map(entries) if entries.is_empty()) || node.is_null() {
            self.m.push(node.mistake("`set` computes nothing", "write for example `set: { name: 1 + 1 }`"));
        }
        // Also those that could not be read, so that one mistake does not look like two.
        let fields = node.map(self.m)?;
        let names = fields.entries().iter().map(|(key, _)| key.text.to_string());
        let kind = |name: &str| self.places.kind(&self.step, name).cloned().unwrap_or(Kind::Any);
        let gives = names.map(|name| (name.clone(), kind(&name))).collect();
        Some(Read { kind: StepKind::Set { values }, gives })
    }

    pub(super) fn run(&mut self, node: &Node, seen: &mut Seen) -> Option<Read> {
        let fields = node.map(self.m)?;
        fields.finish(&shape::keys("run"), self.m);
        let playbook = fields.required("playbook", self.m).and_then(|n| n.name(self.m));
        let inputs = fields.optional("with").map_or(Some(Vec::new()), |n| self.exprs(n, seen));
        seen.anything(&self.step);
        Some(Read::plain(StepKind::Call { playbook: playbook?, inputs: inputs? }))
    }

    pub(super) fn reply(&mut self, node: &Node, seen: &Seen) -> Option<Read> {
        if !self.hook {
            let message = "nobody waits for an answer: only a hook is answered";
            self.m.push(node.mistake(message, "write `on: hook` as the trigger, or take the step out"));
        }
        let values = self.exprs(node, seen)?;
        Some(Read::plain(StepKind::Reply { values }))
    }
}
