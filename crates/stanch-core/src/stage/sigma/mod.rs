//! Sigma correlation rules: explicit patterns over alerts, in the words of the Sigma specification.
//!
//! A file in `correlations/` names rules (by their uid or name, or other correlations), a group, a
//! length of time and a condition. [`read`] makes a [`Correlation`] of it with all its mistakes;
//! [`stream`] watches the alerts. What the specification leaves open is settled here: windows slide
//! (both ends belong to them) where a condition only asks for "at least", and end where they have
//! gone by where it also asks for "at most"; a group that matched is silent for one timespan.
//! Source: Sigma correlation rules specification 2.1.0.

mod fields;
pub mod read;
pub mod stream;
mod window;

use std::collections::BTreeMap;

use stanch_model::{Severity, Span};

pub use fields::fields;
pub use stream::{Event, Match, Stream};

/// Most rules one correlation may name.
pub const MAX_RULES: usize = 64;
/// Longest timespan. A month of alerts is the most a window may hold.
pub const MAX_TIMESPAN: Span = Span::hours(24 * 31);
/// Highest count a condition may ask for: more events are not kept for one group.
pub const MAX_COUNT: f64 = 10_000.0;

/// What is counted or computed in a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Events.
    EventCount,
    /// Distinct values of a field, or of several fields together.
    ValueCount,
    /// Distinct rules, in any order.
    Temporal,
    /// Rules, in the order written.
    TemporalOrdered,
    /// The sum of a field.
    ValueSum,
    /// Its mean.
    ValueAvg,
    /// Its percentile, 0 to 100, between neighbours in proportion.
    ValuePercentile(f64),
    /// Its middle value.
    ValueMedian,
}

impl Kind {
    /// The name in a file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::EventCount => "event_count",
            Kind::ValueCount => "value_count",
            Kind::Temporal => "temporal",
            Kind::TemporalOrdered => "temporal_ordered",
            Kind::ValueSum => "value_sum",
            Kind::ValueAvg => "value_avg",
            Kind::ValuePercentile(_) => "value_percentile",
            Kind::ValueMedian => "value_median",
        }
    }

    /// One more event can only raise it.
    const fn only_grows(self) -> bool {
        matches!(self, Kind::EventCount | Kind::ValueCount | Kind::Temporal | Kind::TemporalOrdered)
    }

    /// What is measured, in words.
    const fn words(self) -> &'static str {
        match self {
            Kind::EventCount => "alerts",
            Kind::ValueCount => "different values",
            Kind::Temporal => "rules together",
            Kind::TemporalOrdered => "rules in order",
            Kind::ValueSum => "in sum",
            Kind::ValueAvg => "on average",
            Kind::ValuePercentile(_) => "at that percentile",
            Kind::ValueMedian => "as the middle value",
        }
    }
}

/// How a figure is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// More than.
    Gt,
    /// At least.
    Gte,
    /// Less than.
    Lt,
    /// At most.
    Lte,
    /// Exactly.
    Eq,
    /// Anything else than.
    Neq,
}

impl Op {
    /// All of them by their names in a file.
    pub const ALL: [(&'static str, Op); 6] = [
        ("gt", Op::Gt),
        ("gte", Op::Gte),
        ("lt", Op::Lt),
        ("lte", Op::Lte),
        ("eq", Op::Eq),
        ("neq", Op::Neq),
    ];

    fn holds(self, figure: f64, bound: f64) -> bool {
        match self {
            Op::Gt => figure > bound,
            Op::Gte => figure >= bound,
            Op::Lt => figure < bound,
            Op::Lte => figure <= bound,
            Op::Eq => (figure - bound).abs() < 1e-9,
            Op::Neq => (figure - bound).abs() >= 1e-9,
        }
    }

    const fn is_lower_bound(self) -> bool {
        matches!(self, Op::Gt | Op::Gte)
    }
}

/// When a window matches: all bounds hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Condition {
    /// One bound, or two that form a range.
    pub bounds: Vec<(Op, f64)>,
    /// The field, or fields, that the value kinds read.
    pub fields: Vec<String>,
}

impl Condition {
    fn holds(&self, figure: f64) -> bool {
        self.bounds.iter().all(|(op, bound)| op.holds(figure, *bound))
    }
}

/// When a window can be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// With every event: one more can only help.
    AtOnce,
    /// When no earlier event can come any more.
    Settled,
    /// When the window has gone by.
    GoneBy,
}

/// One correlation rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Correlation {
    /// By which others refer to it.
    pub name: String,
    /// Its UUID, by which others may refer to it as well.
    pub id: Option<String>,
    /// In words.
    pub title: String,
    /// How bad it is, where the file says.
    pub level: Option<Severity>,
    /// What is counted or computed.
    pub kind: Kind,
    /// Uids or names of rules of alerts, or names or ids of correlations.
    pub rules: Vec<String>,
    /// Fields whose values must agree.
    pub group_by: Vec<String>,
    /// Group field to rule to the name of the field in that rule's alerts.
    pub aliases: BTreeMap<String, BTreeMap<String, String>>,
    /// How long a window is.
    pub timespan: Span,
    /// When it matches.
    pub condition: Condition,
    /// It opens incidents of its own even where another correlation refers to it.
    pub generate: bool,
    /// `file:line`, for reasons.
    pub place: String,
}

impl Correlation {
    fn when(&self) -> When {
        if self.condition.bounds.iter().any(|(op, _)| !op.is_lower_bound()) {
            When::GoneBy
        } else if self.kind.only_grows() {
            When::AtOnce
        } else {
            When::Settled
        }
    }

    /// Another file may refer to it by this.
    fn answers_to(&self, reference: &str) -> bool {
        self.name == reference || self.id.as_deref() == Some(reference)
    }

    /// Which field of an alert of one of its rules a group field stands for.
    fn field<'a>(&'a self, rule: &str, field: &'a str) -> &'a str {
        self.aliases.get(field).and_then(|of| of.get(rule)).map_or(field, String::as_str)
    }
}

#[cfg(test)]
mod tests;
