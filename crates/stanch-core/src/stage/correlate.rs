//! Which incident does an alert belong to? Entities, time, direction and kinship of machines decide.
//!
//! Strong links: the same machine attacks again; a victim starts to act; somebody reaches the machine
//! that attacked; the same account or named machine. A weak link, the same victim alone, only
//! counts for alerts that would be worth an incident by themselves, so that one busy server does not
//! glue unrelated scans together.
//!
//! Most alerts of hosts do not say who acted. They join what is active on their machine, or on one that
//! belongs with it (`stanch_judge::kin`), when they are likely enough for how near it is. An alert that stays
//! alone gets a second look, when what happened around it is known (`stanch-engine/src/again.rs`).
//! Machines of different sites never meet. `stanch eval` measures this very code (ADR 0031).

use std::cmp::Reverse;
use std::collections::BTreeMap;

use stanch_judge::kin::Machine;
use stanch_model::{AlertId, IncidentId, Span, Timestamp};

use crate::config::TriagePolicy;
use crate::contain::own_doing::own_doing;
use crate::decided::{Decided, Reason};
use crate::journal::event::{Ends, Joined};
use crate::journal::incident::{Incident, Status};
use crate::journal::sightings::Mention;
use crate::journal::state::{Disposition, State};
use crate::stage::fingerprint;
use crate::stage::kill_chain::Stage;

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
/// What is asked at least of a calibrated score to join on a machine of the incident. Measured: 0.1 takes in
/// noise, 0.25 costs a tenth of the story (docs/quality.md).
const JOINS_AT: f64 = 0.2;
/// What is asked to join on a machine that merely belongs with one of the incident, hours later.
const KINDRED_AT: f64 = 0.45;
/// Machines at least this near each other belong together, 0 to 1.
const KINSHIP: f64 = 0.3;
/// An incident that was active on a machine within this time is at work there.
const SOON: Span = Span::mins(15);
/// It may still be the one that goes on there.
const SAME: Span = Span::hours(24);
/// And on machines that belong with it.
const KINDRED: Span = Span::hours(12);
/// Incidents of a machine that are looked at, the latest first.
const LATEST: usize = 64;

/// Which look at an alert this is: it settles how much is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Any look while nothing was learnt: the score is no probability, so that kinship is not asked.
    Untaught,
    /// The moment it came in.
    First,
    /// A while later: what happened around it is known, and the score is a calibrated probability.
    Second,
}

/// How an alert is linked, the strongest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Link {
    /// The same victim.
    Weak,
    /// Machines that belong together, hours apart.
    Kindred,
    /// The same machine, hours apart.
    Same,
    /// Machines that belong together, moments apart.
    SoonKindred,
    /// The same machine, moments apart.
    SoonSame,
    /// The same actor, account, or direction.
    Strong,
}

/// Links found so far, by the incident that goes on.
type Links = BTreeMap<IncidentId, (Link, String)>;

/// Decides where an alert belongs.
#[must_use]
pub fn correlate(
    state: &State,
    policy: &TriagePolicy,
    site: &str,
    alert: &Joined,
    look: Look,
) -> Decided<Place> {
    // What our own containment causes is part of the incident it was made for, and wakes nobody.
    if let Some((incident, why)) = own_doing(state, site, alert) {
        return Decided { verdict: Place::Join { incident, merge: Vec::new() }, because: vec![why] };
    }
    let score = f64::from(alert.score) / 1000.0;
    let mut links = Links::new();
    by_entity(state, policy, site, alert, &mut links);
    by_machine(state, policy, site, alert, look, &mut links);
    links.retain(|id, _| state.incidents.get(id).is_some_and(|i| i.status < Status::Resolved));
    let best =
        links.iter().max_by_key(|(id, (link, _))| (*link, tie(state, alert, **id, *link), Reverse(**id)));
    let Some((incident, (_, why))) = best else {
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
    // Only an alert that means something by itself may show that two incidents are one, and only by whom
    // it speaks of: that two machines belong together joins an alert and no incidents. The oldest goes on.
    let mut one: Vec<IncidentId> = vec![chosen];
    if score >= policy.enrich_at {
        let shown = links.iter().filter(|(_, (link, _))| matches!(link, Link::Strong | Link::Weak));
        one.extend(shown.map(|(id, _)| *id).filter(|id| *id != chosen && !apart(*id)));
    }
    one.sort_unstable();
    let incident = one.remove(0);
    Decided { verdict: Place::Join { incident, merge: one }, because: vec![Reason::new(why.clone())] }
}

/// Among links of one strength: of strong ones the oldest incident goes on; of others the one in which
/// the attack would go on rather than back, then the one active last.
fn tie(state: &State, alert: &Joined, id: IncidentId, link: Link) -> (bool, Option<Timestamp>) {
    let Some(i) = state.incidents.get(&id).filter(|_| link != Link::Strong) else { return (true, None) };
    let furthest = i.totals.stages.keys().next_back();
    let onward = alert.stage == Stage::Unknown || furthest.is_none_or(|s| alert.stage >= *s);
    (onward, Some(i.span.1))
}

fn note(links: &mut Links, incident: IncidentId, link: Link, why: String) {
    match links.get_mut(&incident) {
        Some(best) if best.0 >= link => {}
        Some(best) => *best = (link, why),
        None => drop(links.insert(incident, (link, why))),
    }
}

/// Links by whom an alert speaks of.
fn by_entity(state: &State, policy: &TriagePolicy, site: &str, alert: &Joined, links: &mut Links) {
    let score = f64::from(alert.score) / 1000.0;
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
                let link = if strong { Link::Strong } else { Link::Weak };
                note(links, state.head_of(*id), link, why);
            }
        }
    }
}

/// Links by machines: the one it sits on, and those that belong with it. Only for alerts that do not say
/// who acted: the others are linked by that.
fn by_machine(
    state: &State,
    policy: &TriagePolicy,
    site: &str,
    alert: &Joined,
    look: Look,
    links: &mut Links,
) {
    let score = f64::from(alert.score) / 1000.0;
    let asked = match look {
        Look::Untaught | Look::First => policy.enrich_at,
        Look::Second => policy.enrich_at.min(JOINS_AT),
    };
    if alert.ends.src.is_some() || score < asked || state.by_machine.is_empty() {
        return;
    }
    let Some(own) = fingerprint::machine(site, &alert.ends) else { return };
    let mut look_at = |machine: &Machine| {
        for id in state.by_machine.get(machine).into_iter().flatten().rev().take(LATEST) {
            let Some(i) = state.incidents.get(id).filter(|i| i.site == site) else { continue };
            if state.bonds.between(i, &alert.rule) <= TAKEN_APART {
                continue;
            }
            let kindred_at = policy.enrich_at.max(KINDRED_AT);
            if let Some((link, why)) = on_machine(i, machine, *machine == own, alert, score >= kindred_at) {
                note(links, state.head_of(*id), link, why);
            }
        }
    };
    look_at(&own);
    if look != Look::Untaught {
        state.kin.around(&own, KINSHIP).keys().filter(|m| **m != own).for_each(&mut look_at);
    }
}

/// How an incident that was active on a machine is linked to an alert on it, or on one that belongs with it.
fn on_machine(
    i: &Incident,
    machine: &Machine,
    own: bool,
    alert: &Joined,
    likely: bool,
) -> Option<(Link, String)> {
    let (first, last) = *i.machines.get(machine)?;
    let away = alert.time.since(last).max(first.since(alert.time));
    let name = alert.ends.who.iter().find_map(|w| w.strip_prefix("host:")).unwrap_or("this machine");
    match own {
        true if away <= SOON => Some((Link::SoonSame, format!("{} was active on {name} moments ago", i.id))),
        true if away <= SAME => Some((Link::Same, format!("{} was active on {name} within the day", i.id))),
        false if away <= SOON => Some((
            Link::SoonKindred,
            format!("{} was active moments ago on a machine that {name} belongs with", i.id),
        )),
        false if away <= KINDRED && likely => {
            Some((Link::Kindred, format!("{} was active today on a machine that {name} belongs with", i.id)))
        }
        true | false => None,
    }
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

/// An open alert as it would join.
#[must_use]
pub fn mention_to_joined(state: &State, m: &Mention, because: String) -> Option<Joined> {
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
        ends: m.ends.as_ref().clone(),
        techniques: rule.techniques.clone(),
        because,
    })
}
