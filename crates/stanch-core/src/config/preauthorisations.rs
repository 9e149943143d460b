//! `policies/preauthorisations.yaml`: what named approvers have agreed to in advance, signed.

use std::collections::{BTreeMap, BTreeSet};

use super::containment::ACTIONS;
use super::yaml::{self, Node};
use super::{May, Mistake, Person};
use crate::contain::{Level, Preauthorisation};

const KEYS: &[&str] = &[
    "name",
    "playbooks",
    "actions",
    "assets",
    "indicators",
    "confidence",
    "blast_radius",
    "from",
    "until",
    "budget",
    "signed_by",
    "signature",
];

/// Reads the file. An entry whose signature does not hold is a mistake: it says what nobody signed.
pub(super) fn read(
    root: &Node,
    people: &BTreeMap<String, Person>,
    m: &mut Vec<Mistake>,
) -> Vec<Preauthorisation> {
    let mut names = BTreeSet::new();
    let mut all = Vec::new();
    for (node, p) in nodes(root, m) {
        if !names.insert(p.name.clone()) {
            m.push(node.mistake(
                format!("there are two pre-authorisations named \"{}\"", p.name),
                "choose another name",
            ));
        }
        if signed(node, &p, people, m) {
            all.push(p);
        }
    }
    all
}

/// The entries of a file, whether or not they are signed: for signing and checking them by hand.
///
/// # Errors
/// All mistakes but those about signatures.
pub fn entries(file: &str, text: &str) -> Result<Vec<Preauthorisation>, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let found = match yaml::parse(file, text, &mut mistakes) {
        Some(root) => nodes(&root, &mut mistakes).into_iter().map(|(_, p)| p).collect(),
        None => Vec::new(),
    };
    if mistakes.iter().any(|m| !m.warning) { Err(mistakes) } else { Ok(found) }
}

fn nodes<'n>(root: &'n Node, m: &mut Vec<Mistake>) -> Vec<(&'n Node, Preauthorisation)> {
    let Some(fields) = root.map(m) else { return Vec::new() };
    fields.finish(&["preauthorisations"], m);
    let each = |n: &'n Node, m: &mut Vec<Mistake>| entry(n, m).map(|p| (n, p));
    fields.optional("preauthorisations").and_then(|n| n.list(m, each)).unwrap_or_default()
}

fn entry(node: &Node, m: &mut Vec<Mistake>) -> Option<Preauthorisation> {
    let fields = node.map(m)?;
    fields.finish(KEYS, m);
    let words = |key: &str, m: &mut Vec<Mistake>| -> BTreeSet<String> {
        let list = fields.optional(key).and_then(|n| n.list(m, |n, m| n.string(m)));
        list.unwrap_or_default().into_iter().collect()
    };
    let name = fields.required("name", m).and_then(|n| n.name(m));
    let (playbooks, assets, indicators) = (words("playbooks", m), words("assets", m), words("indicators", m));
    let kind = |n: &Node, m: &mut Vec<Mistake>| n.choice("change", ACTIONS, m).map(str::to_owned);
    let actions = fields.optional("actions").and_then(|n| n.list(m, kind)).unwrap_or_default();
    let actions: BTreeSet<String> = actions.into_iter().collect();
    for (key, empty) in [("playbooks", playbooks.is_empty()), ("actions", actions.is_empty())] {
        if empty {
            m.push(node.mistake(format!("`{key}` is empty"), format!("name at least one under `{key}`")));
        }
    }
    let confidence = fields.optional("confidence").map_or(Some(0), |n| n.integer(0..=100, m));
    let levels = [Level::Low, Level::Medium, Level::High];
    let word = fields
        .optional("blast_radius")
        .map_or(Some("low"), |n| n.choice("blast radius", &["low", "medium", "high"], m));
    let blast_radius = levels.into_iter().find(|l| Some(l.word()) == word);
    let from = fields.required("from", m).and_then(|n| n.timestamp(m));
    let until_node = fields.required("until", m);
    let until = until_node.and_then(|n| n.timestamp(m));
    if let (Some(node), Some(from), Some(until)) = (until_node, from, until)
        && until <= from
    {
        m.push(node.mistake("it ends before it begins", "make `until` later than `from`"));
    }
    let budget = fields.required("budget", m).and_then(|n| n.integer(1..=1_000, m));
    let signed_by = fields.required("signed_by", m).and_then(|n| n.string(m));
    let signature = fields.optional("signature").and_then(|n| n.string(m)).unwrap_or_default();
    Some(Preauthorisation {
        name: name?,
        playbooks,
        actions,
        assets,
        indicators,
        confidence: u8::try_from(confidence?).ok()?,
        blast_radius: blast_radius?,
        from: from?,
        until: until?,
        budget: u32::try_from(budget?).ok()?,
        signed_by: signed_by?,
        signature,
    })
}

/// True when somebody who may approve has signed exactly this.
fn signed(
    node: &Node,
    p: &Preauthorisation,
    people: &BTreeMap<String, Person>,
    m: &mut Vec<Mistake>,
) -> bool {
    let by = &p.signed_by;
    let (message, help) = match people.get(by) {
        None => {
            (format!("there is nobody called \"{by}\""), "name a person of policies/people.yaml".to_owned())
        }
        Some(person) if !person.role.may(May::Decide) => {
            (format!("{by} may not approve changes"), "have it signed by an approver".to_owned())
        }
        Some(Person { key: None, .. }) => (
            format!("{by} has no `key` in policies/people.yaml"),
            "make one with `stanch preauth key`".to_owned(),
        ),
        Some(Person { key: Some(key), .. }) if p.signed_with(key) => return true,
        Some(_) if p.signature.is_empty() => {
            ("it is not signed".to_owned(), format!("have {by} run `stanch preauth sign {}`", p.name))
        }
        Some(_) => (
            format!("the signature is not {by}'s over what stands here"),
            format!("undo what was changed, or have {by} run `stanch preauth sign {}` again", p.name),
        ),
    };
    m.push(node.mistake(message, help));
    false
}
