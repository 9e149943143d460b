//! New, or a repeat of something known? Counted, never dropped.
//!
//! Repeats are recognised across time (the same rule on the same machines within a window) and
//! across tools (a relay of the same alert). A merge never lowers severity, and a higher severity
//! than any seen before opens anew, so that nobody can hide a serious alert behind a harmless one.

use stanch_model::{Alert, AlertId, AlertState, IncidentId, Span, Timestamp};

use crate::journal::event::{Key, MergeCause};
use crate::journal::incident::Status;
use crate::journal::state::{AlertSlot, Disposition, State};
use crate::stage::suppress::Quiet;

/// What became of a record, and why. Decided for every record that comes in, so the reasons are words
/// that are there already: nothing is put together that nobody may ever read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dedup {
    /// Not seen before, or not to be counted on what was.
    New {
        /// Why.
        because: &'static str,
    },
    /// Counted on a known alert.
    Merge {
        /// Which.
        into: AlertId,
        /// Why.
        cause: MergeCause,
    },
}

/// Event times further ahead of our own clock than this are taken as ours: a sender whose clock is
/// wrong (or lying) must not be able to push the window away.
pub const MAX_AHEAD: Span = Span::mins(5);

/// The event time to compare with.
#[must_use]
pub fn sane_time(claimed: Timestamp, now: Timestamp) -> Timestamp {
    claimed.min(now.plus(MAX_AHEAD))
}

/// A claim nobody looks at any more must not swallow its repeats: it was closed, its incident was
/// resolved, or the silence that hid it has ended.
fn over(state: &State, slot: &AlertSlot, quiet: &[Quiet]) -> bool {
    match slot.disposition {
        Disposition::Open => false,
        Disposition::Closed => true,
        Disposition::Suppressed => !quiet.iter().any(|q| q.name == state.cause(slot.link)),
        Disposition::InIncident => {
            let head = state.head_of(IncidentId(u64::from(slot.link)));
            state.incidents.get(&head).is_some_and(|i| i.status == Status::Resolved)
        }
    }
}

/// Decides whether a record is new. `print` is the fingerprint of this very delivery and `source`
/// the index of its source, if it has spoken before; `window` and the silences in force bound what
/// may be merged.
#[must_use]
pub fn dedup(
    state: &State,
    alert: &Alert,
    key: Key,
    print: u64,
    source: Option<u16>,
    (window, quiet): (Span, &[Quiet]),
    now: Timestamp,
) -> Dedup {
    let Some(known) = state.seen.get(key) else {
        return Dedup::New { because: "never seen before" };
    };
    let Some(slot) = state.slot(known.alert) else {
        return Dedup::New { because: "never seen before" };
    };
    let merge = |cause: MergeCause| Dedup::Merge { into: known.alert, cause };
    if known.delivery == print {
        return merge(MergeCause::Redelivery);
    }
    if alert.state == AlertState::Resolved {
        return merge(MergeCause::Resolution);
    }
    if known.resolved || over(state, slot, quiet) {
        return Dedup::New { because: "it was over, and has begun again" };
    }
    let time = sane_time(alert.time, now);
    let away = if time > slot.last { time.since(slot.last) } else { slot.first.since(time) };
    if away > window {
        return Dedup::New { because: "last seen longer ago than the window" };
    }
    if alert.severity.rank() > slot.severity.rank() {
        return Dedup::New { because: "more severe than it ever was" };
    }
    merge(if source == Some(slot.source) { MergeCause::Repeat } else { MergeCause::Relay })
}
