//! The guard: may this change be made, now, by the machine, by a person's yes, or not at all?
//!
//! Three kinds of rule, all in `rules`. *Never* rules hold whatever anybody agreed to: kill
//! switch, protected things, never-block lists, grammar, time to live, absolute width, observe-only,
//! twice the caps. *Ask* rules turn an automatic change into a question: width, weak or old
//! evidence, blast radius, caps, shared addresses, planned work, autonomy. Some of them want two
//! people. And a yes, when there is one, must cover exactly this action.
//!
//! The guard never acts, never asks and never remembers: facts come in, a verdict with its reasons
//! goes out. Only it and the journal's decoder can make a [`Permit`].
//!
//! Source: SEC-51, SEC-52, SEC-54 to SEC-59, SEC-61 to SEC-64, SEC-71; P-11; abuse cases 1 to 14.

use serde::Serialize;
use stanch_model::{Action, ActionId, Fact, Span, Timestamp};

use super::approval::Approved;
use super::blast_radius::BlastRadius;
use super::preauthorised::Preauthorised;
use super::rules::Judgement;
use crate::config::{Autonomy, ContainmentPolicy, Protected};
use crate::stage::autonomy::Leave;
use crate::{Decided, Reason};

/// May the world be changed at all?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Yes.
    Live,
    /// No: everything is decided, nothing is done.
    Shadow,
    /// No: an exercise.
    Exercise,
}

/// Proof that the world may be changed. Only [`Mode::live`] makes one, and no permit is made
/// without one.
pub(super) struct Live;

impl Mode {
    pub(super) fn live(self) -> Option<Live> {
        match self {
            Mode::Live => Some(Live),
            Mode::Shadow | Mode::Exercise => None,
        }
    }
}

/// How good the evidence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// A completed exchange was seen, so that the address cannot be forged.
    pub established: bool,
    /// Sources that saw it, independent of each other and authenticated.
    pub independent_sources: u32,
    /// The latest alert.
    pub newest: Timestamp,
    /// Older than this is history, not a reason to act by oneself.
    pub max_age: Span,
}

/// What has been changed lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Changes begun in the last ten minutes, all runs together.
    pub started_last_10_minutes: u32,
    /// Changes in force now, all runs together.
    pub active: u32,
    /// Changes of the same kind begun in the last ten minutes.
    pub kind_started_last_10_minutes: u32,
    /// Changes of the same kind in force now.
    pub kind_active: u32,
    /// A change in force on the same target.
    pub already_active_on_target: Option<ActionId>,
    /// A change in force that this one would take back or get in the way of.
    pub in_the_way: Option<ActionId>,
    /// Changes on the same target begun in the last seven days, whether or not still in force.
    pub earlier_on_target: u32,
}

/// Everything the guard weighs.
#[derive(Clone, Debug)]
pub struct GuardFacts<'a> {
    /// Now.
    pub now: Timestamp,
    /// The limits in force.
    pub policy: &'a ContainmentPolicy,
    /// Found out by ourselves: own addresses, gateway, resolvers, sensors, management addresses.
    pub discovered: &'a [Protected],
    /// What is known about the target: warning lists, inventory, intelligence.
    pub target_facts: &'a [Fact],
    /// Whom it would hurt.
    pub blast: &'a BlastRadius,
    /// How good the evidence is.
    pub evidence: Evidence,
    /// How far the machine may go by itself here.
    pub autonomy: Autonomy,
    /// Why not further, where something other than the route says so.
    pub autonomy_because: &'a [Reason],
    /// Whether measured confidence allows the machine to decide this at all, where the owner wants that.
    pub leave: &'a Leave,
    /// A person's yes, if there is one.
    pub approval: Option<&'a Approved>,
    /// A yes given in advance, if one covers this.
    pub preauthorised: Option<&'a Preauthorised>,
    /// What has been changed lately.
    pub usage: Usage,
    /// True when the author of the playbook has said that the change cannot be undone.
    pub lasting: bool,
    /// Planned work on the target or the device, in words.
    pub planned_work: Option<&'a str>,
    /// What the kill switch is engaged for, in words, if it stops this.
    pub kill_switch: Option<&'a str>,
    /// May the world be changed at all?
    pub mode: Mode,
}

/// The guard's yes: the one thing the outbox acts upon. It cannot be written down by hand, read
/// from outside, or made anywhere else:
///
/// ```compile_fail,E0277
/// let permit: stanch_core::contain::Permit = serde_json::from_str("{}").unwrap();
/// ```
///
/// Cloning is for the journal, which keeps it beside the intention it allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Permit {
    action: Action,
}

impl Permit {
    pub(super) fn grant(action: &Action, _: Live) -> Permit {
        Permit { action: action.clone() }
    }

    /// Read back from our own journal, where it was written when the guard gave it.
    // The journal's decoder is the only caller.
    pub(crate) fn from_journal(action: Action) -> Permit {
        Permit { action }
    }

    /// What is permitted.
    #[must_use]
    pub fn action(&self) -> &Action {
        &self.action
    }

    /// The same, holding no longer than this: what is made again holds for the rest of its time.
    pub(super) fn for_at_most(mut self, span: Span) -> Permit {
        self.action.ttl = self.action.ttl.min(span);
        self
    }

    /// The same, holding for exactly this: only for an end that was put off, with its own seal.
    pub(super) fn for_exactly(mut self, span: Span) -> Permit {
        self.action.ttl = span;
        self
    }

    /// The same, with what the target was like before.
    pub(super) fn with_before(mut self, before: Option<String>) -> Permit {
        self.action.before = before;
        self
    }

    /// What is permitted, using the permit up.
    #[must_use]
    pub fn into_action(self) -> Action {
        self.action
    }
}

/// The guard's verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Permit(Permit),
    /// Yes, were this not a shadow run or an exercise.
    WouldPermit,
    /// Not by the machine: ask.
    NeedsApproval {
        /// How many different people have to say yes.
        people: u8,
    },
    /// No, and no yes changes that.
    Refused,
}

impl Verdict {
    /// The word shown.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Verdict::Permit(_) => "permitted",
            Verdict::WouldPermit => "would be permitted",
            Verdict::NeedsApproval { .. } => "needs approval",
            Verdict::Refused => "refused",
        }
    }
}

/// Judges one action. Every reason begins with the rule it comes from; all that apply are told,
/// not only the first.
#[must_use]
pub fn guard(action: &Action, facts: &GuardFacts<'_>) -> Decided<Verdict> {
    let mut judgement = Judgement::default();
    judgement.switches(facts);
    judgement.grammar(&action.kind);
    judgement.protected(&action.kind, facts);
    judgement.time_to_live(action.ttl, facts.policy);
    judgement.width(&action.kind, facts.policy);
    judgement.caps(&action.kind, facts);
    judgement.repeats(facts);
    judgement.evidence(facts);
    judgement.blast(&action.kind, facts);
    judgement.lists(&action.kind, facts.target_facts);
    judgement.identity(&action.kind, facts);
    judgement.people(&action.kind, facts);
    judgement.autonomy(facts);
    judgement.confidence(facts);
    judgement.settle(action, facts)
}

/// Why a change in force must not stay: it touches something that is protected now.
#[must_use]
pub fn must_be_lifted(
    action: &Action,
    policy: &ContainmentPolicy,
    discovered: &[Protected],
) -> Option<Reason> {
    super::rules::protected(&action.kind, policy, discovered).into_iter().next()
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
