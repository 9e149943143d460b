//! Who clicked in a chat: the one way from a member of Slack to a person who may do something.

use std::marker::PhantomData;
use std::sync::Arc;

use stanch_connectors::notifier::Slack;
use stanch_core::config::{Config, NotifierConfig, SecretRef};
use stanch_engine::command::Who;

use super::{Approver, Authorised, Decides, Desk, Rank};
use crate::books::Books;
use crate::chat::Verified;
use crate::chat::slack::Door;
use crate::problem::Problem;
use crate::secrets;

impl Desk {
    /// The workspaces of Slack whose signatures are known now; a secret that cannot be read opens
    /// nothing.
    pub(crate) fn slack_doors(&self) -> Vec<Door> {
        let Books::Live(live) = &self.0 else { return Vec::new() };
        let config = live.engine.rules().config.clone();
        let door = |n: &NotifierConfig| match n {
            NotifierConfig::Slack { name, signing_secret: Some(at), .. } => {
                let secret = match at {
                    // It proves what comes in and is sent nowhere.
                    SecretRef::Stored(stored) => live.vault.open(stored, name, &[]).ok()?,
                    SecretRef::File(_) | SecretRef::Env(_) => secrets::read(&live.config_dir, at).ok()?,
                };
                let secret = secret.expose().to_string();
                Some(Door { secret, notifier: name.clone() })
            }
            NotifierConfig::Slack { .. }
            | NotifierConfig::Webhook { .. }
            | NotifierConfig::Teams { .. }
            | NotifierConfig::Rt { .. }
            | NotifierConfig::Smtp { .. }
            | NotifierConfig::Log { .. } => None,
        };
        config.connectors.notifiers.iter().filter_map(door).collect()
    }

    /// The only workspace that may answer to a notifier; none when any may.
    ///
    /// # Errors
    /// When there is no such notifier any more.
    pub(crate) fn workspace(&self, notifier: &str) -> Result<Option<String>, Problem> {
        let gone = || Problem::not_found("this chat is not configured any more", "answer in the console");
        let Books::Live(live) = &self.0 else { return Err(gone()) };
        let config = live.engine.rules().config.clone();
        let found = slack(&config, notifier).map(|chat| chat.workspace.clone());
        found.ok_or_else(gone)
    }

    /// The approver that an administrator has linked with this member of Slack. Needs the proof that
    /// Slack said so.
    ///
    /// # Errors
    /// When nobody is linked, or that person may not decide.
    pub(crate) fn linked(&self, member: &str, _: &Verified) -> Result<Approver, Problem> {
        let unknown = || {
            Problem::forbidden(
                format!("your Slack account {member} is not linked to a person in Stanch"),
                format!(
                    "ask an administrator to add `slack: {member}` to your entry in policies/people.yaml"
                ),
            )
        };
        let Books::Live(live) = &self.0 else { return Err(unknown()) };
        let config = live.engine.rules().config.clone();
        let person = config.people.values().find(|p| p.slack.as_deref() == Some(member));
        let person = person.ok_or_else(unknown)?;
        if !person.role.may(Decides::MAY) {
            return Err(Problem::role(person.role.word(), Decides::MAY.least().word()));
        }
        let who = Who { name: person.name.clone(), role: person.role, teams: person.teams.clone() };
        Ok(Authorised { who, proof: None, books: self.0.clone(), rank: PhantomData })
    }

    /// Where people of this chat reach the console, if that is configured.
    pub(crate) fn console(&self, notifier: &str) -> Option<String> {
        let Books::Live(live) = &self.0 else { return None };
        let config = live.engine.rules().config.clone();
        slack(&config, notifier)?.console.clone()
    }

    /// The chat under this name, to answer whoever clicked there.
    pub(crate) fn chat(&self, notifier: &str) -> Option<Arc<Slack>> {
        let Books::Live(live) = &self.0 else { return None };
        live.links.chat(notifier)
    }
}

/// What is configured of a chat beside its secrets.
struct Chat<'c> {
    workspace: &'c Option<String>,
    console: &'c Option<String>,
}

/// The Slack of this name.
fn slack<'c>(config: &'c Config, notifier: &str) -> Option<Chat<'c>> {
    config.connectors.notifiers.iter().find_map(|n| match n {
        NotifierConfig::Slack { name, workspace, console, .. } if name == notifier => {
            Some(Chat { workspace, console })
        }
        NotifierConfig::Slack { .. }
        | NotifierConfig::Webhook { .. }
        | NotifierConfig::Teams { .. }
        | NotifierConfig::Rt { .. }
        | NotifierConfig::Smtp { .. }
        | NotifierConfig::Log { .. } => None,
    })
}
