//! `policies/people.yaml`: teams and how to reach them, people and what they may do.

use std::collections::{BTreeMap, BTreeSet};

use super::common::{Known, refer, secret, set};
use super::connectors::mail_address;
use super::yaml::{Fields, NAME_HELP, Node, is_name};
use super::{
    ConnectorsConfig, Mistake, NotifierConfig, Person, Program, ProviderConfig, Role, SecretRef, Team,
    programs, provider,
};

/// What the file says.
#[derive(Default)]
pub(super) struct People {
    pub(super) people: BTreeMap<String, Person>,
    pub(super) teams: BTreeMap<String, Team>,
    /// The teams that have an entry, also those whose other fields are wrong.
    pub(super) team_names: BTreeSet<String>,
    /// Programs with client certificates.
    pub(super) programs: BTreeMap<String, Program>,
    /// Sign-in by OpenID Connect.
    pub(super) provider: Option<ProviderConfig>,
    /// True when at least one person has an entry.
    pub(super) anyone: bool,
}

/// Reads the file; `notifiers` are the names that teams may use.
pub(super) fn read(
    root: &Node,
    connectors: &ConnectorsConfig,
    notifiers: &Known,
    mistakes: &mut Vec<Mistake>,
) -> People {
    let mut all = People::default();
    let Some(fields) = root.map(mistakes) else { return all };
    fields.finish(&["teams", "people", "programs", "provider"], mistakes);
    if let Some(entries) = fields.optional("teams").and_then(|n| n.map(mistakes)) {
        named(&entries, "team", mistakes, |name, node, m| {
            all.team_names.insert(name.to_owned());
            all.teams.extend(team(name, node, connectors, notifiers, m).map(|t| (name.to_owned(), t)));
        });
    }
    unused_channels(root, connectors, &all.teams, mistakes);
    let known = Some(all.team_names.clone());
    all.provider = fields.optional("provider").and_then(|n| provider::read(n, &known, mistakes));
    all.anyone |= all.provider.is_some();
    if let Some(entries) = fields.optional("programs").and_then(|n| n.map(mistakes)) {
        named(&entries, "program", mistakes, |name, node, m| {
            let read = programs::program(name, node, &all.programs, m);
            all.programs.extend(read.map(|p| (name.to_owned(), p)));
        });
    }
    let mut tokens: BTreeMap<String, String> = BTreeMap::new();
    if let Some(entries) = fields.optional("people").and_then(|n| n.map(mistakes)) {
        named(&entries, "person", mistakes, |name, node, m| {
            all.anyone = true;
            let Some(person) = person(name, node, &known, m) else { return };
            if let Some(SecretRef::File(place) | SecretRef::Env(place) | SecretRef::Stored(place)) =
                &person.token
                && let Some(first) = tokens.insert(place.clone(), name.to_owned())
            {
                let message = format!("\"{name}\" has the same token as \"{first}\"");
                m.push(node.mistake(message, "a token names one person: give each their own"));
            }
            if let Some(id) = &person.slack
                && let Some((other, _)) = all.people.iter().find(|(_, p)| p.slack.as_ref() == Some(id))
            {
                let message = format!("\"{name}\" and \"{other}\" are the same member of Slack");
                m.push(node.mistake(message, "a member of Slack is one person: keep one of them"));
            }
            if let Some(id) = &person.subject
                && let Some((other, _)) = all.people.iter().find(|(_, p)| p.subject.as_ref() == Some(id))
            {
                let message = format!("\"{name}\" and \"{other}\" are the same subject of the provider");
                m.push(node.mistake(message, "a subject is one person: keep one of them"));
            }
            all.people.insert(name.to_owned(), person);
        });
    }
    all
}

/// Warns of quiet hours and digests of a channel that no team is told in: most likely it is spelled otherwise.
fn unused_channels(
    root: &Node,
    connectors: &ConnectorsConfig,
    teams: &BTreeMap<String, Team>,
    m: &mut Vec<Mistake>,
) {
    for n in &connectors.notifiers {
        let NotifierConfig::Slack { name, channels, .. } = n else { continue };
        let told = |channel: &String| teams.values().any(|t| t.notifier == *name && t.to.contains(channel));
        for channel in channels.keys().filter(|c| !told(c)) {
            let message = format!("{name} says when {channel} is left in peace, but no team is told there");
            let mend = format!("name {channel} in a team's `to`, or take it out of `channels`");
            m.push(root.warning(message, mend));
        }
    }
}

/// Every entry of a map whose keys are names.
pub(super) fn named(
    entries: &Fields<'_>,
    what: &str,
    mistakes: &mut Vec<Mistake>,
    mut each: impl FnMut(&str, &Node, &mut Vec<Mistake>),
) {
    for (key, node) in entries.entries() {
        if !is_name(&key.text) {
            let shown: String = key.text.chars().take(64).collect();
            let message = format!("\"{shown}\" is not a name for a {what}");
            mistakes.push(Mistake::error(&node.file, (key.line, key.column), message, NAME_HELP));
        }
        each(&key.text, node, mistakes);
    }
}

fn team(
    name: &str,
    node: &Node,
    connectors: &ConnectorsConfig,
    notifiers: &Known,
    m: &mut Vec<Mistake>,
) -> Option<Team> {
    let fields = node.map(m)?;
    fields.finish(&["notifier", "to"], m);
    let notifier = fields.required("notifier", m).and_then(|n| refer(n, "notifier", notifiers, m));
    let mails = notifier.as_ref().is_some_and(|name| sends_mail(connectors, name));
    let to_node = fields.optional("to");
    let to =
        to_node.and_then(|n| n.list(m, |item, m| if mails { mail_address(item, m) } else { item.string(m) }));
    let to = to.unwrap_or_default();
    let nothing = to_node.is_none_or(|n| match &n.value {
        super::yaml::Value::List(items) => items.is_empty(),
        _ => n.is_null(),
    });
    if mails && nothing {
        let message = format!("team {name} is told by mail, but `to` names nobody");
        m.push(node.mistake(message, "add `to: [team@example.com]`"));
    }
    Some(Team { name: name.to_owned(), notifier: notifier?, to })
}

fn sends_mail(connectors: &ConnectorsConfig, wanted: &str) -> bool {
    connectors.notifiers.iter().any(|n| match n {
        NotifierConfig::Smtp { name, .. } => name == wanted,
        NotifierConfig::Webhook { .. }
        | NotifierConfig::Slack { .. }
        | NotifierConfig::Teams { .. }
        | NotifierConfig::Rt { .. }
        | NotifierConfig::Log { .. } => false,
    })
}

fn person(name: &str, node: &Node, teams: &Known, m: &mut Vec<Mistake>) -> Option<Person> {
    let fields = node.map(m)?;
    fields.finish(&["token", "teams", "role", "slack", "key", "subject", "accounts"], m);
    let token = fields.optional("token").and_then(|n| secret(n, m));
    let member = fields.optional("teams").and_then(|n| n.list(m, |n, m| refer(n, "team", teams, m)));
    let words: Vec<&str> = Role::ALL.iter().map(|v| v.word()).collect();
    let word = fields.optional("role").and_then(|n| n.choice("role", &words, m));
    let mut role = Role::Viewer;
    set(&mut role, word.and_then(Role::of_word));
    let teams = member.unwrap_or_default().into_iter().collect();
    let slack = fields.optional("slack").and_then(|n| slack_id(n, m));
    let key = fields.optional("key").and_then(|n| public_key(n, m));
    let subject = fields.optional("subject").and_then(|n| n.string(m));
    let accounts = fields.optional("accounts").and_then(|n| n.list(m, account)).unwrap_or_default();
    Some(Person { name: name.to_owned(), token, teams, role, slack, key, subject, accounts })
}

/// A member's name in Slack. Source: Slack's `user.id`, which begins with U or W.
fn slack_id(node: &Node, m: &mut Vec<Mistake>) -> Option<String> {
    let text = node.string(m)?;
    let begins = text.starts_with(['U', 'W']);
    if begins && text.len() >= 3 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
        return Some(text);
    }
    let help = "write the member ID of the profile in Slack, for example U012AB3CD; display names can be changed by anyone";
    node.wrong(&text, "a member ID of Slack", help, m)
}

fn public_key(node: &Node, m: &mut Vec<Mistake>) -> Option<String> {
    let text = node.string(m)?;
    if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Some(text);
    }
    let help = "write the 64 hexadecimal digits that `stanch preauth key` shows";
    node.wrong(&text, "a public key", help, m)
}

fn account(node: &Node, m: &mut Vec<Mistake>) -> Option<String> {
    let text = node.string(m)?;
    match crate::contain::target::parse_account(&text) {
        Ok(account) => Some(account),
        Err(why) => {
            m.push(node.mistake(why.0, "write the name the account signs in with"));
            None
        }
    }
}
