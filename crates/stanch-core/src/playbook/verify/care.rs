//! Every change is looked at again and told to somebody, on every way; nothing waits longer than the
//! change it guards; what cannot be undone has a person's yes.

use std::collections::{BTreeMap, BTreeSet};

use stanch_model::Span;

use super::Judge;
use crate::config::Autonomy;
use crate::playbook::{Act, Join, OnFailure, Step, StepKind, Wait};

/// What may be, or must be, the case at one place of the plan.
#[derive(Clone, Debug, Default)]
struct Place {
    /// Changes that some way has not looked at again.
    unverified: BTreeSet<String>,
    /// Changes that some way has told nobody of.
    untold: BTreeSet<String>,
    /// Every way has told somebody.
    told: bool,
    /// Every way has a person's yes.
    approved: bool,
    /// Changes that may be in force, and how long the plan has waited since.
    held: BTreeMap<String, (Span, Span)>,
}

impl Place {
    /// Where two ways meet.
    fn meet(mut self, other: Place) -> Place {
        self.unverified.extend(other.unverified);
        self.untold.extend(other.untold);
        self.told &= other.told;
        self.approved &= other.approved;
        for (id, (waited, ttl)) in other.held {
            let held = self.held.entry(id).or_insert((waited, ttl));
            held.0 = held.0.max(waited);
        }
        self
    }
}

impl Judge<'_> {
    pub(super) fn care(&mut self) {
        let playbook = self.playbook;
        let end = self.walk(&playbook.steps, Place::default());
        self.left_over(&end);
    }

    /// What nobody has looked at or heard of when a way ends.
    fn left_over(&mut self, end: &Place) {
        let never = !self.all().iter().any(|s| matches!(s.kind, StepKind::Verify));
        for id in &end.unverified {
            let message = if never {
                format!("nothing looks again whether change {id} is in place")
            } else {
                format!("on one way at least nothing looks again whether change {id} is in place")
            };
            let help = "add a step `verify: all` after it, on every way and before the change is lifted";
            self.wrong(id, "", message, help);
        }
        for id in &end.untold {
            let message = format!("on one way at least nobody is told of change {id}");
            match self.around.noc_told {
                Some(true) => {}
                Some(false) => {
                    let help =
                        "add a `notify` step on every way, or set `noc_team` in policies/containment.yaml";
                    self.wrong(id, "", message, help);
                }
                None => {
                    let help = "add a `notify` step on every way; with a `noc_team` the NOC is told anyway";
                    self.odd(id, "", message, help);
                }
            }
        }
    }

    fn walk(&mut self, steps: &[Step], mut at: Place) -> Place {
        for step in steps {
            let before = at.clone();
            at = self.pass(step, at);
            if step.when.is_some() {
                at = at.meet(before.clone());
            }
            if let OnFailure::Steps(steps) = &step.on_failure {
                let failed = self.walk(steps, at.clone().meet(before));
                at = at.meet(failed);
            }
            if !step.compensate.is_empty() {
                let end = self.walk(&step.compensate, Place { approved: true, ..Place::default() });
                self.left_over(&end);
            }
        }
        at
    }

    fn pass(&mut self, step: &Step, mut at: Place) -> Place {
        match &step.kind {
            StepKind::Act(act) => self.act(step, act, &mut at),
            StepKind::Verify => at.unverified.clear(),
            StepKind::Notify { .. } => {
                at.untold.clear();
                at.told = true;
            }
            StepKind::Approve { .. } => at.approved = true,
            StepKind::Wait(Wait::Lifted) => {
                for id in std::mem::take(&mut at.unverified) {
                    let message =
                        format!("change {id} is lifted before anything has looked whether it was in place");
                    self.wrong(
                        &id,
                        "",
                        message,
                        format!("add `verify: all` between `{id}` and `{}`", step.id),
                    );
                }
                at.held.clear();
            }
            StepKind::Wait(Wait::For(span)) => self.hold(step, *span, "waits", &mut at),
            StepKind::Wait(Wait::Until { at_most, .. }) => self.hold(step, *at_most, "may wait", &mut at),
            StepKind::If { then, otherwise, .. } => {
                let yes = self.walk(then, at.clone());
                return yes.meet(self.walk(otherwise, at));
            }
            StepKind::Switch { cases, default, .. } => {
                let mut ways: Vec<Place> =
                    cases.iter().map(|(_, steps)| self.walk(steps, at.clone())).collect();
                ways.extend(default.as_deref().map(|steps| self.walk(steps, at.clone())));
                return ways.into_iter().reduce(Place::meet).unwrap_or(at);
            }
            StepKind::Parallel { branches, until } => {
                let ways: Vec<Place> =
                    branches.iter().map(|(_, steps)| self.walk(steps, at.clone())).collect();
                return together(at, ways, branches, *until);
            }
            StepKind::ForEach { steps, .. } => {
                let round = self.walk(steps, at.clone());
                return round.meet(at);
            }
            StepKind::Repeat { steps, .. } => {
                let round = self.walk(steps, at.clone());
                return round.meet(at);
            }
            StepKind::Enrich { .. }
            | StepKind::Fetch { .. }
            | StepKind::Set { .. }
            | StepKind::Manual { .. }
            | StepKind::Call { .. }
            | StepKind::Reply { .. } => {}
        }
        at
    }

    fn act(&mut self, step: &Step, act: &Act, at: &mut Place) {
        let ends = act.undo && act.change.name() != "reset_credential";
        let asked = self.playbook.autonomy.is_some_and(|a| a <= Autonomy::Approve);
        if !act.undo && !at.approved && !asked {
            let message =
                format!("step {} cannot be undone, and on one way at least nobody has said yes", step.id);
            let help =
                "put an `approve` step before it on every way, or write `autonomy: approve` at the top";
            self.wrong(&step.id, act.change.name(), message, help);
        }
        at.unverified.insert(step.id.clone());
        if !at.told {
            at.untold.insert(step.id.clone());
        }
        if ends {
            let ttl = act.ttl.unwrap_or(self.around.default_ttl);
            at.held.insert(step.id.clone(), (Span::ZERO, ttl));
        }
    }

    /// Waits while changes are in force.
    fn hold(&mut self, step: &Step, span: Span, verb: &str, at: &mut Place) {
        let mut over = None;
        for (id, (waited, ttl)) in &mut at.held {
            let before = *waited;
            *waited = Span(waited.0.saturating_add(span.0));
            if before < *ttl && *waited >= *ttl {
                over = Some((id.clone(), *waited, *ttl));
            }
        }
        if let Some((id, waited, ttl)) = over {
            let message =
                format!("step {} {verb} until {waited} after change {id}, which ends after {ttl}", step.id);
            let help = format!("give `{id}` a longer `ttl`, wait less, or put `wait: lifted` before");
            self.wrong(&step.id, "wait", message, help);
        }
    }
}

/// Where ways gone at once are over. A `verify` in one branch has looked at what was there before the
/// branches, not at what the others do meanwhile.
fn together(at: Place, ways: Vec<Place>, branches: &[(String, Vec<Step>)], until: Join) -> Place {
    match until {
        Join::All => {
            let mut end = ways.iter().cloned().reduce(Place::meet).unwrap_or_else(|| at.clone());
            let gone = |pick: fn(&Place) -> &BTreeSet<String>| {
                let before = pick(&at).clone();
                before.into_iter().filter(|id| ways.iter().any(|w| !pick(w).contains(id))).collect::<Vec<_>>()
            };
            gone(|p| &p.unverified).iter().for_each(|id| end.unverified.retain(|u| u != id));
            gone(|p| &p.untold).iter().for_each(|id| end.untold.retain(|u| u != id));
            end.told = ways.iter().any(|w| w.told);
            end.approved = ways.iter().any(|w| w.approved);
            if end.told {
                end.untold.clear();
            }
            end
        }
        // A branch may be stopped anywhere: what it has changed may be unseen and untold.
        Join::Any => {
            let mut end = ways.into_iter().fold(at, Place::meet);
            for id in branches.iter().flat_map(|(_, steps)| changes(steps)) {
                end.unverified.insert(id.clone());
                end.untold.insert(id);
            }
            end
        }
    }
}

fn changes(steps: &[Step]) -> Vec<String> {
    let mut all = Vec::new();
    for step in steps {
        if matches!(step.kind, StepKind::Act(_)) {
            all.push(step.id.clone());
        }
        step.inner().for_each(|inside| all.extend(changes(inside)));
    }
    all
}
