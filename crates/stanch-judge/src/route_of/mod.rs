//! Which team a new ticket should go to, learnt from where earlier ones ended up.
//!
//! A ticket is what is known when it is opened: named values, of any names. The history says which
//! team closed each earlier one. Recent tickets count more, since teams change. What comes out is a
//! list of teams with probabilities and reasons in counts, and a word of its own when the model
//! does not know well enough: the bar for that is measured on the latest part of the history, which
//! the measured model had not seen.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::softmax::{Options, Row, Softmax};

/// What is known of a ticket when it is opened: names of fields and their values. That a field is empty
/// (or `?`) says something too: tickets opened by a machine name no person.
pub type Ticket = BTreeMap<String, String>;

/// A ticket whose team is known.
#[derive(Clone, Debug)]
pub struct Past {
    /// What was known when it was opened. Never put in what was learnt later.
    pub ticket: Ticket,
    /// The team that had it in the end.
    pub team: String,
    /// When it was opened, in seconds of any clock.
    pub opened: i64,
}

/// How to learn, with the defaults that were measured.
#[derive(Clone, Copy, Debug)]
pub struct Wishes {
    /// A ticket this much older counts half, in seconds. Default 30 days.
    pub half_life: i64,
    /// How many of the answered tickets must be right, 0 to 1, before a team is named. Default 0.85.
    pub sure: f64,
    /// Values seen less often than this are taken as never seen. Default 2.
    pub seldom: u32,
}

impl Default for Wishes {
    fn default() -> Wishes {
        Wishes { half_life: 30 * 86_400, sure: 0.85, seldom: 2 }
    }
}

/// A team, how likely it is, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggested {
    /// The team.
    pub team: String,
    /// 0 to 1.
    pub probability: f64,
    /// In counts of earlier tickets.
    pub reason: String,
}

/// What is suggested for a ticket.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    /// The likeliest teams, likeliest first.
    pub teams: Vec<Suggested>,
    /// Why no team should be set without asking; `None` when the first may be.
    pub abstains: Option<String>,
}

/// What has been learnt from a history.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Routes {
    teams: Vec<String>,
    known: BTreeMap<String, Known>,
    model: Softmax,
    /// From this probability on, the first team is named. Above 1 when no bar was good enough.
    bar: f64,
    sure: f64,
    tickets: usize,
}

/// A value that was seen, and where tickets that had it went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Known {
    number: u32,
    seen: u32,
    /// Team number to tickets.
    went: BTreeMap<u32, u32>,
}

/// Tickets fewer than these teach nothing worth saying.
const FEWEST: usize = 50;
/// This part of the history, the latest, sets the bar. Half of it, because answers are given for weeks
/// after a model was learnt: with a fifth, 81 % of "85 % sure" answers were right a month later; with
/// half, 90 %.
const HELD_BACK: f64 = 0.5;
/// Values of a ticket beyond these are not looked at.
const MOST_FIELDS: usize = 64;
const OPTIONS: Options = Options { shrink: 2e-4, passes: 15, rate: 0.1, seed: 1 };

impl Routes {
    /// Learns from a history, in any order.
    #[must_use]
    pub fn learn(history: &[Past], wishes: &Wishes) -> Routes {
        let mut sorted: Vec<&Past> = history.iter().filter(|p| !p.team.is_empty()).collect();
        sorted.sort_by(|a, b| (a.opened, &a.team, &a.ticket).cmp(&(b.opened, &b.team, &b.ticket)));
        if sorted.len() < FEWEST {
            return Routes { bar: 2.0, tickets: sorted.len(), ..Routes::default() };
        }
        let cut = (sorted.len() as f64 * (1.0 - HELD_BACK)) as usize;
        let (early, late) = sorted.split_at(cut.min(sorted.len()));
        let bar = bar(&Routes::fit(early, wishes), late, wishes.sure);
        Routes { bar, sure: wishes.sure, ..Routes::fit(&sorted, wishes) }
    }

    fn fit(history: &[&Past], wishes: &Wishes) -> Routes {
        let mut teams: Vec<String> = history.iter().map(|p| p.team.clone()).collect();
        teams.sort();
        teams.dedup();
        let number = |team: &str| teams.binary_search_by(|t| t.as_str().cmp(team)).ok();
        let mut known: BTreeMap<String, Known> = BTreeMap::new();
        for past in history {
            let Some(team) = number(&past.team).and_then(|t| u32::try_from(t).ok()) else { continue };
            for feature in features(&past.ticket) {
                let entry = known.entry(feature).or_default();
                entry.seen += 1;
                *entry.went.entry(team).or_default() += 1;
            }
        }
        known.retain(|_, k| k.seen >= wishes.seldom);
        known.values_mut().zip(0_u32..).for_each(|(k, n)| k.number = n);
        let mut routes = Routes { known, tickets: history.len(), ..Routes::default() };
        let latest = history.iter().map(|p| p.opened).max().unwrap_or_default();
        let rows: Vec<Row> = history
            .iter()
            .filter_map(|past| {
                let class = u32::try_from(number(&past.team)?).ok()?;
                let lives = (latest - past.opened) as f64 / wishes.half_life.max(1) as f64;
                Some(Row { features: routes.row(&past.ticket), class, weight: (-lives).exp2() as f32 })
            })
            .collect();
        routes.model = Softmax::learn(&rows, routes.known.len(), teams.len(), &OPTIONS);
        routes.teams = teams;
        routes
    }

    /// How many tickets this rests on.
    #[must_use]
    pub fn tickets(&self) -> usize {
        self.tickets
    }

    /// The probability from which the first team is named; above 1 when none is.
    #[must_use]
    pub fn bar(&self) -> f64 {
        self.bar
    }

    /// Where a ticket should go: at most `most` teams.
    #[must_use]
    pub fn suggest(&self, ticket: &Ticket, most: usize) -> Suggestion {
        let mut likely: Vec<(usize, f64)> = self.probabilities(ticket).into_iter().enumerate().collect();
        likely.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let top = likely.first().map_or(0.0, |l| l.1);
        let teams = likely.iter().take(most).filter_map(|(team, probability)| {
            let reason = self.reason(ticket, *team);
            Some(Suggested { team: self.teams.get(*team)?.clone(), probability: *probability, reason })
        });
        Suggestion { teams: teams.collect(), abstains: self.abstains(top) }
    }

    /// The probability of each team, in the order of [`Routes::teams`].
    #[must_use]
    pub fn probabilities(&self, ticket: &Ticket) -> Vec<f64> {
        self.model.probabilities(&self.row(ticket)).into_iter().map(f64::from).collect()
    }

    /// The teams, in order.
    #[must_use]
    pub fn teams(&self) -> &[String] {
        &self.teams
    }

    fn abstains(&self, top: f64) -> Option<String> {
        if self.teams.is_empty() {
            return Some(format!(
                "{} earlier tickets are too few to learn from; {FEWEST} are needed",
                self.tickets
            ));
        }
        let percent = |p: f64| (p * 100.0).round();
        (top < self.bar).then(|| {
            if self.bar > 1.0 {
                let sure = percent(self.sure);
                return format!(
                    "on the latest tickets no answer of this model was right {sure} % of the time"
                );
            }
            let (top, bar, sure) = (percent(top), percent(self.bar), percent(self.sure));
            format!("the likeliest team has {top} %; from {bar} % on, {sure} % of answers were right")
        })
    }

    /// The two values of the ticket that speak most for a team, with what became of tickets like it.
    fn reason(&self, ticket: &Ticket, team: usize) -> String {
        let said = features(ticket).into_iter().filter_map(|f| {
            let known = self.known.get(&f)?;
            let went = *known.went.get(&u32::try_from(team).ok()?)?;
            Some((self.model.weight(known.number, team), f, went, known.seen))
        });
        let mut said: Vec<(f32, String, u32, u32)> = said.filter(|s| s.0 > 0.0).collect();
        said.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let counts = said.iter().take(2).map(|(_, f, went, seen)| {
            let (name, value) = f.split_once('\u{1f}').unwrap_or((f, ""));
            let value = if value.is_empty() { "empty".to_owned() } else { format!("\"{value}\"") };
            format!("{went} of {seen} with {name} {value} went there")
        });
        let words: Vec<String> = counts.collect();
        if words.is_empty() { "most tickets go there".to_owned() } else { words.join("; ") }
    }

    fn row(&self, ticket: &Ticket) -> Vec<(u32, f32)> {
        features(ticket).iter().filter_map(|f| self.known.get(f)).map(|k| (k.number, 1.0)).collect()
    }
}

/// The lowest bar above which answers were right often enough, on tickets not learnt from. Half of a
/// standard error is taken off what was measured, so that luck does not set it.
fn bar(model: &Routes, late: &[&Past], sure: f64) -> f64 {
    let mut answers: Vec<(f64, bool)> = late
        .iter()
        .filter_map(|past| {
            let p = model.probabilities(&past.ticket);
            let (best, top) = p.into_iter().enumerate().reduce(|a, b| if b.1 > a.1 { b } else { a })?;
            Some((top, model.teams.get(best).is_some_and(|t| *t == past.team)))
        })
        .collect();
    answers.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut bar, mut right) = (2.0, 0.0);
    for (i, (top, good)) in answers.iter().enumerate() {
        right += f64::from(u8::from(*good));
        let many = (i + 1) as f64;
        let share: f64 = right / many;
        let error = (share * (1.0 - share) / many).sqrt();
        if i + 1 >= 20 && share - error / 2.0 >= sure {
            bar = *top;
        }
    }
    bar
}

/// Named values, as one text each.
fn features(ticket: &Ticket) -> Vec<String> {
    let plain = |value: &str| value.trim().trim_matches('?').to_owned();
    ticket.iter().take(MOST_FIELDS).map(|(name, value)| format!("{name}\u{1f}{}", plain(value))).collect()
}

#[cfg(test)]
mod tests;
