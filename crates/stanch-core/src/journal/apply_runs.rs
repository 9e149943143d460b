//! Facts about runs and tasks to state. Nothing is decided here.

use std::collections::BTreeSet;
use std::sync::Arc;

use stanch_model::{ActionId, AlertId, IncidentId, RunId, Timestamp};

use super::event::{
    Answered, RunEnd, RunEnded, RunResumed, RunStarted, RunUnwinding, TaskAnswered, TaskOpened,
};
use super::incident::MarkKind;
use super::state::{Disposition, State, TaskState};
use crate::playbook::run::{Packed, Run};

/// Runs that are over, were begun from outside and changed nothing: so many are kept in memory.
/// What an older one did stays in the journal.
pub(super) const ENDED_KEPT: usize = 10_000;

impl State {
    /// Changes what is remembered of a run, which then may have something to do.
    pub(super) fn on_run(&mut self, id: RunId, change: impl FnOnce(&mut Run)) {
        if let Some(run) = self.runs.get_mut(&id) {
            change(run);
            self.agenda.touch(id);
        }
    }

    pub(super) fn run_started(&mut self, at: Timestamp, e: &RunStarted) {
        self.next.run = self.next.run.max(e.run.0 + 1);
        if let Some(incident) = e.incident {
            let text = format!("{} of playbook {}", e.run, e.playbook);
            self.mark(incident, at, MarkKind::RunStarted, text);
            if let Some(i) = self.incidents.get_mut(&incident) {
                i.runs.push(e.run);
            }
        }
        let pinned = self.playbooks.entry(e.hash.clone()).or_insert_with(|| {
            let path = format!("playbooks/{}.yaml", e.playbook);
            crate::playbook::load::load(&e.playbook, &path, &e.source).ok().map(Arc::new)
        });
        self.runs.insert(e.run, Box::new(Run::new(at, e, pinned.clone())));
        self.agenda.begins(e.run);
        if let Some(incident) = e.incident {
            // One of a merged incident may have become the second of its kind, and has to give way.
            self.touch_incident(incident);
        }
        if let Some(caller) = &e.caller {
            self.on_run(caller.run, |run| run.step_mut(at, &caller.path).more_mut().child = Some(e.run));
        }
    }

    pub(super) fn run_unwinding(&mut self, at: Timestamp, e: &RunUnwinding) {
        let Some(run) = self.runs.get_mut(&e.run) else { return };
        run.unwinding = Some((at, e.why.clone()));
        // A run that a caller undoes may have ended already: it goes on, backwards.
        run.ended = None;
        let incident = run.incident;
        self.agenda.begins(e.run);
        if let Some(incident) = incident {
            self.mark(incident, at, MarkKind::Noted, format!("{} is being undone: {}", e.run, e.why));
        }
    }

    pub(super) fn run_resumed(&mut self, at: Timestamp, e: &RunResumed) {
        let Some(run) = self.runs.get_mut(&e.run) else { return };
        run.go_on(at, e);
        let incident = run.incident;
        // Announced to the network's owners before it ended: that time is not theirs any more, and they
        // are told anew.
        let made = &self.actions;
        self.announced
            .retain(|id, a| a.what.run != e.run || made.contains_key(id) || !e.again.contains(&a.what.step));
        self.ended.retain(|run| *run != e.run);
        self.agenda.begins(e.run);
        if let Some(incident) = incident {
            let from = e.again.first().or(e.on.first()).cloned().unwrap_or_default();
            let why = if e.reason.is_empty() { String::new() } else { format!(": {}", e.reason) };
            self.mark(
                incident,
                at,
                MarkKind::Noted,
                format!("{} goes on from {from}, by {}{why}", e.run, e.by),
            );
        }
    }

    pub(super) fn run_ended(&mut self, at: Timestamp, e: &RunEnded) {
        let Some(run) = self.runs.get_mut(&e.run) else { return };
        run.ended = Some((at, e.end, e.why.clone()));
        run.output = Packed::of(&e.output);
        if e.end == RunEnd::Completed
            && let Some(playbook) = &run.playbook
        {
            self.proven.insert(playbook.hash.clone());
        }
        let (incident, caller) = (run.incident, run.caller.as_ref().map(|c| c.run));
        self.agenda.ends(e.run);
        if let Some(caller) = caller {
            self.agenda.touch(caller);
        }
        match incident {
            Some(incident) => {
                self.mark(incident, at, MarkKind::RunEnded, format!("{} ended: {}", e.run, e.why));
            }
            None if caller.is_none() => self.forget(e.run),
            None => {}
        }
    }

    /// Runs without an incident change nothing, so that the oldest that are over can be let go, with
    /// those that they called.
    fn forget(&mut self, ended: RunId) {
        self.ended.push_back(ended);
        while self.ended.len() > ENDED_KEPT {
            let Some(oldest) = self.ended.pop_front() else { break };
            let mut gone = vec![oldest];
            while let Some(id) = gone.pop() {
                let Some(run) = self.runs.remove(&id) else { continue };
                for step in run.steps.values() {
                    gone.extend(step.more().child);
                    if let Some(task) = step.more().task {
                        self.tasks.remove(&task);
                    }
                }
            }
        }
    }

    pub(super) fn task_opened(&mut self, at: Timestamp, t: &TaskOpened) {
        self.next.task = self.next.task.max(t.id.0 + 1);
        if let Some(incident) = t.incident {
            self.mark(incident, at, MarkKind::ApprovalRequested, format!("{} asked: {}", t.id, t.text));
        }
        self.on_run(t.run, |run| run.step_mut(at, &t.step).more_mut().task = Some(t.id));
        self.tasks.insert(t.id, TaskState { task: t.clone(), answered: None });
    }

    pub(super) fn task_answered(&mut self, at: Timestamp, e: &TaskAnswered) {
        let Some(asked) = self.tasks.get_mut(&e.task) else { return };
        asked.answered = Some((at, e.clone()));
        let (incident, run) = (asked.task.incident, asked.task.run);
        self.agenda.touch(run);
        let (kind, word) = match e.answer {
            Answered::Approved => (MarkKind::Approved, "answered"),
            Answered::Denied => (MarkKind::ApprovalRefused, "refused"),
            Answered::Expired => (MarkKind::ApprovalRefused, "not answered in time, handled"),
            Answered::Withdrawn => (MarkKind::ApprovalRefused, "withdrawn"),
        };
        if let Some(incident) = incident {
            self.mark(incident, at, kind, format!("{} {word} by {}", e.task, e.by));
        }
    }

    /// Something was learnt about an incident: its runs may have something to do, and those of all that was
    /// merged into it, however often.
    pub(super) fn touch_incident(&mut self, incident: IncidentId) {
        let (mut left, mut seen) = (vec![self.head_of(incident)], BTreeSet::new());
        while let Some(id) = left.pop() {
            let Some(i) = self.incidents.get(&id).filter(|_| seen.insert(id)) else { continue };
            i.runs.iter().for_each(|run| self.agenda.touch(*run));
            left.extend(&i.parts);
        }
    }

    pub(super) fn touch_alert(&mut self, alert: AlertId) {
        let slot = self.slot(alert).filter(|s| s.disposition == Disposition::InIncident);
        if let Some(incident) = slot.map(|s| IncidentId(u64::from(s.link))) {
            self.touch_incident(incident);
        }
    }

    pub(super) fn touch_action(&mut self, action: ActionId) {
        let Some(a) = self.actions.get(&action) else { return };
        let (run, resting) = (a.run, &a.holders | &a.let_go);
        // Runs of other incidents may rest on the same change.
        for incident in resting {
            self.touch_incident(incident);
        }
        self.agenda.touch(run);
        // A run that called this one may wait for its changes too.
        if let Some(caller) = self.runs.get(&run).and_then(|r| r.caller.as_ref()).map(|c| c.run) {
            self.agenda.touch(caller);
        }
    }
}
