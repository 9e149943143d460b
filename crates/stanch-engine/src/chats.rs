//! What chats show, kept up to date: a notice becomes messages, and messages are changed when what they show
//! has changed. What is said is decided in `stanch_core::chat`.

use stanch_core::chat::{self, Said};
use stanch_core::journal::event::{Effect, Event, Intended};
use stanch_model::{EffectId, IncidentId};

use crate::turn::Turn;

impl Turn<'_> {
    /// What is said in each channel because of a notice; none for everything else.
    pub(crate) fn said(&self, event: &Event) -> Option<Vec<Said>> {
        let Event::Intended(Intended { what: Effect::Notify { notifier, notice, noc }, .. }) = event else {
            return None;
        };
        if notice.card.is_some() || notice.to.is_empty() || !self.config().edits(notifier) {
            return None;
        }
        let each = notice.to.iter().flat_map(|c| chat::posts(self.state, notifier, c, notice, *noc));
        Some(each.collect())
    }

    /// Intends one message. Its number is the next free one: several may come from one notice.
    pub(crate) fn say(&mut self, said: Said) {
        let effect = EffectId(self.state.next.effect);
        let what = Effect::Notify { notifier: said.notifier, notice: said.notice, noc: said.noc };
        self.put(Event::Intended(Intended { effect, what }));
    }

    /// Changes messages that no longer show what is so.
    pub(crate) fn show_in_chats(&mut self) {
        let config = self.config();
        let still = |notifier: &str| config.edits(notifier);
        let touched: Vec<IncidentId> = self.state.agenda.cards.iter().copied().collect();
        for incident in touched {
            let (edits, wait) = chat::edits(self.state, &still, incident, self.now);
            self.state.agenda.cards.remove(&incident);
            edits.into_iter().for_each(|s| self.say(s));
            if wait {
                self.state.agenda.cards.insert(incident);
            }
        }
    }
}
