//! Asks a language model about an incident: within the budget of the day, with a record of each question.
//!
//! The record (`assistant.jsonl` in the data folder) is written and synced before anything leaves: who asked, about
//! what, how it was labelled, and digests of what was sent and what came back. Texts are not kept. The journal
//! is not touched: what a model says is no fact.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use stanch_connectors::assistant::Assistant;
use stanch_core::assist::{self, Assisted, Brief, NotAssisted};
use stanch_core::config::AssistantConfig;
use stanch_model::{IncidentId, Timestamp};

use crate::swap::Swap;

/// The record of questions, in the data folder.
const FILE: &str = "assistant.jsonl";
/// Answers kept in memory, so that a page that is opened again costs nothing.
const KEPT: usize = 200;

/// What can be asked, and what was.
pub(crate) struct Assist {
    file: PathBuf,
    model: Swap<Option<Arc<Assistant>>>,
    day: Mutex<(String, u32)>,
    kept: Mutex<BTreeMap<IncidentId, (String, Assisted)>>,
}

/// One question.
pub(crate) struct Question<'a> {
    pub(crate) policy: &'a AssistantConfig,
    pub(crate) brief: &'a Brief,
    pub(crate) by: &'a str,
    pub(crate) now: Timestamp,
}

impl Assist {
    /// Counts what was asked today already.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub(crate) fn open(data: &Path, now: Timestamp, model: Option<Arc<Assistant>>) -> Result<Assist, String> {
        let file = data.join(FILE);
        let today = day(now);
        let asked = match std::fs::File::open(&file) {
            Ok(record) => {
                let lines = std::io::BufReader::new(record).lines().map_while(Result::ok);
                let of_today = |l: &String| {
                    serde_json::from_str::<Value>(l).is_ok_and(|v| {
                        v["what"] == "asked" && v["at"].as_str().is_some_and(|at| at.starts_with(&today))
                    })
                };
                lines.filter(of_today).count()
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => 0,
            Err(e) => return Err(format!("{} cannot be read: {e}", file.display())),
        };
        let asked = u32::try_from(asked).unwrap_or(u32::MAX);
        Ok(Assist { file, model: Swap::new(model), day: Mutex::new((today, asked)), kept: Mutex::default() })
    }

    /// Another model, after a reload; what the one before said is forgotten.
    pub(crate) fn swap(&self, model: Option<Arc<Assistant>>) {
        self.model.set(model);
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Questions asked today.
    pub(crate) fn asked(&self, now: Timestamp) -> u32 {
        let day_now = day(now);
        let held = self.day.lock().unwrap_or_else(PoisonError::into_inner);
        if held.0 == day_now { held.1 } else { 0 }
    }

    /// Asks, or gives what was answered to the very same question before.
    ///
    /// # Errors
    /// Why there is nothing to show. The story stands without it.
    pub(crate) async fn ask(&self, q: &Question<'_>) -> Result<Assisted, NotAssisted> {
        let question = assist::request(q.brief, &q.policy.model);
        let sent = digest(question.to_string().as_bytes());
        let incident = q.brief.incident;
        if let Some((of, kept)) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&incident)
            && *of == sent
        {
            return Ok(kept.clone());
        }
        let Some(model) = (*self.model.now()).clone() else {
            return Err(NotAssisted::NoAnswer(
                "it is not ready; see the warnings of stanch check".to_owned(),
            ));
        };
        self.spend(q, &sent)?;
        let (read, answer) = match model.ask(&question).await {
            Ok(content) => (assist::read(q.brief, &content), digest(content.as_bytes())),
            Err(failure) => (Err(NotAssisted::NoAnswer(failure.to_string())), String::new()),
        };
        let outcome = match &read {
            Ok(a) => json!({
                "what": "answered", "at": q.now.to_string(), "incident": incident.to_string(), "sent": sent,
                "answer": answer, "kept": a.said.len() + a.look_at.len() + a.next.len(), "dropped": a.dropped,
            }),
            Err(why) => json!({
                "what": "failed", "at": q.now.to_string(), "incident": incident.to_string(), "sent": sent,
                "answer": answer, "why": why.to_string(),
            }),
        };
        if let Err(why) = self.write(&outcome) {
            tracing::warn!(why, "the record of the assistant");
        }
        if let Ok(a) = &read {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= KEPT {
                kept.pop_first();
            }
            kept.insert(incident, (sent, a.clone()));
        }
        read
    }

    /// Takes one question off the budget and writes it down, before it leaves.
    fn spend(&self, q: &Question<'_>, sent: &str) -> Result<(), NotAssisted> {
        let mut held = self.day.lock().unwrap_or_else(PoisonError::into_inner);
        let today = day(q.now);
        if held.0 != today {
            *held = (today, 0);
        }
        if held.1 >= q.policy.per_day {
            return Err(NotAssisted::Budget(q.policy.per_day));
        }
        let asked = json!({
            "what": "asked", "at": q.now.to_string(), "by": q.by, "incident": q.brief.incident.to_string(),
            "model": q.policy.model, "endpoint": q.policy.endpoint, "tlp": q.brief.label.0, "sent": sent,
        });
        // What cannot be written down does not leave.
        self.write(&asked).map_err(NotAssisted::NoAnswer)?;
        held.1 += 1;
        Ok(())
    }

    fn write(&self, line: &Value) -> Result<(), String> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let failed = |e: std::io::Error| format!("the record of questions cannot be written: {e}");
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&self.file)
            .map_err(failed)?;
        file.write_all(format!("{line}\n").as_bytes()).and_then(|()| file.sync_data()).map_err(failed)
    }
}

/// The day of a time, UTC.
fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
