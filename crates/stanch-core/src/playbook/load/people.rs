//! Steps that ask or tell people, and `verify`.

use stanch_model::Span;

use super::Reader;
use super::scope::{Seen, kind_of};
use super::step::Read;
use crate::config::yaml::Node;
use crate::expr::Kind;
use crate::playbook::{StepKind, shape};

impl Reader<'_> {
    pub(super) fn approve(&mut self, node: &Node, seen: &Seen) -> Option<Read> {
        let fields = node.map(self.m)?;
        fields.finish(&shape::keys("approve"), self.m);
        let question = fields.required("question", self.m).and_then(|n| self.text(n, seen));
        let approvers = self.approvers(&fields, "question");
        let expires = self.span(&fields, "expires", Span::mins(1)..=Span::hours(24));
        let (question, approvers, expires) = (question?, approvers?, expires?);
        let gives = ["by", "reason"].map(|name| (name.to_owned(), Kind::Text)).into();
        Some(Read { kind: StepKind::Approve { question, approvers, expires }, gives })
    }

    pub(super) fn manual(&mut self, node: &Node, seen: &Seen) -> Option<Read> {
        let fields = node.map(self.m)?;
        fields.finish(&shape::keys("manual"), self.m);
        let task = fields.required("task", self.m).and_then(|n| self.text(n, seen));
        let team = fields.required("team", self.m).and_then(|n| n.name(self.m));
        let form = fields.optional("form").map_or(Some(Vec::new()), |n| self.params(n));
        let expires = self.span(&fields, "expires", Span::mins(1)..=Span::hours(24 * 90));
        let gives = form.iter().flatten().map(|p| (p.name.clone(), kind_of(&p.kind))).collect();
        let kind = StepKind::Manual { task: task?, team: team?, form: form?, expires: expires? };
        Some(Read { kind, gives })
    }

    pub(super) fn notify(&mut self, node: &Node, seen: &Seen) -> Option<Read> {
        let fields = node.map(self.m)?;
        fields.finish(&shape::keys("notify"), self.m);
        let team = fields.required("team", self.m).and_then(|n| n.name(self.m));
        let text = fields.required("text", self.m).and_then(|n| self.text(n, seen));
        Some(Read::plain(StepKind::Notify { team: team?, text: text? }))
    }

    pub(super) fn verify(&mut self, node: &Node, seen: &Seen) -> Option<Read> {
        self.needs_change(node, seen);
        node.choice("scope", &["all"], self.m).map(|_| Read::plain(StepKind::Verify))
    }

    /// `wait: lifted` and `verify: all` need something that was changed.
    pub(super) fn needs_change(&mut self, node: &Node, seen: &Seen) {
        if !seen.acted {
            let message = format!("`{}` comes before any change: there is nothing to look at yet", node.name);
            self.m.push(node.mistake(message, "move it after a change, or take it out"));
        }
    }
}
