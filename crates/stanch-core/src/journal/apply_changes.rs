//! Facts about questions, changes and intentions to state. Nothing is decided here.

use stanch_model::{Observed, Timestamp};

use super::event::{
    ActionCaptured, ActionEnd, ActionEnded, ActionObserved, ActionPermitted, Answered, ApprovalSettled,
    Effect, Intended, Settled,
};
use super::incident::{MarkKind, Status};
use super::state::{ActionState, Asked, Pending, State};
use crate::contain::Approval;

impl State {
    pub(super) fn approval_requested(&mut self, at: Timestamp, a: &Approval) {
        self.next.approval = self.next.approval.max(a.id.0 + 1);
        self.next.action = self.next.action.max(a.action.id.0 + 1);
        let text = format!("{} asked: {}", a.id, a.action.kind.words());
        self.mark(a.incident, at, MarkKind::ApprovalRequested, text);
        self.on_run(a.run, |run| run.step_mut(at, &a.step).approval = Some(a.id));
        self.approvals.insert(a.id, Asked { approval: a.clone(), settled: None });
    }

    pub(super) fn approval_settled(&mut self, at: Timestamp, e: &ApprovalSettled) {
        let Some(asked) = self.approvals.get_mut(&e.approval) else { return };
        asked.settled = Some((at, e.clone()));
        let (incident, run) = (asked.approval.incident, asked.approval.run);
        self.agenda.touch(run);
        let (kind, word) = match e.answer {
            Answered::Approved => (MarkKind::Approved, "approved"),
            Answered::Denied => (MarkKind::ApprovalRefused, "denied"),
            Answered::Expired => (MarkKind::ApprovalRefused, "not answered in time, handled"),
            Answered::Withdrawn => (MarkKind::ApprovalRefused, "withdrawn"),
        };
        let why = if e.reason.is_empty() { String::new() } else { format!(": {}", e.reason) };
        self.mark(incident, at, kind, format!("{} {word} by {}{why}", e.approval, e.by));
    }

    pub(super) fn action_permitted(&mut self, at: Timestamp, e: &ActionPermitted) {
        let action = e.permit.action().clone();
        self.next.action = self.next.action.max(action.id.0 + 1);
        self.mark(
            action.incident,
            at,
            MarkKind::ChangePermitted,
            format!("{}: {}", action.id, action.kind.words()),
        );
        let mut path = e.step.clone();
        self.on_run(e.run, |run| {
            if path.is_empty() {
                path = run.old_path();
            }
            run.actions.push(action.id);
            run.step_mut(at, &path).action = Some(action.id);
        });
        self.agenda.live_actions.insert(action.id);
        let state = ActionState {
            run: e.run,
            step: path,
            permitted_at: at,
            approval: e.approval,
            because: e.because.clone(),
            observed: None,
            in_force: None,
            ended: None,
            permit: e.permit.clone(),
            action: action.clone(),
        };
        self.actions.insert(action.id, state);
    }

    pub(super) fn action_captured(&mut self, e: &ActionCaptured) {
        let Some(a) = self.actions.get_mut(&e.action) else { return };
        a.action.before.clone_from(&e.before);
        a.permit = a.permit.clone().captured(e.before.clone());
    }

    pub(super) fn action_observed(&mut self, at: Timestamp, e: &ActionObserved) {
        self.touch_action(e.action);
        let Some(a) = self.actions.get_mut(&e.action) else { return };
        a.observed = Some((at, e.observed.clone()));
        let Some(until) = e.until else { return };
        if a.in_force.is_none() && matches!(e.observed, Observed::Present { .. }) {
            a.in_force = Some((at, until));
            let (incident, words) = (a.action.incident, a.action.kind.words());
            self.mark(incident, at, MarkKind::Contained, format!("{words} is in place until {until}"));
            if let Some(i) = self.incidents.get_mut(&incident)
                && i.status < Status::Resolved
            {
                i.status = Status::Contained;
                i.climb.next = None;
            }
        }
    }

    pub(super) fn action_ended(&mut self, at: Timestamp, e: &ActionEnded) {
        let Some(a) = self.actions.get_mut(&e.action) else { return };
        a.ended = Some((at, e.end, e.why.clone()));
        self.agenda.live_actions.remove(&e.action);
        let (incident, words) = (a.action.incident, a.action.kind.words());
        let kind = match e.end {
            ActionEnd::Lifted => MarkKind::Lifted,
            ActionEnd::Failed | ActionEnd::Unknown => MarkKind::ChangeFailed,
        };
        self.mark(incident, at, kind, format!("{}: {words}: {}", e.action, e.why));
        self.touch_action(e.action);
    }

    pub(super) fn intended(&mut self, at: Timestamp, e: &Intended) {
        self.next.effect = self.next.effect.max(e.effect.0 + 1);
        let pending =
            Pending { what: e.what.clone(), since: at, attempts: 0, not_before: at, last_failure: None };
        self.pending.insert(e.effect, pending);
        self.agenda.tries.insert((at, e.effect));
        match &e.what {
            Effect::Enrich { run, path, .. } | Effect::Fetch { run, path, .. } => {
                self.on_run(*run, |r| r.step_mut(at, path).effect = Some(e.effect));
            }
            Effect::LookUp { .. }
            | Effect::Notify { .. }
            | Effect::Capture { .. }
            | Effect::Perform { .. }
            | Effect::Verify { .. }
            | Effect::Revert { .. } => {}
        }
    }

    pub(super) fn settled(&mut self, at: Timestamp, e: &Settled) {
        if let (Some(retry_at), Some(p)) = (e.retry_at, self.pending.get_mut(&e.effect)) {
            self.agenda.tries.remove(&(p.not_before, e.effect));
            self.agenda.tries.insert((retry_at, e.effect));
            p.attempts += 1;
            p.not_before = retry_at;
            p.last_failure = e.failure.as_ref().map(ToString::to_string);
            return;
        }
        let Some(p) = self.pending.remove(&e.effect) else { return };
        self.agenda.tries.remove(&(p.not_before, e.effect));
        match &p.what {
            Effect::Notify { notice, noc: true, .. } if e.failure.is_none() => {
                let text = format!("NOC told: {} ({})", notice.subject, e.receipt);
                self.mark(notice.incident, at, MarkKind::NocNotified, text);
            }
            Effect::Notify { .. } => {}
            Effect::LookUp { alert, .. } => self.touch_alert(*alert),
            Effect::Enrich { run, .. } | Effect::Fetch { run, .. } => self.agenda.touch(*run),
            Effect::Capture { action } | Effect::Perform { action } => self.touch_action(*action),
            Effect::Verify { action } | Effect::Revert { action } => self.touch_action(action.id),
        }
    }
}
