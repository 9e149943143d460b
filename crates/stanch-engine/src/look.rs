//! Questions about what is on disk: alerts, bytes as received, reasons.

use stanch_core::journal::decode;
use stanch_core::journal::detail::IntakeDetail;
use stanch_core::journal::event::Event;
use stanch_model::port::{Entry, Head, JournalError, JournalReader};
use stanch_model::{Alert, AlertId, Timestamp};

use crate::engine::{Engine, Shared};

impl Engine {
    /// An alert and its bytes as received, from disk.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn alert(&self, id: AlertId) -> Result<Option<(Alert, Vec<u8>)>, JournalError> {
        let place = self.read(|s| s.slot(id).map(|a| (a.seq, a.ordinal, a.delivery, a.record)));
        let Some((seq, ordinal, delivery, record)) = place else { return Ok(None) };
        let Some(detail) = self.detail(seq)? else { return Ok(None) };
        let raw = detail.raw(delivery as usize, record as usize).unwrap_or_default().to_vec();
        Ok(detail.alert(ordinal as usize).map(|a| (a, raw)))
    }

    /// The bytes of a quarantined record, with its source's name.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn quarantined(&self, id: u64) -> Result<Option<(String, Vec<u8>)>, JournalError> {
        let place = self.read(|s| {
            let q = s.quarantine.get(&id)?;
            let source = s.sources.get(usize::from(q.source))?.name.clone();
            Some((source, q.seq, q.delivery as usize, q.record as usize))
        });
        let Some((source, seq, delivery, record)) = place else { return Ok(None) };
        Ok(self.detail(seq)?.and_then(|d| d.raw(delivery, record).map(|raw| (source, raw.to_vec()))))
    }

    /// Every record counted on an alert after the first, with its source, time and cause. Reads the
    /// whole journal: for people, not for the hot path.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn occurrences(&self, id: AlertId) -> Result<Vec<Occurrence>, JournalError> {
        let mut reader = self.journal()?;
        let (mut after, mut found) = (self.read(|s| s.slot(id).map_or(u64::MAX, |a| a.seq - 1)), Vec::new());
        loop {
            let entries = reader.entries(after, 256)?;
            let Some(last) = entries.last() else { return Ok(found) };
            after = last.seq;
            for e in entries.iter().filter(|e| e.kind == "intake") {
                let Ok(Event::Intake(intake)) = decode(e) else { continue };
                for (n, d) in intake.deliveries.iter().enumerate() {
                    found.extend(d.merged.iter().filter(|m| m.1 == id).map(|m| Occurrence {
                        entry: e.seq,
                        delivery: n as u32,
                        record: m.0,
                        source: d.source.clone(),
                        time: m.2,
                        cause: m.3.words(),
                    }));
                }
            }
        }
    }

    /// The bytes of any record.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn record(&self, entry: u64, delivery: u32, record: u32) -> Result<Option<Vec<u8>>, JournalError> {
        let detail = self.detail(entry)?;
        Ok(detail.and_then(|d| d.raw(delivery as usize, record as usize).map(<[u8]>::to_vec)))
    }

    fn detail(&self, seq: u64) -> Result<Option<IntakeDetail>, JournalError> {
        let mut reader = self.shared.reader.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(reader.detail(seq)?.and_then(|bytes| IntakeDetail::decode(&bytes)))
    }

    /// A reader over the journal itself.
    ///
    /// # Errors
    /// Currently none; kept because a reader may have to be opened one day.
    pub fn journal(&self) -> Result<SharedReader, JournalError> {
        Ok(SharedReader(self.shared.clone()))
    }

    /// Why an alert was judged as it was: the reasons stored beside its verdict.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn reasons(&self, id: AlertId) -> Result<Vec<String>, JournalError> {
        let Some(seq) = self.read(|s| s.slot(id).map(|a| a.seq)) else { return Ok(Vec::new()) };
        let mut reader = self.journal()?;
        // The verdict follows its intake in the same commit, a few entries on at most.
        for entry in reader.entries(seq, 8)?.iter().filter(|e| e.kind == "assessed") {
            let Ok(Event::Assessed(a)) = decode(entry) else { continue };
            if let Some(n) = a.items.iter().position(|i| i.0 == id) {
                let all = reader
                    .detail(entry.seq)?
                    .and_then(|d| serde_json::from_slice::<Vec<Vec<String>>>(&d).ok());
                return Ok(all
                    .and_then(|mut all| (n < all.len()).then(|| all.swap_remove(n)))
                    .unwrap_or_default());
            }
        }
        Ok(Vec::new())
    }
}

/// One record counted on an alert after the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The journal entry that holds it.
    pub entry: u64,
    /// Its delivery within the entry.
    pub delivery: u32,
    /// Its record within the delivery.
    pub record: u32,
    /// From which source.
    pub source: String,
    /// When it happened.
    pub time: Timestamp,
    /// Why it was merged.
    pub cause: &'static str,
}

/// The engine's reader of the journal, one look at a time.
pub struct SharedReader(std::sync::Arc<Shared>);

impl SharedReader {
    fn with<T>(&self, look: impl FnOnce(&mut dyn JournalReader) -> T) -> T {
        let mut reader = self.0.reader.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        look(reader.as_mut())
    }
}

impl JournalReader for SharedReader {
    fn detail(&mut self, seq: u64) -> Result<Option<Vec<u8>>, JournalError> {
        self.with(|r| r.detail(seq))
    }

    fn entries(&mut self, after: u64, limit: usize) -> Result<Vec<Entry>, JournalError> {
        self.with(|r| r.entries(after, limit))
    }

    fn verify(&mut self, progress: &mut dyn FnMut(u64)) -> Result<Head, JournalError> {
        self.with(|r| r.verify(progress))
    }
}
