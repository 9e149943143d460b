//! Gathers what the guard weighs from the fold and the rules, and has it judge.
//!
//! Nothing is decided here: every fact ends in [`GuardFacts`], and [`guard`] says what it means.

use std::collections::BTreeSet;
use std::net::IpAddr;

use stanch_model::{Action, ActionKind, Fact, Span, Timestamp};

use super::blast_radius::BlastRadius;
use super::contacts::from_contacts;
use super::guard::{Evidence, GuardFacts, Usage, Verdict, guard};
use super::ladder::{Rung, classes, ladder};
use super::parties::agreed_with_themselves;
use super::preauthorised::{BUDGET_OVER, Preauthorised, Proposed};
use super::target::observable;
use super::{Approved, names};
use crate::config::{Config, EnricherConfig, May, NotifierConfig, Protected, ResponderConfig, Thing};
use crate::journal::event::Joined;
use crate::journal::incident::Incident;
use crate::journal::state::{ActionState, State, Stop};
use crate::playbook::run::World;
use crate::stage::autonomy::leave;
use crate::stage::subject::{Seen, planned_work, route_incident};
use crate::{Decided, Reason};

/// Evidence older than this no longer justifies a change. Default of the promise "no stale action".
pub const MAX_EVIDENCE_AGE: Span = Span::hours(24);

/// Who proposes a change.
#[derive(Clone, Copy, Debug)]
pub struct Proposer<'a> {
    /// The playbook's name.
    pub playbook: &'a str,
    /// Its hash.
    pub hash: &'a str,
    /// How far it may go at most, as its author says.
    pub autonomy: Option<crate::config::Autonomy>,
    /// True when its author says that the change cannot be undone.
    pub lasting: bool,
}

/// The guard's verdict, and the pre-authorisation it rests on, if any.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The verdict and why.
    pub decided: Decided<Verdict>,
    /// The pre-authorisation that covered the change.
    pub preauthorised: Option<Preauthorised>,
}

/// Judges a change against the world as it is.
#[must_use]
pub fn judge(
    world: World<'_>,
    incident: &Incident,
    by: Proposer<'_>,
    action: &Action,
    approval: Option<&Approved>,
) -> Judged {
    let blast = blast(world, incident, action);
    let target_facts = about(world, incident, &action.kind);
    let policy = &world.config.containment;
    let mut discovered = world.discovered.to_vec();
    discovered.extend_from_slice(world.connected);
    discovered.extend_from_slice(world.resolved);
    discovered.extend(own(world.config));
    let classes = classes(&target_facts);
    let rung = Rung {
        route: route_incident(world.config, incident).verdict.autonomy,
        playbook: by.autonomy,
        name: by.playbook,
        proven: world.state.proven.contains(by.hash),
        kind: action.kind.name(),
        classes: &classes,
    };
    let level = ladder(policy, rung);
    let budgets = &world.config.triage.budgets;
    let cost = budgets.cost_of(action.kind.name(), &classes, by.lasting);
    let leave = leave(world.state, budgets, cost, incident.confidence());
    let preauthorised = preauthorised(world, by, action, &classes, &target_facts);
    let stopped = stopped(world.state, &action.responder, by.playbook)
        .or_else(|| sample(world.config, incident, &action.responder));
    let work = planned_work(world.config, incident, &seen(action), world.now);
    let facts = GuardFacts {
        now: world.now,
        policy,
        discovered: &discovered,
        target_facts: &target_facts,
        blast: &blast,
        evidence: evidence(world, incident, &action.kind),
        autonomy: level.verdict,
        autonomy_because: &level.because,
        leave: &leave,
        approval,
        preauthorised: preauthorised.as_ref(),
        usage: usage(world, action),
        lasting: by.lasting,
        planned_work: work.as_deref(),
        kill_switch: stopped.as_deref(),
        mode: world.mode,
    };
    Judged { decided: guard(action, &facts), preauthorised }
}

/// Sample data changes nothing real, whatever anybody approves.
fn sample(config: &Config, incident: &Incident, responder: &str) -> Option<String> {
    let pretends = |r: &ResponderConfig| r.name() == responder && r.kind() == "simulated";
    let real = !config.connectors.responders.iter().any(pretends);
    (incident.is_sample() && real).then(|| {
        format!("this is sample data, and {responder} is a real device: it is always engaged for that")
    })
}

/// What the kill switch is engaged for, if it stops changes of this responder by this playbook.
#[must_use]
pub fn stopped(state: &State, responder: &str, playbook: &str) -> Option<String> {
    if state.kill_switch {
        return Some("it is engaged".to_owned());
    }
    if state.stopped.contains(&Stop::Responder(responder.to_owned())) {
        return Some(format!("it is engaged for responder {responder}"));
    }
    let playbook_is = state.stopped.contains(&Stop::Playbook(playbook.to_owned()));
    playbook_is.then(|| format!("it is engaged for playbook {playbook}"))
}

/// What is ours by the configuration alone: the accounts of those who approve, and the [`places`] that we
/// depend on.
#[must_use]
pub fn own(config: &Config) -> Vec<Protected> {
    let mut found = Vec::new();
    for person in config.people.values().filter(|p| p.role.may(May::Decide)) {
        let accounts = std::iter::once(&person.name).chain(&person.accounts);
        found.extend(accounts.map(|account| Protected {
            what: Thing::Account(account.clone()),
            why: format!("{} may approve changes", person.name),
        }));
    }
    for Place { host, why } in places(config) {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            found.push(Protected::net(address.into(), why));
        } else if let Ok(domain) = super::target::parse_domain(&host) {
            found.push(Protected { what: Thing::Domain(domain), why });
        }
    }
    found
}

/// Somewhere that we depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its name or address as configured; not checked.
    pub host: String,
    /// Why we depend on it, in words.
    pub why: String,
}

/// The names and addresses under which mail, chat, tickets, look-ups, devices and the identity provider
/// are reached. Where a name leads is for the shell to find out.
#[must_use]
pub fn places(config: &Config) -> Vec<Place> {
    let mut found = Vec::new();
    let mut place = |host: &str, why: String| {
        found.push(Place { host: host.to_owned(), why });
    };
    for notifier in &config.connectors.notifiers {
        match notifier {
            NotifierConfig::Smtp { host, from, .. } => {
                place(host, "our mail server".to_owned());
                let domain = from.rsplit('@').next().unwrap_or_default().trim_end_matches('>');
                place(domain, "our mail domain".to_owned());
            }
            NotifierConfig::Webhook { url, name, .. }
            | NotifierConfig::Slack { url, name, .. }
            | NotifierConfig::Teams { url, name, .. }
            | NotifierConfig::Rt { url, name, .. } => {
                place(host_of(url), format!("people are told there ({name})"));
            }
            NotifierConfig::Log { .. } => {}
        }
    }
    for enricher in &config.connectors.enrichers {
        match enricher {
            EnricherConfig::Http { url, name, .. } => {
                place(host_of(url), format!("look-up {name} is there"));
            }
            EnricherConfig::Assets { .. }
            | EnricherConfig::Intel { .. }
            | EnricherConfig::Warninglists { .. } => {}
        }
    }
    for responder in &config.connectors.responders {
        let why = || format!("{} is changed there", responder.name());
        match responder {
            ResponderConfig::Ldap(directory) => place(host_of(&directory.url), why()),
            ResponderConfig::Http { allow, .. } => {
                allow.iter().for_each(|at| place(host_of(&format!("https://{at}")), why()));
            }
            // Their devices are this machine, or are named by address and found by the connector.
            ResponderConfig::Nftables { .. }
            | ResponderConfig::OpenVswitch(_)
            | ResponderConfig::Rpz(_)
            | ResponderConfig::Exec { .. }
            | ResponderConfig::Simulated { .. } => {}
        }
    }
    if let Some(provider) = &config.provider {
        place(host_of(&provider.issuer), "people sign in there".to_owned());
    }
    found.retain(|p: &Place| !p.host.is_empty());
    found
}

/// The host of a URL, as text; empty when there is none.
fn host_of(url: &str) -> &str {
    let rest = url.split("://").nth(1).and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
    match rest.split_once(']') {
        Some((v6, _)) => v6.trim_start_matches('['),
        None => rest.split(':').next().unwrap_or_default(),
    }
}

/// The blast radius of a change, as far as flows, alerts and the inventory tell.
#[must_use]
pub fn blast(world: World<'_>, incident: &Incident, action: &Action) -> BlastRadius {
    match action.kind.network() {
        Some(target) => from_contacts(target, &incident.site, &world.state.contacts, world.look_up),
        None => BlastRadius::of_named(action.kind.subject(), &about(world, incident, &action.kind)),
    }
}

/// What is known at once about the target.
fn about(world: World<'_>, incident: &Incident, kind: &ActionKind) -> Vec<Fact> {
    match kind.network() {
        Some(net) => (world.look_up)(&incident.site, net.addr()),
        None => (world.about)(&incident.site, &observable(kind)),
    }
}

fn preauthorised(
    world: World<'_>,
    by: Proposer<'_>,
    action: &Action,
    classes: &BTreeSet<String>,
    facts: &[Fact],
) -> Option<Preauthorised> {
    let since = world.now.plus(Span(-BUDGET_OVER.0));
    world.config.preauthorisations.iter().find_map(|p| {
        let on_it = |a: &&ActionState| a.permitted_at > since && a.preauthorised.as_ref() == Some(&p.name);
        let used = count(world.state.actions.values().filter(on_it).count());
        let it = Proposed { playbook: by.playbook, kind: &action.kind, classes, facts, used, now: world.now };
        // Their own plan is not one that they can agree to, in advance as little as when it asks.
        let own = agreed_with_themselves(world.config, world.state, (by.playbook, by.hash), &p.signed_by);
        p.covers(it).ok().filter(|_| !own)
    })
}

/// What a change touches, as matchers see it.
fn seen(action: &Action) -> Seen {
    let (mut ips, mut hosts, mut users) = (Vec::new(), vec![action.responder.clone()], Vec::new());
    match &action.kind {
        ActionKind::BlockAddress { target }
        | ActionKind::LimitAddress { target, .. }
        | ActionKind::BlockPort { target, .. } => ips.push(target.addr()),
        ActionKind::QuarantinePort { port, .. } => hosts.push(port.clone()),
        ActionKind::LockAccount { account }
        | ActionKind::UnlockAccount { account }
        | ActionKind::ResetCredential { account }
        | ActionKind::RemoveFromGroup { account, .. } => users.push(account.clone()),
        ActionKind::SinkholeDomain { domain } => hosts.push(domain.clone()),
        ActionKind::Call { subject, .. } => match subject.parse::<IpAddr>() {
            Ok(ip) => ips.push(ip),
            Err(_) => hosts.push(subject.clone()),
        },
    }
    Seen::of_target(ips, hosts, users)
}

fn evidence(world: World<'_>, incident: &Incident, kind: &ActionKind) -> Evidence {
    let about = incident.alerts.iter().filter(|a| speaks(a, kind));
    let mut sources = BTreeSet::new();
    let (mut established, mut newest) = (false, Timestamp(i64::MIN));
    for a in about {
        established |= a.ends.established;
        if world.config.sources.get(&a.source).is_none_or(|s| s.authenticated) {
            sources.insert(a.source.as_str());
        }
        newest = newest.max(world.state.slot(a.alert).map_or(newest, |s| s.arrived));
    }
    Evidence { established, independent_sources: count(sources.len()), newest, max_age: MAX_EVIDENCE_AGE }
}

/// True when an alert speaks of the target. Ports, names and calls are derived from the incident as a
/// whole; there every alert of it counts.
fn speaks(alert: &Joined, kind: &ActionKind) -> bool {
    match kind {
        ActionKind::BlockAddress { target }
        | ActionKind::LimitAddress { target, .. }
        | ActionKind::BlockPort { target, .. } => {
            alert.ends.src == Some(target.addr()) || alert.ends.dst == Some(target.addr())
        }
        ActionKind::LockAccount { account }
        | ActionKind::UnlockAccount { account }
        | ActionKind::ResetCredential { account }
        | ActionKind::RemoveFromGroup { account, .. } => {
            let users = alert.ends.who.iter().filter_map(|w| w.strip_prefix("user:"));
            users.into_iter().any(|user| names::same_account(user, account))
        }
        ActionKind::QuarantinePort { .. } | ActionKind::SinkholeDomain { .. } | ActionKind::Call { .. } => {
            true
        }
    }
}

fn usage(world: World<'_>, action: &Action) -> Usage {
    let ten_minutes = world.now.plus(Span::mins(-10));
    let week = world.now.plus(Span::hours(-24 * 7));
    let mut usage = Usage::default();
    for a in world.state.actions.values() {
        let same_kind = a.action.kind.name() == action.kind.name();
        let same = a.action.kind == action.kind;
        if a.permitted_at > ten_minutes {
            usage.started_last_10_minutes += 1;
            usage.kind_started_last_10_minutes += u32::from(same_kind);
        }
        if same && a.permitted_at > week {
            usage.earlier_on_target += 1;
        }
        if a.ended.is_none() {
            usage.active += 1;
            usage.kind_active += u32::from(same_kind);
            if a.action.id != action.id {
                if same && usage.already_active_on_target.is_none() {
                    usage.already_active_on_target = Some(a.action.id);
                }
                if opposite(&a.action.kind, &action.kind) && usage.in_the_way.is_none() {
                    usage.in_the_way = Some(a.action.id);
                }
            }
        }
    }
    usage
}

/// True when one takes back what the other does: such a pair must be resolved by a release.
fn opposite(one: &ActionKind, other: &ActionKind) -> bool {
    match (one, other) {
        (ActionKind::LockAccount { account: a }, ActionKind::UnlockAccount { account: b })
        | (ActionKind::UnlockAccount { account: a }, ActionKind::LockAccount { account: b }) => {
            names::same_account(a, b)
        }
        (
            ActionKind::QuarantinePort { port: a, vlan: x },
            ActionKind::QuarantinePort { port: b, vlan: y },
        ) => names::same_port(a, b) && x != y,
        (
            ActionKind::BlockAddress { .. }
            | ActionKind::LimitAddress { .. }
            | ActionKind::BlockPort { .. }
            | ActionKind::QuarantinePort { .. }
            | ActionKind::LockAccount { .. }
            | ActionKind::UnlockAccount { .. }
            | ActionKind::ResetCredential { .. }
            | ActionKind::RemoveFromGroup { .. }
            | ActionKind::SinkholeDomain { .. }
            | ActionKind::Call { .. },
            _,
        ) => false,
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// True when whoever said yes may still say it: people lose roles and leave teams.
///
/// # Errors
/// Who may not any more.
pub fn still_has_authority(config: &Config, approved: &Approved) -> Result<(), Reason> {
    for vote in approved.yes() {
        let may = config
            .people
            .get(&vote.by)
            .is_some_and(|p| super::approval::has_authority(approved.approval(), p.role, &p.teams));
        if !may {
            let id = approved.approval().id;
            return Err(Reason(format!("approval: {} may not approve {id} any more", vote.by)));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "weigh_tests.rs"]
mod tests;
