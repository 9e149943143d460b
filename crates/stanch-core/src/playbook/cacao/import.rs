//! A CACAO document as a plan of ours, in YAML, for a person to read, bind and check.

mod action;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::condition::{self, Condition};
use super::document::{object, text, texts};
use super::graph::{self, Kind, Node};
use super::write::{Tree, yaml};
use super::{Finding, Findings, check, document, export, short, slug};

/// Most rounds of an imported loop: the standard sets no bound, and we do nothing without one.
const ROUNDS: i64 = 100;

/// What the standard leaves open and the operator decides.
#[derive(Clone, Debug, Default)]
pub struct Binding {
    /// The team that gets tasks and questions.
    pub team: String,
    /// Programs an operator has declared, by the step they stand for: its key in the document or
    /// its name here. Shell commands of other steps are never run.
    pub programs: BTreeMap<String, String>,
    /// Playbooks of ours, by the identifier a `playbook-action` calls.
    pub playbooks: BTreeMap<String, String>,
}

/// A call that must be declared before the plan can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    /// The name the plan uses.
    pub name: String,
    /// HTTP method.
    pub method: String,
    /// URL, with variables as `${name}`.
    pub url: String,
    /// Its inputs.
    pub inputs: Vec<String>,
}

/// What came of an import.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The playbook's name here.
    pub name: String,
    /// The plan in YAML. None when the document is refused.
    pub yaml: Option<String>,
    /// All there is to say; at least one is a refusal when `yaml` is none.
    pub findings: Vec<Finding>,
    /// Calls to declare in connectors.yaml.
    pub calls: Vec<Needed>,
}

/// Reads a CACAO 2.0 document.
#[must_use]
pub fn import(text_: &str, binding: &Binding) -> Imported {
    let mut f = Findings::default();
    let refused = |name: String, f: Findings| Imported { name, yaml: None, findings: f.0, calls: Vec::new() };
    let Some(d) = document::read(text_, &mut f) else { return refused("imported".into(), f) };
    let name = slug(text(&d, "name").unwrap_or(""), "imported");
    check::document(&d, &mut f);
    references(&d, &mut f);
    if !f.refused()
        && let Some(ours) = export::original(&d)
    {
        return Imported { name: ours.0, yaml: Some(ours.1), findings: f.0, calls: Vec::new() };
    }
    let flow = graph::flow(&d, &mut f);
    let Some(flow) = flow.filter(|_| !f.refused()) else { return refused(name, f) };
    let mut write =
        Write { d: &d, binding, f: &mut f, ids: BTreeSet::new(), inputs: BTreeMap::new(), calls: Vec::new() };
    write.declare(object(&d, "playbook_variables"));
    let mut known = BTreeMap::new();
    let steps = write.list(&flow.steps, &mut known);
    if steps.is_empty() {
        write.f.refuse("/workflow", "nothing is done between start and end", "add an action");
    }
    let (inputs, calls) = (std::mem::take(&mut write.inputs), std::mem::take(&mut write.calls));
    if f.refused() {
        return refused(name, f);
    }
    let sop = notes(&d, &flow, &f);
    let summary = text(&d, "description").filter(|s| !s.trim().is_empty()).or(text(&d, "name"));
    let mut plan = vec![
        ("name".to_owned(), Tree::text(&name)),
        ("summary".to_owned(), Tree::text(one_line(summary.unwrap_or(&name)))),
        ("on".to_owned(), Tree::text("called")),
    ];
    if !inputs.is_empty() {
        plan.push(("inputs".to_owned(), Tree::Map(inputs.into_iter().map(|(k, v)| (k, v.tree)).collect())));
    }
    plan.push(("steps".to_owned(), Tree::List(steps)));
    plan.push(("sop".to_owned(), Tree::text(sop)));
    Imported { name, yaml: Some(yaml(&Tree::Map(plan))), findings: f.0, calls }
}

/// Agents and targets that steps name must be defined.
fn references(d: &Map<String, Value>, f: &mut Findings) {
    for (id, step) in object(d, "workflow").into_iter().flatten() {
        let Some(step) = step.as_object() else { continue };
        let place = format!("/workflow/{}", short(id));
        let mut named: Vec<(&str, &str)> = text(step, "agent").map(|a| ("agent", a)).into_iter().collect();
        named.extend(texts(step, "targets").into_iter().map(|t| ("targets", t)));
        for (key, name) in named {
            let defined = |list: &str| object(d, list).is_some_and(|all| all.contains_key(name));
            if !defined("agent_definitions") && !defined("target_definitions") {
                f.refuse(
                    format!("{place}/{key}"),
                    format!("\"{}\" is defined nowhere", short(name)),
                    "add it to agent_definitions or target_definitions",
                );
            }
        }
        if text(step, "type") == Some("action") {
            let commands = step.get("commands").and_then(Value::as_array);
            if commands.is_none_or(Vec::is_empty) {
                f.refuse(format!("{place}/commands"), "an action without commands", "add at least one");
            }
            if !step.contains_key("agent") {
                f.refuse(format!("{place}/agent"), "an action without an agent", "say who carries it out");
            }
        }
    }
}

struct Input {
    tree: Tree,
    /// The name of its type here.
    kind: &'static str,
}

/// Where variables are given by steps that certainly ran before: variable → `steps.ID.NAME`, and
/// whether it is a number or yes-or-no there.
type Known = BTreeMap<String, (String, bool)>;

struct Write<'d, 'f> {
    d: &'d Map<String, Value>,
    binding: &'f Binding,
    f: &'f mut Findings,
    ids: BTreeSet<String>,
    inputs: BTreeMap<String, Input>,
    calls: Vec<Needed>,
}

/// A variable's name as ours are: `__Some-Name__` → `some_name`.
fn ours(variable: &str) -> String {
    let low = variable.trim_matches('_').to_ascii_lowercase();
    let out: String = low.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if out.starts_with(|c: char| c.is_ascii_alphabetic()) { out } else { format!("v_{out}") }
}

/// Types of variables, theirs and ours.
///
/// Source: CACAO 2.0, section 10.18.
fn kind_of(theirs: &str) -> &'static str {
    match theirs {
        "bool" => "bool",
        "integer" | "long" => "integer",
        "float" => "number",
        "ipv4-addr" | "ipv6-addr" => "address",
        "dictionary" => "map",
        _ => "text",
    }
}

impl Write<'_, '_> {
    fn declare(&mut self, variables: Option<&Map<String, Value>>) {
        for (name, body) in variables.into_iter().flatten() {
            let (Some(name), Some(body)) = (condition::variable(name), body.as_object()) else { continue };
            let kind = kind_of(text(body, "type").unwrap_or("string"));
            let mut entries = vec![("type".to_owned(), Tree::text(kind))];
            if let Some(default) = text(body, "value").and_then(|v| typed(kind, v)) {
                entries.push(("default".to_owned(), default));
            }
            if let Some(about) = text(body, "description").filter(|a| !a.trim().is_empty()) {
                entries.push(("about".to_owned(), Tree::text(one_line(about))));
            }
            self.inputs.insert(ours(&name), Input { tree: Tree::Map(entries), kind });
        }
    }

    /// Where a variable's value lies, and whether it is a number or yes-or-no there.
    fn place_of(&mut self, variable: &str, known: &Known, place: &str) -> (String, bool) {
        let name = ours(variable);
        if let Some(given) = known.get(&name) {
            return given.clone();
        }
        if !self.inputs.contains_key(&name) {
            self.f.warn(
                place,
                format!("the variable __{}__ is declared nowhere", short(variable)),
                "it becomes an input that must be given",
            );
            let tree = Tree::one("type", Tree::text("text"));
            self.inputs.insert(name.clone(), Input { tree, kind: "text" });
        }
        let bare = self.inputs.get(&name).is_some_and(|i| ["integer", "number", "bool"].contains(&i.kind));
        (format!("inputs.{name}"), bare)
    }

    fn id(&mut self, node: &Node<'_>) -> String {
        let kind = text(node.step, "type").unwrap_or("step");
        // Expressions read steps by name, and a dash would be a minus there.
        let wanted = slug(text(node.step, "name").unwrap_or(""), kind).replace('-', "_");
        self.free(&wanted)
    }

    fn free(&mut self, wanted: &str) -> String {
        let mut id = wanted.to_owned();
        let mut n = 2;
        while !self.ids.insert(id.clone()) {
            id = format!("{wanted}_{n}");
            n += 1;
        }
        id
    }

    /// Steps of one branch. Where a step has a way for failure, what follows it moves into the other
    /// arm: in the standard that way takes the place of the rest.
    fn list(&mut self, nodes: &[Node<'_>], known: &mut Known) -> Vec<Tree> {
        let mut out = Vec::new();
        for (i, node) in nodes.iter().enumerate() {
            let id = self.id(node);
            let place = format!("/workflow/{}", node.id);
            if let Some(ms) = node.step.get("delay").and_then(Value::as_i64).filter(|ms| *ms > 0) {
                let wait = self.free(&format!("{id}_delay"));
                out.push(step(&wait, None, ("wait", Tree::text(span(ms)))));
            }
            let rest = nodes.get(i + 1..).unwrap_or_default();
            match &node.on_failure {
                None => out.extend(self.node(node, &id, &place, None, known)),
                Some(otherwise) => {
                    let made = self.node(node, &id, &place, Some("continue"), known);
                    out.extend(made);
                    let mut branch = known.clone();
                    let failed = self.list(otherwise, &mut branch);
                    let rest = self.list(rest, known);
                    let id_of = |t: Option<&Tree>| match t {
                        Some(Tree::Map(entries)) => entries.first().map(|(_, v)| v.clone()),
                        _ => None,
                    };
                    let Some(Tree::Text(tried)) = id_of(out.last()) else { return out };
                    let check = self.free(&format!("{id}_failed"));
                    out.extend(fork(&check, &format!("steps.{tried}.failed"), failed, rest));
                    return out;
                }
            }
        }
        out
    }

    fn node(
        &mut self,
        node: &Node<'_>,
        id: &str,
        place: &str,
        on_failure: Option<&str>,
        known: &mut Known,
    ) -> Vec<Tree> {
        self.declare_local(node, known);
        let about = text(node.step, "description").map(one_line);
        let mut made = match &node.kind {
            Kind::Action => self.action(node, id, place, known),
            Kind::Playbook => self.call(node, id, place, known),
            Kind::Parallel(branches) => {
                let mut all = Vec::new();
                for (n, (_, steps)) in branches.iter().enumerate() {
                    let steps = self.list(steps, &mut known.clone());
                    if !steps.is_empty() {
                        all.push((format!("branch-{}", n + 1), Tree::List(steps)));
                    }
                }
                match all.len() {
                    0 => Vec::new(),
                    1 => match all.remove(0).1 {
                        Tree::List(steps) => steps,
                        other => vec![other],
                    },
                    _ => {
                        let body = Tree::Map(vec![
                            ("until".to_owned(), Tree::text("all")),
                            ("branches".to_owned(), Tree::Map(all)),
                        ]);
                        vec![step(id, about.as_deref(), ("parallel", body))]
                    }
                }
            }
            Kind::If { then, otherwise } => {
                let condition = self.condition(node.step, place, known);
                let then = self.list(then, &mut known.clone());
                let otherwise = self.list(otherwise, &mut known.clone());
                fork(id, &condition, then, otherwise)
            }
            Kind::While(steps) => self.repeat(node, id, steps, place, known),
            Kind::Switch { cases, default } => {
                self.switch(node, id, (cases, default.as_deref()), place, known)
            }
        };
        let timeout = node.step.get("timeout").and_then(Value::as_i64);
        if let Some(Tree::Map(entries)) = made.last_mut() {
            let manual = entries.iter().any(|(k, _)| k == "manual");
            if let Some(ms) = timeout.filter(|_| !manual) {
                entries.push(("timeout".to_owned(), Tree::text(span(ms))));
            }
            if let Some(on_failure) = on_failure {
                entries.push(("on_failure".to_owned(), Tree::text(on_failure)));
            }
        }
        made
    }

    /// Variables of one step: those it gives are its own; the others become inputs.
    fn declare_local(&mut self, node: &Node<'_>, known: &Known) {
        let given: BTreeSet<String> =
            texts(node.step, "out_args").into_iter().filter_map(condition::variable).collect();
        let Some(all) = object(node.step, "step_variables") else { return };
        let mine: Map<String, Value> = all
            .iter()
            .filter(|(name, _)| {
                condition::variable(name)
                    .is_some_and(|n| !given.contains(&n) && !known.contains_key(&ours(&n)))
            })
            .map(|(name, body)| (name.clone(), body.clone()))
            .collect();
        self.declare(Some(&mine));
    }

    fn condition(&mut self, body: &Map<String, Value>, place: &str, known: &Known) -> String {
        let place = format!("{place}/condition");
        let Some(source) = text(body, "condition") else {
            self.f.refuse(&place, "`condition` is missing", "write for example __count__:value > 3");
            return "false".to_owned();
        };
        let read = match Condition::parse(source) {
            Ok(read) => read,
            Err(why) => {
                let message = format!("the condition \"{}\" cannot be read: {why}", short(source));
                self.f.refuse(&place, message, "write for example [__count__:value > 3]");
                return "false".to_owned();
            }
        };
        let mut places = BTreeMap::new();
        for variable in read.variables() {
            let at = self.place_of(variable, known, &place);
            places.insert(variable.to_owned(), at);
        }
        let name = |v: &str| places.get(v).cloned().unwrap_or_default();
        match read.cel(&name) {
            Ok(cel) => cel,
            Err(why) => {
                self.f.refuse(
                    &place,
                    format!("the condition cannot be said in CEL: {why}"),
                    "write it otherwise",
                );
                "false".to_owned()
            }
        }
    }

    fn repeat(
        &mut self,
        node: &Node<'_>,
        id: &str,
        steps: &[Node<'_>],
        place: &str,
        known: &Known,
    ) -> Vec<Tree> {
        let condition = self.condition(node.step, place, known);
        let steps = self.list(steps, &mut known.clone());
        if steps.is_empty() {
            self.f.refuse(place, "a loop in which nothing is done", "give it steps, or take it out");
        }
        self.f.warn(
            place,
            format!("the standard sets no bound; here it fails after {ROUNDS} rounds, one a minute"),
            "set `at_most` and `every` to what fits",
        );
        let body = Tree::Map(vec![
            ("while".to_owned(), Tree::text(condition)),
            ("at_most".to_owned(), Tree::Number(ROUNDS)),
            ("every".to_owned(), Tree::text("1m")),
            ("steps".to_owned(), Tree::List(steps)),
        ]);
        vec![step(id, text(node.step, "description").map(one_line).as_deref(), ("repeat", body))]
    }

    fn switch(
        &mut self,
        node: &Node<'_>,
        id: &str,
        (cases, default): (&graph::Branches<'_>, Option<&[Node<'_>]>),
        place: &str,
        known: &Known,
    ) -> Vec<Tree> {
        let place = format!("{place}/switch");
        let Some(variable) = text(node.step, "switch").and_then(condition::variable) else {
            self.f.refuse(&place, "`switch` must name a variable", "write __name__");
            return Vec::new();
        };
        let (on, _) = self.place_of(&variable, known, &place);
        let mut all = Vec::new();
        for (value, steps) in cases {
            let steps = self.list(steps, &mut known.clone());
            let steps = if steps.is_empty() { vec![self.nothing(id)] } else { steps };
            all.push(((*value).to_owned(), Tree::List(steps)));
        }
        let default = default.map(|steps| self.list(steps, &mut known.clone())).unwrap_or_default();
        let default = if default.is_empty() { vec![self.nothing(id)] } else { default };
        let body = Tree::Map(vec![
            ("on".to_owned(), Tree::text(on)),
            ("cases".to_owned(), Tree::Map(all)),
            ("default".to_owned(), Tree::List(default)),
        ]);
        vec![step(id, text(node.step, "description").map(one_line).as_deref(), ("switch", body))]
    }

    /// A step that does nothing, where the standard allows a way to be empty.
    fn nothing(&mut self, id: &str) -> Tree {
        let id = self.free(&format!("{id}_nothing"));
        step(&id, None, ("set", Tree::one("done", Tree::text("true"))))
    }

    fn call(&mut self, node: &Node<'_>, id: &str, place: &str, known: &mut Known) -> Vec<Tree> {
        let called = text(node.step, "playbook_id").unwrap_or("");
        let name = self.binding.playbooks.get(called).cloned().unwrap_or_else(|| {
            let uuid = called.split_once("--").map_or(called, |(_, uuid)| uuid);
            let name = format!("playbook-{}", slug(uuid, "unknown").chars().take(8).collect::<String>());
            self.f.warn(
                format!("{place}/playbook_id"),
                format!("it calls {}, and no playbook of ours is bound to it", short(called)),
                format!("import it under the name {name}, or bind it with --playbook ID=NAME"),
            );
            name
        });
        let with = self.with(texts(node.step, "in_args"), known, place);
        let mut body = vec![("playbook".to_owned(), Tree::text(name))];
        if !with.is_empty() {
            body.push(("with".to_owned(), Tree::Map(with)));
        }
        self.gives(node, id, known);
        vec![step(id, text(node.step, "description").map(one_line).as_deref(), ("run", Tree::Map(body)))]
    }

    fn with(&mut self, args: Vec<&str>, known: &Known, place: &str) -> Vec<(String, Tree)> {
        let names: BTreeSet<String> = args.into_iter().filter_map(condition::variable).collect();
        names.into_iter().map(|v| (ours(&v), Tree::text(self.place_of(&v, known, place).0))).collect()
    }

    /// What later steps may read of this one.
    fn gives(&self, node: &Node<'_>, id: &str, known: &mut Known) {
        for variable in texts(node.step, "out_args").into_iter().filter_map(condition::variable) {
            let (name, kind) = (ours(&variable), self.declared(node, &variable).0);
            let bare = ["integer", "number", "bool"].contains(&kind);
            known.insert(name.clone(), (format!("steps.{id}.{name}"), bare));
        }
    }

    /// The type of a variable here, and what its author says about it.
    fn declared(&self, node: &Node<'_>, variable: &str) -> (&'static str, Option<String>) {
        let key = format!("__{variable}__");
        let local = object(node.step, "step_variables").and_then(|l| l.get(&key));
        let found = local.or_else(|| object(self.d, "playbook_variables").and_then(|g| g.get(&key)));
        let found = found.and_then(Value::as_object);
        let kind = kind_of(found.and_then(|d| text(d, "type")).unwrap_or("string"));
        (kind, found.and_then(|d| text(d, "description")).map(one_line))
    }
}

/// Both ways of a condition; a way without steps is left out.
fn fork(id: &str, condition: &str, then: Vec<Tree>, otherwise: Vec<Tree>) -> Vec<Tree> {
    let (condition, then, otherwise) = match (then.is_empty(), otherwise.is_empty()) {
        (true, true) => return Vec::new(),
        (true, false) => (format!("!({condition})"), otherwise, Vec::new()),
        (false, _) => (condition.to_owned(), then, otherwise),
    };
    let mut body =
        vec![("condition".to_owned(), Tree::text(condition)), ("then".to_owned(), Tree::List(then))];
    if !otherwise.is_empty() {
        body.push(("else".to_owned(), Tree::List(otherwise)));
    }
    vec![step(id, None, ("if", Tree::Map(body)))]
}

fn step(id: &str, about: Option<&str>, (kind, body): (&str, Tree)) -> Tree {
    let mut entries = vec![("id".to_owned(), Tree::text(id))];
    if let Some(about) = about.filter(|a| !a.is_empty()) {
        entries.push(("about".to_owned(), Tree::text(about)));
    }
    entries.push((kind.to_owned(), body));
    Tree::Map(entries)
}

fn typed(kind: &str, value: &str) -> Option<Tree> {
    match kind {
        _ if value.is_empty() => None,
        "integer" => value.trim().parse().ok().map(Tree::Number),
        "bool" => value.trim().parse().ok().map(Tree::Bool),
        "address" => (value.parse::<std::net::IpAddr>().is_ok() || value.parse::<ipnet::IpNet>().is_ok())
            .then(|| Tree::text(value)),
        "text" => Some(Tree::text(plain(value))),
        _ => None,
    }
}

/// `${{` would be filled in here, and never was meant to be.
fn plain(text: &str) -> String {
    text.replace("${{", "$ {{")
}

fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    plain(&line.chars().take(240).collect::<String>())
}

/// In the largest unit that says it exactly.
fn span(ms: i64) -> String {
    let units = [(3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let exact = units.iter().find(|(unit, _)| ms % unit == 0);
    exact.map_or_else(|| format!("{ms}ms"), |(unit, name)| format!("{}{name}", ms / unit))
}

/// What a person should know of where this came from.
fn notes(d: &Map<String, Value>, flow: &graph::Flow<'_>, f: &Findings) -> String {
    let mut out = vec!["Where it comes from".to_owned()];
    for (words, key) in [
        ("CACAO 2.0", "id"),
        ("name", "name"),
        ("by", "created_by"),
        ("version of", "modified"),
        ("description", "description"),
    ] {
        if let Some(value) = text(d, key).filter(|v| !v.is_empty()) {
            out.push(format!("  {words}: {}", one_line(value)));
        }
    }
    for key in ["priority", "severity", "impact"] {
        if let Some(n) = d.get(key).and_then(Value::as_i64) {
            out.push(format!("  {key}: {n} of 100"));
        }
    }
    if !flow.exception.is_empty() {
        out.push(String::new());
        out.push("When a step fails for which nothing is said".to_owned());
        out.push("  The run stops and a person gets it. Its author would then do:".to_owned());
        for node in &flow.exception {
            let name = text(node.step, "name").unwrap_or(node.id);
            out.push(format!("  - {}", one_line(name)));
        }
    }
    out.push(String::new());
    out.push("Before it may run".to_owned());
    out.push(
        "  It is a draft: it starts only when somebody calls it. Read each step, bind its calls,".to_owned(),
    );
    out.push("  and run `stanch playbook check` on it.".to_owned());
    for finding in f.0.iter().filter(|f| !f.refused) {
        out.push(format!("  - {}: {}", finding.place, finding.message));
    }
    out.push(String::new());
    out.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}
