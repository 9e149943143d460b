//! Short names for what is compared often: rules, entities, keys, deliveries.
//!
//! All are cut from SHA-256, because attackers choose much of what goes in, and journalled ones
//! must mean the same for ever.

use std::borrow::Cow;
use std::net::IpAddr;

use sha2::{Digest, Sha256};
use stanch_judge::kin::Machine;
use stanch_judge::text::number;
use stanch_model::{Alert, Endpoint};

use crate::journal::event::{Ends, Key};
use crate::stage::kill_chain::Stage;

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        // Lengths first: ("ab", "c") and ("a", "bc") must differ.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn short(parts: &[&[u8]]) -> u64 {
    let d = digest(parts);
    u64::from_le_bytes([d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]])
}

/// What repeats of a claim share: the site and the key its format gave it. The source is left out
/// on purpose, so that one alert relayed by two tools is one alert.
#[must_use]
pub fn key(site: &str, group_key: &str) -> Key {
    let d = digest(&[b"key", site.as_bytes(), group_key.as_bytes()]);
    let mut half = [0; 16];
    half.copy_from_slice(&d[..16]);
    Key(u128::from_le_bytes(half))
}

/// This very record from this very source: equal only when it is sent again.
#[must_use]
pub fn delivery(source: &str, alert: &Alert, raw: &[u8]) -> u64 {
    match &alert.source_uid {
        Some(uid) => short(&[b"uid", source.as_bytes(), uid.as_bytes()]),
        None => short(&[b"raw", source.as_bytes(), raw]),
    }
}

/// A rule within its product.
#[must_use]
pub fn rule(alert: &Alert) -> u64 {
    short(&[b"rule", alert.product.name.as_bytes(), alert.rule.uid.as_bytes()])
}

/// A rule at a site. Cheap, and in memory only: the rule is a fingerprint already, and sites are named by whoever
/// runs this.
#[must_use]
pub fn rule_at(site: &str, rule: u64) -> u64 {
    number(site).rotate_left(32) ^ rule
}

/// A rule on a machine at a site: the machine named, else the one reached, else the one that acted.
#[must_use]
pub fn rule_on(site: &str, rule: u64, ends: &Ends) -> (u64, u64) {
    (entity(site, &machine_text(ends)), rule)
}

fn machine_text(ends: &Ends) -> Cow<'_, str> {
    match ends.who.iter().find(|w| w.starts_with("host:")) {
        Some(host) => Cow::Borrowed(host),
        None => Cow::Owned(ends.dst.or(ends.src).map(|ip| ip.to_string()).unwrap_or_default()),
    }
}

/// All that an alert is counted under: what [`rule_on`] says, and its entities. Texts that are both are hashed once.
#[must_use]
pub fn counted_under(site: &str, rule: u64, ends: &Ends) -> ((u64, u64), Vec<u64>) {
    let machine = machine_text(ends);
    let all = entities(ends);
    let prints: Vec<u64> = all.iter().map(|e| entity(site, e)).collect();
    let on = all.iter().position(|e| *e == machine).map_or_else(|| entity(site, &machine), |at| prints[at]);
    ((on, rule), prints)
}

/// An entity at a site: the same address at two sites is two machines.
#[must_use]
pub fn entity(site: &str, entity: &str) -> u64 {
    short(&[b"entity", site.as_bytes(), entity.as_bytes()])
}

/// The machine an alert sits on: the one named, else the one reached, else the one that acted; none where it
/// names no machine at all.
#[must_use]
pub fn machine(site: &str, ends: &Ends) -> Option<Machine> {
    let address = ends.dst.or(ends.src);
    let name = match (ends.who.iter().find(|w| w.starts_with("host:")), address) {
        (Some(host), _) => number(host),
        (None, Some(IpAddr::V4(ip))) => u64::from(u32::from(ip)),
        (None, Some(IpAddr::V6(ip))) => {
            let wide = u128::from(ip);
            (wide as u64) ^ ((wide >> 64) as u64).rotate_left(31)
        }
        (None, None) => return None,
    };
    Some(Machine { site: number(site), name, address })
}

/// Whom an alert speaks of.
#[must_use]
pub fn ends(alert: &Alert) -> Ends {
    let ip = |e: &Option<Endpoint>| e.as_ref().and_then(|e| e.ip);
    let mut who = Vec::with_capacity(1);
    for e in [&alert.device, &alert.src_endpoint, &alert.dst_endpoint].into_iter().flatten() {
        if let Some(name) = &e.hostname {
            let name = format!("host:{}", name.to_ascii_lowercase());
            if !who.contains(&name) {
                who.push(name);
            }
        }
    }
    if let Some(user) = &alert.user {
        who.push(format!("user:{user}"));
    }
    Ends {
        src: ip(&alert.src_endpoint),
        // A host-based alert with no connection speaks of its own machine.
        dst: ip(&alert.dst_endpoint)
            .or_else(|| ip(&alert.device).filter(|d| Some(*d) != ip(&alert.src_endpoint))),
        port: alert.dst_endpoint.as_ref().and_then(|e| e.port).unwrap_or(0),
        who,
        established: alert.established,
    }
}

/// The entities of an alert as text: addresses, `host:…`, `user:…`.
#[must_use]
pub fn entities(ends: &Ends) -> Vec<String> {
    roles(ends, Stage::Unknown).into_iter().map(|(e, _)| e).collect()
}

/// The entities of an alert, each with whether it is on the attacking side. Mostly that is whoever
/// opened the connection; a machine that calls home is the victim, and the one it calls the attacker.
#[must_use]
pub fn roles(ends: &Ends, stage: Stage) -> Vec<(String, bool)> {
    let opener = !stage.is_outbound();
    let mut all = Vec::with_capacity(2 + ends.who.len());
    all.extend(ends.src.map(|ip| (ip.to_string(), opener)));
    // Where only one end is known it is the machine that speaks of itself, and nobody it calls.
    let called = !opener && ends.src.is_some();
    all.extend(ends.dst.filter(|d| Some(*d) != ends.src).map(|ip| (ip.to_string(), called)));
    all.extend(ends.who.iter().map(|w| (w.clone(), false)));
    all
}
