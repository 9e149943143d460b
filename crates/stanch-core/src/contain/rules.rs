//! The guard's rules, one function each: what is never done, and what is only done when asked.

use ipnet::IpNet;
use stanch_model::action::plain;
use stanch_model::{Action, ActionKind, Fact, Meaning, Span};

use super::blast_radius::Level;
use super::guard::{Evidence, GuardFacts, Permit, Verdict};
use super::names;
use super::target::{self, Touched, touched};
use crate::config::{Autonomy, ContainmentPolicy, Protected};
use crate::stage::autonomy::Leave;
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

/// Most people a question can want.
const TWO: u8 = 2;

/// What the rules said so far.
#[derive(Default)]
pub(super) struct Judgement {
    never: Vec<Reason>,
    ask: Vec<Reason>,
    /// Of what is asked: what a yes given in advance has answered.
    answered: Vec<Reason>,
    /// Why the machine may decide it at all, where that must be earned.
    earned: Option<Reason>,
    people: u8,
}

/// Why a change touches something protected, each entry that it touches.
pub(super) fn protected(
    kind: &ActionKind,
    policy: &ContainmentPolicy,
    discovered: &[Protected],
) -> Vec<Reason> {
    let mut why = Vec::new();
    for touched in touched(kind) {
        if let Some(nature) = names::built_in(&touched) {
            why.push(Reason(format!("protected: {} {nature}", touched.shown())));
        }
        for (list, origin) in [(&policy.protected[..], "by policy"), (discovered, "discovered")] {
            for entry in list.iter().filter(|p| names::meets(&touched, &p.what)) {
                let (what, thing) = (touched.shown(), entry.what.words());
                why.push(Reason(format!("protected: {what} touches {thing} ({}; {origin})", entry.why)));
            }
        }
    }
    if let ActionKind::QuarantinePort { vlan, .. } = kind
        && policy.management_vlans.contains(vlan)
    {
        why.push(Reason(format!(
            "protected: VLAN {vlan} is a management VLAN, no place for a quarantined machine"
        )));
    }
    why
}

impl Judgement {
    fn never(&mut self, rule: &str, fact: impl AsRef<str>) {
        self.never.push(Reason(format!("{rule}: {}", fact.as_ref())));
    }

    fn ask(&mut self, rule: &str, fact: impl AsRef<str>) {
        self.ask.push(Reason(format!("{rule}: {}", fact.as_ref())));
    }

    /// Asks, and two people at that.
    fn ask_two(&mut self, rule: &str, fact: impl AsRef<str>) {
        self.ask(rule, fact);
        self.people = TWO;
    }

    pub(super) fn switches(&mut self, facts: &GuardFacts<'_>) {
        if let Some(what) = facts.kill_switch {
            self.never("kill switch", format!("{what}; nothing is changed until it is released"));
        }
    }

    pub(super) fn grammar(&mut self, kind: &ActionKind) {
        self.never.extend(target::malformed(kind));
    }

    pub(super) fn protected(&mut self, kind: &ActionKind, facts: &GuardFacts<'_>) {
        self.never.extend(protected(kind, facts.policy, facts.discovered));
    }

    pub(super) fn time_to_live(&mut self, ttl: Span, policy: &ContainmentPolicy) {
        if ttl <= Span::ZERO {
            self.never("time to live", "it has none, and nothing we do is for ever");
        } else if ttl > policy.max_ttl {
            let max = policy.max_ttl;
            self.never("time to live", format!("{ttl} is longer than the longest allowed, {max}"));
        }
    }

    pub(super) fn width(&mut self, kind: &ActionKind, policy: &ContainmentPolicy) {
        let Some(target) = kind.network() else { return };
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
            self.ask_two(
                "width",
                format!("/{length} is wider than /{min}, the widest one person may approve"),
            );
        } else if length < target.max_prefix_len() {
            self.ask("width", format!("/{length} covers more than one address"));
        }
    }

    /// On breach the machine stops and asks; with a yes it goes on up to twice the cap.
    pub(super) fn caps(&mut self, kind: &ActionKind, facts: &GuardFacts<'_>) {
        let (usage, policy, kind) = (facts.usage, facts.policy, kind.name());
        let mut caps = vec![
            (
                "rate",
                usage.started_last_10_minutes,
                policy.max_per_10_minutes,
                "changes begun in ten minutes".to_owned(),
            ),
            ("active", usage.active, policy.max_active, "changes in force".to_owned()),
        ];
        if let Some(own) = policy.caps.get(kind) {
            let begun = format!("of {kind} begun in ten minutes");
            caps.push(("rate", usage.kind_started_last_10_minutes, own.per_10_minutes, begun));
            caps.push(("active", usage.kind_active, own.active, format!("of {kind} in force")));
        }
        for (rule, used, cap, what) in caps {
            let hard = cap.saturating_mul(HARD_CAP);
            if used >= hard {
                let more = format!("the cap is {cap}, and {hard} with approval: ask again later");
                self.never(rule, format!("{used} {what}; {more}"));
            } else if used >= cap {
                self.ask(rule, format!("{used} {what}; the cap for the machine alone is {cap}"));
            }
        }
    }

    pub(super) fn repeats(&mut self, facts: &GuardFacts<'_>) {
        if let Some(other) = facts.usage.already_active_on_target {
            let why = "is in force on this target; a change is never extended unseen";
            self.never("repeat", format!("{other} {why}"));
        } else if facts.usage.earlier_on_target >= EARLIER_ON_TARGET {
            let times = facts.usage.earlier_on_target;
            self.ask("repeat", format!("this target has been changed {times} times in seven days"));
        }
        if let Some(other) = facts.usage.in_the_way {
            self.never("repeat", format!("{other} is in force and says the opposite; release that instead"));
        }
    }

    pub(super) fn evidence(&mut self, facts: &GuardFacts<'_>) {
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
        if let Some(work) = facts.planned_work {
            self.ask("planned work", work);
        }
    }

    pub(super) fn blast(&mut self, kind: &ActionKind, facts: &GuardFacts<'_>) {
        let blast = facts.blast;
        let same = match kind.network() {
            Some(target) => blast.target == Some(*target),
            None => blast.target.is_none() && blast.what == kind.subject(),
        };
        if !same {
            let other = blast.target.as_ref().map_or_else(|| blast.what.clone(), plain);
            self.never("blast radius", format!("it was estimated for {other}, not for {}", kind.subject()));
            return;
        }
        let touched = u32::try_from(blast.own_assets.len()).unwrap_or(u32::MAX);
        if touched > facts.policy.max_assets_touched {
            let cap = facts.policy.max_assets_touched;
            self.ask(
                "blast radius",
                format!("{touched} machines of ours are touched; the machine may touch {cap}"),
            );
        }
        if blast.level == Level::High {
            let unknown = blast.unknown.first().map_or(String::new(), |what| format!("; not known: {what}"));
            let why = Reason(format!("blast radius: it is high{unknown}"));
            match facts.preauthorised {
                Some(p) if p.blast_radius == Level::High => self.answered.push(why),
                Some(_) | None => self.ask.push(why),
            }
        } else if let Some(p) = facts.preauthorised
            && blast.level > p.blast_radius
        {
            let (level, most) = (blast.level.word(), p.blast_radius.word());
            self.ask(
                "blast radius",
                format!("it is {level}, and pre-authorisation {} covers {most}", p.name),
            );
        }
    }

    pub(super) fn lists(&mut self, kind: &ActionKind, target_facts: &[Fact]) {
        let shown = kind.subject();
        for fact in target_facts {
            match &fact.meaning {
                Meaning::NeverBlock { list } => {
                    self.never("never block", format!("{shown} is on \"{list}\" ({})", fact.provider));
                }
                // A well-known name answered by us would be missed by everybody at once.
                Meaning::Harmless { list } if matches!(kind, ActionKind::SinkholeDomain { .. }) => {
                    self.never(
                        "never block",
                        format!("{shown} is on \"{list}\" ({}), well known and benign", fact.provider),
                    );
                }
                Meaning::Shared { list } => {
                    self.ask("shared", format!("many unrelated parties sit behind {shown}: \"{list}\""));
                }
                Meaning::Harmless { list } => {
                    self.ask("harmless", format!("{shown} is on \"{list}\", usually benign"));
                }
                Meaning::Asset { .. }
                | Meaning::Malicious { .. }
                | Meaning::Seen { .. }
                | Meaning::Traffic { .. }
                | Meaning::Note { .. } => {}
            }
        }
    }

    /// What is special about accounts, and about what cannot be undone.
    pub(super) fn identity(&mut self, kind: &ActionKind, facts: &GuardFacts<'_>) {
        for one in touched(kind) {
            if let Touched::Account(account) = &one
                && names::looks_like_a_program(account)
            {
                self.ask("account", format!("{account} looks like a program's; what depends on it stops"));
            }
        }
        if matches!(kind, ActionKind::UnlockAccount { .. }) {
            self.ask("account", "giving access back is for a person to decide");
        }
        if facts.lasting {
            self.ask("lasting", "it cannot be undone");
        }
    }

    pub(super) fn people(&mut self, kind: &ActionKind, facts: &GuardFacts<'_>) {
        if facts.policy.two_people_for.contains(kind.name()) {
            self.ask_two("two people", format!("the policy wants two for {}", kind.name()));
        }
        if facts.policy.two_people_when_high && facts.blast.level == Level::High {
            self.ask_two("two people", "the policy wants two where the blast radius is high");
        }
    }

    pub(super) fn autonomy(&mut self, facts: &GuardFacts<'_>) {
        let why: Vec<&str> = facts.autonomy_because.iter().map(|r| r.0.as_str()).collect();
        let why = if why.is_empty() { String::new() } else { format!(" ({})", why.join("; ")) };
        let word = facts.autonomy.word();
        let asks = Reason(format!("autonomy: {word}{why}: a person decides"));
        match (facts.autonomy, facts.preauthorised) {
            (Autonomy::Observe, _) => {
                self.never("autonomy", format!("observe only{why}: nothing is changed here"));
            }
            // To suggest is all that is wanted: no yes in advance makes it more.
            (Autonomy::Suggest, _) | (Autonomy::Approve, None) => self.ask.push(asks),
            (Autonomy::Approve, Some(_)) => self.answered.push(asks),
            (Autonomy::Act, _) => {}
        }
    }

    /// What nobody is asked about must be earned: a route that says `act` and a yes in advance say who may,
    /// the measured confidence says whether it is likely enough to be right.
    pub(super) fn confidence(&mut self, facts: &GuardFacts<'_>) {
        let alone = match (facts.autonomy, facts.preauthorised) {
            (Autonomy::Act, _) | (Autonomy::Approve, Some(_)) => true,
            (Autonomy::Observe | Autonomy::Suggest, _) | (Autonomy::Approve, None) => false,
        };
        match facts.leave {
            Leave::Withheld(why) if alone => self.ask("confidence", format!("{why}: a person decides")),
            Leave::Given(why) if alone => self.earned = Some(Reason(format!("confidence: {why}"))),
            Leave::Withheld(_) | Leave::Given(_) | Leave::Unmeasured => {}
        }
    }

    pub(super) fn settle(self, action: &Action, facts: &GuardFacts<'_>) -> Decided<Verdict> {
        if !self.never.is_empty() {
            return Decided { verdict: Verdict::Refused, because: self.never };
        }
        let people = self.people.max(1);
        let mut because = Vec::new();
        match facts.approval {
            Some(approved) => {
                // A yes that does not hold is worse than none: somebody or something is confused.
                if let Err(why) = approved.covers(action, facts.now) {
                    return Decided { verdict: Verdict::Refused, because: vec![why] };
                }
                let have = approved.people();
                if have < usize::from(people) {
                    let id = approved.approval().id;
                    let why = Reason(format!(
                        "approval: {id} was answered by {have}, and it takes {people} people now"
                    ));
                    return Decided { verdict: Verdict::Refused, because: vec![why] };
                }
                let (by, id, at) = (approved.by(), approved.approval().id, approved.at());
                because.push(Reason(format!("approval: {by} said yes to {id} at {at}")));
                because.extend(self.ask);
                because.extend(self.answered);
            }
            None if !self.ask.is_empty() => {
                let because = self.ask.into_iter().chain(self.answered).collect();
                return Decided { verdict: Verdict::NeedsApproval { people }, because };
            }
            None => {
                because.push(match facts.preauthorised {
                    Some(p) if !self.answered.is_empty() => {
                        Reason(format!("pre-authorised: {} said yes in advance ({})", p.by, p.name))
                    }
                    Some(_) | None => Reason::new("autonomy: act, and every rule agrees"),
                });
                because.extend(self.answered);
                because.extend(self.earned);
            }
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
