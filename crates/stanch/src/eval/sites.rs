//! Rows about sites that use the same private addresses: none of their machines may meet.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;
use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use stanch_connectors::format;
use stanch_core::journal::state::Disposition;
use stanch_model::port::{Delivery, Parsed};
use stanch_model::{IncidentId, Timestamp};
use stanch_server::replay::{Received, Stream};

use super::figure::{Figure, Section, Target};
use super::folder::{Capture, open};
use super::lived::{self, AT_ONCE, Always};
use super::{Data, Progress};

/// One alert as it was sent.
struct Sent {
    at: Timestamp,
    site: usize,
    addresses: Vec<IpAddr>,
    received: Received,
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
    let mut all: Vec<Sent> = Vec::new();
    for (site, capture) in captures.iter().enumerate() {
        read(capture, site, &mut all)?;
    }
    all.sort_by(|a, b| (a.at, a.site, &a.received.body).cmp(&(b.at, b.site, &b.received.body)));
    let (alerts, shared) = (all.len(), shared(&all));
    // Every alert here was caused by an attacker: nothing keeps them apart but where they come from.
    let mut stream = Stream::new(lived::rules(Arc::new(Always(1.0)))?);
    let mut left = all.into_iter().peekable();
    while let Some(first) = left.next() {
        let at = first.at;
        let mut together = vec![first.received];
        while together.len() < AT_ONCE
            && let Some(next) = left.next_if(|s| s.at == at)
        {
            together.push(next.received);
        }
        stream.receive(at, together);
    }
    let state = stream.into_state();
    let mut sites = BTreeMap::<IncidentId, BTreeSet<&str>>::new();
    for slot in state.slots.iter().filter(|s| s.disposition == Disposition::InIncident) {
        let home = state.head_of(IncidentId(u64::from(slot.link)));
        sites.entry(home).or_default().insert(state.sources[usize::from(slot.source)].site.as_str());
    }
    let mixed = sites.values().filter(|s| s.len() > 1).count();
    let figure = Figure::new(
        "same_addresses_mixed",
        "sites with the same addresses: mixed incidents",
        mixed as f64,
        Target::AtMost(0.0),
    )
    .saying(format!(
        "{} incidents, {} sites, {alerts} alerts, {shared} addresses used at more than one site",
        sites.len(),
        captures.len()
    ));
    let names: Vec<&str> = captures.iter().map(|c| c.name.as_str()).collect();
    Ok(vec![Section {
        capture: format!("sites {}", names.join(", ")),
        trained_on: Vec::new(),
        figures: vec![figure],
    }])
}

fn shared(all: &[Sent]) -> usize {
    let mut of: BTreeMap<IpAddr, BTreeSet<usize>> = BTreeMap::new();
    for sent in all {
        for ip in &sent.addresses {
            of.entry(*ip).or_default().insert(sent.site);
        }
    }
    of.values().filter(|s| s.len() > 1).count()
}

fn read(capture: &Capture, site: usize, into: &mut Vec<Sent>) -> Result<()> {
    let format = format::by_name("suricata").context("the suricata format is not in this program")?;
    for line in std::io::BufReader::new(open(&capture.path)?).split(b'\n') {
        let body = line?;
        let records = format.parse(Delivery { body: &body, received: Timestamp(0) });
        let alert = records.iter().find_map(|r| match &r.parsed {
            Ok(Parsed::Alert { alert, .. }) => Some(alert),
            Ok(Parsed::Flow(_) | Parsed::Context { .. }) | Err(_) => None,
        });
        let Some(alert) = alert else { continue };
        let ends = [&alert.src_endpoint, &alert.dst_endpoint];
        let addresses = ends.into_iter().flatten().filter_map(|e| e.ip).collect();
        let at = alert.time;
        let (source, name) = (capture.name.clone(), capture.name.clone());
        let received = Received { source, site: name, body, records, retry_of: None };
        into.push(Sent { at, site, addresses, received });
    }
    Ok(())
}
