//! One execution of a playbook: what it has done and what it does next.
//!
//! [`advance`] decides, [`Run::step_done`] and the fold remember. A step that is done never runs
//! again, whatever crashes in between; a run that waits always waits for something that will come:
//! an answer or its expiry, a device's reply or its retry, the end of a lease.

use std::net::IpAddr;
use std::sync::Arc;

use stanch_model::{
    Action, ActionId, ActionKind, ApprovalId, EffectId, Fact, IncidentId, Meaning, Notice, RunId, Span,
    Timestamp, Urgency,
};

use super::{Playbook, StepKind};
use crate::config::{Config, Protected};
use crate::contain::contacts::from_contacts;
use crate::contain::{
    Approval, Approved, BlastRadius, Evidence, GuardFacts, Mode, Permit, Usage, Verdict, guard, parse_target,
};
use crate::decided::Reason;
use crate::expr::{Expr, Scope, Text};
use crate::journal::event::{
    ActionEnd, ActionPermitted, Answered, ApprovalSettled, Effect, Event, Intended, RunEnd, RunEnded,
    RunStarted, StepDone,
};
use crate::journal::incident::Incident;
use crate::journal::state::State;

/// One execution of a playbook.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its name.
    pub id: RunId,
    /// For which incident.
    pub incident: IncidentId,
    /// The plan, pinned when the run began; `None` only if this program can no longer read it.
    pub playbook: Option<Arc<Playbook>>,
    /// The playbook's name.
    pub name: String,
    /// When it began.
    pub started: Timestamp,
    /// Index of the step in hand.
    pub cursor: usize,
    /// Since when.
    pub step_since: Timestamp,
    /// The question asked in this step, if any.
    pub approval: Option<ApprovalId>,
    /// Changes made by this run.
    pub actions: Vec<ActionId>,
    /// The change made in this step, if any.
    pub step_action: Option<ActionId>,
    /// Steps that are over, with what came of them.
    pub done: Vec<(Timestamp, String, String)>,
    /// When, how and why it ended.
    pub ended: Option<(Timestamp, RunEnd, String)>,
}

impl Run {
    /// A run that has just begun.
    #[must_use]
    pub fn new(at: Timestamp, e: &RunStarted, playbook: Option<Arc<Playbook>>) -> Run {
        Run {
            id: e.run,
            incident: e.incident,
            playbook,
            name: e.playbook.clone(),
            started: at,
            cursor: 0,
            step_since: at,
            approval: None,
            actions: Vec::new(),
            step_action: None,
            done: Vec::new(),
            ended: None,
        }
    }

    /// Remembers that a step is over.
    pub fn step_done(&mut self, at: Timestamp, e: &StepDone) {
        self.done.push((at, e.id.clone(), e.outcome.clone()));
        self.cursor = e.step as usize + 1;
        self.step_since = at;
        self.approval = None;
        self.step_action = None;
    }
}

/// All that deciding about a run may look at.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// The fold.
    pub state: &'a State,
    /// The rules.
    pub config: &'a Config,
    /// Addresses that must never be blocked, found by ourselves.
    pub discovered: &'a [Protected],
    /// Look-ups that answer at once.
    pub look_up: &'a dyn Fn(&str, IpAddr) -> Vec<Fact>,
    /// True when the responder in use changes nothing real.
    pub simulated: bool,
    /// May the world be changed at all?
    pub mode: Mode,
    /// Everything outward is stopped.
    pub kill_switch: bool,
    /// The time.
    pub now: Timestamp,
}

/// What the run does next. Empty: it waits. Call again after applying what came back, until empty.
#[must_use]
pub fn advance(world: World<'_>, run: &Run) -> Vec<Event> {
    if run.ended.is_some() {
        return Vec::new();
    }
    let Some(playbook) = run.playbook.as_ref() else {
        return end(run, RunEnd::Handed, "this version of stanch cannot read the pinned playbook");
    };
    let Some(incident) = world.state.incidents.get(&run.incident) else {
        return end(run, RunEnd::Handed, "its incident is gone");
    };
    let Some(step) = playbook.steps.get(run.cursor) else {
        return end(run, RunEnd::Completed, "all steps done");
    };
    let scope = scope(world.state, incident, run);
    if run.approval.is_none() && run.step_action.is_none() {
        match step.when.as_ref().map(|w| w.test(&scope)) {
            None | Some(Ok(true)) => {}
            Some(Ok(false)) => return done(run, &step.id, "skipped: its condition does not hold"),
            Some(Err(e)) => {
                return end(
                    run,
                    RunEnd::Handed,
                    &format!("the condition of step {} cannot be told: {e}", step.id),
                );
            }
        }
    }
    match &step.kind {
        StepKind::Block { target, ttl, approvers, expires } => {
            let plan = BlockPlan { target, ttl: *ttl, approvers, expires: *expires, step: &step.id };
            block(world, run, incident, &plan, &scope)
        }
        StepKind::Notify { team, text } => notify_step(world, run, incident, &step.id, team, text, &scope),
        StepKind::Wait { span: Some(span) } => {
            let over = run.step_since.plus(*span) <= world.now;
            if over { done(run, &step.id, &format!("waited {span}")) } else { Vec::new() }
        }
        StepKind::Wait { span: None } => {
            let all =
                run.actions.iter().all(|a| world.state.actions.get(a).is_none_or(|a| a.ended.is_some()));
            if all { done(run, &step.id, "every change is lifted") } else { Vec::new() }
        }
        StepKind::Verify => verify_step(world, run, &step.id),
    }
}

fn done(run: &Run, id: &str, outcome: &str) -> Vec<Event> {
    vec![Event::StepDone(StepDone {
        run: run.id,
        step: run.cursor as u32,
        id: id.to_owned(),
        outcome: outcome.to_owned(),
    })]
}

fn end(run: &Run, end: RunEnd, why: &str) -> Vec<Event> {
    vec![Event::RunEnded(RunEnded { run: run.id, end, why: why.to_owned() })]
}

/// An incident as playbook and route conditions see it.
#[must_use]
pub fn incident_value(state: &State, i: &Incident) -> serde_json::Value {
    use std::collections::BTreeSet;
    let peer = i.peer();
    let victims: BTreeSet<String> = i
        .alerts
        .iter()
        .flat_map(|a| [a.ends.src, a.ends.dst])
        .flatten()
        .filter(|ip| Some(*ip) != peer)
        .map(|ip| ip.to_string())
        .collect();
    let assets: BTreeSet<&str> = i.facts.values().filter_map(|f| asset_name(f)).collect();
    let set =
        |f: fn(&crate::journal::event::Joined) -> &str| i.alerts.iter().map(f).collect::<BTreeSet<&str>>();
    let techniques: BTreeSet<&String> = i.alerts.iter().flat_map(|a| &a.techniques).collect();
    serde_json::json!({
        "id": i.id.to_string(),
        "kind": i.kind(),
        "title": crate::story::title(i),
        "severity": i.severity().rank(),
        "confidence": i.confidence(),
        "site": i.site,
        "peer": peer.map(|p| p.to_string()).unwrap_or_default(),
        "victims": victims,
        "assets": assets,
        "techniques": techniques,
        "stages": i.stages().keys().map(|s| s.words()).collect::<Vec<_>>(),
        "rules": set(|a| &a.rule).len(),
        "alerts": i.alert_ids().filter_map(|a| state.slot(a)).map(|s| u64::from(s.count)).sum::<u64>(),
        "sources": set(|a| &a.source),
        "products": set(|a| &a.product),
        "team": i.team.clone().unwrap_or_default(),
    })
}

fn asset_name(fact: &Fact) -> Option<&str> {
    match &fact.meaning {
        Meaning::Asset { name, .. } => Some(name),
        _ => None,
    }
}

fn scope(state: &State, incident: &Incident, run: &Run) -> Scope {
    let run = serde_json::json!({ "id": run.id.to_string(), "playbook": run.name });
    Scope::new().with("incident", incident_value(state, incident)).with("run", run)
}

/// True when a playbook wants to run on an incident now; an error is told, never taken for no.
///
/// # Errors
/// What could not be evaluated.
pub fn triggers(
    state: &State,
    playbook: &Playbook,
    incident: &Incident,
) -> Result<bool, crate::expr::ExprError> {
    playbook.when.test(&Scope::new().with("incident", incident_value(state, incident)))
}

// -------------------------------------------------------------------------------------- block

struct BlockPlan<'a> {
    target: &'a Expr,
    ttl: Option<Span>,
    approvers: &'a [String],
    expires: Option<Span>,
    step: &'a str,
}

fn block(
    world: World<'_>,
    run: &Run,
    incident: &Incident,
    plan: &BlockPlan<'_>,
    scope: &Scope,
) -> Vec<Event> {
    if let Some(action) = run.step_action.and_then(|a| world.state.actions.get(&a)) {
        return match (&action.ended, &action.in_force) {
            (Some((_, ActionEnd::Lifted, why)), _) => done(run, plan.step, why),
            (Some((_, ActionEnd::Failed | ActionEnd::Unknown, why)), _) => {
                end(run, RunEnd::Handed, &format!("{}: {why}", action.action.kind.words()))
            }
            (None, Some((_, until))) => {
                done(run, plan.step, &format!("{} until {until}", action.action.kind.words()))
            }
            (None, None) => Vec::new(),
        };
    }
    match run.approval.and_then(|a| world.state.approvals.get(&a)) {
        None if looking_up(world.state, run, incident) => Vec::new(),
        None => first_plan(world, run, incident, plan, scope),
        Some(asked) => match &asked.settled {
            None if asked.approval.expires_at <= world.now => vec![Event::ApprovalSettled(ApprovalSettled {
                approval: asked.approval.id,
                answer: Answered::Expired,
                by: "stanch".into(),
                digest: String::new(),
                reason: String::new(),
            })],
            None => Vec::new(),
            Some((at, s)) => match s.answer {
                Answered::Approved => approved(world, run, incident, &asked.approval, s, *at),
                Answered::Denied => end(run, RunEnd::Declined, &format!("denied by {}", s.by)),
                Answered::Expired => end(run, RunEnd::Handed, "nobody answered in time; nothing was changed"),
                Answered::Withdrawn => end(run, RunEnd::Declined, "the question was withdrawn"),
            },
        },
    }
}

/// True while look-ups that were begun before the run are under way: they may tell whose machines
/// these are, and so which one to block. Later ones are not waited for, and each has a deadline, so
/// that a stream of alerts cannot hold a run up.
fn looking_up(state: &State, run: &Run, incident: &Incident) -> bool {
    let begun = |since: Timestamp| since <= run.started;
    let alerts = state.pending.values().filter(|p| begun(p.since)).filter_map(|p| match &p.what {
        Effect::LookUp { alert, .. } => Some(*alert),
        Effect::Notify { .. } | Effect::Perform { .. } | Effect::Verify { .. } | Effect::Revert { .. } => {
            None
        }
    });
    alerts.into_iter().any(|alert| incident.telling().any(|a| a.alert == alert))
}

fn first_plan(
    world: World<'_>,
    run: &Run,
    incident: &Incident,
    plan: &BlockPlan<'_>,
    scope: &Scope,
) -> Vec<Event> {
    let handed = |why: String| end(run, RunEnd::Handed, &why);
    let target = match plan.target.eval(scope) {
        Ok(serde_json::Value::String(text)) if !text.is_empty() => text,
        Ok(_) => return handed(format!("step {}: no single address to block is known", plan.step)),
        Err(e) => return handed(format!("step {}: the target cannot be told: {e}", plan.step)),
    };
    let target = match parse_target(&target) {
        Ok(net) => net,
        Err(why) => return handed(format!("step {}: {why}", plan.step)),
    };
    let Some(responder) = world.config.containment.block_address.clone() else {
        return handed("policies/containment.yaml names no responder for block_address".into());
    };
    let action = Action {
        id: ActionId(world.state.next.action),
        incident: incident.id,
        responder,
        kind: ActionKind::BlockAddress { target },
        ttl: plan.ttl.unwrap_or(world.config.containment.default_ttl),
    };
    let judged = judge(world, incident, &action, None);
    match judged.verdict {
        Verdict::Refused => {
            handed(format!("the guard refused to {}: {}", action.kind.words(), join(&judged.because)))
        }
        Verdict::Permit(permit) => perform(world, run, incident, permit, None, judged.because),
        Verdict::NeedsApproval => ask(world, run, incident, plan, action, judged.because),
        Verdict::WouldPermit => end(run, RunEnd::Declined, "rehearsal: this would have been done now"),
    }
}

fn join(because: &[Reason]) -> String {
    because.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn approved(
    world: World<'_>,
    run: &Run,
    incident: &Incident,
    a: &Approval,
    answer: &ApprovalSettled,
    at: Timestamp,
) -> Vec<Event> {
    let by = &answer.by;
    let used = world.state.actions.values().any(|action| action.approval == Some(a.id));
    let yes = Approved::from_journal(a, &answer.digest, by, at, used);
    // Judged again, against the world as it is now: an approval is never a way around the guard.
    let judged = judge(world, incident, &a.action, Some(&yes));
    match judged.verdict {
        Verdict::Permit(permit) => perform(world, run, incident, permit, Some(a.id), judged.because),
        Verdict::NeedsApproval | Verdict::Refused | Verdict::WouldPermit => {
            let why = format!("approved by {by}, but the guard refused: {}", join(&judged.because));
            end(run, RunEnd::Handed, &why)
        }
    }
}

/// Judges a change against the world as it is.
#[must_use]
pub fn judge(
    world: World<'_>,
    incident: &Incident,
    action: &Action,
    approval: Option<&Approved>,
) -> crate::Decided<Verdict> {
    let ActionKind::BlockAddress { target } = &action.kind;
    let blast = blast(world, incident, action);
    let target_facts = (world.look_up)(&incident.site, target.addr());
    let policy = &world.config.containment;
    let facts = GuardFacts {
        now: world.now,
        policy,
        discovered: world.discovered,
        target_facts: &target_facts,
        blast: &blast,
        evidence: evidence(world, incident, target.addr()),
        autonomy: autonomy(world, incident),
        approval,
        usage: usage(world, action),
        kill_switch: world.kill_switch,
        mode: world.mode,
    };
    guard(action, &facts)
}

/// The blast radius of a change, as far as flows, alerts and the inventory tell.
#[must_use]
pub fn blast(world: World<'_>, incident: &Incident, action: &Action) -> BlastRadius {
    let ActionKind::BlockAddress { target } = &action.kind;
    from_contacts(target, &incident.site, &world.state.contacts, world.look_up)
}

/// Evidence older than this no longer justifies a change. Default of the promise "no stale action".
pub const MAX_EVIDENCE_AGE: Span = Span::hours(24);

fn evidence(world: World<'_>, incident: &Incident, target: IpAddr) -> Evidence {
    let about = incident.alerts.iter().filter(|a| a.ends.src == Some(target) || a.ends.dst == Some(target));
    let mut sources = std::collections::BTreeSet::new();
    let (mut established, mut newest) = (false, Timestamp(i64::MIN));
    for a in about {
        established |= a.ends.established;
        if world.config.sources.get(&a.source).is_none_or(|s| s.authenticated) {
            sources.insert(a.source.as_str());
        }
        newest = newest.max(world.state.slot(a.alert).map_or(newest, |s| s.arrived));
    }
    Evidence { established, independent_sources: sources.len() as u32, newest, max_age: MAX_EVIDENCE_AGE }
}

fn autonomy(world: World<'_>, incident: &Incident) -> crate::config::Autonomy {
    crate::stage::subject::route_incident(world.config, incident).verdict.autonomy
}

fn usage(world: World<'_>, action: &Action) -> Usage {
    let since = world.now.plus(Span::mins(-10));
    let live = |a: &&crate::journal::state::ActionState| a.ended.is_none();
    Usage {
        started_last_10_minutes: world.state.actions.values().filter(|a| a.permitted_at > since).count()
            as u32,
        active: world.state.actions.values().filter(live).count() as u32,
        already_active_on_target: world
            .state
            .actions
            .values()
            .filter(live)
            .find(|a| a.action.kind == action.kind && a.action.id != action.id)
            .map(|a| a.action.id),
        earlier_on_target: {
            let week = world.now.plus(Span::hours(-24 * 7));
            let same = |a: &&crate::journal::state::ActionState| {
                a.action.kind == action.kind && a.permitted_at > week
            };
            world.state.actions.values().filter(same).count() as u32
        },
    }
}

fn ask(
    world: World<'_>,
    run: &Run,
    incident: &Incident,
    plan: &BlockPlan<'_>,
    action: Action,
    because: Vec<Reason>,
) -> Vec<Event> {
    let expires = plan.expires.unwrap_or(world.config.containment.approval_expires);
    let mut because = because;
    if incident.own_addresses().is_empty() {
        let guess = "inventory: it knows none of these machines, so which side is ours is a guess";
        because.insert(0, Reason::new(guess));
    }
    let approval = Approval {
        id: ApprovalId(world.state.next.approval),
        incident: incident.id,
        run: run.id,
        step: plan.step.to_owned(),
        blast: blast(world, incident, &action),
        action,
        title: crate::story::title(incident),
        playbook: run.name.clone(),
        playbook_hash: run.playbook.as_ref().map(|p| p.hash.clone()).unwrap_or_default(),
        simulated: world.simulated,
        because,
        teams: plan.approvers.to_vec(),
        requested_at: world.now,
        expires_at: world.now.plus(expires),
    };
    let subject = format!("{} needs a decision: {}", incident.id, approval.action.kind.words());
    let body = format!("{}\nAnswer with: stanch approve {}\n", approval.shown(), approval.id);
    let mut events = vec![];
    let mut next = world.state.next.effect;
    for team in plan.approvers {
        let key = format!("{}-asked-{team}", approval.id);
        let notice = (subject.clone(), body.clone(), key);
        events.extend(tell(world, &mut next, incident.id, team, notice, Urgency::Critical, false));
    }
    events.insert(0, Event::ApprovalRequested(Box::new(approval)));
    events
}

fn perform(
    world: World<'_>,
    run: &Run,
    incident: &Incident,
    permit: Permit,
    approval: Option<ApprovalId>,
    because: Vec<Reason>,
) -> Vec<Event> {
    let action = permit.action().clone();
    let mut next = world.state.next.effect;
    // The notice to the NOC is part of the same commit: no change without its notice.
    let notice = noc_notice(world, incident, &action, approval);
    let noc = world.config.containment.noc_team.clone();
    let mut events = vec![
        Event::ActionPermitted(ActionPermitted { run: run.id, permit, approval, because }),
        intended(&mut next, Effect::Perform { action: action.id }),
    ];
    if let Some(team) = noc {
        events.extend(tell(world, &mut next, incident.id, &team, notice, Urgency::Information, true));
    }
    events
}

fn noc_notice(
    world: World<'_>,
    incident: &Incident,
    action: &Action,
    approval: Option<ApprovalId>,
) -> (String, String, String) {
    let who = approval
        .and_then(|a| world.state.approvals.get(&a))
        .and_then(|a| a.settled.as_ref().map(|(_, s)| format!("approved by {}", s.by)))
        .unwrap_or_else(|| "pre-authorised by policy".into());
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

// ------------------------------------------------------------------------------- small helpers

/// An intention with the next free number.
pub fn intended(next: &mut u64, what: Effect) -> Event {
    let effect = EffectId(*next);
    *next += 1;
    Event::Intended(Intended { effect, what })
}

/// Tells a team, if it has a way to be told; a team that is not configured any more is told nothing
/// here, and `stanch check` has said so.
pub fn tell(
    world: World<'_>,
    next: &mut u64,
    incident: IncidentId,
    team: &str,
    (subject, body, key): (String, String, String),
    urgency: Urgency,
    noc: bool,
) -> Option<Event> {
    let team = world.config.teams.get(team)?;
    let notice = Notice { key, incident, urgency, to: team.to.clone(), subject, body, at: world.now };
    Some(intended(next, Effect::Notify { notifier: team.notifier.clone(), notice, noc }))
}

fn notify_step(
    world: World<'_>,
    run: &Run,
    incident: &Incident,
    id: &str,
    team: &str,
    text: &Text,
    scope: &Scope,
) -> Vec<Event> {
    let line = match text.render(scope) {
        Ok(line) => line,
        Err(e) => return end(run, RunEnd::Handed, &format!("the text of step {id} cannot be made: {e}")),
    };
    let mut next = world.state.next.effect;
    let key = format!("{}-{id}", run.id);
    let body = format!("{line}\n\n{}\n", crate::story::title(incident));
    let noc = world.config.containment.noc_team.as_deref() == Some(team);
    let mut events: Vec<Event> =
        tell(world, &mut next, incident.id, team, (line, body, key), Urgency::Information, noc)
            .into_iter()
            .collect();
    events.extend(done(run, id, &format!("told {team}")));
    events
}

fn verify_step(world: World<'_>, run: &Run, id: &str) -> Vec<Event> {
    let mut next = world.state.next.effect;
    let mut events = Vec::new();
    let mut seen = Vec::new();
    for a in run.actions.iter().filter_map(|a| world.state.actions.get(a)) {
        match &a.observed {
            Some((at, observed)) if *at >= run.step_since => {
                seen.push(format!("{}: {observed:?}", a.action.id))
            }
            _ if being_verified(world.state, a.action.id) => return Vec::new(),
            _ => events.push(intended(&mut next, Effect::Verify { action: a.action.clone() })),
        }
    }
    if events.is_empty() {
        let what = if seen.is_empty() { "nothing to look at".to_owned() } else { seen.join(", ") };
        return done(run, id, &format!("looked again: {what}"));
    }
    events
}

/// True while a look at a change is under way.
#[must_use]
pub fn being_verified(state: &State, action: ActionId) -> bool {
    state.pending.values().any(|p| matches!(&p.what, Effect::Verify { action: a } if a.id == action))
}

/// True while taking a change back is under way.
#[must_use]
pub fn being_reverted(state: &State, action: ActionId) -> bool {
    state.pending.values().any(|p| matches!(&p.what, Effect::Revert { action: a } if a.id == action))
}
