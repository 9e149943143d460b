//! What an action changes on one entry, and the way back: pure, and the only thing journalled.

use serde::{Deserialize, Serialize};
use stanch_model::{ActionKind, Failure};

use super::super::seal::Seal;

/// For ever, until somebody unlocks. Source: draft-behera-ldap-password-policy-10, 5.3.3.
pub(super) const FOR_EVER: &str = "000001010000Z";
pub(super) const LOCKED: &str = "pwdAccountLockedTime";
pub(super) const PASSWORD: &str = "userPassword";
pub(super) const SHADOW: &str = "shadowExpire";
/// Attributes that may hold members: name, and whether by distinguished name.
pub(super) const MEMBERS: [(&str, bool); 3] =
    [("member", true), ("uniqueMember", true), ("memberUid", false)];

/// All that perform, verify and revert need to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Recipe {
    /// The entry.
    pub(super) dn: String,
    /// What changes on it, in one operation.
    pub(super) edits: Vec<Edit>,
}

/// One attribute: what is taken away and what is put in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Edit {
    pub(super) attribute: String,
    /// Values that were there before and go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) take: Vec<Kept>,
    /// Values that come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) put: Vec<String>,
    /// True when the attribute has no other values, before or after.
    #[serde(default)]
    pub(super) whole: bool,
}

/// A value from before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kept {
    /// As it was.
    Plain(String),
    /// A password or its hash, sealed.
    Sealed(String),
}

/// An edit with its values opened.
pub(super) struct Opened {
    pub(super) attribute: String,
    pub(super) take: Vec<Vec<u8>>,
    pub(super) put: Vec<Vec<u8>>,
    pub(super) whole: bool,
}

/// Where one edit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    Before,
    After,
    Elsewhere,
}

/// How accounts are locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// By `pwdAccountLockedTime` where the server has a password policy, else by the password.
    Auto,
    /// By `pwdAccountLockedTime`: needs the server's password policy, with `pwdLockout: TRUE`.
    Ppolicy,
    /// By taking the password away, and `shadowExpire: 1` on shadow accounts.
    Password,
}

/// What was found of an entry.
pub(super) struct Entry {
    pub(super) dn: String,
    pub(super) classes: Vec<String>,
    pub(super) values: std::collections::BTreeMap<String, Vec<Vec<u8>>>,
}

impl Entry {
    /// The values of an attribute, whose name knows no case.
    pub(super) fn get(&self, attribute: &str) -> &[Vec<u8>] {
        self.values.get(&attribute.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }

    pub(super) fn has(&self, attribute: &str, value: &str) -> bool {
        self.get(attribute).iter().any(|v| v == value.as_bytes())
    }

    fn texts(&self, attribute: &str) -> Vec<Kept> {
        self.get(attribute).iter().map(|v| Kept::Plain(String::from_utf8_lossy(v).into_owned())).collect()
    }
}

/// A password nobody can sign in with: no crypt(3) makes a hash that begins with `!`, and servers
/// that hash what they are given leave a value with a known scheme as it is.
pub(super) fn worthless(tag: &str) -> String {
    format!("{{CRYPT}}!{tag}")
}

/// The action whose replacement the password is, if it is one of ours.
fn replaced_by(entry: &Entry) -> Option<String> {
    let ours = |v: &Vec<u8>| std::str::from_utf8(v).ok()?.strip_prefix("{CRYPT}!").map(str::to_owned);
    entry.get(PASSWORD).iter().find_map(ours).filter(|tag| tag.starts_with("stanch:"))
}

/// Plans what a kind of change does to an account's entry.
pub(super) fn plan(
    kind: &ActionKind,
    entry: &Entry,
    tag: &str,
    ppolicy: bool,
    seal: Option<&Seal>,
) -> Result<Recipe, Failure> {
    let dn = entry.dn.clone();
    let edits = match kind {
        ActionKind::LockAccount { account } if ppolicy => {
            if entry.has(LOCKED, FOR_EVER) {
                return refuse(format!(
                    "{account} is locked already, and not by this action; it is left as it is"
                ));
            }
            vec![edit(LOCKED, entry.texts(LOCKED), vec![FOR_EVER.to_owned()])]
        }
        ActionKind::LockAccount { .. } => {
            let mut edits = vec![password(entry, tag, seal)?];
            if entry.classes.iter().any(|c| c.eq_ignore_ascii_case("shadowAccount")) {
                edits.push(edit(SHADOW, entry.texts(SHADOW), vec!["1".to_owned()]));
            }
            edits
        }
        ActionKind::UnlockAccount { account } => {
            if let Some(by) = replaced_by(entry) {
                return refuse(format!("{account} is locked by {by}; lift that action instead"));
            }
            let expired = entry.get(SHADOW).iter().any(|v| v == b"1");
            let locks = [(LOCKED, !entry.get(LOCKED).is_empty()), (SHADOW, expired)];
            let edits: Vec<Edit> = locks
                .iter()
                .filter(|(_, set)| *set)
                .map(|(attribute, _)| edit(attribute, entry.texts(attribute), Vec::new()))
                .collect();
            if edits.is_empty() {
                return refuse(format!("{account} is not locked: there is nothing to unlock"));
            }
            edits
        }
        ActionKind::ResetCredential { .. } => vec![password(entry, tag, seal)?],
        ActionKind::BlockAddress { .. }
        | ActionKind::LimitAddress { .. }
        | ActionKind::BlockPort { .. }
        | ActionKind::QuarantinePort { .. }
        | ActionKind::RemoveFromGroup { .. }
        | ActionKind::SinkholeDomain { .. }
        | ActionKind::Call { .. } => return refuse(format!("a directory cannot {}", kind.words())),
    };
    Ok(Recipe { dn, edits })
}

/// Plans the taking of an account out of a group.
pub(super) fn plan_group(
    group: &Entry,
    account: &str,
    account_dn: &str,
    shown: &str,
) -> Result<Recipe, Failure> {
    let mut edits = Vec::new();
    for (attribute, by_dn) in MEMBERS {
        let all = group.get(attribute);
        let is_it = |v: &&Vec<u8>| match (std::str::from_utf8(v), by_dn) {
            (Ok(text), true) => same_dn(text, account_dn),
            (Ok(text), false) => text == account,
            (Err(_), _) => false,
        };
        let taken: Vec<&Vec<u8>> = all.iter().filter(is_it).collect();
        if taken.is_empty() {
            continue;
        }
        // Source: RFC 4519, 3.5: a group of names has at least one member.
        if by_dn && taken.len() == all.len() {
            return refuse(format!(
                "{account} is the last member of group {shown}, which must have one; disable the group by hand"
            ));
        }
        let take = taken.iter().map(|v| Kept::Plain(String::from_utf8_lossy(v).into_owned())).collect();
        edits.push(Edit { attribute: attribute.to_owned(), take, put: Vec::new(), whole: false });
    }
    if edits.is_empty() {
        return refuse(format!("{account} is not a member of group {shown}: there is nothing to take out"));
    }
    Ok(Recipe { dn: group.dn.clone(), edits })
}

/// Case and spaces around the parts do not matter. Source: RFC 4517, 4.2.15, for the usual attributes.
fn same_dn(a: &str, b: &str) -> bool {
    let plain = |dn: &str| {
        let parts = dn.split(',').map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            format!("{}={}", name.trim().to_lowercase(), value.trim().to_lowercase())
        });
        parts.collect::<Vec<_>>()
    };
    plain(a) == plain(b)
}

fn edit(attribute: &str, take: Vec<Kept>, put: Vec<String>) -> Edit {
    Edit { attribute: attribute.to_owned(), take, put, whole: true }
}

fn password(entry: &Entry, tag: &str, seal: Option<&Seal>) -> Result<Edit, Failure> {
    let Some(seal) = seal else {
        return refuse(
            "a password is only taken away when its hash can be sealed; add `seal_key`".to_owned(),
        );
    };
    if let Some(by) = replaced_by(entry) {
        return refuse(format!("the password was taken away already, by {by}"));
    }
    let context = context(tag, &entry.dn);
    let sealed = entry.get(PASSWORD).iter().map(|v| seal.close(v, &context).map(Kept::Sealed));
    let take = sealed.collect::<Result<_, _>>().map_err(Failure::permanent)?;
    Ok(edit(PASSWORD, take, vec![worthless(tag)]))
}

fn context(tag: &str, dn: &str) -> String {
    format!("{tag} {dn}")
}

fn refuse<T>(why: String) -> Result<T, Failure> {
    Err(Failure::permanent(why))
}

impl Recipe {
    /// Reads a recipe back from the journal.
    pub(super) fn read(text: &str) -> Result<Recipe, Failure> {
        serde_json::from_str(text).map_err(|e| Failure::permanent(format!("the recipe is not readable: {e}")))
    }

    /// As journalled.
    pub(super) fn text(&self) -> Result<String, Failure> {
        serde_json::to_string(self).map_err(|e| Failure::permanent(format!("no recipe: {e}")))
    }

    /// The edits with their sealed values.
    pub(super) fn open(&self, tag: &str, seal: Option<&Seal>) -> Result<Vec<Opened>, Failure> {
        let context = context(tag, &self.dn);
        let value = |kept: &Kept| match (kept, seal) {
            (Kept::Plain(text), _) => Ok(text.clone().into_bytes()),
            (Kept::Sealed(text), Some(seal)) => seal.open(text, &context).map_err(Failure::permanent),
            (Kept::Sealed(_), None) => refuse("the recipe is sealed, and there is no `seal_key`".to_owned()),
        };
        let one = |e: &Edit| {
            Ok(Opened {
                attribute: e.attribute.clone(),
                take: e.take.iter().map(value).collect::<Result<_, _>>()?,
                put: e.put.iter().map(|v| v.clone().into_bytes()).collect(),
                whole: e.whole,
            })
        };
        self.edits.iter().map(one).collect()
    }
}

impl Opened {
    /// Where this edit stands on the entry as it is now.
    pub(super) fn stands(&self, entry: &Entry) -> Stands {
        let now = entry.get(&self.attribute);
        let all = |some: &[Vec<u8>]| some.iter().all(|v| now.contains(v));
        let none = |some: &[Vec<u8>]| !some.iter().any(|v| now.contains(v));
        let exactly = |some: &[Vec<u8>]| !self.whole || some.len() == now.len();
        if all(&self.put) && none(&self.take) && exactly(&self.put) {
            Stands::After
        } else if all(&self.take) && none(&self.put) && exactly(&self.take) {
            Stands::Before
        } else {
            Stands::Elsewhere
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::Secret;

    fn entry(values: &[(&str, &str)]) -> Entry {
        let mut all = std::collections::BTreeMap::<String, Vec<Vec<u8>>>::new();
        for (name, value) in values {
            all.entry(name.to_ascii_lowercase()).or_default().push(value.as_bytes().to_vec());
        }
        Entry { dn: "uid=alice,dc=example".into(), classes: vec!["shadowAccount".into()], values: all }
    }

    fn seal() -> Seal {
        Seal::new(&Secret::new("0123456789abcdef0123456789abcdef")).expect("a key")
    }

    #[test]
    fn a_recipe_never_shows_a_hash() {
        let reset = ActionKind::ResetCredential { account: "alice".into() };
        let alice = entry(&[(PASSWORD, "{SSHA}canary")]);
        let recipe = plan(&reset, &alice, "stanch:ACT-4", true, Some(&seal())).expect("planned");
        let text = recipe.text().expect("text");
        assert!(!text.contains("canary") && text.contains("{CRYPT}!stanch:ACT-4"), "{text}");
        let opened = Recipe::read(&text).and_then(|r| r.open("stanch:ACT-4", Some(&seal()))).expect("opened");
        assert_eq!(opened[0].take, [b"{SSHA}canary".to_vec()]);
        assert!(recipe.open("stanch:ACT-5", Some(&seal())).is_err());
        assert!(plan(&reset, &alice, "stanch:ACT-4", true, None).is_err(), "no key, no change");
    }

    #[test]
    fn without_a_password_policy_a_lock_takes_password_and_shadow_expiry() {
        let lock = ActionKind::LockAccount { account: "alice".into() };
        let alice = entry(&[(PASSWORD, "x"), (SHADOW, "19000")]);
        let recipe = plan(&lock, &alice, "stanch:ACT-4", false, Some(&seal())).expect("planned");
        let names: Vec<&str> = recipe.edits.iter().map(|e| e.attribute.as_str()).collect();
        assert_eq!(names, [PASSWORD, SHADOW]);
    }

    #[test]
    fn what_others_did_is_not_done_again_and_names_its_author() {
        let said = |kind: ActionKind, values: &[(&str, &str)]| {
            plan(&kind, &entry(values), "stanch:ACT-4", true, Some(&seal())).expect_err("refused").to_string()
        };
        let account = || "alice".to_owned();
        assert_eq!(
            said(ActionKind::LockAccount { account: account() }, &[(LOCKED, FOR_EVER)]),
            "alice is locked already, and not by this action; it is left as it is"
        );
        assert_eq!(
            said(ActionKind::UnlockAccount { account: account() }, &[(PASSWORD, "{CRYPT}!stanch:ACT-2")]),
            "alice is locked by stanch:ACT-2; lift that action instead"
        );
        assert_eq!(
            said(ActionKind::ResetCredential { account: account() }, &[(PASSWORD, "{CRYPT}!stanch:ACT-2")]),
            "the password was taken away already, by stanch:ACT-2"
        );
    }

    #[test]
    fn the_last_member_of_a_group_stays() {
        let group = entry(&[("member", "UID=Alice, DC=Example")]);
        let refused = plan_group(&group, "alice", "uid=alice,dc=example", "vpn").expect_err("refused");
        assert!(refused.to_string().contains("last member"), "{refused}");
        let group = entry(&[("member", "UID=Alice, DC=Example"), ("member", "uid=bob,dc=example")]);
        let recipe = plan_group(&group, "alice", "uid=alice,dc=example", "vpn").expect("planned");
        assert_eq!(recipe.edits[0].take, [Kept::Plain("UID=Alice, DC=Example".into())], "as it was written");
    }
}
