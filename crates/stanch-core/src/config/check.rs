//! What only shows when the whole folder is seen: playbooks against teams, people, limits and devices,
//! and against each other.

#[path = "declared.rs"]
mod declared;

use super::common::Known;
use super::mistake::suggest;
use super::{Config, Credential, May, Mistake, SourceConfig};
use crate::playbook::verify::{Around, calls, verify};
use crate::playbook::{Act, Playbook, Step, StepKind};

/// Checks that every playbook can be carried out with the rest of the configuration.
pub(super) fn playbooks(config: &Config, teams: &Known, m: &mut Vec<Mistake>) {
    let around = Around {
        default_ttl: config.containment.default_ttl,
        noc_told: Some(config.containment.noc_team.is_some()),
    };
    for playbook in &config.playbooks {
        let path = path(playbook);
        m.extend(verify(playbook, &path, around));
        m.extend(calls(playbook, &path, &config.playbooks));
        declared::declared(config, playbook, &path, m);
        let mut check = Check { config, playbook, teams, path: &path, m };
        playbook.all_steps().into_iter().for_each(|step| check.step(step));
    }
}

/// Certificates are named, and nobody is asked for one.
pub(super) fn certificates(config: &Config, m: &mut Vec<Mistake>) {
    if config.server.tls.as_ref().is_some_and(|tls| tls.clients.is_some()) {
        return;
    }
    let by_certificate = |s: &&SourceConfig| matches!(s.credential, Some(Credential::Certificate(_)));
    let sources = config.sources.values().filter(by_certificate);
    let named = sources.map(|s| (format!("sources/{}.yaml", s.name), &s.name));
    let programs = config.programs.values().map(|p| ("policies/people.yaml".to_owned(), &p.name));
    m.extend(named.chain(programs).map(|(file, name)| {
        let message = format!("{name} comes with a certificate, but nobody is asked for one");
        Mistake::warning(&file, (0, 0), message, "add `clients: { authority: … }` to `tls` in stanch.yaml")
    }));
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
            StepKind::Call { .. }
            | StepKind::Enrich { .. }
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
        // A declared call belongs to the responder it is declared with.
        if !policy.responders.contains_key(kind) && kind != "call" {
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
            let may = |p: &super::Person| p.role.may(May::Decide) && p.teams.contains(team);
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
}
