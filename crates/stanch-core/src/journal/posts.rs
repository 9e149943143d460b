//! Which messages in chats show what, and where they are: so that they are changed in place.

use std::collections::BTreeMap;

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

/// All messages that may still be changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Posts(BTreeMap<PostName, Post>);

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
        self.0.range(from..).take_while(move |(n, _)| n.incident == incident)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn name(notifier: &str, notice: &Notice) -> Option<PostName> {
        let card = notice.card.as_ref().filter(|c| !c.of.is_empty())?;
        let ([channel], notifier) = (&notice.to[..], notifier.to_owned()) else { return None };
        Some(PostName { incident: notice.incident, of: card.of.clone(), notifier, channel: channel.clone() })
    }

    /// A message is to be posted or changed.
    pub(super) fn intended(&mut self, at: Timestamp, effect: EffectId, notifier: &str, notice: &Notice) {
        let Some(name) = Posts::name(notifier, notice) else { return };
        let place = notice.card.as_ref().and_then(|c| c.at.clone());
        self.0.insert(name, Post { place, key: notice.key.clone(), at, busy: Some(effect) });
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
        let Some(post) = self.0.get_mut(&name).filter(|p| p.busy == Some(effect)) else { return };
        post.busy = None;
        if let Some(place) = receipt.and_then(Place::of_receipt) {
            post.place = Some(place);
        }
        // What shows its end is not changed any more; what is nowhere cannot be.
        if post.place.is_none() || (notice.closes && receipt.is_some()) {
            self.0.remove(&name);
        }
    }
}
