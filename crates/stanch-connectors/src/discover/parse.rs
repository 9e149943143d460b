//! Reads the kernel's and the system's own words. Pure: text in, addresses out; what is not understood
//! is passed over.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::Discovered;

/// Route flags: up, and through a gateway. Source: linux/route.h.
const UP_AND_GATEWAY: u32 = 0x1 | 0x2;

fn found(net: IpNet, why: impl Into<String>) -> Discovered {
    Discovered { net, why: why.into() }
}

/// Own IPv4 addresses in `/proc/net/fib_trie`: leaves of type `host LOCAL`.
pub(super) fn fib_trie(text: &str) -> Vec<Discovered> {
    let mut all = Vec::new();
    let mut leaf: Option<Ipv4Addr> = None;
    for line in text.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse().ok();
        } else if let (Some(address), Some(length)) = (leaf, line.strip_suffix(" host LOCAL")) {
            let length = length.strip_prefix('/').and_then(|l| l.parse().ok());
            let Some(net) = length.and_then(|l| IpNet::new(address.into(), l).ok()) else { continue };
            all.push(found(
                net,
                if address.is_loopback() { "this machine (loopback)" } else { "own address" },
            ));
        }
    }
    // The kernel shows the same table once for each of `main` and `local`.
    all.sort();
    all.dedup();
    all
}

/// Own IPv6 addresses in `/proc/net/if_inet6`.
pub(super) fn if_inet6(text: &str) -> Vec<Discovered> {
    let each = text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let address = hex6(fields.first()?)?;
        let why = match address.is_loopback() {
            true => "this machine (loopback)".to_owned(),
            false => format!("own address on {}", fields.get(5)?),
        };
        Some(found(IpAddr::V6(address).into(), why))
    });
    each.collect()
}

/// IPv4 gateways in `/proc/net/route`.
pub(super) fn route(text: &str) -> Vec<Discovered> {
    let mut all = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [interface, destination, gateway, flags, _, _, _, mask, ..] = fields.as_slice() else { continue };
        let (Some(gateway), Ok(flags)) = (hex4(gateway), u32::from_str_radix(flags, 16)) else { continue };
        if flags & UP_AND_GATEWAY == UP_AND_GATEWAY && !gateway.is_unspecified() {
            let is_default = *destination == "00000000" && *mask == "00000000";
            all.push(found(IpAddr::V4(gateway).into(), gateway_on(interface, is_default)));
        }
    }
    all.sort();
    all.dedup();
    all
}

/// IPv6 gateways in `/proc/net/ipv6_route`.
pub(super) fn ipv6_route(text: &str) -> Vec<Discovered> {
    let mut all = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, length, _, _, hop, _, _, _, flags, interface] = fields.as_slice() else { continue };
        let (Some(hop), Ok(flags)) = (hex6(hop), u32::from_str_radix(flags, 16)) else { continue };
        if flags & UP_AND_GATEWAY == UP_AND_GATEWAY && !hop.is_unspecified() {
            all.push(found(IpAddr::V6(hop).into(), gateway_on(interface, *length == "00")));
        }
    }
    all.sort();
    all.dedup();
    all
}

fn gateway_on(interface: &str, is_default: bool) -> String {
    format!("{} on {interface}", if is_default { "default gateway" } else { "gateway" })
}

/// An address as the kernel prints it there: the network-order word, read in the machine's own order.
fn hex4(text: &str) -> Option<Ipv4Addr> {
    let word = u32::from_str_radix(text, 16).ok().filter(|_| text.len() == 8)?;
    Some(Ipv4Addr::from(word.to_ne_bytes()))
}

fn hex6(text: &str) -> Option<Ipv6Addr> {
    let word = u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32)?;
    Some(Ipv6Addr::from(word))
}

/// Resolvers in `resolv.conf`. Source: resolv.conf(5).
pub(super) fn resolv_conf(text: &str) -> Vec<Discovered> {
    let each = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let word = words.next().filter(|w| *w == "nameserver").and(words.next())?;
        let address: IpAddr = word.split('%').next()?.parse().ok()?;
        Some(found(address.into(), "resolver"))
    });
    each.collect()
}

/// Servers in `chrony.conf` and `ntp.conf`: addresses and names. Source: chrony.conf(5), ntp.conf(5).
pub(super) fn ntp_conf(text: &str) -> Vec<String> {
    let each = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let directive = words.next()?.to_ascii_lowercase();
        let is_server = matches!(directive.as_str(), "server" | "pool" | "peer");
        words.find(|w| !matches!(*w, "-4" | "-6")).filter(|_| is_server).map(str::to_owned)
    });
    each.collect()
}

/// Servers in `timesyncd.conf`. Source: timesyncd.conf(5).
pub(super) fn timesyncd_conf(text: &str) -> Vec<String> {
    let each = text.lines().filter_map(|line| {
        let (key, value) = line.trim().split_once('=')?;
        matches!(key.trim(), "NTP" | "FallbackNTP").then(|| value.split_whitespace().map(str::to_owned))
    });
    each.flatten().collect()
}

/// Tells addresses from names. Reference clocks of ntpd (127.127.x.x) are no addresses of anybody.
pub(super) fn time_servers(servers: &[String]) -> (Vec<Discovered>, Vec<String>) {
    let (mut addresses, mut names) = (Vec::new(), Vec::new());
    for server in servers {
        match server.parse::<IpAddr>() {
            Ok(IpAddr::V4(v4)) if v4.octets().starts_with(&[127, 127]) => {}
            Ok(address) => addresses.push(found(address.into(), "time server")),
            Err(_) => names.push(server.chars().filter(|c| !c.is_control()).take(253).collect()),
        }
    }
    (addresses, names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(all: &[Discovered]) -> String {
        all.iter().map(|d| format!("{} {}\n", d.net, d.why)).collect()
    }

    #[test]
    fn own_addresses_of_both_families_are_found() {
        assert_eq!(
            shown(&fib_trie(include_str!("../../fixtures/discover/fib_trie"))),
            "10.8.0.6/32 own address\n127.0.0.0/8 this machine (loopback)\n127.0.0.1/32 this machine (loopback)\n\
             192.0.2.2/32 own address\n"
        );
        assert_eq!(
            shown(&if_inet6(include_str!("../../fixtures/discover/if_inet6"))),
            "fe80::fc:ff:fe00:1/128 own address on eth0\n::1/128 this machine (loopback)\n\
             2001:db8::2/128 own address on eth0\n"
        );
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn gateways_are_found_and_links_without_one_are_not() {
        assert_eq!(
            shown(&route(include_str!("../../fixtures/discover/route"))),
            "10.8.0.5/32 gateway on tun0\n192.0.2.1/32 default gateway on eth0\n"
        );
    }

    #[test]
    fn ipv6_gateways_are_found_also_on_the_link() {
        assert_eq!(
            shown(&ipv6_route(include_str!("../../fixtures/discover/ipv6_route"))),
            "2001:db8::1/128 default gateway on eth0\nfe80::1/128 default gateway on eth0\n"
        );
    }

    #[test]
    fn resolvers_are_found_with_their_scope_cut_off() {
        let text = "# by hand\nsearch example.org\nnameserver 192.0.2.53\nnameserver fe80::53%eth0\n#nameserver 192.0.2.9\n\
                    nameserver\nnameserver not.an.address\n";
        assert_eq!(shown(&resolv_conf(text)), "192.0.2.53/32 resolver\nfe80::53/128 resolver\n");
    }

    #[test]
    fn time_servers_with_addresses_are_protected_and_names_are_reported() {
        let chrony = "pool 2.debian.pool.ntp.org iburst\nserver 192.0.2.123 prefer\n! server 192.0.2.7\nserver 127.127.1.0\n\
                      peer -6 2001:db8::123\nmakestep 1 3\nserver\n";
        let (addresses, names) = time_servers(&ntp_conf(chrony));
        assert_eq!(shown(&addresses), "192.0.2.123/32 time server\n2001:db8::123/128 time server\n");
        assert_eq!(names, ["2.debian.pool.ntp.org"]);
        let timesyncd = "[Time]\n#NTP=192.0.2.1\nNTP=192.0.2.124 ntp.example.org\nFallbackNTP=\n";
        assert_eq!(timesyncd_conf(timesyncd), ["192.0.2.124", "ntp.example.org"]);
    }

    #[test]
    fn garbage_gives_nothing_and_never_a_panic() {
        for text in [
            "",
            "\u{0}\u{0}",
            "|-- \n/ host LOCAL",
            "|-- 1.2.3.4\n/99 host LOCAL",
            "ü ü ü ü ü ü ü ü ü ü",
            "0 0 0 0 0 0 0 0 0 0",
        ] {
            for parser in [fib_trie, if_inet6, route, ipv6_route, resolv_conf] {
                assert_eq!(parser(text), vec![], "{text:?}");
            }
        }
    }
}
