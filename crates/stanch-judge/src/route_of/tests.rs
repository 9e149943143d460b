//! Routing on small made histories and on the trail of a real service desk.

use std::collections::BTreeSet;

use super::*;
use crate::stage_of::tests::{gunzip, shared};

fn ticket(fields: &[(&str, &str)]) -> Ticket {
    fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
}

/// Printers go to the desk, routers to the network team; what floor it is means nothing.
fn history() -> Vec<Past> {
    let kinds = [("printer", "desk"), ("router", "network"), ("printer", "desk"), ("disk", "storage")];
    (0..200)
        .map(|i: i64| {
            let (kind, team) = kinds[usize::try_from(i).expect("small") % 4];
            let floor = (i % 7).to_string();
            Past {
                ticket: ticket(&[("kind", kind), ("floor", &floor)]),
                team: team.into(),
                opened: i * 3_600,
            }
        })
        .collect()
}

#[test]
fn a_ticket_goes_where_tickets_like_it_went_and_the_reason_counts_them() {
    let routes = Routes::learn(&history(), &Wishes::default());
    let said = routes.suggest(&ticket(&[("kind", "router"), ("floor", "3")]), 3);
    assert_eq!(said.abstains, None);
    assert_eq!(said.teams[0].team, "network");
    assert!(said.teams[0].probability > 0.8, "{said:?}");
    assert!(said.teams[0].reason.starts_with("50 of 50 with kind \"router\" went there"), "{said:?}");
    assert_eq!(said.teams.len(), 3);
}

#[test]
fn what_is_not_known_is_said_and_no_team_is_named() {
    let routes = Routes::learn(&history(), &Wishes::default());
    let said = routes.suggest(&ticket(&[("kind", "coffee machine"), ("owner", "?")]), 2);
    assert!(said.abstains.is_some_and(|a| a.contains("% of answers were right")));
    let few = Routes::learn(&history()[..20], &Wishes::default());
    let said = few.suggest(&ticket(&[("kind", "router")]), 2);
    assert_eq!(said.teams, []);
    assert_eq!(said.abstains.as_deref(), Some("20 earlier tickets are too few to learn from; 50 are needed"));
}

#[test]
fn a_history_without_order_teaches_nothing_and_the_model_says_so() {
    let mut mixed = history();
    // Every field is unrelated to the team: 11 shares no divisor with 4 or 7.
    for (i, past) in mixed.iter_mut().enumerate() {
        past.ticket = ticket(&[("kind", ["a", "b", "c"][i % 3]), ("floor", &(i % 11).to_string())]);
    }
    let routes = Routes::learn(&mixed, &Wishes::default());
    assert!(routes.suggest(&ticket(&[("kind", "a"), ("floor", "1")]), 1).abstains.is_some());
}

#[test]
fn recent_tickets_count_more() {
    let mut moved = history();
    // The printers' team changed half-way.
    moved
        .iter_mut()
        .filter(|p| p.opened > 100 * 3_600 && p.team == "desk")
        .for_each(|p| p.team = "field".into());
    let day = Wishes { half_life: 86_400, ..Wishes::default() };
    let said = Routes::learn(&moved, &day).suggest(&ticket(&[("kind", "printer")]), 1);
    assert_eq!(said.teams[0].team, "field");
}

#[test]
fn the_order_of_the_history_changes_nothing() {
    let mut past = history();
    let once = Routes::learn(&past, &Wishes::default());
    past.reverse();
    assert_eq!(once, Routes::learn(&past, &Wishes::default()));
}

/// What is known when a ticket of the trail is opened. Left out on purpose: everything that is
/// filled in or changed later (state, counts, resolver, closure, knowledge, problem, change).
const OPENING: [&str; 12] = [
    "caller_id",
    "opened_by",
    "sys_created_by",
    "contact_type",
    "location",
    "category",
    "subcategory",
    "u_symptom",
    "cmdb_ci",
    "impact",
    "urgency",
    "priority",
];

/// Minutes since the first of January of year 0, near enough to compare: `29/2/2016 01:16`.
fn minutes(text: &str) -> i64 {
    let n: Vec<i64> = text.split(['/', ' ', ':']).filter_map(|p| p.parse().ok()).collect();
    n.get(..5).map_or(0, |n| (((n[2] * 12 + n[1]) * 31 + n[0]) * 24 + n[3]) * 60 + n[4])
}

#[test]
fn later_tickets_of_a_service_desk_are_routed_from_earlier_ones() {
    let Some(folder) = shared("itsm-incidents") else { return };
    let file = std::fs::read_dir(folder).expect("listable").flatten().next().expect("a trail").path();
    let text = gunzip(&file);
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().expect("a head").split(',').collect();
    let at = |name: &str| head.iter().position(|h| *h == name).expect("a column");
    let (number, group, opened, updated) =
        (at("number"), at("assignment_group"), at("opened_at"), at("sys_updated_at"));
    let mut all: BTreeMap<&str, (Past, i64)> = BTreeMap::new();
    for line in lines {
        let row: Vec<&str> = line.split(',').collect();
        let (past, last) = all.entry(row[number]).or_insert_with(|| {
            let fields = OPENING.iter().map(|n| ((*n).to_owned(), row[at(n)].to_owned()));
            (Past { ticket: fields.collect(), team: String::new(), opened: minutes(row[opened]) * 60 }, 0)
        });
        *last = (*last).max(minutes(row[updated]) * 60);
        if row[group] != "?" {
            past.team = row[group].to_owned();
        }
    }
    let split = minutes("1/4/2016 00:00") * 60;
    let known = |(p, last): &&(Past, i64)| p.opened < split && *last < split && !p.team.is_empty();
    let before: Vec<Past> = all.values().filter(known).map(|(p, _)| p.clone()).collect();
    let after: Vec<&Past> =
        all.values().map(|(p, _)| p).filter(|p| p.opened >= split && !p.team.is_empty()).collect();
    let routes = Routes::learn(&before, &Wishes::default());
    let (mut first, mut third, mut answered, mut answered_right) = (0, 0, 0, 0);
    let mut sure: Vec<(f64, bool)> = Vec::new();
    for past in &after {
        let said = routes.suggest(&past.ticket, 3);
        let right = said.teams[0].team == past.team;
        first += usize::from(right);
        third += usize::from(said.teams.iter().any(|t| t.team == past.team));
        sure.push((said.teams[0].probability, right));
        if said.abstains.is_none() {
            answered += 1;
            answered_right += usize::from(right);
        }
    }
    sure.sort_by(|a, b| b.0.total_cmp(&a.0));
    let half = after.len() / 2;
    let share = |n: usize, of: usize| n as f64 / of.max(1) as f64;
    let surest = share(sure.iter().take(half).filter(|s| s.1).count(), half);
    let (top1, top3) = (share(first, after.len()), share(third, after.len()));
    eprintln!(
        "{} before, {} after: first {top1:.3}, of three {top3:.3}, surest half {surest:.3}; answers {:.2} of them, {:.3} right, bar {:.2}",
        before.len(),
        after.len(),
        share(answered, after.len()),
        share(answered_right, answered),
        routes.bar(),
    );
    assert!(top1 >= 0.62 && top3 >= 0.83 && surest >= 0.85, "{top1} {top3} {surest}");
    assert!(after.iter().map(|p| &p.team).collect::<BTreeSet<_>>().len() > 30);
}
