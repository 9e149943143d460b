//! `policies/routing.yaml`: the routing tree and the escalation policies.

use std::collections::{BTreeMap, BTreeSet};

use stanch_model::Span;

use super::common::{Known, refer, set};
use super::people::named;
use super::yaml::{Fields, Node};
use super::{Autonomy, EscalationPolicy, EscalationRule, Mistake, Route, matcher};

const AUTONOMY: &[Autonomy] = &[Autonomy::Observe, Autonomy::Suggest, Autonomy::Approve, Autonomy::Act];

/// What the file says.
#[derive(Default)]
pub(super) struct Routing {
    pub(super) root: Route,
    pub(super) escalations: BTreeMap<String, EscalationPolicy>,
}

/// Reads the file.
pub(super) fn read(root: &Node, teams: &Known, m: &mut Vec<Mistake>) -> Routing {
    let mut routing = Routing::default();
    let Some(fields) = root.map(m) else { return routing };
    fields.finish(&["route", "escalations"], m);
    let mut names = BTreeSet::new();
    if let Some(entries) = fields.optional("escalations").and_then(|n| n.map(m)) {
        named(&entries, "escalation policy", m, |name, node, m| {
            names.insert(name.to_owned());
            routing.escalations.extend(escalation(name, node, teams, m).map(|e| (name.to_owned(), e)));
        });
    }
    let escalations = Some(names);
    if let Some(node) = fields.required("route", m) {
        routing.root = route(node, teams, &escalations, m).unwrap_or_default();
        root_route(node, m);
    }
    routing
}

/// The root answers for everything, so it says more than its branches must.
fn root_route(node: &Node, m: &mut Vec<Mistake>) {
    let Some(fields) = node.map(&mut Vec::new()) else { return };
    if fields.optional("team").is_none() {
        let help = "add `team: TEAM` to the first level of `route`: it answers for what no branch takes";
        m.push(node.mistake("the root route has no team", help));
    }
    if let Some(at) = fields.optional("matchers").filter(|n| !matcher::is_empty(n)) {
        m.push(at.mistake(
            "the root route has matchers, but it must take everything",
            "move them to a branch under `routes`",
        ));
    }
    if fields.optional("escalation").is_none() {
        let help = "add `escalation: POLICY` to the first level of `route`";
        m.push(
            node.warning(
                "the root route has no escalation policy: nobody is woken when nobody answers",
                help,
            ),
        );
    }
}

fn route(node: &Node, teams: &Known, escalations: &Known, m: &mut Vec<Mistake>) -> Option<Route> {
    let fields = node.map(m)?;
    fields.finish(&["matchers", "team", "escalation", "autonomy", "routes"], m);
    let matchers = fields.optional("matchers").and_then(|n| matcher::list(n, m)).unwrap_or_default();
    let team = fields.optional("team").and_then(|n| refer(n, "team", teams, m));
    let escalation =
        fields.optional("escalation").and_then(|n| refer(n, "escalation policy", escalations, m));
    let words: Vec<&str> = AUTONOMY.iter().map(|v| v.word()).collect();
    let word = fields.optional("autonomy").and_then(|n| n.choice("autonomy level", &words, m));
    let autonomy = AUTONOMY.iter().copied().find(|v| Some(v.word()) == word);
    let mut routes = Vec::new();
    if let Some(list) = fields.optional("routes") {
        let mut takes_all: Option<usize> = None;
        let read = list.list(m, |child, m| {
            branch(child, &mut takes_all, m);
            route(child, teams, escalations, m)
        });
        routes = read.unwrap_or_default();
    }
    Some(Route { matchers, team, escalation, autonomy, routes, place: node.place() })
}

/// A branch that takes everything hides those after it.
fn branch(node: &Node, takes_all: &mut Option<usize>, m: &mut Vec<Mistake>) {
    if let Some(line) = *takes_all {
        let message = format!("never reached: the branch in line {line} takes everything");
        m.push(node.warning(message, "move this one before it, or give that one matchers"));
        return;
    }
    let empty = node
        .map(&mut Vec::new())
        .is_some_and(|f: Fields<'_>| f.optional("matchers").is_none_or(matcher::is_empty));
    if empty {
        *takes_all = Some(node.line);
    }
}

fn escalation(name: &str, node: &Node, teams: &Known, m: &mut Vec<Mistake>) -> Option<EscalationPolicy> {
    let fields = node.map(m)?;
    fields.finish(&["rules", "repeat"], m);
    let mut repeat = 3;
    let written = fields.optional("repeat").and_then(|n| n.integer(1..=100, m));
    set(&mut repeat, written.and_then(|n| u32::try_from(n).ok()));
    let list = fields.required("rules", m)?;
    let rules = list.list(m, |n, m| rule(n, teams, m))?;
    if matcher::is_empty(list) {
        m.push(list.mistake(
            format!("escalation policy {name} has no rules"),
            "add `- { teams: [TEAM], wait: 5m }`",
        ));
    }
    Some(EscalationPolicy { name: name.to_owned(), rules, repeat })
}

fn rule(node: &Node, teams: &Known, m: &mut Vec<Mistake>) -> Option<EscalationRule> {
    let fields = node.map(m)?;
    fields.finish(&["teams", "wait"], m);
    let list = fields.required("teams", m);
    let called = list.and_then(|n| n.list(m, |n, m| refer(n, "team", teams, m)));
    if let Some(list) = list.filter(|n| matcher::is_empty(n)) {
        m.push(list.mistake("the rule tells nobody", "name at least one team"));
    }
    let range = Span::secs(10)..=Span::hours(24);
    let wait = fields.required("wait", m).and_then(|n| n.span_within(range, m));
    Some(EscalationRule { teams: called?, wait: wait? })
}
