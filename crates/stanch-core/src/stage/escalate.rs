//! Whom to tell next, and when: durable rungs that climb by themselves until somebody acknowledges.

use stanch_model::Timestamp;

use crate::config::{Config, EscalationPolicy};
use crate::decided::Decided;
use crate::journal::event::Escalated;
use crate::journal::incident::{Incident, Status};

/// Decides whether an incident must climb now. `None`: nothing is due.
#[must_use]
pub fn escalate(config: &Config, incident: &Incident, now: Timestamp) -> Option<Decided<Escalated>> {
    // What was held back is due as soon as nothing holds it any more.
    let due = incident.climb.next.filter(|t| *t <= now || incident.climb.held)?;
    if incident.acknowledged_by.is_some()
        || incident.status >= Status::Contained
        || incident.merged_into.is_some()
    {
        return None;
    }
    let policy = config.escalations.get(incident.climb.policy.as_ref()?)?;
    let rung = incident.climb.rung + 1;
    let (teams, next) = rung_of(policy, rung, now)?;
    let words = if rung == 1 {
        format!("{} needs somebody", incident.id)
    } else {
        format!("nobody acknowledged {} by {due}", incident.id)
    };
    let verdict = Escalated { incident: incident.id, rung, teams, next };
    Some(Decided::new(verdict, format!("{words}; rung {rung} of policy {}", policy.name)))
}

/// Teams of a rung and when the next is due; after the last round there is none.
fn rung_of(policy: &EscalationPolicy, rung: u32, now: Timestamp) -> Option<(Vec<String>, Option<Timestamp>)> {
    let rules = u32::try_from(policy.rules.len()).ok().filter(|n| *n > 0)?;
    let all = rules.saturating_mul(policy.repeat.max(1));
    if rung > all {
        return None;
    }
    let rule = &policy.rules[((rung - 1) % rules) as usize];
    let next = (rung < all).then(|| now.plus(rule.wait));
    Some((rule.teams.clone(), next))
}
