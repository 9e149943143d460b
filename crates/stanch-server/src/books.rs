//! Where answers come from: the running engine, or a journal that was read once. Looks only.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use stanch_core::Config;
use stanch_core::config::Protected;
use stanch_core::journal::detail::IntakeDetail;
use stanch_core::journal::{AlertSlot, Event, State, decode};
use stanch_core::playbook::run::WaitsFor;
use stanch_model::port::{JournalError, JournalReader};
use stanch_model::{Alert, AlertId, RunId, Timestamp};
use stanch_store::{SqliteJournal, SqliteReader};

use crate::audit::Audit;
use crate::intake::Doors;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::offline::Offline;

/// Where answers come from.
#[derive(Clone)]
pub(crate) enum Books {
    Live(Arc<Live>),
    Offline(Arc<Offline>),
}

/// Where the bytes of an alert lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) id: AlertId,
    pub(crate) seq: u64,
    ordinal: u32,
    delivery: u32,
    record: u32,
}

impl Place {
    pub(crate) fn of(id: AlertId, slot: &AlertSlot) -> Place {
        Place { id, seq: slot.seq, ordinal: slot.ordinal, delivery: slot.delivery, record: slot.record }
    }
}

impl Books {
    /// Looks at the state; keep it short, the engine waits meanwhile.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        match self {
            Books::Live(live) => live.engine.read(look),
            Books::Offline(offline) => look(&offline.state),
        }
    }

    /// The time: ours, or that of the last entry when nothing runs.
    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Books::Live(live) => (live.now)(),
            Books::Offline(offline) => offline.state.at,
        }
    }

    /// The configuration in force, where known.
    pub(crate) fn config(&self) -> Option<Arc<Config>> {
        match self {
            Books::Live(live) => Some(live.engine.rules().config.clone()),
            Books::Offline(offline) => offline.config.clone(),
        }
    }

    /// The configuration folder, where something runs.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match self {
            Books::Live(live) => Some(&live.config_dir),
            Books::Offline(_) => None,
        }
    }

    /// Addresses never to be touched, found by ourselves.
    pub(crate) fn discovered(&self) -> Vec<Protected> {
        match self {
            Books::Live(live) => live.engine.rules().discovered.clone(),
            Books::Offline(_) => Vec::new(),
        }
    }

    /// Addresses that no new change may cut off now: from which those who act are connected, and where the
    /// names lead that we depend on.
    pub(crate) fn lately(&self) -> Vec<Protected> {
        match self {
            Books::Live(live) => {
                let rules = live.engine.rules();
                rules.connected.now().iter().chain(rules.resolved.now().iter()).cloned().collect()
            }
            Books::Offline(_) => Vec::new(),
        }
    }

    /// The sources as intake sees them.
    pub(crate) fn doors(&self) -> Option<Arc<Doors>> {
        match self {
            Books::Live(live) => Some(live.intake.doors()),
            Books::Offline(_) => None,
        }
    }

    /// True when changes on this device are only pretended, as far as is known.
    pub(crate) fn simulated(&self, responder: &str) -> bool {
        match self {
            Books::Live(live) => live.engine.rules().responders.get(responder).copied().unwrap_or(false),
            Books::Offline(_) => false,
        }
    }

    /// True when a notifier is at work: it could be made, and somebody is told by it.
    pub(crate) fn tells(&self, notifier: &str) -> bool {
        match self {
            Books::Live(live) => live.engine.tells(notifier),
            Books::Offline(_) => false,
        }
    }

    /// How the connection of a notifier stands, if it keeps one.
    pub(crate) fn link(&self, notifier: &str) -> Option<crate::chat::links::Standing> {
        match self {
            Books::Live(live) => live.links.standing(notifier),
            Books::Offline(_) => None,
        }
    }

    /// What a run waits for, where it runs.
    pub(crate) fn waits(&self, run: RunId) -> Vec<WaitsFor> {
        match self {
            Books::Live(live) => live.engine.waits(run),
            Books::Offline(_) => Vec::new(),
        }
    }

    /// What intake counts.
    pub(crate) fn metrics(&self) -> Option<&Metrics> {
        match self {
            Books::Live(live) => Some(&live.intake.metrics),
            Books::Offline(_) => None,
        }
    }

    /// Where the journal lies.
    pub(crate) fn data_dir(&self) -> &Path {
        match self {
            Books::Live(live) => &live.data_dir,
            Books::Offline(offline) => &offline.data_dir,
        }
    }

    /// The key in use and the last checkpoint, where somebody signs.
    pub(crate) fn audit(&self) -> Option<&Arc<Audit>> {
        match self {
            Books::Live(live) => Some(&live.audit),
            Books::Offline(_) => None,
        }
    }

    /// A connection of its own, so that a long look holds nobody up. Blocks.
    pub(crate) fn journal(&self) -> Result<SqliteReader, JournalError> {
        SqliteJournal::open_read_only(self.data_dir())
    }

    /// Normalised alerts from disk; each entry is read once. Blocks.
    pub(crate) fn alerts(&self, places: &[Place]) -> Result<BTreeMap<AlertId, Alert>, JournalError> {
        let mut reader = self.journal()?;
        let mut found = BTreeMap::new();
        let mut held: Option<(u64, IntakeDetail)> = None;
        for place in places {
            if held.as_ref().is_none_or(|(seq, _)| *seq != place.seq) {
                held = detail(&mut reader, place.seq)?.map(|d| (place.seq, d));
            }
            let alert = held.as_ref().and_then(|(_, d)| d.alert(place.ordinal as usize));
            found.extend(alert.map(|a| (place.id, a)));
        }
        Ok(found)
    }

    /// Normalised alerts with their bytes as received, in this order; each entry is read once while its
    /// alerts stand together. Blocks.
    pub(crate) fn evidence(&self, places: &[Place]) -> Result<Vec<(AlertId, Alert, Vec<u8>)>, JournalError> {
        let mut reader = self.journal()?;
        let mut found = Vec::new();
        let mut held: Option<(u64, IntakeDetail)> = None;
        for place in places {
            if held.as_ref().is_none_or(|(seq, _)| *seq != place.seq) {
                held = detail(&mut reader, place.seq)?.map(|d| (place.seq, d));
            }
            let Some((_, d)) = &held else { continue };
            let raw = d.raw(place.delivery as usize, place.record as usize).unwrap_or_default().to_vec();
            found.extend(d.alert(place.ordinal as usize).map(|alert| (place.id, alert, raw)));
        }
        Ok(found)
    }

    /// One alert and its bytes as received. Blocks.
    pub(crate) fn alert(&self, place: Place) -> Result<Option<(Alert, Vec<u8>)>, JournalError> {
        let Some(detail) = detail(&mut self.journal()?, place.seq)? else { return Ok(None) };
        let raw = detail.raw(place.delivery as usize, place.record as usize).unwrap_or_default().to_vec();
        Ok(detail.alert(place.ordinal as usize).map(|alert| (alert, raw)))
    }

    /// The bytes of any record. Blocks.
    pub(crate) fn record(
        &self,
        seq: u64,
        delivery: u32,
        record: u32,
    ) -> Result<Option<Vec<u8>>, JournalError> {
        let detail = detail(&mut self.journal()?, seq)?;
        Ok(detail.and_then(|d| d.raw(delivery as usize, record as usize).map(<[u8]>::to_vec)))
    }

    /// Why an alert was judged as it was: the reasons stored beside its verdict. Blocks.
    pub(crate) fn reasons(&self, place: Place) -> Result<Vec<String>, JournalError> {
        let mut reader = self.journal()?;
        // The verdict follows its intake in the same commit, a few entries on at most.
        for entry in reader.entries(place.seq, 8)?.iter().filter(|e| e.kind == "assessed") {
            let Ok(Event::Assessed(assessed)) = decode(entry) else { continue };
            let Some(n) = assessed.items.iter().position(|i| i.0 == place.id) else { continue };
            let all =
                reader.detail(entry.seq)?.and_then(|d| serde_json::from_slice::<Vec<Vec<String>>>(&d).ok());
            return Ok(all.and_then(|all| all.into_iter().nth(n)).unwrap_or_default());
        }
        Ok(Vec::new())
    }
}

fn detail(reader: &mut SqliteReader, seq: u64) -> Result<Option<IntakeDetail>, JournalError> {
    Ok(reader.detail(seq)?.and_then(|bytes| IntakeDetail::decode(&bytes)))
}
