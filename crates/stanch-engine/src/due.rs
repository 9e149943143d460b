//! What time brings: rungs, expiries, leases, retries, ageing. Full scans over what is open, so that
//! nothing depends on a timer that might have been lost.

use std::collections::BTreeSet;

use stanch_core::contain::lease::{over, watched};
use stanch_core::journal::event::{AlertsClosed, Effect, Event, Settled};
use stanch_core::journal::state::Disposition;
use stanch_core::playbook::run::{being_reverted, being_verified};
use stanch_model::{Action, AlertId, EffectId, Failure, Span};

use crate::input::Outgoing;
use crate::turn::Turn;

/// Changes in force are looked at this often. Source: promise "drift is found within 60 s".
pub(crate) const LOOK_EVERY: Span = Span::secs(30);
/// A change permitted longer ago than this is looked for, not made, after a restart.
pub(crate) const STALE_CHANGE: Span = Span::mins(2);
/// In so many ticks every run is asked once whether it has something to do, whatever the agenda says:
/// a minute. Nothing depends on a timer that might have been lost.
const SWEPT_IN: usize = 600;
/// Runs asked so in one tick at least.
const SWEPT_AT_LEAST: usize = 4;
/// Alerts aged out in one turn.
const AGED_AT_ONCE: usize = 10_000;

impl Turn<'_> {
    /// Does what is due.
    pub(crate) fn due(&mut self) {
        for id in self.state.agenda.rungs_due(self.now) {
            self.escalate(id);
        }
        self.look_again();
        self.remind();
        self.expire_renewals();
        self.state.agenda.ring(self.now);
        let live = self.state.agenda.live_runs.len();
        self.state.agenda.sweep((live / SWEPT_IN).max(SWEPT_AT_LEAST));
        self.advance_runs();
        self.leases();
        self.show_in_chats();
    }

    /// Changes whose time is over are lifted; those in force are looked at, and those that stay for as
    /// long as they would have been held.
    fn leases(&mut self) {
        let mut ended: Vec<Action> = Vec::new();
        let mut look: Vec<Action> = Vec::new();
        for a in self.state.live_actions() {
            if over(a, self.now) {
                if !being_reverted(self.state, a.action.id) {
                    ended.push(a.action.clone());
                }
            } else if watched(a, self.now)
                && a.observed.as_ref().is_none_or(|(at, _)| self.now.since(*at) >= LOOK_EVERY)
                && !being_verified(self.state, a.action.id)
            {
                look.push(a.action.clone());
            }
        }
        for action in ended {
            self.intend(Effect::Revert { action });
        }
        for action in look {
            self.intend(Effect::Verify { action });
        }
    }

    /// Open alerts without a repeat for long enough are closed. Scans everything: called rarely.
    pub(crate) fn age_out(&mut self) {
        let limit = self.rules.config.triage.age_out;
        let old = |s: &stanch_core::journal::AlertSlot| {
            s.disposition == Disposition::Open
                && self.now.since(s.arrived) > limit
                && self.now.since(s.last) > limit
        };
        let alerts: Vec<AlertId> = (1u64..)
            .zip(&self.state.slots)
            .filter(|(_, s)| old(s))
            .take(AGED_AT_ONCE)
            .map(|(id, _)| AlertId(id))
            .collect();
        if !alerts.is_empty() {
            self.record(Event::AlertsClosed(AlertsClosed { alerts, why: format!("no repeat for {limit}") }));
        }
    }

    /// Intentions whose next try is due and that nobody is carrying out. While everything outward is
    /// stopped, no change is among them.
    pub(crate) fn retries(&mut self, in_flight: &BTreeSet<EffectId>) -> Vec<Outgoing> {
        let mut out = Vec::new();
        for id in self.state.agenda.tries_due(self.now) {
            let Some(p) = self.state.pending.get(&id).filter(|_| !in_flight.contains(&id)) else { continue };
            let stopped = match &p.what {
                Effect::Perform { action } | Effect::Capture { action } => self.is_stopped(*action),
                Effect::LookUp { .. }
                | Effect::Enrich { .. }
                | Effect::Fetch { .. }
                | Effect::Notify { .. }
                | Effect::Verify { .. }
                | Effect::Revert { .. } => false,
            };
            if stopped {
                self.state.agenda.tries.insert((self.now.plus(Span::secs(1)), id));
                continue;
            }
            out.push(Outgoing { id, what: p.what.clone() });
        }
        out
    }

    /// After a restart: a change that may have been made long ago is looked for, never made blindly.
    pub(crate) fn wake(&mut self) {
        self.lift_protected();
        let stale: Vec<(EffectId, Action)> = self
            .state
            .pending
            .iter()
            .filter_map(|(id, p)| match &p.what {
                Effect::Perform { action } => Some((*id, self.state.actions.get(action)?)),
                _ => None,
            })
            .filter(|(_, a)| self.now.since(a.permitted_at) > STALE_CHANGE)
            .map(|(id, a)| (id, a.action.clone()))
            .collect();
        for (effect, action) in stale {
            let failure = Some(Failure::unknown("stanch was stopped while the change was being made"));
            self.record(Event::Settled(Settled { effect, failure, retry_at: None, receipt: String::new() }));
            self.intend(Effect::Verify { action });
        }
    }
}
