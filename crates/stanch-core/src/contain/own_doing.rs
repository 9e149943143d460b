//! Is an alert the echo of a containment of ours? A machine that we cut off stops answering, and
//! monitoring says so: that belongs to the incident, as "we did this", and wakes nobody.
//!
//! Only alerts that are no step of an attack by themselves count; whatever else a contained machine
//! does is judged as ever.

use stanch_model::{ActionKind, Span, Timestamp};

use super::names;
use super::target::Touched;
use crate::Reason;
use crate::config::Thing;
use crate::journal::event::{Ends, Joined};
use crate::journal::incident::{Incident, Status};
use crate::journal::state::{ActionState, State};
use crate::stage::kill_chain::Stage;

/// Monitoring notices late, and services need a while to come back.
const ECHO: Span = Span::mins(10);

/// The incident whose containment this alert is the echo of, and why.
#[must_use]
pub fn own_doing(state: &State, site: &str, alert: &Joined) -> Option<(stanch_model::IncidentId, Reason)> {
    if !matches!(alert.stage, Stage::Unknown | Stage::Policy) {
        return None;
    }
    state.actions.values().rev().filter(|a| holds_at(a, alert.time)).find_map(|a| {
        let id = state.head_of(a.action.incident);
        let incident = state.incidents.get(&id).filter(|i| i.status < Status::Resolved && i.site == site)?;
        let ours = speaks(&a.action.kind, &alert.ends, incident);
        ours.then(|| {
            let (words, since) = (a.action.kind.words(), a.in_force.map_or(a.permitted_at, |(s, _)| s));
            (id, Reason(format!("we did this: {} ({words}) since {since}", a.action.id)))
        })
    })
}

/// True when the change was in force at that time, or had just been lifted.
fn holds_at(a: &ActionState, at: Timestamp) -> bool {
    let Some((since, until)) = a.in_force else { return false };
    let end = a.ended.as_ref().map_or(until, |(ended, ..)| *ended);
    since <= at && at < end.plus(ECHO)
}

/// True when an alert with these ends speaks of what the change has cut off.
fn speaks(kind: &ActionKind, ends: &Ends, incident: &Incident) -> bool {
    let addresses = || [ends.src, ends.dst].into_iter().flatten();
    let named = |prefix: &'static str| ends.who.iter().filter_map(move |w| w.strip_prefix(prefix));
    match kind {
        ActionKind::BlockAddress { target }
        | ActionKind::LimitAddress { target, .. }
        | ActionKind::BlockPort { target, .. } => addresses().any(|a| target.contains(&a)),
        // The machine behind the port is the one of ours that the incident is about.
        ActionKind::QuarantinePort { .. } => {
            let own = incident.own_addresses();
            addresses().any(|a| own.contains(&a))
        }
        ActionKind::LockAccount { account }
        | ActionKind::ResetCredential { account }
        | ActionKind::RemoveFromGroup { account, .. } => {
            named("user:").any(|user| names::same_account(user, account))
        }
        ActionKind::SinkholeDomain { domain } => named("host:")
            .any(|host| names::meets(&Touched::Domain(host.to_owned()), &Thing::Domain(domain.clone()))),
        // Giving back breaks nothing, and what a call did is not known here.
        ActionKind::UnlockAccount { .. } | ActionKind::Call { .. } => false,
    }
}

#[cfg(test)]
#[path = "own_doing_tests.rs"]
mod tests;
