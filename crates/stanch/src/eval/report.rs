//! The report: a table for people, JSON for programs. Both say split, seed and versions.

use serde_json::{Map, Value, json};

use super::figure::{Section, Shown, asked};
use super::{Data, Measured};

/// Rows a whole report has; those without data are said to be missing.
const ROWS: &[&str] = &[
    "triage_average_precision",
    "noise_hidden_at_95",
    "noise_hidden_at_99",
    "attack_steps_in_top_25_a_day",
    "cold_start_average_precision_first_day",
    "cold_start_average_precision_last_day",
    "cold_start_attack_steps_hidden",
    "calibration_error",
    "incidents_a_day_at_full_recall",
    "story_completeness",
    "story_purity",
    "story_pieces",
    "concurrent_attacks_pairwise_auc",
    "same_addresses_mixed",
    "cross_tool_joined",
    "cross_tool_wrongly_joined",
    "stage_macro_accuracy",
    "routing_top_1",
    "routing_top_3",
    "routing_surest_half",
    "hostile_wrongly_cleared",
];

/// How the data was split, in words.
#[must_use]
pub(crate) fn split(data: &Data<'_>) -> &'static str {
    if data.same {
        "train and test are the same folder: one scenario is left out at a time, and its model is trained on the others"
    } else {
        "trained on the training folder, measured on the test folder; a scenario whose name is in both is not trained on"
    }
}

/// Rows nobody could measure here.
#[must_use]
pub(crate) fn missing(sections: &[Section]) -> Vec<&'static str> {
    let measured = |row: &&str| sections.iter().any(|s| s.figures.iter().any(|f| f.field == *row));
    ROWS.iter().filter(|r| !measured(r)).copied().collect()
}

/// The report as JSON: `scenarios.NAME.ROW` is a number, `detail.NAME.ROW` has interval, target and note.
#[must_use]
pub(crate) fn json(data: &Data<'_>, measured: &Measured) -> Value {
    let (mut scenarios, mut detail) = (Map::new(), Map::new());
    for s in &measured.sections {
        let mut values = Map::new();
        let mut more = Map::new();
        for f in &s.figures {
            values.insert(f.field.to_owned(), json!(f.value.is_finite().then_some(f.value)));
            more.insert(f.field.to_owned(), json!(Shown::from(f)));
        }
        more.insert("trained_on".to_owned(), json!(s.trained_on));
        scenarios.insert(s.capture.clone(), Value::Object(values));
        detail.insert(s.capture.clone(), Value::Object(more));
    }
    json!({
        "stanch": env!("CARGO_PKG_VERSION"),
        "model": stanch_judge::learner::MODEL,
        "seed": data.seed,
        "split": split(data),
        "train": data.train.root,
        "test": data.test.root,
        "leave_one_out": data.same,
        "intervals": "95 %, bootstrap over groups, 200 rounds",
        "scenarios": scenarios,
        "detail": detail,
        "not_in_this_folder": missing(&measured.sections),
    })
}

/// The report as lines of text.
#[must_use]
pub(crate) fn text(data: &Data<'_>, measured: &Measured) -> Vec<String> {
    let mut lines = vec![
        format!(
            "stanch {}, model {}, seed {}",
            env!("CARGO_PKG_VERSION"),
            stanch_judge::learner::MODEL,
            data.seed
        ),
        format!("split: {}", split(data)),
        "intervals: 95 %, bootstrap over groups, 200 rounds".to_owned(),
    ];
    for s in &measured.sections {
        lines.push(String::new());
        let trained = match s.trained_on.is_empty() {
            true => String::new(),
            false => format!(" (trained on {})", s.trained_on.join(", ")),
        };
        lines.push(format!("{}{trained}", s.capture));
        lines.extend(s.figures.iter().map(|f| {
            let mark = match f.target.reached(f.value) {
                Some(true) => "✓",
                Some(false) => "✗",
                None => " ",
            };
            let within = f.interval.map(|(a, b)| format!("{}-{}", short(a), short(b))).unwrap_or_default();
            let target = asked(f.target).unwrap_or_default();
            let note = f.note.as_deref().unwrap_or_default();
            let line =
                format!("  {mark} {:<52} {:>7} {within:<13} {target:<8} {note}", f.title, short(f.value));
            line.trim_end().to_owned()
        }));
    }
    let missing = missing(&measured.sections);
    if !missing.is_empty() {
        lines.push(String::new());
        lines.extend(missing.iter().map(|row| format!("  - {row}: not in this folder")));
    }
    lines
}

fn short(v: f64) -> String {
    match v {
        v if !v.is_finite() => "-".to_owned(),
        v if v.fract() == 0.0 && v.abs() < 1e6 => format!("{v:.0}"),
        v if v.abs() < 0.001 => format!("{v:.5}"),
        v if v.abs() < 10.0 => format!("{v:.3}"),
        v => format!("{v:.1}"),
    }
}
