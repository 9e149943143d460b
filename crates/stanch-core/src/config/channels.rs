//! `channels` of a chat: when each is left in peace, and how often it is told what waited.

use std::collections::BTreeMap;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use stanch_model::Span;

use super::Mistake;
use super::mistake::nearest;
use super::yaml::Node;
use crate::chat::quiet::{ChannelRules, Quiet};

/// Reads them; the keys are channels as teams name them in `to`.
pub(super) fn channels(node: &Node, m: &mut Vec<Mistake>) -> Option<BTreeMap<String, ChannelRules>> {
    let entries = node.map(m)?;
    let mut all = BTreeMap::new();
    for (key, node) in entries.entries() {
        let Some(fields) = node.map(m) else { continue };
        let (quiet_node, digest_node) = (fields.optional("quiet"), fields.optional("digest"));
        if quiet_node.is_none() && digest_node.is_none() {
            let message = format!("nothing is said of channel {}", key.text);
            m.push(node.mistake(message, "add `quiet` or `digest`, or take the channel out"));
        }
        let quiet = quiet_node.and_then(|n| quiet(n, m));
        // A digest more often than that is no digest, and one a day is the least that anybody can work with.
        let digest = digest_node.and_then(|n| n.span_within(Span::mins(5)..=Span::hours(24), m));
        fields.finish(&["quiet", "digest"], m);
        all.insert(key.text.to_string(), ChannelRules { quiet, digest });
    }
    Some(all)
}

fn quiet(node: &Node, m: &mut Vec<Mistake>) -> Option<Quiet> {
    let fields = node.map(m)?;
    let from = fields.required("from", m).and_then(|n| time(n, m));
    let to = fields.required("to", m).and_then(|n| time(n, m));
    let zone = fields.required("zone", m).and_then(|n| zone(n, m));
    fields.finish(&["from", "to", "zone"], m);
    let (from, to, zone) = (from?, to?, zone?);
    if from == to {
        let help =
            "give two different times; a channel that is never told at once has a `digest` and no `quiet`";
        m.push(node.mistake("quiet hours that end when they begin".to_owned(), help));
        return None;
    }
    Some(Quiet { from, to, zone })
}

/// A time of the day, `HH:MM`.
fn time(node: &Node, m: &mut Vec<Mistake>) -> Option<Time> {
    let text = node.string(m)?;
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    let read = text.split_once(':').filter(|(h, min)| digits(h) && digits(min));
    let read = read.and_then(|(h, min)| Time::new(h.parse().ok()?, min.parse().ok()?, 0, 0).ok());
    if read.is_none() {
        return node.wrong(&text, "a time of the day", "write it as \"22:00\", from 00:00 to 23:59", m);
    }
    read
}

/// A time zone by its name in the IANA database, which is built in.
fn zone(node: &Node, m: &mut Vec<Mistake>) -> Option<TimeZone> {
    let text = node.string(m)?;
    if let Ok(zone) = TimeZone::get(&text) {
        return Some(zone);
    }
    let names: Vec<String> = jiff::tz::db().available().map(|n| n.to_string()).collect();
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    let mend = nearest(&text, &known).map(|n| format!("did you mean {n}? ")).unwrap_or_default();
    let help = format!(
        "{mend}write a name of the IANA database, for example Europe/Berlin, America/New_York or UTC"
    );
    node.wrong(&text, "a time zone", &help, m)
}
