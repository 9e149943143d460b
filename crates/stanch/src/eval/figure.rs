//! A figure: what was measured, where, how sure, and what it should be.

use serde::Serialize;

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target {
    /// At least.
    AtLeast(f64),
    /// At most.
    AtMost(f64),
    /// Told for orientation.
    Told,
}

impl Target {
    /// Whether a value reaches it; `None` when nothing was asked.
    #[must_use]
    pub(crate) fn reached(self, value: f64) -> Option<bool> {
        match self {
            Target::AtLeast(t) => Some(value >= t),
            Target::AtMost(t) => Some(value <= t),
            Target::Told => None,
        }
    }
}

/// One figure of one capture.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    /// Its name in `--json`.
    pub(crate) field: &'static str,
    /// Its name for people.
    pub(crate) title: &'static str,
    /// The value.
    pub(crate) value: f64,
    /// The middle 95 % over resampled groups.
    pub(crate) interval: Option<(f64, f64)>,
    /// What it should be.
    pub(crate) target: Target,
    /// What else must be said, for example what was missed.
    pub(crate) note: Option<String>,
}

impl Figure {
    /// A figure without interval or note.
    #[must_use]
    pub(crate) fn new(field: &'static str, title: &'static str, value: f64, target: Target) -> Figure {
        Figure { field, title, value, interval: None, target, note: None }
    }

    /// With an interval.
    #[must_use]
    pub(crate) fn within(mut self, interval: (f64, f64)) -> Figure {
        self.interval = Some(interval);
        self
    }

    /// With a note.
    #[must_use]
    pub(crate) fn saying(mut self, note: impl Into<String>) -> Figure {
        self.note = Some(note.into());
        self
    }
}

/// The figures of one capture.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Section {
    /// The scenario, the set of sites, the trail.
    pub(crate) capture: String,
    /// What it was trained on.
    pub(crate) trained_on: Vec<String>,
    /// The figures.
    pub(crate) figures: Vec<Figure>,
}

/// A figure as `--json` gives it.
#[derive(Serialize)]
pub(crate) struct Shown<'a> {
    value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    low: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    high: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reached: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
}

impl<'a> From<&'a Figure> for Shown<'a> {
    fn from(f: &'a Figure) -> Shown<'a> {
        let finite = |v: f64| v.is_finite().then_some(v);
        Shown {
            value: finite(f.value),
            low: f.interval.and_then(|i| finite(i.0)),
            high: f.interval.and_then(|i| finite(i.1)),
            target: asked(f.target),
            reached: f.target.reached(f.value),
            note: f.note.as_deref(),
        }
    }
}

/// A target in words.
#[must_use]
pub(crate) fn asked(target: Target) -> Option<String> {
    match target {
        Target::AtLeast(t) => Some(format!("≥ {t}")),
        Target::AtMost(t) => Some(format!("≤ {t}")),
        Target::Told => None,
    }
}
