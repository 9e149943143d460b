//! Facts about questions, changes and intentions to state. Nothing is decided here.

use std::collections::BTreeSet;

use stanch_model::{Observed, Timestamp};

use super::event::{
    ActionCaptured, ActionEnd, ActionEnded, ActionObserved, ActionPermitted, Announced, Answered,
    ApprovalSettled, ApprovalVoted, Effect, Intended, KillSwitch, LeaseJoined, LeaseLeft, LeaseRenewed,
    Settled, Vetoed, Withheld,
};
use super::incident::{MarkKind, Status};
use super::state::{ActionState, AnnouncedState, Asked, Pending, State, Stop};
use crate::contain::{Approval, Vote};

impl State {
    pub(super) fn approval_requested(&mut self, at: Timestamp, a: &Approval) {
        self.next.approval = self.next.approval.max(a.id.0 + 1);
        self.next.action = self.next.action.max(a.action.id.0 + 1);
        let text = format!("{} asked: {}", a.id, a.action.kind.words());
        self.mark(a.incident, at, MarkKind::ApprovalRequested, text);
        // A renewal is nobody's step: the run goes on waiting as it did.
        if !a.renewal {
            self.on_run(a.run, |run| run.step_mut(at, &a.step).more_mut().approval = Some(a.id));
        }
        let asked = Asked { approval: a.clone(), yes: Vec::new(), reminded: None, settled: None };
        self.approvals.insert(a.id, asked);
        self.agenda.asks(a.incident, a.id);
    }

    pub(super) fn approval_voted(&mut self, at: Timestamp, e: &ApprovalVoted) {
        let Some(asked) = self.approvals.get_mut(&e.approval) else { return };
        asked.yes.push((Vote { by: e.by.clone(), at, proof: e.proof }, e.digest.clone()));
        let (incident, have, need) = (asked.approval.incident, asked.yes.len(), asked.approval.people);
        let why = if e.reason.is_empty() { String::new() } else { format!(": {}", e.reason) };
        let text = format!("{}: {} said yes, {have} of {need}{why}", e.approval, e.by);
        self.mark(incident, at, MarkKind::Noted, text);
    }

    pub(super) fn approval_settled(&mut self, at: Timestamp, e: &ApprovalSettled) {
        let Some(asked) = self.approvals.get_mut(&e.approval) else { return };
        // Who was first stays first: a question is settled once.
        if asked.settled.is_some() {
            return;
        }
        if e.answer == Answered::Approved {
            asked.yes.push((Vote { by: e.by.clone(), at, proof: e.proof }, e.digest.clone()));
        }
        asked.settled = Some((at, e.clone()));
        let (incident, run) = (asked.approval.incident, asked.approval.run);
        self.agenda.touch(run);
        // Another run of the incident may wait for the same answer.
        self.touch_incident(incident);
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
            run.step_mut(at, &path).more_mut().action = Some(action.id);
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
            holders: BTreeSet::from([action.incident]),
            let_go: BTreeSet::new(),
            action: action.clone(),
            preauthorised: e.preauthorised.clone(),
            lasting: e.lasting,
            renewed: None,
            repairs: 0,
            seal: e.seal.clone(),
        };
        self.actions.insert(action.id, state);
    }

    pub(super) fn action_captured(&mut self, e: &ActionCaptured) {
        let Some(a) = self.actions.get_mut(&e.action) else { return };
        a.action.before.clone_from(&e.before);
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

    pub(super) fn announced(&mut self, at: Timestamp, e: &Announced) {
        self.next.action = self.next.action.max(e.action.id.0 + 1);
        let text = format!("{}: {} at {} unless the NOC says no", e.action.id, e.action.kind.words(), e.at);
        self.on_run(e.run, |run| {
            run.step_mut(at, &e.step);
        });
        self.mark(e.action.incident, at, MarkKind::Noted, text);
        self.announced.insert(e.action.id, AnnouncedState { what: e.clone(), vetoed: None });
    }

    pub(super) fn vetoed(&mut self, at: Timestamp, e: &Vetoed) {
        let Some(a) = self.announced.get_mut(&e.action) else { return };
        a.vetoed = Some((at, e.by.clone(), e.reason.clone()));
        let (incident, run) = (a.what.action.incident, a.what.run);
        self.agenda.touch(run);
        let text = format!("{}: the NOC said no ({}): {}", e.action, e.by, e.reason);
        self.mark(incident, at, MarkKind::Noted, text);
    }

    pub(super) fn lease_joined(&mut self, at: Timestamp, e: &LeaseJoined) {
        let Some(a) = self.actions.get_mut(&e.action) else { return };
        a.holders.insert(e.incident);
        let text = format!(
            "{} is in force already ({}); {} rests on it too",
            e.action,
            a.action.kind.words(),
            e.incident
        );
        self.on_run(e.run, |run| {
            let step = if e.step.is_empty() { run.old_path() } else { e.step.clone() };
            run.actions.push(e.action);
            run.step_mut(at, &step).more_mut().action = Some(e.action);
        });
        self.mark(e.incident, at, MarkKind::Noted, text);
    }

    pub(super) fn lease_left(&mut self, at: Timestamp, e: &LeaseLeft) {
        let Some(a) = self.actions.get_mut(&e.action) else { return };
        a.holders.remove(&e.incident);
        a.let_go.insert(e.incident);
        let rest: Vec<String> = a.holders.iter().map(ToString::to_string).collect();
        let text = format!(
            "{}: {} needs it no more ({}); it stays for {}",
            e.action,
            e.incident,
            e.by,
            rest.join(", ")
        );
        self.mark(e.incident, at, MarkKind::Noted, text);
    }

    pub(super) fn lease_renewed(&mut self, at: Timestamp, e: &LeaseRenewed) {
        let Some(a) = self.actions.get_mut(&e.action) else { return };
        a.renewed = Some(e.clone());
        if let Some((since, until)) = &mut a.in_force {
            *until = e.until;
            a.action.ttl = e.until.since(*since);
        }
        let (incident, words) = (a.action.incident, a.action.kind.words());
        self.mark(incident, at, MarkKind::Noted, format!("{}: {words} goes on until {}", e.action, e.until));
    }

    pub(super) fn kill_switched(&mut self, e: &KillSwitch) {
        let stops = [e.responder.clone().map(Stop::Responder), e.playbook.clone().map(Stop::Playbook)];
        if stops.iter().all(Option::is_none) {
            self.kill_switch = e.engaged;
        }
        for stop in stops.into_iter().flatten() {
            if e.engaged {
                self.stopped.insert(stop);
            } else {
                self.stopped.remove(&stop);
            }
        }
    }

    pub(super) fn intended(&mut self, at: Timestamp, e: &Intended) {
        self.next.effect = self.next.effect.max(e.effect.0 + 1);
        // A change that is made again: its first making was part of the permit.
        if let Effect::Perform { action } = &e.what
            && let Some(a) = self.actions.get_mut(action).filter(|a| a.in_force.is_some())
        {
            a.repairs += 1;
        }
        let pending =
            Pending { what: e.what.clone(), since: at, attempts: 0, not_before: at, last_failure: None };
        self.pending.insert(e.effect, pending);
        self.agenda.tries.insert((at, e.effect));
        match &e.what {
            Effect::Enrich { run, path, .. } | Effect::Fetch { run, path, .. } => {
                self.on_run(*run, |r| r.step_mut(at, path).effect = Some(e.effect));
            }
            Effect::Notify { notifier, notice, noc } => {
                self.posts.intended(at, e.effect, notifier, notice, *noc);
            }
            Effect::LookUp { .. } => drop(self.agenda.look_ups.insert(e.effect)),
            Effect::Capture { .. }
            | Effect::Perform { .. }
            | Effect::Verify { .. }
            | Effect::Revert { .. } => {}
        }
    }

    pub(super) fn withheld(&mut self, at: Timestamp, e: &Withheld) {
        self.posts.withheld(at, e);
        let why = match e.digest {
            true => "it waits for the digest of this channel",
            false => "too many messages; its storm message counts it",
        };
        let text = format!("not told in {} of {}: {why}", e.channel, e.notifier);
        self.mark(e.incident, at, MarkKind::Noted, text);
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
        if let Effect::Notify { notifier, notice, .. } = &p.what {
            let receipt = e.failure.is_none().then_some(e.receipt.as_str());
            self.posts.settled(e.effect, notifier, notice, receipt);
            // What has changed meanwhile can be shown now.
            if self.posts.of(notice.incident).next().is_some() {
                self.agenda.cards.insert(notice.incident);
            }
        }
        match &p.what {
            Effect::Notify { notice, noc: true, .. } if e.failure.is_none() => {
                let text = format!("NOC told: {} ({})", notice.subject, e.receipt);
                self.mark(notice.incident, at, MarkKind::NocNotified, text);
            }
            Effect::Notify { .. } => {}
            Effect::LookUp { alert, .. } => {
                self.agenda.look_ups.remove(&e.effect);
                self.touch_alert(*alert);
            }
            Effect::Enrich { run, .. } | Effect::Fetch { run, .. } => self.agenda.touch(*run),
            Effect::Capture { action } | Effect::Perform { action } => self.touch_action(*action),
            Effect::Verify { action } | Effect::Revert { action } => self.touch_action(action.id),
        }
    }
}
