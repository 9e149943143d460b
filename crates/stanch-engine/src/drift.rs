//! What devices show of changes in force, and of those that are over: told, made again, or lifted again.

use stanch_core::contain::lease::{self, Found};
use stanch_core::journal::event::{ActionObserved, Effect, Event, Settled};
use stanch_model::{Action, ActionId, EffectId, Failure, Observed};

use crate::turn::Turn;

impl Turn<'_> {
    /// What a look at a change in force, or at one that is over, has shown.
    pub(crate) fn looked(&mut self, a: &Action, observed: Observed) {
        let Some(state) = self.state.actions.get(&a.id) else { return };
        let lasting = state.lasting;
        let found = lease::found(state, &observed, &self.config().containment, self.now);
        let shows = match &observed {
            Observed::Different { what } => format!("is not as it was made on {} ({what})", a.responder),
            Observed::Absent | Observed::Present { .. } => format!("is not on {} any more", a.responder),
        };
        self.record(Event::ActionObserved(ActionObserved { action: a.id, observed, until: None }));
        let text = format!("{}: {} {shows}", a.id, a.kind.words());
        match found {
            Found::Nothing => {}
            Found::Tell if lasting => {
                let text = format!("{text}; what cannot be undone is not made again by itself: look at it");
                self.drifted(a, &text, "drift");
            }
            Found::Tell => self.drifted(a, &format!("{text}, before its time"), "drift"),
            Found::Repair if self.is_stopped(a.id) => {
                let why = "the kill switch is engaged, so it is not made again";
                self.drifted(a, &format!("{text}, before its time; {why}"), "drift");
            }
            Found::Repair => {
                let text = format!("{text}, before its time; it is made again for the rest of its time");
                self.drifted(a, &text, &format!("drift-{}", self.now.0));
                self.intend(Effect::Perform { action: a.id });
            }
            Found::LiftAgain => {
                let text = format!("{}: {} was lifted but is there again; lifting it", a.id, a.kind.words());
                self.note_on(a.incident, text);
                self.intend(Effect::Revert { action: a.clone() });
            }
        }
    }

    /// What came of making a change again. True when it was that, and is dealt with.
    pub(crate) fn made_again(
        &mut self,
        effect: EffectId,
        id: ActionId,
        r: &Result<Observed, Failure>,
    ) -> bool {
        let Some(a) = self.state.actions.get(&id).filter(|a| a.in_force.is_some()) else { return false };
        let action = a.action.clone();
        let failure = r.as_ref().err().cloned();
        let retry_at = None;
        self.record(Event::Settled(Settled { effect, failure, retry_at, receipt: String::new() }));
        match r {
            Ok(observed) => {
                let observed = observed.clone();
                self.record(Event::ActionObserved(ActionObserved { action: id, observed, until: None }));
            }
            Err(why) => {
                let text = format!("{id}: {} could not be made again: {why}", action.kind.words());
                self.drifted(&action, &text, &format!("again-{effect}"));
                self.intend(Effect::Verify { action });
            }
        }
        true
    }

    /// A device does not show what it should: in the story, and to the NOC or, where no team is named
    /// for it, to those who answer for the incident.
    fn drifted(&mut self, a: &Action, text: &str, key: &str) {
        self.note_on(a.incident, text.to_owned());
        let noc = self.config().containment.noc_team.clone();
        let answers = || self.state.incidents.get(&a.incident)?.team.clone();
        if let Some(team) = noc.or_else(answers) {
            self.of_change(&team, a, ("Drift", text, key), false);
        }
    }
}
