//! Steps: what all of them have, and which kind each is.

use stanch_model::Span;

use super::scope::Seen;
use super::{MAX_NESTING, MAX_STEPS, Reader};
use crate::config::yaml::{Fields, Node, Value};
use crate::expr::Kind;
use crate::playbook::shape::{self, KINDS, ON_FAILURE};
use crate::playbook::{OnFailure, Retry, Step, StepKind};

/// What was read of a step's kind, and what it gives to later steps.
pub(super) struct Read {
    pub(super) kind: StepKind,
    pub(super) gives: Vec<(String, Kind)>,
}

impl Read {
    pub(super) fn plain(kind: StepKind) -> Read {
        Read { kind, gives: Vec::new() }
    }
}

impl Reader<'_> {
    /// A list of steps, at least one. What they give is in `seen` afterwards.
    pub(super) fn steps(&mut self, list: &Node, seen: &mut Seen) -> Option<Vec<Step>> {
        let items = match &list.value {
            Value::List(items) => &items[..],
            Value::Null => &[],
            Value::Invalid => return None,
            Value::Scalar { .. } | Value::Map(_) => {
                let message = format!("`{}` must be a list of steps", list.name);
                self.m.push(list.mistake(message, "write one `- id: …` per step"));
                return None;
            }
        };
        let whole = self.depth == 0;
        if items.is_empty() {
            let (what, help) = if whole {
                ("the playbook has no steps".to_owned(), "add at least one, for example a `notify`")
            } else {
                (format!("`{}` has no steps", list.name), "add at least one, or take the key out")
            };
            self.m.push(list.mistake(what, help));
        }
        if self.depth >= MAX_NESTING {
            let message = format!("steps are nested more than {MAX_NESTING} deep");
            self.m.push(list.mistake(message, "make a playbook with `on: called` of the inner steps"));
            return None;
        }
        self.depth += 1;
        let around = std::mem::take(&mut self.step);
        let steps = items.iter().filter_map(|item| self.step(item, seen)).collect();
        self.step = around;
        self.depth -= 1;
        if whole && self.ids.len() > MAX_STEPS {
            let message = format!("the playbook has {} steps; at most {MAX_STEPS} are read", self.ids.len());
            self.m.push(list.mistake(message, "split it in two"));
        }
        Some(steps)
    }

    fn step(&mut self, node: &Node, seen: &mut Seen) -> Option<Step> {
        let fields = node.map(self.m)?;
        let id = self.id(&fields);
        self.step = id.clone().unwrap_or_default();
        if id.is_some() {
            self.places.put(&self.step, "", (node.line, node.column));
            for (key, _) in fields.entries() {
                self.places.put(&self.step, &key.text, (key.line, key.column));
            }
        }
        let common = shape::names(shape::STEP);
        let all: Vec<&str> = common.iter().copied().chain(KINDS.iter().map(|k| k.name)).collect();
        fields.finish(&all, self.m);
        let about = fields.optional("about").and_then(|n| n.string(self.m)).unwrap_or_default();
        fields.optional("when").iter().for_each(|node| self.put("when", node));
        let when = fields.optional("when").map(|n| self.expr(n, seen, &Kind::Bool));
        let retry = fields.optional("retry").map_or(Some(Retry::default()), |n| self.retry(n));
        let range = Span::secs(1)..=Span::hours(24 * 90);
        let timeout = fields.optional("timeout").map(|n| n.span_within(range, self.m));
        let before = seen.clone();
        let kind = self.one_kind(&fields, &all, seen);
        let gives = kind.as_ref().map(|k| k.gives.clone()).unwrap_or_default();
        let (on_failure, compensate) = self.aftermath(&fields, &before, seen, &gives);
        self.gave(&when, on_failure.as_ref(), gives, seen);
        Some(Step {
            id: id?,
            about,
            when: when.map_or(Some(None), |w| w.map(Some))?,
            retry: retry?,
            timeout: timeout.map_or(Some(None), |t| t.map(Some))?,
            on_failure: on_failure?,
            compensate: compensate?,
            kind: kind?.kind,
        })
    }

    /// Remembers where the value of a key stands, and for a list where its items stand: `.ttl`,
    /// `.approvers netops`.
    pub(super) fn put(&mut self, key: &str, node: &Node) {
        let step = self.step.clone();
        let place = |node: &Node| match &node.value {
            Value::Scalar { text, quoted: true } if !text.contains('\n') => (node.line, node.column + 1),
            Value::Scalar { .. } | Value::List(_) | Value::Map(_) | Value::Null | Value::Invalid => {
                (node.line, node.column)
            }
        };
        self.places.put(&step, &format!(".{key}"), place(node));
        if let Value::List(items) = &node.value {
            for item in items {
                if let Value::Scalar { text, .. } = &item.value {
                    self.places.put(&step, &format!(".{key} {text}"), place(item));
                }
            }
        }
    }

    fn id(&mut self, fields: &Fields<'_>) -> Option<String> {
        let node = fields.required("id", self.m)?;
        let id = node.name(self.m)?;
        if !self.ids.insert(id.clone()) {
            let message = format!("there are two steps with the id \"{id}\"");
            self.m.push(node.mistake(message, "choose another id"));
        }
        Some(id)
    }

    /// What later steps can read of this one.
    fn gave(
        &mut self,
        when: &Option<Option<crate::expr::Expr>>,
        on_failure: Option<&OnFailure>,
        gives: Vec<(String, Kind)>,
        seen: &mut Seen,
    ) {
        let doubt = match (when, on_failure) {
            (Some(_), _) => Some("the step has a `when` and may have been skipped"),
            (None, Some(OnFailure::Continue | OnFailure::Steps(_))) => {
                Some("the run goes on also when the step has failed")
            }
            (None, Some(OnFailure::Hand | OnFailure::Unwind) | None) => None,
        };
        if !self.step.is_empty() {
            seen.gave(&self.step.clone(), gives, doubt);
        }
    }

    fn retry(&mut self, node: &Node) -> Option<Retry> {
        let fields = node.map(self.m)?;
        fields.finish(&shape::names(shape::RETRY), self.m);
        let times = fields.required("times", self.m).and_then(|n| n.integer(1..=10, self.m));
        let range = Span::secs(1)..=Span::hours(1);
        let wait =
            fields.optional("wait").map_or(Some(Retry::default().wait), |n| n.span_within(range, self.m));
        Some(Retry { times: u32::try_from(times?).ok()?, wait: wait? })
    }

    /// `on_failure` and `compensate`: both see what was before the step, and that the step is over.
    fn aftermath(
        &mut self,
        fields: &Fields<'_>,
        before: &Seen,
        seen: &mut Seen,
        gives: &[(String, Kind)],
    ) -> (Option<OnFailure>, Option<Vec<Step>>) {
        let mut inside = before.clone();
        inside.acted = seen.acted;
        if !self.step.is_empty() {
            inside.gave(
                &self.step.clone(),
                gives.to_vec(),
                Some("the step may have failed before it gave it"),
            );
        }
        let on_failure = match fields.optional("on_failure") {
            None => Some(OnFailure::Hand),
            Some(node) => match &node.value {
                Value::List(_) => {
                    let mut way = inside.clone();
                    let steps = self.steps(node, &mut way).map(OnFailure::Steps);
                    seen.after(&[way], "it runs only after a failure");
                    steps
                }
                Value::Scalar { .. } | Value::Map(_) | Value::Null | Value::Invalid => {
                    node.choice("reaction", ON_FAILURE, self.m).map(|word| match word {
                        "continue" => OnFailure::Continue,
                        "unwind" => OnFailure::Unwind,
                        _ => OnFailure::Hand,
                    })
                }
            },
        };
        let compensate = match fields.optional("compensate") {
            None => Some(Vec::new()),
            Some(node) => {
                let mut way = inside;
                let steps = self.steps(node, &mut way);
                seen.after(&[way], "it runs only when the run is unwound");
                steps
            }
        };
        (on_failure, compensate)
    }

    fn one_kind(&mut self, fields: &Fields<'_>, all: &[&str], seen: &mut Seen) -> Option<Read> {
        let strange = fields.entries().iter().any(|(key, _)| !all.contains(&&*key.text));
        let kinds: Vec<&str> =
            KINDS.iter().map(|k| k.name).filter(|k| fields.optional(k).is_some()).collect();
        match kinds[..] {
            [kind] => fields.optional(kind).and_then(|node| self.kind(kind, node, seen)),
            [] => {
                if !strange {
                    let names: Vec<&str> = KINDS.iter().map(|k| k.name).collect();
                    let help = format!("add one of {}", names.join(", "));
                    self.m.push(fields.node().mistake("this step does nothing", help));
                }
                None
            }
            [first, second, ..] => {
                let message = format!("this step does two things, `{first}` and `{second}`");
                self.m.push(fields.node().mistake(message, "make two steps of it, each with its own id"));
                None
            }
        }
    }

    fn kind(&mut self, kind: &str, node: &Node, seen: &mut Seen) -> Option<Read> {
        if let Value::Map(entries) = &node.value {
            entries.iter().for_each(|(key, value)| self.put(&key.text, value));
        }
        match kind {
            "enrich" => self.enrich(node, seen),
            "fetch" => self.fetch(node, seen),
            "set" => self.set(node, seen),
            "if" => self.if_else(node, seen),
            "switch" => self.switch(node, seen),
            "parallel" => self.parallel(node, seen),
            "for_each" => self.for_each(node, seen),
            "repeat" => self.repeat(node, seen),
            "wait" => self.wait(node, seen),
            "approve" => self.approve(node, seen),
            "manual" => self.manual(node, seen),
            "notify" => self.notify(node, seen),
            "verify" => self.verify(node, seen),
            "run" => self.run(node, seen),
            "reply" => self.reply(node, seen),
            change => self.act(change, node, seen),
        }
    }
}
