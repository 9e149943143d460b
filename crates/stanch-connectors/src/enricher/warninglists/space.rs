//! Special address ranges, one by one: blocking some of them breaks a network, others are merely
//! not the internet. A list such as `rfc5735` holds both and is split by this table.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// What a range is for, and whether blocking an address in it hurts everyone on the segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Space {
    pub(super) word: &'static str,
    pub(super) never_block: bool,
}

const fn never(word: &'static str) -> Space {
    Space { word, never_block: true }
}

const fn note(word: &'static str) -> Space {
    Space { word, never_block: false }
}

/// Source: IANA special-purpose address registries (RFC 6890), RFC 5735, RFC 6598, RFC 4291.
///
/// Private ranges are *not* never-block: the attacker inside a site has a private address, and a
/// firewall between its segments must be able to stop it. Own machines are protected by name, in
/// the inventory. Carrier-grade NAT ranges are seen from inside, where each address is one customer.
const V4: [(Ipv4Addr, u8, Space); 15] = [
    (Ipv4Addr::new(255, 255, 255, 255), 32, never("broadcast")),
    (Ipv4Addr::new(192, 0, 0, 0), 24, never("protocol assignments")),
    (Ipv4Addr::new(192, 88, 99, 0), 24, never("6to4 relay anycast")),
    (Ipv4Addr::new(192, 0, 2, 0), 24, note("documentation")),
    (Ipv4Addr::new(198, 51, 100, 0), 24, note("documentation")),
    (Ipv4Addr::new(203, 0, 113, 0), 24, note("documentation")),
    (Ipv4Addr::new(169, 254, 0, 0), 16, never("link-local")),
    (Ipv4Addr::new(192, 168, 0, 0), 16, note("private")),
    (Ipv4Addr::new(198, 18, 0, 0), 15, note("benchmarking")),
    (Ipv4Addr::new(172, 16, 0, 0), 12, note("private")),
    (Ipv4Addr::new(100, 64, 0, 0), 10, note("carrier-grade NAT")),
    (Ipv4Addr::new(0, 0, 0, 0), 8, never("this network")),
    (Ipv4Addr::new(10, 0, 0, 0), 8, note("private")),
    (Ipv4Addr::new(127, 0, 0, 0), 8, never("loopback")),
    (Ipv4Addr::new(224, 0, 0, 0), 4, never("multicast")),
];
const V6: [(Ipv6Addr, u8, Space); 7] = [
    (Ipv6Addr::UNSPECIFIED, 128, never("unspecified")),
    (Ipv6Addr::LOCALHOST, 128, never("loopback")),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96, never("NAT64")),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, note("documentation")),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, never("link-local")),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, never("multicast")),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, note("private")),
];

/// The space a listed network lies in; `reserved` when the table has no word for it.
pub(super) fn of(net: IpNet) -> Space {
    let within = |base: IpAddr, len: u8| IpNet::new(base, len).is_ok_and(|space| space.contains(&net));
    let v4 = V4.iter().find(|(base, len, _)| within((*base).into(), *len)).map(|(_, _, s)| *s);
    let v6 = || V6.iter().find(|(base, len, _)| within((*base).into(), *len)).map(|(_, _, s)| *s);
    v4.or_else(v6).unwrap_or(note("reserved"))
}
