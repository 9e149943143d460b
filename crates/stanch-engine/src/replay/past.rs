//! What a journal knows of its own past: where each alert came from, and what look-ups answered.

use std::collections::BTreeMap;

use stanch_core::journal::decode;
use stanch_core::journal::event::Event;
use stanch_model::port::JournalReader;
use stanch_model::{AlertId, Span};

use crate::engine::EngineError;
use crate::input::Answer;

/// Entries read at a time.
const PAGE: usize = 1_024;

/// Facts of these are computed again from the journal and not taken from the record.
const COMPUTED: &[&str] = &["history", "flows"];

/// A record as it lies in the journal: the same in every replay, whatever the alert is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// Journal entry.
    pub entry: u64,
    /// Delivery within it, from 0.
    pub delivery: u32,
    /// Record within that, from 0.
    pub record: u32,
}

/// What look-ups answered then.
#[derive(Debug, Default)]
pub struct Past {
    /// By the record whose alert was looked up.
    pub(super) answers: BTreeMap<Origin, Vec<Answer>>,
}

impl Past {
    /// Reads it all once.
    ///
    /// # Errors
    /// When the journal cannot be read, or holds something this program cannot read.
    pub fn read(reader: &mut dyn JournalReader) -> Result<Past, EngineError> {
        let mut past = Past::default();
        let mut origins: BTreeMap<AlertId, Origin> = BTreeMap::new();
        let mut after = 0;
        loop {
            let entries = reader.entries(after, PAGE)?;
            let Some(last) = entries.last() else { return Ok(past) };
            after = last.seq;
            for entry in &entries {
                match decode(entry)? {
                    Event::Intake(intake) => {
                        for (n, d) in intake.deliveries.iter().enumerate() {
                            for new in &d.new {
                                let origin = Origin { entry: entry.seq, delivery: n as u32, record: new.0 };
                                origins.insert(new.1, origin);
                            }
                        }
                    }
                    Event::Enriched(e) => {
                        let Some(origin) = origins.remove(&e.alert) else { continue };
                        let mut answers: Vec<Answer> = Vec::new();
                        for fact in e.facts.into_iter().filter(|f| !COMPUTED.contains(&f.provider.as_str())) {
                            let (provider, about) = (fact.provider.clone(), fact.about.clone());
                            answers.push(Answer {
                                provider,
                                about,
                                outcome: Ok(vec![fact]),
                                took: Span::ZERO,
                            });
                        }
                        answers.extend(e.missing.into_iter().map(|m| Answer {
                            provider: m.provider,
                            about: m.about,
                            outcome: Err(m.failure),
                            took: Span::ZERO,
                        }));
                        past.answers.insert(origin, answers);
                    }
                    _ => {}
                }
            }
        }
    }
}
