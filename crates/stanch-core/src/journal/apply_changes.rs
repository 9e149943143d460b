//! Facts about runs, questions, changes and intentions to state. Nothing is decided here.

use std::sync::Arc;

use stanch_model::{Observed, Timestamp};

use super::event::{
    ActionEnd, ActionEnded, ActionObserved, ActionPermitted, Answered, ApprovalSettled, Effect, Intended,
    RunEnded, RunStarted, Settled,
};
use super::incident::{MarkKind, Status};
use super::state::{ActionState, Pending, State};
use crate::playbook::run::Run;

impl State {
    pub(super) fn run_started(&mut self, at: Timestamp, e: &RunStarted) {
        self.next.run = self.next.run.max(e.run.0 + 1);
        self.mark(e.incident, at, MarkKind::RunStarted, format!("{} of playbook {}", e.run, e.playbook));
        if let Some(i) = self.incidents.get_mut(&e.incident) {
            i.runs.push(e.run);
        }
        let pinned = self.playbooks.entry(e.hash.clone()).or_insert_with(|| {
            let path = format!("playbooks/{}.yaml", e.playbook);
            crate::playbook::load::load(&e.playbook, &path, &e.source).ok().map(Arc::new)
        });
        self.runs.insert(e.run, Run::new(at, e, pinned.clone()));
    }

    pub(super) fn run_ended(&mut self, at: Timestamp, e: &RunEnded) {
        let Some(run) = self.runs.get_mut(&e.run) else { return };
        run.ended = Some((at, e.end, e.why.clone()));
        let incident = run.incident;
        self.mark(incident, at, MarkKind::RunEnded, format!("{} ended: {}", e.run, e.why));
    }

    pub(super) fn approval_settled(&mut self, at: Timestamp, e: &ApprovalSettled) {
        let Some(asked) = self.approvals.get_mut(&e.approval) else { return };
        asked.settled = Some((at, e.clone()));
        let incident = asked.approval.incident;
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
        if let Some(run) = self.runs.get_mut(&e.run) {
            run.actions.push(action.id);
            run.step_action = Some(action.id);
        }
        let state = ActionState {
            run: e.run,
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

    pub(super) fn action_observed(&mut self, at: Timestamp, e: &ActionObserved) {
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
        let (incident, words) = (a.action.incident, a.action.kind.words());
        let kind = match e.end {
            ActionEnd::Lifted => MarkKind::Lifted,
            ActionEnd::Failed | ActionEnd::Unknown => MarkKind::ChangeFailed,
        };
        self.mark(incident, at, kind, format!("{}: {words}: {}", e.action, e.why));
    }

    pub(super) fn intended(&mut self, at: Timestamp, e: &Intended) {
        self.next.effect = self.next.effect.max(e.effect.0 + 1);
        let pending =
            Pending { what: e.what.clone(), since: at, attempts: 0, not_before: at, last_failure: None };
        self.pending.insert(e.effect, pending);
    }

    pub(super) fn settled(&mut self, at: Timestamp, e: &Settled) {
        if let (Some(retry_at), Some(p)) = (e.retry_at, self.pending.get_mut(&e.effect)) {
            p.attempts += 1;
            p.not_before = retry_at;
            p.last_failure = e.failure.as_ref().map(ToString::to_string);
            return;
        }
        let Some(p) = self.pending.remove(&e.effect) else { return };
        if let Effect::Notify { notice, noc: true, .. } = &p.what
            && e.failure.is_none()
        {
            let text = format!("NOC told: {} ({})", notice.subject, e.receipt);
            self.mark(notice.incident, at, MarkKind::NocNotified, text);
        }
    }
}
