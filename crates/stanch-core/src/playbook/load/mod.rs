//! Playbooks from YAML: one file, one plan, all mistakes at once.
//!
//! ```yaml
//! name: c2-beacon                 # the file's name without the ending
//! summary: Confirmed command and control - ask, block at the edge, tell the NOC
//! attack: [T1071, T1095]          # labels may be left out
//! when: incident.kind == "c2" && incident.confidence >= 0.6
//! steps:                          # in order; each has an id and does one thing
//!   - id: block
//!     when: incident.peer != ""   # skipped when false; may be left out
//!     block_address:
//!       target: incident.peer     # CEL over typed fields; free text never becomes a target
//!       ttl: 4h                   # default: the policy's
//!       approvers: [netops]       # teams whose members may say yes
//!   - id: check
//!     verify: all                 # look again whether every change is as it should be
//!   - id: tell
//!     notify: { team: netops, text: "${{ incident.peer }} is blocked" }
//! sop: |                          # prose for people
//!   What to do by hand, and why.
//! ```
//!
//! `docs/guide/playbooks.md` tells the whole language; [`super::shape`] lists every key. Here a file
//! is read: expressions are compiled, and the names, fields and kinds they read are checked, so that
//! what can be known to fail is never found out at night. Whether a plan is a good one is judged
//! by `verify`: a plan pinned by a run must stay readable when the judgement gets stricter.

mod change;
mod data;
mod expression;
mod flow;
mod header;
mod people;
mod scope;
mod step;

use std::collections::BTreeSet;

pub use scope::{incident_kind, incident_kinds, incident_ranges, incident_words, kind_of};

use super::{Places, Playbook};
use crate::config::Mistake;
use crate::config::yaml::{self, Node, Value};

/// Most steps of one playbook, those inside others included.
pub const MAX_STEPS: usize = 200;

/// Deepest steps inside steps.
pub const MAX_NESTING: usize = 8;

/// Reads one playbook. `name` is the file's name without its ending.
///
/// # Errors
/// All mistakes of the file, in the order of their places.
pub fn load(name: &str, path: &str, text: &str) -> Result<Playbook, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let read = yaml::parse(path, text, &mut mistakes).and_then(|root| {
        let mut all = BTreeSet::new();
        ids(&root, &mut all);
        Reader { all, ..Reader::new(&mut mistakes) }.playbook(name, text, &root)
    });
    match read {
        Some(playbook) if mistakes.is_empty() => Ok(playbook),
        Some(_) | None => {
            mistakes.sort_by_key(|m| (m.line, m.column));
            mistakes.dedup();
            Err(mistakes)
        }
    }
}

/// Everything that looks like a step's id, wherever it stands.
fn ids(node: &Node, all: &mut BTreeSet<String>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| ids(item, all)),
        Value::Map(entries) => {
            for (key, value) in entries {
                match &value.value {
                    Value::Scalar { text, .. } if &*key.text == "id" => drop(all.insert(text.clone())),
                    Value::Scalar { .. } | Value::Null | Value::Invalid => {}
                    Value::List(_) | Value::Map(_) => ids(value, all),
                }
            }
        }
        Value::Scalar { .. } | Value::Null | Value::Invalid => {}
    }
}

/// One file being read.
struct Reader<'m> {
    m: &'m mut Vec<Mistake>,
    /// Ids of the steps read so far.
    ids: BTreeSet<String>,
    /// Ids of all steps of the file.
    all: BTreeSet<String>,
    /// The step in hand; empty outside of steps.
    step: String,
    /// Steps around the one in hand.
    depth: usize,
    /// True for a playbook that answers calls from outside.
    hook: bool,
    places: Places,
}

impl<'m> Reader<'m> {
    fn new(m: &'m mut Vec<Mistake>) -> Reader<'m> {
        Reader {
            m,
            ids: BTreeSet::new(),
            all: BTreeSet::new(),
            step: String::new(),
            depth: 0,
            hook: false,
            places: Places::default(),
        }
    }
}

#[cfg(test)]
mod tests;
