//! What is on disk against what was acknowledged.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::ledger::Sent;
use super::{Target, control};

/// What is wrong after one crash.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Acknowledged, and not there.
    pub(crate) lost: u64,
    /// There more often than it was sent, or as two alerts.
    pub(crate) doubled: u64,
    /// Not as it was sent, in no place or in two, or the chain or the ledger does not hold.
    pub(crate) corrupt: u64,
    /// Markers of what was lost.
    pub(crate) gone: Vec<String>,
    /// The same in words, with examples.
    pub(crate) words: Vec<String>,
}

impl Seen {
    fn note(&mut self, which: fn(&mut Seen) -> &mut u64, words: String) {
        *which(self) += 1;
        if self.words.len() < 3 {
            self.words.push(words);
        }
    }
}

/// One record found on disk.
pub(crate) struct Found {
    pub(crate) places: Vec<String>,
    pub(crate) raw: String,
    pub(crate) source: String,
}

/// Compares a data directory with the outside ledger. Nothing may be running on it.
pub(crate) fn check(target: &Target, data: &Path, sent: &BTreeMap<String, Sent>) -> Result<Seen> {
    let mut seen = Seen::default();
    let found = match &target.reader {
        None => control::records(data)?,
        Some(_) if !data.join("journal.db").exists() && sent.values().all(|s| s.acked == 0) => {
            return Ok(seen);
        }
        Some(reader) => journal(reader, data, &mut seen)?,
    };
    let mut by_marker: BTreeMap<&str, Vec<&Found>> = BTreeMap::new();
    for one in &found {
        let markers: Vec<&str> = markers(&one.raw).collect();
        if markers.len() != 1 || one.places.len() != 1 {
            let words = format!("{markers:?} is in the places {:?}", one.places);
            seen.note(|s| &mut s.corrupt, words);
        }
        markers.into_iter().for_each(|m| by_marker.entry(m).or_default().push(one));
    }
    for (marker, s) in sent {
        compare(marker, s, by_marker.remove(marker.as_str()).unwrap_or_default(), &mut seen);
    }
    for (marker, _) in by_marker {
        seen.note(|s| &mut s.corrupt, format!("{marker} was never sent"));
    }
    Ok(seen)
}

fn compare(marker: &str, s: &Sent, there: Vec<&Found>, seen: &mut Seen) {
    let times = there.len() as u64;
    if times < s.acked {
        seen.gone.push(marker.to_owned());
        seen.note(|s| &mut s.lost, format!("{marker} acknowledged {} times, there {times} times", s.acked));
    }
    if times > s.tried {
        seen.note(|s| &mut s.doubled, format!("{marker} sent {} times, there {times} times", s.tried));
    }
    if there.iter().flat_map(|f| &f.places).filter(|p| p.starts_with("new")).count() > 1 {
        seen.note(|s| &mut s.doubled, format!("{marker} opened two alerts"));
    }
    for f in there {
        let same = if s.sound { f.raw == s.line } else { f.raw.contains(&s.line) };
        let place = f.places.first().map_or("", String::as_str);
        let fits = if s.sound {
            place.starts_with("new") || place.starts_with("merged")
        } else {
            place == "quarantined"
        };
        if !same || !fits || f.source != s.source {
            seen.note(|s| &mut s.corrupt, format!("{marker} is not as sent: {place}, {}", f.raw));
        }
    }
}

fn markers(raw: &str) -> impl Iterator<Item = &str> {
    raw.match_indices("marker-").filter_map(|(at, _)| raw.get(at..at + 15))
}

/// Asks the reader for every record, and looks at the chain and the conservation ledger.
fn journal(reader: &Path, data: &Path, seen: &mut Seen) -> Result<Vec<Found>> {
    let out = Command::new(reader).arg("records").arg(data).output().context("the reader cannot be run")?;
    if !out.status.success() {
        bail!("{}", String::from_utf8_lossy(&out.stderr).trim());
    }
    let text = String::from_utf8(out.stdout)?;
    let mut lines = text.lines();
    let head: Value = serde_json::from_str(lines.next().context("the reader says nothing")?)?;
    if head["verified"] != true {
        seen.note(|s| &mut s.corrupt, format!("the chain does not hold: {}", head["why"]));
    }
    let found = lines.map(found).collect::<Result<Vec<Found>>>()?;
    let received = head["ledger"]["received"].as_u64();
    if head["ledger"]["balanced"] != true || received != Some(found.len() as u64) {
        seen.note(|s| &mut s.corrupt, format!("the ledger does not hold: {}", head["ledger"]));
    }
    Ok(found)
}

fn found(line: &str) -> Result<Found> {
    let v: Value = serde_json::from_str(line)?;
    let places = v["places"].as_array().into_iter().flatten().filter_map(Value::as_str);
    Ok(Found {
        places: places.map(str::to_owned).collect(),
        raw: v["raw"].as_str().unwrap_or_default().to_owned(),
        source: v["source"].as_str().unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(acked: u64, tried: u64, there: &[(&str, &str)]) -> (u64, u64, u64) {
        let line = r#"{"marker":"marker-00000001"}"#.to_owned();
        let sent = Sent { line, source: "a", tried, acked, sound: true };
        let there: Vec<Found> = there
            .iter()
            .map(|(place, raw)| Found {
                places: vec![(*place).to_owned()],
                raw: (*raw).to_owned(),
                source: "a".into(),
            })
            .collect();
        let mut seen = Seen::default();
        compare("marker-00000001", &sent, there.iter().collect(), &mut seen);
        (seen.lost, seen.doubled, seen.corrupt)
    }

    #[test]
    fn each_kind_of_damage_is_told_from_the_others() {
        let raw = r#"{"marker":"marker-00000001"}"#;
        assert_eq!(verdict(1, 1, &[("new A-1", raw)]), (0, 0, 0));
        assert_eq!(verdict(0, 1, &[]), (0, 0, 0), "what was not acknowledged may be missing");
        assert_eq!(verdict(1, 2, &[("new A-1", raw), ("merged A-1", raw)]), (0, 0, 0), "sent again");
        assert_eq!(verdict(1, 1, &[]), (1, 0, 0));
        assert_eq!(verdict(1, 1, &[("new A-1", raw), ("merged A-1", raw)]), (0, 1, 0));
        assert_eq!(verdict(1, 2, &[("new A-1", raw), ("new A-2", raw)]), (0, 1, 0));
        assert_eq!(verdict(1, 1, &[("new A-1", "{marker-00000001}")]), (0, 0, 1));
        assert_eq!(verdict(1, 1, &[("quarantined", raw)]), (0, 0, 1));
        assert_eq!(markers("x marker-00000001, marker-00000002").count(), 2);
    }
}
