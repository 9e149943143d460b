//! Which incident does an alert belong to? Entities, time and direction decide.
//!
//! Strong links: the same machine attacks again; a victim starts to act; somebody reaches the machine
//! that attacked; the same account or named machine. A weak link, the same victim alone, only
//! counts for alerts that would be worth an incident by themselves, so that one busy server does not
//! glue unrelated scans together.

use std::collections::BTreeMap;

use stanch_model::{AlertId, IncidentId, Span};

use crate::config::TriagePolicy;
use crate::contain::own_doing::own_doing;
use crate::decided::{Decided, Reason};
use crate::journal::event::{Ends, Joined};
use crate::journal::incident::{Incident, Status};
use crate::journal::state::{Disposition, Mention, State};
use crate::stage::fingerprint;

/// Where an alert belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// To an incident that is open. The others it links to as well are one with it.
    Join {
        /// Which.
        incident: IncidentId,
        /// Others that this alert shows to be the same.
        merge: Vec<IncidentId>,
    },
    /// It opens a new one.
    Open,
    /// To none: it stays open until it ages out or an incident gathers it.
    Alone,
}

/// So many corrections say that two rules are not of one incident; as many the other way, that any link
/// between them counts.
const TAKEN_APART: i32 = -2;
/// More actors than this on one victim, and the victim no longer links.
const CROWD: usize = 8;

/// Decides where an alert belongs.
#[must_use]
pub fn correlate(state: &State, policy: &TriagePolicy, site: &str, alert: &Joined) -> Decided<Place> {
    // What our own containment causes is part of the incident it was made for, and wakes nobody.
    if let Some((incident, why)) = own_doing(state, site, alert) {
        return Decided { verdict: Place::Join { incident, merge: Vec::new() }, because: vec![why] };
    }
    let score = f64::from(alert.score) / 1000.0;
    let mut links: BTreeMap<IncidentId, (bool, String)> = BTreeMap::new();
    for (entity, attacks) in fingerprint::roles(&alert.ends, alert.stage) {
        for id in state.by_entity.get(&fingerprint::entity(site, &entity)).into_iter().flatten() {
            let Some(incident) = state.incidents.get(id).filter(|i| near(i, alert, policy.correlate_gap))
            else {
                continue;
            };
            let bond = state.bonds.between(incident, &alert.rule);
            if bond <= TAKEN_APART {
                continue; // people keep taking such alerts out of such incidents
            }
            let counts = if bond >= -TAKEN_APART { score.max(policy.incident_at) } else { score };
            if let Some((strong, why)) = link(incident, (&entity, attacks), counts, policy) {
                let head = state.head_of(*id);
                let best = links.entry(head).or_insert((strong, why.clone()));
                if strong && !best.0 {
                    *best = (strong, why);
                }
            }
        }
    }
    links.retain(|id, _| state.incidents.get(id).is_some_and(|i| i.status < Status::Resolved));
    let Some((incident, (_, why))) =
        links.iter().find(|(_, (strong, _))| *strong).or_else(|| links.iter().next())
    else {
        return if score >= policy.incident_at {
            Decided::new(Place::Open, format!("score {score:.2} reaches {:.2}", policy.incident_at))
        } else {
            Decided::new(
                Place::Alone,
                format!("score {score:.2} is below {:.2} and nothing links it", policy.incident_at),
            )
        };
    };
    let chosen = *incident;
    let apart = |other: IncidentId| state.apart.contains(&(chosen.min(other), chosen.max(other)));
    // Only an alert that means something by itself may show that two incidents are one; the oldest
    // goes on.
    let mut one: Vec<IncidentId> = vec![chosen];
    if score >= policy.enrich_at {
        one.extend(links.keys().copied().filter(|id| *id != chosen && !apart(*id)));
    }
    one.sort_unstable();
    let incident = one.remove(0);
    Decided { verdict: Place::Join { incident, merge: one }, because: vec![Reason::new(why.clone())] }
}

fn near(incident: &Incident, alert: &Joined, gap: Span) -> bool {
    let (first, last) = incident.span;
    alert.time <= last.plus(gap) && first <= alert.time.plus(gap)
}

fn link(
    i: &Incident,
    (entity, attacks): (&str, bool),
    score: f64,
    policy: &TriagePolicy,
) -> Option<(bool, String)> {
    let part = i.entities.get(entity)?;
    let named = entity.starts_with("host:") || entity.starts_with("user:");
    let notable = score >= policy.enrich_at;
    if named && notable {
        return Some((true, format!("{} also takes part in {}", entity.replacen(':', " ", 1), i.id)));
    }
    if attacks && part.acted > 0 {
        return Some((true, format!("{entity} is also on the attacking side of {}", i.id)));
    }
    if attacks && part.suffered > 0 && notable {
        return Some((true, format!("{entity}, a victim in {}, now acts itself", i.id)));
    }
    if !attacks && part.acted > 0 && notable {
        return Some((true, format!("{entity}, which attacks in {}, is reached", i.id)));
    }
    let crowd = i.entities.values().filter(|p| p.acted > 0).count() > CROWD;
    (!named && part.suffered > 0 && score >= policy.incident_at && !crowd)
        .then(|| (false, format!("{entity} is also a victim in {}", i.id)))
}

/// Most alerts one gathering takes in, so that a turn stays short; the rest joins as it repeats.
pub const GATHER_LIMIT: usize = 5_000;

/// Open alerts that came before the incident and belong to it: those of the machines that acted in
/// it, within the gap.
#[must_use]
pub fn gather(state: &State, policy: &TriagePolicy, incident: &Incident, ends: &Ends) -> Vec<Joined> {
    let mut found: BTreeMap<AlertId, Joined> = BTreeMap::new();
    let actors = [ends.src, ends.dst].into_iter().flatten().map(|ip| ip.to_string());
    for actor in actors.filter(|e| incident.entities.get(e).is_some_and(|p| p.acted > 0)) {
        for m in state.recent.of(fingerprint::entity(&incident.site, &actor)) {
            if found.len() >= GATHER_LIMIT {
                break;
            }
            if found.contains_key(&m.alert) {
                continue;
            }
            let because = format!("{actor} is also on the attacking side of {}", incident.id);
            if let Some(j) = mention_to_joined(state, m, because)
                && fingerprint::roles(&j.ends, j.stage).contains(&(actor.clone(), true))
                && near(incident, &j, policy.correlate_gap)
            {
                found.insert(m.alert, j);
            }
        }
    }
    found.into_values().collect()
}

fn mention_to_joined(state: &State, m: &Mention, because: String) -> Option<Joined> {
    let slot = state.slot(m.alert).filter(|s| s.disposition == Disposition::Open)?;
    let rule = state.rules.get(&m.rule)?;
    Some(Joined {
        alert: m.alert,
        time: slot.first,
        rule: rule.name.clone(),
        product: rule.product.clone(),
        source: state.sources.get(usize::from(slot.source))?.name.clone(),
        severity: slot.severity,
        score: slot.score,
        stage: slot.stage,
        ends: m.ends.clone(),
        techniques: rule.techniques.clone(),
        because,
    })
}
