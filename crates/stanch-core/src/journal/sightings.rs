//! What has been seen of rules and machines: how common, who met whom, what is recent. All of it bounded.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use stanch_model::{AlertId, Timestamp};

use super::event::Ends;
use super::seen::HashedMap;

/// How common each rule is, and on which machine. Counts only what came before.
#[derive(Debug, Default)]
pub struct Baseline {
    /// New alerts by rule fingerprint (site included).
    pub rule: HashedMap<u64, u32>,
    /// New alerts by rule and machine fingerprint.
    pub rule_on: HashedMap<(u64, u64), u32>,
    /// New alerts in all.
    pub total: u64,
}

/// Distinct rule-and-machine pairs remembered; beyond it the rare ones are forgotten.
pub const BASELINE_PAIRS: usize = 262_144;

impl Baseline {
    /// Counts a new alert.
    pub fn count(&mut self, rule: u64, on: (u64, u64)) {
        self.total += 1;
        *self.rule.entry(rule).or_default() += 1;
        if let Some(n) = self.rule_on.get_mut(&on) {
            *n += 1;
            return;
        }
        if self.rule_on.len() >= BASELINE_PAIRS {
            // Pairs seen once carry the least information: forgetting them errs towards "rare". Half go at
            // least, or each new pair would walk over all.
            let mut rare = 1_u32;
            while self.rule_on.len() > BASELINE_PAIRS / 2 {
                self.rule_on.retain(|_, n| *n > rare);
                rare = rare.saturating_mul(2);
            }
        }
        self.rule_on.insert(on, 1);
    }
}

/// One pair of machines that exchanged packets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Contact {
    /// First time.
    pub first: Timestamp,
    /// Last time.
    pub last: Timestamp,
    /// How often.
    pub count: u64,
    /// Bytes both ways, where a flow sensor counted them.
    pub bytes: u64,
    /// Both sides spoke at least once.
    pub established: bool,
}

/// Who exchanged packets with whom lately, from flow records and from alerts.
#[derive(Debug, Default)]
pub struct Contacts {
    /// By site and address: peers.
    pub peers: BTreeMap<(String, IpAddr), BTreeMap<IpAddr, Contact>>,
}

/// Addresses whose contacts are remembered.
pub const CONTACT_ADDRESSES: usize = 50_000;
/// Peers remembered of one address.
pub const CONTACT_PEERS: usize = 512;

impl Contacts {
    /// Notes one exchange, both ways round.
    pub fn note(
        &mut self,
        site: &str,
        src: IpAddr,
        dst: IpAddr,
        at: Timestamp,
        bytes: u64,
        established: bool,
    ) {
        for (a, b) in [(src, dst), (dst, src)] {
            let full = self.peers.len() >= CONTACT_ADDRESSES;
            let key = (site.to_owned(), a);
            if full && !self.peers.contains_key(&key) {
                continue; // bounded: what is not remembered shows as unknown, and unknown counts as high
            }
            let peers = self.peers.entry(key).or_default();
            if peers.len() >= CONTACT_PEERS && !peers.contains_key(&b) {
                continue;
            }
            let c = peers.entry(b).or_insert(Contact { first: at, last: at, ..Contact::default() });
            c.first = c.first.min(at);
            c.last = c.last.max(at);
            c.count += 1;
            c.bytes = c.bytes.saturating_add(bytes);
            c.established |= established;
        }
    }

    /// The peers of an address at a site.
    #[must_use]
    pub fn of(&self, site: &str, address: IpAddr) -> Option<&BTreeMap<IpAddr, Contact>> {
        self.peers.get(&(site.to_owned(), address))
    }

    /// True when the table is full, so that absence proves nothing.
    #[must_use]
    pub fn full(&self) -> bool {
        self.peers.len() >= CONTACT_ADDRESSES
    }
}

/// What an alert speaks of, kept while it may still be gathered into an incident.
#[derive(Clone, Debug)]
pub struct Mention {
    /// Which alert.
    pub alert: AlertId,
    /// Whom it speaks of.
    pub ends: Arc<Ends>,
    /// Fingerprint of its rule.
    pub rule: u64,
}

/// Alerts by the entities they speak of, so that an incident can gather what came before it.
#[derive(Debug, Default)]
pub struct Recent {
    by_entity: HashedMap<u64, VecDeque<Arc<Mention>>>,
    order: VecDeque<u64>,
}

/// Mentions remembered over all entities.
pub const RECENT_MENTIONS: usize = 400_000;

impl Recent {
    /// Notes that an alert speaks of an entity.
    pub fn note(&mut self, entity: u64, mention: Arc<Mention>) {
        while self.order.len() >= RECENT_MENTIONS {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Some(queue) = self.by_entity.get_mut(&oldest) {
                queue.pop_front();
                if queue.is_empty() {
                    self.by_entity.remove(&oldest);
                }
            }
        }
        self.by_entity.entry(entity).or_default().push_back(mention);
        self.order.push_back(entity);
    }

    /// Mentions of an entity, latest first; some alerts may no longer be open.
    pub fn of(&self, entity: u64) -> impl Iterator<Item = &Mention> + '_ {
        self.by_entity.get(&entity).into_iter().flat_map(|q| q.iter().rev()).map(Arc::as_ref)
    }
}
