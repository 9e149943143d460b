//! Waking people only for what is sure enough: off unless the owner wrote a budget.
//!
//! It fails open. Where the threshold is not earned, where drift has taken it back, and where too few were
//! judged below it to know that they are noise, every incident pages. And nothing is kept from people: a
//! doubtful incident stands in the queue at once, and pages after the budget's `wait` like any other,
//! unless somebody took it before.

use stanch_judge::bound::lower;
use stanch_model::{Severity, Timestamp};

use super::close::weighty;
use super::{beyond, count, points, risk, standing, thousandths};
use crate::Reason;
use crate::config::{Automatic, Budget};
use crate::journal::State;
use crate::journal::event::PageHeld;
use crate::journal::incident::{Incident, Status};

/// Why nobody is woken for this incident yet, and until when; `None` when somebody is.
#[must_use]
pub fn held(state: &State, budget: Option<&Budget>, i: &Incident, now: Timestamp) -> Option<PageHeld> {
    let budget = budget?;
    let until = i.opened_at.plus(budget.wait);
    // Rungs that were climbed go on; and what nobody would be woken for is not held either.
    if i.climb.rung > 0 || i.climb.next.is_none() || now >= until {
        return None;
    }
    if i.acknowledged_by.is_some() || i.status >= Status::Contained || i.merged_into.is_some() {
        return None;
    }
    if i.severity().rank() >= Severity::Critical.rank() || weighty(i).is_some() {
        return None;
    }
    let standing = standing(state, Automatic::Page, Some(budget));
    let height = standing.threshold.filter(|_| standing.allowed)?;
    let sure = i.confidence();
    if beyond(Automatic::Page, thousandths(sure), thousandths(height)) {
        return None;
    }
    let (n, mattered) = count(&points(state), |p| !beyond(Automatic::Page, p, thousandths(height)));
    // Nothing is held back for want of evidence: only where it was measured that most pages are for nothing.
    let wrong = lower(n - mattered, n, 1.0 - risk(budget));
    if wrong <= budget.budget {
        return None;
    }
    let why = format!(
        "{:.0} % sure, and people are woken at once from {:.0} % on; of {n} judged incidents below that, \
         {mattered} mattered: at least {:.1} % of such pages are for nothing, and the budget is {:.1} %",
        sure * 100.0,
        height * 100.0,
        wrong * 100.0,
        budget.budget * 100.0,
    );
    Some(PageHeld { incident: i.id, until, because: vec![Reason(why)] })
}
