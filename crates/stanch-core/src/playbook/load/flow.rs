//! Steps with steps inside, and waiting.

use stanch_model::Span;

use super::Reader;
use super::expression::short;
use super::scope::Seen;
use super::step::Read;
use crate::config::yaml::{Fields, Node, Value};
use crate::expr::Kind;
use crate::playbook::{Join, Step, StepKind, Wait, shape};

/// Longest wait of one step.
const LONGEST: Span = Span::hours(24 * 90);

impl Reader<'_> {
    pub(super) fn if_else(&mut self, node: &Node, seen: &mut Seen) -> Option<Read> {
        let fields = node.map(self.m)?;
        fields.finish(&shape::keys("if"), self.m);
        let condition = fields.required("condition", self.m).and_then(|n| self.expr(n, seen, &Kind::Bool));
        let mut ways = [seen.clone(), seen.clone()];
        let [yes, no] = &mut ways;
        let then = fields.required("then", self.m).and_then(|n| self.steps(n, yes));
        let otherwise = fields.optional("else").map_or(Some(Vec::new()), |n| self.steps(n, no));
        seen.after(&ways, &format!("it is in one way of `{}`", self.step));
        let (condition, then, otherwise) = (condition?, then?, otherwise?);
        Some(Read::plain(StepKind::If { condition, then, otherwise }))
    }

    pub(super) fn switch(&mut self, node: &Node, seen: &mut Seen) -> Option<Read> {
        let fields = node.map(self.m)?;
        fields.finish(&shape::keys("switch"), self.m);
        let on = fields.required("on", self.m).and_then(|n| {
            let on = self.expr(n, seen, &Kind::Any)?;
            let kind = self.places.kind(&self.step, "on").cloned().unwrap_or(Kind::Any);
            let compares =
                kind.is_text() || matches!(kind, Kind::Any | Kind::Bool | Kind::Int | Kind::Number);
            if !compares {
                let message = format!("`on` must be a text, a number, or true or false, but this is {kind}");
                self.m.push(n.mistake(message, "compare it in an `if` instead"));
                return None;
            }
            Some(on)
        });
        let mut ways = Vec::new();
        let cases = fields.required("cases", self.m).and_then(|n| self.ways(n, seen, &mut ways));
        let default = match fields.optional("default") {
            None => Some(None),
            Some(n) => {
                let mut way = seen.clone();
                let steps = self.steps(n, &mut way);
                ways.push(way);
                steps.map(Some)
            }
        };
        seen.after(&ways, &format!("it is in one way of `{}`", self.step));
        Some(Read::plain(StepKind::Switch { on: on?, cases: cases?, default: default? }))
    }

    pub(super) fn parallel(&mut self, node: &Node, seen: &mut Seen) -> Option<Read> {
        let fields = node.map(self.m)?;
        fields.finish(&shape::keys("parallel"), self.m);
        let until = match fields.optional("until") {
            None => Some(Join::All),
            Some(n) => n.choice("join", &["all", "any"], self.m).map(|word| match word {
                "any" => Join::Any,
                _ => Join::All,
            }),
        };
        let mut ways = Vec::new();
        let list = fields.required("branches", self.m);
        let branches = list.and_then(|n| self.ways(n, seen, &mut ways));
        if let (Some(list), Some([_])) = (list, branches.as_deref()) {
            self.m.push(list.mistake("there is only one branch", "add another one, or take `parallel` away"));
        }
        match until {
            Some(Join::Any) => {
                seen.after(&ways, &format!("`{}` is over when any one branch is", self.step));
            }
            Some(Join::All) | None => seen.after_all(&ways),
        }
        let first = until == Some(Join::Any);
        let gives = first.then(|| ("first".to_owned(), Kind::Text)).into_iter().collect();
        Some(Read { kind: StepKind::Parallel { branches: branches?, until: until? }, gives })
    }

    /// Names and steps; every way begins with what is known before.
    fn ways(&mut self, node: &Node, seen: &Seen, ways: &mut Vec<Seen>) -> Option<Vec<(String, Vec<Step>)>> {
        let fields = node.map(self.m)?;
        if fields.entries().is_empty() {
            self.m.push(
                node.mistake(format!("`{}` is empty", node.name), "write `NAME: [ steps ]` at least once"),
            );
        }
        let mut all = Vec::new();
        for (key, steps) in fields.entries() {
            let mut way = seen.clone();
            self.places.put(&self.step, &format!("case {}", key.text), (key.line, key.column));
            let steps = self.steps(steps, &mut way);
            ways.push(way);
            all.push((key.text.to_string(), steps?));
        }
        Some(all)
    }

    pub(super) fn for_each(&mut self, node: &Node, seen: &mut Seen) -> Option<Read> {
        let fields = node.map(self.m)?;
        fields.finish(&shape::keys("for_each"), self.m);
        let list = fields.required("in", self.m).and_then(|n| self.list(n, seen));
        let of = list.as_ref().map_or(Kind::Any, |(_, of)| of.clone());
        let at_most = self.at_most(&fields);
        let variable = self.variable(&fields, seen);
        let mut way = seen.clone();
        way.know(variable.as_deref().unwrap_or("item"), of);
        let steps = fields.required("steps", self.m).and_then(|n| self.steps(n, &mut way));
        seen.after(&[way], &format!("it is inside `{}`, which may have no rounds", self.step));
        let (variable, list, at_most, steps) = (variable?, list?.0, at_most?, steps?);
        let gives = vec![("rounds".to_owned(), Kind::Int)];
        Some(Read { kind: StepKind::ForEach { variable, list, at_most, steps }, gives })
    }

    /// A list to go through, and the kind of its items.
    fn list(&mut self, node: &Node, seen: &Seen) -> Option<(crate::expr::Expr, Kind)> {
        let expr = self.expr(node, seen, &Kind::Any)?;
        match self.places.kind(&self.step, "in") {
            Some(Kind::List(of)) => Some((expr, (**of).clone())),
            Some(Kind::Any) | None => Some((expr, Kind::Any)),
            Some(other) => {
                let message = format!("`in` must be a list, but this is {other}");
                self.m.push(node.mistake(message, "for one value no `for_each` is needed"));
                None
            }
        }
    }

    fn variable(&mut self, fields: &Fields<'_>, seen: &Seen) -> Option<String> {
        let (name, node) = match fields.optional("as") {
            None => ("item".to_owned(), fields.node()),
            Some(node) => {
                let text = node.string(self.m)?;
                (self.word(&text, (node.line, node.column), &node.file)?, node)
            }
        };
        if seen.names().contains(&name.as_str()) {
            let message = format!("this loop's `{name}` would hide the `{name}` of the loop around it");
            self.m.push(node.mistake(message, "give it a name of its own with `as: NAME`"));
            return None;
        }
        Some(name)
    }

    fn at_most(&mut self, fields: &Fields<'_>) -> Option<u32> {
        let Some(node) = fields.optional("at_most") else {
            let message = format!("`at_most` is missing in `{}`: every loop has a bound", fields.node().name);
            self.m.push(fields.node().mistake(message, "add for example `at_most: 20`"));
            return None;
        };
        node.integer(1..=1000, self.m).and_then(|n| u32::try_from(n).ok())
    }

    pub(super) fn repeat(&mut self, node: &Node, seen: &mut Seen) -> Option<Read> {
        let fields = node.map(self.m)?;
        fields.finish(&shape::keys("repeat"), self.m);
        // The condition is also looked at after a round, when the steps inside have run.
        let condition = fields.required("while", self.m).and_then(|n| self.expr(n, seen, &Kind::Bool));
        let at_most = self.at_most(&fields);
        let every = fields.required("every", self.m);
        let every = every.and_then(|n| n.span_within(Span::secs(1)..=Span::hours(24), self.m));
        let mut way = seen.clone();
        let steps = fields.required("steps", self.m).and_then(|n| self.steps(n, &mut way));
        seen.after(&[way], &format!("it is inside `{}`, which may have no rounds", self.step));
        let (condition, at_most, every, steps) = (condition?, at_most?, every?, steps?);
        Some(Read::plain(StepKind::Repeat { condition, at_most, every, steps }))
    }

    pub(super) fn wait(&mut self, node: &Node, seen: &Seen) -> Option<Read> {
        let wait = match &node.value {
            Value::Map(_) => self.wait_until(node, seen),
            Value::Scalar { .. } | Value::List(_) | Value::Null | Value::Invalid => self.wait_for(node, seen),
        };
        wait.map(|w| Read::plain(StepKind::Wait(w)))
    }

    fn wait_until(&mut self, node: &Node, seen: &Seen) -> Option<Wait> {
        let fields = node.map(self.m)?;
        fields.finish(&shape::keys("wait"), self.m);
        let condition = fields.required("until", self.m).and_then(|n| self.expr(n, seen, &Kind::Bool));
        let at_most = fields.required("at_most", self.m);
        let at_most = at_most.and_then(|n| n.span_within(Span::secs(1)..=LONGEST, self.m));
        Some(Wait::Until { condition: condition?, at_most: at_most? })
    }

    fn wait_for(&mut self, node: &Node, seen: &Seen) -> Option<Wait> {
        let text = node.string(self.m)?;
        if text == "lifted" {
            self.needs_change(node, seen);
            return Some(Wait::Lifted);
        }
        if let Ok(span) = text.parse::<Span>() {
            if span > Span::ZERO && span <= LONGEST {
                return Some(Wait::For(span));
            }
            let message = format!("`wait`: {text} is not between 1ms and 90d");
            self.m.push(node.mistake(message, "choose a time within the range"));
            return None;
        }
        let message = format!("`wait`: \"{}\" is neither a duration nor \"lifted\"", short(&text));
        let help = "write for example 30m, `lifted`, or { until: CEL, at_most: 1h }";
        self.m.push(node.mistake(message, help));
        None
    }
}
