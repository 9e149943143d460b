//! `stanch eval`: how good the judgement is, measured on labelled captures it was not trained on.
//!
//! Reading order: [`folder`] (what is there) → [`scenario`] (alerts, groups, features) → [`lived`] (what
//! the engine makes of it) → a file for each
//! family of rows → [`report`] and [`svg`]. Labels train and measure; no scored group ever carries one.

pub(crate) mod cold_start;
pub(crate) mod figure;
pub(crate) mod folder;
pub(crate) mod incidents;
pub(crate) mod lived;
pub(crate) mod report;
pub(crate) mod routing;
pub(crate) mod scenario;
pub(crate) mod sites;
pub(crate) mod stage;
pub(crate) mod svg;
#[cfg(test)]
mod tests;
pub(crate) mod triage;
pub(crate) mod twins;
pub(crate) mod warninglists;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use stanch_judge::learner::{Example, Learner};

use figure::Section;
use folder::Found;
use scenario::{Group, Scenario};

/// What is measured on what.
pub(crate) struct Data<'a> {
    /// Trained on.
    pub(crate) train: &'a Found,
    /// Measured on.
    pub(crate) test: &'a Found,
    /// Both are the same folder: one capture is left out at a time.
    pub(crate) same: bool,
    /// Settles everything that looks random.
    pub(crate) seed: u64,
}

/// Says how far it is.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Shown on a terminal, silent elsewhere.
    pub(crate) fn new(shown: bool) -> Progress {
        let bar = ProgressBar::with_draw_target(
            None,
            if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() },
        );
        let style = ProgressStyle::with_template("{spinner} {elapsed} {msg}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.enable_steady_tick(std::time::Duration::from_millis(200));
        Progress(bar)
    }

    /// What is being done now.
    pub(crate) fn say(&self, what: impl Into<String>) {
        self.0.set_message(what.into());
    }

    /// Takes the line away.
    pub(crate) fn done(&self) {
        self.0.finish_and_clear();
    }
}

/// A scenario with its groups.
pub(crate) struct Read {
    pub(crate) scenario: Scenario,
    pub(crate) groups: Vec<Group>,
}

/// All scenarios, read once.
pub(crate) struct Scenarios {
    pub(crate) train: BTreeMap<String, Read>,
    pub(crate) test: BTreeMap<String, Read>,
    /// Alerts of those that may be learnt from, as the engine saw them come in.
    looked: BTreeMap<String, Vec<Example>>,
}

impl Scenarios {
    /// Reads and describes all of them.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(crate) fn read(data: &Data<'_>, progress: &Progress) -> Result<Scenarios> {
        let read = |found: &Found| -> Result<BTreeMap<String, Read>> {
            let mut all = BTreeMap::new();
            for capture in &found.alerts {
                progress.say(format!("reading {}", capture.name));
                let scenario = scenario::read(capture, &found.assets)?;
                let groups = scenario.groups();
                all.insert(capture.name.clone(), Read { scenario, groups });
            }
            Ok(all)
        };
        let test = read(data.test)?;
        let train = if data.same { BTreeMap::new() } else { read(data.train)? };
        let mut looked = BTreeMap::new();
        for (name, read) in if data.same { &test } else { &train } {
            progress.say(format!("{name}: through the engine"));
            let lived = lived::live(&read.scenario, Arc::new(lived::Always(0.0)))?;
            looked.insert(name.clone(), lived.examples(&read.scenario));
        }
        Ok(Scenarios { train, test, looked })
    }

    /// What a model in the engine that will judge `without` may learn from: one fold a scenario, or one a
    /// day when there is but one.
    pub(crate) fn lived_examples(&self, without: &[&str]) -> Vec<Example> {
        let teachers: Vec<_> =
            self.looked.iter().filter(|(name, _)| !without.contains(&name.as_str())).collect();
        let several = teachers.len() > 1;
        let each = teachers.into_iter().enumerate();
        each.flat_map(|(i, (_, examples))| {
            examples
                .iter()
                .map(move |e| Example { fold: if several { i as u32 } else { e.fold }, ..e.clone() })
        })
        .collect()
    }

    /// What a model that will judge `without` may learn from: never a scenario of the same name.
    pub(crate) fn teachers(&self, same: bool, without: &[&str]) -> Vec<&Read> {
        let all = if same { &self.test } else { &self.train };
        all.values().filter(|r| !without.contains(&r.scenario.name.as_str())).collect()
    }
}

/// The labelled groups of scenarios as examples: one fold a scenario, or one a day when there is but one.
pub(crate) fn examples(teachers: &[&Read]) -> Vec<Example> {
    let mut all = Vec::new();
    for (i, read) in teachers.iter().enumerate() {
        for g in read.groups.iter().filter(|g| g.scored) {
            let fold =
                if teachers.len() > 1 { i as u32 } else { (g.end.0.div_euclid(86_400_000) % 16) as u32 };
            let rule = read.scenario.rules[g.rule as usize].clone();
            all.push(Example { row: g.features.clone(), rule, fold, matters: g.real() });
        }
    }
    all
}

/// Everything measured: sections in order, curves by scenario.
pub(crate) struct Measured {
    pub(crate) sections: Vec<Section>,
    pub(crate) curves: Vec<triage::Curves>,
}

/// Measures everything the folders allow.
///
/// # Errors
/// When a file that is there cannot be read.
pub(crate) fn measure(data: &Data<'_>, progress: &Progress) -> Result<Measured> {
    let all = Scenarios::read(data, progress)?;
    let (mut sections, mut curves) = (Vec::new(), Vec::new());
    for (name, read) in &all.test {
        let teachers = all.teachers(data.same, &[name]);
        progress.say(format!("{name}: training on {} scenarios", teachers.len()));
        let learner = Learner::train(examples(&teachers), data.seed);
        let scores = triage::scores(&learner, read);
        let mut section = Section {
            capture: name.clone(),
            trained_on: teachers.iter().map(|r| r.scenario.name.clone()).collect(),
            figures: Vec::new(),
        };
        progress.say(format!("{name}: triage"));
        let (figures, drawn) = triage::rows(read, &scores, data.seed);
        section.figures.extend(figures);
        curves.push(drawn);
        progress.say(format!("{name}: cold start"));
        section.figures.extend(cold_start::rows(read, data.seed));
        progress.say(format!("{name}: incidents"));
        let trained = Learner::train(all.lived_examples(&[name]), data.seed);
        section.figures.extend(incidents::rows(read, trained)?);
        progress.say(format!("{name}: two attacks at once"));
        section.figures.extend(incidents::concurrent(&all, data, name)?);
        progress.say(format!("{name}: the same alert from two tools"));
        section.figures.extend(twins::rows(&read.scenario));
        sections.push(section);
    }
    sections.extend(sites::rows(data, progress)?);
    sections.extend(stage::rows(data, progress)?);
    sections.extend(routing::rows(data, progress)?);
    sections.extend(warninglists::rows(data, progress)?);
    progress.done();
    Ok(Measured { sections, curves })
}
