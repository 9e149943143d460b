//! `policies/containment.yaml`: what may be changed, how much of it, for how long, and who is asked.

use std::collections::{BTreeMap, BTreeSet};

use stanch_model::Span;

use super::common::{Known, path, refer, set};
use super::policy::{days, span};
use super::yaml::{Fields, Node};
use super::{
    Autonomy, AutonomyRule, Caps, ContainmentPolicy, Drift, Mistake, Protected, SelfApproval, Thing,
};
use crate::contain::target;

/// Kinds of change for which a responder can be named.
pub(super) const ACTIONS: &[&str] = &[
    "block_address",
    "limit_address",
    "block_port",
    "quarantine_port",
    "lock_account",
    "unlock_account",
    "reset_credential",
    "remove_from_group",
    "sinkhole_domain",
    "call",
];

const LADDER: &[Autonomy] = &[Autonomy::Observe, Autonomy::Suggest, Autonomy::Approve, Autonomy::Act];

/// Keys beside the kinds of change.
const KEYS: &[&str] = &[
    "protected",
    "default_ttl",
    "max_ttl",
    "max_per_10_minutes",
    "max_active",
    "caps",
    "min_prefix_v4",
    "min_prefix_v6",
    "max_assets_touched",
    "management_vlans",
    "two_people_for",
    "two_people_when_high",
    "fresh_proof_for",
    "fresh_proof_when_high",
    "fresh_proof_within",
    "self_approval",
    "new_playbooks",
    "autonomy",
    "drift",
    "noc_veto",
    "noc_team",
    "approval_expires",
    "seal_key",
];

/// Reads the file.
pub(super) fn read(
    root: &Node,
    responders: &Known,
    teams: &Known,
    m: &mut Vec<Mistake>,
) -> ContainmentPolicy {
    let mut policy = ContainmentPolicy::default();
    let before = m.len();
    let Some(fields) = root.map(m) else { return policy };
    let list = fields.optional("protected").and_then(|n| n.list(m, protected));
    policy.protected = list.unwrap_or_default();
    span(&mut policy.default_ttl, &fields, "default_ttl", Span::mins(1)..=days(365), m);
    span(&mut policy.max_ttl, &fields, "max_ttl", Span::mins(1)..=days(365), m);
    span(&mut policy.approval_expires, &fields, "approval_expires", Span::mins(1)..=days(7), m);
    policy.noc_veto =
        fields.optional("noc_veto").and_then(|n| n.span_within(Span::secs(10)..=Span::hours(1), m));
    limits(&mut policy, &fields, m);
    people_asked(&mut policy, &fields, m);
    for kind in ACTIONS {
        if let Some(responder) = fields.optional(kind).and_then(|n| refer(n, "responder", responders, m)) {
            policy.responders.insert((*kind).to_owned(), responder);
        }
    }
    policy.noc_team = fields.optional("noc_team").and_then(|n| refer(n, "team", teams, m));
    policy.seal_key = fields.optional("seal_key").and_then(|n| path(n, m));
    let drift = fields.optional("drift").and_then(|n| n.choice("drift", &["tell", "repair"], m));
    set(&mut policy.drift, drift.map(|word| if word == "repair" { Drift::Repair } else { Drift::Tell }));
    let known: Vec<&str> = KEYS.iter().chain(ACTIONS).copied().collect();
    fields.finish(&known, m);
    together(&policy, &fields, before, m);
    policy
}

fn limits(policy: &mut ContainmentPolicy, fields: &Fields<'_>, m: &mut Vec<Mistake>) {
    let count = |key, range, m: &mut Vec<Mistake>| {
        fields.optional(key).and_then(|n| n.integer(range, m)).and_then(|n| u32::try_from(n).ok())
    };
    set(&mut policy.max_per_10_minutes, count("max_per_10_minutes", 0..=10_000, m));
    set(&mut policy.max_active, count("max_active", 0..=100_000, m));
    set(&mut policy.max_assets_touched, count("max_assets_touched", 0..=10_000, m));
    let length = |n: u32| u8::try_from(n).ok();
    set(&mut policy.min_prefix_v4, count("min_prefix_v4", 8..=32, m).and_then(length));
    set(&mut policy.min_prefix_v6, count("min_prefix_v6", 16..=128, m).and_then(length));
    let vlan = |n: &Node, m: &mut Vec<Mistake>| n.integer(1..=4094, m).and_then(|n| u16::try_from(n).ok());
    let vlans = fields.optional("management_vlans").and_then(|n| n.list(m, vlan));
    set(&mut policy.management_vlans, vlans.map(|list| list.into_iter().collect()));
    if let Some(entries) = fields.optional("caps").and_then(|n| n.map(m)) {
        caps(&entries, &mut policy.caps, m);
    }
}

/// Caps by kind, over the defaults.
fn caps(entries: &Fields<'_>, into: &mut BTreeMap<String, Caps>, m: &mut Vec<Mistake>) {
    entries.finish(ACTIONS, m);
    for kind in ACTIONS {
        let Some(fields) = entries.optional(kind).and_then(|n| n.map(m)) else { continue };
        fields.finish(&["per_10_minutes", "active"], m);
        let rate = fields.optional("per_10_minutes").and_then(|n| n.integer(0..=10_000, m));
        let active = fields.optional("active").and_then(|n| n.integer(0..=100_000, m));
        let cap =
            into.entry((*kind).to_owned()).or_insert(Caps { per_10_minutes: u32::MAX, active: u32::MAX });
        set(&mut cap.per_10_minutes, rate.and_then(|n| u32::try_from(n).ok()));
        set(&mut cap.active, active.and_then(|n| u32::try_from(n).ok()));
    }
}

fn kind(node: &Node, m: &mut Vec<Mistake>) -> Option<String> {
    node.choice("change", ACTIONS, m).map(str::to_owned)
}

fn level(node: &Node, m: &mut Vec<Mistake>) -> Option<Autonomy> {
    let words: Vec<&str> = LADDER.iter().map(|a| a.word()).collect();
    let word = node.choice("autonomy level", &words, m)?;
    LADDER.iter().copied().find(|a| a.word() == word)
}

fn people_asked(policy: &mut ContainmentPolicy, fields: &Fields<'_>, m: &mut Vec<Mistake>) {
    let two = fields.optional("two_people_for").and_then(|n| n.list(m, kind));
    policy.two_people_for = two.unwrap_or_default().into_iter().collect();
    set(&mut policy.two_people_when_high, fields.optional("two_people_when_high").and_then(|n| n.boolean(m)));
    let fresh = fields.optional("fresh_proof_for").and_then(|n| n.list(m, kind));
    policy.fresh_proof_for = fresh.unwrap_or_default().into_iter().collect();
    let when_high = fields.optional("fresh_proof_when_high").and_then(|n| n.boolean(m));
    set(&mut policy.fresh_proof_when_high, when_high);
    span(&mut policy.fresh_proof_within, fields, "fresh_proof_within", Span::secs(30)..=Span::hours(1), m);
    let own = fields.optional("self_approval").and_then(|n| self_approval(n, m));
    set(&mut policy.self_approval, own);
    set(&mut policy.new_playbooks, fields.optional("new_playbooks").and_then(|n| level(n, m)));
    let rules = fields.optional("autonomy").and_then(|n| n.list(m, autonomy_rule));
    policy.autonomy = rules.unwrap_or_default();
}

fn self_approval(node: &Node, m: &mut Vec<Mistake>) -> Option<SelfApproval> {
    let word = node.choice("self_approval", &["never", "when_alone", "allowed"], m)?;
    let chosen =
        match word {
            "never" => SelfApproval::Never,
            "allowed" => {
                let message = "whoever writes a playbook or begins a run may approve what it asks, all alone";
                m.push(node.warning(
                    message,
                    "write `when_alone`, so that a second person agrees where there is one",
                ));
                SelfApproval::Allowed
            }
            _ => SelfApproval::WhenAlone,
        };
    Some(chosen)
}

fn autonomy_rule(node: &Node, m: &mut Vec<Mistake>) -> Option<AutonomyRule> {
    let fields = node.map(m)?;
    fields.finish(&["playbooks", "actions", "assets", "at_most"], m);
    let words = |key: &str, m: &mut Vec<Mistake>| -> BTreeSet<String> {
        let list = fields.optional(key).and_then(|n| n.list(m, |n, m| n.string(m)));
        list.unwrap_or_default().into_iter().collect()
    };
    let (playbooks, assets) = (words("playbooks", m), words("assets", m));
    let actions = fields.optional("actions").and_then(|n| n.list(m, kind)).unwrap_or_default();
    let at_most = fields.required("at_most", m).and_then(|n| level(n, m));
    let actions = actions.into_iter().collect();
    Some(AutonomyRule { playbooks, actions, assets, at_most: at_most?, place: node.place() })
}

/// What only shows when all values are known.
fn together(policy: &ContainmentPolicy, fields: &Fields<'_>, before: usize, m: &mut Vec<Mistake>) {
    if m.len() == before
        && policy.default_ttl > policy.max_ttl
        && let Some(node) = fields.optional("default_ttl").or(fields.optional("max_ttl"))
    {
        let message =
            format!("`default_ttl` ({}) is longer than `max_ttl` ({})", policy.default_ttl, policy.max_ttl);
        m.push(node.mistake(message, "shorten `default_ttl`, or allow more with `max_ttl`"));
    }
    if let (Some(node), None) = (fields.optional("noc_veto"), fields.optional("noc_team")) {
        m.push(node.mistake("nobody could say no: there is no `noc_team`", "add `noc_team: TEAM`"));
    }
    let acts = ACTIONS.iter().find_map(|kind| fields.optional(kind));
    if let (Some(node), None) = (acts, fields.optional("noc_team")) {
        let help = "add `noc_team: TEAM`, so that the network's operators hear of every change";
        m.push(node.warning("nobody is told of changes", help));
    }
}

/// One protected thing: an address, an account, a group, a name or a port, and why.
fn protected(node: &Node, m: &mut Vec<Mistake>) -> Option<Protected> {
    const WHAT: &[&str] = &["net", "account", "group", "domain", "port"];
    let fields = node.map(m)?;
    fields.finish(&["net", "account", "group", "domain", "port", "why"], m);
    let given: Vec<&str> = WHAT.iter().copied().filter(|key| fields.optional(key).is_some()).collect();
    let why = fields.required("why", m).and_then(|n| n.string(m));
    let [key] = given[..] else {
        let message = if given.is_empty() {
            "the entry does not say what is protected".to_owned()
        } else {
            format!("the entry protects several things at once: {}", given.join(", "))
        };
        m.push(node.mistake(message, "give each entry one of `net`, `account`, `group`, `domain`, `port`"));
        return None;
    };
    let value = fields.optional(key)?;
    let what = match key {
        "net" => Thing::Net(value.net(m)?),
        "account" => Thing::Account(named(value, target::parse_account, m)?),
        "group" => Thing::Group(named(value, target::parse_group, m)?),
        "domain" => Thing::Domain(named(value, target::parse_domain, m)?),
        _ => Thing::Port(named(value, target::parse_port, m)?),
    };
    Some(Protected { what, why: why? })
}

/// A name in the grammar that targets have: what could never be a target protects nothing.
fn named(
    node: &Node,
    parse: fn(&str) -> Result<String, crate::Reason>,
    m: &mut Vec<Mistake>,
) -> Option<String> {
    let text = node.string(m)?;
    match parse(&text) {
        Ok(name) => Some(name),
        Err(why) => {
            m.push(node.mistake(why.0, "write it as it would be written as the target of a change"));
            None
        }
    }
}
