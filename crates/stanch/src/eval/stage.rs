//! Rows of `stanch eval` about stage: signatures that experts put into stages of an attack, told from
//! their text alone.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;

use anyhow::{Context, Result};
use serde::Deserialize;
use stanch_judge::measure;
use stanch_judge::stage_of::{self, Labelled, Labels, Signature};

use super::figure::{Figure, Section, Target};
use super::folder::{Found, open};
use super::{Data, Progress};

/// One signature, as its capture and its expert know it.
#[derive(Clone, Debug, Default)]
struct Told {
    category: Option<String>,
    stage: String,
    sites: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Stages {
    #[serde(rename = "macro")]
    stage: String,
}

#[derive(Deserialize)]
struct Line {
    alert: Option<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    signature: String,
    category: Option<String>,
}

/// One section for the signatures of the folder; none when it labels none.
///
/// # Errors
/// When a file that is there cannot be read.
pub(crate) fn rows(data: &Data<'_>, progress: &Progress) -> Result<Vec<Section>> {
    if data.test.stages.is_empty() {
        return Ok(Vec::new());
    }
    progress.say("the stage of signatures");
    let test = read(data.test)?;
    let mut figures = Vec::new();
    let trained_on = if data.same {
        one_out(&test, data.seed, &mut figures);
        vec!["the other signatures".to_owned()]
    } else {
        let train = read(data.train)?;
        figures.extend(elsewhere(&train, &test, data.seed));
        vec![format!("{} signatures", train.len())]
    };
    let all: Vec<(&String, &Told)> = test.iter().collect();
    let untrained: Vec<bool> = all.iter().map(|(name, told)| untrained(name, told)).collect();
    figures.push(figure("stage_untrained", "stage, no training at all", &untrained, Target::Told, data.seed));
    Ok(vec![Section { capture: "signatures".to_owned(), trained_on, figures }])
}

/// Each signature, told by what was learnt from the others; and those of one site alone, told by
/// what was learnt at the other sites.
fn one_out(all: &BTreeMap<String, Told>, seed: u64, figures: &mut Vec<Figure>) {
    let right = |(name, told): (&String, &Told)| {
        let rest = all.iter().filter(|(other, _)| *other != name);
        told_by(&learn(rest), name, told)
    };
    let unseen: Vec<bool> = all.iter().map(right).collect();
    let target = Target::AtLeast(0.75);
    figures.push(figure("stage_macro_accuracy", "stage of signatures not seen", &unseen, target, seed));
    let sites: BTreeSet<&String> = all.values().flat_map(|t| &t.sites).collect();
    let mut only = Vec::new();
    for site in sites {
        let own = |t: &Told| t.sites.len() == 1 && t.sites.contains(site);
        let learnt = learn(all.iter().filter(|(_, t)| !own(t)));
        only.extend(all.iter().filter(|(_, t)| own(t)).map(|(name, told)| told_by(&learnt, name, told)));
    }
    if !only.is_empty() {
        let title = "stage of signatures one site alone set off";
        figures.push(figure("stage_new_at_a_site", title, &only, Target::Told, seed));
    }
    figures.push(majority(all.values(), all.values()));
}

/// Signatures of the other folder that the training folder does not know.
fn elsewhere(train: &BTreeMap<String, Told>, test: &BTreeMap<String, Told>, seed: u64) -> Vec<Figure> {
    let learnt = learn(train.iter());
    let unseen: Vec<(&String, &Told)> = test.iter().filter(|(name, _)| !train.contains_key(*name)).collect();
    let right: Vec<bool> = unseen.iter().map(|(name, told)| told_by(&learnt, name, told)).collect();
    let target = Target::AtLeast(0.75);
    vec![
        figure("stage_macro_accuracy", "stage of signatures not seen", &right, target, seed),
        majority(train.values(), unseen.into_iter().map(|(_, told)| told)),
    ]
}

fn figure(field: &'static str, title: &'static str, right: &[bool], target: Target, seed: u64) -> Figure {
    let share = |drawn: &[usize]| {
        drawn.iter().filter(|i| right.get(**i).is_some_and(|r| *r)).count() as f64 / drawn.len().max(1) as f64
    };
    let all: Vec<usize> = (0..right.len()).collect();
    let within = measure::interval(right.len(), 500, seed, share);
    Figure::new(field, title, share(&all), target)
        .within(within)
        .saying(format!("{} signatures", right.len()))
}

/// The commonest stage for all, which anything must beat.
fn majority<'a>(train: impl Iterator<Item = &'a Told>, test: impl Iterator<Item = &'a Told>) -> Figure {
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    train.for_each(|t| *counted.entry(&t.stage).or_default() += 1);
    let top = counted.into_iter().max_by_key(|(_, n)| *n).map_or("", |(stage, _)| stage);
    let (mut right, mut all) = (0, 0);
    for told in test {
        all += 1;
        right += usize::from(told.stage == top);
    }
    let share = right as f64 / f64::from(u32::try_from(all.max(1)).unwrap_or(u32::MAX));
    Figure::new("stage_majority", "stage, the commonest for all", share, Target::Told)
}

fn signature<'a>(name: &'a str, told: &'a Told) -> Signature<'a> {
    Signature { name, category: told.category.as_deref(), references: &[] }
}

fn learn<'a>(rules: impl Iterator<Item = (&'a String, &'a Told)>) -> Labels {
    let rules: Vec<Labelled<'_>> =
        rules.map(|(name, t)| Labelled { signature: signature(name, t), label: &t.stage }).collect();
    Labels::learn(&rules)
}

fn told_by(learnt: &Labels, name: &str, told: &Told) -> bool {
    learnt.of(&signature(name, told)).first().is_some_and(|(stage, _)| *stage == told.stage)
}

fn untrained(name: &str, told: &Told) -> bool {
    stage_of::action(&signature(name, told)).is_some_and(|g| g.action.macro_stage() == told.stage)
}

/// The labelled signatures of a folder, with the class and the sites its captures show.
fn read(found: &Found) -> Result<BTreeMap<String, Told>> {
    let mut all: BTreeMap<String, Told> = BTreeMap::new();
    for path in &found.stages {
        let what = || format!("{} cannot be read", path.display());
        let stages: BTreeMap<String, Stages> = serde_json::from_reader(open(path)?).with_context(what)?;
        all.extend(stages.into_iter().map(|(n, s)| (n, Told { stage: s.stage, ..Told::default() })));
    }
    for capture in &found.eve {
        let what = || format!("{} cannot be read", capture.path.display());
        for line in std::io::BufReader::new(open(&capture.path)?).lines() {
            let line = line.with_context(what)?;
            let Ok(Line { alert: Some(rule) }) = serde_json::from_str(&line) else { continue };
            if let Some(told) = all.get_mut(&rule.signature) {
                told.category = told.category.take().or(rule.category);
                told.sites.insert(capture.name.clone());
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::super::folder;
    use super::*;

    #[test]
    fn signatures_of_another_folder_are_told_and_those_known_are_not_asked() {
        let folder_of = |stages: &str, eve: &str| {
            let dir = tempfile::tempdir().expect("a folder");
            std::fs::write(dir.path().join("attack_stages.json"), stages).expect("written");
            std::fs::write(dir.path().join("a.eve.json"), eve).expect("written");
            dir
        };
        let stages = |rows: &[(&str, &str)]| {
            let row = |(n, s): &(&str, &str)| format!(r#""{n}":{{"micro":"x","macro":"{s}"}}"#);
            format!("{{{}}}", rows.iter().map(row).collect::<Vec<_>>().join(","))
        };
        let known = [
            ("port scan", "LOOK"),
            ("host sweep", "LOOK"),
            ("zone transfer", "LOOK"),
            ("syn scan", "LOOK"),
            ("beacon seen", "HOME"),
            ("c2 checkin", "HOME"),
            ("botnet callback", "HOME"),
        ];
        let train = folder_of(&stages(&known), "");
        let eve = r#"{"alert":{"signature":"icmp ping sweep","category":"Misc activity"}}"#;
        let test = folder_of(
            &stages(&[("port scan", "WRONG"), ("icmp ping sweep", "LOOK"), ("reverse shell beacon", "HOME")]),
            eve,
        );
        let (train, test) =
            (folder::look(train.path()).expect("found"), folder::look(test.path()).expect("found"));
        let data = Data { train: &train, test: &test, same: false, seed: 1 };
        let sections = rows(&data, &Progress::new(false)).expect("measured");
        let of = |field: &str| sections[0].figures.iter().find(|f| f.field == field).expect("a figure");
        assert!((of("stage_macro_accuracy").value - 1.0).abs() < 1e-9);
        assert_eq!(of("stage_macro_accuracy").note.as_deref(), Some("2 signatures"));
        assert!((of("stage_majority").value - 0.5).abs() < 1e-9);
    }
}
