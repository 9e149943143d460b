//! The asset inventory: what is ours, who answers for it and how much it would hurt to lose it.
//!
//! Reads CSV or YAML, finds all mistakes in one go, and answers by address (longest prefix), host
//! name and user. Sites may use the same private addresses for different machines, so an asset that
//! names a site answers for that site only; one without a site answers everywhere.
//!
//! ```text
//! name,ip,hostname,user,owner,kind,criticality,site,tags
//! web-1,192.0.2.10 2001:db8::10,web-1.example.org,,platform,server,high,north,internet-facing
//! ```
//!
//! `ip`, `hostname`, `user` and `tags` hold several values separated by spaces or `;`.

mod read;
mod yaml;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use ipnet::IpNet;
use stanch_model::fact::Criticality;
use stanch_model::port::Reference;
use stanch_model::{Fact, Meaning, Observable, ObservableKind};

use super::index::{Multi, Prefixes};
use super::{Mistake, Mistakes, brief};

/// One thing we own, as the inventory says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asset {
    /// Its name; unique within a site.
    pub name: String,
    /// Its addresses and networks.
    pub addresses: Vec<IpNet>,
    /// Its host names, lower case, without a final dot.
    pub hostnames: Vec<String>,
    /// Accounts that belong to it, lower case.
    pub users: Vec<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// `server`, `workstation`, `router`, …
    pub kind: Option<String>,
    /// How much it would hurt to lose it. Default: medium.
    pub criticality: Criticality,
    /// The only site it answers for; `None` for all.
    pub site: Option<String>,
    /// Free words for policies to match on.
    pub tags: Vec<String>,
}

/// An inventory, ready to be asked.
#[derive(Clone, Debug, Default)]
pub struct Assets {
    list: Vec<Asset>,
    by_address: Prefixes<u32>,
    by_host: Multi<String, u32>,
    /// First label of a full name, and only where the inventory has the full name.
    by_short_name: Multi<String, u32>,
    by_user: Multi<String, u32>,
    /// Domains that our own full names lie in.
    own_domains: HashSet<String>,
}

/// Domains that no one else can own, so that a short name in the inventory is meant.
/// Source: RFC 6762 (`local`), RFC 8375 (`home.arpa`), ICANN resolution 2024.07.29.06 (`internal`);
/// the rest are customary in private networks.
const PRIVATE_DOMAINS: [&str; 9] =
    ["local", "internal", "home.arpa", "localdomain", "lan", "corp", "intranet", "private", "home"];

impl Assets {
    /// Reads an inventory: YAML when the name ends in `.yaml` or `.yml`, CSV otherwise.
    ///
    /// All that can be used is used, and all mistakes are listed. An unknown criticality counts as
    /// critical until it is mended, because the guard protects by it.
    #[must_use]
    pub fn load(path: &str, text: &str) -> (Assets, Vec<Mistake>) {
        let mut mistakes = Mistakes::new(path);
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lower = path.to_ascii_lowercase();
        let rows = if lower.ends_with(".yaml") || lower.ends_with(".yml") {
            yaml::rows(text, &mut mistakes)
        } else {
            read::csv(text, &mut mistakes)
        };
        let mut assets = Assets::default();
        let mut names: HashMap<(Option<String>, String), usize> = HashMap::new();
        for row in rows {
            let at = row.at;
            let Some(asset) = read::compile(row, &mut mistakes) else { continue };
            let key = (asset.site.clone(), asset.name.to_ascii_lowercase());
            if let Some(first) = names.get(&key) {
                let message =
                    format!("\"{}\" is already the name of the asset in line {first}", brief(&asset.name));
                mistakes.add(at, message, "give each asset of a site its own name");
            } else {
                names.insert(key, at.0);
            }
            assets.add(asset);
        }
        (assets, mistakes.done())
    }

    /// The assets in the order of the file.
    #[must_use]
    pub fn list(&self) -> &[Asset] {
        &self.list
    }

    /// The assets that own an address at a site: those of the longest prefix, and among these the
    /// site's own before those of no particular site.
    #[must_use]
    pub fn at_address(&self, site: &str, ip: IpAddr) -> Vec<&Asset> {
        let mut longest = None;
        let mut found = Vec::new();
        for (len, i) in self.by_address.covering(ip) {
            let Some(asset) = self.of_site(site, i) else { continue };
            if *longest.get_or_insert(len) != len {
                break;
            }
            found.push(asset);
        }
        own_first(found)
    }

    /// The assets that a host name means at a site.
    ///
    /// A full name is looked for as it is. A short name also finds a full name with that first
    /// label. A full name finds a short one only in a domain that is ours or private: otherwise
    /// `mail.elsewhere.example` would pass for our `mail`.
    #[must_use]
    pub fn of_hostname(&self, site: &str, name: &str) -> Vec<&Asset> {
        let name = name.trim().trim_end_matches('.').to_lowercase();
        let mut found: Vec<u32> = self.by_host.get(name.as_str()).collect();
        if found.is_empty() {
            match name.split_once('.') {
                None => found.extend(self.by_short_name.get(name.as_str())),
                Some((short, domain)) if self.is_ours(domain) => found.extend(self.by_host.get(short)),
                Some(_) => {}
            }
        }
        own_first(self.unique(site, found))
    }

    /// The assets of an account at a site: `alice`, `CORP\alice` or `alice@example.org`.
    #[must_use]
    pub fn of_user(&self, site: &str, user: &str) -> Vec<&Asset> {
        let user = user.trim().to_lowercase();
        let mut found: Vec<u32> = self.by_user.get(user.as_str()).collect();
        if found.is_empty() {
            let bare = match (user.rsplit_once('\\'), user.split_once('@')) {
                (Some((_, bare)), _) => Some(bare),
                (None, Some((bare, domain))) if self.is_ours(domain) => Some(bare),
                (None, _) => None,
            };
            found.extend(bare.into_iter().flat_map(|bare| self.by_user.get(bare)));
        }
        own_first(self.unique(site, found))
    }

    fn is_ours(&self, domain: &str) -> bool {
        super::index::parents(domain).any(|d| PRIVATE_DOMAINS.contains(&d))
            || self.own_domains.contains(domain)
    }

    fn of_site(&self, site: &str, i: u32) -> Option<&Asset> {
        let asset = self.list.get(usize::try_from(i).ok()?)?;
        asset.site.as_deref().is_none_or(|s| s == site).then_some(asset)
    }

    /// In the order of the file, each once.
    fn unique(&self, site: &str, mut found: Vec<u32>) -> Vec<&Asset> {
        found.sort_unstable();
        found.dedup();
        found.into_iter().filter_map(|i| self.of_site(site, i)).collect()
    }

    fn add(&mut self, asset: Asset) {
        let Ok(i) = u32::try_from(self.list.len()) else { return };
        for net in &asset.addresses {
            self.by_address.insert(*net, i);
        }
        let name = asset.name.to_lowercase();
        let as_host = (!name.contains(char::is_whitespace)).then_some(&name);
        for host in asset.hostnames.iter().chain(as_host) {
            self.by_host.insert(host.clone(), i);
            if let Some((short, domain)) = host.split_once('.') {
                self.by_short_name.insert(short.to_owned(), i);
                if domain.contains('.') {
                    self.own_domains.insert(domain.to_owned());
                }
            }
        }
        for user in &asset.users {
            self.by_user.insert(user.clone(), i);
        }
        self.list.push(asset);
    }
}

/// When the site has its own answer, the answers for all sites step back.
fn own_first(mut found: Vec<&Asset>) -> Vec<&Asset> {
    if found.iter().any(|a| a.site.is_some()) {
        found.retain(|a| a.site.is_some());
    }
    found.dedup_by(|a, b| std::ptr::eq(*a, *b));
    found
}

impl Reference for Assets {
    fn name(&self) -> &str {
        "assets"
    }

    fn look_up(&self, site: &str, about: &Observable) -> Vec<Fact> {
        let found = match about.kind {
            ObservableKind::Ip => match about.value.parse() {
                Ok(ip) => self.at_address(site, ip),
                Err(_) => Vec::new(),
            },
            ObservableKind::Hostname => self.of_hostname(site, &about.value),
            ObservableKind::User | ObservableKind::Email => self.of_user(site, &about.value),
            ObservableKind::Url
            | ObservableKind::Hash
            | ObservableKind::Mac
            | ObservableKind::File
            | ObservableKind::Process => Vec::new(),
        };
        let fact = |asset: &Asset| Fact {
            provider: "assets".to_owned(),
            about: about.clone(),
            meaning: Meaning::Asset {
                name: asset.name.clone(),
                criticality: asset.criticality,
                owner: asset.owner.clone(),
                kind: asset.kind.clone(),
            },
        };
        found.into_iter().map(fact).collect()
    }
}

#[cfg(test)]
mod tests;
