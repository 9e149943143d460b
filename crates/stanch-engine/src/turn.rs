//! One turn: decisions become facts, facts change the state and wait to be written as one commit.
//!
//! Synchronous and free of IO: what it needs from disk it is handed as a function.

use std::net::IpAddr;

use stanch_core::config::Config;
use stanch_core::journal::event::{Effect, Event, RunEnd};
use stanch_core::journal::{State, encode};
use stanch_core::playbook::run::{self, World};
use stanch_model::port::NewEntry;
use stanch_model::{Alert, AlertId, EffectId, Fact, IncidentId, RunId, Timestamp};

use crate::input::Outgoing;
use crate::rules::Rules;

/// Most events one run may produce in one turn: a playbook that wants more is stuck in a circle.
const RUN_STEPS: usize = 200;

/// Reads an alert back from the journal's details.
pub(crate) type Fetch<'a> = &'a mut dyn FnMut(&State, AlertId) -> Option<Alert>;

/// One turn.
pub(crate) struct Turn<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) rules: &'a Rules,
    pub(crate) now: Timestamp,
    /// Sequence number that the next entry will get.
    pub(crate) seq: u64,
    /// To be written.
    pub(crate) entries: Vec<NewEntry>,
    /// To be carried out once it is written.
    pub(crate) outgoing: Vec<Outgoing>,
}

impl<'a> Turn<'a> {
    /// A turn on a state whose journal ends at `head`.
    pub(crate) fn new(state: &'a mut State, rules: &'a Rules, now: Timestamp, head: u64) -> Turn<'a> {
        Turn { state, rules, now, seq: head + 1, entries: Vec::new(), outgoing: Vec::new() }
    }

    /// Takes a fact: applies it and queues it for the commit.
    pub(crate) fn record(&mut self, event: Event) {
        self.state.apply(self.seq, self.now, &event);
        self.queue(event, None);
    }

    /// Queues a fact that has been applied piece by piece, with its bulk.
    pub(crate) fn queue(&mut self, event: Event, detail: Option<Vec<u8>>) {
        if let Event::Intended(i) = &event {
            self.outgoing.push(Outgoing { id: i.effect, what: i.what.clone() });
        }
        self.entries.push(encode(&event, detail));
        self.seq += 1;
        self.state.seq = self.seq - 1;
        self.state.at = self.now;
    }

    /// Queues an intention.
    pub(crate) fn intend(&mut self, what: Effect) -> EffectId {
        let mut next = self.state.next.effect;
        let id = EffectId(next);
        self.record(run::intended(&mut next, what));
        id
    }

    pub(crate) fn config(&self) -> &'a Config {
        &self.rules.config
    }

    /// Looks at the world as playbooks and the guard see it.
    pub(crate) fn world<T>(&self, look: impl FnOnce(World<'_>) -> T) -> T {
        let look_up = |site: &str, address: IpAddr| -> Vec<Fact> { self.rules.about_address(site, address) };
        look(World {
            state: self.state,
            config: &self.rules.config,
            discovered: &self.rules.discovered,
            look_up: &look_up,
            simulated: &|responder| self.rules.responders.get(responder).copied().unwrap_or(false),
            mode: self.rules.mode,
            kill_switch: self.state.kill_switch,
            now: self.now,
        })
    }

    /// Lets every run go as far as it can.
    pub(crate) fn advance_runs(&mut self) {
        let live: Vec<RunId> = self.state.runs.values().filter(|r| r.ended.is_none()).map(|r| r.id).collect();
        for id in live {
            self.advance(id);
        }
    }

    fn advance(&mut self, id: RunId) {
        for _ in 0..RUN_STEPS {
            let events =
                self.world(|w| w.state.runs.get(&id).map(|r| run::advance(w, r)).unwrap_or_default());
            if events.is_empty() {
                return;
            }
            for event in events {
                let handed = match &event {
                    Event::RunEnded(e) if e.end == RunEnd::Handed => Some((e.run, e.why.clone())),
                    _ => None,
                };
                self.record(event);
                if let Some((run, why)) = handed {
                    self.hand_over(run, &why);
                }
            }
        }
        tracing::error!(run = %id, "a run made no end of steps in one turn; it goes on in the next");
    }

    /// A run that cannot go on by itself is in a person's hands only once that person is told.
    fn hand_over(&mut self, run: RunId, why: &str) {
        let Some(r) = self.state.runs.get(&run) else { return };
        let (incident, playbook) = (r.incident, r.name.clone());
        let Some(team) = self.state.incidents.get(&incident).and_then(|i| i.team.clone()) else { return };
        let subject = format!("{incident}: playbook {playbook} needs a person");
        let body = format!("{why}\n\nNothing more happens by itself.\nRead it:  stanch story {incident}\n");
        self.tell(incident, &team, (subject, body, format!("{run}-handed")), false);
    }

    /// Tells a team about an incident.
    pub(crate) fn tell(
        &mut self,
        incident: IncidentId,
        team: &str,
        text: (String, String, String),
        noc: bool,
    ) {
        let mut next = self.state.next.effect;
        let urgency = match self.state.incidents.get(&incident).map(|i| i.severity().rank()) {
            Some(5..) => stanch_model::Urgency::Critical,
            Some(3..) => stanch_model::Urgency::Warning,
            _ => stanch_model::Urgency::Information,
        };
        if let Some(event) = self.world(|w| run::tell(w, &mut next, incident, team, text, urgency, noc)) {
            self.record(event);
        }
    }
}
