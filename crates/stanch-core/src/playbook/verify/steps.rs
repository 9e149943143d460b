//! Keys that make no sense where they stand, and answers nobody hears.

use super::Judge;
use super::loops::times;
use crate::playbook::{Act, Change, OnFailure, Step, StepKind, Trigger, Wait};

impl Judge<'_> {
    pub(super) fn steps(&mut self) {
        for step in self.all() {
            self.retried(step);
            self.timed(step);
            self.silent(step);
            self.undone(step);
            if let StepKind::Act(act) = &step.kind {
                self.permanent(step, act);
            }
        }
        self.inputs();
        if matches!(self.playbook.trigger, Trigger::Hook) {
            let playbook = self.playbook;
            self.answered(&playbook.steps, Answer::default());
        }
    }

    /// Trying again helps only where a try can fail by itself.
    fn retried(&mut self, step: &Step) {
        let helps = match &step.kind {
            StepKind::Act(_)
            | StepKind::Enrich { .. }
            | StepKind::Fetch { .. }
            | StepKind::Verify
            | StepKind::Call { .. } => true,
            StepKind::Set { .. }
            | StepKind::If { .. }
            | StepKind::Switch { .. }
            | StepKind::Parallel { .. }
            | StepKind::ForEach { .. }
            | StepKind::Repeat { .. }
            | StepKind::Wait(_)
            | StepKind::Approve { .. }
            | StepKind::Manual { .. }
            | StepKind::Notify { .. }
            | StepKind::Reply { .. } => false,
        };
        if !helps && step.retry.times > 0 {
            let message = format!("step {}: `retry` has no meaning for `{}`", step.id, step.kind.name());
            self.wrong(&step.id, "retry", message, "put it on the step that can fail, or take it out");
        }
    }

    /// A step that ends after it has failed.
    fn timed(&mut self, step: &Step) {
        let longest = if let StepKind::Wait(Wait::For(span) | Wait::Until { at_most: span, .. }) = &step.kind
        {
            *span
        } else if let StepKind::Repeat { every, at_most, .. } = &step.kind {
            times(*every, *at_most)
        } else {
            return;
        };
        if let Some(timeout) = step.timeout.filter(|t| *t < longest) {
            let message =
                format!("step {} may take {longest}, but fails after its `timeout` of {timeout}", step.id);
            self.wrong(&step.id, "timeout", message, "give it a longer `timeout`, or take that out");
        }
    }

    /// Silence is never a yes.
    fn silent(&mut self, step: &Step) {
        let goes_on = matches!(step.on_failure, OnFailure::Continue | OnFailure::Steps(_));
        if goes_on && matches!(step.kind, StepKind::Approve { .. }) {
            let message = format!("step {}: silence would count as a yes, for the run goes on", step.id);
            self.wrong(&step.id, "on_failure", message, "leave `on_failure` out, or write `unwind`");
        }
    }

    fn undone(&mut self, step: &Step) {
        let idle = match &step.kind {
            StepKind::Set { .. } | StepKind::Wait(_) | StepKind::Verify | StepKind::Enrich { .. } => true,
            StepKind::Act(_)
            | StepKind::Fetch { .. }
            | StepKind::If { .. }
            | StepKind::Switch { .. }
            | StepKind::Parallel { .. }
            | StepKind::ForEach { .. }
            | StepKind::Repeat { .. }
            | StepKind::Approve { .. }
            | StepKind::Manual { .. }
            | StepKind::Notify { .. }
            | StepKind::Call { .. }
            | StepKind::Reply { .. } => false,
        };
        if idle && !step.compensate.is_empty() {
            let message = format!("step {}: a `{}` leaves nothing to undo", step.id, step.kind.name());
            self.wrong(&step.id, "compensate", message, "take `compensate` out");
        }
    }

    /// Every change has a way back, or its author says that it has none.
    fn permanent(&mut self, step: &Step, act: &Act) {
        let kind = act.change.name();
        let helpless = matches!(act.change, Change::ResetCredential { .. });
        if helpless && act.undo && step.compensate.is_empty() {
            let message = format!("step {}: a {kind} cannot be undone, and nothing here says so", step.id);
            let help = "write `undo: none` to say that you know, or give steps under `compensate`";
            self.wrong(&step.id, kind, message, help);
        }
        let own_way_back = !helpless && !matches!(act.change, Change::Call { .. });
        if own_way_back && !act.undo {
            let message = format!("step {}: `undo: none` would make this {kind} permanent", step.id);
            self.wrong(&step.id, ".undo", message, "take it out: every change here ends by itself");
        }
        if let Some(ttl) = act.ttl.filter(|_| !act.undo || helpless) {
            let message =
                format!("step {}: `ttl` ({ttl}) promises an end, but this cannot be undone", step.id);
            self.wrong(&step.id, ".ttl", message, "take `ttl` out");
        }
    }

    /// Inputs nobody reads are usually misspelt somewhere.
    fn inputs(&mut self) {
        let unread: Vec<String> = self
            .playbook
            .inputs
            .iter()
            .map(|p| p.name.clone())
            .filter(|name| !self.playbook.source.contains(&format!("inputs.{name}")))
            .collect();
        for name in unread {
            let message = format!("nothing reads the input `{name}`");
            self.odd("", "inputs", message, format!("use `inputs.{name}`, or take it out"));
        }
    }

    /// A hook's caller hears one answer, and not after a wait.
    fn answered(&mut self, steps: &[Step], mut so_far: Answer) -> Answer {
        for step in steps {
            let before = so_far.clone();
            match &step.kind {
                StepKind::Reply { .. } => {
                    if let Some(first) = &so_far.given {
                        let message = format!(
                            "step {} answers a caller who may have been answered by {first} already",
                            step.id
                        );
                        self.wrong(&step.id, "reply", message, "answer once on every way");
                    } else if let Some(slow) = &so_far.waited {
                        let message = format!("the caller has to wait for step {slow} before it is answered");
                        self.odd(&step.id, "reply", message, "answer first, and wait afterwards");
                    }
                    so_far.given.get_or_insert_with(|| step.id.clone());
                }
                StepKind::Wait(_) | StepKind::Approve { .. } | StepKind::Manual { .. } => {
                    so_far.waited.get_or_insert_with(|| step.id.clone());
                }
                StepKind::ForEach { steps, .. } | StepKind::Repeat { steps, .. } => {
                    let once = self.answered(steps, so_far.clone());
                    if so_far.given.is_none()
                        && let Some(inside) = &once.given
                    {
                        let message = format!("step {inside} answers in every round of {}", step.id);
                        self.wrong(inside, "reply", message, "answer once, outside of the loop");
                    }
                    so_far = once;
                }
                StepKind::If { .. } | StepKind::Switch { .. } | StepKind::Parallel { .. } => {
                    let lists: Vec<&[Step]> = step.inner().collect();
                    for steps in lists {
                        let way = self.answered(steps, before.clone());
                        so_far.given = so_far.given.or(way.given);
                        so_far.waited = so_far.waited.or(way.waited);
                    }
                }
                StepKind::Act(_)
                | StepKind::Enrich { .. }
                | StepKind::Fetch { .. }
                | StepKind::Set { .. }
                | StepKind::Notify { .. }
                | StepKind::Verify
                | StepKind::Call { .. } => {}
            }
        }
        so_far
    }
}

/// What a caller may have met so far: the steps that answered and made it wait first.
#[derive(Clone, Default)]
struct Answer {
    given: Option<String>,
    waited: Option<String>,
}
