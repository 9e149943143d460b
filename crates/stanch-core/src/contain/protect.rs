//! Does a target touch something protected? Both ways, and through every disguise of an IPv4
//! address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

/// Never a target, whatever the configuration says.
///
/// Source: RFC 6890 and its registry of special-purpose addresses; RFC 1112 for 240.0.0.0/4.
const BUILT_IN_V4: [([u8; 4], u8, &str); 6] = [
    ([0, 0, 0, 0], 8, "means \"this network\""),
    ([127, 0, 0, 0], 8, "is loopback"),
    ([169, 254, 0, 0], 16, "is link-local, where cloud metadata lives"),
    ([224, 0, 0, 0], 4, "is multicast"),
    ([255, 255, 255, 255], 32, "is broadcast"),
    ([240, 0, 0, 0], 4, "is reserved"),
];

/// The same for IPv6.
const BUILT_IN_V6: [([u16; 8], u8, &str); 5] = [
    ([0, 0, 0, 0, 0, 0, 0, 0], 128, "means \"no address\""),
    ([0, 0, 0, 0, 0, 0, 0, 1], 128, "is loopback"),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, "is link-local"),
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, "is multicast"),
    ([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, "is an IPv4 address in disguise"),
];

/// Why the target is protected by nature, if it is.
pub(super) fn built_in(target: &IpNet) -> Option<&'static str> {
    let v4 = BUILT_IN_V4.iter().map(|(a, len, why)| (IpAddr::V4(Ipv4Addr::from(*a)), *len, *why));
    let v6 = BUILT_IN_V6.iter().map(|(a, len, why)| (IpAddr::V6(Ipv6Addr::from(*a)), *len, *why));
    v4.chain(v6)
        .filter_map(|(address, length, why)| Some((IpNet::new(address, length).ok()?, why)))
        // The IPv6 entries are meant as written: an honest IPv4 address is not its own disguise.
        .find(
            |(net, _)| if net.addr().is_ipv4() { overlaps(target, net) } else { meet(&target.trunc(), net) },
        )
        .map(|(_, why)| why)
}

/// True when one contains the other, as written.
fn meet(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

/// True when the two have an address in common, in whatever spelling.
pub(super) fn overlaps(a: &IpNet, b: &IpNet) -> bool {
    let (a, b) = (a.trunc(), b.trunc());
    let (inner_a, inner_b) = (embedded(&a), embedded(&b));
    meet(&a, &b)
        || inner_a.iter().any(|x| meet(x, &b))
        || inner_b.iter().any(|y| meet(&a, y))
        || inner_a.iter().any(|x| inner_b.iter().any(|y| meet(x, y)))
}

/// The IPv4 prefixes that an IPv6 prefix carries inside.
///
/// Source: RFC 4291 section 2.5.5 (mapped and compatible), RFC 6052 (NAT64), RFC 3056 (6to4).
fn embedded(net: &IpNet) -> Vec<IpNet> {
    const CARRIERS: [([u16; 8], u8); 4] = [
        ([0, 0, 0, 0, 0, 0xffff, 0, 0], 96),
        ([0, 0, 0, 0, 0, 0, 0, 0], 96),
        ([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96),
        ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
    ];
    let IpNet::V6(net) = net else { return Vec::new() };
    let bits = net.network().to_bits();
    let inside = |(carrier, at): ([u16; 8], u8)| {
        let carrier = Ipv6Addr::from(carrier).to_bits();
        let same = |n: u8| n == 0 || (bits ^ carrier) >> (128 - u32::from(n)) == 0;
        let length = net.prefix_len();
        if length < at {
            // Wider than the carrier: all of IPv4 is inside, if the carrier is.
            return same(length).then(|| Ipv4Net::new(Ipv4Addr::UNSPECIFIED, 0).ok()).flatten();
        }
        if !same(at) {
            return None;
        }
        let v4 = u32::try_from((bits >> (96 - u32::from(at))) & 0xffff_ffff).ok()?;
        Ipv4Net::new(Ipv4Addr::from_bits(v4), (length - at).min(32)).ok()
    };
    // `::` and `::1` are addresses of their own and carry nothing.
    if net.prefix_len() == 128 && bits <= 1 {
        return Vec::new();
    }
    CARRIERS.into_iter().filter_map(inside).map(IpNet::V4).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().expect(text)
    }

    #[test]
    fn overlap_is_seen_both_ways_and_through_every_disguise() {
        for (a, b) in [
            ("10.0.0.1/32", "10.0.0.0/8"),
            ("10.0.0.0/8", "10.0.0.1/32"),
            ("10.0.0.1/8", "10.9.9.9/32"),
            ("2001:db8::1/128", "2001:db8::/32"),
            ("::ffff:10.0.0.1/128", "10.0.0.0/24"),
            ("::a00:1/128", "10.0.0.0/24"),
            ("64:ff9b::a00:1/128", "10.0.0.0/24"),
            ("64:ff9b::/96", "10.0.0.0/24"),
            ("2002:a00:1::/48", "10.0.0.1/32"),
            ("2002:a00:1:2::3/128", "10.0.0.1/32"),
            ("2002:a00::/32", "10.0.0.0/8"),
            ("2000::/8", "10.0.0.0/8"),
            ("::ffff:10.0.0.1/128", "64:ff9b::a00:1/128"),
            ("::/64", "10.0.0.0/8"),
        ] {
            assert!(overlaps(&net(a), &net(b)), "{a} {b}");
            assert!(overlaps(&net(b), &net(a)), "{b} {a}");
        }
        for (a, b) in [
            ("10.0.0.1/32", "10.0.0.2/32"),
            ("10.0.0.0/25", "10.0.0.128/25"),
            ("2001:db8::/32", "2001:db9::/32"),
            ("2001:db8::a00:1/128", "10.0.0.1/32"),
            ("64:ff9b::a00:1/128", "10.0.0.2/32"),
            ("2002:a00:1::/48", "10.0.0.2/32"),
            ("::1/128", "0.0.0.0/8"),
        ] {
            assert!(!overlaps(&net(a), &net(b)), "{a} {b}");
            assert!(!overlaps(&net(b), &net(a)), "{b} {a}");
        }
    }

    #[test]
    fn special_addresses_are_protected_by_nature() {
        for (target, why) in [
            ("0.0.0.0/32", "means \"this network\""),
            ("127.0.0.53/32", "is loopback"),
            ("169.254.169.254/32", "is link-local, where cloud metadata lives"),
            ("224.0.0.5/32", "is multicast"),
            ("239.255.255.250/32", "is multicast"),
            ("255.255.255.255/32", "is broadcast"),
            ("241.0.0.1/32", "is reserved"),
            ("126.0.0.0/7", "is loopback"),
            ("::/128", "means \"no address\""),
            ("::1/128", "is loopback"),
            ("fe80::1/128", "is link-local"),
            ("ff02::1/128", "is multicast"),
            ("::ffff:8.8.8.8/128", "is an IPv4 address in disguise"),
            ("64:ff9b::7f00:1/128", "is loopback"),
        ] {
            assert_eq!(built_in(&net(target)), Some(why), "{target}");
        }
        for target in ["8.8.8.8/32", "10.0.0.1/32", "223.255.255.255/32", "2001:db8::1/128", "fd00::1/128"] {
            assert_eq!(built_in(&net(target)), None, "{target}");
        }
    }
}
