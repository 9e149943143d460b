//! Who a token belongs to. Name, role and teams come from the configuration and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use stanch_core::Config;
use stanch_core::config::Mistake;
use stanch_engine::command::Who;

use crate::secrets::{self, TokenDigest};

/// Who a token belongs to.
#[derive(Default)]
pub(crate) struct People {
    known: Vec<(TokenDigest, String)>,
    names: BTreeMap<String, Who>,
    /// Programs by the name in their certificate.
    programs: BTreeMap<String, Who>,
}

impl People {
    /// Reads everybody's token. Whoever has none that can be used is not known, with the reason as a
    /// warning; a token that two people share names neither.
    pub(crate) fn read(folder: &Path, config: &Config) -> (People, Vec<Mistake>) {
        const FILE: &str = "policies/people.yaml";
        let mut mistakes = Vec::new();
        let mut known: Vec<(TokenDigest, String)> = Vec::new();
        let mut first: BTreeMap<TokenDigest, String> = BTreeMap::new();
        for person in config.people.values() {
            let Some(token) = &person.token else { continue };
            let place = secrets::named(token);
            let read = secrets::read(folder, token);
            let digest = read.and_then(|secret| {
                let weak = !secret.expose().starts_with("sha256:")
                    && secret.expose().chars().count() < secrets::SHORT;
                if weak {
                    let message = format!("{place} is short enough to be guessed");
                    let help = format!("use at least {} random characters", secrets::SHORT);
                    mistakes.push(Mistake::warning(FILE, (0, 0), message, help));
                }
                TokenDigest::stored(&secret).map_err(|why| format!("{place}: {why}"))
            });
            match digest {
                Err(why) => {
                    let message = format!("{} cannot sign in: {why}", person.name);
                    mistakes.push(Mistake::warning(
                        FILE,
                        (0, 0),
                        message,
                        format!("put a random token into {place}"),
                    ));
                }
                Ok(digest) => {
                    if let Some(other) = first.insert(digest, person.name.clone()) {
                        let message = format!("{} and {other} have the same token", person.name);
                        mistakes.push(Mistake::error(
                            FILE,
                            (0, 0),
                            message,
                            "a token names one person: give each their own",
                        ));
                        known.retain(|(d, _)| *d != digest);
                        continue;
                    }
                    known.push((digest, person.name.clone()));
                }
            }
            if secrets::too_open(folder, token) {
                mistakes.push(Mistake::warning(
                    &place,
                    (0, 0),
                    "others on this machine can read this token",
                    format!("run: chmod 600 {place}"),
                ));
            }
        }
        (People { known, names: names(config), programs: programs(config) }, mistakes)
    }

    /// The same tokens, with names, roles and teams as they are in this configuration.
    pub(crate) fn regranted(&self, config: &Config) -> People {
        People { known: self.known.clone(), names: names(config), programs: programs(config) }
    }

    /// Somebody by name.
    pub(crate) fn named(&self, name: &str) -> Option<&Who> {
        self.names.get(name)
    }

    /// The program of a certificate with these names; none when they are those of two.
    pub(crate) fn program(&self, certificate: &BTreeSet<String>) -> Option<&Who> {
        let mut all = certificate.iter().filter_map(|name| self.programs.get(name));
        all.next().filter(|_| all.next().is_none())
    }

    /// Whose token has this digest. Every known one is compared, so that time tells nothing.
    pub(crate) fn of(&self, token: &TokenDigest) -> Option<&Who> {
        let mut found = None;
        for (digest, name) in &self.known {
            if digest.same(token) {
                found = Some(name);
            }
        }
        self.names.get(found?)
    }

    /// True when nobody has a token.
    pub(crate) fn nobody(&self) -> bool {
        self.known.is_empty()
    }
}

/// Programs, by the name in their certificate. Their names in the journal have a space, which no person has.
fn programs(config: &Config) -> BTreeMap<String, Who> {
    let who = |p: &stanch_core::config::Program| Who {
        name: format!("program {}", p.name),
        role: p.role,
        teams: BTreeSet::new(),
    };
    config.programs.values().map(|p| (p.certificate.clone(), who(p))).collect()
}

/// Everybody in force, by name.
fn names(config: &Config) -> BTreeMap<String, Who> {
    let who =
        |p: &stanch_core::config::Person| Who { name: p.name.clone(), role: p.role, teams: p.teams.clone() };
    config.people.iter().map(|(name, p)| (name.clone(), who(p))).collect()
}
