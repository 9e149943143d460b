//! The state as the journal tells it. One thread reads and decodes while another folds: at a start with a
//! million alerts both are busy for seconds.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{Builder, scope};

use stanch_core::journal::{Event, State, decode};
use stanch_model::Timestamp;
use stanch_model::port::{Journal, JournalError};

use crate::engine::EngineError;

/// Bytes of entries decoded before they are handed over: small ones go together.
const BATCH: usize = 65_536;
/// Batches that may wait to be folded. One of a busy hour holds some megabytes when it is decoded.
const AHEAD: usize = 4;

/// Entries at the end that are asked how many alerts there are.
const LAST: u64 = 8;
/// Alerts that room is made for at most, whatever an entry says.
const ROOM: usize = 1 << 24;

/// Entries in the order of the journal.
type Batch = Vec<(u64, Timestamp, Event)>;

/// Folds a journal from its beginning.
///
/// # Errors
/// When it cannot be read, or holds an entry this program does not know.
pub fn recover(journal: &dyn Journal) -> Result<State, EngineError> {
    let mut state = State::default();
    state.make_room(alerts(journal)?);
    scope(|threads| {
        let (hand_over, batches) = sync_channel::<Batch>(AHEAD);
        let folded = &mut state;
        Builder::new().name("stanch-fold".into()).spawn_scoped(threads, move || {
            for (seq, at, event) in batches.into_iter().flatten() {
                folded.apply(seq, at, &event);
            }
        })?;
        read(journal, &hand_over)
    })?;
    state.learnt.restore();
    Ok(state)
}

/// How many alerts there are, as far as the last entries tell: room for them is then made once, and not by moving
/// everything time and again while it grows.
fn alerts(journal: &dyn Journal) -> Result<usize, EngineError> {
    let mut latest = 0;
    journal.replay(journal.head().seq.saturating_sub(LAST), &mut |entry| {
        // What cannot be read is told when it is folded.
        if let Ok(Event::Intake(e)) = decode(&entry) {
            latest = e.deliveries.iter().flat_map(|d| &d.new).map(|n| n.1.0).fold(latest, u64::max);
        }
        Ok(())
    })?;
    Ok(usize::try_from(latest).unwrap_or(0).min(ROOM))
}

fn read(journal: &dyn Journal, hand_over: &SyncSender<Batch>) -> Result<(), EngineError> {
    let (mut batch, mut bytes, mut odd) = (Batch::new(), 0, None);
    // It hangs up only when it has panicked, and then the scope does so too.
    let gone = |seq| JournalError::Broken { seq, why: "nobody folds it any more".into() };
    let read = journal.replay(0, &mut |entry| {
        let seq = entry.seq;
        match decode(&entry) {
            Ok(event) => batch.push((seq, entry.at, event)),
            Err(e) => {
                odd = Some(e);
                return Err(JournalError::Broken { seq, why: "see above".into() });
            }
        }
        bytes += entry.body.len();
        if bytes >= BATCH {
            bytes = 0;
            hand_over.send(std::mem::take(&mut batch)).map_err(|_| gone(seq))?;
        }
        Ok(())
    });
    match (read, odd) {
        (_, Some(odd)) => Err(odd.into()),
        (Err(e), None) => Err(e.into()),
        (Ok(()), None) => hand_over.send(batch).map_err(|_| gone(0).into()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
mod tests {
    use stanch_core::journal::encode;
    use stanch_core::journal::event::ByPerson;
    use stanch_model::IncidentId;
    use stanch_model::port::NewEntry;
    use stanch_store::MemoryJournal;

    use super::*;

    fn note(text: &str) -> NewEntry {
        let event = ByPerson { incident: IncidentId(1), by: "maria".into(), text: text.into() };
        encode(&Event::Noted(event), None)
    }

    #[test]
    fn entries_of_many_batches_are_folded_in_order_to_the_last() {
        let mut journal = MemoryJournal::default();
        for n in 0..200 {
            let (head, text) = (journal.head(), "x".repeat(n * 37 % 5_000));
            journal.append(Timestamp(head.seq as i64), &[note(&text), note("short")]).unwrap();
        }
        let state = recover(&journal).unwrap();
        assert_eq!((state.seq, state.at), (400, Timestamp(398)));
    }

    #[test]
    fn an_entry_of_another_program_is_told_by_its_number() {
        for before in [0, 30] {
            let mut journal = MemoryJournal::default();
            let text = "x".repeat(BATCH / 8);
            journal.append(Timestamp(1), &vec![note(&text); before]).unwrap();
            let foreign = NewEntry { kind: "from the future".into(), ..note("?") };
            journal.append(Timestamp(2), &[foreign, note("after")]).unwrap();
            let told = recover(&journal).unwrap_err().to_string();
            assert!(told.contains(&format!("entry {} (from the future)", before + 1)), "{told}");
        }
    }
}
