//! Rows of `stanch eval` about routing: which team closes a ticket, told from what was known when it
//! was opened, for later months than were learnt from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use stanch_judge::measure;
use stanch_judge::route_of::{Past, Routes, Wishes};
use stanch_judge::similar::{History, Summary};

use super::figure::{Figure, Section, Target};
use super::folder::open;
use super::{Data, Progress};

/// Columns that are filled when a ticket is opened; those a trail has are used. Everything else is
/// left out on purpose: state, counts, resolver, closure, knowledge and problem numbers come later,
/// and some trails show them in every row.
const OPENING: [&str; 16] = [
    "caller_id",
    "opened_by",
    "sys_created_by",
    "contact_type",
    "location",
    "category",
    "subcategory",
    "u_symptom",
    "cmdb_ci",
    "business_service",
    "company",
    "department",
    "impact",
    "urgency",
    "priority",
    "short_description",
];

/// A ticket of a trail.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    /// Its number.
    pub(crate) number: String,
    pub(crate) past: Past,
    /// When it was last changed: what became of it was known from then on.
    pub(crate) done: i64,
    /// How it was closed, where the trail says.
    pub(crate) closed: String,
}

/// One section for each trail; none when there is none.
///
/// # Errors
/// When a file that is there cannot be read.
pub(crate) fn rows(data: &Data<'_>, progress: &Progress) -> Result<Vec<Section>> {
    if data.test.itsm.is_empty() {
        return Ok(Vec::new());
    }
    progress.say("routing");
    let (before, after) = split(data)?;
    if before.is_empty() || after.is_empty() {
        return Ok(Vec::new());
    }
    let past: Vec<Past> = before.iter().map(|t| t.past.clone()).collect();
    let routes = Routes::learn(&past, &Wishes::default());
    let mut figures = asked(&routes, &after, data.seed);
    figures.push(commonest(&before, &after));
    progress.say("tickets alike");
    figures.extend(alike(&before, &after));
    let trained_on =
        vec![format!("{} tickets closed before the first of those asked was opened", before.len())];
    Ok(vec![Section { capture: "service desk".to_owned(), trained_on, figures }])
}

/// Tickets to learn from, closed before the first to be asked was opened; and tickets to ask. In one
/// folder the last calendar month is asked.
pub(crate) fn split(data: &Data<'_>) -> Result<(Vec<Ticket>, Vec<Ticket>)> {
    let test = read(&data.test.itsm)?;
    let (train, test) = if data.same {
        let months: std::collections::BTreeSet<i64> = test.iter().map(|t| month(t.past.opened)).collect();
        let last = months.last().copied().unwrap_or_default();
        test.into_iter().partition(|t| month(t.past.opened) < last)
    } else {
        (read(&data.train.itsm)?, test)
    };
    let first = test.iter().map(|t| t.past.opened).min().unwrap_or(i64::MAX);
    let known = |t: &Ticket| t.past.opened < first && t.done < first;
    Ok((train.into_iter().filter(known).collect(), test))
}

fn asked(routes: &Routes, after: &[Ticket], seed: u64) -> Vec<Figure> {
    let mut outcome: Vec<(f64, bool, bool, bool)> = Vec::new();
    for t in after {
        let said = routes.suggest(&t.past.ticket, 3);
        let first = said.teams.first();
        let right = first.is_some_and(|f| f.team == t.past.team);
        let three = said.teams.iter().any(|s| s.team == t.past.team);
        outcome.push((first.map_or(0.0, |f| f.probability), right, three, said.abstains.is_none()));
    }
    outcome.sort_by(|a, b| b.0.total_cmp(&a.0));
    let share = |of: &[bool]| of.iter().filter(|r| **r).count() as f64 / of.len().max(1) as f64;
    let within = |of: &[bool]| {
        let drawn = |ix: &[usize]| {
            let right = ix.iter().filter(|i| of.get(**i).is_some_and(|r| *r)).count();
            right as f64 / ix.len().max(1) as f64
        };
        measure::interval(of.len(), 200, seed, drawn)
    };
    let pick = |f: fn(&(f64, bool, bool, bool)) -> bool| outcome.iter().map(f).collect::<Vec<bool>>();
    let (first, three) = (pick(|o| o.1), pick(|o| o.2));
    let half = first.get(..first.len() / 2).unwrap_or_default().to_vec();
    let answered: Vec<bool> = outcome.iter().filter(|o| o.3).map(|o| o.1).collect();
    let row = |field, title, of: &[bool], target| {
        Figure::new(field, title, share(of), target)
            .within(within(of))
            .saying(format!("{} tickets", of.len()))
    };
    vec![
        row("routing_top_1", "routing, first team right", &first, Target::AtLeast(0.62)),
        row("routing_top_3", "routing, one of three right", &three, Target::AtLeast(0.83)),
        row("routing_surest_half", "routing, surest half right", &half, Target::AtLeast(0.85)),
        Figure::new(
            "routing_answered",
            "routing, tickets a team is named for",
            share(&pick(|o| o.3)),
            Target::Told,
        ),
        row("routing_answered_right", "routing, named team right", &answered, Target::Told),
    ]
}

fn commonest(before: &[Ticket], after: &[Ticket]) -> Figure {
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    before.iter().for_each(|t| *counted.entry(&t.past.team).or_default() += 1);
    let top = counted.into_iter().max_by_key(|(_, n)| *n).map_or("", |(team, _)| team);
    let right = after.iter().filter(|t| t.past.team == top).count() as f64 / after.len().max(1) as f64;
    Figure::new("routing_commonest", "routing, the commonest team for all", right, Target::Told)
}

/// Whether tickets alike were closed the same way: the code most of the five likest share, against the
/// commonest code for all.
fn alike(before: &[Ticket], after: &[Ticket]) -> Vec<Figure> {
    let mut history = History::new(20_000);
    before.iter().filter(|t| !t.closed.is_empty()).for_each(|t| history.add(summary(t)));
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    before.iter().for_each(|t| *codes.entry(&t.closed).or_default() += 1);
    let commonest = codes.into_iter().max_by_key(|(_, n)| *n).map_or("", |(code, _)| code);
    // A thousand, evenly spread: asking is slower than learning.
    let asked: Vec<&Ticket> = after.iter().step_by((after.len() / 1_000).max(1)).collect();
    let (mut right, mut base, mut agree, mut pairs) = (0_usize, 0_usize, 0_u32, 0_u32);
    for t in &asked {
        let said = history.like(&Summary { outcome: String::new(), ..summary(t) }, 5);
        right += usize::from(said.outcomes.first().is_some_and(|(code, _)| *code == t.closed));
        base += usize::from(t.closed == commonest);
        agree += said.alike.iter().filter(|a| a.outcome == t.closed).count() as u32;
        pairs += said.alike.len() as u32;
    }
    let share = |n: usize| n as f64 / asked.len().max(1) as f64;
    vec![
        Figure::new("similar_closed_alike", "closure told by five tickets alike", share(right), Target::Told)
            .saying(format!("{} tickets", asked.len())),
        Figure::new(
            "similar_agreement",
            "… pairs of tickets alike closed the same way",
            f64::from(agree) / f64::from(pairs.max(1)),
            Target::Told,
        ),
        Figure::new("similar_any_pair", "… any pair of tickets", any_pair(before, after), Target::Told),
        Figure::new("similar_commonest", "closure, the commonest for all", share(base), Target::Told),
    ]
}

/// How often a ticket before and a ticket after, whichever, were closed the same way.
fn any_pair(before: &[Ticket], after: &[Ticket]) -> f64 {
    let shares = |of: &[Ticket]| {
        let mut counted: BTreeMap<String, f64> = BTreeMap::new();
        of.iter().for_each(|t| *counted.entry(t.closed.clone()).or_default() += 1.0 / of.len() as f64);
        counted
    };
    let (before, after) = (shares(before), shares(after));
    before.iter().filter_map(|(code, share)| Some(share * after.get(code)?)).sum()
}

/// A ticket as an incident of the past: what it is about are its words, who and where its entities.
fn summary(t: &Ticket) -> Summary {
    let of = |names: &[&str]| -> Vec<String> {
        let known = names.iter().filter_map(|n| Some(format!("{n}:{}", t.past.ticket.get(*n)?)));
        known.filter(|v| !v.ends_with(":?") && !v.ends_with(':')).collect()
    };
    Summary {
        id: t.number.clone(),
        rules: of(&["category", "subcategory", "u_symptom", "cmdb_ci", "priority"]),
        entities: of(&["caller_id", "location", "opened_by", "sys_created_by"]),
        outcome: t.closed.clone(),
        ..Summary::default()
    }
}

/// The tickets of all trails whose team is known: what the first row says, who had it in the last.
fn read(paths: &[PathBuf]) -> Result<Vec<Ticket>> {
    let mut all: BTreeMap<String, Ticket> = BTreeMap::new();
    for path in paths {
        let mut reader = csv::Reader::from_reader(open(path)?);
        let what = || format!("{} cannot be read", path.display());
        let head = reader.headers().with_context(what)?.clone();
        let at = |name: &str| head.iter().position(|h| h.trim() == name);
        let opening: Vec<(&str, usize)> = OPENING.iter().filter_map(|n| Some((*n, at(n)?))).collect();
        for row in reader.records() {
            let row = row.with_context(what)?;
            let cell = |name: &str| at(name).and_then(|i| row.get(i)).unwrap_or_default().trim();
            let ticket = all.entry(cell("number").to_owned()).or_insert_with(|| {
                let known = |(name, i): &(&str, usize)| {
                    ((*name).to_owned(), row.get(*i).unwrap_or_default().to_owned())
                };
                Ticket {
                    number: cell("number").to_owned(),
                    past: Past {
                        ticket: opening.iter().map(known).collect(),
                        team: String::new(),
                        opened: seconds(cell("opened_at")).unwrap_or_default(),
                    },
                    done: 0,
                    closed: String::new(),
                }
            });
            ticket.done = ticket.done.max(seconds(cell("sys_updated_at")).unwrap_or_default());
            if !matches!(cell("assignment_group"), "" | "?") {
                ticket.past.team = cell("assignment_group").to_owned();
            }
            ticket.closed = cell("closed_code").to_owned();
        }
    }
    Ok(all.into_values().filter(|t| !t.past.team.is_empty() && t.past.opened > 0).collect())
}

/// `29/2/2016 01:16` (day first) or `2016-02-29 01:16:00`, in seconds since 1970.
fn seconds(text: &str) -> Option<i64> {
    let iso = text.as_bytes().get(4) == Some(&b'-');
    let n: Vec<i64> = text.split(['/', '-', ' ', ':', 'T']).map_while(|p| p.parse().ok()).collect();
    let [a, month, b, hour, minute] = *n.get(..5)? else { return None };
    let (year, day) = if iso { (a, b) } else { (b, a) };
    Some(((days(year, month, day)? * 24 + hour) * 60 + minute) * 60)
}

/// Days since 1970-01-01. Source: Hinnant, "chrono-compatible low-level date algorithms".
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let y = if month <= 2 { year - 1 } else { year };
    let (era, moved) = (y.div_euclid(400), (month + 9) % 12);
    let (of_era, of_year) = (y.rem_euclid(400), (153 * moved + 2) / 5 + day - 1);
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// The calendar month of a time, counted from year 0.
fn month(at: i64) -> i64 {
    let of_days = at.div_euclid(86_400) + 719_468;
    let (era, rest) = (of_days.div_euclid(146_097), of_days.rem_euclid(146_097));
    let of_era = (rest - rest / 1_460 + rest / 36_524 - rest / 146_096) / 365;
    let moved = (5 * (rest - (365 * of_era + of_era / 4 - of_era / 100)) + 2) / 153;
    let month = if moved < 10 { moved + 3 } else { moved - 9 };
    (of_era + era * 400 + i64::from(month <= 2)) * 12 + month
}

#[cfg(test)]
mod tests {
    use super::super::folder;
    use super::*;

    #[test]
    fn both_spellings_of_a_time_are_the_same_time_and_months_are_told_apart() {
        assert_eq!(seconds("29/2/2016 01:16"), Some(1_456_708_560));
        assert_eq!(seconds("2016-02-29 01:16:30"), Some(1_456_708_560));
        assert_eq!(seconds("?"), None);
        assert_eq!(month(1_456_708_560), 2016 * 12 + 2);
        assert_eq!(month(1_456_790_400), 2016 * 12 + 3);
        assert_eq!(month(0), 1970 * 12 + 1);
    }

    /// Three months: the last is asked, and a ticket still open at its start teaches nothing.
    #[test]
    fn the_last_month_is_asked_and_only_what_was_closed_before_it_teaches() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut text = String::from(
            "number,incident_state,category,opened_at,sys_updated_at,assignment_group,closed_code\n",
        );
        for i in 0..240 {
            let (day, month) = (1 + i % 27, 1 + i / 80);
            let (kind, team) = if i % 3 == 0 { ("printer", "desk") } else { ("router", "network") };
            let done =
                if i == 150 { "9/9/2016 10:00".to_owned() } else { format!("{day}/{month}/2016 12:00") };
            text += &format!("T{i},New,{kind},{day}/{month}/2016 10:00,{day}/{month}/2016 10:00,?,1\n");
            text += &format!("T{i},Closed,{kind},{day}/{month}/2016 10:00,{done},{team},1\n");
        }
        std::fs::write(dir.path().join("trail.csv"), text).expect("written");
        let found = folder::look(dir.path()).expect("found");
        let data = Data { train: &found, test: &found, same: true, seed: 1 };
        let (before, after) = split(&data).expect("read");
        assert_eq!((before.len(), after.len()), (159, 80));
        let sections = rows(&data, &Progress::new(false)).expect("measured");
        let of = |field: &str| sections[0].figures.iter().find(|f| f.field == field).expect("a figure").value;
        assert!(of("routing_top_1") > 0.99 && of("routing_commonest") < 0.7);
    }
}
