//! Which machines of a site belong together: by what they have seen together, and by their addresses.
//! Fed with every group of alerts as it begins; bounded.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use stanch_model::{Span, Timestamp};

/// A machine within its site. Ordered by site and name; one name may stand for several addresses, which
/// are then several machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Machine {
    /// Its site, as a number that stands for its name.
    pub site: u64,
    /// Its name or address, as a number that stands for it.
    pub name: u64,
    /// Its address, where known.
    pub address: Option<IpAddr>,
}

/// Two machines that see the same rule begin within this time have met.
const TOGETHER: Span = Span::secs(2);
/// Meetings count only this much later: what two strangers see during one attack makes them no kin.
const SETTLES: Span = Span::mins(60);
/// Meetings that are believed half.
const HALF: f64 = 3.0;
/// Share of the quieter machine's beginnings that were meetings, at which two are as near as can be.
const OFTEN: f64 = 0.2;
/// Beginnings and meetings that wait to settle.
const PAIRS: usize = 20_000;
/// Distinct rules remembered of two machines.
const RULES: usize = 8;
/// Pairs of machines whose meetings are remembered, each counted twice; the rarest are forgotten beyond it.
const MET: usize = 50_000;
/// Blocks of addresses whose machines are remembered.
const BLOCKS: usize = 20_000;
/// What more machines see at once is a storm: it is a meeting with the latest of them only.
const PARTNERS: usize = 8;
/// Beginnings looked back over.
const LATELY: usize = 64;
/// Nearness by address alone: leading bits in common, and what they are worth. A /16 of a private range says little:
/// half of all companies live in 192.168/16.
const BY_ADDRESS: [(u32, f64); 3] = [(24, 0.6), (22, 0.4), (16, 0.1)];
/// The same for IPv6.
const BY_ADDRESS_V6: [(u32, f64); 3] = [(64, 0.6), (56, 0.4), (48, 0.2)];
/// Neighbours by address looked at, and machines visited, for one question.
const NEIGHBOURS: usize = 64;
/// See `NEIGHBOURS`.
const VISITED: usize = 128;
/// What is left of nearness for each machine in between.
const A_HOP: f64 = 0.95;

/// Meetings of two machines.
#[derive(Clone, Debug, Default)]
struct Meetings {
    times: f64,
    /// The first `distinct` of them count.
    rules: [u64; RULES],
    distinct: usize,
}

impl Meetings {
    fn count(&mut self, rule: u64) {
        self.times += 1.0;
        if self.distinct < RULES && !self.rules[..self.distinct].contains(&rule) {
            self.rules[self.distinct] = rule;
            self.distinct += 1;
        }
    }

    /// Two clocks that strike at once make no kin: one rule alone says little, two say much.
    fn variety(&self) -> f64 {
        let n = self.distinct as f64;
        ((n - 0.8) / n).max(0.0)
    }
}

/// A group that began, or a meeting with a partner over a rule.
type Unsettled = (Timestamp, Machine, Option<(Machine, u64)>);

/// What machines have in common.
#[derive(Debug, Default)]
pub struct Kin {
    lately: VecDeque<(Timestamp, u64, Machine)>,
    unsettled: VecDeque<Unsettled>,
    began: BTreeMap<Machine, f64>,
    blocks: BTreeMap<(u64, u128), BTreeSet<Machine>>,
    /// Both ways round, so that the partners of a machine stand together.
    met: BTreeMap<(Machine, Machine), Meetings>,
}

/// Orders before every other machine.
const FIRST: Machine = Machine { site: 0, name: 0, address: None };

/// The machines that one has met.
fn partners(met: &BTreeMap<(Machine, Machine), Meetings>, of: Machine) -> impl Iterator<Item = &Machine> {
    met.range((of, FIRST)..).map(|(pair, _)| pair).take_while(move |(a, _)| *a == of).map(|(_, b)| b)
}

impl Kin {
    /// A group of this rule began here.
    pub fn met(&mut self, machine: &Machine, rule: u64, at: Timestamp) {
        let oldest = at.plus(Span(-TOGETHER.0));
        while self.lately.front().is_some_and(|(t, ..)| *t < oldest) || self.lately.len() > LATELY {
            self.lately.pop_front();
        }
        let partners: Vec<Machine> = self
            .lately
            .iter()
            .rev()
            .filter(|(t, r, m)| {
                // A late one may be far from those that came in before it.
                let near = at.since(*t).0.abs() <= TOGETHER.0;
                near && *r == rule && m != machine && m.site == machine.site
            })
            .map(|(.., m)| *m)
            .take(PARTNERS)
            .collect();
        if let Some(block) = block(machine)
            && !self.blocks.get(&block).is_some_and(|b| b.len() >= NEIGHBOURS || b.contains(machine))
        {
            if self.blocks.len() >= BLOCKS {
                self.blocks.clear();
            }
            self.blocks.entry(block).or_default().insert(*machine);
        }
        self.unsettled.push_back((at, *machine, None));
        for partner in partners {
            self.unsettled.push_back((at, *machine, Some((partner, rule))));
        }
        self.settle(at);
        self.lately.push_back((at, rule, *machine));
    }

    fn settle(&mut self, now: Timestamp) {
        let until = now.plus(Span(-SETTLES.0));
        while self.unsettled.front().is_some_and(|(t, ..)| *t < until) || self.unsettled.len() > PAIRS {
            let Some((_, machine, partner)) = self.unsettled.pop_front() else { break };
            let Some((partner, rule)) = partner else {
                *self.began.entry(machine).or_default() += 1.0;
                continue;
            };
            for pair in [(machine, partner), (partner, machine)] {
                self.met.entry(pair).or_default().count(rule);
            }
        }
        if self.met.len() > MET {
            self.forget();
        }
        if self.began.len() > PAIRS {
            // Machines that met nobody say nothing; begun anew, the others look nearer for a while.
            let met = &self.met;
            self.began.retain(|m, _| partners(met, *m).next().is_some());
            if self.began.len() > PAIRS / 2 {
                self.began.clear();
            }
        }
    }

    /// Forgets the rarest meetings, down to half of what is remembered: seldom, so that it costs little.
    fn forget(&mut self) {
        let mut rare = 1.0;
        while self.met.len() > MET / 2 {
            self.met.retain(|_, n| n.times > rare);
            rare *= 2.0;
        }
        let met = &self.met;
        self.began.retain(|m, n| *n > 2.0 || partners(met, *m).next().is_some());
    }

    /// How near two machines are, 0 to 1: met often, neighbours by address, or by a chain of such links, of
    /// which the weakest counts. Costs a search: ask [`Kin::around`] once where many are compared with one.
    #[must_use]
    pub fn nearness(&self, a: &Machine, b: &Machine) -> f64 {
        if a.site != b.site {
            return 0.0;
        }
        self.around(a, 0.0).get(b).copied().unwrap_or(0.0).max(self.direct(a, b))
    }

    /// The machines of the site at least this near, the machine itself included; at most `VISITED` are searched.
    #[must_use]
    pub fn around(&self, of: &Machine, least: f64) -> BTreeMap<Machine, f64> {
        let mut best: BTreeMap<&Machine, f64> = BTreeMap::from([(of, 1.0)]);
        let mut done: BTreeSet<&Machine> = BTreeSet::new();
        while done.len() < VISITED {
            let open = best.iter().filter(|(m, near)| **near > least && !done.contains(*m));
            let Some((at, near)) = open.max_by(|x, y| x.1.total_cmp(y.1).then(y.0.cmp(x.0))) else { break };
            let (at, near) = (*at, *near);
            done.insert(at);
            let hop = if at == of { 1.0 } else { A_HOP };
            for next in self.neighbours(at) {
                let reached = near.min(self.direct(at, next)) * hop;
                let known = best.entry(next).or_insert(0.0);
                *known = known.max(reached);
            }
        }
        best.into_iter()
            .filter(|(_, near)| *near >= least && *near > 0.0)
            .map(|(m, near)| (*m, near))
            .collect()
    }

    fn neighbours<'a>(&'a self, of: &Machine) -> impl Iterator<Item = &'a Machine> {
        let met = partners(&self.met, *of);
        let block = block(of).and_then(|b| self.blocks.get(&b));
        met.chain(block.into_iter().flatten().take(NEIGHBOURS))
    }

    /// How near two machines are by their own meetings and addresses.
    #[must_use]
    pub fn direct(&self, a: &Machine, b: &Machine) -> f64 {
        if a == b {
            return 1.0;
        }
        let Some(met) = self.met.get(&(*a, *b)) else {
            return by_address(a.address, b.address);
        };
        let n = met.times;
        let began = |m: &Machine| self.began.get(m).copied().unwrap_or(1.0);
        let often = (n / began(a).min(began(b)) / OFTEN).min(1.0);
        (often * n / (n + HALF) * met.variety()).max(by_address(a.address, b.address))
    }
}

fn by_address(a: Option<IpAddr>, b: Option<IpAddr>) -> f64 {
    let worth =
        |steps: &[(u32, f64)], bits: u32| steps.iter().find(|(n, _)| bits >= *n).map_or(0.0, |(_, w)| *w);
    match (a, b) {
        (Some(IpAddr::V4(a)), Some(IpAddr::V4(b))) => {
            worth(&BY_ADDRESS, (a.to_bits() ^ b.to_bits()).leading_zeros())
        }
        (Some(IpAddr::V6(a)), Some(IpAddr::V6(b))) => {
            worth(&BY_ADDRESS_V6, (a.to_bits() ^ b.to_bits()).leading_zeros())
        }
        _ => 0.0,
    }
}

/// The block of addresses a machine has its neighbours in, within its site.
fn block(m: &Machine) -> Option<(u64, u128)> {
    Some(match m.address? {
        IpAddr::V4(ip) => (m.site, u128::from(ip.to_bits() >> (32 - BY_ADDRESS[1].0))),
        IpAddr::V6(ip) => (m.site, ip.to_bits() >> (128 - BY_ADDRESS_V6[1].0)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(site: u64, ip: &str) -> Machine {
        Machine { site, name: crate::text::number(ip), address: ip.parse().ok() }
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
        kin.met(&a, 999, Timestamp(100 * 60_000));
        assert!(kin.nearness(&a, &b) > 0.7);
        assert!(kin.nearness(&a, &c) > 0.6);
    }

    #[test]
    fn two_clocks_that_strike_at_once_and_one_shared_attack_make_no_kin() {
        let (a, b) = (machine(1, "10.1.0.1"), machine(1, "172.16.0.1"));
        let mut kin = Kin::default();
        for i in 0..200 {
            kin.met(&a, 7, Timestamp(i * 3_600_000));
            kin.met(&b, 7, Timestamp(i * 3_600_000));
        }
        assert!(kin.nearness(&a, &b) < 0.3, "{}", kin.nearness(&a, &b));
        let mut kin = Kin::default();
        for i in 0..30 {
            kin.met(&a, i, Timestamp(i as i64 * 1_000));
            kin.met(&b, i, Timestamp(i as i64 * 1_000));
        }
        assert_eq!(kin.nearness(&a, &b), 0.0);
    }

    #[test]
    fn strangers_without_number_are_forgotten() {
        let mut kin = Kin::default();
        for i in 0..300_000_u32 {
            let machine = Machine { site: 1, name: u64::from(i), address: None };
            kin.met(&machine, u64::from(i), Timestamp(i64::from(i) * 60_000));
        }
        assert!(kin.began.len() <= PAIRS && kin.unsettled.len() <= PAIRS && kin.lately.len() <= LATELY + 1);
    }

    #[test]
    fn a_storm_over_many_machines_is_bounded_also_when_all_of_them_meet_again_and_again() {
        let mut kin = Kin::default();
        for i in 0..400_000_u32 {
            let n = i % 40_000;
            let machine = Machine { site: 1, name: u64::from(n), address: None };
            kin.met(&machine, u64::from(n / 1_000), Timestamp(i64::from(i)));
        }
        assert!(kin.met.len() <= MET && kin.began.len() <= PAIRS && kin.unsettled.len() <= PAIRS);
    }

    #[test]
    fn neighbours_by_address_are_near_only_within_a_site() {
        let kin = Kin::default();
        assert!(kin.nearness(&machine(1, "10.1.2.3"), &machine(1, "10.1.2.4")) > 0.5);
        assert_eq!(kin.nearness(&machine(1, "10.1.2.3"), &machine(2, "10.1.2.3")), 0.0);
        assert_eq!(kin.nearness(&machine(1, "10.1.2.3"), &machine(1, "10.2.2.3")), 0.0);
    }
}
