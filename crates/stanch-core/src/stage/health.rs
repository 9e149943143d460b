//! Is what Stanch listens to still there, and still itself? Silence, another shape, drift.
//!
//! Each is an alert of our own: raised once, standing while it lasts, resolved when it is over. There is no
//! timer that could be lost: what is due follows from when a source was last heard and from counts, both in
//! the fold, and from the configuration.

use stanch_model::{Span, Timestamp};

use crate::config::Config;
use crate::journal::State;
use crate::journal::health::{Change, FIELDS, UNREADABLE};

/// The name our own alerts come from. No configured source may have it.
pub const OWN_SOURCE: &str = "stanch";

/// Something that may be wrong with what Stanch listens to, and whether it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Ailment {
    /// What it shares with its own repeats and its end.
    pub key: String,
    /// Whose network.
    pub site: String,
    /// Kind: `source-silent`, `schema-change`, `input-drift`, `calibration-drift`.
    pub rule: &'static str,
    /// What it is about, in few words: the same while it lasts.
    pub name: String,
    /// One line, with the figures.
    pub title: String,
    /// What it means and how to mend it.
    pub message: String,
    /// True while it lasts.
    pub lasts: bool,
}

/// Everything that may be wrong; only what can be told from the fold and the configuration.
#[must_use]
pub fn ailments(state: &State, config: &Config, now: Timestamp) -> Vec<Ailment> {
    let mut out: Vec<Ailment> = config.sources.values().filter_map(|s| silence(state, s, now)).collect();
    for (source, shape) in &state.health.shapes {
        let Some(s) = state.sources.get(usize::from(*source)) else { continue };
        for (field, name) in FIELDS.iter().enumerate() {
            let change = shape.changes().get(&field).copied();
            out.push(schema(&s.name, &s.site, (field, name), change));
        }
    }
    out.extend(drift(state));
    out
}

fn silence(state: &State, source: &crate::config::SourceConfig, now: Timestamp) -> Option<Ailment> {
    let after = source.silent_after?;
    let heard = state.source(&source.name).map(|(_, s)| s.last_heard).filter(|at| at.0 > 0);
    let configured = state.health.configured;
    let since = heard.or_else(|| (configured.0 > 0).then_some(configured))?;
    let quiet = Span(now.since(since).0.max(0));
    let name = &source.name;
    let last = heard.map_or_else(|| "never since it was configured".to_owned(), |at| format!("last at {at}"));
    Some(Ailment {
        key: format!("stanch|source-silent|{name}"),
        site: source.site.clone(),
        rule: "source-silent",
        name: format!("source {name} is silent"),
        title: format!("Source {name} is silent for longer than {after}"),
        message: format!(
            "{name} was heard {last}. While it is silent, what it watches is not watched. Look at the sender and \
             at the way to us: stanch sources {name}. A source that may be quiet for long needs a longer silent_after."
        ),
        lasts: quiet > after,
    })
}

fn schema(source: &str, site: &str, (field, name): (usize, &str), change: Option<Change>) -> Ailment {
    let percent = |p: f64| format!("{:.0} %", p * 100.0);
    let (was, is) = change.map_or((String::new(), String::new()), |c| (percent(c.was), percent(c.is)));
    let gone = change.is_some_and(|c| c.is < c.was);
    let title = match (field, gone) {
        (UNREADABLE, _) => format!("{source}: {is} of its records cannot be read, {was} before"),
        (_, true) => format!("{source}: the {name} is gone from its alerts ({is}, {was} before)"),
        (_, false) => format!("{source}: the {name} is new in its alerts ({is}, {was} before)"),
    };
    Ailment {
        key: format!("stanch|schema-change|{source}|{field}"),
        site: site.to_owned(),
        rule: "schema-change",
        name: format!("source {source}: {name} changed"),
        title,
        message: format!(
            "The sender, its version or the mapping has changed. What is joined, scored and routed by the {name} \
             is no longer what it was. Compare a new record with an old one (stanch alerts, stanch quarantine)."
        ),
        lasts: change.is_some(),
    }
}

fn drift(state: &State) -> [Ailment; 2] {
    let drift = &state.health.drift;
    let (input, calibration) = (drift.input(), drift.calibration());
    let own = |rule: &'static str, title: String, message: &str, lasts: bool| Ailment {
        key: format!("stanch|{rule}"),
        site: crate::config::DEFAULT_SITE.to_owned(),
        rule,
        name: rule.replace('-', " "),
        title,
        message: message.to_owned(),
        lasts,
    };
    let psi = input.map_or(0.0, |c| c.is);
    let (expected, found) = calibration.map_or((0.0, 0.0), |c| (c.was, c.is));
    [
        own(
            "input-drift",
            format!("What comes in is of another kind than before (stability index {psi:.2}, above 0.25)"),
            "The mix of attack stages among new alerts has changed: new sensors, new rules, or a new kind of \
             attack. Nothing is closed by itself until the mix has settled.",
            input.is_some(),
        ),
        own(
            "calibration-drift",
            format!(
                "Confidence is not kept: of the last {} judged incidents {expected:.0} should have mattered, {found:.0} did",
                drift.judged()
            ),
            "Scores promise more, or less, than people find. Nothing is closed by itself until verdicts and \
             scores agree again; each verdict helps (stanch verdict).",
            calibration.is_some(),
        ),
    ]
}

/// Why nothing may be done by itself now; empty when nothing stands against it.
#[must_use]
pub fn demoted_by(state: &State) -> Vec<String> {
    drift(state).into_iter().filter(|a| a.lasts).map(|a| a.title).collect()
}
