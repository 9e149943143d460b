//! Threat intelligence from files: what others call hostile, and how sure they are.
//!
//! Reads what feeds publish — plain lists, hosts files, abuse.ch CSV and JSON, Spamhaus DROP, STIX 2.1
//! bundles — and answers by address, network, domain (with everything below it), URL, digest and
//! e-mail address. What cannot be used is listed, never dropped in silence.
//!
//! There is no clock here: an entry whose time is over is still told, with its `valid_until`, and the
//! caller decides.

mod lists;
mod stix;
mod table;
mod value;

use std::sync::Arc;

use ipnet::IpNet;
use stanch_model::port::Reference;
use stanch_model::{Fact, Meaning, Observable, ObservableKind, Timestamp};

use super::index::{self, Multi, Prefixes};
use super::{Mistake, Mistakes, brief};
use value::Indicator;

/// The largest file that is read. Source: the largest public feeds (all of URLhaus, about 3 million
/// rows) are below 600 MB, their recent editions below 10 MB; what an appliance can hold is less.
pub const MAX_FILE_BYTES: usize = 256 * 1024 * 1024;

/// Confidence, 0 to 100, of a feed that does not say how sure it is.
pub const UNSAID_CONFIDENCE: u8 = 50;

/// What a feed says about one indicator.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    confidence: u8,
    label: Option<Arc<str>>,
    valid_until: Option<Timestamp>,
}

/// One feed, ready to be asked.
#[derive(Clone, Debug, Default)]
pub struct Intel {
    provider: String,
    feed: String,
    entries: Vec<Entry>,
    addresses: Prefixes<u32>,
    domains: Multi<Box<str>, u32>,
    urls: Multi<Box<str>, u32>,
    hashes: Multi<Box<str>, u32>,
    emails: Multi<Box<str>, u32>,
}

impl Intel {
    /// Reads one file of a feed. The format is found by looking at the content, not at the name;
    /// `path` is for the mistakes. All that can be used is used.
    #[must_use]
    pub fn load_file(feed_name: &str, path: &str, bytes: &[u8]) -> (Intel, Vec<Mistake>) {
        let mut mistakes = Mistakes::new(path);
        let mut intel =
            Intel { provider: format!("intel:{feed_name}"), feed: feed_name.to_owned(), ..Intel::default() };
        if bytes.len() > MAX_FILE_BYTES {
            let message = format!("{} bytes are more than the {MAX_FILE_BYTES} that are read", bytes.len());
            mistakes.add((0, 0), message, "split the file or take the feed's recent edition");
            return (intel, mistakes.done());
        }
        let text = String::from_utf8_lossy(bytes);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        match shape(text) {
            Shape::Json => stix::read(text, &mut intel, &mut mistakes),
            Shape::JsonLines => lists::json_lines(text, &mut intel, &mut mistakes),
            Shape::Table => table::read(text, &mut intel, &mut mistakes),
            Shape::Lines => lists::plain(text, &mut intel, &mut mistakes),
        }
        (intel, mistakes.done())
    }

    /// The feed's name, as given.
    #[must_use]
    pub fn feed(&self) -> &str {
        &self.feed
    }

    /// How many indicators are indexed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.addresses.len() + self.domains.len() + self.urls.len() + self.hashes.len() + self.emails.len()
    }

    /// True when nothing is indexed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Remembers what is said about the indicators added next. Repeats share one entry.
    fn entry(&mut self, confidence: u8, label: Option<&str>, valid_until: Option<Timestamp>) -> u32 {
        let same = |e: &Entry| {
            e.confidence == confidence && e.label.as_deref() == label && e.valid_until == valid_until
        };
        if !self.entries.last().is_some_and(same) {
            self.entries.push(Entry { confidence, label: label.map(Arc::from), valid_until });
        }
        u32::try_from(self.entries.len() - 1).unwrap_or(u32::MAX)
    }

    fn add(&mut self, indicator: Indicator, entry: u32) {
        match indicator {
            Indicator::Address(net) => self.addresses.insert(net, entry),
            Indicator::Domain(name) => self.domains.insert(name.into(), entry),
            Indicator::Url(url) => self.urls.insert(url.into(), entry),
            Indicator::Hash(hash) => self.hashes.insert(hash.into(), entry),
            Indicator::Email(email) => self.emails.insert(email.into(), entry),
        }
    }

    /// Judges a text as an indicator and adds it, or lists why not.
    fn take(&mut self, text: &str, entry: u32, at: (usize, usize), mistakes: &mut Mistakes) {
        match value::read(text) {
            Ok(indicator) => self.add(indicator, entry),
            Err(why) => mistakes.add(at, format!("\"{}\" {}", brief(text), why.message), why.help),
        }
    }

    fn hits(&self, about: &Observable) -> Vec<u32> {
        let by_host = |host: &str| -> Vec<u32> {
            match index::address(host) {
                Some(net) => self.by_address(net),
                None => index::parents(host).flat_map(|name| self.domains.get(name)).collect(),
            }
        };
        match about.kind {
            ObservableKind::Ip => {
                index::address(&about.value).map(|net| self.by_address(net)).unwrap_or_default()
            }
            ObservableKind::Hostname => by_host(&about.value),
            ObservableKind::Hash => self.hashes.get(about.value.as_str()).collect(),
            ObservableKind::Email => {
                let domain = about.value.rsplit_once('@').map(|(_, domain)| domain);
                self.emails.get(about.value.as_str()).chain(domain.map(by_host).unwrap_or_default()).collect()
            }
            ObservableKind::Url => match value::url_key(&about.value) {
                Some((key, host)) => self.urls.get(key.as_str()).chain(by_host(&host)).collect(),
                None => Vec::new(),
            },
            ObservableKind::User | ObservableKind::Mac | ObservableKind::File | ObservableKind::Process => {
                Vec::new()
            }
        }
    }

    /// Feeds are asked about single addresses; a network is never "the same" as one in a feed.
    fn by_address(&self, net: IpNet) -> Vec<u32> {
        if net.prefix_len() < net.max_prefix_len() {
            return Vec::new();
        }
        self.addresses.covering(net.addr()).into_iter().map(|(_, i)| i).collect()
    }
}

impl Reference for Intel {
    fn name(&self) -> &str {
        &self.provider
    }

    fn look_up(&self, _site: &str, about: &Observable) -> Vec<Fact> {
        let mut said: Vec<&Entry> = Vec::new();
        for i in self.hits(about) {
            let entry = usize::try_from(i).ok().and_then(|i| self.entries.get(i));
            said.extend(entry.filter(|e| !said.contains(e)));
        }
        let fact = |e: &Entry| Fact {
            provider: self.provider.clone(),
            about: about.clone(),
            meaning: Meaning::Malicious {
                feed: self.feed.clone(),
                confidence: e.confidence,
                label: e.label.as_deref().map(str::to_owned),
                valid_until: e.valid_until,
            },
        };
        said.into_iter().map(fact).collect()
    }
}

/// All feeds together, asked as one.
#[derive(Clone, Debug, Default)]
pub struct IntelSet {
    feeds: Vec<Arc<Intel>>,
}

impl IntelSet {
    /// The feeds, in the order in which they are to answer.
    #[must_use]
    pub fn new(feeds: Vec<Intel>) -> IntelSet {
        IntelSet { feeds: feeds.into_iter().map(Arc::new).collect() }
    }

    /// Adds one feed at the end.
    pub fn push(&mut self, feed: Intel) {
        self.feeds.push(Arc::new(feed));
    }

    /// The feeds.
    #[must_use]
    pub fn feeds(&self) -> &[Arc<Intel>] {
        &self.feeds
    }

    /// How many indicators all feeds hold together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.feeds.iter().map(|f| f.len()).sum()
    }

    /// True when no feed holds any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Reference for IntelSet {
    fn name(&self) -> &str {
        "intel"
    }

    fn look_up(&self, site: &str, about: &Observable) -> Vec<Fact> {
        self.feeds.iter().flat_map(|f| f.look_up(site, about)).collect()
    }
}

enum Shape {
    Json,
    JsonLines,
    Table,
    Lines,
}

/// Finds the format by its first lines.
fn shape(text: &str) -> Shape {
    let start = text.trim_start();
    if start.starts_with('[') && index::address(start.lines().next().unwrap_or("")).is_none() {
        return Shape::Json;
    }
    if start.starts_with('{') {
        // One object per line, or one object over the whole file?
        let first = start.lines().next().unwrap_or("").trim_end();
        let several = start.lines().nth(1).is_some_and(|l| l.trim_start().starts_with('{'));
        return if first.ends_with('}') && several { Shape::JsonLines } else { Shape::Json };
    }
    if table::heading(text).is_some() { Shape::Table } else { Shape::Lines }
}

#[cfg(test)]
mod tests;
