//! Branches that run at once must not change the same thing.

use super::Judge;
use crate::playbook::{Change, Step, StepKind};

impl Judge<'_> {
    pub(super) fn fights(&mut self) {
        for step in self.all() {
            let StepKind::Parallel { branches, .. } = &step.kind else { continue };
            let aims: Vec<Vec<(String, String)>> = branches.iter().map(|(_, steps)| aims(steps)).collect();
            for (n, later) in aims.iter().enumerate() {
                let earlier: Vec<&(String, String)> = aims[..n].iter().flatten().collect();
                for (what, id) in later {
                    if let Some((_, other)) = earlier.iter().find(|(w, _)| w == what) {
                        let message = format!("steps {other} and {id} run at once and both change {what}");
                        let help = format!("put them one after the other, outside of {}", step.id);
                        self.wrong(id, "", message, help);
                    }
                }
            }
        }
    }
}

/// What the changes of some steps are aimed at, as written, and their ids.
fn aims(steps: &[Step]) -> Vec<(String, String)> {
    fn collect(steps: &[Step], lists: &[(&str, String)], all: &mut Vec<(String, String)>) {
        for step in steps {
            let mut inside = lists.to_vec();
            if let StepKind::Act(act) = &step.kind {
                let source = target(&act.change).trim();
                let list = lists.iter().rev().find(|(name, _)| *name == source);
                let what = list.map_or(format!("`{source}`"), |(_, list)| format!("each of `{list}`"));
                all.push((what, step.id.clone()));
            }
            if let StepKind::ForEach { variable, list, .. } = &step.kind {
                inside.push((variable, list.source().trim().to_owned()));
            }
            step.inner().for_each(|steps| collect(steps, &inside, all));
        }
    }
    let mut all = Vec::new();
    collect(steps, &[], &mut all);
    all
}

/// What a change is aimed at, as written.
pub(super) fn target(change: &Change) -> &str {
    match change {
        Change::BlockAddress { target }
        | Change::LimitAddress { target, .. }
        | Change::BlockPort { target, .. } => target.source(),
        Change::QuarantinePort { port, .. } => port.source(),
        Change::LockAccount { account }
        | Change::UnlockAccount { account }
        | Change::ResetCredential { account }
        | Change::RemoveFromGroup { account, .. } => account.source(),
        Change::SinkholeDomain { domain } => domain.source(),
        Change::Call { subject, .. } => subject.source(),
    }
}
