//! The step that changes something: plan, guard, question, change, notice.

use std::net::IpAddr;

use stanch_model::{Action, ActionId, ActionKind, ApprovalId, Span, Timestamp, Urgency};

use super::walk::{At, Next};
use super::{Run, World, intended, tell};
use crate::contain::contacts::from_contacts;
use crate::contain::{
    Approval, Approved, BlastRadius, Evidence, GuardFacts, Permit, Usage, Verdict, guard, parse_target,
};
use crate::decided::Reason;
use crate::expr::Scope;
use crate::journal::event::{ActionEnd, ActionPermitted, Answered, ApprovalSettled, Effect, Event};
use crate::journal::incident::Incident;
use crate::journal::state::State;
use crate::playbook::{Act, Change};

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
    if let Some(action) = state.and_then(|s| s.action).and_then(|a| world.state.actions.get(&a)) {
        let words = action.action.kind.words();
        return match (&action.ended, &action.in_force) {
            (Some((_, ActionEnd::Lifted, why)), _) => Next::done(why),
            (Some((_, ActionEnd::Failed, why)), _) => Next::Failed(format!("{words}: {why}")),
            (Some((_, ActionEnd::Unknown, why)), _) => Next::Unknown(format!("{words}: {why}")),
            (None, Some((_, until))) => Next::done(format!("{words} until {until}")),
            (None, None) => Next::Wait,
        };
    }
    match state.and_then(|s| s.approval).and_then(|a| world.state.approvals.get(&a)) {
        None if looking_up(world.state, run, incident) => Next::Wait,
        None => first_plan(world, run, incident, at, plan, scope),
        Some(asked) => match &asked.settled {
            None if asked.approval.expires_at <= world.now => {
                Next::Facts(vec![Event::ApprovalSettled(ApprovalSettled {
                    approval: asked.approval.id,
                    answer: Answered::Expired,
                    by: "stanch".into(),
                    digest: String::new(),
                    reason: String::new(),
                })])
            }
            None => Next::Wait,
            Some((when, s)) => match s.answer {
                Answered::Approved => approved(world, run, incident, at, &asked.approval, s, *when),
                Answered::Denied => Next::Declined(format!("denied by {}", s.by)),
                Answered::Expired => Next::Failed("nobody answered in time; nothing was changed".into()),
                Answered::Withdrawn => Next::Declined("the question was withdrawn".into()),
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
        Effect::Enrich { .. }
        | Effect::Fetch { .. }
        | Effect::Notify { .. }
        | Effect::Capture { .. }
        | Effect::Perform { .. }
        | Effect::Verify { .. }
        | Effect::Revert { .. } => None,
    });
    alerts.into_iter().any(|alert| incident.telling().any(|a| a.alert == alert))
}

fn first_plan(
    world: World<'_>,
    run: &Run,
    incident: &Incident,
    at: &At<'_, '_>,
    plan: &Act,
    scope: &Scope,
) -> Next {
    let id = at.step.id.as_str();
    let handed = Next::Failed;
    let Change::BlockAddress { target } = &plan.change else {
        return handed(format!("step {id}: {} is not known to this version", plan.change.name()));
    };
    let target = match target.eval(scope) {
        Ok(serde_json::Value::String(text)) if !text.is_empty() => text,
        Ok(_) => return handed(format!("step {}: no single address to block is known", id)),
        Err(e) => return handed(format!("step {}: the target cannot be told: {e}", id)),
    };
    let target = match parse_target(&target) {
        Ok(net) => net,
        Err(why) => return handed(format!("step {}: {why}", id)),
    };
    let kind = plan.change.name();
    let Some(responder) = world.config.containment.responders.get(kind).cloned() else {
        return handed(format!("policies/containment.yaml names no responder for {kind}"));
    };
    let action = Action {
        id: ActionId(world.state.next.action),
        incident: incident.id,
        responder,
        kind: ActionKind::BlockAddress { target },
        ttl: plan.ttl.unwrap_or(world.config.containment.default_ttl),
        before: None,
    };
    let judged = judge(world, incident, &action, None);
    match judged.verdict {
        Verdict::Refused => {
            handed(format!("the guard refused to {}: {}", action.kind.words(), join(&judged.because)))
        }
        Verdict::Permit(permit) => perform(world, run, incident, at, permit, None, judged.because),
        Verdict::NeedsApproval => ask(world, run, incident, at, plan, action, judged.because),
        Verdict::WouldPermit => Next::Declined("rehearsal: this would have been done now".into()),
    }
}

fn join(because: &[Reason]) -> String {
    because.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn approved(
    world: World<'_>,
    run: &Run,
    incident: &Incident,
    at: &At<'_, '_>,
    a: &Approval,
    answer: &ApprovalSettled,
    when: Timestamp,
) -> Next {
    let by = &answer.by;
    let used = world.state.actions.values().any(|action| action.approval == Some(a.id));
    let yes = Approved::from_journal(a, &answer.digest, by, when, used);
    // Judged again, against the world as it is now: an approval is never a way around the guard.
    let judged = judge(world, incident, &a.action, Some(&yes));
    match judged.verdict {
        Verdict::Permit(permit) => perform(world, run, incident, at, permit, Some(a.id), judged.because),
        Verdict::NeedsApproval | Verdict::Refused | Verdict::WouldPermit => {
            Next::Failed(format!("approved by {by}, but the guard refused: {}", join(&judged.because)))
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
    let blast = blast(world, incident, action);
    let address = action.kind.network().map(ipnet::IpNet::addr);
    let target_facts = address.map(|a| (world.look_up)(&incident.site, a)).unwrap_or_default();
    let policy = &world.config.containment;
    let facts = GuardFacts {
        now: world.now,
        policy,
        discovered: world.discovered,
        target_facts: &target_facts,
        blast: &blast,
        evidence: evidence(world, incident, address),
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
    match action.kind.network() {
        Some(target) => from_contacts(target, &incident.site, &world.state.contacts, world.look_up),
        None => BlastRadius::estimate(ipnet::IpNet::default(), &[], &[]),
    }
}

/// Evidence older than this no longer justifies a change. Default of the promise "no stale action".
pub const MAX_EVIDENCE_AGE: Span = Span::hours(24);

fn evidence(world: World<'_>, incident: &Incident, target: Option<IpAddr>) -> Evidence {
    let speaks = |a: &&crate::journal::event::Joined| {
        target.is_none_or(|t| a.ends.src == Some(t) || a.ends.dst == Some(t))
    };
    let about = incident.alerts.iter().filter(speaks);
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
    at: &At<'_, '_>,
    plan: &Act,
    action: Action,
    because: Vec<Reason>,
) -> Next {
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
        step: at.path.to_owned(),
        blast: blast(world, incident, &action),
        title: crate::story::title(incident),
        playbook: run.name.clone(),
        playbook_hash: run.playbook.as_ref().map(|p| p.hash.clone()).unwrap_or_default(),
        simulated: (world.simulated)(&action.responder),
        action,
        because,
        teams: plan.approvers.clone(),
        requested_at: world.now,
        expires_at: world.now.plus(expires),
    };
    let subject = format!("{} needs a decision: {}", incident.id, approval.action.kind.words());
    let body = format!("{}\nAnswer with: stanch approve {}\n", approval.shown(), approval.id);
    let mut events = vec![];
    let mut next = world.state.next.effect;
    for team in &plan.approvers {
        let key = format!("{}-asked-{team}", approval.id);
        let notice = (subject.clone(), body.clone(), key);
        events.extend(tell(world, &mut next, incident.id, team, notice, Urgency::Critical, false));
    }
    events.insert(0, Event::ApprovalRequested(Box::new(approval)));
    Next::Facts(events)
}

fn perform(
    world: World<'_>,
    run: &Run,
    incident: &Incident,
    at: &At<'_, '_>,
    permit: Permit,
    approval: Option<ApprovalId>,
    because: Vec<Reason>,
) -> Next {
    let action = permit.action().clone();
    let mut next = world.state.next.effect;
    // The notice to the NOC is part of the same commit: no change without its notice.
    let notice = noc_notice(world, incident, &action, approval);
    let noc = world.config.containment.noc_team.clone();
    let mut events = vec![
        Event::ActionPermitted(ActionPermitted {
            run: run.id,
            permit,
            approval,
            because,
            step: at.path.to_owned(),
        }),
        // First what is there is read and journalled; the change follows when that is done.
        intended(&mut next, Effect::Capture { action: action.id }),
    ];
    if let Some(team) = noc {
        events.extend(tell(world, &mut next, incident.id, &team, notice, Urgency::Information, true));
    }
    Next::Facts(events)
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
