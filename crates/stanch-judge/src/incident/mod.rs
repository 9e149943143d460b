//! Groups into incidents: one intrusion, one incident; two at once, two.
//!
//! A group joins an incident when it is likely enough *for how near it is*: moments after something on
//! the same machine little is asked; hours later on a machine that merely belongs together with it,
//! much. What nothing links opens an incident of its own when it is likely enough by itself. Machines of
//! different sites never meet. Kill-chain order breaks ties: an attack goes on rather than back.

mod kin;

use std::collections::BTreeMap;

use stanch_model::{Span, Timestamp};

pub use kin::{Kin, Machine};

/// What is asked of a group, as calibrated probabilities, and how long an incident stays near.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// Opens an incident.
    pub open: f64,
    /// Joins one that was active on the same machine within `breath`.
    pub breath_at: f64,
    /// See `breath_at`.
    pub breath: Span,
    /// Joins one that was active within `soon` on the same or a kindred machine.
    pub soon_at: f64,
    /// See `soon_at`.
    pub soon: Span,
    /// Joins one that was active on the same machine within `same`.
    pub same_at: f64,
    /// See `same_at`.
    pub same: Span,
    /// Joins one that was active on a kindred machine within `kindred`.
    pub kindred_at: f64,
    /// See `kindred_at`.
    pub kindred: Span,
    /// Machines at least this near each other are kindred, 0 to 1.
    pub kinship: f64,
    /// An incident that is over is taken into a later one on a machine of its own: the later one is at least
    /// this sure.
    pub recalls_at: f64,
    /// And the earlier one at least this: more likely an attack than not.
    pub recalled_at: f64,
    /// And at least so far along the kill chain: machines call home and data leave after somebody came in, so
    /// such an incident is a part of another one. 0 to 12, default 10 (command and control).
    pub recalled_from: u8,
    /// And it was active within this.
    pub recall: Span,
    /// Open incidents kept; the one silent longest is closed beyond it. As many are kept to be recalled.
    pub most_open: usize,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            open: 0.3,
            breath_at: 0.2,
            breath: Span::secs(10),
            soon_at: 0.2,
            soon: Span::mins(15),
            same_at: 0.2,
            same: Span::mins(24 * 60),
            kindred_at: 0.45,
            kindred: Span::mins(12 * 60),
            kinship: 0.3,
            recalls_at: 0.9,
            recalled_at: 0.5,
            recalled_from: 10,
            recall: Span::mins(7 * 24 * 60),
            most_open: 1_000,
        }
    }
}

/// A judged group, when it is placed.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The caller's own number for it.
    pub id: usize,
    /// Where it sits.
    pub machine: Machine,
    /// First and last alert so far.
    pub span: (Timestamp, Timestamp),
    /// Calibrated probability.
    pub probability: f64,
    /// Place in the kill chain, 0 (unknown) to 12.
    pub stage: u8,
}

/// An incident.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// Number, in order of opening.
    pub id: usize,
    /// Its groups, in order of joining, each with why.
    pub members: Vec<(usize, String)>,
    /// The highest probability among them.
    pub probability: f64,
    /// First and last alert.
    pub span: (Timestamp, Timestamp),
    site: u32,
    machines: BTreeMap<Machine, Timestamp>,
    stage: u8,
}

/// Places groups. Give them in order of their last alert.
#[derive(Debug, Default)]
pub struct Correlator {
    policy: Policy,
    /// Which machines belong together; fed by [`Correlator::met`].
    pub kin: Kin,
    open: Vec<Incident>,
    /// Over, and perhaps the beginning of something; the oldest first.
    resting: Vec<Incident>,
    closed: Vec<Incident>,
    opened: usize,
    /// Machines near a machine, as searched for a moment ago.
    around: BTreeMap<Machine, (Timestamp, BTreeMap<Machine, f64>)>,
}

/// How long a search for kindred machines is good; kinship changes over hours.
const FRESH: Span = Span::mins(10);
/// Searches kept.
const SEARCHES: usize = 1_024;

/// How a group is linked, the strongest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Link {
    Kindred,
    Same,
    SoonKindred,
    SoonSame,
    Breath,
}

impl Correlator {
    /// With the asks of a policy.
    #[must_use]
    pub fn new(policy: Policy) -> Correlator {
        Correlator { policy, ..Correlator::default() }
    }

    /// A group of `rule` began on a machine: machines that see the same within moments belong together.
    pub fn met(&mut self, machine: &Machine, rule: u64, at: Timestamp) {
        self.kin.met(machine, rule, at);
    }

    /// Places a group: the incident it joined or opened; `None` when it stays alone.
    pub fn place(&mut self, group: &Judged) -> Option<usize> {
        self.close_silent(group.span.1);
        let policy = &self.policy;
        if group.probability < policy.breath_at.min(policy.soon_at).min(policy.same_at).min(policy.open) {
            return None;
        }
        self.search(&group.machine, group.span.1);
        let links = self.open.iter().enumerate().filter_map(|(i, incident)| {
            let (link, why) = self.link(incident, group)?;
            // An attack that goes on is likelier than one that goes back.
            let onward = group.stage == 0 || group.stage >= incident.stage;
            Some(((link, onward, incident.span.1, std::cmp::Reverse(incident.id)), i, why))
        });
        let best = links.max_by(|a, b| a.0.cmp(&b.0));
        let (at, why) = match best {
            Some((_, at, why)) => (at, why),
            None if group.probability >= self.policy.open => {
                let why = format!("probability {:.2} reaches {:.2}", group.probability, self.policy.open);
                self.open.push(self.fresh(group));
                self.opened += 1;
                (self.open.len() - 1, why)
            }
            None => return None,
        };
        let incident = &mut self.open[at];
        incident.members.push((group.id, why));
        incident.probability = incident.probability.max(group.probability);
        incident.span = (incident.span.0.min(group.span.0), incident.span.1.max(group.span.1));
        let last = incident.machines.entry(group.machine.clone()).or_insert(group.span.1);
        *last = (*last).max(group.span.1);
        incident.stage = incident.stage.max(group.stage);
        let id = incident.id;
        self.recall(at);
        Some(id)
    }

    /// Takes into an incident that is sure what likely began it: days ago, on one of its machines.
    fn recall(&mut self, at: usize) {
        let (policy, incident) = (&self.policy, &mut self.open[at]);
        if incident.probability < policy.recalls_at {
            return;
        }
        let mut i = 0;
        while i < self.resting.len() {
            let earlier = &self.resting[i];
            let near = incident.span.0.since(earlier.span.1) <= policy.recall;
            let shared = earlier.machines.keys().any(|m| incident.machines.contains_key(m));
            if earlier.site != incident.site || !near || !shared {
                i += 1;
                continue;
            }
            let earlier = self.resting.remove(i);
            let why = "it called home or let data out, on a machine of the incident within the week before";
            incident.members.extend(earlier.members.into_iter().map(|(g, _)| (g, why.to_owned())));
            incident.span.0 = incident.span.0.min(earlier.span.0);
            for (machine, last) in earlier.machines {
                incident.machines.entry(machine).or_insert(last);
            }
        }
    }

    fn search(&mut self, machine: &Machine, now: Timestamp) {
        if self.around.get(machine).is_some_and(|(at, _)| now.since(*at) <= FRESH) {
            return;
        }
        if self.around.len() >= SEARCHES {
            self.around.clear();
        }
        self.around.insert(machine.clone(), (now, self.kin.around(machine, self.policy.kinship)));
    }

    fn is_kindred(&self, a: &Machine, b: &Machine) -> bool {
        let known = self.around.get(a).and_then(|(_, near)| near.get(b)).copied();
        known.unwrap_or_else(|| self.kin.direct(a, b)) >= self.policy.kinship
    }

    fn fresh(&self, group: &Judged) -> Incident {
        Incident {
            id: self.opened,
            members: Vec::new(),
            probability: 0.0,
            span: group.span,
            site: group.machine.site,
            machines: BTreeMap::new(),
            stage: 0,
        }
    }

    fn link(&self, incident: &Incident, group: &Judged) -> Option<(Link, String)> {
        let (p, policy) = (group.probability, &self.policy);
        if incident.site != group.machine.site || p < policy.breath_at.min(policy.soon_at).min(policy.same_at)
        {
            return None;
        }
        let since = |last: Timestamp| group.span.0.since(last);
        if let Some(last) = incident.machines.get(&group.machine) {
            let away = since(*last);
            if away <= policy.breath && p >= policy.breath_at {
                return Some((
                    Link::Breath,
                    "it began in the same breath on a machine of the incident".to_owned(),
                ));
            }
            if away <= policy.soon && p >= policy.soon_at {
                return Some((
                    Link::SoonSame,
                    "the incident was active on this machine moments ago".to_owned(),
                ));
            }
            if away <= policy.same && p >= policy.same_at {
                return Some((
                    Link::Same,
                    "the incident was active on this machine within the day".to_owned(),
                ));
            }
        }
        let near = |within: Span| {
            let mut recent = incident.machines.iter().filter(|(_, last)| since(**last) <= within);
            recent.any(|(m, _)| self.is_kindred(&group.machine, m))
        };
        if p >= policy.soon_at && near(policy.soon) {
            return Some((
                Link::SoonKindred,
                "the incident was active moments ago on a machine it belongs with".to_owned(),
            ));
        }
        if p >= policy.kindred_at && near(policy.kindred) {
            return Some((
                Link::Kindred,
                "the incident was active today on a machine it belongs with".to_owned(),
            ));
        }
        None
    }

    fn close_silent(&mut self, now: Timestamp) {
        let longest = Span(self.policy.same.0.max(self.policy.kindred.0).max(self.policy.soon.0));
        let mut i = 0;
        while i < self.open.len() {
            if now.since(self.open[i].span.1) > longest {
                let over = self.open.remove(i);
                self.rest(over);
            } else {
                i += 1;
            }
        }
        let (recall, most) = (self.policy.recall, self.policy.most_open.max(1));
        while self.resting.first().is_some_and(|r| now.since(r.span.1) > recall) || self.resting.len() > most
        {
            self.closed.push(self.resting.remove(0));
        }
        while self.open.len() >= self.policy.most_open.max(1) {
            let silent = (0..self.open.len()).min_by_key(|i| (self.open[*i].span.1, self.open[*i].id));
            let Some(silent) = silent else { break };
            let over = self.open.remove(silent);
            self.rest(over);
        }
    }

    /// An incident is over: kept for a while when it may have been the beginning of something.
    fn rest(&mut self, over: Incident) {
        if over.probability < self.policy.recalled_at || over.stage < self.policy.recalled_from {
            self.closed.push(over);
            return;
        }
        let at = self.resting.partition_point(|r| (r.span.1, r.id) <= (over.span.1, over.id));
        self.resting.insert(at, over);
    }

    /// Takes the incidents that can grow no more; a caller that keeps none stays bounded.
    pub fn take_closed(&mut self) -> Vec<Incident> {
        std::mem::take(&mut self.closed)
    }

    /// All incidents not taken yet, in order of opening; the end of the stream.
    #[must_use]
    pub fn finish(mut self) -> (Vec<Incident>, Kin) {
        let mut all = std::mem::take(&mut self.closed);
        all.append(&mut self.resting);
        all.append(&mut self.open);
        all.sort_by_key(|i| i.id);
        (all, self.kin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(min: i64) -> Timestamp {
        Timestamp(min * 60_000)
    }

    fn group(id: usize, site: u32, ip: &str, min: i64, probability: f64) -> Judged {
        let machine = Machine { site, name: ip.to_owned(), address: ip.parse().ok() };
        Judged { id, machine, span: (at(min), at(min)), probability, stage: 0 }
    }

    #[test]
    fn steps_on_kindred_machines_are_one_and_a_stranger_is_another() {
        let mut c = Correlator::default();
        assert_eq!(c.place(&group(0, 1, "10.1.0.5", 0, 0.9)), Some(0));
        assert_eq!(c.place(&group(1, 1, "10.1.0.9", 5, 0.3)), Some(0));
        assert_eq!(c.place(&group(2, 1, "172.16.9.9", 5, 0.9)), Some(1));
        assert_eq!(c.place(&group(3, 1, "10.1.0.5", 600, 0.25)), Some(0));
        assert_eq!(c.place(&group(4, 1, "10.1.0.5", 601, 0.05)), None);
    }

    #[test]
    fn the_same_address_at_another_site_never_joins() {
        let mut c = Correlator::default();
        let one = c.place(&group(0, 1, "10.0.0.101", 0, 0.9));
        let two = c.place(&group(1, 2, "10.0.0.101", 0, 0.9));
        assert_ne!(one, two);
    }

    fn late(group: Judged) -> Judged {
        Judged { stage: 10, ..group }
    }

    /// The incidents after one on `first` and, three days later, a sure one on 10.1.0.5.
    fn after(first: Judged) -> Vec<Incident> {
        let mut c = Correlator::default();
        c.place(&first);
        c.place(&group(1, 1, "10.1.0.5", 3 * 24 * 60, 0.95));
        c.finish().0
    }

    #[test]
    fn what_called_home_days_before_is_taken_into_a_sure_incident_on_its_machine() {
        let all = after(late(group(0, 1, "10.1.0.5", 0, 0.6)));
        assert_eq!(all.len(), 1);
        let members: Vec<usize> = all[0].members.iter().map(|m| m.0).collect();
        assert_eq!((members, all[0].span.0), (vec![1, 0], at(0)));
        assert!(all[0].members[1].1.contains("within the week before"), "{all:?}");
    }

    #[test]
    fn what_is_doubtful_early_elsewhere_or_long_ago_is_not_taken_in() {
        let others = [
            late(group(0, 1, "10.1.0.5", 0, 0.4)),
            group(0, 1, "10.1.0.5", 0, 0.6),
            late(group(0, 1, "10.1.0.6", 0, 0.6)),
            late(group(0, 2, "10.1.0.5", 0, 0.6)),
            late(group(0, 1, "10.1.0.5", -5 * 24 * 60, 0.6)),
        ];
        for (n, other) in others.into_iter().enumerate() {
            assert_eq!(after(other).len(), 2, "{n}");
        }
    }

    #[test]
    fn what_is_kept_to_be_recalled_is_bounded_in_number_and_time() {
        let mut c = Correlator::new(Policy { most_open: 3, ..Policy::default() });
        for i in 0..50 {
            c.place(&late(group(i, i as u32, "10.0.0.1", i as i64, 0.9)));
            assert!(c.open.len() <= 3 && c.resting.len() <= 4);
        }
        c.place(&group(50, 99, "10.0.0.1", 9 * 24 * 60, 0.9));
        assert!(c.resting.is_empty());
        assert_eq!(c.take_closed().len(), 50);
    }

    #[test]
    fn open_incidents_are_bounded_and_silent_ones_close() {
        let mut c = Correlator::new(Policy { most_open: 3, ..Policy::default() });
        for i in 0..50 {
            c.place(&group(i, i as u32, "10.0.0.1", i as i64, 0.9));
            assert!(c.open.len() <= 3);
        }
        assert_eq!(c.take_closed().len(), 47);
    }
}
