//! What the tests of chats begin with.

use stanch_model::{IncidentId, Notice, Timestamp, Urgency};

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
