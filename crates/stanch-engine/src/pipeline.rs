//! What happens to an alert, in story order: dedup, suppress, triage, enrich, correlate, route.

use std::collections::BTreeSet;
use std::sync::Arc;

use stanch_core::journal::State;
use stanch_core::journal::detail::{IntakeDetail, RawDelivery};
use stanch_core::journal::event::{
    AlertsClosed, AlertsJoined, Assessed, Assessment, Delivered, Effect, Ends, Event, IncidentOpened,
    IncidentsMerged, Intake, Joined, MergeCause, Merged, NewAlert, Routed, RuleSeen, Verdict,
};
use stanch_core::journal::incident::{Incident, Status};
use stanch_core::journal::state::Disposition;
use stanch_core::playbook::run::{inputs, started, triggers};
use stanch_core::stage::autonomy::page;
use stanch_core::stage::correlate::{self, Look, Place};
use stanch_core::stage::dedup::{self, Dedup};
use stanch_core::stage::health::OWN_SOURCE;
use stanch_core::stage::kill_chain::Stage;
use stanch_core::stage::suppress::{self, Quiet};
use stanch_core::stage::triage::{self, Score};
use stanch_core::stage::{escalate, fingerprint, kill_chain, subject};
use stanch_core::{Reason, story};
use stanch_model::port::Parsed;
use stanch_model::{Alert, AlertId, AlertState, Fact, IncidentId, Timestamp};

use crate::again::reach;
use crate::input::{Ack, Received};
use crate::turn::Turn;

/// Alerts named in an acknowledgement.
const NAMED: usize = 32;
/// Observables looked up for one alert.
const LOOKED_UP: usize = 16;
/// Look-ups under way at once; beyond it alerts go on with what is known at once.
pub(crate) const LOOK_UPS: usize = 2_000;
/// So many more for alerts of sources with the critical lane, which no flood of others takes from them.
const LOOK_UPS_CRITICAL: usize = 500;

/// A new alert on its way through the stages.
struct Fresh {
    id: AlertId,
    alert: Box<Alert>,
    ends: Arc<Ends>,
    source: String,
    site: String,
}

impl Turn<'_> {
    /// Takes deliveries in, all in one journal entry, and leads what is new through the stages.
    pub(crate) fn receive(&mut self, received: Vec<(Received, Timestamp)>) -> Vec<Ack> {
        let quiet = suppress::in_force(&self.rules.config.silences, self.state, self.now);
        let mut intake = Intake::default();
        let mut detail = IntakeDetail::default();
        let mut fresh = Vec::new();
        let mut resolved = Vec::new();
        let mut ordinal = 0;
        let mut acks = Vec::with_capacity(received.len());
        for (i, r) in received.into_iter().enumerate() {
            let (delivered, raw, ack) = self.dedup(
                (r, i as u32),
                &quiet,
                &mut ordinal,
                &mut fresh,
                &mut resolved,
                &mut detail.alerts,
            );
            intake.deliveries.push(delivered);
            detail.deliveries.push(raw);
            acks.push(ack);
        }
        self.queue(Event::Intake(intake), Some(detail.encode()));
        self.close_resolved(&resolved);
        self.judge(fresh, &quiet);
        self.apply_patterns();
        acks
    }

    /// Counts each record of a delivery in exactly one place.
    fn dedup(
        &mut self,
        ((r, arrived), delivery): ((Received, Timestamp), u32),
        quiet: &[Quiet],
        ordinal: &mut u32,
        fresh: &mut Vec<Fresh>,
        resolved: &mut Vec<AlertId>,
        bodies: &mut Vec<Vec<u8>>,
    ) -> (Delivered, RawDelivery, Ack) {
        let source = self.state.source_index(&r.source, &r.site);
        let mut d = Delivered {
            source: r.source,
            site: r.site,
            retry_of: r.retry_of,
            arrived,
            ..Delivered::default()
        };
        let mut ack = Ack { entry: self.seq, ..Ack::default() };
        let mut ranges = Vec::with_capacity(r.records.len());
        let window = self.rules.config.triage.dedup_window;
        for (n, record) in r.records.into_iter().enumerate() {
            let n = n as u32;
            ranges.push((record.raw.start as u32, record.raw.end as u32));
            match record.parsed {
                Err(rejected) => d.quarantined.push((n, rejected.reason)),
                Ok(Parsed::Flow(flow)) => d.flows.push((n, flow)),
                Ok(Parsed::Context { what }) => d.context.push((n, what)),
                Ok(Parsed::Alert { alert, group_key }) => {
                    let key = fingerprint::key(&d.site, &group_key);
                    let print =
                        fingerprint::delivery(&d.source, &alert, r.body.get(record.raw).unwrap_or_default());
                    let decided =
                        dedup::dedup(self.state, &alert, key, print, Some(source), (window, quiet), self.now);
                    match decided {
                        Dedup::Merge { into, cause } => {
                            let m = Merged(n, into, alert.time, cause, alert.severity, print);
                            if cause == MergeCause::Resolution
                                && self.state.slot(into).is_some_and(|s| s.source == source)
                            {
                                resolved.push(into);
                            }
                            self.state.merged_record(source, &m);
                            if cause == MergeCause::Repeat {
                                self.show_patterns(into, &alert, &d.source, &d.site);
                            }
                            d.merged.push(m);
                        }
                        Dedup::New { because: _ } => {
                            let id = self.state.next_alert();
                            let ends = Arc::new(fingerprint::ends(&alert));
                            let rule = fingerprint::rule(&alert);
                            if !self.state.rules.contains_key(&rule) {
                                let seen = rule_seen(rule, &alert);
                                self.state.rule_seen(&seen);
                                d.rules.push(seen);
                            }
                            let time = dedup::sane_time(alert.time, self.now);
                            let new = NewAlert(n, id, key, time, alert.severity, ends.clone(), rule, print);
                            self.state.new_alert(
                                self.seq,
                                (self.now, arrived),
                                (delivery, *ordinal),
                                (source, &d.site),
                                &new,
                            );
                            *ordinal += 1;
                            bodies.push(serde_json::to_vec(&alert).unwrap_or_default());
                            if ack.alerts.len() < NAMED {
                                ack.alerts.push(id.to_string());
                            }
                            if alert.state == AlertState::Resolved {
                                resolved.push(id);
                            }
                            d.new.push(new);
                            self.show_patterns(id, &alert, &d.source, &d.site);
                            fresh.push(Fresh {
                                id,
                                alert,
                                ends,
                                source: d.source.clone(),
                                site: d.site.clone(),
                            });
                        }
                    }
                }
            }
        }
        d.n = ranges.len() as u32;
        self.state.close_delivery(self.seq, self.now, delivery, source, &d);
        ack.accepted = u64::from(d.n);
        ack.new = d.new.len() as u64;
        ack.merged = d.merged.len() as u64;
        ack.context = (d.flows.len() + d.context.len()) as u64;
        ack.quarantined = d.quarantined.len() as u64;
        (d, RawDelivery { body: r.body, records: ranges }, ack)
    }

    /// Alerts that their own source took back are over, unless an incident holds them.
    fn close_resolved(&mut self, resolved: &[AlertId]) {
        let open: BTreeSet<AlertId> = resolved
            .iter()
            .filter(|id| self.state.slot(**id).is_some_and(|s| s.disposition == Disposition::Open))
            .copied()
            .collect();
        if !open.is_empty() {
            let why = "resolved by its source".to_owned();
            self.record(Event::AlertsClosed(AlertsClosed { alerts: open.into_iter().collect(), why }));
        }
    }

    /// Judges an alert that was taken out of another one.
    pub(crate) fn judge_split(&mut self, id: AlertId, alert: Box<Alert>, source: String, site: String) {
        let quiet = suppress::in_force(&self.rules.config.silences, self.state, self.now);
        let ends = Arc::new(fingerprint::ends(&alert));
        self.judge(vec![Fresh { id, alert, ends, source, site }], &quiet);
    }

    /// Suppress and triage, then correlate what is left.
    fn judge(&mut self, fresh: Vec<Fresh>, quiet: &[Quiet]) {
        if fresh.is_empty() {
            return;
        }
        let mut items = Vec::with_capacity(fresh.len());
        let mut reasons: Vec<Vec<Reason>> = Vec::with_capacity(fresh.len());
        let (mut on, mut model) = (Vec::new(), 0);
        for f in fresh {
            let (assessment, because, score) = self.assess(quiet, &f);
            model = model.max(score.model);
            self.state.assess_one(&assessment);
            if assessment.1 == Verdict::Open {
                on.push((f, score));
            }
            items.push(assessment);
            reasons.push(because);
        }
        // Reasons are bulk: read when somebody asks why.
        let detail = serde_json::to_vec(&reasons).ok();
        self.queue(Event::Assessed(Assessed { items, model }), detail);
        for (f, score) in on {
            if self.state.slot(f.id).is_some_and(|s| s.disposition == Disposition::Open) {
                self.place_new(&f, &score);
            }
        }
    }

    fn assess(&mut self, quiet: &[Quiet], f: &Fresh) -> (Assessment, Vec<Reason>, Score) {
        let policy = &self.rules.config.triage;
        let facts = self.known_at_once(f);
        let mut features = triage::features(self.state, policy, &f.site, &f.alert, &f.ends, &facts);
        self.state.sighted(f.id, features.stage);
        let score = self.score(&mut features, &f.site, &f.alert, &f.ends, &facts);
        let seen = subject::Seen::of_alert(&f.ends, features.stage);
        let words =
            (f.source.as_str(), f.site.as_str(), f.alert.product.name.as_str(), f.alert.rule.uid.as_str());
        let silenced = suppress::suppress(quiet, &seen.subject(words, features.severity.id(), None));
        let (verdict, mut because) = match silenced {
            Some(s) => (Verdict::Suppressed(s.verdict), s.because),
            None => (Verdict::Open, Vec::new()),
        };
        because.extend(score.because.iter().cloned());
        (Assessment(f.id, verdict, score.thousandths(), features.stage), because, score)
    }

    fn known_at_once(&self, f: &Fresh) -> Vec<Fact> {
        if self.rules.references.is_empty() {
            return Vec::new();
        }
        let about = f.alert.all_observables();
        about.iter().take(LOOKED_UP).flat_map(|o| self.rules.about(&f.site, o)).collect()
    }

    /// Correlates a new alert, or asks around first where that may change the answer.
    fn place_new(&mut self, f: &Fresh, score: &Score) {
        let policy = &self.rules.config.triage;
        let joined = joined(f, score, self.state);
        let decided = correlate::correlate(self.state, policy, &f.site, &joined, self.look(Look::First));
        let ask = score.probability >= policy.enrich_at && !self.rules.enrichers.is_empty();
        match decided.verdict {
            Place::Join { incident, merge } => {
                let because = first(&decided.because);
                self.join(incident, merge, Joined { because, ..joined });
                if ask {
                    self.look_up(f);
                }
            }
            Place::Open if ask && self.look_up(f) => {}
            Place::Open => {
                self.open(&f.site, Joined { because: first(&decided.because), ..joined }, decided.because)
            }
            // Nobody looks through open alerts for what nobody sent: it is an incident, whatever its score.
            Place::Alone if f.source == OWN_SOURCE => {
                let because = Reason::new("what stanch listens to has changed: worth a look by itself");
                self.open(&f.site, Joined { because: because.to_string(), ..joined }, vec![because]);
            }
            Place::Alone => {
                if ask {
                    self.look_up(f);
                }
            }
        }
    }

    /// Asks all enrichers; false when too many are being asked already.
    fn look_up(&mut self, f: &Fresh) -> bool {
        let critical = self.config().sources.get(&f.source).is_some_and(|s| s.share.critical);
        let most = if critical { LOOK_UPS + LOOK_UPS_CRITICAL } else { LOOK_UPS };
        if self.state.agenda.look_ups.len() >= most {
            return false;
        }
        let mut about = f.alert.all_observables();
        about.truncate(LOOKED_UP);
        if about.is_empty() {
            return false;
        }
        self.intend(Effect::LookUp { alert: f.id, site: f.site.clone(), about });
        true
    }

    /// An alert opens an incident, which gathers what came before it.
    pub(crate) fn open(&mut self, site: &str, joined: Joined, because: Vec<Reason>) {
        let incident = IncidentId(self.state.next.incident);
        let ends = joined.ends.clone();
        self.record(Event::IncidentOpened(IncidentOpened { incident, site: site.to_owned(), because }));
        self.record(Event::AlertsJoined(AlertsJoined { incident, alerts: vec![joined] }));
        self.gather(incident, &ends);
        self.recall(incident, None);
        self.know(incident, 0);
        self.after_change(incident);
    }

    /// An alert joins an incident, and shows perhaps that others are one with it.
    pub(crate) fn join(&mut self, incident: IncidentId, merge: Vec<IncidentId>, joined: Joined) {
        let before = self.state.incidents.get(&incident).map(shape);
        let held = self.state.incidents.get(&incident).map_or(0, |i| i.alerts.len());
        let reach = self.state.incidents.get(&incident).map(reach);
        let (ends, stage) = (joined.ends.clone(), joined.stage);
        let because = format!("{} belongs to both: {}", joined.alert, joined.because);
        let acted_before = |s: &State| {
            let i = s.incidents.get(&incident)?;
            Some(
                fingerprint::roles(&ends, stage)
                    .iter()
                    .all(|(e, acted)| !acted || i.entities.get(e).is_some_and(|p| p.acted > 0)),
            )
        };
        let known_actor = acted_before(self.state).unwrap_or(true);
        self.record(Event::AlertsJoined(AlertsJoined { incident, alerts: vec![joined] }));
        for from in merge {
            let link =
                IncidentsMerged { into: incident, from, by: "stanch".into(), because: because.clone() };
            self.record(Event::IncidentsMerged(link));
        }
        if !known_actor {
            self.gather(incident, &ends);
        }
        self.recall(incident, reach);
        self.know(incident, held);
        if self.state.incidents.get(&incident).map(shape) != before {
            self.after_change(incident);
        }
    }

    fn gather(&mut self, incident: IncidentId, ends: &Ends) {
        let Some(i) = self.state.incidents.get(&incident) else { return };
        let alerts = correlate::gather(self.state, &self.rules.config.triage, i, ends);
        if !alerts.is_empty() {
            self.record(Event::AlertsJoined(AlertsJoined { incident, alerts }));
        }
    }

    /// Routes, escalates and starts playbooks after an incident has changed its shape.
    pub(crate) fn after_change(&mut self, incident: IncidentId) {
        self.route(incident);
        self.escalate(incident);
        self.start_playbooks(incident);
        self.advance_runs();
    }

    fn route(&mut self, incident: IncidentId) {
        let Some(i) = self.state.incidents.get(&incident) else { return };
        if i.acknowledged_by.is_some() || i.status == Status::Resolved || i.merged_into.is_some() {
            return;
        }
        let routed = subject::route_incident(&self.rules.config, i);
        let same = i.team.as_deref() == Some(routed.verdict.team.as_str())
            && i.climb.policy == routed.verdict.escalation;
        if same || routed.verdict.team.is_empty() {
            return;
        }
        let team = routed.verdict.team;
        let (escalation, because) = (routed.verdict.escalation, routed.because);
        self.record(Event::Routed(Routed { incident, team, escalation, because }));
    }

    /// Climbs a rung when one is due.
    pub(crate) fn escalate(&mut self, incident: IncidentId) {
        let Some(i) = self.state.incidents.get(&incident) else { return };
        if let Some(held) =
            page::held(self.state, self.rules.config.triage.budgets.page.as_ref(), i, self.now)
        {
            if !i.climb.held {
                self.record(Event::PageHeld(held));
            }
            return;
        }
        let Some(decided) = escalate::escalate(&self.rules.config, i, self.now) else { return };
        let title = story::title(i);
        let (severity, confidence) = (i.severity().word(), i.confidence());
        let why = first(&decided.because);
        let e = decided.verdict;
        let teams = e.teams.clone();
        let rung = e.rung;
        self.record(Event::Escalated(e));
        for team in teams {
            let subject = format!("{incident} {severity}: {title}");
            let body = format!(
                "{title}\n\nSeverity    {severity}\nConfidence  {confidence:.2}\nWhy you     {why}\n\nTake it:  stanch ack {incident}\nRead it:  stanch story {incident}\n"
            );
            self.tell(incident, &team, (subject, body, format!("{incident}-rung-{rung}-{team}")), false);
        }
    }

    fn start_playbooks(&mut self, incident: IncidentId) {
        let config = self.config();
        for playbook in &config.playbooks {
            let Some(i) = self.state.incidents.get(&incident) else { return };
            let ran = i.runs.iter().filter_map(|r| self.state.runs.get(r)).any(|r| r.name == playbook.name);
            if ran || i.status == Status::Resolved || i.merged_into.is_some() {
                continue;
            }
            match triggers(self.state, playbook, i) {
                Ok(true) => {
                    // Nobody gives a run that an incident starts anything: its inputs are their defaults.
                    let given = inputs::check(&playbook.inputs, &serde_json::Value::Null).unwrap_or_default();
                    let started = started(self.state, playbook, Some(incident), given);
                    self.record(Event::RunStarted(started));
                }
                Ok(false) => {}
                Err(e) => {
                    tracing::warn!(%incident, playbook = playbook.name, error = %e, "a trigger cannot be told")
                }
            }
        }
    }
}

/// What, when it changes, makes routes and triggers worth asking again.
fn shape(i: &Incident) -> (usize, usize, u8, bool) {
    (i.totals.stages.len(), i.totals.rules.len().min(64), i.severity().rank(), i.merged_into.is_some())
}

pub(crate) fn first(because: &[Reason]) -> String {
    because.first().map(ToString::to_string).unwrap_or_default()
}

fn rule_seen(rule: u64, alert: &Alert) -> RuleSeen {
    RuleSeen {
        rule,
        product: alert.product.name.clone(),
        name: alert.rule.name.clone(),
        uid: alert.rule.uid.clone(),
        techniques: techniques(alert),
    }
}

fn techniques(alert: &Alert) -> Vec<String> {
    alert.attacks.iter().map(|a| a.technique_uid.clone()).filter(|t| !t.is_empty()).collect()
}

fn joined(f: &Fresh, score: &Score, state: &State) -> Joined {
    // Judged a moment ago: its ends and its stage are known, and are not told from its words again.
    let stage = state.slot(f.id).map_or(Stage::Unknown, |s| s.stage);
    with_ends(f.id, &f.alert, &f.source, score.thousandths(), (f.ends.as_ref().clone(), stage), state)
}

/// What the story needs of an alert.
pub(crate) fn from_alert(id: AlertId, alert: &Alert, source: &str, score: u16, state: &State) -> Joined {
    with_ends(id, alert, source, score, (fingerprint::ends(alert), kill_chain::stage(alert)), state)
}

fn with_ends(
    id: AlertId,
    alert: &Alert,
    source: &str,
    score: u16,
    (ends, stage): (Ends, Stage),
    state: &State,
) -> Joined {
    let slot = state.slot(id);
    Joined {
        alert: id,
        time: slot.map_or(alert.time, |s| s.first),
        rule: alert.rule.name.clone(),
        product: alert.product.name.clone(),
        source: source.to_owned(),
        severity: slot.map_or(alert.severity, |s| s.severity),
        score,
        stage,
        ends,
        techniques: techniques(alert),
        because: String::new(),
    }
}
