//! What only shows when the whole folder is seen: playbooks against teams, people and limits.

use super::common::Known;
use super::mistake::suggest;
use super::{Config, Mistake, Role};
use crate::playbook::{Act, Playbook, Step, StepKind};

/// Checks that every playbook can be carried out with the rest of the configuration.
pub(super) fn playbooks(config: &Config, teams: &Known, m: &mut Vec<Mistake>) {
    for playbook in &config.playbooks {
        for step in &playbook.steps {
            match &step.kind {
                StepKind::Act(Act { change, ttl, approvers, .. }) => {
                    for team in approvers {
                        known(playbook, step, team, teams, m);
                        somebody(config, playbook, step, team, m);
                    }
                    if let Some(ttl) = ttl.filter(|t| *t > config.containment.max_ttl) {
                        let message = format!("step {}: `ttl` ({ttl}) is longer than `max_ttl`", step.id);
                        let help = format!("policies/containment.yaml allows {}", config.containment.max_ttl);
                        m.push(Mistake::error(&path(playbook), find(playbook, step, "ttl"), message, help));
                    }
                    if !config.containment.responders.contains_key(change.name()) {
                        let message =
                            format!("step {}: no responder is configured for {}", step.id, change.name());
                        let help = format!("add `{}: RESPONDER` to policies/containment.yaml", change.name());
                        m.push(Mistake::warning(
                            &path(playbook),
                            find(playbook, step, change.name()),
                            message,
                            help,
                        ));
                    }
                }
                StepKind::Notify { team, .. } => known(playbook, step, team, teams, m),
                StepKind::Enrich { .. }
                | StepKind::Fetch { .. }
                | StepKind::Set { .. }
                | StepKind::If { .. }
                | StepKind::Switch { .. }
                | StepKind::Parallel { .. }
                | StepKind::ForEach { .. }
                | StepKind::Repeat { .. }
                | StepKind::Wait(_)
                | StepKind::Approve { .. }
                | StepKind::Manual { .. }
                | StepKind::Verify
                | StepKind::Call { .. }
                | StepKind::Reply { .. } => {}
            }
        }
    }
}

fn path(playbook: &Playbook) -> String {
    format!("playbooks/{}.yaml", playbook.name)
}

fn known(playbook: &Playbook, step: &Step, team: &str, teams: &Known, m: &mut Vec<Mistake>) {
    if let Some(teams) = teams
        && !teams.contains(team)
    {
        let help = suggest(team, "teams", teams.iter().map(String::as_str));
        let message = format!("step {}: there is no team \"{team}\"", step.id);
        m.push(Mistake::error(&path(playbook), find(playbook, step, team), message, help));
    }
}

/// A question that nobody may answer only runs into its time limit.
fn somebody(config: &Config, playbook: &Playbook, step: &Step, team: &str, m: &mut Vec<Mistake>) {
    let may = config.people.values().any(|p| p.role >= Role::Approver && p.teams.contains(team));
    if config.teams.contains_key(team) && !may {
        let message = format!("step {}: nobody in team {team} may approve", step.id);
        let help = "give a member of the team `role: approver` in policies/people.yaml";
        m.push(Mistake::warning(&path(playbook), find(playbook, step, team), message, help));
    }
}

/// Where a word stands in a step, for compiled playbooks no longer know: the first place after the
/// step's id, or the whole file.
fn find(playbook: &Playbook, step: &Step, word: &str) -> (usize, usize) {
    let mut inside = false;
    for (number, line) in playbook.source.lines().enumerate() {
        inside |= line.trim_start_matches(['-', ' ', '{']).strip_prefix("id:").is_some_and(|rest| {
            rest.trim().split([',', '#', '}']).next().unwrap_or_default().trim().trim_matches(['"', '\''])
                == step.id
        });
        if inside && let Some((column, _)) = words(line).find(|(_, w)| *w == word) {
            return (number + 1, column);
        }
    }
    (0, 0)
}

/// The words of a line with their columns, from 1, in characters.
fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    line.split(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_')).filter(|w| !w.is_empty()).map(
        move |w| {
            let before = w.as_ptr() as usize - line.as_ptr() as usize;
            (line[..before].chars().count() + 1, w)
        },
    )
}
