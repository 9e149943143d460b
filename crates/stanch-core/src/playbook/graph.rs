//! A plan as a picture: a tree of text, DOT, Mermaid, or nodes and edges as JSON.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::explain::{ways, words};
use super::{Playbook, Step, StepKind};

/// A tree for a terminal.
#[must_use]
pub fn tree(playbook: &Playbook) -> String {
    let mut text = format!("{}\n", playbook.name);
    branch(&playbook.steps, "", &mut text);
    text
}

fn branch(steps: &[Step], indent: &str, text: &mut String) {
    for (n, step) in steps.iter().enumerate() {
        let last = n + 1 == steps.len();
        let (tip, bar) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let mark = if step.when.is_some() { "? " } else { "" };
        let _ = writeln!(text, "{indent}{tip}{mark}{}: {}", step.id, cut(&words(step), 96));
        let indent = format!("{indent}{bar}");
        let lists = ways(step);
        for (m, (title, inside)) in lists.iter().enumerate() {
            match title {
                None => branch(inside, &indent, text),
                Some(title) => {
                    let last = m + 1 == lists.len();
                    let (tip, bar) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
                    let _ = writeln!(text, "{indent}{tip}[{title}]");
                    branch(inside, &format!("{indent}{bar}"), text);
                }
            }
        }
    }
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    format!("{}…", text.chars().take(most - 1).collect::<String>())
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The step's id; `start` and `end` are the plan's own, with a `@` before them.
    pub id: String,
    /// The step's kind.
    pub kind: String,
    /// What it does, in one line.
    pub words: String,
    /// True when it changes something outside.
    pub changes: bool,
}

/// One arrow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// From which node.
    pub from: String,
    /// To which.
    pub to: String,
    /// On which condition; may be empty.
    pub label: String,
}

/// Nodes and arrows.
#[must_use]
pub fn graph(playbook: &Playbook) -> (Vec<Node>, Vec<Edge>) {
    let mut g = Graph::default();
    let own =
        |id: &str| Node { id: id.to_owned(), kind: String::new(), words: String::new(), changes: false };
    g.nodes.push(own("@start"));
    let ends = g.list(&playbook.steps, vec![("@start".to_owned(), String::new())]);
    g.nodes.push(own("@end"));
    g.join(ends, "@end");
    (g.nodes, g.edges)
}

/// Nodes from which the next step is reached, and on which condition.
type Ends = Vec<(String, String)>;

#[derive(Default)]
struct Graph {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

impl Graph {
    fn join(&mut self, from: Ends, to: &str) {
        for (from, label) in from {
            self.edges.push(Edge { from, to: to.to_owned(), label });
        }
    }

    fn list(&mut self, steps: &[Step], mut ends: Ends) -> Ends {
        for step in steps {
            ends = self.step(step, ends);
        }
        ends
    }

    fn step(&mut self, step: &Step, before: Ends) -> Ends {
        let changes = matches!(step.kind, StepKind::Act(_));
        let kind = step.kind.name().to_owned();
        self.nodes.push(Node { id: step.id.clone(), kind, words: words(step), changes });
        let skipped = step.when.is_some().then(|| {
            before.iter().map(|(from, label)| (from.clone(), both(label, "skip"))).collect::<Ends>()
        });
        self.join(before, &step.id);
        let here = |label: &str| vec![(step.id.clone(), label.to_owned())];
        let mut after = Vec::new();
        let loops = matches!(step.kind, StepKind::ForEach { .. } | StepKind::Repeat { .. });
        let forks =
            matches!(step.kind, StepKind::If { .. } | StepKind::Switch { .. } | StepKind::Parallel { .. });
        for (title, inside) in ways(step) {
            let title = title.unwrap_or_else(|| "each".to_owned());
            let ends = self.list(inside, here(&title));
            if loops && title == "each" {
                self.join(ends.into_iter().map(|(from, _)| (from, "next".to_owned())).collect(), &step.id);
            } else if title != "undone by" {
                after.extend(ends);
            }
        }
        let through = match &step.kind {
            StepKind::If { otherwise, .. } if otherwise.is_empty() => here("otherwise"),
            _ if forks => Vec::new(),
            _ if loops => here("done"),
            _ => here(""),
        };
        after.extend(through);
        after.extend(skipped.unwrap_or_default());
        after
    }
}

fn both(label: &str, more: &str) -> String {
    if label.is_empty() { more.to_owned() } else { format!("{label}, {more}") }
}

/// Graphviz's language.
#[must_use]
pub fn dot(playbook: &Playbook) -> String {
    let (nodes, edges) = graph(playbook);
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let mut text = format!(
        "digraph \"{}\" {{\n  rankdir=TB;\n  node [shape=box, fontname=\"sans-serif\"];\n",
        playbook.name
    );
    for node in &nodes {
        let look = match (node.kind.as_str(), node.changes) {
            ("", _) => "shape=circle, label=\"\", width=0.2".to_owned(),
            (kind, changes) => {
                let shape = if matches!(kind, "if" | "switch" | "approve") { ", shape=diamond" } else { "" };
                let style = if changes { ", style=bold" } else { "" };
                format!("label=\"{}\\n{}\"{shape}{style}", quoted(&node.id), quoted(&cut(&node.words, 60)))
            }
        };
        let _ = writeln!(text, "  \"{}\" [{look}];", quoted(&node.id));
    }
    for edge in &edges {
        let label = if edge.label.is_empty() {
            String::new()
        } else {
            format!(" [label=\"{}\"]", quoted(&edge.label))
        };
        let _ = writeln!(text, "  \"{}\" -> \"{}\"{label};", quoted(&edge.from), quoted(&edge.to));
    }
    text.push_str("}\n");
    text
}

/// Mermaid's language, which forges and wikis draw.
#[must_use]
pub fn mermaid(playbook: &Playbook) -> String {
    let (nodes, edges) = graph(playbook);
    let name = |id: &str| nodes.iter().position(|n| n.id == id).map_or(String::new(), |n| format!("n{n}"));
    let safe = |text: &str| {
        text.replace('&', "&amp;")
            .replace('"', "&quot;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('#', "&#35;")
    };
    let mut text = "flowchart TD\n".to_owned();
    for node in &nodes {
        let _ = match node.kind.as_str() {
            "" => writeln!(text, "  {}(({}))", name(&node.id), node.id.trim_start_matches('@')),
            "if" | "switch" | "approve" => {
                writeln!(
                    text,
                    "  {}{{\"{}<br/>{}\"}}",
                    name(&node.id),
                    safe(&node.id),
                    safe(&cut(&node.words, 60))
                )
            }
            _ => writeln!(
                text,
                "  {}[\"{}<br/>{}\"]",
                name(&node.id),
                safe(&node.id),
                safe(&cut(&node.words, 60))
            ),
        };
    }
    for edge in &edges {
        let label =
            if edge.label.is_empty() { String::new() } else { format!("|\"{}\"|", safe(&edge.label)) };
        let _ = writeln!(text, "  {} -->{label} {}", name(&edge.from), name(&edge.to));
    }
    text
}

/// Nodes and arrows as JSON.
#[must_use]
pub fn json(playbook: &Playbook) -> Json {
    let (nodes, edges) = graph(playbook);
    let nodes: Vec<Json> = nodes
        .iter()
        .map(|n| json!({ "id": n.id, "kind": n.kind, "words": n.words, "changes": n.changes }))
        .collect();
    let edges: Vec<Json> =
        edges.iter().map(|e| json!({ "from": e.from, "to": e.to, "label": e.label })).collect();
    json!({ "playbook": playbook.name, "hash": playbook.hash, "nodes": nodes, "edges": edges })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::load::load;
    use super::*;

    fn everything() -> Playbook {
        load("everything", "p.yaml", include_str!("load/everything.yaml")).expect("valid")
    }

    #[test]
    fn every_step_is_reached_from_the_start_and_reaches_the_end_or_is_undoing() {
        let playbook = everything();
        let (nodes, edges) = graph(&playbook);
        let mut seen = BTreeSet::from(["@start".to_owned()]);
        let mut before = 0;
        while seen.len() > before {
            before = seen.len();
            let more: Vec<String> =
                edges.iter().filter(|e| seen.contains(&e.from)).map(|e| e.to.clone()).collect();
            seen.extend(more);
        }
        assert_eq!(seen.len(), nodes.len());
        let dead: Vec<&str> = nodes
            .iter()
            .filter(|n| n.id != "@end" && !edges.iter().any(|e| e.from == n.id))
            .map(|n| n.id.as_str())
            .collect();
        assert_eq!(dead, ["untick"], "only what undoes leads nowhere");
    }

    #[test]
    fn pictures_name_every_step_and_keep_strange_text_apart() {
        let playbook = everything();
        let (tree, dot, mermaid) = (tree(&playbook), dot(&playbook), mermaid(&playbook));
        for step in playbook.all_steps() {
            for picture in [&tree, &dot, &mermaid] {
                assert!(picture.contains(&step.id), "{}", step.id);
            }
        }
        assert!(
            tree.contains("├─ ways: look whether steps.sums.seen\n│  ├─ [then]\n│  │  └─ known:"),
            "{tree}"
        );
        assert!(dot.contains("\"door\" [label=\"door\\nblock incident.peer"), "{dot}");
        assert!(dot.contains("out of group \\\"vpn-users\\\""), "{dot}");
        assert!(!mermaid.lines().skip(1).any(|l| l.matches('"').count() % 2 == 1), "{mermaid}");
        assert_eq!(json(&playbook)["nodes"].as_array().map(Vec::len), Some(playbook.all_steps().len() + 2));
    }
}
