//! `records DIR`: every record of a journal with its bytes and its place, for the crash harness.
//!
//! The harness compares these lines with its own ledger of acknowledgements. The first line says
//! whether the chain holds and gives the conservation ledger of the fold.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::json;
use stanch_core::journal::detail::IntakeDetail;
use stanch_core::journal::event::{Delivered, Event};
use stanch_core::journal::{State, decode};
use stanch_model::port::JournalReader;
use stanch_store::SqliteJournal;

/// Entries read at a time.
const PAGE: usize = 256;

/// Prints the records of the journal in a data directory.
pub(crate) fn run(words: &[String]) -> Result<()> {
    let [dir] = words else { bail!("records DIR") };
    let mut reader = SqliteJournal::open_read_only(Path::new(dir)).context("the journal cannot be opened")?;
    let verified = reader.verify(&mut |_| ()).map(|head| head.seq).map_err(|e| e.to_string());
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut lines = Vec::new();
    let mut state = State::default();
    let mut after = 0;
    loop {
        let entries = reader.entries(after, PAGE)?;
        let Some(last) = entries.last() else { break };
        after = last.seq;
        for entry in &entries {
            let event = decode(entry)?;
            state.apply(entry.seq, entry.at, &event);
            if let Event::Intake(intake) = &event {
                let detail = reader.detail(entry.seq)?.context("an intake entry without its bytes")?;
                let detail = IntakeDetail::decode(&detail).context("bytes that do not follow the layout")?;
                for (n, d) in intake.deliveries.iter().enumerate() {
                    list(entry.seq, n, d, &detail, &mut lines);
                }
            }
        }
    }
    let head = match &verified {
        Ok(seq) => json!({ "verified": true, "head": seq, "ledger": state.ledger() }),
        Err(why) => json!({ "verified": false, "why": why, "ledger": state.ledger() }),
    };
    writeln!(out, "{head}")?;
    for line in lines {
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    Ok(())
}

/// One line for each record of a delivery; a record in no list or in two shows as such.
fn list(seq: u64, n: usize, d: &Delivered, detail: &IntakeDetail, lines: &mut Vec<String>) {
    let mut places: Vec<Vec<String>> = vec![Vec::new(); d.n as usize];
    let mut put = |record: u32, place: String| {
        if let Some(p) = places.get_mut(record as usize) {
            p.push(place);
        }
    };
    d.new.iter().for_each(|a| put(a.0, format!("new {}", a.1)));
    d.merged.iter().for_each(|m| put(m.0, format!("merged {}", m.1)));
    d.flows.iter().for_each(|f| put(f.0, "context".to_owned()));
    d.context.iter().for_each(|c| put(c.0, "context".to_owned()));
    d.quarantined.iter().for_each(|q| put(q.0, "quarantined".to_owned()));
    for (record, places) in places.into_iter().enumerate() {
        let raw = detail.raw(n, record).map(String::from_utf8_lossy);
        let line = json!({
            "entry": seq, "delivery": n, "record": record, "source": d.source, "places": places, "raw": raw,
        });
        lines.push(line.to_string());
    }
}
