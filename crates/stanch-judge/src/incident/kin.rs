//! Which machines of a site belong together: by what they have seen together, and by their addresses.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use stanch_model::{Span, Timestamp};

/// A machine within its site.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Machine {
    /// Its site.
    pub site: u32,
    /// Its name, or its address as text.
    pub name: String,
    /// Its address, where known.
    pub address: Option<IpAddr>,
}

/// Two machines that see the same rule begin within this time have met.
const TOGETHER: Span = Span::secs(2);
/// Meetings that make two machines half as near as can be.
const HALF: f64 = 3.0;
/// Meetings remembered; the rarest are forgotten beyond it.
const PAIRS: usize = 100_000;
/// Beginnings looked back over.
const LATELY: usize = 64;
/// Nearness by address alone: same /24 or /64, same /16 or /48. Below that an address says nothing.
const BY_ADDRESS: (f64, f64) = (0.6, 0.4);

/// What machines have in common.
#[derive(Debug, Default)]
pub struct Kin {
    lately: VecDeque<(Timestamp, u64, Machine)>,
    met: BTreeMap<(Machine, Machine), f64>,
    near: BTreeMap<Machine, BTreeMap<Machine, f64>>,
}

impl Kin {
    /// A group of this rule began here.
    pub(super) fn met(&mut self, machine: &Machine, rule: u64, at: Timestamp) {
        let oldest = at.plus(Span(-TOGETHER.0));
        while self.lately.front().is_some_and(|(t, ..)| *t < oldest) || self.lately.len() > LATELY {
            self.lately.pop_front();
        }
        let partners: Vec<Machine> = self
            .lately
            .iter()
            .filter(|(_, r, m)| *r == rule && m != machine && m.site == machine.site)
            .map(|(.., m)| m.clone())
            .collect();
        for partner in partners {
            let (a, b) =
                if partner < *machine { (partner, machine.clone()) } else { (machine.clone(), partner) };
            let n = self.met.entry((a.clone(), b.clone())).or_default();
            *n += 1.0;
            let near = *n / (*n + HALF);
            self.near.entry(a.clone()).or_default().insert(b.clone(), near);
            self.near.entry(b).or_default().insert(a, near);
        }
        if self.met.len() > PAIRS {
            self.met.retain(|_, n| *n > 1.0);
            self.near.values_mut().for_each(|m| m.retain(|_, v| *v > 1.0 / (1.0 + HALF)));
        }
        self.lately.push_back((at, rule, machine.clone()));
    }

    /// How near two machines are, 0 to 1: met often, neighbours by address, or through a third both know.
    #[must_use]
    pub fn nearness(&self, a: &Machine, b: &Machine) -> f64 {
        if a == b {
            return 1.0;
        }
        if a.site != b.site {
            return 0.0;
        }
        let direct = self.direct(a, b);
        let none = BTreeMap::new();
        let through = self.near.get(a).unwrap_or(&none).iter().map(|(m, near)| near * self.direct(m, b));
        through.fold(direct, f64::max)
    }

    fn direct(&self, a: &Machine, b: &Machine) -> f64 {
        let met = self.near.get(a).and_then(|m| m.get(b)).copied().unwrap_or(0.0);
        met.max(by_address(a.address, b.address))
    }
}

fn by_address(a: Option<IpAddr>, b: Option<IpAddr>) -> f64 {
    let same = |x: &[u8], y: &[u8], n: usize| x[..n] == y[..n];
    match (a, b) {
        (Some(IpAddr::V4(a)), Some(IpAddr::V4(b))) if same(&a.octets(), &b.octets(), 3) => BY_ADDRESS.0,
        (Some(IpAddr::V4(a)), Some(IpAddr::V4(b))) if same(&a.octets(), &b.octets(), 2) => BY_ADDRESS.1,
        (Some(IpAddr::V6(a)), Some(IpAddr::V6(b))) if same(&a.octets(), &b.octets(), 8) => BY_ADDRESS.0,
        (Some(IpAddr::V6(a)), Some(IpAddr::V6(b))) if same(&a.octets(), &b.octets(), 6) => BY_ADDRESS.1,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(site: u32, ip: &str) -> Machine {
        Machine { site, name: ip.to_owned(), address: ip.parse().ok() }
    }

    #[test]
    fn machines_that_see_the_same_become_near_also_through_a_third() {
        let (a, b, c) = (machine(1, "10.1.0.1"), machine(1, "172.16.0.1"), machine(1, "192.168.7.1"));
        let mut kin = Kin::default();
        assert_eq!(kin.nearness(&a, &b), 0.0);
        for i in 0..20 {
            kin.met(&a, i, Timestamp(i as i64 * 60_000));
            kin.met(&b, i, Timestamp(i as i64 * 60_000 + 500));
            kin.met(&b, 100 + i, Timestamp(i as i64 * 60_000 + 30_000));
            kin.met(&c, 100 + i, Timestamp(i as i64 * 60_000 + 30_500));
        }
        assert!(kin.nearness(&a, &b) > 0.8);
        assert!(kin.nearness(&a, &c) > 0.6);
    }

    #[test]
    fn neighbours_by_address_are_near_only_within_a_site() {
        let kin = Kin::default();
        assert!(kin.nearness(&machine(1, "10.1.2.3"), &machine(1, "10.1.2.4")) > 0.5);
        assert_eq!(kin.nearness(&machine(1, "10.1.2.3"), &machine(2, "10.1.2.3")), 0.0);
        assert_eq!(kin.nearness(&machine(1, "10.1.2.3"), &machine(1, "10.2.2.3")), 0.0);
    }
}
