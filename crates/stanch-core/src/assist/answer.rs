//! What of an answer may be shown.

use std::collections::BTreeMap;

use serde::Deserialize;
use stanch_model::AlertId;

use super::brief::Brief;
use super::{Assisted, Dropped, NotAssisted, Said, clean, left_out};
use crate::story::CITED;

/// Sentences kept of each part: told, to look at, next.
const MOST: [usize; 3] = [12, 5, 5];
/// The longest answer that is read, in bytes.
const LONGEST: usize = 64 * 1024;
/// Sentences looked at in each part; more are not worth the time.
const LOOKED_AT: usize = 100;

/// The form that was asked for. What else a model adds (a severity, a status, a tool call) is not read:
/// there is no field for it.
#[derive(Deserialize)]
struct Form {
    #[serde(default)]
    said: Vec<Sentence>,
    #[serde(default)]
    look_at: Vec<Sentence>,
    #[serde(default)]
    next: Vec<Sentence>,
}

#[derive(Deserialize)]
struct Sentence {
    #[serde(default)]
    text: String,
    #[serde(default)]
    alerts: Vec<String>,
}

/// Reads the content of an answer.
///
/// # Errors
/// When it is not the JSON that was asked for, or nothing of it could be kept.
pub fn read(brief: &Brief, content: &str) -> Result<Assisted, NotAssisted> {
    let content = bare(content);
    // A list would do for a struct otherwise.
    if content.len() > LONGEST || !content.starts_with('{') {
        return Err(NotAssisted::Form);
    }
    let form: Form = serde_json::from_str(content).map_err(|_| NotAssisted::Form)?;
    let mut dropped = BTreeMap::new();
    let [said, look_at, next] = [form.said, form.look_at, form.next];
    let said = keep(brief, said, MOST[0], &mut dropped);
    let look_at = keep(brief, look_at, MOST[1], &mut dropped);
    let next = keep(brief, next, MOST[2], &mut dropped);
    let kept = Assisted { said, look_at, next, dropped };
    if kept.is_empty() {
        let why = left_out(&kept.dropped);
        return Err(NotAssisted::NothingKept(if why.is_empty() { "it was empty".to_owned() } else { why }));
    }
    Ok(kept)
}

/// Small models like to fence their JSON.
fn bare(content: &str) -> &str {
    let content = content.trim();
    let inner = content.strip_prefix("```json").or_else(|| content.strip_prefix("```"));
    inner.and_then(|c| c.strip_suffix("```")).map_or(content, str::trim)
}

fn keep(brief: &Brief, all: Vec<Sentence>, most: usize, dropped: &mut BTreeMap<Dropped, u32>) -> Vec<Said> {
    let mut kept = Vec::new();
    for sentence in all.into_iter().take(LOOKED_AT) {
        match one(brief, &sentence) {
            Ok(said) if kept.len() < most => kept.push(said),
            Ok(_) => *dropped.entry(Dropped::TooMany).or_default() += 1,
            Err(why) => *dropped.entry(why).or_default() += 1,
        }
    }
    kept
}

fn one(brief: &Brief, sentence: &Sentence) -> Result<Said, Dropped> {
    if sentence.alerts.is_empty() {
        return Err(Dropped::NoCitation);
    }
    let mut alerts = Vec::new();
    for cited in &sentence.alerts {
        // Exactly as sent: one that is not known spoils the sentence.
        let known = brief.known.iter().find(|k| k.to_string() == *cited).ok_or(Dropped::Unknown)?;
        if !alerts.contains(known) {
            alerts.push(*known);
        }
    }
    alerts.sort_unstable();
    alerts.truncate(CITED);
    let text = clean::sentence(brief, &sentence.text)?;
    Ok(Said { text, alerts: alerts.into_iter().collect::<Vec<AlertId>>() })
}
