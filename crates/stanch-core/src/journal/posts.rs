//! Which messages in chats show what, and where they are: so that they are changed in place.

use std::collections::{BTreeMap, BTreeSet};

use super::event::Withheld;
use crate::chat::budget::{Chatter, Storm, counts};
use stanch_model::{EffectId, IncidentId, Notice, Place, Timestamp};

/// Which message: what it shows, and where it was sent to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PostName {
    /// The incident it belongs to, as it was named then.
    pub incident: IncidentId,
    /// `INC-3`, `APR-1` or `ACT-4`.
    pub of: String,
    /// Through which notifier.
    pub notifier: String,
    /// The channel, as the configuration names it.
    pub channel: String,
}

/// A message in a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// Where it is; none until the chat has said so.
    pub place: Option<Place>,
    /// What it shows, or is about to: the key of the latest notice.
    pub key: String,
    /// When that was intended.
    pub at: Timestamp,
    /// What carries it out now.
    pub busy: Option<EffectId>,
}

impl Post {
    /// True when it is there, or soon will be: another one would be a second one.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.place.is_some() || self.busy.is_some()
    }
}

/// All messages that may still be changed, and how much is said in each channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Posts {
    all: BTreeMap<PostName, Post>,
    /// By notifier and channel.
    channels: BTreeMap<(String, String), Chatter>,
    /// What waits for a digest, by notifier and channel.
    waiting: BTreeMap<(String, String), Waiting>,
}

/// What waits for the digest of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Since when the first of it does.
    pub since: Timestamp,
    /// Incidents that were not told there by themselves.
    pub incidents: BTreeSet<IncidentId>,
    /// How many messages about other things.
    pub others: u64,
    /// What the first of those say.
    pub subjects: Vec<String>,
}

/// Subjects kept for one digest; more are counted.
const SUBJECTS: usize = 20;
/// What a digest shows; it belongs to no incident.
pub const DIGEST: &str = "digest";

/// What the message about a storm shows; it belongs to no incident.
pub const STORM: &str = "storm";

impl Posts {
    /// The message that shows this, there.
    #[must_use]
    pub fn get(&self, incident: IncidentId, of: &str, notifier: &str, channel: &str) -> Option<&Post> {
        self.of(incident)
            .find(|(n, _)| n.of == of && n.notifier == notifier && n.channel == channel)
            .map(|(_, p)| p)
    }

    /// All messages of an incident.
    pub fn of(&self, incident: IncidentId) -> impl Iterator<Item = (&PostName, &Post)> {
        let from = PostName { incident, of: String::new(), notifier: String::new(), channel: String::new() };
        self.all.range(from..).take_while(move |(n, _)| n.incident == incident)
    }

    /// What was said in a channel lately; none when nothing was.
    #[must_use]
    pub fn chatter(&self, notifier: &str, channel: &str) -> Option<&Chatter> {
        self.channels.get(&(notifier.to_owned(), channel.to_owned()))
    }

    /// The storms that go on: notifier, channel, storm.
    pub fn storms(&self) -> impl Iterator<Item = (&str, &str, &Storm)> {
        self.channels
            .iter()
            .filter_map(|((n, c), chatter)| Some((n.as_str(), c.as_str(), chatter.storm.as_ref()?)))
    }

    /// What waits for digests: notifier, channel, what.
    pub fn waiting(&self) -> impl Iterator<Item = (&str, &str, &Waiting)> {
        self.waiting.iter().map(|((n, c), waiting)| (n.as_str(), c.as_str(), waiting))
    }

    fn channel(&mut self, notifier: &str, channel: &str) -> &mut Chatter {
        self.channels.entry((notifier.to_owned(), channel.to_owned())).or_default()
    }

    /// A channel was spared a message.
    pub(super) fn withheld(&mut self, at: Timestamp, e: &Withheld) {
        if !e.digest {
            return self.channel(&e.notifier, &e.channel).held(at, e.incident);
        }
        let new = Waiting { since: at, incidents: BTreeSet::new(), others: 0, subjects: Vec::new() };
        let waiting = self.waiting.entry((e.notifier.clone(), e.channel.clone())).or_insert(new);
        if e.subject.is_empty() {
            waiting.incidents.insert(e.incident);
            return;
        }
        waiting.others += 1;
        if waiting.subjects.len() < SUBJECTS {
            waiting.subjects.push(e.subject.clone());
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn name(notifier: &str, notice: &Notice) -> Option<PostName> {
        let card = notice.card.as_ref().filter(|c| !c.of.is_empty())?;
        let ([channel], notifier) = (&notice.to[..], notifier.to_owned()) else { return None };
        Some(PostName { incident: notice.incident, of: card.of.clone(), notifier, channel: channel.clone() })
    }

    /// An incident gets a message of its own in a channel: it waits for no digest there.
    fn told(&mut self, notifier: &str, channel: &str, incident: IncidentId) {
        let name = (notifier.to_owned(), channel.to_owned());
        let Some(waiting) = self.waiting.get_mut(&name) else { return };
        waiting.incidents.remove(&incident);
        if waiting.incidents.is_empty() && waiting.others == 0 {
            self.waiting.remove(&name);
        }
    }

    /// A message is to be posted or changed.
    pub(super) fn intended(
        &mut self,
        at: Timestamp,
        effect: EffectId,
        notifier: &str,
        notice: &Notice,
        noc: bool,
    ) {
        if let (Some(card), [channel]) = (&notice.card, &notice.to[..]) {
            if card.at.is_none() && card.of == notice.incident.to_string() {
                self.told(notifier, channel, notice.incident);
            }
            if card.of == DIGEST {
                // Told because others were not: it is no message too many.
                self.waiting.remove(&(notifier.to_owned(), channel.clone()));
            } else if card.of == STORM && notice.closes {
                self.channel(notifier, channel).storm = None;
            } else if card.at.is_none() && card.of != STORM && counts(notice, noc) {
                self.channel(notifier, channel).said(at, (notice.urgency, !card.of.is_empty()));
            }
        }
        let Some(name) = Posts::name(notifier, notice) else { return };
        let place = notice.card.as_ref().and_then(|c| c.at.clone());
        self.all.insert(name, Post { place, key: notice.key.clone(), at, busy: Some(effect) });
    }

    /// It was, or was given up.
    pub(super) fn settled(
        &mut self,
        effect: EffectId,
        notifier: &str,
        notice: &Notice,
        receipt: Option<&str>,
    ) {
        let Some(name) = Posts::name(notifier, notice) else { return };
        let Some(post) = self.all.get_mut(&name).filter(|p| p.busy == Some(effect)) else { return };
        post.busy = None;
        if let Some(place) = receipt.and_then(Place::of_receipt) {
            post.place = Some(place);
        }
        // What shows its end is not changed any more; what is nowhere cannot be.
        if post.place.is_none() || (notice.closes && receipt.is_some()) {
            self.all.remove(&name);
        }
    }
}
