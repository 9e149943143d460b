//! Quiet for a while: silences and maintenance windows. What is quiet stays visible, with its cause.

use stanch_model::Timestamp;

use crate::config::matcher::{self, Subject};
use crate::config::{Matcher, SilenceRule};
use crate::decided::Decided;
use crate::journal::State;

/// A silence in force, from the configuration or set by a person at run time.
#[derive(Clone, Debug)]
pub struct Quiet {
    /// Shown as the cause.
    pub name: String,
    /// All must match.
    pub matchers: Vec<Matcher>,
}

/// The silences in force now. `parse` reads matchers as written; those that no longer parse are
/// left out, because an unreadable silence must not hide anything.
#[must_use]
pub fn in_force(rules: &[SilenceRule], state: &State, now: Timestamp) -> Vec<Quiet> {
    let configured = rules.iter().filter(|r| r.from.is_none_or(|f| f <= now) && now < r.until).map(|r| {
        let kind = if r.maintenance { "maintenance" } else { "silence" };
        let name = format!("{kind} {} until {} ({}: {})", r.name, r.until, r.author, r.comment);
        Quiet { name, matchers: r.matchers.clone() }
    });
    let set =
        state.silences.values().filter(|(s, ended)| ended.is_none() && now < s.until).filter_map(|(s, _)| {
            let matchers =
                s.matchers.iter().map(|m| Matcher::parse(m)).collect::<Result<Vec<_>, _>>().ok()?;
            let name = format!("{} until {} ({}: {})", s.silence, s.until, s.by, s.comment);
            Some(Quiet { name, matchers })
        });
    configured.chain(set).collect()
}

/// The first silence that covers an alert, with the reason; `None` when nothing does. A silence
/// without matchers covers nothing: silence for everything is never what somebody meant.
#[must_use]
pub fn suppress(quiet: &[Quiet], subject: &Subject<'_>) -> Option<Decided<String>> {
    quiet.iter().filter(|q| !q.matchers.is_empty()).find_map(|q| {
        let why = matcher::all_match(&q.matchers, subject)?;
        Some(Decided { verdict: q.name.clone(), because: vec![why] })
    })
}
