//! What happens, as it happens: the journal's new entries, summed up for everybody who watches.
//!
//! One task looks at the journal while anybody listens and sums up what came in one *beat*; all
//! listeners share it. A beat says which things changed, never what they are now: whoever cares asks
//! the API. The journal's own sequence numbers are the ids, so that a listener who was away asks for
//! what it missed and the journal answers. Whoever reads too slowly, or was away too long, is told to
//! look at everything again: nothing is kept for anybody.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use stanch_core::journal::State;
use stanch_engine::Engine;
use stanch_model::IncidentId;
use stanch_model::port::{Entry, JournalError, JournalReader};
use stanch_store::{SqliteJournal, SqliteReader};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, watch};

use crate::api::v1::types::ChangeView;
use crate::problem::Problem;

/// How often the journal is looked at while somebody listens.
const BEAT: Duration = Duration::from_millis(100);
/// Entries summed up at most; beyond that everything counts as changed.
pub(crate) const ENTRIES: usize = 1_000;
/// Names listed of each kind; beyond that everything counts as changed.
const NAMES: usize = 100;
/// Beats that wait for a slow listener, for all listeners together.
const WAITING: usize = 128;
/// Listeners at once.
const LISTENERS: usize = 512;

/// What happened between two looks at the journal.
#[derive(Clone, Debug)]
pub(crate) struct Beat {
    /// The last entry it covers.
    pub(crate) seq: u64,
    /// As JSON.
    pub(crate) text: Arc<str>,
}

/// Looks at the journal for everybody.
pub(crate) struct Pulse {
    beats: broadcast::Sender<Beat>,
    room: Arc<Semaphore>,
    closed: watch::Sender<bool>,
    engine: Engine,
    data_dir: PathBuf,
}

/// One listener's end of it.
pub(crate) struct Listener {
    pub(crate) beats: broadcast::Receiver<Beat>,
    pub(crate) closed: watch::Receiver<bool>,
    _room: OwnedSemaphorePermit,
}

impl Pulse {
    /// Starts the task; it ends with [`Pulse::close`].
    pub(crate) fn start(engine: Engine, data_dir: PathBuf) -> Arc<Pulse> {
        let pulse = Arc::new(Pulse {
            beats: broadcast::Sender::new(WAITING),
            room: Arc::new(Semaphore::new(LISTENERS)),
            closed: watch::Sender::new(false),
            engine,
            data_dir,
        });
        // Where it stands is read here: the task may begin only after the first listener has come.
        tokio::spawn(watch_over(pulse.clone(), pulse.head()));
        pulse
    }

    /// Ends the task and every listener: a stop must not wait for them.
    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
    }

    /// The last entry there is.
    pub(crate) fn head(&self) -> u64 {
        self.engine.read(|s| s.seq)
    }

    /// Listens from now on.
    ///
    /// # Errors
    /// When too many do already.
    pub(crate) fn listen(&self) -> Result<Listener, Problem> {
        let room = self.room.clone().try_acquire_owned();
        let room = room.map_err(|_| Problem::busy(format!("{LISTENERS} listeners are connected already")))?;
        Ok(Listener { beats: self.beats.subscribe(), closed: self.closed.subscribe(), _room: room })
    }

    /// What happened after an entry, as one beat; none when that is too long ago. Blocks.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(crate) fn since(&self, after: u64) -> Result<Option<Beat>, JournalError> {
        let entries = SqliteJournal::open_read_only(&self.data_dir)?.entries(after, ENTRIES + 1)?;
        Ok((entries.len() <= ENTRIES).then(|| self.beat(after, &entries)))
    }

    fn beat(&self, after: u64, entries: &[Entry]) -> Beat {
        let seq = entries.last().map_or(after, |e| e.seq);
        let view = self.engine.read(|s| summed_up(s, seq, entries));
        Beat { seq, text: serde_json::to_string(&view).unwrap_or_default().into() }
    }
}

async fn watch_over(pulse: Arc<Pulse>, mut last: u64) {
    let mut closed = pulse.closed.subscribe();
    let mut every = tokio::time::interval(BEAT);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut reader: Option<SqliteReader> = None;
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = closed.wait_for(|c| *c) => return,
        }
        let head = pulse.head();
        if pulse.beats.receiver_count() == 0 {
            (last, reader) = (head, None);
            continue;
        }
        if head == last {
            continue;
        }
        let (from, own) = (last, pulse.clone());
        let looked = tokio::task::spawn_blocking(move || look(&own, reader, from)).await;
        reader = None;
        match looked {
            Ok(Ok((used, beat))) => {
                reader = Some(used);
                last = beat.seq.max(from);
                // Nobody left to hear it: the next look starts from here all the same.
                let _ = pulse.beats.send(beat);
            }
            Ok(Err(e)) => tracing::warn!(error = %e, "the journal could not be read for those who watch"),
            Err(e) => tracing::warn!(error = %e, "a bug ended a look at the journal"),
        }
    }
}

fn look(
    pulse: &Pulse,
    reader: Option<SqliteReader>,
    from: u64,
) -> Result<(SqliteReader, Beat), JournalError> {
    let mut reader = match reader {
        Some(reader) => reader,
        None => SqliteJournal::open_read_only(&pulse.data_dir)?,
    };
    let entries = reader.entries(from, ENTRIES)?;
    let beat = pulse.beat(from, &entries);
    Ok((reader, beat))
}

/// Which incident an entry is about, as far as its stream tells.
fn incident_of(s: &State, stream: &str) -> Option<IncidentId> {
    let by_name = stream.parse().ok();
    let of_approval = || Some(s.approvals.get(&stream.parse().ok()?)?.approval.incident);
    let of_action = || Some(s.actions.get(&stream.parse().ok()?)?.action.incident);
    let of_run = || s.runs.get(&stream.parse().ok()?)?.incident;
    by_name.or_else(of_approval).or_else(of_action).or_else(of_run)
}

fn summed_up(s: &State, seq: u64, entries: &[Entry]) -> ChangeView {
    let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
    let mut names: BTreeSet<String> = BTreeSet::new();
    for e in entries {
        *kinds.entry(e.kind.clone()).or_default() += 1;
        if let Some(incident) = incident_of(s, &e.stream) {
            // A part is seen on the page of the incident it is a part of.
            names.insert(s.head_of(incident).to_string());
            names.insert(incident.to_string());
        }
    }
    let many = names.len() > NAMES;
    let incidents = if many { Vec::new() } else { names.into_iter().collect() };
    ChangeView { seq, kinds, incidents, many }
}

#[cfg(test)]
mod tests {
    use stanch_model::Timestamp;

    use super::*;

    fn entry(seq: u64, stream: &str, kind: &str) -> Entry {
        Entry { seq, at: Timestamp(0), stream: stream.into(), kind: kind.into(), body: Vec::new() }
    }

    #[test]
    fn a_beat_names_incidents_and_counts_kinds_and_nothing_else() {
        let entries = [entry(4, "INC-2", "noted"), entry(5, "INC-2", "noted"), entry(6, "intake", "intake")];
        let view = summed_up(&State::default(), 6, &entries);
        assert_eq!(view.incidents, ["INC-2"]);
        assert_eq!(view.kinds.into_iter().collect::<Vec<_>>(), [("intake".into(), 1), ("noted".into(), 2)]);
        assert!(!view.many);
    }

    #[test]
    fn too_many_names_count_as_everything() {
        let entries: Vec<Entry> =
            (1..=150).map(|n| entry(n, &format!("INC-{n}"), "incident_opened")).collect();
        let view = summed_up(&State::default(), 150, &entries);
        assert!(view.many && view.incidents.is_empty());
    }
}
