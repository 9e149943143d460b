//! Lists of well-known infrastructure in the format of the MISP warninglists, by what they mean.
//!
//! The lists are not all "harmless": some say *never block* (root servers, public resolvers), some
//! say *shared or anonymous* (clouds, VPNs, dynamic DNS), some say *feeds get this wrong*. The
//! table in [`meaning`] gives each known list its meaning. A small set is compiled in, so that the
//! guard knows the worst mistakes even where no list was ever imported.

pub mod meaning;
mod space;

use std::collections::BTreeMap;
use std::path::Path;

use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use stanch_model::port::Reference;
use stanch_model::{Fact, Meaning, Observable, ObservableKind};

use self::meaning::Class;
use super::index::{self, Multi, Prefixes};
use super::{Mistake, Mistakes, brief};

/// The largest list that is read, in bytes. Source: the largest of MISP's lists is 1.3 MB.
const MAX_LIST_BYTES: u64 = 32 * 1024 * 1024;
/// Bounds the memory of one compiled expression, in bytes.
const MAX_REGEX_BYTES: usize = 1024 * 1024;
/// More texts to seek in every value than this are refused for one list.
const MAX_SUBSTRINGS: usize = 2_000;

/// The lists that are compiled in. Most are MISP's (CC0, see `embedded/NOTICE.md`).
const EMBEDDED: [(&str, &str); 13] = [
    ("crl-hostname", include_str!("embedded/crl-hostname.json")),
    ("dns-root-names", include_str!("embedded/dns-root-names.json")),
    ("dns-root-servers", include_str!("embedded/dns-root-servers.json")),
    ("empty-hashes", include_str!("embedded/empty-hashes.json")),
    ("ipv6-linklocal", include_str!("embedded/ipv6-linklocal.json")),
    ("multicast", include_str!("embedded/multicast.json")),
    ("public-dns-names", include_str!("embedded/public-dns-names.json")),
    ("public-dns-v6", include_str!("embedded/public-dns-v6.json")),
    ("public-dns-well-known", include_str!("embedded/public-dns-well-known.json")),
    ("rfc5735", include_str!("embedded/rfc5735.json")),
    ("rfc6761", include_str!("embedded/rfc6761.json")),
    ("special-ranges", include_str!("embedded/special-ranges.json")),
    ("tlds", include_str!("embedded/tlds.json")),
];

/// A list as MISP writes it. Source: MISP/misp-warninglists, `schema.json`.
#[derive(Deserialize)]
struct File {
    #[serde(rename = "type")]
    kind: String,
    list: Vec<String>,
    #[serde(default)]
    matching_attributes: Vec<String>,
    /// Ours, for lists that are not in the table: `never_block`, `shared` or `harmless`.
    meaning: Option<String>,
}

/// A list that has been read.
#[derive(Clone, Debug)]
struct List {
    name: String,
    class: Class,
    /// Which kinds of observables it speaks of.
    kinds: Vec<ObservableKind>,
}

/// All lists together, ready to be asked.
#[derive(Clone, Debug, Default)]
pub struct Warninglists {
    lists: Vec<List>,
    /// List, and the address space for lists that mix several.
    addresses: Prefixes<(u16, Option<space::Space>)>,
    exact: Multi<Box<str>, u16>,
    suffix: Multi<Box<str>, u16>,
    substrings: Vec<(String, u16)>,
    patterns: Vec<(Regex, u16)>,
}

/// One way in which a list covers a value.
struct Hit {
    list: u16,
    space: Option<space::Space>,
    /// How many labels above the name asked about; 0 for the name itself.
    above: usize,
}

impl Warninglists {
    /// The lists that are compiled in.
    #[must_use]
    pub fn embedded() -> Warninglists {
        let sources = EMBEDDED
            .iter()
            .map(|(name, text)| ((*name).to_owned(), ((*name).to_owned(), (*text).to_owned())));
        Warninglists::of(sources.collect(), &mut Vec::new())
    }

    /// The compiled-in lists and those of a folder, which holds `NAME/list.json` as MISP does, or
    /// `NAME.json`. A list of the folder replaces the compiled-in one of the same name. Reads files.
    ///
    /// All that can be used is used, and all mistakes are listed. A list that the table does not
    /// know and that says no `meaning` of its own counts as shared, with a warning.
    #[must_use]
    pub fn load_dir(path: &Path) -> (Warninglists, Vec<Mistake>) {
        let mut found = Vec::new();
        let mut sources: BTreeMap<String, (String, String)> = EMBEDDED
            .iter()
            .map(|(name, text)| ((*name).to_owned(), ((*name).to_owned(), (*text).to_owned())))
            .collect();
        match std::fs::read_dir(path) {
            Ok(entries) => {
                for entry in entries.flatten() {
                    let entry = entry.path();
                    let file = if entry.is_dir() { entry.join("list.json") } else { entry.clone() };
                    if !entry.is_dir() && entry.extension().is_none_or(|e| e != "json") {
                        continue;
                    }
                    let name = entry.file_stem().filter(|_| !entry.is_dir()).or(entry.file_name());
                    let name = name.map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
                    match read(&file) {
                        Ok(text) => drop(sources.insert(name, (file.display().to_string(), text))),
                        Err(why) => {
                            let mut mistakes = Mistakes::new(&file.display().to_string());
                            mistakes.add((0, 0), why, "");
                            found.extend(mistakes.done());
                        }
                    }
                }
            }
            Err(e) => {
                let mut mistakes = Mistakes::new(&path.display().to_string());
                mistakes.add(
                    (0, 0),
                    format!("the folder cannot be read: {e}"),
                    "name a folder of warninglists",
                );
                found.extend(mistakes.done());
            }
        }
        let lists = Warninglists::of(sources, &mut found);
        found.sort();
        (lists, found)
    }

    /// Lists from memory: name, name for mistakes, text.
    fn of(sources: BTreeMap<String, (String, String)>, found: &mut Vec<Mistake>) -> Warninglists {
        let mut all = Warninglists::default();
        for (name, (file, text)) in sources {
            let mut mistakes = Mistakes::new(&file);
            all.add(&name, &text, &mut mistakes);
            found.extend(mistakes.done());
        }
        all
    }

    /// Names and meanings of the lists, in order of name.
    pub fn lists(&self) -> impl Iterator<Item = (&str, Class)> {
        self.lists.iter().map(|l| (l.name.as_str(), l.class))
    }

    /// Whether any list at all covers a value, whatever it means. What a look-up without meanings would
    /// clear; only yardsticks ask this.
    #[must_use]
    pub fn covers(&self, about: &Observable) -> bool {
        !self.hits(about).is_empty()
    }

    fn add(&mut self, name: &str, text: &str, mistakes: &mut Mistakes) {
        let file: File = match serde_json::from_str(text) {
            Ok(file) => file,
            Err(e) => {
                mistakes.add((e.line(), e.column()), format!("this is not a warninglist: {e}"), "");
                return;
            }
        };
        let class = class(name, &file, mistakes);
        let kinds = meaning::kinds(&file.matching_attributes);
        if class == Class::Aside || kinds.is_empty() {
            return;
        }
        let Ok(id) = u16::try_from(self.lists.len()) else {
            mistakes.add((0, 0), "there are too many lists", "65535 are taken");
            return;
        };
        let before = self.substrings.len();
        for (i, value) in file.list.iter().enumerate() {
            if let Err(why) = self.add_value(&file.kind, value.trim(), id, class) {
                mistakes.add((0, 0), format!("entry {}, \"{}\", {why}", i + 1, brief(value)), "");
            }
        }
        if self.substrings.len() - before > MAX_SUBSTRINGS {
            mistakes.add(
                (0, 0),
                format!("more than {MAX_SUBSTRINGS} texts to seek"),
                "use the type string or hostname",
            );
            self.substrings.truncate(before + MAX_SUBSTRINGS);
        }
        self.lists.push(List { name: name.to_owned(), class, kinds });
    }

    fn add_value(&mut self, kind: &str, value: &str, id: u16, class: Class) -> Result<(), String> {
        let lower = value.to_lowercase();
        let name = |text: &str| -> Box<str> { text.trim_start_matches("*.").trim_matches('.').into() };
        if name(&lower).is_empty() {
            return Err("is empty".to_owned());
        }
        match kind {
            "cidr" => {
                let net = index::address(value).ok_or("is no address")?;
                let space = (class == Class::AddressSpace).then(|| space::of(net));
                self.addresses.insert(net, (id, space));
            }
            "hostname" => self.suffix.insert(name(&lower), id),
            // MISP writes some domains that cover all below them with a dot in front.
            "string" if lower.starts_with('.') || lower.starts_with("*.") => {
                self.suffix.insert(name(&lower), id)
            }
            "string" => match index::address(value) {
                Some(net) => self.addresses.insert(net, (id, None)),
                None => self.exact.insert(lower.into(), id),
            },
            // Seeking a domain inside another text would find `0-mail.com` in `10-mail.com`.
            "substring" => match index::address(value) {
                Some(net) => self.addresses.insert(net, (id, None)),
                None if is_domain(&lower) => self.suffix.insert(name(&lower), id),
                None => self.substrings.push((lower, id)),
            },
            "regex" => self.patterns.push((pattern(value)?, id)),
            other => return Err(format!("is in a list of the unknown type \"{}\"", brief(other))),
        }
        Ok(())
    }

    fn hits(&self, about: &Observable) -> Vec<Hit> {
        let mut hits = Vec::new();
        let plain = |list| Hit { list, space: None, above: 0 };
        let value = about.value.to_lowercase();
        match about.kind {
            ObservableKind::Ip => self.hits_of_host(&value, &mut hits),
            ObservableKind::Hostname => self.hits_of_host(&value, &mut hits),
            ObservableKind::Url => {
                let rest = value.split_once("://").map_or(value.as_str(), |(_, rest)| rest);
                let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
                let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
                let host = match authority.strip_prefix('[').and_then(|a| a.split_once(']')) {
                    Some((v6, _)) => v6,
                    None => authority.split(':').next().unwrap_or(authority),
                };
                self.hits_of_host(host.trim_end_matches('.'), &mut hits);
            }
            ObservableKind::Email => {
                hits.extend(self.exact.get(value.as_str()).map(plain));
                let domain = value.rsplit_once('@').map_or("", |(_, domain)| domain);
                self.hits_of_host(domain, &mut hits);
            }
            ObservableKind::Hash => hits.extend(self.exact.get(value.as_str()).map(plain)),
            ObservableKind::User | ObservableKind::Mac | ObservableKind::File | ObservableKind::Process => {
                return hits;
            }
        }
        hits.extend(self.substrings.iter().filter(|(s, _)| value.contains(s)).map(|(_, l)| plain(*l)));
        hits.extend(self.patterns.iter().filter(|(p, _)| p.is_match(&value)).map(|(_, l)| plain(*l)));
        hits.retain(|h| self.list(h).is_some_and(|l| speaks_of(l, about.kind)));
        hits
    }

    fn hits_of_host(&self, host: &str, hits: &mut Vec<Hit>) {
        if let Some(net) = index::address(host) {
            let covering = self.addresses.covering(net.addr()).into_iter();
            hits.extend(covering.map(|(_, (list, space))| Hit { list, space, above: 0 }));
            return;
        }
        hits.extend(self.exact.get(host).map(|list| Hit { list, space: None, above: 0 }));
        for (above, name) in index::parents(host).enumerate() {
            hits.extend(self.suffix.get(name).map(|list| Hit { list, space: None, above }));
        }
    }

    fn list(&self, hit: &Hit) -> Option<&List> {
        self.lists.get(usize::from(hit.list))
    }

    /// From which label upwards a name belongs to many: below a public suffix (`blog.example.io` when
    /// `example.io` hands out names), a list that praises the suffix says nothing about the name.
    fn public_suffix(&self, host: &str) -> Option<usize> {
        let suffix = |name: &str| {
            let listed = |i: u16| {
                self.lists
                    .get(usize::from(i))
                    .is_some_and(|l| meaning::PUBLIC_SUFFIXES.contains(&l.name.as_str()))
            };
            self.exact.get(name).any(listed)
        };
        index::parents(host).enumerate().skip(1).find(|(_, name)| suffix(name)).map(|(i, _)| i)
    }
}

impl Reference for Warninglists {
    fn name(&self) -> &str {
        "warninglists"
    }

    fn look_up(&self, _site: &str, about: &Observable) -> Vec<Fact> {
        let mut hits = self.hits(about);
        hits.sort_by_key(|h| h.list);
        hits.dedup_by_key(|h| h.list);
        let shared = hits.iter().any(|h| self.list(h).is_some_and(|l| l.class == Class::Shared));
        let published =
            |h: &Hit| self.list(h).is_some_and(|l| meaning::ANYONE_PUBLISHES.contains(&l.name.as_str()));
        let anyone = hits.iter().any(published);
        let suffix =
            if about.kind == ObservableKind::Hostname { self.public_suffix(&about.value) } else { None };
        let mut facts = Vec::new();
        let mut family = None;
        for hit in &hits {
            let Some(list) = self.list(hit) else { continue };
            // A name below a praised one is not praised where anyone can get such a name.
            let anyones = hit.above > 0 && (shared || suffix.is_some_and(|s| hit.above >= s));
            // And a page of a well-known site may be anyone's.
            let page = about.kind == ObservableKind::Url;
            if list.class == Class::Harmless && (anyone || anyones || page) {
                continue;
            }
            // Twelve rankings of the same web say one thing.
            if meaning::TOP_SITES.contains(&list.name.as_str()) && family.replace(()).is_some() {
                continue;
            }
            let meaning = spoken(list, hit.space);
            facts.push(Fact { provider: "warninglists".to_owned(), about: about.clone(), meaning });
        }
        facts.dedup_by(|a, b| matches!(a.meaning, Meaning::Note { .. }) && a == b);
        facts
    }
}

fn spoken(list: &List, space: Option<space::Space>) -> Meaning {
    let name = list.name.clone();
    match (list.class, space) {
        (Class::AddressSpace, Some(s)) if s.never_block => Meaning::NeverBlock { list: name },
        (Class::AddressSpace, s) => {
            let value = s.map_or("special", |s| s.word).to_owned();
            Meaning::Note { name: "address space".to_owned(), value }
        }
        (Class::NeverBlock, _) => Meaning::NeverBlock { list: name },
        (Class::Harmless, _) => Meaning::Harmless { list: name },
        (Class::Note(about), _) => Meaning::Note { name: about.to_owned(), value: name },
        (Class::Shared | Class::Aside, _) => Meaning::Shared { list: name },
    }
}

/// A list about host names also speaks of the host in a URL.
fn speaks_of(list: &List, kind: ObservableKind) -> bool {
    let url = kind == ObservableKind::Url;
    list.kinds.contains(&kind)
        || (url
            && (list.kinds.contains(&ObservableKind::Hostname) || list.kinds.contains(&ObservableKind::Ip)))
}

fn class(name: &str, file: &File, mistakes: &mut Mistakes) -> Class {
    let own = file.meaning.as_deref().map(|m| (m, Class::named(m)));
    match own {
        Some((_, Some(class))) => class,
        Some((said, None)) => {
            let message = format!("\"{}\" is no meaning; the list counts as shared", brief(said));
            mistakes.add((0, 0), message, "write never_block, shared or harmless");
            Class::Shared
        }
        None => meaning::of(name).unwrap_or_else(|| {
            let message = format!("the list \"{}\" is not known; it counts as shared", brief(name));
            mistakes.add(
                (0, 0),
                message,
                "add \"meaning\": \"never_block\", \"shared\" or \"harmless\" to it",
            );
            Class::Shared
        }),
    }
}

fn is_domain(text: &str) -> bool {
    let label = |l: &str| !l.is_empty() && l.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
    text.contains('.') && text.trim_matches('.').split('.').all(label)
}

/// MISP writes expressions as `/…/i`.
fn pattern(text: &str) -> Result<Regex, String> {
    let inner = text.strip_prefix('/').and_then(|t| t.rsplit_once('/'));
    let (expression, flags) = inner.unwrap_or((text, ""));
    RegexBuilder::new(expression)
        .case_insensitive(flags.contains('i'))
        .size_limit(MAX_REGEX_BYTES)
        .dfa_size_limit(MAX_REGEX_BYTES)
        .build()
        .map_err(|e| format!("is no expression we can use: {}", e.to_string().lines().last().unwrap_or("")))
}

fn read(file: &Path) -> Result<String, String> {
    let length = std::fs::metadata(file).map_err(|e| format!("cannot be read: {e}"))?.len();
    if length > MAX_LIST_BYTES {
        return Err(format!("{length} bytes are more than the {MAX_LIST_BYTES} that are read"));
    }
    std::fs::read_to_string(file).map_err(|e| format!("cannot be read: {e}"))
}

#[cfg(test)]
mod tests;
