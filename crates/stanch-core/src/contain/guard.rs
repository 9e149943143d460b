//! The guard: may this change be made, now, by the machine, by a person's yes, or not at all?
//!
//! Three kinds of rule. *Never* rules hold whatever anybody agreed to: kill switch, protected
//! addresses, never-block lists, time to live, absolute width, observe-only, twice the caps. *Ask*
//! rules turn an automatic change into a question: width, weak or old evidence, blast radius,
//! caps, shared addresses, autonomy. And a yes, when there is one, must cover exactly this action.
//!
//! The guard never acts, never asks and never remembers: facts come in, a verdict with its reasons
//! goes out. Only it and the journal's decoder can make a [`Permit`].
//!
//! Source: SEC-51, SEC-52, SEC-54 to SEC-59, SEC-64, SEC-71; P-11; abuse cases 1 to 14.

use ipnet::IpNet;
use serde::Serialize;
use stanch_model::action::plain;
use stanch_model::{Action, ActionId, Fact, Meaning, Span, Timestamp};

use super::approval::Approved;
use super::blast_radius::{BlastRadius, Level};
use super::protect;
use crate::config::{Autonomy, ContainmentPolicy, Protected};
use crate::{Decided, Reason};

/// Widest target whatever anybody agrees to: prefix lengths.
///
/// Source: SEC-56.
const WIDEST_V4: u8 = 16;
/// The same for IPv6.
const WIDEST_V6: u8 = 32;

/// Independent authenticated sources that make up for a handshake nobody saw.
///
/// Source: SEC-54.
const SOURCES_INSTEAD_OF_HANDSHAKE: u32 = 2;

/// Changes on the same target in the last seven days from which the next one is asked for: whoever
/// makes us block somebody again and again must convince a person.
///
/// Source: SEC-59 and abuse case 11.
const EARLIER_ON_TARGET: u32 = 3;

/// With a person's yes the caps are this many times higher, and no higher: beyond it somebody is
/// using us.
const HARD_CAP: u32 = 2;

/// Evidence dated further ahead of our clock than this is not believed.
const CLOCK_SKEW: Span = Span::mins(5);

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
struct Live;

impl Mode {
    fn live(self) -> Option<Live> {
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
    /// A change in force on the same target.
    pub already_active_on_target: Option<ActionId>,
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
    /// A person's yes, if there is one.
    pub approval: Option<&'a Approved>,
    /// What has been changed lately.
    pub usage: Usage,
    /// True while the kill switch is engaged.
    pub kill_switch: bool,
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
    fn grant(action: &Action, _: Live) -> Permit {
        Permit { action: action.clone() }
    }

    /// Read back from our own journal, where it was written when the guard gave it.
    // The journal's decoder is the only caller.
    pub(crate) fn from_journal(action: Action) -> Permit {
        Permit { action }
    }

    /// The same, with what its responder found there before: read between the permit and the change.
    pub(crate) fn captured(mut self, before: Option<String>) -> Permit {
        self.action.before = before;
        self
    }

    /// What is permitted.
    #[must_use]
    pub fn action(&self) -> &Action {
        &self.action
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
    /// Not by the machine: ask a person.
    NeedsApproval,
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
            Verdict::NeedsApproval => "needs approval",
            Verdict::Refused => "refused",
        }
    }
}

/// Judges one action. Every reason begins with the rule it comes from; all that apply are told,
/// not only the first.
#[must_use]
pub fn guard(action: &Action, facts: &GuardFacts<'_>) -> Decided<Verdict> {
    let mut judgement = Judgement::default();
    let Some(target) = action.kind.network() else {
        judgement.never("kind", format!("{} cannot be judged yet", action.kind.name()));
        return judgement.settle(action, facts);
    };
    judgement.switches(facts);
    judgement.protected(target, facts);
    judgement.time_to_live(action.ttl, facts.policy);
    judgement.width(target, facts.policy);
    judgement.caps(facts);
    judgement.repeats(facts);
    judgement.evidence(facts);
    judgement.blast(target, facts);
    judgement.lists(target, facts.target_facts);
    judgement.autonomy(facts.autonomy);
    judgement.settle(action, facts)
}

/// What the rules said so far.
#[derive(Default)]
struct Judgement {
    never: Vec<Reason>,
    ask: Vec<Reason>,
}

impl Judgement {
    fn never(&mut self, rule: &str, fact: impl AsRef<str>) {
        self.never.push(Reason(format!("{rule}: {}", fact.as_ref())));
    }

    fn ask(&mut self, rule: &str, fact: impl AsRef<str>) {
        self.ask.push(Reason(format!("{rule}: {}", fact.as_ref())));
    }

    fn switches(&mut self, facts: &GuardFacts<'_>) {
        if facts.kill_switch {
            self.never("kill switch", "it is engaged; nothing is changed until it is released");
        }
    }

    fn protected(&mut self, target: &IpNet, facts: &GuardFacts<'_>) {
        if let Some(why) = protect::built_in(target) {
            self.never("protected", format!("{} {why}", plain(target)));
        }
        for (list, origin) in [(&facts.policy.protected[..], "by policy"), (facts.discovered, "discovered")] {
            for entry in list.iter().filter(|p| protect::overlaps(target, &p.net)) {
                let net = plain(&entry.net);
                self.never("protected", format!("{} touches {net} ({}; {origin})", plain(target), entry.why));
            }
        }
    }

    fn time_to_live(&mut self, ttl: Span, policy: &ContainmentPolicy) {
        if ttl <= Span::ZERO {
            self.never("time to live", "it has none, and nothing we do is for ever");
        } else if ttl > policy.max_ttl {
            self.never(
                "time to live",
                format!("{ttl} is longer than the longest allowed, {}", policy.max_ttl),
            );
        }
    }

    fn width(&mut self, target: &IpNet, policy: &ContainmentPolicy) {
        let length = target.prefix_len();
        let (widest, min) = match target {
            IpNet::V4(_) => (WIDEST_V4, policy.min_prefix_v4),
            IpNet::V6(_) => (WIDEST_V6, policy.min_prefix_v6),
        };
        if target.trunc() != *target {
            self.never("width", format!("{target} has bits set beyond /{length}; say what is meant"));
        }
        if length < widest {
            self.never("width", format!("/{length} is wider than /{widest}, the widest ever allowed"));
        } else if length < min {
            self.never("width", format!("/{length} is wider than /{min}, the widest one person may approve"));
        } else if length < target.max_prefix_len() {
            self.ask("width", format!("/{length} covers more than one address"));
        }
    }

    /// On breach the machine stops and asks; with a yes it goes on up to twice the cap.
    fn caps(&mut self, facts: &GuardFacts<'_>) {
        let caps = [
            (
                "rate",
                facts.usage.started_last_10_minutes,
                facts.policy.max_per_10_minutes,
                "begun in ten minutes",
            ),
            ("active", facts.usage.active, facts.policy.max_active, "in force"),
        ];
        for (rule, used, cap, what) in caps {
            let hard = cap.saturating_mul(HARD_CAP);
            if used >= hard {
                self.never(
                    rule,
                    format!(
                        "{used} changes {what}; the cap is {cap}, and {hard} with approval: ask again later"
                    ),
                );
            } else if used >= cap {
                self.ask(rule, format!("{used} changes {what}; the cap for the machine alone is {cap}"));
            }
        }
    }

    fn repeats(&mut self, facts: &GuardFacts<'_>) {
        if let Some(other) = facts.usage.already_active_on_target {
            self.never(
                "repeat",
                format!("{other} is in force on this target; a change is never extended unseen"),
            );
        } else if facts.usage.earlier_on_target >= EARLIER_ON_TARGET {
            let times = facts.usage.earlier_on_target;
            self.ask("repeat", format!("this target has been changed {times} times in seven days"));
        }
    }

    fn evidence(&mut self, facts: &GuardFacts<'_>) {
        let Evidence { established, independent_sources, newest, max_age } = facts.evidence;
        if !established && independent_sources < SOURCES_INSTEAD_OF_HANDSHAKE {
            self.ask(
                "spoofable",
                format!(
                    "no completed exchange was seen, and only {independent_sources} of \
                     {SOURCES_INSTEAD_OF_HANDSHAKE} independent authenticated sources saw it"
                ),
            );
        }
        let age = facts.now.since(newest);
        if age > max_age {
            self.ask("stale", format!("the latest alert is {age} old; the machine acts within {max_age}"));
        } else if Span(age.0.saturating_neg()) > CLOCK_SKEW {
            self.ask("stale", format!("the latest alert is dated {newest}, ahead of our clock"));
        }
    }

    fn blast(&mut self, target: &IpNet, facts: &GuardFacts<'_>) {
        if facts.blast.target != *target {
            let other = plain(&facts.blast.target);
            self.never("blast radius", format!("it was estimated for {other}, not for {}", plain(target)));
            return;
        }
        let touched = u32::try_from(facts.blast.own_assets.len()).unwrap_or(u32::MAX);
        if touched > facts.policy.max_assets_touched {
            let cap = facts.policy.max_assets_touched;
            self.ask(
                "blast radius",
                format!("{touched} machines of ours are touched; the machine may touch {cap}"),
            );
        }
        if facts.blast.level == Level::High {
            let unknown =
                facts.blast.unknown.first().map_or(String::new(), |what| format!("; not known: {what}"));
            self.ask("blast radius", format!("it is high{unknown}"));
        }
    }

    fn lists(&mut self, target: &IpNet, target_facts: &[Fact]) {
        for fact in target_facts {
            match &fact.meaning {
                Meaning::NeverBlock { list } => {
                    self.never(
                        "never block",
                        format!("{} is on \"{list}\" ({})", plain(target), fact.provider),
                    );
                }
                Meaning::Shared { list } => {
                    self.ask(
                        "shared",
                        format!("many unrelated parties sit behind {}: \"{list}\"", plain(target)),
                    );
                }
                Meaning::Harmless { list } => {
                    self.ask("harmless", format!("{} is on \"{list}\", usually benign", plain(target)));
                }
                Meaning::Asset { .. }
                | Meaning::Malicious { .. }
                | Meaning::Seen { .. }
                | Meaning::Traffic { .. }
                | Meaning::Note { .. } => {}
            }
        }
    }

    fn autonomy(&mut self, autonomy: Autonomy) {
        match autonomy {
            Autonomy::Observe => self.never("autonomy", "observe only: nothing is changed here"),
            Autonomy::Suggest => self.ask("autonomy", "suggest: a person decides"),
            Autonomy::Approve => self.ask("autonomy", "approve: a person decides"),
            Autonomy::Act => {}
        }
    }

    fn settle(self, action: &Action, facts: &GuardFacts<'_>) -> Decided<Verdict> {
        if !self.never.is_empty() {
            return Decided { verdict: Verdict::Refused, because: self.never };
        }
        let yes = match facts.approval.map(|a| (a, a.covers(action, facts.now))) {
            // A yes that does not hold is worse than none: somebody or something is confused.
            Some((_, Err(why))) => return Decided { verdict: Verdict::Refused, because: vec![why] },
            Some((approved, Ok(()))) => Some(approved),
            None => None,
        };
        let mut because = Vec::new();
        match yes {
            Some(approved) => {
                let id = approved.approval().id;
                because.push(Reason(format!(
                    "approval: {} said yes to {id} at {}",
                    approved.by(),
                    approved.at()
                )));
                because.extend(self.ask);
            }
            None if !self.ask.is_empty() => {
                return Decided { verdict: Verdict::NeedsApproval, because: self.ask };
            }
            None => because.push(Reason::new("autonomy: act, and every rule agrees")),
        }
        let verdict = match facts.mode.live() {
            Some(live) => Verdict::Permit(Permit::grant(action, live)),
            None => {
                because.insert(0, Reason::new("mode: not live, so nothing is changed"));
                Verdict::WouldPermit
            }
        };
        Decided { verdict, because }
    }
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
