//! The outside ledger: what was sent, and what was acknowledged.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// One record that was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// The line as sent.
    pub(crate) line: String,
    /// To which source.
    pub(crate) source: &'static str,
    /// How often it was sent.
    pub(crate) tried: u64,
    /// How often that was acknowledged.
    pub(crate) acked: u64,
    /// It is well-formed: its bytes must be kept exactly, and it may not open two alerts.
    pub(crate) sound: bool,
}

/// All that was sent to one data directory, by marker.
#[derive(Default)]
pub(crate) struct Ledger {
    sent: Mutex<BTreeMap<String, Sent>>,
    acks: AtomicU64,
    dark: AtomicBool,
    late: AtomicU64,
}

impl Ledger {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Sent>> {
        self.sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Notes a batch before it is sent.
    pub(crate) fn trying(&self, batch: &[(String, Sent)]) {
        let mut sent = self.lock();
        for (marker, one) in batch {
            sent.entry(marker.clone()).or_insert_with(|| one.clone()).tried += 1;
        }
    }

    /// Notes that a batch was acknowledged; nothing is owed for it once the power is off.
    pub(crate) fn acked(&self, batch: &[(String, Sent)]) {
        let mut sent = self.lock();
        if self.dark.load(Ordering::Relaxed) {
            self.late.fetch_add(1, Ordering::Relaxed);
            return;
        }
        for (marker, _) in batch {
            if let Some(one) = sent.get_mut(marker) {
                one.acked += 1;
            }
        }
        self.acks.fetch_add(1, Ordering::Relaxed);
    }

    /// The power goes off (or comes back). A machine without power answers nobody, while this one
    /// does: a sync that the shutdown overtakes may report success, so its answer does not count.
    pub(crate) fn dark(&self, dark: bool) {
        let _no_ack_meanwhile = self.lock();
        self.dark.store(dark, Ordering::Relaxed);
    }

    /// Requests answered after the power was off, over all cuts.
    pub(crate) fn late(&self) -> u64 {
        self.late.load(Ordering::Relaxed)
    }

    /// Requests acknowledged so far.
    pub(crate) fn acks(&self) -> u64 {
        self.acks.load(Ordering::Relaxed)
    }

    /// Records acknowledged so far.
    pub(crate) fn records(&self) -> u64 {
        self.lock().values().map(|s| s.acked).sum()
    }

    /// A copy, to compare with what is on disk.
    pub(crate) fn copy(&self) -> BTreeMap<String, Sent> {
        self.lock().clone()
    }

    /// Strikes out what was found to be lost, so that it counts once.
    pub(crate) fn strike(&self, lost: &[String]) {
        let mut sent = self.lock();
        lost.iter().for_each(|marker| drop(sent.remove(marker)));
    }

    /// What was sent to a source and never acknowledged.
    pub(crate) fn open(&self) -> Vec<(String, Sent)> {
        self.lock().iter().filter(|(_, s)| s.acked == 0).map(|(m, s)| (m.clone(), s.clone())).collect()
    }
}
