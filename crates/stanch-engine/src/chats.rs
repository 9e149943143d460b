//! What chats show, kept up to date: a notice becomes messages, or is withheld where there were too many, and
//! messages are changed when what they show has changed. What is said is decided in `stanch_core::chat`.

use stanch_core::chat::{self, ChannelRules, Said, Step};
use stanch_core::journal::event::{Effect, Event, Intended};
use stanch_model::{EffectId, IncidentId};

use crate::turn::Turn;

impl Turn<'_> {
    /// Takes a notice to a chat whose messages can be changed, as what is said in each channel because of
    /// it. Anything else comes back.
    pub(crate) fn said(&mut self, event: Event) -> Option<Event> {
        let Event::Intended(Intended { what: Effect::Notify { notifier, notice, noc }, .. }) = &event else {
            return Some(event);
        };
        if notice.card.is_some() || notice.to.is_empty() {
            return Some(event);
        }
        let Some(budget) = self.config().chat_budget(notifier) else { return Some(event) };
        let usual = ChannelRules::default();
        for channel in &notice.to {
            let rules = self.config().channel_rules(notifier, channel).unwrap_or(&usual);
            let steps = chat::steps(self.state, (notifier, budget, rules), channel, (notice, *noc), self.now);
            for step in steps {
                match step {
                    Step::Say(said) => self.say(*said),
                    Step::Hold(withheld) => self.put(Event::Withheld(withheld)),
                }
            }
        }
        None
    }

    /// Intends one message. Its number is the next free one: several may come from one notice.
    fn say(&mut self, said: Said) {
        let effect = EffectId(self.state.next.effect);
        let what = Effect::Notify { notifier: said.notifier, notice: said.notice, noc: said.noc };
        self.put(Event::Intended(Intended { effect, what }));
    }

    /// Changes messages that no longer show what is so, tells what waited, and says how storms go.
    pub(crate) fn show_in_chats(&mut self) {
        let config = self.config();
        let still = |notifier: &str| config.chat_budget(notifier).is_some();
        let touched: Vec<IncidentId> = self.state.agenda.cards.iter().copied().collect();
        for incident in touched {
            let (edits, wait) = chat::edits(self.state, &still, incident, self.now);
            self.state.agenda.cards.remove(&incident);
            edits.into_iter().for_each(|s| self.say(s));
            if wait {
                self.state.agenda.cards.insert(incident);
            }
        }
        let rules = |notifier: &str, channel: &str| {
            let rules = || config.channel_rules(notifier, channel).cloned().unwrap_or_default();
            still(notifier).then(rules)
        };
        for said in chat::digests(self.state, &rules, self.now) {
            self.say(said);
        }
        for said in chat::storms(self.state, &still, self.now) {
            self.say(said);
        }
    }
}
