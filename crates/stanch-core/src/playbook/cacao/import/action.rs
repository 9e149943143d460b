//! Actions of a document: each command as a step, a call to declare, or a task for people.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::command::{self, Doing};
use super::super::condition;
use super::super::document::{object, text, texts};
use super::super::graph::Node;
use super::super::short;
use super::super::write::Tree;
use super::{Known, Needed, Write, one_line, ours, plain, span, step};

impl Write<'_, '_> {
    pub(super) fn action(&mut self, node: &Node<'_>, id: &str, place: &str, known: &mut Known) -> Vec<Tree> {
        let commands = node.step.get("commands").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut out = Vec::new();
        let many = commands.len() > 1;
        for (n, command) in commands.iter().enumerate() {
            let place = format!("{place}/commands/{n}");
            let Some(command) = command.as_object() else {
                self.f.refuse(place, "a command must be an object", "write {\"type\": \"manual\", …}");
                continue;
            };
            let own = if many && n + 1 < commands.len() {
                self.free(&format!("{id}_{}", n + 1))
            } else {
                id.to_owned()
            };
            let doing = command::command(command, &place, self.f);
            out.push(self.doing(node, &own, doing, &place, known));
        }
        self.gives(node, id, known);
        out
    }

    fn doing(&mut self, node: &Node<'_>, id: &str, doing: Doing, place: &str, known: &Known) -> Tree {
        let about = text(node.step, "description").map(one_line);
        match doing {
            Doing::Http { method, url, body } => self.http(node, id, (&method, &url, &body), place, known),
            Doing::Task(what) => self.task(node, id, &what),
            Doing::Shell(what) => {
                let named = self.binding.programs.get(node.id).or_else(|| self.binding.programs.get(id));
                match named.cloned() {
                    None => self.task(node, id, &format!("Run by hand, if it is right: {what}")),
                    Some(call) => {
                        let args = variables_in(&what);
                        let with = self.with(args.iter().map(String::as_str).collect(), known, place);
                        let mut body = vec![("call".to_owned(), Tree::text(call))];
                        if !with.is_empty() {
                            body.push(("with".to_owned(), Tree::Map(with)));
                        }
                        step(id, about.as_deref(), ("fetch", Tree::Map(body)))
                    }
                }
            }
        }
    }

    fn http(
        &mut self,
        node: &Node<'_>,
        id: &str,
        (method, url, body): (&str, &str, &str),
        place: &str,
        known: &Known,
    ) -> Tree {
        if !["GET", "HEAD", "OPTIONS"].contains(&method) {
            self.f.warn(
                place,
                format!("{method} changes something outside: it becomes a task"),
                "declare the call with its verify and revert in connectors.yaml and use a `call` step",
            );
            return self.task(node, id, &format!("Send by hand: {method} {url} {}", short(body)));
        }
        let args = variables_in(url);
        let with = self.with(args.iter().map(String::as_str).collect(), known, place);
        let mut template = url.to_owned();
        for arg in &args {
            let variable = condition::variable(arg).unwrap_or_default();
            let into = format!("${{{}}}", ours(&variable));
            template = template.replace(&format!("__{variable}__:value"), &into);
            template = template.replace(&format!("__{variable}__"), &into);
        }
        let inputs = with.iter().map(|(k, _)| k.clone()).collect();
        self.f.warn(
            place,
            format!("the call {id} must be declared before the plan can run"),
            format!("add it to `calls` in connectors.yaml: {method} {template}"),
        );
        self.calls.push(Needed { name: id.to_owned(), method: method.to_owned(), url: template, inputs });
        let mut call = vec![("call".to_owned(), Tree::text(id))];
        if !with.is_empty() {
            call.push(("with".to_owned(), Tree::Map(with)));
        }
        step(id, text(node.step, "description").map(one_line).as_deref(), ("fetch", Tree::Map(call)))
    }

    fn task(&mut self, node: &Node<'_>, id: &str, what: &str) -> Tree {
        let agent = text(node.step, "agent").and_then(|a| {
            let defined = object(self.d, "agent_definitions").and_then(|all| all.get(a));
            defined.and_then(|d| d.get("name")).and_then(Value::as_str)
        });
        let who = agent.map(|a| format!(" (agent: {})", short(a))).unwrap_or_default();
        let mut body = vec![
            ("task".to_owned(), Tree::text(format!("{}{who}", plain(what)))),
            ("team".to_owned(), Tree::text(&self.binding.team)),
        ];
        let form: Vec<(String, Tree)> = texts(node.step, "out_args")
            .into_iter()
            .filter_map(condition::variable)
            .map(|variable| {
                let (kind, about) = self.declared(node, &variable);
                let mut field = vec![("type".to_owned(), Tree::text(kind))];
                field.extend(about.map(|about| ("about".to_owned(), Tree::text(about))));
                (ours(&variable), Tree::Map(field))
            })
            .collect();
        if !form.is_empty() {
            body.push(("form".to_owned(), Tree::Map(form)));
        }
        if let Some(ms) = node.step.get("timeout").and_then(Value::as_i64) {
            // A question to a person stands at least a minute.
            body.push(("expires".to_owned(), Tree::text(span(ms.max(60_000)))));
        }
        step(id, text(node.step, "description").map(one_line).as_deref(), ("manual", Tree::Map(body)))
    }
}

/// Variables a text names, `__x__` or `__x__:value`, each once.
fn variables_in(text: &str) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let mut rest = text;
    while let Some(start) = rest.find("__") {
        let after = rest.get(start + 2..).unwrap_or("");
        let Some(end) = after.find("__") else { break };
        let word = format!("__{}__", after.get(..end).unwrap_or(""));
        if condition::variable(&word).is_some() {
            out.insert(word);
            rest = after.get(end + 2..).unwrap_or("");
        } else {
            rest = after;
        }
    }
    out
}
