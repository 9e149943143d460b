//! The step that changes something: plan, guard, question, the NOC's word, change, notice.

use stanch_model::{Action, ActionId, ActionKind, ApprovalId, Ask, Severity, Timestamp, Urgency};

use super::state::id_of;
use super::walk::{At, Next};
use super::{Run, World, intended, tell};
use crate::contain::weigh::{Judged, Proposer, still_has_authority};
pub use crate::contain::weigh::{MAX_EVIDENCE_AGE, blast, judge};
use crate::contain::{self, Approval, Approved, Permit, Sealed, Verdict, Vote};
use crate::decided::Reason;
use crate::expr::Scope;
use crate::journal::event::{
    ActionEnd, ActionPermitted, Announced, Answered, ApprovalSettled, Effect, Event, LeaseJoined,
};
use crate::journal::incident::Incident;
use crate::journal::state::{ActionState, AnnouncedState, Asked, State};
use crate::playbook::Act;

/// Goes on with the change of the step in hand. Called again after every fact about it.
pub(super) fn act(
    world: World<'_>,
    run: &Run,
    incident: &Incident,
    at: &At<'_, '_>,
    plan: &Act,
    scope: &Scope,
) -> Next {
    let state = at.state;
    if let Some(action) = state.and_then(|s| s.more().action).and_then(|a| world.state.actions.get(&a)) {
        return under_way(action);
    }
    let step = Step { world, run, incident, path: at.path, since: at.since(world.now), plan };
    if let Some(announced) = announced(world.state, run, at.path, step.since) {
        return step.announced(announced);
    }
    match state.and_then(|s| s.more().approval).and_then(|a| world.state.approvals.get(&a)) {
        None if looking_up(world.state, run, incident) => Next::Wait,
        None => step.first_plan(scope),
        Some(asked) => match &asked.settled {
            None if asked.approval.expires_at <= world.now => Next::Facts(vec![expired(asked.approval.id)]),
            None => Next::Wait,
            Some((_, s)) => step.answered(asked, s),
        },
    }
}

/// A change was permitted: what became of it?
fn under_way(action: &ActionState) -> Next {
    let words = action.action.kind.words();
    match (&action.ended, &action.in_force) {
        (Some((_, ActionEnd::Lifted, why)), _) => Next::done(why),
        (Some((_, ActionEnd::Failed, why)), _) => Next::Failed(format!("{words}: {why}")),
        (Some((_, ActionEnd::Unknown, why)), _) => Next::Unknown(format!("{words}: {why}")),
        (None, Some(_)) if action.lasting => Next::done(format!("{words}, for good")),
        (None, Some((_, until))) => Next::done(format!("{words} until {until}")),
        (None, None) => Next::Wait,
    }
}

/// A question whose time is over: silence is a no.
fn expired(approval: ApprovalId) -> Event {
    Event::ApprovalSettled(ApprovalSettled {
        approval,
        answer: Answered::Expired,
        by: "stanch".into(),
        digest: String::new(),
        reason: String::new(),
        seal: String::new(),
        proof: None,
    })
}

/// The change of this step that waits for the NOC, if one does.
fn announced<'s>(state: &'s State, run: &Run, path: &str, since: Timestamp) -> Option<&'s AnnouncedState> {
    let waits = |a: &&AnnouncedState| {
        a.what.run == run.id && a.what.step == path && !state.actions.contains_key(&a.what.action.id)
    };
    // A no to an earlier round of a loop is not one to this.
    let now = |a: &&AnnouncedState| a.vetoed.as_ref().is_none_or(|(at, ..)| *at >= since);
    state.announced.values().rev().filter(waits).find(now)
}

/// True while look-ups that were begun before the run are under way: they may tell whose machines
/// these are, and so which one to block. Later ones are not waited for, and each has a deadline, so
/// that a stream of alerts cannot hold a run up.
fn looking_up(state: &State, run: &Run, incident: &Incident) -> bool {
    let begun = |since: Timestamp| since <= run.started;
    let under_way = state.agenda.look_ups.iter().filter_map(|id| state.pending.get(id));
    let mut alerts = under_way.filter(|p| begun(p.since)).filter_map(|p| match &p.what {
        Effect::LookUp { alert, .. } => Some(*alert),
        _ => None,
    });
    alerts.any(|alert| incident.telling().any(|a| a.alert == alert))
}

fn join(because: &[Reason]) -> String {
    because.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// A yes that may be acted upon: sealed by us, to what was asked, by people who may still say it.
///
/// # Errors
/// Why not, in words.
pub fn executable(world: World<'_>, asked: &Asked, settled: &ApprovalSettled) -> Result<Approved, Reason> {
    let id = asked.approval.id;
    let yes: Vec<Vote> = asked.yes.iter().map(|(vote, _)| vote.clone()).collect();
    if !world.seal.holds_yes(&settled.seal, id, &settled.digest, &yes) {
        return Err(Reason(format!(
            "approval: the yes to {id} does not carry our seal; somebody wrote it past stanch, look at `stanch journal`"
        )));
    }
    if let Some((vote, _)) = asked.yes.iter().find(|(_, digest)| *digest != settled.digest) {
        return Err(Reason(format!("approval: {} agreed to something else than {id} as it stands", vote.by)));
    }
    let a = &asked.approval;
    // The policy as it is now counts, as it does for how many people it takes.
    let policy = &world.config.containment;
    if a.fresh_within.is_none() && contain::fresh::wanted(policy, &a.action.kind, a.blast.level).is_some() {
        return Err(Reason(format!(
            "approval: {id} was answered without a fresh proof, and it takes one now"
        )));
    }
    let used = world.state.actions.values().any(|action| action.approval == Some(id));
    let approved = Approved::from_journal(&asked.approval, &settled.digest, &yes, used);
    still_has_authority(world.config, &approved)?;
    Ok(approved)
}

/// One step that changes something, and all it looks at.
struct Step<'a> {
    world: World<'a>,
    run: &'a Run,
    incident: &'a Incident,
    path: &'a str,
    since: Timestamp,
    plan: &'a Act,
}

impl Step<'_> {
    fn proposer(&self) -> Proposer<'_> {
        let playbook = self.run.playbook.as_ref();
        Proposer {
            playbook: &self.run.name,
            hash: playbook.map_or("", |p| p.hash.as_str()),
            autonomy: playbook.and_then(|p| p.autonomy),
            lasting: !self.plan.undo,
        }
    }

    fn judge(&self, action: &Action, approval: Option<&Approved>) -> Judged {
        judge(self.world, self.incident, self.proposer(), action, approval)
    }

    fn first_plan(&self, scope: &Scope) -> Next {
        let kind = match contain::plan::plan(&self.plan.change, scope) {
            Ok(kind) => kind,
            Err(why) => return Next::Failed(format!("step {}: {why}", id_of(self.path))),
        };
        let policy = &self.world.config.containment;
        let Some(responder) = self.world.config.responder_for(&kind).map(str::to_owned) else {
            let why = if let ActionKind::Call { call, .. } = &kind {
                format!("no connector declares the call {call}")
            } else {
                format!("policies/containment.yaml names no responder for {}", kind.name())
            };
            return Next::Failed(why);
        };
        if let Some(next) = self.same_question(&kind, &responder) {
            return next;
        }
        let action = Action {
            id: ActionId(self.world.state.next.action),
            incident: self.incident.id,
            responder,
            kind,
            ttl: self.plan.ttl.unwrap_or(policy.default_ttl),
            before: None,
        };
        let judged = self.judge(&action, None);
        if let Some(held) = self.in_force(&action)
            && !matches!(judged.decided.verdict, Verdict::WouldPermit)
        {
            return self.join_lease(held, &judged.decided.because);
        }
        match judged.decided.verdict {
            Verdict::Refused => {
                let because = join(&judged.decided.because);
                Next::Failed(format!("the guard refused to {}: {because}", action.kind.words()))
            }
            Verdict::Permit(ref permit) => self.go(permit.clone(), None, judged),
            Verdict::NeedsApproval { people } => {
                let people = people.max(self.plan.people);
                self.ask(action, judged.decided.because, people)
            }
            Verdict::WouldPermit => Next::Declined("rehearsal: this would have been done now".into()),
        }
    }

    /// What became of the same question, asked by another run of this incident: one answer is enough.
    /// `None` when it was not asked, or was answered before this step began.
    fn same_question(&self, kind: &ActionKind, responder: &str) -> Option<Next> {
        let same = |asked: &&Asked| {
            let a = &asked.approval;
            a.run != self.run.id && !a.renewal && a.action.kind == *kind && a.action.responder == responder
        };
        let State { approvals, agenda, .. } = self.world.state;
        let mut about = agenda.questions_about(self.incident.id).filter_map(|id| approvals.get(&id));
        let asked = about.find(same)?;
        let id = asked.approval.id;
        match &asked.settled {
            None if asked.approval.expires_at > self.world.now => Some(Next::Wait),
            None => None,
            Some((at, _)) if *at < self.since => None,
            // What was approved is being done by the run that asked; this one joins it once it is.
            Some((_, s)) => match s.answer {
                Answered::Approved => None,
                Answered::Denied => {
                    Some(Next::Declined(format!("{id}, the same question, was denied by {}", s.by)))
                }
                Answered::Expired => Some(Next::Failed(format!(
                    "nobody answered {id}, the same question, in time; nothing was changed"
                ))),
                Answered::Withdrawn => None,
            },
        }
    }

    /// The same change, made for somebody else and not over.
    fn in_force(&self, action: &Action) -> Option<&ActionState> {
        let same = |a: &&ActionState| {
            a.action.kind == action.kind && a.action.responder == action.responder && !a.lasting
        };
        self.world.state.live_actions().find(same)
    }

    /// Rests on a change that is in force: it is not made twice, not made longer, and not lifted
    /// while anybody needs it.
    fn join_lease(&self, held: &ActionState, because: &[Reason]) -> Next {
        // Whatever else speaks against the change still does.
        let never = |r: &&Reason| {
            let rule = r.0.split(':').next().unwrap_or_default();
            ["protected", "kill switch", "never block", "autonomy"].contains(&rule)
                && !r.0.contains("a person decides")
        };
        let against: Vec<Reason> = because.iter().filter(never).cloned().collect();
        if !against.is_empty() {
            let what = held.action.kind.words();
            return Next::Failed(format!("the guard refused to {what}: {}", join(&against)));
        }
        Next::Facts(vec![Event::LeaseJoined(LeaseJoined {
            action: held.action.id,
            incident: self.incident.id,
            run: self.run.id,
            step: self.path.to_owned(),
        })])
    }

    fn answered(&self, asked: &Asked, s: &ApprovalSettled) -> Next {
        match s.answer {
            Answered::Approved => self.approved(asked, s),
            Answered::Denied => Next::Declined(format!("denied by {}", s.by)),
            Answered::Expired => Next::Failed("nobody answered in time; nothing was changed".into()),
            Answered::Withdrawn => Next::Declined("the question was withdrawn".into()),
        }
    }

    fn approved(&self, asked: &Asked, s: &ApprovalSettled) -> Next {
        let yes = match executable(self.world, asked, s) {
            Ok(yes) => yes,
            Err(why) => return Next::Failed(why.0),
        };
        // Judged again, against the world as it is now: an approval is never a way around the guard.
        let judged = self.judge(&asked.approval.action, Some(&yes));
        match judged.decided.verdict {
            Verdict::Permit(ref permit) => self.go(permit.clone(), Some(asked.approval.id), judged),
            Verdict::NeedsApproval { .. } | Verdict::Refused | Verdict::WouldPermit => {
                let because = join(&judged.decided.because);
                Next::Failed(format!("approved by {}, but the guard refused: {because}", yes.by()))
            }
        }
    }

    /// A change that waited for the NOC: over, denied, or still waiting.
    fn announced(&self, a: &AnnouncedState) -> Next {
        if let Some((_, by, why)) = &a.vetoed {
            return Next::Declined(format!("the NOC said no ({by}): {why}"));
        }
        if self.world.now < a.what.at {
            return Next::Wait;
        }
        let asked = a.what.approval.and_then(|id| self.world.state.approvals.get(&id));
        let settled = asked.and_then(|asked| asked.settled.as_ref().map(|(_, s)| (asked, s)));
        let yes = match settled.map(|(asked, s)| executable(self.world, asked, s)).transpose() {
            Ok(yes) => yes,
            Err(why) => return Next::Failed(why.0),
        };
        let judged = self.judge(&a.what.action, yes.as_ref());
        match judged.decided.verdict {
            Verdict::Permit(ref permit) => self.perform(permit.clone(), a.what.approval, judged),
            Verdict::NeedsApproval { .. } | Verdict::Refused | Verdict::WouldPermit => {
                let because = join(&judged.decided.because);
                Next::Failed(format!("while it waited for the NOC, the guard changed its mind: {because}"))
            }
        }
    }

    /// The guard agreed: now, or once the NOC has had its time.
    fn go(&self, permit: Permit, approval: Option<ApprovalId>, judged: Judged) -> Next {
        let policy = &self.world.config.containment;
        let critical = self.incident.severity().rank() >= Severity::Critical.rank();
        let (Some(wait), Some(noc), false) = (policy.noc_veto, &policy.noc_team, critical) else {
            return self.perform(permit, approval, judged);
        };
        let action = permit.into_action();
        let at = self.world.now.plus(wait);
        let (subject, body, key) = noc_notice(self.world, self.incident, &action, approval, None);
        let body = format!(
            "This is going to be done at {at}, unless you say no before:\n  stanch blocks veto {}\n\n{body}",
            action.id
        );
        let text = (format!("In {wait}: {subject}"), body, format!("{key}-announced"));
        let mut next = self.world.state.next.effect;
        let told = tell(self.world, &mut next, self.incident.id, noc, text, Urgency::Warning, true);
        let told = told.map(|e| about(e, action.id));
        let (run, step) = (self.run.id, self.path.to_owned());
        let announced = Event::Announced(Box::new(Announced { run, step, action, approval, at }));
        Next::Facts(std::iter::once(announced).chain(told).collect())
    }

    fn ask(&self, action: Action, because: Vec<Reason>, people: u8) -> Next {
        let (world, run, incident) = (self.world, self.run, self.incident);
        let expires = self.plan.expires.unwrap_or(world.config.containment.approval_expires);
        let mut because = because;
        if incident.own_addresses().is_empty() && action.kind.network().is_some() {
            let guess = "inventory: it knows none of these machines, so which side is ours is a guess";
            because.insert(0, Reason::new(guess));
        }
        let blast = blast(world, incident, &action);
        let fresh_within = contain::fresh::wanted(&world.config.containment, &action.kind, blast.level);
        let approval = Approval {
            encoding: contain::ENCODING,
            id: ApprovalId(world.state.next.approval),
            incident: incident.id,
            run: run.id,
            step: self.path.to_owned(),
            blast,
            title: crate::story::title(incident),
            playbook: run.name.clone(),
            playbook_hash: run.playbook.as_ref().map(|p| p.hash.clone()).unwrap_or_default(),
            simulated: (world.simulated)(&action.responder),
            action,
            because,
            lasting: !self.plan.undo,
            renewal: false,
            people,
            asked_by: run.asked_by().cloned(),
            parties: contain::parties::parties(world.config, world.state, Some(run.id), None),
            fresh_within,
            policy: world.config.hash.clone(),
            teams: self.plan.approvers.clone(),
            requested_at: world.now,
            expires_at: world.now.plus(expires),
        };
        let mut next = world.state.next.effect;
        let mut events = question_notices(world, &mut next, &approval);
        events.insert(0, Event::ApprovalRequested(Box::new(approval)));
        Next::Facts(events)
    }

    fn perform(&self, permit: Permit, approval: Option<ApprovalId>, judged: Judged) -> Next {
        let (world, run) = (self.world, self.run);
        let action = permit.action().clone();
        let mut next = world.state.next.effect;
        let preauthorised = judged.preauthorised.filter(|_| approval.is_none());
        // The notice to the NOC is part of the same commit: no change without its notice.
        let by = preauthorised.as_ref().map(|p| p.by.as_str());
        let notice = noc_notice(world, self.incident, &action, approval, by);
        let preauthorised = preauthorised.map(|p| p.name);
        let sealed =
            Sealed { run: run.id, action: &action, approval, preauthorised: preauthorised.as_deref() };
        let seal = world.seal.of_permit(sealed);
        let mut events = vec![
            Event::ActionPermitted(ActionPermitted {
                run: run.id,
                permit,
                approval,
                because: judged.decided.because,
                step: self.path.to_owned(),
                preauthorised,
                lasting: !self.plan.undo,
                seal,
            }),
            // First what is there is read and journalled; the change follows when that is done.
            intended(&mut next, Effect::Capture { action: action.id }),
        ];
        if let Some(team) = world.config.containment.noc_team.clone() {
            let told = tell(world, &mut next, self.incident.id, &team, notice, Urgency::Information, true);
            events.extend(told.map(|e| about(e, action.id)));
        }
        Next::Facts(events)
    }
}

/// Tells every team that may answer, in words and, where a chat can, with buttons.
#[must_use]
pub fn question_notices(world: World<'_>, next: &mut u64, approval: &Approval) -> Vec<Event> {
    let subject = format!("{} needs a decision: {}", approval.incident, approval.action.kind.words());
    let digest = approval.digest();
    let body = format!("{}\nAnswer with: stanch approve {}\n", approval.shown_with(&digest), approval.id);
    let mut events = Vec::new();
    for team in &approval.teams {
        let key = format!("{}-asked-{team}", approval.id);
        let notice = (subject.clone(), body.clone(), key);
        let told = tell(world, next, approval.incident, team, notice, Urgency::Critical, false);
        let ask = Ask { approval: approval.id, digest: digest.clone() };
        events.extend(told.map(|e| asking(e, ask)));
    }
    events
}

/// The same notice, putting a question.
fn asking(event: Event, ask: Ask) -> Event {
    with_notice(event, |n| n.ask = Some(ask))
}

/// The same notice, as a part of what is said about a change; `closes` says that the matter is over.
#[must_use]
pub fn of_change(event: Event, action: ActionId, closes: bool) -> Event {
    with_notice(event, |n| (n.about, n.closes) = (Some(action), closes))
}

fn about(event: Event, action: ActionId) -> Event {
    of_change(event, action, false)
}

fn with_notice(mut event: Event, change: impl FnOnce(&mut stanch_model::Notice)) -> Event {
    if let Event::Intended(intended) = &mut event
        && let Effect::Notify { notice, .. } = &mut intended.what
    {
        change(notice);
    }
    event
}

/// What the NOC is told of a change: subject, body and key. `by` signed it in advance.
fn noc_notice(
    world: World<'_>,
    incident: &Incident,
    action: &Action,
    approval: Option<ApprovalId>,
    by: Option<&str>,
) -> (String, String, String) {
    let asked = approval.and_then(|a| world.state.approvals.get(&a));
    let who = match (asked, by) {
        (Some(asked), _) => {
            let names: Vec<&str> = asked.yes.iter().map(|(v, _)| v.by.as_str()).collect();
            format!("approved by {}", names.join(" and "))
        }
        (None, Some(by)) => format!("pre-authorised by {by}"),
        (None, None) => "by the machine, as the policy allows".to_owned(),
    };
    let subject =
        format!("Network change by SecOps: {} for {} ({})", action.kind.words(), action.ttl, incident.id);
    let mut body = format!(
        "What    {} on {}\nWhen    from {}, for {}; lifted by itself\nWhy     {}\nWho     {who}\nTag     {}\n\nEffect\n",
        action.kind.words(),
        action.responder,
        world.now,
        action.ttl,
        crate::story::title(incident),
        action.tag(),
    );
    for line in blast(world, incident, action).lines() {
        body.push_str(&format!("  {line}\n"));
    }
    body.push_str(&format!("\nIf this hurts a service:  stanch release {}\n", action.id));
    (subject, body, format!("{}-noc", action.id))
}
