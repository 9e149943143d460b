//! Changes in force and the decisions about them: answers, renewals, vetoes, kill switches,
//! and what has to be lifted because it is protected now.

use stanch_core::config::May;
use stanch_core::contain::approval::{self, ApprovalError, ApprovalState, Decision};
use stanch_core::contain::guard::must_be_lifted;
use stanch_core::contain::lease::{self, LetGo};
use stanch_core::contain::parties;
use stanch_core::contain::weigh::{self, Proposer};
use stanch_core::contain::{Approval, ENCODING, FreshProof, Verdict, Vote, fresh};
use stanch_core::journal::event::{
    Answered, ApprovalReminded, ApprovalSettled, ApprovalVoted, ByPerson, Effect, Event, KillSwitch,
    LeaseLeft, LeaseRenewed, Settled, Vetoed,
};
use stanch_core::journal::state::{Asked, State};
use stanch_core::playbook::run::{being_reverted, question_notices};
use stanch_model::{Action, ActionId, ApprovalId, EffectId, Failure, IncidentId, Span, Timestamp, Urgency};

use crate::command::{CommandError, Done, Stops, Who};
use crate::turn::Turn;

type Answer = Result<Done, CommandError>;

fn said(message: impl Into<String>, incident: Option<IncidentId>) -> Answer {
    Ok(Done { message: message.into(), incident, ..Done::default() })
}

fn counts(e: ApprovalError) -> CommandError {
    match e {
        ApprovalError::AlreadyAnswered { .. }
        | ApprovalError::Expired { .. }
        | ApprovalError::Withdrawn { .. }
        | ApprovalError::Twice { .. }
        | ApprovalError::AnotherQuestion { .. } => CommandError::Conflict(e.to_string()),
        ApprovalError::Machine { .. }
        | ApprovalError::Role { .. }
        | ApprovalError::Team { .. }
        | ApprovalError::Party { .. } => CommandError::Refused(e.to_string()),
        ApprovalError::Unproved { .. } => CommandError::Unproved(e.to_string()),
    }
}

fn state_of(asked: &Asked) -> ApprovalState {
    match &asked.settled {
        None => ApprovalState::Pending,
        Some((at, s)) => match s.answer {
            Answered::Approved => ApprovalState::Approved { by: s.by.clone(), at: *at },
            Answered::Denied => ApprovalState::Denied { by: s.by.clone(), at: *at },
            Answered::Expired => ApprovalState::Expired,
            Answered::Withdrawn => ApprovalState::Withdrawn,
        },
    }
}

impl Turn<'_> {
    // ------------------------------------------------------------------------------- answers

    /// Counts an answer to a question.
    pub(crate) fn decide(
        &mut self,
        id: ApprovalId,
        who: &Who,
        digest: &str,
        approve: bool,
        reason: Option<String>,
        proof: Option<FreshProof>,
    ) -> Answer {
        let asked = self.state.approvals.get(&id).ok_or_else(|| CommandError::NotFound(id.to_string()))?;
        let yes: Vec<Vote> = asked.yes.iter().map(|(vote, _)| vote.clone()).collect();
        let others = parties::who_may(self.config(), &asked.approval, &yes);
        let answer = approval::Answer {
            person: &who.name,
            machine: false,
            role: who.role,
            teams: &who.teams,
            digest,
            approve,
            reason: reason.as_deref(),
            proof,
            others: &others,
        };
        let incident = Some(asked.approval.incident);
        let renewal = asked.approval.renewal;
        let decision = approval::decide(&asked.approval, &state_of(asked), &yes, &answer, self.now);
        let (by, digest, reason) = (who.name.clone(), digest.to_owned(), reason.unwrap_or_default());
        match decision.map_err(counts)? {
            Decision::Counted { missing, .. } => {
                self.record(Event::ApprovalVoted(ApprovalVoted { approval: id, by, digest, reason, proof }));
                said(format!("{id}: your yes counts; it takes {missing} more, of other people"), incident)
            }
            Decision::Approved(approved) => {
                let seal = self.rules.seal.of_yes(id, &digest, approved.yes());
                let answer = Answered::Approved;
                let settled = ApprovalSettled { approval: id, answer, by, digest, reason, seal, proof };
                self.record(Event::ApprovalSettled(settled));
                if renewal {
                    self.renewed(id);
                }
                said(format!("{id} approved"), incident)
            }
            Decision::Denied { .. } => {
                let (answer, seal) = (Answered::Denied, String::new());
                let settled = ApprovalSettled { approval: id, answer, by, digest, reason, seal, proof: None };
                self.record(Event::ApprovalSettled(settled));
                said(format!("{id} denied"), incident)
            }
        }
    }

    /// Half of a question's time has passed in silence: those who may answer are told again, and the
    /// next rung of the incident's ladder hears of it. Nobody gets authority by being told.
    pub(crate) fn remind(&mut self) {
        let half = |a: &Approval| a.requested_at.plus(Span(a.expires_at.since(a.requested_at).0 / 2));
        let open = |a: &&Asked| a.settled.is_none() && a.approval.expires_at > self.now;
        let waiting = self.state.approvals.values().filter(open);
        let due: Vec<Approval> = waiting
            .filter(|a| a.reminded.is_none() && half(&a.approval) <= self.now)
            .map(|a| a.approval.clone())
            .collect();
        for a in due {
            let mut teams = a.teams.clone();
            teams.extend(self.next_rung(a.incident).into_iter().filter(|t| !a.teams.contains(t)));
            self.record(Event::ApprovalReminded(ApprovalReminded { approval: a.id, teams: teams.clone() }));
            for team in teams {
                let subject = format!("{} still needs a decision: {}", a.incident, a.action.kind.words());
                let body = format!(
                    "{} has waited since {}. Members of {} may answer it until {}; then nothing is changed.\n\n{}",
                    a.id,
                    a.requested_at,
                    a.teams.join(" and "),
                    a.expires_at,
                    a.shown()
                );
                let key = format!("{}-reminded-{team}", a.id);
                self.tell(a.incident, &team, (subject, body, key), false);
            }
        }
    }

    /// The teams that would be told next if nobody moved.
    fn next_rung(&self, incident: IncidentId) -> Vec<String> {
        let climb = self.state.incidents.get(&incident).map(|i| i.climb.clone()).unwrap_or_default();
        let policy = climb.policy.and_then(|name| self.config().escalations.get(&name));
        let rungs = policy.map_or(&[][..], |p| &p.rules[..]);
        let next = rungs.get(climb.rung as usize % rungs.len().max(1));
        next.map(|rung| rung.teams.clone()).unwrap_or_default()
    }

    /// Questions about a later end run out like all others; no run waits for them.
    pub(crate) fn expire_renewals(&mut self) {
        let late =
            |a: &&Asked| a.approval.renewal && a.settled.is_none() && a.approval.expires_at <= self.now;
        let over: Vec<ApprovalId> =
            self.state.approvals.values().filter(late).map(|a| a.approval.id).collect();
        for approval in over {
            self.settle_question(approval, Answered::Expired, "");
        }
    }

    /// Settles a question in our own name.
    pub(crate) fn settle_question(&mut self, approval: ApprovalId, answer: Answered, reason: &str) {
        let (digest, seal) = (String::new(), String::new());
        let (by, reason) = ("stanch".to_owned(), reason.to_owned());
        self.record(Event::ApprovalSettled(ApprovalSettled {
            approval,
            answer,
            by,
            digest,
            reason,
            seal,
            proof: None,
        }));
    }

    // ------------------------------------------------------------------------------ renewals

    /// Asks people whether a change may go on for longer. Whoever asks does not answer.
    pub(crate) fn renew(&mut self, id: ActionId, ttl: Span, who: &Who, reason: &str) -> Answer {
        let a = self.state.actions.get(&id).ok_or_else(|| CommandError::NotFound(id.to_string()))?;
        let policy = &self.config().containment;
        lease::renewed_until(a, ttl, policy, self.now).map_err(|why| CommandError::Conflict(why.0))?;
        let open = |q: &&Asked| q.approval.renewal && q.settled.is_none() && q.approval.action.id == id;
        if let Some(q) = self.state.approvals.values().find(open) {
            return Err(CommandError::Conflict(format!("{} asks that already", q.approval.id)));
        }
        let before = a.approval.and_then(|q| self.state.approvals.get(&q)).map(|q| q.approval.clone());
        let run = self.state.runs.get(&a.run).map(Box::as_ref);
        let step = before.as_ref().map(|q| q.step.clone()).unwrap_or_default();
        let teams =
            match (&before, &self.state.incidents.get(&a.action.incident).and_then(|i| i.team.clone())) {
                (Some(q), _) => q.teams.clone(),
                (None, Some(team)) => vec![team.clone()],
                (None, None) => {
                    return Err(CommandError::Refused(format!("nobody is known who may answer for {id}")));
                }
            };
        let action = lease::renewal_of(a, ttl);
        let (hash, incident, run_id) = (run_hash(run), action.incident, a.run);
        let playbook = run.map(|r| r.name.clone()).unwrap_or_default();
        let Some(i) = self.state.incidents.get(&incident) else {
            return Err(CommandError::NotFound(incident.to_string()));
        };
        let blast = self.world(|w| weigh::blast(w, i, &action));
        let fresh_within = fresh::wanted(policy, &action.kind, blast.level);
        let approval = Approval {
            encoding: ENCODING,
            id: ApprovalId(self.state.next.approval),
            incident,
            title: stanch_core::story::title(i),
            run: run_id,
            playbook,
            playbook_hash: hash,
            step,
            simulated: self.rules.responders.get(&action.responder).copied().unwrap_or(false),
            blast,
            action,
            because: vec![stanch_core::Reason(format!("renewal: {} wants it to go on: {reason}", who.name))],
            lasting: false,
            renewal: true,
            people: before.map_or(1, |q| q.people),
            asked_by: Some(who.name.clone()),
            parties: parties::parties(self.config(), self.state, Some(run_id), Some(&who.name)),
            fresh_within,
            policy: self.config().hash.clone(),
            teams,
            requested_at: self.now,
            expires_at: self.now.plus(policy.approval_expires),
        };
        let question = approval.id;
        let mut next = self.state.next.effect;
        let notices = self.world(|w| question_notices(w, &mut next, &approval));
        self.record(Event::ApprovalRequested(Box::new(approval)));
        for event in notices {
            self.record(event);
        }
        said(format!("{question} asks whether {id} may go on"), Some(incident))
    }

    /// People agreed to a later end: judged again, written down, and passed on to the device.
    fn renewed(&mut self, question: ApprovalId) {
        let Some(asked) = self.state.approvals.get(&question) else { return };
        let (action, incident) = (asked.approval.action.clone(), asked.approval.incident);
        let Some(a) = self.state.actions.get(&action.id) else { return };
        let until = lease::renewed_until(a, action.ttl, &self.config().containment, self.now);
        let verdict = self.world(|w| {
            let (asked, i) = (w.state.approvals.get(&question)?, w.state.incidents.get(&incident)?);
            let (_, settled) = asked.settled.as_ref()?;
            let run = w.state.runs.get(&asked.approval.run);
            let yes = match stanch_core::playbook::run::executable(w, asked, settled) {
                Ok(yes) => yes,
                Err(why) => return Some(Err(why.0)),
            };
            let by = Proposer {
                playbook: &asked.approval.playbook,
                hash: &asked.approval.playbook_hash,
                autonomy: run.and_then(|r| r.playbook.as_ref()).and_then(|p| p.autonomy),
                lasting: false,
            };
            let judged = weigh::judge(w, i, by, &action, Some(&yes)).decided;
            let why: Vec<String> = judged.because.iter().map(ToString::to_string).collect();
            Some(match judged.verdict {
                Verdict::Permit(_) => Ok(()),
                Verdict::WouldPermit | Verdict::NeedsApproval { .. } | Verdict::Refused => {
                    Err(why.join("; "))
                }
            })
        });
        match (until, verdict) {
            (Ok(until), Some(Ok(()))) => {
                let seal = self.rules.seal.of_renewal(action.id, until, question);
                let renewed = LeaseRenewed { action: action.id, until, approval: question, seal };
                self.record(Event::LeaseRenewed(renewed));
                self.intend(Effect::Perform { action: action.id });
                let text = format!("{} goes on until {until}.", action.kind.words());
                self.noc(&action, "Network change goes on", &text, &format!("renewed-{question}"), false);
            }
            (Err(why), _) => self.note_on(incident, format!("{question}: {why}")),
            (_, Some(Err(why))) => {
                self.note_on(incident, format!("{question} was approved, but the guard refused: {why}"));
            }
            (_, None) => {}
        }
    }

    // ------------------------------------------------------------------------ ends and vetoes

    /// Lifts a change before its end; for one incident of several only takes its name off.
    pub(crate) fn release(
        &mut self,
        id: ActionId,
        who: &Who,
        reason: &str,
        only: Option<IncidentId>,
    ) -> Answer {
        let a = self.state.actions.get(&id).ok_or_else(|| CommandError::NotFound(id.to_string()))?;
        if a.ended.is_some() {
            return Err(CommandError::Conflict(format!("{id} is over already")));
        }
        let (action, holders) = (a.action.clone(), a.holders.clone());
        if let Some(incident) = only {
            match lease::let_go(a, incident) {
                LetGo::Nothing => {
                    return Err(CommandError::Conflict(format!("{incident} does not rest on {id}")));
                }
                LetGo::Leave => {
                    let by = who.name.clone();
                    self.record(Event::LeaseLeft(LeaseLeft { action: id, incident, by }));
                    return said(format!("{id} stays for the others that rest on it"), Some(incident));
                }
                LetGo::Lift => {}
            }
        }
        if !being_reverted(self.state, id) {
            let text = format!("{id} is to be lifted: {reason}");
            for incident in holders {
                self.record(Event::Noted(ByPerson { incident, by: who.name.clone(), text: text.clone() }));
            }
            self.intend(Effect::Revert { action: action.clone() });
        }
        said(format!("{id} is being lifted"), Some(action.incident))
    }

    /// An incident ends: where others rest on its changes too, only its name is taken off. Returns
    /// the changes that nobody else needs and that are in force.
    pub(crate) fn leave_leases(&mut self, incident: IncidentId, by: &str) {
        let shared: Vec<ActionId> = self
            .state
            .live_actions()
            .filter(|a| lease::let_go(a, incident) == LetGo::Leave)
            .map(|a| a.action.id)
            .collect();
        for action in shared {
            self.record(Event::LeaseLeft(LeaseLeft { action, incident, by: by.to_owned() }));
        }
    }

    /// The NOC says no to a change that was announced.
    pub(crate) fn veto(&mut self, id: ActionId, who: &Who, reason: &str) -> Answer {
        let a = self
            .state
            .announced
            .get(&id)
            .ok_or_else(|| CommandError::NotFound(format!("announced change {id}")))?;
        let noc = self.config().containment.noc_team.clone().unwrap_or_default();
        if !who.role.may(May::Decide) || !who.teams.contains(&noc) {
            let need = format!(
                "{} may not say no for the NOC; a member of {noc} with the role approver may",
                who.name
            );
            return Err(CommandError::Refused(need));
        }
        if let Some((at, by, _)) = &a.vetoed {
            return Err(CommandError::Conflict(format!("{by} said no at {at} already")));
        }
        if self.state.actions.contains_key(&id) {
            let mend = format!("{id} is done already; lift it with: stanch release {id}");
            return Err(CommandError::Conflict(mend));
        }
        let incident = a.what.action.incident;
        self.record(Event::Vetoed(Vetoed { action: id, by: who.name.clone(), reason: reason.to_owned() }));
        said(format!("{id} will not be done"), Some(incident))
    }

    // ------------------------------------------------------------------------- kill switches

    /// Stops new changes, or allows them again. Undoing stays possible.
    pub(crate) fn switch(&mut self, engaged: bool, stops: Stops, who: &Who) -> Answer {
        let (responder, playbook) = match stops {
            Stops::Everything => (None, None),
            Stops::Responder(name) => (Some(name), None),
            Stops::Playbook(name) => (None, Some(name)),
        };
        let what = match (&responder, &playbook) {
            (Some(name), _) => format!(" on {name}"),
            (_, Some(name)) => format!(" by playbook {name}"),
            (None, None) => String::new(),
        };
        self.record(Event::KillSwitch(KillSwitch { engaged, by: who.name.clone(), responder, playbook }));
        if engaged {
            self.halt();
            said(format!("nothing new is changed outside{what}"), None)
        } else {
            said(format!("changes are allowed again{what}"), None)
        }
    }

    /// Changes that wait for another try are given up, and looked for: one of the tries may have
    /// worked. Those on their way finish, and are listed.
    fn halt(&mut self) {
        let stopped: Vec<(EffectId, Action)> = self
            .state
            .pending
            .iter()
            .filter_map(|(id, p)| match &p.what {
                Effect::Perform { action } if p.not_before > self.now => {
                    Some((*id, self.state.actions.get(action)?))
                }
                _ => None,
            })
            .filter(|(_, a)| self.is_stopped(a.action.id))
            .map(|(id, a)| (id, a.action.clone()))
            .collect();
        for (effect, action) in stopped {
            let failure = Some(Failure::unknown("the kill switch was engaged before the next try"));
            self.record(Event::Settled(Settled { effect, failure, retry_at: None, receipt: String::new() }));
            self.intend(Effect::Verify { action });
        }
    }

    /// True while a kill switch stops this change from being made.
    pub(crate) fn is_stopped(&self, action: ActionId) -> bool {
        is_stopped(self.state, action)
    }

    // ---------------------------------------------------------------------------- protection

    /// What has become protected is let go at once, whoever agreed to the change before.
    pub(crate) fn lift_protected(&mut self) {
        let mut discovered = self.rules.discovered.clone();
        discovered.extend(weigh::own(self.config()));
        let policy = &self.config().containment;
        let now_protected: Vec<(Action, String)> = self
            .state
            .live_actions()
            .filter(|a| !a.lasting && !being_reverted(self.state, a.action.id))
            .filter_map(|a| Some((a.action.clone(), must_be_lifted(&a.action, policy, &discovered)?.0)))
            .collect();
        for (action, why) in now_protected {
            let text = format!("{}: {} is lifted at once; {why}", action.id, action.kind.words());
            self.note_on(action.incident, text.clone());
            self.noc(&action, "Network change lifted", &text, "protected", false);
            self.intend(Effect::Revert { action });
        }
    }

    // --------------------------------------------------------------------------------- words

    pub(crate) fn note_on(&mut self, incident: IncidentId, text: String) {
        self.record(Event::Noted(ByPerson { incident, by: "stanch".into(), text }));
    }

    /// Tells the NOC about a change; `closes` says that the matter is over.
    pub(crate) fn noc(&mut self, a: &Action, what: &str, text: &str, key: &str, closes: bool) {
        if let Some(team) = self.config().containment.noc_team.clone() {
            self.of_change(&team, a, (what, text, key), closes);
        }
    }

    pub(crate) fn of_change(
        &mut self,
        team: &str,
        a: &Action,
        (what, text, key): (&str, &str, &str),
        closes: bool,
    ) {
        let subject = format!("{what}: {} ({})", a.kind.words(), a.incident);
        let body = format!("{text}\n\nTag     {}\nStory   stanch story {}\n", a.tag(), a.incident);
        let text = (subject, body, format!("{}-{key}", a.id));
        let mut next = self.state.next.effect;
        let urgency = Urgency::Information;
        let told = self
            .world(|w| stanch_core::playbook::run::tell(w, &mut next, a.incident, team, text, urgency, true));
        if let Some(event) = told {
            self.record(stanch_core::playbook::run::of_change(event, a.id, closes));
        }
    }
}

/// True while a kill switch stops this change from being made.
pub(crate) fn is_stopped(state: &State, action: ActionId) -> bool {
    let Some(a) = state.actions.get(&action) else { return false };
    let playbook = state.runs.get(&a.run).map_or("", |r| r.name.as_str());
    weigh::stopped(state, &a.action.responder, playbook).is_some()
}

/// A change that is this old when its turn at the device comes is looked for, and not made: the world it was
/// permitted for is another one by now.
const TOO_LATE: Span = Span::mins(10);

/// Why a change must not begin now, if so. It may have been made before a crash, and is looked for.
pub(crate) fn held_back(state: &State, action: ActionId, now: Timestamp) -> Option<String> {
    if is_stopped(state, action) {
        return Some("the kill switch was engaged".to_owned());
    }
    let a = state.actions.get(&action)?;
    let age = now.since(a.permitted_at);
    let late = match a.in_force {
        // Made again after it had vanished, for the rest of its time.
        Some((_, until)) => now >= until && !a.lasting,
        // A first try may have been made before a crash and ended by the device's own timer: a second one would
        // outlast its time.
        None if a.lasting => age > TOO_LATE,
        None => age > TOO_LATE.min(a.action.ttl),
    };
    late.then(|| format!("it was permitted {age} ago, too long to begin it now"))
}

fn run_hash(run: Option<&stanch_core::playbook::run::Run>) -> String {
    run.and_then(|r| r.playbook.as_ref()).map(|p| p.hash.clone()).unwrap_or_default()
}
