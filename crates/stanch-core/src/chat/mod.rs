//! What people read in a chat whose messages can be changed: one message for each incident, question and
//! change in a channel, kept up to date; new ones only for what needs a person. Pure.
//!
//! A notice that is meant for a channel becomes the message itself, an answer in its thread, or nothing
//! where the message will show it anyway. Whatever cannot be found any more is posted anew: a duplicate
//! rather than silence.
//!
//! Source: `CONSOLE.md` 5.1 and 5.5 (one message an incident and channel; edits at most every 5 s).

pub mod budget;
pub mod quiet;
mod shown;
mod storm;

use stanch_model::{ActionId, Card, IncidentId, Notice, Span, Timestamp, Undo, Urgency};

use crate::journal::State;
use crate::journal::event::Withheld;
use crate::journal::posts::PostName;

pub use budget::ChatBudget;
pub use quiet::{ChannelRules, digests};
pub use shown::{Shown, shown, undo_name};
pub use storm::storms;

/// The message of an incident is changed no more often than this. Source: Slack's tier 3 for `chat.update`,
/// about 50 a minute over all channels.
pub const EDIT_EVERY: Span = Span::secs(5);

/// Characters of a message's subject that are kept for a digest.
const SUBJECT: usize = 200;

/// A message to send now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Through which notifier.
    pub notifier: String,
    /// What, to one channel.
    pub notice: Notice,
    /// True when the NOC is told by it.
    pub noc: bool,
}

/// What becomes of a notice in one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A message.
    Say(Box<Said>),
    /// Nothing now: the channel has had too many, and its storm message counts this one; or it is left in peace,
    /// and its next digest tells of it.
    Hold(Withheld),
}

/// True for the notice that an incident's ladder sends: what the incident's own message says.
fn is_rung(notice: &Notice) -> bool {
    notice.key.starts_with(&format!("{}-rung-", notice.incident))
}

/// True for the message of an incident, new or changed.
fn is_card(notice: &Notice) -> bool {
    notice.card.as_ref().is_some_and(|c| c.of == notice.incident.to_string())
}

/// The message of its own that a notice is: about a question or a change.
fn own(notice: &Notice, noc: bool) -> Option<String> {
    let question = notice.ask.as_ref().map(|a| a.approval.to_string());
    question.or_else(|| notice.about.filter(|_| noc).map(|a| a.to_string()))
}

/// The button that takes a change back, while there is something to take back.
fn undo(state: &State, action: ActionId) -> Option<Box<Undo>> {
    let gone = state.actions.get(&action).is_some_and(|a| a.ended.is_some() || a.lasting);
    let known = state.actions.get(&action).filter(|_| !gone)?;
    Some(Box::new(Undo { action, name: undo_name(&known.action) }))
}

/// What is said in one channel because of one notice, or withheld.
#[must_use]
pub fn steps(
    state: &State,
    (notifier, budget, rules): (&str, ChatBudget, &ChannelRules),
    channel: &str,
    (notice, noc): (&Notice, bool),
    now: Timestamp,
) -> Vec<Step> {
    let none = budget::Chatter::default();
    let chatter = state.posts.chatter(notifier, channel).unwrap_or(&none);
    let step = |said: Said| {
        let counts = budget::counts(notice, noc);
        let digest = counts && notice.urgency < Urgency::Critical && rules.waits(now);
        let incident = said.notice.card.as_ref().is_some_and(|c| !c.of.is_empty());
        let room = || budget::has_room(chatter, budget, now, (notice.urgency, incident));
        if !digest && (!counts || room()) {
            return Step::Say(Box::new(said));
        }
        // An incident is called by what it is when it is told; of anything else this is all there is.
        let named = digest && !is_rung(notice);
        let subject = if named { notice.subject.chars().take(SUBJECT).collect() } else { String::new() };
        Step::Hold(Withheld {
            notifier: notifier.to_owned(),
            channel: channel.to_owned(),
            incident: notice.incident,
            key: notice.key.clone(),
            digest,
            subject,
        })
    };
    posts(state, notifier, channel, notice, noc).into_iter().map(step).collect()
}

/// What is said in one channel because of one notice, whatever its budget.
#[must_use]
pub fn posts(state: &State, notifier: &str, channel: &str, notice: &Notice, noc: bool) -> Vec<Said> {
    let post = |of: &str| state.posts.get(notice.incident, of, notifier, channel);
    let place = |of: &str| post(of).and_then(|p| p.place.clone());
    let incident = notice.incident.to_string();
    let said = |card: Card, more: Notice| {
        let notice = Notice { to: vec![channel.to_owned()], card: Some(Box::new(card)), ..more };
        vec![Said { notifier: notifier.to_owned(), notice, noc }]
    };
    let loud = notice.urgency >= Urgency::Warning;
    let own = own(notice, noc);
    if let Some(of) = &own
        && !post(of).is_some_and(crate::journal::posts::Post::is_there)
    {
        let under = place(&incident);
        let card = Card { of: of.clone(), at: None, under, loud: true };
        // A change that is over when its first message is sent has nothing to be changed later.
        let card = if notice.closes { Card { of: String::new(), ..card } } else { card };
        let undo = notice.about.filter(|_| noc && !notice.closes).and_then(|a| undo(state, a));
        return said(card, Notice { undo, ..notice.clone() });
    }
    if let Some(of) = &own {
        // The message is there: it shows the question, and soon how the change ended.
        if notice.ask.is_some() || notice.closes {
            return Vec::new();
        }
        let undo = notice.about.and_then(|a| undo(state, a));
        let notice = Notice { undo, ..notice.clone() };
        return match (post(of), place(of)) {
            // What was announced is being done: the same message says so, and offers the way back.
            (Some(p), Some(at)) if p.busy.is_none() && p.key.ends_with("-announced") => {
                said(Card { of: of.clone(), at: Some(at), ..Card::default() }, notice)
            }
            (_, under) => said(Card { under, loud, ..Card::default() }, notice),
        };
    }
    if is_rung(notice) && !post(&incident).is_some_and(crate::journal::posts::Post::is_there) {
        let card = Card { of: incident.clone(), ..Card::default() };
        let shown = shown(state, &incident).map_or_else(
            || notice.clone(),
            |s| Notice { key: s.key, subject: s.subject, body: s.body, ..notice.clone() },
        );
        return said(card, shown);
    }
    let under = place(&incident);
    said(Card { under, loud: true, ..Card::default() }, notice.clone())
}

/// The messages of an incident that no longer show what is so, changed; and true when some have to wait.
/// `still` tells of which notifiers messages can be changed.
#[must_use]
pub fn edits(
    state: &State,
    still: &dyn Fn(&str) -> bool,
    incident: IncidentId,
    now: Timestamp,
) -> (Vec<Said>, bool) {
    let (mut due, mut wait) = (Vec::new(), false);
    for (name, post) in state.posts.of(incident) {
        // What is taken out of the configuration is not waited for.
        if !still(&name.notifier) {
            continue;
        }
        let early = name.of == incident.to_string() && now.since(post.at) < EDIT_EVERY;
        if early || post.busy.is_some() {
            wait = true;
            continue;
        }
        let Some(shown) = shown(state, &name.of).filter(|s| s.key != post.key) else { continue };
        let Some(place) = post.place.clone() else { continue };
        due.push(edit(state, name, shown, place, now));
    }
    (due, wait)
}

fn edit(state: &State, name: &PostName, shown: Shown, place: stanch_model::Place, now: Timestamp) -> Said {
    let about: Option<ActionId> = name.of.parse().ok();
    let card = Card { of: name.of.clone(), at: Some(place), ..Card::default() };
    let notice = Notice {
        key: shown.key,
        incident: name.incident,
        urgency: Urgency::Information,
        to: vec![name.channel.clone()],
        subject: shown.subject,
        body: shown.body,
        at: now,
        ask: None,
        about,
        closes: shown.over,
        card: Some(Box::new(card)),
        undo: about.and_then(|a| undo(state, a)),
    };
    Said { notifier: name.notifier.clone(), noc: about.is_some(), notice }
}

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod storm_tests;
#[cfg(test)]
mod tests;
