//! Rows about sites that use the same private addresses: none of their machines may meet.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;
use std::net::IpAddr;

use anyhow::Result;
use serde::Deserialize;
use stanch_judge::incident::{Correlator, Judged, Machine, Policy};
use stanch_judge::text::number;
use stanch_model::Timestamp;

use super::figure::{Figure, Section, Target};
use super::folder::{Capture, open};
use super::{Data, Progress};

#[derive(Deserialize)]
struct Line {
    timestamp: String,
    src_ip: Option<IpAddr>,
    dest_ip: Option<IpAddr>,
    alert: Option<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    signature: String,
}

struct Sighted {
    at: Timestamp,
    site: u32,
    address: IpAddr,
    rule: u64,
}

/// One section over all sites of the folder; none when there are fewer than two.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn rows(data: &Data<'_>, progress: &Progress) -> Result<Vec<Section>> {
    let captures = &data.test.eve;
    if captures.len() < 2 {
        return Ok(Vec::new());
    }
    progress.say("sites with the same addresses");
    let mut all: Vec<Sighted> = Vec::new();
    for (site, capture) in captures.iter().enumerate() {
        read(capture, site as u32, &mut all)?;
    }
    all.sort_by_key(|s| (s.at, s.site, s.address, s.rule));
    let shared = shared(&all);
    let (mut correlator, mut sites) =
        (Correlator::new(Policy::default()), BTreeMap::<usize, BTreeSet<u32>>::new());
    for (id, s) in all.iter().enumerate() {
        let machine = Machine { site: s.site, name: s.address.to_string(), address: Some(s.address) };
        correlator.met(&machine, s.rule, s.at);
        // Every alert here was caused by an attacker.
        let judged = Judged { id, machine, span: (s.at, s.at), probability: 1.0, stage: 0 };
        if let Some(incident) = correlator.place(&judged) {
            sites.entry(incident).or_default().insert(s.site);
        }
    }
    let mixed = sites.values().filter(|s| s.len() > 1).count();
    let figure = Figure::new(
        "same_addresses_mixed",
        "sites with the same addresses: mixed incidents",
        mixed as f64,
        Target::AtMost(0.0),
    )
    .saying(format!(
        "{} incidents, {} sites, {} alerts, {shared} addresses used at more than one site",
        sites.len(),
        captures.len(),
        all.len()
    ));
    let names: Vec<&str> = captures.iter().map(|c| c.name.as_str()).collect();
    Ok(vec![Section {
        capture: format!("sites {}", names.join(", ")),
        trained_on: Vec::new(),
        figures: vec![figure],
    }])
}

fn shared(all: &[Sighted]) -> usize {
    let mut of: BTreeMap<IpAddr, BTreeSet<u32>> = BTreeMap::new();
    all.iter().for_each(|s| {
        of.entry(s.address).or_default().insert(s.site);
    });
    of.values().filter(|s| s.len() > 1).count()
}

fn read(capture: &Capture, site: u32, into: &mut Vec<Sighted>) -> Result<()> {
    for line in std::io::BufReader::new(open(&capture.path)?).lines() {
        let Ok(line) = serde_json::from_str::<Line>(&line?) else { continue };
        let (Some(alert), Some(address)) = (line.alert, line.dest_ip.or(line.src_ip)) else { continue };
        let Ok(at) = Timestamp::parse(&line.timestamp) else { continue };
        into.push(Sighted { at, site, address, rule: number(&alert.signature) });
    }
    Ok(())
}
