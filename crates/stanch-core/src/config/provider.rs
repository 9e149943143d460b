//! `provider` in `policies/people.yaml`: sign-in by OpenID Connect, and what its groups may do here.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::common::{Known, refer, secret};
use super::yaml::{Fields, Node};
use super::{Mistake, Role, SecretRef};

const KEYS: &[&str] = &[
    "title",
    "issuer",
    "client_id",
    "client_secret",
    "url",
    "scopes",
    "name_claim",
    "groups_claim",
    "roles",
    "allow",
    "allow_private",
];

/// Sign-in by OpenID Connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderConfig {
    /// What the button says. Default `single sign-on`.
    pub title: String,
    /// The issuer, exactly as it names itself; HTTPS, or HTTP on this machine.
    pub issuer: String,
    /// What the provider calls us.
    pub client_id: String,
    /// The secret shared with it; none for a public client, which PKCE protects.
    pub client_secret: Option<SecretRef>,
    /// Where browsers find us; the provider sends them back to `URL/api/v1/session/provider/return`.
    pub url: String,
    /// What is asked for. Default `openid profile`.
    pub scopes: Vec<String>,
    /// The claim that gives a new account its name. Default `preferred_username`.
    pub name_claim: String,
    /// The claim with the groups. Default `groups`.
    pub groups_claim: String,
    /// What groups may do, in order: the first that matches gives the role.
    pub roles: Vec<GroupRule>,
    /// Hosts with ports that may be called beside that of the issuer.
    pub allow: Vec<String>,
    /// Ranges of addresses that are not on the internet and may be called all the same.
    pub allow_private: Vec<IpNet>,
}

/// What a group may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRule {
    /// The group, exactly as the provider names it.
    pub group: String,
    /// The role it gives.
    pub role: Role,
    /// The teams it gives.
    pub teams: BTreeSet<String>,
}

impl ProviderConfig {
    /// What somebody in these groups may do: the role of the first rule that matches, and the teams of
    /// all that do. None: they may not come in.
    #[must_use]
    pub fn grant(&self, groups: &BTreeSet<String>) -> Option<(Role, BTreeSet<String>)> {
        let mut matching = self.roles.iter().filter(|r| groups.contains(&r.group)).peekable();
        let role = matching.peek()?.role;
        Some((role, matching.flat_map(|r| r.teams.iter().cloned()).collect()))
    }
}

/// Reads it; what is wrong is reported, and none is returned.
pub(super) fn read(node: &Node, teams: &Known, m: &mut Vec<Mistake>) -> Option<ProviderConfig> {
    let fields = node.map(m)?;
    fields.finish(KEYS, m);
    let issuer = fields.required("issuer", m).and_then(|n| address(n, "an issuer", m));
    let client_id = fields.required("client_id", m).and_then(|n| n.string(m));
    let url = fields.required("url", m).and_then(|n| address(n, "an address of ours", m));
    let roles_node = fields.required("roles", m);
    let roles = roles_node.and_then(|n| n.list(m, |n, m| rule(n, teams, m)));
    if let (Some(node), Some([])) = (roles_node, roles.as_deref()) {
        let help = "add `- { group: NAME, role: viewer }`";
        m.push(node.mistake("nobody could come in: `roles` names no group", help));
    }
    let text = |name: &str, default: &str, m: &mut Vec<Mistake>| {
        fields.optional(name).and_then(|n| n.string(m)).unwrap_or_else(|| default.to_owned())
    };
    let title = text("title", "single sign-on", m);
    let (name_claim, groups_claim) =
        (text("name_claim", "preferred_username", m), text("groups_claim", "groups", m));
    Some(ProviderConfig {
        title,
        issuer: issuer?,
        client_id: client_id?,
        client_secret: fields.optional("client_secret").and_then(|n| secret(n, m)),
        url: url?,
        scopes: scopes(&fields, m),
        name_claim,
        groups_claim,
        roles: roles?,
        allow: fields.optional("allow").and_then(|n| n.list(m, Node::string)).unwrap_or_default(),
        allow_private: fields
            .optional("allow_private")
            .and_then(|n| n.list(m, Node::net))
            .unwrap_or_default(),
    })
}

fn scopes(fields: &Fields<'_>, m: &mut Vec<Mistake>) -> Vec<String> {
    let Some(node) = fields.optional("scopes") else {
        return vec!["openid".to_owned(), "profile".to_owned()];
    };
    let scopes = node.list(m, Node::string).unwrap_or_default();
    if !scopes.iter().any(|s| s == "openid") {
        m.push(node.mistake(
            "`scopes` lacks `openid`",
            "add it: without it the provider says nothing about who came",
        ));
    }
    scopes
}

fn rule(node: &Node, teams: &Known, m: &mut Vec<Mistake>) -> Option<GroupRule> {
    let fields = node.map(m)?;
    fields.finish(&["group", "role", "teams"], m);
    let group = fields.required("group", m).and_then(|n| n.string(m));
    let words: Vec<&str> = Role::ALL.iter().map(|r| r.word()).collect();
    let role = fields.required("role", m).and_then(|n| n.choice("role", &words, m)).and_then(Role::of_word);
    let teams = fields.optional("teams").and_then(|n| n.list(m, |n, m| refer(n, "team", teams, m)));
    Some(GroupRule { group: group?, role: role?, teams: teams.unwrap_or_default().into_iter().collect() })
}

/// An address without anything behind its path: HTTPS, or HTTP on this machine.
fn address(node: &Node, what: &str, m: &mut Vec<Mistake>) -> Option<String> {
    let text = node.string(m)?;
    let own = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
    let near =
        own.iter().any(|o| text.strip_prefix(o).is_some_and(|r| r.is_empty() || r.starts_with([':', '/'])));
    let far = text.strip_prefix("https://").is_some_and(|r| !r.is_empty() && !r.starts_with(['/', ':']));
    let plain = text.bytes().all(|b| b.is_ascii_graphic()) && !text.contains(['?', '#', '@', '\\']);
    if (near || far) && plain {
        return Some(text);
    }
    node.wrong(
        &text,
        what,
        "write for example https://sso.example.com/realms/net; HTTP only to this machine",
        m,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ProviderConfig {
        let rule = |group: &str, role, team: &str| GroupRule {
            group: group.into(),
            role,
            teams: BTreeSet::from([team.to_owned()]),
        };
        ProviderConfig {
            title: String::new(),
            issuer: String::new(),
            client_id: String::new(),
            client_secret: None,
            url: String::new(),
            scopes: Vec::new(),
            name_claim: String::new(),
            groups_claim: String::new(),
            roles: vec![rule("leads", Role::Approver, "netops"), rule("soc", Role::Analyst, "secops")],
            allow: Vec::new(),
            allow_private: Vec::new(),
        }
    }

    #[test]
    fn the_first_rule_that_matches_gives_the_role_and_all_give_their_teams() {
        let groups = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<BTreeSet<_>>();
        let (role, teams) = config().grant(&groups(&["soc", "leads"])).expect("a rule fits");
        assert_eq!((role, teams), (Role::Approver, groups(&["netops", "secops"])));
        assert_eq!(config().grant(&groups(&["soc"])).map(|(role, _)| role), Some(Role::Analyst));
        assert_eq!(config().grant(&groups(&["Soc", "guests"])), None, "exactly as it is named");
    }
}
