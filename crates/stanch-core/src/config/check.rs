//! What only shows when the whole folder is seen: playbooks against teams, people, limits, devices,
//! and each other.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::common::Known;
use super::mistake::suggest;
use super::{Config, Mistake, Role};
use crate::expr::{Expr, Kind};
use crate::playbook::load::kind_of;
use crate::playbook::verify::{Around, verify};
use crate::playbook::{Act, Playbook, Step, StepKind, Trigger};

/// Checks that every playbook can be carried out with the rest of the configuration.
pub(super) fn playbooks(config: &Config, teams: &Known, m: &mut Vec<Mistake>) {
    let around = Around {
        default_ttl: config.containment.default_ttl,
        noc_told: Some(config.containment.noc_team.is_some()),
    };
    for playbook in &config.playbooks {
        let path = path(playbook);
        m.extend(verify(playbook, &path, around));
        let mut check = Check { config, playbook, teams, path: &path, m };
        playbook.all_steps().into_iter().for_each(|step| check.step(step));
        check.circle();
    }
}

fn path(playbook: &Playbook) -> String {
    format!("playbooks/{}.yaml", playbook.name)
}

/// One playbook against the rest.
struct Check<'c> {
    config: &'c Config,
    playbook: &'c Playbook,
    teams: &'c Known,
    path: &'c str,
    m: &'c mut Vec<Mistake>,
}

impl Check<'_> {
    fn wrong(&mut self, step: &Step, key: &str, message: String, help: impl Into<String>) {
        let place = self.playbook.places.of(&step.id, key);
        self.m.push(Mistake::error(self.path, place, message, help));
    }

    fn odd(&mut self, step: &Step, key: &str, message: String, help: impl Into<String>) {
        let place = self.playbook.places.of(&step.id, key);
        self.m.push(Mistake::warning(self.path, place, message, help));
    }

    fn step(&mut self, step: &Step) {
        match &step.kind {
            StepKind::Act(act) => self.act(step, act),
            StepKind::Approve { approvers, .. } => self.approvers(step, approvers),
            StepKind::Notify { team, .. } | StepKind::Manual { team, .. } => self.team(step, ".team", team),
            StepKind::Call { playbook, inputs } => self.run(step, playbook, inputs),
            StepKind::Enrich { .. }
            | StepKind::Fetch { .. }
            | StepKind::Set { .. }
            | StepKind::If { .. }
            | StepKind::Switch { .. }
            | StepKind::Parallel { .. }
            | StepKind::ForEach { .. }
            | StepKind::Repeat { .. }
            | StepKind::Wait(_)
            | StepKind::Verify
            | StepKind::Reply { .. } => {}
        }
    }

    fn act(&mut self, step: &Step, act: &Act) {
        let policy = &self.config.containment;
        self.approvers(step, &act.approvers);
        if let Some(ttl) = act.ttl.filter(|t| *t > policy.max_ttl) {
            let message = format!("step {}: `ttl` ({ttl}) is longer than `max_ttl`", step.id);
            let help = format!("policies/containment.yaml allows {}", policy.max_ttl);
            self.wrong(step, ".ttl", message, help);
        }
        let kind = act.change.name();
        if !policy.responders.contains_key(kind) {
            let message = format!("step {}: no responder is configured for {kind}", step.id);
            let help = format!("add `{kind}: RESPONDER` to policies/containment.yaml");
            self.odd(step, kind, message, help);
        }
    }

    fn approvers(&mut self, step: &Step, approvers: &[String]) {
        for team in approvers {
            let key = format!(".approvers {team}");
            self.team(step, &key, team);
            // A question that nobody may answer only runs into its time limit.
            let may = |p: &super::Person| p.role >= Role::Approver && p.teams.contains(team);
            if self.config.teams.contains_key(team) && !self.config.people.values().any(may) {
                let message = format!("step {}: nobody in team {team} may approve", step.id);
                let help = "give a member of the team `role: approver` in policies/people.yaml";
                self.odd(step, &key, message, help);
            }
        }
    }

    fn team(&mut self, step: &Step, key: &str, team: &str) {
        if let Some(teams) = self.teams
            && !teams.contains(team)
        {
            let help = suggest(team, "teams", teams.iter().map(String::as_str));
            self.wrong(step, key, format!("step {}: there is no team \"{team}\"", step.id), help);
        }
    }

    /// Another playbook: it is there, it may be called, and it gets what it needs.
    fn run(&mut self, step: &Step, name: &str, inputs: &[(String, Expr)]) {
        let Some(other) = find(self.config, name) else {
            let names: Vec<&str> = self.config.playbooks.iter().map(|p| p.name.as_str()).collect();
            let help = suggest(name, "playbooks", names);
            self.wrong(step, ".playbook", format!("step {}: there is no playbook \"{name}\"", step.id), help);
            return;
        };
        if !matches!(other.trigger, Trigger::Called) {
            let message = format!("step {}: playbook {name} does not say that it may be called", step.id);
            self.wrong(step, ".playbook", message, "give it `on: called` as its trigger");
        }
        if matches!(self.playbook.trigger, Trigger::Hook) {
            self.hooked(step, other);
        }
        for (given, expr) in inputs {
            let Some(param) = other.inputs.iter().find(|p| p.name == *given) else {
                let help = suggest(given, "inputs", other.inputs.iter().map(|p| p.name.as_str()));
                let message = format!("step {}: playbook {name} has no input \"{given}\"", step.id);
                self.wrong(step, ".with", message, help);
                continue;
            };
            let kind = self.playbook.places.kind(&step.id, given).cloned().unwrap_or(Kind::Any);
            let wanted = kind_of(&param.kind);
            if !kind.fits(&wanted) {
                let message = format!(
                    "step {}: `{given}` must be {wanted}, but `{}` is {kind}",
                    step.id,
                    expr.source()
                );
                let help = "free text never becomes a target: give what was read as one";
                self.wrong(step, ".with", message, if wanted.is_target() { help } else { "convert it" });
            }
        }
        let missing = other.inputs.iter().filter(|p| p.default.is_none());
        for param in missing.filter(|p| !inputs.iter().any(|(given, _)| *given == p.name)) {
            let message = format!("step {}: playbook {name} needs the input `{}`", step.id, param.name);
            self.wrong(step, ".playbook", message, format!("add `{}` under `with`", param.name));
        }
    }

    /// What a hook runs has no incident either, and changes nothing.
    fn hooked(&mut self, step: &Step, other: &Playbook) {
        if other.all_steps().iter().any(|s| matches!(s.kind, StepKind::Act(_))) {
            let message =
                format!("step {}: playbook {} makes changes, and a hook may not", step.id, other.name);
            let help = "let an incident's playbook run it";
            self.wrong(step, ".playbook", message, help);
        } else if other.source.contains("incident.") {
            let message =
                format!("step {}: playbook {} reads `incident`, and a hook has none", step.id, other.name);
            self.wrong(step, ".playbook", message, "give it inputs instead");
        }
    }

    /// Playbooks that run each other for ever.
    fn circle(&mut self) {
        let mut seen = BTreeSet::new();
        for step in self.playbook.all_steps() {
            let StepKind::Call { playbook: name, .. } = &step.kind else { continue };
            let mut way = vec![name.clone()];
            if leads_back(self.config, &self.playbook.name, &mut way, &mut seen) {
                let way = way.join(", which runs ");
                let message = format!("step {} runs {way}: this never ends", step.id);
                self.wrong(step, ".playbook", message, "take one of these steps out");
            }
        }
    }
}

fn find<'c>(config: &'c Config, name: &str) -> Option<&'c Arc<Playbook>> {
    config.playbooks.iter().find(|p| p.name == name)
}

/// Follows the last playbook of `way`; true when it leads to `home`, with the whole way.
fn leads_back(config: &Config, home: &str, way: &mut Vec<String>, seen: &mut BTreeSet<String>) -> bool {
    let Some(last) = way.last().cloned() else { return false };
    if last == home {
        return true;
    }
    if !seen.insert(last.clone()) {
        return false;
    }
    let Some(playbook) = find(config, &last) else { return false };
    for step in playbook.all_steps() {
        if let StepKind::Call { playbook: next, .. } = &step.kind {
            way.push(next.clone());
            if leads_back(config, home, way, seen) {
                return true;
            }
            way.pop();
        }
    }
    false
}
