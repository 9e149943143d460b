//! One turn: decisions become facts, facts change the state and wait to be written as one commit.
//!
//! Synchronous and free of IO: what it needs from disk it is handed as a function.

use stanch_core::config::Config;
use stanch_core::journal::event::{Effect, Event, RunEnd};
use stanch_core::journal::{State, encode};
use stanch_core::playbook::run::{self, World};
use stanch_model::port::NewEntry;
use stanch_model::{Alert, AlertId, EffectId, IncidentId, RunId, Timestamp};

use crate::input::Outgoing;
use crate::rules::Rules;
use crate::runs::Waiter;

/// Most events one run may produce in one turn: a playbook that wants more is stuck in a circle.
const RUN_STEPS: usize = 200;

/// Most runs that are asked in one turn: many may be due at once, after a stop for example, and neither
/// senders nor memory should bear them all in one commit. The rest is asked in the next turn, at once.
const RUNS_AT_ONCE: usize = 4_096;

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
    /// Runs that have answered their caller, or are over: whoever waits is told once it is written.
    pub(crate) told: Vec<RunId>,
    /// Who waits for the answer of a run that has begun in this turn.
    pub(crate) waiting: Vec<(RunId, Waiter)>,
    /// Runs asked so far.
    asked: usize,
}

impl<'a> Turn<'a> {
    /// A turn on a state whose journal ends at `head`.
    pub(crate) fn new(state: &'a mut State, rules: &'a Rules, now: Timestamp, head: u64) -> Turn<'a> {
        Turn {
            state,
            rules,
            now,
            seq: head + 1,
            entries: Vec::new(),
            outgoing: Vec::new(),
            told: Vec::new(),
            waiting: Vec::new(),
            asked: 0,
        }
    }

    /// Takes a fact: applies it and queues it for the commit. A notice to a chat whose messages can be
    /// changed is taken as what is said in each channel because of it.
    pub(crate) fn record(&mut self, event: Event) {
        if let Some(event) = self.said(event) {
            self.put(renumbered(event, self.state.next.effect));
        }
    }

    /// Takes a fact as it is.
    pub(crate) fn put(&mut self, event: Event) {
        self.state.apply(self.seq, self.now, &event);
        self.queue(event, None);
    }

    /// Queues a fact that has been applied piece by piece, with its bulk.
    pub(crate) fn queue(&mut self, event: Event, detail: Option<Vec<u8>>) {
        self.entries.push(encode(&event, detail));
        if let Event::Intended(i) = event {
            self.outgoing.push(Outgoing { id: i.effect, what: i.what });
        }
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
        self.rules.world(self.state, self.now, look)
    }

    /// Lets every run about which something was learnt go as far as it can.
    pub(crate) fn advance_runs(&mut self) {
        while self.asked < RUNS_AT_ONCE
            && let Some(id) = self.state.agenda.next_ready()
        {
            self.asked += 1;
            self.advance(id);
        }
    }

    /// True when runs were left for the next turn.
    pub(crate) fn more(&self) -> bool {
        self.asked >= RUNS_AT_ONCE && !self.state.agenda.ready.is_empty()
    }

    fn advance(&mut self, id: RunId) {
        for _ in 0..RUN_STEPS {
            let standing =
                self.world(|w| w.state.runs.get(&id).map(|r| run::standing(w, r)).unwrap_or_default());
            if standing.events.is_empty() {
                // Asked, and nothing to do: what it learnt by its own facts is dealt with.
                self.state.agenda.ready.remove(&id);
                self.state.agenda.wake(id, standing.wake());
                return;
            }
            self.take(standing.events);
        }
        tracing::error!(run = %id, "a run made no end of steps in one turn; it goes on in the next");
        self.state.agenda.wake(id, Some(self.now.plus(stanch_model::Span::secs(1))));
    }

    /// Takes what a run has decided.
    pub(crate) fn take(&mut self, events: Vec<Event>) {
        for event in events {
            let over = match &event {
                Event::RunEnded(e) => Some((e.run, e.end, e.why.clone())),
                _ => None,
            };
            let told = match &event {
                Event::RunEnded(e) => Some(e.run),
                Event::StepDone(e) if e.reply => Some(e.run),
                _ => None,
            };
            self.record(event);
            self.told.extend(told);
            match over {
                Some((run, RunEnd::Handed | RunEnd::Unwound, why)) => self.hand_over(run, &why),
                Some((_, RunEnd::Completed | RunEnd::Declined | RunEnd::Stopped, _)) | None => {}
            }
        }
    }

    /// A run that cannot go on by itself is in a person's hands only once that person is told.
    fn hand_over(&mut self, run: RunId, why: &str) {
        let Some(r) = self.state.runs.get(&run) else { return };
        // The run that called it deals with it, and is handed over itself where it cannot.
        if r.caller.is_some() {
            return;
        }
        let (playbook, before) = (r.name.clone(), r.resumed.len());
        let known = r.incident.and_then(|i| self.state.incidents.get(&self.state.head_of(i)));
        let team = known.and_then(|i| i.team.clone()).or_else(|| self.config().routes.team.clone());
        let Some(team) = team else { return };
        let (incident, about, read) = match known {
            Some(i) => (i.id, i.id.to_string(), format!("stanch story {}", i.id)),
            None => (IncidentId(0), run.to_string(), format!("stanch runs {run}")),
        };
        let subject = format!("{about}: playbook {playbook} needs a person");
        // Handed over once more is another message.
        let key = if before == 0 { format!("{run}-handed") } else { format!("{run}-handed-{before}") };
        let body = format!("{why}\n\nNothing more happens by itself.\nRead it:  {read}\n");
        self.tell(incident, &team, (subject, body, key), false);
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

/// An intention with a number that was given away meanwhile takes the next free one.
fn renumbered(mut event: Event, next: u64) -> Event {
    if let Event::Intended(i) = &mut event
        && i.effect.0 < next
    {
        i.effect = EffectId(next);
    }
    event
}
