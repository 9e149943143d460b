//! Rows of `stanch eval` about warninglists: whether being well known clears a hostile indicator, and
//! whether what must never be blocked is known as such.
//!
//! Hostile indicators come from the folder itself: addresses outside that set off attack rules in EVE
//! captures, offenders of service logs marked `"match": true`, indicators of STIX bundles, and, since
//! few captures name them, names and pages of the kind anyone can rent: below a dynamic-DNS suffix, on
//! a file-sharing site, in a cloud or VPN range of the lists themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;
use stanch_connectors::enricher::warninglists::Warninglists;
use stanch_connectors::enricher::warninglists::meaning::{self, Class};
use stanch_core::stage::kill_chain::{self, Stage};
use stanch_model::port::Reference as _;
use stanch_model::{Alert, Meaning, Observable, ObservableKind, Rule};

use super::figure::{Figure, Section, Target};
use super::folder::{Found, open};
use super::{Data, Progress};

/// Entries taken of each list, evenly spread.
const EACH: usize = 40;
/// How deep below the folder service logs are looked for.
const DEPTH: usize = 3;

#[derive(Deserialize)]
struct List {
    #[serde(rename = "type")]
    kind: String,
    list: Vec<String>,
    #[serde(default)]
    matching_attributes: Vec<String>,
}

#[derive(Deserialize)]
struct Line {
    src_ip: Option<IpAddr>,
    dest_ip: Option<IpAddr>,
    alert: Option<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    signature: String,
    category: Option<String>,
}

/// One section when the folder holds warninglists.
///
/// # Errors
/// When a file that is there cannot be read.
pub(crate) fn rows(data: &Data<'_>, progress: &Progress) -> Result<Vec<Section>> {
    let Some(folder) = data.test.warninglists.as_ref().or(data.train.warninglists.as_ref()) else {
        return Ok(Vec::new());
    };
    progress.say("warninglists");
    let (lists, _) = Warninglists::load_dir(folder);
    let seen = seen(data.test)?;
    let rented = rented(&lists, folder)?;
    let all: BTreeSet<Observable> = seen.union(&rented).cloned().collect();
    let many = |n: usize| format!("{n} indicators");
    let cleared = |of: &BTreeSet<Observable>| share(of, |o| clears(&lists, o));
    let any = |of: &BTreeSet<Observable>| share(of, |o| lists.covers(o));
    let mut examples: Vec<&str> =
        all.iter().filter(|o| clears(&lists, o)).map(|o| o.value.as_str()).take(5).collect();
    examples.sort_unstable();
    let note = format!(
        "{}; cleared: {}",
        many(all.len()),
        if examples.is_empty() { "none".to_owned() } else { examples.join(", ") }
    );
    let protected = must_be_left(&lists, folder)?;
    let open: Vec<&str> =
        protected.iter().filter(|o| !never_block(&lists, o)).map(|o| o.value.as_str()).take(5).collect();
    let unprotected = if open.is_empty() { "none".to_owned() } else { open.join(", ") };
    let unknown = share(&protected, |o| !never_block(&lists, o));
    let figures = vec![
        Figure::new(
            "hostile_wrongly_cleared",
            "hostile indicators cleared by a list",
            cleared(&all),
            Target::AtMost(0.02),
        )
        .saying(note),
        Figure::new("hostile_any_hit", "… if any hit cleared", any(&all), Target::Told),
        Figure::new("hostile_seen_cleared", "… of those seen attacking", cleared(&seen), Target::Told)
            .saying(many(seen.len())),
        Figure::new("hostile_rented_cleared", "… of those anyone can rent", cleared(&rented), Target::Told)
            .saying(many(rented.len())),
        Figure::new(
            "never_block_unknown",
            "resolvers and reserved addresses not protected",
            unknown,
            Target::AtMost(0.0),
        )
        .saying(format!("{} addresses; not protected: {unprotected}", protected.len())),
    ];
    Ok(vec![Section { capture: "warninglists".to_owned(), trained_on: vec!["nothing".to_owned()], figures }])
}

fn share(of: &BTreeSet<Observable>, is: impl Fn(&Observable) -> bool) -> f64 {
    of.iter().filter(|o| is(o)).count() as f64 / of.len().max(1) as f64
}

/// What the product reads as "usually harmless".
fn clears(lists: &Warninglists, about: &Observable) -> bool {
    lists.look_up("", about).iter().any(|f| matches!(f.meaning, Meaning::Harmless { .. }))
}

/// What the guard refuses, whatever anybody approves.
fn never_block(lists: &Warninglists, about: &Observable) -> bool {
    lists.look_up("", about).iter().any(|f| matches!(f.meaning, Meaning::NeverBlock { .. }))
}

/// Indicators seen in the folder's own captures and logs.
fn seen(found: &Found) -> Result<BTreeSet<Observable>> {
    let mut all = BTreeSet::new();
    for capture in &found.eve {
        attackers(&capture.path, &mut all)?;
    }
    let mut files = Vec::new();
    walk(&found.root, DEPTH, &mut files)?;
    for file in files {
        let text = std::fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        if file.extension().is_some_and(|e| e == "log") {
            offenders(&String::from_utf8_lossy(&text), &mut all);
        } else {
            indicators(&text, &mut all);
        }
    }
    Ok(all)
}

/// Addresses of the internet that set off attack rules, except the capture's own: those attacked most.
fn attackers(path: &Path, into: &mut BTreeSet<Observable>) -> Result<()> {
    let (mut reached, mut acted) = (BTreeMap::<IpAddr, usize>::new(), BTreeSet::new());
    for line in std::io::BufReader::new(open(path)?).lines() {
        let line = line.with_context(|| format!("{} cannot be read", path.display()))?;
        let Ok(Line { src_ip: Some(src), dest_ip: Some(dest), alert: Some(rule) }) =
            serde_json::from_str(&line)
        else {
            continue;
        };
        *reached.entry(dest).or_default() += 1;
        let alert = Alert {
            rule: Rule { name: rule.signature, category: rule.category, ..Rule::default() },
            ..Alert::default()
        };
        if !matches!(kill_chain::stage(&alert), Stage::Unknown | Stage::Policy) && is_public(src) {
            acted.insert(src);
        }
    }
    let most = reached.values().max().copied().unwrap_or_default();
    let own = |ip: &IpAddr| reached.get(ip).is_some_and(|n| n * 20 >= most);
    into.extend(
        acted.iter().filter(|ip| !own(ip)).map(|ip| Observable::new(ObservableKind::Ip, ip.to_string())),
    );
    Ok(())
}

/// The hosts of fail2ban's test logs that count as offences.
fn offenders(text: &str, into: &mut BTreeSet<Observable>) {
    for line in text.lines().filter_map(|l| l.split_once("failJSON:")).map(|(_, json)| json.trim()) {
        let Ok(told) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        if told["match"].as_bool() == Some(true)
            && let Some(ip) =
                told["host"].as_str().and_then(|h| h.parse::<IpAddr>().ok()).filter(|ip| is_public(*ip))
        {
            into.insert(Observable::new(ObservableKind::Ip, ip.to_string()));
        }
    }
}

/// Single values of the indicators of a STIX bundle.
fn indicators(text: &[u8], into: &mut BTreeSet<Observable>) {
    let Ok(bundle) = serde_json::from_slice::<serde_json::Value>(text) else { return };
    let objects = bundle["objects"].as_array().into_iter().flatten().filter(|o| o["type"] == "indicator");
    let kinds = [
        ("ipv4-addr:value", ObservableKind::Ip),
        ("ipv6-addr:value", ObservableKind::Ip),
        ("domain-name:value", ObservableKind::Hostname),
        ("url:value", ObservableKind::Url),
    ];
    for pattern in objects.filter_map(|o| o["pattern"].as_str()) {
        for (path, kind) in kinds {
            let value = pattern.split_once(path).and_then(|(_, rest)| rest.split('\'').nth(1));
            into.extend(value.map(|v| Observable::new(kind, v)));
        }
    }
}

/// What an attacker can get within minutes: entries of the lists of shared infrastructure, evenly taken.
fn rented(lists: &Warninglists, folder: &Path) -> Result<BTreeSet<Observable>> {
    let mut all = BTreeSet::new();
    for (name, _) in lists.lists().filter(|(_, class)| *class == Class::Shared) {
        let Some(list) = list(folder, name)? else { continue };
        let step = (list.list.len() / EACH).max(1);
        for value in list.list.iter().step_by(step).take(EACH) {
            let bare = value.trim_start_matches(['*', '.']).trim();
            if let Some(ip) = inside(bare) {
                all.insert(Observable::new(ObservableKind::Ip, ip.to_string()));
            } else if matches!(list.kind.as_str(), "string" | "hostname" | "substring") && is_domain(bare) {
                all.insert(Observable::new(ObservableKind::Hostname, format!("login-x7.{bare}")));
                all.insert(Observable::new(ObservableKind::Url, format!("https://{bare}/x7/invoice.exe")));
            }
        }
    }
    Ok(all)
}

/// Addresses that must never be proposed for a block: public resolvers, root servers, and reserved space.
fn must_be_left(lists: &Warninglists, folder: &Path) -> Result<BTreeSet<Observable>> {
    let ip = |text: &str| text.parse::<IpAddr>().ok();
    let mut all: BTreeSet<IpAddr> = [
        "127.0.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "169.254.1.1",
        "224.0.0.251",
        "::1",
        "::",
        "fe80::1",
        "ff02::1",
    ]
    .into_iter()
    .filter_map(ip)
    .collect();
    for (name, _) in lists.lists().filter(|(_, class)| *class == Class::NeverBlock) {
        // The digest of an empty file, `3::`, reads as an address too.
        let of_addresses = |l: &List| l.matching_attributes.iter().any(|a| a.starts_with("ip"));
        let entries = list(folder, name)?.filter(of_addresses).map(|l| l.list).unwrap_or_default();
        all.extend(entries.iter().filter_map(|v| inside(v)));
    }
    Ok(all.into_iter().map(|ip| Observable::new(ObservableKind::Ip, ip.to_string())).collect())
}

fn list(folder: &Path, name: &str) -> Result<Option<List>> {
    let path = folder.join(name).join("list.json");
    if !path.is_file() || meaning::of(name).is_none() {
        return Ok(None);
    }
    let text = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(serde_json::from_slice(&text).ok())
}

/// An address inside a range, or the address itself.
fn inside(text: &str) -> Option<IpAddr> {
    let (base, length) = text.split_once('/').map_or((text, None), |(b, l)| (b, l.parse::<u8>().ok()));
    match (base.parse::<IpAddr>().ok()?, length) {
        (IpAddr::V4(v4), Some(length)) if length < 30 => {
            Some(std::net::Ipv4Addr::from_bits(v4.to_bits() | 2).into())
        }
        (ip, _) => Some(ip),
    }
}

fn is_domain(text: &str) -> bool {
    text.contains('.') && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
}

/// An address of the internet: not private, reserved, or kept for documentation.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_unspecified()
                || v4.octets()[0] == 0
                || shared
                || v4.octets()[0] >= 240)
        }
        IpAddr::V6(v6) => {
            (0x2000..0x4000).contains(&v6.segments()[0]) && v6.segments()[..2] != [0x2001, 0xdb8]
        }
    }
}

/// Service logs, and JSON small enough to be a bundle of indicators.
fn walk(dir: &Path, depth: usize, into: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(dir).with_context(|| format!("{} cannot be read", dir.display()))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            if depth > 0 {
                walk(&path, depth - 1, into)?;
            }
        } else if name.ends_with(".log") || (name.ends_with(".json") && name.contains("stix")) {
            into.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offenders_and_indicators_are_read_and_own_space_is_not_hostile() {
        let mut all = BTreeSet::new();
        offenders(
            "# failJSON: {\"match\": true, \"host\": \"5.6.7.8\"}\nx\n# failJSON: {\"match\": false, \"host\": \"5.6.7.9\"}\n# failJSON: {\"match\": true, \"host\": \"192.0.2.1\"}\n",
            &mut all,
        );
        indicators(br#"{"objects":[{"type":"indicator","pattern":"[domain-name:value = 'bad.example']"},{"type":"tool"}]}"#, &mut all);
        let values: Vec<&str> = all.iter().map(|o| o.value.as_str()).collect();
        assert_eq!(values, ["5.6.7.8", "bad.example"]);
    }

    #[test]
    fn the_address_everybody_attacks_is_our_own() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.eve.json");
        let line = |src: &str, dest: &str, rule: &str| {
            format!(
                "{{\"src_ip\":\"{src}\",\"dest_ip\":\"{dest}\",\"alert\":{{\"signature\":\"{rule}\"}}}}\n"
            )
        };
        let text = line("5.6.7.8", "9.9.9.1", "port scan")
            + &line("5.6.7.9", "9.9.9.1", "brute force")
            + &line("9.9.9.1", "5.6.7.8", "beacon")
            + &line("5.6.7.10", "9.9.9.1", "rule 7");
        std::fs::write(&path, text.repeat(30)).expect("written");
        let mut all = BTreeSet::new();
        attackers(&path, &mut all).expect("read");
        let values: Vec<&str> = all.iter().map(|o| o.value.as_str()).collect();
        assert_eq!(values, ["5.6.7.9"], "5.6.7.8 is reached as often as our own and is left out");
    }
}
