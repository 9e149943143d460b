//! Alerts and incidents as matchers see them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use stanch_model::Timestamp;

use crate::config::{Config, SilenceRule, Subject, all_match};
use crate::decided::Decided;
use crate::journal::event::Ends;
use crate::journal::incident::Incident;
use crate::stage::kill_chain::Stage;
use crate::stage::route::{self, Routed};

/// Hosts and users of some ends.
fn names(who: &[String]) -> (Vec<String>, Vec<String>) {
    let with = |prefix: &str| who.iter().filter_map(|w| w.strip_prefix(prefix)).map(str::to_owned).collect();
    (with("host:"), with("user:"))
}

/// Owned parts of a subject: a [`Subject`] borrows from it.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    ips: Vec<IpAddr>,
    hosts: Vec<String>,
    users: Vec<String>,
    tactics: Vec<String>,
}

impl Seen {
    /// Of one alert.
    #[must_use]
    pub fn of_alert(ends: &Ends, stage: Stage) -> Seen {
        let (hosts, users) = names(&ends.who);
        let ips = [ends.src, ends.dst].into_iter().flatten().collect();
        Seen { ips, hosts, users, tactics: stage.tactic_names() }
    }

    /// Of what a change touches.
    #[must_use]
    pub fn of_target(ips: Vec<IpAddr>, hosts: Vec<String>, users: Vec<String>) -> Seen {
        Seen { ips, hosts, users, tactics: Vec::new() }
    }

    /// The subject, with what else matchers ask for.
    #[must_use]
    pub fn subject<'a>(
        &'a self,
        (source, site, product, rule): (&'a str, &'a str, &'a str, &'a str),
        severity: u8,
        kind: Option<&'a str>,
    ) -> Subject<'a> {
        Subject {
            source,
            site,
            product,
            rule,
            severity,
            ips: &self.ips,
            hosts: &self.hosts,
            users: &self.users,
            tactics: &self.tactics,
            team: None,
            kind,
        }
    }
}

/// Routes an incident by all that takes part in it.
#[must_use]
pub fn route_incident(config: &Config, i: &Incident) -> Decided<Routed> {
    as_subject(i, Seen::default(), |subject| route::route(&config.routes, subject))
}

/// Planned work in force now on what a change touches, or on the incident: the change may be meant
/// for it, or be undone by it. `target` is what the change touches; the device counts as a host.
#[must_use]
pub fn planned_work(config: &Config, i: &Incident, target: &Seen, now: Timestamp) -> Option<String> {
    let open = |r: &&SilenceRule| {
        r.maintenance && !r.matchers.is_empty() && r.from.is_none_or(|f| f <= now) && now < r.until
    };
    as_subject(i, target.clone(), |subject| {
        let rule = config.silences.iter().filter(open).find(|r| all_match(&r.matchers, subject).is_some())?;
        Some(format!("{} until {} ({}: {})", rule.name, rule.until, rule.author, rule.comment))
    })
}

/// The incident as matchers see it, with `more` taking part.
fn as_subject<T>(i: &Incident, more: Seen, look: impl FnOnce(&Subject<'_>) -> T) -> T {
    let mut ips: BTreeSet<IpAddr> = more.ips.into_iter().collect();
    let mut who = BTreeSet::new();
    for a in &i.alerts {
        ips.extend([a.ends.src, a.ends.dst].into_iter().flatten());
        who.extend(a.ends.who.iter().cloned());
    }
    let (mut hosts, mut users) = names(&who.into_iter().collect::<Vec<_>>());
    hosts.extend(more.hosts);
    users.extend(more.users);
    let tactics = i.stages().keys().flat_map(|s| s.tactic_names()).collect();
    let seen = Seen { ips: ips.into_iter().collect(), hosts, users, tactics };
    // Source, product and rule of the alert that weighs most speak for the incident; among equals the
    // one furthest along the attack, then the first.
    let first = i.alerts.iter().max_by_key(|a| (a.score, a.stage.weight(), std::cmp::Reverse(a.alert)));
    let words = first.map_or(("", "", ""), |a| (&a.source, &a.product, &a.rule));
    look(&seen.subject((words.0, &i.site, words.1, words.2), i.severity().id(), Some(i.kind())))
}
