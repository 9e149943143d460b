//! What a person's filter of the queue says: CEL over one incident, checked when it is written.
//!
//! The words are those of playbook triggers, so that a condition can be tried on the queue before it
//! starts anything, and some more that only people ask for. A filter is evaluated over values that were
//! read from the state before, so that nobody waits for it; an incident for which it has no value is
//! told, and never taken for "no".

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use stanch_model::Timestamp;

use crate::expr::{Expr, ExprError, Kind, Known, Scope};
use crate::journal::{Incident, State, Status};
use crate::playbook::load::{incident_kind, incident_kinds, incident_ranges, incident_words};
use crate::playbook::run::incident_value;

/// Words that only filters know, and what each says.
pub const OWN: &[(&str, &str)] = &[
    ("age_minutes", "whole minutes since it was opened"),
    ("live_changes", "changes in force or on their way there"),
    ("owner", "who has taken it; empty for nobody"),
    ("quiet_minutes", "whole minutes since anything happened in it"),
    ("records", "records counted on its alerts"),
    ("status", "triggered, acknowledged, contained or resolved"),
    ("waiting", "true while a question about it waits for a yes or no"),
];

/// Words of `incident.status`.
const STATUSES: [&str; 4] = ["triggered", "acknowledged", "contained", "resolved"];

/// A filter, read and checked.
#[derive(Clone, Debug)]
pub struct Filter {
    expr: Expr,
    /// Fields of `incident` that it reads; all of them when it reads `incident` as a whole.
    fields: Vec<String>,
}

/// What is known of an incident beside itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside {
    /// A question about it waits for a yes or no.
    pub waiting: bool,
    /// Changes in force or on their way there.
    pub live_changes: usize,
}

/// The fields of `incident` and their kinds.
#[must_use]
pub fn kinds() -> BTreeMap<String, Kind> {
    let Kind::Record(fields) = incident_kind() else { return BTreeMap::new() };
    let mut all = (*fields).clone();
    for (name, _) in OWN {
        let kind = match *name {
            "owner" | "status" => Kind::Text,
            "waiting" => Kind::Bool,
            _ => Kind::Int,
        };
        all.insert((*name).to_owned(), kind);
    }
    all
}

/// Words that a field can hold, where they are known.
#[must_use]
pub fn words() -> BTreeMap<String, Vec<&'static str>> {
    let mut words = incident_words();
    words.insert("incident.kind".to_owned(), incident_kinds());
    words.insert("incident.status".to_owned(), STATUSES.to_vec());
    words
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// What is wrong with it, and at which column: not CEL, a name or a field that is not there, kinds
    /// that do not go together, a comparison that can never hold, a value that is not yes or no.
    pub fn read(text: &str) -> Result<Filter, ExprError> {
        let expr = Expr::compile(text)?;
        expr.only_reads(&["incident"])?;
        let record = Kind::record(kinds());
        let known = Known {
            variables: BTreeMap::from([("incident".to_owned(), record)]),
            words: words(),
            ranges: incident_ranges(),
            ..Known::default()
        };
        let kind = expr.kind(&known)?;
        if !matches!(kind, Kind::Bool | Kind::Any) {
            let message = format!(
                "a filter must be true or false, but this is {kind}; compare it with something, for example incident.kind == \"c2\""
            );
            return Err(ExprError { message, column: 0 });
        }
        let fields = expr.fields().iter().filter_map(|f| f.strip_prefix("incident.")).map(str::to_owned);
        let fields: Vec<String> = fields.collect();
        Ok(Filter { expr, fields })
    }

    /// The text it was read from.
    #[must_use]
    pub fn text(&self) -> &str {
        self.expr.source()
    }

    /// What it needs to know of an incident, taken out of the state.
    #[must_use]
    pub fn values(&self, state: &State, i: &Incident, beside: Beside, now: Timestamp) -> Json {
        let mut found = Map::new();
        let mut costly: Option<Json> = None;
        let all: Vec<String>;
        let fields = if self.fields.is_empty() {
            all = kinds().into_keys().collect();
            &all
        } else {
            &self.fields
        };
        for name in fields {
            let value = cheap(name, state, i, beside, now).unwrap_or_else(|| {
                // Going through all alerts is worth it only where it is asked for.
                let whole = costly.get_or_insert_with(|| incident_value(state, i));
                whole.get(name).cloned().unwrap_or(Json::Null)
            });
            found.insert(name.clone(), value);
        }
        Json::Object(found)
    }

    /// Whether it holds for an incident of these values.
    ///
    /// # Errors
    /// When it has no value there.
    pub fn holds(&self, values: Json) -> Result<bool, ExprError> {
        self.expr.test(&Scope::new().with("incident", values))
    }
}

/// What can be told without going through the alerts.
fn cheap(name: &str, state: &State, i: &Incident, beside: Beside, now: Timestamp) -> Option<Json> {
    let minutes = |since: Timestamp| json!(now.since(since).0.max(0) / 60_000);
    Some(match name {
        "age_minutes" => minutes(i.opened_at),
        "confidence" => json!(i.confidence()),
        "id" => json!(i.id.to_string()),
        "kind" => json!(i.kind()),
        "live_changes" => json!(beside.live_changes),
        "owner" => json!(i.acknowledged_by.as_deref().unwrap_or_default()),
        "peer" => json!(i.peer().map(|p| p.to_string()).unwrap_or_default()),
        "quiet_minutes" => minutes(i.marks.last().map_or(i.opened_at, |m| m.at)),
        "records" | "alerts" => {
            let counts = i.alert_ids().filter_map(|a| state.slot(a)).map(|s| u64::from(s.count));
            json!(counts.sum::<u64>())
        }
        "severity" => json!(i.severity().rank()),
        "site" => json!(i.site),
        "status" => json!(match i.status {
            Status::Triggered => STATUSES[0],
            Status::Acknowledged => STATUSES[1],
            Status::Contained => STATUSES[2],
            Status::Resolved => STATUSES[3],
        }),
        "team" => json!(i.team.as_deref().unwrap_or_default()),
        "title" => json!(crate::story::title(i)),
        "waiting" => json!(beside.waiting),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use stanch_model::IncidentId;

    use super::*;
    use crate::journal::Event;
    use crate::journal::event::IncidentOpened;

    fn opened() -> Incident {
        let (mut state, incident) = (State::default(), IncidentId(1));
        let opened = IncidentOpened { incident, site: "hq".into(), because: Vec::new() };
        state.apply(1, Timestamp(0), &Event::IncidentOpened(opened));
        state.incidents.remove(&incident).expect("just opened")
    }

    fn wrong(text: &str) -> String {
        match Filter::read(text) {
            Ok(_) => panic!("{text} was taken"),
            Err(e) => e.message,
        }
    }

    #[test]
    fn mistakes_are_told_in_words_that_help() {
        assert!(wrong("incident.kin == \"c2\"").contains("kin"), "{}", wrong("incident.kin == \"c2\""));
        assert!(wrong("kind == \"c2\"").contains("incident"));
        assert!(wrong("incident.kind == \"c3\"").contains("c3"));
        assert!(wrong("incident.severity").contains("true or false"));
        assert!(
            wrong("incident.severity > \"high\"").contains("text"),
            "{}",
            wrong("incident.severity > \"high\"")
        );
        assert!(wrong("incident.status == \"open\"").contains("open"));
        assert!(wrong("incident.kind ==").contains("not a CEL expression"));
    }

    #[test]
    fn a_filter_reads_only_what_it_asks_for_and_decides_by_it() {
        let filter =
            Filter::read("incident.severity >= 4 && incident.owner == \"\" && incident.age_minutes > 10")
                .expect("a filter");
        let (state, now) = (State::default(), Timestamp(30 * 60_000));
        let i = opened();
        let values = filter.values(&state, &i, Beside::default(), now);
        assert_eq!(values, json!({ "age_minutes": 30, "owner": "", "severity": i.severity().rank() }));
        assert_eq!(filter.holds(values), Ok(i.severity().rank() >= 4));
        assert_eq!(filter.holds(json!({ "age_minutes": 30, "owner": "", "severity": 5 })), Ok(true));
        assert_eq!(filter.holds(json!({ "age_minutes": 30, "owner": "kt", "severity": 5 })), Ok(false));
        assert!(filter.holds(json!({ "age_minutes": 30 })).is_err(), "no value is not no");
    }

    #[test]
    fn every_word_has_a_value() {
        let i = opened();
        let beside = Beside { waiting: true, live_changes: 2 };
        for name in kinds().keys() {
            let filter = Filter::read(&format!("incident.{name} == incident.{name}")).expect("a filter");
            let values = filter.values(&State::default(), &i, beside, Timestamp(0));
            assert!(!values[name].is_null(), "{name}");
            assert_eq!(filter.holds(values), Ok(true), "{name}");
        }
    }
}
