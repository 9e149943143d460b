//! Leases: every change in force belongs to incidents, has an end, and is looked after until then.
//!
//! Pure questions over one change: may it be made (again), who still needs it, how long may it go
//! on, and what does it mean when it is not there. The engine asks them and writes the answers down.
//!
//! Source: SEC-58 to SEC-60; P-8, P-10; abuse case 11.

use stanch_model::{Action, IncidentId, Observed, Span, Timestamp};

use super::guard::Permit;
use super::seal::{Seal, Sealed};
use crate::Reason;
use crate::config::{ContainmentPolicy, Drift};
use crate::journal::state::ActionState;

/// Most often a change is made again by itself: whoever removes it a fourth time means it.
pub const REPAIRS: u32 = 3;

/// Devices count in whole seconds. Source: `nft -j` shows `expires` so, rounded down.
pub const DEVICE_CLOCK: Span = Span::secs(1);

/// What the outbox may do with a change now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    /// The permit, for exactly as long as the change may hold from now on.
    pub permit: Permit,
    /// True when the change has been made before: to be repaired, or to get a later end.
    pub again: bool,
}

/// May this change be made now? Only with our seal on its permit, and on its later end if it has
/// one; and made again only for the rest of its time.
///
/// # Errors
/// Why not: a row that was written past us, or a time that is over.
pub fn pass(a: &ActionState, seal: &Seal, now: Timestamp) -> Result<Pass, Reason> {
    let id = a.action.id;
    let what = Sealed {
        run: a.run,
        action: a.permit.action(),
        approval: a.approval,
        preauthorised: a.preauthorised.as_deref(),
    };
    if !seal.holds_permit(&a.seal, what) {
        return Err(Reason(format!("the permit of {id} does not carry our seal; nothing is changed")));
    }
    if a.ended.is_some() {
        return Err(Reason(format!("{id} is over")));
    }
    let permit = a.permit.clone().with_before(a.action.before.clone());
    let Some((_, until)) = a.in_force else { return Ok(Pass { permit, again: false }) };
    let left = until.since(now);
    if left <= Span::ZERO {
        return Err(Reason(format!("the time of {id} is over")));
    }
    let permit = match &a.renewed {
        None => permit.for_at_most(left),
        Some(r) if r.until == until && seal.holds_renewal(&r.seal, r.action, r.until, r.approval) => {
            permit.for_exactly(left)
        }
        Some(_) => {
            return Err(Reason(format!("the later end of {id} does not carry our seal; nothing is changed")));
        }
    };
    Ok(Pass { permit, again: true })
}

/// What happens when an incident needs a change no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetGo {
    /// Others need it: only the name is taken off.
    Leave,
    /// Nobody does: it is lifted.
    Lift,
    /// It is not this incident's to let go.
    Nothing,
}

/// What happens when `incident` needs a change no more.
#[must_use]
pub fn let_go(a: &ActionState, incident: IncidentId) -> LetGo {
    if a.ended.is_some() || !a.holders.contains(&incident) {
        LetGo::Nothing
    } else if a.holders.len() > 1 {
        LetGo::Leave
    } else {
        LetGo::Lift
    }
}

/// The end a renewal would give: `ttl` from now, and never later than the longest time allowed since
/// the change was made.
///
/// # Errors
/// Why it cannot be renewed.
pub fn renewed_until(
    a: &ActionState,
    ttl: Span,
    policy: &ContainmentPolicy,
    now: Timestamp,
) -> Result<Timestamp, Reason> {
    let id = a.action.id;
    let refuse = |why: String| Err(Reason(format!("{id} {why}")));
    if a.ended.is_some() {
        return refuse("is over; what is over is not renewed but asked for anew".into());
    }
    if a.lasting {
        return refuse("has no end that could be put off".into());
    }
    let Some((since, until)) = a.in_force else { return refuse("is not in force yet".into()) };
    if now >= until {
        return refuse(format!("ended at {until}"));
    }
    if ttl <= Span::ZERO {
        return refuse("needs a longer time than none".into());
    }
    let wanted = now.plus(ttl);
    if wanted <= until {
        return refuse(format!("holds until {until} already"));
    }
    let latest = since.plus(policy.max_ttl);
    if wanted > latest {
        let max = policy.max_ttl;
        return refuse(format!("may hold until {latest} at the latest: {max} in all, renewals included"));
    }
    Ok(wanted)
}

/// True while it is looked at again and again: until its end, and as long for one that stays. A first
/// look can be lied to.
#[must_use]
pub fn watched(a: &ActionState, now: Timestamp) -> bool {
    a.ended.is_none() && a.in_force.is_some_and(|(_, until)| now < until)
}

/// True when its time is over and it has to be lifted.
#[must_use]
pub fn over(a: &ActionState, now: Timestamp) -> bool {
    !a.lasting && a.ended.is_none() && a.in_force.is_some_and(|(_, until)| until <= now)
}

/// What it means that the device shows this of a change in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// All is well, or nothing new.
    Nothing,
    /// It went before its time: people are told.
    Tell,
    /// It went before its time: it is made again, and people are told.
    Repair,
    /// It was lifted and is there: it is lifted again.
    LiftAgain,
}

/// What it means that the device shows this. Told once, when it goes: a look every half minute must
/// not be a mail every half minute.
#[must_use]
pub fn found(a: &ActionState, observed: &Observed, policy: &ContainmentPolicy, now: Timestamp) -> Found {
    let present = |o: &Observed| matches!(o, Observed::Present { .. });
    if a.ended.is_some() {
        return if present(observed) { Found::LiftAgain } else { Found::Nothing };
    }
    let before_its_time = a.in_force.is_some_and(|(_, until)| now.plus(DEVICE_CLOCK) < until);
    let was_there = a.observed.as_ref().is_some_and(|(_, o)| present(o));
    if !before_its_time || !was_there || present(observed) {
        return Found::Nothing;
    }
    // What cannot be undone is not made twice by a machine: half a reset, or a password that somebody
    // has set since, is for people to judge.
    if a.lasting {
        return Found::Tell;
    }
    // What differs was changed by somebody with a purpose; only what is gone is made again.
    match (policy.drift, observed) {
        (Drift::Repair, Observed::Absent) if a.repairs < REPAIRS => Found::Repair,
        (Drift::Repair | Drift::Tell, _) => Found::Tell,
    }
}

/// A change as a renewal asks for it.
#[must_use]
pub fn renewal_of(a: &ActionState, ttl: Span) -> Action {
    Action { ttl, before: None, ..a.permit.action().clone() }
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
