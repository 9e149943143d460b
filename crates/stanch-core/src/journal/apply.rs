//! Facts to state. Nothing is decided here: a fact is applied whatever we would decide today.

use std::sync::Arc;

use stanch_model::{AlertId, IncidentId, Timestamp};

use super::event::{
    Assessed, Assessment, Delivered, Enriched, Event, MergeCause, Merged, NewAlert, OccurrenceSplit,
    RuleSeen, Verdict,
};
use super::incident::{Climb, MarkKind, Status};
use super::seen::Known;
use super::sightings::Mention;
use super::state::{AlertSlot, Disposition, LEARNT_KEPT, Learnt, Quarantined, SourceState, State};
use crate::stage::fingerprint;
use crate::stage::health::OWN_SOURCE;
use crate::stage::kill_chain::Stage;

impl State {
    /// Applies one fact, written as entry `seq` at `at`.
    pub fn apply(&mut self, seq: u64, at: Timestamp, event: &Event) {
        self.seq = seq;
        self.at = at;
        match event {
            Event::Intake(e) => {
                let mut ordinal = 0;
                for (i, d) in e.deliveries.iter().enumerate() {
                    self.delivered(seq, at, i as u32, &mut ordinal, d);
                }
            }
            Event::Assessed(e) => self.assessed(e),
            Event::Enriched(e) => self.enriched(at, e),
            Event::IncidentOpened(e) => self.opened(at, e),
            Event::AlertsJoined(e) => {
                for j in &e.alerts {
                    self.describe_joined(e.incident, j);
                    self.joined(e.incident, j);
                }
            }
            Event::AlertsMoved(e) => self.moved(at, e),
            Event::IncidentsMerged(e) => self.merged_incidents(at, e),
            Event::IncidentsUnmerged(e) => self.unmerged(at, e),
            Event::Routed(e) => {
                let text = format!("routed to {}", e.team);
                self.mark(e.incident, at, MarkKind::Routed, text);
                if let Some(i) = self.incidents.get_mut(&e.incident) {
                    i.team = Some(e.team.clone());
                    i.climb = Climb {
                        policy: e.escalation.clone(),
                        rung: 0,
                        next: e.escalation.is_some().then_some(at),
                        held: false,
                    };
                }
                if e.escalation.is_some() {
                    self.agenda.rungs.insert((at, e.incident));
                }
            }
            Event::Escalated(e) => self.escalated(at, e),
            Event::PageHeld(e) => self.page_held(at, e),
            Event::Acknowledged(e) => self.acknowledged(at, e),
            Event::Judged(e) => {
                self.mark(e.incident, at, MarkKind::Noted, format!("{} calls it {}", e.by, e.opinion.word()));
                self.judged(at, e);
            }
            Event::ModelGrown(e) => self.learnt.grown(e),
            Event::LookedAgain(e) => self.looked_again(e),
            Event::Noted(e) => self.mark(e.incident, at, MarkKind::Noted, format!("{}: {}", e.by, e.text)),
            Event::Resolved(e) => {
                self.mark(e.incident, at, MarkKind::Resolved, format!("resolved by {}: {}", e.by, e.text));
                if let Some(i) = self.incidents.get_mut(&e.incident) {
                    i.status = Status::Resolved;
                    i.climb.next = None;
                }
                self.touch_incident(e.incident);
            }
            Event::RunStarted(e) => self.run_started(at, e),
            Event::StepBegan(e) => self.on_run(e.run, |run| run.step_began(at, e)),
            Event::StepTried(e) => self.on_run(e.run, |run| run.step_tried(at, e)),
            Event::StepDone(e) => self.on_run(e.run, |run| run.step_done(at, e)),
            Event::RunUnwinding(e) => self.run_unwinding(at, e),
            Event::RunResumed(e) => self.run_resumed(at, e),
            Event::RunEnded(e) => self.run_ended(at, e),
            Event::TaskOpened(t) => self.task_opened(at, t),
            Event::TaskAnswered(e) => self.task_answered(at, e),
            Event::ApprovalRequested(a) => self.approval_requested(at, a),
            Event::ApprovalVoted(e) => self.approval_voted(at, e),
            Event::ApprovalReminded(e) => {
                if let Some(asked) = self.approvals.get_mut(&e.approval) {
                    asked.reminded = Some(at);
                }
            }
            Event::ApprovalSettled(e) => self.approval_settled(at, e),
            Event::Announced(e) => self.announced(at, e),
            Event::Vetoed(e) => self.vetoed(at, e),
            Event::LeaseJoined(e) => self.lease_joined(at, e),
            Event::LeaseLeft(e) => self.lease_left(at, e),
            Event::LeaseRenewed(e) => self.lease_renewed(at, e),
            Event::ActionPermitted(e) => self.action_permitted(at, e),
            Event::ActionCaptured(e) => self.action_captured(e),
            Event::ActionObserved(e) => self.action_observed(at, e),
            Event::ActionEnded(e) => self.action_ended(at, e),
            Event::Intended(e) => self.intended(at, e),
            Event::Settled(e) => self.settled(at, e),
            Event::Withheld(e) => self.withheld(at, e),
            Event::SilenceSet(e) => {
                self.next.silence = self.next.silence.max(e.silence.0 + 1);
                self.silences.insert(e.silence, (e.clone(), None));
            }
            Event::SilenceEnded(e) => {
                if let Some((_, ended)) = self.silences.get_mut(&e.silence) {
                    *ended = Some(at);
                }
            }
            Event::FilterKept(e) => {
                let own = self.filters.entry(e.person.clone()).or_default();
                match &e.search {
                    Some(search) => drop(own.insert(e.name.clone(), search.clone())),
                    None => drop(own.remove(&e.name)),
                }
            }
            Event::AlertsClosed(e) => {
                let cause = self.intern(&e.why);
                for id in &e.alerts {
                    self.place(*id, Disposition::Closed, cause);
                }
            }
            Event::OccurrenceSplit(e) => self.occurrence_split(at, e),
            Event::KillSwitch(e) => self.kill_switched(e),
            // Told, not folded: what is in force lies beside the journal (ADR 0020).
            // What was taken away was never folded.
            Event::AccessChanged(_) | Event::Erased(_) => {}
            Event::Loaded(e) => {
                if self.config_hash != e.hash {
                    self.health.configured = at;
                }
                self.config_hash.clone_from(&e.hash);
                self.saved.loaded(at, e);
            }
        }
    }

    // -------------------------------------------------------------------------------- alerts

    /// The index of a source, which is made known by this.
    pub fn source_index(&mut self, name: &str, site: &str) -> u16 {
        if let Some((i, _)) = self.source(name) {
            self.sources[usize::from(i)].site = site.to_owned();
            return i;
        }
        self.sources.push(SourceState { name: name.into(), site: site.into(), ..SourceState::default() });
        (self.sources.len() - 1) as u16
    }

    fn delivered(&mut self, seq: u64, at: Timestamp, delivery: u32, ordinal: &mut u32, d: &Delivered) {
        let source = self.source_index(&d.source, &d.site);
        for r in &d.rules {
            self.rule_seen(r);
        }
        for n in &d.new {
            self.new_alert(seq, (at, d.arrived), (delivery, *ordinal), (source, &d.site), n);
            *ordinal += 1;
        }
        for m in &d.merged {
            self.merged_record(source, m);
        }
        self.close_delivery(seq, at, delivery, source, d);
    }

    /// Makes a rule known by name.
    pub fn rule_seen(&mut self, r: &RuleSeen) {
        self.rules.entry(r.rule).or_insert_with(|| r.clone());
    }

    /// Counts a delivery whose new and merged records have been applied one by one.
    pub fn close_delivery(&mut self, seq: u64, at: Timestamp, delivery: u32, source: u16, d: &Delivered) {
        let s = &mut self.sources[usize::from(source)];
        s.last_heard = at;
        s.received += u64::from(d.n);
        s.merged += d.merged.len() as u64;
        s.context += (d.flows.len() + d.context.len()) as u64;
        s.quarantined += d.quarantined.len() as u64;
        self.health.shapes.entry(source).or_default().records(at, d.n, d.quarantined.len() as u32);
        // A second try takes the old record out of quarantine, whatever it turns into now.
        if let Some(q) = d.retry_of.and_then(|old| self.quarantine.get_mut(&old)) {
            s.received -= 1;
            s.quarantined -= 1;
            q.recovered = true;
        }
        for (_, f) in &d.flows {
            self.contacts.note(
                &d.site,
                f.src,
                f.dst,
                f.time,
                f.bytes_in.saturating_add(f.bytes_out),
                f.established,
            );
        }
        for (record, reason) in &d.quarantined {
            let id = self.next.quarantine;
            self.next.quarantine += 1;
            let q = Quarantined {
                source,
                at,
                reason: reason.clone(),
                seq,
                delivery,
                record: *record,
                recovered: false,
            };
            self.quarantine.insert(id, q);
        }
    }

    /// Adds an alert not seen before; `place` is its delivery and its ordinal within the entry.
    pub fn new_alert(
        &mut self,
        seq: u64,
        (at, arrived): (Timestamp, Timestamp),
        place: (u32, u32),
        (source, site): (u16, &str),
        n: &NewAlert,
    ) {
        let (delivery, ordinal) = place;
        let own = self.sources[usize::from(source)].name == OWN_SOURCE;
        let NewAlert(record, id, key, time, severity, ends, rule, print) = n;
        debug_assert_eq!(*id, self.next_alert(), "alert ids follow the journal");
        self.slots.push(AlertSlot {
            seq,
            ordinal,
            delivery,
            record: *record,
            source,
            score: 0,
            arrived: if arrived == Timestamp(0) { at } else { arrived },
            judged: at,
            first: *time,
            last: *time,
            count: 1,
            link: 0,
            severity: *severity,
            stage: Stage::Unknown,
            disposition: Disposition::Open,
            key: *key,
        });
        if own {
            self.health.standing.insert(*key);
        } else {
            self.health.shapes.entry(source).or_default().alert(at, n);
        }
        let (product, name) = self.rules.get(rule).map_or(("", ""), |r| (&r.product, &r.name));
        let machine = fingerprint::machine(site, ends);
        self.learnt.came_in(site, n, (product, name), machine);
        self.seen.insert(*key, Known { alert: *id, delivery: *print, resolved: false });
        let s = &mut self.sources[usize::from(source)];
        s.last_event = s.last_event.max(*time);
        let (on, entities) = fingerprint::counted_under(site, *rule, ends);
        self.baseline.count(fingerprint::rule_at(site, *rule), on);
        if let (Some(src), Some(dst)) = (ends.src, ends.dst) {
            self.contacts.note(site, src, dst, *time, 0, ends.established);
        }
        let mention = Arc::new(Mention { alert: *id, ends: ends.clone(), rule: *rule });
        if !own {
            if let Some(machine) = machine {
                self.kin.met(&machine, *rule, *time);
            }
            self.second.wait(at, mention.clone());
        }
        for entity in entities {
            self.recent.note(entity, mention.clone());
        }
    }

    /// Counts a record on the alert it repeats.
    pub fn merged_record(&mut self, source: u16, m: &Merged) {
        let Merged(_, alert, time, cause, severity, print) = m;
        if let Some(slot) = self.slot_mut(*alert) {
            slot.count += 1;
            slot.last = slot.last.max(*time);
            slot.first = slot.first.min(*time);
            if severity.rank() > slot.severity.rank() {
                slot.severity = *severity;
            }
            let (key, own) = (slot.key, slot.source == source);
            self.seen.update(key, |known| {
                if known.alert != *alert {
                    return; // a newer alert has taken the key over since
                }
                known.delivery = *print;
                // Only the source that made the claim can take it back.
                known.resolved = own && *cause == MergeCause::Resolution;
            });
        }
        let s = &mut self.sources[usize::from(source)];
        s.last_event = s.last_event.max(*time);
        if s.name == OWN_SOURCE
            && let Some(key) = self.slot(*alert).map(|slot| slot.key)
        {
            match cause {
                MergeCause::Resolution => drop(self.health.standing.remove(&key)),
                MergeCause::Repeat | MergeCause::Redelivery | MergeCause::Relay => {
                    self.health.standing.insert(key);
                }
            }
        }
    }

    fn occurrence_split(&mut self, at: Timestamp, e: &OccurrenceSplit) {
        if let Some(slot) = self.slot_mut(e.from) {
            slot.count = slot.count.saturating_sub(1).max(1);
        }
        self.split.extend(e.of);
        let Some((source, known)) = self.source(&e.source) else { return };
        let site = known.site.clone();
        self.sources[usize::from(source)].merged = self.sources[usize::from(source)].merged.saturating_sub(1);
        let seq = self.seq;
        self.new_alert(seq, (at, at), (0, 0), (source, &site), &e.alert);
    }

    fn assessed(&mut self, e: &Assessed) {
        for a in &e.items {
            self.sighted(a.0, a.3);
            self.assess_one(a);
        }
    }

    /// Applies one verdict.
    pub fn assess_one(&mut self, a: &Assessment) {
        {
            let cause = match &a.1 {
                Verdict::Open => None,
                Verdict::Suppressed(by) => Some(self.intern(by)),
            };
            if let Some(slot) = self.slot_mut(a.0) {
                slot.score = a.2;
                slot.stage = a.3;
            }
            if let Some(cause) = cause {
                self.place(a.0, Disposition::Suppressed, cause);
            }
        }
    }

    fn enriched(&mut self, at: Timestamp, e: &Enriched) {
        if let Some(slot) = self.slot_mut(e.alert) {
            slot.score = e.score;
            if slot.disposition == Disposition::InIncident {
                let incident = IncidentId(u64::from(slot.link));
                self.learn(incident, e);
                self.mark(
                    incident,
                    at,
                    MarkKind::Enriched,
                    format!("{} facts about {}", e.facts.len(), e.alert),
                );
                return;
            }
        }
        if self.facts.len() >= LEARNT_KEPT {
            self.facts.pop_first();
        }
        self.facts.insert(e.alert, Learnt { at, facts: e.facts.clone(), missing: e.missing.clone() });
    }

    fn learn(&mut self, incident: IncidentId, e: &Enriched) {
        let Some(i) = self.incidents.get_mut(&incident) else { return };
        for f in &e.facts {
            i.facts.insert((f.provider.clone(), f.about.to_string()), f.clone());
        }
        for m in &e.missing {
            if !i.missing.contains(m) {
                i.missing.push(m.clone());
            }
        }
        if let Some(j) = i.alerts.iter_mut().find(|j| j.alert == e.alert && j.score < e.score) {
            j.score = e.score;
            let j = j.clone();
            i.totals.add(&j);
        }
        self.touch_incident(incident);
    }

    pub(super) fn place(&mut self, alert: AlertId, disposition: Disposition, link: u32) {
        if let Some(slot) = self.slot_mut(alert) {
            slot.disposition = disposition;
            slot.link = link;
        }
    }

    fn intern(&mut self, cause: &str) -> u32 {
        let at = self.causes.iter().position(|c| c == cause).unwrap_or_else(|| {
            self.causes.push(cause.to_owned());
            self.causes.len() - 1
        });
        at as u32
    }
}
