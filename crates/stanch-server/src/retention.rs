//! Taking away what has been kept for long enough: each hour, and when an administrator asks.
//!
//! What is due is decided by `stanch_core::retention`, carried out by the engine in small commits, so that nothing that
//! comes in has to wait for long. What happened is in the journal: how much, why and on whose order.

use std::sync::Arc;
use std::time::Duration;

use stanch_core::config::Role;
use stanch_core::retention::{Class, Retention, class_of};
use stanch_engine::Command;
use stanch_engine::command::Who;
use stanch_model::Timestamp;
use stanch_model::port::{JournalError, JournalReader as _};

use crate::books::Books;
use crate::live::Live;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(3_600);
/// Details looked at in one step, and bytes taken away in one commit, about.
const STEP: usize = 500;
const BYTES: u64 = 8 << 20;

/// What was taken away, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) details: u64,
    pub(crate) bytes: u64,
    /// Old enough, and kept for an open incident or a change in force.
    pub(crate) needed: u64,
}

/// One step.
#[derive(Debug, Default)]
struct Batch {
    ranges: Vec<(u64, u64)>,
    report: Report,
    /// Where the next one goes on; none: that was all.
    after: Option<u64>,
}

impl Batch {
    fn take(&mut self, seq: u64, bytes: u64) {
        match self.ranges.last_mut().filter(|r| r.1 + 1 == seq) {
            Some(range) => range.1 = seq,
            None => self.ranges.push((seq, seq)),
        }
        self.report.details += 1;
        self.report.bytes += bytes;
    }
}

/// What is due after an entry. Blocks.
fn look(books: &Books, policy: &Retention, now: Timestamp, after: u64) -> Result<Batch, JournalError> {
    let mut batch = Batch::default();
    let Some(before) = policy.before(now) else { return Ok(batch) };
    let mut reader = books.journal()?;
    let there = reader.details_before(before, after, STEP)?;
    batch.after = there.last().map(|(seq, _)| *seq).filter(|_| there.len() == STEP);
    for (seq, bytes) in there {
        let Some(entry) = reader.entries(seq - 1, 1)?.pop() else { continue };
        let (due, class) = books.read(|s| (policy.due(s, &entry, now), class_of(s, &entry)));
        if due {
            batch.take(seq, bytes);
        } else if class == Some(Class::Needed) {
            batch.report.needed += 1;
        }
        if batch.report.bytes >= BYTES {
            batch.after = Some(seq);
            break;
        }
    }
    Ok(batch)
}

/// Takes away what is due, or says what would be.
///
/// # Errors
/// In words.
pub(crate) async fn pass(live: &Arc<Live>, by: &str, dry_run: bool) -> Result<Report, String> {
    let policy = live.engine.rules().config.server.retention;
    let (now, mut report, mut after) = ((live.now)(), Report::default(), 0);
    loop {
        let books = Books::Live(live.clone());
        let looked = tokio::task::spawn_blocking(move || look(&books, &policy, now, after)).await;
        let batch = looked.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
        let Report { details, bytes, needed } = batch.report;
        if !dry_run && details > 0 {
            let who =
                Who { name: by.to_owned(), role: Role::Admin, teams: std::collections::BTreeSet::new() };
            let command =
                Command::Erase { details: batch.ranges, n: details, bytes, why: "retention".into(), who };
            live.engine.command(command).await.map_err(|e| e.to_string())?;
        }
        report.details += details;
        report.bytes += bytes;
        report.needed += needed;
        match batch.after {
            Some(next) => after = next,
            None => return Ok(report),
        }
    }
}

/// Keeps at it.
pub(crate) async fn keep(live: Arc<Live>) {
    loop {
        tokio::time::sleep(EVERY).await;
        if !live.engine.rules().config.server.retention.any() {
            continue;
        }
        match pass(&live, "retention", false).await {
            Ok(r) if r.details > 0 => {
                tracing::info!(details = r.details, bytes = r.bytes, "details were taken away by retention");
            }
            Ok(_) => {}
            Err(error) => tracing::error!(error, "retention could not be carried out"),
        }
    }
}
