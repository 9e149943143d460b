//! The head of a playbook: labels, trigger, inputs and outputs.

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::Reader;
use super::expression::short;
use super::scope::{Seen, kind_of};
use crate::config::yaml::{Fields, Node, Value};
use crate::config::{Autonomy, Mistake};
use crate::expr::Kind;
use crate::playbook::shape::{self, TYPES};
use crate::playbook::{Param, Playbook, Trigger, Type};

impl Reader<'_> {
    pub(super) fn playbook(mut self, name: &str, text: &str, root: &Node) -> Option<Playbook> {
        let fields = root.map(self.m)?;
        fields.finish(&shape::names(shape::HEADER), self.m);
        self.own_name(name, &fields);
        let summary = fields.required("summary", self.m).and_then(|n| n.string(self.m));
        fields.optional("when").iter().for_each(|node| self.put("when", node));
        let trigger = self.trigger(&fields);
        self.hook = matches!(trigger, Some(Trigger::Hook));
        let autonomy = fields.optional("autonomy").and_then(|n| self.autonomy(n));
        let inputs = fields.optional("inputs").map_or(Some(Vec::new()), |n| self.params(n));
        if let (Some(Trigger::Incident(_)), Some(inputs)) = (&trigger, &inputs) {
            self.all_given(&fields, inputs);
        }
        let kinds = kinds(&fields, inputs.as_deref().unwrap_or_default());
        let mut seen = Seen::start(!self.hook, &kinds);
        let everything = self.all.clone();
        seen.doubt(&everything, "it runs later");
        let steps = fields.required("steps", self.m).and_then(|n| self.steps(n, &mut seen));
        self.step.clear();
        let outputs =
            fields.optional("outputs").map_or(Some(Vec::new()), |n| self.exprs(n, &seen)).unwrap_or_default();
        let labels = |key, what, help, m: &mut Vec<Mistake>| labels(&fields, key, what, help, m);
        let attack = labels("attack", "an ATT&CK technique", "write for example T1071 or T1071.004", self.m);
        let csf = labels("csf", "a NIST CSF 2.0 outcome", "write for example RS.MI-01", self.m);
        let react = labels("react", "a RE&CT action", "write for example RA3101", self.m);
        let sop = fields.required("sop", self.m).and_then(|n| n.string(self.m));
        for (key, _) in fields.entries() {
            self.places.put("", &key.text, (key.line, key.column));
        }
        let hash = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        Some(Playbook {
            name: name.to_owned(),
            summary: summary?,
            hash,
            source: text.to_owned(),
            attack,
            csf,
            react,
            trigger: trigger?,
            autonomy,
            inputs: inputs?,
            outputs,
            steps: steps?,
            sop: sop?,
            places: self.places,
        })
    }

    fn own_name(&mut self, name: &str, fields: &Fields<'_>) {
        if let Some(node) = fields.required("name", self.m)
            && let Some(written) = node.name(self.m)
            && written != name
        {
            self.m.push(node.mistake(
                format!("the playbook is named \"{written}\", but its file \"{name}\""),
                format!("write `name: {name}`, or rename the file"),
            ));
        }
    }

    fn trigger(&mut self, fields: &Fields<'_>) -> Option<Trigger> {
        match (fields.optional("when"), fields.optional("on")) {
            (Some(when), None) => self.expr(when, &Seen::trigger(), &Kind::Bool).map(Trigger::Incident),
            (None, Some(on)) => match on.choice("trigger", &["hook", "called"], self.m)? {
                "hook" => Some(Trigger::Hook),
                _ => Some(Trigger::Called),
            },
            (Some(_), Some(on)) => {
                self.m.push(on.mistake("the playbook has two triggers, `when` and `on`", "keep one of them"));
                None
            }
            (None, None) => {
                self.m.push(fields.node().mistake(
                    "nothing makes this playbook run",
                    "add `when: incident.kind == \"…\"`, `on: hook` or `on: called`",
                ));
                None
            }
        }
    }

    fn autonomy(&mut self, node: &Node) -> Option<Autonomy> {
        const ALL: [Autonomy; 4] = [Autonomy::Observe, Autonomy::Suggest, Autonomy::Approve, Autonomy::Act];
        let words = ALL.map(Autonomy::word);
        let word = node.choice("level", &words, self.m)?;
        ALL.into_iter().find(|a| a.word() == word)
    }

    /// An incident gives a playbook nothing but itself.
    fn all_given(&mut self, fields: &Fields<'_>, inputs: &[Param]) {
        let Some(node) = fields.optional("inputs") else { return };
        for missing in inputs.iter().filter(|p| p.default.is_none()) {
            let message = format!("nothing gives the input `{}` when an incident starts this", missing.name);
            let help = "give it a `default`, or write `on: called` instead of `when`";
            let place = entry(node, &missing.name);
            self.m.push(Mistake::error(&node.file, place, message, help));
        }
    }

    /// Inputs, or the fields of a form.
    pub(super) fn params(&mut self, node: &Node) -> Option<Vec<Param>> {
        let fields = node.map(self.m)?;
        let mut all = Vec::new();
        for (key, value) in fields.entries() {
            let name = self.word(&key.text, (key.line, key.column), &node.file);
            if let (Some(name), Some(param)) = (name, self.param(value)) {
                all.push(Param { name, ..param });
            }
        }
        Some(all)
    }

    fn param(&mut self, node: &Node) -> Option<Param> {
        let fields = node.map(self.m)?;
        fields.finish(&shape::names(shape::PARAM), self.m);
        let kind = fields.required("type", self.m).and_then(|n| self.type_of(n));
        let about = fields.optional("about").and_then(|n| n.string(self.m)).unwrap_or_default();
        let default = fields.optional("default");
        let kind = kind?;
        let default = match default {
            None => None,
            Some(node) => Some(self.value(node, &kind)?),
        };
        Some(Param { name: String::new(), kind, default, about })
    }

    fn type_of(&mut self, node: &Node) -> Option<Type> {
        if let Value::List(items) = &node.value {
            let [item] = &items[..] else {
                let message = "a list has one type of items";
                self.m.push(node.mistake(message, "write for example `type: [address]`"));
                return None;
            };
            return self.type_of(item).map(|of| Type::List(Box::new(of)));
        }
        Some(match node.choice("type", TYPES, self.m)? {
            "text" => Type::Text,
            "integer" => Type::Integer,
            "number" => Type::Number,
            "bool" => Type::Bool,
            "address" => Type::Address,
            "domain" => Type::Domain,
            "account" => Type::Account,
            "port" => Type::Port,
            _ => Type::Map,
        })
    }

    /// A value written out, of a type.
    fn value(&mut self, node: &Node, of: &Type) -> Option<Json> {
        Some(match of {
            Type::Text | Type::Domain | Type::Account | Type::Port => Json::from(node.string(self.m)?),
            Type::Integer => Json::from(node.integer(i64::MIN..=i64::MAX, self.m)?),
            Type::Number => Json::from(node.float(f64::MIN..=f64::MAX, self.m)?),
            Type::Bool => Json::from(node.boolean(self.m)?),
            Type::Address => {
                node.net(self.m)?;
                Json::from(node.string(self.m)?)
            }
            Type::List(of) => {
                let Value::List(items) = &node.value else {
                    let message = format!("`{}` must be a list", node.name);
                    self.m.push(node.mistake(message, "write `[a, b]`, or one `- item` per line"));
                    return None;
                };
                let all: Option<Vec<Json>> = items.iter().map(|item| self.value(item, of)).collect();
                Json::from(all?)
            }
            Type::Map => {
                let fields = node.map(self.m)?;
                let mut all = serde_json::Map::new();
                for (key, value) in fields.entries() {
                    all.insert(key.text.to_string(), Json::from(value.string(self.m)?));
                }
                Json::from(all)
            }
        })
    }
}

/// The kinds of the inputs; one that could not be read may be anything, so that one mistake does not
/// look like two.
fn kinds(fields: &Fields<'_>, inputs: &[Param]) -> Vec<(String, Kind)> {
    let written = match fields.optional("inputs").map(|n| &n.value) {
        Some(Value::Map(entries)) => entries.iter().map(|(k, _)| k.text.to_string()).collect(),
        Some(Value::Scalar { .. } | Value::List(_) | Value::Null | Value::Invalid) | None => Vec::new(),
    };
    let any = written.into_iter().map(|name| (name, Kind::Any));
    let read = inputs.iter().map(|p| (p.name.clone(), kind_of(&p.kind)));
    any.chain(read).collect()
}

/// Where an entry of a map stands.
fn entry(node: &Node, name: &str) -> (usize, usize) {
    let entries = match &node.value {
        Value::Map(entries) => &entries[..],
        Value::Scalar { .. } | Value::List(_) | Value::Null | Value::Invalid => &[],
    };
    let found = entries.iter().find(|(k, _)| &*k.text == name);
    found.map_or((node.line, node.column), |(k, _)| (k.line, k.column))
}

/// A list of labels of the form [`shape::HEADER`] describes; what is not of that form is a mistake.
fn labels(fields: &Fields<'_>, key: &str, what: &str, help: &str, m: &mut Vec<Mistake>) -> Vec<String> {
    let read = fields.optional(key).and_then(|list| {
        list.list(m, |node, m| {
            let label = node.string(m)?;
            if !fits(key, &label) {
                m.push(node.mistake(format!("\"{}\" is not {what}", short(&label)), help));
            }
            Some(label)
        })
    });
    read.unwrap_or_default()
}

fn fits(key: &str, label: &str) -> bool {
    let form = shape::HEADER.iter().find(|k| k.name == key).map(|k| k.form);
    match form {
        Some(shape::Form::Labels(pattern)) => {
            regex::Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(label))
        }
        _ => false,
    }
}
