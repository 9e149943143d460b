//! `weight`, `limit` and `lane` of a source: how much of intake one sender may take, and how soon.
//!
//! None of it is ever read from what a sender sends.

use super::Mistake;
use super::yaml::Node;

/// How much of intake one sender may take, as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its part of each commit while several sources wait: twice the weight, twice the bytes. Default 1.
    pub weight: u16,
    /// Alerts a second, over ten seconds; none by default.
    pub alerts: Option<u32>,
    /// Bytes a second after decompression, over ten seconds; none by default.
    pub bytes: Option<u64>,
    /// Goes before the others while several wait. Default false.
    pub critical: bool,
}

impl Default for Share {
    fn default() -> Share {
        Share { weight: 1, alerts: None, bytes: None, critical: false }
    }
}

/// `weight`: 1 to 100.
pub(super) fn weight(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<u16> {
    node.integer(1..=100, mistakes).and_then(|n| u16::try_from(n).ok())
}

/// `lane`: `critical` or `normal`. Only for a sender that nobody else can pretend to be.
pub(super) fn critical(node: &Node, authenticated: bool, mistakes: &mut Vec<Mistake>) -> Option<bool> {
    let critical = node.choice("lane", &["critical", "normal"], mistakes)? == "critical";
    if critical && !authenticated {
        let help = "take `lane` out, or let the sender prove itself and take `authenticated: false` out";
        mistakes.push(node.mistake("`lane: critical` for a source that anybody could forge", help));
    }
    Some(critical)
}

/// `limit`: alerts and bytes a second.
pub(super) fn limit(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<(Option<u32>, Option<u64>)> {
    let fields = node.map(mistakes)?;
    let alerts = fields.optional("alerts").and_then(|n| n.integer(1..=1_000_000, mistakes));
    let bytes = fields.optional("bytes").and_then(|n| n.size((1 << 10)..=(1 << 30), mistakes));
    fields.finish(&["alerts", "bytes"], mistakes);
    if fields.entries().is_empty() {
        let help = "write `limit: { alerts: 500, bytes: 1MiB }`, a second each; one of them is enough";
        mistakes.push(node.mistake("`limit` is empty", help));
    }
    Some((alerts.and_then(|n| u32::try_from(n).ok()), bytes))
}
