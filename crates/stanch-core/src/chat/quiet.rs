//! When a channel is left in peace, and when it is told what waited: quiet hours and digests. Pure.
//!
//! What waits is what a channel's budget counts and is not critical: the word that an incident is there, that
//! nobody has taken it, and what is only good to know. Questions and their reminders, notices to the NOC and
//! whatever else needs a person never wait. What waits lies in the journal: a restart loses none of it.
//!
//! Source: `CONSOLE.md` 5.4 and 5.5 rule 7 (held messages go to one digest; what is critical breaks through).

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use stanch_model::{Card, IncidentId, Notice, Severity, Span, Timestamp, Urgency};

use super::{Said, shown};
use crate::journal::State;
use crate::journal::incident::{Incident, Status};
use crate::journal::posts::{DIGEST, Waiting};

/// Incidents that a digest names, the worst first; the others are counted.
const NAMED: usize = 10;

/// Hours of every day in which a channel is left in peace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// They begin at this time of the day.
    pub from: Time,
    /// And end at this one; of the next day where it is not after `from`.
    pub to: Time,
    /// By the clocks of this zone.
    pub zone: TimeZone,
}

/// What holds for one channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelRules {
    /// When it is left in peace. Default: never.
    pub quiet: Option<Quiet>,
    /// What is not critical is told once in so long, all together. Default: at once, each by itself.
    pub digest: Option<Span>,
}

impl Quiet {
    /// The quiet hours that this moment lies in: begin and end. A time that a change of clocks leaves out is
    /// taken as much later, one that comes twice as the first: hours that have ended do not begin again.
    #[must_use]
    pub fn around(&self, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let instant = |date: Date, time: Time| {
            let at = self.zone.to_ambiguous_zoned(date.to_datetime(time)).compatible().ok()?;
            Some(Timestamp(at.timestamp().as_millisecond()))
        };
        let today = jiff::Timestamp::from_millisecond(now.0).ok()?.to_zoned(self.zone.clone()).date();
        [today.yesterday().ok(), Some(today)].into_iter().flatten().find_map(|date| {
            let last = if self.to > self.from { date } else { date.tomorrow().ok()? };
            let (begin, end) = (instant(date, self.from)?, instant(last, self.to)?);
            (begin <= now && now < end).then_some((begin, end))
        })
    }
}

impl ChannelRules {
    /// True when what is not critical waits now.
    #[must_use]
    pub fn waits(&self, now: Timestamp) -> bool {
        self.digest.is_some() || self.quiet.as_ref().is_some_and(|q| q.around(now).is_some())
    }

    /// True when what waits since then is to be told now: never in quiet hours, always after them.
    #[must_use]
    pub fn due(&self, since: Timestamp, now: Timestamp) -> bool {
        let quiet = |at| self.quiet.as_ref().is_some_and(|q| q.around(at).is_some());
        !quiet(now) && (quiet(since) || self.digest.is_none_or(|every| now.since(since) >= every))
    }
}

/// Digests that are due, and incidents that waited and are critical by now. `rules` are those of a channel, none
/// where its notifier is gone; what waits for a channel without rules any more is told at once.
#[must_use]
pub fn digests(
    state: &State,
    rules: &dyn Fn(&str, &str) -> Option<ChannelRules>,
    now: Timestamp,
) -> Vec<Said> {
    let mut all = Vec::new();
    for (notifier, channel, waiting) in state.posts.waiting() {
        let Some(rules) = rules(notifier, channel) else { continue };
        let said = |notice: Notice| Said { notifier: notifier.to_owned(), notice, noc: false };
        if rules.due(waiting.since, now) {
            all.push(said(digest(state, channel, waiting, now)));
        } else {
            let risen = known(state, waiting).filter(|i| i.severity().rank() >= Severity::Critical.rank());
            all.extend(risen.filter_map(|i| burning(state, channel, i, now)).map(said));
        }
    }
    all
}

/// The incidents that wait, each once, as they are called now.
fn known<'s>(state: &'s State, waiting: &Waiting) -> impl Iterator<Item = &'s Incident> {
    let heads: std::collections::BTreeSet<IncidentId> =
        waiting.incidents.iter().map(|i| state.head_of(*i)).collect();
    heads.into_iter().filter_map(|i| state.incidents.get(&i))
}

fn notice(key: String, incident: IncidentId, channel: &str, of: &str, now: Timestamp) -> Notice {
    Notice {
        key,
        incident,
        urgency: Urgency::Warning,
        to: vec![channel.to_owned()],
        subject: String::new(),
        body: String::new(),
        at: now,
        ask: None,
        about: None,
        closes: false,
        card: Some(Box::new(Card { of: of.to_owned(), ..Card::default() })),
        undo: None,
    }
}

/// The message of an incident that became critical while it waited. None where it has one.
fn burning(state: &State, channel: &str, i: &Incident, now: Timestamp) -> Option<Notice> {
    let of = i.id.to_string();
    let s = shown(state, &of).filter(|s| !s.over)?;
    let plain = notice(s.key, i.id, channel, &of, now);
    Some(Notice { urgency: Urgency::Critical, subject: s.subject, body: s.body, ..plain })
}

fn digest(state: &State, channel: &str, waiting: &Waiting, now: Timestamp) -> Notice {
    let mut all: Vec<&Incident> = known(state, waiting).collect();
    // The worst first; of two as bad the older one, which has waited for longer.
    all.sort_by_key(|i| (std::cmp::Reverse(i.severity().rank()), i.id));
    let (many, others) = (all.len(), waiting.others);
    let untaken = all.iter().filter(|i| i.status == Status::Triggered).count();
    let plural = |n: u64, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let incidents = plural(many as u64, "incident");
    let more = if others > 0 { format!(" and {}", plural(others, "other message")) } else { String::new() };
    let asked =
        |i: &&&Incident| state.approvals.values().any(|a| a.approval.incident == i.id && a.settled.is_none());
    let mut body = format!(
        "Since       {}\nUntil       {now}\nIncidents   {many}, {untaken} of them not taken\nQuestions   {} of them wait for an answer\n\n",
        waiting.since,
        all.iter().filter(asked).count(),
    );
    for i in all.iter().take(NAMED) {
        if let Some(s) = shown(state, &i.id.to_string()) {
            body.push_str(&format!("{}\n", s.subject));
        }
    }
    if many > NAMED {
        body.push_str(&format!("and {} more\n", many - NAMED));
    }
    for subject in &waiting.subjects {
        body.push_str(&format!("{subject}\n"));
    }
    let unnamed = others.saturating_sub(waiting.subjects.len() as u64);
    if unnamed > 0 {
        body.push_str(&format!("and {}\n", plural(unnamed, "other message")));
    }
    body.push_str("\nRead them:  stanch incidents\n");
    let plain = notice(format!("digest-{}-{}", waiting.since.0, now.0), IncidentId(0), channel, DIGEST, now);
    let subject = format!("Digest: {incidents} ({untaken} not taken){more} since {}", waiting.since);
    Notice { subject, body, closes: true, ..plain }
}

#[cfg(test)]
#[path = "quiet_tests.rs"]
mod tests;
