//! The storm message of a channel: posted when the first message is withheld, changed every minute, and closed
//! once by a last word. Pure.

use stanch_model::{Card, IncidentId, Notice, Place, Severity, Timestamp, Urgency};

use super::Said;
use super::budget::{CALM, Storm, TOLD_EVERY};
use crate::journal::State;
use crate::journal::incident::Status;
use crate::journal::posts::STORM;

/// What is to be said about storms now. `still` tells of which notifiers messages can be changed.
#[must_use]
pub fn storms(state: &State, still: &dyn Fn(&str) -> bool, now: Timestamp) -> Vec<Said> {
    let mut all = Vec::new();
    for (notifier, channel, storm) in state.posts.storms().filter(|(n, ..)| still(n)) {
        let post = state.posts.get(IncidentId(0), STORM, notifier, channel);
        let place = post.and_then(|p| p.place.clone());
        let over = now.since(storm.last) >= CALM;
        let said = |of: &str, at: Option<Place>, under: Option<Place>, closes: bool| {
            let (key, subject, body) = words(state, storm, over);
            let card = Card { of: of.to_owned(), at, under, loud: true };
            let notice = Notice {
                key,
                incident: IncidentId(0),
                urgency: if over { Urgency::Information } else { Urgency::Warning },
                to: vec![channel.to_owned()],
                subject,
                body,
                at: now,
                ask: None,
                about: None,
                closes,
                card: Some(Box::new(card)),
                undo: None,
            };
            Said { notifier: notifier.to_owned(), notice, noc: false }
        };
        match post {
            None if !over => all.push(said(STORM, None, None, false)),
            // Nobody could be told that there was one; the journal has it.
            None => all.push(said(STORM, None, None, true)),
            Some(p) if p.busy.is_some() => {}
            Some(_) if over => {
                all.push(said("", None, place.clone(), false));
                all.push(said(STORM, place, None, true));
            }
            Some(p) if now.since(p.at) >= TOLD_EVERY && p.key != words(state, storm, over).0 => {
                all.push(said(STORM, place, None, false));
            }
            Some(_) => {}
        }
    }
    all
}

/// Key, subject and body.
fn words(state: &State, storm: &Storm, over: bool) -> (String, String, String) {
    let many = storm.incidents.len();
    let lasted = storm.last.since(storm.since);
    let plural = |n: usize| if n == 1 { "incident" } else { "incidents" };
    let subject = match over {
        false => format!("Storm: {many} {} in {lasted} not told one by one here", plural(many)),
        true => {
            format!("The storm is over: {many} {} in {lasted} were not told one by one here", plural(many))
        }
    };
    let known = || storm.incidents.iter().filter_map(|i| state.incidents.get(&state.head_of(*i)));
    let untaken = known().filter(|i| i.status == Status::Triggered).count();
    let critical = known().filter(|i| i.severity().rank() >= Severity::Critical.rank()).count();
    let worst = known().max_by_key(|i| i.severity().rank());
    let worst =
        worst.map(|i| format!("Worst       {} ({})\n", i.severity().word(), i.id)).unwrap_or_default();
    let body = format!(
        "Since       {}\nUntil       {}\nWithheld    {} messages about {many} {}\nUntaken     {untaken} of them\nCritical    {critical} of them\n{worst}\nQuestions and notices to the NOC are told as always.\nSee them:   stanch incidents\n",
        storm.since,
        storm.last,
        storm.messages,
        plural(many),
    );
    let key = format!("storm-{}-{}{}", storm.since.0, storm.messages, if over { "-over" } else { "" });
    (key, subject, body)
}
