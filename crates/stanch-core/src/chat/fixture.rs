//! What the tests of chats begin with.

use stanch_model::{EffectId, IncidentId, Notice, Timestamp, Urgency};

use super::Said;
use crate::journal::event::{Effect, Event, Intended, Settled};

/// A notice to two channels about an incident, which asks and changes nothing.
pub(super) fn notice(incident: u64, key: &str, urgency: Urgency) -> Notice {
    Notice {
        key: key.to_owned(),
        incident: IncidentId(incident),
        urgency,
        to: vec!["C1".into(), "C2".into()],
        subject: "subject".into(),
        body: "body".into(),
        at: Timestamp(0),
        ask: None,
        about: None,
        closes: false,
        card: None,
        undo: None,
    }
}

/// A message is sent, and the chat takes it at once.
pub(super) fn taken(said: &Said, effect: EffectId) -> [Event; 2] {
    let what = Effect::Notify { notifier: said.notifier.clone(), notice: said.notice.clone(), noc: said.noc };
    let receipt = format!("C1 {}.1", effect.0);
    [
        Event::Intended(Intended { effect, what }),
        Event::Settled(Settled { effect, failure: None, retry_at: None, receipt }),
    ]
}
