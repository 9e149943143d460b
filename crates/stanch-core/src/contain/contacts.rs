//! The blast radius of a target as far as flows, alerts and the inventory tell.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use stanch_model::{Fact, Meaning, Observable, ObservableKind, Timestamp};

use super::blast_radius::{BlastRadius, Peer};
use crate::journal::sightings::{CONTACT_PEERS, Contacts};

/// Estimates from who exchanged packets with the target lately. `look_up` answers what is known
/// about one address at a site.
///
/// An address nobody was seen talking to, or whose traffic no flow sensor counted, is not harmless
/// but unknown.
#[must_use]
pub fn from_contacts(
    target: &IpNet,
    site: &str,
    contacts: &Contacts,
    look_up: &dyn Fn(&str, IpAddr) -> Vec<Fact>,
) -> BlastRadius {
    let mut facts = look_up(site, target.addr());
    let mut last: BTreeMap<IpAddr, Timestamp> = BTreeMap::new();
    let (mut flows, mut bytes, mut crowded) = (0_u64, 0_u64, false);
    let span = (site.to_owned(), target.network())..=(site.to_owned(), target.broadcast());
    for ((_, address), peers) in contacts.peers.range(span) {
        if *address != target.addr() {
            facts.extend(look_up(site, *address));
        }
        crowded |= peers.len() >= CONTACT_PEERS;
        for (peer, contact) in peers.iter().filter(|(peer, _)| !target.contains(*peer)) {
            flows = flows.saturating_add(contact.count);
            bytes = bytes.saturating_add(contact.bytes);
            let at = last.entry(*peer).or_insert(contact.last);
            *at = (*at).max(contact.last);
        }
    }
    if bytes > 0 {
        let count = u64::try_from(last.len()).unwrap_or(u64::MAX);
        facts.push(Fact {
            provider: "contacts".to_owned(),
            about: Observable::new(ObservableKind::Ip, target.addr().to_string()),
            meaning: Meaning::Traffic { peers: count, flows, bytes, top: Vec::new() },
        });
    }
    let peers: Vec<Peer> = last
        .into_iter()
        .map(|(address, at)| Peer { address, asset: asset(look_up(site, address)), last_contact: Some(at) })
        .collect();
    let mut blast = BlastRadius::estimate(*target, &facts, &peers);
    if crowded {
        blast.add_unknown(format!("who else talks to it: more than {CONTACT_PEERS} machines"));
    }
    blast
}

fn asset(facts: Vec<Fact>) -> Option<Fact> {
    facts.into_iter().find(|fact| matches!(fact.meaning, Meaning::Asset { .. }))
}

#[cfg(test)]
mod tests {
    use stanch_model::fact::Criticality;

    use super::*;
    use crate::contain::blast_radius::Level;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    /// 10.0.0.0/8 is ours; everything else is not known.
    fn inventory(_: &str, address: IpAddr) -> Vec<Fact> {
        if !address.to_string().starts_with("10.") {
            return Vec::new();
        }
        let meaning = Meaning::Asset {
            name: format!("host-{address}"),
            criticality: Criticality::Low,
            owner: None,
            kind: None,
        };
        vec![Fact {
            provider: "assets".into(),
            about: Observable::new(ObservableKind::Ip, address.to_string()),
            meaning,
        }]
    }

    fn contacts(pairs: &[(&str, &str, u64)]) -> Contacts {
        let mut contacts = Contacts::default();
        for (a, b, bytes) in pairs {
            contacts.note("hq", ip(a), ip(b), Timestamp(1_000), *bytes, true);
        }
        contacts
    }

    fn estimate(target: &str, site: &str, contacts: &Contacts) -> BlastRadius {
        from_contacts(&target.parse().expect("prefix"), site, contacts, &inventory)
    }

    #[test]
    fn machines_that_talked_to_the_target_are_counted_and_named() {
        let contacts = contacts(&[
            ("10.0.0.7", "203.0.113.9", 500),
            ("10.0.0.7", "203.0.113.9", 500),
            ("10.0.0.7", "1.1.1.1", 9),
        ]);
        let blast = estimate("203.0.113.9/32", "hq", &contacts);
        assert_eq!((blast.peers, blast.flows, blast.bytes, blast.level), (1, 2, 1_000, Level::Low));
        assert_eq!(blast.own_assets[0].name, "host-10.0.0.7");
        assert_eq!(blast.own_assets[0].last_contact, Some(Timestamp(1_000)));
    }

    #[test]
    fn a_prefix_counts_all_it_covers_and_a_shared_peer_once() {
        let contacts = contacts(&[
            ("10.0.0.7", "203.0.113.8", 5),
            ("10.0.0.7", "203.0.113.9", 5),
            ("10.0.0.8", "203.0.113.9", 5),
            ("203.0.113.8", "203.0.113.9", 5),
            ("10.0.0.9", "203.0.113.12", 5),
        ]);
        let blast = estimate("203.0.113.8/30", "hq", &contacts);
        assert_eq!((blast.peers, blast.flows, blast.own_assets.len()), (2, 3, 2));
        let own = estimate("10.0.0.6/31", "hq", &contacts);
        assert!(
            own.own_assets.iter().any(|a| a.address == ip("10.0.0.7")),
            "covered machines of ours are touched"
        );
        assert_eq!(own.level, Level::High);
    }

    #[test]
    fn what_no_flow_sensor_counted_is_unknown_and_another_site_proves_nothing() {
        let counted = contacts(&[("10.0.0.7", "203.0.113.9", 500)]);
        assert_eq!(estimate("203.0.113.9/32", "branch", &counted).level, Level::High);
        let uncounted = contacts(&[("10.0.0.7", "203.0.113.9", 0)]);
        let blast = estimate("203.0.113.9/32", "hq", &uncounted);
        assert_eq!((blast.level, blast.peers, blast.unknown.len()), (Level::High, 1, 1));
    }

    #[test]
    fn a_crowded_target_says_that_not_everyone_was_counted() {
        let mut contacts = Contacts::default();
        for i in 0..600_u32 {
            let peer = IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0a00_0000 + i));
            contacts.note("hq", peer, ip("203.0.113.9"), Timestamp(1), 1, true);
        }
        let blast = estimate("203.0.113.9/32", "hq", &contacts);
        assert_eq!((blast.peers, blast.level), (512, Level::High));
        assert_eq!(blast.unknown, ["who else talks to it: more than 512 machines"]);
    }
}
