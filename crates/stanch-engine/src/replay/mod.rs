//! The time machine: what was recorded, led once more through the same stages by other rules.
//!
//! [`replay`] reads a journal and takes its deliveries in again, in their order and at their times,
//! with the answers that look-ups gave then and with what people did then. It runs in a shadow: no
//! permit can be made, nobody is told, nothing is written. Two replays of one journal, by the rules
//! in force and by others, differ only in what the rules differ in: [`compare`] says in what.
//!
//! The same journal and the same rules give the same digest, whatever the machine does meanwhile:
//! there is one thread, and the only clock is the journal's.

mod compare;
mod past;
mod stream;

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use stanch_core::contain::Mode;
use stanch_core::journal::detail::IntakeDetail;
use stanch_core::journal::event::{ByPerson, Effect, Event};
use stanch_core::journal::incident::Status;
use stanch_core::journal::state::Disposition;
use stanch_core::journal::{State, decode};
use stanch_core::stage::health::OWN_SOURCE;
use stanch_model::port::{Entry, JournalError, JournalReader, NewEntry, Record};
use stanch_model::{Alert, AlertId, Failure, IncidentId, Observable, ObservableKind, Span, Timestamp};

pub use compare::{Change, Difference, Gate, Summary, Wish, compare};
pub use past::{Origin, Past};
pub use stream::Stream;

use crate::again;
use crate::engine::EngineError;
use crate::input::{Answer, Outcome, Received};
use crate::rules::Rules;
use crate::turn::Turn;

/// Entries read at a time.
const PAGE: usize = 512;
/// The clock is looked at this often while nothing comes in.
const STEP: Span = Span::mins(1);
/// In longer gaps it is looked at this many times at most.
const STEPS: i64 = 2_000;
/// Open alerts are looked through for age this often.
const AGE_EVERY: Span = Span::hours(1);
/// Look-ups are answered in rounds; more rounds than this come from a circle.
const ROUNDS: usize = 64;

/// Takes a body apart: source, bytes, time of arrival.
pub type Parse<'a> = &'a mut dyn FnMut(&str, &[u8], Timestamp) -> Vec<Record>;

/// Somebody would have been told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// About which incident of the replay.
    pub incident: IncidentId,
    /// To whom, as configured.
    pub to: Vec<String>,
    /// The first line.
    pub subject: String,
    /// True when it would have woken somebody.
    pub page: bool,
}

/// What a replay came to.
pub struct Replayed {
    /// The fold at its end.
    pub state: State,
    /// Where each alert came from; the alert with id 1 is first.
    pub origins: Vec<Origin>,
    /// Who would have been told, in order.
    pub told: Vec<Told>,
    /// Times of the first and the last delivery.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Records taken in.
    pub records: u64,
    /// Look-ups that were not made then, and so have no answer now.
    pub unanswered: u64,
    /// SHA-256 over every fact of the replay, in hexadecimal.
    pub digest: String,
}

/// Leads a journal through the stages again.
///
/// # Errors
/// When the journal cannot be read, or holds something this program cannot read.
pub fn replay(
    reader: &mut dyn JournalReader,
    rules: &Rules,
    parse: Parse<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<Replayed, EngineError> {
    let past = Past::read(reader)?;
    let mut rules = rules.clone();
    rules.mode = Mode::Shadow;
    let mut machine = Machine {
        rules: &rules,
        past: &past,
        original: State::default(),
        made: Replayed {
            state: State::default(),
            origins: Vec::new(),
            told: Vec::new(),
            span: None,
            records: 0,
            unanswered: 0,
            digest: String::new(),
        },
        by_origin: BTreeMap::new(),
        hash: Sha256::new(),
        head: 0,
        now: None,
        aged: Timestamp(i64::MIN),
    };
    let mut after = 0;
    loop {
        let entries = reader.entries(after, PAGE)?;
        let Some(last) = entries.last() else { break };
        after = last.seq;
        for entry in &entries {
            machine.entry(entry, reader, &mut *parse)?;
        }
        progress(after);
    }
    let digest = machine.hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    Ok(Replayed { digest, ..machine.made })
}

struct Machine<'a> {
    rules: &'a Rules,
    past: &'a Past,
    /// The recorded history as it was, folded alongside, so that what people did then finds its
    /// incident here.
    original: State,
    made: Replayed,
    by_origin: BTreeMap<Origin, AlertId>,
    hash: Sha256,
    head: u64,
    now: Option<Timestamp>,
    aged: Timestamp,
}

impl Machine<'_> {
    fn entry(
        &mut self,
        entry: &Entry,
        reader: &mut dyn JournalReader,
        parse: Parse<'_>,
    ) -> Result<(), EngineError> {
        let event = decode(entry)?;
        self.pass(entry.at);
        match &event {
            Event::Intake(intake) => {
                let bulk = reader.detail(entry.seq)?.and_then(|bytes| IntakeDetail::decode(&bytes));
                let Some(bulk) = bulk else {
                    let why = "the bytes as received are not there".to_owned();
                    return Err(JournalError::Broken { seq: entry.seq, why }.into());
                };
                let mut received = Vec::new();
                for (d, raw) in intake.deliveries.iter().zip(bulk.deliveries) {
                    let arrived = if d.arrived == Timestamp(0) { entry.at } else { d.arrived };
                    // A second try at something that was read at once this time.
                    let done = d.retry_of.is_some_and(|q| !self.made.state.quarantine.contains_key(&q));
                    let records = match d.source.as_str() {
                        _ if done => Vec::new(),
                        // What was raised about the sources then is taken in as it was.
                        OWN_SOURCE => crate::health::read(&raw.body),
                        source => parse(source, &raw.body, arrived),
                    };
                    self.made.records += records.len() as u64;
                    received.push((
                        Received {
                            source: d.source.clone(),
                            site: d.site.clone(),
                            body: raw.body,
                            records,
                            retry_of: d.retry_of.filter(|_| !done),
                        },
                        arrived,
                    ));
                }
                self.receive(entry, received);
            }
            other => self.person(entry.at, other),
        }
        self.original.apply(entry.seq, entry.at, &event);
        Ok(())
    }

    /// Takes the deliveries of one recorded entry in, and answers what is asked about them.
    fn receive(&mut self, entry: &Entry, received: Vec<(Received, Timestamp)>) {
        let first = self.made.span.map_or(entry.at, |(first, _)| first);
        self.made.span = Some((first, entry.at));
        let known = self.made.state.slots.len();
        let mut turn = Turn::new(&mut self.made.state, self.rules, entry.at, self.head);
        drop(turn.receive(received));
        let (entries, outgoing) = (turn.entries, turn.outgoing);
        for (n, slot) in self.made.state.slots.iter().enumerate().skip(known) {
            let origin = Origin { entry: entry.seq, delivery: slot.delivery, record: slot.record };
            self.made.origins.push(origin);
            self.by_origin.insert(origin, AlertId(n as u64 + 1));
        }
        let detail = entries.first().and_then(|e| e.detail.as_deref()).and_then(IntakeDetail::decode);
        self.keep(entry.at, &entries);
        let outgoing = outgoing.into_iter().map(|o| (o.id, o.what)).collect();
        self.settle(entry.at, outgoing, &mut |state, alert| {
            let slot = state.slot(alert)?;
            detail.as_ref()?.alert(slot.ordinal as usize)
        });
    }

    /// Counts the facts of a turn.
    fn keep(&mut self, at: Timestamp, entries: &[NewEntry]) {
        for e in entries {
            self.hash.update(at.0.to_be_bytes());
            for part in [e.kind.as_bytes(), &e.body] {
                self.hash.update((part.len() as u64).to_be_bytes());
                self.hash.update(part);
            }
        }
        self.head += entries.len() as u64;
    }

    /// Lets every intention come out as it did then, or as if nobody were there.
    fn settle(
        &mut self,
        at: Timestamp,
        mut todo: Vec<(stanch_model::EffectId, Effect)>,
        fetch: &mut dyn FnMut(&State, AlertId) -> Option<Alert>,
    ) {
        for _ in 0..ROUNDS {
            if todo.is_empty() {
                return;
            }
            let answered: Vec<_> = todo.into_iter().map(|(id, what)| (id, self.outcome(at, &what))).collect();
            let mut turn = Turn::new(&mut self.made.state, self.rules, at, self.head);
            for (id, outcome) in answered {
                turn.settle(id, outcome, fetch);
            }
            let (entries, outgoing) = (turn.entries, turn.outgoing);
            self.keep(at, &entries);
            todo = outgoing.into_iter().map(|o| (o.id, o.what)).collect();
        }
    }

    fn outcome(&mut self, at: Timestamp, what: &Effect) -> Outcome {
        match what {
            Effect::LookUp { alert, about, .. } => {
                let origin = self.made.origins.get(alert.0.saturating_sub(1) as usize);
                match origin.and_then(|o| self.past.answers.get(o)) {
                    Some(answers) => Outcome::Looked(answers.clone()),
                    None => {
                        self.made.unanswered += 1;
                        let nothing = Observable::new(ObservableKind::Ip, String::new());
                        Outcome::Looked(vec![Answer {
                            provider: "replay".into(),
                            about: about.first().cloned().unwrap_or(nothing),
                            outcome: Err(Failure::permanent("this was not looked up at the time")),
                            took: Span::ZERO,
                        }])
                    }
                }
            }
            Effect::Enrich { .. } => Outcome::Looked(Vec::new()),
            Effect::Fetch { .. } => {
                Outcome::Fetched(Err(Failure::permanent("this call was not made at the time")))
            }
            Effect::Capture { .. } => Outcome::Captured(Ok(None)),
            Effect::Notify { notice, .. } => {
                self.made.told.push(Told {
                    at,
                    incident: notice.incident,
                    to: notice.to.clone(),
                    subject: notice.subject.clone(),
                    page: notice.urgency == stanch_model::Urgency::Critical,
                });
                Outcome::Told(Ok("replayed: nobody was told".into()))
            }
            // No permit can be made in a shadow; should one be there all the same, nothing is done.
            Effect::Perform { .. } | Effect::Verify { .. } | Effect::Revert { .. } => {
                Outcome::Changed(Err(Failure::permanent("a replay changes nothing")))
            }
        }
    }

    /// Time passes until `to`.
    fn pass(&mut self, to: Timestamp) {
        let Some(from) = self.now.replace(to) else { return };
        let gap = to.since(from);
        if gap <= Span::ZERO {
            return;
        }
        let step = Span((gap.0 / STEPS).max(STEP.0));
        let mut at = from;
        while at < to {
            at = at.plus(step).min(to);
            let waiting = again::is_due(&self.made.state, at)
                || self.made.state.runs.values().any(|r| r.ended.is_none())
                || self
                    .made
                    .state
                    .incidents
                    .values()
                    .any(|i| i.status < Status::Resolved && i.climb.next.is_some());
            let age = at.since(self.aged) >= AGE_EVERY;
            if !waiting && !age {
                continue;
            }
            let mut turn = Turn::new(&mut self.made.state, self.rules, at, self.head);
            if waiting {
                turn.due();
            }
            if age {
                turn.age_out();
                self.aged = at;
            }
            let (entries, outgoing) = (turn.entries, turn.outgoing);
            self.keep(at, &entries);
            let todo = outgoing.into_iter().map(|o| (o.id, o.what)).collect();
            self.settle(at, todo, &mut |_, _| None);
        }
    }

    /// What a person did then is done again, to the incident that holds the same alerts now.
    fn person(&mut self, at: Timestamp, event: &Event) {
        let again = match event {
            Event::Acknowledged(p) => self.same(p).map(Event::Acknowledged),
            Event::Resolved(p) => self.same(p).map(Event::Resolved),
            Event::Judged(j) => self.here(j.incident, true).map(|incident| {
                Event::Judged(stanch_core::journal::opinion::Judged { incident, ..j.clone() })
            }),
            Event::SilenceSet(s) => Some(Event::SilenceSet(s.clone())),
            Event::SilenceEnded(s) => Some(Event::SilenceEnded(s.clone())),
            _ => None,
        };
        let Some(event) = again else { return };
        let mut turn = Turn::new(&mut self.made.state, self.rules, at, self.head);
        turn.record(event);
        turn.grow();
        turn.advance_runs();
        let (entries, outgoing) = (turn.entries, turn.outgoing);
        self.keep(at, &entries);
        let todo = outgoing.into_iter().map(|o| (o.id, o.what)).collect();
        self.settle(at, todo, &mut |_, _| None);
    }

    fn same(&self, then: &ByPerson) -> Option<ByPerson> {
        let incident = self.here(then.incident, false)?;
        Some(ByPerson { incident, by: then.by.clone(), text: then.text.clone() })
    }

    /// The incident that holds the first alert of a recorded one; with `over`, also when it is resolved.
    fn here(&self, then: IncidentId, over: bool) -> Option<IncidentId> {
        let incident = self.original.incidents.get(&then)?;
        let here = incident.alerts.iter().find_map(|joined| {
            let slot = self.original.slot(joined.alert)?;
            let origin = Origin { entry: slot.seq, delivery: slot.delivery, record: slot.record };
            let slot = self.made.state.slot(*self.by_origin.get(&origin)?)?;
            (slot.disposition == Disposition::InIncident)
                .then(|| self.made.state.head_of(IncidentId(u64::from(slot.link))))
        })?;
        let open = self.made.state.incidents.get(&here).is_some_and(|i| i.status < Status::Resolved);
        (open || over).then_some(here)
    }
}
