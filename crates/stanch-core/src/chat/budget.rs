//! How much is said in a channel, and what happens when it is too much: one storm message instead of many.
//! Pure.
//!
//! Questions, reminders of them, notices to the NOC and whatever else needs a person are never withheld;
//! only what says that an incident is there, or is merely good to know, is counted. What is withheld is in
//! the journal, in the incident's story and in the storm message's numbers.
//!
//! What is critical is told beyond that, up to a number of its own: one burning house must not hide another,
//! and a hundred of them must not hide each other.
//!
//! Source: `CONSOLE.md` 5.5 rule 5 (6 new messages in 10 minutes, 30 an hour, 10 critical ones an hour beyond
//! that, then one storm message that is changed every minute).

use std::collections::{BTreeSet, VecDeque};

use stanch_model::{IncidentId, Notice, Span, Timestamp, Urgency};

/// The short window of a budget.
pub const SHORT: Span = Span::mins(10);
/// The long one.
pub const LONG: Span = Span::hours(1);
/// A storm's message is changed no more often than this.
pub const TOLD_EVERY: Span = Span::mins(1);
/// A storm is over when nothing had to be withheld for so long.
pub const CALM: Span = Span::mins(10);

/// How much is said in one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChatBudget {
    /// New messages in 10 minutes. Default 6.
    pub per_10_minutes: u32,
    /// New messages in an hour. Default 30.
    pub per_hour: u32,
    /// Incidents in 10 minutes that make a storm, told or not. Default 12.
    pub storm: u32,
    /// Critical messages in an hour, told also where there is no room for others. Default 10.
    pub critical: u32,
}

impl Default for ChatBudget {
    fn default() -> ChatBudget {
        ChatBudget { per_10_minutes: 6, per_hour: 30, storm: 12, critical: 10 }
    }
}

/// What was said and withheld in one channel lately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chatter {
    /// When messages that count were intended; the last hour of them.
    pub sent: VecDeque<Timestamp>,
    /// When incidents were to be told of, told or not; the last ten minutes of them.
    pub wanted: VecDeque<Timestamp>,
    /// When critical messages that count were intended; the last hour of them.
    pub critical: VecDeque<Timestamp>,
    /// The storm, while one goes on.
    pub storm: Option<Storm>,
}

/// A storm in one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storm {
    /// When the first message was withheld.
    pub since: Timestamp,
    /// When the last one was.
    pub last: Timestamp,
    /// How many were.
    pub messages: u64,
    /// About which incidents.
    pub incidents: BTreeSet<IncidentId>,
}

/// True for what counts: the word that an incident is there, a further rung of its ladder, and what is only
/// good to know. Everything else needs a person, or the NOC, and is never withheld.
///
/// It is asked about a notice before and after it became a message: the message of an incident is named by what
/// it shows and not by the rung that made it.
#[must_use]
pub fn counts(notice: &Notice, noc: bool) -> bool {
    let needs_a_person = notice.ask.is_some() || noc || notice.about.is_some();
    let rung = super::is_rung(notice) || super::is_card(notice);
    !needs_a_person && (rung || notice.urgency == Urgency::Information)
}

/// True when there is room for one more message that counts; `incident` says that it tells of an incident.
#[must_use]
pub fn has_room(
    chatter: &Chatter,
    budget: ChatBudget,
    now: Timestamp,
    (urgency, incident): (Urgency, bool),
) -> bool {
    let within = |times: &VecDeque<Timestamp>, span: Span| {
        let recent = times.iter().filter(|at| now.since(**at) < span).count();
        u32::try_from(recent).unwrap_or(u32::MAX)
    };
    let room = chatter.storm.is_none()
        && within(&chatter.sent, SHORT) < budget.per_10_minutes
        && within(&chatter.sent, LONG) < budget.per_hour
        && !(incident && within(&chatter.wanted, SHORT) >= budget.storm);
    room || (urgency == Urgency::Critical && within(&chatter.critical, LONG) < budget.critical)
}

impl Chatter {
    /// A message that counts is sent.
    pub(crate) fn said(&mut self, at: Timestamp, (urgency, incident): (Urgency, bool)) {
        push(&mut self.sent, at, LONG);
        if urgency == Urgency::Critical {
            push(&mut self.critical, at, LONG);
        }
        if incident {
            push(&mut self.wanted, at, SHORT);
        }
    }

    /// One was withheld.
    pub(crate) fn held(&mut self, at: Timestamp, incident: IncidentId) {
        push(&mut self.wanted, at, SHORT);
        let incidents = BTreeSet::new();
        let storm = self.storm.get_or_insert(Storm { since: at, last: at, messages: 0, incidents });
        storm.last = at;
        storm.messages += 1;
        storm.incidents.insert(incident);
    }
}

/// Adds a time, and forgets those that no longer count.
fn push(times: &mut VecDeque<Timestamp>, at: Timestamp, span: Span) {
    while times.front().is_some_and(|first| at.since(*first) >= span) {
        times.pop_front();
    }
    times.push_back(at);
}
