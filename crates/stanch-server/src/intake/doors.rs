//! The sources as intake sees them: a name, a format chosen by the configuration, and a lock.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use stanch_connectors::format::generic::{GenericFormat, Mapping};
use stanch_core::Config;
use stanch_core::config::{GenericMapping, Mistake, SourceConfig};
use stanch_model::Timestamp;
use stanch_model::port::{Delivery, Format, Record, Rejected};

use super::lock::Lock;
use super::share::Share;
use crate::secrets::TokenDigest;

/// One source, ready to take deliveries.
pub(crate) struct Door {
    pub(crate) name: String,
    pub(crate) site: String,
    pub(crate) format: Arc<dyn Format>,
    pub(crate) format_name: String,
    pub(crate) lock: Lock,
    /// Why nothing can be sent to it over HTTP.
    pub(crate) shut: Option<String>,
    pub(crate) share: Share,
}

/// All sources.
pub(crate) struct Doors {
    by_name: HashMap<String, Arc<Door>>,
    /// Largest body after decompression, in bytes.
    pub(crate) max_body: u64,
    /// Largest ratio of decompressed to compressed size.
    pub(crate) max_ratio: u64,
}

impl Doors {
    /// Makes all sources ready. A source without a usable secret is there and shut.
    pub(crate) fn open(folder: &Path, config: &Config) -> (Doors, Vec<Mistake>) {
        let mut mistakes = Vec::new();
        let mut by_name = HashMap::new();
        for source in config.sources.values() {
            let file = format!("sources/{}.yaml", source.name);
            let Some(format) = format_of(source, &file, &mut mistakes) else { continue };
            let (lock, shut) = Lock::of(folder, source, &file, &mut mistakes);
            let door = Door {
                name: source.name.clone(),
                site: source.site.clone(),
                format,
                format_name: source.format.clone(),
                lock,
                shut,
                share: Share::new(&source.share),
            };
            by_name.insert(source.name.clone(), Arc::new(door));
        }
        let doors =
            Doors { by_name, max_body: config.server.max_body, max_ratio: config.server.max_inflate_ratio };
        (doors, mistakes)
    }

    /// Goes on with what the sources before held and had used.
    pub(crate) fn follow(&mut self, before: &Doors) {
        for (name, door) in &mut self.by_name {
            if let (Some(door), Some(before)) = (Arc::get_mut(door), before.by_name.get(name)) {
                door.share.follow(&before.share);
            }
        }
    }

    /// All sources, in order of name.
    pub(crate) fn all(&self) -> Vec<&Arc<Door>> {
        let mut all: Vec<_> = self.by_name.values().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// The source of this name.
    pub(crate) fn by_name(&self, name: &str) -> Option<&Arc<Door>> {
        self.by_name.get(name)
    }

    /// The source whose routing key this is. All are compared, so that time tells nothing.
    pub(crate) fn by_routing_key(&self, key: &str) -> Option<&Arc<Door>> {
        let sent = TokenDigest::of(key);
        let mut found = None;
        for door in self.by_name.values() {
            if let Lock::RoutingKey(known) = &door.lock
                && known.same(&sent)
            {
                found = Some(door);
            }
        }
        found
    }

    /// The source whose bearer token this is. All are compared, so that time tells nothing.
    pub(crate) fn of_token(&self, token: &str) -> Option<&Arc<Door>> {
        let sent = TokenDigest::of(token);
        let mut found = None;
        for door in self.by_name.values() {
            if let Lock::Bearer(known) = &door.lock
                && known.same(&sent)
            {
                found = Some(door);
            }
        }
        found
    }

    /// The source whose credential is a certificate with one of these names.
    pub(crate) fn of_names(&self, names: &BTreeSet<String>) -> Option<&Arc<Door>> {
        let named = |d: &&Arc<Door>| matches!(&d.lock, Lock::Certificate(name) if names.contains(name));
        let mut all = self.by_name.values().filter(named);
        // Two sources may share a certificate; then it does not say which of them asks.
        all.next().filter(|_| all.next().is_none())
    }

    /// The source of this format whose bearer token this is.
    pub(crate) fn by_token(&self, format: &str, token: &str) -> Option<&Arc<Door>> {
        let sent = TokenDigest::of(token);
        let mut found = None;
        for door in self.by_name.values().filter(|d| d.format_name == format) {
            if let Lock::Bearer(known) = &door.lock
                && known.same(&sent)
            {
                found = Some(door);
            }
        }
        found
    }
}

impl Door {
    /// Takes a body apart. A parser that panics costs its body a place in quarantine and nothing else.
    pub(crate) fn parse(&self, body: &[u8], received: Timestamp) -> Vec<Record> {
        let delivery = Delivery { body, received };
        let parsed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.format.parse(delivery)));
        parsed.unwrap_or_else(|_| {
            tracing::error!(
                source = self.name,
                bytes = body.len(),
                "a parser panicked; the body is quarantined"
            );
            let reason =
                format!("a bug in the {} reader; please report it with this record", self.format_name);
            vec![Record { raw: 0..body.len(), parsed: Err(Rejected { reason }) }]
        })
    }
}

/// A built-in format that lives as long as the program.
struct BuiltIn(&'static dyn Format);

impl Format for BuiltIn {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn parse(&self, delivery: Delivery<'_>) -> Vec<Record> {
        self.0.parse(delivery)
    }
}

fn format_of(source: &SourceConfig, file: &str, mistakes: &mut Vec<Mistake>) -> Option<Arc<dyn Format>> {
    if let Some(mapping) = &source.mapping {
        return match GenericFormat::compile(&source.name, mapping_of(mapping)) {
            Ok(format) => Some(Arc::new(format)),
            Err(all) => {
                let all = all.into_iter().map(|m| {
                    Mistake::error(file, (0, 0), format!("mapping, {}: {}", m.field, m.message), "")
                });
                mistakes.extend(all);
                None
            }
        };
    }
    let known = stanch_connectors::format::by_name(&source.format);
    if known.is_none() {
        let message = format!("there is no format \"{}\"", source.format);
        mistakes.push(Mistake::error(file, (0, 0), message, "run: stanch check"));
    }
    known.map(|f| Arc::new(BuiltIn(f)) as Arc<dyn Format>)
}

/// The mapping in the connectors' words.
fn mapping_of(mapping: &GenericMapping) -> Mapping {
    let fields = mapping.fields.iter().map(|(field, cel)| (target(field).to_owned(), cel.clone())).collect();
    Mapping { records: mapping.records.clone(), fields, ..Mapping::default() }
}

/// A field's name in the connectors' words: the configuration says `rule` and `src_host` for short.
fn target(field: &str) -> &str {
    match field {
        "rule" => "rule_uid",
        "src_host" => "src_hostname",
        "dst_host" => "dst_hostname",
        "device_host" => "device_hostname",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use stanch_connectors::format::generic::TARGETS;

    use super::*;

    struct Bug;

    impl Format for Bug {
        fn name(&self) -> &'static str {
            "bug"
        }

        fn parse(&self, _: Delivery<'_>) -> Vec<Record> {
            panic!("as bugs do")
        }
    }

    #[test]
    fn every_field_that_the_configuration_takes_is_used() {
        let unused = stanch_core::config::MAPPED_FIELDS.iter().find(|f| !TARGETS.contains(&target(f)));
        assert_eq!(unused, None);
    }

    #[test]
    fn a_parser_that_panics_sends_the_whole_body_to_quarantine() {
        let door = Door {
            name: "edge".to_owned(),
            site: "default".to_owned(),
            format: Arc::new(Bug),
            format_name: "bug".to_owned(),
            lock: Lock::Shut,
            shut: None,
            share: Share::default(),
        };
        let records = door.parse(b"some body", Timestamp(0));
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].raw, 0..9);
        let why = records[0].parsed.clone().unwrap_err();
        assert!(why.reason.contains("bug"), "{}", why.reason);
    }
}
