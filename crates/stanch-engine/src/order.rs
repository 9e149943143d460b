//! Does what people ask for, or says why not.

use stanch_core::contain::lease::{LetGo, let_go};
use stanch_core::journal::detail::{IntakeDetail, RawDelivery};
use stanch_core::journal::event::{
    AccessChanged, AlertsMoved, Answered, ByPerson, Erased, Event, FilterKept, IncidentOpened,
    IncidentsMerged, IncidentsUnmerged, NewAlert, OccurrenceSplit, SilenceEnded, SilenceSet,
};
use stanch_core::journal::incident::{Incident, Status};
use stanch_core::journal::opinion::{Judged, Opinion};
use stanch_core::retention;
use stanch_core::stage::{dedup, fingerprint};
use stanch_core::{Reason, config::Matcher};
use stanch_model::port::Parsed;
use stanch_model::{AlertId, ApprovalId, IncidentId, SilenceId};

use crate::command::{Command, CommandError, Done, MAX_FILTER, MAX_FILTER_NAME, MAX_FILTERS, Who};
use crate::input::Received;
use crate::turn::Turn;

type Answer = Result<Done, CommandError>;

fn said(message: impl Into<String>, incident: Option<IncidentId>) -> Answer {
    Ok(Done { message: message.into(), incident, ..Done::default() })
}

impl Turn<'_> {
    /// Does what a person asked for, or says why not.
    pub(crate) fn order(&mut self, command: Command) -> Answer {
        let answer = match command {
            Command::Acknowledge { incident, who } => self.acknowledge(incident, &who),
            Command::Note { incident, who, text } => {
                self.open_incident(incident)?;
                self.record(Event::Noted(ByPerson { incident, by: who.name, text }));
                said("noted", Some(incident))
            }
            Command::Resolve { incident, who, text, leave_changes } => {
                self.resolve(incident, &who, text, leave_changes)
            }
            Command::Judge { incident, who, opinion, of, team, text } => {
                self.judge_incident(Judged { incident, opinion, by: who.name, of, team, text })
            }
            Command::Merge { from, into, who, because } => self.merge(from, into, &who, because),
            Command::Unmerge { incident, who } => self.unmerge(incident, &who),
            Command::Split { from, alerts, to, who } => self.split(from, alerts, to, &who),
            Command::Decide { approval, who, digest, approve, reason, proof } => {
                self.decide(approval, &who, &digest, approve, reason, proof)
            }
            Command::Release { action, who, reason, only } => self.release(action, &who, &reason, only),
            Command::Renew { action, ttl, who, reason } => self.renew(action, ttl, &who, &reason),
            Command::Veto { action, who, reason } => self.veto(action, &who, &reason),
            Command::Start { asked, who } => self.start(asked, who.name),
            Command::Resume { run, who, reason } => self.resume(run, &who, &reason),
            Command::AnswerTask { reply, who } => self.answer_task(reply, &who),
            Command::KeepFilter { name, search, who } => self.keep_filter(name, search, who),
            Command::Silence { matchers, until, comment, who } => {
                self.silence(matchers, until, comment, &who)
            }
            Command::Unsilence { silence, who } => self.unsilence(silence, &who),
            Command::Retry { quarantine, received, who } => self.retry(quarantine, received, &who),
            Command::SplitOccurrence { alert, place, received, who } => {
                self.split_occurrence(alert, place, received, &who)
            }
            Command::KillSwitch { engaged, stops, who } => self.switch(engaged, stops, &who),
            Command::Ails { ailment } => {
                let title = ailment.title.clone();
                self.tell_ailment(*ailment);
                said(title, None)
            }
            Command::Erase { details, n, bytes, why, who } => self.erase(details, n, bytes, why, who.name),
            Command::Access { what, of, says, who } => {
                let message = format!("{of}: {}", what.words());
                self.record(Event::AccessChanged(AccessChanged { what, of, by: who.name, says }));
                said(message, None)
            }
        };
        self.advance_runs();
        answer
    }

    /// Takes details away: with the entry that says so, in one transaction of the store.
    fn erase(
        &mut self,
        details: Vec<(u64, u64)>,
        n: u64,
        bytes: u64,
        why: String,
        by: String,
    ) -> Result<Done, CommandError> {
        if details.iter().any(|(first, last)| *first < 1 || first > last || *last >= self.seq) {
            return Err(CommandError::Invalid(
                "only what lies beside older entries can be taken away".into(),
            ));
        }
        if let Some(alert) = retention::needed(self.state, &details) {
            let why = format!("{alert} is part of an incident that is open, or a change rests on it");
            return Err(CommandError::Conflict(why));
        }
        self.record(Event::Erased(Erased { details, n, bytes, why, by }));
        said(format!("{n} details taken away"), None)
    }

    pub(crate) fn open_incident(&self, id: IncidentId) -> Result<&Incident, CommandError> {
        let i = self.state.incidents.get(&id).ok_or_else(|| CommandError::NotFound(id.to_string()))?;
        if let Some(into) = i.merged_into {
            return Err(CommandError::Conflict(format!("{id} is a part of {into}; work on {into}")));
        }
        if i.status == Status::Resolved {
            return Err(CommandError::Conflict(format!("{id} is resolved already")));
        }
        Ok(i)
    }

    /// An incident that is over may still be judged: that is when people know.
    fn judge_incident(&mut self, judged: Judged) -> Answer {
        let incident = judged.incident;
        let i = self.state.incidents.get(&incident);
        let i = i.ok_or_else(|| CommandError::NotFound(incident.to_string()))?;
        if let Some(into) = i.merged_into {
            return Err(CommandError::Conflict(format!("{incident} is a part of {into}; judge {into}")));
        }
        let message = match judged.opinion {
            Opinion::True | Opinion::False | Opinion::Benign => {
                format!("{incident} was {}: noted, and counted for its rules", judged.opinion.word())
            }
            Opinion::Duplicate => {
                let of = judged
                    .of
                    .ok_or_else(|| CommandError::Invalid("a duplicate of which incident?".into()))?;
                if of == incident || !self.state.incidents.contains_key(&of) {
                    return Err(CommandError::NotFound(format!("other incident {of}")));
                }
                format!("{incident} is {of} again: noted; stanch merges nothing by that, people do")
            }
            Opinion::WrongTeam => {
                let team = judged.team.clone();
                let team = team.ok_or_else(|| CommandError::Invalid("which team would be right?".into()))?;
                if !self.config().teams.contains_key(&team) {
                    return Err(CommandError::NotFound(format!("team {team}")));
                }
                format!("{incident} belongs to {team}: noted, and counted for the next suggestion")
            }
            Opinion::WrongMerge => {
                format!("{incident} holds what does not belong together: noted, and counted for its rules")
            }
        };
        self.record(Event::Judged(judged));
        said(message, Some(incident))
    }

    fn acknowledge(&mut self, incident: IncidentId, who: &Who) -> Answer {
        let i = self.open_incident(incident)?;
        if let Some(by) = &i.acknowledged_by {
            return Err(CommandError::Conflict(format!("{incident} was taken by {by} already")));
        }
        self.record(Event::Acknowledged(ByPerson { incident, by: who.name.clone(), text: String::new() }));
        said(format!("{incident} is yours"), Some(incident))
    }

    fn resolve(&mut self, incident: IncidentId, who: &Who, text: String, leave: bool) -> Answer {
        self.open_incident(incident)?;
        let live: Vec<String> = self
            .state
            .live_actions()
            .filter(|a| a.in_force.is_some() && !a.lasting && let_go(a, incident) == LetGo::Lift)
            .map(|a| format!("{} ({})", a.action.id, a.action.kind.words()))
            .collect();
        if !live.is_empty() && !leave {
            return Err(CommandError::Conflict(format!(
                "changes of {incident} are still in force: {}; release them first, or say that they may run to their end",
                live.join(", ")
            )));
        }
        self.withdraw_questions(incident);
        self.leave_leases(incident, &who.name);
        self.record(Event::Resolved(ByPerson { incident, by: who.name.clone(), text }));
        said(format!("{incident} is resolved"), Some(incident))
    }

    fn withdraw_questions(&mut self, incident: IncidentId) {
        let open: Vec<ApprovalId> = self
            .state
            .approvals
            .values()
            .filter(|a| a.settled.is_none() && a.approval.incident == incident)
            .map(|a| a.approval.id)
            .collect();
        self.withdraw_tasks(incident);
        for approval in open {
            self.settle_question(approval, Answered::Withdrawn, "the incident was closed");
        }
    }

    fn merge(&mut self, from: IncidentId, into: IncidentId, who: &Who, because: String) -> Answer {
        if from == into {
            return Err(CommandError::Invalid("an incident cannot be merged into itself".into()));
        }
        let site = self.open_incident(from)?.site.clone();
        if self.open_incident(into)?.site != site {
            return Err(CommandError::Refused(
                "incidents of different sites are about different machines".into(),
            ));
        }
        self.record(Event::IncidentsMerged(IncidentsMerged { into, from, by: who.name.clone(), because }));
        said(format!("{from} is now a part of {into}; unmerge {from} takes it back"), Some(into))
    }

    fn unmerge(&mut self, incident: IncidentId, who: &Who) -> Answer {
        let i = self
            .state
            .incidents
            .get(&incident)
            .ok_or_else(|| CommandError::NotFound(incident.to_string()))?;
        let Some(into) = i.merged_into else {
            return Err(CommandError::Conflict(format!("{incident} is not a part of another incident")));
        };
        self.record(Event::IncidentsUnmerged(IncidentsUnmerged { from: incident, by: who.name.clone() }));
        self.after_change(incident);
        said(format!("{incident} stands alone again, apart from {into}"), Some(incident))
    }

    fn split(&mut self, from: IncidentId, alerts: Vec<AlertId>, to: Option<IncidentId>, who: &Who) -> Answer {
        let i = self.open_incident(from)?;
        let site = i.site.clone();
        if alerts.is_empty() {
            return Err(CommandError::Invalid("name at least one alert to move".into()));
        }
        if let Some(a) = alerts.iter().find(|a| !i.alert_ids().any(|x| x == **a)) {
            return Err(CommandError::Invalid(format!("{a} is not in {from}")));
        }
        let to = match to {
            Some(to) => self.open_incident(to)?.id,
            None => {
                let to = IncidentId(self.state.next.incident);
                let because = vec![Reason::new(format!("{} split it from {from}", who.name))];
                self.record(Event::IncidentOpened(IncidentOpened { incident: to, site, because }));
                to
            }
        };
        let n = alerts.len();
        self.record(Event::AlertsMoved(AlertsMoved { from, to, alerts, by: who.name.clone() }));
        self.after_change(to);
        said(format!("{n} alerts moved from {from} to {to}"), Some(to))
    }

    fn silence(
        &mut self,
        matchers: Vec<String>,
        until: stanch_model::Timestamp,
        comment: String,
        who: &Who,
    ) -> Answer {
        if matchers.is_empty() {
            return Err(CommandError::Invalid(
                "a silence needs at least one matcher, for example rule=1:2010937".into(),
            ));
        }
        if let Some(e) = matchers.iter().find_map(|m| Matcher::parse(m).err()) {
            return Err(CommandError::Invalid(e.to_string()));
        }
        if until <= self.now {
            return Err(CommandError::Invalid(format!("{until} has passed")));
        }
        let silence = SilenceId(self.state.next.silence);
        self.record(Event::SilenceSet(SilenceSet {
            silence,
            matchers,
            until,
            by: who.name.clone(),
            comment,
        }));
        said(format!("{silence} holds until {until}"), None)
    }

    fn keep_filter(&mut self, name: String, search: Option<String>, who: Who) -> Answer {
        let name = name.trim().to_owned();
        let own = self.state.filters.get(&who.name);
        let odd =
            name.is_empty() || name.chars().count() > MAX_FILTER_NAME || name.chars().any(|c| c.is_control());
        if odd {
            let why = format!("the name of a filter has 1 to {MAX_FILTER_NAME} characters");
            return Err(CommandError::Invalid(why));
        }
        match &search {
            None if own.is_none_or(|own| !own.contains_key(&name)) => {
                return Err(CommandError::NotFound(format!("a filter of yours called {name}")));
            }
            Some(search) if search.len() > MAX_FILTER => {
                return Err(CommandError::Invalid(format!("a filter has at most {MAX_FILTER} bytes")));
            }
            Some(_) if own.is_some_and(|own| own.len() >= MAX_FILTERS && !own.contains_key(&name)) => {
                let why = format!("you keep {MAX_FILTERS} filters already; give one up first");
                return Err(CommandError::Conflict(why));
            }
            None | Some(_) => {}
        }
        let what = if search.is_some() { "is kept for you" } else { "is given up" };
        let answer = format!("{name} {what}");
        self.record(Event::FilterKept(FilterKept { person: who.name, name, search }));
        said(answer, None)
    }

    fn unsilence(&mut self, silence: SilenceId, who: &Who) -> Answer {
        match self.state.silences.get(&silence) {
            None => Err(CommandError::NotFound(silence.to_string())),
            Some((_, Some(at))) => Err(CommandError::Conflict(format!("{silence} ended at {at}"))),
            Some((_, None)) => {
                self.record(Event::SilenceEnded(SilenceEnded { silence, by: who.name.clone() }));
                said(format!("{silence} is over"), None)
            }
        }
    }

    fn retry(&mut self, id: u64, received: Received, who: &Who) -> Answer {
        let q = self
            .state
            .quarantine
            .get(&id)
            .ok_or_else(|| CommandError::NotFound(format!("quarantined record {id}")))?;
        if q.recovered {
            return Err(CommandError::Conflict(format!("record {id} has been recovered already")));
        }
        if let Some(Err(e)) = received.records.iter().map(|r| r.parsed.as_ref()).find(Result::is_err) {
            return Err(CommandError::Invalid(format!("record {id} still cannot be read: {}", e.reason)));
        }
        if received.records.is_empty() {
            return Err(CommandError::Invalid(format!("record {id} holds nothing that can be read")));
        }
        tracing::info!(quarantine = id, by = who.name, "a quarantined record is tried again");
        let ack = self.receive(vec![(Received { retry_of: Some(id), ..received }, self.now)]).pop();
        Ok(Done { message: format!("record {id} is recovered"), ack, ..Done::default() })
    }

    fn split_occurrence(
        &mut self,
        from: AlertId,
        of: (u64, u32, u32),
        received: Received,
        who: &Who,
    ) -> Answer {
        if self.state.split.contains(&of) {
            return Err(CommandError::Conflict("that record was taken out already".into()));
        }
        let slot = self.state.slot(from).ok_or_else(|| CommandError::NotFound(from.to_string()))?;
        if slot.count < 2 {
            return Err(CommandError::Conflict(format!(
                "{from} is a single record; nothing can be taken out of it"
            )));
        }
        let Some(Ok(Parsed::Alert { alert, group_key })) =
            received.records.into_iter().next().map(|r| r.parsed)
        else {
            return Err(CommandError::Invalid("that record is not an alert".into()));
        };
        let id = self.state.next_alert();
        // A key of its own: later repeats go on being counted on the old alert.
        let key = fingerprint::key(&received.site, &format!("{group_key}|split {id}"));
        let time = dedup::sane_time(alert.time, self.now);
        let print = fingerprint::delivery(&received.source, &alert, &received.body);
        let (ends, rule) = (fingerprint::ends(&alert), fingerprint::rule(&alert));
        let new = NewAlert(0, id, key, time, alert.severity, ends.into(), rule, print);
        let event = Event::OccurrenceSplit(OccurrenceSplit {
            from,
            of: Some(of),
            alert: new,
            source: received.source.clone(),
            by: who.name.clone(),
        });
        let range = vec![(0, received.body.len() as u32)];
        let detail = IntakeDetail {
            deliveries: vec![RawDelivery { body: received.body, records: range }],
            alerts: vec![serde_json::to_vec(&alert).unwrap_or_default()],
        };
        self.state.apply(self.seq, self.now, &event);
        self.queue(event, Some(detail.encode()));
        self.judge_split(id, alert, received.source, received.site);
        said(format!("{id} was taken out of {from}"), None)
    }
}
