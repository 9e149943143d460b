//! The look-up tables beneath the references: several values for one key, and address prefixes.
//!
//! Built once, read often: values that share a key form a chain through one vector, so that a
//! hundred thousand keys cost two allocations and not a hundred thousand.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

const END: u32 = u32::MAX;

/// Many values for one key, latest first.
#[derive(Clone, Debug)]
pub(crate) struct Multi<K, V> {
    heads: HashMap<K, u32>,
    chain: Vec<(V, u32)>,
}

impl<K, V> Default for Multi<K, V> {
    fn default() -> Self {
        Multi { heads: HashMap::new(), chain: Vec::new() }
    }
}

impl<K: Hash + Eq, V: Copy> Multi<K, V> {
    /// Adds one more value. Beyond 2³² − 1 values nothing is added; no file we accept is that long.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        let Ok(at) = u32::try_from(self.chain.len()) else { return };
        if at == END {
            return;
        }
        let next = self.heads.insert(key, at).unwrap_or(END);
        self.chain.push((value, next));
    }

    /// All values of a key.
    pub(crate) fn get<Q>(&self, key: &Q) -> impl Iterator<Item = V> + use<'_, K, V, Q>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let mut at = self.heads.get(key).copied().unwrap_or(END);
        std::iter::from_fn(move || {
            let (value, next) = self.chain.get(usize::try_from(at).ok()?)?;
            at = *next;
            Some(*value)
        })
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.chain.len()
    }
}

/// Values by address prefix. One table for each prefix length in use, asked longest first.
#[derive(Clone, Debug)]
pub(crate) struct Prefixes<V> {
    v4: Vec<(u8, Multi<u32, V>)>,
    v6: Vec<(u8, Multi<u128, V>)>,
}

impl<V> Default for Prefixes<V> {
    fn default() -> Self {
        Prefixes { v4: Vec::new(), v6: Vec::new() }
    }
}

impl<V: Copy> Prefixes<V> {
    /// Adds a prefix; host bits are ignored, and an IPv4 prefix in IPv6 clothes counts as IPv4.
    pub(crate) fn insert(&mut self, net: IpNet, value: V) {
        match plain(net) {
            IpNet::V4(net) => {
                let key = u32::from(net.network());
                table(&mut self.v4, net.prefix_len()).insert(key, value);
            }
            IpNet::V6(net) => {
                let key = u128::from(net.network());
                table(&mut self.v6, net.prefix_len()).insert(key, value);
            }
        }
    }

    /// Everything that covers an address, longest prefix first, with the prefix length.
    pub(crate) fn covering(&self, ip: IpAddr) -> Vec<(u8, V)> {
        let mut found = Vec::new();
        match ip.to_canonical() {
            IpAddr::V4(ip) => {
                for (len, table) in &self.v4 {
                    let mask = u32::MAX.checked_shl(32 - u32::from(*len)).unwrap_or(0);
                    found.extend(table.get(&(u32::from(ip) & mask)).map(|v| (*len, v)));
                }
            }
            IpAddr::V6(ip) => {
                for (len, table) in &self.v6 {
                    let mask = u128::MAX.checked_shl(128 - u32::from(*len)).unwrap_or(0);
                    found.extend(table.get(&(u128::from(ip) & mask)).map(|v| (*len, v)));
                }
            }
        }
        found
    }

    /// How many prefixes there are.
    pub(crate) fn len(&self) -> usize {
        self.v4.iter().map(|(_, t)| t.len()).sum::<usize>()
            + self.v6.iter().map(|(_, t)| t.len()).sum::<usize>()
    }
}

/// The table of one prefix length, kept sorted longest first.
fn table<K: Hash + Eq, V: Copy>(tables: &mut Vec<(u8, Multi<K, V>)>, len: u8) -> &mut Multi<K, V> {
    let at = match tables.binary_search_by(|(l, _)| len.cmp(l)) {
        Ok(at) => at,
        Err(at) => {
            tables.insert(at, (len, Multi::default()));
            at
        }
    };
    &mut tables[at].1
}

/// `::ffff:192.0.2.0/120` is `192.0.2.0/24`.
fn plain(net: IpNet) -> IpNet {
    if let IpNet::V6(v6) = net
        && v6.prefix_len() >= 96
        && let Some(v4) = v6.network().to_ipv4_mapped()
        && let Ok(v4) = ipnet::Ipv4Net::new(v4, v6.prefix_len() - 96)
    {
        return IpNet::V4(v4);
    }
    net
}

/// Reads `192.0.2.7`, `192.0.2.0/24`, `2001:db8::/32` or `[2001:db8::1]`.
pub(crate) fn address(text: &str) -> Option<IpNet> {
    let text = text.trim();
    if let Some((ip, len)) = text.split_once('/') {
        let (ip, len): (IpAddr, u8) = (bare(ip)?, len.parse().ok()?);
        return IpNet::new(ip, len).ok().map(|n| plain(n).trunc());
    }
    bare(text).map(|ip| IpNet::from(ip.to_canonical()))
}

fn bare(text: &str) -> Option<IpAddr> {
    let text = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    text.parse::<Ipv4Addr>().map(IpAddr::V4).or_else(|_| text.parse::<Ipv6Addr>().map(IpAddr::V6)).ok()
}

/// A name and each of its parent domains: `a.b.example`, `b.example`, `example`.
pub(crate) fn parents(name: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(name);
    std::iter::from_fn(move || {
        let now = rest?;
        rest = now.split_once('.').map(|(_, parent)| parent).filter(|p| !p.is_empty());
        Some(now)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covering(nets: &[&str], ip: &str) -> Vec<(u8, usize)> {
        let mut index = Prefixes::default();
        for (i, net) in nets.iter().enumerate() {
            index.insert(address(net).expect(net), i);
        }
        assert_eq!(index.len(), nets.len());
        index.covering(ip.parse().expect(ip))
    }

    #[test]
    fn the_longest_prefix_comes_first() {
        let nets = ["0.0.0.0/0", "10.0.0.0/8", "10.1.2.0/24", "10.1.2.3", "::/0", "10.1.0.0/16"];
        assert_eq!(covering(&nets, "10.1.2.3"), [(32, 3), (24, 2), (16, 5), (8, 1), (0, 0)]);
        assert_eq!(covering(&nets, "11.0.0.1"), [(0, 0)]);
        assert_eq!(covering(&nets, "2001:db8::1"), [(0, 4)]);
    }

    #[test]
    fn mapped_addresses_are_the_ipv4_addresses_they_hold() {
        assert_eq!(covering(&["::ffff:c000:200/120"], "192.0.2.9"), [(24, 0)]);
        assert_eq!(covering(&["192.0.2.0/24"], "::ffff:192.0.2.9"), [(24, 0)]);
    }

    #[test]
    fn host_bits_do_not_matter() {
        assert_eq!(covering(&["10.1.2.3/8"], "10.9.9.9"), [(8, 0)]);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in
            ["", "10.0.0", "10.0.0.300", "10.0.0.0/33", "::/129", "1.2.3.4/", "/8", "host", "010.1.1.1"]
        {
            assert_eq!(address(text), None, "{text}");
        }
    }

    #[test]
    fn parents_end_at_the_last_label() {
        assert_eq!(parents("a.b.example").collect::<Vec<_>>(), ["a.b.example", "b.example", "example"]);
        assert_eq!(parents("..").collect::<Vec<_>>(), ["..", "."]);
    }
}
