//! What came of an effect: done, to be tried again, or to be looked at by a person.

use serde_json::Value as Json;
use stanch_core::contain::lease::DEVICE_CLOCK;
use stanch_core::journal::event::{
    ActionCaptured, ActionEnd, ActionEnded, ActionObserved, ByPerson, Effect, Enriched, Event, Missing,
    Settled,
};
use stanch_core::journal::state::Disposition;
use stanch_core::playbook::run;
use stanch_core::stage::correlate::{self, Look, Place};
use stanch_core::stage::{fingerprint, triage};
use stanch_model::{
    Action, ActionId, AlertId, EffectId, Fact, Failure, IncidentId, Meaning, Observed, RunId, Span,
};

use crate::due::STALE_CHANGE;
use crate::input::{Answer, Outcome};
use crate::leases::held_back;
use crate::pipeline::from_alert;
use crate::turn::{Fetch, Turn};

/// Tries of a change before it is given up; a release is never given up.
const CHANGE_TRIES: u32 = 5;
/// Tries of a notice before people are told that it could not be delivered. About a day at the cap.
const NOTICE_TRIES: u32 = 1_500;

/// Waits between tries: 1 s doubling to a minute, or as long as the other side asks.
fn backoff(attempts: u32, failure: &Failure) -> Span {
    let own = Span::secs(1i64 << attempts.min(6)).min(Span::mins(1));
    match failure {
        Failure::RateLimited { retry_after, .. } => (*retry_after).max(own).min(Span::hours(1)),
        Failure::Transient { .. }
        | Failure::Unauthorised { .. }
        | Failure::Permanent { .. }
        | Failure::Unknown { .. }
        | Failure::Late { .. } => own,
    }
}

/// The answers of enrichers as a playbook reads them.
fn looked(answers: &[Answer]) -> Json {
    let facts: Vec<&Fact> = answers.iter().filter_map(|a| a.outcome.as_ref().ok()).flatten().collect();
    let missing: Vec<Json> = answers
        .iter()
        .filter_map(|a| Some((a, a.outcome.as_ref().err()?)))
        .map(|(a, f)| serde_json::json!({ "provider": a.provider, "why": f.to_string() }))
        .collect();
    serde_json::json!({ "facts": facts.iter().map(|f| fact(f)).collect::<Vec<_>>(), "missing": missing })
}

/// One fact, flat: `{ provider, about, is, … }`.
fn fact(f: &Fact) -> Json {
    let mut fields = match serde_json::to_value(&f.meaning) {
        Ok(Json::Object(fields)) => fields,
        Ok(_) | Err(_) => serde_json::Map::new(),
    };
    fields.insert("provider".into(), f.provider.as_str().into());
    fields.insert("about".into(), f.about.value.as_str().into());
    Json::Object(fields)
}

impl Turn<'_> {
    /// Takes the outcome of an effect. One that is not pending (any more) changes nothing.
    pub(crate) fn settle(&mut self, id: EffectId, outcome: Outcome, fetch: Fetch<'_>) {
        let Some(pending) = self.state.pending.get(&id) else { return };
        // Where a channel is down this is what comes back again and again: the notice is not copied for it.
        if let (Effect::Notify { .. }, Outcome::Told(Err(failure))) = (&pending.what, &outcome)
            && pending.attempts + 1 < NOTICE_TRIES
        {
            self.again(id, pending.attempts, failure.clone());
            return self.advance_runs();
        }
        let pending = pending.clone();
        match (pending.what, outcome) {
            (Effect::LookUp { alert, site, .. }, Outcome::Looked(answers)) => {
                self.done(id, String::new());
                self.enrich(alert, &site, answers, fetch);
            }
            (Effect::Notify { notice, .. }, Outcome::Told(told)) => match told {
                Ok(receipt) => self.done(id, receipt),
                // Tried for long enough: the others went back above.
                Err(failure) => {
                    let text = format!("could not be told: {} ({failure})", notice.subject);
                    self.failed(id, failure);
                    self.note(notice.incident, text);
                }
            },
            (Effect::Enrich { run, path, .. }, Outcome::Looked(answers)) => {
                self.done(id, String::new());
                self.answered(run, &path, id, Ok(looked(&answers)));
            }
            (Effect::Fetch { run, path, .. }, Outcome::Fetched(r)) => {
                match &r {
                    Ok(_) => self.done(id, String::new()),
                    Err(failure) => self.failed(id, failure.clone()),
                }
                self.answered(run, &path, id, r);
            }
            (Effect::Capture { action }, Outcome::Captured(r)) => {
                self.captured(id, action, pending.attempts, r);
            }
            (Effect::Perform { action }, Outcome::Changed(r)) => {
                self.performed(id, action, pending.attempts, r)
            }
            (Effect::Verify { action }, Outcome::Changed(r)) => {
                self.verified(id, &action, pending.attempts, r)
            }
            (Effect::Revert { action }, Outcome::Changed(r)) => {
                self.reverted(id, &action, pending.attempts, r)
            }
            (what, _) => {
                tracing::error!(effect = %id, ?what, "an outcome of another kind came back; ignored")
            }
        }
        self.advance_runs();
    }

    /// A step of a run has got its answer: in the same commit, so that it is never asked twice.
    fn answered(&mut self, run: RunId, path: &str, effect: EffectId, outcome: Result<Json, Failure>) {
        let events = self.world(|w| match w.state.runs.get(&run) {
            Some(r) => run::answered(w, r, path, effect, outcome),
            None => Vec::new(),
        });
        self.take(events);
    }

    fn done(&mut self, effect: EffectId, receipt: String) {
        self.record(Event::Settled(Settled { effect, failure: None, retry_at: None, receipt }));
    }

    fn failed(&mut self, effect: EffectId, failure: Failure) {
        let receipt = String::new();
        self.record(Event::Settled(Settled { effect, failure: Some(failure), retry_at: None, receipt }));
    }

    fn again(&mut self, effect: EffectId, attempts: u32, failure: Failure) {
        let retry_at = Some(self.now.plus(backoff(attempts, &failure)));
        let receipt = String::new();
        self.record(Event::Settled(Settled { effect, failure: Some(failure), retry_at, receipt }));
    }

    fn note(&mut self, incident: IncidentId, text: String) {
        self.record(Event::Noted(ByPerson { incident, by: "stanch".into(), text }));
    }

    // ------------------------------------------------------------------------------ look-ups

    fn enrich(&mut self, alert: AlertId, site: &str, answers: Vec<Answer>, fetch: Fetch<'_>) {
        let mut facts = Vec::new();
        let mut missing = Vec::new();
        for a in answers {
            match a.outcome {
                Ok(found) => facts.extend(found),
                Err(failure) => missing.push(Missing { provider: a.provider, about: a.about, failure }),
            }
        }
        let Some(body) = fetch(self.state, alert) else {
            tracing::error!(%alert, "the alert of a look-up cannot be read back; its answers are dropped");
            return;
        };
        let ends = fingerprint::ends(&body);
        facts.extend(self.history(site, alert, &ends));
        let policy = &self.rules.config.triage;
        let mut features = triage::features(self.state, policy, site, &body, &ends, &facts);
        let score = self.score(&mut features, site, &body, &ends, &facts);
        let thousandths = score.thousandths().max(self.state.slot(alert).map_or(0, |s| s.score));
        let risen = self.state.slot(alert).is_some_and(|s| s.score < thousandths);
        let e = Enriched { alert, facts, missing, score: thousandths, because: score.because.clone() };
        self.record(Event::Enriched(e));
        let Some(slot) = self.state.slot(alert).cloned() else { return };
        if slot.disposition == Disposition::InIncident && risen {
            // What was learnt may change who answers and whether a playbook runs.
            self.after_change(self.state.head_of(IncidentId(u64::from(slot.link))));
        }
        if slot.disposition != Disposition::Open {
            return;
        }
        let source =
            self.state.sources.get(usize::from(slot.source)).map(|s| s.name.clone()).unwrap_or_default();
        let joined = from_alert(alert, &body, &source, thousandths, self.state);
        let decided = correlate::correlate(self.state, policy, site, &joined, self.look(Look::First));
        let because = decided.because.first().map(ToString::to_string).unwrap_or_default();
        let joined = stanch_core::journal::event::Joined { because, ..joined };
        match decided.verdict {
            Place::Join { incident, merge } => self.join(incident, merge, joined),
            Place::Open => self.open(site, joined, decided.because),
            Place::Alone => {}
        }
    }

    /// "Has this machine touched this before?" and "who talks to it lately?", from our own journal.
    fn history(
        &self,
        site: &str,
        alert: AlertId,
        ends: &stanch_core::journal::event::Ends,
    ) -> Vec<stanch_model::Fact> {
        let mut facts = Vec::new();
        let arrived = self.state.slot(alert).map_or(self.now, |s| s.first);
        for ip in [ends.src, ends.dst].into_iter().flatten() {
            let about = stanch_model::Observable::new(stanch_model::ObservableKind::Ip, ip.to_string());
            let Some(peers) = self.state.contacts.of(site, ip) else { continue };
            let other = if ends.src == Some(ip) { ends.dst } else { ends.src };
            if let Some((other, c)) = other.and_then(|o| peers.get(&o).map(|c| (o, c)))
                && c.first < arrived
            {
                let with = format!("with {other}");
                let meaning = Meaning::Seen { first: c.first, last: c.last, count: c.count, with };
                facts.push(stanch_model::Fact { provider: "history".into(), about: about.clone(), meaning });
            }
            let mut busiest: Vec<_> = peers.iter().collect();
            busiest.sort_by_key(|(ip, c)| (std::cmp::Reverse(c.count), **ip));
            let meaning = Meaning::Traffic {
                peers: peers.len() as u64,
                flows: peers.values().map(|c| c.count).sum(),
                bytes: peers.values().fold(0u64, |sum, c| sum.saturating_add(c.bytes)),
                top: busiest.iter().take(3).map(|(ip, _)| ip.to_string()).collect(),
            };
            facts.push(stanch_model::Fact { provider: "flows".into(), about, meaning });
        }
        facts
    }

    // ------------------------------------------------------------------------------- changes

    /// What was there before a change is known, and journalled; now it may be made, unless too much
    /// time has passed or everything outward was stopped meanwhile.
    fn captured(
        &mut self,
        id: EffectId,
        action: ActionId,
        attempts: u32,
        r: Result<Option<String>, Failure>,
    ) {
        let Some(a) = self.state.actions.get(&action) else { return };
        let (age, over) = (self.now.since(a.permitted_at), a.ended.is_some());
        match r {
            Ok(before) => {
                self.done(id, String::new());
                if over {
                    return;
                }
                self.record(Event::ActionCaptured(ActionCaptured { action, before }));
                if self.is_stopped(action) {
                    self.end(action, ActionEnd::Failed, "the kill switch was engaged meanwhile".into());
                } else if age > STALE_CHANGE {
                    let why = format!("it was permitted {age} ago; nothing was changed");
                    self.end(action, ActionEnd::Failed, why);
                } else {
                    self.intend(Effect::Perform { action });
                }
            }
            Err(f @ (Failure::Permanent { .. } | Failure::Unauthorised { .. })) => {
                let why = format!("what is there could not be read: {f}");
                self.failed(id, f);
                self.end(action, ActionEnd::Failed, why);
            }
            Err(f) if attempts + 1 < CHANGE_TRIES => self.again(id, attempts, f),
            Err(f) => {
                let why = format!("what is there could not be read: {f}");
                self.failed(id, f);
                self.end(action, ActionEnd::Failed, why);
            }
        }
    }

    fn performed(&mut self, id: EffectId, action: ActionId, attempts: u32, r: Result<Observed, Failure>) {
        let Some(a) = self.state.actions.get(&action).map(|a| a.action.clone()) else { return };
        if self.made_again(id, action, &r) {
            return;
        }
        match r {
            Ok(observed) => {
                self.done(id, String::new());
                self.first_seen(&a, observed);
            }
            Err(f @ (Failure::Unknown { .. } | Failure::Late { .. })) => {
                // It may have happened: look before doing anything else.
                self.failed(id, f);
                self.intend(Effect::Verify { action: a });
            }
            Err(f @ (Failure::Transient { .. } | Failure::RateLimited { .. }))
                if attempts + 1 < CHANGE_TRIES =>
            {
                self.again(id, attempts, f);
            }
            Err(f) => {
                let why = f.to_string();
                self.failed(id, f);
                self.end(action, ActionEnd::Failed, why);
                // This try failed for good, but one before a crash may have been made all the same: what
                // is there although it is over is lifted.
                self.intend(Effect::Verify { action: a });
            }
        }
    }

    /// What the device shows of a change that was not known to be in place yet.
    fn first_seen(&mut self, a: &Action, observed: Observed) {
        match &observed {
            Observed::Present { expires_in } => {
                // What the device rounded away is not lifted early: its own timer ends the change.
                let rounded = |left: &Span| a.ttl.0 - left.0 <= DEVICE_CLOCK.0;
                let left = expires_in.filter(|left| !rounded(left)).unwrap_or(a.ttl);
                let until = self.now.plus(left.min(a.ttl));
                self.record(Event::ActionObserved(ActionObserved {
                    action: a.id,
                    observed,
                    until: Some(until),
                }));
            }
            Observed::Absent => {
                self.record(Event::ActionObserved(ActionObserved { action: a.id, observed, until: None }));
                let why = held_back(self.state, a.id, self.now)
                    .map(|why| format!("{why}, and "))
                    .unwrap_or_default();
                self.end(a.id, ActionEnd::Failed, format!("{why}the device does not show the change"));
            }
            Observed::Different { what } => {
                let why = format!("the device shows something else: {what}");
                self.record(Event::ActionObserved(ActionObserved { action: a.id, observed, until: None }));
                self.end(a.id, ActionEnd::Failed, why);
            }
        }
    }

    fn end(&mut self, action: ActionId, end: ActionEnd, why: String) {
        self.record(Event::ActionEnded(ActionEnded { action, end, why }));
    }

    fn verified(&mut self, id: EffectId, a: &Action, attempts: u32, r: Result<Observed, Failure>) {
        let Some(state) = self.state.actions.get(&a.id).cloned() else { return };
        let observed = match r {
            Ok(observed) => observed,
            Err(f) if attempts + 1 < CHANGE_TRIES || state.in_force.is_some() => {
                return self.again(id, attempts, f);
            }
            Err(f) => {
                let why = format!("nobody can tell whether it was made: {f}");
                self.failed(id, f);
                if state.ended.is_none() {
                    self.end(a.id, ActionEnd::Unknown, why);
                }
                return;
            }
        };
        self.done(id, String::new());
        if state.in_force.is_none() && state.ended.is_none() {
            return self.first_seen(a, observed);
        }
        self.looked(a, observed);
    }

    fn reverted(&mut self, id: EffectId, a: &Action, attempts: u32, r: Result<Observed, Failure>) {
        let gone = match r {
            Ok(Observed::Absent) => Ok(()),
            Ok(other) => Err(Failure::transient(format!("still shown by {}: {other:?}", a.responder))),
            Err(f) => Err(f),
        };
        match gone {
            Ok(()) => {
                self.done(id, String::new());
                self.record(Event::ActionObserved(ActionObserved {
                    action: a.id,
                    observed: Observed::Absent,
                    until: None,
                }));
                if self.state.actions.get(&a.id).is_some_and(|s| s.ended.is_none()) {
                    self.end(a.id, ActionEnd::Lifted, "lifted, and seen to be gone".into());
                }
                let text =
                    format!("{} on {} is lifted; traffic flows as before.", a.kind.words(), a.responder);
                self.noc(a, "Network change lifted", &text, "lifted", true);
            }
            Err(f) => {
                // A release is never given up; people hear of it early and then hourly.
                if attempts == 3 || (attempts > 0 && attempts.is_multiple_of(60)) {
                    let text = format!("{}: {} cannot be lifted: {f}", a.id, a.kind.words());
                    self.note(a.incident, text.clone());
                    self.noc(
                        a,
                        "Network change cannot be lifted",
                        &text,
                        &format!("stuck-{attempts}"),
                        false,
                    );
                }
                self.again(id, attempts, f);
            }
        }
    }
}
